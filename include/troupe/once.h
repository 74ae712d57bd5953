/* SPDX-License-Identifier: MIT */
/*
 * troupe/once.h - a pointer that is set once, for ever: made by the first who needs it, or set
 * by somebody while others wait for it.
 *
 *     static tr_once table = TR_ONCE_INIT;
 *
 *     static int make_table(void *arg, void **ret_value);        may wait
 *
 *     r = tr_once_get_or_init(&table, make_table, NULL, deadline, &value);
 *
 * One maker runs at a time, in its caller; the others wait in line and get what it made. If it
 * fails, that is its caller's result, and the next in line tries with its own. What is pointed
 * at belongs to the caller; it may not be freed while it can still be got.
 *
 * No memory is allocated. Do not copy a tr_once, nor free it while a call on it runs. What was
 * done before the value was set is seen by who gets it.
 */
#ifndef TROUPE_ONCE_H
#define TROUPE_ONCE_H

#include <troupe/select.h>

TR_BEGIN_DECLS

typedef struct tr_once {
    struct tri_sync makers;
    struct tri_sync waiters;
    void *owner;
    void *value;
} tr_once;

#define TR_ONCE_INIT                                                                           \
    {                                                                                          \
        { (uint64_t)1 << 2, NULL, 0, 0 }, { 0, NULL, 0, 0 }, NULL, NULL                        \
    }

/* The same at run time. Nothing needs to be undone. */
TR_API void tr_once_init(tr_once *o);

/* Makes the value. Returns: 0 with *@ret_value; or a negative errno. */
typedef int tr_once_fn(void *arg, void **ret_value);

/*
 * The value; @make(@arg, ...) makes it if nobody has done so.
 * Returns:  0: *@ret_value.  What @make returned, if that was negative.  -EDEADLK: called by
 *           @make itself, or the blocking form in an actor.  -ETIMEDOUT, -ECANCELED,
 *           -ESHUTDOWN, -EPERM: no value yet, and @make was not called.
 * Progress: one load once there is a value.
 */
TR_API TR_CHECK int tr_once_get_or_init(tr_once *o, tr_once_fn *make, void *arg,
                                        tr_time deadline, void **ret_value);
TR_API TR_CHECK int tr_once_blocking_get_or_init(tr_once *o, tr_once_fn *make, void *arg,
                                                 tr_time deadline, void **ret_value);

/*
 * Sets the value, if there is none. Callers: anybody. Never waits.
 * Returns:  0.  -EALREADY: there is one.  -EAGAIN: it is being made. @value stays yours then.
 */
TR_API TR_CHECK int tr_once_set(tr_once *o, void *value);

/*
 * Wait until somebody has set or made the value. The waiting, try and blocking form, and the
 * arm.
 * Returns:  0: *@ret_value.  -EAGAIN: none yet (try).  -ETIMEDOUT, -ECANCELED, -ESHUTDOWN,
 *           -EPERM, -EDEADLK.
 */
TR_API TR_CHECK int tr_once_wait(tr_once *o, tr_time deadline, void **ret_value);
TR_API TR_CHECK int tr_once_try_get(tr_once *o, void **ret_value);
TR_API TR_CHECK int tr_once_blocking_wait(tr_once *o, tr_time deadline, void **ret_value);
TR_API tr_arm tr_once_wait_arm(tr_once *o, void **ret_value);

TR_END_DECLS

#endif /* TROUPE_ONCE_H */
