/* SPDX-License-Identifier: MIT */
/*
 * stall.h - finds workers that have been in one slice of one actor for longer than the limit.
 * A worker is seen by three words that it writes anyway: who runs, the number of its picks, and
 * its sleep mark. Two looks that find the same span one slice. A worker that wants to run and
 * gets no CPU is no culprit: it is given ten times the limit.
 */
#ifndef TRI_ACTOR_STALL_H
#define TRI_ACTOR_STALL_H

#include "actor/runtime.h"

struct tri_report;

/* What was seen of one worker. */
struct tri_sight {
    const struct tri_actor *shown;
    unsigned tick;
    bool told;     /* this episode was reported */
    tr_time since; /* when it was first seen so */
    tr_time cpu;   /* time its thread had used by then */
};

struct tri_stalls {
    struct tri_sight sight[TRI_WORKERS_MAX];
    tr_time looked_at;
};

/* Looks at every worker of @rt and reports those that are stuck, each once. */
void tri_stalls_look(struct tri_stalls *s, struct tri_runtime *rt, struct tri_report *report,
                     tr_time now);

#endif /* TRI_ACTOR_STALL_H */
