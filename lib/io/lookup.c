/* SPDX-License-Identifier: MIT */
/*
 * lookup.c - see lookup.h. The asking task and the thread share a heap object, and the last of
 * the two frees it: a task that no longer waits leaves the thread to its question, which ends
 * when the resolver's own time-outs do (some ten seconds). n_open bounds their number.
 *
 * No wake-up is lost: the task stores its wakee and then looks at is_done; the thread sets
 * is_done and then looks for a wakee; all four seq_cst. The wakee's memory: see wakee.h.
 */
#include "config.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "io/lookup.h"
#include "reactor/epoll.h"
#include "sched/wait.h"
#include "sched/worker.h"

enum { LIMIT = 64, THREAD_STACK_BYTES = 256 * 1024 };

struct question {
    atomic_uint n_ref;   /* the task and the thread */
    atomic_bool is_done; /* set by the thread, after result and list */
    struct tri_wakee *_Atomic waiter;
    int result;
    struct tri_address_text parts; /* constant */
    struct tri_addresses list;
};

static atomic_uint n_open;

unsigned tri_lookup_n_open(void)
{
    /* acquire: what a thread that has ended did is done. */
    return atomic_load_explicit(&n_open, memory_order_acquire);
}

static void question_unref(struct question *q)
{
    /* release: our accesses end here. acquire: the other's ended before we free. */
    if (atomic_fetch_sub_explicit(&q->n_ref, 1, memory_order_acq_rel) == 1)
        free(q);
}

static void *answer(void *arg)
{
    struct question *q = arg;
    struct tri_wakee *w;

    q->result = tri_address_resolve(&q->parts, &q->list);
    /* seq_cst: before the look for a waiter; publishes the answer. */
    atomic_store_explicit(&q->is_done, true, memory_order_seq_cst);
    w = atomic_exchange_explicit(&q->waiter, NULL, memory_order_seq_cst);
    if (w)
        tri_wake(w);
    question_unref(q);
    /* release: pairs with the load in tri_lookup_n_open(). */
    (void)atomic_fetch_sub_explicit(&n_open, 1, memory_order_release);
    return NULL;
}

/* ---- the wait ---- */

static bool attempt(tr_arm *arm)
{
    const struct question *q = arm->source;

    /* seq_cst: after the store of waiter, see above; shows us the answer. */
    return atomic_load_explicit(&q->is_done, memory_order_seq_cst);
}

static bool withdraw(tr_arm *arm, struct tri_waiter *w)
{
    struct question *q = arm->source;

    (void)w;
    /* relaxed: a thread that has taken it wakes us for nothing. */
    atomic_store_explicit(&q->waiter, NULL, memory_order_relaxed);
    return false;
}

static bool enroll(tr_arm *arm, struct tri_waiter *w)
{
    struct question *q = arm->source;

    /* seq_cst: before the look at is_done; pairs with answer(). */
    atomic_store_explicit(&q->waiter, w->wakee, memory_order_seq_cst);
    if (!attempt(arm))
        return true;
    (void)withdraw(arm, w);
    return false;
}

static const struct tri_arm_ops lookup_ops = {
    .what = "name look-up",
    .attempt = attempt,
    .enroll = enroll,
    .withdraw = withdraw,
};

/* ---- the thread ---- */

/* Makes the thread, which has a reference to @q then; all signals are blocked in it. */
static int start(struct question *q)
{
    pthread_attr_t attr;
    sigset_t all, before;
    pthread_t thread;
    int e = pthread_attr_init(&attr);

    if (e != 0)
        return -e;
    (void)pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    (void)pthread_attr_setstacksize(&attr, THREAD_STACK_BYTES);
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    e = pthread_create(&thread, &attr, answer, q);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    (void)pthread_attr_destroy(&attr);
    return -e;
}

static int question_new(const struct tri_address_text *parts, struct question **ret_question)
{
    struct question *q;
    int r;

    /* relaxed: a limit, and no more. */
    if (atomic_fetch_add_explicit(&n_open, 1, memory_order_relaxed) >= LIMIT) {
        r = -ENOBUFS;
        goto uncount;
    }
    q = calloc(1, sizeof *q);
    if (!q) {
        r = -ENOMEM;
        goto uncount;
    }
    atomic_init(&q->n_ref, 2);
    q->parts = *parts;
    r = start(q);
    if (r < 0)
        goto free_question;
    *ret_question = q;
    return 0;

free_question:
    free(q);
uncount:
    (void)atomic_fetch_sub_explicit(&n_open, 1, memory_order_relaxed);
    return r;
}

int tri_lookup(const struct tri_address_text *parts, tr_time deadline,
               struct tri_addresses *ret_list)
{
    tr_arm arm = { .ops = &lookup_ops };
    struct question *q;
    int r = tri_wait_enter_as(tri_self(), lookup_ops.what);

    if (r < 0)
        return r;
    if (tri_self_backend() != tri_epoll_backend())
        return -EADDRNOTAVAIL; /* a thread would come from outside the simulated world */
    r = question_new(parts, &q);
    if (r < 0)
        return r;
    arm.source = q;
    r = tri_wait(&arm, deadline);
    if (r == 0)
        r = q->result;
    if (r == 0)
        *ret_list = q->list;
    question_unref(q);
    return r;
}
