/* SPDX-License-Identifier: MIT */
/*
 * owner.h - who holds a lock: the running task or handler, or the plain thread. Two that live
 * at the same time differ.
 */
#ifndef TRI_SYNC_OWNER_H
#define TRI_SYNC_OWNER_H

#include <stdatomic.h>
#include <stdbool.h>

/* The caller; never NULL. Not inlined: a task may change threads at a wait. */
void *tri_owner_self(void);

/*
 * The holder's own word beside a lock: written by it only, while it holds the lock. So the
 * answer "it is mine" is exact, and another's is one of a moment ago. relaxed: the lock orders
 * it.
 */
static inline void tri_owner_set(void **owner, void *who)
{
    __atomic_store_n(owner, who, __ATOMIC_RELAXED);
}

static inline bool tri_owner_is(void *const *owner, const void *who)
{
    return __atomic_load_n(owner, __ATOMIC_RELAXED) == who;
}

#endif /* TRI_SYNC_OWNER_H */
