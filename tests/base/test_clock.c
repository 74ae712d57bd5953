/* SPDX-License-Identifier: MIT */
/*
 * test_clock.c - the clock agrees with CLOCK_MONOTONIC and never goes back.
 */
#include "config.h"

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#include "base/clock.h"
#include "support/tr-test.h"

TR_SUITE(clock);

static tr_time kernel_now(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return TR_S(ts.tv_sec) + ts.tv_nsec;
}

TR_TEST(clock, lies_between_two_readings_of_the_kernel)
{
    unsigned n_outside = 0;

    for (int i = 0; i < 100000; i++) {
        tr_time before = kernel_now(), t = tri_clock_now(), after = kernel_now();

        n_outside += t < before || t > after;
    }
    check_eq(n_outside, 0u);
}

/* Two threads hand on the latest instant: nobody may read an earlier one after it. */
static _Atomic tr_time latest;
static atomic_uint n_back;

static void *pass_on(void *arg)
{
    tr_time end = tri_clock_now() + TR_MS(100), seen, t;

    do {
        /* acquire: what we read next is after what the other thread read before its store. */
        seen = atomic_load_explicit(&latest, memory_order_acquire);
        t = tri_clock_now();
        if (t < seen) /* relaxed: a count, read after the join */
            atomic_fetch_add_explicit(&n_back, 1, memory_order_relaxed);
        while (t > seen && /* release: to the load above. relaxed: only seen is used */
               !atomic_compare_exchange_weak_explicit(&latest, &seen, t, memory_order_release,
                                                      memory_order_relaxed))
            ;
    } while (t < end);
    return arg;
}

TR_TEST(clock, never_goes_back_from_thread_to_thread)
{
    pthread_t thread[2];

    for (int i = 0; i < 2; i++)
        need_eq(pthread_create(&thread[i], NULL, pass_on, NULL), 0);
    for (int i = 0; i < 2; i++)
        need_eq(pthread_join(thread[i], NULL), 0);
    check_eq(atomic_load(&n_back), 0u);
}

TR_TEST(clock, a_span_becomes_a_timespec_and_a_negative_one_zero)
{
    struct timespec ts = tri_clock_timespec(TR_S(3) + 7);

    check_eq(ts.tv_sec, 3);
    check_eq(ts.tv_nsec, 7);
    ts = tri_clock_timespec(-1);
    check_eq(ts.tv_sec, 0);
    check_eq(ts.tv_nsec, 0);
}
