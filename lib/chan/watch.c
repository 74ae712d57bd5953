/* SPDX-License-Identifier: MIT */
/*
 * watch.c - all ends share a cell that points to the newest snapshot.
 *
 *     writer   (lock)  publish; now = new snapshot; mark = its version  (unlock)  wake  old: -1
 *     reader   now == held?  yes: held->value      no: pin the published one, keep it as held
 *
 * now says which one is the newest and is no more than compared; pins are taken in published.h.
 * mark is version << 1 | ENDED, where ENDED says that no sender is left. It is moved last, so
 * who saw a version pins that one, or a newer one. An end has seen rx->seen; a
 * version above that is a change, and so is the flag UNSEEN in it, for one that was only peeked
 * at or marked so. KEEP in rx->seen: the next get() gives held as it is.
 *
 *                 get, pin   changed   send, replace   clone, subscribe   close
 *     get, pin    yes(*)     yes(*)    yes             yes(*)             yes(*)
 *     send        yes        yes       in turn         yes                yes
 *     (*) on different ends.
 *
 * Progress: get() without a change is two loads; with one, and every pin, it is wait-free but
 * for the drop of the value that it held before. Writers, waiters and closing ends exclude each
 * other by the lock for some instructions; a reader never takes it, and delays nobody who does.
 *
 * No wake-up is lost: a waiter joins the line under the lock after a look at mark under the
 * same lock; a writer moves mark under it and then takes the line. Memory of the waiters: done
 * is the last touch, their wakees live for ever.
 *
 * Reclamation: snapshots are counted; the cell has a count on the published one and gives it up
 * when it is replaced. The cell belongs to its ends (n_end).
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>

#include "base/assert.h"
#include "chan/watch.h"
#include "sched/runtime.h"

/* ---- life ---- */

static struct tri_snapshot *snapshot_of(const void *value)
{
    return (struct tri_snapshot *)((uintptr_t)value - offsetof(struct tri_snapshot, value));
}

static struct tri_watch *cell_new(const struct tri_type *type, struct tri_snapshot *first)
{
    struct tri_watch *c = tri_mem_alloc(sizeof *c);

    if (!c)
        return NULL;
    c->type = type;
    tri_published_init(&c->published, first);
    atomic_init(&c->now, first);
    atomic_init(&c->n_tx, 1);
    atomic_init(&c->n_rx, 1);
    atomic_init(&c->n_end, 2);
    return c;
}

int tr_watch_new(const struct tri_type *type, void *value, tr_watch_tx *ret_tx,
                 tr_watch_rx *ret_rx)
{
    struct tri_snapshot *first;
    struct tri_watch *c;

    if (!tri_type_is_valid(type) || !value || !ret_tx || !ret_rx)
        return -EINVAL;
    first = tri_snapshot_new(type);
    if (!first)
        return -ENOMEM;
    c = cell_new(type, first);
    if (!c) {
        free(first);
        return -ENOMEM;
    }
    tri_move(first->value, value, type->size);
    *ret_tx = (tr_watch_tx){ c };
    *ret_rx = (tr_watch_rx){ .cell = c };
    return 0;
}

static void cell_unref(struct tri_watch *c)
{
    /* release: our accesses end here. acquire: those of the other ends did. */
    if (atomic_fetch_sub_explicit(&c->n_end, 1, memory_order_acq_rel) != 1)
        return;
    tri_snapshot_unref(tri_published_fini(&c->published));
    free(c);
}

/* Wakes those in @line; the caller holds the lock, which is released. */
void tri_watch_wake(struct tri_watch *c, struct tri_watch_line *line)
{
    tri_waitq_release_all(&line->q, &line->n, &c->lock);
}

/* ---- sending ---- */

struct tri_slot *tri_watch_lock(struct tri_watch *c)
{
    struct tri_slot *slot, *more = NULL;
    unsigned n = 0;

    for (;;) {
        tri_lock_acquire(&c->lock);
        if (more && !tri_published_grow(&c->published, more, n))
            free(more);
        slot = tri_published_find(&c->published);
        if (slot)
            return slot;
        n = tri_published_wants(&c->published);
        tri_lock_release(&c->lock);
        more = n > 0 ? tri_mem_alloc(n * sizeof *more) : NULL;
        if (!more)
            return NULL;
    }
}

struct tri_snapshot *tri_watch_publish(struct tri_watch *c, struct tri_slot *slot,
                                       struct tri_snapshot *next)
{
    /* relaxed: only writers change it, and we have the lock. */
    uint64_t mark = atomic_load_explicit(&c->mark, memory_order_relaxed) + 2;
    struct tri_snapshot *old;

    next->version = mark >> 1;
    old = tri_published_put(&c->published, slot, next);
    /* relaxed: it is compared, and no value is found through it. */
    atomic_store_explicit(&c->now, next, memory_order_relaxed);
    /* release: the publication comes first; pairs with tri_watch_mark(). */
    atomic_store_explicit(&c->mark, mark, memory_order_release);
    return old;
}

static int send_value(tr_watch_tx *tx, void *value, bool wants_receiver, const void **ret_old)
{
    struct tri_watch *c = tx ? tx->cell : NULL;
    struct tri_snapshot *next, *old;
    struct tri_slot *slot;

    if (!c || !value)
        return -EINVAL;
    next = tri_snapshot_new(c->type);
    if (!next)
        return -ENOMEM;
    tri_copy(next->value, value, c->type->size);
    slot = tri_watch_lock(c);
    if (!slot) {
        free(next);
        return -ENOMEM;
    }
    /* relaxed: an answer about the moment. */
    if (wants_receiver && atomic_load_explicit(&c->n_rx, memory_order_relaxed) == 0) {
        tri_lock_release(&c->lock);
        free(next); /* nobody has seen it; the value is still in @value */
        return -EPIPE;
    }
    old = tri_watch_publish(c, slot, next);
    tri_watch_wake(c, &c->line);
    tri_zero(value, c->type->size);
    if (ret_old)
        *ret_old = old->value; /* with the count of the cell */
    else
        tri_snapshot_unref(old);
    return 0;
}

int tr_watch_send(tr_watch_tx *tx, void *value)
{
    return send_value(tx, value, true, NULL);
}

int tr_watch_replace(tr_watch_tx *tx, void *value)
{
    return send_value(tx, value, false, NULL);
}

int tr_watch_exchange(tr_watch_tx *tx, void *value, const void **ret_old)
{
    return ret_old ? send_value(tx, value, false, ret_old) : -EINVAL;
}

size_t tr_watch_receivers(const tr_watch_tx *tx)
{
    /* relaxed: a snapshot. */
    return tx && tx->cell ? atomic_load_explicit(&tx->cell->n_rx, memory_order_relaxed) : 0;
}

size_t tr_watch_senders(const tr_watch_rx *rx)
{
    /* relaxed: a snapshot. */
    return rx && rx->cell ? atomic_load_explicit(&rx->cell->n_tx, memory_order_relaxed) : 0;
}

bool tr_watch_tx_is_closed(const tr_watch_tx *tx)
{
    return tr_watch_receivers(tx) == 0;
}

/* ---- ends ---- */

/* relaxed in these: the end that is copied keeps the counts above 0. */
static void add_end(struct tri_watch *c, atomic_size_t *n)
{
    atomic_fetch_add_explicit(n, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&c->n_end, 1, memory_order_relaxed);
}

tr_watch_tx tr_watch_tx_clone(const tr_watch_tx *tx)
{
    struct tri_watch *c = tx ? tx->cell : NULL;

    if (c)
        add_end(c, &c->n_tx);
    return (tr_watch_tx){ c };
}

tr_watch_rx tr_watch_subscribe(const tr_watch_tx *tx)
{
    struct tri_watch *c = tx ? tx->cell : NULL;

    if (!c)
        return (tr_watch_rx){ 0 };
    add_end(c, &c->n_rx);
    return (tr_watch_rx){ .cell = c, .seen = tri_watch_mark(c) >> 1 };
}

tr_watch_rx tr_watch_rx_clone(const tr_watch_rx *rx)
{
    struct tri_watch *c = rx ? rx->cell : NULL;

    if (!c)
        return (tr_watch_rx){ 0 };
    add_end(c, &c->n_rx);
    return (tr_watch_rx){ .cell = c, .seen = rx->seen & ~TRI_WATCH_KEEP };
}

tr_watch_rx tr_watch_rx_clone_seen(const tr_watch_rx *rx)
{
    tr_watch_rx copy = tr_watch_rx_clone(rx);

    tr_watch_mark_unchanged(&copy);
    return copy;
}

bool tr_watch_tx_is_same(const tr_watch_tx *a, const tr_watch_tx *b)
{
    return a && b && a->cell && a->cell == b->cell;
}

bool tr_watch_rx_is_same(const tr_watch_rx *a, const tr_watch_rx *b)
{
    return a && b && a->cell && a->cell == b->cell;
}

void tr_watch_tx_close(tr_watch_tx *tx)
{
    struct tri_watch *c = tx ? tx->cell : NULL;

    if (!c)
        return;
    tx->cell = NULL;
    if (tri_unlikely(tri_is_forked()))
        return; /* who holds the lock may be a thread no more */
    /* acq_rel: the sends of all ends come before the end. */
    if (atomic_fetch_sub_explicit(&c->n_tx, 1, memory_order_acq_rel) == 1) {
        tri_lock_acquire(&c->lock);
        /* release: as in tri_watch_publish(). */
        atomic_fetch_or_explicit(&c->mark, TRI_WATCH_ENDED, memory_order_release);
        tri_watch_wake(c, &c->line);
    }
    cell_unref(c);
}

void tr_watch_rx_close(tr_watch_rx *rx)
{
    tr_watch_rx old;

    if (!rx || !rx->cell)
        return;
    old = *rx;
    *rx = (tr_watch_rx){ 0 };
    if (tri_unlikely(tri_is_forked()))
        return; /* as above */
    /* relaxed: the lock orders it for those who wait for it; a number for the others. */
    if (atomic_fetch_sub_explicit(&old.cell->n_rx, 1, memory_order_relaxed) == 1) {
        tri_lock_acquire(&old.cell->lock);
        tri_watch_wake(old.cell, &old.cell->closed);
    }
    if (old.held)
        tri_snapshot_unref(old.held);
    cell_unref(old.cell);
}

/* ---- reading ---- */

/* Holds the newest snapshot in place of an older one. */
static __attribute__((noinline)) void refresh(tr_watch_rx *rx)
{
    struct tri_snapshot *old = rx->held;

    rx->held = tri_published_pin(&rx->cell->published);
    rx->seen = rx->held->version;
    if (old)
        tri_snapshot_unref(old);
}

const void *tr_watch_get(tr_watch_rx *rx)
{
    if (tri_unlikely(!rx || !rx->cell))
        return NULL;
    if (tri_unlikely(rx->seen & (TRI_WATCH_KEEP | TRI_WATCH_UNSEEN))) {
        const bool kept = rx->seen & TRI_WATCH_KEEP;

        rx->seen &= ~(TRI_WATCH_KEEP | TRI_WATCH_UNSEEN);
        if (kept)
            return rx->held->value;
    }
    /* relaxed: if it is the one we hold, we have acquired it before; a pin acquires another. */
    if (tri_unlikely(atomic_load_explicit(&rx->cell->now, memory_order_relaxed) != rx->held))
        refresh(rx);
    return rx->held->value;
}

const void *tr_watch_peek(tr_watch_rx *rx)
{
    const void *value;
    uint64_t seen;

    if (!rx || !rx->cell)
        return NULL;
    seen = rx->seen & ~TRI_WATCH_KEEP;
    value = tr_watch_get(rx);
    if (rx->seen != seen) /* it was a newer one, or unseen before: as has_changed() will say */
        rx->seen |= TRI_WATCH_UNSEEN;
    return value;
}

const void *tr_watch_tx_pin(const tr_watch_tx *tx)
{
    return tx && tx->cell ? tri_published_pin(&tx->cell->published)->value : NULL;
}

const void *tr_watch_pin(tr_watch_rx *rx)
{
    const void *value = tr_watch_get(rx);

    if (value)
        tri_snapshot_ref(rx->held);
    return value;
}

void tr_watch_unpin(const void *value)
{
    if (value)
        tri_snapshot_unref(snapshot_of(value));
}

int tr_watch_has_changed(const tr_watch_rx *rx)
{
    uint64_t mark;

    if (!rx || !rx->cell)
        return -EINVAL;
    mark = tri_watch_mark(rx->cell);
    return mark & TRI_WATCH_ENDED ? -EPIPE : tri_watch_is_new(rx, mark);
}

void tr_watch_mark_changed(tr_watch_rx *rx)
{
    if (rx && rx->cell)
        rx->seen = (rx->seen & ~TRI_WATCH_KEEP) | TRI_WATCH_UNSEEN;
}

void tr_watch_mark_unchanged(tr_watch_rx *rx)
{
    if (rx && rx->cell)
        tri_watch_see(rx, tri_watch_mark(rx->cell));
}

bool tr_watch_rx_is_closed(const tr_watch_rx *rx)
{
    return !rx || !rx->cell || tri_watch_mark(rx->cell) & TRI_WATCH_ENDED;
}
