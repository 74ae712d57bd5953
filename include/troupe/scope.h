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
 *
 * A spawn into a scope that was cancelled gives -ESHUTDOWN, also when a sibling that failed has
 * cancelled it. -ESHUTDOWN is a clean end everywhere, and tr_main() exits with 0 for it: who
 * returns the result of such a spawn hides the failure. tr_scope_join() still has it.
 */
#ifndef TROUPE_SCOPE_H
#define TROUPE_SCOPE_H

#include <troupe/select.h>
#include <troupe/time.h>
#include <troupe/types.h>

TR_BEGIN_DECLS

enum tr_policy {
    TR_POLICY_FAIL_FAST, /* the first failure cancels the siblings and is the scope's result */
    TR_POLICY_COLLECT,   /* failures are counted and reported to the hook; siblings go on */
};

struct tr_scope_opts {
    const char *name;       /* for reports; a string that lives as long as the scope */
    enum tr_policy policy;  /* what a failing child does */
    tr_time cleanup_budget; /* span for the cleanup of a cancelled child; 0: one second */
};

typedef struct tr_scope {
    struct tr_scope_opts opts;
    struct tri_task *owner;
    struct tri_scope *impl; /* NULL until the first spawn */
    bool born_cancelled;
} tr_scope;

/*
 * Makes a scope of the calling task; @opts NULL: unnamed, fail-fast. Cannot fail; in a thread
 * that runs no task it gives a scope in which every spawn returns -EPERM. The first spawn into a
 * scope is its owner's. Drain and cancel of a scope reach every scope that its tasks have
 * opened, and scopes opened later are born so.
 */
TR_API tr_scope tr_scope_open(const struct tr_scope_opts *opts);

/*
 * Waits until every child has ended.
 * Returns:  0: all ended without a failure.  In a fail-fast scope the first failure; in a
 *           collecting one that of a vital task, else 0, and tr_scope_failures() counts.  -ETIMEDOUT, -ESHUTDOWN,
 *           -ECANCELED: children are still running, call it again.
 * Callers:  the task that opened the scope (the root task has opened the root scope); -EPERM
 *           elsewhere.
 */
TR_API TR_CHECK int tr_scope_join(tr_scope *s, tr_time deadline);

/* An arm of tr_select() that is ready when no child is left. Join then. Disabled before a spawn. */
TR_API tr_arm tr_scope_join_arm(tr_scope *s);

/*
 * Stops gently: waits that carry the drain bit end with -ESHUTDOWN, work under way goes on. At
 * @deadline what is left is cancelled; then joins.
 * Returns:  as tr_scope_join() of a scope whose children all ended.  -ETIMEDOUT: some had to be
 *           cancelled.  -ECANCELED: the caller was cancelled, and so they were at once. In every
 *           case all have ended.
 */
TR_API int tr_scope_drain(tr_scope *s, tr_time deadline);

/*
 * Cancels every child, youngest first: each wait returns -ECANCELED from now on, and a child
 * that has not started never starts. Does not wait.  Callers: anybody who may use the scope.
 */
TR_API void tr_scope_cancel(tr_scope *s);

/*
 * Cancels and joins; the scope is then empty and can be used again. The join is not cut short
 * by a cancel of the caller. For TR_CLEANUP. A failure that no join reported goes to the hook. A task
 * that returns with a scope open has it ended for it, and is reported.
 */
TR_API void tr_scope_end(tr_scope *s);

/* Children that have not ended; children that failed since the scope was opened. */
TR_API size_t tr_scope_len(const tr_scope *s);
TR_API size_t tr_scope_failures(const tr_scope *s);

/* The scope drains, or is cancelled. */
TR_API bool tr_scope_is_draining(const tr_scope *s);

TR_END_DECLS

#endif /* TROUPE_SCOPE_H */
