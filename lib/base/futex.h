/* SPDX-License-Identifier: MIT */
/* futex.h - the two futex calls, process-private, on a C11 atomic word. See futex(2). */
#ifndef TRI_BASE_FUTEX_H
#define TRI_BASE_FUTEX_H

#include <stdatomic.h>

#include <troupe/time.h>

/*
 * Sleeps while *@word is @expected, until @deadline (CLOCK_MONOTONIC, no drain bit).
 * Returns 0 (woken, changed or interrupted: look again) or -ETIMEDOUT.
 */
int tri_futex_wait(atomic_uint *word, unsigned expected, tr_time deadline);

/* Wakes up to @n sleepers. */
void tri_futex_wake(atomic_uint *word, int n);

#endif /* TRI_BASE_FUTEX_H */
