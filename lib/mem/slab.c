/* SPDX-License-Identifier: MIT */
/*
 * slab.c - blocks of 4096 records, one mapping each, found by index through a flat table of
 * their bases. The table's pages, like the records', cost memory only where they are used.
 *
 * A free record is a bit in its block's set: the slab writes nothing into records but the index
 * of a new one, so fetching a batch touches no cold memory.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "mem/san.h"
#include "mem/slab.h"

#define PER_BLOCK (1u << TRI_SLAB_SHIFT)

enum {
    SINGLE_BLOCKS = 8, /* the first blocks are mapped one by one, ... */
    GROUP_BLOCKS = 16, /* the others in groups */
};

static size_t base_bytes(void)
{
    return TRI_SLAB_BLOCKS * sizeof(char *_Atomic);
}

static size_t sets_bytes(void)
{
    return TRI_SLAB_BLOCKS * sizeof(struct tri_idset);
}

int tri_slab_init(struct tri_slab *s, size_t size_bytes)
{
    if (size_bytes == 0 || size_bytes % 16 != 0 || size_bytes > 64 * 1024)
        return -EINVAL;
    *s = (struct tri_slab){ .size = size_bytes };
    s->base = tri_mem_map(base_bytes());
    if (!s->base)
        return -ENOMEM;
    s->free = tri_mem_map(sets_bytes());
    if (!s->free) {
        tri_mem_unmap(s->base, base_bytes());
        *s = (struct tri_slab){ 0 };
        return -ENOMEM;
    }
    tri_san_root_add(s->free, sets_bytes());
    pthread_mutex_init(&s->lock, NULL);
    atomic_init(&s->n_made, 0);
    return 0;
}

void tri_slab_fini(struct tri_slab *s)
{
    if (!s->base)
        return;
    TRI_MEM_HOLDS(tri_slab_n_out(s) == 0);
    /* relaxed: the caller is the last user. */
    for (unsigned b = 0; atomic_load_explicit(&s->base[b], memory_order_relaxed); b++) {
        char *base = atomic_load_explicit(&s->base[b], memory_order_relaxed);

        tri_san_root_remove(base, PER_BLOCK * s->size);
        tri_mem_unmap(base, PER_BLOCK * s->size);
        tri_idset_fini(&s->free[b]);
    }
    if (s->n_spare > 0)
        tri_mem_unmap(s->spare, s->n_spare * PER_BLOCK * s->size);
    tri_san_root_remove(s->free, sets_bytes());
    tri_mem_unmap(s->free, sets_bytes());
    tri_mem_unmap(s->base, base_bytes());
    pthread_mutex_destroy(&s->lock);
    *s = (struct tri_slab){ 0 };
}

/*
 * Memory for block @b. A slab that has grown is given several blocks at once, on huge pages
 * where the kernel has them: filling a million records then takes no page fault for each 25.
 */
static char *block_map(struct tri_slab *s, unsigned b)
{
    char *base;

    if (b < SINGLE_BLOCKS)
        return tri_mem_map(PER_BLOCK * s->size);
    if (s->n_spare == 0) {
        s->spare = tri_mem_map(GROUP_BLOCKS * PER_BLOCK * s->size);
        if (!s->spare)
            return NULL;
        s->n_spare = GROUP_BLOCKS;
        (void)madvise(s->spare, GROUP_BLOCKS * PER_BLOCK * s->size, MADV_HUGEPAGE);
    }
    base = s->spare;
    s->spare += PER_BLOCK * s->size;
    s->n_spare--;
    return base;
}

/* Maps block @b. Returns 0 or -ENOMEM. */
static int block_add(struct tri_slab *s, unsigned b)
{
    char *base;

    if (b == TRI_SLAB_BLOCKS || tri_idset_init(&s->free[b], PER_BLOCK) < 0)
        return -ENOMEM;
    base = block_map(s, b);
    if (!base) {
        tri_idset_fini(&s->free[b]);
        return -ENOMEM;
    }
    tri_san_root_add(base, PER_BLOCK * s->size);
    /* relaxed: n_made publishes it. */
    atomic_store_explicit(&s->base[b], base, memory_order_relaxed);
    return 0;
}

/* Makes up to @max new records, all in one block. */
static unsigned make(struct tri_slab *s, void **ret_record, unsigned max)
{
    /* relaxed: written under the lock, which we hold. */
    unsigned first = atomic_load_explicit(&s->n_made, memory_order_relaxed), n = 0;
    unsigned b = first / PER_BLOCK;
    char *base;

    if (first % PER_BLOCK == 0 && block_add(s, b) < 0)
        return 0;
    /* relaxed: as above. */
    base = atomic_load_explicit(&s->base[b], memory_order_relaxed);
    for (unsigned i = first % PER_BLOCK; n < max && i < PER_BLOCK; i++, n++) {
        ret_record[n] = base + i * s->size;
        *(uint32_t *)ret_record[n] = first + n;
    }
    /* release: publishes base and indices to tri_slab_at(). */
    atomic_store_explicit(&s->n_made, first + n, memory_order_release);
    return n;
}

/* Takes up to @max free records; some are free. */
static unsigned take(struct tri_slab *s, void **ret_record, unsigned max)
{
    unsigned b = s->first, n = 0;
    char *base;

    while (!s->free[b].n)
        b++;
    s->first = b;
    /* relaxed: written under the lock, which we hold. */
    base = atomic_load_explicit(&s->base[b], memory_order_relaxed);
    for (; n < max && s->free[b].n; n++)
        ret_record[n] = base + tri_idset_take(&s->free[b]) * s->size;
    s->n_free -= n;
    return n;
}

void *tri_slab_refill(struct tri_slab_cache *c)
{
    struct tri_slab *s = c->slab;

    pthread_mutex_lock(&s->lock);
    c->n = s->n_free ? take(s, c->hot, TRI_SLAB_BATCH) : make(s, c->hot, TRI_SLAB_BATCH);
    pthread_mutex_unlock(&s->lock);
    return c->n ? c->hot[--c->n] : NULL;
}

/* Moves the @n records that have lain longest in @c to the slab. */
void tri_slab_spill(struct tri_slab_cache *c, unsigned n)
{
    struct tri_slab *s = c->slab;

    if (n == 0)
        return;
    pthread_mutex_lock(&s->lock);
    for (unsigned i = 0; i < n; i++) {
        uint32_t index = tri_slab_index(c->hot[i]);
        unsigned b = index / PER_BLOCK;

        TRI_MEM_HOLDS(tri_slab_at(s, index) == c->hot[i]);
        tri_idset_add(&s->free[b], index % PER_BLOCK);
        if (b < s->first)
            s->first = b;
    }
    s->n_free += n;
    pthread_mutex_unlock(&s->lock);
    c->n -= n;
    for (unsigned i = 0; i < c->n; i++)
        c->hot[i] = c->hot[i + n];
}

void tri_slab_cache_init(struct tri_slab_cache *c, struct tri_slab *s)
{
    c->slab = s;
    c->n = 0;
}

void tri_slab_cache_fini(struct tri_slab_cache *c)
{
    tri_slab_spill(c, c->n);
}

void tri_slab_each(const struct tri_slab *s, void (*fn)(void *record, void *arg), void *arg)
{
    void *record;

    for (uint32_t i = 0; (record = tri_slab_at(s, i)); i++)
        fn(record, arg);
}

size_t tri_slab_n_out(struct tri_slab *s)
{
    size_t n;

    pthread_mutex_lock(&s->lock);
    /* relaxed: written under the lock, which we hold. */
    n = atomic_load_explicit(&s->n_made, memory_order_relaxed) - s->n_free;
    pthread_mutex_unlock(&s->lock);
    return n;
}
