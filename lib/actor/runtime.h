/* SPDX-License-Identifier: MIT */
/* runtime.h - what the files of lib/actor share about starting and stopping a runtime. */
#ifndef TRI_ACTOR_RUNTIME_H
#define TRI_ACTOR_RUNTIME_H

#include <signal.h>

#include "sched/runtime.h"
#include "sched/scope.h"
#include "sched/worker.h"

/* The runtime of the calling actor, or NULL. */
struct tri_runtime *tri_runtime_self(void);

/* Drains or cancels the root scope and the root task. Any thread, while the runtime runs. */
void tri_runtime_drain(struct tri_runtime *rt);
void tri_runtime_cancel(struct tri_runtime *rt);

/* What tr_main() wants to know of its runtime. */
struct tri_main_result {
    bool ran;    /* the app was started */
    int status;  /* the exit status, if it was */
};

/*
 * tr_run_with(); @ret_result, not NULL: as the runtime of tr_main(), signals included. Reports
 * say that the root task was spawned at @caller.
 */
int tri_run(const struct tr_runtime_opts *opts, tr_run_fn *fn, void *arg,
            struct tri_main_result *ret_result, const void *caller);

/* ---- fork.c: a child of this process must not use what only its parent has ---- */

/* Between the two, a forked child is marked. */
void tri_fork_begin(void);
void tri_fork_end(void);

/* The signal mask that a forked child gets: that of the thread that called tr_main(). */
void tri_fork_mask(const sigset_t *mask);

#endif /* TRI_ACTOR_RUNTIME_H */
