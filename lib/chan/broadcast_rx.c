/* SPDX-License-Identifier: MIT */
/*
 * broadcast_rx.c - receiving. A receiver looks at the cell of its position only: it is not
 * there yet, there, or gone (broadcast.h). The tail is read when nothing is there, and after a
 * loss.
 *
 * Every position is taken or lost once: the cursor passes it in one step that does either. What
 * the sender is just writing over is lost, although tail has not moved yet.
 */
#include "config.h"

#include <errno.h>

#include "chan/broadcast.h"
#include "sched/worker.h"

/* The next positions were overwritten. */
static __attribute__((noinline)) int lag(struct tri_subscriber *s)
{
    const uint64_t pos = tri_cursor(s), tail = tri_broadcast_tail(s->chan);
    uint64_t next = pos + 1;

    TRI_ASSERT(!s->chan->waits);
    if (tail > s->mask + 1 && tail - (s->mask + 1) > next)
        next = tail - (s->mask + 1);
    s->n_untold += next - pos;
    /* relaxed: a statistic; we alone write it. */
    atomic_fetch_add_explicit(&s->n_lost, next - pos, memory_order_relaxed);
    tri_subscriber_move(s, next);
    if (s->fails) {
        s->is_over = true;
        (void)tri_broadcast_leave(s);
    }
    return -ESTALE;
}

/* Copies message @pos to *@ret_m, which stays as it is if the message is not there. */
static inline enum tri_look flat_take(struct tri_subscriber *s, uint64_t pos, void *ret_m)
{
    struct tri_flat *f = tri_broadcast_cell(s->cells, s->mask, s->stride, pos);
    uint64_t words[TR_MESSAGE_MAX / sizeof(uint64_t)], seq;
    enum tri_look look = tri_flat_look(f, pos, &seq);

    if (tri_unlikely(look != TRI_THERE))
        return look;
    words[0] = 0;
    for (size_t i = 0; i * sizeof words[0] < s->size; i++)
        words[i] = tri_flat_word(f, i);
    if (tri_unlikely(!tri_flat_is_still(f, seq)))
        return TRI_GONE;
    tri_copy(ret_m, words, s->size);
    return TRI_THERE;
}

/* The same through the clone function, whose result is *@ret_r; the message is taken anyway. */
static __attribute__((noinline)) enum tri_look clone_take(struct tri_subscriber *s, uint64_t pos,
                                                          void *ret_m, int *ret_r)
{
    _Alignas(16) char m[TR_MESSAGE_MAX];
    struct tri_original *o;
    enum tri_look look = tri_original_enter(
        tri_broadcast_cell(s->cells, s->mask, s->stride, pos), pos, &o);

    if (look != TRI_THERE)
        return look;
    tri_subscriber_move(s, pos + 1); /* before the clone function, which may use this end */
    *ret_r = s->chan->clone(m, o->value);
    tri_original_leave(o);
    if (*ret_r < 0)
        return TRI_THERE;
    *ret_r = 0;
    tri_copy(ret_m, m, s->size);
    return TRI_THERE;
}

static inline enum tri_look take(struct tri_subscriber *s, void *ret_m, int *ret_r)
{
    const uint64_t pos = tri_cursor(s);
    enum tri_look look;

    if (!s->is_flat)
        return clone_take(s, pos, ret_m, ret_r);
    look = flat_take(s, pos, ret_m);
    if (tri_likely(look == TRI_THERE)) {
        tri_subscriber_move(s, pos + 1);
        *ret_r = 0;
    }
    return look;
}

/*
 * Nothing is there. Returns: -EAGAIN: nor was there anything sent; -EPIPE: for ever; 0: look.
 */
static int why_not_yet(struct tri_subscriber *s)
{
    /* acquire: the cells up to there; with ENDED, all there will be. */
    uint64_t t = atomic_load_explicit(&s->chan->tail, memory_order_acquire);

    /* The cursor may be ahead: what it has taken was there before tail moved. */
    if (t >> 1 > tri_cursor(s))
        return 0;
    return t & tri_broadcast_ended ? -EPIPE : -EAGAIN;
}

/*
 * False: it would have to wait. True: *@ret_r is the result, which may be any of the clone's.
 */
static inline bool recv_now(struct tri_subscriber *s, void *ret_m, int *ret_r)
{
    enum tri_look look;

    if (tri_unlikely(s->is_over)) {
        *ret_r = -EPIPE;
        return true;
    }
    while (tri_unlikely((look = take(s, ret_m, ret_r)) == TRI_NOT_YET)) {
        *ret_r = why_not_yet(s);
        if (*ret_r < 0)
            return *ret_r != -EAGAIN;
    }
    if (tri_unlikely(look == TRI_GONE))
        *ret_r = lag(s);
    return true;
}

/* ---- the arm ---- */

static bool attempt(tr_arm *arm)
{
    struct tri_subscriber *s = ((tr_broadcast_rx *)arm->source)->sub;

    arm->result = -EINVAL;
    return !s || !arm->value || recv_now(s, arm->value, &arm->result);
}

static bool enroll(tr_arm *arm, struct tri_waiter *w)
{
    return tri_subscriber_park(((tr_broadcast_rx *)arm->source)->sub, w->wakee);
}

static bool withdraw(tr_arm *arm, struct tri_waiter *w)
{
    (void)w;
    tri_subscriber_unpark(((tr_broadcast_rx *)arm->source)->sub);
    return false;
}

static const struct tri_arm_ops recv_ops = {
    .what = "broadcast recv",
    .attempt = attempt,
    .enroll = enroll,
    .withdraw = withdraw,
};

tr_arm tr_broadcast_recv_arm(tr_broadcast_rx *rx, void *ret_m)
{
    if (!rx)
        return (tr_arm){ 0 };
    return (tr_arm){ .ops = &recv_ops, .source = rx, .value = ret_m };
}

/* ---- the forms ---- */

static bool is_misuse(const tr_broadcast_rx *rx, const void *ret_m)
{
    return tri_unlikely(!rx || !rx->sub || !ret_m);
}

int tr_broadcast_try_recv(tr_broadcast_rx *rx, void *ret_m)
{
    int r;

    if (is_misuse(rx, ret_m))
        return -EINVAL;
    return recv_now(rx->sub, ret_m, &r) ? r : -EAGAIN;
}

static __attribute__((noinline)) int recv_wait(tr_broadcast_rx *rx, tr_time deadline, void *ret_m)
{
    tr_arm arm = tr_broadcast_recv_arm(rx, ret_m);
    int r = tri_wait(&arm, deadline);

    return r < 0 ? r : arm.result;
}

int tr_broadcast_recv(tr_broadcast_rx *rx, tr_time deadline, void *ret_m)
{
    int r;

    if (is_misuse(rx, ret_m))
        return -EINVAL;
    r = tri_wait_enter(tri_self_at_entry());
    if (tri_unlikely(r < 0))
        return r;
    return tri_likely(recv_now(rx->sub, ret_m, &r)) ? r : recv_wait(rx, deadline, ret_m);
}

int tr_broadcast_blocking_recv(tr_broadcast_rx *rx, tr_time deadline, void *ret_m)
{
    tr_arm arm;
    int r;

    if (is_misuse(rx, ret_m))
        return -EINVAL;
    arm = tr_broadcast_recv_arm(rx, ret_m);
    r = tri_wait_blocking(&arm, deadline, __builtin_return_address(0));
    return r < 0 ? r : arm.result;
}

uint64_t tr_broadcast_lost(tr_broadcast_rx *rx)
{
    uint64_t n;

    if (!rx || !rx->sub)
        return 0;
    n = rx->sub->n_untold;
    rx->sub->n_untold = 0;
    return n;
}
