/* SPDX-License-Identifier: MIT */
/*
 * kit.h - what the tests of tasks, scopes, handlers and select share: a hook that writes down
 * what it was told, a look whether a task is parked, and how often an order is tried.
 */
#ifndef TESTS_SCHED_KIT_H
#define TESTS_SCHED_KIT_H

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <troupe.h>

#include "chan/step.h"
#include "sched/actor.h"
#include "support/tr-actor-test.h"

enum { N_EVENT_KIND = 16 };

static atomic_uint n_told[N_EVENT_KIND]; /* by kind */
static char told[512];                   /* the last text; of tests in which one thread tells */

static inline void kit_hook(enum tr_event_kind kind, const char *text, void *arg)
{
    (void)arg;
    if (atomic_fetch_add(&n_told[kind], 1) < 1000)
        strncpy(told, text, sizeof told - 1);
}

/* For a suite's init: what is told is counted, not printed. */
static inline void kit_listen(void)
{
    tr_hook_set(kit_hook, NULL);
}

/* It sleeps in a wait. With one worker: exactly; else as of a moment ago. */
static inline bool is_parked(const tr_task *t)
{
    struct tri_wakee *w = &t->rec->a.wakee;

    if (tri_wakee_kind(w) == TRI_KIND_MOVABLE)
        return !(atomic_load(&w->word) & TRI_READY);
    return atomic_load(&w->parked);
}

/* For a test that is not of a suite of races, and makes many orders by itself: more of them. */
static inline unsigned repeats(void)
{
    const char *n = getenv("TR_REPEAT");

    return n && atoi(n) > 5 ? (unsigned)atoi(n) / 5 : 1;
}

/* Runs @fn in a new runtime, which must end with 0. */
static inline void run_with(struct tr_runtime_opts opts, tr_run_fn *fn, void *arg)
{
    check_eq(tr_run_with(&opts, fn, arg), 0, "the runtime ends cleanly");
}

/*
 * How often a test makes some order by itself: @n times, but once if it is repeated as a whole.
 */
static inline unsigned tries(unsigned n)
{
    return tri_repeat > 0 ? 1 : n;
}

/*
 * Runs @fn in the simulator, once for each of some seeds: every order of a race comes up.
 * Returns how many there were.
 */
static inline unsigned run_seeds(unsigned n, tr_run_fn *fn, void *arg)
{
    unsigned i;

    for (i = 0; i < tries(n) && test_n_failed() == 0; i++)
        run_with((struct tr_runtime_opts){ .simulate = true, .seed = test_seed() + i }, fn,
                 arg);
    return i;
}

/* A test whose body runs as the root task of the simulator, in virtual time. */
#define VIRTUAL_TEST(suite_, ...) TRI_VIRTUAL_TEST(suite_, __VA_ARGS__, .end_ = 0)
#define TRI_VIRTUAL_TEST(suite_, name_, ...)                                                   \
    static void tr_sim_##suite_##_##name_(tr_scope *root);                                     \
    static int tr_run_##suite_##_##name_(tr_scope *root, void *arg)                            \
    {                                                                                          \
        (void)arg;                                                                             \
        tr_sim_##suite_##_##name_(root);                                                       \
        return 0;                                                                              \
    }                                                                                          \
    TRI_TEST(suite_, name_, __VA_ARGS__)                                                       \
    {                                                                                          \
        (void)run_seeds(1, tr_run_##suite_##_##name_, NULL);                                   \
    }                                                                                          \
    static void tr_sim_##suite_##_##name_(tr_scope *root __attribute__((unused)))

#endif /* TESTS_SCHED_KIT_H */
