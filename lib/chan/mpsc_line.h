/* SPDX-License-Identifier: MIT */
/*
 * mpsc_line.h - the slow side of sending, between the files of the channel: the line of those
 * who wait for places, and places held by permits. Everything here takes the lock.
 */
#ifndef TRI_CHAN_MPSC_LINE_H
#define TRI_CHAN_MPSC_LINE_H

#include "chan/mpsc.h"

/* True if @pos may be claimed: head has come near enough. */
static inline bool tri_mpsc_is_near(const struct tri_mpsc *c, uint64_t pos, uint64_t head)
{
    /* Signed: @pos may be stale and lie behind head; its claim fails later. */
    return (int64_t)(pos - head) < (int64_t)c->capacity;
}

/* A send that could not go the fast path. Returns: 0 or an enum tr_mpsc_sent; -EAGAIN; -EPIPE;
 * -ENOBUFS. */
int tri_txline_send(struct tri_mpsc *c, void *m);

/* The same in a locked channel. */
int tri_locked_send(struct tri_mpsc *c, void *m);

/*
 * The urgent lane (mpsc_locked.c, mpsc_urgent.c). Under the lock: free: the places of @lane;
 * put: moves @m into one; shut: the channel takes nothing more.
 */
uint32_t tri_lane_free(const struct tri_lane *lane);
void tri_lane_put(struct tri_mpsc *c, void *m, struct tri_wakes *wakes);
bool tri_lane_is_shut(struct tri_mpsc *c);

/* Lets those in whose turn it is, while there are places. Takes the lock. */
void tri_lane_serve(struct tri_mpsc *c);

/* What becomes of @m where there is no place for it: -EAGAIN, -ENOBUFS, TR_SENT_DROPPED. */
int tri_mpsc_overflow(struct tri_mpsc *c, void *m);

/* For mpsc_locked.c, which has the lock. put: fits() has said yes. */
bool tri_txline_fits(struct tri_mpsc *c);
bool tri_txline_is_empty(struct tri_mpsc *c);
void tri_txline_put(struct tri_mpsc *c, void *m, struct tri_wakes *wakes);
void tri_txline_wake_receiver(struct tri_mpsc *c, struct tri_wakes *wakes);
void tri_txline_serve_and_release(struct tri_mpsc *c);

/* A message was dropped by its policy, @n_beside: one that had taken no position. */
static inline void tri_mpsc_count_drop(struct tri_mpsc *c, unsigned n_beside)
{
    /* relaxed, both: statistics. */
    atomic_fetch_add_explicit(&tri_mpsc_more(c)->n_dropped, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&tri_mpsc_more(c)->n_beside, n_beside, memory_order_relaxed);
}

/* Takes @n places for permits, at least one, if they are there. Returns the same. */
int tri_txline_reserve(struct tri_mpsc *c, uint32_t n);

/*
 * A send into a place that a permit holds. -EPIPE: the receiver is gone, the place is given
 * back.
 */
int tri_txline_send_reserved(struct tri_mpsc *c, void *m);

/* Gives @n reserved places back. */
void tri_txline_give_back(struct tri_mpsc *c, uint32_t n);

/*
 * The waiters: their value is the message, or anything but NULL if they want n_place permits;
 * it is NULL once they were served.
 *
 * join: false: not in line, it need not wait. try: an attempt of one that is in line and
 * selects; returns as tri_txline_send(). leave: out of the line, wherever it was; true: it was
 * served, or sent away with its value.
 */
bool tri_txline_join(struct tri_mpsc *c, struct tri_waiter *w);
int tri_txline_try(struct tri_mpsc *c, struct tri_waiter *w);
bool tri_txline_leave(struct tri_mpsc *c, struct tri_waiter *w);

/* False: it was served, sent away, or is to try. */
static inline bool tri_txline_keeps(const struct tri_waiter *w)
{
    /* acquire: its message was moved, value says so; pairs with tri_wakes_let_go(). */
    return !atomic_load_explicit(&w->done, memory_order_acquire);
}

/* For tables of arms. */
static inline bool tri_txline_keeps_place(const tr_arm *arm, const struct tri_waiter *w)
{
    (void)arm;
    return tri_txline_keeps(w);
}

/* The arm of a sending end is ready with @r; what stays with the caller is counted. True. */
static inline bool tri_txline_arm_result(tr_arm *arm, int r)
{
    tr_mpsc_tx *tx = arm->source;

    if (r < 0 && tx->chan)
        tx->n_back++;
    arm->result = r;
    return true;
}

/* The same for those who wait for the end of the receiver. */
bool tri_closed_join(struct tri_mpsc *c, struct tri_waiter *w);
void tri_closed_leave(struct tri_mpsc *c, struct tri_waiter *w);

#endif /* TRI_CHAN_MPSC_LINE_H */
