/* SPDX-License-Identifier: MIT */
/*
 * troupe/task.h - a task is a C function with a stack of its own: every wait is a plain call.
 *
 *     struct conn { tr_sock s; statq_tx st; };
 *
 *     static void conn_drop(struct conn *c) { ... }
 *     TR_TASK(conn, struct conn, conn_drop);
 *
 *     static int conn(struct conn *c)
 *     {
 *         ...
 *         return 0;
 *     }
 *
 *     r = conn_spawn(&scope, &c, NULL);
 *
 * A started task stays on its worker, so errno and thread-locals are safe in it between two
 * waits. Its result is 0 or positive, or a negative errno: a failure. -ECANCELED and -ESHUTDOWN
 * are ends, not failures; in a collecting scope -EPIPE and -ECONNRESET are too.
 */
#ifndef TROUPE_TASK_H
#define TROUPE_TASK_H

#include <troupe/scope.h>
#include <troupe/select.h>

TR_BEGIN_DECLS

/* A handle on one task; { 0 } is empty. Closing it does not touch the task. */
typedef struct tr_task {
    struct tri_task *rec;
} tr_task;

enum tr_task_flag {
    TR_TASK_MOVABLE = 1u << 0, /* may change workers at any wait; keeps no errno across one */
    TR_TASK_SPREAD = 1u << 1, /* start it on the least busy worker, not on the parent's */
    TR_TASK_VITAL = 1u << 2,  /* its failure drains a collecting scope, and is its result */
};

struct tr_task_opts {
    const char *name;  /* for reports and results; outlives both. NULL: the TR_TASK name */
    unsigned flags;    /* enum tr_task_flag */
    tr_task *ret_task; /* a handle is wanted here; NULL: only the scope joins the task */
};

struct tri_task_type {
    const char *name;
    int (*run)(void *arg);
    tr_drop_fn *drop;
    uint32_t size;
    uint32_t align;
};

/*
 * Declares the task @name with an argument of @type, released by @drop_fn, and generates
 *
 *     int name_spawn(tr_scope *scope, type *arg, const struct tr_task_opts *opts);
 *
 * which moves *@arg into a new task of @scope. The argument is always consumed, and empty
 * afterwards: when the task ends, or when spawn fails, it is dropped.
 * Returns:  0.  -ENOMEM.  -ESHUTDOWN: the scope was cancelled.  -ENOBUFS: it holds as many
 *           children as it may.  -EPERM: @scope is new and the caller is no task.  -EINVAL:
 *           @scope or @arg is NULL.
 * Callers:  anybody for a scope that is in use; tasks for a new one.
 */
#define TR_TASK(name, type, drop_fn)                                                           \
    TR_STATIC_ASSERT(__alignof__(type) <= 16, "arguments are aligned to 16 bytes at most");    \
    static int name(type *tri_arg);                                                            \
    TR_GENERATED int name##_tri_run(void *tri_arg)                                             \
    {                                                                                          \
        return name((type *)tri_arg);                                                          \
    }                                                                                          \
    TR_GENERATED void name##_tri_drop(void *tri_value)                                         \
    {                                                                                          \
        type *tri_typed = (type *)tri_value;                                                   \
        drop_fn(tri_typed);                                                                    \
    }                                                                                          \
    static const struct tri_task_type name##_tri_type = { #name, name##_tri_run,               \
                                                          name##_tri_drop,                     \
                                                          (uint32_t)sizeof(type),              \
                                                          (uint32_t) __alignof__(type) };      \
    TR_GENERATED TR_CHECK int name##_spawn(tr_scope *tri_scope, type *tri_arg,                 \
                                           const struct tr_task_opts *tri_opts)                \
    {                                                                                          \
        return tr_task_spawn(tri_scope, &name##_tri_type, tri_arg, tri_opts);                  \
    }                                                                                          \
    struct name##_tri_semicolon

/* The untyped form below TR_TASK: copies @type->size bytes of *@arg and zeroes them. */
TR_API TR_CHECK int tr_task_spawn(tr_scope *scope, const struct tri_task_type *type, void *arg,
                                  const struct tr_task_opts *opts);

/*
 * Waits until the task has ended and its argument is dropped.
 * Returns:  0: *@ret_result (NULL: not wanted) is what it returned, -ECANCELED if it was
 *           cancelled before it started; *@t is empty.  -EDEADLK: the caller waits for itself.
 *           -EINVAL: @t is empty, or somebody else waits for this task.
 *           -ETIMEDOUT, -ECANCELED, -ESHUTDOWN: nothing changed.
 * Callers:  tasks.
 */
TR_API TR_CHECK int tr_task_join(tr_task *t, tr_time deadline, int *ret_result);

/* The same from a plain thread. -EDEADLK from an actor. */
TR_API TR_CHECK int tr_task_blocking_join(tr_task *t, tr_time deadline, int *ret_result);

/* An arm of tr_select() that is ready when the task has ended; its result is 0. Join then. */
TR_API tr_arm tr_task_join_arm(tr_task *t);

/* Cancels the task: its waits return -ECANCELED from now on. Does not wait. Twice is once. */
TR_API void tr_task_abort(tr_task *t);

TR_API bool tr_task_is_finished(const tr_task *t);
TR_API tr_id tr_task_id(const tr_task *t);

/* Lets go of the handle; the task goes on in its scope. */
TR_API void tr_task_close(tr_task *t);

/* Aborts the task and lets go of it; an empty handle: nothing. For TR_CLEANUP. */
TR_API void tr_task_abandon(tr_task *t);

/*
 * Others may hold aborters, any number: they cannot join, and closing one aborts nothing. While
 * one is open the task's record stays, and a failure that nobody joined is told when the last
 * of these and of the handle has gone. An empty one does nothing, and has no id.
 */
typedef struct tr_aborter {
    struct tri_task *rec;
} tr_aborter;

TR_API tr_aborter tr_task_aborter(const tr_task *t);
TR_API tr_aborter tr_aborter_clone(const tr_aborter *a);
TR_API void tr_aborter_abort(const tr_aborter *a);
TR_API bool tr_aborter_is_finished(const tr_aborter *a);
TR_API tr_id tr_aborter_id(const tr_aborter *a);
TR_API void tr_aborter_close(tr_aborter *a);

/* ---- inside a task ---- */

/* Lets the others run. Returns: 0, -ECANCELED, -EPERM outside a task. */
TR_API int tr_yield(void);

/*
 * In a long computation, now and then: counts as one operation of the slice, and lets the
 * others run when that is over, which tr_slice_left() says in advance. Outside of a task both
 * do nothing and return 0.
 * Returns: 0, -ECANCELED.
 */
TR_API int tr_tick(void);
TR_API int tr_slice_left(void);

/* Waits until @deadline. Returns: 0 then; -ECANCELED, -ESHUTDOWN before it; -EPERM. */
TR_API int tr_sleep(tr_time deadline);

/* The id and name of the running task or handler; 0 and NULL elsewhere. */
TR_API tr_id tr_self_id(void);
TR_API const char *tr_self_name(void);

/* The running task was cancelled: its next wait returns -ECANCELED. */
TR_API bool tr_self_is_cancelled(void);

/* The scope of the running actor drains, or the actor was cancelled: take nothing new. */
TR_API bool tr_self_is_draining(void);

/*
 * A cleanup section: until tr_shield_end() waits of a cancelled task work as usual, but none
 * longer than @budget (a span; the scope's cleanup budget caps it).
 *
 *     tr_shield guard TR_CLEANUP(tr_shield_end) = tr_shield_begin(TR_MS(200));
 */
typedef struct tr_shield {
    tr_time outer;
} tr_shield;

TR_API tr_shield tr_shield_begin(tr_time budget);
TR_API void tr_shield_end(tr_shield *guard);

TR_END_DECLS

#endif /* TROUPE_TASK_H */
