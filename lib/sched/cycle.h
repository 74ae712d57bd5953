/* SPDX-License-Identifier: MIT */
/*
 * cycle.h - askers that would wait for each other in a circle. It is known for whom an asker
 * waits where one task or thread has promised to answer itself whatever is asked over a
 * channel.
 *
 *     gate of an asker --edge.to--> the channel's struct tri_served --by--> gate of who answers
 *
 * The owner of a gate (gate.h) waits along its edge while turn is odd and the gate is OPEN: it
 * is opened before the wait begins, and ends to be OPEN with the answer. The life of an edge
 * changes when its owner ends: a promise to answer is void then. Gates and tri_served are
 * memory for ever, so a walk along the edges may be late.
 *
 * No circle goes unseen. Who asks publishes his edge and then looks: if nobody has promised yet
 * he leaves it at that, else he walks along the others' edges, the two in the one order of all
 * seq_cst operations. So the last one who publishes and walks finds all edges of those who
 * walked before. An edge of one who did not walk stood before he saw no promise; whoever gave
 * it later called membarrier(2) between that and anything he asks, so that edge is seen, too.
 * Two that publish at the same time may both see the circle, and both turn back.
 *
 * No circle is seen that is none: the edges are walked twice, and a step of the second walk
 * reads what was written before anything that the first walk read. So an edge with the same
 * turn in both, and OPEN in both, stood all the while, and between the two walks they all stood
 * at once. The members of a standing circle wait for each other: none moves on before one gives
 * up.
 */
#ifndef TRI_SCHED_CYCLE_H
#define TRI_SCHED_CYCLE_H

#include "sched/gate.h"

enum {
    TRI_CYCLE_MAX = 16, /* members; a larger circle is not found */
    TRI_CYCLE_TEXT = 256,
};

/* Who answers what is asked over a channel. */
struct tri_served {
    struct tri_gate *_Atomic by; /* NULL: nobody has said so */
    _Atomic uint64_t life;       /* of its edge; written while by is NULL */
    struct tri_served *next;     /* in the list of free ones */
    bool is_fenced;              /* there is no membarrier(2); constant while in use */
};

/* One that nobody serves; NULL: no memory. And back, when nobody can ask over it any more. */
struct tri_served *tri_served_get(void);
void tri_served_put(struct tri_served *s);

/* The gate has a new owner. Before anybody can point to it. */
void tri_cycle_name(struct tri_gate *g, const char *name);
void tri_cycle_name_as(struct tri_gate *g, struct tri_gate *like);

/* Its owner ends. */
void tri_cycle_retire(struct tri_gate *g);

/* The owner of @g answers what is asked over the channel of @s. One call at a time. */
void tri_served_by(struct tri_served *s, struct tri_gate *g);

/*
 * The owner of @g, which is OPEN, is about to wait for an answer over the channel of @s; he
 * ends that by tri_cycle_leave(). Returns true if he has to ask tri_cycle_is_closed() first.
 */
static inline bool tri_cycle_begin(struct tri_gate *g, struct tri_served *s)
{
    struct tri_edge *e = &g->edge;
    /* relaxed: only the owner writes it. */
    const uint64_t turn = atomic_load_explicit(&e->turn, memory_order_relaxed) + 1;

    /* release: after the turn that ended the last wait; pairs with step(). */
    atomic_store_explicit(&e->to, s, memory_order_release);
    /* release: to, and the gate that was opened; pairs with step(). */
    atomic_store_explicit(&e->turn, turn, memory_order_release);
    atomic_signal_fence(memory_order_seq_cst); /* the compiler keeps the order, too */
    /* relaxed: the barrier in tri_served_by() is between our two accesses and his. */
    return atomic_load_explicit(&s->by, memory_order_relaxed) || s->is_fenced;
}

/* The wait would close a circle, and may not be; @ret_text: who waits for whom. */
bool tri_cycle_is_closed(struct tri_gate *g, char ret_text[TRI_CYCLE_TEXT]);

/* The wait is over, if one began. */
static inline void tri_cycle_leave(struct tri_gate *g)
{
    /* relaxed: only the owner writes it. */
    uint64_t turn = atomic_load_explicit(&g->edge.turn, memory_order_relaxed);

    if (turn % 2 != 0)
        /* release: with the next OPEN, whoever sees that sees this; pairs with step(). */
        atomic_store_explicit(&g->edge.turn, turn + 1, memory_order_release);
}

#endif /* TRI_SCHED_CYCLE_H */
