/* SPDX-License-Identifier: MIT */
/*
 * world.h - a worker with one started task, for a thread of a case to be: its waits are those
 * of a task, with the real inbox, queues, picking and sleeping of lib/sched.
 */
#ifndef TESTS_EXPLORE_WORLD_H
#define TESTS_EXPLORE_WORLD_H

#include <troupe/scope.h>

#include "sched/worker.h"

struct world_worker;

/* In the setup. @kind: TRI_KIND_TASK or TRI_KIND_MOVABLE. @seat: see sched/worker.h. */
struct world_worker *world_worker_new(enum tri_wakee_kind kind, uint16_t seat);
/* First and last in the thread that is this worker. */
void world_worker_enter(struct world_worker *w);
void world_worker_leave(void);
struct tri_worker *world_worker_of(struct world_worker *w);
/* The task's. */
struct tri_wakee *world_worker_wakee(struct world_worker *w);
/* The thread is a worker that runs handlers, until it is stopped; anybody stops it. */
void world_worker_loop(struct world_worker *w);
void world_worker_stop(struct world_worker *w);
/* In the setup: two workers of one runtime, that of @w. */
void world_worker_join(struct world_worker *w, struct world_worker *second);
/* The same if there is something to steal in the inbox or the hot queue of @from. */
void world_worker_raid(struct world_worker *w, struct world_worker *from);
/* In the setup and in the finish: a scope that the task of @w owns. */
void world_scope_open(struct world_worker *w, const struct tr_scope_opts *opts,
                      tr_scope *ret_scope);
void world_scope_close(struct world_worker *w, tr_scope *s);
/* Ends the task, which runs; and one more handle of it, in the setup. */
void world_worker_end(struct world_worker *w, int result);
tr_task world_worker_handle(struct world_worker *w);
/* In the finish. NULL: nothing. */
void world_worker_free(struct world_worker *w);

/*
 * The same for a case's threads by their numbers; those that are not named are plain threads.
 */
void world_task(unsigned thread, enum tri_wakee_kind kind, uint16_t seat); /* in the setup */
bool world_enter(void); /* where a thread begins; true: it is a task */
bool world_is_task(void);
void world_end(int result);
tr_task world_handle(unsigned thread);
struct tri_runtime *world_runtime(unsigned thread);
void world_same_runtime(unsigned thread, unsigned as);
void world_finish(void);

/* Frees the gates that were given back; world_finish() does it, too. */
void world_gates_free(void);

#endif /* TESTS_EXPLORE_WORLD_H */
