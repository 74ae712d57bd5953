/* SPDX-License-Identifier: MIT */
/* test_oneshot.c - the two ends of a oneshot, each with some calls of all kinds. */
#include "config.h"

#include <errno.h>
#include <stdlib.h>

#include <troupe.h>

#include "linear/models.h"
#include "support/tr-test.h"

enum { N_CALL = 5 };

struct value {
    int32_t id; /* 0: empty */
};

TR_ONESHOT(slot, struct value, tr_nodrop);

static slot_tx tx;
static slot_rx rx;
static bool doubles; /* a broken one: the value may come twice */
static struct value copy;

static void send_or_close(struct lin_log *log)
{
    const bool closes = lin_below(log, 4) == 0;
    struct value v = { 7 };
    struct lin_op *op = lin_begin(log, closes ? ONESHOT_TX_CLOSE : ONESHOT_SEND, 0, v.id);

    if (closes) {
        slot_tx_close(&tx);
        lin_end(op, 0, 0);
    } else {
        lin_end(op, slot_send(&tx, &v), 0);
        check_eq(v.id == 0, op->r == 0);
    }
}

static void send_side(struct lin_log *log)
{
    const unsigned how = lin_below(log, 4);
    struct lin_op *op;

    if (!tx.end.cell)
        return;
    if (how == 0) {
        op = lin_begin(log, ONESHOT_TX_IS_CLOSED, 0, 0);
        lin_end(op, slot_tx_is_closed(&tx), 0);
    } else if (how == 1) {
        op = lin_begin(log, ONESHOT_CLOSED, 0, 0);
        lin_end(op,
                log->in_task ? slot_closed(&tx, lin_soon(log))
                             : slot_blocking_closed(&tx, lin_soon(log)),
                0);
    } else {
        send_or_close(log);
    }
}

static int recv_somehow(struct lin_log *log, struct value *v)
{
    int r;

    if (lin_below(log, 2))
        r = slot_try_recv(&rx, v);
    else if (log->in_task)
        r = slot_recv(&rx, lin_soon(log), v);
    else
        r = slot_blocking_recv(&rx, lin_soon(log), v);
    if (r == 0)
        copy = *v;
    else if (r == -EPIPE && doubles && copy.id != 0) {
        *v = copy;
        r = 0;
    }
    return r;
}

static void recv_side(struct lin_log *log)
{
    const unsigned how = lin_below(log, 8);
    struct value v = { 0 };
    struct lin_op *op;
    int r;

    if (how == 0) {
        op = lin_begin(log, ONESHOT_IS_EMPTY, 1, 0);
        lin_end(op, slot_rx_is_empty(&rx), 0);
    } else if (how == 1) {
        op = lin_begin(log, ONESHOT_RX_IS_CLOSED, 1, 0);
        lin_end(op, slot_rx_is_closed(&rx), 0);
    } else if (how == 2) {
        op = lin_begin(log, ONESHOT_SHUT, 1, 0);
        slot_rx_shut(&rx);
        lin_end(op, 0, 0);
    } else {
        op = lin_begin(log, ONESHOT_RECV, 1, 0);
        r = recv_somehow(log, &v);
        lin_end(op, r, v.id);
    }
}

static void turn(struct lin_log *log)
{
    for (unsigned i = 0; i < N_CALL; i++) {
        if (log->who == 0)
            send_side(log);
        else
            recv_side(log);
        lin_pause(log);
    }
}

static void open_slot(struct lin_history *h, struct tri_rand *rand)
{
    (void)h;
    (void)rand;
    copy.id = 0;
    if (slot_new(&tx, &rx) < 0)
        abort();
}

static void close_slot(struct lin_log *log)
{
    struct value v = { 0 };
    struct lin_op *op;
    int r;

    if (tx.end.cell) {
        op = lin_begin(log, ONESHOT_TX_CLOSE, 0, 0);
        slot_tx_close(&tx);
        lin_end(op, 0, 0);
    }
    for (unsigned i = 0; i < 2; i++) {
        op = lin_begin(log, ONESHOT_RECV, 1, 0);
        v.id = 0;
        r = slot_try_recv(&rx, &v);
        lin_end(op, r, v.id);
    }
    slot_rx_close(&rx);
}

static const struct lin_subject subject = {
    .model = &oneshot_model, .n_who = 2, .open = open_slot, .turn = turn, .close = close_slot
};

TR_SUITE(linear_oneshot, .timeout = 120);

TR_TEST(linear_oneshot, oneshot_is_one_value)
{
    lin_run(&subject, 4000);
}

TR_TEST(linear_oneshot, a_oneshot_that_gives_its_value_twice_is_refused)
{
    doubles = true;
    lin_must_refuse(&subject, 2000);
}
