/* SPDX-License-Identifier: MIT */
/*
 * runq.h - a worker's own run queue: first in, first out, in a ring that only its owner
 * touches. Room is reserved when a task that stays on its worker starts, and when a handler is
 * pinned, so that a push cannot fail: each of those who may be in it, is in it once at most.
 */
#ifndef TRI_SCHED_RUNQ_H
#define TRI_SCHED_RUNQ_H

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/assert.h"
#include "mem/alloc.h"

struct tri_actor;

struct tri_runq {
    struct tri_actor **slot;
    size_t size;       /* a power of two, or 0 */
    size_t head, tail; /* only grow; the queue is [head, tail) */
    size_t n_reserved; /* at most size */
};

/* Makes room for one more actor. Returns 0 or -ENOMEM. */
static inline int tri_runq_reserve(struct tri_runq *q)
{
    struct tri_actor **slot;
    size_t size;

    if (tri_likely(q->n_reserved < q->size)) {
        q->n_reserved++;
        return 0;
    }
    size = q->size ? q->size * 2 : 256;
    slot = tri_mem_alloc(size * sizeof *slot);
    if (!slot)
        return -ENOMEM;
    for (size_t i = q->head; i != q->tail; i++)
        slot[i & (size - 1)] = q->slot[i & (q->size - 1)];
    free(q->slot);
    q->slot = slot;
    q->size = size;
    q->n_reserved++;
    return 0;
}

static inline void tri_runq_release(struct tri_runq *q)
{
    q->n_reserved--;
}

static inline size_t tri_runq_len(const struct tri_runq *q)
{
    return q->tail - q->head;
}

static inline bool tri_runq_is_empty(const struct tri_runq *q)
{
    return q->head == q->tail;
}

static inline void tri_runq_push(struct tri_runq *q, struct tri_actor *a)
{
    TRI_DEBUG_ASSERT(q->tail - q->head < q->n_reserved);
    q->slot[q->tail++ & (q->size - 1)] = a;
}

static inline struct tri_actor *tri_runq_pop(struct tri_runq *q)
{
    return tri_runq_is_empty(q) ? NULL : q->slot[q->head++ & (q->size - 1)];
}

/* The @k-th; there are more than @k. */
static inline struct tri_actor *tri_runq_peek(const struct tri_runq *q, size_t k)
{
    return q->slot[(q->head + k) & (q->size - 1)];
}

/* The @k-th, whose place the first one takes. */
static inline struct tri_actor *tri_runq_pick(struct tri_runq *q, size_t k)
{
    struct tri_actor *a = q->slot[(q->head + k) & (q->size - 1)];

    q->slot[(q->head + k) & (q->size - 1)] = q->slot[q->head & (q->size - 1)];
    q->head++;
    return a;
}

static inline void tri_runq_fini(struct tri_runq *q)
{
    free(q->slot);
    q->slot = NULL;
}

#endif /* TRI_SCHED_RUNQ_H */
