/* SPDX-License-Identifier: MIT */
/*
 * case_ask_arm.c - sched/gate.h under chan/ask_arm.c: an answer ends once, with its asker,
 * whole, or with the replier; a select hears of it; and the place is the asker's after the end.
 */
#include "config.h"

#include <errno.h>

#include <troupe/ask.h>

#include "explore/explore.h"
#include "explore/world.h"
#include "mem/alloc.h"
#include "sched/gate.h"

struct answer {
    uint64_t a, b; /* b is ~a; a 0: empty */
};

static struct tri_gate *gate;       /* of this run */
static struct world_worker *worker; /* the asker's: thread 0 */
static struct tri_wakee nobody = { .kind = TRI_KIND_THREAD, .word = TRI_READY };
static struct answer *place, got;
static tr_question question;
static tr_reply reply;
static int given; /* what the replier was told */

/* ---- begin and end ---- */

static void setup(void)
{
    worker = world_worker_new(TRI_KIND_TASK, 1);
    gate = tri_gate_get(&nobody);
    place = tri_mem_alloc(sizeof *place);
    got = (struct answer){ 0, 0 };
    given = 1;
    question = (tr_question){ gate };
    reply = (tr_reply){ gate, tri_gate_open(gate, place) };
}

static void finish(void)
{
    (void)tr_ask_end(&question);
    tr_reply_close(&reply);
    world_gates_free();
    free(place);
    world_worker_free(worker);
    check((given == 0) == (got.a == 7));
    check(got.a == 0 || got.b == ~got.a);
}

/* ---- thread 0: the asker ---- */

static int wait_until(tr_time deadline)
{
    tr_arm arm = tr_ask_arm(&question);
    int r = tr_select_first(deadline, &arm, 1);

    return r < 0 ? r : arm.result;
}

/* The place is ours again: nobody writes there any more. */
static void take(bool there)
{
    if (there)
        got = *place;
    *place = (struct answer){ 1, 1 };
}

static void select_once(void)
{
    int r;

    world_worker_enter(worker);
    r = wait_until(TR_NEVER);
    check(r == 0 || r == -EOWNERDEAD);
    take(r == 0);
}

static void select_a_while(void)
{
    int r;

    world_worker_enter(worker);
    r = wait_until(TR_S(2));
    check(r == 0 || r == -EOWNERDEAD || r == -ETIMEDOUT);
    take(r == -ETIMEDOUT ? tr_ask_end(&question) : r == 0);
}

static void select_twice(void)
{
    int r;

    world_worker_enter(worker);
    r = wait_until(TR_S(2));
    if (r == -ETIMEDOUT)
        r = wait_until(TR_NEVER);
    check(r == 0);
    take(true);
}

static void end(void)
{
    take(tr_ask_end(&question));
}

/* ---- thread 1: the replier ---- */

static void answer(void)
{
    struct answer v = { 7, ~(uint64_t)7 };

    given = tr_reply_answer(&reply, &v, sizeof v);
    check(given == 0 || given == -EPIPE);
    check(v.a == (given == 0 ? 0 : 7));
}

static void drop(void)
{
    tr_reply_close(&reply);
}

/* ---- broken ---- */

static void no_second_look(struct explore_op *op)
{
    /* The asker sleeps although somebody has entered since it looked. */
    if (explore_is(op, "tri_gate_await", EXPLORE_CAS))
        op->ok = true;
}

static void old_wakee(struct explore_op *op)
{
    /* Who enters wakes the one who waited when the gate was opened. */
    if (explore_is(op, "tri_gate_leave_as", EXPLORE_LOAD))
        op->old = (uint64_t)(uintptr_t)&nobody;
}

static void relaxed_answer(struct explore_op *op)
{
    if (explore_is(op, "tri_gate_leave_as", EXPLORE_STORE))
        op->order = __ATOMIC_RELAXED;
}

static void late_entry(struct explore_op *op)
{
    /* The replier enters a gate that has been shut. */
    if (explore_is(op, "tri_gate_enter", EXPLORE_CAS))
        op->ok = true;
}

static const struct explore_broken broken_select[] = {
    { "the asker does not look again", no_second_look },
    { "the wakee of before", old_wakee },
    { "the answer is shown in relaxed order", relaxed_answer },
    { 0 },
};

static const struct explore_broken broken_end[] = {
    { "an answer after the end", late_entry },
    { 0 },
};

const struct explore_case explore_ask_arm_cases[] = {
    { "question, select x answer", setup, { select_once, answer }, finish, EXPLORE_ALL, EXPLORE_ALL,
      broken_select },
    { "question, select x drop", setup, { select_once, drop }, finish, EXPLORE_ALL, EXPLORE_ALL,
      NULL },
    { "question, select with a deadline, end x answer", setup, { select_a_while, answer }, finish,
      3, 4, NULL },
    { "question, select with a deadline, end x drop", setup, { select_a_while, drop }, finish, 3,
      4, NULL },
    { "question, select with a deadline, select x answer", setup, { select_twice, answer }, finish,
      3, 4, NULL },
    { "question, end x answer", setup, { end, answer }, finish, EXPLORE_ALL, EXPLORE_ALL,
      broken_end },
    { 0 },
};
