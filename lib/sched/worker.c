/* SPDX-License-Identifier: MIT */
/* worker.c - see worker.h: picking, running, and the switch between tasks. */
#include "config.h"

#include <errno.h>
#include <unistd.h>

#include "base/relax.h"
#include "mem/fault.h"
#include "sched/idle.h"
#include "sched/scope.h"
#include "sched/task.h"
#include "sched/worker.h"

enum {
    LIFO_RUNS = 3,
    MAINTAIN_MASK = 7, /* every 8th pick */
    FAIR_MASK = 15,    /* every 16th pick */
    N_AHEAD = 8,       /* of a queue in which it pays to fetch ahead */
    AHEAD_BYTES = 512,
};

static const tr_time POLL_SPAN = TR_US(50);

_Thread_local struct tri_worker *tri_tls_worker __attribute__((tls_model("initial-exec")));
atomic_bool tri_forked;

static void (*_Atomic event_fn)(void *data, uint32_t events);
static const struct tri_handler_fns *_Atomic handler_fns;

void tri_worker_set_event_fn(void (*fn)(void *data, uint32_t events))
{
    atomic_store_explicit(&event_fn, fn, memory_order_relaxed); /* see below */
}

void tri_worker_set_handler_fns(const struct tri_handler_fns *fns)
{
    /* relaxed, as event_fn: constants, set before the first handler or descriptor is made, which
     * reaches a worker by a queue or the kernel. */
    atomic_store_explicit(&handler_fns, fns, memory_order_relaxed);
}

static const struct tri_handler_fns *handlers(void)
{
    return atomic_load_explicit(&handler_fns, memory_order_relaxed);
}

tr_id tri_actor_id(const struct tri_actor *a)
{
    /* relaxed: the caller holds the actor alive, its generation stands still. */
    tr_id id = (tr_id)atomic_load_explicit(&a->generation, memory_order_relaxed) << 32 |
               (tr_id)(a->slab_index + 1);

    if (tri_wakee_is_task(&a->wakee))
        return id;
    return id | (tr_id)(TRI_SPACE_FLAG | handlers()->space(a)) << TRI_SPACE_SHIFT;
}

const char *tri_actor_name(const struct tri_actor *a)
{
    if (tri_wakee_is_task(&a->wakee))
        return ((const struct tri_task *)a)->name;
    return handlers()->name(a);
}

__attribute__((noinline)) struct tri_worker *tri_worker_self(void)
{
    struct tri_worker *w = tri_tls_worker;

    __asm__ volatile("" : "+r"(w) : : "memory"); /* no two calls may be merged */
    return w;
}

__attribute__((noinline)) struct tri_task *tri_self(void)
{
    struct tri_worker *w = tri_tls_worker;

    __asm__ volatile("" : "+r"(w) : : "memory");
    return w ? w->task : NULL;
}

struct tri_backend *tri_self_backend(void)
{
    struct tri_worker *w = tri_worker_self();

    return w ? w->rt->backend : NULL;
}

struct tri_poller *tri_self_poller(void)
{
    struct tri_worker *w = tri_worker_self();

    return w ? w->poller : NULL;
}

void tri_self_spread(bool on)
{
    struct tri_task *self = tri_self();

    if (self)
        self->frame->spread = on;
}

/* ---- looking at the outside ---- */

/* Wakes whose timers have expired. */
static void expire(struct tri_worker *w, tr_time now)
{
    struct tri_list expired;
    struct tri_timer *t;

    tri_list_init(&expired);
    (void)tri_wheel_expire(&w->wheel, now, &expired);
    while ((t = tri_wheel_pop(&expired))) {
        if (t->owner == TRI_KIND_HANDLER)
            handlers()->timer_fired(t);
        else if (t->owner == TRI_TIMER_SCOPE)
            tri_scope_timer_fired(t);
        else
            tri_task_timer_fired(t);
    }
}

void tri_worker_poll(struct tri_worker *w, tr_time deadline)
{
    const struct tri_backend_ops *ops = w->rt->backend->ops;
    int n = ops->poller_wait(w->poller, deadline, w->events, TRI_EVENTS);

    for (int i = 0; i < n; i++)
        atomic_load_explicit(&event_fn, memory_order_relaxed)(w->events[i].data,
                                                              w->events[i].events);
    if (n == -EDEADLK)
        tri_idle_deadlock(w);
}

void tri_worker_maintain(struct tri_worker *w, bool force_poll)
{
    struct tri_backend *b = w->rt->backend;
    tr_time now = b->ops->now(b);

    w->maintaining = true;
    if (now >= tri_wheel_next(&w->wheel))
        expire(w, now);
    if (force_poll || now - w->polled_at >= POLL_SPAN) {
        w->polled_at = now;
        tri_worker_poll(w, TR_NOW);
        tri_idle_overdue(w, now);
        if (now - w->rt->born >= TR_MS(TRI_WATCH_AFTER_MS))
            tri_idle_conduct(w->rt);
    }
    w->maintaining = false;
}

/* ---- queues ---- */

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

bool tri_worker_has_work(struct tri_worker *w)
{
    return w->lifo || w->overflow || !tri_runq_is_empty(&w->own) ||
           !tri_runq_is_empty(&w->late) || tri_deque_len(&w->fresh) > 0 ||
           tri_deque_len(&w->hot) > 0 || !tri_inbox_is_idle(&w->inbox);
}

/* ---- picking ---- */

/* The oldest of a stealable queue, against thieves. */
static struct tri_actor *oldest(struct tri_deque *d)
{
    struct tri_actor *a = NULL;

    while (!a && tri_deque_len(d) > 0)
        a = tri_deque_steal(d);
    return a;
}

static struct tri_actor *overflow_pop(struct tri_worker *w)
{
    struct tri_actor *a = w->overflow;

    if (tri_unlikely(a != NULL))
        w->overflow = a->link;
    return a;
}

/* Those in the overflow list go where they belong, but for the task on whose stack we stand. */
static void overflow_flush(struct tri_worker *w)
{
    struct tri_actor *a = w->overflow, *next;

    w->overflow = NULL;
    for (; a; a = next) {
        next = a->link;
        ready_here(w, a);
    }
}

/* Virtual time: whoever may run is chosen by the seed. */
static struct tri_actor *pick_random(struct tri_worker *w)
{
    size_t n_own = tri_runq_len(&w->own) + (w->lifo != NULL), n_late = tri_runq_len(&w->late);
    size_t n_hot = tri_deque_len(&w->hot), n_fresh = tri_deque_len(&w->fresh);
    size_t n = n_own + n_late + n_hot + n_fresh, k;

    if (n == 0)
        return overflow_pop(w);
    if (w->lifo)
        tri_runq_push(&w->own, w->lifo);
    w->lifo = NULL;
    k = w->rt->backend->ops->random(w->rt->backend) % n;
    if (k < n_own)
        return tri_runq_pick(&w->own, k);
    k -= n_own;
    if (k < n_late)
        return tri_runq_pick(&w->late, k);
    k -= n_late;
    if (k < n_hot)
        return oldest(&w->hot);
    return (k - n_hot) % 2 ? oldest(&w->fresh) : tri_deque_take(&w->fresh);
}

/* For each queue in turn: its oldest, or that of the next one. */
static struct tri_actor *pick_fair(struct tri_worker *w, unsigned turn)
{
    struct tri_actor *a = NULL;

    for (unsigned i = 0; i < 3 && !a; i++) {
        switch ((turn + i) % 3) {
        case 0:
            a = oldest(&w->hot);
            break;
        case 1:
            a = oldest(&w->fresh);
            break;
        default:
            a = tri_runq_pop(&w->late);
        }
    }
    return a;
}

/* The frame of the started task in @w's own queue that is @k-th from now, or NULL. */
static struct tri_frame *frame_ahead(struct tri_worker *w, size_t k)
{
    struct tri_actor *a = tri_runq_peek(&w->own, k);

    return tri_wakee_is_task(&a->wakee) ? tri_task_of(a)->frame : NULL;
}

/*
 * The oldest of own. In a long queue the stacks of those behind it have left the caches since
 * they parked: fetch the frame of the one after the next, and what lies above the next one's
 * sp, where its calls return through, while this one runs.
 */
static struct tri_actor *pop_own(struct tri_worker *w)
{
    struct tri_actor *a = tri_runq_pop(&w->own);
    struct tri_frame *f;

    if (tri_likely(tri_runq_len(&w->own) < N_AHEAD))
        return a;
    __builtin_prefetch(frame_ahead(w, 1));
    f = frame_ahead(w, 0);
    for (unsigned at = 0; f && at < AHEAD_BYTES; at += 64)
        __builtin_prefetch((const char *)f->ctx.sp + at, 1);
    return a;
}

struct tri_actor *tri_worker_pick(struct tri_worker *w)
{
    /* relaxed: only we write it; watchers compare two readings. */
    unsigned tick = atomic_load_explicit(&w->tick, memory_order_relaxed) + 1;
    struct tri_actor *a;

    atomic_store_explicit(&w->tick, tick, memory_order_relaxed);
    if (tri_unlikely((tick & MAINTAIN_MASK) == 0))
        tri_worker_maintain(w, false);
    if (tri_unlikely(w->overflow != NULL))
        overflow_flush(w);
    if (tri_unlikely(!tri_inbox_is_idle(&w->inbox)))
        tri_worker_take_in(w);
    if (tri_unlikely(w->rt->virtual_time))
        return pick_random(w);
    if (tri_unlikely((tick & FAIR_MASK) == 0) && (a = pick_fair(w, tick / (FAIR_MASK + 1))))
        return a;
    a = w->lifo;
    if (a) {
        w->lifo = NULL;
        if (w->lifo_runs++ < LIFO_RUNS || tri_runq_is_empty(&w->own))
            return a;
        tri_runq_push(&w->own, a);
    }
    w->lifo_runs = 0;
    if ((a = pop_own(w)))
        return a;
    if (tri_deque_len(&w->hot) > 0 && (a = oldest(&w->hot)))
        return a;
    if ((a = tri_deque_take(&w->fresh)) || (a = overflow_pop(w)))
        return a;
    return tri_runq_pop(&w->late);
}

/* ---- running ---- */

void tri_worker_run_task(struct tri_worker *w, struct tri_task *t)
{
    /* release: pairs with the acquire in tri_worker_ready(). */
    if (tri_unlikely(atomic_load_explicit(&t->a.home, memory_order_relaxed) != w))
        atomic_store_explicit(&t->a.home, w, memory_order_release);
    w->task = t;
    w->budget = TRI_BUDGET;
    w->credit = TRI_CREDIT;
    /* relaxed: the conductor only looks. */
    atomic_store_explicit(&w->shown, &t->a, memory_order_relaxed);
}

struct tri_context *tri_worker_board(struct tri_worker *w, struct tri_actor *a)
{
    struct tri_task *t = tri_task_of(a);

    if (tri_unlikely(!tri_wakee_is_task(&a->wakee)))
        return NULL;
    if (!t->frame && !tri_task_start(w, t))
        return NULL;
    tri_worker_run_task(w, t);
    return &t->frame->ctx;
}

void tri_worker_switch(struct tri_worker *w, struct tri_task *self)
{
    struct tri_actor *next = tri_worker_pick(w);
    struct tri_context *to;

    if (next == &self->a) {
        tri_worker_run_task(w, self);
        return;
    }
    if (tri_unlikely(!tri_stack_canary_ok(self->frame->stack_top)))
        tri_fault_canary(self->frame->stack_top);
    if (tri_likely(next && tri_wakee_is_task(&next->wakee) && tri_task_of(next)->frame)) {
        tri_worker_run_task(w, tri_task_of(next));
        to = &tri_task_of(next)->frame->ctx;
    } else if (next && tri_wakee_is_task(&next->wakee)) {
        to = tri_worker_board(w, next);
    } else {
        w->stash = next;
        to = NULL;
    }
    if (!to) {
        w->task = NULL;
        to = &w->ctx;
    }
    tri_context_switch(&self->frame->ctx, to);
    /* relaxed: only the worker that runs us writes it, and that is the one we run on. */
    tri_worker_arrive(atomic_load_explicit(&self->a.home, memory_order_relaxed));
}

static void run(struct tri_worker *w, struct tri_actor *a)
{
    struct tri_context *to;

    if (tri_wakee_kind(&a->wakee) == TRI_KIND_HANDLER) {
        /* relaxed: see home in actor.h; published when it is queued again. */
        atomic_store_explicit(&a->home, w, memory_order_relaxed);
        w->handler = a;
        /* relaxed: the conductor only looks; a thief sees it by way of the handler's word. */
        atomic_store_explicit(&w->shown, a, memory_order_relaxed);
        handlers()->run(w, a);
        /* release: the run has ended, for a thief that finds the handler in our inbox. */
        atomic_store_explicit(&w->shown, NULL, memory_order_release);
        w->handler = NULL;
        return;
    }
    to = tri_worker_board(w, a);
    if (!to)
        return;
    tri_context_switch(&w->ctx, to);
    tri_worker_arrive(w);
    w->task = NULL;
    atomic_store_explicit(&w->shown, NULL, memory_order_relaxed);
}

void tri_worker_loop(struct tri_worker *w)
{
    struct tri_actor *a;

    tri_tls_worker = w;
    /* seq_cst: before the look at unwatched; the conductor takes no notice of us before. */
    atomic_store(&w->tid, gettid());
    tri_idle_awake(w);
    tri_context_adopt(&w->ctx);
    /* acquire: what was done before the stop is seen by whoever cleans up. */
    while (!atomic_load_explicit(&w->rt->stopping, memory_order_acquire)) {
        a = w->stash;
        w->stash = NULL;
        if (!a)
            a = tri_worker_pick(w);
        if (a)
            run(w, a);
        else
            tri_idle(w);
    }
    tri_tls_worker = NULL;
}
