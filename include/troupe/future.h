/* SPDX-License-Identifier: MIT */
/*
 * troupe/future.h - things of your own to wait for: a foreign library's result, a device, a
 * thread. A future is a poll function and its state; a waker is what it keeps of who waits.
 *
 *     struct answer { tr_future f; pthread_mutex_t lock; bool done; tr_waker waiter; };
 *
 *     static bool poll(tr_future *f, const tr_waker *waker)
 *     {
 *         struct answer *a = (struct answer *)f;
 *
 *         pthread_mutex_lock(&a->lock);
 *         if (waker)
 *             a->waiter = *waker;
 *         ready = a->done;
 *         pthread_mutex_unlock(&a->lock);
 *         return ready;
 *     }
 *
 * and the other side sets done under the lock and then calls tr_waker_wake(a->waiter).
 */
#ifndef TROUPE_FUTURE_H
#define TROUPE_FUTURE_H

#include <troupe/select.h>

TR_BEGIN_DECLS

/*
 * Who waits: a plain value to copy and forget, which never gets invalid. A wake that comes
 * late, twice, or when nobody waits any more does no harm. { NULL } is nobody.
 */
typedef struct tr_waker {
    struct tri_wakee *wakee;
} tr_waker;

/*
 * Makes who waits poll once more. What changed is changed before the call.
 * Callers: any actor, any thread, not signal handlers.  Progress: wait-free but for a kernel
 *          wake.
 */
TR_API void tr_waker_wake(tr_waker w);

/*
 * One operation that may have to be waited for. One task or thread at a time waits for it; it
 * stays in place meanwhile, and until a tr_select_set that has its arm is closed.
 */
typedef struct tr_future tr_future;
struct tr_future {
    /*
     * True: done, with self->result set. With a @waker: if not, that is kept in the place of an
     * earlier one, and from then on a change wakes it; no change between the look and the
     * keeping may be missed, as under a lock. NULL: looks only. Not called any more once it was
     * true. Runs in the waiting task or thread; may not wait.
     */
    bool (*poll)(tr_future *self, const tr_waker *waker);
    /* NULL, or: nobody waits any more; the waker may be forgotten. */
    void (*forget)(tr_future *self);
    int result; /* 0 or a count, or a negative errno */
    bool ready; /* poll was true; set it back to use the future again */
};

/*
 * Waits until it is ready.
 * Returns:  self->result.  -ETIMEDOUT, -ESHUTDOWN, -ECANCELED: not yet, nothing is lost.
 *           -EINVAL: no poll function.  -EPERM: outside of a task.
 */
TR_API TR_CHECK int tr_await(tr_future *f, tr_time deadline);

/* The same in a plain thread; -EDEADLK in an actor. */
TR_API TR_CHECK int tr_blocking_await(tr_future *f, tr_time deadline);

/* NULL: disabled. */
TR_API tr_arm tr_future_arm(tr_future *f);

TR_END_DECLS

#endif /* TROUPE_FUTURE_H */
