/* SPDX-License-Identifier: MIT */
/*
 * troupe/delayq.h - a queue whose values become ready one by one, each at its own instant.
 *
 *     TR_DELAYQ(expiries, struct entry, entry_drop);
 *
 *     expiries q TR_CLEANUP(expiries_free) = { 0 };
 *
 *     r = expiries_new(&q);
 *     r = expiries_insert(&q, &e, tr_after(TR_S(30)), &key);    anybody, never waits
 *     r = expiries_reset(&q, key, tr_after(TR_S(30)));
 *     r = expiries_next(&q, TR_UNTIL_DRAIN, &e);                waits for the first to be due
 *
 * Used by any number of actors and threads at once, by pointer; who made it frees it when the
 * others have ended. One consumer is meant: with more of them each is woken for each value.
 */
#ifndef TROUPE_DELAYQ_H
#define TROUPE_DELAYQ_H

#include <troupe/select.h>

TR_BEGIN_DECLS

typedef struct tr_delayq {
    struct tri_delayq *impl;
} tr_delayq;

/* Names one value for as long as it is in its queue; never given again, and never 0. */
typedef uint64_t tr_delay_key;

/* The untyped core; TR_DELAYQ generates the typed functions over it. */
TR_API TR_CHECK int tr_delayq_new(const struct tri_type *type, tr_delayq *ret_q);
TR_API TR_CHECK int tr_delayq_insert(tr_delayq *q, void *value, tr_time when,
                                     tr_delay_key *ret_key);
TR_API int tr_delayq_reset(tr_delayq *q, tr_delay_key key, tr_time when);
TR_API int tr_delayq_remove(tr_delayq *q, tr_delay_key key, void *ret_value);
TR_API int tr_delayq_peek(tr_delayq *q, tr_time *ret_when, tr_delay_key *ret_key);
TR_API TR_CHECK int tr_delayq_next(tr_delayq *q, tr_time deadline, void *ret_value);
TR_API TR_CHECK int tr_delayq_try_next(tr_delayq *q, void *ret_value);
TR_API TR_CHECK int tr_delayq_blocking_next(tr_delayq *q, tr_time deadline, void *ret_value);
TR_API tr_arm tr_delayq_next_arm(tr_delayq *q, void *ret_value);
TR_API TR_CHECK int tr_delayq_next_left(tr_delayq *q, tr_time deadline, void *ret_value);
TR_API tr_arm tr_delayq_next_left_arm(tr_delayq *q, void *ret_value);
TR_API size_t tr_delayq_len(tr_delayq *q);
TR_API void tr_delayq_clear(tr_delayq *q);
TR_API void tr_delayq_free(tr_delayq *q);

/*
 * Declares the delay queue type @name of values of @type, released by @drop_fn; ends with ';'.
 * A zeroed queue is empty: freeing it does nothing, every other call returns -EINVAL.
 *
 * name_new(&q): 0, -ENOMEM.
 * name_insert(&q, &v, when, &key): moves *@v in, to be due at @when, which may have passed;
 *   TR_NEVER: it waits for a reset.  Returns:  0: *@v is zero, *@key (NULL: not wanted) names
 *   it.  -ENOMEM: the value stays yours.  O(1).
 * name_reset(&q, key, when): 0; -ENOENT: that value is not in the queue any more.  O(1).
 * name_remove(&q, key, &v): takes it out, due or not; @v NULL: drops it.  0, -ENOENT.  O(1).
 * name_peek(&q, &when, &key): which comes next as of now, each NULL if not wanted.  0; -EAGAIN:
 *   the queue is empty.  O(n) of those that are due about then.
 * name_next(&q, deadline, &v), name_try_next(&q, &v), name_blocking_next(&q, deadline, &v): the
 *   first that is due, in the order of instants, never early; those of one tick of 33 µs, or in
 *   the past when inserted, in the order of insertion. In an empty queue it waits for an
 *   insert.
 *   Returns:  0: *v is yours.  -EAGAIN: none is due (try).  -ETIMEDOUT, -ECANCELED, -ESHUTDOWN:
 *   nothing was taken.  -EPERM.
 * name_next_arm(&q, &v): the same as an arm of tr_select().
 * name_next_left(&q, deadline, &v), name_next_left_arm(&q, &v): the same of those that are
 *   left: 1: *v is yours.  0: the queue is empty, now or since the wait began; more may be
 *   inserted.
 * name_len(&q): the values in it, due or not.
 * name_clear(&q): drops every value that is in it now; their keys are stale. The memory stays,
 *   for as many values as were ever in it at once, until name_free(&q), which drops what is
 *   left. Nobody may wait then.
 *
 * Callers:  anybody for all but name_next() and name_next_left() (tasks), name_blocking_next()
 *           (plain threads).
 */
#define TR_DELAYQ(name, type, drop_fn)                                                         \
    TRI_TYPE(name, type, drop_fn);                                                             \
    typedef struct name {                                                                      \
        tr_delayq q;                                                                           \
    } name;                                                                                    \
    TR_GENERATED TR_CHECK int name##_new(name *tri_ret_q)                                      \
    {                                                                                          \
        return tr_delayq_new(&name##_tri_type, &tri_ret_q->q);                                 \
    }                                                                                          \
    TR_GENERATED TR_CHECK int name##_insert(name *tri_q, type *tri_value, tr_time tri_when,    \
                                            tr_delay_key *tri_ret_key)                         \
    {                                                                                          \
        return tr_delayq_insert(&tri_q->q, tri_value, tri_when, tri_ret_key);                  \
    }                                                                                          \
    TR_GENERATED int name##_reset(name *tri_q, tr_delay_key tri_key, tr_time tri_when)         \
    {                                                                                          \
        return tr_delayq_reset(&tri_q->q, tri_key, tri_when);                                  \
    }                                                                                          \
    TR_GENERATED int name##_remove(name *tri_q, tr_delay_key tri_key, type *tri_ret_value)     \
    {                                                                                          \
        return tr_delayq_remove(&tri_q->q, tri_key, tri_ret_value);                            \
    }                                                                                          \
    TR_GENERATED int name##_peek(name *tri_q, tr_time *tri_ret_when,                           \
                                 tr_delay_key *tri_ret_key)                                    \
    {                                                                                          \
        return tr_delayq_peek(&tri_q->q, tri_ret_when, tri_ret_key);                           \
    }                                                                                          \
    TR_GENERATED TR_CHECK int name##_next(name *tri_q, tr_time tri_deadline,                   \
                                          type *tri_ret_value)                                 \
    {                                                                                          \
        return tr_delayq_next(&tri_q->q, tri_deadline, tri_ret_value);                         \
    }                                                                                          \
    TR_GENERATED TR_CHECK int name##_try_next(name *tri_q, type *tri_ret_value)                \
    {                                                                                          \
        return tr_delayq_try_next(&tri_q->q, tri_ret_value);                                   \
    }                                                                                          \
    TR_GENERATED TR_CHECK int name##_blocking_next(name *tri_q, tr_time tri_deadline,          \
                                                   type *tri_ret_value)                        \
    {                                                                                          \
        return tr_delayq_blocking_next(&tri_q->q, tri_deadline, tri_ret_value);                \
    }                                                                                          \
    TR_GENERATED tr_arm name##_next_arm(name *tri_q, type *tri_ret_value)                      \
    {                                                                                          \
        return tr_delayq_next_arm(tri_q ? &tri_q->q : NULL, tri_ret_value);                    \
    }                                                                                          \
    TR_GENERATED TR_CHECK int name##_next_left(name *tri_q, tr_time tri_deadline,              \
                                               type *tri_ret_value)                            \
    {                                                                                          \
        return tr_delayq_next_left(&tri_q->q, tri_deadline, tri_ret_value);                    \
    }                                                                                          \
    TR_GENERATED tr_arm name##_next_left_arm(name *tri_q, type *tri_ret_value)                 \
    {                                                                                          \
        return tr_delayq_next_left_arm(tri_q ? &tri_q->q : NULL, tri_ret_value);               \
    }                                                                                          \
    TR_GENERATED size_t name##_len(name *tri_q)                                                \
    {                                                                                          \
        return tr_delayq_len(&tri_q->q);                                                       \
    }                                                                                          \
    TR_GENERATED void name##_clear(name *tri_q)                                                \
    {                                                                                          \
        tr_delayq_clear(&tri_q->q);                                                            \
    }                                                                                          \
    TR_GENERATED void name##_free(name *tri_q)                                                 \
    {                                                                                          \
        tr_delayq_free(&tri_q->q);                                                             \
    }                                                                                          \
    struct name##_tri_semicolon

TR_END_DECLS

#endif /* TROUPE_DELAYQ_H */
