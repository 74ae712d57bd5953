/* SPDX-License-Identifier: MIT */
/*
 * troupe/barrier.h - a number of actors wait for each other, and go on together.
 *
 *     static tr_barrier all_ready = TR_BARRIER_INIT(3);
 *
 *     r = tr_barrier_wait(&all_ready, TR_UNTIL_DRAIN);
 *     if (r == 1)
 *         one of the three does what is to be done once
 *
 * It can be used again at once, for the next meeting. A wait that ends by its deadline, a
 * cancel or a drain is not counted any more: the others wait for somebody else.
 *
 * No memory is allocated. Do not copy a barrier, nor free it while a call on it runs. What each
 * did before its wait is seen by all after theirs.
 */
#ifndef TROUPE_BARRIER_H
#define TROUPE_BARRIER_H

#include <troupe/time.h>
#include <troupe/types.h>

TR_BEGIN_DECLS

typedef struct tr_barrier {
    struct tri_sync inside;
    uint32_t n_here;
} tr_barrier;

/* @n actors meet; 0 is the same as 1: nobody ever waits. */
#define TR_BARRIER_INIT(n)                                                                     \
    {                                                                                          \
        { 0, NULL, 0, (n) }, 0                                                                 \
    }

/* The same at run time. Nothing needs to be undone. */
TR_API void tr_barrier_init(tr_barrier *b, uint32_t n);

/*
 * Waits until as many have come as meet here: for tasks, and (blocking) for plain threads.
 * Returns:  1: the caller was the last to come; 0: another one was.  -ETIMEDOUT, -ECANCELED,
 *           -ESHUTDOWN: the others did not come; this wait is not counted.  -EPERM, -EDEADLK.
 */
TR_API TR_CHECK int tr_barrier_wait(tr_barrier *b, tr_time deadline);
TR_API TR_CHECK int tr_barrier_blocking_wait(tr_barrier *b, tr_time deadline);

TR_END_DECLS

#endif /* TROUPE_BARRIER_H */
