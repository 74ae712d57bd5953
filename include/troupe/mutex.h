/* SPDX-License-Identifier: MIT */
/*
 * troupe/mutex.h - one holder at a time: for what is changed in several steps, with waits
 * between them. Between two waits of one task on one worker nothing needs a lock; and where the
 * data can have an owner, a task or a handler with a channel is simpler.
 *
 *     static tr_mutex lock = TR_MUTEX_INIT;
 *
 *     tr_mutex *held TR_CLEANUP(tr_mutex_drop) = NULL;
 *
 *     if ((r = tr_mutex_lock(&lock, TR_UNTIL_DRAIN)) < 0)
 *         return r;
 *     held = &lock;                                 unlocked on every way out
 *
 * Fair: the lock goes to the one who has waited longest. One that waits in a select is asked
 * and takes it when it runs, so an arm that lost never holds it. Held by a task, a handler (by
 * its try form, also from one message to the next) or a plain thread; tasks on several workers
 * and threads may share one.
 *
 * No memory is allocated. Do not copy a mutex. Who unlocks it last may free it at once. Nothing
 * is remembered of a holder that failed: it unlocks like any other.
 */
#ifndef TROUPE_MUTEX_H
#define TROUPE_MUTEX_H

#include <troupe/select.h>

TR_BEGIN_DECLS

typedef struct tr_mutex {
    struct tri_sync inside;
    void *owner;
} tr_mutex;

#define TR_MUTEX_INIT                                                                          \
    {                                                                                          \
        { (uint64_t)1 << 2, NULL, 0, 0 }, NULL                                                 \
    }

/* The same at run time. Nothing needs to be undone. */
TR_API void tr_mutex_init(tr_mutex *m);

/*
 * The waiting, try and blocking form, and the arm.
 * Returns:  0: it is yours.  -EAGAIN: held, or promised to one that waits (try).  -EDEADLK: you
 *           hold it already, or a blocking form in an actor.  -ETIMEDOUT, -ECANCELED,
 *           -ESHUTDOWN, -EPERM: it is not yours.
 * Progress: one atomic step if it is free; else it takes an inner lock.
 */
TR_API TR_CHECK int tr_mutex_lock(tr_mutex *m, tr_time deadline);
TR_API TR_CHECK int tr_mutex_try_lock(tr_mutex *m);
TR_API TR_CHECK int tr_mutex_blocking_lock(tr_mutex *m, tr_time deadline);
TR_API tr_arm tr_mutex_lock_arm(tr_mutex *m);

/*
 * Lets the next one in. Never waits.
 * Returns:  0.  -EINVAL: the caller does not hold it; nothing was done.
 */
TR_API int tr_mutex_unlock(tr_mutex *m);

/* Unlocks **@held, unless that is NULL, and makes it NULL. For TR_CLEANUP. */
static inline void tr_mutex_drop(tr_mutex **held)
{
    tr_mutex *m = *held;

    *held = NULL;
    if (m)
        (void)tr_mutex_unlock(m);
}

TR_END_DECLS

#endif /* TROUPE_MUTEX_H */
