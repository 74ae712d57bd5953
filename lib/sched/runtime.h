/* SPDX-License-Identifier: MIT */
/*
 * runtime.h - what the workers of one runtime share. Made and ended by lib/actor/runtime.c.
 */
#ifndef TRI_SCHED_RUNTIME_H
#define TRI_SCHED_RUNTIME_H

#include <stdatomic.h>
#include <stdbool.h>

#include <troupe/runtime.h>

#include "base/backend.h"
#include "base/futex.h"
#include "base/lock.h"

enum { TRI_WORKERS_MAX = 128 };

struct tri_scope;
struct tri_task;
struct tri_worker;
struct tri_conductor;
struct tri_shutdown;
struct tri_signals;

struct tri_runtime {
    /* Constant while it runs. */
    struct tr_runtime_opts opts; /* with the defaults filled in */
    struct tri_backend *backend;
    unsigned n_worker;
    struct tri_worker **workers;
    struct tri_conductor *conductor; /* NULL: none */
    struct tri_shutdown *shutdown;   /* who waits for the level */
    struct tri_signals *signals;     /* kept subscriptions */
    tr_time born;
    const void *caller;              /* of tr_run() or tr_main() */
    struct tri_scope *root;
    struct tri_task *root_task;
    bool virtual_time;               /* the simulator */
    bool spins;                      /* a worker may spin before it sleeps: several CPUs */
    bool deadlocked;                 /* virtual time: told so once; the only worker's */

    _Atomic uint64_t serial;  /* 0 until lib/reactor/readiness.c first asks; then for ever its
                               * own */
    atomic_uint n_started;    /* workers whose thread runs; grows under start_lock */
    atomic_bool watching;     /* some worker looks for backlog, or is about to */
    atomic_bool stopping;     /* set once: workers leave their loops */
    atomic_uint level;        /* enum tr_level; only grows */
    atomic_uint n_pushing;    /* foreign threads in the middle of a wake: see worker.c */
    struct tri_lock start_lock; /* starting threads; nothing is taken inside */

    void (*_Atomic watch)(struct tri_runtime *rt); /* starts the conductor; NULL: done.
                                                    * idle.h */
    atomic_uint kicks;        /* the conductor sleeps on it; anybody adds */
    atomic_bool unwatched;    /* every worker slept, and so does the conductor: who wakes
                               * kicks */
};

/* This process was forked from one in which a runtime ran: nothing of it works here. */
extern atomic_bool tri_forked;

static inline bool tri_is_forked(void)
{
    /* relaxed: set before fork() returned in the only thread of this process. */
    return atomic_load_explicit(&tri_forked, memory_order_relaxed);
}

/* Makes the conductor look around. Any thread, also in a signal handler. */
static inline void tri_runtime_kick(struct tri_runtime *rt)
{
    /* release: what was stored before is seen by the conductor, which reads kicks first. */
    atomic_fetch_add_explicit(&rt->kicks, 1, memory_order_release);
    tri_futex_wake(&rt->kicks, 1);
}

#endif /* TRI_SCHED_RUNTIME_H */
