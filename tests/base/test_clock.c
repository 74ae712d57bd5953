/* SPDX-License-Identifier: MIT */
/*
 * test_clock.c - the clock is never ahead of CLOCK_MONOTONIC, close behind it, and never back.
 */
#include "config.h"

#include <pthread.h>
#include <stdatomic.h>

#include "base/clock.h"
#include "support/tr-test.h"

TR_SUITE(clock, .timeout = 60);

/* Runs the clock for @span, so that it goes through measurement and many lines. */
static void compare_for(tr_time span)
{
    tr_time end = tri_clock_kernel() + span, last = 0, before, t, after = 0;
    unsigned n_ahead = 0, n_back = 0, n_far = 0, n = 0;

    while (after < end) {
        before = tri_clock_kernel();
        t = tri_clock_now();
        after = tri_clock_kernel();
        n_ahead += t > after;
        n_back += t < last;
        n_far += t < before - TR_US(4);
        last = t;
        n++;
    }
    check_eq(n_ahead, 0, "it was after CLOCK_MONOTONIC");
    check_eq(n_back, 0, "it went back");
    check_eq(n_far > n / 1000, false, "it was more than 4 us behind, %u of %u times", n_far, n);
}

TR_TEST(clock, is_never_ahead_and_close_behind_from_the_first_call)
{
    compare_for(TR_MS(100));
}

/* Many threads hand on the last instant: nobody may read a much earlier one after it. */
static _Atomic tr_time latest;
static atomic_uint n_back;

static void *pass_on(void *arg)
{
    tr_time end = tri_clock_kernel() + TR_MS(100), seen, t;

    do {
        /* acquire: what we read next is after what the other thread read before its store. */
        seen = atomic_load_explicit(&latest, memory_order_acquire);
        t = tri_clock_now();
        if (t < seen - TR_US(1)) /* relaxed: a count, read after the join */
            atomic_fetch_add_explicit(&n_back, 1, memory_order_relaxed);
        while (t > seen && /* release: to the load above. relaxed: only seen is used */
               !atomic_compare_exchange_weak_explicit(&latest, &seen, t, memory_order_release,
                                                      memory_order_relaxed))
            ;
    } while (t < end);
    return arg;
}

TR_TEST(clock, goes_back_from_thread_to_thread_by_less_than_a_microsecond)
{
    pthread_t thread[4];

    for (int i = 0; i < 4; i++)
        need_eq(pthread_create(&thread[i], NULL, pass_on, NULL), 0);
    for (int i = 0; i < 4; i++)
        need_eq(pthread_join(thread[i], NULL), 0);
    check_eq(atomic_load(&n_back), 0);
}
