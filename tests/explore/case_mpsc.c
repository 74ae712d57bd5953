/* SPDX-License-Identifier: MIT */
/*
 * case_mpsc.c - chan/mpsc: what is sent arrives once, in the order of each sender, whatever
 * ends first. Plain threads; case_mpsc_wait.c has the tasks.
 */
#include "config.h"

#include "explore/mpsc.h"

static atomic_bool was_shut;
static uint64_t stale_head, stale_first; /* for the broken ones */

static void setup_1(void)
{
    setup_queue(1);
}

static void setup_2(void)
{
    setup_queue(2);
}

static void setup_apart(void)
{
    setup_queue(16); /* the two sides have lines of their own: head_seen */
}

static void setup_unbounded(void)
{
    setup_queue(TR_UNBOUNDED);
}

/* One sender alone. */
static void setup_1_alone(void)
{
    atomic_store(&was_shut, false);
    setup_queue(1);
    queue_tx_close(&tx[1]);
}

static void setup_2_alone(void)
{
    setup_queue(2);
    queue_tx_close(&tx[1]);
}

static void setup_apart_alone(void)
{
    setup_apart();
    queue_tx_close(&tx[1]);
}

static void setup_unbounded_alone(void)
{
    setup_unbounded();
    queue_tx_close(&tx[1]);
}

/* The next claim needs the second block. */
static void setup_block_end(void)
{
    setup_unbounded();
    for (unsigned i = 0; i < 32; i++) {
        struct message m = { NULL };

        check(queue_try_send(&tx[0], &m) == 0);
        if (i < 31)
            check(queue_try_recv(&rx, &m) == 0);
    }
}

/* ---- threads ---- */

static void send_3_close(void)
{
    send_k(1);
    send_k(2);
    send_k(3);
    close_mine();
}

static void send_2_close(void)
{
    send_k(1);
    send_k(2);
    close_mine();
}

static void send_1_close(void)
{
    send_k(1);
    close_mine();
}

static void try_2(void)
{
    (void)try_k(1);
    (void)try_k(2);
}

static void try_1(void)
{
    (void)try_k(1);
}

static void send_2(void)
{
    send_k(1);
    send_k(2);
}

static void send_1(void)
{
    send_k(1);
}

static void send_a_while(void)
{
    int r = send_until(1, TR_NEVER);

    check(r == 0 || r == -EPIPE);
    r = send_until(2, TR_S(2));
    check(r == 0 || r == -EPIPE || r == -ETIMEDOUT);
    close_mine();
}

static void recv_all(void)
{
    recv_to_end();
    queue_rx_close(&rx);
}

static void recv_all_of_3(void)
{
    recv_all();
    check_received(0, 3);
}

static void recv_1_close(void)
{
    check(recv_until(TR_NEVER) == 0);
    queue_rx_close(&rx);
}

static void recv_2(void)
{
    check(recv_until(TR_NEVER) == 0);
    check(recv_until(TR_NEVER) == 0);
}

static void recv_try_close(void)
{
    int r = recv_until(TR_S(2));

    check(r == 0 || r == -ETIMEDOUT || r == -EPIPE);
    r = try_recv();
    check(r == 0 || r == -EAGAIN || r == -EPIPE);
    queue_rx_close(&rx);
}

static void try_3(void)
{
    (void)try_recv();
    (void)try_recv();
    (void)try_recv();
}

/* A send that begins after the shut is refused. */
static void send_against_shut(unsigned k)
{
    const bool is_late = atomic_load(&was_shut);
    int r = send_until(k, TR_NEVER);

    check(r == -EPIPE || (r == 0 && !is_late));
}

static void send_2_late(void)
{
    send_against_shut(1);
    send_against_shut(2);
    close_mine();
}

static void recv_shut_recv(void)
{
    (void)try_recv();
    queue_rx_shut(&rx);
    atomic_store(&was_shut, true);
    recv_to_end();
    queue_rx_close(&rx);
}

static void close_rx(void)
{
    queue_rx_close(&rx);
}

static void recv_block_end(void)
{
    struct message m = { NULL };

    check(queue_blocking_recv(&rx, TR_NEVER, &m) == 0 && !m.id); /* from the first block */
    check(recv_until(TR_NEVER) == 0);
    check(recv_until(TR_NEVER) == 0);
}

static void finish_block_end(void)
{
    check_received(0, 1);
    check_received(1, 1);
    finish_queue();
}

/* ---- broken ---- */

static void parked_by_store(struct explore_op *op)
{
    if (explore_is(op, "tri_mpsc_rx_arm", EXPLORE_CAS))
        op->ok = op->writes = true;
}

static void parked_without_claims(struct explore_op *op)
{
    /* The flag is set whatever the position is by now. */
    if (explore_is(op, "tri_mpsc_rx_arm", EXPLORE_CAS)) {
        op->next = op->old | 1;
        op->ok = op->writes = true;
    }
}

static void claim_unseen(struct explore_op *op)
{
    if (explore_is(op, "send_now_inline", EXPLORE_CAS))
        op->ok = op->writes = true;
}

static void publish_relaxed(struct explore_op *op)
{
    if (explore_is(op, "tri_cell_put", EXPLORE_STORE))
        op->order = __ATOMIC_RELAXED;
}

static void head_relaxed(struct explore_op *op)
{
    if (explore_is(op, "move_head", EXPLORE_EXCHANGE))
        op->order = __ATOMIC_RELAXED;
}

/* The sender that joined the line trusts its first look at head. */
static void one_look(struct explore_op *op)
{
    if (explore_is(op, "has_room", EXPLORE_LOAD))
        stale_head = op->old;
    if (explore_is(op, "fits", EXPLORE_LOAD) && op->order == __ATOMIC_SEQ_CST &&
        explore_self() == 0)
        op->old = stale_head;
}

/* The receiver looks for waiting senders before it moves head. */
static void look_too_early(struct explore_op *op)
{
    if (explore_is(op, "tri_cell_is_published", EXPLORE_LOAD))
        stale_first = explore_peek(&chan->line.first);
    if (explore_is(op, "tri_waitq_is_empty", EXPLORE_LOAD))
        op->old = stale_first;
}

static void end_unseen(struct explore_op *op)
{
    if (explore_is(op, "end_of_sending", EXPLORE_CAS))
        op->ok = op->writes = true;
}

static void flag_stays(struct explore_op *op)
{
    if (explore_is(op, "end_of_sending", EXPLORE_CAS))
        op->writes = false;
}

static void shut_unseen(struct explore_op *op)
{
    if (explore_is(op, "set_flags", EXPLORE_OR) && op->next & 1u << 2)
        op->writes = false;
}

static void done_too_early(struct explore_op *op)
{
    if (explore_is(op, "tri_txline_keeps", EXPLORE_LOAD))
        op->old = 1;
}

static void tail_block_stays(struct explore_op *op)
{
    if (explore_is(op, "retire_head", EXPLORE_CAS))
        op->writes = false;
}

static const struct explore_broken broken_send[] = {
    { "RX_PARKED by a plain store", parked_by_store },
    { "RX_PARKED without a look at the position", parked_without_claims },
    { "published in relaxed order", publish_relaxed },
    { "the last sender ends by a plain store", end_unseen },
    { "the end leaves no mark", flag_stays },
    { 0 },
};

static const struct explore_broken broken_senders[] = {
    { "a position is claimed by a plain store", claim_unseen },
    { 0 },
};

static const struct explore_broken broken_full[] = {
    { "head moves in relaxed order", head_relaxed },
    { "a sender in line does not look at head again", one_look },
    { "the receiver looks for senders too early", look_too_early },
    { 0 },
};

static const struct explore_broken broken_deadline[] = {
    { "a late sender takes itself for served", done_too_early },
    { 0 },
};

static const struct explore_broken broken_shut[] = {
    { "shutting leaves no mark", shut_unseen },
    { 0 },
};

static const struct explore_broken broken_block[] = {
    { "tail_block stays on a block that goes", tail_block_stays },
    { 0 },
};

const struct explore_case explore_mpsc_cases[] = {
    { "mpsc 1, send 3, close x recv", setup_1_alone, { send_3_close, recv_all_of_3 },
      finish_queue, 2, 3, broken_full },
    { "mpsc 2, send 3, close x recv", setup_2_alone, { send_3_close, recv_all_of_3 },
      finish_queue, 2, 3, broken_send },
    { "mpsc 16, send 3, close x recv", setup_apart_alone, { send_3_close, recv_all_of_3 },
      finish_queue, 3, 4, NULL },
    { "mpsc unbounded, send 3, close x recv", setup_unbounded_alone,
      { send_3_close, recv_all_of_3 }, finish_queue, 3, 4, NULL },
    { "mpsc 1, send, send with a deadline x recv, try, close", setup_1_alone,
      { send_a_while, recv_try_close }, finish_queue, 2, 3, broken_deadline },
    { "mpsc 1, send 2, close x recv, close", setup_1_alone, { send_2_close, recv_1_close },
      finish_queue, 2, 3, NULL },
    { "mpsc 1, send 2, close x shut, recv", setup_1_alone, { send_2_late, recv_shut_recv },
      finish_queue, 2, 3, broken_shut },
    { "mpsc 2, try 2 x close", setup_2_alone, { try_2, close_rx }, finish_queue, EXPLORE_ALL,
      EXPLORE_ALL, NULL },
    { "mpsc 2, try 2 x try 3", setup_2_alone, { try_2, try_3 }, finish_queue, EXPLORE_ALL,
      EXPLORE_ALL, NULL },
    { "mpsc 1, send x send x recv", setup_1, { send_1_close, send_1_close, recv_all },
      finish_queue, 2, 3, NULL },
    { "mpsc 1, send 2 x send 2 x recv", setup_1, { send_2_close, send_2_close, recv_all },
      finish_queue, 1, 2, NULL },
    { "mpsc 2, try x try x recv", setup_2, { try_1, try_1, recv_2 }, finish_queue, 2, 3,
      broken_senders },
    { "mpsc 2, send 2 x send x recv", setup_2, { send_2_close, send_1_close, recv_all },
      finish_queue, 1, 2, NULL },
    { "mpsc unbounded, send 2 x send x recv", setup_unbounded,
      { send_2_close, send_1_close, recv_all }, finish_queue, 2, 2, NULL },
    { "mpsc 1, send 2 x send x recv, close", setup_1, { send_2, send_1, recv_1_close },
      finish_queue, 1, 2, NULL },
    { "mpsc 1, send 2 x send x try, shut, recv", setup_1,
      { send_2_close, send_1_close, recv_shut_recv }, finish_queue, 1, 2, NULL },
    { "mpsc 1, deadline x send x recv, try, close", setup_1,
      { send_a_while, send_1_close, recv_try_close }, finish_queue, 1, 2, NULL },
    { "mpsc unbounded, 2 blocks, send x send x recv", setup_block_end,
      { send_1, send_1, recv_block_end }, finish_block_end, 2, 2, broken_block },
    { 0 },
};
