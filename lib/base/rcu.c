/* SPDX-License-Identifier: MIT */
/*
 * rcu.c - see rcu.h. What a thread has collected is a list in its own storage; the first
 * element carries the whole list through call_rcu.
 */
#include "config.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>

#include "base/rcu.h"

enum { N_BATCH = 32 };

char tri_rcu_domain;

static pthread_once_t key_once = PTHREAD_ONCE_INIT, urcu_once = PTHREAD_ONCE_INIT;
static pthread_key_t key; /* its destructor sees the end of each thread that was here */

static __thread bool owned;   /* this thread was registered by us, not by the application */
static __thread bool watched; /* the key's destructor will run for this thread */
static __thread struct tri_rcu_head *batch;
static __thread unsigned n_batch;

static atomic_size_t n_pending; /* handed over and not yet freed */

static void leave_thread(void *unused)
{
    (void)unused;
    watched = false;
    tri_rcu_flush();
    if (owned) {
        owned = false;
        urcu_memb_unregister_thread();
    }
}

static void make_key(void)
{
    TRI_ASSERT(pthread_key_create(&key, leave_thread) == 0);
}

/* A destructor that comes later and calls us sets the key again, and is seen again. */
static void watch_thread(void)
{
    if (watched)
        return;
    TRI_ASSERT(pthread_once(&key_once, make_key) == 0);
    TRI_ASSERT(pthread_setspecific(key, &tri_rcu_domain) == 0);
    watched = true;
}

void tri_rcu_enroll(void)
{
    if (URCU_TLS(urcu_memb_reader).registered)
        return;
    urcu_memb_register_thread();
    owned = true;
    watch_thread();
}

static void start_urcu(void)
{
    sigset_t all, old;

    sigfillset(&all);
    /* The thread inherits the mask of its creator. */
    pthread_sigmask(SIG_SETMASK, &all, &old);
    (void)pthread_setname_np(
        urcu_memb_get_call_rcu_thread(urcu_memb_get_default_call_rcu_data()), "troupe/rcu");
    pthread_sigmask(SIG_SETMASK, &old, NULL);
}

void tri_rcu_start(void)
{
    tri_rcu_enroll();
    (void)pthread_once(&urcu_once, start_urcu);
}

/* On liburcu's thread, after the grace period. */
static void free_batch(struct rcu_head *urcu)
{
    struct tri_rcu_head *h = (struct tri_rcu_head *)(void *)urcu, *next;
    size_t n = 0;

    _Static_assert(offsetof(struct tri_rcu_head, urcu) == 0, "the cast above");

    TRI_TSAN_ACQUIRE(h);
    TRI_TSAN_ACQUIRE(&tri_rcu_domain);
    for (; h; h = next, n++) {
        next = h->next;
        h->fn(h);
    }
    /* release: who sees the count fall sees that the objects are gone. */
    atomic_fetch_sub_explicit(&n_pending, n, memory_order_release);
}

void tri_rcu_flush(void)
{
    struct tri_rcu_head *first = batch;

    if (!first)
        return;
    /* relaxed: call_rcu orders it before the decrement in free_batch(). */
    atomic_fetch_add_explicit(&n_pending, n_batch, memory_order_relaxed);
    batch = NULL;
    n_batch = 0;
    tri_rcu_start();
    TRI_TSAN_RELEASE(first);
    urcu_memb_call_rcu(&first->urcu, free_batch);
}

void tri_rcu_retire(struct tri_rcu_head *head, void (*fn)(struct tri_rcu_head *head))
{
    watch_thread();
    head->fn = fn;
    head->next = batch;
    batch = head;
    if (++n_batch == N_BATCH)
        tri_rcu_flush();
}

void tri_rcu_barrier_if_pending(void)
{
    tri_rcu_flush();
    /* acquire: pairs with the release in free_batch(). */
    if (atomic_load_explicit(&n_pending, memory_order_acquire) == 0)
        return;
    tri_rcu_enroll();
    urcu_memb_barrier();
}
