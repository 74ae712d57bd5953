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
#include "base/lock.h"

enum { TRI_WORKERS_MAX = 128 };

struct tri_scope;
struct tri_task;
struct tri_worker;
struct tri_conductor;

struct tri_runtime {
    /* Constant while it runs. */
    struct tr_runtime_opts opts; /* with the defaults filled in */
    struct tri_backend *backend;
    unsigned n_worker;
    struct tri_worker **workers;
    struct tri_conductor *conductor; /* NULL: none */
    struct tri_scope *root;
    struct tri_task *root_task;
    bool virtual_time;               /* the simulator */
    bool spins;                      /* a worker may spin before it sleeps: several CPUs */
    bool deadlocked;                 /* virtual time: told so once; the only worker's */

    _Atomic uint64_t serial;  /* 0 until lib/reactor/readiness.c first asks; then for ever its own */
    atomic_uint n_started;    /* workers whose thread runs; grows under start_lock */
    atomic_bool watching;     /* some worker looks for backlog, or is about to */
    atomic_bool stopping;     /* set once: workers leave their loops */
    atomic_uint level;        /* enum tr_level; only grows */
    struct tri_lock start_lock; /* starting threads; nothing is taken inside */
};

#endif /* TRI_SCHED_RUNTIME_H */
