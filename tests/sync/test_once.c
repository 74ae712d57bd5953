/* SPDX-License-Identifier: MIT */
/* test_once.c - one maker at a time, who shares its value, a maker that fails, set and wait. */
#include "config.h"

#include "sync/calls.h"

TR_SUITE(once, .races = true, .init = kit_listen, .timeout = 20);

static tr_once once = TR_ONCE_INIT;
static int first = 1, second = 2;
static unsigned n_made, n_making;
static bool go; /* makers may finish */
static int make_result;
static bool only_first_fails;
static void *got[N_CALL];

static int make(void *arg, void **ret_value)
{
    int r = 0;

    n_made++;
    check_eq(n_making++, 0);
    while (!go && r == 0)
        r = tr_yield();
    n_making--;
    *ret_value = arg;
    return r < 0 || (only_first_fails && arg != &first) ? r : make_result;
}

static int make_at_once(void *arg, void **ret_value)
{
    n_made++;
    *ret_value = arg;
    return make_result;
}

/* Makes "first". */
static int get_first(unsigned id, tr_time deadline)
{
    return tr_once_get_or_init(&once, make, &first, deadline, &got[id]);
}

static int get_second(unsigned id, tr_time deadline)
{
    return tr_once_get_or_init(&once, make, &second, deadline, &got[id]);
}

static int await(unsigned id, tr_time deadline)
{
    return tr_once_wait(&once, deadline, &got[id]);
}

/* Starts one that makes, and one behind it in line. */
static tr_task start_two(tr_scope *root)
{
    tr_task t = start(root, get_first, 1, TR_NEVER);

    while (n_making == 0)
        check_eq(tr_yield(), 0);
    queue(root, &once.makers, get_second, 2, TR_NEVER);
    return t;
}

STEP_TEST(once, one_makes_and_all_get_its_value)
{
    start_two(root);
    queue(root, &once.makers, get_second, 3, TR_NEVER);
    go = true;
    for (unsigned id = 1; id <= 3; id++) {
        check_eq(ended(id), 0);
        check_eq(got[id], &first);
    }
    check_eq(n_made, 1);
    check_eq(get_second(4, TR_NOW), 0, "and later ones at once");
    check_eq(got[4], &first);
}

STEP_TEST(once, when_the_maker_fails_the_next_tries_with_its_own)
{
    start_two(root);
    only_first_fails = go = true;
    make_result = -EIO;
    check_eq(ended(1), -EIO);
    check_eq(got[1], NULL);
    check_eq(ended(2), 0);
    check_eq(got[2], &second);
    check_eq(n_made, 2);
}

STEP_TEST(once, when_the_maker_is_cancelled_the_next_tries)
{
    tr_task t = start_two(root);

    tr_task_abort(&t);
    check_eq(ended(1), -ECANCELED);
    go = true;
    check_eq(ended(2), 0);
    check_eq(got[2], &second);
    tr_task_close(&t);
}

STEP_TEST(once, one_that_gives_up_in_line_makes_nothing)
{
    start(root, get_first, 1, TR_NEVER);
    step_until(n_making == 1);
    check_eq(get_second(2, tr_after(TR_MS(1))), -ETIMEDOUT);
    check_eq(got[2], NULL);
    go = true;
    check_eq(ended(1), 0);
    check_eq(n_made, 1);
}

STEP_TEST(once, a_failure_of_all_leaves_it_empty)
{
    go = true;
    make_result = -EIO;
    check_eq(get_first(1, TR_NEVER), -EIO);
    check_eq(get_first(1, TR_NEVER), -EIO);
    check_eq(n_made, 2);
    check_eq(tr_once_try_get(&once, &got[1]), -EAGAIN);
    check_eq(tr_once_set(&once, &second), 0);
    check_eq(get_first(1, TR_NEVER), 0);
    check_eq(got[1], &second);
}

/* ---- it asks for the value that it makes ---- */

static int make_recursively(void *arg, void **ret_value)
{
    (void)arg;
    return tr_once_get_or_init(&once, make_at_once, &first, TR_NEVER, ret_value);
}

STEP_TEST(once, a_maker_that_asks_for_the_value_is_refused)
{
    check_eq(tr_once_get_or_init(&once, make_recursively, NULL, TR_NEVER, &got[1]), -EDEADLK);
    check_eq(n_told[TR_EVENT_MISUSE], 1);
    check_eq(n_made, 0);
    check_eq(tr_once_set(&once, &first), 0, "it is free again");
}

/* ---- set ---- */

TR_TEST(once, the_first_set_wins)
{
    void *value = &second;

    check_eq(tr_once_try_get(&once, &value), -EAGAIN);
    check_eq(value, &second, "left alone");
    check_eq(tr_once_set(&once, &first), 0);
    check_eq(tr_once_set(&once, &second), -EALREADY);
    check_eq(tr_once_try_get(&once, &value), 0);
    check_eq(value, &first);
    check_eq(tr_once_blocking_get_or_init(&once, make_at_once, &second, TR_NEVER, &value), 0);
    check_eq(value, &first);
    check_eq(n_made, 0);
    tr_once_init(&once);
    check_eq(tr_once_blocking_get_or_init(&once, make_at_once, &second, TR_NEVER, &value), 0);
    check_eq(value, &second);
    check_eq(n_made, 1);
}

TR_TEST(once, the_value_may_be_null)
{
    void *value = &first;

    check_eq(tr_once_set(&once, NULL), 0);
    check_eq(tr_once_try_get(&once, &value), 0);
    check_eq(value, NULL);
    check_eq(tr_once_set(&once, &first), -EALREADY);
}

STEP_TEST(once, set_while_it_is_made_is_refused)
{
    start(root, get_first, 1, TR_NEVER);
    step_until(n_making == 1);
    check_eq(tr_once_set(&once, &second), -EAGAIN);
    go = true;
    check_eq(ended(1), 0);
    check_eq(tr_once_set(&once, &second), -EALREADY);
    check_eq(got[1], &first);
}

/* ---- wait ---- */

STEP_TEST(once, all_who_wait_see_the_value)
{
    for (unsigned id = 0; id < 70; id++)
        queue(root, &once.waiters, await, id, TR_NEVER);
    check_eq(tr_once_set(&once, &first), 0);
    for (unsigned id = 0; id < 70; id++) {
        check_eq(ended(id), 0);
        check_eq(got[id], &first);
    }
    check_eq(tr_once_wait(&once, TR_NOW, &got[0]), 0);
}

STEP_TEST(once, who_waits_sees_a_made_value_and_makes_none)
{
    queue(root, &once.waiters, await, 5, TR_NEVER);
    start_two(root);
    make_result = -EIO;
    only_first_fails = go = true;
    check_eq(ended(5), 0);
    check_eq(result[1], -EIO);
    check_eq(got[5], &second, "not woken by the failure, or asleep again");
}

STEP_TEST(once, a_wait_that_ends_has_taken_nothing_and_the_value_wins)
{
    tr_task t = queue(root, &once.waiters, await, 1, TR_NEVER);

    queue(root, &once.waiters, await, 2, tr_after(TR_MS(1)));
    tr_task_abort(&t);
    check_eq(ended(1), -ECANCELED);
    check_eq(ended(2), -ETIMEDOUT);
    tr_task_close(&t);
    t = queue(root, &once.waiters, await, 3, TR_NEVER);
    check_eq(tr_once_set(&once, &first), 0);
    tr_task_abort(&t);
    check_eq(ended(3), 0);
    check_eq(got[3], &first);
    tr_task_close(&t);
}

static int await_by_select(unsigned id, tr_time deadline)
{
    tr_arm arms[2] = { tr_deadline_arm(TR_NEVER), tr_once_wait_arm(&once, &got[id]) };
    int i = tr_select(deadline, arms, 2);

    return i < 0 ? i : i * 10 + arms[i].result;
}

STEP_TEST(once, an_arm_is_ready_with_the_value)
{
    queue(root, &once.waiters, await_by_select, 1, TR_NEVER);
    queue(root, &once.waiters, await_by_select, 2, tr_after(TR_MS(1)));
    check_eq(ended(2), -ETIMEDOUT);
    check_eq(tr_once_set(&once, &first), 0);
    check_eq(ended(1), 10);
    check_eq(got[1], &first);
    start(root, await_by_select, 3, TR_NOW);
    check_eq(ended(3), 10);
}

/* ---- threads ---- */

static atomic_uint n_won;
static int values[4];

static void *race_to_set(void *arg)
{
    void *value;

    atomic_fetch_add(&n_won, tr_once_set(&once, arg) == 0);
    check_eq(tr_once_blocking_wait(&once, TR_NEVER, &value), 0);
    return value;
}

TR_TEST(once, one_of_many_threads_wins_and_all_see_its_value)
{
    for (unsigned round = 0; round < 50; round++) {
        pthread_t thread[4];
        void *value, *seen;

        tr_once_init(&once);
        atomic_store(&n_won, 0);
        for (unsigned i = 0; i < 4; i++)
            need_eq(pthread_create(&thread[i], NULL, race_to_set, &values[i]), 0);
        check_eq(tr_once_blocking_wait(&once, TR_NEVER, &value), 0);
        for (unsigned i = 0; i < 4; i++) {
            pthread_join(thread[i], &seen);
            check_eq(seen, value);
        }
        check_eq(n_won, 1);
    }
}

STEP_TEST(once, blocking_forms_in_a_task_are_refused)
{
    check_eq(tr_once_set(&once, &first), 0);
    check_eq(tr_once_blocking_wait(&once, TR_NEVER, &got[1]), -EDEADLK);
    check_eq(tr_once_blocking_get_or_init(&once, make, NULL, TR_NEVER, &got[1]), -EDEADLK);
    check_eq(got[1], NULL);
}

TR_TEST(once, bad_arguments_are_refused)
{
    tr_once_init(NULL);
    check_eq(tr_once_get_or_init(NULL, make, NULL, TR_NEVER, &got[0]), -EINVAL);
    check_eq(tr_once_get_or_init(&once, NULL, NULL, TR_NEVER, &got[0]), -EINVAL);
    check_eq(tr_once_get_or_init(&once, make, NULL, TR_NEVER, NULL), -EINVAL);
    check_eq(tr_once_blocking_get_or_init(&once, make, NULL, TR_NEVER, NULL), -EINVAL);
    check_eq(tr_once_set(NULL, NULL), -EINVAL);
    check_eq(tr_once_wait(NULL, TR_NEVER, &got[0]), -EINVAL);
    check_eq(tr_once_try_get(&once, NULL), -EINVAL);
    check_eq(tr_once_blocking_wait(&once, TR_NEVER, NULL), -EINVAL);
    check(!tr_once_wait_arm(NULL, &got[0]).ops);
    check_eq(tr_once_wait(&once, TR_NEVER, &got[0]), -EPERM);
    check_eq(tr_once_get_or_init(&once, make, NULL, TR_NEVER, &got[0]), -EPERM);
    check_eq(n_made, 0);
}
