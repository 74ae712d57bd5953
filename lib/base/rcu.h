/* SPDX-License-Identifier: MIT */
/*
 * rcu.h - read sections and retirement, over liburcu's memb flavour. The only header that
 * includes liburcu's, and the only place to change the flavour.
 *
 *     tri_rcu_lock();    load a published pointer (C11 acquire), use what it points to
 *     tri_rcu_unlock();
 *
 *     unpublish it;      tri_rcu_retire(&thing->rcu, thing_free);
 *
 * Any thread may do both: it is registered at its first call and unregistered when it ends. A
 * section is short and closed: no callback, no wait and no suspension inside, for the nesting
 * lives in the thread. A retired object must be out of reach of sections that begin later.
 *
 * Retired objects are collected in each thread, handed over N_BATCH at a time or by
 * tri_rcu_flush(), and freed on liburcu's own thread some 10 ms later. Up to N_BATCH - 1 stay
 * with a thread that never flushes, until it ends.
 *
 * ThreadSanitizer does not see the ordering inside liburcu: the annotations here tell it.
 */
#ifndef TRI_BASE_RCU_H
#define TRI_BASE_RCU_H

#include <stdbool.h>

#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define TRI_TSAN 1
#endif
#elif defined(__SANITIZE_THREAD__)
#define TRI_TSAN 1
#endif

/* Inlined, but for ThreadSanitizer: it would take liburcu's own words for ours. */
#if !defined(TRI_TSAN) && !defined(_LGPL_SOURCE)
#define _LGPL_SOURCE
#endif
#include <urcu/static/urcu-memb.h> /* the record of a reader */
#include <urcu/urcu-memb.h>

#include "base/assert.h"

#ifdef TRI_TSAN
void __tsan_acquire(void *addr);
void __tsan_release(void *addr);
#define TRI_TSAN_ACQUIRE(addr) __tsan_acquire(addr)
#define TRI_TSAN_RELEASE(addr) __tsan_release(addr)
#else
#define TRI_TSAN_ACQUIRE(addr) ((void)(addr))
#define TRI_TSAN_RELEASE(addr) ((void)(addr))
#endif

/* Lies in an object that is retired. */
struct tri_rcu_head {
    struct rcu_head urcu; /* used in the first one of a batch only */
    struct tri_rcu_head *next;
    void (*fn)(struct tri_rcu_head *head);
};

extern char tri_rcu_domain; /* only its address is used, by the annotations */

void tri_rcu_enroll(void);

static inline void tri_rcu_lock(void)
{
    if (tri_unlikely(!URCU_TLS(urcu_memb_reader).registered))
        tri_rcu_enroll();
    urcu_memb_read_lock();
}

static inline void tri_rcu_unlock(void)
{
    TRI_TSAN_RELEASE(&tri_rcu_domain);
    urcu_memb_read_unlock();
}

/* True inside a section: for the assertion of what suspends. */
static inline bool tri_rcu_is_reading(void)
{
    return urcu_memb_read_ongoing() != 0;
}

/*
 * Calls @fn(@head) once no section that is open now is open any more. @fn runs on
 * liburcu's thread: it frees, and neither waits nor calls user code. Not inside a section.
 */
void tri_rcu_retire(struct tri_rcu_head *head, void (*fn)(struct tri_rcu_head *head));

/* Hands over what the calling thread has collected: at idle points, before a thread's end. */
void tri_rcu_flush(void);

/* Starts liburcu's thread, with all signals blocked. Otherwise the first hand-over does. */
void tri_rcu_start(void);

/*
 * Waits until what was handed over, by any thread, and what this thread has collected is freed.
 * Returns at once if there is nothing, else after 10 ms or so. Not in a task.
 */
void tri_rcu_barrier_if_pending(void);

#endif /* TRI_BASE_RCU_H */
