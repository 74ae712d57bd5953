/* SPDX-License-Identifier: MIT */
/*
 * mpsc_urgent.c - sending into the urgent lane of a locked channel (mpsc_locked.c).
 *
 * A sender that finds the lane full joins the lane's line; whoever takes an urgent message, or
 * leaves the line, serves it: first come, first served, and while somebody is in line nobody
 * else gets in. Waiters are as those of mpsc_line.h: the message of one that waits for nothing
 * else is moved in its name, one that selects is told to try and keeps its place until it has
 * left.
 *
 * No wake-up is lost: places are looked at, given back and waited for under the one lock.
 */
#include "config.h"

#include <errno.h>

#include "chan/mpsc_line.h"

static struct tri_lane *lane_of(struct tri_mpsc *c)
{
    return tri_mpsc_more(c)->lane;
}

static bool is_misuse(const tr_mpsc_tx *tx, const void *m)
{
    return !tx || !tx->chan || !m || tx->chan->more_at == 0 || !lane_of(tx->chan);
}

/* ---- under the lock ---- */

/* Moves the message of @w, the first in line, in. */
static void perform(struct tri_mpsc *c, struct tri_waiter *w, struct tri_wakes *wakes)
{
    tri_lane_put(c, w->value, wakes);
    w->value = NULL;
    tri_waitq_remove(&lane_of(c)->line, w);
}

/* Serves the line until it is empty, the lane is full, or @wakes is. True: the last. */
static bool serve_some(struct tri_mpsc *c, struct tri_wakes *wakes)
{
    struct tri_lane *lane = lane_of(c);
    struct tri_waiter *w;

    while ((w = tri_waitq_first(&lane->line)) && tri_lane_free(lane) > 0) {
        if (wakes->n + 2 > TRI_WAKES_MAX) /* the receiver and the waiter */
            return true;
        if (w->selects) {
            if (tri_txline_keeps(w))
                tri_wakes_let_go(wakes, w); /* a hint; it stays in line */
            return false;
        }
        perform(c, w, wakes);
        tri_wakes_let_go(wakes, w);
    }
    return false;
}

/* Releases the lock, which the caller holds, and wakes; goes on while there is more. */
static void serve_and_release(struct tri_mpsc *c, struct tri_wakes *wakes)
{
    bool more;

    do {
        more = serve_some(c, wakes);
        tri_lock_release(&c->lock);
        tri_wakes_run(wakes);
        if (more)
            tri_lock_acquire(&c->lock);
    } while (more);
}

/* ---- these take it ---- */

void tri_lane_serve(struct tri_mpsc *c)
{
    struct tri_wakes wakes;

    tri_wakes_init(&wakes);
    tri_lock_acquire(&c->lock);
    serve_and_release(c, &wakes);
}

/* Returns: 0; -EAGAIN: full, or others wait; -EPIPE. */
static int send_now(struct tri_mpsc *c, void *m)
{
    struct tri_lane *lane = lane_of(c);
    struct tri_wakes wakes;
    int r = 0;

    tri_wakes_init(&wakes);
    tri_lock_acquire(&c->lock);
    if (tri_lane_is_shut(c))
        r = -EPIPE;
    else if (tri_waitq_first(&lane->line) || tri_lane_free(lane) == 0)
        r = -EAGAIN;
    else
        tri_lane_put(c, m, &wakes);
    tri_lock_release(&c->lock);
    tri_wakes_run(&wakes);
    return r;
}

/* An attempt of one that is in line and selects. Returns as send_now(). */
static int try_in_line(struct tri_mpsc *c, struct tri_waiter *w)
{
    struct tri_lane *lane = lane_of(c);
    struct tri_wakes wakes;
    int r = -EAGAIN;

    tri_wakes_init(&wakes);
    tri_lock_acquire(&c->lock);
    if (!tri_waitq_has(w)) {
        r = -EPIPE; /* only tri_mpsc_shut() takes it out */
    } else if (tri_waitq_first(&lane->line) == w && tri_lane_free(lane) > 0) {
        perform(c, w, &wakes);
        r = 0;
    } else {
        /* relaxed: under the lock. The hint was for nothing; ask for another. */
        atomic_store_explicit(&w->done, false, memory_order_relaxed);
    }
    serve_and_release(c, &wakes);
    return r;
}

/* ---- the arm; extra[0]: the waiter of one that is in line and selects ---- */

static bool attempt(tr_arm *arm)
{
    tr_mpsc_tx *tx = arm->source;
    struct tri_waiter *w = (struct tri_waiter *)arm->extra[0];
    int r;

    if (is_misuse(tx, arm->value))
        return tri_txline_arm_result(arm, -EINVAL);
    r = w ? try_in_line(tx->chan, w) : send_now(tx->chan, arm->value);
    return r != -EAGAIN && tri_txline_arm_result(arm, r);
}

static bool enroll(tr_arm *arm, struct tri_waiter *w)
{
    struct tri_mpsc *c = ((tr_mpsc_tx *)arm->source)->chan;
    struct tri_lane *lane = lane_of(c);
    bool joins;

    w->next = w->prev = NULL;
    atomic_init(&w->done, false);
    tri_lock_acquire(&c->lock);
    joins = !tri_lane_is_shut(c) && (tri_waitq_first(&lane->line) || tri_lane_free(lane) == 0);
    if (joins)
        tri_waitq_append(&lane->line, w);
    tri_lock_release(&c->lock);
    if (joins && w->selects)
        arm->extra[0] = (uintptr_t)w;
    return joins;
}

static bool withdraw(tr_arm *arm, struct tri_waiter *w)
{
    struct tri_mpsc *c = ((tr_mpsc_tx *)arm->source)->chan;
    struct tri_wakes wakes;
    bool served = !w->selects && !tri_txline_keeps(w);

    arm->extra[0] = 0;
    if (!served) {
        tri_wakes_init(&wakes);
        tri_lock_acquire(&c->lock);
        served = !w->selects && !tri_txline_keeps(w);
        if (tri_waitq_has(w))
            tri_waitq_remove(&lane_of(c)->line, w);
        serve_and_release(c, &wakes); /* the place may have been the first, with room */
    }
    return served && tri_txline_arm_result(arm, w->value ? -EPIPE : 0);
}

static const struct tri_arm_ops urgent_ops = {
    .what = "mpsc urgent send",
    .attempt = attempt,
    .enroll = enroll,
    .withdraw = withdraw,
    .keeps_place = tri_txline_keeps_place,
};

tr_arm tr_mpsc_send_urgent_arm(tr_mpsc_tx *tx, void *m)
{
    if (!tx)
        return (tr_arm){ 0 };
    return (tr_arm){ .ops = &urgent_ops, .source = tx, .value = m };
}

/* ---- the three forms ---- */

/* The result of a send that was not done through an arm. */
static int result(tr_mpsc_tx *tx, int r)
{
    if (r < 0)
        tx->n_back++;
    return r;
}

int tr_mpsc_send_urgent(tr_mpsc_tx *tx, void *m)
{
    return is_misuse(tx, m) ? -EINVAL : result(tx, send_now(tx->chan, m));
}

int tr_mpsc_send_urgent_until(tr_mpsc_tx *tx, void *m, tr_time deadline)
{
    tr_arm arm;
    int r;

    if (is_misuse(tx, m))
        return -EINVAL;
    arm = tr_mpsc_send_urgent_arm(tx, m);
    r = tri_wait(&arm, deadline);
    return r < 0 ? result(tx, r) : arm.result;
}

int tr_mpsc_blocking_send_urgent(tr_mpsc_tx *tx, void *m, tr_time deadline)
{
    tr_arm arm;
    int r;

    if (is_misuse(tx, m))
        return -EINVAL;
    arm = tr_mpsc_send_urgent_arm(tx, m);
    r = tri_wait_blocking(&arm, deadline, __builtin_return_address(0));
    return r < 0 ? result(tx, r) : arm.result;
}
