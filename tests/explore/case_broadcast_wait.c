/* SPDX-License-Identifier: MIT */
/*
 * case_broadcast_wait.c - chan/broadcast with TR_BROADCAST_WAIT: nothing is lost, senders wait
 * in line for the slowest receiver, whoever goes first. Receivers move with fences: without, it
 * rests on membarrier(2), which is not explored.
 */
#include "config.h"

#include "explore/broadcast.h"

static numbers_tx tx_2;
static struct tri_broadcast *chan; /* for the broken ones */

static void begin(size_t capacity, unsigned n_rx)
{
    setup_numbers(capacity, TR_BROADCAST_WAIT, n_rx);
    tx_2 = (numbers_tx){ 0 };
    chan = tx.end.chan;
    check(chan->is_fenced);
}

static void setup_1(void)
{
    begin(1, 1);
}

static void setup_2(void)
{
    begin(2, 1);
}

static void setup_2_rx(void)
{
    begin(1, 2);
}

/* Senders 0 and 2, receiver 1. */
static void setup_2_tx(void)
{
    begin(1, 1);
    tx_2 = numbers_tx_clone(&tx);
}

static void setup_tasks(void)
{
    setup_1();
    world_task(0, TRI_KIND_TASK, 1);
    world_task(1, TRI_KIND_TASK, 2);
}

static void setup_movable(void)
{
    setup_1();
    world_task(0, TRI_KIND_MOVABLE, 1);
    world_task(1, TRI_KIND_MOVABLE, 2);
}

static void finish(void)
{
    numbers_tx_close(&tx_2);
    finish_numbers();
}

/* ---- threads ---- */

static void send_3_close(void)
{
    world_enter();
    send_numbers(3);
    numbers_tx_close(&tx);
}

static void send_2_close(void)
{
    world_enter();
    send_numbers(2);
    numbers_tx_close(&tx);
}

/* Until nobody is there. */
static void send_until_alone(void)
{
    int r;
    uint64_t n = 0;

    do
        r = send_number(++n, TR_NEVER);
    while (r > 0);
    check(r == -EPIPE && n <= 3);
}

static void send_a_while(void)
{
    int r;

    world_enter();
    check(send_number(1, TR_NEVER) == 1);
    r = send_number(2, TR_S(2));
    check(r == 1 || r == -ETIMEDOUT);
    check(send_number(r == 1 ? 3 : 2, TR_NEVER) == 1);
    numbers_tx_close(&tx);
}

static void recv_all(void)
{
    int r;

    world_enter();
    do
        r = recv_number(TR_NEVER);
    while (r == 0);
    check(r == -EPIPE);
    check(next_of[explore_self()] >= 3);
    numbers_rx_close(&rx[explore_self()]);
}

static void recv_1_close(void)
{
    world_enter();
    check(recv_number(TR_NEVER) == 0);
    numbers_rx_close(&rx[explore_self()]);
}

static void close_rx(void)
{
    numbers_rx_close(&rx[explore_self()]);
}

/* With two senders the numbers say who has sent what; each one's are in order. */
static uint64_t last_of[2];

static void setup_2_senders(void)
{
    setup_2_tx();
    last_of[0] = last_of[1] = 0;
}

static void send_as(numbers_tx *end, uint64_t who, uint64_t n, tr_time deadline)
{
    for (uint64_t i = 1; i <= n; i++) {
        struct number m = { 10 * who + i, ~(10 * who + i) };
        int r = numbers_blocking_send(end, &m, deadline);

        check(r == 1 || (r == -ETIMEDOUT && deadline != TR_NEVER));
    }
    numbers_tx_close(end);
}

static void first_sends_2(void)
{
    send_as(&tx, 0, 2, TR_NEVER);
}

static void second_sends_1(void)
{
    send_as(&tx_2, 1, 1, TR_NEVER);
}

static void second_sends_a_while(void)
{
    send_as(&tx_2, 1, 1, TR_S(2));
}

static void recv_both(void)
{
    struct number m;
    int r;

    while ((r = numbers_blocking_recv(&rx[1], TR_NEVER, &m)) == 0) {
        check(m.not_n == ~m.n);
        check(m.n % 10 == last_of[m.n / 10] + 1);
        last_of[m.n / 10]++;
    }
    check(r == -EPIPE && last_of[0] == 2);
    numbers_rx_close(&rx[1]);
}

/* ---- broken ---- */

static void mark_unseen(struct explore_op *op)
{
    if (explore_is(op, "tri_subscriber_move", EXPLORE_LOAD))
        op->old = 0;
}

static void one_look_at_cursor(struct explore_op *op)
{
    /* The second look after the mark finds the receiver where it was. */
    if (explore_is(op, "unmark", EXPLORE_LOAD) && op->order == __ATOMIC_SEQ_CST)
        op->old = (explore_peek(&chan->tail) >> 1) - (chan->mask + 1);
}

static void not_counted(struct explore_op *op)
{
    if (explore_is(op, "mark", EXPLORE_EXCHANGE))
        op->old = true; /* as if it were marked and counted already */
}

static void told_for_nothing(struct explore_op *op)
{
    /* The first in line is told twice before it has tried: the second wake was another's. */
    if (explore_is(op, "is_done", EXPLORE_LOAD))
        op->old = false;
}

static void unlocked(struct explore_op *op)
{
    if (explore_is(op, "tri_lock_try", EXPLORE_CAS))
        op->ok = true;
}

static const struct explore_broken broken[] = {
    { "a receiver does not look at its mark", mark_unseen },
    { "no second look at the cursors after marking", one_look_at_cursor },
    { "who is marked is not counted", not_counted },
    { "who is told does not see it", told_for_nothing },
    { 0 },
};

static const struct explore_broken broken_lock[] = {
    { "no lock", unlocked },
    { 0 },
};

const struct explore_case explore_broadcast_wait_cases[] = {
    { "broadcast wait 1, send 3, close x recv", setup_1, { send_3_close, recv_all }, finish, 2, 3,
      broken },
    { "broadcast wait 2, send 3, close x recv", setup_2, { send_3_close, recv_all }, finish, 1, 3,
      NULL },
    { "broadcast wait 1, tasks, send 2, close x recv", setup_tasks, { send_2_close, recv_all },
      finish, 1, 3, NULL },
    { "broadcast wait 1, movable tasks, send 2, close x recv", setup_movable,
      { send_2_close, recv_all }, finish, 2, 3, NULL },
    { "broadcast wait 1, send x recv, close", setup_1, { send_until_alone, recv_1_close }, finish,
      1, 3, NULL },
    { "broadcast wait 1, send x close", setup_1, { send_until_alone, close_rx }, finish, 2, 3,
      NULL },
    { "broadcast wait 1, send with a deadline x recv", setup_1, { send_a_while, recv_all }, finish,
      1, 3, NULL },
    { "broadcast wait 1, send 2, close x recv x recv", setup_2_rx,
      { send_2_close, recv_all, recv_all }, finish, 1, 2, NULL },
    { "broadcast wait 1, send x recv, close x close", setup_2_rx,
      { send_until_alone, recv_1_close, close_rx }, finish, 1, 2, NULL },
    { "broadcast wait 1, send 2 x recv x send", setup_2_senders,
      { first_sends_2, recv_both, second_sends_1 }, finish, 1, 2, broken_lock },
    { "broadcast wait 1, send 2 x recv x send with a deadline", setup_2_senders,
      { first_sends_2, recv_both, second_sends_a_while }, finish, 0, 2, NULL },
    { 0 },
};
