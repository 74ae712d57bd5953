/* SPDX-License-Identifier: MIT */
/*
 * calls.h - calls that wait, each in a task of its own, and a look at who is in line. Tests
 * step one worker: so what is granted to a parked task is not taken before the test yields.
 */
#ifndef TESTS_SYNC_CALLS_H
#define TESTS_SYNC_CALLS_H

#include <pthread.h>

#include "sched/kit.h"
#include "sync/crowd.h"

enum { PENDING = 99, N_CALL = 128 };

/* What a call came to; and the order in which calls ended. */
static int result[N_CALL];
static unsigned order[N_CALL], n_ended;

struct call {
    int (*fn)(unsigned id, tr_time deadline);
    unsigned id;
    tr_time deadline;
};

TR_TASK(call, struct call, tr_nodrop);

static int call(struct call *c)
{
    int r = c->fn(c->id, c->deadline);

    result[c->id] = r;
    order[n_ended++] = c->id;
    return 0;
}

static unsigned n_in_line(struct tri_sync *s)
{
    struct tri_crowd *c = tri_crowd_of(s);
    struct tri_waiter *first, *w;
    unsigned n = 0;

    tri_lock_acquire(&c->lock);
    first = w = tri_waitq_first(&c->line);
    for (; w; w = w->next == first ? NULL : w->next)
        n++;
    tri_lock_release(&c->lock);
    return n;
}

/* Starts @fn(@id, @deadline) in a task. */
static inline tr_task start(tr_scope *scope, int (*fn)(unsigned id, tr_time deadline),
                            unsigned id, tr_time deadline)
{
    struct call c = { fn, id, deadline };
    tr_task t = { NULL };

    result[id] = PENDING;
    check_eq(call_spawn(scope, &c, &(struct tr_task_opts){ .ret_task = &t }), 0);
    return t;
}

/* The same, and waits until it is in line at @s, behind the others. */
static inline tr_task queue(tr_scope *scope, struct tri_sync *s,
                            int (*fn)(unsigned id, tr_time deadline), unsigned id,
                            tr_time deadline)
{
    unsigned n = n_in_line(s);
    tr_task t = start(scope, fn, id, deadline);

    while (n_in_line(s) == n && result[id] == PENDING)
        check_eq(tr_yield(), 0);
    check_eq(n_in_line(s), n + 1, "it waits");
    return t;
}

/* Lets @id come to its end. */
static inline int ended(unsigned id)
{
    while (result[id] == PENDING)
        if (tr_yield() < 0)
            break;
    return result[id];
}

/* Runs @fn in a plain thread, to its end. */
static inline void in_thread(void *(*fn)(void *))
{
    pthread_t thread;

    check_eq(pthread_create(&thread, NULL, fn, NULL), 0);
    pthread_join(thread, NULL);
}

#endif /* TESTS_SYNC_CALLS_H */
