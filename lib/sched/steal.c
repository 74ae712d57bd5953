/* SPDX-License-Identifier: MIT */
/* steal.c - see steal.h. */
#include "config.h"

#include "sched/steal.h"

enum {
    RUN = 64,        /* handlers taken in one step */
    STEAL_MIN = 128, /* actors taken at once */
    STEAL_MAX = 2048,
    SLOWER = 3, /* times a stolen actor may be than its like at home */
    SHYNESS_MAX = 63,
    FAMILY = 64,    /* children */
    GRACE = 8,      /* looks for which a family is left alone */
    FAIR_TURN = 16, /* picks in which the oldest has its turn */
    SIGNS = 64,     /* picks until it shows whether a family talks */
    OFTEN = 3,      /* of one that talks: picks for each that begins, at least */
    TALK = 200,     /* looks for which that is left alone */
};

static const tr_time WORTH = TR_US(1); /* of a stolen actor's run */
static const tr_time SENTENCE = TR_US(3); /* at most a pick, of those who talk */

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
 * Whether @a, in the inbox of its home, may go elsewhere: not a task that has started. Nor the
 * handler that its home shows as @running: it has taken its READY away, and is still about to
 * arm its mailbox or its outbox, when a cancel or a drain queues it.
 */
static bool may_leave(const struct tri_actor *a, const struct tri_actor *running)
{
    if (tri_wakee_kind(&a->wakee) == TRI_KIND_HANDLER)
        return a != running && !a->wakee.pinned;
    /* relaxed, by the builtin: its end waits for the request that lies in the inbox. */
    return __atomic_load_n(&((const struct tri_task *)a)->frame, __ATOMIC_RELAXED) == NULL;
}

/*
 * Nothing of what lies there has been announced as backlog; the conductor, who sees a worker
 * stuck, asks for a watcher.
 */
void tri_steal_inbox(struct tri_worker *w, struct tri_worker *v)
{
    struct tri_actor *a = tri_inbox_raid(&v->inbox), *next, *first = NULL, *last = NULL;
    /* acquire: if it is another one by now, the run of each of ours has ended; pairs with the
     * release in run(). It is not older than their runs: who queued them had found their READY
     * taken away, in those runs or after. */
    const struct tri_actor *running = atomic_load_explicit(&v->shown, memory_order_acquire);

    for (; a; a = next) {
        next = a->link;
        if (may_leave(a, running)) {
            keep(w, tri_wakee_is_task(&a->wakee) ? &w->fresh : &w->hot, a);
            continue;
        }
        a->link = last; /* back, in the same order */
        first = first ? first : a;
        last = a;
    }
    if (first)
        tri_worker_return(v, first, last);
}

/*
 * Stealing pays if what was stolen keeps the thief busy, or runs there about as fast as with
 * its victim. Actors that run for less than the cache lines of their scope take to travel are
 * better left where they are: after such a theft the thief lets twice as many chances pass as
 * the last time; after a good one it takes twice as many actors.
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
 * Those of a family that have begun talk with each other, so the others will, too: most of what
 * their worker has picked since the last growth was not new, and it took little for each. The
 * mean counts: the one that they all talk to may have long slices. But not as long as that.
 */
static bool talks(const struct tri_seen *seen, unsigned long n_begun, tr_time at)
{
    return seen->n_run >= OFTEN * (n_begun - seen->n_begun) &&
           at - seen->grown_at < seen->n_run * SENTENCE && seen->n_still < GRACE;
}

/*
 * The @n unstarted tasks of @v are the many children of one task, which has gone on spawning
 * from look to look, until now or until so recently that @v has not come to the oldest of them;
 * but not for long yet. They have waited only for the birth of the youngest. Those who belong
 * together are apart for life if a thief comes between, and the oldest is often the one that
 * all the others will talk to; at home it begins within FAIR_TURN picks of its parent's giving
 * way (worker.h). Where it shows soon after that they talk, they are left alone for longer:
 * each FAIR_TURN picks one of them begins at home. Not by a thief whose last theft has @paid.
 */
static bool is_family(struct tri_worker *v, struct tri_seen *seen, long long bottom, long long n,
                      unsigned n_run, tr_time at, bool paid)
{
    bool first_sight = seen->fresh_bottom < 0, grows = n_run == 0 && bottom > seen->fresh_bottom;
    /* relaxed: a hint. */
    unsigned long n_begun = atomic_load_explicit(&v->n_begun, memory_order_relaxed);

    seen->n_still = n_run == 0 ? seen->n_still + 1 : 0;
    if (n >= FAMILY && (first_sight || grows)) {
        seen->n_run = 0;
        seen->n_begun = n_begun;
        seen->grown_at = at;
        seen->n_grown++;
    } else if (seen->n_grown > 0) {
        seen->n_run += n_run;
        seen->n_grown++;
    }
    if (seen->n_run < (paid ? FAIR_TURN : SIGNS))
        return seen->n_grown > 0 && seen->n_grown <= GRACE;
    if (paid || seen->n_grown > TALK || !talks(seen, n_begun, at))
        seen->n_grown = 0;
    return seen->n_grown > 0;
}

/*
 * Some unstarted tasks of @v wait for long: nobody has come to the oldest since the last look;
 * or some have been there since then, and @v runs each task for long. @run: how long, on the
 * average; 0: it is still in the first. A start is for life: tasks that talk with each other
 * for less than it costs to talk across workers should stay together, however many they are.
 */
static bool fresh_are_ripe(struct tri_worker *v, struct tri_seen *seen, tr_time run,
                           unsigned n_run, tr_time at, bool paid)
{
    /* relaxed, both: hints. */
    long long top = atomic_load_explicit(&v->fresh.top, memory_order_relaxed);
    long long bottom = atomic_load_explicit(&v->fresh.bottom, memory_order_relaxed);
    bool ripe = bottom > top && (seen->fresh_top == top ||
                                 (seen->fresh_bottom > top && (run == 0 || run >= WORTH)));

    ripe = !is_family(v, seen, bottom, bottom - top, n_run, at, paid) && ripe;
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

/*
 * @v has been in one slice since the last look, and its inbox as it is. A worker that is about
 * to wake, or whose thread has just been made, shows no actor: what lies there was placed for
 * it.
 */
static bool inbox_is_ripe(struct tri_worker *v, struct tri_seen *seen, unsigned n_run)
{
    /* relaxed, both: compared; the raid decides. */
    struct tri_actor *top = atomic_load_explicit(&v->inbox.top, memory_order_relaxed);
    const struct tri_actor *shown = atomic_load_explicit(&v->shown, memory_order_relaxed);
    bool ripe = n_run == 0 && shown && shown == seen->shown && top == seen->inbox_top &&
                top != TRI_INBOX_EMPTY && top != TRI_INBOX_ASLEEP;

    seen->inbox_top = top;
    seen->shown = shown;
    return ripe;
}

/* Takes half of a queue of @v, but not too much, if it may; @at: the time of this look. */
static void steal(struct tri_worker *w, struct tri_worker *v, struct tri_lookout *s, tr_time at)
{
    struct tri_seen *seen = &s->of[v->index];
    /* relaxed: compared with itself only. */
    unsigned tick = atomic_load_explicit(&v->tick, memory_order_relaxed);
    unsigned n_run = tick - seen->tick;
    tr_time run = n_run > 0 ? (at - s->at) / n_run : 0;
    bool fresh = fresh_are_ripe(v, seen, run, n_run, at, w->greed > STEAL_MIN);
    bool hot = hot_are_ripe(v, seen);
    size_t n = (tri_deque_len(fresh ? &v->fresh : &v->hot) + 1) / 2;

    seen->tick = tick;
    s->backlog = s->backlog || tri_deque_len(&v->fresh) > 0 || tri_deque_len(&v->hot) > 0;
    if (inbox_is_ripe(v, seen, n_run)) {
        tri_steal_inbox(w, v);
        return;
    }
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

void tri_steal_begin(struct tri_worker *w, struct tri_lookout *s)
{
    if (w->greed == 0)
        w->greed = STEAL_MIN;
    judge(w);
    for (unsigned i = 0; i < w->rt->n_worker; i++)
        s->of[i] = (struct tri_seen){ .fresh_top = -1, .fresh_bottom = -1, .hot_bottom = -1 };
    s->at = 0;
}

void tri_steal_look(struct tri_worker *w, struct tri_lookout *s)
{
    struct tri_runtime *rt = w->rt;
    tr_time at = now(w);

    s->backlog = false;
    for (unsigned k = 1; k < rt->n_worker && !tri_worker_has_work(w); k++)
        steal(w, rt->workers[(w->index + k) % rt->n_worker], s, at);
    s->at = at;
}
