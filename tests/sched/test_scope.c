/* SPDX-License-Identifier: MIT */
/* test_scope.c - the two policies, join, who may do what. */
#include "config.h"

#include <pthread.h>

#include "sched/scope-kit.h"

TR_SUITE(scope, .races = true, .init = kit_listen, .timeout = 20);

/* ---- fail-fast ---- */

STEP_TEST(scope, the_first_failure_cancels_the_siblings_and_is_the_result)
{
    tr_scope s TR_CLEANUP(tr_scope_end) = tr_scope_open(NULL);
    tr_task sibling = start_parked(&s, 1, sleep_for_ever);
    int r = 0;

    need_eq(spawn_keyed(&s, 2, give_result, -EIO), 0);
    check_eq(tr_scope_join(&s, TR_NEVER), -EIO);
    check_eq(tr_scope_failures(&s), 1);
    need_eq(tr_task_join(&sibling, TR_NOW, &r), 0);
    check_eq(r, -ECANCELED);
    check_eq(tr_scope_len(&s), 0);
    check_eq(tr_scope_join(&s, TR_NEVER), 0, "it was reported");
    check_eq(spawn_keyed(&s, 3, give_result, 0), -ESHUTDOWN,
             "until its end it stays cancelled");
    tr_scope_end(&s);
    check_eq(n_told[TR_EVENT_FAILED], 0);
}

STEP_TEST(scope, ends_that_are_no_failures_cancel_nobody)
{
    static const int clean[] = { 0, 7, -ECANCELED, -ESHUTDOWN };
    tr_scope s TR_CLEANUP(tr_scope_end) = tr_scope_open(NULL);
    tr_task sibling = start_parked(&s, 1, sleep_for_ever);

    for (unsigned i = 0; i < TR_LEN(clean); i++)
        need_eq(spawn_keyed(&s, 2, give_result, clean[i]), 0);
    step_until(tr_scope_len(&s) == 1);
    check_eq(tr_scope_failures(&s), 0);
    check(!tr_scope_is_draining(&s));
    check(is_parked(&sibling));
    tr_task_close(&sibling);
    tr_scope_cancel(&s);
    check_eq(tr_scope_join(&s, TR_NEVER), 0);
}

STEP_TEST(scope, a_peer_that_went_away_is_a_failure_in_a_fail_fast_scope)
{
    tr_scope s TR_CLEANUP(tr_scope_end) = tr_scope_open(NULL);

    need_eq(spawn_keyed(&s, 1, give_result, -EPIPE), 0);
    check_eq(tr_scope_join(&s, TR_NEVER), -EPIPE);
}

STEP_TEST(scope, of_two_failures_the_first_is_the_result)
{
    tr_scope s TR_CLEANUP(tr_scope_end) = tr_scope_open(NULL);

    need_eq(spawn_keyed(&s, 1, give_result, -EIO), 0);
    step_until(tr_scope_len(&s) == 0);
    (void)spawn_keyed(&s, 2, give_result, -EXDEV);
    step_until(tr_scope_len(&s) == 0);
    check_eq(tr_scope_join(&s, TR_NEVER), -EIO);
}

STEP_TEST(scope, a_failure_that_no_join_reports_goes_to_the_hook_once)
{
    {
        tr_scope s TR_CLEANUP(tr_scope_end) =
            tr_scope_open(&(struct tr_scope_opts){ .name = "mine" });

        need_eq(spawn_keyed(&s, 1, give_result, -EIO), 0);
        step_until(tr_scope_len(&s) == 0);
    }
    check_eq(n_told[TR_EVENT_FAILED], 1);
    check(strstr(told, "'mine'") != NULL);
    check(strstr(told, tr_strerror(-EIO)) != NULL);
}

/* ---- collecting ---- */

STEP_TEST(scope, a_collecting_scope_counts_and_tells_each_failure_and_goes_on)
{
    tr_scope s TR_CLEANUP(tr_scope_end) = tr_scope_open(&collects);
    tr_task sibling = start_parked(&s, 1, sleep_for_ever);

    for (unsigned i = 0; i < 3; i++)
        need_eq(spawn_keyed(&s, 2, give_result, -EIO), 0);
    step_until(tr_scope_len(&s) == 1);
    check_eq(tr_scope_failures(&s), 3);
    check_eq(n_told[TR_EVENT_FAILED], 3);
    check(is_parked(&sibling));
    tr_task_abort(&sibling);
    tr_task_close(&sibling);
    check_eq(tr_scope_join(&s, TR_NEVER), 0);
    tr_scope_end(&s);
    check_eq(n_told[TR_EVENT_FAILED], 3);
}

STEP_TEST(scope, a_peer_that_went_away_is_an_end_in_a_collecting_scope)
{
    tr_scope s TR_CLEANUP(tr_scope_end) = tr_scope_open(&collects);

    need_eq(spawn_keyed(&s, 1, give_result, -EPIPE), 0);
    need_eq(spawn_keyed(&s, 2, give_result, -ECONNRESET), 0);
    check_eq(tr_scope_join(&s, TR_NEVER), 0);
    check_eq(tr_scope_failures(&s), 0);
    check_eq(n_told[TR_EVENT_FAILED], 0);
}

STEP_TEST(scope, a_vital_failure_drains_a_collecting_scope_and_is_its_result)
{
    tr_scope s TR_CLEANUP(tr_scope_end) = tr_scope_open(&collects);
    struct arg a = { 2, -EIO, give_result };
    tr_task gentle = start_parked(&s, 1, sleep_until_drain);
    int r = 0;

    need_eq(child_spawn(&s, &a, &(struct tr_task_opts){ .flags = TR_TASK_VITAL }), 0);
    check_eq(tr_scope_join(&s, TR_NEVER), -EIO);
    check(tr_scope_is_draining(&s));
    need_eq(tr_task_join(&gentle, TR_NOW, &r), 0);
    check_eq(r, -ESHUTDOWN);
}

STEP_TEST(scope, a_vital_failure_in_the_root_scope_drains_the_root_task)
{
    struct arg a = { 2, -EIO, give_result };

    need_eq(child_spawn(root, &a, &(struct tr_task_opts){ .flags = TR_TASK_VITAL }), 0);
    check_eq(tr_sleep(TR_UNTIL_DRAIN), -ESHUTDOWN);
    check(tr_self_is_draining());
    check_eq(tr_scope_join(root, TR_NEVER), -EIO);
}

/* ---- join ---- */

STEP_TEST(scope, join_of_an_empty_scope_returns_at_once)
{
    tr_scope s TR_CLEANUP(tr_scope_end) = tr_scope_open(NULL);

    check_eq(tr_scope_join(&s, TR_NOW), 0);
    check_eq(tr_scope_len(&s), 0);
    need_eq(spawn_keyed(&s, 1, give_result, 0), 0);
    step_until(tr_scope_len(&s) == 0);
    check_eq(tr_scope_join(&s, TR_NOW), 0);
    check_eq(tr_scope_join(NULL, TR_NOW), -EINVAL);
}

STEP_TEST(scope, a_join_that_times_out_can_be_called_again)
{
    tr_scope s TR_CLEANUP(tr_scope_end) = tr_scope_open(NULL);
    tr_task t = start_parked(&s, 1, sleep_for_ever);

    check_eq(tr_scope_join(&s, TR_NOW), -ETIMEDOUT);
    check_eq(tr_scope_join(&s, tr_after(TR_MS(2))), -ETIMEDOUT);
    check_eq(tr_scope_len(&s), 1);
    tr_task_abort(&t);
    tr_task_close(&t);
    check_eq(tr_scope_join(&s, TR_NEVER), 0);
}

static tr_scope *shared;
static int stranger_r[3];

static int use_as_stranger(struct arg *a)
{
    (void)a;
    stranger_r[0] = tr_scope_join(shared, TR_NOW);
    stranger_r[1] = tr_scope_drain(shared, TR_NOW);
    tr_scope_end(shared);
    stranger_r[2] = spawn_keyed(shared, 3, give_result, 0);
    return 0;
}

STEP_TEST(scope, join_drain_and_end_are_for_the_owner_and_spawn_for_all)
{
    tr_scope s TR_CLEANUP(tr_scope_end) = tr_scope_open(NULL);
    tr_task t = start_parked(&s, 1, sleep_for_ever);

    shared = &s;
    need_eq(spawn_keyed(root, 2, use_as_stranger, 0), 0);
    step_until(n_dropped == 2);
    check_eq(stranger_r[0], -EPERM);
    check_eq(stranger_r[1], -EPERM);
    check_eq(stranger_r[2], 0);
    check_eq(n_told[TR_EVENT_MISUSE], 1, "by tr_scope_end()");
    check(is_parked(&t), "nothing was cancelled");
    check(!tr_scope_is_draining(&s));
    tr_task_close(&t);
}

static void *join_from_thread(void *arg)
{
    stranger_r[0] = tr_scope_join(arg, TR_NOW);
    stranger_r[1] = tr_scope_drain(arg, TR_NOW);
    return NULL;
}

STEP_TEST(scope, a_plain_thread_may_not_join_it)
{
    tr_scope s TR_CLEANUP(tr_scope_end) = tr_scope_open(NULL);
    pthread_t thread;

    need_eq(spawn_keyed(&s, 1, give_result, 0), 0);
    need_eq(pthread_create(&thread, NULL, join_from_thread, &s), 0);
    pthread_join(thread, NULL);
    check_eq(stranger_r[0], -EPERM);
    check_eq(stranger_r[1], -EPERM);
}
