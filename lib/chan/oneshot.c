/* SPDX-License-Identifier: MIT */
/*
 * oneshot.c - both ends share a cell and meet in one word, cell->state, a set of flags and a
 * count of parkings:
 *
 *     SENT        tx left a value            set together with TX_LEFT
 *     TX_LEFT     tx is gone                 set once, by tx, its last touch of the cell
 *     RX_SHUT     rx refuses a value         set once, by rx
 *     RX_LEFT     rx is gone                 set once, by rx, its last touch of the cell
 *     RX_PARKED   rx waits; taken away by rx, or it stays when tx has left
 *     TX_PARKED   tx waits in closed(); taken away by tx, or it stays when rx has shut
 *
 * SENT is set only in a word without RX_SHUT: so either the value is the receiver's to take or
 * drop, or send() returns -EPIPE and it is still the sender's. Who finds the other one's LEFT
 * flag frees the cell.
 *
 * value is written by tx before SENT and read by rx after it. rx_wakee and tx_wakee are written
 * by their side before its PARKED and read by the other only in a word with that flag; the step
 * that leaves or shuts confirms that word, so a wakee read before it is the right one, and the
 * cell is not touched after it. The count makes the word of a later parking, by whoever got the
 * end meanwhile, a different one.
 *
 * No wake-up is lost: both ends move the same word in atomic steps, so either the one that
 * leaves finds PARKED and wakes, or the one that would park finds that the word has moved.
 *
 *               send, close tx   closed, is_closed   recv, shut, close rx
 *     tx side   one at a time    one at a time       yes
 *     rx side   yes              yes                 one at a time
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>

#include <troupe/oneshot.h>

#include "chan/move.h"
#include "mem/alloc.h"
#include "sched/wait.h"

enum {
    SENT = 1u << 0,
    TX_LEFT = 1u << 1,
    RX_SHUT = 1u << 2,
    RX_LEFT = 1u << 3,
    RX_PARKED = 1u << 4,
    TX_PARKED = 1u << 5,
    PARK_ONE = 1u << 8, /* the bits from here on count parkings: see step() */
};

struct tri_oneshot {
    atomic_uint state;
    bool taken; /* rx only: the value was received */
    bool done;  /* rx only: it has the value, or was told that there is none */
    _Atomic(struct tri_wakee *) rx_wakee;
    _Atomic(struct tri_wakee *) tx_wakee;
    const struct tri_type *type;
    _Alignas(16) char value[];
};

int tr_oneshot_new(const struct tri_type *type, tr_oneshot_tx *ret_tx, tr_oneshot_rx *ret_rx)
{
    struct tri_oneshot *c;

    if (!tri_type_is_valid(type) || !ret_tx || !ret_rx)
        return -EINVAL;
    c = tri_mem_alloc_dirty(sizeof *c + type->size);
    if (!c)
        return -ENOMEM;
    atomic_init(&c->state, 0);
    atomic_init(&c->rx_wakee, NULL);
    atomic_init(&c->tx_wakee, NULL);
    c->taken = c->done = false;
    c->type = type;
    *ret_tx = (tr_oneshot_tx){ c };
    *ret_rx = (tr_oneshot_rx){ c };
    return 0;
}

static unsigned look(struct tri_oneshot *c)
{
    /* acquire: SENT shows the value, a LEFT flag that the other side is done with the cell. */
    return atomic_load_explicit(&c->state, memory_order_acquire);
}

/*
 * One step from *@s, which was just loaded, to @next; wakes @wakee if *@s has @parked. On
 * success the cell may be gone. On failure *@s is the word as it is now.
 */
static bool step(struct tri_oneshot *c, unsigned *s, unsigned next, unsigned parked,
                 _Atomic(struct tri_wakee *) *wakee)
{
    struct tri_wakee *w = NULL;

    if (*s & parked)
        /* relaxed: *s was loaded with acquire, after the release in try_park(). */
        w = atomic_load_explicit(wakee, memory_order_relaxed);
    /* release: the value, and the end of our accesses. acquire: the other side's. */
    if (!atomic_compare_exchange_strong_explicit(&c->state, s, next, memory_order_acq_rel,
                                                 memory_order_acquire))
        return false;
    if (w)
        tri_wake(w);
    return true;
}

/*
 * Ends the sender's part; with @sent the value is in the cell. The word changes under us only
 * while the receiver parks, stops waiting or leaves.
 * Returns: 0, or -EPIPE: the receiver had shut.
 */
static int tx_leave(struct tri_oneshot *c, unsigned sent)
{
    unsigned s = look(c), next;

    do
        next = s | TX_LEFT | (s & RX_SHUT ? 0 : sent);
    while (!step(c, &s, next, RX_PARKED, &c->rx_wakee));
    if (s & RX_LEFT)
        free(c);
    return s & RX_SHUT ? -EPIPE : 0;
}

int tr_oneshot_send(tr_oneshot_tx *tx, void *value)
{
    struct tri_oneshot *c = tx ? tx->cell : NULL;
    size_t size;
    int r;

    if (!c || !value)
        return -EINVAL;
    tx->cell = NULL; /* before the copy: tx may lie inside the value */
    size = c->type->size;
    tri_copy(c->value, value, size);
    r = tx_leave(c, SENT);
    if (r == 0)
        tri_zero(value, size);
    return r;
}

void tr_oneshot_tx_close(tr_oneshot_tx *tx)
{
    struct tri_oneshot *c = tx ? tx->cell : NULL;

    if (!c)
        return;
    tx->cell = NULL;
    (void)tx_leave(c, 0);
}

bool tr_oneshot_tx_is_closed(const tr_oneshot_tx *tx)
{
    return !tx || !tx->cell || look(tx->cell) & RX_SHUT;
}

/* Refuses values from now on, and with @left ends the receiver's part. */
static void rx_leave(struct tri_oneshot *c, unsigned left)
{
    unsigned s = look(c);

    do
        if (s & TX_LEFT && left) {
            /* tx does not touch the cell any more: no step is needed. */
            if (s & SENT && !c->taken)
                c->type->drop(c->value);
            free(c);
            return;
        }
    while (!step(c, &s, s | RX_SHUT | left, TX_PARKED, &c->tx_wakee));
}

void tr_oneshot_rx_shut(tr_oneshot_rx *rx)
{
    if (rx && rx->cell && !(look(rx->cell) & RX_SHUT))
        rx_leave(rx->cell, 0);
}

void tr_oneshot_rx_close(tr_oneshot_rx *rx)
{
    struct tri_oneshot *c = rx ? rx->cell : NULL;

    if (!c)
        return;
    rx->cell = NULL; /* before the drop, which may do anything */
    rx_leave(c, RX_LEFT);
}

/* Returns: 0; -EAGAIN: not yet; -EPIPE. */
static int recv_now(struct tri_oneshot *c, void *ret_value)
{
    unsigned s = look(c);

    if (!(s & (SENT | TX_LEFT | RX_SHUT)))
        return -EAGAIN;
    c->done = true;
    if (!(s & SENT) || c->taken)
        return -EPIPE;
    c->taken = true;
    tri_copy(ret_value, c->value, c->type->size);
    return 0;
}

bool tr_oneshot_rx_is_empty(const tr_oneshot_rx *rx)
{
    return !rx || !rx->cell || !(look(rx->cell) & SENT) || rx->cell->taken;
}

bool tr_oneshot_rx_is_closed(const tr_oneshot_rx *rx)
{
    unsigned s;

    if (!rx || !rx->cell)
        return true;
    s = look(rx->cell);
    return s & SENT ? rx->cell->taken : s & (TX_LEFT | RX_SHUT);
}

bool tr_oneshot_rx_is_done(const tr_oneshot_rx *rx)
{
    return !rx || !rx->cell || rx->cell->done;
}

/* ---- waiting: of rx for the end of tx, and of tx for the end of rx ---- */

/* Sets @parked in a word that has none of @over. False: look again. */
static bool try_park(struct tri_oneshot *c, unsigned over, unsigned parked,
                     _Atomic(struct tri_wakee *) *wakee, struct tri_wakee *w)
{
    /* relaxed: the CAS confirms it. */
    unsigned s = atomic_load_explicit(&c->state, memory_order_relaxed);

    do {
        if (s & over)
            return false;
        /* relaxed: the CAS publishes it. */
        atomic_store_explicit(wakee, w, memory_order_relaxed);
        /* release: the wakee, to step(). */
    } while (!atomic_compare_exchange_weak_explicit(
        &c->state, &s, (s | parked) + PARK_ONE, memory_order_release, memory_order_relaxed));
    return true;
}

static void unpark(struct tri_oneshot *c, unsigned parked)
{
    /* relaxed: publishes nothing. A wake that is under way is a spurious one. */
    atomic_fetch_and_explicit(&c->state, ~parked, memory_order_relaxed);
}

static bool recv_attempt(tr_arm *arm)
{
    struct tri_oneshot *c = ((tr_oneshot_rx *)arm->source)->cell;

    arm->result = c && arm->value ? recv_now(c, arm->value) : -EINVAL;
    return arm->result != -EAGAIN;
}

static bool recv_enroll(tr_arm *arm, struct tri_waiter *w)
{
    struct tri_oneshot *c = ((tr_oneshot_rx *)arm->source)->cell;

    return try_park(c, TX_LEFT | RX_SHUT, RX_PARKED, &c->rx_wakee, w->wakee);
}

static bool recv_withdraw(tr_arm *arm, struct tri_waiter *w)
{
    struct tri_oneshot *c = ((tr_oneshot_rx *)arm->source)->cell;

    (void)w;
    if (!(look(c) & TX_LEFT)) /* else the flag means nothing any more */
        unpark(c, RX_PARKED);
    return false;
}

static const struct tri_arm_ops recv_ops = {
    .what = "oneshot recv",
    .attempt = recv_attempt,
    .enroll = recv_enroll,
    .withdraw = recv_withdraw,
};

static bool closed_attempt(tr_arm *arm)
{
    struct tri_oneshot *c = ((tr_oneshot_tx *)arm->source)->cell;

    arm->result = c ? 0 : -EINVAL;
    return !c || look(c) & RX_SHUT;
}

static bool closed_enroll(tr_arm *arm, struct tri_waiter *w)
{
    struct tri_oneshot *c = ((tr_oneshot_tx *)arm->source)->cell;

    return try_park(c, RX_SHUT, TX_PARKED, &c->tx_wakee, w->wakee);
}

static bool closed_withdraw(tr_arm *arm, struct tri_waiter *w)
{
    (void)w;
    unpark(((tr_oneshot_tx *)arm->source)->cell, TX_PARKED);
    return false;
}

static const struct tri_arm_ops closed_ops = {
    .what = "oneshot closed",
    .attempt = closed_attempt,
    .enroll = closed_enroll,
    .withdraw = closed_withdraw,
};

tr_arm tr_oneshot_recv_arm(tr_oneshot_rx *rx, void *ret_value)
{
    if (!rx)
        return (tr_arm){ 0 };
    return (tr_arm){ .ops = &recv_ops, .source = rx, .value = ret_value };
}

tr_arm tr_oneshot_closed_arm(tr_oneshot_tx *tx)
{
    if (!tx)
        return (tr_arm){ 0 };
    return (tr_arm){ .ops = &closed_ops, .source = tx };
}

/* ---- the waiting forms ---- */

static bool is_misuse(const tr_oneshot_rx *rx, const void *ret_value)
{
    return !rx || !rx->cell || !ret_value;
}

int tr_oneshot_try_recv(tr_oneshot_rx *rx, void *ret_value)
{
    return is_misuse(rx, ret_value) ? -EINVAL : recv_now(rx->cell, ret_value);
}

int tr_oneshot_recv(tr_oneshot_rx *rx, tr_time deadline, void *ret_value)
{
    tr_arm arm;
    int r;

    if (is_misuse(rx, ret_value))
        return -EINVAL;
    arm = tr_oneshot_recv_arm(rx, ret_value);
    r = tri_wait(&arm, deadline);
    return r < 0 ? r : arm.result;
}

int tr_oneshot_blocking_recv(tr_oneshot_rx *rx, tr_time deadline, void *ret_value)
{
    tr_arm arm;
    int r;

    if (is_misuse(rx, ret_value))
        return -EINVAL;
    arm = tr_oneshot_recv_arm(rx, ret_value);
    r = tri_wait_blocking(&arm, deadline, __builtin_return_address(0));
    return r < 0 ? r : arm.result;
}

int tr_oneshot_closed(tr_oneshot_tx *tx, tr_time deadline)
{
    tr_arm arm;
    int r;

    if (!tx || !tx->cell)
        return -EINVAL;
    arm = tr_oneshot_closed_arm(tx);
    r = tri_wait(&arm, deadline);
    return r < 0 ? r : arm.result;
}

int tr_oneshot_blocking_closed(tr_oneshot_tx *tx, tr_time deadline)
{
    tr_arm arm;
    int r;

    if (!tx || !tx->cell)
        return -EINVAL;
    arm = tr_oneshot_closed_arm(tx);
    r = tri_wait_blocking(&arm, deadline, __builtin_return_address(0));
    return r < 0 ? r : arm.result;
}
