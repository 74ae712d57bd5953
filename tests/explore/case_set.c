/* SPDX-License-Identifier: MIT */
/*
 * case_set.c - combine/select_set.c: thread 0, a task, has the receiving ends of two channels
 * in a set; the others send. No message and no end is missed, whichever relay is woken when,
 * and a relay that is removed may still be woken.
 */
#include "config.h"

#include <errno.h>

#include <troupe/mpsc.h>
#include <troupe/select.h>

#include "explore/explore.h"
#include "explore/ledger.h"
#include "explore/world.h"

enum { N_CHANNEL = 2 };

TR_MPSC(queue, struct message, message_drop);

static queue_tx tx[N_CHANNEL]; /* of threads 1 and 2 */
static queue_rx rx[N_CHANNEL];
static struct message into[N_CHANNEL];
static tr_select_set set;
static uint64_t keys[N_CHANNEL];

static void begin(enum tri_wakee_kind kind)
{
    ledger_begin();
    check(tr_select_set_new(&set) == 0);
    for (unsigned i = 0; i < N_CHANNEL; i++) {
        into[i] = (struct message){ NULL };
        check(queue_new(1, &tx[i], &rx[i]) == 0);
    }
    world_task(0, kind, 1);
}

static void add(unsigned i)
{
    tr_arm arm = queue_recv_arm(&rx[i], &into[i]);

    check(tr_select_set_add(&set, &arm, i == 0 ? TR_SELECT_FIRST : 0, &rx[i], &keys[i]) == 0);
}

static void setup_1(void)
{
    begin(TRI_KIND_TASK);
    add(0);
    queue_tx_close(&tx[1]);
}

static void setup_1_movable(void)
{
    begin(TRI_KIND_MOVABLE);
    add(0);
    queue_tx_close(&tx[1]);
}

static void setup_2(void)
{
    begin(TRI_KIND_TASK);
    add(0);
    add(1);
}

static void finish(void)
{
    for (unsigned i = 0; i < N_CHANNEL; i++) {
        queue_tx_close(&tx[i]);
        queue_rx_close(&rx[i]);
    }
    world_finish();
    ledger_finish();
}

/* ---- thread 0 ---- */

/* Until the deadline, or one of the channels has something. */
static int wait_until(tr_time deadline)
{
    struct tr_selected got;
    unsigned i;
    int r = tr_select_set_wait(&set, deadline, &got);

    if (r < 0)
        return r;
    i = got.data == &rx[1];
    check(got.key == keys[i] && got.data == &rx[i]);
    if (got.result == 0)
        message_got(&into[i]);
    else
        check(got.result == -EPIPE && tr_select_set_remove(&set, got.key) == 0);
    return 0;
}

static void recv_all(void)
{
    world_enter();
    while (tr_select_set_len(&set) > 0)
        check(wait_until(TR_NEVER) == 0);
    tr_select_set_close(&set);
}

static void recv_a_while(void)
{
    int r;

    world_enter();
    r = wait_until(TR_S(2));
    check(r == 0 || r == -ETIMEDOUT);
    tr_select_set_close(&set);
}

static void remove_and_recv(void)
{
    int r;

    world_enter();
    r = wait_until(TR_S(2));
    check(r == 0 || r == -ETIMEDOUT);
    r = tr_select_set_remove(&set, keys[0]);
    check(r == 0 || r == -ENOENT);
    while (tr_select_set_len(&set) > 0)
        check(wait_until(TR_NEVER) == 0);
    tr_select_set_close(&set);
}

/* ---- threads 1 and 2 ---- */

static void send_n(unsigned n)
{
    queue_tx *mine = &tx[explore_self() - 1];

    for (unsigned k = 1; k <= n; k++) {
        struct message m = message(k);
        int r = queue_try_send(mine, &m);

        check(r == 0 || r == -EAGAIN || r == -EPIPE);
        message_sent(&m, r);
    }
    queue_tx_close(mine);
}

static void send_2(void)
{
    send_n(2);
}

static void send_1(void)
{
    send_n(1);
}

/* ---- broken ---- */

static void pushed_by_store(struct explore_op *op)
{
    if (explore_is(op, "woken", EXPLORE_CAS))
        op->ok = op->writes = true;
}

static void no_second_look(struct explore_op *op)
{
    if (explore_is(op, "park", EXPLORE_LOAD))
        op->old = 0;
}

static void ready_stays(struct explore_op *op)
{
    if (explore_is(op, "take_ready", EXPLORE_AND))
        op->writes = false;
}

static void push_unseen(struct explore_op *op)
{
    /* A member is freed although somebody is about to push it. */
    if (explore_is(op, "disarm", EXPLORE_OR))
        op->old &= ~(uint64_t)TRI_READY;
}

static const struct explore_broken broken_1[] = {
    { "no second look after the owner was stored", no_second_look },
    { "READY of a relay stays on", ready_stays },
    { 0 },
};

static const struct explore_broken broken_remove[] = {
    { "a member is freed before its push has come", push_unseen },
    { 0 },
};

static const struct explore_broken broken_2[] = {
    { "a relay is pushed by a plain store", pushed_by_store },
    { 0 },
};

const struct explore_case explore_set_cases[] = {
    { "set of 1, recv x send 2, close", setup_1, { recv_all, send_2 }, finish, 2, 3, broken_1 },
    { "set of 1, recv in a movable task x send 2, close", setup_1_movable, { recv_all, send_2 },
      finish, 2, 3, NULL },
    { "set of 1, recv with a deadline x send, close", setup_1, { recv_a_while, send_1 }, finish,
      2, 3, broken_remove },
    { "set of 2, recv x send, close x send, close", setup_2, { recv_all, send_1, send_1 }, finish,
      1, 2, broken_2 },
    { "set of 2, recv with a deadline, remove, recv x send, close x send, close", setup_2,
      { remove_and_recv, send_1, send_1 }, finish, 1, 2, NULL },
    { 0 },
};
