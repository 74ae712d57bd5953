/* SPDX-License-Identifier: MIT */
/*
 * wait.h - the one loop in which everything waits. A source (a channel, a socket, a task's end)
 * describes itself by an arm of tr_select(): a table of functions.
 *
 *     attempt     performs the operation if it can be done now
 *     enroll      registers a waiter, so that a change which may let attempt succeed wakes it
 *     withdraw    takes the waiter back
 *     keeps_place (optional) the waiter is still in line: a spurious wake must not lose the
 *     place
 *     due         (optional) when time alone makes it ready
 *
 *     attempt ->done
 *     loop: take READY away; enroll; [attempt again inside enroll]; sleep; withdraw; attempt
 *
 * enroll must look at the source again after it has made the waiter visible (or make it visible
 * and look in one atomic step) and return false if attempt may succeed now; it is then not
 * enrolled. That, with wakee.h, is why no wake-up is lost.
 *
 * A source that works under a lock may perform the operation for a waiter (a receiver moves the
 * message of a waiting sender): it does so under its lock, and withdraw tells. A source without
 * a lock touches only waiter->wakee's memory after it has let the waiter go (see wakee.h).
 */
#ifndef TRI_SCHED_WAIT_H
#define TRI_SCHED_WAIT_H

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>

#include <troupe/select.h>

#include "sched/wakee.h"

/* A registration with one source; lives in the frame of the waiting call. */
struct tri_waiter {
    struct tri_waiter *next, *prev; /* for the source's queue */
    struct tri_wakee *wakee;        /* whom to wake; constant while enrolled */
    union {
        void *value;                /* the arm's value, for a source that performs the
                                     * operation */
        uintptr_t number;           /* or what else the source keeps here, from enroll on */
    };
    bool selects;                   /* one of several arms: the source may only wake it */
    atomic_bool done;               /* the source has performed the operation, or hints so */
    uint32_t n_place;               /* mpsc: it wants permits, so many; 0: it sends */
};

struct tri_arm_ops {
    const char *what; /* "mpsc recv": for reports */
    /* Performs the operation: true, with arm->result; false: it would have to wait. */
    bool (*attempt)(tr_arm *arm);
    /*
     * False: not enrolled, attempt again. @w->wakee, value and selects are set by the caller.
     */
    bool (*enroll)(tr_arm *arm, struct tri_waiter *w);
    /* True: the source performed the operation meanwhile; arm->result is set. */
    bool (*withdraw)(tr_arm *arm, struct tri_waiter *w);
    /* NULL, or true while @w is enrolled and not served. */
    bool (*keeps_place)(const tr_arm *arm, const struct tri_waiter *w);
    /*
     * NULL, or of an enrolled arm: when to attempt again although nobody wakes. TR_NEVER: no.
     */
    tr_time (*due)(const tr_arm *arm);
};

/*
 * The earlier of @deadline and the instant at which @arm is due; the drain bit is @deadline's.
 */
static inline tr_time tri_arm_limit(const tr_arm *arm, tr_time deadline)
{
    tr_time limit = deadline & ~TR_DRAIN_BIT;
    tr_time due = arm->ops->due ? arm->ops->due(arm) : TR_NEVER;

    return (due < limit ? due : limit) | (deadline & TR_DRAIN_BIT);
}

/*
 * A park until tri_arm_limit() has given @r: the same as seen by one that waits until
 * @deadline.
 */
static inline int tri_due_is_no_error(int r, tr_time deadline)
{
    return r == -ETIMEDOUT && (deadline & ~TR_DRAIN_BIT) > tr_now() ? 0 : r;
}

/*
 * Waits in the calling task until the operation of @arm is performed.
 * Returns:  0: done, see arm->result.  -EPERM outside a task, -ECANCELED, -ESHUTDOWN,
 * -ETIMEDOUT. Order: a call by a cancelled task: -ECANCELED at once; then what is ready; then
 * the rest.
 */
int tri_wait(tr_arm *arm, tr_time deadline);

/* The same in a plain thread; -EDEADLK from an actor (told once, with @caller's place). */
int tri_wait_blocking(tr_arm *arm, tr_time deadline, const void *caller);

struct tri_task;

/* The running task, or NULL. Never inlined: a task may change threads at a wait. */
struct tri_task *tri_self(void);

/* The wakee of a task. */
struct tri_wakee *tri_task_wakee(struct tri_task *t);

/*
 * First step of every waiting call: tri_wait_enter(self) in worker.h.
 * Returns:  0: go on.  -ECANCELED: @self is cancelled (and has yielded if it goes on ignoring
 *           it).  -EPERM: @self is NULL; told to the hook with what to do instead.
 */

/* tri_park_prepare(self), in worker.h: takes READY away: from here to tri_park() or
 * tri_park_undo() a wake is remembered. */

/*
 * Sleeps until woken, until @deadline (which may carry the drain bit), a cancel, or a drain.
 * Returns:  0: woken, perhaps spuriously.  -ECANCELED, -ESHUTDOWN, -ETIMEDOUT.  The caller
 *           looks at its source before it returns an error.
 */
int tri_park(struct tri_task *self, tr_time deadline);

/* Instead of tri_park(): does not sleep after all. */
void tri_park_undo(struct tri_task *self);

/* True if a wait until @deadline need not begin; @ret_r is then the error it would end with. */
bool tri_wait_is_over(struct tri_task *self, tr_time deadline, int *ret_r);

/* tri_task_note(self, what, source), in worker.h: what a parked task waits for, for reports. */

#endif /* TRI_SCHED_WAIT_H */
