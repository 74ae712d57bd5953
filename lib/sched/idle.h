/* SPDX-License-Identifier: MIT */
/*
 * idle.h - what a worker does when it has nothing to run, and who is woken for whose backlog.
 *
 * What waits in a queue for about 50 µs may be taken by an idle worker (steal.h says what, and
 * when); what its own worker runs sooner stays where it is, so partners stay together and no
 * second worker is woken for one runnable task. The clock for that is the watcher: an idle
 * worker that looks, naps for 50 µs, and looks again.
 *
 *     a push to fresh or hot --nobody watches--> one sleeper is summoned, and watches
 *     the watcher has seen no backlog for some 20 naps --> it sleeps, nobody watches
 *
 * A worker that falls asleep clears rt->watching and then looks for backlog once more; a push
 * publishes the actor and then looks at rt->watching. The two need no fence between them on the
 * push side: if both miss, the backlog waits for its own worker, which repeats the look every
 * 50 µs (tri_idle_overdue), or, if that is stuck in one slice, for the conductor.
 * Who finds rt->watching clear sets it and then looks for a sleep mark; the worker sets its
 * mark and then looks at rt->watching once more, and stays awake to watch. Both are seq_cst:
 * nobody is taken for a watcher who sleeps.
 */
#ifndef TRI_SCHED_IDLE_H
#define TRI_SCHED_IDLE_H

#include "sched/worker.h"

enum { TRI_WATCH_AFTER_MS = 10 };

/* Finds work for @w, or sleeps until there may be some. On the scheduler's stack. */
void tri_idle(struct tri_worker *w);

/* @w does not sleep any more, or has just begun: the conductor must not sleep either. */
void tri_idle_awake(struct tri_worker *w);

/*
 * Starts the conductor, once. A short run need not pay for it: it starts when worker 0 is first
 * idle, when another worker falls asleep, or when a busy one looks at the clock (every 8th
 * pick) and the runtime is TRI_WATCH_AFTER_MS old; by then the run is no short one. So the one
 * thing that it misses is a slice that never ends before any of these: see tr_run().
 */
void tri_idle_conduct(struct tri_runtime *rt);

/* Somebody should watch: called when nobody seems to. */
void tri_idle_watch(struct tri_runtime *rt);

static inline void tri_idle_backlog(struct tri_runtime *rt)
{
    /* relaxed: see above. */
    if (rt->n_worker > 1 && !atomic_load_explicit(&rt->watching, memory_order_relaxed))
        tri_idle_watch(rt);
}

/* A busy worker's own look at its backlog. */
void tri_idle_overdue(struct tri_worker *w, tr_time now);

/* Starts the thread of @w if it does not run. Returns 0 or -errno. */
int tri_idle_start(struct tri_runtime *rt, struct tri_worker *w);

/*
 * The signal by which the conductor asks a thread for its backtrace: the one that workers take.
 */
int tri_trace_signal(void);

/* Virtual time: nothing can ever happen again. */
void tri_idle_deadlock(struct tri_worker *w);

#endif /* TRI_SCHED_IDLE_H */
