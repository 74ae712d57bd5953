/* SPDX-License-Identifier: MIT */
/* case_oneshot.c - chan/oneshot.c: one value between two ends that leave in any order. */
#include "config.h"

#include <errno.h>

#include <troupe/oneshot.h>

#include "explore/explore.h"
#include "explore/ledger.h"
#include "explore/world.h"

TR_ONESHOT(one, struct message, message_drop);

static one_tx tx;
static one_rx rx;
static struct world_worker *worker; /* thread 1's; NULL: a plain thread */

static void setup(void)
{
    ledger_begin();
    worker = NULL;
    check(one_new(&tx, &rx) == 0);
}

static void setup_task(void)
{
    setup();
    worker = world_worker_new(TRI_KIND_TASK, 1);
}

static void finish(void)
{
    one_tx_close(&tx);
    one_rx_close(&rx);
    world_worker_free(worker);
    ledger_finish();
}

/* ---- thread 0: the sender ---- */

static void send_one(void)
{
    struct message m = message(1);

    message_sent(&m, one_send(&tx, &m));
}

static void close_tx(void)
{
    one_tx_close(&tx);
}

static void look_and_send(void)
{
    const bool closed = one_tx_is_closed(&tx);
    struct message m = message(1);
    int r = one_send(&tx, &m);

    check(!closed || r == -EPIPE);
    message_sent(&m, r);
}

/* ---- thread 1: the receiver ---- */

static int recv_one(tr_time deadline)
{
    struct message m = { NULL };
    int r;

    if (worker)
        world_worker_enter(worker);
    r = worker ? one_recv(&rx, deadline, &m) : one_blocking_recv(&rx, deadline, &m);
    if (r == 0)
        message_got(&m);
    return r;
}

static void recv_value(void)
{
    check(recv_one(TR_NEVER) == 0);
    check(recv_one(TR_NEVER) == -EPIPE);
    one_rx_close(&rx);
}

static void recv_end(void)
{
    check(recv_one(TR_NEVER) == -EPIPE);
    one_rx_close(&rx);
}

static void recv_a_while(void)
{
    int r = recv_one(TR_S(2));

    check(r == 0 || r == -ETIMEDOUT);
    one_rx_close(&rx);
}

static void recv_twice(void)
{
    int r = recv_one(TR_S(2));

    check(r == 0 || r == -ETIMEDOUT);
    check(recv_one(TR_NEVER) == (r == 0 ? -EPIPE : 0));
}

static void shut_and_recv(void)
{
    struct message m = { NULL };

    one_rx_shut(&rx);
    if (one_try_recv(&rx, &m) == 0)
        message_got(&m);
    check(one_try_recv(&rx, &m) == -EPIPE);
    one_rx_close(&rx);
}

static void try_and_close(void)
{
    struct message m = { NULL };
    int r = one_try_recv(&rx, &m);

    check(r == 0 || r == -EAGAIN || r == -EPIPE);
    if (r == 0)
        message_got(&m);
    one_rx_close(&rx);
}

static void close_rx(void)
{
    one_rx_close(&rx);
}

/* ---- the sender waits for the receiver's end: thread 1 is the task that sends ---- */

static void await_closed(void)
{
    struct message m;

    world_worker_enter(worker);
    check(one_closed(&tx, TR_NEVER) == 0);
    m = message(1);
    message_sent(&m, one_send(&tx, &m));
}

static void await_closed_a_while(void)
{
    struct message m;
    int r;

    world_worker_enter(worker);
    r = one_closed(&tx, TR_S(2));
    check(r == 0 || r == -ETIMEDOUT);
    m = message(1);
    message_sent(&m, one_send(&tx, &m));
}

static void shut_and_close(void)
{
    one_rx_shut(&rx);
    one_rx_close(&rx);
}

/* ---- broken ---- */

static void step_unseen(struct explore_op *op)
{
    if (explore_is(op, "step", EXPLORE_CAS))
        op->ok = op->writes = true;
}

static void park_unseen(struct explore_op *op)
{
    if (explore_is(op, "try_park", EXPLORE_CAS))
        op->ok = op->writes = true;
}

static void relaxed_leave(struct explore_op *op)
{
    if (explore_is(op, "step", EXPLORE_CAS))
        op->order = __ATOMIC_RELAXED;
}

static const struct explore_broken broken[] = {
    { "an end leaves by a plain store", step_unseen },
    { "the receiver parks by a plain store", park_unseen },
    { "an end leaves in relaxed order", relaxed_leave },
    { 0 },
};

static const struct explore_broken broken_close[] = {
    { "an end leaves by a plain store", step_unseen },
    { 0 },
};

const struct explore_case explore_oneshot_cases[] = {
    { "oneshot, send x recv", setup, { send_one, recv_value }, finish, EXPLORE_ALL, EXPLORE_ALL,
      broken },
    { "oneshot, send x recv in a task", setup_task, { send_one, recv_value }, finish, 3, 4,
      NULL },
    { "oneshot, close x recv", setup, { close_tx, recv_end }, finish, EXPLORE_ALL, EXPLORE_ALL,
      NULL },
    { "oneshot, send x recv with a deadline", setup, { send_one, recv_a_while }, finish,
      EXPLORE_ALL, EXPLORE_ALL, NULL },
    { "oneshot, send x recv, recv", setup, { send_one, recv_twice }, finish, EXPLORE_ALL,
      EXPLORE_ALL, NULL },
    { "oneshot, send x recv, recv in a task", setup_task, { send_one, recv_twice }, finish, 3,
      4, NULL },
    { "oneshot, send x shut, recv", setup, { send_one, shut_and_recv }, finish, EXPLORE_ALL,
      EXPLORE_ALL, NULL },
    { "oneshot, send x try, close", setup, { send_one, try_and_close }, finish, EXPLORE_ALL,
      EXPLORE_ALL, broken_close },
    { "oneshot, look, send x close", setup, { look_and_send, close_rx }, finish, EXPLORE_ALL,
      EXPLORE_ALL, NULL },
    { "oneshot, close x close", setup, { close_tx, close_rx }, finish, EXPLORE_ALL, EXPLORE_ALL,
      NULL },
    { "oneshot, shut, close x closed", setup_task, { shut_and_close, await_closed }, finish, 3,
      4, NULL },
    { "oneshot, shut, close x closed with a deadline", setup_task,
      { shut_and_close, await_closed_a_while }, finish, 3, 4, NULL },
    { 0 },
};
