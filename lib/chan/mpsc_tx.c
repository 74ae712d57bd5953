/* SPDX-License-Identifier: MIT */
/*
 * mpsc_tx.c - sending. The fast path is one CAS on tail (mpsc.h); a sender that finds the
 * channel full joins the line (mpsc_line.h).
 */
#include "config.h"

#include <errno.h>

#include "chan/mpsc_line.h"
#include "sched/worker.h"

static inline bool has_room(struct tri_mpsc *c, uint64_t pos)
{
    struct tri_mpsc_tx_side *tx = tri_mpsc_tx(c);
    uint64_t head;

    /* acquire: pairs with the release below, and through it with the receiver's. */
    if (c->apart && tri_mpsc_is_near(c, pos, atomic_load_explicit(&tx->head_seen, memory_order_acquire)))
        return true;
    /* acquire: the receiver has read the cells before head; pairs with its exchange. */
    head = atomic_load_explicit(&tri_mpsc_rx(c)->head, memory_order_acquire);
    if (!c->apart)
        return tri_mpsc_is_near(c, pos, head);
    /* release: hands that on. It may go back when senders race: it is only a lower bound. */
    atomic_store_explicit(&tx->head_seen, head, memory_order_release);
    return tri_mpsc_is_near(c, pos, head);
}

/*
 * Moves @m into @cell, claimed as the position in @prev, and wakes the receiver if it sleeps.
 */
static inline void fill(struct tri_mpsc *c, struct tri_cell *cell, uint64_t prev, void *m)
{
    tri_cell_put(c, cell, prev >> TRI_POS_SHIFT, m);
    if (prev & TRI_RX_PARKED)
        /* relaxed: the acquire of the claim shows it; see the field. */
        tri_wake(atomic_load_explicit(&tri_mpsc_rx(c)->wakee, memory_order_relaxed));
}

/* Flags under which a position is not claimed just so. */
#define CLOSED_FAST_PATH (TRI_RX_SHUT | TRI_TX_WAITING | TRI_TX_PERMITS | TRI_TX_LOCKED)

static int send_unbounded(struct tri_mpsc *c, void *m)
{
    struct tri_cell *cell;
    uint64_t prev;
    int r = tri_blocks_claim(c, &prev, &cell);

    if (r == 0)
        fill(c, cell, prev, m);
    return r;
}

/* Returns: 0; -EAGAIN: not on the fast path; -EPIPE; -ENOMEM. */
static inline __attribute__((always_inline)) int send_now_inline(struct tri_mpsc *c, void *m)
{
    struct tri_mpsc_tx_side *tx = tri_mpsc_tx(c);
    uint64_t t;

    if (tri_unlikely(c->capacity == 0))
        return send_unbounded(c, m);
    /* relaxed: the CAS confirms what we conclude from it, or it is an answer by itself. */
    t = atomic_load_explicit(&tx->tail, memory_order_relaxed);
    do {
        if (tri_unlikely(t & CLOSED_FAST_PATH))
            return t & TRI_RX_SHUT ? -EPIPE : -EAGAIN;
        if (tri_unlikely(!has_room(c, t >> TRI_POS_SHIFT)))
            return -EAGAIN;
        /* acquire: the wakee, set before RX_PARKED. The claim itself publishes nothing. */
    } while (!atomic_compare_exchange_weak_explicit(
        &tx->tail, &t, (t + TRI_POS_ONE) & ~(uint64_t)TRI_RX_PARKED, memory_order_acquire,
        memory_order_relaxed));
    fill(c, tri_ring_cell(c, t >> TRI_POS_SHIFT), t, m);
    return 0;
}

int tri_mpsc_send_now(struct tri_mpsc *c, void *m)
{
    int r = send_now_inline(c, m);

    return r == -EAGAIN && c->more_at > 0 ? tri_txline_send(c, m) : r;
}

/* ---- the arm ---- */

/* The waiter of an arm that is in line; kept in the arm while it is enrolled. */
static struct tri_waiter *waiter_of(const tr_arm *arm)
{
    return (struct tri_waiter *)arm->extra[0];
}

static bool attempt(tr_arm *arm)
{
    tr_mpsc_tx *tx = arm->source;
    struct tri_waiter *w = waiter_of(arm);
    int r;

    if (!tx->chan || !arm->value)
        return tri_txline_arm_result(arm, -EINVAL);
    r = w ? tri_txline_try(tx->chan, w) : tri_mpsc_send_now(tx->chan, arm->value);
    return r != -EAGAIN && tri_txline_arm_result(arm, r);
}

static bool enroll(tr_arm *arm, struct tri_waiter *w)
{
    bool joined = tri_txline_join(((tr_mpsc_tx *)arm->source)->chan, w);

    if (joined && w->selects)
        arm->extra[0] = (uintptr_t)w;
    return joined;
}

static bool withdraw(tr_arm *arm, struct tri_waiter *w)
{
    arm->extra[0] = 0;
    return tri_txline_leave(((tr_mpsc_tx *)arm->source)->chan, w) &&
           tri_txline_arm_result(arm, w->value ? -EPIPE : 0);
}

static const struct tri_arm_ops send_ops = {
    .what = "mpsc send",
    .attempt = attempt,
    .enroll = enroll,
    .withdraw = withdraw,
    .keeps_place = tri_txline_keeps_place,
};

tr_arm tr_mpsc_send_arm(tr_mpsc_tx *tx, void *m)
{
    if (!tx)
        return (tr_arm){ 0 };
    return (tr_arm){ .ops = &send_ops, .source = tx, .value = m };
}

/* ---- the three forms ---- */

static bool is_misuse(const tr_mpsc_tx *tx, const void *m)
{
    return tri_unlikely(!tx || !tx->chan || !m);
}

/* The result of a send that was not done through an arm. */
static inline int result(tr_mpsc_tx *tx, int r)
{
    if (tri_unlikely(r < 0))
        tx->n_back++;
    return r;
}

int tr_mpsc_try_send(tr_mpsc_tx *tx, void *m)
{
    if (is_misuse(tx, m))
        return -EINVAL;
    return result(tx, tri_mpsc_send_now(tx->chan, m));
}

int tr_mpsc_send(tr_mpsc_tx *tx, void *m, tr_time deadline)
{
    tr_arm arm;
    int r;

    if (is_misuse(tx, m))
        return -EINVAL;
    r = tri_wait_enter(tri_self_at_entry());
    if (tri_likely(r == 0))
        r = send_now_inline(tx->chan, m);
    if (tri_likely(r == 0))
        return 0;
    if (r != -EAGAIN)
        return result(tx, r);
    arm = tr_mpsc_send_arm(tx, m);
    r = tri_wait(&arm, deadline);
    return r < 0 ? result(tx, r) : arm.result;
}

int tr_mpsc_blocking_send(tr_mpsc_tx *tx, void *m, tr_time deadline)
{
    tr_arm arm;
    int r;

    if (is_misuse(tx, m))
        return -EINVAL;
    arm = tr_mpsc_send_arm(tx, m);
    r = tri_wait_blocking(&arm, deadline, __builtin_return_address(0));
    return r < 0 ? result(tx, r) : arm.result;
}
