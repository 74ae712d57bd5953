/* SPDX-License-Identifier: MIT */
/*
 * gate.h - where an asker lets one answer in. The answer is written into the asker's own frame;
 * the gate decides who may touch that frame, and is memory that stays a gate for ever: whoever
 * holds a gate and a serial may come at any time, as late as he likes.
 *
 *     SHUT     --the asker opens it, with a serial-->       OPEN
 *     OPEN     --the replier enters-->                      WRITING --he leaves-->  ANSWERED
 *     OPEN     --the reply end is dropped-->                WRITING --and at once-->  DROPPED
 *     OPEN, ANSWERED, DROPPED   --the asker shuts it-->     SHUT, with the next serial
 *
 * All are steps on one word, which holds the serial too. In WRITING the frame belongs to the
 * replier: an asker whose time is over meanwhile waits for him to leave, which takes the copy
 * of one message (256 bytes at most) and no wait. So he either finds the answer complete or
 * shuts the gate before anybody entered; who comes afterwards is refused by the serial.
 *
 * No wake-up is lost: the replier changes the word and then wakes; the asker prepares to sleep
 * and then looks at the word (wakee.h). The wakee is read in WRITING, and wakees live for ever;
 * the gate is not touched after that. An asker who wants another wakee says so while OPEN, and
 * steps on the word afterwards: either that fails, or who enters later sees it.
 *
 * Gates: a task gets one at its first question and gives it back when it ends; a thread's is
 * part of its parker; a question that is an arm of a select has one of its own, and so has one
 * that a drop asks while the send of another question runs it.
 */
#ifndef TRI_SCHED_GATE_H
#define TRI_SCHED_GATE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/assert.h"
#include "base/relax.h"
#include "sched/wakee.h"

enum tri_gate_state {
    TRI_GATE_SHUT,
    TRI_GATE_OPEN,
    TRI_GATE_WRITING,
    TRI_GATE_ANSWERED,
    TRI_GATE_DROPPED,
    TRI_GATE_SHIFT = 3, /* of the serial in the word */
    TRI_GATE_MASK = (1 << TRI_GATE_SHIFT) - 1,
};

struct tri_served;

enum { TRI_GATE_NAME = 3 };

/* For whom the owner of a gate waits; see cycle.h. */
struct tri_edge {
    _Atomic uint64_t life;      /* +1 when the owner ends; the gate may get another one then */
    _Atomic uint64_t turn;      /* +1 when a wait begins that is known to be for somebody, and
                                 * at its end: odd within it */
    struct tri_served *_Atomic to; /* for whoever answers there */
    _Atomic uint64_t name[TRI_GATE_NAME]; /* the owner's, cut; in words, for late readers */
};

struct tri_gate {
    _Atomic uint64_t word; /* serial << SHIFT | state */
    void *value;           /* where the answer goes; the asker's until OPEN, then the
                            * replier's */
    struct tri_wakee *_Atomic wakee; /* the asker; written by him while SHUT or OPEN */
    struct tri_gate *next; /* in the list of free ones */
    bool lent;             /* for one question; the asker's */
    struct tri_edge edge;
};

struct tri_task;

/*
 * The gate of the running task @self, or with NULL that of the calling thread. NULL: no memory.
 */
struct tri_gate *tri_gate_mine(struct tri_task *self);

/* A gate that is nobody's, whose asker is @w. NULL: no memory. */
struct tri_gate *tri_gate_get(struct tri_wakee *w);

/* The gate for the next question of @self, or NULL: tri_gate_mine(), or one that is lent while that
 * is open. To be followed by tri_gate_end(). NULL: no memory. */
struct tri_gate *tri_gate_begin(struct tri_task *self);

/* Gives back the gate of a task that ends, or of a question. It is shut. */
void tri_gate_put(struct tri_gate *g);

struct tri_gate *tri_thread_gate(void); /* in thread.c */

static inline uint64_t tri_gate_word(uint64_t serial, enum tri_gate_state state)
{
    return serial << TRI_GATE_SHIFT | (uint64_t)state;
}

static inline enum tri_gate_state tri_gate_look(struct tri_gate *g)
{
    /* acquire: ANSWERED shows the answer; pairs with tri_gate_leave(). */
    return (enum tri_gate_state)(atomic_load_explicit(&g->word, memory_order_acquire) &
                                 TRI_GATE_MASK);
}

/* ---- the asker ---- */

/* Opens it for one answer, to be written to @value. Returns the serial. */
static inline uint64_t tri_gate_open(struct tri_gate *g, void *value)
{
    /* relaxed: only the asker moves it from SHUT. */
    uint64_t serial = atomic_load_explicit(&g->word, memory_order_relaxed) >> TRI_GATE_SHIFT;

    g->value = value;
    /* release: value, and the wakee; pairs with tri_gate_enter(). */
    atomic_store_explicit(&g->word, tri_gate_word(serial, TRI_GATE_OPEN), memory_order_release);
    return serial;
}

/* @w is to be woken from now on. False: it is not OPEN any more. */
static inline bool tri_gate_await(struct tri_gate *g, struct tri_wakee *w)
{
    /* relaxed: the step below confirms it. */
    uint64_t word = atomic_load_explicit(&g->word, memory_order_relaxed);

    if ((word & TRI_GATE_MASK) != TRI_GATE_OPEN)
        return false;
    /* relaxed: the step publishes it. */
    atomic_store_explicit(&g->wakee, w, memory_order_relaxed);
    /* release: the wakee, and value again; pairs with tri_gate_enter(). */
    return atomic_compare_exchange_strong_explicit(&g->word, &word, word, memory_order_release,
                                                   memory_order_relaxed);
}

/* Shuts it. Returns the state it was in: OPEN, and nobody will enter, or how it ended. */
enum tri_gate_state tri_gate_shut(struct tri_gate *g);

/* The same at the end of the question for which tri_gate_begin() gave @g. */
static inline enum tri_gate_state tri_gate_end(struct tri_gate *g)
{
    enum tri_gate_state s = tri_gate_shut(g);

    if (tri_unlikely(g->lent)) {
        g->lent = false;
        tri_gate_put(g);
    }
    return s;
}

/* ---- the replier ---- */

/*
 * Returns where to write, to be followed by tri_gate_leave() soon; NULL: nobody waits any more.
 */
static inline void *tri_gate_enter(struct tri_gate *g, uint64_t serial)
{
    uint64_t word = tri_gate_word(serial, TRI_GATE_OPEN);

    /* acquire: value and wakee; pairs with tri_gate_open() and tri_gate_await(). */
    if (!atomic_compare_exchange_strong_explicit(&g->word, &word,
                                                 tri_gate_word(serial, TRI_GATE_WRITING),
                                                 memory_order_acquire, memory_order_relaxed))
        return NULL;
    return g->value;
}

/* The end of WRITING. */
static inline void tri_gate_leave_as(struct tri_gate *g, uint64_t serial, enum tri_gate_state s)
{
    /* relaxed: shown by the acquire of tri_gate_enter(). */
    struct tri_wakee *w = atomic_load_explicit(&g->wakee, memory_order_relaxed);

    /* release: the answer; pairs with tri_gate_look(). The asker's frame may be gone now. */
    atomic_store_explicit(&g->word, tri_gate_word(serial, s), memory_order_release);
    tri_wake(w);
}

/* The answer is written. */
static inline void tri_gate_leave(struct tri_gate *g, uint64_t serial)
{
    tri_gate_leave_as(g, serial, TRI_GATE_ANSWERED);
}

/* There will be no answer. */
static inline void tri_gate_drop(struct tri_gate *g, uint64_t serial)
{
    if (tri_gate_enter(g, serial))
        tri_gate_leave_as(g, serial, TRI_GATE_DROPPED);
}

/* An answer is still waited for. */
static inline bool tri_gate_is_open(struct tri_gate *g, uint64_t serial)
{
    /* relaxed: a question about the moment. */
    return atomic_load_explicit(&g->word, memory_order_relaxed) ==
           tri_gate_word(serial, TRI_GATE_OPEN);
}

#endif /* TRI_SCHED_GATE_H */
