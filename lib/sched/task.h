/* SPDX-License-Identifier: MIT */
/* task.h - what the other files of sched need of tasks and of parked threads. */
#ifndef TRI_SCHED_TASK_H
#define TRI_SCHED_TASK_H

#include "sched/worker.h"

/* Every task record of the process. Setup comes first, any number of times; 0 or -ENOMEM. */
extern struct tri_slab tri_tasks;
int tri_task_setup(void);
struct tri_slab *tri_task_slab(void);

/* tr_task_spawn() called from @pc. */
int tri_task_spawn(tr_scope *scope, const struct tri_task_type *type, void *arg,
                   const struct tr_task_opts *opts, const void *pc);

/* A timer of a wait has expired. */
void tri_task_timer_fired(struct tri_timer *timer);

/* Wakes a plain thread that waits in tri_wait_blocking(). */
void tri_thread_wake(struct tri_wakee *w);

/* The task's argument. */
void *tri_task_arg(struct tri_task *t);

/* One more owner of the record, for one who has it; and one less, which may free it. */
void tri_task_ref(struct tri_task *t);
void tri_task_unref(struct tri_task *t);

/* Somebody has seen its result: no report is due. The caller has a reference. */
void tri_task_told(struct tri_task *t);

/* Ends the running task: drops its argument, publishes its result, leaves its scope. */
void tri_task_end(struct tri_task *t, int result);

/* The root task of @rt: not in any list, and run like any other. NULL: no memory. */
struct tri_task *tri_task_new_root(struct tri_runtime *rt, struct tri_worker *w,
                                   const struct tri_task_type *type, void *arg,
                                   struct tri_scope *scope);

/* Names the task on the stack below @top; for mem/fault.h. */
void tri_task_describe(void *top, char *buf, size_t n);

#endif /* TRI_SCHED_TASK_H */
