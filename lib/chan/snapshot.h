/* SPDX-License-Identifier: MIT */
/*
 * snapshot.h - a counted, unchanging value with its version. Who holds a count may read it and
 * pass a count on; the last one drops the value and frees it, at once and in its own thread.
 * published.h says how a count is taken by who has none.
 */
#ifndef TRI_CHAN_SNAPSHOT_H
#define TRI_CHAN_SNAPSHOT_H

#include <stdatomic.h>
#include <stdlib.h>

#include "chan/move.h"
#include "mem/alloc.h"

struct tri_snapshot {
    const struct tri_type *type;
    uint64_t version;
    atomic_uint_fast64_t n_ref; /* and TRI_PUBLISHED while new counts are taken elsewhere */
    _Alignas(16) char value[];
};

/* A snapshot with one count, whose value is still to be filled in. NULL: no memory. */
static inline struct tri_snapshot *tri_snapshot_new(const struct tri_type *type)
{
    struct tri_snapshot *s = tri_mem_alloc_dirty(sizeof *s + type->size);

    if (!s)
        return NULL;
    s->type = type;
    s->version = 0;
    atomic_init(&s->n_ref, 1);
    return s;
}

static inline void tri_snapshot_ref(struct tri_snapshot *s)
{
    /* relaxed: the caller has a count and so sees the value. */
    atomic_fetch_add_explicit(&s->n_ref, 1, memory_order_relaxed);
}

/* Not under a lock: it may drop the value. */
static inline void tri_snapshot_unref(struct tri_snapshot *s)
{
    /* release: our reads of the value end here. acquire: those of the others did. */
    if (atomic_fetch_sub_explicit(&s->n_ref, 1, memory_order_acq_rel) != 1)
        return;
    s->type->drop(s->value);
    free(s);
}

#endif /* TRI_CHAN_SNAPSHOT_H */
