/* SPDX-License-Identifier: MIT */
/*
 * mpsc_permit.c - places reserved ahead of the messages.
 *
 * A permit holds places, not positions: its messages come in the order in which they are sent,
 * and an unused permit leaves no hole. While permits hold places (n_reserved > 0) the flag
 * TX_PERMITS closes the fast path, and positions are claimed under the lock within what is
 * left; so who never reserves never pays for it. A permit is a sender as well: it keeps the
 * channel open, and the end it came from may close.
 *
 * The end of a shut channel waits for the permits. No wake-up of the receiver is lost: it parks
 * by a CAS on the word that holds TX_PERMITS, and whoever takes that flag away from a word that
 * is then at its end takes RX_PARKED away in the same step and wakes.
 */
#include "config.h"

#include <errno.h>

#include "chan/mpsc_line.h"
#include "sched/runtime.h"

/* ---- the arm; source: the sending end, value: the permit, extra[1]: how many places ---- */

static struct tri_waiter *waiter_of(const tr_arm *arm)
{
    return (struct tri_waiter *)arm->extra[0];
}

static bool arm_result(tr_arm *arm, int r)
{
    arm->result = r;
    return true;
}

/* The places are ours. */
static bool grant(tr_arm *arm)
{
    tr_mpsc_tx *tx = arm->source;

    if (tr_mpsc_tx_is_closed(tx)) { /* shut since then */
        if (arm->extra[1] > 0)
            tri_txline_give_back(tx->chan, (uint32_t)arm->extra[1]);
        return arm_result(arm, -EPIPE);
    }
    *(tr_mpsc_permit *)arm->value = (tr_mpsc_permit){ tr_mpsc_tx_clone(tx), arm->extra[1] };
    return arm_result(arm, 0);
}

/* More than there will ever be, or a channel without a bound, or in which nobody waits. */
static bool is_misuse(const tr_mpsc_tx *tx, size_t n, const tr_mpsc_permit *permit)
{
    return !tx || !tx->chan || !permit || n > tx->chan->capacity || tx->chan->capacity == 0 ||
           tx->chan->more_at == 0 || tri_mpsc_more(tx->chan)->overflow != TR_OVERFLOW_WAIT;
}

static bool attempt(tr_arm *arm)
{
    tr_mpsc_tx *tx = arm->source;
    struct tri_waiter *w = waiter_of(arm);
    int r;

    if (is_misuse(tx, arm->extra[1], arm->value))
        return arm_result(arm, -EINVAL);
    if (arm->extra[1] == 0)
        return grant(arm);
    r = w ? tri_txline_try(tx->chan, w) : tri_txline_reserve(tx->chan, (uint32_t)arm->extra[1]);
    if (r == -EAGAIN)
        return false;
    return r < 0 ? arm_result(arm, r) : grant(arm);
}

static bool enroll(tr_arm *arm, struct tri_waiter *w)
{
    bool joined;

    w->n_place = (uint32_t)arm->extra[1];
    joined = tri_txline_join(((tr_mpsc_tx *)arm->source)->chan, w);
    if (joined && w->selects)
        arm->extra[0] = (uintptr_t)w;
    return joined;
}

static bool withdraw(tr_arm *arm, struct tri_waiter *w)
{
    arm->extra[0] = 0;
    if (!tri_txline_leave(((tr_mpsc_tx *)arm->source)->chan, w))
        return false;
    return w->value ? arm_result(arm, -EPIPE) : grant(arm);
}

static const struct tri_arm_ops reserve_ops = {
    .what = "mpsc reserve",
    .attempt = attempt,
    .enroll = enroll,
    .withdraw = withdraw,
    .keeps_place = tri_txline_keeps_place,
};

tr_arm tr_mpsc_reserve_arm(tr_mpsc_tx *tx, size_t n, tr_mpsc_permit *ret_permit)
{
    if (!tx)
        return (tr_arm){ 0 };
    return (tr_arm){ .ops = &reserve_ops, .source = tx, .value = ret_permit, .extra = { 0, n } };
}

/* ---- the three forms ---- */

int tr_mpsc_try_reserve(tr_mpsc_tx *tx, size_t n, tr_mpsc_permit *ret_permit)
{
    tr_arm arm;

    if (is_misuse(tx, n, ret_permit))
        return -EINVAL;
    arm = tr_mpsc_reserve_arm(tx, n, ret_permit);
    return attempt(&arm) ? arm.result : -EAGAIN;
}

int tr_mpsc_reserve(tr_mpsc_tx *tx, size_t n, tr_time deadline, tr_mpsc_permit *ret_permit)
{
    tr_arm arm;
    int r;

    if (is_misuse(tx, n, ret_permit))
        return -EINVAL;
    arm = tr_mpsc_reserve_arm(tx, n, ret_permit);
    r = tri_wait(&arm, deadline);
    return r < 0 ? r : arm.result;
}

int tr_mpsc_blocking_reserve(tr_mpsc_tx *tx, size_t n, tr_time deadline,
                             tr_mpsc_permit *ret_permit)
{
    tr_arm arm;
    int r;

    if (is_misuse(tx, n, ret_permit))
        return -EINVAL;
    arm = tr_mpsc_reserve_arm(tx, n, ret_permit);
    r = tri_wait_blocking(&arm, deadline, __builtin_return_address(0));
    return r < 0 ? r : arm.result;
}

/* ---- permits ---- */

int tr_mpsc_permit_send(tr_mpsc_permit *permit, void *m)
{
    int r;

    if (!permit || !permit->tx.chan || permit->n == 0 || !m)
        return -EINVAL;
    permit->n--;
    r = tri_txline_send_reserved(permit->tx.chan, m);
    if (r < 0)
        permit->tx.n_back++;
    if (permit->n == 0)
        tr_mpsc_tx_close(&permit->tx);
    return r;
}

size_t tr_mpsc_permit_left(const tr_mpsc_permit *permit)
{
    return permit ? permit->n : 0;
}

void tr_mpsc_permit_close(tr_mpsc_permit *permit)
{
    tr_mpsc_permit p;

    if (!permit || !permit->tx.chan)
        return;
    p = *permit;
    *permit = (tr_mpsc_permit){ 0 };
    if (tri_unlikely(tri_is_forked()))
        return; /* who holds the lock may be a thread no more */
    if (p.n > 0)
        tri_txline_give_back(p.tx.chan, (uint32_t)p.n);
    tr_mpsc_tx_close(&p.tx);
}
