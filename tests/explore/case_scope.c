/* SPDX-License-Identifier: MIT */
/*
 * case_scope.c - sched/scope.c and scope_wait.c: the ends of the children, threads 1 and 2,
 * against the wait of the owner, thread 0, who frees the scope as soon as nobody is left in it.
 */
#include "config.h"

#include <errno.h>

#include <troupe/scope.h>

#include "explore/explore.h"
#include "explore/world.h"
#include "sched/scope.h"
#include "sched/task.h"

static struct world_worker *workers[EXPLORE_THREADS]; /* of the owner, and where children end */
static struct tri_slab slab;
static struct tri_slab_cache cache;
static struct tri_actor *child[EXPLORE_THREADS];
static tr_scope scope;
static bool is_ended; /* by its owner */

/* What runs as thread @t, in the scope: READY, as while it runs. */
static void add_child(unsigned t)
{
    struct tri_actor *a = tri_slab_get(&cache);

    atomic_init(&a->wakee.kind, TRI_KIND_HANDLER);
    atomic_init(&a->wakee.word, TRI_READY);
    atomic_init(&a->home, world_worker_of(workers[t]));
    check(tri_scope_add(scope.impl, a) == 0);
    child[t] = a;
}

static void begin(unsigned n, const struct tr_scope_opts *opts)
{
    check(tri_slab_init(&slab, (sizeof(struct tri_actor) + 15) / 16 * 16) == 0);
    tri_slab_cache_init(&cache, &slab);
    for (unsigned t = 0; t < EXPLORE_THREADS; t++)
        workers[t] = world_worker_new(TRI_KIND_TASK, (uint16_t)(t + 1));
    world_scope_open(workers[0], opts, &scope);
    for (unsigned t = 1; t <= n; t++)
        add_child(t);
    is_ended = false;
}

static void setup_1(void)
{
    begin(1, &(struct tr_scope_opts){ 0 });
}

static void setup_2(void)
{
    begin(2, &(struct tr_scope_opts){ 0 });
}

static void setup_full(void)
{
    begin(2, &(struct tr_scope_opts){ .max_children = 2 });
}

/* The children are tasks whose results are kept. */
static void setup_keep(void)
{
    begin(0, &(struct tr_scope_opts){ .keep = TR_KEEP_ALL });
    for (unsigned t = 1; t < EXPLORE_THREADS; t++) {
        struct tri_actor *a = tri_actor_of(world_worker_wakee(workers[t]));

        tri_task_of(a)->uncounted = false;
        check(tri_scope_add(scope.impl, a) == 0);
    }
}

static void finish(void)
{
    check(is_ended);
    for (unsigned t = 0; t < EXPLORE_THREADS; t++)
        world_worker_free(workers[t]);
}

/* ---- the owner ---- */

static void end(void)
{
    tr_scope_end(&scope);
    check(!scope.impl);
    is_ended = true;
}

static void join_end(void)
{
    world_worker_enter(workers[0]);
    check(tr_scope_join(&scope, TR_NEVER) == 0);
    check(tr_scope_len(&scope) == 0);
    end();
}

static void join_a_while_end(void)
{
    int r;

    world_worker_enter(workers[0]);
    r = tr_scope_join(&scope, TR_S(2));
    check(r == 0 || r == -ETIMEDOUT);
    end();
}

/* Cancels whoever is left, and waits. */
static void end_at_once(void)
{
    world_worker_enter(workers[0]);
    end();
}

static void drain_end(void)
{
    int r;

    world_worker_enter(workers[0]);
    r = tr_scope_drain(&scope, TR_S(2));
    check(r == 0 || r == -ETIMEDOUT);
    check(tr_scope_len(&scope) == 0);
    end();
}

static void room_join_end(void)
{
    world_worker_enter(workers[0]);
    check(tr_scope_room(&scope, TR_NEVER) == 0);
    check(tr_scope_len(&scope) < 2);
    check(tr_scope_join(&scope, TR_NEVER) == 0);
    end();
}

static int next(tr_time deadline)
{
    tr_ended ended = { .result = 0 };
    int r = tr_scope_next(&scope, deadline, &ended);

    check(r != 1 || ended.result == 7);
    return r;
}

static void next_to_end(void)
{
    world_worker_enter(workers[0]);
    check(next(TR_NEVER) == 1);
    check(next(TR_NEVER) == 1);
    check(next(TR_NEVER) == 0);
    end();
}

/* What nobody has asked for goes with the scope. */
static void next_a_while_end(void)
{
    int r;

    world_worker_enter(workers[0]);
    r = next(TR_S(2));
    check(r == 1 || r == -ETIMEDOUT);
    end();
}

/* ---- the children ---- */

static void task_ends(void)
{
    world_worker_enter(workers[explore_self()]);
    world_worker_end(workers[explore_self()], 7);
}

static void child_ends(void)
{
    struct tri_actor *a = child[explore_self()];

    tri_scope_remove(a->scope, a, 0, false);
    tri_slab_put(&cache, a);
}

/* A plain thread that cancels the scope while its children hold it; then a child ends. */
static void cancel_child_ends(void)
{
    tri_scope_cancel(scope.impl);
    child_ends();
}

/* ---- broken ---- */

static void woken_already(struct explore_op *op)
{
    if (explore_is(op, "tri_wake", EXPLORE_OR))
        op->old |= TRI_READY;
}

static void ref_lost(struct explore_op *op)
{
    if (explore_is(op, "tri_task_ref", EXPLORE_ADD))
        op->writes = false;
}

static void unlocked(struct explore_op *op)
{
    if (explore_is(op, "tri_lock_try", EXPLORE_CAS))
        op->ok = true;
}

static void relaxed_unlock(struct explore_op *op)
{
    if (explore_is(op, "tri_lock_release", EXPLORE_EXCHANGE))
        op->order = __ATOMIC_RELAXED;
}

static const struct explore_broken broken[] = {
    { "the last child takes the owner for woken", woken_already },
    { "no lock", unlocked },
    { "the lock is released in relaxed order", relaxed_unlock },
    { 0 },
};

static const struct explore_broken broken_keep[] = {
    { "a result that is kept is not counted as a reference", ref_lost },
    { 0 },
};

const struct explore_case explore_scope_cases[] = {
    { "scope, join, end x a child ends", setup_1, { join_end, child_ends }, finish, 3, 4,
      broken },
    { "scope, join, end x a child ends x a child ends", setup_2,
      { join_end, child_ends, child_ends }, finish, 2, 2, NULL },
    { "scope, join with a deadline, end x a child ends x a child ends", setup_2,
      { join_a_while_end, child_ends, child_ends }, finish, 1, 2, NULL },
    { "scope, end x a child ends x a child ends", setup_2,
      { end_at_once, child_ends, child_ends }, finish, 1, 2, NULL },
    { "scope, drain, end x a child ends x a child ends", setup_2,
      { drain_end, child_ends, child_ends }, finish, 1, 2, NULL },
    { "scope of 2, room, join, end x a child ends x a child ends", setup_full,
      { room_join_end, child_ends, child_ends }, finish, 1, 2, NULL },
    { "scope that keeps, next, next, end x a task ends x a task ends", setup_keep,
      { next_to_end, task_ends, task_ends }, finish, 1, 2, broken_keep },
    { "scope that keeps, next with a deadline, end x a task ends x a task ends", setup_keep,
      { next_a_while_end, task_ends, task_ends }, finish, 1, 2, NULL },
    { "scope, join, end x cancel, a child ends", setup_1, { join_end, cancel_child_ends }, finish,
      2, 3, NULL },
    { 0 },
};
