/* SPDX-License-Identifier: MIT */
/*
 * conductor.c - one thread beside the workers. It runs no user code but the hook, takes no lock
 * that is held while user code runs, and has allocated what it needs before it is needed; so it
 * works when every worker is stuck. Should the hook or standard error hold it up, the fatal
 * timer, set from the signal handler, still ends the process in time.
 *
 * It sleeps on rt->kicks: a futex word, because a signal handler may add to it and wake it, and
 * because it needs no descriptor. Who wants something stores it and kicks; the conductor reads
 * kicks before it looks, and the kernel puts it to sleep only if kicks has not changed since.
 *
 * While some worker is busy it looks every tick. When all have slept for a while it sleeps
 * without a limit: it sets rt->unwatched and looks at the workers' sleep marks once more; a
 * worker takes its mark away and then looks at unwatched. Both are seq_cst, so a worker that
 * the conductor believes asleep kicks it when it wakes. A thread that starts shows its tid and
 * does the same.
 *
 * With tr_main() it starts at once, else late (tri_idle_conduct()), or when a signal is opened
 * or the level is raised; not any more when the workers are about to leave. Its thread takes
 * the signals that are handled in this process.
 */
#include "config.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "actor/conductor.h"
#include "actor/shutdown.h"
#include "actor/signal.h"
#include "actor/trace.h"
#include "base/clock.h"
#include "base/log.h"
#include "mem/san.h"
#include "sched/idle.h"

#ifndef sigev_notify_thread_id /* a name that the C library may lack */
#define sigev_notify_thread_id _sigev_un._tid
#endif

enum {
    STACK_BYTES = 256 * 1024,
    QUIET_TICKS = 20, /* with every worker asleep, then it sleeps too */
};

static const tr_time TICK = TR_MS(50);

/* ---- sleeping ---- */

static bool all_sleep(struct tri_runtime *rt)
{
    for (unsigned i = 0; i < rt->n_worker; i++) {
        struct tri_worker *w = rt->workers[i];

        /* seq_cst, both: after the store of unwatched in may_sleep(); pairs with the load of it
         * in tri_idle_awake(), after the mark has gone or tid was set. A worker whose thread
         * has not started has the mark neither: it is no reason to look. */
        if (atomic_load_explicit(&w->inbox.top, memory_order_seq_cst) != TRI_INBOX_ASLEEP &&
            atomic_load_explicit(&w->tid, memory_order_seq_cst) != 0)
            return false;
    }
    return true;
}

/* Whether it may sleep without a limit. */
static bool may_sleep(struct tri_conductor *c, unsigned *n_quiet)
{
    if (!all_sleep(c->rt)) {
        *n_quiet = 0;
        return false;
    }
    if (++*n_quiet < QUIET_TICKS)
        return false;
    /* seq_cst: before the second look; pairs with the load of it in tri_idle_awake(), which a
     * worker makes after it took its mark away. One of the two sees the other. */
    atomic_store_explicit(&c->rt->unwatched, true, memory_order_seq_cst);
    if (all_sleep(c->rt))
        return true;
    *n_quiet = 0;
    return false;
}

static tr_time tick_of(const struct tri_conductor *c)
{
    tr_time half = c->rt->opts.stall_limit / 2;

    return half < TICK ? half : TICK;
}

/* ---- its thread ---- */

/* The timer is the last resort of tr_main(); without it a hanging hook may delay the end. */
static void fatal_make(struct tri_conductor *c)
{
    struct sigevent ev = { .sigev_notify = SIGEV_THREAD_ID,
                           .sigev_signo = tri_trace_signal(),
                           .sigev_value.sival_ptr = c };

    ev.sigev_notify_thread_id = gettid();
    /* release: the timer; pairs with the acquire in the signal handler. */
    if (c->is_main && timer_create(CLOCK_MONOTONIC, &ev, &c->fatal) == 0)
        atomic_store_explicit(&c->fatal_armed, true, memory_order_release);
}

/* It takes what is handled, and nothing else. */
static void mask_set(void)
{
    sigset_t set;

    sigfillset(&set);
    sigdelset(&set, tri_trace_signal());
    (void)pthread_sigmask(SIG_SETMASK, &set, NULL);
}

static void name_set(const struct tri_conductor *c)
{
    char name[16];

    (void)snprintf(name, sizeof name, "%.8s/c", c->rt->opts.name);
    (void)pthread_setname_np(pthread_self(), name);
}

static void dump_if_asked(struct tri_conductor *c)
{
    /* acquire: as with kicks; a new request while we write is met by one more round. */
    unsigned n = atomic_load_explicit(&c->n_dump, memory_order_acquire);

    if (n == c->n_dumped)
        return;
    c->n_dumped = n;
    tri_report_dump(c->report, c->rt);
}

/* One look at everything; returns until when it may sleep. */
static tr_time look(struct tri_conductor *c, unsigned *n_quiet)
{
    tr_time now = tri_clock_now(), next, tick;

    dump_if_asked(c);
    next = tri_stop_step(c, now);
    tri_stalls_look(&c->stalls, c->rt, c->report, now);
    if (may_sleep(c, n_quiet))
        return next;
    tick = now + tick_of(c);
    return next < tick ? next : tick;
}

/*
 * Sleeps until a kick after @kicks, or @until. ThreadSanitizer holds a signal back from a
 * thread in a system call that it does not know, as futex(2): there it sleeps by turns in one
 * it knows.
 */
static void rest(struct tri_runtime *rt, unsigned kicks, tr_time until)
{
#if TRI_TSAN
    while (atomic_load_explicit(&rt->kicks, memory_order_acquire) == kicks &&
           tri_clock_now() < until)
        (void)poll(NULL, 0, 5);
#else
    (void)tri_futex_wait(&rt->kicks, kicks, until);
#endif
}

static void *conductor_main(void *arg)
{
    struct tri_conductor *c = arg;
    struct tri_runtime *rt = c->rt;
    unsigned n_quiet = 0, n_look = 0, kicks;
    tr_time until;

    name_set(c);
    fatal_make(c);
    mask_set();
    for (;;) {
        /* acquire: pairs with the release in tri_runtime_kick(). */
        kicks = atomic_load_explicit(&rt->kicks, memory_order_acquire);
        if (atomic_load_explicit(&c->quit, memory_order_relaxed)) { /* by kicks */
            tri_stop_end(c);
            break;
        }
        tri_signal_unblock();
        if (++n_look == 2) /* not at once: a short run need not pay for it */
            tri_trace_warm();
        until = look(c, &n_quiet);
        rest(rt, kicks, until);
        /* relaxed: whoever clears it kicks. */
        atomic_store_explicit(&rt->unwatched, false, memory_order_relaxed);
    }
    return NULL;
}

static int thread_start(struct tri_conductor *c)
{
    sigset_t all, old;
    pthread_attr_t attr;
    int r = -pthread_attr_init(&attr);

    if (r < 0)
        return r;
    (void)pthread_attr_setstacksize(&attr, STACK_BYTES);
    sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &old);
    r = -pthread_create(&c->thread, &attr, conductor_main, c);
    (void)pthread_sigmask(SIG_SETMASK, &old, NULL);
    (void)pthread_attr_destroy(&attr);
    return r;
}

int tri_conductor_start(struct tri_runtime *rt)
{
    struct tri_conductor *c = rt->conductor;
    int r = 0;

    tri_lock_acquire(&rt->start_lock);
    /* relaxed: set before the lock was taken to look whether there is a thread to join. */
    if (!c->started && atomic_load_explicit(&rt->stopping, memory_order_relaxed)) {
        r = -ESHUTDOWN;
    } else if (!c->started) {
        r = thread_start(c);
        c->started = r == 0;
    }
    tri_lock_release(&rt->start_lock);
    return r;
}

void tri_conductor_stop(struct tri_conductor *c)
{
    bool started;

    tri_lock_acquire(&c->rt->start_lock);
    started = c->started;
    tri_lock_release(&c->rt->start_lock);
    if (!started)
        return;
    atomic_store_explicit(&c->quit, true, memory_order_relaxed); /* published by the kick */
    tri_runtime_kick(c->rt);
    (void)pthread_join(c->thread, NULL);
    if (atomic_exchange_explicit(&c->fatal_armed, false, memory_order_relaxed))
        (void)timer_delete(
            c->fatal); /* no handler runs: tri_signal_set_main(NULL) came first */
}

/* ---- its life ---- */

int tri_conductor_init(struct tri_conductor *c, struct tri_runtime *rt, bool is_main)
{
    memset(c, 0, sizeof *c);
    c->rt = rt;
    c->is_main = is_main;
    c->report = tri_report_new();
    if (!c->report)
        return -ENOMEM;
    tri_trace_begin();
    return 0;
}

void tri_conductor_fini(struct tri_conductor *c)
{
    if (!c->report)
        return;
    tri_trace_end();
    tri_report_free(c->report);
}

void tri_conductor_on_signal(struct tri_conductor *c, int signo, int pid)
{
    switch (signo) {
    case SIGTERM:
    case SIGINT:
        tri_stop_on_signal(c, signo, pid);
        break;
    case SIGQUIT:
    case SIGUSR1:
        atomic_fetch_add_explicit(&c->n_dump, 1, memory_order_relaxed); /* the kick publishes */
        tri_runtime_kick(c->rt);
        break;
    default:
        break; /* held by a subscription that has just gone */
    }
}
