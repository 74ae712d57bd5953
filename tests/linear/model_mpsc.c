/* SPDX-License-Identifier: MIT */
/*
 * model_mpsc.c - what troupe/mpsc.h promises, with these liberties of calls that meet others:
 *
 *     a receive that says "empty", or waits on, while the send of the oldest message has not
 *       returned: "-EAGAIN: empty, or the send of the oldest is still under way"
 *     the same of the end of the channel, while the call that ended it has not returned, or a
 *       send that is refused: it holds a place for a moment
 *     a send or reserve that finds it full, or its deadline, while another one waits in line:
 *       "never overtakes a sender that waits"
 *
 * The length is a snapshot in the header; here it is held to be exact for the receiver.
 */
#include "config.h"

#include <errno.h>
#include <string.h>

#include <troupe/mpsc.h>

#include "linear/models.h"

enum { STREAK = 8 };

/* A line of sends: 1 + their place in the history. */
struct line {
    uint8_t n, at[LIN_OPS];
};

struct state {
    struct line queue, lane;
    uint8_t n_reserved, n_tx, streak;
    uint8_t is_shut, is_gone;
    uint8_t closer; /* 1 + the last call that took a sender away */
    uint8_t shutter;
};

static const char *const kinds[] = {
    [MPSC_SEND] = "try_send",
    [MPSC_SEND_WAIT] = "send",
    [MPSC_URGENT] = "send_urgent",
    [MPSC_RESERVE] = "try_reserve",
    [MPSC_RESERVE_WAIT] = "reserve",
    [MPSC_PERMIT_SEND] = "permit_send",
    [MPSC_PERMIT_LAST] = "permit_send *",
    [MPSC_PERMIT_CLOSE] = "permit_close",
    [MPSC_TX_CLOSE] = "tx_close",
    [MPSC_UPGRADE] = "upgrade",
    [MPSC_TX_IS_CLOSED] = "tx_is_closed",
    [MPSC_CLOSED] = "closed",
    [MPSC_RECV] = "recv",
    [MPSC_LEN] = "len",
    [MPSC_RX_IS_CLOSED] = "rx_is_closed",
    [MPSC_SHUT] = "rx_shut",
    [MPSC_RX_CLOSE] = "rx_close",
};

static void push(struct line *l, unsigned i)
{
    l->at[l->n++] = (uint8_t)(i + 1);
}

static void pop(struct line *l)
{
    l->n--;
    memmove(l->at, l->at + 1, l->n);
    l->at[l->n] = 0; /* a state is compared byte by byte */
}

static bool is_full(const struct state *s, const struct lin_history *h, int n)
{
    return h->param[0] > 0 && s->queue.n + s->n_reserved + n > h->param[0];
}

#define WAITING_KINDS (1u << MPSC_SEND_WAIT | 1u << MPSC_RESERVE_WAIT)

/* Places that are asked for may be kept for somebody. */
static bool may_wait(const struct lin_history *h, unsigned i)
{
    if (lin_is_beside(h, i, WAITING_KINDS))
        return true;
    for (unsigned j = 0; j < h->n;
         j++) /* it has places until it sees that the channel is shut */
        if (h->op[j].kind == MPSC_RESERVE && h->op[j].r == -EPIPE &&
            lin_meet(&h->op[j], &h->op[i]))
            return true;
    return false;
}

static bool is_no_room(const struct state *s, const struct lin_history *h, unsigned i, int n)
{
    return !s->is_shut && (is_full(s, h, n) || may_wait(h, i));
}

/* ---- sending ---- */

/* The place in the queue of the message with the key of @m; -1: none. */
static int find_key(const struct state *s, const struct lin_history *h, int m)
{
    for (int at = 0; at < s->queue.n; at++)
        if (h->op[s->queue.at[at] - 1].in % MPSC_KEYS == m % MPSC_KEYS)
            return at;
    return -1;
}

/* A message that was taken in; @r is what that was called. */
static bool send_taken(struct state *s, const struct lin_history *h, unsigned i, int r)
{
    const enum tr_overflow overflow = (enum tr_overflow)h->param[1];
    const int twin = overflow == TR_OVERFLOW_CONFLATE ? find_key(s, h, h->op[i].in) : -1;
    const bool full = is_full(s, h, 1);

    if (s->is_shut)
        return false;
    switch (r) {
    case TR_SENT:
        if (full || twin >= 0)
            return false;
        push(&s->queue, i);
        return true;
    case TR_SENT_EVICTED:
        if (!full || twin >= 0)
            return false;
        pop(&s->queue);
        push(&s->queue, i);
        return true;
    case TR_SENT_REPLACED:
        if (twin < 0)
            return false;
        s->queue.at[twin] = (uint8_t)(i + 1);
        return true;
    default:
        return r == TR_SENT_DROPPED && overflow == TR_OVERFLOW_DROP_NEWEST && full;
    }
}

static bool send(struct state *s, const struct lin_history *h, unsigned i)
{
    const struct lin_op *op = &h->op[i];
    const bool waits = h->param[1] == TR_OVERFLOW_WAIT;

    if (op->r >= 0)
        return send_taken(s, h, i, op->r);
    if (op->r == -EPIPE)
        return s->is_shut;
    if (op->r == -ENOBUFS)
        return h->param[1] == TR_OVERFLOW_REJECT && !s->is_shut && is_full(s, h, 1);
    return op->r == (op->kind == MPSC_SEND ? -EAGAIN : -ETIMEDOUT) && waits &&
           is_no_room(s, h, i, 1);
}

static bool send_urgent(struct state *s, const struct lin_history *h, unsigned i)
{
    const int r = h->op[i].r;

    if (s->is_shut || r == -EPIPE)
        return s->is_shut && r == -EPIPE;
    if (r == -EAGAIN)
        return s->lane.n == h->param[2];
    if (r != 0 || s->lane.n == h->param[2])
        return false;
    push(&s->lane, i);
    return true;
}

/* ---- permits: senders as well ---- */

static void lose_sender(struct state *s, unsigned i)
{
    s->n_tx--;
    s->closer = (uint8_t)(i + 1);
}

static bool reserve(struct state *s, const struct lin_history *h, unsigned i)
{
    const struct lin_op *op = &h->op[i];

    if (op->r == -EPIPE)
        return s->is_shut;
    if (op->r != 0)
        return op->r == (op->kind == MPSC_RESERVE ? -EAGAIN : -ETIMEDOUT) &&
               is_no_room(s, h, i, op->in);
    if (s->is_shut || is_full(s, h, op->in))
        return false;
    s->n_reserved = (uint8_t)(s->n_reserved + op->in);
    s->n_tx++;
    return true;
}

static bool permit_send(struct state *s, const struct lin_history *h, unsigned i)
{
    const int r = h->op[i].r;

    if (r != (s->is_gone ? -EPIPE : 0) || s->n_reserved == 0)
        return false;
    s->n_reserved--;
    if (r == 0)
        push(&s->queue, i);
    if (h->op[i].kind == MPSC_PERMIT_LAST)
        lose_sender(s, i);
    return true;
}

static bool permit_close(struct state *s, const struct lin_history *h, unsigned i)
{
    s->n_reserved = (uint8_t)(s->n_reserved - h->op[i].in);
    lose_sender(s, i);
    return true;
}

static bool upgrade(struct state *s, const struct lin_history *h, unsigned i)
{
    if (h->op[i].r != 0)
        return h->op[i].r == -EPIPE && s->n_tx == 0;
    if (s->n_tx == 0 && !lin_is_under_way(h, s->closer, i))
        return false;
    s->n_tx++;
    return true;
}

/* ---- receiving ---- */

static bool is_end(const struct state *s)
{
    return s->n_tx == 0 || (s->is_shut && s->n_reserved == 0);
}

static bool may_seem_open(const struct state *s, const struct lin_history *h, unsigned i)
{
    return lin_is_under_way(h, s->closer, i) || lin_is_under_way(h, s->shutter, i);
}

/* A reservation that is refused holds the end up until it returns. */
#define REFUSED_KINDS                                                                          \
    (1u << MPSC_RESERVE | 1u << MPSC_RESERVE_WAIT | 1u << MPSC_SEND | 1u << MPSC_SEND_WAIT)

static bool recv(struct state *s, const struct lin_history *h, unsigned i)
{
    const struct lin_op *op = &h->op[i];
    struct line *l = &s->queue;

    if (s->lane.n > 0 && (s->streak < STREAK || s->queue.n == 0))
        l = &s->lane;
    if (op->r == -EPIPE)
        return l->n == 0 && is_end(s);
    if (op->r == -EAGAIN || op->r == -ETIMEDOUT)
        return l->n > 0
                   ? lin_is_under_way(h, l->at[0], i)
                   : !is_end(s) || may_seem_open(s, h, i) || lin_is_beside(h, i, REFUSED_KINDS);
    if (op->r != 0 || l->n == 0 || h->op[l->at[0] - 1].in != op->out)
        return false;
    s->streak = (uint8_t)(l == &s->lane && s->queue.n > 0 ? s->streak + 1 : 0);
    pop(l);
    return true;
}

static bool close_rx(struct state *s, unsigned i)
{
    s->is_shut = s->is_gone = 1;
    s->shutter = (uint8_t)(i + 1);
    s->queue = s->lane = (struct line){ 0 };
    return true;
}

static bool step(void *state, const struct lin_history *h, unsigned i, unsigned choice)
{
    struct state *s = state;
    const struct lin_op *op = &h->op[i];

    if (choice > 0)
        return false;
    switch ((enum mpsc_kind)op->kind) {
    case MPSC_SEND:
    case MPSC_SEND_WAIT:
        return send(s, h, i);
    case MPSC_URGENT:
        return send_urgent(s, h, i);
    case MPSC_RESERVE:
    case MPSC_RESERVE_WAIT:
        return reserve(s, h, i);
    case MPSC_PERMIT_SEND:
    case MPSC_PERMIT_LAST:
        return permit_send(s, h, i);
    case MPSC_PERMIT_CLOSE:
        return permit_close(s, h, i);
    case MPSC_TX_CLOSE:
        lose_sender(s, i);
        return true;
    case MPSC_UPGRADE:
        return upgrade(s, h, i);
    case MPSC_TX_IS_CLOSED:
        return op->r == s->is_shut;
    case MPSC_CLOSED:
        return op->r == (s->is_shut ? 0 : -ETIMEDOUT);
    case MPSC_RECV:
        return recv(s, h, i);
    case MPSC_LEN:
        return op->r == s->queue.n + s->lane.n;
    case MPSC_RX_IS_CLOSED:
        return op->r == (s->is_shut || s->n_tx == 0) || (op->r == 0 && may_seem_open(s, h, i));
    case MPSC_SHUT:
        s->is_shut = 1;
        s->shutter = (uint8_t)(i + 1);
        return true;
    case MPSC_RX_CLOSE:
        return close_rx(s, i);
    }
    return false;
}

static void init(void *state, const struct lin_history *h)
{
    ((struct state *)state)->n_tx = (uint8_t)h->param[3];
}

const struct lin_model mpsc_model = {
    .name = "mpsc", .size = sizeof(struct state), .init = init, .step = step, .kinds = kinds
};
