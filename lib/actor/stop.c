/* SPDX-License-Identifier: MIT */
/*
 * stop.c - the way down, as a table:
 *
 *     level   is reached by                        what happens, and until when
 *     DRAIN   1st TERM or INT, tr_shutdown()       the root drains; all but the cleanup's share
 *                                                  of the budget
 *     STOP    the end of DRAIN, tr_shutdown()      the root is cancelled; one second, at most
 *                                                  to the end of the budget
 *     ABORT   2nd signal, the end of STOP          cleanups are cut, the late named; a grace
 *     exit    the end of the grace, 3rd signal     _exit: destructors would race with the late
 *
 * The budget runs from the first raise. The signal handler only counts and sets the fatal
 * timer; the conductor does the rest. In a runtime of tr_run() the levels and the report are
 * the same, and nobody ends the process.
 */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "actor/conductor.h"
#include "actor/shutdown.h"
#include "base/clock.h"
#include "base/log.h"

enum { EXIT_MISSED = 124, EXIT_SIGNAL = 128 };

static const tr_time DEBOUNCE = TR_MS(200); /* a terminal delivers twice */
static const tr_time CLEANUP = TR_S(1);     /* the share of STOP; a quarter of short budgets */
static const tr_time GRACE = TR_MS(100);    /* of ABORT, at the end of the budget */
static const tr_time GRACE_SIGNAL = TR_MS(25); /* of ABORT, after a second signal */
static const tr_time FATAL_AFTER = TR_MS(300); /* the grace, when something hangs */

/* ---- in the signal handler ---- */

/* Ends the process at @when, whatever happens. Any thread, also in a handler. */
static void fatal_set(struct tri_conductor *c, tr_time when)
{
    struct itimerspec at = { .it_value = tri_clock_timespec(when) };

    /* acquire: pairs with the release where it was made. */
    if (atomic_load_explicit(&c->fatal_armed, memory_order_acquire))
        (void)timer_settime(c->fatal, TIMER_ABSTIME, &at, NULL);
}

static _Noreturn void leave_raw(const char *line, size_t n, int status)
{
    (void)!write(STDERR_FILENO, line, n);
    _exit(status);
}

void tri_stop_on_signal(struct tri_conductor *c, int signo, int pid)
{
    static const char line[] = "shutdown: third signal, leaving at once\n";
    tr_time now = tri_clock_now();
    tr_time last = atomic_load_explicit(&c->stopped_at, memory_order_relaxed);
    unsigned n;

    /* relaxed: of two handlers at the same moment one counts. */
    if ((last != 0 && now - last < DEBOUNCE) ||
        !atomic_compare_exchange_strong_explicit(&c->stopped_at, &last, now,
                                                 memory_order_relaxed, memory_order_relaxed))
        return;
    atomic_store_explicit(&c->stop_signal, signo, memory_order_relaxed); /* by n_stop, both */
    atomic_store_explicit(&c->stop_pid, pid, memory_order_relaxed);
    n = atomic_fetch_add_explicit(&c->n_stop, 1, memory_order_release) + 1;
    if (n >= 3)
        leave_raw(line, sizeof line - 1, EXIT_SIGNAL + signo);
    fatal_set(c, n == 1 ? now + c->rt->opts.stop_budget + GRACE + FATAL_AFTER
                        : now + GRACE_SIGNAL + FATAL_AFTER);
    tri_runtime_kick(c->rt);
}

static int forced_status(const struct tri_conductor *c)
{
    /* acquire: pairs with the release in tri_stop_on_signal(): the signal. */
    if (atomic_load_explicit(&c->n_stop, memory_order_acquire) < 2)
        return 0;
    return EXIT_SIGNAL + atomic_load_explicit(&c->stop_signal, memory_order_relaxed);
}

_Noreturn void tri_stop_on_fatal(struct tri_conductor *c)
{
    static const char line[] = "shutdown: the budget is over and the report hangs; leaving\n";
    int status = forced_status(c);

    leave_raw(line, sizeof line - 1, status ? status : EXIT_MISSED);
}

/* ---- the steps ---- */

static void raise_to(struct tri_conductor *c, enum tr_level level, const char *reason)
{
    if (tri_shutdown_grow(c->rt, level, reason))
        tri_shutdown_act(c->rt);
}

/* What the signals want. */
static void heed_signals(struct tri_conductor *c)
{
    /* acquire: pairs with the release in tri_stop_on_signal(). */
    unsigned n = atomic_load_explicit(&c->n_stop, memory_order_acquire);

    if (n >= 1)
        raise_to(c, TR_LEVEL_DRAIN, "signal");
}

static void say_began(const struct tri_conductor *c)
{
    int signo = atomic_load_explicit(&c->stop_signal, memory_order_relaxed);
    const char *reason = atomic_load_explicit(&c->rt->shutdown->reason, memory_order_relaxed);

    if (!c->is_main)
        return;
    if (signo)
        tri_log("'%s' stops: SIG%s from process %d", c->rt->opts.name, sigabbrev_np(signo),
                atomic_load_explicit(&c->stop_pid, memory_order_relaxed));
    else
        tri_log("'%s' stops: %s", c->rt->opts.name, reason ? reason : "no reason given");
}

/* The level has left RUN: the clocks start. */
static void begin(struct tri_conductor *c, tr_time now)
{
    tr_time budget = c->rt->opts.stop_budget;
    tr_time cleanup = budget / 4 < CLEANUP ? budget / 4 : CLEANUP;
    tr_time end = budget >= TR_NEVER - now ? TR_NEVER : now + budget;
    struct tri_stop *s = &c->stop;

    s->began = now;
    s->stop_at = end - cleanup;
    s->abort_at = end;
    if (atomic_load_explicit(&c->n_stop, memory_order_relaxed) == 0)
        fatal_set(c, end + GRACE + FATAL_AFTER); /* else the handler has set it */
    say_began(c);
}

/* Before the cut, so that the report shows what they wait for. */
static void abort_late(struct tri_conductor *c, tr_time now)
{
    bool forced = forced_status(c) != 0;
    struct tri_stop *s = &c->stop;

    s->missed = !forced && now >= s->abort_at;
    s->exit_at = now + (forced ? GRACE_SIGNAL : GRACE);
    fatal_set(c, s->exit_at + FATAL_AFTER);
    s->n_late = (unsigned)tri_report_late(c->report, c->rt, s->late, sizeof s->late);
    raise_to(c, TR_LEVEL_ABORT, forced ? "second signal" : "the stop budget is over");
    tri_shutdown_act(c->rt); /* also if somebody else has raised it */
    s->met = TR_LEVEL_ABORT;
}

/* Output that is buffered goes out, unless some stuck thread is using the stream. */
static void flush_stdout(void)
{
    if (ftrylockfile(stdout) == 0) {
        (void)fflush_unlocked(stdout);
        funlockfile(stdout);
    }
}

static _Noreturn void leave(struct tri_conductor *c)
{
    c->stop.missed = true;
    tri_stop_summary(c, tri_report_count(c->rt));
    flush_stdout();
    _exit(tri_stop_status(c, 0, 0));
}

tr_time tri_stop_step(struct tri_conductor *c, tr_time now)
{
    struct tri_stop *s = &c->stop;
    enum tr_level level;

    heed_signals(c);
    level = tri_shutdown_level(c->rt);
    if (level == TR_LEVEL_RUN)
        return TR_NEVER;
    if (s->began == 0)
        begin(c, now);
    if (s->met == TR_LEVEL_ABORT) {
        if (now >= s->exit_at && c->is_main)
            leave(c);
        return c->is_main ? s->exit_at : TR_NEVER;
    }
    if (forced_status(c) || level == TR_LEVEL_ABORT || now >= s->abort_at) {
        abort_late(c, now);
        return s->exit_at;
    }
    if (level == TR_LEVEL_DRAIN && now < s->stop_at) {
        tri_shutdown_act(c->rt); /* if a plain thread has raised it */
        s->met = TR_LEVEL_DRAIN;
        return s->stop_at;
    }
    if (s->met < TR_LEVEL_STOP) {
        raise_to(c, TR_LEVEL_STOP, "the drain took too long");
        tri_shutdown_act(c->rt);
        s->met = TR_LEVEL_STOP;
        if (now + CLEANUP < s->abort_at)
            s->abort_at = now + CLEANUP;
    }
    return s->abort_at;
}

void tri_stop_end(struct tri_conductor *c)
{
    /* The level was raised, and all had ended before we looked. */
    if (c->stop.began == 0 && tri_shutdown_level(c->rt) > TR_LEVEL_RUN)
        say_began(c);
}

/* ---- the outcome ---- */

int tri_stop_status(const struct tri_conductor *c, int r, size_t n_failed)
{
    int forced = forced_status(c);

    if (forced)
        return forced;
    if (c->stop.missed || r == -ETIMEDOUT)
        return EXIT_MISSED;
    if (n_failed > 0 || (r < 0 && r != -ECANCELED && r != -ESHUTDOWN))
        return EXIT_FAILURE;
    return 0;
}

void tri_stop_summary(struct tri_conductor *c, size_t n_lost)
{
    const struct tri_shutdown *sh = c->rt->shutdown;
    struct tri_counts now = tri_shutdown_count(c->rt);
    /* acquire: pairs with the release in note_began(): the counts. */
    tr_time began = atomic_load_explicit(&sh->began, memory_order_acquire);

    if (tri_shutdown_level(c->rt) == TR_LEVEL_RUN)
        return;
    tri_log_bare("shutdown: %lu stopped, %u late%s%s%s, %zu lost, %lu discarded, %.2f s",
                 now.n_ended - sh->before.n_ended, c->stop.n_late, c->stop.n_late ? " (" : "",
                 c->stop.late, c->stop.n_late ? ")" : "", n_lost,
                 now.n_discarded - sh->before.n_discarded,
                 began ? (double)(tri_clock_now() - began) / 1e9 : 0.0);
}
