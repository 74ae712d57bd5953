/* SPDX-License-Identifier: MIT */
/*
 * stress.h - what the stress programs share: rounds until a time has passed, threads that begin
 * together, and beside them a runtime with tasks. Some rounds of each program are crowds:
 * STRESS_THREADS plain threads and STRESS_TASKS tasks on one object. TR_STRESS_MS: how long a
 * program runs, 2000 by default. TR_SEED repeats the choices, not the interleaving.
 */
#ifndef TESTS_STRESS_H
#define TESTS_STRESS_H

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include <troupe.h>

#include "base/rand.h"
#include "support/tr-check.h"

enum { STRESS_THREADS = 8, STRESS_TASKS = 64 };

static struct tri_rand stress_rand; /* of the main thread, or of the root task */

static inline tr_time stress_end(void)
{
    const char *ms = getenv("TR_STRESS_MS");

    test_print_seed();
    tri_rand_init(&stress_rand, test_seed());
    return tr_after(TR_MS(ms ? atoi(ms) : 2000));
}

static inline uint32_t stress_below(uint32_t n)
{
    return tri_rand_below(&stress_rand, n);
}

struct stress_thread {
    pthread_t thread;
    void (*fn)(struct stress_thread *t);
    unsigned index;
    struct tri_rand rand;
    atomic_uint *n_left; /* threads that have not arrived yet */
};

static inline void *stress_main(void *arg)
{
    struct stress_thread *t = arg;

    atomic_fetch_sub(t->n_left, 1);
    while (atomic_load(t->n_left) > 0)
        sched_yield();
    t->fn(t);
    return NULL;
}

/*
 * Runs fns[i] in a thread with the index i, all at the same moment, and beside them a runtime
 * with @root (or NULL); waits for their ends.
 */
static inline void stress_beside(void (*const *fns)(struct stress_thread *), unsigned n,
                                 tr_run_fn *root)
{
    struct stress_thread t[16];
    atomic_uint n_left = n;

    for (unsigned i = 0; i < n; i++) {
        t[i] = (struct stress_thread){ .fn = fns[i], .index = i, .n_left = &n_left };
        tri_rand_init(&t[i].rand, tri_rand_next(&stress_rand));
        if (pthread_create(&t[i].thread, NULL, stress_main, &t[i]) != 0)
            abort();
    }
    if (root)
        check_eq(tr_run(root, NULL), 0);
    for (unsigned i = 0; i < n; i++)
        pthread_join(t[i].thread, NULL);
}

static inline void stress_together(void (*const *fns)(struct stress_thread *), unsigned n)
{
    stress_beside(fns, n, NULL);
}

static inline int stress_result(unsigned long n_round)
{
    printf("# %lu rounds, %u failed checks\n", n_round, test_n_failed());
    return test_n_failed() == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

#endif /* TESTS_STRESS_H */
