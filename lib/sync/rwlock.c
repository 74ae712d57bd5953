/* SPDX-License-Identifier: MIT */
/*
 * rwlock.c - as many permits (permits.h) as there may be readers: a reader has one, the writer
 * has all of them, and owner is the writer, as in mutex.c. crowd->n: how many there are.
 */
#include "config.h"

#include <troupe/rwlock.h>

#include "sched/misuse.h"
#include "sync/owner.h"
#include "sync/permits.h"

static const char recursive[] =
    "the caller holds this lock for writing and would wait for itself; unlock or downgrade it";
static const char not_writer[] = "the caller does not hold this lock for writing";

int tr_rwlock_init(tr_rwlock *l, uint32_t max_readers)
{
    if (!l)
        return -EINVAL;
    if (max_readers == 0 || max_readers > TR_RWLOCK_READERS_MAX)
        return tri_misuse(-EINVAL, __func__, "0 readers, or more than TR_RWLOCK_READERS_MAX");
    tri_crowd_init(tri_crowd_of(&l->inside), max_readers, max_readers);
    l->owner = NULL;
    return 0;
}

static struct tri_crowd *crowd_of(tr_rwlock *l)
{
    return tri_crowd_of(&l->inside);
}

/* ---- the arms: arm->source is the crowd, the lock's first member ---- */

static tr_rwlock *lock_of(const tr_arm *arm)
{
    _Static_assert(offsetof(tr_rwlock, inside) == 0, "the cast");
    return arm->source;
}

/* The operation of @arm, which would have to wait, would do so for the caller itself. */
static bool is_recursive(tr_arm *arm)
{
    if (!tri_owner_is(&lock_of(arm)->owner, tri_owner_self()))
        return false;
    arm->result = tri_misuse(-EDEADLK, arm->ops->what, recursive);
    return true;
}

static bool read_attempt(tr_arm *arm)
{
    return tri_permits_attempt(arm) || is_recursive(arm);
}

static bool write_done(tr_arm *arm)
{
    if (arm->result == 0)
        tri_owner_set(&lock_of(arm)->owner, tri_owner_self());
    return true;
}

static bool write_attempt(tr_arm *arm)
{
    return tri_permits_attempt(arm) ? write_done(arm) : is_recursive(arm);
}

static bool write_withdraw(tr_arm *arm, struct tri_waiter *w)
{
    return tri_permits_withdraw(arm, w) && write_done(arm);
}

static const struct tri_arm_ops read_ops = {
    .what = "rwlock read lock",
    .attempt = read_attempt,
    .enroll = tri_permits_enroll,
    .withdraw = tri_permits_withdraw,
    .keeps_place = tri_crowd_keeps_place,
};

static const struct tri_arm_ops write_ops = {
    .what = "rwlock write lock",
    .attempt = write_attempt,
    .enroll = tri_permits_enroll,
    .withdraw = write_withdraw,
    .keeps_place = tri_crowd_keeps_place,
};

tr_arm tr_rwlock_read_lock_arm(tr_rwlock *l)
{
    return l ? tri_permits_arm(&read_ops, crowd_of(l), 1) : (tr_arm){ 0 };
}

tr_arm tr_rwlock_write_lock_arm(tr_rwlock *l)
{
    return l ? tri_permits_arm(&write_ops, crowd_of(l), crowd_of(l)->n) : (tr_arm){ 0 };
}

/* ---- taking ---- */

static int try_write(tr_rwlock *l, void *self)
{
    int r = tri_permits_try(crowd_of(l), crowd_of(l)->n);

    if (r == 0)
        tri_owner_set(&l->owner, self);
    return r;
}

int tr_rwlock_try_read_lock(tr_rwlock *l)
{
    return l ? tri_permits_try(crowd_of(l), 1) : -EINVAL;
}

int tr_rwlock_try_write_lock(tr_rwlock *l)
{
    return l ? try_write(l, tri_owner_self()) : -EINVAL;
}

static int in_task(tr_arm arm, tr_time deadline)
{
    int r = tri_wait(&arm, deadline);

    return r < 0 ? r : arm.result;
}

static int in_thread(tr_arm arm, tr_time deadline, const void *caller)
{
    int r = tri_wait_blocking(&arm, deadline, caller);

    return r < 0 ? r : arm.result;
}

int tr_rwlock_read_lock(tr_rwlock *l, tr_time deadline)
{
    int r;

    if (!l)
        return -EINVAL;
    r = tri_wait_enter(tri_self_at_entry());
    if (tri_likely(r == 0))
        r = tri_permits_try(crowd_of(l), 1);
    return tri_likely(r != -EAGAIN) ? r : in_task(tr_rwlock_read_lock_arm(l), deadline);
}

int tr_rwlock_write_lock(tr_rwlock *l, tr_time deadline)
{
    struct tri_task *self = tri_self_at_entry();
    int r;

    if (!l)
        return -EINVAL;
    r = tri_wait_enter(self);
    if (tri_likely(r == 0))
        r = try_write(l, self);
    return tri_likely(r != -EAGAIN) ? r : in_task(tr_rwlock_write_lock_arm(l), deadline);
}

int tr_rwlock_blocking_read_lock(tr_rwlock *l, tr_time deadline)
{
    return l ? in_thread(tr_rwlock_read_lock_arm(l), deadline, __builtin_return_address(0))
             : -EINVAL;
}

int tr_rwlock_blocking_write_lock(tr_rwlock *l, tr_time deadline)
{
    return l ? in_thread(tr_rwlock_write_lock_arm(l), deadline, __builtin_return_address(0))
             : -EINVAL;
}

/* ---- giving back ---- */

int tr_rwlock_read_unlock(tr_rwlock *l)
{
    if (!l)
        return -EINVAL;
    /* While one reads there is no writer. */
    if (!tri_owner_is(&l->owner, NULL) || tri_permits_give(crowd_of(l), 1, crowd_of(l)->n) < 0)
        return tri_misuse(-EINVAL, __func__, "nobody holds this lock for reading");
    return 0;
}

/* Ends the caller's writing; @n_kept of its permits stay with it. */
static int write_end(tr_rwlock *l, uint32_t n_kept, const char *what)
{
    struct tri_crowd *c = crowd_of(l);

    if (!tri_owner_is(&l->owner, tri_owner_self()))
        return tri_misuse(-EINVAL, what, not_writer);
    tri_owner_set(&l->owner, NULL);
    return tri_permits_give(c, c->n - n_kept, c->n);
}

int tr_rwlock_write_unlock(tr_rwlock *l)
{
    return l ? write_end(l, 0, __func__) : -EINVAL;
}

int tr_rwlock_downgrade(tr_rwlock *l)
{
    return l ? write_end(l, 1, __func__) : -EINVAL;
}
