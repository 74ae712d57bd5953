/* SPDX-License-Identifier: MIT */
/*
 * task_handle.c - handles on tasks, and waiting for the end of one; see task.c for how it is
 * published.
 */
#include "config.h"

#include <errno.h>

#include "sched/scope.h"
#include "sched/task.h"

static bool join_attempt(tr_arm *arm)
{
    struct tri_task *t = arm->source;

    arm->result = arm->extra[0] ? -EINVAL : 0;
    arm->extra[0] = 0;
    /* acquire: pairs with the release in finish(): the result. */
    return atomic_load_explicit(&t->joiner, memory_order_acquire) == TRI_TASK_ENDED ||
           arm->result < 0;
}

/* One waits at a time, in one arm or several; a second one is told by its next attempt. */
static bool join_enroll(tr_arm *arm, struct tri_waiter *w)
{
    struct tri_task *t = arm->source;
    struct tri_wakee *prev = NULL;

    /* release: the wakee is ready to be woken. relaxed on failure: attempt looks again. */
    if (atomic_compare_exchange_strong_explicit(&t->joiner, &prev, w->wakee,
                                                memory_order_release, memory_order_relaxed) ||
        prev == w->wakee)
        return true;
    arm->extra[0] = prev != TRI_TASK_ENDED;
    return false;
}

static bool join_withdraw(tr_arm *arm, struct tri_waiter *w)
{
    struct tri_task *t = arm->source;
    struct tri_wakee *me = w->wakee;

    /* relaxed: publishes nothing; it fails if the task has ended. */
    (void)atomic_compare_exchange_strong_explicit(&t->joiner, &me, NULL, memory_order_relaxed,
                                                  memory_order_relaxed);
    return false;
}

static const struct tri_arm_ops join_ops = { .what = "task join",
                                             .attempt = join_attempt,
                                             .enroll = join_enroll,
                                             .withdraw = join_withdraw };

tr_arm tr_task_join_arm(tr_task *t)
{
    return (tr_arm){ .ops = t && t->rec ? &join_ops : NULL, .source = t ? t->rec : NULL };
}

static int taken(tr_task *t, int *ret_result)
{
    if (ret_result)
        *ret_result = t->rec->result;
    tri_task_told(t->rec);
    tr_task_close(t);
    return 0;
}

int tr_task_join(tr_task *t, tr_time deadline, int *ret_result)
{
    tr_arm arm = tr_task_join_arm(t);
    struct tri_task *self;
    int r;

    if (!arm.ops)
        return -EINVAL;
    self = tri_self();
    if (self == t->rec)
        return -EDEADLK;
    r = tri_wait_enter(self);
    if (r < 0)
        return r;
    if (!join_attempt(&arm)) {
        r = tri_wait(&arm, deadline);
        if (r == 0)
            r = arm.result;
        if (r < 0)
            return r;
    }
    return taken(t, ret_result);
}

int tr_task_blocking_join(tr_task *t, tr_time deadline, int *ret_result)
{
    tr_arm arm = tr_task_join_arm(t);
    int r;

    if (!arm.ops)
        return -EINVAL;
    r = tri_wait_blocking(&arm, deadline, __builtin_return_address(0));
    if (r == 0)
        r = arm.result;
    return r < 0 ? r : taken(t, ret_result);
}

void tr_task_abort(tr_task *t)
{
    if (t && t->rec)
        tri_actor_cancel(&t->rec->a);
}

bool tr_task_is_finished(const tr_task *t)
{
    /* acquire: as in join_attempt(). */
    return t->rec &&
           atomic_load_explicit(&t->rec->joiner, memory_order_acquire) == TRI_TASK_ENDED;
}

tr_id tr_task_id(const tr_task *t)
{
    return t->rec ? tri_actor_id(&t->rec->a) : 0;
}

void tr_task_close(tr_task *t)
{
    if (t && t->rec) {
        /* relaxed, by the builtin: see finish(). */
        __atomic_store_n(&t->rec->handled, false, __ATOMIC_RELAXED);
        tri_task_unref(t->rec);
        t->rec = NULL;
    }
}

void tr_task_abandon(tr_task *t)
{
    tr_task_abort(t);
    tr_task_close(t);
}

/* ---- aborters ---- */

tr_aborter tr_task_aborter(const tr_task *t)
{
    return tr_aborter_clone(&(tr_aborter){ t ? t->rec : NULL });
}

tr_aborter tr_aborter_clone(const tr_aborter *a)
{
    if (!a || !a->rec)
        return (tr_aborter){ NULL };
    tri_task_ref(a->rec);
    return *a;
}

void tr_aborter_abort(const tr_aborter *a)
{
    if (a && a->rec)
        tri_actor_cancel(&a->rec->a);
}

bool tr_aborter_is_finished(const tr_aborter *a)
{
    return tr_task_is_finished(&(tr_task){ a->rec });
}

tr_id tr_aborter_id(const tr_aborter *a)
{
    return tr_task_id(&(tr_task){ a->rec });
}

void tr_aborter_close(tr_aborter *a)
{
    if (a && a->rec) {
        tri_task_unref(a->rec);
        a->rec = NULL;
    }
}
