/* SPDX-License-Identifier: MIT */
/*
 * troupe/semaphore.h - a number of permits; who takes some waits until they are there.
 *
 *     static tr_semaphore slots = TR_SEMAPHORE_INIT(4);
 *
 *     tr_permit p TR_CLEANUP(tr_permit_release) = { 0 };
 *
 *     if ((r = tr_semaphore_acquire(&slots, 1, TR_UNTIL_DRAIN)) < 0)
 *         return r;
 *     p = tr_permit_of(&slots, 1);                  given back on every way out
 *
 * Fair: permits go out in the order of asking, whatever the numbers. While one waits, nobody
 * overtakes it, and what is given back is kept for it. A wait that ends without permits, and an
 * arm that loses in a select, leave the line and have taken nothing.
 *
 * No memory is allocated. Do not copy a semaphore, nor free it while a call on it runs. What
 * was done before permits were given back, or before a close, is seen by who gets them, or
 * -EPIPE.
 */
#ifndef TROUPE_SEMAPHORE_H
#define TROUPE_SEMAPHORE_H

#include <troupe/select.h>

TR_BEGIN_DECLS

typedef struct tr_semaphore {
    struct tri_sync inside;
} tr_semaphore;

/* As many permits as there may be. */
#define TR_SEMAPHORE_MAX (SIZE_MAX >> 3)

/* @n: at most TR_SEMAPHORE_MAX. */
#define TR_SEMAPHORE_INIT(n)                                                                   \
    {                                                                                          \
        {                                                                                      \
            (uint64_t)(n) << 2, NULL, 0, 0                                                     \
        }                                                                                      \
    }

/* Returns: 0; -EINVAL: @n is above TR_SEMAPHORE_MAX. Nothing needs to be undone. */
TR_API int tr_semaphore_init(tr_semaphore *s, size_t n);

/*
 * Take @n permits; 0 are there at once. The waiting, try and blocking form, and the arm.
 * Returns:  0: they are yours.  -EPIPE: closed, also if that came between their arrival and the
 *           caller's next turn.  -EAGAIN: not now (try).  -ETIMEDOUT, -ECANCELED, -ESHUTDOWN,
 *           -EPERM, -EDEADLK.  -EINVAL: @n is above TR_SEMAPHORE_MAX.
 * Progress: one atomic step if nobody has to wait; else it takes a lock.
 */
TR_API TR_CHECK int tr_semaphore_acquire(tr_semaphore *s, size_t n, tr_time deadline);
TR_API TR_CHECK int tr_semaphore_try_acquire(tr_semaphore *s, size_t n);
TR_API TR_CHECK int tr_semaphore_blocking_acquire(tr_semaphore *s, size_t n, tr_time deadline);
TR_API tr_arm tr_semaphore_acquire_arm(tr_semaphore *s, size_t n);

/*
 * Gives @n permits back, or adds new ones; also when it is closed. Never waits.
 * Returns:  0.  -EINVAL: there would be more than TR_SEMAPHORE_MAX; nothing was done.
 * Callers:  anybody.
 */
TR_API int tr_semaphore_release(tr_semaphore *s, size_t n);

/* Takes up to @n of the permits that are available away for good. Returns how many. */
TR_API size_t tr_semaphore_forget(tr_semaphore *s, size_t n);

/* How many could be taken now; 0 while somebody waits. */
TR_API size_t tr_semaphore_available(const tr_semaphore *s);

/*
 * From now on every acquire fails with -EPIPE, also those that wait. Permits may be given back.
 */
TR_API void tr_semaphore_close(tr_semaphore *s);
TR_API bool tr_semaphore_is_closed(const tr_semaphore *s);

/* ---- permits in hand, as a value ---- */

/* Moved by copying it and forgetting the source. { 0 }, or n == 0: nothing to give back. */
typedef struct tr_permit {
    tr_semaphore *semaphore;
    size_t n;
} tr_permit;

/* For the permits that the caller has just acquired. */
static inline tr_permit tr_permit_of(tr_semaphore *s, size_t n)
{
    tr_permit p = { s, n };

    return p;
}

/* Gives back what *@p holds, and empties it. A drop function for TR_CLEANUP and messages. */
TR_API void tr_permit_release(tr_permit *p);

/* Empties *@p; the permits are gone for good. */
TR_API void tr_permit_forget(tr_permit *p);

/* Moves what *@from holds to *@into. -EINVAL: they are of two semaphores; nothing was done. */
TR_API int tr_permit_merge(tr_permit *into, tr_permit *from);

/*
 * Moves @n of *@p to *@ret_part; 0 gives an empty one. -EINVAL: *@p has fewer; nothing was
 * done.
 */
TR_API TR_CHECK int tr_permit_split(tr_permit *p, size_t n, tr_permit *ret_part);

TR_END_DECLS

#endif /* TROUPE_SEMAPHORE_H */
