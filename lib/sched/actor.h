/* SPDX-License-Identifier: MIT */
/*
 * actor.h - the records of what runs: struct tri_actor is the common part of a task and of a
 * handler. Records lie in slabs (mem/slab.h) that live as long as the process, so a stale
 * pointer is always a record, and a stale id is found out by its generation.
 *
 * Who writes what, and when it may be read:
 *   slab_index          the slab, once
 *   generation          +1 by the one who frees the record; read with an id by anybody
 *   wakee               any thread, one atomic word (wakee.h)
 *   link                the one who turned READY on, until the worker takes it from the inbox
 *                       or the overflow list
 *   scope, ...          spawn, before the actor is queued; constant while it lives
 *   older, younger      under scope->lock
 *   home                the worker that may run it: spawn, and then only the worker that takes
 *                       it from a queue; read by a waker after it turned READY on (the actor is
 *                       then in no queue, so nobody writes it)
 */
#ifndef TRI_SCHED_ACTOR_H
#define TRI_SCHED_ACTOR_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <troupe/task.h>

#include "base/wheel.h"
#include "sched/context.h"
#include "sched/wait.h"
#include "sched/wakee.h"

struct tri_worker;
struct tri_scope;
struct tri_frame;
struct tri_gate;
struct tri_local;

struct tri_actor {
    uint32_t slab_index;
    atomic_uint generation;
    struct tri_wakee wakee;
    struct tri_actor *link;
    struct tri_scope *scope;
    struct tri_actor *older, *younger;
    struct tri_worker *_Atomic home;
    const void *spawn_pc; /* the call that spawned it, for reports */
};

/* Its name; while it lives. Any thread, signal handlers. */
const char *tri_actor_name(const struct tri_actor *a);

enum { TRI_ARG_INLINE = 48 };

/*
 * A task. The record exists from spawn until its end was seen by every handle; the frame only
 * from its first run to its end.
 */
struct tri_task {
    struct tri_actor a;
    struct tri_frame *frame;             /* written by the home worker; NULL: not started */
    const struct tri_task_type *type;    /* constant */
    const char *name;                    /* constant */
    struct tri_wakee *_Atomic joiner;    /* who waits for the end, or TRI_TASK_ENDED */
    atomic_uint n_ref;                   /* the execution, each handle and aborter */
    int result;                          /* written before TRI_TASK_ENDED is published */
    bool spread;                         /* counted in its home's n_spread; constant */
    bool movable;                        /* constant */
    bool vital;                          /* constant */
    bool untold;                         /* failed, and nobody knows: before ENDED, then its
                                          * joiner */
    bool handled;                        /* a handle is open, which may join */
    bool uncounted;                      /* in no list of children: a root task; constant */
    _Alignas(16) char arg[TRI_ARG_INLINE]; /* the argument, or a pointer to it if it is
                                            * larger */
};
_Static_assert(sizeof(struct tri_task) <= 160, "an unstarted task costs its record");

#define TRI_TASK_ENDED ((struct tri_wakee *)1)

/*
 * At the top of the stack of a started task; touched by its home worker only, but for reports.
 */
struct tri_frame {
    struct tri_context ctx;
    struct tri_task *task;
    struct tri_timer timer;  /* of the wait; armed in the home worker's wheel */
    bool timed_out;          /* the timer fired */
    bool spread;             /* its spawns go to the least busy worker */
    unsigned n_scopes;       /* that it has opened and not ended */
    bool yields;             /* has a place in its worker's late queue */
    bool open;               /* requests may come: READY was taken away */
    unsigned seen;           /* the word's bits as tri_park_prepare() found them */
    unsigned n_ignored;      /* -ECANCELED results in a row */
    unsigned n_shield;       /* nested cleanup sections */
    tr_time shield_until;    /* end of the innermost one's budget */
    const struct tri_arm_ops *wait_what; /* for reports: what it waits for */
    const void *wait_source;
    void *stack_top;
    struct tri_gate *gate; /* of its questions; NULL: it has not asked yet */
    struct tri_local *locals; /* the scopes of TR_LOCALs it is in, innermost first */
};

static inline struct tri_task *tri_task_of(struct tri_actor *a)
{
    return (struct tri_task *)a; /* a is its first member */
}

static inline struct tri_actor *tri_actor_of(struct tri_wakee *w)
{
    return (struct tri_actor *)(void *)((char *)w - offsetof(struct tri_actor, wakee));
}

/*
 * Its number for ever: generation, then the bits of a handler's slab (TRI_SPACE_SHIFT), then
 * its place there. The caller holds the actor alive.
 */
tr_id tri_actor_id(const struct tri_actor *a);

enum { TRI_SPACE_SHIFT = 23, TRI_SPACE_FLAG = 1 << 8, TRI_SPACES_MAX = 255 };

#endif /* TRI_SCHED_ACTOR_H */
