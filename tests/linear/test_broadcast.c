/* SPDX-License-Identifier: MIT */
/*
 * test_broadcast.c - two senders and two receivers of a broadcast: of plain words and of values
 * that are cloned, in rings that overwrite and in rings that wait.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>

#include <troupe.h>

#include "linear/models.h"
#include "support/tr-test.h"

enum { N_SENDER = 2, N_CALL = 6 };

struct event {
    int32_t id; /* 0: empty */
};

static int event_clone(struct event *dst, const struct event *src)
{
    *dst = *src;
    return 0;
}

static void event_drop(struct event *e)
{
    e->id = 0;
}

TR_BROADCAST(plainb, struct event, tr_copy, tr_nodrop);
TR_BROADCAST(clonedb, struct event, event_clone, event_drop);

static tr_broadcast_tx txs[N_SENDER];
static tr_broadcast_rx rxs[BROADCAST_ENDS]; /* receiver k has 2 * k and 2 * k + 1 */
static bool fails[BROADCAST_ENDS];
static size_t capacity;
static unsigned flags, subscriber_flags;
static bool is_cloned;
static bool skips, miscounts; /* broken: passes over a message; counts wrong */

/* ---- senders ---- */

static void close_tx(struct lin_log *log, tr_broadcast_tx *tx)
{
    struct lin_op *op = lin_begin(log, BROADCAST_TX_CLOSE, log->who, 0);

    tr_broadcast_tx_close(tx);
    lin_end(op, 0, 0);
}

static int send_waiting(struct lin_log *log, tr_broadcast_tx *tx, struct event *e)
{
    if (log->in_task)
        return tr_broadcast_send(tx, e, lin_soon(log));
    return tr_broadcast_blocking_send(tx, e, lin_soon(log));
}

static void send_somehow(struct lin_log *log, tr_broadcast_tx *tx)
{
    struct event e = { (int32_t)((log->who + 1) * 100 + log->n) };
    const unsigned how = lin_below(log, 16);
    struct lin_op *op;

    if (!tx->chan)
        return;
    if (how == 0) {
        close_tx(log, tx);
    } else if (how == 1) {
        op = lin_begin(log, BROADCAST_RECEIVERS, log->who, 0);
        lin_end(op, (int)tr_broadcast_receivers(tx), 0);
    } else if (how < 6) {
        op = lin_begin(log, BROADCAST_SEND_WAIT, log->who, e.id);
        lin_end(op, send_waiting(log, tx, &e), 0);
        check_eq(e.id == 0, op->r >= 0);
    } else {
        op = lin_begin(log, BROADCAST_SEND, log->who, e.id);
        lin_end(op, tr_broadcast_try_send(tx, &e), 0);
        check_eq(e.id == 0, op->r >= 0);
    }
}

/* ---- receivers ---- */

static int recv_somehow(struct lin_log *log, tr_broadcast_rx *rx, struct event *e)
{
    if (skips && lin_below(log, 6) == 0 && tr_broadcast_try_recv(rx, e) == 0)
        e->id = 0;
    if (lin_below(log, 2))
        return tr_broadcast_try_recv(rx, e);
    if (log->in_task)
        return tr_broadcast_recv(rx, lin_soon(log), e);
    return tr_broadcast_blocking_recv(rx, lin_soon(log), e);
}

static void recv_one(struct lin_log *log, unsigned end)
{
    struct lin_op *op = lin_begin(log, BROADCAST_RECV, end, 0);
    struct event e = { 0 };
    int r = recv_somehow(log, &rxs[end], &e);

    lin_end(op, r, r == 0 ? e.id : 0);
    if (r == -ESTALE && fails[end]) { /* the same call: it leaves */
        log->op[log->n] = *op;
        log->op[log->n].kind = BROADCAST_FAILED;
        log->op[log->n].after = (uint8_t)log->n;
        log->n++;
    }
}

static void ask_lost(struct lin_log *log, unsigned end)
{
    struct lin_op *op = lin_begin(log, BROADCAST_LOST, end, 0);
    const int n = (int)tr_broadcast_lost(&rxs[end]);

    lin_end(op, miscounts && n > 1 ? n - 1 : n, 0);
}

static void close_rx(struct lin_log *log, unsigned end)
{
    struct lin_op *op = lin_begin(log, BROADCAST_RX_CLOSE, end, 0);

    tr_broadcast_rx_close(&rxs[end]);
    lin_end(op, 0, 0);
}

static void renew(struct lin_log *log, unsigned end)
{
    const unsigned other = end ^ 1;
    struct lin_op *op;

    if (rxs[other].sub) {
        close_rx(log, other);
        return;
    }
    op = lin_begin(log, BROADCAST_RESUBSCRIBE, end, (int)other);
    lin_end(op, tr_broadcast_resubscribe(&rxs[end], &rxs[other]), 0);
    fails[other] = fails[end];
}

static void receive_somehow(struct lin_log *log, unsigned end)
{
    const unsigned how = lin_below(log, 16);
    struct lin_op *op;

    if (how < 2) {
        renew(log, end);
    } else if (how < 4) {
        ask_lost(log, end);
    } else if (how == 4) {
        op = lin_begin(log, BROADCAST_RX_IS_CLOSED, end, 0);
        lin_end(op, tr_broadcast_rx_is_closed(&rxs[end]), 0);
    } else if (how == 5 && lin_below(log, 4) == 0) {
        close_rx(log, end);
    } else {
        recv_one(log, end);
    }
}

/* ---- histories ---- */

static void receive(struct lin_log *log, unsigned end)
{
    if (!rxs[end].sub)
        end ^= 1;
    if (rxs[end].sub)
        receive_somehow(log, end);
}

static void turn(struct lin_log *log)
{
    for (unsigned i = 0; i < N_CALL; i++) {
        if (log->who < N_SENDER)
            send_somehow(log, &txs[log->who]);
        else
            receive(log, 2 * (log->who - N_SENDER) + lin_below(log, 2));
        lin_pause(log);
    }
}

static void open_broadcast(struct lin_history *h, struct tri_rand *rand)
{
    const struct tri_type *type = is_cloned ? &clonedb_tri_type : &plainb_tri_type;

    (void)rand;
    if (tr_broadcast_new(type, is_cloned ? clonedb_tri_clone : NULL, capacity, flags, &txs[0],
                         &rxs[0]) < 0 ||
        tr_broadcast_subscribe(&txs[0], subscriber_flags, &rxs[2]) < 0)
        abort();
    txs[1] = tr_broadcast_tx_clone(&txs[0]);
    fails[0] = false;
    fails[2] = subscriber_flags & TR_BROADCAST_FAIL;
    h->param[0] = (int)capacity;
    h->param[1] = (int)flags;
    h->param[2] = (int)subscriber_flags;
    h->param[3] = N_SENDER;
}

static void drain(struct lin_log *log, unsigned end)
{
    while (rxs[end].sub) {
        recv_one(log, end);
        if (log->op[log->n - 1].r != -EPIPE)
            continue;
        ask_lost(log, end);
        tr_broadcast_rx_close(&rxs[end]);
    }
}

static void close_broadcast(struct lin_log *log)
{
    for (unsigned i = 0; i < N_SENDER; i++)
        if (txs[i].chan)
            close_tx(log, &txs[i]);
    for (unsigned end = 0; end < BROADCAST_ENDS; end++)
        drain(log, end);
}

static const struct lin_subject subject = { .model = &broadcast_model,
                                            .n_who = 4,
                                            .open = open_broadcast,
                                            .turn = turn,
                                            .close = close_broadcast };

TR_SUITE(linear_broadcast, .timeout = 120);

static void run_rings(void)
{
    for (capacity = 1; capacity <= 4; capacity *= 2) {
        is_cloned = false;
        lin_run(&subject, 400);
        is_cloned = true;
        lin_run(&subject, 400);
    }
}

TR_TEST(linear_broadcast, ring_that_overwrites_tells_exactly_what_was_lost)
{
    run_rings();
}

TR_TEST(linear_broadcast, receiver_that_fails_by_a_lag_leaves_once)
{
    subscriber_flags = TR_BROADCAST_FAIL;
    run_rings();
}

TR_TEST(linear_broadcast, ring_that_waits_loses_nothing)
{
    flags = TR_BROADCAST_WAIT;
    run_rings();
}

TR_TEST(linear_broadcast, a_ring_that_passes_over_a_message_is_refused)
{
    skips = true;
    capacity = 4;
    lin_must_refuse(&subject, 2000);
}

TR_TEST(linear_broadcast, a_ring_that_miscounts_what_was_lost_is_refused)
{
    miscounts = true;
    capacity = 1;
    lin_must_refuse(&subject, 2000);
}
