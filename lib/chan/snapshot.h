/* SPDX-License-Identifier: MIT */
/*
 * snapshot.h - a counted, unchanging value with its version. Who holds a count may read it and
 * pass a count on; the last one drops the value, at once and in its own thread. Only the memory
 * waits for RCU: a reader in a section may find a snapshot whose count has just become 0, and
 * sees that in tri_snapshot_try_ref().
 */
#ifndef TRI_CHAN_SNAPSHOT_H
#define TRI_CHAN_SNAPSHOT_H

#include <stdatomic.h>

#include "base/rcu.h"
#include "chan/move.h"
#include "mem/alloc.h"

struct tri_snapshot {
    struct tri_rcu_head rcu;
    const struct tri_type *type;
    uint64_t version;
    atomic_uint n_ref;
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

/* In a read section in which @s was found. False: the last count was just given up. */
static inline bool tri_snapshot_try_ref(struct tri_snapshot *s)
{
    /* relaxed: the value was acquired with the pointer to it. */
    unsigned n = atomic_load_explicit(&s->n_ref, memory_order_relaxed);

    do
        if (n == 0)
            return false;
    while (!atomic_compare_exchange_weak_explicit(&s->n_ref, &n, n + 1, memory_order_relaxed,
                                                  memory_order_relaxed));
    return true;
}

void tri_snapshot_free(struct tri_rcu_head *head);

/* Not under a lock: it may drop the value. */
static inline void tri_snapshot_unref(struct tri_snapshot *s)
{
    /* release: our reads of the value end here. acquire: those of the others did. */
    if (atomic_fetch_sub_explicit(&s->n_ref, 1, memory_order_acq_rel) != 1)
        return;
    s->type->drop(s->value);
    tri_rcu_retire(&s->rcu, tri_snapshot_free);
}

#endif /* TRI_CHAN_SNAPSHOT_H */
