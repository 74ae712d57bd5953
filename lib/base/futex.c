/* SPDX-License-Identifier: MIT */
/* futex.c - see futex.h; and the slow paths of lock.h. */
#include "config.h"

#include <errno.h>
#include <linux/futex.h>
#include <limits.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/futex.h"
#include "base/lock.h"
#include "base/relax.h"

int tri_futex_wait(atomic_uint *word, unsigned expected, tr_time deadline)
{
    struct timespec ts, *limit = NULL;

    if (deadline < TR_NEVER) {
        ts.tv_sec = (time_t)(deadline / TR_S(1));
        ts.tv_nsec = (long)(deadline % TR_S(1));
        limit = &ts;
    }
    /* WAIT_BITSET takes an absolute CLOCK_MONOTONIC time. */
    if (syscall(SYS_futex, word, FUTEX_WAIT_BITSET | FUTEX_PRIVATE_FLAG, expected, limit, NULL,
                FUTEX_BITSET_MATCH_ANY) < 0 &&
        errno == ETIMEDOUT)
        return -ETIMEDOUT;
    return 0;
}

void tri_futex_wake(atomic_uint *word, int n)
{
    (void)syscall(SYS_futex, word, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, n, NULL, NULL, 0);
}

void tri_lock_wait(struct tri_lock *l)
{
    /* A section is some tens of nanoseconds: its holder is usually gone after a short spin. */
    for (int i = 0; i < 100; i++) {
        tri_relax();
        /* relaxed: only a hint, tri_lock_try() decides. */
        if (atomic_load_explicit(&l->word, memory_order_relaxed) == TRI_LOCK_FREE &&
            tri_lock_try(l))
            return;
    }
    /* acquire: FREE came from the release in tri_lock_release(). */
    while (atomic_exchange_explicit(&l->word, TRI_LOCK_AWAITED, memory_order_acquire) !=
           TRI_LOCK_FREE)
        (void)tri_futex_wait(&l->word, TRI_LOCK_AWAITED, TR_NEVER);
}

void tri_lock_wake(struct tri_lock *l)
{
    tri_futex_wake(&l->word, 1);
}
