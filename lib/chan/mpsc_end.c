/* SPDX-License-Identifier: MIT */
/*
 * mpsc_end.c - what an end can ask for, and the end of the receiver as something to wait for;
 * weak sending ends.
 *
 * A weak end holds the memory (TRI_REF_WEAK in n_ref) and not the channel: it becomes a sender
 * only while n_tx is not 0, by a CAS, so a channel whose senders have gone stays at its end.
 *
 * closed(): RX_SHUT is set under the lock, and so is the line of those who wait for it looked
 * through after that; who joins it looks at the flag under the same lock. So none is forgotten.
 */
#include "config.h"

#include <errno.h>

#include "chan/mpsc_line.h"
#include "sched/cycle.h"
#include "sched/misuse.h"

/* ---- weak ends ---- */

static tr_mpsc_weak weak_new(struct tri_mpsc *c)
{
    if (c)
        /* relaxed: the caller's end keeps the count above 0. */
        atomic_fetch_add_explicit(&c->n_ref, TRI_REF_WEAK, memory_order_relaxed);
    return (tr_mpsc_weak){ c };
}

tr_mpsc_weak tr_mpsc_tx_downgrade(const tr_mpsc_tx *tx)
{
    return weak_new(tx ? tx->chan : NULL);
}

tr_mpsc_weak tr_mpsc_weak_clone(const tr_mpsc_weak *weak)
{
    return weak_new(weak ? weak->chan : NULL);
}

int tr_mpsc_weak_upgrade(const tr_mpsc_weak *weak, tr_mpsc_tx *ret_tx)
{
    struct tri_mpsc *c = weak ? weak->chan : NULL;
    unsigned n;

    if (!c || !ret_tx)
        return -EINVAL;
    /* relaxed: the CAS confirms it, or it is the answer. */
    n = atomic_load_explicit(&c->n_tx, memory_order_relaxed);
    do
        if (n == 0)
            return -EPIPE;
    /* relaxed: as a clone; the sender that was there keeps the side open. */
    while (!atomic_compare_exchange_weak_explicit(&c->n_tx, &n, n + 1, memory_order_relaxed,
                                                  memory_order_relaxed));
    *ret_tx = (tr_mpsc_tx){ .chan = c };
    return 0;
}

void tr_mpsc_weak_close(tr_mpsc_weak *weak)
{
    struct tri_mpsc *c = weak ? weak->chan : NULL;

    if (!c)
        return;
    weak->chan = NULL;
    tri_mpsc_unref_weak(c);
}

/* ---- who answers ---- */

struct tri_served *tri_mpsc_served_make(struct tri_mpsc *c)
{
    struct tri_served *s = NULL, *mine = tri_served_get();

    /* release: it is made; pairs with tri_mpsc_served(). acquire: so is the other one. */
    if (!mine || atomic_compare_exchange_strong_explicit(&tri_mpsc_more(c)->served, &s, mine,
                                                         memory_order_acq_rel,
                                                         memory_order_acquire))
        return mine;
    tri_served_put(mine);
    return s;
}

int tr_mpsc_rx_own(tr_mpsc_rx *rx)
{
    struct tri_task *self = tri_self();
    struct tri_served *s;
    struct tri_gate *g;

    if (!rx || !rx->chan)
        return -EINVAL;
    if (!self && tri_worker_self())
        return tri_misuse(-EPERM, "mpsc rx own", "a handler or a drop does not wait for answers");
    g = tri_gate_mine(self);
    s = g ? tri_mpsc_served_made(rx->chan) : NULL;
    if (!s)
        return -ENOMEM;
    tri_served_by(s, g);
    return 0;
}

/* ---- questions; relaxed in these: snapshots ---- */

static uint64_t load_tail(const struct tri_mpsc *c)
{
    return atomic_load_explicit(&tri_mpsc_tx((struct tri_mpsc *)(uintptr_t)c)->tail,
                                memory_order_relaxed);
}

bool tr_mpsc_tx_is_closed(const tr_mpsc_tx *tx)
{
    return !tx || !tx->chan || load_tail(tx->chan) & TRI_RX_SHUT;
}

bool tr_mpsc_tx_is_same(const tr_mpsc_tx *a, const tr_mpsc_tx *b)
{
    return a && b && a->chan && a->chan == b->chan;
}

bool tr_mpsc_rx_is_closed(const tr_mpsc_rx *rx)
{
    return !rx || !rx->chan || load_tail(rx->chan) & (TRI_RX_SHUT | TRI_TX_GONE);
}

size_t tr_mpsc_capacity(const tr_mpsc_tx *tx)
{
    if (!tx || !tx->chan)
        return 0;
    return tx->chan->capacity > 0 ? tx->chan->capacity : TR_UNBOUNDED;
}

size_t tr_mpsc_room(const tr_mpsc_tx *tx)
{
    struct tri_mpsc *c = tx ? tx->chan : NULL;
    uint64_t n;

    if (!c)
        return 0;
    if (c->capacity == 0)
        return TR_UNBOUNDED;
    tri_lock_acquire(&c->lock); /* a permit and its message count once */
    n = c->more_at > 0 ? tri_mpsc_more(c)->n_reserved : 0;
    /* head first: it is never ahead of a later tail. */
    /* pairs: move_head */
    n -= atomic_load_explicit(&tri_mpsc_rx(c)->head, memory_order_acquire);
    n += load_tail(c) >> TRI_POS_SHIFT;
    tri_lock_release(&c->lock);
    return n < c->capacity ? c->capacity - (size_t)n : 0;
}

static size_t n_queued(struct tri_mpsc *c)
{
    const uint64_t h = atomic_load_explicit(&tri_mpsc_rx(c)->head, memory_order_relaxed);

    /* A send that returned before this call is counted by coherence. */
    return (size_t)((load_tail(c) >> TRI_POS_SHIFT) - h);
}

size_t tr_mpsc_len(const tr_mpsc_rx *rx)
{
    struct tri_mpsc *c = rx ? rx->chan : NULL;
    size_t n;

    if (!c)
        return 0;
    if (!c->locked)
        return n_queued(c); /* the caller is the receiver, head is its own */
    tri_lock_acquire(&c->lock); /* senders move head, too */
    n = n_queued(c) + tri_locked_len(c);
    tri_lock_release(&c->lock);
    return n;
}

size_t tr_mpsc_senders(const tr_mpsc_rx *rx)
{
    return rx && rx->chan ? atomic_load_explicit(&rx->chan->n_tx, memory_order_relaxed) : 0;
}

size_t tr_mpsc_weak_senders(const tr_mpsc_rx *rx)
{
    if (!rx || !rx->chan)
        return 0;
    return atomic_load_explicit(&rx->chan->n_ref, memory_order_relaxed) / TRI_REF_WEAK;
}

/* ---- the end of the receiver ---- */

static bool attempt(tr_arm *arm)
{
    tr_mpsc_tx *tx = arm->source;

    arm->result = tx->chan && tx->chan->more_at > 0 ? 0 : -EINVAL;
    return arm->result < 0 || tr_mpsc_tx_is_closed(tx);
}

static bool enroll(tr_arm *arm, struct tri_waiter *w)
{
    return tri_closed_join(((tr_mpsc_tx *)arm->source)->chan, w);
}

static bool withdraw(tr_arm *arm, struct tri_waiter *w)
{
    tri_closed_leave(((tr_mpsc_tx *)arm->source)->chan, w);
    return false;
}

static const struct tri_arm_ops closed_ops = {
    .what = "mpsc closed",
    .attempt = attempt,
    .enroll = enroll,
    .withdraw = withdraw,
};

tr_arm tr_mpsc_closed_arm(tr_mpsc_tx *tx)
{
    if (!tx)
        return (tr_arm){ 0 };
    return (tr_arm){ .ops = &closed_ops, .source = tx };
}

int tr_mpsc_closed(tr_mpsc_tx *tx, tr_time deadline)
{
    tr_arm arm;
    int r;

    if (!tx || !tx->chan)
        return -EINVAL;
    arm = tr_mpsc_closed_arm(tx);
    r = tri_wait(&arm, deadline);
    return r < 0 ? r : arm.result;
}

int tr_mpsc_blocking_closed(tr_mpsc_tx *tx, tr_time deadline)
{
    tr_arm arm;
    int r;

    if (!tx || !tx->chan)
        return -EINVAL;
    arm = tr_mpsc_closed_arm(tx);
    r = tri_wait_blocking(&arm, deadline, __builtin_return_address(0));
    return r < 0 ? r : arm.result;
}
