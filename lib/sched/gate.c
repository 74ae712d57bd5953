/* SPDX-License-Identifier: MIT */
/* gate.c - see gate.h. */
#include "config.h"

#include <sched.h>

#include "sched/cycle.h"
#include "sched/worker.h"

enum { N_SPIN = 100 }; /* the copy of a message by a thread that was not preempted */

struct tri_gate *tri_gate_mine(struct tri_task *self)
{
    struct tri_gate *g;

    if (!self)
        return tri_thread_gate();
    g = self->frame->gate;
    if (g)
        return g;
    g = tri_gate_get(tri_task_wakee(self));
    if (!g)
        return NULL;
    tri_cycle_name(g, tri_actor_name(&self->a));
    self->frame->gate = g;
    return g;
}

__attribute__((noinline)) static struct tri_gate *lend(struct tri_gate *mine)
{
    /* relaxed: our own. */
    struct tri_gate *g = tri_gate_get(atomic_load_explicit(&mine->wakee, memory_order_relaxed));

    if (!g)
        return NULL;
    tri_cycle_name_as(g, mine);
    g->lent = true;
    return g;
}

struct tri_gate *tri_gate_begin(struct tri_task *self)
{
    struct tri_gate *g = tri_gate_mine(self);

    return !g || tri_likely(tri_gate_look(g) == TRI_GATE_SHUT) ? g : lend(g);
}

enum tri_gate_state tri_gate_shut(struct tri_gate *g)
{
    /* acquire: as tri_gate_look(), here and below. */
    uint64_t word = atomic_load_explicit(&g->word, memory_order_acquire);
    unsigned n = 0;

    do
        while ((word & TRI_GATE_MASK) == TRI_GATE_WRITING) {
            if (n++ < N_SPIN)
                tri_relax();
            else
                (void)sched_yield(); /* he was preempted in the middle */
            word = atomic_load_explicit(&g->word, memory_order_acquire);
        }
    while (!atomic_compare_exchange_weak_explicit(
        &g->word, &word, tri_gate_word((word >> TRI_GATE_SHIFT) + 1, TRI_GATE_SHUT),
        memory_order_acquire, memory_order_acquire));
    return (enum tri_gate_state)(word & TRI_GATE_MASK);
}
