/* SPDX-License-Identifier: MIT */
/*
 * stack.h - the stacks that tasks run on.
 *
 * A stack is the memory [top - tri_stack_size(), top), with a guard below it (guard.h). top is
 * page-aligned. A stack that was never used has no page; one that was used keeps its pages
 * while it is hot, so that the next task on it takes no page fault:
 *
 *     a worker's cache (hot, last in first out, no lock)
 *         <--- batches, under one lock --->   the arenas: used stacks, clean ones, new ones
 *
 * tri_stack_trim() turns used stacks into clean ones by giving their pages back to the kernel.
 */
#ifndef TRI_MEM_STACK_H
#define TRI_MEM_STACK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mem/san.h"

enum {
    TRI_STACK_HOT = 256,  /* most stacks that a cache keeps */
    TRI_STACK_BATCH = 32, /* stacks fetched from the arenas at once */
    TRI_STACK_TRIM = 512, /* stacks whose pages one trim gives back at most */
};

/* One worker's free stacks. { 0 } is an empty cache. Touched by its owner only. */
struct tri_stack_cache {
    unsigned n;
    void *top[TRI_STACK_HOT]; /* the last one in is at n - 1 */
};

/*
 * Starts the use of stacks in this process. @size_bytes: a multiple of the page size from
 * 16 KiB to 1 GiB; 0: the size in use, or else 64 KiB (256 KiB under ASan and TSan).
 * Returns:  0: call tri_stack_teardown() once.  -EINVAL: not such a size, or TR_STACK_GUARD
 *           names no kind of guard.  -EBUSY: in use with another size.  -EOPNOTSUPP: the kernel
 *           lacks the kind that TR_STACK_GUARD asks for.  -ENOMEM.
 */
int tri_stack_setup(size_t size_bytes);

/* Ends one use; the last one unmaps every stack. The caller's caches are finished by then. */
void tri_stack_teardown(void);

/* Slow parts of get and put. */
void *tri_stack_refill(struct tri_stack_cache *c);
void tri_stack_spill(struct tri_stack_cache *c, unsigned n);

extern size_t tri_stack_bytes;       /* written by the first setup only */
extern atomic_bool tri_stack_canary; /* some stack is guarded by a canary */

static inline size_t tri_stack_size(void)
{
    return tri_stack_bytes;
}

/* A stack's top, or NULL: no memory. Owner only. */
static inline void *tri_stack_get(struct tri_stack_cache *c)
{
    void *top = __builtin_expect(c->n != 0, 1) ? c->top[--c->n] : tri_stack_refill(c);

#if TRI_ASAN
    if (top)
        tri_san_stack_reuse((char *)top - tri_stack_bytes, tri_stack_bytes);
#endif
    return top;
}

/* Gives back a stack that nobody runs on any more. Owner only; from any cache. */
static inline void tri_stack_put(struct tri_stack_cache *c, void *top)
{
    if (__builtin_expect(c->n == TRI_STACK_HOT, 0))
        tri_stack_spill(c, TRI_STACK_HOT / 2);
    c->top[c->n++] = top;
}

/*
 * For an idle worker: keeps at most @max stacks in @c and gives pages of free stacks outside of
 * any cache back to the kernel, TRI_STACK_TRIM stacks at most, so that it ends within some
 * hundred microseconds. Returns how many stacks still wait for that: call again when idle.
 */
unsigned tri_stack_trim(struct tri_stack_cache *c, unsigned max);

/* Hands every stack of the cache to the arenas and leaves the cache empty. */
void tri_stack_cache_fini(struct tri_stack_cache *c);

/* Stacks that are in a task or in a cache. Callers: any thread; takes the lock. */
size_t tri_stack_n_out(void);

/*
 * The top of the stack whose memory or guard contains @addr, or NULL.
 * Callers: any thread, signal handlers. O(number of arenas): some dozens for a million stacks.
 */
void *tri_stack_of(const void *addr);

/*
 * How deep the stack has been used, in bytes, rounded up to pages, since its pages were last
 * given back: a task that runs on a hot stack may see what an earlier one used. Swapped pages
 * count as unused.
 */
size_t tri_stack_high_water(const void *top);

/* "advice", "mprotect" or "canary". */
const char *tri_stack_guard_name(void);

/*
 * False: something was written to the lowest line of the stack, which had no guard page.
 * Reads memory only where canaries are in use.
 */
static inline bool tri_stack_canary_ok(const void *top)
{
    const uint64_t *line = (const void *)((const char *)top - tri_stack_bytes);

    /* relaxed: set under the lock by which a stack with a canary reached this worker. */
    if (__builtin_expect(!atomic_load_explicit(&tri_stack_canary, memory_order_relaxed), 1))
        return true;
    return (line[0] | line[1] | line[2] | line[3] | line[4] | line[5] | line[6] | line[7]) == 0;
}

#endif /* TRI_MEM_STACK_H */
