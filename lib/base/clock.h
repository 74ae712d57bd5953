/* SPDX-License-Identifier: MIT */
/*
 * clock.h - the monotonic clock of this machine. Only the backends read it: whoever works for a
 * runtime asks that runtime's backend, whose time may be simulated.
 */
#ifndef TRI_BASE_CLOCK_H
#define TRI_BASE_CLOCK_H

#include <time.h>

#include <troupe/time.h>

/*
 * CLOCK_MONOTONIC. Never goes back, also not from thread to thread.
 * Callers: anybody, also a signal handler.  Progress: wait-free, 20 ns.
 */
tr_time tri_clock_now(void);

/* A span as the kernel wants it; 0 if @span is negative. */
struct timespec tri_clock_timespec(tr_time span);

#endif /* TRI_BASE_CLOCK_H */
