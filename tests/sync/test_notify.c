/* SPDX-License-Identifier: MIT */
/* test_notify.c - the permit, one and last and all, handing on, the count, conditions. */
#include "config.h"

#include "sync/calls.h"

TR_SUITE(notify, .races = true, .init = kit_listen, .timeout = 20);

static tr_notify notify = TR_NOTIFY_INIT;

static int await(unsigned id, tr_time deadline)
{
    (void)id;
    return tr_notify_wait(&notify, deadline);
}

static tr_task queue_await(tr_scope *root, unsigned id, tr_time deadline)
{
    return queue(root, &notify.inside, await, id, deadline);
}

static bool has_permit(void)
{
    return tr_notify_try_wait(&notify) == 0;
}

TR_TEST(notify, one_permit_is_stored_at_most)
{
    check_eq(tr_notify_try_wait(&notify), -EAGAIN);
    tr_notify_one(&notify);
    tr_notify_one(&notify);
    tr_notify_last(&notify);
    check_eq(tr_notify_try_wait(&notify), 0);
    check_eq(tr_notify_try_wait(&notify), -EAGAIN);
    tr_notify_one(&notify);
    check_eq(tr_notify_blocking_wait(&notify, TR_NEVER), 0);
    check_eq(tr_notify_blocking_wait(&notify, tr_after(TR_MS(1))), -ETIMEDOUT);
    tr_notify_one(&notify);
    tr_notify_init(&notify);
    check_eq(tr_notify_try_wait(&notify), -EAGAIN);
}

STEP_TEST(notify, a_wait_takes_the_permit)
{
    tr_notify_one(&notify);
    check_eq(tr_notify_wait(&notify, TR_NOW), 0, "what is ready wins");
    check_eq(tr_notify_wait(&notify, TR_NOW), -ETIMEDOUT);
}

STEP_TEST(notify, one_wakes_the_longest_waiting_and_last_the_latest)
{
    for (unsigned id = 1; id <= 4; id++)
        queue_await(root, id, TR_NEVER);
    tr_notify_one(&notify);
    check_eq(ended(1), 0);
    tr_notify_last(&notify);
    check_eq(ended(4), 0);
    tr_notify_one(&notify);
    check_eq(ended(2), 0);
    check_eq(n_ended, 3);
    tr_notify_last(&notify);
    check_eq(ended(3), 0);
    check(!has_permit());
}

STEP_TEST(notify, all_wakes_everybody_and_stores_nothing)
{
    for (unsigned id = 0; id < 100; id++)
        queue_await(root, id, TR_NEVER);
    tr_notify_all(&notify);
    check_eq(n_in_line(&notify.inside), 0);
    for (unsigned id = 0; id < 100; id++)
        check_eq(ended(id), 0);
    check_eq(tr_notify_wait(&notify, TR_NOW), -ETIMEDOUT);
}

STEP_TEST(notify, all_leaves_a_stored_permit)
{
    tr_notify_one(&notify);
    tr_notify_all(&notify);
    check(has_permit());
}

/* ---- all is one step: whoever is complete is so for everybody, at once ---- */

/* The state in which tr_notify_all() is between two batches: counted, and nobody told yet. */
static void begin_all(void)
{
    atomic_fetch_add(&tri_crowd_of(&notify.inside)->word, TRI_CROWD_ONE);
}

STEP_TEST(notify, a_waiter_is_complete_before_it_was_told)
{
    tr_task t = queue_await(root, 1, TR_NEVER);

    queue_await(root, 2, tr_after(TR_MS(1)));
    begin_all();
    tr_task_abort(&t);
    check_eq(ended(1), 0, "not cancelled");
    check_eq(ended(2), 0, "not late");
    check_eq(n_in_line(&notify.inside), 0);
    tr_task_close(&t);
}

STEP_TEST(notify, one_during_all_is_for_who_came_later)
{
    queue_await(root, 1, TR_NEVER);
    queue_await(root, 2, TR_NEVER);
    begin_all();
    queue_await(root, 3, TR_NEVER);
    queue_await(root, 4, TR_NEVER);
    tr_notify_one(&notify);
    check_eq(ended(1), 0);
    check_eq(ended(2), 0);
    check_eq(ended(3), 0);
    check_eq(result[4], PENDING);
    tr_notify_one(&notify);
    check_eq(ended(4), 0);
}

STEP_TEST(notify, one_during_all_with_nobody_later_is_stored)
{
    for (unsigned id = 0; id < 33; id++) /* more than a batch */
        queue_await(root, id, TR_NEVER);
    begin_all();
    tr_notify_last(&notify);
    for (unsigned id = 0; id < 33; id++)
        check_eq(ended(id), 0);
    check(has_permit());
}

/* ---- withdrawn ---- */

STEP_TEST(notify, a_waiter_that_leaves_has_taken_nothing)
{
    tr_task t = queue_await(root, 1, TR_NEVER);

    queue_await(root, 2, tr_after(TR_MS(1)));
    tr_task_abort(&t);
    check_eq(ended(1), -ECANCELED);
    check_eq(ended(2), -ETIMEDOUT);
    queue_await(root, 3, TR_UNTIL_DRAIN);
    check_eq(tr_scope_drain(root, TR_NEVER), 0);
    check_eq(result[3], -ESHUTDOWN);
    check(!has_permit());
    tr_task_close(&t);
}

STEP_TEST(notify, a_notification_before_the_cancel_is_the_waiters)
{
    tr_task t = queue_await(root, 1, TR_NEVER);

    tr_notify_one(&notify);
    tr_task_abort(&t);
    check_eq(ended(1), 0);
    check(!has_permit());
    tr_task_close(&t);
}

static tr_notify other = TR_NOTIFY_INIT;

/* Waits for both; other wins if both are there. */
static int await_both(unsigned id, tr_time deadline)
{
    tr_arm arms[2] = { tr_notify_wait_arm(&other), tr_notify_wait_arm(&notify) };
    int i = tr_select_first(deadline, arms, 2);

    (void)id;
    return i < 0 ? i : 10 + i;
}

static tr_task queue_both(tr_scope *root, unsigned id)
{
    return queue(root, &notify.inside, await_both, id, TR_NEVER);
}

STEP_TEST(notify, a_select_takes_the_notification)
{
    queue_both(root, 1);
    tr_notify_one(&notify);
    check_eq(ended(1), 11);
    check(!has_permit());
    check_eq(n_in_line(&other.inside), 0);
}

STEP_TEST(notify, what_a_select_was_chosen_for_and_did_not_take_goes_to_the_next)
{
    queue_both(root, 1);
    queue_await(root, 2, TR_NEVER);
    queue_await(root, 3, TR_NEVER);
    tr_notify_one(&notify);
    tr_notify_one(&other);
    check_eq(ended(1), 10);
    check_eq(ended(2), 0);
    check_eq(result[3], PENDING);
    tr_notify_one(&notify);
    check_eq(ended(3), 0);
}

STEP_TEST(notify, what_came_from_last_goes_to_the_latest)
{
    queue_await(root, 2, TR_NEVER);
    queue_await(root, 3, TR_NEVER);
    queue_both(root, 1);
    tr_notify_last(&notify);
    tr_notify_one(&other);
    check_eq(ended(1), 10);
    check_eq(ended(3), 0);
    check_eq(result[2], PENDING);
    tr_notify_one(&notify);
    check_eq(ended(2), 0);
}

STEP_TEST(notify, what_nobody_takes_becomes_the_permit)
{
    queue_both(root, 1);
    tr_notify_one(&notify);
    tr_notify_one(&other);
    check_eq(ended(1), 10);
    check(has_permit());
}

STEP_TEST(notify, what_came_from_all_is_not_handed_on)
{
    queue_both(root, 1);
    tr_notify_all(&notify);
    tr_notify_one(&other);
    queue_await(root, 2, TR_NEVER);
    check_eq(ended(1), 10);
    check_eq(result[2], PENDING);
    check_eq(n_in_line(&notify.inside), 1);
    tr_notify_one(&notify);
    check_eq(ended(2), 0);
    check(!has_permit());
}

STEP_TEST(notify, a_select_takes_a_stored_permit_and_only_of_one_arm)
{
    tr_notify_one(&notify);
    start(root, await_both, 1, TR_NEVER);
    check_eq(ended(1), 11);
    tr_notify_one(&notify);
    tr_notify_one(&other);
    start(root, await_both, 1, TR_NEVER);
    check_eq(ended(1), 10);
    check(has_permit());
}

/* ---- the count ---- */

static uint64_t seen;

static int await_since(unsigned id, tr_time deadline)
{
    (void)id;
    return tr_notify_wait_since(&notify, &seen, deadline);
}

STEP_TEST(notify, all_before_the_wait_is_seen_by_the_count)
{
    seen = tr_notify_count(&notify);
    check_eq(tr_notify_wait_since(&notify, &seen, TR_NOW), -ETIMEDOUT);
    tr_notify_all(&notify);
    tr_notify_all(&notify);
    tr_notify_one(&notify);
    check_eq(tr_notify_wait_since(&notify, &seen, TR_NOW), 0);
    check_eq(seen, 2);
    check_eq(seen, tr_notify_count(&notify));
    check(has_permit(), "it was left in place");
    check_eq(tr_notify_wait_since(&notify, &seen, TR_NOW), -ETIMEDOUT);
    check_eq(seen, 2);
}

STEP_TEST(notify, all_during_the_wait_is_counted_as_seen)
{
    queue(root, &notify.inside, await_since, 1, TR_NEVER);
    tr_notify_all(&notify);
    check_eq(ended(1), 0);
    check_eq(seen, 1);
    queue(root, &notify.inside, await_since, 1, TR_NEVER);
    tr_notify_one(&notify);
    tr_notify_all(&notify);
    check_eq(ended(1), 0);
    check_eq(seen, 1, "it was one that ended this wait");
    check_eq(tr_notify_wait_since(&notify, &seen, TR_NOW), 0);
    check_eq(seen, 2);
}

STEP_TEST(notify, an_arm_with_a_count_misses_nothing_between_two_selects)
{
    tr_arm arm = tr_notify_wait_since_arm(&notify, &seen);

    for (unsigned i = 1; i <= 3; i++) {
        tr_notify_all(&notify);
        check_eq(tr_select(TR_NOW, &arm, 1), 0);
        check_eq(seen, i);
    }
    check_eq(tr_select(tr_after(TR_MS(1)), &arm, 1), -ETIMEDOUT);
}

/* A wait counts from when its caller took the count, whether or not it had begun by then. */
STEP_TEST(notify, all_completes_what_was_begun_or_counted_before_and_nothing_else)
{
    uint64_t before = tr_notify_count(&notify), later;
    tr_arm arm = tr_notify_wait_since_arm(&notify, &before);

    seen = before;
    queue(root, &notify.inside, await_since, 1, TR_NEVER);
    queue_await(root, 2, TR_NEVER);
    tr_notify_all(&notify);
    later = tr_notify_count(&notify);
    queue_await(root, 3, TR_NEVER);
    check_eq(ended(1), 0, "begun");
    check_eq(ended(2), 0);
    check_eq(tr_select(TR_NOW, &arm, 1), 0, "made and not begun");
    check_eq(tr_notify_wait_since(&notify, &later, TR_NOW), -ETIMEDOUT);
    check_eq(result[3], PENDING);
    tr_notify_one(&notify);
    check_eq(ended(3), 0);
    check(!has_permit());
    tr_notify_one(&notify);
    tr_notify_all(&notify);
    check(has_permit(), "a stored one stays");
}

STEP_TEST(notify, what_was_complete_for_a_count_stays_so_however_often_it_is_asked)
{
    const uint64_t before = tr_notify_count(&notify);

    tr_notify_all(&notify);
    for (unsigned i = 0; i < 3; i++) {
        uint64_t mine = before;
        tr_arm arm = tr_notify_wait_since_arm(&notify, &mine);

        check_eq(tr_select(TR_NOW, &arm, 1), 0);
        check_eq(mine, before + 1);
        check_eq(arm.result, 0);
        check_eq(tr_select(TR_NOW, &arm, 1), -ETIMEDOUT, "for the new count it is not");
    }
}

STEP_TEST(notify, an_arm_waits_from_its_select_on_and_not_from_its_making)
{
    tr_arm made = tr_notify_wait_arm(&notify);

    check_eq(n_in_line(&notify.inside), 0u);
    tr_notify_one(&notify);
    check_eq(tr_notify_try_wait(&notify), 0, "a permit, there for whoever asks first");
    check_eq(tr_notify_try_wait(&notify), -EAGAIN, "asking has taken it");
    check_eq(tr_select(TR_NOW, &made, 1), -ETIMEDOUT, "so the arm has nothing");
    queue_both(root, 1);
    tr_notify_one(&notify);
    check_eq(ended(1), 11, "in a select it is in line");
    check(!has_permit());
}

/* ---- conditions ---- */

static unsigned n_looks, value;

static bool is_two(void *arg)
{
    check_eq(arg, &value);
    n_looks++;
    return value == 2;
}

static int until_two(unsigned id, tr_time deadline)
{
    (void)id;
    return tr_notify_wait_until(&notify, is_two, &value, deadline);
}

STEP_TEST(notify, waiting_until_a_condition_looks_after_each_notification)
{
    queue(root, &notify.inside, until_two, 1, TR_NEVER);
    value = 1;
    tr_notify_all(&notify);
    step_until(n_looks >= 3 && n_in_line(&notify.inside) == 1);
    value = 2;
    tr_notify_one(&notify);
    check_eq(ended(1), 0);
    check_eq(tr_notify_wait_until(&notify, is_two, &value, TR_NOW), 0);
    check(!has_permit());
}

STEP_TEST(notify, waiting_until_a_condition_takes_a_permit_for_a_look_only)
{
    tr_notify_one(&notify);
    check_eq(tr_notify_wait_until(&notify, is_two, &value, TR_NOW), -ETIMEDOUT);
    check(!has_permit());
    value = 2;
    tr_notify_one(&notify);
    check_eq(tr_notify_wait_until(&notify, is_two, &value, TR_NEVER), 0);
    check(has_permit(), "it was true at the first look");
}

STEP_TEST(notify, a_condition_that_is_true_wins_over_the_end_of_the_wait)
{
    tr_task t = queue(root, &notify.inside, until_two, 1, TR_NEVER);

    value = 2;
    tr_task_abort(&t);
    check_eq(ended(1), 0);
    tr_task_close(&t);
    value = 0;
    t = queue(root, &notify.inside, until_two, 1, TR_NEVER);
    tr_task_abort(&t);
    check_eq(ended(1), -ECANCELED);
    tr_task_close(&t);
}

/* True from the third look on: the second is the one after the waiter has joined the line. */
static bool becomes_true(void *arg)
{
    (void)arg;
    check_eq(n_in_line(&notify.inside), n_looks == 1, "in line, then the look");
    return ++n_looks >= 2;
}

STEP_TEST(notify, a_change_between_the_look_and_the_line_is_not_missed)
{
    check_eq(tr_notify_wait_until(&notify, becomes_true, NULL, TR_NEVER), 0);
    check_eq(n_in_line(&notify.inside), 0);
}

/* ---- who may call ---- */

static atomic_bool changed;

static bool is_changed(void *arg)
{
    return atomic_load((atomic_bool *)arg);
}

static void *notifier(void *arg)
{
    while (n_in_line(&notify.inside) == 0)
        sched_yield();
    if (!arg)
        atomic_store(&changed, true);
    tr_notify_all(&notify);
    return NULL;
}

TR_TEST(notify, thread_blocks_until_it_is_notified)
{
    pthread_t thread;

    need_eq(pthread_create(&thread, NULL, notifier, &seen), 0);
    check_eq(tr_notify_blocking_wait(&notify, TR_NEVER), 0);
    pthread_join(thread, NULL);
    check_eq(tr_notify_blocking_wait_since(&notify, &seen, TR_NEVER), 0);
    check_eq(seen, 1);
    need_eq(pthread_create(&thread, NULL, notifier, NULL), 0);
    check_eq(tr_notify_blocking_wait_until(&notify, is_changed, &changed, TR_NEVER), 0);
    pthread_join(thread, NULL);
}

static unsigned plain; /* ordered by the notification alone */

static void *write_and_notify(void *unused)
{
    (void)unused;
    plain = 7;
    tr_notify_one(&notify);
    return NULL;
}

TR_TEST(notify, who_takes_a_stored_permit_sees_what_was_done_before_it)
{
    pthread_t thread;

    need_eq(pthread_create(&thread, NULL, write_and_notify, NULL), 0);
    while (tr_notify_try_wait(&notify) < 0)
        sched_yield();
    check_eq(plain, 7);
    pthread_join(thread, NULL);
}

STEP_TEST(notify, blocking_forms_in_a_task_are_refused)
{
    tr_notify_one(&notify);
    value = 2;
    check_eq(tr_notify_blocking_wait(&notify, TR_NEVER), -EDEADLK);
    check_eq(tr_notify_blocking_wait_since(&notify, &seen, TR_NEVER), -EDEADLK);
    check_eq(tr_notify_blocking_wait_until(&notify, is_two, &value, TR_NEVER), -EDEADLK);
    check_eq(n_told[TR_EVENT_MISUSE], 3);
    check(has_permit());
}

TR_TEST(notify, bad_arguments_are_refused)
{
    tr_notify_init(NULL);
    tr_notify_one(NULL);
    tr_notify_last(NULL);
    tr_notify_all(NULL);
    check_eq(tr_notify_count(NULL), 0);
    check_eq(tr_notify_wait(NULL, TR_NEVER), -EINVAL);
    check_eq(tr_notify_try_wait(NULL), -EINVAL);
    check_eq(tr_notify_blocking_wait(NULL, TR_NEVER), -EINVAL);
    check_eq(tr_notify_wait_since(NULL, &seen, TR_NEVER), -EINVAL);
    check_eq(tr_notify_blocking_wait_since(NULL, &seen, TR_NEVER), -EINVAL);
    check_eq(tr_notify_wait_until(&notify, NULL, NULL, TR_NEVER), -EINVAL);
    check_eq(tr_notify_blocking_wait_until(NULL, is_two, NULL, TR_NEVER), -EINVAL);
    check(!tr_notify_wait_arm(NULL).ops);
    check_eq(tr_notify_wait(&notify, TR_NEVER), -EPERM);
    check_eq(tr_notify_wait_until(&notify, is_two, &value, TR_NEVER), -EPERM);
}
