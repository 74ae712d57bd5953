/* SPDX-License-Identifier: MIT */
/*
 * test_set.c - a scope of a runtime on one thread as a set of tasks that stay there: where they
 * run and are dropped, whoever spawns, joins and wakes them, and when all have ended.
 */
#include "config.h"

#include <pthread.h>

#include "mem/alloc.h"
#include "sched/kit.h"
#include "sched/scope.h"

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
    struct arg a = { true, false, &s, 5 }, b = { true, true, NULL, 0 }, c = a;
    tr_task first = { NULL };

    (void)root, (void)arg;
    check_eq(member_spawn(&s, &b, NULL), 0);
    check_eq(member_spawn(&s, &a, &(struct tr_task_opts){ .ret_task = &first }), 0);
    check_eq(tr_task_join(&first, TR_NEVER, NULL), 0);
    check_ge(tr_scope_len(&s), 1, "one was joined, and the rest goes on");
    check_eq(tr_scope_join(&s, TR_NOW), -ETIMEDOUT);
    while (atomic_load(&n_dropped) < 63)
        check_eq(tr_yield(), 0);
    check_eq(tr_scope_len(&s), 1);
    tr_scope_end(&s);
    check_eq(atomic_load(&n_dropped), 64);
    check_eq(member_spawn(&s, &c, NULL), 0);
    check_eq(tr_scope_join(&s, TR_NEVER), 0);
    check_eq(atomic_load(&n_dropped), 64 + 63, "also those that members spawned have ended");
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

/* ---- members of any kind, and of others ---- */

struct number {
    int n;
};
TR_TASK(number, struct number, tr_nodrop);

static int number(struct number *n)
{
    return n->n;
}

struct line {
    char *to;
    const char *text;
};
TR_TASK(line, struct line, tr_nodrop);

static int line(struct line *l)
{
    strcpy(l->to, l->text);
    return (int)strlen(l->text);
}

STEP_TEST(set, one_holds_tasks_of_different_types_and_tells_them_apart)
{
    const struct tr_scope_opts keeps = { .policy = TR_POLICY_COLLECT, .keep = TR_KEEP_ALL };
    tr_scope s TR_CLEANUP(tr_scope_end) = tr_scope_open(&keeps);
    char text[8] = "";
    struct number n = { 7 };
    struct line l = { text, "seven" };
    tr_ended e;

    need_eq(number_spawn(&s, &n, NULL), 0);
    need_eq(line_spawn(&s, &l, NULL), 0);
    for (int i = 0; i < 2; i++) {
        need_eq(tr_scope_next(&s, TR_NEVER, &e), 1);
        check_eq(e.result, strcmp(e.name, "number") == 0 ? 7 : 5);
    }
    check_str(text, "seven");
}

STEP_TEST(set, a_task_of_an_outer_scope_outlives_the_inner_one)
{
    struct arg a = { true, true, NULL, 0 }, b = { true, true, NULL, 0 };
    tr_task outer = { NULL };

    {
        tr_scope s TR_CLEANUP(tr_scope_end) = tr_scope_open(NULL);

        need_eq(member_spawn(&s, &a, NULL), 0);
        need_eq(member_spawn(root, &b, &(struct tr_task_opts){ .ret_task = &outer }), 0);
        step_until(atomic_load(&n_ran) == 2);
    }
    check_eq(atomic_load(&n_dropped), 1, "a scope does not end before its members");
    check(is_parked(&outer));
    tr_task_close(&outer);
}

VIRTUAL_TEST(set, members_go_on_while_their_owner_waits_for_something_else)
{
    const struct tr_scope_opts keeps = { .policy = TR_POLICY_COLLECT, .keep = TR_KEEP_ALL };
    tr_scope s TR_CLEANUP(tr_scope_end) = tr_scope_open(&keeps);
    tr_notify never = TR_NOTIFY_INIT;

    for (int i = 0; i < N; i++) {
        struct number n = { i };

        need_eq(number_spawn(&s, &n, NULL), 0);
    }
    check_eq(tr_notify_wait(&never, tr_after(TR_MS(20))), -ETIMEDOUT);
    check_eq(tr_scope_len(&s), 0);
    check_eq(tr_scope_kept(&s), N);
}

STEP_TEST(set, a_wake_of_a_member_takes_no_lock_of_the_set_and_no_memory)
{
    enum { MANY = 10000 };
    static tr_task t[MANY];
    tr_scope s TR_CLEANUP(tr_scope_end) = tr_scope_open(NULL);

    for (int i = 0; i < MANY; i++) {
        struct arg a = { true, true, NULL, 0 };

        need_eq(member_spawn(&s, &a, &(struct tr_task_opts){ .ret_task = &t[i] }), 0);
    }
    step_until(is_parked(&t[0]) && is_parked(&t[MANY - 1]));
    tri_lock_acquire(&s.impl->lock);
    tri_mem_fail_at(1);
    for (int i = 0; i < MANY; i++)
        tri_wake(&t[i].rec->a.wakee);
    check(!tri_mem_has_failed());
    tri_mem_fail_at(0);
    tri_lock_release(&s.impl->lock);
    for (int i = MANY; i-- > 0;) { /* in any order, each in a few steps */
        tr_task_abort(&t[i]);
        tr_task_close(&t[i]);
    }
    check_eq(tr_scope_join(&s, TR_NEVER), 0);
    check_eq(atomic_load(&n_dropped), MANY);
}
