/* SPDX-License-Identifier: MIT */
/*
 * troupe/interval.h - ticks at equal distances.
 *
 *     tr_interval every;
 *
 *     r = tr_interval_init(&every, TR_NOW, TR_S(10), TR_MISSED_SKIP);
 *     while ((r = tr_interval_tick(&every, TR_UNTIL_DRAIN, NULL)) == 0)
 *         sample();
 *
 * An interval is a value: it holds no resource, needs no end, and counts time also while nobody
 * waits for it. One task at a time uses it. Its clock is that of every deadline: a wall clock
 * that is set moves no tick.
 */
#ifndef TROUPE_INTERVAL_H
#define TROUPE_INTERVAL_H

#include <troupe/select.h>

TR_BEGIN_DECLS

/* What comes after a tick that was taken late; scheduled: the instant it was for. */
enum tr_missed {
    TR_MISSED_SKIP,  /* the first multiple of the period after now, counted from scheduled */
    TR_MISSED_BURST, /* scheduled + period, so that those missed follow at once */
    TR_MISSED_DELAY, /* now + period, if it was late by more than 5 ms or a period */
};

typedef struct tr_interval {
    tr_time period;
    tr_time next; /* the tick that comes; TR_NEVER: none */
    enum tr_missed missed;
} tr_interval;

/*
 * The first tick is at @first, TR_NOW: at once; tr_after(period): after one period.
 * Returns:  0.  -EINVAL: @period is not positive, or @missed is none of these.
 * Callers:  anybody.
 */
TR_API TR_CHECK int tr_interval_init(tr_interval *iv, tr_time first, tr_time period,
                                     enum tr_missed missed);

/*
 * Waits for the next tick; *@ret_scheduled (NULL: not wanted) is the instant it was for, which
 * now is never before.
 * Returns:  0.  -ETIMEDOUT, -ECANCELED, -ESHUTDOWN: the tick is still to come.  -EINVAL: @iv is
 *           NULL or zeroed.  -EPERM: outside a task.
 */
TR_API TR_CHECK int tr_interval_tick(tr_interval *iv, tr_time deadline, tr_time *ret_scheduled);

/* The same as an arm of tr_select(); its result is 0. Disabled: NULL, or a zeroed interval. */
TR_API tr_arm tr_interval_tick_arm(tr_interval *iv, tr_time *ret_scheduled);

/*
 * The next tick is at @first, TR_NOW: at once; the others follow from there. What was missed is
 * forgotten. An arm made before keeps working.
 */
TR_API void tr_interval_reset(tr_interval *iv, tr_time first);

TR_END_DECLS

#endif /* TROUPE_INTERVAL_H */
