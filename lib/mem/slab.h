/* SPDX-License-Identifier: MIT */
/*
 * slab.h - records of one type whose memory never becomes anything else until the slab ends:
 * whoever holds a stale pointer or index may still read the record and find by its generation
 * that it now is another one.
 *
 *     a worker's cache (last in first out, no lock) <--- batches, one lock ---> the slab
 *
 * Every record begins with its index, a uint32_t that the slab writes once; the rest belongs to
 * the user, also while the record is free: it is zero before the first use and never touched by
 * the slab. Records cost memory when they are first needed, and keep it.
 */
#ifndef TRI_MEM_SLAB_H
#define TRI_MEM_SLAB_H

#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "mem/idset.h"

enum {
    TRI_SLAB_SHIFT = 12,       /* records per block: 1 << this */
    TRI_SLAB_BLOCKS = 1 << 14, /* most blocks: 67 million records */
    TRI_SLAB_HOT = 128,        /* most records that a cache keeps */
    TRI_SLAB_BATCH = 64,       /* records fetched at once */
};

struct tri_slab {
    size_t size;            /* of a record; constant */
    char *_Atomic *base;    /* per block; an entry is written once, before n_made covers it */
    atomic_uint n_made;     /* records ever made; published: index < n_made is a record */
    pthread_mutex_t lock;   /* covers the rest. A leaf: nothing is called inside */
    struct tri_idset *free; /* per block */
    unsigned first;         /* no block below this one has a free record */
    unsigned n_free;
    char *spare;      /* mapped for the blocks that come next, and how many */
    unsigned n_spare;
};

/* One worker's free records of one type. Touched by its owner only. */
struct tri_slab_cache {
    struct tri_slab *slab;
    unsigned n;
    void *hot[TRI_SLAB_HOT]; /* the last one in is at n - 1 */
};

/*
 * Makes an empty slab. @size_bytes: a multiple of 16, at most 64 KiB.
 * Returns 0, -EINVAL or -ENOMEM.
 */
int tri_slab_init(struct tri_slab *s, size_t size_bytes);

/* Unmaps every record. All caches are finished, every record was put back. Accepts { 0 }. */
void tri_slab_fini(struct tri_slab *s);

void tri_slab_cache_init(struct tri_slab_cache *c, struct tri_slab *s);

/* Hands the cache's records to the slab and leaves the cache empty. */
void tri_slab_cache_fini(struct tri_slab_cache *c);

/* Slow parts of get and put. */
void *tri_slab_refill(struct tri_slab_cache *c);
void tri_slab_spill(struct tri_slab_cache *c, unsigned n);

/* A record, as it was put back or zero, or NULL: no memory. Owner only. */
static inline void *tri_slab_get(struct tri_slab_cache *c)
{
    return __builtin_expect(c->n != 0, 1) ? c->hot[--c->n] : tri_slab_refill(c);
}

/* Gives a record back; it may come from any cache of the same slab. Owner only. */
static inline void tri_slab_put(struct tri_slab_cache *c, void *record)
{
    if (__builtin_expect(c->n == TRI_SLAB_HOT, 0))
        tri_slab_spill(c, TRI_SLAB_HOT / 2);
    c->hot[c->n++] = record;
}

static inline uint32_t tri_slab_index(const void *record)
{
    return *(const uint32_t *)record;
}

/*
 * The record with @index, free or not, or NULL if there was never one.
 * Callers: any thread, signal handlers.  Progress: wait-free.
 */
static inline void *tri_slab_at(const struct tri_slab *s, uint32_t index)
{
    /* acquire: pairs with the release in tri_slab_refill(): the block's base and the index. */
    if (index >= atomic_load_explicit(&s->n_made, memory_order_acquire))
        return NULL;
    /* relaxed: written before n_made covered it. */
    return atomic_load_explicit(&s->base[index >> TRI_SLAB_SHIFT], memory_order_relaxed) +
           (index & ((1u << TRI_SLAB_SHIFT) - 1)) * s->size;
}

/*
 * Calls @fn for every record ever made, free ones too, in the order of their indices.
 * Callers: any thread. @fn reads what it finds with the user's own rules; records made
 * meanwhile may be missed.
 */
void tri_slab_each(const struct tri_slab *s, void (*fn)(void *record, void *arg), void *arg);

/* Records that are in use or in a cache. Callers: any thread; takes the lock. */
size_t tri_slab_n_out(struct tri_slab *s);

#endif /* TRI_MEM_SLAB_H */
