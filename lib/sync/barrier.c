/* SPDX-License-Identifier: MIT */
/*
 * barrier.c - of a crowd (crowd.h): count is the number of meetings that took place, crowd->n
 * how many meet. Everything is done under the lock. n_here is how many of the next meeting are
 * in line. A waiter whose number, the count as it joined, is not the present one has met the
 * others, whether or not it was told yet: see notify.c, which lets its waiters go in the same
 * way.
 */
#include "config.h"

#include <troupe/barrier.h>

#include "sync/crowd.h"

static tr_barrier *barrier_of(struct tri_crowd *c)
{
    _Static_assert(offsetof(tr_barrier, inside) == 0, "the cast");
    return (tr_barrier *)(void *)c;
}

void tr_barrier_init(tr_barrier *b, uint32_t n)
{
    if (!b)
        return;
    tri_crowd_init(tri_crowd_of(&b->inside), 0, n);
    b->n_here = 0;
}

/* With the caller, who is not in line, all are here. */
static bool is_last(struct tri_crowd *c)
{
    return barrier_of(c)->n_here + 1 >= c->n; /* the sum is at most n: one more leads */
}

/* The last one leads. */
static bool attempt(tr_arm *arm)
{
    struct tri_crowd *c = arm->source;
    struct tri_wakes wakes = { .n = 0 };
    bool leads;

    tri_lock_acquire(&c->lock);
    leads = is_last(c);
    if (leads) {
        barrier_of(c)->n_here = 0;
        tri_crowd_step(c);
    }
    tri_crowd_release(c, &wakes, tri_crowd_sweep);
    arm->result = 1;
    return leads;
}

static bool may_go(struct tri_crowd *c, const struct tri_waiter *w, uint64_t word)
{
    (void)w;
    (void)word;
    return is_last(c);
}

static bool enroll(tr_arm *arm, struct tri_waiter *w)
{
    struct tri_crowd *c = arm->source;
    bool joined;

    tri_lock_acquire(&c->lock);
    joined = tri_crowd_join(c, w, may_go);
    if (joined) {
        w->number = tri_crowd_count(c);
        barrier_of(c)->n_here++;
    }
    tri_lock_release(&c->lock);
    return joined;
}

static bool withdraw(tr_arm *arm, struct tri_waiter *w)
{
    struct tri_crowd *c = arm->source;
    struct tri_wakes wakes = { .n = 0 };
    bool met;

    tri_lock_acquire(&c->lock);
    met = w->number != tri_crowd_count(c);
    if (!met)
        barrier_of(c)->n_here--;
    if (tri_waitq_has(w))
        tri_crowd_remove(c, w);
    tri_crowd_release(c, &wakes, tri_crowd_sweep);
    arm->result = 0;
    return met;
}

static const struct tri_arm_ops wait_ops = {
    .what = "barrier wait",
    .attempt = attempt,
    .enroll = enroll,
    .withdraw = withdraw,
    .keeps_place = tri_crowd_keeps_place,
};

int tr_barrier_wait(tr_barrier *b, tr_time deadline)
{
    tr_arm arm = { .ops = &wait_ops };
    int r;

    if (!b)
        return -EINVAL;
    arm.source = tri_crowd_of(&b->inside);
    r = tri_wait(&arm, deadline);
    return r < 0 ? r : arm.result;
}

int tr_barrier_blocking_wait(tr_barrier *b, tr_time deadline)
{
    tr_arm arm = { .ops = &wait_ops };
    int r;

    if (!b)
        return -EINVAL;
    arm.source = tri_crowd_of(&b->inside);
    r = tri_wait_blocking(&arm, deadline, __builtin_return_address(0));
    return r < 0 ? r : arm.result;
}
