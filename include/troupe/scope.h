/* SPDX-License-Identifier: MIT */
/*
 * troupe/scope.h - every task and handler lives in a scope, and nothing outlives its scope.
 *
 *     tr_scope s TR_CLEANUP(tr_scope_end) = tr_scope_open(NULL);
 *
 *     fetch_spawn(&s, &a, NULL);
 *     fetch_spawn(&s, &b, NULL);
 *     return tr_scope_join(&s, TR_NEVER);       any other return cancels both, and joins them
 *
 * Declare a scope after whatever its tasks borrow: cleanups run in reverse order. A scope belongs
 * to the task that opened it; others may spawn into it while it is open. It may not be moved once
 * something was spawned into it.
 */
#ifndef TROUPE_SCOPE_H
#define TROUPE_SCOPE_H

#include <troupe/time.h>
#include <troupe/types.h>

TR_BEGIN_DECLS

enum tr_policy {
    TR_FAIL_FAST, /* the first failure cancels the siblings and is the scope's result */
    TR_COLLECT,   /* failures are counted and reported to the hook; siblings go on */
};

struct tr_scope_opts {
    const char *name;       /* for reports; a string that lives as long as the scope */
    enum tr_policy policy;  /* what a failing child does */
    tr_time cleanup_budget; /* span for the cleanup of a cancelled child; 0: one second */
};

typedef struct tr_scope {
    struct tr_scope_opts opts;
    struct tri_scope *impl; /* NULL until the first spawn */
} tr_scope;

/* Makes a scope of the calling task; @opts NULL: unnamed, fail-fast. Cannot fail. */
static inline tr_scope tr_scope_open(const struct tr_scope_opts *opts)
{
    tr_scope s = { { NULL, TR_FAIL_FAST, 0 }, NULL };

    if (opts)
        s.opts = *opts;
    return s;
}

/*
 * Waits until every child has ended.
 * Returns:  0: all ended without a failure.  In a fail-fast scope the first failure, in a
 *           collecting one 0; their number is tr_scope_failures().  -ETIMEDOUT, -ESHUTDOWN,
 *           -ECANCELED: children are still running, call it again.
 * Callers:  the task that opened the scope; -EPERM elsewhere.
 */
TR_API TR_CHECK int tr_scope_join(tr_scope *s, tr_time deadline);

/*
 * Stops gently: waits that carry the drain bit end with -ESHUTDOWN, work under way goes on. At
 * @deadline what is left is cancelled; then joins.
 * Returns:  as tr_scope_join() of a scope whose children all ended, or -ETIMEDOUT: some had to
 *           be cancelled.
 */
TR_API int tr_scope_drain(tr_scope *s, tr_time deadline);

/*
 * Cancels every child, youngest first: each wait returns -ECANCELED from now on, and a child
 * that has not started never starts. Does not wait.  Callers: anybody who may use the scope.
 */
TR_API void tr_scope_cancel(tr_scope *s);

/*
 * Cancels and joins; the scope is then empty and can be used again. The join is not cut short
 * by a cancel of the caller. For TR_CLEANUP. A failure that no join reported goes to the hook.
 */
TR_API void tr_scope_end(tr_scope *s);

/* Children that have not ended; children that failed since the scope was opened. */
TR_API size_t tr_scope_len(const tr_scope *s);
TR_API size_t tr_scope_failures(const tr_scope *s);

/* The scope drains, or is cancelled. False for a scope without children so far. */
TR_API bool tr_scope_is_draining(const tr_scope *s);

TR_END_DECLS

#endif /* TROUPE_SCOPE_H */
