/* SPDX-License-Identifier: MIT */
/*
 * troupe/signal.h - wait for POSIX signals, and the level at which the program stops.
 *
 * Occurrences between two waits of one object are counted, none is lost; but the kernel merges
 * those that come while one is pending. tr_main() blocks TERM, INT, QUIT, HUP, USR1, USR2 and
 * CHLD before it starts threads and takes them in a thread that runs no user code; in a runtime
 * of tr_run() the thread that called it may be interrupted, as by any handler with SA_RESTART.
 * A signal nobody has opened keeps its default effect.
 */
#ifndef TROUPE_SIGNAL_H
#define TROUPE_SIGNAL_H

#include <troupe/select.h>
#include <troupe/watch.h>

TR_BEGIN_DECLS

/* A subscription to one signal; { 0 } is empty. One actor at a time. */
typedef struct tr_signal {
    struct tri_signal *sub;
} tr_signal;

struct tr_signal_info {
    int signo;
    unsigned count; /* occurrences since the last one that was reported here */
    int pid;        /* of the newest: who sent it, or 0 */
    unsigned uid;
};

/*
 * Subscribes: occurrences from now on are seen. Subscribing to TERM or INT takes them over:
 * they no longer raise the shutdown level by themselves.
 * Returns:  0.  -EINVAL: no signal, or one that cannot be caught.  -ENOMEM.  -EPERM: no
 *           runtime.  -EOPNOTSUPP: a simulated runtime.  -EAGAIN: no thread to take it.
 */
TR_API TR_CHECK int tr_signal_open(int signo, tr_signal *ret_signal);

/* Waits for an occurrence that this object has not reported. @ret_info may be NULL. */
TR_API TR_CHECK int tr_signal_recv(tr_signal *s, tr_time deadline,
                                   struct tr_signal_info *ret_info);

/* An arm of tr_select(); @ret_info may be NULL. */
TR_API tr_arm tr_signal_recv_arm(tr_signal *s, struct tr_signal_info *ret_info);

/* Closes; with the last subscription the signal gets its former effect back. */
TR_API void tr_signal_close(tr_signal *s);

/*
 * The short form: waits for @signo on a subscription that the runtime makes at the first call
 * and keeps. Waiters of one signal share it: an occurrence wakes one of them.
 */
TR_API TR_CHECK int tr_signal_wait(int signo, tr_time deadline);

/* How far the program has come on its way down. It only grows. */
enum tr_level {
    TR_LEVEL_RUN,   /* at work */
    TR_LEVEL_DRAIN, /* takes nothing new from outside; finishes what it has */
    TR_LEVEL_STOP,  /* every wait returns -ECANCELED; cleanups run */
    TR_LEVEL_ABORT, /* cleanup budgets are cut; the late are named; the process leaves */
};

TR_WATCH(tr_levelw, enum tr_level, tr_nodrop);

/* Waits until the level is at least @level: 0, each time from then on. Tasks. */
TR_API TR_CHECK int tr_shutdown_wait(enum tr_level level, tr_time deadline);

/*
 * A subscription to the level of the calling runtime, for code that selects on it. A level
 * above TR_LEVEL_RUN counts as unseen. Close it with tr_levelw_rx_close(). Empty outside a
 * runtime.
 */
TR_API tr_levelw_rx tr_shutdown_watch(void);

/* The level of the calling runtime; TR_LEVEL_RUN outside. */
TR_API enum tr_level tr_shutdown_level(void);

/*
 * Raises the level of the calling actor's runtime, or from a plain thread that of the process's
 * tr_main(). Raising twice is harmless; it never falls. Does not wait. @reason is kept by
 * reference.  Returns:  0.  -EINVAL: no such level.  -EPERM: no runtime.
 */
TR_API int tr_shutdown(enum tr_level level, const char *reason);

TR_END_DECLS

#endif /* TROUPE_SIGNAL_H */
