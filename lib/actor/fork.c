/* SPDX-License-Identifier: MIT */
/*
 * fork.c - a child forked while a runtime runs has its memory, but none of its threads: waiting
 * would be for ever. So the child is marked, and what would wait or start something there
 * returns -EOWNERDEAD. The signals get their former effects and mask back, so that the child,
 * and what it executes, can be stopped. When its actor returns, the child ends as by _exit(),
 * for there is no worker to return to; cleanups on the way find that scopes do nothing.
 *
 * Only fork() is seen; posix_spawn() and vfork() run no handlers and hand the mask on.
 */
#include "config.h"

#include <pthread.h>
#include <signal.h>

#include "actor/runtime.h"
#include "actor/signal.h"

static pthread_once_t once = PTHREAD_ONCE_INIT;
static atomic_uint n_running; /* runtimes of this process */
static struct tri_lock lock;  /* protects mask and has_mask */
static sigset_t mask;
static bool has_mask;

static void in_child(void)
{
    /* relaxed: written by threads that are no more, or by this one. */
    if (atomic_load_explicit(&n_running, memory_order_relaxed) == 0)
        return;
    atomic_store_explicit(&tri_forked, true, memory_order_relaxed);
    tri_tls_worker = NULL; /* this thread is no worker any more */
    tri_signal_forget();
    if (has_mask)
        (void)pthread_sigmask(SIG_SETMASK, &mask, NULL);
}

static void watch_forks(void)
{
    (void)pthread_atfork(NULL, NULL, in_child);
}

void tri_fork_begin(void)
{
    (void)pthread_once(&once, watch_forks);
    atomic_fetch_add_explicit(&n_running, 1, memory_order_relaxed);
}

void tri_fork_end(void)
{
    atomic_fetch_sub_explicit(&n_running, 1, memory_order_relaxed);
}

void tri_fork_mask(const sigset_t *set)
{
    tri_lock_acquire(&lock);
    mask = *set;
    has_mask = true;
    tri_lock_release(&lock);
}
