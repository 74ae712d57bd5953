/* SPDX-License-Identifier: MIT */
/* stall.c - see stall.h. */
#include "config.h"

#include <time.h>

#include "actor/report.h"
#include "actor/stall.h"
#include "actor/trace.h"
#include "sched/idle.h"

/* Looks further apart than that say nothing: the whole process was held up. */
static const tr_time GAP = TR_MS(250);

enum { STARVED = 10 };

/* The CPU time of the thread @tid; 0: not known. */
static tr_time cpu_time(pid_t tid)
{
    /* As pthread_getcpuclockid(), which wants a pthread_t: the clock of a thread, by its id. */
    clockid_t clock = (clockid_t)(~(unsigned)tid << 3 | 6u);
    struct timespec ts;

    if (tid == 0 || clock_gettime(clock, &ts) < 0)
        return 0;
    return TR_S(ts.tv_sec) + ts.tv_nsec;
}

/* It has used less than half of @span, and not because it sleeps in the kernel. */
static bool is_starved(const struct tri_sight *s, pid_t tid, tr_time span, tr_time limit)
{
    return span < STARVED * limit && cpu_time(tid) - s->cpu < span / 2 &&
           tri_trace_is_runnable(tid);
}

/* Looks at one worker; true: it has been in one slice for longer than @limit. */
static bool is_stuck(struct tri_sight *s, struct tri_worker *w, tr_time now, tr_time limit)
{
    pid_t tid = atomic_load_explicit(&w->tid, memory_order_relaxed);
    /* relaxed, all: hints that are compared over many milliseconds. */
    const struct tri_actor *shown = atomic_load_explicit(&w->shown, memory_order_relaxed);
    unsigned tick = atomic_load_explicit(&w->tick, memory_order_relaxed);
    bool asleep = atomic_load_explicit(&w->inbox.top, memory_order_relaxed) == TRI_INBOX_ASLEEP;

    if (!shown || asleep || shown != s->shown || tick != s->tick) {
        *s = (struct tri_sight){ .shown = asleep ? NULL : shown,
                                 .tick = tick,
                                 .since = now,
                                 .cpu = shown ? cpu_time(tid) : 0 };
        return false;
    }
    return now - s->since >= limit && (s->told || !is_starved(s, tid, now - s->since, limit));
}

void tri_stalls_look(struct tri_stalls *s, struct tri_runtime *rt, struct tri_report *report,
                     tr_time now)
{
    bool gap = now - s->looked_at > GAP;

    s->looked_at = now;
    for (unsigned i = 0; i < rt->n_worker; i++) {
        struct tri_sight *sight = &s->sight[i];

        if (gap)
            sight->shown = NULL;
        if (!is_stuck(sight, rt->workers[i], now, rt->opts.stall_limit))
            continue;
        tri_idle_watch(rt); /* what has not started, in its inbox too, is stolen */
        if (sight->told)
            continue;
        sight->told = true;
        tri_report_stall(report, rt, rt->workers[i], now - sight->since);
    }
}
