/* SPDX-License-Identifier: MIT */
/*
 * case_task.c - the end of a task, thread 0, in sched/task.c: against its handles, and against
 * wakes and aborts that are on their way to its record, which is freed once and not before.
 */
#include "config.h"

#include <errno.h>

#include <troupe/oneshot.h>
#include <troupe/task.h>

#include "explore/explore.h"
#include "explore/ledger.h"
#include "explore/world.h"
#include "sched/task.h"

TR_ONESHOT(one, struct message, message_drop);

static tr_task handle[EXPLORE_THREADS]; /* of thread 0, for the others */
static one_tx tx;
static one_rx rx;

static void begin(enum tri_wakee_kind kind, unsigned n_handle)
{
    ledger_begin();
    tx = (one_tx){ 0 };
    rx = (one_rx){ 0 };
    world_task(0, kind, 1);
    for (unsigned t = 0; t < EXPLORE_THREADS; t++) {
        handle[t] = (tr_task){ NULL };
        if (t > 0 && t <= n_handle)
            handle[t] = world_handle(0);
    }
}

static void setup(void)
{
    begin(TRI_KIND_TASK, 1);
}

static void setup_movable(void)
{
    begin(TRI_KIND_MOVABLE, 1);
}

/* The joiner is a task as well. */
static void setup_tasks(void)
{
    begin(TRI_KIND_TASK, 1);
    world_task(1, TRI_KIND_TASK, 2);
}

static void setup_2(void)
{
    begin(TRI_KIND_TASK, 2);
}

static void setup_2_movable(void)
{
    begin(TRI_KIND_MOVABLE, 2);
}

/* Thread 1 sends. */
static void setup_recv(void)
{
    begin(TRI_KIND_TASK, 0);
    check(one_new(&tx, &rx) == 0);
}

static void setup_recv_abort(void)
{
    setup_recv();
    handle[2] = world_handle(0);
}

static void finish(void)
{
    for (unsigned t = 0; t < EXPLORE_THREADS; t++)
        tr_task_close(&handle[t]);
    one_tx_close(&tx);
    one_rx_close(&rx);
    world_finish();
    ledger_finish();
}

/* ---- thread 0 ---- */

static void end(void)
{
    world_enter();
    world_end(7);
}

/* It has waited before: there may be requests. */
static void sleep_end(void)
{
    int r;

    world_enter();
    r = tr_sleep(TR_S(2));
    check(r == 0 || r == -ECANCELED);
    world_end(7);
}

static void recv_end(void)
{
    struct message m = { NULL };
    int r;

    world_enter();
    r = one_recv(&rx, TR_NEVER, &m);
    check(r == 0 || r == -ECANCELED);
    if (r == 0)
        message_got(&m);
    world_end(7);
}

static void recv_a_while_end(void)
{
    struct message m = { NULL };
    int r;

    world_enter();
    r = one_recv(&rx, TR_S(2), &m);
    check(r == 0 || r == -ETIMEDOUT);
    if (r == 0)
        message_got(&m);
    world_end(7);
}

/* ---- the others ---- */

static int join_until(tr_time deadline)
{
    tr_task *mine = &handle[explore_self()];
    int result = 0;
    int r = world_is_task() ? tr_task_join(mine, deadline, &result)
                            : tr_task_blocking_join(mine, deadline, &result);

    check(r == 0 ? result == 7 && !mine->rec : result == 0);
    return r;
}

static void join(void)
{
    world_enter();
    check(join_until(TR_NEVER) == 0);
}

static void join_a_while(void)
{
    int r;

    world_enter();
    r = join_until(TR_S(2));
    check(r == 0 || r == -ETIMEDOUT);
    if (r < 0)
        check(join_until(TR_NEVER) == 0);
}

/* Two may not wait at the same time: one of them is told so. */
static void join_or_not(void)
{
    int r = join_until(TR_NEVER);

    check(r == 0 || r == -EINVAL);
}

static void look_close(void)
{
    (void)tr_task_is_finished(&handle[explore_self()]);
    tr_task_close(&handle[explore_self()]);
}

static void abort_close(void)
{
    tr_task_abort(&handle[explore_self()]);
    tr_task_close(&handle[explore_self()]);
}

static void send_one(void)
{
    struct message m = message(1);

    message_sent(&m, one_send(&tx, &m));
}

/* ---- broken ---- */

static void ended_unseen(struct explore_op *op)
{
    if (explore_is(op, "join_enroll", EXPLORE_CAS))
        op->ok = op->writes = true;
}

static void relaxed_end(struct explore_op *op)
{
    if (explore_is(op, "finish", EXPLORE_EXCHANGE))
        op->order = __ATOMIC_RELAXED;
}

static void counted_wrong(struct explore_op *op)
{
    if (explore_is(op, "tri_task_unref", EXPLORE_SUB))
        op->old = 1;
}

static void request_unseen(struct explore_op *op)
{
    if (explore_is(op, "close_requests", EXPLORE_OR))
        op->old &= ~(uint64_t)TRI_READY;
}

static void requests_stay_open(struct explore_op *op)
{
    if (explore_is(op, "close_requests", EXPLORE_OR))
        op->writes = false;
}

static const struct explore_broken broken_join[] = {
    { "a joiner does not see that the task has ended", ended_unseen },
    { "the end is published in relaxed order", relaxed_end },
    { "a handle takes itself for the last one", counted_wrong },
    { 0 },
};

static const struct explore_broken broken_requests[] = {
    { "the record is freed while a request is on its way", request_unseen },
    { "READY stays away while the record is freed", requests_stay_open },
    { 0 },
};

const struct explore_case explore_task_cases[] = {
    { "task, end x join", setup, { end, join }, finish, 3, EXPLORE_ALL, broken_join },
    { "task, end x join in a task", setup_tasks, { end, join }, finish, 3, 4, NULL },
    { "task, end x join with a deadline, join", setup, { end, join_a_while }, finish, 3, 4, NULL },
    { "task, end x join x join", setup_2, { end, join_or_not, join_or_not }, finish, 2, 3, NULL },
    { "task, end x look, close x join", setup_2, { end, look_close, join }, finish, 2, 3, NULL },
    { "task, sleep, end x abort, close", setup, { sleep_end, abort_close }, finish, 3, 4, NULL },
    { "movable task, sleep, end x abort, close", setup_movable, { sleep_end, abort_close }, finish,
      3, 4, NULL },
    { "task, sleep, end x abort, close x join", setup_2, { sleep_end, abort_close, join }, finish,
      1, 2, NULL },
    { "movable task, sleep, end x abort, close x join", setup_2_movable,
      { sleep_end, abort_close, join }, finish, 1, 2, NULL },
    { "task, recv, end x send", setup_recv, { recv_end, send_one }, finish, 3, 4, NULL },
    { "task, recv with a deadline, end x send", setup_recv, { recv_a_while_end, send_one }, finish,
      3, 4, broken_requests },
    { "task, recv, end x send x abort, close", setup_recv_abort,
      { recv_end, send_one, abort_close }, finish, 1, 2, NULL },
    { 0 },
};
