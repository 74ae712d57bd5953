/* SPDX-License-Identifier: MIT */
/*
 * case_park.c - the pair of park and wake (sched/wakee.h, wait.h) for each kind of sleeper, at
 * the simplest source there is: a number that grows, and whom to wake then.
 */
#include "config.h"

#include <errno.h>

#include "explore/explore.h"
#include "explore/world.h"
#include "mem/alloc.h"
#include "sched/wait.h"

struct gate {
    atomic_uint n;
    struct tri_wakee *_Atomic waiter;
};

static struct gate *gate;
static struct world_worker *worker; /* NULL: the sleeper is a plain thread */
static uint64_t first_look; /* for one_look() */
static unsigned n_look;
static unsigned n_late;             /* waits that ended by their deadline */

static void setup_thread(void)
{
    gate = tri_mem_alloc(sizeof *gate);
    worker = NULL;
    n_late = n_look = 0;
}

static void setup_task(void)
{
    setup_thread();
    worker = world_worker_new(TRI_KIND_TASK, 1);
}

static void setup_movable(void)
{
    setup_thread();
    worker = world_worker_new(TRI_KIND_MOVABLE, 1);
}

static void finish(void)
{
    world_worker_free(worker);
    free(gate);
}

/* ---- the source; arm->when: what n has to reach ---- */

static bool attempt(tr_arm *arm)
{
    arm->result = 0;
    return atomic_load(&gate->n) >= (unsigned)arm->when;
}

static bool enroll(tr_arm *arm, struct tri_waiter *w)
{
    atomic_store(&gate->waiter, w->wakee);
    return !attempt(arm);
}

static bool withdraw(tr_arm *arm, struct tri_waiter *w)
{
    (void)arm;
    (void)w;
    atomic_store(&gate->waiter, NULL);
    return false;
}

static const struct tri_arm_ops ops = {
    .what = "gate", .attempt = attempt, .enroll = enroll, .withdraw = withdraw,
};

static void grow(void)
{
    struct tri_wakee *w;

    atomic_fetch_add(&gate->n, 1);
    w = atomic_exchange(&gate->waiter, NULL);
    if (w)
        tri_wake(w);
}

static int wait_for(unsigned n, tr_time deadline)
{
    tr_arm arm = { .ops = &ops, .when = n };

    return worker ? tri_wait(&arm, deadline) : tri_wait_blocking(&arm, deadline, NULL);
}

/* ---- threads ---- */

static void enter(void)
{
    if (worker)
        world_worker_enter(worker);
}

static void wait_twice(void)
{
    enter();
    check(wait_for(1, TR_NEVER) == 0);
    check(wait_for(2, TR_NEVER) == 0);
}

static void wait_for_both(void)
{
    enter();
    check(wait_for(2, TR_NEVER) == 0);
}

/* A second wait on the same word, after one that may have ended early. */
static void wait_a_while(void)
{
    enter();
    n_late += wait_for(1, TR_S(2)) == -ETIMEDOUT;
    check(wait_for(2, TR_NEVER) == 0);
}

static void wait_until_cancelled(void)
{
    int r;

    enter();
    r = wait_for(1, TR_NEVER);
    check(r == 0 || r == -ECANCELED);
    check(wait_for(2, TR_NEVER) == -ECANCELED);
}

static void grow_once(void)
{
    grow();
}

static void grow_twice(void)
{
    grow();
    grow();
}

static void grow_and_cancel(void)
{
    struct tri_wakee *w = world_worker_wakee(worker);

    grow();
    atomic_fetch_or(&w->word, TRI_CANCEL);
    tri_wake(w);
}

/* ---- broken ---- */

static void ready_stays(struct explore_op *op)
{
    if (explore_is(op, "take_in", EXPLORE_AND))
        op->writes = false;
}

static void woken_already(struct explore_op *op)
{
    if (explore_is(op, "tri_wake", EXPLORE_OR))
        op->old |= TRI_READY;
}

static void wake_first(struct explore_op *op)
{
    if (explore_is(op, "prepare", EXPLORE_AND))
        op->writes = false;
}

static void sleep_unseen(struct explore_op *op)
{
    if (op->kind == EXPLORE_WAIT)
        op->writes = true;
}

static void one_look(struct explore_op *op)
{
    /* The second look, after the waiter was stored, sees what the first one saw. */
    if (!explore_is(op, "attempt", EXPLORE_LOAD))
        return;
    if (n_look++ % 2 == 1)
        op->old = first_look;
    first_look = op->old;
}

static const struct explore_broken broken_thread[] = {
    { "READY is not taken away", wake_first },
    { "a wake takes the sleeper for woken", woken_already },
    { "the kernel does not compare the word", sleep_unseen },
    { "no second look after enrolling", one_look },
    { 0 },
};

static const struct explore_broken broken_task[] = {
    { "a request leaves READY on", ready_stays },
    { "a wake takes the sleeper for woken", woken_already },
    { 0 },
};

static const struct explore_broken broken_movable[] = {
    { "a wake takes the sleeper for woken", woken_already },
    { 0 },
};

const struct explore_case explore_park_cases[] = {
    { "park, thread, 2 wakes", setup_thread, { wait_twice, grow_twice }, finish, EXPLORE_ALL,
      EXPLORE_ALL, broken_thread },
    { "park, thread, 2 wakers", setup_thread, { wait_for_both, grow_once, grow_once }, finish,
      EXPLORE_ALL, EXPLORE_ALL, NULL },
    { "park, thread, deadline", setup_thread, { wait_a_while, grow_twice }, finish, EXPLORE_ALL,
      EXPLORE_ALL, NULL },
    { "park, task, 2 wakes", setup_task, { wait_twice, grow_twice }, finish, 3, 4,
      broken_task },
    { "park, task, 2 wakers", setup_task, { wait_for_both, grow_once, grow_once }, finish, 2, 3,
      NULL },
    { "park, task, deadline", setup_task, { wait_a_while, grow_twice }, finish, 3, 4, NULL },
    { "park, task, cancel", setup_task, { wait_until_cancelled, grow_and_cancel }, finish, 3,
      4, NULL },
    { "park, movable, 2 wakes", setup_movable, { wait_twice, grow_twice }, finish, 3,
      4, broken_movable },
    { "park, movable, 2 wakers", setup_movable, { wait_for_both, grow_once, grow_once }, finish,
      2, 3, NULL },
    { "park, movable, deadline", setup_movable, { wait_a_while, grow_twice }, finish, 3, 4,
      NULL },
    { 0 },
};
