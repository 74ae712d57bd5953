/* SPDX-License-Identifier: MIT */
/*
 * troupe/runtime.h - run actors: tr_main() is a whole daemon, tr_run() a runtime inside a
 * program. Both run one function as the root task, on all cores, and return when it and
 * everything it started have ended.
 */
#ifndef TROUPE_RUNTIME_H
#define TROUPE_RUNTIME_H

#include <troupe/scope.h>

TR_BEGIN_DECLS

struct tr_runtime_opts {
    const char *name;       /* for reports and thread names; NULL: "troupe" */
    unsigned n_worker;      /* worker threads; 0: $TR_WORKERS, else the CPUs this process may
                             * use */
    bool current_thread;    /* no thread is started: everything runs on the calling one */
    bool simulate;          /* virtual time and sockets, one thread, order chosen by @seed */
    uint64_t seed;          /* of the simulator; 0: $TR_SEED, else 1 */
    size_t stack_bytes;     /* of each task; 0: 64 KiB. A multiple of the page size */
    tr_time stop_budget;    /* span from the first stop signal to the end; 0: nine seconds */
    tr_time stall_limit;    /* span a task may hold its worker unreported; 0: 100 ms */
};

typedef int tr_run_fn(tr_scope *root, void *arg);
typedef int tr_app_fn(tr_scope *root, int argc, char **argv);

/*
 * Runs @fn(root scope, @arg) as the root task of a new runtime and waits until it and the whole
 * root scope have ended. When @fn returns, what still runs in the root scope is cancelled. The
 * root scope collects; the root task is not counted in it, but meets its drain and cancel.
 * Workers are watched for stalls from when one of them is first idle, or looks at the clock
 * between two slices, as it does each eighth time, after 10 ms. What is missed is a slice
 * without end among the very first ones while no other worker has started. tr_main() watches at
 * once.
 * Returns:  what @fn returned.  -EINVAL: bad options.  -ENOMEM, -EMFILE, -EAGAIN: the runtime
 *           could not be started.  -EDEADLK: the caller is an actor.  -EOWNERDEAD: a forked
 *           child.
 * Callers:  plain threads, several at once.
 */
TR_API int tr_run(tr_run_fn *fn, void *arg);
TR_API int tr_run_with(const struct tr_runtime_opts *opts, tr_run_fn *fn, void *arg);

/*
 * A daemon: as tr_run_with(), and signals. The first TERM or INT raises the shutdown level to
 * TR_LEVEL_DRAIN, which drains the root scope; the last second of the stop budget (or quarter,
 * if that is shorter) to TR_LEVEL_STOP; the second signal, or the end of the budget, to
 * TR_LEVEL_ABORT; the third leaves at once. Signals within 200 ms count once. QUIT and USR1
 * write every actor, and what it waits for, to standard error. A signal that an actor has
 * opened is that actor's. The last line of a stop on standard error is its summary:
 *
 *     shutdown: 41 stopped, 1 late (conn), 0 lost, 1 discarded, 0.52 s
 *
 * stopped: ended since the stop began; late: not ended when it came to TR_LEVEL_ABORT; lost:
 * nor when the process left; discarded: tasks that were cancelled before they ever ran.
 * Returns the exit status: 0: everything stopped in time.  1: @app returned another failure
 * than those of a stop, or a direct child of the root scope failed.  124: the stop budget was
 * missed, or @app returned -ETIMEDOUT.  128 + n: forced by signal n.
 * Callers:  main(), before other threads exist. One more thread than @n_worker takes the
 * signals, also with current_thread. SIGPIPE is ignored. Standard descriptors that are closed
 * become /dev/null. A forked child gets -EOWNERDEAD.
 */
TR_API int tr_main(const char *name, tr_app_fn *app, int argc, char **argv);
TR_API int tr_main_with(const struct tr_runtime_opts *opts, tr_app_fn *app, int argc,
                        char **argv);

/* What the runtime has to tell: one line without a newline. Must not call troupe. */
enum tr_event_kind {
    TR_EVENT_FAILED,   /* a child failed and nobody joined it */
    TR_EVENT_STALLED,  /* a task holds its worker */
    TR_EVENT_LATE,     /* a task did not end in time */
    TR_EVENT_MISUSE,   /* a call from the wrong place; the text says what to do */
    TR_EVENT_OVERRUN,  /* a task meets its cancellation again and again and goes on */
    TR_EVENT_STARVED,  /* an acceptor is out of descriptors or memory */
};

typedef void tr_hook_fn(enum tr_event_kind kind, const char *text, void *arg);

/*
 * Sets the process's hook, called on any thread; NULL: lines on standard error (the default).
 */
TR_API void tr_hook_set(tr_hook_fn *hook, void *arg);

/*
 * Workers of the calling actor's runtime, and the index of the calling one; 0 and -1 outside.
 */
TR_API unsigned tr_worker_count(void);
TR_API int tr_worker_index(void);

/* A short text for a negative errno as troupe uses it: "the other side is closed (EPIPE)". */
TR_API const char *tr_strerror(int error);

TR_END_DECLS

#endif /* TROUPE_RUNTIME_H */
