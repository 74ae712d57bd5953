/* SPDX-License-Identifier: MIT */
/*
 * broadcast.c - the life of a channel and of its ends, their counts, and the wait for the last
 * receiver to go. See broadcast.h for how it works.
 *
 * No wake-up of that wait is lost: a waiter joins the idle line under the lock after a look at
 * n_rx under the same lock; who takes n_rx to 0 does so under it and then takes the line.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/membarrier.h"
#include "chan/broadcast.h"
#include "mem/alloc.h"
#include "sched/runtime.h"

enum { FENCED_BELOW = 64 }; /* capacity: where senders wait so often that fences are cheaper */

/* ---- making ---- */

static bool is_misuse(const struct tri_type *type, size_t capacity, unsigned flags,
                      const void *ret_tx)
{
    return !tri_type_is_valid(type) || capacity == 0 || capacity > SIZE_MAX / 2 ||
           flags & ~(unsigned)TR_BROADCAST_WAIT || !ret_tx;
}

static struct tri_broadcast *chan_new(const struct tri_type *type, tr_clone_fn *clone,
                                      size_t capacity, unsigned flags)
{
    struct tri_broadcast *c = tri_mem_alloc_lines(sizeof *c);
    size_t n_cell = 1, bytes;

    if (!c)
        return NULL;
    while (n_cell < capacity)
        n_cell *= 2;
    c->type = type;
    c->clone = clone;
    c->mask = n_cell - 1;
    c->stride = clone ? sizeof(tri_original_cell)
                      : (uint32_t)(sizeof(struct tri_flat) + (type->size + 7) / 8 * 8);
    c->waits = flags & TR_BROADCAST_WAIT;
    c->is_fenced = c->waits && (n_cell < FENCED_BELOW || !tri_membarrier_setup());
    tri_list_init(&c->subscribers);
    atomic_init(&c->n_tx, 1);
    atomic_init(&c->n_end, 1);
    /* Zero: not yet, for the positions that meet the cells first. */
    c->cells = __builtin_mul_overflow(n_cell, c->stride, &bytes) ? NULL : tri_mem_alloc(bytes);
    if (c->cells)
        return c;
    free(c);
    return NULL;
}

static struct tri_subscriber *subscriber_new(struct tri_broadcast *c, bool fails)
{
    struct tri_subscriber *s = tri_mem_alloc_lines(sizeof *s);

    if (!s)
        return NULL;
    s->chan = c;
    s->cells = c->cells;
    s->mask = c->mask;
    s->stride = c->stride;
    s->size = c->type->size;
    s->is_flat = !c->clone;
    s->is_fenced = c->is_fenced;
    s->fails = fails;
    return s;
}

/* relaxed in these: the end that is copied keeps the counts above 0. */
static void add_end(struct tri_broadcast *c)
{
    atomic_fetch_add_explicit(&c->n_end, 1, memory_order_relaxed);
}

static int join(struct tri_broadcast *c, bool fails, tr_broadcast_rx *ret_rx)
{
    struct tri_subscriber *s = subscriber_new(c, fails);

    if (!s)
        return -ENOMEM;
    add_end(c);
    tri_lock_acquire(&c->lock);
    s->start = tri_broadcast_tail(c);
    atomic_init(&s->cursor, s->start);
    tri_list_add_tail(&c->subscribers, &s->link);
    /* relaxed: the lock orders it. */
    atomic_fetch_add_explicit(&c->n_rx, 1, memory_order_relaxed);
    tri_lock_release(&c->lock);
    *ret_rx = (tr_broadcast_rx){ s };
    return 0;
}

int tr_broadcast_new(const struct tri_type *type, tr_clone_fn *clone, size_t capacity,
                     unsigned flags, tr_broadcast_tx *ret_tx, tr_broadcast_rx *ret_rx)
{
    struct tri_broadcast *c;

    if (is_misuse(type, capacity, flags, ret_tx))
        return -EINVAL;
    c = chan_new(type, clone, capacity, flags);
    if (!c)
        return -ENOMEM;
    if (ret_rx && join(c, false, ret_rx) < 0) {
        tri_broadcast_unref(c);
        return -ENOMEM;
    }
    *ret_tx = (tr_broadcast_tx){ .chan = c };
    return 0;
}

int tr_broadcast_subscribe(const tr_broadcast_tx *tx, unsigned flags, tr_broadcast_rx *ret_rx)
{
    if (!tx || !tx->chan || !ret_rx || flags & ~(unsigned)TR_BROADCAST_FAIL)
        return -EINVAL;
    return join(tx->chan, flags & TR_BROADCAST_FAIL, ret_rx);
}

int tr_broadcast_resubscribe(const tr_broadcast_rx *rx, tr_broadcast_rx *ret_rx)
{
    if (!rx || !rx->sub || !ret_rx)
        return -EINVAL;
    return join(rx->sub->chan, rx->sub->fails, ret_rx);
}

tr_broadcast_tx tr_broadcast_tx_clone(const tr_broadcast_tx *tx)
{
    struct tri_broadcast *c = tx ? tx->chan : NULL;

    if (c) {
        add_end(c);
        atomic_fetch_add_explicit(&c->n_tx, 1, memory_order_relaxed); /* as in add_end() */
    }
    return (tr_broadcast_tx){ .chan = c };
}

/* ---- ending ---- */

/* Every value in the ring was dropped by then: no receiver is left that it was for. */
static void chan_free(struct tri_broadcast *c)
{
    tri_original_cell *cells = (tri_original_cell *)(void *)c->cells;

    if (c->clone)
        for (uint64_t i = 0; i <= c->mask; i++)
            /* relaxed: nobody else is left. */
            free(atomic_load_explicit(&cells[i], memory_order_relaxed));
    tri_broadcast_free_dead(c);
    free(c->cells);
    free(c);
}

void tri_broadcast_unref(struct tri_broadcast *c)
{
    /* release: our accesses end here. acquire: those of the other ends did. */
    if (atomic_fetch_sub_explicit(&c->n_end, 1, memory_order_acq_rel) == 1)
        chan_free(c);
}

void tr_broadcast_tx_close(tr_broadcast_tx *tx)
{
    struct tri_broadcast *c = tx ? tx->chan : NULL;

    if (!c)
        return;
    /* relaxed: a statistic; n_tx orders it before the end of the channel. */
    if (tx->n_back > 0)
        atomic_fetch_add_explicit(&c->n_back, tx->n_back, memory_order_relaxed);
    *tx = (tr_broadcast_tx){ 0 };
    if (tri_unlikely(tri_is_forked()))
        return; /* who holds the lock may be a thread no more */
    /* acq_rel: the sends of all ends come before the end. */
    if (atomic_fetch_sub_explicit(&c->n_tx, 1, memory_order_acq_rel) == 1) {
        /* seq_cst: before the look at the parked ones. */
        atomic_fetch_or_explicit(&c->tail, tri_broadcast_ended, memory_order_seq_cst);
        tri_broadcast_wake(c);
    }
    tri_broadcast_unref(c);
}

/* The cloned messages from @pos to @end were for us, too. */
static void leave_originals(struct tri_broadcast *c, uint64_t pos, uint64_t end)
{
    struct tri_original *o;

    if (end - pos > c->mask + 1)
        pos = end - (c->mask + 1);
    for (; pos != end; pos++)
        if (tri_original_enter(tri_broadcast_cell(c->cells, c->mask, c->stride, pos), pos, &o) ==
            TRI_THERE)
            tri_original_leave(o);
}

size_t tri_broadcast_leave(struct tri_subscriber *s)
{
    struct tri_broadcast *c = s->chan;
    struct tri_wakes wakes = { .n = 0 };
    const uint64_t pos = tri_cursor(s);
    uint64_t end, n_lost;
    size_t n_rx;

    /* relaxed: our own; the number is written under the lock. */
    n_lost = atomic_load_explicit(&s->n_lost, memory_order_relaxed);
    tri_lock_acquire(&c->lock);
    tri_list_del(&s->link);
    n_rx = atomic_fetch_sub_explicit(&c->n_rx, 1, memory_order_relaxed) - 1;
    end = tri_broadcast_tail(c);
    c->n_received += pos - s->start - n_lost;
    c->n_lost += n_lost;
    c->n_unread += end - pos;
    /* relaxed: nobody else marks it under the lock, and the line is served now. */
    if (atomic_exchange_explicit(&s->blocks, false, memory_order_relaxed))
        atomic_fetch_sub_explicit(&c->n_blocking, 1, memory_order_relaxed);
    tri_broadcast_serve_locked(c, &wakes);
    if (n_rx == 0)
        tri_waitq_release_all(&c->idle, &c->n_idle, &c->lock);
    else
        tri_lock_release(&c->lock);
    tri_wakes_run(&wakes);
    if (!s->is_flat)
        leave_originals(c, pos, end);
    return n_rx;
}

void tr_broadcast_rx_close(tr_broadcast_rx *rx)
{
    struct tri_subscriber *s = rx ? rx->sub : NULL;
    struct tri_broadcast *c;
    size_t n_rx;

    if (!s)
        return;
    rx->sub = NULL; /* before the drops, which may do anything */
    if (tri_unlikely(tri_is_forked()))
        return; /* as above */
    c = s->chan;
    /* relaxed: a threshold. */
    n_rx = s->is_over ? atomic_load_explicit(&c->n_rx, memory_order_relaxed)
                      : tri_broadcast_leave(s);
    tri_subscriber_bury(s, n_rx);
    tri_broadcast_unref(c);
}

/* ---- questions ---- */

size_t tr_broadcast_receivers(const tr_broadcast_tx *tx)
{
    /* relaxed: a snapshot. */
    return tx && tx->chan ? atomic_load_explicit(&tx->chan->n_rx, memory_order_relaxed) : 0;
}

size_t tr_broadcast_capacity(const tr_broadcast_tx *tx)
{
    return tx && tx->chan ? (size_t)tx->chan->mask + 1 : 0;
}

bool tr_broadcast_rx_is_closed(const tr_broadcast_rx *rx)
{
    /* relaxed: a question about one word. */
    return !rx || !rx->sub ||
           atomic_load_explicit(&rx->sub->chan->tail, memory_order_relaxed) &
               tri_broadcast_ended;
}

size_t tr_broadcast_len(const tr_broadcast_rx *rx)
{
    uint64_t tail, pos;

    if (!rx || !rx->sub || rx->sub->is_over)
        return 0;
    tail = tri_broadcast_tail(rx->sub->chan);
    pos = tri_cursor(rx->sub);
    return tail > pos ? (size_t)(tail - pos) : 0; /* a cell is there before tail moves */
}

static struct tri_subscriber *subscriber_at(struct tri_list *link)
{
    return tri_list_entry(link, struct tri_subscriber, link);
}

size_t tr_broadcast_tx_len(const tr_broadcast_tx *tx)
{
    struct tri_broadcast *c = tx ? tx->chan : NULL;
    uint64_t n = 0, tail;

    if (!c)
        return 0;
    tri_lock_acquire(&c->lock);
    tail = tri_broadcast_tail(c);
    for (struct tri_list *l = c->subscribers.next; l != &c->subscribers; l = l->next)
        if (tail - tri_cursor(subscriber_at(l)) > n)
            n = tail - tri_cursor(subscriber_at(l));
    tri_lock_release(&c->lock);
    return (size_t)(n <= c->mask ? n : c->mask + 1);
}

/* With @n_back of ends that are still open. */
static void count(struct tri_broadcast *c, uint64_t n_back,
                  struct tr_broadcast_counts *ret_counts)
{
    /* relaxed in here: statistics. */
    n_back += atomic_load_explicit(&c->n_back, memory_order_relaxed);
    tri_lock_acquire(&c->lock);
    *ret_counts = (struct tr_broadcast_counts){
        .n_sent = tri_broadcast_tail(c) + n_back,
        .n_back = n_back,
        .n_due = c->n_due,
        .n_received = c->n_received,
        .n_lost = c->n_lost,
        .n_unread = c->n_unread,
    };
    for (struct tri_list *l = c->subscribers.next; l != &c->subscribers; l = l->next) {
        struct tri_subscriber *s = subscriber_at(l);
        uint64_t n_lost = atomic_load_explicit(&s->n_lost, memory_order_relaxed);

        ret_counts->n_lost += n_lost;
        ret_counts->n_received += tri_cursor(s) - s->start - n_lost;
    }
    tri_lock_release(&c->lock);
}

void tr_broadcast_tx_counts(const tr_broadcast_tx *tx, struct tr_broadcast_counts *ret_counts)
{
    if (!ret_counts)
        return;
    *ret_counts = (struct tr_broadcast_counts){ 0 };
    if (tx && tx->chan)
        count(tx->chan, tx->n_back, ret_counts);
}

void tr_broadcast_rx_counts(const tr_broadcast_rx *rx, struct tr_broadcast_counts *ret_counts)
{
    if (!ret_counts)
        return;
    *ret_counts = (struct tr_broadcast_counts){ 0 };
    if (rx && rx->sub)
        count(rx->sub->chan, 0, ret_counts);
}

/* ---- waiting for the last receiver to go ---- */

static bool is_idle(struct tri_broadcast *c)
{
    /* acquire: with the lock in tri_broadcast_leave(), what the receivers did. */
    return atomic_load_explicit(&c->n_rx, memory_order_acquire) == 0;
}

static bool closed_attempt(tr_arm *arm)
{
    tr_broadcast_tx *tx = arm->source;

    arm->result = tx->chan ? 0 : -EINVAL;
    return !tx->chan || is_idle(tx->chan);
}

static bool closed_enroll(tr_arm *arm, struct tri_waiter *w)
{
    struct tri_broadcast *c = ((tr_broadcast_tx *)arm->source)->chan;
    bool joins;

    atomic_init(&w->done, false);
    w->next = w->prev = NULL;
    tri_lock_acquire(&c->lock);
    joins = !is_idle(c);
    if (joins) {
        tri_waitq_append(&c->idle, w);
        c->n_idle++;
    }
    tri_lock_release(&c->lock);
    return joins;
}

static bool closed_withdraw(tr_arm *arm, struct tri_waiter *w)
{
    struct tri_broadcast *c = ((tr_broadcast_tx *)arm->source)->chan;

    /* acquire: the waker is done with our memory; pairs with tri_wakes_let_go(). */
    if (atomic_load_explicit(&w->done, memory_order_acquire))
        return false;
    tri_lock_acquire(&c->lock);
    if (tri_waitq_has(w)) {
        tri_waitq_remove(&c->idle, w);
        c->n_idle--;
    }
    tri_lock_release(&c->lock);
    return false;
}

static const struct tri_arm_ops closed_ops = {
    .what = "broadcast closed",
    .attempt = closed_attempt,
    .enroll = closed_enroll,
    .withdraw = closed_withdraw,
};

tr_arm tr_broadcast_closed_arm(tr_broadcast_tx *tx)
{
    if (!tx)
        return (tr_arm){ 0 };
    return (tr_arm){ .ops = &closed_ops, .source = tx };
}

int tr_broadcast_closed(tr_broadcast_tx *tx, tr_time deadline)
{
    tr_arm arm = tr_broadcast_closed_arm(tx);
    int r;

    if (!tx || !tx->chan)
        return -EINVAL;
    r = tri_wait(&arm, deadline);
    return r < 0 ? r : arm.result;
}

int tr_broadcast_blocking_closed(tr_broadcast_tx *tx, tr_time deadline)
{
    tr_arm arm = tr_broadcast_closed_arm(tx);
    int r;

    if (!tx || !tx->chan)
        return -EINVAL;
    r = tri_wait_blocking(&arm, deadline, __builtin_return_address(0));
    return r < 0 ? r : arm.result;
}
