/* SPDX-License-Identifier: MIT */
/* gate_pool.c - where gates come from: they are used again, and never freed. */
#include "config.h"

#include "base/lock.h"
#include "mem/alloc.h"
#include "sched/gate.h"
#include "sched/worker.h"

static struct tri_lock lock; /* protects free_gates; nothing is taken inside */
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
    tri_lock_acquire(&lock);
    g->next = free_gates;
    free_gates = g;
    tri_lock_release(&lock);
}

struct tri_gate *tri_gate_mine(struct tri_task *self)
{
    struct tri_gate *g;

    if (!self)
        return tri_thread_gate();
    g = self->frame->gate;
    if (g)
        return g;
    g = tri_gate_get(tri_task_wakee(self));
    self->frame->gate = g;
    return g;
}
