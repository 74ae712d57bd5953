/* SPDX-License-Identifier: MIT */
/*
 * broadcast_copy.c - originals: values from which each receiver makes a copy. See broadcast.h
 * for their states. Nothing here waits; a receiver that is slow to copy delays nobody.
 */
#include "config.h"

#include <stdlib.h>

#include "chan/broadcast.h"
#include "mem/alloc.h"

static const uint64_t left_one = 1;
static const uint64_t left_mask = UINT32_MAX;
static const uint64_t holder_one = 1ull << 32;
static const uint64_t holder_mask = (uint64_t)INT32_MAX << 32;
static const uint64_t detached = 1ull << 63;

struct tri_original *tri_original_new(const struct tri_type *type, const void *m)
{
    struct tri_original *o = tri_mem_alloc_dirty(sizeof *o + type->size);

    if (!o)
        return NULL;
    o->type = type;
    tri_copy(o->value, m, type->size);
    return o;
}

struct tri_original *tri_original_put(tri_original_cell *cell, struct tri_original *o,
                                      uint64_t pos, size_t n)
{
    o->pos = pos;
    atomic_init(&o->state, (uint64_t)n);
    /* release: the original; pairs with tri_original_enter(). acquire: the old one. */
    return atomic_exchange_explicit(cell, o, memory_order_acq_rel);
}

/* Adds a holder, unless the ring has let @o go. In a read section. */
static bool hold(struct tri_original *o)
{
    /* relaxed: the value was acquired with the pointer. */
    uint64_t s = atomic_load_explicit(&o->state, memory_order_relaxed);

    do
        if (s & detached)
            return false;
    while (!atomic_compare_exchange_weak_explicit(&o->state, &s, s + holder_one,
                                                  memory_order_relaxed, memory_order_relaxed));
    return true;
}

enum tri_look tri_original_enter(tri_original_cell *cell, uint64_t pos,
                                 struct tri_original **ret_o)
{
    enum tri_look look = TRI_GONE;
    struct tri_original *o;

    tri_rcu_lock();
    /* acquire: the original; pairs with tri_original_put(). */
    o = atomic_load_explicit(cell, memory_order_acquire);
    if (!o || o->pos < pos)
        look = TRI_NOT_YET;
    else if (o->pos == pos && hold(o))
        look = TRI_THERE;
    tri_rcu_unlock();
    *ret_o = o;
    return look;
}

static void original_free(struct tri_rcu_head *head)
{
    _Static_assert(offsetof(struct tri_original, rcu) == 0, "this cast");
    free((struct tri_original *)(void *)head);
}

static bool is_last(uint64_t s)
{
    return (s & holder_mask) == holder_one && (s & detached || (s & left_mask) == 1);
}

void tri_original_leave(struct tri_original *o)
{
    /* relaxed: the CAS confirms it. */
    uint64_t s = atomic_load_explicit(&o->state, memory_order_relaxed), next;

    do
        next = s - left_one - (is_last(s) ? 0 : holder_one);
    /* release: our reads of the value end here. acquire: those of the others did. */
    while (!atomic_compare_exchange_weak_explicit(&o->state, &s, next, memory_order_acq_rel,
                                                  memory_order_relaxed));
    if (!is_last(s))
        return;
    o->type->drop(o->value);
    /* acq_rel: as above, against tri_original_detach(). */
    s = atomic_fetch_sub_explicit(&o->state, holder_one, memory_order_acq_rel);
    if (s & detached)
        tri_rcu_retire(&o->rcu, original_free);
}

void tri_original_detach(struct tri_original *o)
{
    uint64_t s;

    if (!o)
        return;
    /* acquire: the reads of those who have left. release: it is out of the ring. */
    s = atomic_fetch_or_explicit(&o->state, detached, memory_order_acq_rel);
    if (s & holder_mask)
        return; /* the last of them does the rest */
    if (s & left_mask)
        o->type->drop(o->value);
    tri_rcu_retire(&o->rcu, original_free);
}
