/* SPDX-License-Identifier: MIT */
/* test_mutex.c - one holder: order, handing on, who gives it back on which way out, misuse. */
#include "config.h"

#include "sync/calls.h"

TR_SUITE(mutex, .races = true, .init = kit_listen, .timeout = 20);

static tr_mutex mutex = TR_MUTEX_INIT;
static unsigned n_inside; /* protected by it */

/* Locks, waits once, unlocks. */
static int visit(unsigned id, tr_time deadline)
{
    tr_mutex *held TR_CLEANUP(tr_mutex_drop) = NULL;
    int r = tr_mutex_lock(&mutex, deadline);

    (void)id;
    if (r < 0)
        return r;
    held = &mutex;
    check_eq(++n_inside, 1);
    r = tr_yield();
    n_inside--;
    return r;
}

static tr_task queue_visit(tr_scope *root, unsigned id, tr_time deadline)
{
    return queue(root, &mutex.inside, visit, id, deadline);
}

TR_TEST(mutex, one_holder_at_a_time)
{
    check_eq(tr_mutex_try_lock(&mutex), 0);
    check_eq(tr_mutex_try_lock(&mutex), -EAGAIN);
    check_eq(tr_mutex_unlock(&mutex), 0);
    check_eq(tr_mutex_try_lock(&mutex), 0);
    check_eq(tr_mutex_unlock(&mutex), 0);
    tr_mutex_init(&mutex);
    check_eq(tr_mutex_blocking_lock(&mutex, TR_NEVER), 0);
    check_eq(tr_mutex_unlock(&mutex), 0);
    check_eq(n_told[TR_EVENT_MISUSE], 0);
}

STEP_TEST(mutex, handed_on_in_the_order_of_asking)
{
    need_eq(tr_mutex_lock(&mutex, TR_NEVER), 0);
    for (unsigned id = 1; id <= 40; id++)
        queue_visit(root, id, TR_NEVER);
    check_eq(tr_mutex_unlock(&mutex), 0);
    check_eq(tr_mutex_try_lock(&mutex), -EAGAIN, "promised to the first");
    check_eq(ended(40), 0);
    for (unsigned i = 0; i < 40; i++)
        check_eq(order[i], i + 1);
    check_eq(tr_mutex_try_lock(&mutex), 0);
    check_eq(tr_mutex_unlock(&mutex), 0);
}

STEP_TEST(mutex, a_waiter_that_gives_up_leaves_the_line)
{
    tr_task t;

    need_eq(tr_mutex_lock(&mutex, TR_NOW), 0);
    queue_visit(root, 1, tr_after(TR_MS(1)));
    t = queue_visit(root, 2, TR_NEVER);
    queue_visit(root, 3, TR_NEVER);
    check_eq(ended(1), -ETIMEDOUT);
    tr_task_abort(&t);
    check_eq(ended(2), -ECANCELED);
    check_eq(n_in_line(&mutex.inside), 1);
    check_eq(tr_mutex_unlock(&mutex), 0);
    check_eq(ended(3), 0);
    tr_task_close(&t);
}

STEP_TEST(mutex, a_waiter_cancelled_after_it_was_handed_on_gives_it_back)
{
    tr_task t;

    need_eq(tr_mutex_lock(&mutex, TR_NOW), 0);
    t = queue_visit(root, 1, TR_NEVER);
    queue_visit(root, 2, TR_NEVER);
    check_eq(tr_mutex_unlock(&mutex), 0);
    tr_task_abort(&t); /* it holds the lock, and gets -ECANCELED from its yield */
    check_eq(ended(1), -ECANCELED);
    check_eq(ended(2), 0);
    tr_task_close(&t);
}

/* Locks, and sleeps until it is cancelled. */
static int hold(unsigned id, tr_time deadline)
{
    tr_mutex *held TR_CLEANUP(tr_mutex_drop) = NULL;
    int r = tr_mutex_lock(&mutex, deadline);

    (void)id;
    if (r < 0)
        return r;
    held = &mutex;
    return tr_sleep(TR_NEVER);
}

STEP_TEST(mutex, a_holder_that_is_cancelled_unlocks)
{
    tr_task t = start(root, hold, 1, TR_NEVER);

    step_until(is_parked(&t));
    check_eq(tr_mutex_lock(&mutex, TR_NOW), -ETIMEDOUT);
    tr_task_abort(&t);
    check_eq(tr_mutex_lock(&mutex, TR_NEVER), 0);
    check_eq(ended(1), -ECANCELED);
    check_eq(tr_mutex_unlock(&mutex), 0);
    tr_task_close(&t);
}

/* ---- select ---- */

static tr_notify other = TR_NOTIFY_INIT;

/*
 * Waits for the lock and for other; if other wins, it locks: by then its place in line, and a
 * lock that came to it there, must be gone.
 */
static int lock_or_other(unsigned id, tr_time deadline)
{
    tr_arm arms[2] = { tr_notify_wait_arm(&other), tr_mutex_lock_arm(&mutex) };
    int i = tr_select_first(deadline, arms, 2);

    if (i < 0)
        return i;
    if (i == 0)
        check_eq(tr_mutex_lock(&mutex, TR_NEVER), 0);
    else
        check_eq(arms[1].result, 0);
    check_eq(tr_mutex_unlock(&mutex), 0);
    (void)id;
    return i;
}

STEP_TEST(mutex, a_lost_arm_does_not_hold_the_lock_when_it_was_free_first)
{
    need_eq(tr_mutex_lock(&mutex, TR_NEVER), 0);
    queue(root, &mutex.inside, lock_or_other, 10, TR_NEVER);
    check_eq(tr_mutex_unlock(&mutex), 0);
    tr_notify_one(&other);
    check_eq(ended(10), 0, "other won, and it did not wait for itself");
    check_eq(tr_mutex_try_lock(&mutex), 0);
    check_eq(tr_mutex_unlock(&mutex), 0);
}

STEP_TEST(mutex, a_lost_arm_does_not_hold_the_lock_when_the_other_was_first)
{
    need_eq(tr_mutex_lock(&mutex, TR_NEVER), 0);
    queue(root, &mutex.inside, lock_or_other, 10, TR_NEVER);
    queue_visit(root, 1, TR_NEVER);
    tr_notify_one(&other);
    step_until(n_in_line(&mutex.inside) == 2 &&
               tri_waitq_first(&tri_crowd_of(&mutex.inside)->line)->selects == false);
    check_eq(tr_mutex_unlock(&mutex), 0);
    check_eq(ended(1), 0);
    check_eq(ended(10), 0);
    check_eq(order[0], 1, "it had to queue again");
}

STEP_TEST(mutex, a_select_gets_the_lock_and_owns_it)
{
    need_eq(tr_mutex_lock(&mutex, TR_NEVER), 0);
    queue(root, &mutex.inside, lock_or_other, 10, TR_NEVER);
    check_eq(tr_mutex_unlock(&mutex), 0);
    check_eq(ended(10), 1);
    check_eq(n_told[TR_EVENT_MISUSE], 0);
}

/* Two arms of one select may want the same lock. */
static int lock_twice_or_so(unsigned id, tr_time deadline)
{
    tr_arm arms[2] = { tr_mutex_lock_arm(&mutex), tr_mutex_lock_arm(&mutex) };
    int i = tr_select(deadline, arms, 2);

    (void)id;
    return i < 0 ? i : arms[i].result;
}

STEP_TEST(mutex, a_select_with_two_arms_for_it_takes_it_once)
{
    need_eq(tr_mutex_lock(&mutex, TR_NEVER), 0);
    start(root, lock_twice_or_so, 10, TR_NEVER);
    step_until(n_in_line(&mutex.inside) == 2);
    queue_visit(root, 1, TR_NEVER);
    check_eq(tr_mutex_unlock(&mutex), 0);
    check_eq(ended(10), 0);
    check_eq(n_in_line(&mutex.inside), 1, "visit waits, the other arm has left");
    check_eq(tr_mutex_try_lock(&mutex), -EAGAIN);
}

/* ---- misuse ---- */

static int unlock(unsigned id, tr_time deadline)
{
    (void)id;
    (void)deadline;
    return tr_mutex_unlock(&mutex);
}

static void *unlock_in_thread(void *unused)
{
    (void)unused;
    check_eq(tr_mutex_unlock(&mutex), -EINVAL);
    return NULL;
}

STEP_TEST(mutex, only_the_holder_can_unlock)
{
    check_eq(tr_mutex_unlock(&mutex), -EINVAL, "nobody holds it");
    need_eq(tr_mutex_lock(&mutex, TR_NEVER), 0);
    start(root, unlock, 1, TR_NEVER);
    check_eq(ended(1), -EINVAL);
    in_thread(unlock_in_thread);
    check_eq(n_told[TR_EVENT_MISUSE], 3);
    check(strstr(told, "tr_mutex_unlock"));
    check_eq(tr_mutex_unlock(&mutex), 0);
}

STEP_TEST(mutex, locking_it_twice_is_refused_and_does_not_hang)
{
    tr_arm arm = tr_mutex_lock_arm(&mutex);

    need_eq(tr_mutex_lock(&mutex, TR_NEVER), 0);
    check_eq(tr_mutex_lock(&mutex, TR_NEVER), -EDEADLK);
    check_eq(tr_mutex_try_lock(&mutex), -EAGAIN);
    check_eq(tr_select(TR_NEVER, &arm, 1), 0);
    check_eq(arm.result, -EDEADLK);
    check_eq(n_told[TR_EVENT_MISUSE], 2);
    check_eq(tr_mutex_unlock(&mutex), 0);
    check_eq(tr_mutex_try_lock(&mutex), 0, "once was enough");
    check_eq(tr_mutex_unlock(&mutex), 0);
}

TR_TEST(mutex, a_thread_that_locks_it_twice_is_refused)
{
    need_eq(tr_mutex_blocking_lock(&mutex, TR_NEVER), 0);
    check_eq(tr_mutex_blocking_lock(&mutex, TR_NEVER), -EDEADLK);
    check_eq(tr_mutex_unlock(&mutex), 0);
}

STEP_TEST(mutex, blocking_form_in_a_task_is_refused)
{
    check_eq(tr_mutex_blocking_lock(&mutex, TR_NEVER), -EDEADLK);
    check_eq(tr_mutex_try_lock(&mutex), 0, "it was not taken");
    check_eq(tr_mutex_unlock(&mutex), 0);
}

STEP_TEST(mutex, bad_arguments_are_refused)
{
    tr_arm arm = tr_mutex_lock_arm(NULL);

    tr_mutex_init(NULL);
    check_eq(tr_mutex_lock(NULL, TR_NEVER), -EINVAL);
    check_eq(tr_mutex_try_lock(NULL), -EINVAL);
    check_eq(tr_mutex_blocking_lock(NULL, TR_NEVER), -EINVAL);
    check_eq(tr_mutex_unlock(NULL), -EINVAL);
    check_eq(tr_select(TR_NEVER, &arm, 1), -EINVAL);
}

TR_TEST(mutex, waiting_form_outside_of_a_task_is_refused)
{
    check_eq(tr_mutex_lock(&mutex, TR_NEVER), -EPERM);
    check_eq(tr_mutex_try_lock(&mutex), 0);
    check_eq(tr_mutex_unlock(&mutex), 0);
}

/* ---- a handler holds it from one message to the next ---- */

struct door {
    int r;
};
struct door_msg {
    bool open;
};
TR_HANDLER(door, struct door, struct door_msg, tr_nodrop, tr_nodrop);
static atomic_int door_result;

static int door(struct door *self, struct door_msg *m)
{
    self->r = m->open ? tr_mutex_unlock(&mutex) : tr_mutex_try_lock(&mutex);
    atomic_store(&door_result, self->r);
    return 0;
}

STEP_TEST(mutex, a_handler_may_hold_it_between_messages)
{
    struct door_msg lock = { false }, open = { true };
    struct door d = { 0 };
    door_ref ref;

    need_eq(door_spawn(root, &d, NULL, &ref), 0);
    atomic_store(&door_result, PENDING);
    check_eq(door_send(&ref, &lock, TR_NEVER), 0);
    step_until(atomic_load(&door_result) != PENDING);
    check_eq(atomic_load(&door_result), 0);
    queue_visit(root, 1, TR_NEVER);
    check_eq(tr_mutex_unlock(&mutex), -EINVAL, "it is the handler's");
    check_eq(door_send(&ref, &open, TR_NEVER), 0);
    check_eq(ended(1), 0);
    door_ref_close(&ref);
}

/* ---- several workers, and a thread ---- */

enum { N_TASK = 4, N_TURN = 300 };
static unsigned long n_turns; /* protected by mutex */

static int turns(unsigned id, tr_time deadline)
{
    for (unsigned i = 0; i < N_TURN; i++) {
        unsigned long before;

        if (tr_mutex_lock(&mutex, deadline) < 0)
            return -1;
        before = n_turns;
        if (i % 16 == id)
            check_eq(tr_yield(), 0);
        n_turns = before + 1;
        check_eq(tr_mutex_unlock(&mutex), 0);
    }
    return 0;
}

static void *turns_of_thread(void *unused)
{
    (void)unused;
    for (unsigned i = 0; i < N_TURN; i++) {
        check_eq(tr_mutex_blocking_lock(&mutex, TR_NEVER), 0);
        n_turns++;
        check_eq(tr_mutex_unlock(&mutex), 0);
    }
    return NULL;
}

struct turner {
    unsigned id;
};
TR_TASK(turner, struct turner, tr_nodrop);

static int turner(struct turner *t)
{
    return turns(t->id, TR_NEVER);
}

static int share(tr_scope *root, void *unused)
{
    struct tr_task_opts opts = { .flags = TR_TASK_SPREAD };

    (void)unused;
    for (unsigned id = 0; id < N_TASK; id++)
        check_eq(turner_spawn(root, &(struct turner){ id }, &opts), 0);
    return tr_scope_join(root, TR_NEVER);
}

TR_TEST(mutex, tasks_of_several_workers_and_a_thread_share_it)
{
    pthread_t thread;

    need_eq(pthread_create(&thread, NULL, turns_of_thread, NULL), 0);
    run_with((struct tr_runtime_opts){ .n_worker = 3 }, share, NULL);
    pthread_join(thread, NULL);
    check_eq(n_turns, (N_TASK + 1) * N_TURN);
}
