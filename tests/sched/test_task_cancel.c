/* SPDX-License-Identifier: MIT */
/*
 * test_task_cancel.c - abort in every state of a task, what a cancelled wait says, and shields.
 */
#include "config.h"

#include <pthread.h>

#include "sched/kit.h"

TR_SUITE(task_cancel, .races = true, .init = kit_listen, .timeout = 20);

static atomic_uint n_dropped, n_run;
static int seen[64];
static bool gate;

struct arg {
    unsigned key; /* 0: empty */
    int (*fn)(struct arg *a);
};

static void arg_drop(struct arg *a)
{
    if (a->key)
        atomic_fetch_add(&n_dropped, 1);
}

TR_TASK(job, struct arg, arg_drop);

static int job(struct arg *a)
{
    atomic_fetch_add(&n_run, 1);
    return a->fn(a);
}

static tr_task start(tr_scope *s, int (*fn)(struct arg *a))
{
    struct arg a = { 1, fn };
    tr_task t = { NULL };

    check_eq(job_spawn(s, &a, &(struct tr_task_opts){ .ret_task = &t }), 0);
    return t;
}

/* Joins @t, which must end with @result. */
static void ends_with(tr_task *t, int result)
{
    int r = 77;

    need_eq(tr_task_join(t, TR_NEVER, &r), 0);
    check_eq(r, result);
}

/* ---- abort ---- */

static int sleep_for_ever(struct arg *a)
{
    (void)a;
    return tr_sleep(TR_NEVER);
}

STEP_TEST(task_cancel, a_task_aborted_before_it_started_never_runs)
{
    tr_task t = start(root, sleep_for_ever);

    tr_task_abort(&t);
    check(!tr_task_is_finished(&t), "abort does not wait");
    ends_with(&t, -ECANCELED);
    check_eq(n_run, 0);
    check_eq(n_dropped, 1);
}

STEP_TEST(task_cancel, a_parked_task_is_woken_by_its_abort)
{
    tr_task t = start(root, sleep_for_ever);

    step_until(is_parked(&t));
    tr_task_abort(&t);
    check(!tr_task_is_finished(&t));
    ends_with(&t, -ECANCELED);
    check_eq(n_dropped, 1);
}

STEP_TEST(task_cancel, a_second_abort_and_one_after_the_end_do_nothing)
{
    tr_task t = start(root, sleep_for_ever);

    step_until(is_parked(&t));
    tr_task_abort(&t);
    tr_task_abort(&t);
    step_until(tr_task_is_finished(&t));
    tr_task_abort(&t);
    check_eq(tr_yield(), 0);
    ends_with(&t, -ECANCELED);
    check_eq(n_dropped, 1);
}

static tr_task *victim;

static int abort_itself(struct arg *a)
{
    (void)a;
    tr_task_abort(victim);
    check(tr_self_is_cancelled());
    check(tr_self_is_draining(), "take nothing new");
    return 5;
}

STEP_TEST(task_cancel, a_running_task_that_does_not_wait_ends_as_it_likes)
{
    tr_task t = start(root, abort_itself);

    victim = &t;
    step_until(tr_task_is_finished(&t));
    ends_with(&t, 5);
}

static int abort_itself_and_wait(struct arg *a)
{
    abort_itself(a);
    return tr_sleep(TR_NOW);
}

STEP_TEST(task_cancel, a_cancelled_task_meets_it_at_its_next_wait_ready_or_not)
{
    tr_task t = start(root, abort_itself_and_wait);

    victim = &t;
    step_until(tr_task_is_finished(&t));
    ends_with(&t, -ECANCELED);
}

static int spin_until_cancelled(struct arg *a)
{
    (void)a;
    while (!tr_self_is_cancelled())
        ;
    return tr_yield();
}

static void *abort_in_thread(void *arg)
{
    while (atomic_load(&n_run) == 0)
        ;
    tr_task_abort(arg);
    return NULL;
}

STEP_TEST(task_cancel, a_thread_aborts_a_task_that_runs)
{
    tr_task t = start(root, spin_until_cancelled);
    pthread_t thread;

    need_eq(pthread_create(&thread, NULL, abort_in_thread, &t), 0);
    step_until(tr_task_is_finished(&t));
    pthread_join(thread, NULL); /* a handle serves one thread at a time */
    ends_with(&t, -ECANCELED);
}

static void *abort_and_close(void *arg)
{
    tr_task_abort(arg);
    tr_task_close(arg);
    return NULL;
}

STEP_TEST(task_cancel, a_thread_aborts_a_parked_task_and_lets_go_of_it)
{
    for (unsigned i = 0; i < tries(50); i++) {
        tr_task t = start(root, sleep_for_ever);
        pthread_t thread;

        step_until(is_parked(&t));
        need_eq(pthread_create(&thread, NULL, abort_and_close, &t), 0);
        need_eq(tr_scope_join(root, TR_NEVER), 0);
        check_eq(n_dropped, i + 1);
        pthread_join(thread, NULL);
    }
}

/* The drop function says on which thread it ran. */
struct owned {
    unsigned key; /* 0: empty */
};

static pthread_t dropped_on;

static void owned_drop(struct owned *o)
{
    if (!o->key)
        return;
    dropped_on = pthread_self();
    atomic_fetch_add(&n_dropped, 1);
}

TR_TASK(owned, struct owned, owned_drop);

static int owned(struct owned *o)
{
    (void)o;
    return tr_sleep(TR_NEVER);
}

STEP_TEST(task_cancel, the_drop_after_an_abort_from_a_thread_runs_on_the_worker)
{
    for (unsigned started = 0; started < 2; started++) {
        struct owned o = { 1 };
        pthread_t thread;
        tr_task t;

        need_eq(owned_spawn(root, &o, &(struct tr_task_opts){ .ret_task = &t }), 0);
        if (started)
            step_until(is_parked(&t));
        need_eq(pthread_create(&thread, NULL, abort_and_close, &t), 0);
        pthread_join(thread, NULL); /* the worker stands still meanwhile */
        check_eq(n_dropped, started, "not by the thread");
        need_eq(tr_scope_join(root, TR_NEVER), 0);
        check_eq(n_dropped, started + 1);
        check(pthread_equal(dropped_on, pthread_self()));
    }
}

static int yield_twice(struct arg *a)
{
    (void)a;
    return tr_yield() < 0 || tr_yield() < 0 ? -ECANCELED : 0;
}

/* Aborts and lets run at random: all of it in each order. */
static int abort_somewhen(tr_scope *root, void *unused)
{
    tr_task t[8];

    (void)unused;
    atomic_store(&n_dropped, 0);
    for (unsigned i = 0; i < 8; i++)
        t[i] = start(root, i % 2 ? sleep_for_ever : yield_twice);
    for (unsigned i = 0; i < 8; i++) {
        (void)tr_yield();
        tr_task_abort(&t[i]);
    }
    for (unsigned i = 0; i < 8; i++) {
        int r = 0;

        check_eq(tr_task_join(&t[i], TR_NEVER, &r), 0);
        check(r == -ECANCELED || (i % 2 == 0 && r == 0));
    }
    check_eq(n_dropped, 8);
    return 0;
}

TR_TEST(task_cancel, an_abort_in_any_order_drops_each_argument_once)
{
    (void)run_seeds(50, abort_somewhen, NULL);
}

/* ---- what waits say ---- */

static int ignore_three(struct arg *a)
{
    (void)a;
    for (unsigned i = 0; i < 3; i++)
        seen[i] = tr_sleep(tr_after(TR_S(10)));
    seen[3] = tr_yield();
    return 0;
}

STEP_TEST(task_cancel, the_cancellation_stays)
{
    tr_task t = start(root, ignore_three);

    step_until(is_parked(&t));
    tr_task_abort(&t);
    ends_with(&t, 0);
    for (unsigned i = 0; i < 4; i++)
        check_eq(seen[i], -ECANCELED);
}

static unsigned n_turns;

static int ignore_for_ever(struct arg *a)
{
    (void)a;
    while (!gate) {
        n_turns++;
        (void)tr_sleep(TR_NEVER);
    }
    return 0;
}

STEP_TEST(task_cancel, a_task_that_ignores_it_cannot_hold_its_worker)
{
    tr_task t = start(root, ignore_for_ever);

    step_until(is_parked(&t));
    tr_task_abort(&t);
    for (unsigned i = 0; i < 100; i++)
        need_eq(tr_yield(), 0);
    check_le(n_turns, 100 * 50, "who yields has a turn in each 48");
    check_ge(n_turns, 50, "and it does get its turns");
    gate = true;
    ends_with(&t, 0);
}

STEP_TEST(task_cancel, a_task_that_ignores_it_for_long_is_told_once)
{
    tr_task t = start(root, ignore_for_ever);

    tr_task_close(&t);
    step_until(n_turns == 1);
    tr_scope_cancel(root);
    step_until(n_turns > 12000);
    check_eq(n_told[TR_EVENT_OVERRUN], 1);
    check(strstr(told, "'job'") != NULL);
    gate = true;
}

/* ---- shields ---- */

static int shielded_sleep(struct arg *a)
{
    (void)a;
    seen[0] = tr_sleep(TR_NEVER);
    {
        tr_shield guard TR_CLEANUP(tr_shield_end) = tr_shield_begin(TR_MS(500));

        check(tr_self_is_cancelled(), "the question is answered truly");
        seen[1] = tr_sleep(tr_after(TR_MS(5)));
        seen[2] = tr_yield();
    }
    seen[3] = tr_sleep(tr_after(TR_MS(5)));
    return 0;
}

STEP_TEST(task_cancel, waits_in_a_shield_work_as_usual)
{
    tr_task t = start(root, shielded_sleep);

    step_until(is_parked(&t));
    tr_task_abort(&t);
    ends_with(&t, 0);
    check_eq(seen[0], -ECANCELED);
    check_eq(seen[1], 0);
    check_eq(seen[2], 0);
    check_eq(seen[3], -ECANCELED, "the shield is over");
}

static tr_time budget, took;

static int shielded_for_long(struct arg *a)
{
    tr_time begin;

    (void)a;
    seen[0] = tr_sleep(TR_NEVER);
    begin = tr_now();
    {
        tr_shield guard TR_CLEANUP(tr_shield_end) = tr_shield_begin(budget);

        seen[1] = tr_sleep(TR_NEVER);
        seen[2] = tr_sleep(TR_NEVER);
    }
    took = tr_now() - begin;
    return 0;
}

static int shield_for(tr_scope *s)
{
    tr_task t = start(s, shielded_for_long);

    while (!is_parked(&t))
        (void)tr_yield();
    tr_task_abort(&t);
    ends_with(&t, 0);
    check_eq(seen[1], -ECANCELED);
    check_eq(seen[2], -ECANCELED);
    return 0;
}

static int shield_short(tr_scope *root, void *unused)
{
    (void)unused;
    budget = TR_MS(200);
    return shield_for(root);
}

TR_TEST(task_cancel, no_wait_in_a_shield_is_longer_than_its_budget)
{
    run_with((struct tr_runtime_opts){ .simulate = true }, shield_short, NULL);
    check_ge(took, TR_MS(200));
    check_lt(took, TR_MS(201));
}

static int shield_capped(tr_scope *root, void *unused)
{
    tr_scope s TR_CLEANUP(tr_scope_end) =
        tr_scope_open(&(struct tr_scope_opts){ .cleanup_budget = TR_MS(50) });

    (void)root;
    (void)unused;
    budget = TR_S(100);
    return shield_for(&s);
}

TR_TEST(task_cancel, the_budget_of_the_scope_caps_that_of_a_shield)
{
    run_with((struct tr_runtime_opts){ .simulate = true }, shield_capped, NULL);
    check_ge(took, TR_MS(50));
    check_lt(took, TR_MS(51));
}

static int nested_shields(struct arg *a)
{
    tr_shield outer, inner;

    (void)a;
    seen[0] = tr_sleep(TR_NEVER);
    outer = tr_shield_begin(TR_MS(20));
    inner = tr_shield_begin(TR_S(1));
    budget = tr_now();
    seen[1] = tr_sleep(TR_NEVER);
    took = tr_now() - budget;
    tr_shield_end(&inner);
    seen[2] = tr_sleep(TR_NEVER);
    tr_shield_end(&outer);
    tr_shield_end(&outer); /* one too many does nothing */
    seen[3] = tr_yield();
    return 0;
}

static int nest(tr_scope *root, void *unused)
{
    tr_task t = start(root, nested_shields);

    (void)unused;
    while (!is_parked(&t))
        (void)tr_yield();
    tr_task_abort(&t);
    ends_with(&t, 0);
    return 0;
}

TR_TEST(task_cancel, an_inner_shield_does_not_outlast_the_outer_one)
{
    run_with((struct tr_runtime_opts){ .simulate = true }, nest, NULL);
    for (unsigned i = 0; i < 4; i++)
        check_eq(seen[i], -ECANCELED);
    check_lt(took, TR_MS(21));
}

static int cancelled_inside(struct arg *a)
{
    tr_shield guard TR_CLEANUP(tr_shield_end) = tr_shield_begin(TR_MS(500));

    (void)a;
    seen[0] = tr_sleep(tr_after(TR_MS(20)));
    return tr_self_is_cancelled() ? 1 : 0;
}

STEP_TEST(task_cancel, a_cancel_that_comes_in_a_shield_waits_outside)
{
    tr_task t = start(root, cancelled_inside);

    step_until(is_parked(&t));
    tr_task_abort(&t);
    ends_with(&t, 1);
    check_eq(seen[0], 0);
}

static unsigned n_other;

static int count_turns(struct arg *a)
{
    (void)a;
    while (!gate) {
        n_other++;
        if (tr_yield() < 0)
            return -ECANCELED;
    }
    return 0;
}

TR_MPSC(intq, int, tr_nodrop);

static int busy_shield(struct arg *a)
{
    intq_tx tx;
    intq_rx rx;
    int m = 1;

    (void)a;
    if (intq_new(1, &tx, &rx) < 0)
        return -ENOMEM;
    seen[0] = tr_sleep(TR_NEVER);
    {
        tr_shield guard TR_CLEANUP(tr_shield_end) = tr_shield_begin(TR_MS(500));

        n_turns = n_other;
        for (unsigned i = 0; i < 50000; i++)
            if (intq_send(&tx, &m, TR_NEVER) < 0 || intq_recv(&rx, TR_NEVER, &m) < 0)
                break;
        n_turns = n_other - n_turns;
    }
    gate = true;
    intq_tx_close(&tx);
    intq_rx_close(&rx);
    return 0;
}

STEP_TEST(task_cancel, a_shielded_task_gives_way_at_the_end_of_its_slice)
{
    tr_task other = start(root, count_turns), t = start(root, busy_shield);

    step_until(is_parked(&t));
    tr_task_abort(&t);
    ends_with(&t, 0);
    check_ge(n_turns, 3,
             "a hundred thousand operations are 400 slices; who yields has each 48th");
    ends_with(&other, 0);
}

STEP_TEST(task_cancel, a_shield_outside_of_a_cancel_changes_nothing)
{
    tr_shield guard = tr_shield_begin(TR_NOW);

    check_eq(tr_sleep(tr_after(TR_MS(2))), 0);
    tr_shield_end(&guard);
    check_eq(tr_sleep(tr_after(TR_MS(2))), 0);
}

/* ---- two arms for one end ---- */

static int end_soon(struct arg *a)
{
    (void)a;
    return tr_yield();
}

STEP_TEST(task_cancel, a_select_may_join_one_task_by_two_arms)
{
    tr_task t = start(root, end_soon);
    tr_arm arms[] = { tr_task_join_arm(&t), tr_task_join_arm(&t) };

    check_ge(tr_select(tr_after(TR_S(5)), arms, TR_LEN(arms)), 0);
    ends_with(&t, 0);
}
