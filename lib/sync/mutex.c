/* SPDX-License-Identifier: MIT */
/*
 * mutex.c - one permit (permits.h), and who has it. owner is written by the holder only: after
 * it got the permit, and before it gives it back.
 */
#include "config.h"

#include <troupe/mutex.h>

#include "sched/misuse.h"
#include "sync/owner.h"
#include "sync/permits.h"

static const char recursive[] =
    "the caller holds this mutex already and would wait for itself; unlock it first";

void tr_mutex_init(tr_mutex *m)
{
    if (!m)
        return;
    tri_crowd_init(tri_crowd_of(&m->inside), 1, 0);
    m->owner = NULL;
}

static struct tri_crowd *crowd_of(tr_mutex *m)
{
    return tri_crowd_of(&m->inside);
}

/* As @r says: it is @self's now. */
static int result(tr_mutex *m, int r, void *self)
{
    if (r == 0)
        tri_owner_set(&m->owner, self);
    return r;
}

/* ---- the arm: arm->source is the crowd, the mutex's first member ---- */

static tr_mutex *mutex_of(const tr_arm *arm)
{
    _Static_assert(offsetof(tr_mutex, inside) == 0, "the cast");
    return arm->source;
}

static bool attempt(tr_arm *arm)
{
    tr_mutex *m = mutex_of(arm);
    void *self = tri_owner_self();

    if (tri_permits_attempt(arm)) {
        arm->result = result(m, arm->result, self);
        return true;
    }
    if (tri_owner_is(&m->owner, self)) {
        arm->result = tri_misuse(-EDEADLK, "tr_mutex_lock", recursive);
        return true;
    }
    return false;
}

static bool withdraw(tr_arm *arm, struct tri_waiter *w)
{
    if (!tri_permits_withdraw(arm, w))
        return false;
    arm->result = result(mutex_of(arm), arm->result, tri_owner_self());
    return true;
}

static const struct tri_arm_ops lock_ops = {
    .what = "mutex lock",
    .attempt = attempt,
    .enroll = tri_permits_enroll,
    .withdraw = withdraw,
    .keeps_place = tri_crowd_keeps_place,
};

tr_arm tr_mutex_lock_arm(tr_mutex *m)
{
    return m ? tri_permits_arm(&lock_ops, crowd_of(m), 1) : (tr_arm){ 0 };
}

/* ---- the three forms ---- */

int tr_mutex_try_lock(tr_mutex *m)
{
    if (!m)
        return -EINVAL;
    return result(m, tri_permits_try(crowd_of(m), 1), tri_owner_self());
}

int tr_mutex_lock(tr_mutex *m, tr_time deadline)
{
    struct tri_task *self = tri_self_at_entry();
    tr_arm arm;
    int r;

    if (!m)
        return -EINVAL;
    r = tri_wait_enter(self);
    if (tri_likely(r == 0))
        r = result(m, tri_permits_try(crowd_of(m), 1), self);
    if (tri_likely(r != -EAGAIN))
        return r;
    arm = tr_mutex_lock_arm(m);
    r = tri_wait(&arm, deadline);
    return r < 0 ? r : arm.result;
}

int tr_mutex_blocking_lock(tr_mutex *m, tr_time deadline)
{
    tr_arm arm;
    int r;

    if (!m)
        return -EINVAL;
    arm = tr_mutex_lock_arm(m);
    r = tri_wait_blocking(&arm, deadline, __builtin_return_address(0));
    return r < 0 ? r : arm.result;
}

int tr_mutex_unlock(tr_mutex *m)
{
    if (!m)
        return -EINVAL;
    if (!tri_owner_is(&m->owner, tri_owner_self()))
        return tri_misuse(-EINVAL, __func__, "the caller does not hold this mutex");
    tri_owner_set(&m->owner, NULL);
    return tri_permits_give(crowd_of(m), 1, 1);
}
