/* SPDX-License-Identifier: MIT */
/*
 * broadcast_weak.c - weak sending ends: one holds the memory (n_end) and not the channel
 * (n_tx). It becomes a sender only while n_tx is not 0, by a CAS, so a channel whose senders
 * have gone stays at its end, and ENDED in tail stays true.
 */
#include "config.h"

#include <errno.h>

#include "chan/broadcast.h"

/* relaxed in these: the end that is there keeps the memory. */
static tr_broadcast_weak weak_new(struct tri_broadcast *c)
{
    if (c) {
        /* relaxed: the caller's end keeps n_end above 0; n_weak is a number. */
        atomic_fetch_add_explicit(&c->n_end, 1, memory_order_relaxed);
        atomic_fetch_add_explicit(&c->n_weak, 1, memory_order_relaxed);
    }
    return (tr_broadcast_weak){ c };
}

tr_broadcast_weak tr_broadcast_tx_downgrade(const tr_broadcast_tx *tx)
{
    return weak_new(tx ? tx->chan : NULL);
}

tr_broadcast_weak tr_broadcast_weak_clone(const tr_broadcast_weak *weak)
{
    return weak_new(weak ? weak->chan : NULL);
}

int tr_broadcast_weak_upgrade(const tr_broadcast_weak *weak, tr_broadcast_tx *ret_tx)
{
    struct tri_broadcast *c = weak ? weak->chan : NULL;
    size_t n;

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
    /* relaxed: the weak end keeps it above 0. */
    atomic_fetch_add_explicit(&c->n_end, 1, memory_order_relaxed);
    *ret_tx = (tr_broadcast_tx){ .chan = c };
    return 0;
}

void tr_broadcast_weak_close(tr_broadcast_weak *weak)
{
    struct tri_broadcast *c = weak ? weak->chan : NULL;

    if (!c)
        return;
    weak->chan = NULL;
    /* relaxed: a number; the count of ends orders the rest. */
    atomic_fetch_sub_explicit(&c->n_weak, 1, memory_order_relaxed);
    tri_broadcast_unref(c);
}

/* ---- questions; relaxed in these: snapshots ---- */

size_t tr_broadcast_senders(const tr_broadcast_rx *rx)
{
    if (!rx || !rx->sub)
        return 0;
    return atomic_load_explicit(&rx->sub->chan->n_tx, memory_order_relaxed);
}

size_t tr_broadcast_weak_senders(const tr_broadcast_rx *rx)
{
    if (!rx || !rx->sub)
        return 0;
    return atomic_load_explicit(&rx->sub->chan->n_weak, memory_order_relaxed);
}
