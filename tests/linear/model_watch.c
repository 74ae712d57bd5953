/* SPDX-License-Identifier: MIT */
/*
 * model_watch.c - what troupe/watch.h promises, with these liberties:
 *
 *     until the send of the newest value has returned, an end that has not seen that value may
 *       be told that nothing has changed: "has_changed: ... of a send that has returned"
 *     so an end that subscribes, or marks the present value as seen, may take the one before
 *       it for the present one
 *     the end of the senders, while the call that closed the last one has not returned
 */
#include "config.h"

#include <errno.h>

#include "linear/models.h"

struct end {
    uint8_t seen;      /* the version */
    uint8_t is_unseen; /* though it was seen */
    uint8_t is_kept;   /* the next get gives @kept */
    uint8_t kept;      /* a version */
};

struct state {
    uint8_t version;       /* the newest */
    uint8_t sent[LIN_OPS]; /* by version: 1 + the call */
    uint8_t n_tx, n_rx;
    uint8_t closer; /* 1 + the last close of a sender */
    struct end end[WATCH_ENDS];
};

static const char *const kinds[] = {
    [WATCH_SEND] = "send",
    [WATCH_REPLACE] = "replace",
    [WATCH_MODIFY] = "modify",
    [WATCH_TX_CLOSE] = "tx_close",
    [WATCH_RECEIVERS] = "receivers",
    [WATCH_GET] = "get",
    [WATCH_PEEK] = "peek",
    [WATCH_HAS_CHANGED] = "has_changed",
    [WATCH_MARK_CHANGED] = "mark_changed",
    [WATCH_MARK_UNCHANGED] = "mark_unchanged",
    [WATCH_CHANGED] = "changed",
    [WATCH_WAIT_FOR] = "wait_for",
    [WATCH_CLONE] = "clone",
    [WATCH_CLONE_SEEN] = "clone_seen",
    [WATCH_RX_CLOSE] = "rx_close",
    [WATCH_RX_IS_CLOSED] = "rx_is_closed",
};

static int value_of(const struct state *s, const struct lin_history *h, unsigned version)
{
    return version == 0 ? 0 : h->op[s->sent[version] - 1].in;
}

/* The newest version as call @i may know it. @choice: 0: it is; 1: the one before it. */
static bool known(const struct state *s, const struct lin_history *h, unsigned i,
                  unsigned choice, uint8_t *ret_version)
{
    *ret_version = (uint8_t)(s->version - choice);
    return choice == 0 || lin_is_under_way(h, s->sent[s->version], i);
}

static bool is_new(const struct end *e, uint8_t version)
{
    return e->is_unseen || version > e->seen;
}

static void see(struct end *e, uint8_t version)
{
    if (version > e->seen)
        e->seen = version;
    e->is_unseen = e->is_kept = e->kept = 0;
}

/* ---- sending ---- */

static bool publish(struct state *s, unsigned i)
{
    s->sent[++s->version] = (uint8_t)(i + 1);
    return true;
}

static bool send(struct state *s, const struct lin_history *h, unsigned i)
{
    const struct lin_op *op = &h->op[i];

    if (op->kind == WATCH_SEND && s->n_rx == 0)
        return op->r == -EPIPE;
    if (op->kind == WATCH_MODIFY)
        return op->r == 1 && op->out == value_of(s, h, s->version) && publish(s, i);
    return op->r == 0 && publish(s, i);
}

/* ---- receiving ---- */

static bool get(struct state *s, const struct lin_history *h, const struct lin_op *op)
{
    struct end *e = &s->end[op->end];

    if (e->is_kept) {
        const bool right = op->out == value_of(s, h, e->kept);

        e->is_unseen = e->is_kept = e->kept = 0;
        return right;
    }
    see(e, s->version);
    return op->out == value_of(s, h, s->version);
}

/* The same, but what was not seen is not seen. */
static bool peek(struct state *s, const struct lin_history *h, const struct lin_op *op)
{
    struct end *e = &s->end[op->end];
    const bool was_new = is_new(e, s->version);
    const bool right = get(s, h, op);

    e->is_unseen = was_new;
    return right;
}

static bool may_seem_open(const struct state *s, const struct lin_history *h, unsigned i)
{
    return s->n_tx > 0 || lin_is_under_way(h, s->closer, i);
}

/* The result of a wait that has found nothing. */
static bool is_vain(const struct state *s, const struct lin_history *h, unsigned i)
{
    if (h->op[i].r == -EPIPE)
        return s->n_tx == 0;
    return h->op[i].r == -ETIMEDOUT && may_seem_open(s, h, i);
}

static bool changed(struct state *s, const struct lin_history *h, unsigned i, uint8_t version)
{
    struct end *e = &s->end[h->op[i].end];
    const bool was_new = is_new(e, version);

    if (h->op[i].r == 0 && was_new)
        see(e, version);
    else
        e->is_kept = e->kept = 0;
    return was_new ? h->op[i].r == 0 : is_vain(s, h, i);
}

/* It looks at the value first, then waits for a change, and looks again. */
static bool wait_for(struct state *s, const struct lin_history *h, unsigned i)
{
    const struct lin_op *op = &h->op[i];
    struct end *e = &s->end[op->end];
    const int value = value_of(s, h, s->version);

    see(e, s->version);
    if (op->r != 0)
        return value % 2 == 0 && is_vain(s, h, i);
    e->is_kept = 1;
    e->kept = s->version;
    return value % 2 == 1 && op->out == value;
}

static bool clone(struct state *s, const struct lin_op *op, uint8_t version)
{
    struct end *e = &s->end[op->in];

    *e = s->end[op->end];
    e->is_kept = e->kept = 0;
    s->n_rx++;
    if (op->kind == WATCH_CLONE_SEEN)
        see(e, version);
    return true;
}

static bool step_rx(struct state *s, const struct lin_history *h, unsigned i, uint8_t version)
{
    const struct lin_op *op = &h->op[i];
    struct end *e = &s->end[op->end];

    switch ((enum watch_kind)op->kind) {
    case WATCH_HAS_CHANGED:
        return op->r == -EPIPE ? s->n_tx == 0
                               : op->r == is_new(e, version) && may_seem_open(s, h, i);
    case WATCH_MARK_UNCHANGED:
        see(e, version);
        return true;
    case WATCH_CHANGED:
        return changed(s, h, i, version);
    case WATCH_WAIT_FOR:
        return wait_for(s, h, i);
    case WATCH_CLONE:
    case WATCH_CLONE_SEEN:
        return clone(s, op, version);
    default:
        return false;
    }
}

static bool step(void *state, const struct lin_history *h, unsigned i, unsigned choice)
{
    const struct lin_op *op = &h->op[i];
    struct state *s = state;
    struct end *e = &s->end[op->end];
    uint8_t version;

    if (op->kind >= WATCH_HAS_CHANGED && op->kind <= WATCH_CLONE_SEEN &&
        op->kind != WATCH_MARK_CHANGED)
        return known(s, h, i, choice, &version) && step_rx(s, h, i, version);
    if (choice > 0)
        return false;
    switch ((enum watch_kind)op->kind) {
    case WATCH_SEND:
    case WATCH_REPLACE:
    case WATCH_MODIFY:
        return send(s, h, i);
    case WATCH_TX_CLOSE:
        s->n_tx--;
        s->closer = (uint8_t)(i + 1);
        return true;
    case WATCH_RECEIVERS:
        return op->r == s->n_rx;
    case WATCH_GET:
        return get(s, h, op);
    case WATCH_PEEK:
        return peek(s, h, op);
    case WATCH_MARK_CHANGED:
        e->is_kept = e->kept = 0;
        e->is_unseen = 1;
        return true;
    case WATCH_RX_CLOSE:
        *e = (struct end){ 0 };
        s->n_rx--;
        return true;
    case WATCH_RX_IS_CLOSED:
        return op->r ? s->n_tx == 0 : may_seem_open(s, h, i);
    default:
        return false;
    }
}

static void init(void *state, const struct lin_history *h)
{
    struct state *s = state;

    s->n_tx = (uint8_t)h->param[0];
    s->n_rx = (uint8_t)h->param[1];
}

const struct lin_model watch_model = { .name = "watch",
                                       .size = sizeof(struct state),
                                       .init = init,
                                       .step = step,
                                       .n_choice = 1,
                                       .kinds = kinds };
