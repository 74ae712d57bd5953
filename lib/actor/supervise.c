/* SPDX-License-Identifier: MIT */
/* supervise.c - see troupe/supervise.h: one part, restarted a limited number of times. */
#include "config.h"

#include <errno.h>

#include <troupe/supervise.h>

#include "base/log.h"
#include "sched/worker.h"

enum { RESTARTS = 3, RESTARTS_MAX = 64 };

static const tr_time WITHIN = TR_S(5);

/* The latest failures, the oldest overwritten first. */
struct record {
    tr_time at[RESTARTS_MAX];
    unsigned n, max;
    tr_time within;
};

/* Notes a failure now; true: it was one too many. */
static bool is_too_much(struct record *rec)
{
    tr_time now = tr_now();
    unsigned slot = rec->n % rec->max;
    bool full = rec->n >= rec->max;
    tr_time oldest = rec->at[slot];

    rec->at[slot] = now;
    rec->n++;
    return full && now - oldest <= rec->within;
}

/* One incarnation. *@ret_ended: it ended by itself, with the result; else the wait was over. */
static int incarnation(const char *name, tr_start_fn *start, void *arg, tr_time deadline,
                       bool *ret_ended)
{
    tr_scope s TR_CLEANUP(tr_scope_end) =
        tr_scope_open(&(struct tr_scope_opts){ .name = name, .policy = TR_POLICY_FAIL_FAST });
    int r = start(&s, arg);

    if (r == 0)
        r = tr_scope_join(&s, deadline);
    *ret_ended = tr_scope_len(&s) == 0;
    return r;
}

int tr_supervise(const struct tr_restart_opts *opts, tr_start_fn *start, void *arg,
                 tr_time deadline)
{
    const char *name = opts && opts->name ? opts->name : "supervised";
    struct record rec = { .max = opts && opts->max_restart ? opts->max_restart : RESTARTS,
                          .within = opts && opts->within > 0 ? opts->within : WITHIN };
    bool ended;
    int r = tri_wait_enter(tri_self());

    if (r < 0)
        return r;
    if (!start || rec.max > RESTARTS_MAX)
        return -EINVAL;
    for (;;) {
        r = incarnation(name, start, arg, deadline, &ended);
        if (r == 0 || !ended || tr_self_is_cancelled())
            return r;
        if (is_too_much(&rec)) {
            tri_tell(TR_EVENT_FAILED, "'%s' failed %u times within %lld ms, the last time: %s",
                     name, rec.max + 1, (long long)(rec.within / TR_MS(1)), tr_strerror(r));
            return r;
        }
        tri_tell(TR_EVENT_FAILED, "'%s' failed, starting it again: %s", name, tr_strerror(r));
    }
}
