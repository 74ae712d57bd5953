/* SPDX-License-Identifier: MIT */
/*
 * wakee.h - whoever can be woken: a task, a handler, or a plain thread in a blocking form.
 * One word holds all that others tell it:
 *
 *     READY    it runs, or it is queued to run: a wake has nothing to do
 *     CANCEL   its waits return -ECANCELED        (set once, by a scope or an abort)
 *     DRAIN    its waits with the drain bit return -ESHUTDOWN
 *
 *     READY    --it prepares to sleep-->  no READY   --somebody wakes it-->  READY, and queued
 *
 * No wake-up is lost: going to sleep and waking are both one atomic step on this word. A sleeper
 * first takes READY away, then registers with its sources and looks at them again, then sleeps;
 * a waker changes the source first and then sets READY. Whoever turned READY on queues it, once.
 *
 * Memory: every wakee lies in memory that stays a wakee of its kind for ever (slabs), so a late
 * wake hits, at worst, a stranger, who takes it as a spurious one. Every wait loops.
 */
#ifndef TRI_SCHED_WAKEE_H
#define TRI_SCHED_WAKEE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum {
    TRI_READY = 1u << 0,
    TRI_CANCEL = 1u << 1,
    TRI_DRAIN = 1u << 2,
};

enum tri_wakee_kind {
    TRI_KIND_TASK,
    TRI_KIND_HANDLER,
    TRI_KIND_THREAD,
};

struct tri_wakee {
    atomic_uint word;
    uint8_t kind; /* enum tri_wakee_kind; constant */
    bool pinned;  /* a handler whose timer is armed: it stays on its home; the home's */
};

/* Puts @w where it will run. For the one who turned READY on. */
void tri_wakee_queue(struct tri_wakee *w);

/* Makes @w run once more, if it does not anyway. Any thread; wait-free but for a kernel wake. */
static inline void tri_wake(struct tri_wakee *w)
{
    /* release: what we changed before is seen by the sleeper when it takes READY away again or
     * is resumed. acquire: its context, saved before it slept, is ours to queue. */
    if (!(atomic_fetch_or_explicit(&w->word, TRI_READY, memory_order_acq_rel) & TRI_READY))
        tri_wakee_queue(w);
}

#endif /* TRI_SCHED_WAKEE_H */
