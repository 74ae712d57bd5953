/* SPDX-License-Identifier: MIT */
/*
 * case_mpsc_wait.c - chan/mpsc between tasks of several workers: parking and requests by inbox,
 * receiving without a fence, select. As a mailbox: case_handler.c.
 */
#include "config.h"

#include "explore/mpsc.h"

static void setup_tasks_1(void)
{
    setup_tasks(1, TRI_KIND_TASK, 2);
    queue_tx_close(&tx[1]);
}

static void setup_tasks_2(void)
{
    setup_tasks(2, TRI_KIND_TASK, 2);
    queue_tx_close(&tx[1]);
}

static void setup_movable_1(void)
{
    setup_tasks(1, TRI_KIND_MOVABLE, 2);
    queue_tx_close(&tx[1]);
}

/* A receiving task, thread 1, and a plain thread that sends. */
static void setup_mixed_1(void)
{
    setup_queue(1);
    workers[1] = world_worker_new(TRI_KIND_TASK, 1);
    queue_tx_close(&tx[1]);
}

static void setup_tasks_3(void)
{
    setup_tasks(1, TRI_KIND_TASK, 3);
}

/* ---- threads ---- */

static void send_2_close(void)
{
    enter();
    send_k(1);
    send_k(2);
    close_mine();
}

static void send_1_close(void)
{
    enter();
    send_k(1);
    close_mine();
}

static void recv_all_of_2(void)
{
    enter();
    recv_to_end();
    check_received(0, 2);
    queue_rx_close(&rx);
}

static void recv_all(void)
{
    enter();
    recv_to_end();
    queue_rx_close(&rx);
}

static void recv_1_close(void)
{
    enter();
    check(recv_until(TR_NEVER) == 0);
    queue_rx_close(&rx);
}

static void recv_some(void)
{
    struct message m[2] = { { NULL }, { NULL } };
    ssize_t n;

    enter();
    while ((n = queue_recv_many(&rx, 2, TR_NEVER, m)) > 0)
        for (ssize_t i = 0; i < n; i++)
            message_got(&m[i]);
    check(n == -EPIPE);
    queue_rx_close(&rx);
}

static void recv_a_while(void)
{
    int r;

    enter();
    r = recv_until(TR_S(2));
    check(r == 0 || r == -ETIMEDOUT);
    recv_to_end();
    queue_rx_close(&rx);
}

/* Two arms: the channel, and a deadline that may come at any moment. */
static void select_recv(void)
{
    int r;

    enter();
    do {
        struct message m = { NULL };
        tr_arm arms[] = { queue_recv_arm(&rx, &m), tr_deadline_arm(TR_S(2)) };

        r = tr_select_first(TR_NEVER, arms, 2);
        check(r == 0 || r == 1);
        if (r == 0 && arms[0].result == 0)
            message_got(&m);
        else if (r == 0)
            break;
    } while (r == 0);
    queue_rx_close(&rx);
}

static void select_send(void)
{
    struct message m;
    tr_arm arms[2];
    int r;

    enter();
    send_k(1);
    m = message(2);
    arms[0] = queue_send_arm(&tx[0], &m);
    arms[1] = tr_deadline_arm(TR_S(2));
    r = tr_select_first(TR_NEVER, arms, 2);
    check(r == 0 || r == 1);
    message_sent(&m, r == 0 ? arms[0].result : -ETIMEDOUT);
    close_mine();
}

/* ---- broken ---- */

static void not_notified(struct explore_op *op)
{
    if (explore_is(op, "tri_wakee_here", EXPLORE_STORE) && op->next == 1)
        op->writes = false;
}

static void request_stays(struct explore_op *op)
{
    if (explore_is(op, "take_in", EXPLORE_AND))
        op->writes = false;
}

static void parked_unseen(struct explore_op *op)
{
    if (explore_is(op, "take_in", EXPLORE_LOAD))
        op->old = 0;
}

static void no_poke(struct explore_op *op)
{
    if (explore_is(op, "tri_inbox_push_chain", EXPLORE_CAS))
        op->ok = op->writes = true; /* over the sleep mark, unseen */
}

static const struct explore_broken broken_tasks[] = {
    { "a wake on the own thread leaves no note", not_notified },
    { "a request leaves READY on", request_stays },
    { "the worker takes a parked task for a running one", parked_unseen },
    { "a push to the inbox does not see the worker asleep", no_poke },
    { 0 },
};

const struct explore_case explore_mpsc_wait_cases[] = {
    { "mpsc 1, tasks, send 2, close x recv", setup_tasks_1, { send_2_close, recv_all_of_2 },
      finish_queue, 2, 3, broken_tasks },
    { "mpsc 2, tasks, send 2, close x recv", setup_tasks_2, { send_2_close, recv_all_of_2 },
      finish_queue, 2, 3, NULL },
    { "mpsc 1, movable tasks, send 2, close x recv", setup_movable_1,
      { send_2_close, recv_all_of_2 }, finish_queue, 2, 3, NULL },
    { "mpsc 1, thread sends 2, close x task recv", setup_mixed_1,
      { send_2_close, recv_all_of_2 }, finish_queue, 2, 3, NULL },
    { "mpsc 1, tasks, send 2, close x recv with a deadline", setup_tasks_1,
      { send_2_close, recv_a_while }, finish_queue, 1, 3, NULL },
    { "mpsc 1, tasks, send 2, close x recv, close", setup_tasks_1,
      { send_2_close, recv_1_close }, finish_queue, 2, 3, NULL },
    { "mpsc 2, tasks, send 2, close x recv many", setup_tasks_2, { send_2_close, recv_some },
      finish_queue, 2, 3, NULL },
    { "mpsc 1, tasks, send 2, close x select recv", setup_tasks_1, { send_2_close, select_recv },
      finish_queue, 1, 3, NULL },
    { "mpsc 1, tasks, select send x recv", setup_tasks_1, { select_send, recv_all },
      finish_queue, 1, 3, NULL },
    { "mpsc 1, tasks, send 2 x send x recv", setup_tasks_3,
      { send_2_close, send_1_close, recv_all }, finish_queue, 1, 2, NULL },
    { 0 },
};
