/* SPDX-License-Identifier: MIT */
/* test_many.c - very many tasks, long chains and deep nests of them, and where each runs. */
#include "config.h"

#include <pthread.h>

#include "sched/kit.h"

TR_SUITE(many, .init = kit_listen, .timeout = 20);

static atomic_uint n_dropped, n_run;

struct arg {
    unsigned key; /* 0: empty */
    int result;
};

static void arg_drop(struct arg *a)
{
    if (a->key)
        atomic_fetch_add(&n_dropped, 1);
    a->key = 0;
}

/* ---- many, and deep ---- */

TR_TASK(count, struct arg, arg_drop);

static int count(struct arg *a)
{
    (void)a;
    atomic_fetch_add(&n_run, 1);
    return 0;
}

static int many(tr_scope *root, void *unused)
{
    enum { MANY = 100000 };

    (void)unused;
    for (unsigned i = 0; i < MANY; i++) {
        struct arg a = { i + 1, 0 };

        if (count_spawn(root, &a, NULL) < 0)
            return -ENOMEM;
    }
    check_eq(tr_scope_join(root, TR_NEVER), 0);
    check_eq(tr_scope_len(root), 0);
    check_eq(n_run, MANY);
    check_eq(n_dropped, MANY);
    return 0;
}

TR_TEST(many, a_hundred_thousand_tasks_each_run_once, .timeout = 60)
{
    run_with((struct tr_runtime_opts){ .n_worker = 1 }, many, NULL);
}

TR_TEST(many, a_hundred_thousand_tasks_each_run_once_on_two_workers, .timeout = 60)
{
    run_with((struct tr_runtime_opts){ .n_worker = 2 }, many, NULL);
}

static tr_scope *chain_scope;

TR_TASK(link, struct arg, arg_drop);

static int link(struct arg *a)
{
    struct arg next = { a->key, a->result - 1 };

    atomic_fetch_add(&n_run, 1);
    return a->result > 0 ? link_spawn(chain_scope, &next, NULL) : 0;
}

ACTOR_TEST(many, a_chain_of_spawns_reaches_its_end)
{
    struct arg a = { 1, 20000 };

    chain_scope = root;
    need_eq(link_spawn(root, &a, NULL), 0);
    need_eq(tr_scope_join(root, TR_NEVER), 0);
    check_eq(n_run, 20001);
    check_eq(n_dropped, 20001);
}

TR_TASK(nest, struct arg, arg_drop);

static int nest(struct arg *a)
{
    struct arg next = { a->key, a->result - 1 };
    tr_scope s TR_CLEANUP(tr_scope_end) = tr_scope_open(NULL);

    atomic_fetch_add(&n_run, 1);
    if (a->result == 0)
        return -EXDEV; /* travels up through every scope */
    if (nest_spawn(&s, &next, NULL) < 0)
        return -ENOMEM;
    return tr_scope_join(&s, TR_NEVER);
}

STEP_TEST(many, a_failure_travels_up_through_nested_scopes)
{
    struct arg a = { 1, 500 };
    tr_task t;
    int result = 0;

    need_eq(nest_spawn(root, &a, &(struct tr_task_opts){ .ret_task = &t }), 0);
    need_eq(tr_task_join(&t, TR_NEVER, &result), 0);
    check_eq(result, -EXDEV);
    check_eq(n_run, 501);
    check_eq(n_told[TR_EVENT_FAILED], 0, "each was asked for");
}

/* ---- stacks and threads ---- */

static uintptr_t stack_page[2];

TR_TASK(where, struct arg, arg_drop);

static int where(struct arg *a)
{
    stack_page[a->key - 1] = (uintptr_t)__builtin_frame_address(0) >> 12;
    return 0;
}

STEP_TEST(many, the_next_task_has_the_stack_of_the_one_that_ended)
{
    for (unsigned key = 1; key <= 2; key++) {
        struct arg a = { key, 0 };

        need_eq(where_spawn(root, &a, NULL), 0);
        need_eq(tr_scope_join(root, TR_NEVER), 0);
    }
    check_eq(stack_page[0], stack_page[1]);
}

static int *address_of_errno(void)
{
    int *(*volatile fn)(void) = __errno_location; /* asked anew each time */

    return fn();
}

TR_TASK(stays, struct arg, arg_drop);

static int stays(struct arg *a)
{
    int *mine = address_of_errno();
    int index = tr_worker_index();

    for (unsigned i = 0; i < 200; i++) {
        if (i % 3 ? tr_yield() : tr_sleep(tr_after(TR_US(10 * a->key))) < 0)
            return -ECANCELED;
        check_eq(address_of_errno(), mine, "a started task stays on its thread");
        check_eq(tr_worker_index(), index);
    }
    return 0;
}

static int spread_out(tr_scope *root, void *unused)
{
    (void)unused;
    for (unsigned i = 0; i < 24; i++) {
        struct arg a = { i + 1, 0 };
        struct tr_task_opts opts = { .flags = i % 2 ? TR_TASK_SPREAD : 0 };

        if (!check_eq(stays_spawn(root, &a, &opts), 0))
            return -ENOMEM;
    }
    return tr_scope_join(root, TR_NEVER);
}

TR_TEST(many, a_started_task_keeps_its_thread)
{
    run_with((struct tr_runtime_opts){ .n_worker = 2 }, spread_out, NULL);
}

TR_TEST(many, a_call_that_fails_leaves_errno_alone)
{
    errno = E2BIG;
    check_eq(tr_yield(), -EPERM);
    check_eq(errno, E2BIG);
}

static atomic_uint n_on[2], n_started;

TR_TASK(meet, struct arg, arg_drop);

/* Holds its worker until its partner runs: only two workers can do that. */
static int meet(struct arg *a)
{
    (void)a;
    atomic_fetch_add(&n_on[tr_worker_index() == 1], 1);
    atomic_fetch_add(&n_started, 1);
    while (atomic_load(&n_started) < 2)
        ;
    return 0;
}

static int two_meet(tr_scope *root, void *arg)
{
    const struct tr_task_opts opts = { .flags = *(unsigned *)arg };

    for (unsigned i = 0; i < 2; i++) {
        struct arg a = { 1, 0 };

        if (!check_eq(meet_spawn(root, &a, &opts), 0))
            return -ENOMEM;
    }
    check_eq(tr_scope_join(root, TR_NEVER), 0);
    check_eq(n_on[0], 1);
    check_eq(n_on[1], 1);
    return 0;
}

TR_TEST(many, tasks_that_spread_start_on_different_workers)
{
    run_with((struct tr_runtime_opts){ .n_worker = 2 }, two_meet,
             &(unsigned){ TR_TASK_SPREAD });
}

/* ---- what lies in the inbox of a worker that is stuck ---- */

static atomic_bool has_run;

TR_TASK(release, struct arg, arg_drop);

static int release(struct arg *a)
{
    (void)a;
    check_eq(tr_worker_index(), 1);
    atomic_store(&has_run, true);
    return 0;
}

struct knock {
    int op;
};
struct gate {
    int n;
};
TR_HANDLER(gate, struct gate, struct knock, tr_nodrop, tr_nodrop);

static int gate(struct gate *self, struct knock *m)
{
    if (m->op == 0) { /* before the root is stuck */
        self->n++;
        return 0;
    }
    check_eq(tr_worker_index(), 1);
    check_eq(self->n, 1);
    atomic_store(&has_run, true);
    return tr_handler_stop();
}

static gate_ref gate_of_root;

static void *spawn_from_outside(void *scope)
{
    struct arg a = { 1, 0 };

    check_eq(release_spawn(scope, &a, NULL), 0);
    return NULL;
}

static void *knock_from_outside(void *scope)
{
    (void)scope;
    check_eq(gate_try_send(&gate_of_root, &(struct knock){ 1 }), 0);
    return NULL;
}

/* Holds worker 0, to whose inbox the other thread pushes, until what was pushed has run. */
static int hold_worker(tr_scope *root, void *(*from_outside)(void *))
{
    pthread_t thread;

    atomic_store(&has_run, false);
    check_eq(tr_sleep(tr_after(TR_MS(1))), 0); /* from the first idle moment on it is watched */
    if (pthread_create(&thread, NULL, from_outside, root) != 0)
        return -ENOMEM;
    while (!atomic_load(&has_run))
        ;
    pthread_join(thread, NULL);
    return 0;
}

static int stuck_before_a_task(tr_scope *root, void *unused)
{
    (void)unused;
    return hold_worker(root, spawn_from_outside);
}

static int stuck_before_a_handler(tr_scope *root, void *unused)
{
    struct gate self = { 0 };
    int r;

    (void)unused;
    if (!check_eq(gate_spawn(root, &self, NULL, &gate_of_root), 0))
        return -ENOMEM;
    check_eq(gate_try_send(&gate_of_root, &(struct knock){ 0 }), 0);
    r = hold_worker(root, knock_from_outside);
    gate_ref_close(&gate_of_root);
    return r;
}

TR_TEST(many, a_task_in_the_inbox_of_a_stuck_worker_is_stolen)
{
    run_with((struct tr_runtime_opts){ .n_worker = 2 }, stuck_before_a_task, NULL);
}

TR_TEST(many, a_handler_in_the_inbox_of_a_stuck_worker_is_stolen)
{
    run_with((struct tr_runtime_opts){ .n_worker = 2 }, stuck_before_a_handler, NULL);
}

TR_TEST(many, an_unstarted_task_behind_a_stuck_one_is_stolen)
{
    run_with((struct tr_runtime_opts){ .n_worker = 2 }, two_meet, &(unsigned){ 0 });
}

TR_TASK(yields, struct arg, arg_drop);

static int yields(struct arg *a)
{
    for (unsigned i = 0; i < 300; i++)
        if ((i + a->key) % 7 ? tr_yield() : tr_sleep(tr_after(TR_US(30))) < 0)
            return -ECANCELED;
    atomic_fetch_add(&n_run, 1);
    return 0;
}

static int movable(tr_scope *root, void *unused)
{
    const struct tr_task_opts opts = { .flags = TR_TASK_MOVABLE };

    (void)unused;
    for (unsigned i = 0; i < 40; i++) {
        struct arg a = { i + 1, 0 };

        if (!check_eq(yields_spawn(root, &a, &opts), 0))
            return -ENOMEM;
    }
    check_eq(tr_scope_join(root, TR_NEVER), 0);
    check_eq(n_run, 40);
    return 0;
}

TR_TEST(many, movable_tasks_come_to_their_end)
{
    for (unsigned i = 0; i < repeats(); i++) {
        atomic_store(&n_run, 0);
        run_with((struct tr_runtime_opts){ .n_worker = 2 }, movable, NULL);
    }
}
