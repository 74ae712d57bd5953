/* SPDX-License-Identifier: MIT */
/* steal.c - see steal.h. */
#include "config.h"

#include <string.h>

#include "sched/steal.h"

enum {
    RUN = 64,        /* handlers taken in one step */
    STEAL_MIN = 128, /* actors taken at once */
    STEAL_MAX = 2048,
    SLOWER = 3, /* times a stolen actor may be than its like at home */
    SHYNESS_MAX = 63,
};

static const tr_time WORTH = TR_US(1); /* of a stolen actor's run */

static tr_time now(struct tri_worker *w)
{
    struct tri_backend *b = w->rt->backend;

    return b->ops->now(b);
}

/* Makes @a an actor of @w, in @to. Without memory for a larger queue it runs when that is empty. */
static void keep(struct tri_worker *w, struct tri_deque *to, struct tri_actor *a)
{
    tri_actor_moves(a, w);
    if (tri_deque_is_full(to) && tri_deque_grow(to) < 0)
        tri_overflow_push(w, a);
    else
        tri_deque_push(to, a);
    w->n_stolen++;
}

/* From the unstarted tasks, which their owner takes at the other end: one by one. */
static void steal_fresh(struct tri_worker *w, struct tri_deque *from, size_t n)
{
    struct tri_actor *a;

    for (; n > 0 && tri_deque_len(from) > 0; n--) {
        a = tri_deque_steal(from);
        if (a)
            keep(w, &w->fresh, a);
    }
}

static void steal_hot(struct tri_worker *w, struct tri_deque *from, size_t n)
{
    struct tri_actor *run[RUN];
    size_t got;

    for (; n > 0; n -= got < n ? got : n) {
        got = tri_deque_steal_many(from, run, n < RUN ? n : RUN);
        if (got == 0)
            return;
        for (size_t i = 0; i < got; i++)
            keep(w, &w->hot, run[i]);
    }
}

/*
 * Stealing pays if what was stolen keeps the thief busy, or runs there about as fast as with its
 * victim. Actors that run for less than the cache lines of their scope take to travel are better
 * left where they are: after such a theft the thief lets twice as many chances pass as the last
 * time; after a good one it takes twice as many actors.
 */
static void judge(struct tri_worker *w)
{
    tr_time run;

    if (w->n_stolen == 0)
        return;
    run = (now(w) - w->stolen_at) / (tr_time)w->n_stolen;
    if (run >= WORTH || run < w->victim_run * SLOWER) {
        w->shyness = 0;
        w->greed = w->greed * 2 < STEAL_MAX ? w->greed * 2 : STEAL_MAX;
    } else {
        w->shyness = w->shyness < SHYNESS_MAX ? w->shyness * 2 + 1 : w->shyness;
        w->greed = STEAL_MIN;
    }
    w->patience = w->shyness;
    w->n_stolen = 0;
}

/*
 * Some unstarted tasks of @v wait for long: nobody has come to the oldest since the last look; or
 * some have been there since then, and @v runs each task for long. @run: how long, on the
 * average; 0: it is still in the first. A start is for life: tasks that talk with each other for
 * less than it costs to talk across workers should stay together, however many they are.
 */
static bool fresh_are_ripe(struct tri_worker *v, struct tri_seen *seen, tr_time run)
{
    /* relaxed, both: hints. */
    long long top = atomic_load_explicit(&v->fresh.top, memory_order_relaxed);
    long long bottom = atomic_load_explicit(&v->fresh.bottom, memory_order_relaxed);
    bool ripe = bottom > top && (seen->fresh_top == top ||
                                 (seen->fresh_bottom > top && (run == 0 || run >= WORTH)));

    seen->fresh_top = bottom > top ? top : -1;
    seen->fresh_bottom = bottom;
    return ripe;
}

/* Some handlers of @v, or its tasks that may move, have been ready since the last look. */
static bool hot_are_ripe(struct tri_worker *v, struct tri_seen *seen)
{
    /* relaxed, both: hints. */
    long long top = atomic_load_explicit(&v->hot.top, memory_order_relaxed);
    long long bottom = atomic_load_explicit(&v->hot.bottom, memory_order_relaxed);
    bool ripe = bottom > top && seen->hot_bottom > top;

    seen->hot_bottom = bottom;
    return ripe;
}

/* Takes half of a queue of @v, but not too much, if it may; @at: the time of this look. */
static void steal(struct tri_worker *w, struct tri_worker *v, struct tri_sight *s, tr_time at)
{
    struct tri_seen *seen = &s->of[v->index];
    /* relaxed: compared with itself only. */
    unsigned tick = atomic_load_explicit(&v->tick, memory_order_relaxed);
    unsigned n_run = tick - seen->tick;
    tr_time run = n_run > 0 ? (at - s->at) / n_run : 0;
    bool fresh = fresh_are_ripe(v, seen, run), hot = hot_are_ripe(v, seen);
    size_t n = (tri_deque_len(fresh ? &v->fresh : &v->hot) + 1) / 2;

    seen->tick = tick;
    s->backlog = s->backlog || tri_deque_len(&v->fresh) > 0 || tri_deque_len(&v->hot) > 0;
    if (!fresh && !hot)
        return;
    if (w->patience > 0) {
        w->patience--;
        return;
    }
    n = n < w->greed ? n : w->greed;
    if (fresh)
        steal_fresh(w, &v->fresh, n);
    else
        steal_hot(w, &v->hot, n);
    w->stolen_at = at;
    w->victim_run = !fresh && run == 0 ? WORTH : run; /* handlers behind one long slice */
}

void tri_steal_begin(struct tri_worker *w, struct tri_sight *s)
{
    if (w->greed == 0)
        w->greed = STEAL_MIN;
    judge(w);
    memset(s->of, 0xff, w->rt->n_worker * sizeof s->of[0]);
    s->at = 0;
}

void tri_steal_look(struct tri_worker *w, struct tri_sight *s)
{
    struct tri_runtime *rt = w->rt;
    tr_time at = now(w);

    s->backlog = false;
    for (unsigned k = 1; k < rt->n_worker && !tri_worker_has_work(w); k++)
        steal(w, rt->workers[(w->index + k) % rt->n_worker], s, at);
    s->at = at;
}
