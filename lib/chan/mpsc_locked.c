/* SPDX-License-Identifier: MIT */
/*
 * mpsc_locked.c - channels in which a sender may touch what is queued: the oldest message goes
 * to make room, a newer one replaces one of its key, urgent ones overtake.
 *
 * All of it is done under the lock: the flag TX_LOCKED is set for ever, which closes the fast
 * path of sending, and cells are never published (their seq is the position, not the next one),
 * so that the receiver's fast path finds nothing and comes here. Other channels pay nothing for
 * these.
 *
 *     lane   [ urgent | urgent | ... ]      at most STREAK in a row while others wait
 *     ring   head [ queued | queued ] tail
 *
 * No wake-up is lost: RX_PARKED is set under the lock after a look at lane and ring, and taken
 * away under it by whoever fills one. The end comes without the lock, in the word itself.
 *
 * No drop runs under the lock: what has to go is moved out first.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>

#include "chan/mpsc_line.h"
#include "mem/alloc.h"

enum { STREAK = 8 };

static uint64_t own_head(struct tri_mpsc *c)
{
    /* relaxed: under the lock. */
    return atomic_load_explicit(&tri_mpsc_rx(c)->head, memory_order_relaxed);
}

static uint64_t tail_of(struct tri_mpsc *c)
{
    /* acquire: with TX_GONE, whatever the senders did before. */
    return atomic_load_explicit(&tri_mpsc_tx(c)->tail, memory_order_acquire);
}

static void *queued_at(const struct tri_mpsc *c, uint64_t pos)
{
    return tri_cell_payload(c, tri_ring_cell(c, pos));
}

int tri_lane_init(struct tri_mpsc *c, size_t n)
{
    const size_t stride = (c->type->size + 15u) / 16 * 16;
    struct tri_lane *lane = tri_mem_alloc(sizeof *lane + n * stride);

    if (!lane)
        return -ENOMEM;
    atomic_init(&lane->line.first, NULL);
    lane->capacity = (uint32_t)n;
    lane->stride = (uint32_t)stride;
    tri_mpsc_more(c)->lane = lane;
    return 0;
}

static void *lane_at(struct tri_lane *lane, uint32_t i)
{
    return lane->messages + (size_t)((lane->first + i) % lane->capacity) * lane->stride;
}

static uint32_t lane_len(const struct tri_lane *lane)
{
    /* relaxed: under the lock, or a snapshot. */
    return lane ? atomic_load_explicit(&lane->n, memory_order_relaxed) : 0;
}

size_t tri_locked_len(const struct tri_mpsc *c)
{
    return lane_len(tri_mpsc_more((struct tri_mpsc *)(uintptr_t)c)->lane);
}

/* ---- receiving ---- */

static void take_urgent(struct tri_mpsc *c, struct tri_lane *lane, void *ret_m)
{
    tri_copy(ret_m, lane_at(lane, 0), c->type->size);
    lane->first = (lane->first + 1) % lane->capacity;
    /* relaxed: as lane_len(). */
    atomic_store_explicit(&lane->n, lane_len(lane) - 1, memory_order_relaxed);
}

static void take_oldest(struct tri_mpsc *c, void *ret_m)
{
    const uint64_t pos = own_head(c);

    tri_copy(ret_m, queued_at(c, pos), c->type->size);
    /* relaxed: under the lock; a snapshot for others. */
    atomic_store_explicit(&tri_mpsc_rx(c)->head, pos + 1, memory_order_relaxed);
}

/* Under the lock. Returns: 0; -EAGAIN; -EPIPE. */
static int take(struct tri_mpsc *c, void *ret_m)
{
    struct tri_mpsc_more *more = tri_mpsc_more(c);
    const uint64_t t = tail_of(c);
    const bool queued = t >> TRI_POS_SHIFT != own_head(c);

    if (lane_len(more->lane) > 0 && (more->streak < STREAK || !queued)) {
        more->streak = (uint8_t)(queued ? more->streak + 1 : 0);
        take_urgent(c, more->lane, ret_m);
        return 0;
    }
    if (!queued)
        return tri_tail_is_end(t) ? -EPIPE : -EAGAIN;
    more->streak = 0;
    take_oldest(c, ret_m);
    return 0;
}

int tri_locked_recv(struct tri_mpsc *c, void *ret_m)
{
    struct tri_lane *lane = tri_mpsc_more(c)->lane;
    bool awaited;
    int r;

    tri_lock_acquire(&c->lock);
    r = take(c, ret_m);
    if (r == 0)
        /* relaxed: a statistic. */
        atomic_fetch_add_explicit(&tri_mpsc_more(c)->n_received, 1, memory_order_relaxed);
    awaited = lane && tri_waitq_first(&lane->line);
    tri_txline_serve_and_release(c);
    if (awaited)
        tri_lane_serve(c);
    return r;
}

bool tri_locked_rx_arm(struct tri_mpsc *c, struct tri_wakee *wakee)
{
    struct tri_mpsc_tx_side *tx = tri_mpsc_tx(c);
    bool armed = false;
    uint64_t t;

    tri_lock_acquire(&c->lock);
    t = tail_of(c);
    /* relaxed: the CAS publishes it. */
    atomic_store_explicit(&tri_mpsc_rx(c)->wakee, wakee, memory_order_relaxed);
    if (t >> TRI_POS_SHIFT == own_head(c) && lane_len(tri_mpsc_more(c)->lane) == 0)
        /* release: the wakee, to whoever takes RX_PARKED away. */
        while (!tri_tail_is_end(t) &&
               !(armed = atomic_compare_exchange_weak_explicit(
                     &tx->tail, &t, t | TRI_RX_PARKED, memory_order_release,
                     memory_order_relaxed)))
            ;
    tri_lock_release(&c->lock);
    return armed;
}

void tri_locked_drop(struct tri_mpsc *c)
{
    _Alignas(16) char m[TR_MESSAGE_MAX];
    int r;

    do {
        tri_lock_acquire(&c->lock);
        r = take(c, m);
        tri_lock_release(&c->lock);
        if (r == 0) {
            tri_mpsc_count_drop(c, 0);
            c->type->drop(m);
        }
    } while (r == 0);
}

/* ---- sending ---- */

/* The queued message of the key of @m. O(n) over the queue. */
static void *find_key(struct tri_mpsc *c, const void *m)
{
    const uint64_t end = tail_of(c) >> TRI_POS_SHIFT;

    for (uint64_t pos = own_head(c); pos != end; pos++)
        if (tri_mpsc_more(c)->same(queued_at(c, pos), m))
            return queued_at(c, pos);
    return NULL;
}

int tri_locked_send(struct tri_mpsc *c, void *m)
{
    struct tri_mpsc_more *more = tri_mpsc_more(c);
    _Alignas(16) char out[TR_MESSAGE_MAX];
    struct tri_wakes wakes;
    void *queued = NULL;
    int r;

    tri_wakes_init(&wakes);
    tri_lock_acquire(&c->lock);
    if (more->same)
        queued = find_key(c, m);
    if (tail_of(c) & TRI_RX_SHUT) {
        r = -EPIPE;
    } else if (queued) {
        tri_copy(out, queued, c->type->size);
        tri_move(queued, m, c->type->size);
        r = TR_SENT_REPLACED;
    } else if (more->overflow != TR_OVERFLOW_WAIT && !tri_txline_fits(c)) {
        take_oldest(c, out);
        tri_txline_put(c, m, &wakes);
        r = TR_SENT_EVICTED;
    } else {
        r = tri_txline_is_empty(c) && tri_txline_fits(c) ? TR_SENT : -EAGAIN;
        if (r == TR_SENT)
            tri_txline_put(c, m, &wakes);
    }
    tri_lock_release(&c->lock);
    tri_wakes_run(&wakes);
    if (r > 0) {
        tri_mpsc_count_drop(c, r == TR_SENT_REPLACED);
        c->type->drop(out);
    }
    return r;
}

/* ---- the lane, for mpsc_urgent.c ---- */

uint32_t tri_lane_free(const struct tri_lane *lane)
{
    return lane->capacity - lane_len(lane);
}

bool tri_lane_is_shut(struct tri_mpsc *c)
{
    return tail_of(c) & TRI_RX_SHUT;
}

void tri_lane_put(struct tri_mpsc *c, void *m, struct tri_wakes *wakes)
{
    struct tri_lane *lane = tri_mpsc_more(c)->lane;

    tri_move(lane_at(lane, lane_len(lane)), m, c->type->size);
    /* relaxed: as lane_len(). */
    atomic_store_explicit(&lane->n, lane_len(lane) + 1, memory_order_relaxed);
    tri_txline_wake_receiver(c, wakes);
    /* relaxed: a statistic. */
    atomic_fetch_add_explicit(&tri_mpsc_more(c)->n_beside, 1, memory_order_relaxed);
}

/* ---- a full channel that does not wait and is not locked ---- */

int tri_mpsc_overflow(struct tri_mpsc *c, void *m)
{
    switch (tri_mpsc_more(c)->overflow) {
    case TR_OVERFLOW_REJECT:
        return -ENOBUFS;
    case TR_OVERFLOW_DROP_NEWEST:
        tri_mpsc_count_drop(c, 1);
        c->type->drop(m);
        tri_zero(m, c->type->size);
        return TR_SENT_DROPPED;
    default:
        return -EAGAIN;
    }
}
