/* SPDX-License-Identifier: MIT */
/* step.h - a runtime with one worker, which a test steps until something has become true. */
#ifndef TESTS_CHAN_STEP_H
#define TESTS_CHAN_STEP_H

#include <troupe.h>

#include "support/tr-test.h"

/* A test whose body runs as the root task of a runtime with one worker; the scope is "root". */
#define STEP_TEST(suite_, ...) TRI_STEP_TEST(suite_, __VA_ARGS__, .end_ = 0)
#define TRI_STEP_TEST(suite_, name_, ...)                                                      \
    static void tr_step_##suite_##_##name_(tr_scope *root);                                    \
    static int tr_run_##suite_##_##name_(tr_scope *root, void *arg)                            \
    {                                                                                          \
        (void)arg;                                                                             \
        tr_step_##suite_##_##name_(root);                                                      \
        return 0;                                                                              \
    }                                                                                          \
    TRI_TEST(suite_, name_, __VA_ARGS__)                                                       \
    {                                                                                          \
        const struct tr_runtime_opts opts = { .n_worker = 1 };                                 \
                                                                                               \
        check_eq(tr_run_with(&opts, tr_run_##suite_##_##name_, NULL), 0);                      \
    }                                                                                          \
    static void tr_step_##suite_##_##name_(tr_scope *root __attribute__((unused)))

/* Lets the others run until @cond holds; the test's time limit ends it if it never does. */
#define step_until(cond)                                                                       \
    do {                                                                                       \
        while (!(cond))                                                                        \
            need_eq(tr_yield(), 0);                                                            \
    } while (0)

#endif /* TESTS_CHAN_STEP_H */
