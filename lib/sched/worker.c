/* SPDX-License-Identifier: MIT */
/* worker.c - see worker.h: the clock, picking, running, and the switch between tasks. */
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
        tri_overflow_flush(w);
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
    atomic_store_explicit(&w->tid, gettid(), memory_order_seq_cst);
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
