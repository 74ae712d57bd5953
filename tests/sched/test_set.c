/* SPDX-License-Identifier: MIT */
/*
 * test_set.c - a scope of a runtime on one thread as a set of tasks that stay there: where they run
 * and are dropped, whoever spawns, joins and wakes them, and when all have ended.
 */
#include "config.h"

#include <pthread.h>

#include "sched/kit.h"

TR_SUITE(set, .init = kit_listen, .timeout = 30);

enum { N = 50 };

static pthread_t own;
static atomic_uint n_ran, n_dropped, n_elsewhere;
static tr_notify go = TR_NOTIFY_INIT;

struct arg {
    bool there, waits;
    tr_scope *spawns_into;
    int depth;
};

static void arg_drop(struct arg *a)
{
    if (!a->there)
        return;
    atomic_fetch_add(&n_dropped, 1);
    atomic_fetch_add(&n_elsewhere, !pthread_equal(pthread_self(), own));
}

TR_TASK(member, struct arg, arg_drop);

static int member(struct arg *a)
{
    int r = 0;

    atomic_fetch_add(&n_ran, 1);
    atomic_fetch_add(&n_elsewhere, !pthread_equal(pthread_self(), own));
    for (int i = 0; i < 2 && a->depth > 0; i++) {
        struct arg more = { true, a->waits, a->spawns_into, a->depth - 1 };

        check_eq(member_spawn(a->spawns_into, &more, NULL), 0);
    }
    do
        r = a->waits ? tr_notify_wait(&go, TR_NEVER) : tr_yield();
    while (r == 0 && a->waits);
    atomic_fetch_add(&n_elsewhere, !pthread_equal(pthread_self(), own));
    return r;
}

static void on_one_thread(tr_run_fn *fn)
{
    own = pthread_self();
    run_with((struct tr_runtime_opts){ .current_thread = true }, fn, NULL);
    check_eq(atomic_load(&n_elsewhere), 0);
}

/* ---- where they run ---- */

static void *spawn_and_join(void *scope)
{
    struct arg a = { true, false, NULL, 0 };
    tr_task t = { NULL };
    int r = -1;

    check_eq(member_spawn(scope, &a, &(struct tr_task_opts){ .ret_task = &t }), 0);
    check_eq(tr_task_blocking_join(&t, TR_NEVER, &r), 0);
    check_eq(r, 0);
    return NULL;
}

static int spawned_from_elsewhere(tr_scope *root, void *arg)
{
    struct arg a = { true, false, NULL, 0 };
    pthread_t thread[4];

    (void)arg;
    check_eq(member_spawn(root, &a, NULL), 0);
    for (int i = 0; i < 4; i++)
        check_eq(pthread_create(&thread[i], NULL, spawn_and_join, root), 0);
    while (atomic_load(&n_dropped) < 5)
        check_eq(tr_sleep(tr_after(TR_US(100))), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(thread[i], NULL);
    return 0;
}

TR_TEST(set, its_tasks_run_and_are_dropped_on_its_thread_whoever_spawns_and_joins_them)
{
    on_one_thread(spawned_from_elsewhere);
    check_eq(atomic_load(&n_ran), 5);
}

/* ---- when it has ended ---- */

static int members_spawn_members(tr_scope *root, void *arg)
{
    tr_scope s TR_CLEANUP(tr_scope_end) = tr_scope_open(NULL);
    struct arg a = { true, false, &s, 5 }, b = { true, true, NULL, 0 };
    tr_task first = { NULL };

    (void)root, (void)arg;
    check_eq(member_spawn(&s, &b, NULL), 0);
    check_eq(member_spawn(&s, &a, &(struct tr_task_opts){ .ret_task = &first }), 0);
    check_eq(tr_task_join(&first, TR_NEVER, NULL), 0);
    check_ge(tr_scope_len(&s), 2, "one was joined, and the rest goes on");
    check_eq(tr_scope_join(&s, tr_after(TR_MS(20))), -ETIMEDOUT);
    check_eq(tr_scope_len(&s), 1, "also those that members spawned have ended");
    check_eq(atomic_load(&n_dropped), 63);
    tr_scope_end(&s);
    check_eq(atomic_load(&n_dropped), 64);
    return 0;
}

TR_TEST(set, it_has_ended_when_all_have_also_those_that_members_spawned)
{
    on_one_thread(members_spawn_members);
}

static atomic_bool over;

static void *wake_all_the_time(void *arg)
{
    (void)arg;
    while (!atomic_load(&over))
        tr_notify_all(&go);
    return NULL;
}

static int ended_under_wakes(tr_scope *root, void *arg)
{
    tr_scope s = tr_scope_open(NULL);
    pthread_t thread;

    (void)root, (void)arg;
    for (int i = 0; i < N; i++) {
        struct arg a = { true, true, NULL, 0 };

        check_eq(member_spawn(&s, &a, NULL), 0);
    }
    check_eq(pthread_create(&thread, NULL, wake_all_the_time, NULL), 0);
    while (atomic_load(&n_ran) < N / 2)
        check_eq(tr_yield(), 0);
    for (int i = 0; i < N; i++) { /* some that never ran */
        struct arg a = { true, true, NULL, 0 };

        check_eq(member_spawn(&s, &a, NULL), 0);
    }
    tr_scope_end(&s);
    check_eq(atomic_load(&n_dropped), 2 * N);
    atomic_store(&over, true);
    pthread_join(thread, NULL);
    return 0;
}

TR_TEST(set, its_end_drops_all_on_its_thread_while_others_wake_them)
{
    on_one_thread(ended_under_wakes);
}
