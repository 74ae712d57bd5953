/* SPDX-License-Identifier: MIT */
/*
 * conductor.h - the thread that keeps the deadlines of a stop, finds workers that are stuck,
 * and writes the reports. See conductor.c.
 */
#ifndef TRI_ACTOR_CONDUCTOR_H
#define TRI_ACTOR_CONDUCTOR_H

#include <signal.h>
#include <time.h>

#include <troupe/signal.h>

#include "actor/report.h"
#include "actor/runtime.h"
#include "actor/stall.h"

/* What a stop came to. Written by the conductor; read by tr_main() when that has ended. */
struct tri_stop {
    tr_time began;             /* when the level left RUN; 0: it has not */
    tr_time stop_at, abort_at; /* when DRAIN, STOP are over */
    tr_time exit_at;           /* after ABORT; TR_NEVER: nothing is left to be done */
    enum tr_level met;         /* the level whose consequences were drawn */
    unsigned n_late;           /* actors that had not ended when it came to ABORT */
    char late[96];             /* the names of the first of them */
    bool missed;               /* the budget was not kept */
};

struct tri_conductor {
    struct tri_runtime *rt;
    bool is_main; /* of tr_main(): it may end the process */
    bool started; /* under rt->start_lock */
    atomic_bool quit;
    atomic_bool
        fatal_armed; /* fatal may be set; written by its thread before it takes signals */
    pthread_t thread;
    timer_t fatal; /* ends the process, whatever its thread is stuck in */

    /* Written in the signal handler. */
    atomic_uint n_stop;     /* stop signals that count */
    atomic_int stop_signal; /* the newest of them, and who sent it */
    atomic_int stop_pid;
    _Atomic tr_time stopped_at;
    atomic_uint n_dump; /* dumps asked for */

    /* Its thread's own. */
    unsigned n_dumped;
    struct tri_stop stop;
    struct tri_stalls stalls;
    struct tri_report *report; /* room for it, made at the start */
};

/* Prepares the conductor of @rt. Its thread starts when it is needed. Returns 0 or -ENOMEM. */
int tri_conductor_init(struct tri_conductor *c, struct tri_runtime *rt, bool is_main);
void tri_conductor_fini(struct tri_conductor *c);

/* Starts its thread, if it does not run. Any actor of @rt. Returns 0 or -errno. */
int tri_conductor_start(struct tri_runtime *rt);

/* Ends its thread. The actors have ended, the root scope is still there. */
void tri_conductor_stop(struct tri_conductor *c);

/* In the signal handler: a signal of tr_main() that nobody has subscribed to. */
void tri_conductor_on_signal(struct tri_conductor *c, int signo, int pid);

/* ---- stop.c: the way down ---- */

/* Draws the consequences of the level and the time; returns when to look again. */
tr_time tri_stop_step(struct tri_conductor *c, tr_time now);

/* Everything has ended by itself. */
void tri_stop_end(struct tri_conductor *c);

/* In the signal handler: one of TERM and INT. */
void tri_stop_on_signal(struct tri_conductor *c, int signo, int pid);

/* In the signal handler: the fatal timer has fired. */
_Noreturn void tri_stop_on_fatal(struct tri_conductor *c);

/* The exit status of a stop whose app has returned @r, with @n_failed children of the root. */
int tri_stop_status(const struct tri_conductor *c, int r, size_t n_failed);

/* The last line, if there was a stop. @n_lost: actors that are left behind. */
void tri_stop_summary(struct tri_conductor *c, size_t n_lost);

#endif /* TRI_ACTOR_CONDUCTOR_H */
