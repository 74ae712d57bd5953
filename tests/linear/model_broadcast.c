/* SPDX-License-Identifier: MIT */
/*
 * model_broadcast.c - what troupe/broadcast.h promises, with these liberties:
 *
 *     a receive that says "empty", or waits on, while the send of its next message has not
 *     returned a receive that lags may count from before the newest message while the send of
 *     that one has
 *       not returned; the next receive lags again then, by one
 *     a send that finds the ring full, or its deadline, while another one waits in line: "never
 *       overtakes a sender that waits"
 *     the end of the senders, while the call that closed the last one has not returned
 */
#include "config.h"

#include <errno.h>

#include <troupe/broadcast.h>

#include "linear/models.h"

struct end {
    uint8_t is_open, fails, is_over, has_left;
    uint8_t cursor; /* the next message */
    uint8_t n_untold;
};

struct state {
    uint8_t n_sent;
    uint8_t sent[LIN_OPS]; /* 1 + the call */
    uint8_t n_tx, n_rx;
    uint8_t closer;
    struct end end[BROADCAST_ENDS];
};

static const char *const kinds[] = {
    [BROADCAST_SEND] = "try_send",     [BROADCAST_SEND_WAIT] = "send",
    [BROADCAST_TX_CLOSE] = "tx_close", [BROADCAST_RECEIVERS] = "receivers",
    [BROADCAST_RECV] = "recv",         [BROADCAST_FAILED] = "(failed)",
    [BROADCAST_LOST] = "lost",         [BROADCAST_RESUBSCRIBE] = "resubscribe",
    [BROADCAST_RX_CLOSE] = "rx_close", [BROADCAST_RX_IS_CLOSED] = "rx_is_closed",
};

static bool is_full(const struct state *s, const struct lin_history *h)
{
    for (unsigned i = 0; i < BROADCAST_ENDS; i++)
        if (s->end[i].is_open && s->n_sent - s->end[i].cursor >= h->param[0])
            return true;
    return false;
}

static bool send(struct state *s, const struct lin_history *h, unsigned i)
{
    const struct lin_op *op = &h->op[i];
    const bool waits = h->param[1] & TR_BROADCAST_WAIT;

    if (s->n_rx == 0)
        return op->r == -EPIPE;
    if (op->r < 0)
        return op->r == (op->kind == BROADCAST_SEND ? -EAGAIN : -ETIMEDOUT) && waits &&
               (is_full(s, h) || lin_is_beside(h, i, 1u << BROADCAST_SEND_WAIT));
    if (op->r != s->n_rx || (waits && is_full(s, h)))
        return false;
    s->sent[s->n_sent++] = (uint8_t)(i + 1);
    return true;
}

/* Its next messages were overwritten, by the first @n_sent ones. */
static bool lag(struct end *e, const struct lin_history *h, const struct lin_op *op, int n_sent)
{
    const int n_lost = n_sent - h->param[0] - e->cursor;

    if (op->r != -ESTALE || n_lost <= 0)
        return false;
    e->cursor = (uint8_t)(e->cursor + n_lost);
    e->n_untold = (uint8_t)(e->n_untold + n_lost);
    e->is_over = e->fails;
    return true;
}

static bool may_seem_open(const struct state *s, const struct lin_history *h, unsigned i)
{
    return s->n_tx > 0 || lin_is_under_way(h, s->closer, i);
}

static bool recv(struct state *s, const struct lin_history *h, unsigned i, unsigned choice)
{
    const struct lin_op *op = &h->op[i];
    struct end *e = &s->end[op->end];
    unsigned next;

    if (choice == 1)
        return !e->is_over && s->n_sent > 0 && lin_is_under_way(h, s->sent[s->n_sent - 1], i) &&
               lag(e, h, op, s->n_sent - 1);
    if (e->is_over)
        return op->r == -EPIPE;
    if (e->cursor + h->param[0] < s->n_sent)
        return lag(e, h, op, s->n_sent);
    next = s->sent[e->cursor];
    if (op->r == -EAGAIN || op->r == -ETIMEDOUT)
        return e->cursor == s->n_sent ? may_seem_open(s, h, i) : lin_is_under_way(h, next, i);
    if (e->cursor == s->n_sent)
        return op->r == -EPIPE && s->n_tx == 0;
    e->cursor++;
    return op->r == 0 && op->out == h->op[next - 1].in;
}

static bool leave(struct state *s, struct end *e)
{
    s->n_rx = (uint8_t)(s->n_rx - !e->has_left);
    e->has_left = 1;
    return true;
}

static bool resubscribe(struct state *s, const struct lin_op *op)
{
    s->end[op->in] =
        (struct end){ .is_open = 1, .fails = s->end[op->end].fails, .cursor = s->n_sent };
    s->n_rx++;
    return op->r == 0;
}

static bool step(void *state, const struct lin_history *h, unsigned i, unsigned choice)
{
    const struct lin_op *op = &h->op[i];
    struct state *s = state;
    struct end *e = &s->end[op->end];

    if (op->kind == BROADCAST_RECV)
        return recv(s, h, i, choice);
    if (choice > 0)
        return false;
    switch ((enum broadcast_kind)op->kind) {
    case BROADCAST_SEND:
    case BROADCAST_SEND_WAIT:
        return send(s, h, i);
    case BROADCAST_TX_CLOSE:
        s->n_tx--;
        s->closer = (uint8_t)(i + 1);
        return true;
    case BROADCAST_RECEIVERS:
        return op->r == s->n_rx;
    case BROADCAST_FAILED:
        return e->is_over && leave(s, e);
    case BROADCAST_LOST:
        if (op->r != e->n_untold)
            return false;
        e->n_untold = 0;
        return true;
    case BROADCAST_RESUBSCRIBE:
        return resubscribe(s, op);
    case BROADCAST_RX_CLOSE:
        (void)leave(s, e);
        *e = (struct end){ 0 };
        return true;
    case BROADCAST_RX_IS_CLOSED:
        return op->r ? s->n_tx == 0 : may_seem_open(s, h, i);
    case BROADCAST_RECV:
        break;
    }
    return false;
}

/* The ends 0 and 2 are there from the begin; the second one has the flags of a subscriber. */
static void init(void *state, const struct lin_history *h)
{
    struct state *s = state;

    s->n_tx = (uint8_t)h->param[3];
    s->n_rx = 2;
    s->end[0].is_open = s->end[2].is_open = 1;
    s->end[2].fails = (h->param[2] & TR_BROADCAST_FAIL) != 0;
}

const struct lin_model broadcast_model = { .name = "broadcast",
                                           .size = sizeof(struct state),
                                           .init = init,
                                           .step = step,
                                           .n_choice = 1,
                                           .kinds = kinds };
