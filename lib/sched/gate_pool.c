/* SPDX-License-Identifier: MIT */
/*
 * gate_pool.c - where gates come from, and what is known of channels: used again, and never
 * freed.
 */
#include "config.h"

#include "base/lock.h"
#include "base/membarrier.h"
#include "mem/alloc.h"
#include "sched/cycle.h"

static struct tri_lock lock; /* protects free_gates and free_served; nothing is taken inside */
static struct tri_gate *free_gates;

struct tri_gate *tri_gate_get(struct tri_wakee *w)
{
    struct tri_gate *g;

    tri_lock_acquire(&lock);
    g = free_gates;
    if (g)
        free_gates = g->next;
    tri_lock_release(&lock);
    if (!g)
        g = tri_mem_alloc(sizeof *g);
    if (g)
        /* relaxed: tri_gate_open() publishes it. */
        atomic_store_explicit(&g->wakee, w, memory_order_relaxed);
    return g;
}

void tri_gate_put(struct tri_gate *g)
{
    tri_cycle_retire(g);
    tri_lock_acquire(&lock);
    g->next = free_gates;
    free_gates = g;
    tri_lock_release(&lock);
}

static struct tri_served *free_served;

struct tri_served *tri_served_get(void)
{
    struct tri_served *s;

    tri_lock_acquire(&lock);
    s = free_served;
    if (s)
        free_served = s->next;
    tri_lock_release(&lock);
    if (!s)
        s = tri_mem_alloc(sizeof *s);
    if (!s)
        return NULL;
    /* relaxed: the lock, or the channel, publishes it; a late walk is a void one. */
    atomic_store_explicit(&s->by, NULL, memory_order_relaxed);
    s->is_fenced = !tri_membarrier_setup();
    return s;
}

void tri_served_put(struct tri_served *s)
{
    if (!s)
        return;
    tri_lock_acquire(&lock);
    s->next = free_served;
    free_served = s;
    tri_lock_release(&lock);
}
