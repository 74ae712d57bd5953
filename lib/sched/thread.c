/* SPDX-License-Identifier: MIT */
/*
 * thread.c - plain threads that wait in a blocking form. Each has a parker, a wakee whose word
 * is a futex; parkers are kept in a list when their thread ends and never freed, because a late
 * wake may still hit one (wakee.h).
 *
 * No wake-up is lost: the kernel puts the thread to sleep only while the word has no READY.
 */
#include "config.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

#include "base/futex.h"
#include "base/lock.h"
#include "mem/alloc.h"
#include "sched/cycle.h"
#include "sched/misuse.h"
#include "sched/task.h"

struct parker {
    struct tri_wakee wakee;
    struct tri_gate gate; /* its wakee is ours, for ever */
    struct parker *next;  /* in the list of free ones */
};

static struct tri_lock lock; /* protects free_parkers; nothing is taken inside */
static struct parker *free_parkers;
static pthread_key_t key;
static pthread_once_t key_once = PTHREAD_ONCE_INIT;
static int key_error;
static _Thread_local struct parker *mine __attribute__((tls_model("initial-exec")));

static void parker_release(void *arg)
{
    struct parker *p = arg;

    tri_cycle_retire(&p->gate);
    mine = NULL; /* a later destructor of this thread that waits gets one again */
    tri_lock_acquire(&lock);
    p->next = free_parkers;
    free_parkers = p;
    tri_lock_release(&lock);
}

static void key_make(void)
{
    key_error = pthread_key_create(&key, parker_release);
}

static struct parker *parker_get(void)
{
    struct parker *p;
    char name[24];

    (void)pthread_once(&key_once, key_make);
    if (key_error)
        return NULL;
    tri_lock_acquire(&lock);
    p = free_parkers;
    if (p)
        free_parkers = p->next;
    tri_lock_release(&lock);
    if (!p) {
        p = tri_mem_alloc(sizeof *p);
        if (!p)
            return NULL;
        atomic_init(&p->wakee.kind, TRI_KIND_THREAD);
        atomic_init(&p->wakee.word, TRI_READY);
        atomic_init(&p->gate.wakee, &p->wakee);
    }
    if (pthread_setspecific(key, p) != 0) {
        parker_release(p);
        return NULL;
    }
    (void)snprintf(name, sizeof name, "thread %d", (int)gettid());
    tri_cycle_name(&p->gate, name);
    mine = p;
    return p;
}

struct tri_gate *tri_thread_gate(void)
{
    struct parker *p = mine ? mine : parker_get();

    return p ? &p->gate : NULL;
}

void tri_thread_wake(struct tri_wakee *w)
{
    tri_futex_wake(&w->word, 1);
}

static void prepare(struct tri_wakee *w)
{
    /* As tri_park_prepare(). */
    (void)atomic_fetch_and_explicit(&w->word, ~(unsigned)TRI_READY, memory_order_acq_rel);
}

static void undo(struct tri_wakee *w)
{
    /*
     * A wake that came meanwhile is dropped: the caller looks at its source again. Orders as in
     * tri_wake().
     */
    (void)atomic_fetch_or_explicit(&w->word, TRI_READY, memory_order_acq_rel);
}

static int park(struct tri_wakee *w, tr_time limit)
{
    unsigned word;
    int r = 0;

    /* acquire: pairs with the release in tri_wake(). */
    while (!((word = atomic_load_explicit(&w->word, memory_order_acquire)) & TRI_READY)) {
        r = tri_futex_wait(&w->word, word, limit);
        if (r < 0) {
            undo(w);
            break;
        }
    }
    return r;
}

int tri_wait_blocking(tr_arm *arm, tr_time deadline, const void *caller)
{
    struct tri_worker *worker = tri_worker_self();
    struct parker *p = mine ? mine : parker_get();
    tr_time limit = deadline & ~TR_DRAIN_BIT;
    struct tri_waiter w = { .value = arm->value };
    int r = 0;

    if (tri_unlikely(tri_is_forked()))
        return -EOWNERDEAD;
    if (worker)
        return tri_misuse_blocks(worker, arm->ops->what, caller);
    if (!p)
        return -ENOMEM;
    w.wakee = &p->wakee;
    while (!arm->ops->attempt(arm)) {
        if (limit <= TR_NOW)
            r = -ETIMEDOUT;
        if (r < 0)
            return r;
        prepare(&p->wakee);
        if (!arm->ops->enroll(arm, &w)) {
            undo(&p->wakee);
            continue;
        }
        do {
            r = park(&p->wakee, tri_arm_limit(arm, limit));
            if (r < 0 || !arm->ops->keeps_place || !arm->ops->keeps_place(arm, &w))
                break;
            prepare(&p->wakee);
        } while (arm->ops->keeps_place(arm, &w));
        undo(&p->wakee);
        if (arm->ops->withdraw(arm, &w))
            return 0;
        if (arm->ops->due)
            r = tri_due_is_no_error(r, limit);
    }
    return 0;
}
