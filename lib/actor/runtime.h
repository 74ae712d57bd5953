/* SPDX-License-Identifier: MIT */
/* runtime.h - what the files of lib/actor share about starting and stopping a runtime. */
#ifndef TRI_ACTOR_RUNTIME_H
#define TRI_ACTOR_RUNTIME_H

#include "sched/runtime.h"
#include "sched/scope.h"
#include "sched/worker.h"

/* The runtime of the calling actor, or NULL. */
struct tri_runtime *tri_runtime_self(void);

/* Drains or cancels the root scope and the root task. Any thread, while the runtime runs. */
void tri_runtime_drain(struct tri_runtime *rt);
void tri_runtime_cancel(struct tri_runtime *rt);

#endif /* TRI_ACTOR_RUNTIME_H */
