/* SPDX-License-Identifier: MIT */
/*
 * case_broadcast.c - chan/broadcast of plain data that overwrites: no half message, exact lag,
 * parking in the shards, subscribing and closing beside a send.
 */
#include "config.h"

#include "explore/broadcast.h"

static numbers_tx tx_2;
static struct tri_broadcast *chan; /* for the broken ones, as what follows */
static uint64_t seq_seen, tail_seen, head_seen;

static void begin(size_t capacity, unsigned n_rx)
{
    setup_numbers(capacity, 0, n_rx);
    chan = tx.end.chan;
    seq_seen = tail_seen = head_seen = 0;
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
    begin(2, 2);
}

static void setup_2_tx(void)
{
    begin(2, 1);
    tx_2 = numbers_tx_clone(&tx);
}

static void finish_2_tx(void)
{
    numbers_tx_close(&tx_2);
    finish_numbers();
}

static void setup_task(void)
{
    setup_2();
    world_task(1, TRI_KIND_TASK, 1);
}

/* Two receivers at one seat: the first that is woken wakes the other one. */
static void setup_duty(void)
{
    setup_2_rx();
    world_task(1, TRI_KIND_TASK, 1);
    world_task(2, TRI_KIND_TASK, 1);
}

static void setup_fails(void)
{
    setup_1();
    numbers_rx_close(&rx[1]);
    check(numbers_subscribe(&tx, TR_BROADCAST_FAIL, &rx[1]) == 0);
}

/* ---- threads ---- */

static void send_3_close(void)
{
    send_numbers(3);
    numbers_tx_close(&tx);
}

static void send_2_close(void)
{
    send_numbers(2);
    numbers_tx_close(&tx);
}

static void send_1_close(void)
{
    send_numbers(1);
    numbers_tx_close(&tx);
}

/* To whoever is there. */
static void send_2_to_any(void)
{
    for (uint64_t i = 1; i <= 2; i++) {
        int r = send_number(i, TR_NEVER);

        check(r > 0 || r == -EPIPE);
    }
    numbers_tx_close(&tx);
}

static void try_3(void)
{
    for (unsigned i = 0; i < 3; i++) {
        int r = try_number();

        check(r == 0 || r == -ESTALE || r == -EAGAIN || r == -EPIPE);
        check(numbers_len(&rx[explore_self()]) <= 2);
    }
}

static void recv_3(void)
{
    world_enter();
    recv_numbers(3);
    numbers_rx_close(&rx[explore_self()]);
}

static void recv_2(void)
{
    world_enter();
    recv_numbers(2);
    numbers_rx_close(&rx[explore_self()]);
}

static void recv_1(void)
{
    world_enter();
    recv_numbers(1);
}

/* A wait that may end early, once more, and the end with the slot perhaps still linked. */
static void recv_a_while(void)
{
    int r;

    world_enter();
    r = recv_number(TR_S(2));
    check(r == 0 || r == -ESTALE || r == -ETIMEDOUT);
    r = recv_number(TR_NEVER);
    check(r == 0 || r == -ESTALE || r == -EPIPE);
    numbers_rx_close(&rx[explore_self()]);
}

static void leave_after_a_while(void)
{
    int r;

    world_enter();
    r = recv_number(TR_S(2));
    check(r == 0 || r == -ESTALE || r == -ETIMEDOUT);
    numbers_rx_close(&rx[explore_self()]);
}

static void recv_until_failed(void)
{
    int r;

    do
        r = recv_number(TR_NEVER);
    while (r == 0);
    check(r == -ESTALE || r == -EPIPE);
    check(recv_number(TR_NEVER) == -EPIPE);
    numbers_rx_close(&rx[1]);
}

static void close_rx(void)
{
    numbers_rx_close(&rx[explore_self()]);
}

/* Sees what is sent from then on, without a gap. */
static void subscribe(void)
{
    numbers_rx *mine = &rx[explore_self()];
    struct number m = { 0 };
    int r;

    check(numbers_subscribe(&tx_2, 0, mine) == 0);
    numbers_tx_close(&tx_2);
    r = numbers_blocking_recv(mine, TR_NEVER, &m);
    if (r == 0) {
        check(m.not_n == ~m.n);
        next_of[explore_self()] = m.n + 1;
        recv_numbers(2);
    }
    check(r == 0 || r == -EPIPE);
}

/* The wait for the last receiver to go. */
static void await_closed(void)
{
    int r;

    r = world_enter() ? numbers_closed(&tx, TR_NEVER) : numbers_blocking_closed(&tx, TR_NEVER);
    check(r == 0 && numbers_receivers(&tx) == 0);
    check(send_number(1, TR_NEVER) == -EPIPE);
}

/* ---- broken ---- */

static void one_look_at_seq(struct explore_op *op)
{
    if (explore_is(op, "tri_flat_look", EXPLORE_LOAD))
        seq_seen = op->old;
    if (explore_is(op, "tri_flat_is_still", EXPLORE_LOAD))
        op->old = seq_seen;
}

static void seq_not_taken_away(struct explore_op *op)
{
    if (explore_is(op, "tri_flat_put", EXPLORE_STORE) && op->order == __ATOMIC_RELAXED)
        op->writes = false;
}

/* The look at tail after the push shows what it was before. */
static void one_look_at_tail(struct explore_op *op)
{
    if (explore_self() == 0)
        return;
    if (explore_is(op, "why_not_yet", EXPLORE_LOAD))
        tail_seen = op->old;
    if (explore_is(op, "is_ready", EXPLORE_LOAD))
        op->old = tail_seen;
}

/* The sender has looked whether anybody is parked before it moved tail. */
static void sender_looks_first(struct explore_op *op)
{
    if (explore_is(op, "tri_flat_put", EXPLORE_STORE) ||
        explore_is(op, "tr_broadcast_tx_close", EXPLORE_SUB))
        head_seen = explore_peek(&chan->parked[0]);
    if (explore_is(op, "tri_broadcast_wake", EXPLORE_LOAD) && op->addr == &chan->parked[0])
        op->old = head_seen;
}

static void slot_by_store(struct explore_op *op)
{
    if (explore_is(op, "tri_subscriber_park", EXPLORE_EXCHANGE))
        op->old |= TRI_PARK_LINKED; /* takes itself for linked */
}

static void pushed_by_store(struct explore_op *op)
{
    if (explore_is(op, "push", EXPLORE_CAS))
        op->ok = op->writes = true;
}

static void duty_unseen(struct explore_op *op)
{
    if (explore_is(op, "tri_subscriber_unpark", EXPLORE_AND))
        op->old |= TRI_PARK_LINKED;
}

static void buried_alive(struct explore_op *op)
{
    if (explore_is(op, "tri_subscriber_bury", EXPLORE_EXCHANGE))
        op->old = 0;
}

static void dead_unseen(struct explore_op *op)
{
    if (explore_is(op, "work_off", EXPLORE_EXCHANGE))
        op->old &= ~(uint64_t)TRI_PARK_DEAD;
}

static void idle_unseen(struct explore_op *op)
{
    /* The waiter joins the idle line whatever the number of receivers is by then. */
    if (explore_is(op, "is_idle", EXPLORE_LOAD))
        op->old = 1;
}

static const struct explore_broken broken_cell[] = {
    { "no second look at the sequence", one_look_at_seq },
    { "the sequence stays while the words change", seq_not_taken_away },
    { 0 },
};

static const struct explore_broken broken_park[] = {
    { "no second look at tail after parking", one_look_at_tail },
    { "the sender looks for the parked before it moves tail", sender_looks_first },
    { "a receiver takes itself for linked", slot_by_store },
    { 0 },
};

static const struct explore_broken broken_duty[] = {
    { "the duty is left", duty_unseen },
    { "pushed over another one", pushed_by_store },
    { 0 },
};

static const struct explore_broken broken_bury[] = {
    { "freed while it is linked", buried_alive },
    { "who works the list off does not see that it is dead", dead_unseen },
    { 0 },
};

static const struct explore_broken broken_closed[] = {
    { "no look at the receivers under the lock", idle_unseen },
    { 0 },
};

const struct explore_case explore_broadcast_cases[] = {
    { "broadcast 1, send 2, close x try 3", setup_1, { send_2_close, try_3 }, finish_numbers, 3, 5,
      broken_cell },
    { "broadcast 1, send 3, close x recv", setup_1, { send_3_close, recv_3 }, finish_numbers, 2, 3,
      NULL },
    { "broadcast 2, send 3, close x recv", setup_2, { send_3_close, recv_3 }, finish_numbers, 2, 4,
      broken_park },
    { "broadcast 2, send 2, close x recv in a task", setup_task, { send_2_close, recv_2 },
      finish_numbers, 2, 3, NULL },
    { "broadcast 2, send 2, close x recv with a deadline, recv", setup_2,
      { send_2_to_any, recv_a_while }, finish_numbers, 2, 3, NULL },
    { "broadcast 2, send 2 x recv with a deadline, close", setup_2,
      { send_2_to_any, leave_after_a_while }, finish_numbers, 2, 3, broken_bury },
    { "broadcast 2, send, close x recv x recv", setup_2_rx, { send_1_close, recv_1, recv_1 },
      finish_numbers, 1, 2, NULL },
    { "broadcast 2, send, close x recv x recv, one seat", setup_duty,
      { send_1_close, recv_1, recv_1 }, finish_numbers, 1, 2, broken_duty },
    { "broadcast 2, send 2, close x recv with a deadline x recv, one seat", setup_duty,
      { send_2_close, leave_after_a_while, recv_2 }, finish_numbers, 1, 2, NULL },
    { "broadcast 1, send 2, close x recv, fails", setup_fails, { send_2_to_any, recv_until_failed },
      finish_numbers, 2, 4, NULL },
    { "broadcast 2, send 2, close x recv x subscribe, recv", setup_2_tx,
      { send_2_close, recv_2, subscribe }, finish_2_tx, 1, 2, NULL },
    { "broadcast 2, closed x close", setup_2, { await_closed, close_rx }, finish_numbers, 3,
      EXPLORE_ALL, broken_closed },
    { "broadcast 2, closed x close x close", setup_2_rx, { await_closed, close_rx, close_rx },
      finish_numbers, 2, 3, NULL },
    { 0 },
};
