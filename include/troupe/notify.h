/* SPDX-License-Identifier: MIT */
/*
 * troupe/notify.h - "look again": wakes one or all of those who wait, and carries no value.
 *
 *     static tr_notify changed = TR_NOTIFY_INIT;
 *
 *     queue_push(&q, job);                           the waker: first the change,
 *     tr_notify_one(&changed);                       then the word
 *
 *     while ((job = queue_pop(&q)) == NULL)          the waiter
 *         if ((r = tr_notify_wait(&changed, deadline)) < 0)
 *             return r;
 *
 * tr_notify_one() wakes one waiter. If there is none it leaves a permit, at most one, which the
 * next wait takes: so the loop above misses nothing. tr_notify_all() wakes all who wait at that
 * moment and leaves no permit. Where several wait for a condition, use tr_notify_wait_until(),
 * or the forms with @seen, which count the calls of tr_notify_all() and miss none. For a state,
 * such as "on" and "off", use a watch; for what happens once, tr_once_wait() of troupe/once.h;
 * for the end of a program, its scope: a call of tr_notify_all() that came before anybody
 * waited is gone.
 *
 * No memory is allocated. Do not copy a notify, nor free it while a call on it runs. What was
 * done before a notification is seen by who was woken by it, or took its permit.
 */
#ifndef TROUPE_NOTIFY_H
#define TROUPE_NOTIFY_H

#include <troupe/select.h>

TR_BEGIN_DECLS

typedef struct tr_notify {
    struct tri_sync inside;
} tr_notify;

#define TR_NOTIFY_INIT                                                                         \
    {                                                                                          \
        {                                                                                      \
            0, NULL, 0, 0                                                                      \
        }                                                                                      \
    }

/* The same at run time. Nothing needs to be undone. */
TR_API void tr_notify_init(tr_notify *n);

/*
 * Wakes the one that has waited longest, or (last) shortest; leaves a permit if nobody waits. A
 * waiter in a select that was chosen and then took another arm hands the notification on: to
 * the next one, or as a permit.
 * Callers: anybody.  Progress: one atomic step if nobody waits; else it takes a lock.
 */
TR_API void tr_notify_one(tr_notify *n);
TR_API void tr_notify_last(tr_notify *n);

/*
 * Wakes all who wait now, as one step: nobody who comes later is among them. Callers: anybody.
 */
TR_API void tr_notify_all(tr_notify *n);

/*
 * Wait to be notified, or take the permit. The waiting, try and blocking form, and the arm.
 * Returns:  0.  -EAGAIN: no permit (try).  -ETIMEDOUT, -ECANCELED, -ESHUTDOWN: nothing was
 *           taken.  -EPERM, -EDEADLK, -EINVAL: NULL.
 */
TR_API TR_CHECK int tr_notify_wait(tr_notify *n, tr_time deadline);
TR_API TR_CHECK int tr_notify_try_wait(tr_notify *n);
TR_API TR_CHECK int tr_notify_blocking_wait(tr_notify *n, tr_time deadline);
TR_API tr_arm tr_notify_wait_arm(tr_notify *n);

/* How often tr_notify_all() was called so far. */
TR_API uint64_t tr_notify_count(const tr_notify *n);

/*
 * The same, and ready at once, leaving a permit alone, if tr_notify_count() is not *@seen any
 * more. When tr_notify_all() was what ended the wait, *@seen is the count as it is then.
 */
TR_API TR_CHECK int tr_notify_wait_since(tr_notify *n, uint64_t *seen, tr_time deadline);
TR_API TR_CHECK int tr_notify_blocking_wait_since(tr_notify *n, uint64_t *seen,
                                                  tr_time deadline);
TR_API tr_arm tr_notify_wait_since_arm(tr_notify *n, uint64_t *seen);

/* A look at the condition; it does not wait, and takes the lock it needs by itself. */
typedef bool tr_notify_fn(void *arg);

/*
 * Wait until @is_true(@arg), which is called first, and after each notification. Every change
 * that may make it true is followed by tr_notify_all(); tr_notify_one() will do if one waits.
 * Returns:  0: it was true.  The errors of tr_notify_wait(): it was false at the last look.
 */
TR_API TR_CHECK int tr_notify_wait_until(tr_notify *n, tr_notify_fn *is_true, void *arg,
                                         tr_time deadline);
TR_API TR_CHECK int tr_notify_blocking_wait_until(tr_notify *n, tr_notify_fn *is_true,
                                                  void *arg, tr_time deadline);

TR_END_DECLS

#endif /* TROUPE_NOTIFY_H */
