/* SPDX-License-Identifier: MIT */
/*
 * tracker.c - of a crowd (crowd.h): count is how often the tracker became over, closed and
 * empty. Everything is done under the lock. A waiter whose number, the count as it joined, is
 * not the present one has seen the end, whatever came after; so a short moment of it is not
 * missed.
 *
 * A wait that has returned may be the last use of the tracker: so whoever lets waiters go takes
 * the lock once, for as many as it can wake then, and each of those lets more go on its way
 * out.
 */
#include "config.h"

#include <errno.h>

#include <troupe/tracker.h>

#include "base/assert.h"
#include "sched/runtime.h"
#include "sync/crowd.h"

static struct tri_crowd *lock(tr_tracker *t)
{
    struct tri_crowd *c = tri_crowd_of(&t->inside);

    tri_lock_acquire(&c->lock);
    return c;
}

static bool is_over(const tr_tracker *t)
{
    return t->closed && t->n_member == 0;
}

/* Releases the lock, and wakes those who have seen the end, but not all if they are many. */
static void release_some(struct tri_crowd *c)
{
    struct tri_wakes wakes;

    tri_wakes_init(&wakes);
    (void)tri_crowd_sweep(c, &wakes);
    tri_lock_release(&c->lock);
    tri_wakes_run(&wakes);
}

/* It may have become over by the step that was just made, before which it was not. */
static void unlock(tr_tracker *t, struct tri_crowd *c)
{
    if (is_over(t))
        tri_crowd_step(c);
    release_some(c);
}

void tr_tracker_init(tr_tracker *t)
{
    if (t)
        *t = (tr_tracker)TR_TRACKER_INIT;
}

tr_member tr_tracker_enter(tr_tracker *t)
{
    struct tri_crowd *c;

    if (!t)
        return (tr_member){ NULL };
    c = lock(t);
    t->n_member++;
    tri_lock_release(&c->lock);
    return (tr_member){ t };
}

void tr_member_leave(tr_member *m)
{
    tr_tracker *t = m ? m->tracker : NULL;
    struct tri_crowd *c;

    if (!t)
        return;
    m->tracker = NULL;
    if (tri_unlikely(tri_is_forked()))
        return; /* who holds the lock may be a thread no more */
    c = lock(t);
    TRI_ASSERT(t->n_member > 0);
    t->n_member--;
    unlock(t, c);
}

bool tr_tracker_close(tr_tracker *t)
{
    struct tri_crowd *c;

    if (!t)
        return false;
    c = lock(t);
    if (t->closed) {
        tri_lock_release(&c->lock);
        return false;
    }
    t->closed = true;
    unlock(t, c);
    return true;
}

bool tr_tracker_reopen(tr_tracker *t)
{
    struct tri_crowd *c;
    bool was_closed;

    if (!t)
        return false;
    c = lock(t);
    was_closed = t->closed;
    t->closed = false;
    tri_lock_release(&c->lock);
    return was_closed;
}

/* ---- waiting ---- */

static tr_tracker *tracker_of(struct tri_crowd *c)
{
    _Static_assert(offsetof(tr_tracker, inside) == 0, "the cast");
    return (tr_tracker *)(void *)c;
}

static bool attempt(tr_arm *arm)
{
    struct tri_crowd *c = lock(arm->source);
    bool over = is_over(tracker_of(c));

    tri_lock_release(&c->lock);
    arm->result = 0;
    return over;
}

static bool may_go(struct tri_crowd *c, const struct tri_waiter *w, uint64_t word)
{
    (void)w;
    (void)word;
    return is_over(tracker_of(c));
}

static bool enroll(tr_arm *arm, struct tri_waiter *w)
{
    struct tri_crowd *c = lock(arm->source);
    bool joined = tri_crowd_join(c, w, may_go);

    if (joined)
        w->number = tri_crowd_count(c);
    tri_lock_release(&c->lock);
    return joined;
}

static bool withdraw(tr_arm *arm, struct tri_waiter *w)
{
    struct tri_crowd *c = lock(arm->source);
    bool was_over = w->number != tri_crowd_count(c);

    if (tri_waitq_has(w))
        tri_crowd_remove(c, w);
    release_some(c);
    arm->result = 0;
    return was_over;
}

static const struct tri_arm_ops ops = {
    .what = "tracker wait",
    .attempt = attempt,
    .enroll = enroll,
    .withdraw = withdraw,
    .keeps_place = tri_crowd_keeps_place,
};

int tr_tracker_wait(tr_tracker *t, tr_time deadline)
{
    tr_arm arm = { .ops = &ops, .source = t };

    return t ? tri_wait(&arm, deadline) : -EINVAL;
}

int tr_tracker_blocking_wait(tr_tracker *t, tr_time deadline)
{
    tr_arm arm = { .ops = &ops, .source = t };

    return t ? tri_wait_blocking(&arm, deadline, __builtin_return_address(0)) : -EINVAL;
}

int tr_tracker_join(tr_tracker *t, tr_time deadline)
{
    (void)tr_tracker_close(t);
    return tr_tracker_wait(t, deadline);
}

int tr_tracker_blocking_join(tr_tracker *t, tr_time deadline)
{
    tr_arm arm = { .ops = &ops, .source = t };

    (void)tr_tracker_close(t);
    return t ? tri_wait_blocking(&arm, deadline, __builtin_return_address(0)) : -EINVAL;
}

size_t tr_tracker_len(tr_tracker *t)
{
    struct tri_crowd *c;
    size_t n;

    if (!t)
        return 0;
    c = lock(t);
    n = t->n_member;
    tri_lock_release(&c->lock);
    return n;
}

bool tr_tracker_is_closed(tr_tracker *t)
{
    struct tri_crowd *c;
    bool closed;

    if (!t)
        return false;
    c = lock(t);
    closed = t->closed;
    tri_lock_release(&c->lock);
    return closed;
}
