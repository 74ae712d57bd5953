/* SPDX-License-Identifier: MIT */
/*
 * case_permits.c - sync/permits.c as semaphore, mutex, rwlock and once: who may be in is in,
 * what they did is seen by who comes next, nobody waits for ever, and nobody touches the object
 * when the last one that was let in has freed it.
 */
#include "config.h"

#include <errno.h>

#include <troupe/mutex.h>
#include <troupe/once.h>
#include <troupe/rwlock.h>
#include <troupe/select.h>
#include <troupe/semaphore.h>

#include "combine/deadline.h"
#include "explore/explore.h"
#include "explore/world.h"
#include "mem/alloc.h"
#include "sync/crowd.h"

/* What a case works on: freed by the last of its users. */
struct shared {
    tr_mutex mutex;
    tr_semaphore semaphore;
    tr_rwlock rwlock;
    tr_once once;
    unsigned n_users; /* the mutex protects it; plain, as what follows */
    unsigned data[2];
};

static struct shared *shared;
static unsigned n_reading, n_writing; /* at this moment */
static unsigned n_made, n_failures;   /* of the once's value */

static void begin(unsigned n_users)
{
    shared = tri_mem_alloc(sizeof *shared);
    tr_mutex_init(&shared->mutex);
    check(tr_rwlock_init(&shared->rwlock, 2) == 0);
    check(tr_semaphore_init(&shared->semaphore, 2) == 0);
    tr_once_init(&shared->once);
    shared->n_users = n_users;
    n_reading = n_writing = n_made = n_failures = 0;
}

static void setup(void)
{
    begin(2);
}

static void setup_3(void)
{
    begin(3);
}

static void setup_tasks(void)
{
    begin(2);
    world_task(0, TRI_KIND_TASK, 1);
    world_task(1, TRI_KIND_MOVABLE, 2);
}

/* Threads 0 and 2 are plain ones. */
static void setup_select(void)
{
    begin(3);
    world_task(1, TRI_KIND_TASK, 1);
}

static void setup_failing(void)
{
    begin(2);
    n_failures = 1;
}

static void finish_freed(void)
{
    check(!shared);
    world_finish();
}

static void finish(void)
{
    check(shared->data[0] == shared->data[1]);
    free(shared);
    world_finish();
}

/* ---- mutex ---- */

static int lock_until(tr_time deadline)
{
    return world_is_task() ? tr_mutex_lock(&shared->mutex, deadline)
                           : tr_mutex_blocking_lock(&shared->mutex, deadline);
}

static void change(void)
{
    const unsigned n = shared->data[0];

    check(shared->data[1] == n);
    shared->data[0] = n + 1;
    shared->data[1] = n + 1;
}

static void unlock(void)
{
    check(tr_mutex_unlock(&shared->mutex) == 0);
}

static void lock_1(void)
{
    check(lock_until(TR_NEVER) == 0);
    change();
    unlock();
}

/* The last user frees the mutex right after its unlock. */
static void leave(void)
{
    struct shared *mine = shared;
    bool last;

    check(lock_until(TR_NEVER) == 0);
    change();
    last = --mine->n_users == 0;
    check(tr_mutex_unlock(&mine->mutex) == 0);
    if (!last)
        return;
    free(mine);
    shared = NULL;
}

static void lock_leave(void)
{
    world_enter();
    lock_1();
    leave();
}

static void only_leave(void)
{
    world_enter();
    leave();
}

static void lock_a_while_leave(void)
{
    int r;

    world_enter();
    r = lock_until(TR_S(2));
    check(r == 0 || r == -ETIMEDOUT);
    if (r == 0) {
        change();
        unlock();
    }
    leave();
}

static void select_lock_leave(void)
{
    tr_arm arms[] = { tr_mutex_lock_arm(&shared->mutex), tr_deadline_arm(TR_S(2)) };
    int r;

    world_enter();
    r = tr_select_first(TR_NEVER, arms, 2);
    check(r == 1 || (r == 0 && arms[0].result == 0));
    if (r == 0) {
        change();
        unlock();
    }
    leave();
}

static void try_leave(void)
{
    int r = tr_mutex_try_lock(&shared->mutex);

    check(r == 0 || r == -EAGAIN);
    if (r == 0)
        unlock();
    leave();
}

/* ---- semaphore of two ---- */

static int acquire_until(size_t n, tr_time deadline)
{
    return world_is_task() ? tr_semaphore_acquire(&shared->semaphore, n, deadline)
                           : tr_semaphore_blocking_acquire(&shared->semaphore, n, deadline);
}

static void take(size_t n, int r)
{
    check(r == 0 || r == -ETIMEDOUT || r == -EPIPE);
    if (r < 0)
        return;
    n_reading += (unsigned)n;
    check(n_reading <= 2);
    if (n == 2)
        change();
    n_reading -= (unsigned)n;
    check(tr_semaphore_release(&shared->semaphore, n) == 0);
}

static void take_1_2(void)
{
    world_enter();
    take(1, acquire_until(1, TR_NEVER));
    take(2, acquire_until(2, TR_NEVER));
}

static void take_2_1(void)
{
    world_enter();
    take(2, acquire_until(2, TR_NEVER));
    take(1, acquire_until(1, TR_NEVER));
}

static void take_2(void)
{
    world_enter();
    take(2, acquire_until(2, TR_NEVER));
}

static void take_1(void)
{
    take(1, acquire_until(1, TR_NEVER));
}

static void take_2_a_while(void)
{
    take(2, acquire_until(2, TR_S(2)));
    take(1, acquire_until(1, TR_NEVER));
}

static void select_2(void)
{
    tr_arm arms[] = { tr_semaphore_acquire_arm(&shared->semaphore, 2), tr_deadline_arm(TR_S(2)) };
    int r;

    world_enter();
    r = tr_select_first(TR_NEVER, arms, 2);
    check(r == 0 || r == 1);
    take(2, r == 0 ? arms[0].result : -ETIMEDOUT);
}

static void close_semaphore(void)
{
    tr_semaphore_close(&shared->semaphore);
    check(tr_semaphore_try_acquire(&shared->semaphore, 1) == -EPIPE);
}

static void finish_semaphore(void)
{
    const tr_semaphore *s = &shared->semaphore;

    check(tr_semaphore_is_closed(s) || tr_semaphore_available(s) == 2);
    finish();
}

/* ---- rwlock for two readers ---- */

static void read_data(void)
{
    n_reading++;
    check(n_writing == 0 && shared->data[0] == shared->data[1]);
    n_reading--;
}

static void write_data(void)
{
    n_writing++;
    check(n_writing == 1 && n_reading == 0);
    change();
    n_writing--;
}

static int read_lock(tr_time deadline)
{
    return world_is_task() ? tr_rwlock_read_lock(&shared->rwlock, deadline)
                           : tr_rwlock_blocking_read_lock(&shared->rwlock, deadline);
}

static int write_lock(tr_time deadline)
{
    return world_is_task() ? tr_rwlock_write_lock(&shared->rwlock, deadline)
                           : tr_rwlock_blocking_write_lock(&shared->rwlock, deadline);
}

static void read_1(void)
{
    world_enter();
    check(read_lock(TR_NEVER) == 0);
    read_data();
    check(tr_rwlock_read_unlock(&shared->rwlock) == 0);
}

static void write_1(void)
{
    world_enter();
    check(write_lock(TR_NEVER) == 0);
    write_data();
    check(tr_rwlock_write_unlock(&shared->rwlock) == 0);
}

static void write_downgrade(void)
{
    world_enter();
    check(write_lock(TR_NEVER) == 0);
    write_data();
    check(tr_rwlock_downgrade(&shared->rwlock) == 0);
    read_data();
    check(tr_rwlock_read_unlock(&shared->rwlock) == 0);
}

static void read_write(void)
{
    read_1();
    write_1();
}

static void write_a_while(void)
{
    int r = write_lock(TR_S(2));

    check(r == 0 || r == -ETIMEDOUT);
    if (r == 0) {
        write_data();
        check(tr_rwlock_write_unlock(&shared->rwlock) == 0);
    }
    read_1();
}

/* ---- once ---- */

static int make(void *arg, void **ret_value)
{
    unsigned *n = arg;

    if (n_failures > 0) {
        n_failures--;
        return -ENOSPC;
    }
    check(n_made++ == 0);
    n[0] = n[1] = 7;
    *ret_value = n;
    return 0;
}

static void look_at(void *value)
{
    const unsigned *n = value;

    check(n == shared->data && n[0] == 7 && n[1] == 7);
}

static void get_or_make(void)
{
    void *value = NULL;
    int r;

    do
        r = world_enter() ? tr_once_get_or_init(&shared->once, make, shared->data, TR_NEVER, &value)
                          : tr_once_blocking_get_or_init(&shared->once, make, shared->data,
                                                         TR_NEVER, &value);
    while (r == -ENOSPC);
    check(r == 0);
    look_at(value);
}

static void await_value(void)
{
    void *value = NULL;

    check((world_enter() ? tr_once_wait(&shared->once, TR_NEVER, &value)
                         : tr_once_blocking_wait(&shared->once, TR_NEVER, &value)) == 0);
    look_at(value);
}

static void await_value_a_while(void)
{
    void *value = NULL;
    int r = tr_once_blocking_wait(&shared->once, TR_S(2), &value);

    check(r == 0 || r == -ETIMEDOUT);
    if (r == 0)
        look_at(value);
}

/* ---- broken ---- */

static void joined_by_store(struct explore_op *op)
{
    if (explore_is(op, "tri_crowd_join", EXPLORE_CAS))
        op->ok = op->writes = true;
}

static void waiting_unseen(struct explore_op *op)
{
    if (!explore_is(op, "tri_permits_give", EXPLORE_LOAD) &&
        !explore_is(op, "tri_permits_give", EXPLORE_CAS))
        return;
    op->old &= ~(uint64_t)TRI_CROWD_WAITING;
    op->ok = op->writes = op->kind == EXPLORE_CAS;
}

static void taken_by_store(struct explore_op *op)
{
    if (explore_is(op, "tri_permits_try", EXPLORE_CAS))
        op->ok = op->writes = true;
}

static void granted_twice(struct explore_op *op)
{
    if (explore_is(op, "take", EXPLORE_SUB))
        op->writes = false;
}

static void relaxed_give(struct explore_op *op)
{
    if (explore_is(op, "tri_permits_give", EXPLORE_CAS))
        op->order = __ATOMIC_RELAXED;
}

static void relaxed_close(struct explore_op *op)
{
    if (explore_is(op, "tri_permits_close", EXPLORE_OR))
        op->order = __ATOMIC_RELAXED;
}

static void close_unseen(struct explore_op *op)
{
    if (explore_is(op, "tri_permits_close", EXPLORE_OR))
        op->writes = false;
}

static void unlocked(struct explore_op *op)
{
    if (explore_is(op, "tri_lock_try", EXPLORE_CAS))
        op->ok = true;
}

static void all_untold(struct explore_op *op)
{
    if (explore_is(op, "tri_notify_all", EXPLORE_ADD))
        op->writes = false;
}

static const struct explore_broken broken_mutex[] = {
    { "a waiter joins the line by a plain store", joined_by_store },
    { "an unlock does not see that somebody waits", waiting_unseen },
    { "taken by a plain store", taken_by_store },
    { "given back in relaxed order", relaxed_give },
    { "no lock around the line", unlocked },
    { 0 },
};

static const struct explore_broken broken_semaphore[] = {
    { "what is granted stays in the pool", granted_twice },
    { "a waiter joins the line by a plain store", joined_by_store },
    { 0 },
};

static const struct explore_broken broken_close[] = {
    { "a close leaves no mark", close_unseen },
    { 0 },
};

static const struct explore_broken broken_rwlock[] = {
    { "a release does not see that somebody waits", waiting_unseen },
    { "taken by a plain store", taken_by_store },
    { 0 },
};

static const struct explore_broken broken_once[] = {
    { "published in relaxed order", relaxed_close },
    { 0 },
};

static const struct explore_broken broken_once_wait[] = {
    { "those who wait are not told", all_untold },
    { 0 },
};

const struct explore_case explore_permits_cases[] = {
    { "mutex, lock, leave x lock, leave", setup, { lock_leave, lock_leave }, finish_freed, 3, 4,
      broken_mutex },
    { "mutex, tasks, lock, leave x leave", setup_tasks, { lock_leave, only_leave }, finish_freed,
      2, 3, NULL },
    { "mutex, lock with a deadline, leave x leave", setup, { lock_a_while_leave, only_leave },
      finish_freed, 2, 3, NULL },
    { "mutex, try, leave x lock, leave", setup, { try_leave, lock_leave }, finish_freed, 2, 3,
      NULL },
    { "mutex, leave x select lock, leave x leave", setup_select,
      { only_leave, select_lock_leave, only_leave }, finish_freed, 1, 2, NULL },
    { "mutex, leave x leave x leave", setup_3, { only_leave, only_leave, only_leave },
      finish_freed, 1, 2, NULL },
    { "semaphore 2, take 1, 2 x take 2, 1", setup, { take_1_2, take_2_1 }, finish_semaphore, 3,
      4, broken_semaphore },
    { "semaphore 2, take 1, 2 x take 2, 1 in tasks", setup_tasks, { take_1_2, take_2_1 },
      finish_semaphore, 2, 3, NULL },
    { "semaphore 2, take 2 x take 1 x take 1", setup, { take_2, take_1, take_1 },
      finish_semaphore, 2, 2, NULL },
    { "semaphore 2, take 2 with a deadline, 1 x take 2", setup, { take_2_a_while, take_2 },
      finish_semaphore, 3, 4, NULL },
    { "semaphore 2, take 2 x select 2 x take 1", setup_select, { take_2, select_2, take_1 },
      finish_semaphore, 1, 2, NULL },
    { "semaphore 2, take 2 x take 2 x close", setup, { take_2, take_2, close_semaphore },
      finish_semaphore, 2, 2, broken_close },
    { "rwlock, read, write x write", setup, { read_write, write_1 }, finish, 3, 4,
      broken_rwlock },
    { "rwlock, read x read x write", setup, { read_1, read_1, write_1 }, finish, 2, 2, NULL },
    { "rwlock, write, downgrade x read x write", setup, { write_downgrade, read_1, write_1 },
      finish, 1, 2, NULL },
    { "rwlock, tasks, write, downgrade x read, write", setup_tasks,
      { write_downgrade, read_write }, finish, 2, 3, NULL },
    { "rwlock, write with a deadline, read x write", setup, { write_a_while, write_1 }, finish, 2,
      3, NULL },
    { "once, get or init x get or init", setup, { get_or_make, get_or_make }, finish, 3, 4,
      broken_once },
    { "once, get or init x get or init, fails once", setup_failing, { get_or_make, get_or_make },
      finish, 3, 4, NULL },
    { "once, tasks, get or init x get or init", setup_tasks, { get_or_make, get_or_make }, finish,
      3, 4, NULL },
    { "once, get or init x wait", setup, { get_or_make, await_value }, finish, 3, 4,
      broken_once_wait },
    { "once, get or init x wait x wait with a deadline", setup,
      { get_or_make, await_value, await_value_a_while }, finish, 1, 2, NULL },
    { 0 },
};
