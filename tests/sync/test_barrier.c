/* SPDX-License-Identifier: MIT */
/* test_barrier.c - all together, one leads, used again at once, who gave up is not counted. */
#include "config.h"

#include "sync/calls.h"

TR_SUITE(barrier, .races = true, .init = kit_listen, .timeout = 20);

static tr_barrier barrier = TR_BARRIER_INIT(3);

static int meet(unsigned id, tr_time deadline)
{
    (void)id;
    return tr_barrier_wait(&barrier, deadline);
}

static tr_task queue_meet(tr_scope *root, unsigned id, tr_time deadline)
{
    return queue(root, &barrier.inside, meet, id, deadline);
}

STEP_TEST(barrier, nobody_goes_on_before_the_last_who_leads)
{
    queue_meet(root, 1, TR_NEVER);
    queue_meet(root, 2, TR_NEVER);
    check_eq(tr_yield(), 0);
    check_eq(n_ended, 0);
    check_eq(tr_barrier_wait(&barrier, TR_NOW), 1, "ready: it need not wait");
    check_eq(ended(1), 0);
    check_eq(ended(2), 0);
}

STEP_TEST(barrier, it_can_be_used_again_before_all_have_gone)
{
    for (unsigned round = 0; round < 3; round++) {
        for (unsigned id = 1; id <= 2; id++)
            queue_meet(root, round * 10 + id, TR_NEVER);
        check_eq(tr_barrier_wait(&barrier, TR_NEVER), 1);
        queue_meet(root, 100 + round,
                   TR_NEVER); /* the next meeting; those of before did not run */
        queue_meet(root, 110 + round, TR_NEVER);
        check_eq(tr_barrier_wait(&barrier, TR_NEVER), 1);
    }
    for (unsigned round = 0; round < 3; round++) {
        check_eq(ended(round * 10 + 1) + ended(round * 10 + 2), 0);
        check_eq(ended(100 + round) + ended(110 + round), 0);
    }
}

STEP_TEST(barrier, many_go_on_together)
{
    tr_barrier_init(&barrier, 101);
    for (unsigned id = 0; id < 100; id++)
        queue_meet(root, id, TR_NEVER);
    check_eq(tr_barrier_wait(&barrier, TR_NEVER), 1);
    for (unsigned id = 0; id < 100; id++)
        check_eq(ended(id), 0);
}

STEP_TEST(barrier, of_none_or_one_never_waits)
{
    tr_barrier none = TR_BARRIER_INIT(0), one = TR_BARRIER_INIT(1);

    for (unsigned i = 0; i < 3; i++) {
        check_eq(tr_barrier_wait(&none, TR_NEVER), 1);
        check_eq(tr_barrier_wait(&one, TR_NEVER), 1);
    }
}

STEP_TEST(barrier, who_gave_up_is_not_counted)
{
    tr_task t = queue_meet(root, 1, TR_NEVER);

    queue_meet(root, 2, tr_after(TR_MS(1)));
    tr_task_abort(&t);
    check_eq(ended(1), -ECANCELED);
    check_eq(ended(2), -ETIMEDOUT);
    queue_meet(root, 3, TR_NEVER);
    queue_meet(root, 4, TR_NEVER);
    check_eq(tr_barrier_wait(&barrier, TR_NEVER), 1);
    check_eq(ended(3) + ended(4), 0);
    tr_task_close(&t);
    queue_meet(root, 5, TR_UNTIL_DRAIN);
    check_eq(tr_scope_drain(root, TR_NEVER), 0);
    check_eq(result[5], -ESHUTDOWN);
}

STEP_TEST(barrier, a_meeting_before_the_cancel_took_place)
{
    tr_task t = queue_meet(root, 1, TR_NEVER);

    queue_meet(root, 2, TR_NEVER);
    check_eq(tr_barrier_wait(&barrier, TR_NEVER), 1);
    tr_task_abort(&t);
    check_eq(ended(1), 0);
    tr_task_close(&t);
}

STEP_TEST(barrier, a_cancel_before_the_last_comes_is_too_late_once_it_has_come)
{
    tr_task t = queue_meet(root, 1, TR_NEVER);

    queue_meet(root, 2, TR_NEVER);
    tr_task_abort(&t);
    check_eq(tr_barrier_wait(&barrier, TR_NEVER), 1, "the cancelled one is still here");
    check_eq(ended(1), 0);
    check_eq(ended(2), 0);
    tr_task_close(&t);
}

static void *meet_in_thread(void *arg)
{
    unsigned *n_led = arg;

    for (unsigned i = 0; i < 100; i++) {
        int r = tr_barrier_blocking_wait(&barrier, TR_NEVER);

        check(r == 0 || r == 1);
        *n_led += r == 1;
    }
    return NULL;
}

TR_TEST(barrier, of_threads_each_meeting_has_one_leader)
{
    pthread_t thread[3];
    unsigned n_led[3] = { 0 };

    check_eq(tr_barrier_blocking_wait(&barrier, tr_after(TR_MS(1))), -ETIMEDOUT);
    for (unsigned i = 0; i < 3; i++)
        need_eq(pthread_create(&thread[i], NULL, meet_in_thread, &n_led[i]), 0);
    for (unsigned i = 0; i < 3; i++)
        pthread_join(thread[i], NULL);
    check_eq(n_led[0] + n_led[1] + n_led[2], 100);
}

STEP_TEST(barrier, wrong_forms_are_refused_and_not_counted)
{
    check_eq(tr_barrier_blocking_wait(&barrier, TR_NEVER), -EDEADLK);
    check_eq(barrier.n_here, 0);
    check_eq(n_told[TR_EVENT_MISUSE], 1);
}

TR_TEST(barrier, bad_arguments_are_refused)
{
    tr_barrier_init(NULL, 1);
    check_eq(tr_barrier_wait(NULL, TR_NEVER), -EINVAL);
    check_eq(tr_barrier_blocking_wait(NULL, TR_NEVER), -EINVAL);
    check_eq(tr_barrier_wait(&barrier, TR_NEVER), -EPERM);
    check_eq(barrier.n_here, 0);
}
