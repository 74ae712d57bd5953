/* SPDX-License-Identifier: MIT */
/*
 * clock.h - the monotonic clock, cheaper than clock_gettime where the time-stamp counter allows.
 */
#ifndef TRI_BASE_CLOCK_H
#define TRI_BASE_CLOCK_H

#include <stdbool.h>

#include <troupe/time.h>

/*
 * The instant now. Never after CLOCK_MONOTONIC at the return, so that a timer judged by this
 * clock is not early for one who judges by that; behind it by less than 2 µs as a rule and 4 µs
 * at most. Never goes back within a thread. From thread to thread an instant may precede one that
 * was handed over by some ten nanoseconds: the processor reads its counter ahead of older loads,
 * and to order the two costs as much as clock_gettime.
 * Known limit: while something (chronyd, adjtimex) changes the speed of CLOCK_MONOTONIC by more
 * than 0.1 % at once, it may be ahead by that share of half a millisecond.
 * Callers: anybody, also a signal handler.  Progress: wait-free.
 */
tr_time tri_clock_now(void);

/* The same by clock_gettime: 0 to 4 µs ahead of tri_clock_now. */
tr_time tri_clock_kernel(void);

/* Whether tri_clock_now reads the counter now; false in its first milliseconds, and for good
 * where the kernel itself does not trust the counter. */
bool tri_clock_is_counter(void);

#endif /* TRI_BASE_CLOCK_H */
