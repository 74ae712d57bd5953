/* SPDX-License-Identifier: MIT */
/* model_oneshot.c - what troupe/oneshot.h promises, without any liberty: all is one word. */
#include "config.h"

#include <errno.h>

#include "linear/models.h"

struct state {
    int32_t value; /* that was sent; 0: none */
    bool is_taken, has_left, is_shut;
};

static const char *const kinds[] = {
    [ONESHOT_SEND] = "send",
    [ONESHOT_TX_CLOSE] = "tx_close",
    [ONESHOT_TX_IS_CLOSED] = "tx_is_closed",
    [ONESHOT_CLOSED] = "closed",
    [ONESHOT_RECV] = "recv",
    [ONESHOT_IS_EMPTY] = "is_empty",
    [ONESHOT_RX_IS_CLOSED] = "rx_is_closed",
    [ONESHOT_SHUT] = "rx_shut",
};

static bool is_end(const struct state *s)
{
    return s->value != 0 ? s->is_taken : s->has_left || s->is_shut;
}

static bool send(struct state *s, const struct lin_op *op)
{
    s->has_left = true;
    if (s->is_shut)
        return op->r == -EPIPE;
    s->value = op->in;
    return op->r == 0;
}

static bool recv(struct state *s, const struct lin_op *op)
{
    if (is_end(s))
        return op->r == -EPIPE;
    if (s->value == 0)
        return op->r == -EAGAIN || op->r == -ETIMEDOUT;
    s->is_taken = true;
    return op->r == 0 && op->out == s->value;
}

static bool step(void *state, const struct lin_history *h, unsigned i, unsigned choice)
{
    const struct lin_op *op = &h->op[i];
    struct state *s = state;

    if (choice > 0)
        return false;
    switch ((enum oneshot_kind)op->kind) {
    case ONESHOT_SEND:
        return send(s, op);
    case ONESHOT_TX_CLOSE:
        s->has_left = true;
        return true;
    case ONESHOT_TX_IS_CLOSED:
        return op->r == s->is_shut;
    case ONESHOT_CLOSED:
        return op->r == (s->is_shut ? 0 : -ETIMEDOUT);
    case ONESHOT_RECV:
        return recv(s, op);
    case ONESHOT_IS_EMPTY:
        return op->r == (s->value == 0 || s->is_taken);
    case ONESHOT_RX_IS_CLOSED:
        return op->r == is_end(s);
    case ONESHOT_SHUT:
        s->is_shut = true;
        return true;
    }
    return false;
}

static void init(void *state, const struct lin_history *h)
{
    (void)h;
    *(struct state *)state = (struct state){ 0 };
}

const struct lin_model oneshot_model = {
    .name = "oneshot", .size = sizeof(struct state), .init = init, .step = step, .kinds = kinds
};
