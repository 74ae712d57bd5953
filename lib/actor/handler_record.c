/* SPDX-License-Identifier: MIT */
/*
 * handler_record.c - the memory of handlers: a slab for each size, made when the first one
 * comes.
 */
#include "config.h"

#include "actor/handler.h"

enum {
    CLASS_BYTES = 16, /* records are multiples of this */
    CLASSES = TRI_HANDLER_BYTES_MAX / CLASS_BYTES + 1,
};

struct class {
    struct tri_lock lock; /* protects the rest; nothing is taken inside but the slab */
    unsigned space;       /* its number in the ids of its records; 0: not made yet */
    struct tri_slab slab;
    struct tri_slab_cache cache;
};

static struct class classes[CLASSES];

/* Under its lock. False: no memory, or more sizes than ids have room for. */
static bool class_make(struct class *c, size_t bytes)
{
    static atomic_uint n_space;
    unsigned space;

    if (tri_slab_init(&c->slab, bytes) < 0)
        return false;
    /* a number only */
    space = atomic_fetch_add_explicit(&n_space, 1, memory_order_relaxed) + 1;
    if (space > TRI_SPACES_MAX) {
        atomic_fetch_sub_explicit(&n_space, 1, memory_order_relaxed);
        tri_slab_fini(&c->slab);
        return false;
    }
    tri_slab_cache_init(&c->cache, &c->slab);
    c->space = space;
    return true;
}

struct tri_handler *tri_handler_get(size_t bytes)
{
    size_t n = (bytes + CLASS_BYTES - 1) / CLASS_BYTES;
    struct class *c = &classes[n < CLASSES ? n : 0];
    struct tri_handler *h = NULL;

    if (n >= CLASSES)
        return NULL;
    tri_lock_acquire(&c->lock);
    if (c->space > 0 || class_make(c, n * CLASS_BYTES))
        h = tri_slab_get(&c->cache);
    if (h && h->a.slab_index + 1 >= 1u << TRI_SPACE_SHIFT) {
        tri_slab_put(&c->cache, h); /* no id is left: eight million of one size */
        h = NULL;
    }
    tri_lock_release(&c->lock);
    if (h)
        h->class = (uint16_t)n;
    return h;
}

unsigned tri_handler_space(const struct tri_actor *a)
{
    return classes[((const struct tri_handler *)a)->class].space;
}

void tri_handler_put(struct tri_handler *h)
{
    struct class *c = &classes[h->class];

    /* relaxed: only the last owner writes it. */
    atomic_store_explicit(
        &h->a.generation,
        atomic_load_explicit(&h->a.generation, memory_order_relaxed) + 1, memory_order_relaxed);
    tri_lock_acquire(&c->lock);
    tri_slab_put(&c->cache, h);
    tri_lock_release(&c->lock);
}
