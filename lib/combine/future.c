/* SPDX-License-Identifier: MIT */
/*
 * future.c - the arm of something made outside of the library. Its poll function keeps the
 * waker and looks again in one step, so enroll needs no second look. A waker is a wakee, whose
 * memory stays one for ever (sched/wakee.h): it needs no counting.
 */
#include "config.h"

#include <errno.h>

#include <troupe/future.h>

#include "sched/worker.h"

void tr_waker_wake(tr_waker w)
{
    if (w.wakee)
        tri_wake(w.wakee);
}

static bool poll(tr_future *f, const tr_waker *waker)
{
    f->ready = f->ready || f->poll(f, waker);
    return f->ready;
}

static bool attempt(tr_arm *arm)
{
    tr_future *f = arm->source;

    if (!poll(f, NULL))
        return false;
    arm->result = f->result;
    return true;
}

/* One that was ready stays so: the attempt that follows finds it. */
static bool enroll(tr_arm *arm, struct tri_waiter *w)
{
    return !poll(arm->source, &(tr_waker){ w->wakee });
}

static bool withdraw(tr_arm *arm, struct tri_waiter *w)
{
    tr_future *f = arm->source;

    (void)w;
    if (f->forget)
        f->forget(f);
    return false;
}

static const struct tri_arm_ops future_ops = {
    .what = "future",
    .attempt = attempt,
    .enroll = enroll,
    .withdraw = withdraw,
};

tr_arm tr_future_arm(tr_future *f)
{
    if (!f || !f->poll)
        return (tr_arm){ 0 };
    return (tr_arm){ .ops = &future_ops, .source = f };
}

int tr_await(tr_future *f, tr_time deadline)
{
    tr_arm arm = tr_future_arm(f);
    int r;

    if (!arm.ops)
        return -EINVAL;
    r = tri_wait(&arm, deadline);
    return r < 0 ? r : arm.result;
}

int tr_blocking_await(tr_future *f, tr_time deadline)
{
    tr_arm arm = tr_future_arm(f);
    int r;

    if (!arm.ops)
        return -EINVAL;
    r = tri_wait_blocking(&arm, deadline, __builtin_return_address(0));
    return r < 0 ? r : arm.result;
}
