/* SPDX-License-Identifier: MIT */
/* stall.c - see stall.h. */
#include "config.h"

#include "actor/report.h"
#include "actor/stall.h"
#include "sched/idle.h"

/* Looks further apart than that say nothing: the whole process was held up. */
static const tr_time GAP = TR_MS(250);

/* Looks at one worker; true: it has been in one slice for longer than @limit, and is not told. */
static bool is_stuck(struct tri_sight *s, struct tri_worker *w, tr_time now, tr_time limit)
{
    /* relaxed, all: hints that are compared over many milliseconds. */
    const struct tri_actor *shown = atomic_load_explicit(&w->shown, memory_order_relaxed);
    unsigned tick = atomic_load_explicit(&w->tick, memory_order_relaxed);
    bool asleep =
        atomic_load_explicit(&w->inbox.top, memory_order_relaxed) == TRI_INBOX_ASLEEP;

    if (!shown || asleep || shown != s->shown || tick != s->tick) {
        *s = (struct tri_sight){ .shown = asleep ? NULL : shown, .tick = tick, .since = now };
        return false;
    }
    return !s->told && now - s->since >= limit;
}

void tri_stalls_look(struct tri_stalls *s, struct tri_runtime *rt, struct tri_report *report,
                     tr_time now)
{
    bool gap = now - s->looked_at > GAP;

    s->looked_at = now;
    for (unsigned i = 0; i < rt->n_worker; i++) {
        struct tri_sight *sight = &s->sight[i];

        if (gap)
            sight->since = now;
        if (!is_stuck(sight, rt->workers[i], now, rt->opts.stall_limit))
            continue;
        sight->told = true;
        tri_worker_summon(rt); /* what has not started is stolen */
        tri_report_stall(report, rt, rt->workers[i], now - sight->since);
    }
}
