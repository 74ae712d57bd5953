/* SPDX-License-Identifier: MIT */
/*
 * troupe/supervise.h - keep a part running: when it fails it is started again, until it fails
 * too often.
 *
 * Resources that must outlive a failure stay with the caller, and an incarnation borrows them:
 * a restarted receiver loses no message, and its senders notice nothing.
 */
#ifndef TROUPE_SUPERVISE_H
#define TROUPE_SUPERVISE_H

#include <troupe/scope.h>

TR_BEGIN_DECLS

struct tr_restart_opts {
    const char *name;
    unsigned max_restart; /* failures that are answered by a restart ...     0: 3 */
    tr_time within;       /* ... in this span; one more ends the supervision 0: 5 s */
};

/* Starts one incarnation in @scope: builds its arguments anew and spawns. */
typedef int tr_start_fn(tr_scope *scope, void *arg);

/*
 * Calls @start with a fail-fast scope of its own and joins it; after a failure cancels what is
 * left of it, tells the hook and starts again.
 * Returns:  0: an incarnation ended without failure.  The last failure, if there were more than
 *           opts->max_restart within opts->within.  -ETIMEDOUT, -ESHUTDOWN, -ECANCELED: the
 *           incarnation was cancelled and has ended.
 * Callers:  tasks.
 */
TR_API TR_CHECK int tr_supervise(const struct tr_restart_opts *opts, tr_start_fn *start,
                                 void *arg, tr_time deadline);

TR_END_DECLS

#endif /* TROUPE_SUPERVISE_H */
