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
    int result; /* of the arm that tr_select() returned: 0 or a count, or what its call returns */
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

TR_END_DECLS

#endif /* TROUPE_SELECT_H */
