/* SPDX-License-Identifier: MIT */
/* test_movable.c - tasks that change workers: what they leave behind, and when they may be taken. */
#include "config.h"

#include "sched/kit.h"

TR_SUITE(movable, .init = kit_listen, .timeout = 20);

static const struct tr_runtime_opts two_workers = { .n_worker = 2 };

struct none {
    unsigned key;
};

/* ---- started here, ended there ---- */

enum { N_WANDERER = 64, N_SETTLER = 256 };

static atomic_uint n_begun, n_ended;
static atomic_bool leave;

TR_TASK(wanderer, struct none, tr_nodrop);

static int wanderer(struct none *arg)
{
    (void)arg;
    atomic_fetch_add(&n_begun, 1);
    while (!atomic_load(&leave))
        if (tr_yield() < 0)
            return -ECANCELED;
    atomic_fetch_add(&n_ended, 1);
    return 0;
}

TR_TASK(settler, struct none, tr_nodrop);

static int settler(struct none *arg)
{
    (void)arg;
    for (unsigned i = 0; i < 3; i++)
        if (tr_yield() < 0)
            return -ECANCELED;
    return 0;
}

static int wander_then_settle(tr_scope *root, void *unused)
{
    static tr_task settlers[N_SETTLER];

    (void)unused;
    for (unsigned i = 0; i < N_WANDERER; i++)
        check_eq(wanderer_spawn(root, &(struct none){ 1 },
                               &(struct tr_task_opts){ .flags = TR_TASK_MOVABLE }),
                0);
    while (atomic_load(&n_begun) < N_WANDERER)
        check_eq(tr_yield(), 0);
    atomic_store(&leave, true);
    while (atomic_load(&n_ended) < N_WANDERER - 1)
        ; /* we hold our worker: they end on the other one, but the one who made way for us */
    for (unsigned i = 0; i < N_SETTLER; i++)
        check_eq(settler_spawn(root, &(struct none){ 1 },
                              &(struct tr_task_opts){ .flags = TR_TASK_SPREAD,
                                                      .ret_task = &settlers[i] }),
                0);
    for (unsigned i = 0; i < N_SETTLER; i++) {
        int result = 77;

        check_eq(tr_task_join(&settlers[i], TR_NEVER, &result), 0);
        check_eq(result, 0);
    }
    return 0;
}

TR_TEST(movable, tasks_that_end_elsewhere_leave_room_for_those_that_start_there)
{
    run_with(two_workers, wander_then_settle, NULL);
}
