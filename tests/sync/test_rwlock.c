/* SPDX-License-Identifier: MIT */
/*
 * test_rwlock.c - many readers or one writer: one line for both, the limit, downgrade, misuse.
 */
#include "config.h"

#include "sync/calls.h"

TR_SUITE(rwlock, .races = true, .init = kit_listen, .timeout = 20);

static tr_rwlock lock = TR_RWLOCK_INIT;
static bool leave; /* those inside may go */
static unsigned n_readers, n_writers, most_readers;

static int read_once(unsigned id, tr_time deadline)
{
    tr_rwlock *held TR_CLEANUP(tr_rwlock_read_drop) = NULL;
    int r = tr_rwlock_read_lock(&lock, deadline);

    (void)id;
    if (r < 0)
        return r;
    held = &lock;
    check_eq(n_writers, 0);
    if (++n_readers > most_readers)
        most_readers = n_readers;
    while (!leave && r == 0)
        r = tr_yield();
    n_readers--;
    return r;
}

static int write_once(unsigned id, tr_time deadline)
{
    tr_rwlock *held TR_CLEANUP(tr_rwlock_write_drop) = NULL;
    int r = tr_rwlock_write_lock(&lock, deadline);

    (void)id;
    if (r < 0)
        return r;
    held = &lock;
    check_eq(n_readers + n_writers++, 0);
    r = tr_yield();
    n_writers--;
    return r;
}

static tr_task queue_read(tr_scope *root, unsigned id, tr_time deadline)
{
    return queue(root, &lock.inside, read_once, id, deadline);
}

static tr_task queue_write(tr_scope *root, unsigned id, tr_time deadline)
{
    return queue(root, &lock.inside, write_once, id, deadline);
}

TR_TEST(rwlock, many_readers_or_one_writer)
{
    check_eq(tr_rwlock_try_read_lock(&lock), 0);
    check_eq(tr_rwlock_try_read_lock(&lock), 0);
    check_eq(tr_rwlock_try_write_lock(&lock), -EAGAIN);
    check_eq(tr_rwlock_read_unlock(&lock), 0);
    check_eq(tr_rwlock_try_write_lock(&lock), -EAGAIN);
    check_eq(tr_rwlock_read_unlock(&lock), 0);
    check_eq(tr_rwlock_try_write_lock(&lock), 0);
    check_eq(tr_rwlock_try_write_lock(&lock), -EAGAIN);
    check_eq(tr_rwlock_try_read_lock(&lock), -EAGAIN);
    check_eq(tr_rwlock_write_unlock(&lock), 0);
    check_eq(tr_rwlock_blocking_read_lock(&lock, TR_NEVER), 0);
    check_eq(tr_rwlock_blocking_write_lock(&lock, tr_after(TR_MS(1))), -ETIMEDOUT);
    check_eq(tr_rwlock_read_unlock(&lock), 0);
    check_eq(tr_rwlock_blocking_write_lock(&lock, TR_NEVER), 0);
    check_eq(tr_rwlock_write_unlock(&lock), 0);
    check_eq(n_told[TR_EVENT_MISUSE], 0);
}

STEP_TEST(rwlock, a_writer_that_waits_holds_up_later_readers)
{
    need_eq(tr_rwlock_read_lock(&lock, TR_NEVER), 0);
    queue_write(root, 1, TR_NEVER);
    leave = true;
    queue_read(root, 2, TR_NEVER);
    queue_read(root, 3, TR_NEVER);
    check_eq(tr_rwlock_try_read_lock(&lock), -EAGAIN);
    check_eq(tr_rwlock_read_unlock(&lock), 0);
    check_eq(ended(3), 0);
    check_eq(ended(2), 0);
    check_eq(result[1], 0);
    check_eq(order[0], 1, "it was first in line");
}

STEP_TEST(rwlock, readers_go_on_when_the_writer_leaves_the_line)
{
    tr_task t;

    need_eq(tr_rwlock_read_lock(&lock, TR_NEVER), 0);
    t = queue_write(root, 1, TR_NEVER);
    leave = true;
    queue_read(root, 2, TR_NEVER);
    tr_task_abort(&t);
    check_eq(ended(1), -ECANCELED);
    check_eq(ended(2), 0, "beside the first reader");
    check_eq(tr_rwlock_read_unlock(&lock), 0);
    tr_task_close(&t);
}

STEP_TEST(rwlock, a_writer_gets_in_when_the_last_reader_leaves)
{
    start(root, read_once, 1, TR_NEVER);
    start(root, read_once, 2, TR_NEVER);
    step_until(n_readers == 2);
    queue_write(root, 3, TR_NEVER);
    leave = true;
    check_eq(ended(3), 0);
    check_eq(order[2], 3);
}

STEP_TEST(rwlock, at_the_limit_the_next_reader_waits_for_one_to_leave)
{
    check_eq(tr_rwlock_init(&lock, 2), 0);
    start(root, read_once, 1, TR_NEVER);
    start(root, read_once, 2, TR_NEVER);
    step_until(n_readers == 2);
    check_eq(tr_rwlock_try_read_lock(&lock), -EAGAIN);
    queue_read(root, 3, TR_NEVER);
    leave = true;
    check_eq(ended(3), 0);
    check_eq(most_readers, 2);
    check_eq(tr_rwlock_write_lock(&lock, TR_NOW), 0);
    check_eq(tr_rwlock_write_unlock(&lock), 0);
}

TR_TEST(rwlock, a_limit_of_no_readers_is_misuse)
{
    check_eq(tr_rwlock_init(&lock, 0), -EINVAL);
    check_eq(tr_rwlock_init(&lock, TR_RWLOCK_READERS_MAX + 1), -EINVAL);
    check_eq(n_told[TR_EVENT_MISUSE], 2);
    check_eq(tr_rwlock_init(&lock, TR_RWLOCK_READERS_MAX), 0);
}

STEP_TEST(rwlock, downgrade_lets_readers_in_and_no_writer)
{
    need_eq(tr_rwlock_write_lock(&lock, TR_NEVER), 0);
    leave = true;
    queue_read(root, 1, TR_NEVER);
    queue_read(root, 2, TR_NEVER);
    queue_write(root, 3, TR_NEVER);
    check_eq(tr_rwlock_downgrade(&lock), 0);
    check_eq(n_in_line(&lock.inside), 1, "both readers are in, the writer is not");
    check_eq(ended(1), 0);
    check_eq(ended(2), 0);
    check_eq(result[3], PENDING);
    check_eq(tr_rwlock_read_unlock(&lock), 0);
    check_eq(ended(3), 0);
}

STEP_TEST(rwlock, downgrade_with_a_limit_of_one_keeps_the_lock)
{
    check_eq(tr_rwlock_init(&lock, 1), 0);
    need_eq(tr_rwlock_write_lock(&lock, TR_NEVER), 0);
    check_eq(tr_rwlock_downgrade(&lock), 0);
    check_eq(tr_rwlock_try_read_lock(&lock), -EAGAIN);
    check_eq(tr_rwlock_read_unlock(&lock), 0);
    check_eq(tr_rwlock_try_write_lock(&lock), 0);
    check_eq(tr_rwlock_write_unlock(&lock), 0);
}

STEP_TEST(rwlock, reading_again_behind_a_waiting_writer_waits_until_the_deadline)
{
    need_eq(tr_rwlock_read_lock(&lock, TR_NEVER), 0);
    queue_write(root, 1, TR_NEVER);
    check_eq(tr_rwlock_read_lock(&lock, tr_after(TR_MS(1))), -ETIMEDOUT);
    check_eq(tr_rwlock_read_unlock(&lock), 0);
    check_eq(ended(1), 0);
}

STEP_TEST(rwlock, the_order_is_that_of_waiting)
{
    tr_arm arm = tr_rwlock_write_lock_arm(&lock);

    leave = true;
    need_eq(tr_rwlock_read_lock(&lock, TR_NEVER), 0);
    queue_write(root, 1, TR_NEVER);
    check_eq(tr_rwlock_read_unlock(&lock), 0);
    check_eq(tr_select(TR_NEVER, &arm, 1), 0, "an arm is in line only while it is selected");
    check_eq(arm.result, 0);
    check_eq(result[1], 0);
    check_eq(tr_rwlock_write_unlock(&lock), 0);
}

/* ---- handed on, and then cancelled ---- */

STEP_TEST(rwlock, a_writer_cancelled_after_it_was_let_in_lets_the_next_in)
{
    tr_task t;

    need_eq(tr_rwlock_read_lock(&lock, TR_NEVER), 0);
    t = queue_write(root, 1, TR_NEVER);
    leave = true;
    queue_read(root, 2, TR_NEVER);
    check_eq(tr_rwlock_read_unlock(&lock), 0);
    tr_task_abort(&t);
    check_eq(ended(2), 0);
    check_eq(result[1], -ECANCELED, "from inside");
    tr_task_close(&t);
}

/* ---- select ---- */

static tr_notify other = TR_NOTIFY_INIT;

static int write_or_other(unsigned id, tr_time deadline)
{
    tr_arm arms[2] = { tr_notify_wait_arm(&other), tr_rwlock_write_lock_arm(&lock) };
    int i = tr_select_first(deadline, arms, 2);

    (void)id;
    if (i == 1)
        check_eq(tr_rwlock_write_unlock(&lock), 0);
    return i;
}

STEP_TEST(rwlock, a_lost_write_arm_lets_readers_in)
{
    need_eq(tr_rwlock_read_lock(&lock, TR_NEVER), 0);
    queue(root, &lock.inside, write_or_other, 10, TR_NEVER);
    leave = true;
    queue_read(root, 1, TR_NEVER);
    tr_notify_one(&other);
    check_eq(ended(10), 0);
    check_eq(ended(1), 0);
    check_eq(tr_rwlock_read_unlock(&lock), 0);
}

STEP_TEST(rwlock, arms_take_the_lock)
{
    tr_arm arm = tr_rwlock_read_lock_arm(&lock);

    need_eq(tr_rwlock_write_lock(&lock, TR_NEVER), 0);
    queue(root, &lock.inside, write_or_other, 10, TR_NEVER);
    check_eq(tr_rwlock_write_unlock(&lock), 0);
    check_eq(tr_select(TR_NEVER, &arm, 1), 0);
    check_eq(arm.result, 0);
    check_eq(result[10], 1);
    check_eq(tr_rwlock_read_unlock(&lock), 0);
    check_eq(n_told[TR_EVENT_MISUSE], 0);
}

/* ---- misuse ---- */

static int unlock_all(unsigned id, tr_time deadline)
{
    (void)id;
    (void)deadline;
    check_eq(tr_rwlock_read_unlock(&lock), -EINVAL);
    check_eq(tr_rwlock_write_unlock(&lock), -EINVAL);
    return tr_rwlock_downgrade(&lock);
}

STEP_TEST(rwlock, unlocking_what_one_does_not_hold_is_misuse)
{
    check_eq(unlock_all(0, 0), -EINVAL, "nobody holds it");
    need_eq(tr_rwlock_write_lock(&lock, TR_NEVER), 0);
    check_eq(tr_rwlock_read_unlock(&lock), -EINVAL, "it is held for writing");
    start(root, unlock_all, 1, TR_NEVER);
    check_eq(ended(1), -EINVAL);
    check_eq(tr_rwlock_write_unlock(&lock), 0);
    need_eq(tr_rwlock_read_lock(&lock, TR_NEVER), 0);
    check_eq(tr_rwlock_write_unlock(&lock), -EINVAL, "it is held for reading");
    check_eq(tr_rwlock_read_unlock(&lock), 0);
    check_eq(n_told[TR_EVENT_MISUSE], 8);
}

STEP_TEST(rwlock, the_writer_cannot_lock_again)
{
    need_eq(tr_rwlock_write_lock(&lock, TR_NEVER), 0);
    check_eq(tr_rwlock_write_lock(&lock, TR_NEVER), -EDEADLK);
    check_eq(tr_rwlock_read_lock(&lock, TR_NEVER), -EDEADLK);
    check_eq(n_told[TR_EVENT_MISUSE], 2);
    check_eq(tr_rwlock_write_unlock(&lock), 0);
}

STEP_TEST(rwlock, blocking_forms_in_a_task_are_refused)
{
    check_eq(tr_rwlock_blocking_read_lock(&lock, TR_NEVER), -EDEADLK);
    check_eq(tr_rwlock_blocking_write_lock(&lock, TR_NEVER), -EDEADLK);
    check_eq(tr_rwlock_try_write_lock(&lock), 0);
    check_eq(tr_rwlock_write_unlock(&lock), 0);
}

TR_TEST(rwlock, bad_arguments_are_refused)
{
    check_eq(tr_rwlock_init(NULL, 1), -EINVAL);
    check_eq(tr_rwlock_read_lock(NULL, TR_NEVER), -EINVAL);
    check_eq(tr_rwlock_write_lock(NULL, TR_NEVER), -EINVAL);
    check_eq(tr_rwlock_try_read_lock(NULL), -EINVAL);
    check_eq(tr_rwlock_try_write_lock(NULL), -EINVAL);
    check_eq(tr_rwlock_blocking_read_lock(NULL, TR_NEVER), -EINVAL);
    check_eq(tr_rwlock_blocking_write_lock(NULL, TR_NEVER), -EINVAL);
    check_eq(tr_rwlock_read_unlock(NULL), -EINVAL);
    check_eq(tr_rwlock_write_unlock(NULL), -EINVAL);
    check_eq(tr_rwlock_downgrade(NULL), -EINVAL);
    check(!tr_rwlock_read_lock_arm(NULL).ops && !tr_rwlock_write_lock_arm(NULL).ops);
    check_eq(tr_rwlock_read_lock(&lock, TR_NEVER), -EPERM);
    check_eq(tr_rwlock_write_lock(&lock, TR_NEVER), -EPERM);
}
