/* SPDX-License-Identifier: MIT */
/*
 * test_mpsc.c - a receiver and three senders, each with some calls of all kinds: of channels of
 * every capacity and policy, with permits, weak ends and early ends.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>

#include <troupe.h>

#include "linear/models.h"
#include "support/tr-test.h"

enum { N_SENDER = 3, N_CALL = 6 };

struct msg {
    int32_t id; /* 0: empty */
};

static void msg_drop(struct msg *m)
{
    m->id = 0;
}

static bool msg_same(const void *a, const void *b)
{
    return ((const struct msg *)a)->id % MPSC_KEYS == ((const struct msg *)b)->id % MPSC_KEYS;
}

TR_MPSC(msgq, struct msg, msg_drop);

static msgq_rx rx;
static struct sender {
    msgq_tx tx;
    msgq_weak weak;
    msgq_permit permit;
} senders[N_SENDER];

/* How the channels of a test are made. */
static bool wants_permits, ends_early, swaps;
static struct tr_mpsc_opts opts;
static struct msg held_back; /* by a receiver that swaps */

/* ---- senders ---- */

static struct msg new_msg(const struct lin_log *log)
{
    return (struct msg){ (int32_t)((log->who + 1) * 100 + log->n) };
}

/* In line, if it has to. */
static int send_waiting(struct lin_log *log, msgq_tx *tx, struct msg *m)
{
    if (log->in_task)
        return msgq_send(tx, m, lin_soon(log));
    return msgq_blocking_send(tx, m, lin_soon(log));
}

static void send_one(struct lin_log *log, struct sender *s)
{
    struct msg m = new_msg(log);
    const unsigned how = lin_below(log, opts.n_urgent > 0 ? 4 : 3);
    struct lin_op *op = lin_begin(log,
                                  how == 0   ? MPSC_SEND_WAIT
                                  : how == 3 ? MPSC_URGENT
                                             : MPSC_SEND,
                                  log->who, m.id);

    if (how == 0)
        lin_end(op, send_waiting(log, &s->tx, &m), 0);
    else if (how == 3)
        lin_end(op, msgq_send_urgent(&s->tx, &m), 0);
    else
        lin_end(op, msgq_try_send(&s->tx, &m), 0);
    check_eq(m.id == 0, op->r >= 0);
}

static void reserve(struct lin_log *log, struct sender *s)
{
    const size_t n = 1 + lin_below(log, opts.capacity < 3 ? (unsigned)opts.capacity : 3);
    const bool waits = lin_below(log, 2);
    struct lin_op *op =
        lin_begin(log, waits ? MPSC_RESERVE_WAIT : MPSC_RESERVE, log->who, (int)n);

    if (!waits)
        lin_end(op, msgq_try_reserve(&s->tx, n, &s->permit), 0);
    else if (log->in_task)
        lin_end(op, msgq_reserve(&s->tx, n, lin_soon(log), &s->permit), 0);
    else
        lin_end(op, msgq_blocking_reserve(&s->tx, n, lin_soon(log), &s->permit), 0);
}

static void close_permit(struct lin_log *log, struct sender *s)
{
    const size_t n = msgq_permit_left(&s->permit);
    struct lin_op *op;

    if (n == 0)
        return;
    op = lin_begin(log, MPSC_PERMIT_CLOSE, log->who, (int)n);
    msgq_permit_close(&s->permit);
    lin_end(op, 0, 0);
}

static void use_permit(struct lin_log *log, struct sender *s)
{
    const size_t n = msgq_permit_left(&s->permit);
    struct msg m = new_msg(log);
    struct lin_op *op;

    if (lin_below(log, 3) == 0) {
        close_permit(log, s);
        return;
    }
    op = lin_begin(log, n == 1 ? MPSC_PERMIT_LAST : MPSC_PERMIT_SEND, log->who, m.id);
    lin_end(op, msgq_permit_send(&s->permit, &m), 0);
}

static void close_tx(struct lin_log *log, struct sender *s)
{
    struct lin_op *op = lin_begin(log, MPSC_TX_CLOSE, log->who, 0);

    msgq_tx_close(&s->tx);
    lin_end(op, 0, 0);
}

static void await_closed(struct lin_log *log, struct sender *s)
{
    struct lin_op *op = lin_begin(log, MPSC_CLOSED, log->who, 0);

    lin_end(op,
            log->in_task ? msgq_closed(&s->tx, lin_soon(log))
                         : msgq_blocking_closed(&s->tx, lin_soon(log)),
            0);
}

static void send_somehow(struct lin_log *log, struct sender *s)
{
    const unsigned how = lin_below(log, 16);
    struct lin_op *op;

    if (msgq_permit_left(&s->permit) > 0 && how < 8) {
        use_permit(log, s);
    } else if (!s->tx.end.chan) {
        op = lin_begin(log, MPSC_UPGRADE, log->who, 0);
        lin_end(op, msgq_weak_upgrade(&s->weak, &s->tx), 0);
    } else if (how < 4 && wants_permits && msgq_permit_left(&s->permit) == 0) {
        reserve(log, s);
    } else if (how == 14 && ends_early) {
        close_tx(log, s);
    } else if (how == 15 && ends_early) {
        await_closed(log, s);
    } else if (how == 13) {
        op = lin_begin(log, MPSC_TX_IS_CLOSED, log->who, 0);
        lin_end(op, msgq_tx_is_closed(&s->tx), 0);
    } else {
        send_one(log, s);
    }
}

/* ---- the receiver ---- */

/* A broken queue: now and then two messages change places. */
static int recv_swapped(struct lin_log *log, struct msg *m)
{
    struct msg next = { 0 };
    int r;

    if (held_back.id != 0) {
        *m = held_back;
        held_back.id = 0;
        return 0;
    }
    r = msgq_try_recv(&rx, m);
    if (r == 0 && swaps && lin_below(log, 4) == 0 && msgq_try_recv(&rx, &next) == 0) {
        held_back = *m;
        *m = next;
    }
    return r;
}

static void recv_one(struct lin_log *log)
{
    const bool waits = lin_below(log, 2) && !swaps;
    struct lin_op *op = lin_begin(log, MPSC_RECV, 0, 0);
    struct msg m = { 0 };
    int r;

    if (!waits)
        r = recv_swapped(log, &m);
    else if (log->in_task)
        r = msgq_recv(&rx, lin_soon(log), &m);
    else
        r = msgq_blocking_recv(&rx, lin_soon(log), &m);
    lin_end(op, r, m.id);
}

/* One call and several steps: each message is taken by itself. */
static void recv_many(struct lin_log *log)
{
    struct msg m[3] = { { 0 } };
    const unsigned first = log->n;
    struct lin_op whole = *lin_begin(log, MPSC_RECV, 0, 0);
    ssize_t n = msgq_recv_many(&rx, TR_LEN(m), lin_soon(log), m);

    lin_end(&log->op[first], n < 0 ? (int)n : 0, m[0].id);
    whole.to = log->op[first].to;
    for (ssize_t i = 1; i < n; i++) {
        log->op[log->n] = whole;
        log->op[log->n].out = m[i].id;
        log->op[log->n].after = (uint8_t)log->n;
        log->n++;
    }
}

static void end_rx(struct lin_log *log)
{
    const bool closes = lin_below(log, 3) == 0;
    struct lin_op *op = lin_begin(log, closes ? MPSC_RX_CLOSE : MPSC_SHUT, 0, 0);

    if (closes)
        msgq_rx_close(&rx);
    else
        msgq_rx_shut(&rx);
    lin_end(op, 0, 0);
}

static void receive_somehow(struct lin_log *log)
{
    const unsigned how = lin_below(log, 20);
    struct lin_op *op;

    if (how == 0) {
        op = lin_begin(log, MPSC_LEN, 0, 0);
        lin_end(op, (int)msgq_len(&rx), 0);
    } else if (how == 1) {
        op = lin_begin(log, MPSC_RX_IS_CLOSED, 0, 0);
        lin_end(op, msgq_rx_is_closed(&rx), 0);
    } else if (how == 2 && ends_early) {
        end_rx(log);
    } else if (how < 7 && log->in_task && !swaps) {
        recv_many(log);
    } else {
        recv_one(log);
    }
}

/* ---- histories ---- */

static void turn(struct lin_log *log)
{
    for (unsigned i = 0; i < N_CALL; i++) {
        if (log->who < N_SENDER)
            send_somehow(log, &senders[log->who]);
        else if (rx.end.chan)
            receive_somehow(log);
        lin_pause(log);
    }
    if (log->who < N_SENDER)
        close_permit(log, &senders[log->who]);
}

static void open_channel(struct lin_history *h, struct tri_rand *rand)
{
    (void)rand;
    held_back.id = 0;
    if (msgq_new_with(&opts, &senders[0].tx, &rx) < 0)
        abort();
    for (unsigned i = 0; i < N_SENDER; i++) {
        if (i > 0)
            senders[i].tx = msgq_tx_clone(&senders[0].tx);
        senders[i].weak = msgq_tx_downgrade(&senders[0].tx);
        senders[i].permit = (msgq_permit){ 0 };
    }
    h->param[0] = opts.capacity == TR_UNBOUNDED ? 0 : (int)opts.capacity;
    h->param[1] = (int)opts.overflow;
    h->param[2] = (int)opts.n_urgent;
    h->param[3] = N_SENDER;
}

/* What is left comes out, up to the end. */
static void drain(struct lin_log *log)
{
    struct lin_op *op;
    struct msg m;
    int r = 0;

    while (rx.end.chan && r == 0) {
        op = lin_begin(log, MPSC_RECV, 0, 0);
        m.id = 0;
        r = recv_swapped(log, &m);
        lin_end(op, r, m.id);
    }
    msgq_rx_close(&rx);
}

static void close_channel(struct lin_log *log)
{
    for (unsigned i = 0; i < N_SENDER; i++) {
        if (senders[i].tx.end.chan)
            close_tx(log, &senders[i]);
        msgq_weak_close(&senders[i].weak);
    }
    drain(log);
}

static const struct lin_subject subject = { .model = &mpsc_model,
                                            .n_who = N_SENDER + 1,
                                            .open = open_channel,
                                            .turn = turn,
                                            .close = close_channel };

TR_SUITE(linear_mpsc, .timeout = 120);

static void run_capacities(const size_t *capacities, size_t n, unsigned n_history)
{
    for (size_t i = 0; i < n; i++) {
        opts.capacity = capacities[i];
        lin_run(&subject, n_history);
    }
}

#define CAPACITIES(n_history, ...)                                                             \
    run_capacities((const size_t[]){ __VA_ARGS__ }, TR_LEN(((const size_t[]){ __VA_ARGS__ })), \
                   n_history)

TR_TEST(linear_mpsc, bounded_channel_is_a_queue)
{
    CAPACITIES(400, 1, 2, 3, 16);
}

TR_TEST(linear_mpsc, bounded_channel_that_ends_early_is_a_queue)
{
    ends_early = true;
    CAPACITIES(400, 1, 2, 4);
}

TR_TEST(linear_mpsc, unbounded_channel_is_a_queue)
{
    CAPACITIES(400, TR_UNBOUNDED);
    ends_early = true;
    CAPACITIES(400, TR_UNBOUNDED);
}

TR_TEST(linear_mpsc, permits_are_places)
{
    wants_permits = true;
    CAPACITIES(400, 1, 2, 4);
    ends_early = true;
    CAPACITIES(400, 1, 3);
}

TR_TEST(linear_mpsc, a_full_channel_that_rejects_is_exact)
{
    opts.overflow = TR_OVERFLOW_REJECT;
    CAPACITIES(400, 1, 3);
}

TR_TEST(linear_mpsc, a_full_channel_that_drops_the_newest_is_exact)
{
    opts.overflow = TR_OVERFLOW_DROP_NEWEST;
    CAPACITIES(400, 1, 3);
}

TR_TEST(linear_mpsc, a_full_channel_that_drops_the_oldest_is_exact)
{
    opts.overflow = TR_OVERFLOW_DROP_OLDEST;
    CAPACITIES(400, 1, 3);
    ends_early = true;
    CAPACITIES(200, 2);
}

TR_TEST(linear_mpsc, a_newer_message_takes_the_place_of_its_key)
{
    opts.overflow = TR_OVERFLOW_CONFLATE;
    opts.same = msg_same;
    CAPACITIES(400, 1, 2, 4);
}

TR_TEST(linear_mpsc, urgent_messages_come_first)
{
    opts.n_urgent = 2;
    CAPACITIES(400, 2);
    wants_permits = ends_early = true;
    CAPACITIES(400, 2);
    wants_permits = false;
    opts.overflow = TR_OVERFLOW_DROP_OLDEST;
    CAPACITIES(200, 2);
}

TR_TEST(linear_mpsc, a_queue_that_swaps_messages_is_refused)
{
    swaps = true;
    opts.capacity = 4;
    lin_must_refuse(&subject, 2000);
}
