/* SPDX-License-Identifier: MIT */
/*
 * case_ask.c - chan/ask.c and sched/gate.c: thread 0 asks, thread 1 replies. An answer is
 * received or handed back, whoever gives up first, and is written only where somebody waits for
 * it.
 */
#include "config.h"

#include <errno.h>

#include <troupe/ask.h>

#include "explore/explore.h"
#include "explore/ledger.h"
#include "explore/world.h"
#include "sched/gate.h"

TR_REPLY(answer, struct message);

struct question {
    answer reply;
};

static void question_drop(struct question *q)
{
    answer_close(&q->reply);
}

TR_MPSC(questions, struct question, question_drop);
TR_ASK(who, questions_tx, struct question, reply, answer);

static questions_tx tx;
static questions_rx rx;
static unsigned n_refused;

static void setup(void)
{
    ledger_begin();
    n_refused = 0;
    check(questions_new(2, &tx, &rx) == 0);
}

static void setup_task(void)
{
    setup();
    world_task(0, TRI_KIND_TASK, 1);
}

static void setup_movable(void)
{
    setup();
    world_task(0, TRI_KIND_MOVABLE, 1);
}

static void finish(void)
{
    questions_tx_close(&tx);
    questions_rx_close(&rx);
    world_finish();
    ledger_finish();
}

/* ---- the asker ---- */

static int ask_until(tr_time deadline)
{
    struct question q = { { { 0 } } };
    struct message m = { NULL };
    int r = world_is_task() ? who_ask(&tx, &q, deadline, &m)
                            : who_blocking_ask(&tx, &q, deadline, &m);

    check((r == 0) == (m.id != NULL));
    if (r == 0)
        message_got(&m);
    question_drop(&q); /* it may have come back */
    return r;
}

static void ask_1(void)
{
    world_enter();
    check(ask_until(TR_NEVER) == 0);
}

static void ask_in_vain(void)
{
    int r;

    world_enter();
    r = ask_until(TR_NEVER);
    check(r == -EOWNERDEAD || r == -EPIPE);
}

static void ask_a_while(void)
{
    int r;

    world_enter();
    r = ask_until(TR_S(2));
    check(r == 0 || r == -ETIMEDOUT);
}

/* The gate of the second question is that of the first, which may be answered late. */
static void ask_a_while_and_again(void)
{
    ask_a_while();
    check(ask_until(TR_NEVER) == 0);
}

static void ask_2(void)
{
    world_enter();
    check(ask_until(TR_NEVER) == 0);
    check(ask_until(TR_NEVER) == 0);
}

/* ---- the replier ---- */

static bool reply_k(unsigned k)
{
    struct question q;
    struct message m;
    bool was_wanted;
    int r = questions_blocking_recv(&rx, TR_NEVER, &q);

    check(r == 0);
    was_wanted = answer_is_wanted(&q.reply);
    m = message(k);
    r = answer_answer(&q.reply, &m);
    check(r == 0 || r == -EPIPE);
    check(r < 0 || was_wanted); /* it does not come back */
    message_sent(&m, r);
    return r == 0;
}

static void reply_1(void)
{
    (void)reply_k(1);
}

static void reply_2(void)
{
    (void)reply_k(1);
    check(reply_k(2));
}

static void drop_1(void)
{
    struct question q;

    check(questions_blocking_recv(&rx, TR_NEVER, &q) == 0);
    question_drop(&q);
}

static void drop_1_reply_1(void)
{
    drop_1();
    check(reply_k(1));
}

static void close_rx(void)
{
    questions_rx_close(&rx);
}

static void ask_in_vain_and_again(void)
{
    int r;

    world_enter();
    r = ask_until(TR_S(2));
    check(r == -EOWNERDEAD || r == -ETIMEDOUT);
    check(ask_until(TR_NEVER) == 0);
}

/* ---- broken ---- */

static void late_answer(struct explore_op *op)
{
    if (explore_is(op, "tri_gate_enter", EXPLORE_CAS))
        op->ok = op->writes = true;
}

static void shut_while_written(struct explore_op *op)
{
    /* The asker leaves although the replier is in his frame. */
    if (explore_is(op, "tri_gate_shut", EXPLORE_LOAD) &&
        (op->old & TRI_GATE_MASK) == TRI_GATE_WRITING)
        op->old = (op->old & ~(uint64_t)TRI_GATE_MASK) | TRI_GATE_OPEN;
    if (explore_is(op, "tri_gate_shut", EXPLORE_CAS))
        op->ok = op->writes = true;
}

static void relaxed_answer(struct explore_op *op)
{
    if (explore_is(op, "tri_gate_leave_as", EXPLORE_STORE))
        op->order = __ATOMIC_RELAXED;
}

static void woken_already(struct explore_op *op)
{
    if (explore_is(op, "tri_wake", EXPLORE_OR) || explore_is(op, "tri_wakee_here", EXPLORE_OR))
        op->old |= TRI_READY;
}

static const struct explore_broken broken[] = {
    { "answered in relaxed order", relaxed_answer },
    { "a wake takes the asker for woken", woken_already },
    { 0 },
};

static const struct explore_broken broken_late[] = {
    { "a replier enters without a look at the serial", late_answer },
    { "the asker leaves while the answer is written", shut_while_written },
    { 0 },
};

static const struct explore_broken broken_drop[] = {
    { "a late end drops a later question", late_answer },
    { 0 },
};

const struct explore_case explore_ask_cases[] = {
    { "ask x reply", setup, { ask_1, reply_1 }, finish, 3, 4, broken },
    { "ask x reply, in a task", setup_task, { ask_1, reply_1 }, finish, 2, 4, NULL },
    { "ask x reply, in a movable task", setup_movable, { ask_1, reply_1 }, finish, 2, 4, NULL },
    { "ask, ask x reply, reply", setup, { ask_2, reply_2 }, finish, 2, 3, NULL },
    { "ask with a deadline x reply", setup, { ask_a_while, reply_1 }, finish, 2, 3, NULL },
    { "ask with a deadline, ask x reply, reply", setup, { ask_a_while_and_again, reply_2 },
      finish, 2, 3, broken_late },
    { "ask with a deadline, ask x reply, reply in a task", setup_task,
      { ask_a_while_and_again, reply_2 }, finish, 1, 2, NULL },
    { "ask x drop", setup, { ask_in_vain, drop_1 }, finish, 3, 4, NULL },
    { "ask with a deadline, ask x drop, reply", setup, { ask_in_vain_and_again, drop_1_reply_1 },
      finish, 2, 3, broken_drop },
    { "ask x close", setup, { ask_in_vain, close_rx }, finish, 2, 4, NULL },
    { "ask x close, in a task", setup_task, { ask_in_vain, close_rx }, finish, 2, 3, NULL },
    { 0 },
};
