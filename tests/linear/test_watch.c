/* SPDX-License-Identifier: MIT */
/* test_watch.c - two senders and two receivers of a watch, the latter with two ends each. */
#include "config.h"

#include <errno.h>
#include <stdlib.h>

#include <troupe.h>

#include "linear/models.h"
#include "support/tr-test.h"

enum { N_SENDER = 2, N_CALL = 6 };

struct value {
    int32_t id;
};

TR_WATCH(valuew, struct value, tr_nodrop);

static valuew_tx txs[N_SENDER];
static valuew_rx rxs[WATCH_ENDS]; /* receiver k has 2 * k, and 2 * k + 1 for a clone */
static bool is_stale;             /* a broken one: a get may give the value before */
static int32_t last_got[WATCH_ENDS];

/* ---- senders ---- */

struct change {
    int32_t from, to;
};

static int make_next(const void *now, void *next, void *arg)
{
    struct change *c = arg;

    c->from = ((const struct value *)now)->id;
    ((struct value *)next)->id = c->to;
    return 1;
}

static void send_one(struct lin_log *log, valuew_tx *tx)
{
    static const enum watch_kind forms[] = { WATCH_SEND, WATCH_REPLACE, WATCH_MODIFY };
    const enum watch_kind form = forms[lin_below(log, 3)];
    struct value v = { (int32_t)((log->who + 1) * 100 + log->n) };
    struct change c = { 0, v.id };
    struct lin_op *op = lin_begin(log, form, log->who, v.id);

    if (form == WATCH_SEND)
        lin_end(op, valuew_send(tx, &v), 0);
    else if (form == WATCH_REPLACE)
        lin_end(op, valuew_replace(tx, &v), 0);
    else {
        int r = valuew_modify(tx, make_next, &c);

        lin_end(op, r, c.from);
    }
}

static void close_tx(struct lin_log *log, valuew_tx *tx)
{
    struct lin_op *op = lin_begin(log, WATCH_TX_CLOSE, log->who, 0);

    valuew_tx_close(tx);
    lin_end(op, 0, 0);
}

static void send_somehow(struct lin_log *log, valuew_tx *tx)
{
    const unsigned how = lin_below(log, 12);
    struct lin_op *op;

    if (!tx->end.cell)
        return;
    if (how == 0) {
        close_tx(log, tx);
    } else if (how == 1) {
        op = lin_begin(log, WATCH_RECEIVERS, log->who, 0);
        lin_end(op, (int)valuew_receivers(tx), 0);
    } else {
        send_one(log, tx);
    }
}

/* ---- receivers ---- */

static bool is_odd(const void *v, void *arg)
{
    *(int32_t *)arg = ((const struct value *)v)->id;
    return *(int32_t *)arg % 2 == 1;
}

static int await_odd(struct lin_log *log, valuew_rx *rx, int32_t *value)
{
    if (log->in_task)
        return valuew_wait_for(rx, is_odd, value, lin_soon(log));
    return valuew_blocking_wait_for(rx, is_odd, value, lin_soon(log));
}

static int await_change(struct lin_log *log, valuew_rx *rx)
{
    if (log->in_task)
        return valuew_changed(rx, lin_soon(log));
    return valuew_blocking_changed(rx, lin_soon(log));
}

static int32_t get(struct lin_log *log, unsigned end)
{
    int32_t value = valuew_get(&rxs[end])->id, last = last_got[end];

    last_got[end] = value;
    return is_stale && lin_below(log, 2) == 0 ? last : value;
}

static void clone_or_close(struct lin_log *log, unsigned end)
{
    const unsigned other = end ^ 1;
    const bool seen = lin_below(log, 2);
    struct lin_op *op;

    if (rxs[other].end.cell) {
        op = lin_begin(log, WATCH_RX_CLOSE, other, 0);
        valuew_rx_close(&rxs[other]);
    } else {
        op = lin_begin(log, seen ? WATCH_CLONE_SEEN : WATCH_CLONE, end, (int)other);
        rxs[other] = seen ? valuew_rx_clone_seen(&rxs[end]) : valuew_rx_clone(&rxs[end]);
    }
    lin_end(op, 0, 0);
}

static void read_somehow(struct lin_log *log, unsigned end)
{
    static const enum watch_kind forms[] = { WATCH_GET,          WATCH_GET,
                                             WATCH_GET,          WATCH_PEEK,
                                             WATCH_HAS_CHANGED,  WATCH_PEEK,
                                             WATCH_CHANGED,      WATCH_CHANGED,
                                             WATCH_MARK_CHANGED, WATCH_MARK_UNCHANGED,
                                             WATCH_WAIT_FOR,     WATCH_RX_IS_CLOSED,
                                             WATCH_HAS_CHANGED };
    const unsigned how = lin_below(log, TR_LEN(forms) + 2);
    valuew_rx *rx = &rxs[end];
    int32_t value = 0;
    struct lin_op *op;
    int r = 0;

    if (how >= TR_LEN(forms)) {
        clone_or_close(log, end);
        return;
    }
    op = lin_begin(log, forms[how], end, 0);
    if (forms[how] == WATCH_GET)
        value = get(log, end);
    else if (forms[how] == WATCH_PEEK)
        value = valuew_peek(rx)->id;
    else if (forms[how] == WATCH_HAS_CHANGED)
        r = valuew_has_changed(rx);
    else if (forms[how] == WATCH_MARK_CHANGED)
        valuew_mark_changed(rx);
    else if (forms[how] == WATCH_MARK_UNCHANGED)
        valuew_mark_unchanged(rx);
    else if (forms[how] == WATCH_CHANGED)
        r = await_change(log, rx);
    else if (forms[how] == WATCH_WAIT_FOR)
        r = await_odd(log, rx, &value);
    else
        r = valuew_rx_is_closed(rx);
    lin_end(op, r, value);
}

/* ---- histories ---- */

static void turn(struct lin_log *log)
{
    unsigned end;

    for (unsigned i = 0; i < N_CALL; i++) {
        if (log->who < N_SENDER) {
            send_somehow(log, &txs[log->who]);
        } else {
            end = 2 * (log->who - N_SENDER) + lin_below(log, 2);
            read_somehow(log, rxs[end].end.cell ? end : end ^ 1);
        }
        lin_pause(log);
    }
}

static void open_watch(struct lin_history *h, struct tri_rand *rand)
{
    struct value v = { 0 };

    (void)rand;
    h->param[0] = N_SENDER;
    h->param[1] = WATCH_ENDS;
    if (valuew_new(&v, &txs[0], &rxs[0]) < 0)
        abort();
    txs[1] = valuew_tx_clone(&txs[0]);
    for (unsigned i = 0; i < WATCH_ENDS; i++) {
        last_got[i] = 0;
        if (i > 0)
            rxs[i] = valuew_subscribe(&txs[0]);
    }
}

/* What each end sees in the end. */
static void look_last(struct lin_log *log, unsigned end)
{
    struct lin_op *op;

    if (!rxs[end].end.cell)
        return;
    op = lin_begin(log, WATCH_HAS_CHANGED, end, 0);
    lin_end(op, valuew_has_changed(&rxs[end]), 0);
    op = lin_begin(log, WATCH_GET, end, 0);
    lin_end(op, 0, valuew_get(&rxs[end])->id);
    op = lin_begin(log, WATCH_GET, end, 0); /* the one before may have been kept */
    lin_end(op, 0, valuew_get(&rxs[end])->id);
    valuew_rx_close(&rxs[end]);
}

static void close_watch(struct lin_log *log)
{
    for (unsigned i = 0; i < N_SENDER; i++)
        if (txs[i].end.cell)
            close_tx(log, &txs[i]);
    for (unsigned end = 0; end < WATCH_ENDS; end++)
        look_last(log, end);
}

static const struct lin_subject subject = {
    .model = &watch_model, .n_who = 4, .open = open_watch, .turn = turn, .close = close_watch
};

TR_SUITE(linear_watch, .timeout = 120);

TR_TEST(linear_watch, watch_is_a_value_with_versions)
{
    lin_run(&subject, 4000);
}

TR_TEST(linear_watch, a_watch_that_gives_an_old_value_is_refused)
{
    is_stale = true;
    lin_must_refuse(&subject, 2000);
}
