/* SPDX-License-Identifier: MIT */
/*
 * troupe/time.h - deadlines. Every function that can wait takes one: an absolute instant of the
 * monotonic clock in nanoseconds, or one of the names below. A function without a deadline
 * parameter does not wait.
 *
 * A deadline may carry the drain bit: the wait then also ends, with -ESHUTDOWN, when the scope
 * of the task drains.
 *
 *     r = q_recv(&rx, tr_after(TR_MS(5)), &m);                     5 ms from now
 *     r = q_recv(&rx, TR_UNTIL_DRAIN, &m);                         for ever, or until drain
 *     r = q_recv(&rx, tr_until_drain(tr_after(TR_S(30))), &m);     both limits
 */
#ifndef TROUPE_TIME_H
#define TROUPE_TIME_H

#include <troupe/types.h>

TR_BEGIN_DECLS

/* Nanoseconds: an instant of the monotonic clock, or a span. A negative deadline is TR_NOW. */
typedef int64_t tr_time;

#define TR_DRAIN_BIT   ((tr_time)1 << 62)
#define TR_NOW         ((tr_time)0)          /* has passed: ready now, or -ETIMEDOUT */
#define TR_NEVER       (TR_DRAIN_BIT - 1)    /* no limit */
#define TR_UNTIL_DRAIN (TR_NEVER | TR_DRAIN_BIT)

#define TR_US(n) ((tr_time)((n) * INT64_C(1000)))
#define TR_MS(n) ((tr_time)((n) * INT64_C(1000000)))
#define TR_S(n)  ((tr_time)((n) * INT64_C(1000000000)))

/*
 * The instant now. Inside a simulated runtime its virtual time, else CLOCK_MONOTONIC.
 * Callers: anybody.  Progress: wait-free, some ten nanoseconds.
 */
TR_API tr_time tr_now(void);

/* The instant @span from now. Saturates: a negative span gives now, a huge one TR_NEVER. */
TR_API tr_time tr_after(tr_time span);

/* The same @deadline, and the wait also ends with -ESHUTDOWN when the scope drains. */
static inline tr_time tr_until_drain(tr_time deadline)
{
    return (deadline < 0 ? TR_NOW : deadline) | TR_DRAIN_BIT;
}

TR_END_DECLS

#endif /* TROUPE_TIME_H */
