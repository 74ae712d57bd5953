/* SPDX-License-Identifier: MIT */
/*
 * once.c - one permit to make the value (permits.h), which is closed when there is one: that is
 * how those in line learn of it. Those who only wait for the value are in the line of a notify.
 *
 * value is written by who has the permit, before the close, and read only after a look that
 * found it closed. owner: who makes it, as in mutex.c.
 */
#include "config.h"

#include <troupe/once.h>

#include "sched/misuse.h"
#include "sync/notify.h"
#include "sync/owner.h"
#include "sync/permits.h"

static const char recursive[] =
    "the caller makes this value already and would wait for itself; do not ask for it there";

void tr_once_init(tr_once *o)
{
    if (!o)
        return;
    tri_crowd_init(tri_crowd_of(&o->makers), 1, 0);
    tri_crowd_init(tri_crowd_of(&o->waiters), 0, 0);
    o->owner = o->value = NULL;
}

static struct tri_crowd *makers(tr_once *o)
{
    return tri_crowd_of(&o->makers);
}

static struct tri_crowd *waiters(tr_once *o)
{
    return tri_crowd_of(&o->waiters);
}

static bool get(tr_once *o, void **ret_value)
{
    if (!(tri_crowd_look(&o->makers) & TRI_PERMITS_CLOSED))
        return false;
    *ret_value = o->value;
    return true;
}

/* For the one with the permit, which is not given back. */
static void publish(tr_once *o, void *value)
{
    o->value = value;
    tri_permits_close(makers(o)); /* releases value */
    tri_notify_all(waiters(o));
}

/* ---- making ---- */

static bool make_attempt(tr_arm *arm)
{
    tr_once *o = arm->value;

    if (tri_permits_attempt(arm))
        return true;
    if (!tri_owner_is(&o->owner, tri_owner_self()))
        return false;
    arm->result = tri_misuse(-EDEADLK, arm->ops->what, recursive);
    return true;
}

static const struct tri_arm_ops make_ops = {
    .what = "once get or init",
    .attempt = make_attempt,
    .enroll = tri_permits_enroll,
    .withdraw = tri_permits_withdraw,
    .keeps_place = tri_crowd_keeps_place,
};

static tr_arm make_arm(tr_once *o)
{
    tr_arm arm = tri_permits_arm(&make_ops, makers(o), 1);

    arm.value = o;
    return arm;
}

/* For the one with the permit. */
static int make_now(tr_once *o, tr_once_fn *make, void *arg, void **ret_value)
{
    void *value = NULL;
    int r;

    tri_owner_set(&o->owner, tri_owner_self());
    r = make(arg, &value);
    tri_owner_set(&o->owner, NULL);
    if (r < 0) {
        (void)tri_permits_give(makers(o), 1, 1);
        return r;
    }
    publish(o, value);
    *ret_value = value;
    return 0;
}

/* @r: of the wait for the permit. */
static int make_or_get(tr_once *o, int r, tr_once_fn *make, void *arg, void **ret_value)
{
    if (r == 0)
        return make_now(o, make, arg, ret_value);
    return r == -EPIPE && get(o, ret_value) ? 0 : r;
}

int tr_once_get_or_init(tr_once *o, tr_once_fn *make, void *arg, tr_time deadline,
                        void **ret_value)
{
    tr_arm arm;
    int r;

    if (!o || !make || !ret_value)
        return -EINVAL;
    r = tri_wait_enter(tri_self_at_entry());
    if (r < 0)
        return r;
    if (get(o, ret_value))
        return 0;
    arm = make_arm(o);
    r = tri_wait(&arm, deadline);
    return make_or_get(o, r < 0 ? r : arm.result, make, arg, ret_value);
}

int tr_once_blocking_get_or_init(tr_once *o, tr_once_fn *make, void *arg, tr_time deadline,
                                 void **ret_value)
{
    tr_arm arm;
    int r;

    if (!o || !make || !ret_value)
        return -EINVAL;
    arm = make_arm(o);
    r = tri_wait_blocking(&arm, deadline, __builtin_return_address(0));
    return make_or_get(o, r < 0 ? r : arm.result, make, arg, ret_value);
}

int tr_once_set(tr_once *o, void *value)
{
    int r = o ? tri_permits_try(makers(o), 1) : -EINVAL;

    if (r == 0)
        publish(o, value);
    return r == -EPIPE ? -EALREADY : r;
}

/* ---- waiting: an arm with the line of the notify and the look at the value ---- */

static bool wait_attempt(tr_arm *arm)
{
    arm->result = 0;
    return get(arm->source, arm->value);
}

/*
 * In line first, then the look. publish() does it the other way round, and both change or lock
 * the word of the notify in between: so either it finds us in line, or we find the value.
 */
static bool wait_enroll(tr_arm *arm, struct tri_waiter *w)
{
    tr_once *o = arm->source;
    void *value;

    if (!tri_notify_join(waiters(o), w, NULL))
        return false;
    if (!get(o, &value))
        return true;
    tri_notify_leave(waiters(o), w);
    return false;
}

static bool wait_withdraw(tr_arm *arm, struct tri_waiter *w)
{
    tri_notify_leave(waiters(arm->source), w);
    return false; /* whatever woke it: look */
}

static const struct tri_arm_ops wait_ops = {
    .what = "once wait",
    .attempt = wait_attempt,
    .enroll = wait_enroll,
    .withdraw = wait_withdraw,
    .keeps_place = tri_crowd_keeps_place,
};

tr_arm tr_once_wait_arm(tr_once *o, void **ret_value)
{
    if (!o || !ret_value)
        return (tr_arm){ 0 };
    return (tr_arm){ .ops = &wait_ops, .source = o, .value = ret_value };
}

int tr_once_try_get(tr_once *o, void **ret_value)
{
    if (!o || !ret_value)
        return -EINVAL;
    return get(o, ret_value) ? 0 : -EAGAIN;
}

int tr_once_wait(tr_once *o, tr_time deadline, void **ret_value)
{
    tr_arm arm = tr_once_wait_arm(o, ret_value);

    return arm.ops ? tri_wait(&arm, deadline) : -EINVAL;
}

int tr_once_blocking_wait(tr_once *o, tr_time deadline, void **ret_value)
{
    tr_arm arm = tr_once_wait_arm(o, ret_value);

    return arm.ops ? tri_wait_blocking(&arm, deadline, __builtin_return_address(0)) : -EINVAL;
}
