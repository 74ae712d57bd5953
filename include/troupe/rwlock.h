/* SPDX-License-Identifier: MIT */
/*
 * troupe/rwlock.h - many readers or one writer, over sections with waits in them. For a value
 * that is replaced as a whole a watch is better: its readers never wait.
 *
 *     static tr_rwlock lock = TR_RWLOCK_INIT;
 *
 *     tr_rwlock *held TR_CLEANUP(tr_rwlock_read_drop) = NULL;
 *
 *     if ((r = tr_rwlock_read_lock(&lock, deadline)) < 0)
 *         return r;
 *     held = &lock;
 *
 * Fair: one line for both, first come, first served. So a writer that waits holds up the
 * readers behind it, and cannot starve; if it leaves the line, they go on. It follows that a
 * reader which takes the lock a second time while a writer waits, waits for itself: until its
 * deadline.
 * Who waits in a select takes the lock when it runs, never before: see troupe/mutex.h, which
 * also says who may hold one.
 *
 * No memory is allocated. Do not copy a lock, nor free it while a call on it runs.
 */
#ifndef TROUPE_RWLOCK_H
#define TROUPE_RWLOCK_H

#include <troupe/select.h>

TR_BEGIN_DECLS

typedef struct tr_rwlock {
    struct tri_sync inside;
    void *owner;
} tr_rwlock;

/* As many readers as there may be at a time. */
#define TR_RWLOCK_READERS_MAX (UINT32_MAX >> 3)

#define TR_RWLOCK_INIT                                                                         \
    {                                                                                          \
        { (uint64_t)TR_RWLOCK_READERS_MAX << 2, NULL, 0, TR_RWLOCK_READERS_MAX }, NULL         \
    }

/* @max_readers: one more waits until another leaves. -EINVAL: 0, or above the maximum. */
TR_API int tr_rwlock_init(tr_rwlock *l, uint32_t max_readers);

/*
 * The waiting, try and blocking form, and the arm, for readers and for writers.
 * Returns:  0: it is yours.  -EAGAIN: it would have to wait (try).  -EDEADLK: you hold it for
 *           writing already, or a blocking form in an actor.  -ETIMEDOUT, -ECANCELED,
 *           -ESHUTDOWN, -EPERM: it is not yours.
 * Progress: one atomic step if nobody has to wait; else it takes an inner lock.
 */
TR_API TR_CHECK int tr_rwlock_read_lock(tr_rwlock *l, tr_time deadline);
TR_API TR_CHECK int tr_rwlock_try_read_lock(tr_rwlock *l);
TR_API TR_CHECK int tr_rwlock_blocking_read_lock(tr_rwlock *l, tr_time deadline);
TR_API tr_arm tr_rwlock_read_lock_arm(tr_rwlock *l);
TR_API TR_CHECK int tr_rwlock_write_lock(tr_rwlock *l, tr_time deadline);
TR_API TR_CHECK int tr_rwlock_try_write_lock(tr_rwlock *l);
TR_API TR_CHECK int tr_rwlock_blocking_write_lock(tr_rwlock *l, tr_time deadline);
TR_API tr_arm tr_rwlock_write_lock_arm(tr_rwlock *l);

/* Never wait. -EINVAL: nobody reads; the caller is not the writer. Nothing was done then. */
TR_API int tr_rwlock_read_unlock(tr_rwlock *l);
TR_API int tr_rwlock_write_unlock(tr_rwlock *l);

/*
 * Makes the writer a reader, and lets in the readers that wait at the head of the line; no
 * writer comes between. Never waits. -EINVAL: the caller is not the writer.
 */
TR_API int tr_rwlock_downgrade(tr_rwlock *l);

/* Unlock **@held, unless that is NULL, and make it NULL. For TR_CLEANUP. */
static inline void tr_rwlock_read_drop(tr_rwlock **held)
{
    tr_rwlock *l = *held;

    *held = NULL;
    if (l)
        (void)tr_rwlock_read_unlock(l);
}

static inline void tr_rwlock_write_drop(tr_rwlock **held)
{
    tr_rwlock *l = *held;

    *held = NULL;
    if (l)
        (void)tr_rwlock_write_unlock(l);
}

TR_END_DECLS

#endif /* TROUPE_RWLOCK_H */
