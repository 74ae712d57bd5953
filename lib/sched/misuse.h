/* SPDX-License-Identifier: MIT */
/*
 * misuse.h - tells what was called where it may not be. Both places are named as in the other
 * reports, by module and offset; they may be said on the stack of a task, so little of it is
 * used.
 */
#ifndef TRI_SCHED_MISUSE_H
#define TRI_SCHED_MISUSE_H

#include "sched/worker.h"

/*
 * A waiting function, @what, outside of a task. Returns -EPERM, or -EOWNERDEAD in a forked
 * child.
 */
int tri_misuse_waits(const char *what);

/* The blocking form of @what in an actor of @w, called from @caller. Returns -EDEADLK. */
int tri_misuse_blocks(struct tri_worker *w, const char *what, const void *caller);

/*
 * The public function @what may not be called so; @why: what is wrong, and what to do. Returns
 * @r, or -EOWNERDEAD in a forked child, where nothing is told.
 */
int tri_misuse(int r, const char *what, const char *why);

#endif /* TRI_SCHED_MISUSE_H */
