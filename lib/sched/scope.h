/* SPDX-License-Identifier: MIT */
/*
 * scope.h - the record behind a tr_scope: its children, and the tree of scopes.
 *
 * lock covers everything below it. Order: a parent's lock before its child's; queue locks of
 * channels are never taken inside, waking is. A scope lives until its owner frees it after the
 * last child has left the list under the lock. Records lie in a slab: a child that has just
 * released the lock may still touch its word.
 */
#ifndef TRI_SCHED_SCOPE_H
#define TRI_SCHED_SCOPE_H

#include "base/lock.h"
#include "sched/actor.h"

struct tri_scope {
    uint32_t slab_index;
    struct tri_lock lock;
    struct tri_runtime *rt;     /* constant */
    struct tri_scope *parent;   /* constant; NULL: the root */
    struct tri_task *owner;     /* constant: who opened it */
    const char *name;           /* constant */
    tr_time budget;             /* constant: for cleanups */
    enum tr_policy policy;      /* constant */
    unsigned stop;              /* TRI_DRAIN, TRI_CANCEL: what new children are born with */
    struct tri_scope *first, *next, *prev; /* child scopes; next and prev under parent's lock */
    struct tri_actor *youngest;
    size_t n_live;
    size_t n_failed;
    size_t n_cancelled;         /* children that got CANCEL while alive, ever */
    int failure;                /* the first one, until a join has reported it */
    struct tri_actor *culprit;  /* whose failure that is, while its result is kept */
    bool told;                  /* the owner has seen the culprit's result */
    struct tri_wakee *joiner;   /* the owner, while it waits for something of wanted */
    unsigned wanted;            /* TRI_WANT_...; 0 without a joiner */
    enum tr_keep keep;          /* constant */
    size_t max_children;        /* constant; 0: no limit */
    struct tri_actor *kept, *last_kept; /* ended tasks, each held, linked by younger */
    size_t n_kept;
    struct tri_timer timer;     /* of the deadline, in the wheel of owner's worker; its
                                 * thread's */
    bool overdue;               /* the deadline has passed */
};

/*
 * What an owner waits for: no child is left, a result is kept (or none will be), there is room.
 */
enum {
    TRI_WANT_EMPTY = 1u << 0,
    TRI_WANT_RESULT = 1u << 1,
    TRI_WANT_ROOM = 1u << 2,
};

/* The mark of a scope's timer in a worker's wheel; others are enum tri_wakee_kind. */
enum { TRI_TIMER_SCOPE = TRI_KIND_THREAD + 1 };

/* Makes the record of a scope that @owner opened below @parent. NULL: no memory. */
struct tri_scope *tri_scope_new(struct tri_runtime *rt, struct tri_scope *parent,
                                struct tri_task *owner, const struct tr_scope_opts *opts);
void tri_scope_free(struct tri_scope *s);

/* @t, which is in no scope, works in @s without being counted in it: the root task. */
void tri_scope_adopt(struct tri_scope *s, struct tri_task *t);

/* The record of @s, made now if need be. Returns 0, -ENOMEM, -EPERM, -EINVAL. */
int tri_scope_use(tr_scope *s);

/* Adds a child, which is READY and in no queue. Returns 0, -ESHUTDOWN, -ENOBUFS. */
int tri_scope_add(struct tri_scope *s, struct tri_actor *a);

/*
 * Takes a child out that ended with @result; @watched: somebody will look at the result. After
 * this the scope may be gone.
 */
void tri_scope_remove(struct tri_scope *s, struct tri_actor *a, int result, bool watched);

/* What of TRI_WANT_... holds. Under its lock. */
unsigned tri_scope_ready(const struct tri_scope *s);

/* Takes the first result that is kept out of the list, with its reference. Under its lock. */
struct tri_task *tri_scope_unkeep(struct tri_scope *s);

/*
 * Takes the result that was kept first.  1: *@ret_task, whose reference is yours.  0: no child
 * is left.  -EAGAIN.
 */
int tri_scope_take(struct tri_scope *s, struct tri_task **ret_task);

/*
 * Of an arm whose source is a scope and whose extra[0] is of TRI_WANT_...; for struct
 * tri_arm_ops.
 */
bool tri_scope_enroll(tr_arm *arm, struct tri_waiter *w);
bool tri_scope_withdraw(tr_arm *arm, struct tri_waiter *w);

/* The calling task has opened @s. */
bool tri_scope_is_own(const tr_scope *s);

/* The first failure, which is hereby reported. */
int tri_scope_outcome(struct tri_scope *s);

/* Waits until @s is empty, whatever happens to the caller, its owner. */
void tri_scope_join_regardless(tr_scope *s);

/* The deadline of a scope has passed: on its owner's worker. */
void tri_scope_timer_fired(struct tri_timer *timer);

/* Ends the scopes that @self, which runs and is about to end, has opened and not ended. */
void tri_scope_end_forgotten(struct tri_task *self);

void tri_scope_drain(struct tri_scope *s);
void tri_scope_cancel(struct tri_scope *s);

/*
 * Calls @visit for @top and every scope below it, with its lock held and those above it. While
 * a task is in such a list its stack stays: a task leaves the list before its stack is given
 * away. So @visit may look at t->frame and what it waits for, by atomic loads; it takes no
 * lock.
 */
void tri_scope_each(struct tri_scope *top, void (*visit)(struct tri_scope *s, void *arg),
                    void *arg);

/*
 * Tells the hook of the failure of @a: what it is, how it failed, why, and where it was
 * spawned.
 */
void tri_scope_tell_failure(const struct tri_actor *a, const char *how, int result);

/* Cancels one actor, alive or not; its record must be held. */
void tri_actor_cancel(struct tri_actor *a);
void tri_actor_drain(struct tri_actor *a);

/* The slab of every scope record of the process. Setup: as tri_task_setup(). */
int tri_scope_setup(void);
struct tri_slab *tri_scope_slab(void);

#endif /* TRI_SCHED_SCOPE_H */
