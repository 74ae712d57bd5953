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
 * Declare a scope after whatever its tasks borrow: cleanups run in reverse order. A scope
 * belongs to the task that opened it; others may spawn into it while it is open. It may not be
 * moved once something was spawned into it.
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

enum tr_keep {
    TR_KEEP_NOTHING,  /* a result that no handle takes is gone with its task */
    TR_KEEP_FAILURES, /* the results of tasks that failed, for tr_scope_next() */
    TR_KEEP_ALL,      /* the results of all tasks, each some 160 bytes until it is taken */
};

struct tr_scope_opts {
    const char *name;       /* for reports; a string that lives as long as the scope */
    enum tr_policy policy;  /* what a failing child does */
    tr_time cleanup_budget; /* span for the cleanup of a cancelled child; 0: one second */
    enum tr_keep keep;      /* which results wait for tr_scope_next() */
    size_t max_children;    /* at once; a further spawn gives -ENOBUFS. 0: no limit */
    tr_time deadline;       /* an instant: what runs then is cancelled. 0: none */
};

typedef struct tr_scope {
    struct tr_scope_opts opts;
    struct tri_task *owner;
    struct tri_scope *impl; /* NULL until the first spawn */
    bool born_cancelled;
} tr_scope;

/*
 * Makes a scope of the calling task; @opts NULL: unnamed, fail-fast. Cannot fail; in a thread
 * that runs no task it gives a scope in which every spawn returns -EPERM. The first spawn into
 * a scope is its owner's. Drain and cancel of a scope reach every scope that its tasks have
 * opened, and scopes opened later are born so.
 */
TR_API tr_scope tr_scope_open(const struct tr_scope_opts *opts);

/*
 * Waits until every child has ended.
 * Returns:  0: all ended without a failure.  In a fail-fast scope the first failure; in a
 *           collecting one that of a vital task, else 0, and tr_scope_failures() counts.
 *           -ETIMEDOUT, -ESHUTDOWN, -ECANCELED: children are still running, call it again.
 * Callers:  the task that opened the scope (the root task has opened the root scope); -EPERM
 *           elsewhere.
 */
TR_API TR_CHECK int tr_scope_join(tr_scope *s, tr_time deadline);

/*
 * An arm of tr_select() that is ready when no child is left. Join then. Disabled before a
 * spawn.
 */
TR_API tr_arm tr_scope_join_arm(tr_scope *s);

/*
 * A scope with a deadline: at that instant it is cancelled, whatever its owner does then, and
 * if a child was running or is refused later, the scope's failure is -ETIMEDOUT. A join returns
 * it once tr_scope_len() is 0. A scope of a movable task has none: its spawns return -EINVAL.
 */

/* What a task of the scope has ended with. */
typedef struct tr_ended {
    tr_id id;         /* as tr_task_id() of its handle */
    const char *name; /* the string that was given at spawn */
    int result;       /* as of tr_task_join() */
} tr_ended;

/*
 * Writes it out, "task 'fetch' #12 was cancelled", "... failed: the other side is closed
 * (EPIPE)" or "... ended with 0", as snprintf() does. The number is that of the reports.
 */
TR_API int tr_ended_text(const tr_ended *e, size_t size, char *ret_text);

/*
 * Waits for the next task to end, and takes its result: in the order of their ends, each once.
 * For a scope that keeps results. Handlers end without a result.
 * Returns:  1: *@ret_ended is it.  0: no child is left, and no result; more may be spawned.
 *           -EAGAIN: none has ended (try).  -ETIMEDOUT, -ESHUTDOWN, -ECANCELED: nothing was
 *           taken.  -EINVAL: the scope keeps nothing.  -EPERM: as tr_scope_join().
 * What was taken counts as told, but does not change what a join returns.
 */
TR_API TR_CHECK int tr_scope_next(tr_scope *s, tr_time deadline, tr_ended *ret_ended);
TR_API TR_CHECK int tr_scope_try_next(tr_scope *s, tr_ended *ret_ended);

/* The same as an arm of tr_select(), result 1 or 0. Disabled before a spawn. */
TR_API tr_arm tr_scope_next_arm(tr_scope *s, tr_ended *ret_ended);

/*
 * Waits until a spawn finds room: fewer than max_children are there. So one loop runs many
 * things, at most n at once; then a join waits for the last of them.
 * Returns:  0.  -ETIMEDOUT, -ESHUTDOWN, -ECANCELED.  -EPERM: as tr_scope_join().
 */
TR_API TR_CHECK int tr_scope_room(tr_scope *s, tr_time deadline);

/* An arm of tr_select() that is ready when there is room. Disabled before a spawn. */
TR_API tr_arm tr_scope_room_arm(tr_scope *s);

/*
 * A race: waits for the first task to end, or for the first whose result is not negative, then
 * cancels the rest and joins them. The scope must keep all results, for the first success it
 * must collect. It stays cancelled; tr_scope_end() makes it new.
 * Returns:  0: *@ret_ended is the winner.  No success: the result of the last to end.  -EINVAL:
 *           no task, or the scope is not such a one.  -ETIMEDOUT, -ESHUTDOWN, -ECANCELED:
 *           nobody was in time.  In every case but -EINVAL all have ended.
 */
TR_API TR_CHECK int tr_scope_first(tr_scope *s, tr_time deadline, tr_ended *ret_ended);
TR_API TR_CHECK int tr_scope_first_success(tr_scope *s, tr_time deadline, tr_ended *ret_ended);

/*
 * Stops gently: waits that carry the drain bit end with -ESHUTDOWN, work under way goes on. At
 * @deadline what is left is cancelled; then joins.
 * Returns:  as tr_scope_join() of a scope whose children all ended.  -ETIMEDOUT: some had to be
 *           cancelled.  -ECANCELED: the caller was cancelled, and so they were at once. In
 *           every case all have ended.
 */
TR_API int tr_scope_drain(tr_scope *s, tr_time deadline);

/*
 * Cancels every child, youngest first: each wait returns -ECANCELED from now on, and a child
 * that has not started never starts. Does not wait.  Callers: anybody who may use the scope.
 */
TR_API void tr_scope_cancel(tr_scope *s);

/*
 * A guard cancels the scope when it is released, unless it was disarmed: for a part of the work
 * whose failure is that of all of it.
 *
 *     tr_scope_guard g TR_CLEANUP(tr_scope_guard_release) = { &scope };
 */
typedef struct tr_scope_guard {
    tr_scope *scope;
} tr_scope_guard;

static inline void tr_scope_guard_disarm(tr_scope_guard *g)
{
    g->scope = NULL;
}

static inline void tr_scope_guard_release(tr_scope_guard *g)
{
    tr_scope_cancel(g->scope);
    g->scope = NULL;
}

/*
 * Cancels and joins; the scope is then empty and can be used again. The join is not cut short
 * by a cancel of the caller. For TR_CLEANUP. A failure that no join reported goes to the hook.
 * A task that returns with a scope open has it ended for it, and is reported.
 */
TR_API void tr_scope_end(tr_scope *s);

/* Children that have not ended; children that failed since the scope was opened. */
TR_API size_t tr_scope_len(const tr_scope *s);
TR_API size_t tr_scope_failures(const tr_scope *s);

/* Results that tr_scope_next() has not taken. What is left is dropped by tr_scope_end(). */
TR_API size_t tr_scope_kept(const tr_scope *s);

/* The scope drains, or is cancelled. */
TR_API bool tr_scope_is_draining(const tr_scope *s);

TR_END_DECLS

#endif /* TROUPE_SCOPE_H */
