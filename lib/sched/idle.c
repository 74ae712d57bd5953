/* SPDX-License-Identifier: MIT */
/* idle.c - see idle.h: spinning, napping, sleeping, starting threads. */
#include "config.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/relax.h"
#include "mem/fault.h"
#include "sched/idle.h"
#include "sched/scope.h"
#include "sched/steal.h"

enum {
    SPIN_MAX = 64,   /* pauses: some 3 µs */
    SPIN_MIN = 4,
    NAPS = 20,       /* without a sight of backlog, then sleep */
};

static const tr_time NAP = TR_US(50);
static const tr_time TRIM_AFTER = TR_MS(2);

static void (*_Atomic idle_fn)(void);

void tri_worker_set_idle_fn(void (*fn)(void))
{
    atomic_store_explicit(&idle_fn, fn, memory_order_relaxed); /* a constant function */
}

/* ---- threads ---- */

static void *thread_main(void *arg)
{
    struct tri_worker *w = arg;
    char name[16];
    bool entered;

    (void)snprintf(name, sizeof name, "%.8s/%u", w->rt->opts.name, w->index);
    (void)pthread_setname_np(pthread_self(), name);
    w->rt->backend->ops->thread_init(w->rt->backend);
    entered = tri_fault_thread_enter() == 0; /* else an overflow goes unexplained */
    tri_worker_loop(w);
    if (entered)
        tri_fault_thread_leave();
    return NULL;
}

int tri_trace_signal(void)
{
    return SIGRTMAX - 2;
}

static bool is_started(struct tri_worker *w)
{
    /* relaxed: under start_lock, or as a token: what is pushed to its inbox goes by that. */
    return atomic_load_explicit(&w->started, memory_order_relaxed);
}

static int start_locked(struct tri_runtime *rt, struct tri_worker *w)
{
    sigset_t all, old;
    int r;

    if (is_started(w))
        return 0;
    /* relaxed: set before start_lock was taken to join, and we hold it: nobody is started whom
     * workers_join() has passed by already. */
    if (atomic_load_explicit(&rt->stopping, memory_order_relaxed))
        return -ESHUTDOWN;
    sigfillset(&all);
    sigdelset(&all, tri_trace_signal());
    (void)pthread_sigmask(SIG_SETMASK, &all, &old); /* a worker takes no signal */
    r = -pthread_create(&w->thread, NULL, thread_main, w);
    (void)pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (r == 0) {
        atomic_store_explicit(&w->started, true, memory_order_relaxed); /* as above */
        atomic_fetch_add_explicit(&rt->n_started, 1, memory_order_relaxed); /* a hint */
    }
    return r;
}

int tri_idle_start(struct tri_runtime *rt, struct tri_worker *w)
{
    int r;

    if (is_started(w))
        return 0;
    tri_lock_acquire(&rt->start_lock);
    r = start_locked(rt, w);
    tri_lock_release(&rt->start_lock);
    return r;
}

void tri_worker_summon(struct tri_runtime *rt)
{
    struct tri_worker *w;

    for (unsigned i = 0; i < rt->n_worker; i++) {
        w = rt->workers[i];
        if (!tri_inbox_rouse(&w->inbox))
            continue;
        rt->backend->ops->poller_wake(w->poller);
        return;
    }
    /* relaxed: a hint; start_locked() decides. */
    if (atomic_load_explicit(&rt->n_started, memory_order_relaxed) == rt->n_worker)
        return;
    tri_lock_acquire(&rt->start_lock);
    for (unsigned i = 0; i < rt->n_worker; i++) {
        w = rt->workers[i];
        if (!is_started(w) && start_locked(rt, w) == 0)
            break;
    }
    tri_lock_release(&rt->start_lock);
}

void tri_worker_rouse_all(struct tri_runtime *rt)
{
    for (unsigned i = 0; i < rt->n_worker; i++) {
        struct tri_worker *w = rt->workers[i];

        (void)tri_inbox_rouse(&w->inbox);
        rt->backend->ops->poller_wake(w->poller);
    }
}

void tri_idle_conduct(struct tri_runtime *rt)
{
    void (*fn)(struct tri_runtime *);

    /* relaxed, both: a constant function, set before any worker ran; one of them takes it. */
    if (tri_likely(!atomic_load_explicit(&rt->watch, memory_order_relaxed)))
        return;
    fn = atomic_exchange_explicit(&rt->watch, NULL, memory_order_relaxed);
    if (fn)
        fn(rt);
}

void tri_idle_watch(struct tri_runtime *rt)
{
    /* A token, no data. seq_cst: before the look at the sleep marks; pairs with is_wanted(). */
    if (!atomic_exchange_explicit(&rt->watching, true, memory_order_seq_cst))
        tri_worker_summon(rt);
}

void tri_idle_overdue(struct tri_worker *w, tr_time now)
{
    (void)now;
    if (tri_deque_len(&w->fresh) + tri_deque_len(&w->hot) > 0)
        tri_idle_backlog(w->rt);
}

void tri_idle_deadlock(struct tri_worker *w)
{
    struct tri_runtime *rt = w->rt;

    TRI_ASSERT(!rt->deadlocked); /* told before, cancelled everything, and still stuck */
    rt->deadlocked = true;
    tri_log("deadlock: every task waits, and no timer or event is left; cancelling them");
    tri_scope_cancel(rt->root);
    tri_actor_cancel(&rt->root_task->a); /* it is in no scope's list */
}

/* ---- waiting ---- */

static tr_time after(struct tri_worker *w, tr_time span)
{
    struct tri_backend *b = w->rt->backend;

    return b->ops->now(b) + span;
}

/* Waits a moment for the inbox; longer where that paid off lately. */
static bool spin(struct tri_worker *w)
{
    for (unsigned i = 0; i < w->spin; i++) {
        if (!tri_inbox_is_idle(&w->inbox)) {
            w->spin = w->spin * 2 < SPIN_MAX ? w->spin * 2 : SPIN_MAX;
            return true;
        }
        tri_relax();
    }
    if (w->spin > SPIN_MIN)
        w->spin--;
    return false;
}

void tri_idle_awake(struct tri_worker *w)
{
    /*
     * seq_cst: after the sleep mark has gone, or tid was set; the conductor sets unwatched and
     * then looks for both once more. One of the two sees the other.
     */
    if (tri_unlikely(atomic_load_explicit(&w->rt->unwatched, memory_order_seq_cst)) &&
        atomic_exchange_explicit(&w->rt->unwatched, false, memory_order_relaxed))
        tri_runtime_kick(w->rt);
}

/*
 * After the sleep mark: somebody has asked for a watcher since this worker gave that up. If he
 * came before the mark he found nobody to summon, and nobody asks again while watching is set.
 */
static bool is_wanted(struct tri_runtime *rt)
{
    /*
     * seq_cst: after the mark; pairs with the exchange before the look at it, tri_idle_watch().
     */
    return atomic_load_explicit(&rt->watching, memory_order_seq_cst);
}

/* Sleeps until @deadline; not if it @naps_no_more and should watch after all. */
static void doze(struct tri_worker *w, tr_time deadline, bool naps_no_more)
{
    tr_time next = tri_wheel_next(&w->wheel);

    if (!tri_inbox_sleep(&w->inbox))
        return;
    /* acquire: as in the loop. After the sleep mark: a stop rouses whoever is marked. */
    if (!atomic_load_explicit(&w->rt->stopping, memory_order_acquire) &&
        !(naps_no_more && is_wanted(w->rt)))
        tri_worker_poll(w, next < deadline ? next : deadline);
    tri_worker_take_in(w); /* and the sleep mark away */
    tri_idle_awake(w);
    tri_worker_maintain(w, false);
}

static bool others_have_backlog(struct tri_worker *w)
{
    for (unsigned i = 0; i < w->rt->n_worker; i++) {
        struct tri_worker *v = w->rt->workers[i];

        if (v != w && tri_deque_len(&v->fresh) + tri_deque_len(&v->hot) > 0)
            return true;
    }
    return false;
}

/* Sleeps; a worker that has slept for a while first gives back what it does not need. */
static void sleep_or_trim(struct tri_worker *w)
{
    if (w->rt->virtual_time || w->trimmed) {
        doze(w, TR_NEVER, true);
        w->trimmed = false;
        return;
    }
    doze(w, after(w, TRIM_AFTER), true);
    if (!tri_worker_has_work(w))
        w->trimmed = tri_stack_trim(&w->stacks, TRI_STACK_HOT / 4) == 0;
}

void tri_idle(struct tri_worker *w)
{
    struct tri_runtime *rt = w->rt;
    void (*flush)(void);
    struct tri_lookout s;
    unsigned naps = 0;

    flush = atomic_load_explicit(&idle_fn, memory_order_relaxed);
    if (flush)
        flush();
    if (w->index == 0)
        tri_idle_conduct(rt);
    tri_steal_begin(w, &s);
    tri_worker_maintain(w, true);
    while (!tri_worker_has_work(w) && !atomic_load_explicit(&rt->stopping, memory_order_acquire)) {
        if (rt->n_worker == 1) {
            sleep_or_trim(w);
            continue;
        }
        tri_steal_look(w, &s);
        if (tri_worker_has_work(w) || (rt->spins && spin(w)))
            break;
        if (s.backlog)
            naps = 1;
        if (naps > 0 && naps <= NAPS) {
            naps++;
            doze(w, after(w, NAP), false);
            continue;
        }
        /* seq_cst: before the look at the others' queues. Its partner, the push, has no fence:
         * what both miss is found later, see idle.h. */
        atomic_store_explicit(&rt->watching, false, memory_order_seq_cst);
        if (others_have_backlog(w)) {
            naps = 1;
            atomic_store_explicit(&rt->watching, true, memory_order_relaxed);
            continue;
        }
        tri_idle_conduct(rt);
        sleep_or_trim(w);
        /* Summoned to watch, or woken for an actor: the first look tells. */
        naps = atomic_load_explicit(&rt->watching, memory_order_relaxed) ? 1 : 0;
    }
    /* The watcher found work: if more waits where that came from, another should watch on. */
    if (naps > 0)
        atomic_store_explicit(&rt->watching, false, memory_order_relaxed);
}
