/* SPDX-License-Identifier: MIT */
/* test_semaphore.c - permits: order, withdrawing, closing, misuse, permits in hand. */
#include "config.h"

#include "sync/calls.h"
#include "sync/permits.h"

TR_SUITE(semaphore, .races = true, .init = kit_listen, .timeout = 20);

static tr_semaphore sem = TR_SEMAPHORE_INIT(0);

/* Takes as many permits as its id says, and keeps them. */
static int take(unsigned id, tr_time deadline)
{
    return tr_semaphore_acquire(&sem, id, deadline);
}

static tr_task queue_take(tr_scope *root, unsigned id, tr_time deadline)
{
    return queue(root, &sem.inside, take, id, deadline);
}

/* ---- counting, without a wait ---- */

TR_TEST(semaphore, permits_are_counted)
{
    tr_semaphore s = TR_SEMAPHORE_INIT(3);

    check_eq(tr_semaphore_available(&s), 3);
    check_eq(tr_semaphore_try_acquire(&s, 2), 0);
    check_eq(tr_semaphore_try_acquire(&s, 2), -EAGAIN);
    check_eq(tr_semaphore_available(&s), 1, "a failed acquire takes nothing");
    check_eq(tr_semaphore_try_acquire(&s, 0), 0);
    check_eq(tr_semaphore_release(&s, 4), 0);
    check_eq(tr_semaphore_available(&s), 5);
}

TR_TEST(semaphore, closed_is_not_the_same_as_empty)
{
    check_eq(tr_semaphore_try_acquire(&sem, 1), -EAGAIN);
    check(!tr_semaphore_is_closed(&sem));
    tr_semaphore_close(&sem);
    tr_semaphore_close(&sem);
    check(tr_semaphore_is_closed(&sem));
    check_eq(tr_semaphore_try_acquire(&sem, 1), -EPIPE);
    check_eq(tr_semaphore_try_acquire(&sem, 0), -EPIPE);
    check_eq(tr_semaphore_blocking_acquire(&sem, 1, TR_NEVER), -EPIPE);
    check_eq(tr_semaphore_release(&sem, 2), 0, "permits may come back");
    check_eq(tr_semaphore_available(&sem), 2);
    check_eq(tr_semaphore_forget(&sem, 1), 1);
    check_eq(tr_semaphore_try_acquire(&sem, 1), -EPIPE);
}

TR_TEST(semaphore, forget_removes_what_is_available_at_most)
{
    tr_semaphore s = TR_SEMAPHORE_INIT(3);

    check_eq(tr_semaphore_forget(&s, 2), 2);
    check_eq(tr_semaphore_available(&s), 1);
    check_eq(tr_semaphore_forget(&s, 2), 1);
    check_eq(tr_semaphore_forget(&s, 2), 0);
    check_eq(tr_semaphore_release(&s, 1), 0);
    check_eq(tr_semaphore_available(&s), 1);
}

TR_TEST(semaphore, the_maximum_may_be_reached_and_not_exceeded)
{
    tr_semaphore s;

    check_eq(tr_semaphore_init(&s, TR_SEMAPHORE_MAX + 1), -EINVAL);
    check_eq(n_told[TR_EVENT_MISUSE], 1);
    check_eq(tr_semaphore_init(&s, TR_SEMAPHORE_MAX), 0);
    check_eq(tr_semaphore_available(&s), TR_SEMAPHORE_MAX);
    check_eq(tr_semaphore_release(&s, 0), 0);
    check_eq(tr_semaphore_release(&s, 1), -EINVAL);
    check_eq(n_told[TR_EVENT_MISUSE], 2);
    check_eq(tr_semaphore_release(&s, SIZE_MAX), -EINVAL);
    check_eq(tr_semaphore_available(&s), TR_SEMAPHORE_MAX);
    check_eq(tr_semaphore_try_acquire(&s, TR_SEMAPHORE_MAX), 0);
    check_eq(tr_semaphore_release(&s, TR_SEMAPHORE_MAX), 0);
}

STEP_TEST(semaphore, bad_arguments_are_refused)
{
    tr_arm arms[2] = { tr_semaphore_acquire_arm(NULL, 1),
                       tr_semaphore_acquire_arm(&sem, TR_SEMAPHORE_MAX + 1) };

    check_eq(tr_semaphore_init(NULL, 1), -EINVAL);
    check_eq(tr_semaphore_acquire(NULL, 1, TR_NEVER), -EINVAL);
    check_eq(tr_semaphore_acquire(&sem, TR_SEMAPHORE_MAX + 1, TR_NEVER), -EINVAL);
    check_eq(tr_semaphore_try_acquire(NULL, 1), -EINVAL);
    check_eq(tr_semaphore_blocking_acquire(NULL, 1, TR_NEVER), -EINVAL);
    check_eq(tr_semaphore_release(NULL, 1), -EINVAL);
    check_eq(tr_semaphore_forget(NULL, 1), 0);
    check_eq(tr_semaphore_available(NULL), 0);
    check(tr_semaphore_is_closed(NULL));
    tr_semaphore_close(NULL);
    check_eq(tr_select(TR_NEVER, arms, 1), -EINVAL, "disabled");
    check_eq(tr_select(TR_NEVER, arms, 2), 1);
    check_eq(arms[1].result, -EINVAL);
}

/* ---- permits in hand ---- */

TR_TEST(semaphore, permits_in_hand_come_back_once)
{
    tr_semaphore s = TR_SEMAPHORE_INIT(3);

    need_eq(tr_semaphore_try_acquire(&s, 2), 0);
    {
        tr_permit p TR_CLEANUP(tr_permit_release) = tr_permit_of(&s, 2);

        check_eq(p.n, 2);
        check_eq(tr_semaphore_available(&s), 1);
    }
    check_eq(tr_semaphore_available(&s), 3);
    need_eq(tr_semaphore_try_acquire(&s, 2), 0);
    {
        tr_permit p TR_CLEANUP(tr_permit_release) = tr_permit_of(&s, 2);

        tr_permit_forget(&p);
        check_eq(p.n, 0);
    }
    check_eq(tr_semaphore_available(&s), 1, "forgotten for good");
    tr_permit_release(NULL);
    tr_permit_forget(NULL);
}

TR_TEST(semaphore, permits_in_hand_are_split_and_merged)
{
    tr_semaphore s = TR_SEMAPHORE_INIT(0), other = TR_SEMAPHORE_INIT(0);
    tr_permit p = tr_permit_of(&s, 5), part = { NULL, 0 }, strange = tr_permit_of(&other, 1);

    check_eq(tr_permit_split(&p, 6, &part), -EINVAL);
    check_eq(p.n, 5);
    check_eq(part.semaphore, NULL);
    check_eq(tr_permit_split(&p, 0, &part), 0);
    check_eq(part.n, 0);
    check_eq(tr_permit_split(&p, 2, &part), 0);
    check_eq(p.n, 3);
    check_eq(part.n, 2);
    check_eq(tr_permit_merge(&p, &strange), -EINVAL);
    check_eq(n_told[TR_EVENT_MISUSE], 1);
    check_eq(p.n + strange.n, 4, "nothing was moved");
    check_eq(tr_permit_merge(&p, &p), -EINVAL);
    check_eq(tr_permit_merge(&p, &part), 0);
    check_eq(p.n, 5);
    check_eq(part.n, 0);
    check_eq(tr_permit_merge(&part, &p), 0, "into an empty one");
    tr_permit_release(&part);
    tr_permit_release(&p);
    check_eq(tr_semaphore_available(&s), 5);
    check_eq(tr_semaphore_available(&other), 0);
}

/* ---- waiting in line ---- */

STEP_TEST(semaphore, served_in_the_order_of_asking_whatever_the_numbers)
{
    for (unsigned id = 5; id >= 1; id--) /* the greediest first */
        queue_take(root, id, TR_NEVER);
    for (unsigned id = 5; id >= 1; id--) {
        check_eq(tr_semaphore_release(&sem, id - 1), 0);
        check_eq(tr_yield(), 0);
        check_eq(n_ended, 5 - id, "what is there is kept for the first");
        check_eq(tr_semaphore_release(&sem, 1), 0);
        check_eq(ended(id), 0);
    }
    check_eq(tr_semaphore_available(&sem), 0);
}

STEP_TEST(semaphore, nobody_overtakes_one_that_waits)
{
    tr_task t = queue_take(root, 3, TR_NEVER);

    check_eq(tr_semaphore_release(&sem, 2), 0);
    check_eq(tr_semaphore_available(&sem), 0, "kept for the first");
    check_eq(tr_semaphore_try_acquire(&sem, 1), -EAGAIN);
    check_eq(tr_semaphore_acquire(&sem, 1, TR_NOW), -ETIMEDOUT);
    check_eq(tr_semaphore_forget(&sem, 1), 0);
    tr_task_abort(&t);
    check_eq(ended(3), -ECANCELED);
    check_eq(tr_semaphore_available(&sem), 2, "back in the pool");
    tr_task_close(&t);
}

STEP_TEST(semaphore, one_that_leaves_the_line_lets_the_next_in)
{
    tr_task first = queue_take(root, 3, TR_NEVER);

    queue_take(root, 2, TR_NEVER);
    check_eq(tr_semaphore_release(&sem, 2), 0);
    check_eq(tr_yield(), 0);
    check_eq(result[2], PENDING);
    tr_task_abort(&first);
    check_eq(ended(2), 0);
    check_eq(result[3], -ECANCELED);
    check_eq(tr_semaphore_available(&sem), 0);
    tr_task_close(&first);
}

STEP_TEST(semaphore, waiting_ends_at_the_deadline_and_at_a_drain)
{
    queue_take(root, 1, tr_after(TR_MS(1)));
    check_eq(ended(1), -ETIMEDOUT);
    check_eq(n_in_line(&sem.inside), 0);
    queue_take(root, 2, TR_UNTIL_DRAIN);
    check_eq(tr_scope_drain(root, TR_NEVER), 0);
    check_eq(ended(2), -ESHUTDOWN);
    check_eq(tr_semaphore_release(&sem, 1), 0);
    check_eq(tr_semaphore_acquire(&sem, 1, TR_UNTIL_DRAIN), 0, "what is ready wins");
}

STEP_TEST(semaphore, a_permit_before_the_cancel_is_the_waiters)
{
    tr_task t = queue_take(root, 1, TR_NEVER);

    check_eq(tr_semaphore_release(&sem, 1), 0);
    tr_task_abort(&t);
    check_eq(ended(1), 0);
    check_eq(tr_semaphore_available(&sem), 0);
    tr_task_close(&t);
}

STEP_TEST(semaphore, a_permit_after_the_cancel_is_the_waiters_until_it_has_left)
{
    tr_task t = queue_take(root, 1, TR_NEVER);

    tr_task_abort(&t);
    check_eq(tr_semaphore_release(&sem, 1), 0);
    check_eq(ended(1), 0, "it was still in line");
    tr_task_close(&t);

    t = queue_take(root, 1, TR_NEVER);
    tr_task_abort(&t);
    check_eq(ended(1), -ECANCELED);
    check_eq(tr_semaphore_release(&sem, 1), 0);
    check_eq(tr_semaphore_available(&sem), 1);
    tr_task_close(&t);
}

/* Sleeps until it is cancelled, and then takes. */
static int take_late(unsigned id, tr_time deadline)
{
    check_eq(tr_sleep(TR_NEVER), -ECANCELED);
    return take(id, deadline);
}

STEP_TEST(semaphore, a_cancelled_task_gets_nothing_even_if_it_is_there)
{
    tr_task t = start(root, take_late, 1, TR_NEVER);

    check_eq(tr_semaphore_release(&sem, 1), 0);
    step_until(is_parked(&t));
    tr_task_abort(&t);
    check_eq(ended(1), -ECANCELED);
    check_eq(tr_semaphore_available(&sem), 1);
    tr_task_close(&t);
}

STEP_TEST(semaphore, many_are_served_by_one_release)
{
    for (unsigned id = 0; id < 100; id++) {
        start(root, take, id, TR_NEVER);
        check_eq(tr_yield(), 0);
    }
    step_until(n_in_line(&sem.inside) == 99); /* nobody waits for 0 permits */
    check_eq(tr_semaphore_release(&sem, 4950), 0);
    check_eq(n_in_line(&sem.inside), 0);
    check_eq(ended(99), 0);
    check_eq(tr_semaphore_available(&sem), 0);
}

/* Else somebody could take it, and free the object, before the giver has released the lock. */
TR_TEST(semaphore, with_the_lock_nothing_is_given_unless_somebody_waits)
{
    struct tri_crowd *c = tri_crowd_of(&sem.inside);

    check_eq(tri_permits_give_slow(c, 1, 5), -EAGAIN);
    check_eq(tr_semaphore_available(&sem), 0);
}

/* ---- closing ---- */

STEP_TEST(semaphore, close_sends_those_in_line_away)
{
    for (unsigned id = 1; id <= 70; id++)
        queue_take(root, id, TR_NEVER);
    tr_semaphore_close(&sem);
    for (unsigned id = 1; id <= 70; id++)
        check_eq(ended(id), -EPIPE);
    check_eq(tr_semaphore_acquire(&sem, 1, TR_NEVER), -EPIPE);
}

STEP_TEST(semaphore, permits_granted_before_a_close_and_not_taken_go_back)
{
    queue_take(root, 2, TR_NEVER);
    check_eq(tr_semaphore_release(&sem, 2), 0);
    check_eq(n_in_line(&sem.inside), 0, "granted");
    tr_semaphore_close(&sem);
    check_eq(ended(2), -EPIPE);
    check_eq(tr_semaphore_available(&sem), 2);
}

STEP_TEST(semaphore, permits_taken_before_a_close_stay)
{
    queue_take(root, 2, TR_NEVER);
    check_eq(tr_semaphore_release(&sem, 2), 0);
    check_eq(ended(2), 0);
    tr_semaphore_close(&sem);
    check_eq(tr_semaphore_available(&sem), 0);
    check_eq(tr_semaphore_release(&sem, 2), 0);
    check_eq(tr_semaphore_available(&sem), 2);
}

/* ---- select ---- */

static tr_semaphore other = TR_SEMAPHORE_INIT(0);

/* Takes one of sem, or two of other: the result is 10 or 20, plus what the arm says. */
static int take_either(unsigned id, tr_time deadline)
{
    tr_arm arms[2] = { tr_semaphore_acquire_arm(&sem, 1), tr_semaphore_acquire_arm(&other, 2) };
    int i = tr_select_first(deadline, arms, 2);

    (void)id;
    return i < 0 ? i : (i + 1) * 10 + arms[i].result;
}

STEP_TEST(semaphore, a_select_takes_permits_of_one_arm)
{
    queue(root, &sem.inside, take_either, 1, TR_NEVER);
    check_eq(tr_semaphore_release(&other, 2), 0);
    check_eq(ended(1), 20);
    check_eq(n_in_line(&sem.inside) + n_in_line(&other.inside), 0);
    check_eq(tr_semaphore_available(&other), 0);
    queue(root, &sem.inside, take_either, 2, TR_NEVER);
    tr_semaphore_close(&other);
    check_eq(ended(2), 20 - EPIPE);
}

STEP_TEST(semaphore, a_select_that_takes_another_arm_holds_no_permit)
{
    queue(root, &sem.inside, take_either, 40, TR_NEVER);
    queue_take(root, 1, TR_NEVER);
    check_eq(tr_semaphore_release(&sem, 1), 0);
    check_eq(n_in_line(&sem.inside), 2, "it was told, not given");
    check_eq(tr_semaphore_release(&other, 2), 0);
    check_eq(ended(40), 10, "the first arm is tried first");
    check_eq(tr_semaphore_available(&other), 2);
    check_eq(result[1], PENDING);
    check_eq(tr_semaphore_release(&sem, 1), 0);
    check_eq(ended(1), 0);
}

/* As take_either() in the other order, so that it loses the permit it was told of. */
static int take_other_first(unsigned id, tr_time deadline)
{
    tr_arm arms[2] = { tr_semaphore_acquire_arm(&other, 2), tr_semaphore_acquire_arm(&sem, 1) };
    int i = tr_select_first(deadline, arms, 2);

    (void)id;
    return i < 0 ? i : (i + 1) * 10 + arms[i].result;
}

STEP_TEST(semaphore, a_permit_that_a_select_did_not_take_goes_to_the_next)
{
    queue(root, &sem.inside, take_other_first, 40, TR_NEVER);
    queue_take(root, 1, TR_NEVER);
    check_eq(tr_semaphore_release(&sem, 1), 0);
    check_eq(tr_semaphore_release(&other, 2), 0);
    check_eq(ended(40), 10);
    check_eq(ended(1), 0);
    check_eq(tr_semaphore_available(&sem), 0);
}

STEP_TEST(semaphore, a_cancelled_select_hands_on_what_it_was_told_of)
{
    tr_task t = queue(root, &sem.inside, take_either, 40, TR_NEVER);

    queue_take(root, 2, TR_NEVER);
    tr_task_abort(&t);
    check_eq(ended(40), -ECANCELED);
    check_eq(tr_semaphore_release(&sem, 2), 0);
    check_eq(ended(2), 0);
    tr_task_close(&t);
}

/* ---- who may call ---- */

STEP_TEST(semaphore, blocking_form_in_a_task_is_refused_even_if_permits_are_there)
{
    check_eq(tr_semaphore_release(&sem, 1), 0);
    check_eq(tr_semaphore_blocking_acquire(&sem, 1, TR_NEVER), -EDEADLK);
    check_eq(n_told[TR_EVENT_MISUSE], 1);
    check_eq(tr_semaphore_available(&sem), 1);
}

TR_TEST(semaphore, waiting_form_outside_of_a_task_is_refused)
{
    check_eq(tr_semaphore_release(&sem, 1), 0);
    check_eq(tr_semaphore_acquire(&sem, 1, TR_NEVER), -EPERM);
    check_eq(n_told[TR_EVENT_MISUSE], 1);
    check_eq(tr_semaphore_available(&sem), 1);
}

static void *release_two(void *unused)
{
    (void)unused;
    while (n_in_line(&sem.inside) == 0)
        sched_yield();
    check_eq(tr_semaphore_release(&sem, 1), 0);
    check_eq(tr_semaphore_release(&sem, 1), 0);
    return NULL;
}

TR_TEST(semaphore, thread_blocks_for_its_permits)
{
    pthread_t thread;

    check_eq(tr_semaphore_blocking_acquire(&sem, 2, tr_after(TR_MS(1))), -ETIMEDOUT);
    need_eq(pthread_create(&thread, NULL, release_two, NULL), 0);
    check_eq(tr_semaphore_blocking_acquire(&sem, 2, TR_NEVER), 0);
    pthread_join(thread, NULL);
    check_eq(tr_semaphore_available(&sem), 0);
}

/* ---- what is seen ---- */

static unsigned plain[3]; /* ordered by the semaphore alone */

static void *write_and_release(void *unused)
{
    (void)unused;
    plain[0] = 1;
    check_eq(tr_semaphore_release(&sem, 1), 0);
    plain[1] = 2;
    check_eq(tr_semaphore_release(&other, 1), 0);
    plain[2] = 3;
    tr_semaphore_close(&sem);
    return NULL;
}

TR_TEST(semaphore, an_acquire_a_forget_and_a_refusal_see_what_was_done_before)
{
    pthread_t thread;

    need_eq(pthread_create(&thread, NULL, write_and_release, NULL), 0);
    while (tr_semaphore_try_acquire(&sem, 1) == -EAGAIN)
        sched_yield();
    check_eq(plain[0], 1);
    while (tr_semaphore_forget(&other, 1) == 0)
        sched_yield();
    check_eq(plain[1], 2);
    while (tr_semaphore_try_acquire(&sem, 1) != -EPIPE)
        sched_yield();
    check_eq(plain[2], 3);
    pthread_join(thread, NULL);
}
