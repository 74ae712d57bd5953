/* SPDX-License-Identifier: MIT */
/* cycle.c - see cycle.h. */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "base/membarrier.h"
#include "sched/cycle.h"

enum { NAME_BYTES = TRI_GATE_NAME * 8 };

void tri_cycle_name(struct tri_gate *g, const char *name)
{
    uint64_t words[TRI_GATE_NAME] = { 0 };

    memcpy(words, name, strnlen(name, NAME_BYTES - 1));
    /* relaxed: published by whoever publishes the gate; a late reader is one of a void edge. */
    for (int i = 0; i < TRI_GATE_NAME; i++)
        atomic_store_explicit(&g->edge.name[i], words[i], memory_order_relaxed);
}

void tri_cycle_name_as(struct tri_gate *g, struct tri_gate *like)
{
    /* relaxed, both: as above. */
    for (int i = 0; i < TRI_GATE_NAME; i++)
        atomic_store_explicit(&g->edge.name[i],
                              atomic_load_explicit(&like->edge.name[i], memory_order_relaxed),
                              memory_order_relaxed);
}

void tri_cycle_retire(struct tri_gate *g)
{
    /* relaxed: the owner waits for nobody any more; who takes the old life for the present one
     * finds that out, or comes to the turn of the next owner, which shows the new life. */
    atomic_fetch_add_explicit(&g->edge.life, 1, memory_order_relaxed);
}

/* ---- what is known of a channel ---- */

void tri_served_by(struct tri_served *s, struct tri_gate *g)
{
    /* relaxed, and the next in release order after it: a reader that still takes the old gate
     * with the new life finds nobody, or the owner of today. */
    atomic_store_explicit(&s->by, NULL, memory_order_relaxed);
    /* relaxed: our own life, which does not change while we are here. */
    atomic_store_explicit(&s->life,
                          atomic_load_explicit(&g->edge.life, memory_order_relaxed),
                          memory_order_release);
    /*
     * release: life, and the name; pairs with step(). seq_cst, or the barrier: see the header.
     */
    atomic_store_explicit(&s->by, g, memory_order_seq_cst);
    if (!s->is_fenced)
        tri_membarrier();
}

/* ---- the walk ---- */

/* For whom the owner of @g waits; NULL: he does not wait, or it is not known for whom. */
static struct tri_gate *step(struct tri_gate *g, uint64_t *ret_turn)
{
    /* seq_cst: after our own edge was published; pairs with tri_cycle_is_closed(). */
    uint64_t turn = atomic_load_explicit(&g->edge.turn, memory_order_seq_cst);
    struct tri_served *s;
    struct tri_gate *by;
    uint64_t life;

    *ret_turn = turn;
    if (turn % 2 == 0 || tri_gate_look(g) != TRI_GATE_OPEN)
        return NULL;
    /* acquire: if it is of a later wait, the second walk finds a later turn; pairs with the
     * release in tri_cycle_begin(). */
    s = atomic_load_explicit(&g->edge.to, memory_order_acquire);
    /* acquire: life; pairs with tri_served_by(). */
    by = atomic_load_explicit(&s->by, memory_order_acquire);
    if (!by)
        return NULL;
    /* acquire, as the next is read after it: an old promise must not look like one of today. */
    life = atomic_load_explicit(&s->life, memory_order_acquire);
    /* relaxed: a new life that is missed here is seen by the second walk, as the next owner's
     * turn is read by then. */
    return atomic_load_explicit(&by->edge.life, memory_order_relaxed) == life ? by : NULL;
}

/* Walks from @self. Returns the number of edges back to it; 0: it is not reached. */
static unsigned walk(struct tri_gate *self, uint64_t turns[TRI_CYCLE_MAX])
{
    struct tri_gate *g = self;

    for (unsigned n = 0; n < TRI_CYCLE_MAX; n++) {
        g = step(g, &turns[n]);
        if (!g)
            return 0;
        if (g == self)
            return n + 1;
    }
    return 0;
}

static bool is_circle(struct tri_gate *self)
{
    uint64_t first[TRI_CYCLE_MAX], second[TRI_CYCLE_MAX];
    unsigned n = walk(self, first);

    return n > 0 && walk(self, second) == n && memcmp(first, second, n * sizeof first[0]) == 0;
}

/* Appends the owner's name to @text, of which @len bytes are used. Returns the new length. */
static size_t append(char text[TRI_CYCLE_TEXT], size_t len, const char *before,
                     struct tri_gate *g)
{
    uint64_t words[TRI_GATE_NAME];
    char name[NAME_BYTES];

    /* relaxed: the owner waits with us in the circle; else the name is a late one. */
    for (int i = 0; i < TRI_GATE_NAME; i++)
        words[i] = atomic_load_explicit(&g->edge.name[i], memory_order_relaxed);
    memcpy(name, words, NAME_BYTES);
    name[NAME_BYTES - 1] = '\0';
    return len + (size_t)snprintf(text + len, TRI_CYCLE_TEXT - len, "%s'%s'", before, name);
}

static void describe(struct tri_gate *self, char text[TRI_CYCLE_TEXT])
{
    size_t len = append(text, 0, "", self);
    struct tri_gate *g = self;
    unsigned n = 0;
    uint64_t turn;

    do {
        g = step(g, &turn);
        if (!g)
            break; /* one has given up meanwhile */
        len = append(text, len, n++ == 0 ? " would wait for " : ", which waits for ", g);
    } while (g != self && len < TRI_CYCLE_TEXT);
}

bool tri_cycle_is_closed(struct tri_gate *g, char ret_text[TRI_CYCLE_TEXT])
{
    /*
     * relaxed: only the owner writes it. seq_cst: our edge, before the others' are looked at;
     * pairs with step().
     */
    (void)atomic_exchange_explicit(&g->edge.turn,
                                   atomic_load_explicit(&g->edge.turn, memory_order_relaxed),
                                   memory_order_seq_cst);
    if (!is_circle(g))
        return false;
    describe(g, ret_text);
    return true;
}
