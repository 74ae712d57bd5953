/* SPDX-License-Identifier: MIT */
/* ready.c - see worker.h: how one that is ready comes into a queue of the worker it belongs to. */
#include "config.h"

#include "sched/idle.h"
#include "sched/task.h"
#include "sched/worker.h"

/* ---- on the worker itself ---- */

void tri_overflow_push(struct tri_worker *w, struct tri_actor *a)
{
    a->link = w->overflow;
    w->overflow = a;
}

/* Pushes to a stealable queue; without memory for a larger one, to a list. */
static void share(struct tri_worker *w, struct tri_deque *d, struct tri_actor *a)
{
    if (tri_unlikely(tri_deque_is_full(d)) && tri_deque_grow(d) < 0) {
        tri_overflow_push(w, a);
        return;
    }
    tri_deque_push(d, a);
    if (tri_deque_len(d) > 1) /* no second worker for one runnable actor */
        tri_idle_backlog(w->rt);
}

/* A task that stays, and has started: it is next, or at the end of the queue. */
static void run_own(struct tri_worker *w, struct tri_actor *a, bool lifo)
{
    if (!lifo) {
        tri_runq_push(&w->own, a);
        return;
    }
    if (w->lifo)
        tri_runq_push(&w->own, w->lifo);
    w->lifo = a;
}

/* A READY actor whose home is @w, on @w's thread: an unstarted task, or one that may move. */
static void ready_here(struct tri_worker *w, struct tri_actor *a)
{
    struct tri_task *t = tri_task_of(a);

    if (tri_unlikely(a->wakee.pinned)) {
        tri_runq_push(&w->own, a); /* reserved with the timer */
        return;
    }
    if (tri_wakee_is_task(&a->wakee)) {
        if (!t->frame) {
            share(w, &w->fresh, a);
            return;
        }
        /* Movable. Its timer is in our wheel: take it out while the task is still ours. */
        tri_wheel_remove(&w->wheel, &t->frame->timer);
        if (t == w->task || t == w->hidden) { /* we stand on its stack: not for thieves */
            tri_overflow_push(w, a);
            return;
        }
    }
    share(w, &w->hot, a);
}

void tri_overflow_flush(struct tri_worker *w)
{
    struct tri_actor *a = w->overflow, *next;

    w->overflow = NULL;
    for (; a; a = next) {
        next = a->link;
        ready_here(w, a);
    }
}

bool tri_wakee_here(struct tri_wakee *wakee)
{
    struct tri_actor *a = tri_actor_of(wakee);
    struct tri_worker *here = tri_tls_worker; /* nothing suspends here */
    /* acquire: parked was set after home; so a stale wake does not take a stranger, who has
     * parked elsewhere, for one of this thread. */
    bool parked = atomic_load_explicit(&wakee->parked, memory_order_acquire);

    /* relaxed: if it is ours, our thread wrote it. */
    if (!here || atomic_load_explicit(&a->home, memory_order_relaxed) != here)
        return false;
    if (!parked) {
        /* It runs, or is queued, or has not started. relaxed: our thread's. */
        atomic_store_explicit(&wakee->notified, true, memory_order_relaxed);
        return true;
    }
    atomic_store_explicit(&wakee->parked, false, memory_order_relaxed); /* as above */
    /* What timers and descriptors wake keeps its order; what an actor wakes runs next. */
    run_own(here, a, !here->maintaining && (here->task != NULL || here->handler != NULL));
    return true;
}

/* One actor from the inbox: a request for a task that stays, or a READY actor. */
static void take_in(struct tri_worker *w, struct tri_actor *a)
{
    if (tri_wakee_kind(&a->wakee) != TRI_KIND_TASK || !tri_task_of(a)->frame) {
        ready_here(w, a);
        return;
    }
    /* acquire: what the waker did before. release: the link is free for the next request. */
    atomic_fetch_and_explicit(&a->wakee.word, ~(unsigned)TRI_READY, memory_order_acq_rel);
    /* relaxed, all: our thread's. */
    if (atomic_load_explicit(&a->wakee.parked, memory_order_relaxed)) {
        atomic_store_explicit(&a->wakee.parked, false, memory_order_relaxed);
        tri_runq_push(&w->own, a);
    } else {
        atomic_store_explicit(&a->wakee.notified, true, memory_order_relaxed);
    }
}

void tri_worker_take_in(struct tri_worker *w)
{
    struct tri_actor *a = tri_inbox_take(&w->inbox), *next;

    for (; a; a = next) {
        next = a->link;
        take_in(w, a);
    }
}

/*
 * Once the actor is in the inbox, it and the whole runtime may end before a foreign thread has
 * done with the wake of the worker: rt->n_pushing keeps the runtime until then. Its own workers
 * need no such thing, they are joined.
 */
static void inbox_push_chain(struct tri_worker *w, struct tri_actor *first,
                             struct tri_actor *last, struct tri_worker *here)
{
    struct tri_runtime *rt = w->rt;
    bool foreign = !here || here->rt != rt;

    if (foreign) /* relaxed: published with the push */
        atomic_fetch_add_explicit(&rt->n_pushing, 1, memory_order_relaxed);
    if (tri_inbox_push_chain(&w->inbox, first, last))
        rt->backend->ops->poller_wake(w->poller);
    if (foreign) /* release: our last touch of the runtime; pairs with the wait at its end */
        atomic_fetch_sub_explicit(&rt->n_pushing, 1, memory_order_release);
}

static void inbox_push(struct tri_worker *w, struct tri_actor *a, struct tri_worker *here)
{
    inbox_push_chain(w, a, a, here);
}

void tri_worker_return(struct tri_worker *v, struct tri_actor *first, struct tri_actor *last)
{
    inbox_push_chain(v, first, last, tri_worker_self());
}

void tri_worker_ready(struct tri_actor *a)
{
    struct tri_worker *here = tri_worker_self();
    /* acquire: pairs with the release where a thief takes the actor over. */
    struct tri_worker *home = atomic_load_explicit(&a->home, memory_order_acquire);

    if (home == here && !(tri_wakee_kind(&a->wakee) == TRI_KIND_TASK && tri_task_of(a)->frame))
        ready_here(here, a);
    else
        inbox_push(home, a, here);
}

/* ---- many wakes at once ---- */

static void chain_flush(struct tri_worker *w, struct tri_wake_chain *c, struct tri_worker *here)
{
    if (c->n > 0)
        inbox_push_chain(w, c->first, c->last, here);
    c->n = 0;
}

void tri_wake_many_add(struct tri_wake_many *m, struct tri_actor *a, unsigned bits)
{
    struct tri_worker *home;
    struct tri_wake_chain *c;

    /* relaxed: if it is ours, our thread wrote it. */
    if (m->here && atomic_load_explicit(&a->home, memory_order_relaxed) == m->here) {
        /* As below. */
        atomic_fetch_or_explicit(&a->wakee.word, bits, memory_order_acq_rel);
        tri_wake(&a->wakee);
        return;
    }
    /* release: what came before is seen by who finds the bits. acquire: if the actor has parked
     * before, its home is that of the park. */
    if (atomic_fetch_or_explicit(&a->wakee.word, bits | TRI_READY, memory_order_acq_rel) &
        TRI_READY)
        return;
    /* acquire: as in tri_worker_ready(). */
    home = atomic_load_explicit(&a->home, memory_order_acquire);
    c = &m->of[home->index];
    a->link = c->n > 0 ? c->last : NULL;
    if (c->n == 0)
        c->first = a;
    c->last = a;
    if (++c->n == TRI_WAKE_MANY)
        chain_flush(home, c, m->here);
}

void tri_wake_many_begin(struct tri_wake_many *m, struct tri_runtime *rt)
{
    m->rt = rt;
    m->here = tri_worker_self();
    for (unsigned i = 0; i < rt->n_worker; i++)
        m->of[i].n = 0;
}

void tri_wake_many_run(struct tri_wake_many *m)
{
    for (unsigned i = 0; i < m->rt->n_worker; i++)
        chain_flush(m->rt->workers[i], &m->of[i], m->here);
}

void tri_wake_from_signal(struct tri_wakee *w)
{
    struct tri_actor *a;

    /* As in tri_wake(). */
    if (atomic_fetch_or_explicit(&w->word, TRI_READY, memory_order_acq_rel) & TRI_READY)
        return;
    if (tri_wakee_kind(w) == TRI_KIND_THREAD) {
        tri_thread_wake(w);
        return;
    }
    if (tri_wakee_kind(w) == TRI_KIND_RELAY) {
        ((struct tri_relay *)w)->woken((struct tri_relay *)w, true);
        return;
    }
    a = tri_actor_of(w);
    /* acquire: as in tri_worker_ready(). The queues of the interrupted worker may be half changed;
     * its inbox is one word. */
    inbox_push(atomic_load_explicit(&a->home, memory_order_acquire), a, NULL);
}

void tri_wakee_queue(struct tri_wakee *wakee)
{
    if (tri_unlikely(tri_wakee_kind(wakee) == TRI_KIND_THREAD))
        tri_thread_wake(wakee);
    else if (tri_unlikely(tri_wakee_kind(wakee) == TRI_KIND_RELAY))
        ((struct tri_relay *)wakee)->woken((struct tri_relay *)wakee, false);
    else
        tri_worker_ready(tri_actor_of(wakee));
}

void tri_actor_moves(struct tri_actor *a, struct tri_worker *w)
{
    struct tri_task *t = tri_task_of(a);
    /* relaxed: the thief alone has the actor; published when it is queued or run. */
    struct tri_worker *from = atomic_load_explicit(&a->home, memory_order_relaxed);

    if (tri_wakee_is_task(&a->wakee) && t->spread) {
        atomic_fetch_sub_explicit(&from->n_spread, 1, memory_order_relaxed); /* an estimate */
        atomic_fetch_add_explicit(&w->n_spread, 1, memory_order_relaxed);
    }
    atomic_store_explicit(&a->home, w, memory_order_release);
}

static struct tri_worker *least_busy(struct tri_runtime *rt, struct tri_worker *from)
{
    struct tri_worker *best = from ? from : rt->workers[0];

    for (unsigned i = 0; i < rt->n_worker; i++) {
        struct tri_worker *w = rt->workers[i];

        /* relaxed: an estimate. */
        if (atomic_load_explicit(&w->n_spread, memory_order_relaxed) <
            atomic_load_explicit(&best->n_spread, memory_order_relaxed))
            best = w;
    }
    return best;
}

int tri_worker_place(struct tri_runtime *rt, struct tri_worker *from, struct tri_actor *a,
                     bool spread)
{
    struct tri_worker *w = from;

    if (tri_unlikely(spread || !from)) {
        w = least_busy(rt, from);
        if (spread)
            atomic_fetch_add_explicit(&w->n_spread, 1, memory_order_relaxed); /* an estimate */
        if (w != from && tri_idle_start(rt, w) < 0) {
            if (spread)
                atomic_fetch_sub_explicit(&w->n_spread, 1, memory_order_relaxed);
            w = from ? from : rt->workers[0];
            if (spread)
                atomic_fetch_add_explicit(&w->n_spread, 1, memory_order_relaxed);
        }
    }
    atomic_store_explicit(&a->home, w, memory_order_relaxed); /* published with the queue */
    if (w == from)
        ready_here(w, a);
    else
        inbox_push(w, a, from);
    return 0;
}
