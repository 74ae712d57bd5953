/* SPDX-License-Identifier: MIT */
/*
 * case_idle.c - sched/idle.c and steal.c: two workers of one runtime. What waits behind an
 * actor that does not end is found and run by the other worker, whatever that is just about to
 * do.
 */
#include "config.h"

#include "base/futex.h"
#include "explore/explore.h"
#include "explore/world.h"
#include "mem/alloc.h"
#include "sched/idle.h"

enum { STUCK, NEXT, N_ACTOR };

static struct world_worker *workers[2];
static struct tri_actor *actors[N_ACTOR];
static atomic_uint has_run[N_ACTOR];

static void wait_until_run(unsigned i)
{
    while (atomic_load(&has_run[i]) == 0)
        (void)tri_futex_wait(&has_run[i], 0, TR_NEVER);
}

/* In place of a handler: STUCK holds its worker until NEXT has run, and then ends both. */
static void run(struct tri_worker *w, struct tri_actor *a)
{
    const unsigned i = a == actors[STUCK] ? STUCK : NEXT;

    (void)w;
    if (i == STUCK)
        wait_until_run(NEXT);
    check(atomic_exchange(&has_run[i], 1) == 0);
    tri_futex_wake(&has_run[i], 1);
    if (i == STUCK)
        world_worker_stop(workers[0]);
}

static const struct tri_handler_fns fns = { .run = run };

static void setup(void)
{
    tri_worker_set_handler_fns(&fns);
    for (unsigned i = 0; i < 2; i++)
        workers[i] = world_worker_new(TRI_KIND_TASK, (uint16_t)(i + 1));
    world_worker_join(workers[0], workers[1]);
    for (unsigned i = 0; i < N_ACTOR; i++) {
        actors[i] = tri_mem_alloc(sizeof *actors[i]);
        atomic_init(&actors[i]->wakee.kind, TRI_KIND_HANDLER);
        atomic_init(&actors[i]->home, world_worker_of(workers[0]));
        atomic_init(&has_run[i], 0);
    }
}

static void finish(void)
{
    for (unsigned i = 0; i < N_ACTOR; i++) {
        check(atomic_load(&has_run[i]) == 1);
        free(actors[i]);
    }
    for (unsigned i = 0; i < 2; i++)
        world_worker_free(workers[i]);
}

/* Both become ready on their worker, which then runs them in this order. */
static void wake_both_and_work(void)
{
    world_worker_enter(workers[0]);
    tri_wake(&actors[STUCK]->wakee);
    tri_wake(&actors[NEXT]->wakee);
    world_worker_leave();
    world_worker_loop(workers[0]);
}

static void work(void)
{
    world_worker_loop(workers[1]);
}

/* ---- broken ---- */

static void request_unseen(struct explore_op *op)
{
    if (explore_is(op, "is_wanted", EXPLORE_LOAD))
        op->old = 0;
}

static void not_roused(struct explore_op *op)
{
    if (!explore_is(op, "tri_inbox_rouse", EXPLORE_CAS))
        return;
    op->ok = op->writes = false;
    op->old = 0; /* not asleep, for a compiler that compares for itself */
}

static void backlog_unseen(struct explore_op *op)
{
    /* The last look at the others' queues, after watching has gone. */
    if (explore_is(op, "tri_idle", EXPLORE_STORE) && op->next == 0)
        op->writes = false;
}

static const struct explore_broken broken[] = {
    { "a worker goes to sleep although it is to watch", request_unseen },
    { "who sleeps is not summoned", not_roused },
    { "a worker that gives up watching does not say so", backlog_unseen },
    { 0 },
};

const struct explore_case explore_idle_cases[] = {
    { "2 workers, one stuck, one idle", setup, { wake_both_and_work, work }, finish, 1, 3,
      broken },
    { 0 },
};
