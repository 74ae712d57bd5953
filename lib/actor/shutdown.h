/* SPDX-License-Identifier: MIT */
/*
 * shutdown.h - the level at which a runtime stops. The level itself is rt->level; here is who
 * waits for it, and why it was raised.
 */
#ifndef TRI_ACTOR_SHUTDOWN_H
#define TRI_ACTOR_SHUTDOWN_H

#include <troupe/signal.h>

#include "actor/runtime.h"
#include "sched/waitq.h"

struct tri_level_watch;

/* Actors that have ended in a runtime, and the tasks among them that never ran. */
struct tri_counts {
    unsigned long n_ended, n_discarded;
};

struct tri_shutdown {
    struct tri_lock lock;       /* protects line; waking is done inside */
    struct tri_waitq line;      /* who waits for a level; waiter->value: which */
    const char *_Atomic reason; /* of the newest raise */
    struct tri_counts before;   /* as the level left RUN; written once, before began */
    _Atomic tr_time began;      /* when that was; 0: not yet known */
    /* The channel of tr_shutdown_watch(), made when it is first wanted (level_watch.c). */
    struct tri_level_watch *_Atomic watch;
};

static inline enum tr_level tri_shutdown_level(struct tri_runtime *rt)
{
    /* acquire: whoever acts on a level sees why it was raised. */
    return (enum tr_level)atomic_load_explicit(&rt->level, memory_order_acquire);
}

/*
 * Raises the level to at least @level and says so to everybody who waits, but does not act.
 * Returns whether it grew. Any thread, while the runtime is there.
 */
bool tri_shutdown_grow(struct tri_runtime *rt, enum tr_level level, const char *reason);

/* Drains or cancels, as the level wants. Twice is harmless. */
void tri_shutdown_act(struct tri_runtime *rt);

struct tri_counts tri_shutdown_count(const struct tri_runtime *rt);

/* "DRAIN" */
const char *tri_level_name(enum tr_level level);

/* ---- level_watch.c ---- */

/* Publishes the level, if anybody has asked for the watch. */
void tri_level_watch_publish(struct tri_runtime *rt);

/* Closes the sending end: what is subscribed keeps the last level. */
void tri_level_watch_fini(struct tri_shutdown *s);

#endif /* TRI_ACTOR_SHUTDOWN_H */
