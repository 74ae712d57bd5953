/* SPDX-License-Identifier: MIT */
/*
 * wakee.h - whoever can be woken: a task, a handler, a plain thread in a blocking form, or a
 * relay, which hands the wake on.
 * One word holds what other threads tell it:
 *
 *     READY    somebody has seen to it that it runs: a wake has nothing to do
 *     CANCEL   its waits return -ECANCELED        (set once, by a scope or an abort)
 *     DRAIN    its waits with the drain bit return -ESHUTDOWN
 *
 * Handlers, movable tasks, threads and relays go by READY alone:
 *
 *     READY    --it prepares to sleep-->  no READY   --somebody wakes it-->  READY, and queued
 *
 * No wake-up is lost: going to sleep and waking are both one atomic step on this word. A
 * sleeper first takes READY away, then registers with its sources and looks at them again, then
 * sleeps; a waker changes the source first and then sets READY. Whoever turned READY on queues
 * it, once.
 *
 * A task that stays on its worker is cheaper: everything about its sleep is done by that
 * worker's thread, in plain steps. On that thread a wake looks whether it is parked, and queues
 * it. From another thread a wake is a request: READY is set, and who set it puts the task into
 * the worker's inbox; the worker takes READY away and then does as above.
 *
 *                        on its thread: parked --wake--> queued;  else: notified
 *     no READY --wake from elsewhere--> READY, in the inbox --its worker--> no READY, and a
 *     wake
 *
 * No wake-up is lost here either: parking and wakes of one task happen on one thread, one after
 * the other. A wake before the task prepares to sleep came after its source had changed, and
 * the task looks at the source after that; a wake between prepare and park sets notified; a
 * later one finds it parked. Free records and tasks that have not parked yet have READY: a
 * wake, which can only be a stale one then, ends there.
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
    TRI_KIND_TASK,    /* stays on its worker once it has started */
    TRI_KIND_MOVABLE, /* a task that does not */
    TRI_KIND_HANDLER,
    TRI_KIND_THREAD,
    TRI_KIND_RELAY,
};

struct tri_wakee {
    atomic_uint word;
    atomic_uchar kind;   /* enum tri_wakee_kind; written while READY. Atomic for stale wakers */
    bool pinned;         /* a handler whose timer is armed: it stays on its home; the home's */
    atomic_bool parked;  /* a task that stays: it sleeps; its thread's. Atomic as kind */
    atomic_bool notified; /* a task that stays: woken since it prepared to sleep; its
                           * thread's */
};

/* Stands for one of several sources: @woken is called by who turned READY on; any thread. */
struct tri_relay {
    struct tri_wakee wakee;
    void (*woken)(struct tri_relay *r, bool in_signal);
};

static inline unsigned tri_wakee_kind(const struct tri_wakee *w)
{
    /* relaxed: constant while anybody but a stale waker looks. */
    return atomic_load_explicit(&w->kind, memory_order_relaxed);
}

static inline bool tri_wakee_is_task(const struct tri_wakee *w)
{
    return tri_wakee_kind(w) <= TRI_KIND_MOVABLE;
}

/* Puts @w where it will run. For the one who turned READY on. */
void tri_wakee_queue(struct tri_wakee *w);

/* The same as tri_wake() in a signal handler: through the inbox, whatever was interrupted. */
void tri_wake_from_signal(struct tri_wakee *w);

/* The wake of a task that stays, on its own thread: true. Elsewhere: false, nothing done. */
bool tri_wakee_here(struct tri_wakee *w);

/*
 * Makes @w run once more, if it does not anyway. Any thread; wait-free but for a kernel wake.
 */
static inline void tri_wake(struct tri_wakee *w)
{
    if (tri_wakee_kind(w) == TRI_KIND_TASK && tri_wakee_here(w))
        return;
    /* release: what we changed before is seen by the sleeper when it takes READY away again or
     * is resumed. acquire: its context, saved before it slept, is ours to queue. */
    if (!(atomic_fetch_or_explicit(&w->word, TRI_READY, memory_order_acq_rel) & TRI_READY))
        tri_wakee_queue(w);
}

#endif /* TRI_SCHED_WAKEE_H */
