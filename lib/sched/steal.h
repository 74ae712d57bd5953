/* SPDX-License-Identifier: MIT */
/*
 * steal.h - what an idle worker takes from the others, and when.
 *
 * An actor may be stolen if it was in its queue at two looks of the thief, a nap apart: what
 * its own worker runs sooner stays there. Then
 *
 *   handlers, movable tasks   half of them, at once: they may go back the same way
 *   unstarted tasks           for life, so with more care: if nobody has come to the oldest, or
 *                             if their worker takes more than a microsecond for each task;
 *                             of many children, only if those that have begun do not talk
 *
 *   the inbox                 of a worker that shows the same actor running at both looks: what
 *                             may be stolen of it, for good, too; not that actor itself
 *
 * and each theft is judged by how long it kept the thief busy (judge() in steal.c).
 */
#ifndef TRI_SCHED_STEAL_H
#define TRI_SCHED_STEAL_H

#include "sched/runtime.h"
#include "sched/worker.h"

/* What an idle worker has seen since it has been idle. */
struct tri_lookout {
    struct tri_seen {
        long long fresh_top, fresh_bottom, hot_bottom; /* -1: not seen yet */
        struct tri_actor *inbox_top;
        const struct tri_actor *shown;
        unsigned tick;
        unsigned n_grown; /* looks since one task was first seen spawning; see is_family() */
        unsigned n_run;   /* picks since its last growth */
        unsigned n_still; /* looks since its last pick */
        unsigned long n_begun; /* of the worker, at the last growth */
        tr_time grown_at;
    } of[TRI_WORKERS_MAX];
    tr_time at;
    bool backlog; /* another worker had some at the last look */
};

/* @w has just become idle: judges what it has stolen before; nothing is seen yet. */
void tri_steal_begin(struct tri_worker *w, struct tri_lookout *s);

/* A look at the other workers, and a theft where one is due. */
void tri_steal_look(struct tri_worker *w, struct tri_lookout *s);

/* Takes from the inbox of @v, which does not come to take what lies there, what may leave. */
void tri_steal_inbox(struct tri_worker *w, struct tri_worker *v);

#endif /* TRI_SCHED_STEAL_H */
