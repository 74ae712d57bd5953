/* SPDX-License-Identifier: MIT */
/* test_scope_cancel.c - cancel through the tree, the end of a scope, threads that use it. */
#include "config.h"

#include <pthread.h>

#include "sched/scope-kit.h"

TR_SUITE(scope, .races = true, .init = kit_listen, .timeout = 20);

/* ---- cancel ---- */

STEP_TEST(scope, cancel_reaches_the_parked_and_the_unstarted_and_refuses_the_new)
{
    tr_scope s TR_CLEANUP(tr_scope_end) = tr_scope_open(NULL);
    tr_task t = start_parked(&s, 1, sleep_for_ever);
    struct arg late = { 3, 0, give_result };
    int r = 0;

    need_eq(spawn_keyed(&s, 2, give_result, 0), 0);
    tr_scope_cancel(&s);
    tr_scope_cancel(&s); /* twice is once */
    check_eq(tr_scope_len(&s), 2, "cancel does not wait");
    check_eq(child_spawn(&s, &late, NULL), -ESHUTDOWN);
    check_eq(late.key, 0);
    check_eq(n_dropped, 1);
    check_eq(tr_scope_join(&s, TR_NEVER), 0);
    need_eq(tr_task_join(&t, TR_NOW, &r), 0);
    check_eq(r, -ECANCELED);
    check_eq(n_run, 1, "the unstarted one never ran");
    check_eq(n_dropped, 3);
}

STEP_TEST(scope, a_scope_cancelled_before_its_first_spawn_refuses_it)
{
    tr_scope s TR_CLEANUP(tr_scope_end) = tr_scope_open(NULL);

    tr_scope_cancel(&s);
    check(tr_scope_is_draining(&s));
    check_eq(spawn_keyed(&s, 1, give_result, 0), -ESHUTDOWN);
    check_eq(n_dropped, 1);
    tr_scope_end(&s);
    check_eq(spawn_keyed(&s, 1, give_result, 0), 0, "after its end it is new");
    check_eq(tr_scope_join(&s, TR_NEVER), 0);
}

STEP_TEST(scope, children_are_cancelled_youngest_first)
{
    tr_scope s TR_CLEANUP(tr_scope_end) = tr_scope_open(NULL);

    for (int key = 1; key <= 8; key++) {
        tr_task t = start_parked(&s, key, sleep_for_ever);

        tr_task_close(&t);
    }
    tr_scope_cancel(&s);
    need_eq(tr_scope_join(&s, TR_NEVER), 0);
    /* The one that was told last runs first (it was woken last); the others in order. */
    for (unsigned i = 2; i < 8; i++)
        check_lt(drop_order[i], drop_order[i - 1]);
}

/* Opens scopes inside scopes, @key deep, and waits at the bottom. */
static int nest(struct arg *a)
{
    tr_scope s TR_CLEANUP(tr_scope_end) = tr_scope_open(NULL);
    int r;

    if (a->key == 1)
        return sleep_for_ever(a);
    if (spawn_keyed(&s, a->key - 1, nest, 0) < 0)
        return -EIO;
    r = tr_scope_join(&s, TR_NEVER);
    return r;
}

STEP_TEST(scope, cancel_reaches_the_bottom_of_fifty_nested_scopes)
{
    tr_scope s TR_CLEANUP(tr_scope_end) = tr_scope_open(NULL);

    need_eq(spawn_keyed(&s, 50, nest, 0), 0);
    step_until(n_run == 50);
    need_eq(tr_yield(), 0);
    tr_scope_cancel(&s);
    check_eq(tr_scope_join(&s, TR_NEVER), 0);
    check_eq(n_ended, 50);
    check_eq(n_dropped, 50);
}

STEP_TEST(scope, cancel_reaches_the_bottom_of_a_thousand_nested_scopes, .once = true)
{
    tr_scope s TR_CLEANUP(tr_scope_end) = tr_scope_open(NULL);

    need_eq(spawn_keyed(&s, 1000, nest, 0), 0);
    step_until(n_run == 1000);
    tr_scope_cancel(&s);
    check_eq(tr_scope_join(&s, TR_NEVER), 0);
    check_eq(n_ended, 1000);
    check_eq(n_dropped, 1000);
}

static tr_scope *inner;

static int open_inner(struct arg *a)
{
    tr_scope s TR_CLEANUP(tr_scope_end) = tr_scope_open(NULL);

    (void)a;
    if (spawn_keyed(&s, 5, sleep_for_ever, 0) < 0)
        return -EIO;
    inner = &s;
    return tr_scope_join(&s, TR_NEVER);
}

STEP_TEST(scope, a_cancel_reaches_all_below_at_once_and_neither_parent_nor_sibling)
{
    tr_scope s TR_CLEANUP(tr_scope_end) = tr_scope_open(NULL);
    tr_scope sibling TR_CLEANUP(tr_scope_end) = tr_scope_open(NULL);
    tr_task t = start_parked(&sibling, 1, sleep_for_ever), u = start_parked(&s, 2, open_inner);

    need(inner);
    check(!tr_scope_is_draining(inner));
    tr_scope_cancel(&s);
    check(tr_scope_is_draining(inner), "when the call returns");
    check_eq(tr_yield(), 0, "the parent goes on");
    check_eq(tr_scope_join(&s, TR_NEVER), 0);
    check(is_parked(&t));
    check(!tr_scope_is_draining(&sibling));
    check(!tr_scope_is_draining(root));
    tr_task_close(&t);
    tr_task_close(&u);
}

/* A tree whose shape the seed draws: @key levels, up to three children each. */
static unsigned shape;

static int branch(struct arg *a)
{
    tr_scope s TR_CLEANUP(tr_scope_end) =
        tr_scope_open(&(struct tr_scope_opts){ .policy = shape % 2 });
    unsigned n;

    shape = shape * 1103515245u + 12345u;
    n = a->key <= 1 ? 0 : 1 + (shape >> 16) % 3;
    for (unsigned i = 0; i < n; i++)
        (void)spawn_keyed(&s, a->key - 1, branch, 0);
    if ((shape >> 20) % 4 == 0)
        return tr_sleep(TR_UNTIL_DRAIN);
    return n == 0 ? sleep_for_ever(a) : tr_scope_join(&s, TR_NEVER);
}

static int cancel_tree(tr_scope *root, void *unused)
{
    tr_scope s TR_CLEANUP(tr_scope_end) = tr_scope_open(NULL);

    (void)root;
    (void)unused;
    atomic_store(&n_run, 0);
    atomic_store(&n_ended, 0);
    shape += 77;
    check_eq(spawn_keyed(&s, 5, branch, 0), 0);
    for (unsigned i = shape % 200; i > 0; i--)
        (void)tr_yield();
    if (shape % 3)
        tr_scope_cancel(&s);
    else
        check_eq(tr_scope_drain(&s, tr_after(TR_MS(1))) != -ECANCELED, true);
    check_eq(tr_scope_join(&s, TR_NEVER), 0);
    check_eq(n_ended, n_run);
    return 0;
}

TR_TEST(scope, cancel_reaches_every_task_of_a_random_tree)
{
    (void)run_seeds(60, cancel_tree, NULL);
}

static int open_late(struct arg *a)
{
    tr_scope s TR_CLEANUP(tr_scope_end) = tr_scope_open(NULL);

    (void)a;
    (void)tr_sleep(TR_NEVER);
    check(tr_scope_is_draining(&s));
    check_eq(spawn_keyed(&s, 2, give_result, 0), -ESHUTDOWN);
    return 0;
}

STEP_TEST(scope, a_scope_that_a_cancelled_task_opens_is_born_cancelled)
{
    tr_task t = start_parked(root, 1, open_late);

    tr_task_abort(&t);
    need_eq(tr_task_join(&t, TR_NEVER, NULL), 0);
    check_eq(n_run, 1);
    check_eq(n_dropped, 2);
}

/* ---- end ---- */

static int leave_early(struct arg *a)
{
    tr_scope s TR_CLEANUP(tr_scope_end) = tr_scope_open(NULL);

    if (a->result == 1)
        return 1; /* before the first spawn */
    if (spawn_keyed(&s, 2, sleep_for_ever, 0) < 0)
        return -EIO;
    if (a->result == 2)
        return 2; /* it never started */
    (void)tr_yield();
    if (a->result == 3)
        return 3; /* it is parked */
    tr_scope_cancel(&s);
    return tr_scope_join(&s, TR_NEVER) == 0 ? 4 : -EIO;
}

STEP_TEST(scope, every_way_out_ends_the_scope)
{
    for (int way = 1; way <= 4; way++) {
        struct arg a = { 1, way, leave_early };
        tr_task t;
        int r = 0;

        need_eq(child_spawn(root, &a, &(struct tr_task_opts){ .ret_task = &t }), 0);
        need_eq(tr_task_join(&t, TR_NEVER, &r), 0);
        check_eq(r, way);
    }
    check_eq(n_dropped, 4 + 3);
    check_eq(n_ended, n_run);
}

static bool gate;

static int borrow(struct arg *a)
{
    tr_shield guard TR_CLEANUP(tr_shield_end) = tr_shield_begin(TR_S(1));

    (void)a;
    while (!gate)
        (void)tr_sleep(tr_after(TR_MS(1)));
    return 0;
}

static int owner_of_borrowers(struct arg *a)
{
    tr_scope s TR_CLEANUP(tr_scope_end) = tr_scope_open(NULL);

    (void)a;
    if (spawn_keyed(&s, 2, borrow, 0) < 0)
        return -EIO;
    return tr_sleep(TR_NEVER);
}

STEP_TEST(scope, the_join_of_an_end_is_not_cut_short_by_a_cancel_of_the_owner)
{
    tr_task t = start_parked(root, 1, owner_of_borrowers);
    int r = 0;

    tr_task_abort(&t);
    for (unsigned i = 0; i < 20; i++)
        need_eq(tr_sleep(tr_after(TR_US(500))), 0);
    check(!tr_task_is_finished(&t), "its child cleans up");
    tr_task_abort(&t);
    gate = true;
    need_eq(tr_task_join(&t, TR_NEVER, &r), 0);
    check_eq(r, -ECANCELED);
    check_eq(n_ended, 2);
}

STEP_TEST(scope, an_ended_scope_can_be_used_again)
{
    tr_scope s TR_CLEANUP(tr_scope_end) = tr_scope_open(NULL);

    for (unsigned i = 1; i <= 3; i++) {
        need_eq(spawn_keyed(&s, 1, i == 2 ? sleep_for_ever : give_result, 0), 0);
        tr_scope_end(&s);
        check_eq(tr_scope_len(&s), 0);
        check_eq(n_dropped, i);
    }
    tr_scope_end(&s);
    tr_scope_end(NULL);
}

/* ---- foreign threads ---- */

enum { N_SPAWNER = 3, N_EACH = 300 };

static void *spawn_many(void *arg)
{
    for (unsigned i = 0; i < N_EACH; i++)
        check_eq(spawn_keyed(arg, 1, give_result, 0), 0);
    return NULL;
}

static int foreign_spawns(tr_scope *root, void *unused)
{
    tr_scope s TR_CLEANUP(tr_scope_end) = tr_scope_open(NULL);
    pthread_t thread[N_SPAWNER];

    (void)root;
    (void)unused;
    check_eq(spawn_keyed(&s, 1, sleep_until_drain, 0), 0);
    for (unsigned i = 0; i < N_SPAWNER; i++)
        if (pthread_create(&thread[i], NULL, spawn_many, &s) != 0)
            abort();
    while (n_ended < N_SPAWNER * N_EACH)
        (void)tr_sleep(tr_after(TR_US(100)));
    for (unsigned i = 0; i < N_SPAWNER; i++)
        pthread_join(thread[i], NULL);
    check_eq(tr_scope_drain(&s, TR_NEVER), 0);
    check_eq(n_dropped, N_SPAWNER * N_EACH + 1);
    return 0;
}

TR_TEST(scope, plain_threads_spawn_into_an_open_scope)
{
    run_with((struct tr_runtime_opts){ .n_worker = 2 }, foreign_spawns, NULL);
}

static void *spawn_until_refused(void *arg)
{
    unsigned n = 0;
    int r;

    while ((r = spawn_keyed(arg, 1, sleep_for_ever, 0)) == 0)
        n++;
    check_eq(r, -ESHUTDOWN);
    atomic_fetch_add(&n_ended, 1);
    return NULL;
}

static int spawns_against_cancel(tr_scope *root, void *unused)
{
    tr_scope s TR_CLEANUP(tr_scope_end) = tr_scope_open(NULL);
    pthread_t thread[N_SPAWNER];

    (void)root;
    (void)unused;
    check_eq(spawn_keyed(&s, 1, sleep_for_ever, 0), 0);
    for (unsigned i = 0; i < N_SPAWNER; i++)
        if (pthread_create(&thread[i], NULL, spawn_until_refused, &s) != 0)
            abort();
    while (tr_scope_len(&s) < 20)
        (void)tr_yield();
    tr_scope_cancel(&s);
    for (unsigned i = 0; i < N_SPAWNER; i++)
        pthread_join(thread[i], NULL);
    check_eq(tr_scope_join(&s, TR_NEVER), 0);
    return 0;
}

TR_TEST(scope, a_storm_of_spawns_ends_with_the_cancel)
{
    for (unsigned i = 0; i < tries(5); i++)
        run_with((struct tr_runtime_opts){ .n_worker = 2 }, spawns_against_cancel, NULL);
}

static void *cancel_in_thread(void *arg)
{
    tr_scope_cancel(arg);
    return NULL;
}

STEP_TEST(scope, a_plain_thread_cancels_it)
{
    tr_scope s TR_CLEANUP(tr_scope_end) = tr_scope_open(NULL);
    pthread_t thread;

    need_eq(spawn_keyed(&s, 20, nest, 0), 0);
    step_until(n_run == 20);
    need_eq(pthread_create(&thread, NULL, cancel_in_thread, &s), 0);
    check_eq(tr_scope_join(&s, TR_NEVER), 0);
    pthread_join(thread, NULL);
}
