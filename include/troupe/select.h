/* SPDX-License-Identifier: MIT */
/*
 * troupe/select.h - wait for several sources at once; exactly one is consumed.
 *
 *     enum { JOB, TICK, N_ARM };
 *     tr_arm arms[N_ARM] = {
 *         [JOB] = jobq_recv_arm(&jobs, &job),
 *         [TICK] = tr_deadline_arm(next_tick),
 *     };
 *
 *     switch (tr_select(TR_UNTIL_DRAIN, arms, N_ARM)) {
 *     case JOB:
 *         if (arms[JOB].result < 0)         closed: also a ready arm
 *     ...
 *
 * Arms that lose have consumed nothing: there is no table of what is safe to cancel.
 */
#ifndef TROUPE_SELECT_H
#define TROUPE_SELECT_H

#include <troupe/time.h>
#include <troupe/types.h>

TR_BEGIN_DECLS

struct tri_arm_ops;

/*
 * One source, made by the X_arm() functions. A zeroed arm, and the arm of a NULL end, is
 * disabled. Reusable: a loop may make its arms once. It points at its end: do not move that
 * while the arm is in use.
 */
typedef struct tr_arm {
    const struct tri_arm_ops *ops;
    void *source;
    void *value;
    tr_time when;
    uintptr_t extra[2];
    int result; /* of the arm that tr_select() returned: 0 or a count, or what its call
                 * returns */
} tr_arm;

/*
 * Waits until one of @n arms is ready and performs it. The search starts at an arm drawn from
 * the worker's seeded generator, so that none starves.
 * Returns:  the index of the arm; its result is in arms[index].result: a closed or failed
 *           source is ready too.  -ETIMEDOUT, -ESHUTDOWN, -ECANCELED.  -EINVAL: every arm is
 *           disabled, or @n is above TR_SELECT_MAX.  -EPERM: outside a task.
 */
TR_API TR_CHECK int tr_select(tr_time deadline, tr_arm *arms, size_t n);

/* The same, always searching from arm 0: an earlier arm wins over a later one. */
TR_API TR_CHECK int tr_select_first(tr_time deadline, tr_arm *arms, size_t n);

#define TR_SELECT_MAX 64

/* Ready once @when has passed; result 0. TR_NEVER: disabled. */
TR_API tr_arm tr_deadline_arm(tr_time when);

/*
 * A set of arms that stays: each is registered with its source once, and a wait looks only at
 * those whose source has changed, however many there are. For a loop over many channels.
 *
 *     tr_select_set set TR_CLEANUP(tr_select_set_close) = { NULL };
 *
 *     if ((r = tr_select_set_new(&set)) < 0 ||
 *         (r = tr_select_set_add(&set, &arm, 0, peer, &peer->key)) < 0)
 *         return r;
 *     while ((r = tr_select_set_wait(&set, TR_UNTIL_DRAIN, &got)) == 0)
 *         serve(got.data, got.result);
 *
 * One task at a time uses a set. What an arm points to (its end, its value) stays in place
 * until the arm is removed or the set is closed; close the set before the ends. The functions
 * but tr_select_set_wait() never wait.
 */
typedef struct tr_select_set {
    struct tri_select_set *impl;
} tr_select_set;

enum {
    TR_SELECT_FIRST = 1u << 0, /* looked at before the others: for a stop, a control lane */
};

struct tr_selected {
    uint64_t key;
    void *data;
    int result; /* as in an arm */
};

/* Returns 0, -ENOMEM. { NULL } is an empty set: closing it does nothing. */
TR_API TR_CHECK int tr_select_set_new(tr_select_set *ret);

/* Withdraws every arm. O(n) in the number of arms. */
TR_API void tr_select_set_close(tr_select_set *set);

/*
 * Adds a copy of *@arm, which may be disabled; @data is handed back with its results. @ret_key:
 * its number, never used again by this set; NULL: not wanted.  Returns 0, -EINVAL, -ENOMEM.
 */
TR_API TR_CHECK int tr_select_set_add(tr_select_set *set, const tr_arm *arm, unsigned flags,
                                      void *data, uint64_t *ret_key);

/*
 * Puts *@arm in the place of the arm @key: to enable or disable it, or to set a deadline anew.
 * Returns 0, or -ENOENT: there is no such arm.
 */
TR_API int tr_select_set_change(tr_select_set *set, uint64_t key, const tr_arm *arm);

/* Returns 0, or -ENOENT. */
TR_API int tr_select_set_remove(tr_select_set *set, uint64_t key);

/* The number of arms, disabled ones too. */
TR_API size_t tr_select_set_len(const tr_select_set *set);

/*
 * Waits until an arm is ready and performs it. Ready ones take turns. An arm stays in the set:
 * a closed source is ready again and again, until it is removed; an arm whose deadline has
 * passed is ready once and then disabled.
 * Returns:  0: see *@ret.  -EINVAL: no arm is enabled.  -ETIMEDOUT, -ESHUTDOWN, -ECANCELED,
 *           -EPERM as tr_select().
 */
TR_API TR_CHECK int tr_select_set_wait(tr_select_set *set, tr_time deadline,
                                       struct tr_selected *ret);

TR_END_DECLS

#endif /* TROUPE_SELECT_H */
