/* SPDX-License-Identifier: MIT */
/*
 * permits.h - counted permits, handed out strictly in the order of asking: the inside of the
 * semaphore, of the mutex (one permit) and of the rwlock (a writer takes them all).
 *
 * Of a crowd (crowd.h): count is what is in the pool, FLAG says closed. While somebody waits
 * the pool belongs to the first in line, so a large request collects and nobody overtakes it.
 *
 * A waiter in a call that waits for nothing else is given its permits by whoever serves the
 * line: it has nothing else to do than to return with them. One in a select is only told to try
 * and keeps its place: it takes the permits when it runs, or leaves, which serves the next. So
 * code that does not run never holds a permit.
 */
#ifndef TRI_SYNC_PERMITS_H
#define TRI_SYNC_PERMITS_H

#include "base/assert.h"
#include "sync/crowd.h"

#define TRI_PERMITS_CLOSED TRI_CROWD_FLAG

static inline uint64_t tri_permits_in(uint64_t word)
{
    return word >> TRI_CROWD_SHIFT;
}

/* Takes @n if nobody has to wait for it. Returns: 0; -EAGAIN; -EPIPE: closed. */
static inline int tri_permits_try(struct tri_crowd *c, uint64_t n)
{
    /* acquire: what was done before a close, if that is what it says. */
    uint64_t s = atomic_load_explicit(&c->word, memory_order_acquire);

    do {
        if (tri_unlikely(s & TRI_PERMITS_CLOSED))
            return -EPIPE;
        if (tri_unlikely(s & TRI_CROWD_WAITING || tri_permits_in(s) < n))
            return n == 0 ? 0 : -EAGAIN;
        /* acquire: what the ones did who gave permits back; pairs with tri_permits_give(). */
    } while (!atomic_compare_exchange_weak_explicit(
        &c->word, &s, s - (n << TRI_CROWD_SHIFT), memory_order_acquire, memory_order_acquire));
    return 0;
}

/*
 * As tri_permits_give(), when somebody waits; -EAGAIN: nobody does any more, nothing was done.
 */
int tri_permits_give_slow(struct tri_crowd *c, uint64_t n, uint64_t max);

/* Adds @n, up to @max in the pool. Returns: 0; -EINVAL: there would be more than that. */
static inline int tri_permits_give(struct tri_crowd *c, uint64_t n, uint64_t max)
{
    /* relaxed: the CAS confirms it. */
    uint64_t s = atomic_load_explicit(&c->word, memory_order_relaxed);
    int r;

    do {
        while (tri_unlikely(s & TRI_CROWD_WAITING)) {
            r = tri_permits_give_slow(c, n, max);
            if (r != -EAGAIN)
                return r;
            s = atomic_load_explicit(&c->word, memory_order_relaxed);
        }
        if (tri_unlikely(n > max || tri_permits_in(s) > max - n))
            return -EINVAL;
        /* release: what we did before; pairs with the acquire of who takes the permit. */
    } while (!atomic_compare_exchange_weak_explicit(
        &c->word, &s, s + (n << TRI_CROWD_SHIFT), memory_order_release, memory_order_relaxed));
    return 0;
}

/* Refuses from now on, also those in line. */
void tri_permits_close(struct tri_crowd *c);

/* An arm that takes @n permits. */
static inline tr_arm tri_permits_arm(const struct tri_arm_ops *ops, struct tri_crowd *c,
                                     uint64_t n)
{
    return (tr_arm){ .ops = ops, .source = c, .extra = { 0, (uintptr_t)n } };
}

/* The functions of its table; results 0 and -EPIPE. */
bool tri_permits_attempt(tr_arm *arm);
bool tri_permits_enroll(tr_arm *arm, struct tri_waiter *w);
bool tri_permits_withdraw(tr_arm *arm, struct tri_waiter *w);

#endif /* TRI_SYNC_PERMITS_H */
