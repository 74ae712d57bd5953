/* SPDX-License-Identifier: MIT */
/* test_lock.c - the mutex of one word: exclusion, try, and who is woken. */
#include "config.h"

#include <pthread.h>
#include <sched.h>

#include "base/lock.h"
#include "support/tr-test.h"

enum { N_THREAD = 4, ROUNDS = 20000 };

static struct tri_lock lock;
static unsigned long n_inside, sum;

TR_SUITE(lock, .races = true, .timeout = 30);

TR_TEST(lock, zero_is_free_and_it_is_not_recursive)
{
    check(tri_lock_try(&lock));
    check(!tri_lock_try(&lock));
    tri_lock_release(&lock);
    tri_lock_acquire(&lock);
    check(!tri_lock_try(&lock));
    tri_lock_release(&lock);
    check_eq(atomic_load(&lock.word), TRI_LOCK_FREE);
}

static void *count(void *arg)
{
    unsigned *n_bad = arg;

    for (unsigned i = 0; i < ROUNDS; i++) {
        tri_lock_acquire(&lock);
        *n_bad += n_inside++ != 0;
        sum++;
        if (i % 512 == 0)
            (void)sched_yield(); /* the others run into the lock */
        n_inside--;
        tri_lock_release(&lock);
    }
    return NULL;
}

TR_TEST(lock, one_at_a_time_is_inside)
{
    pthread_t thread[N_THREAD];
    unsigned n_bad[N_THREAD] = { 0 };

    for (unsigned i = 0; i < N_THREAD; i++)
        need_eq(pthread_create(&thread[i], NULL, count, &n_bad[i]), 0);
    for (unsigned i = 0; i < N_THREAD; i++) {
        pthread_join(thread[i], NULL);
        check_eq(n_bad[i], 0);
    }
    check_eq(sum, (unsigned long)N_THREAD * ROUNDS);
    check_eq(atomic_load(&lock.word), TRI_LOCK_FREE);
}

static void *hold_once(void *arg)
{
    (void)arg;
    tri_lock_acquire(&lock);
    sum++;
    tri_lock_release(&lock);
    return NULL;
}

TR_TEST(lock, every_waiter_of_one_release_gets_it)
{
    pthread_t thread[N_THREAD];

    tri_lock_acquire(&lock);
    for (unsigned i = 0; i < N_THREAD; i++)
        need_eq(pthread_create(&thread[i], NULL, hold_once, NULL), 0);
    while (atomic_load(&lock.word) != TRI_LOCK_AWAITED)
        (void)sched_yield();
    check_eq(sum, 0);
    tri_lock_release(&lock);
    for (unsigned i = 0; i < N_THREAD; i++)
        pthread_join(thread[i], NULL);
    check_eq(sum, N_THREAD);
}
