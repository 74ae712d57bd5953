/* SPDX-License-Identifier: MIT */
/*
 * tr-test.h - a test program is a suite and its tests; main comes from the harness.
 *
 *     TR_SUITE(ring, .init = make_ring, .fini = drop_ring, .timeout = 20);
 *
 *     TR_TEST(ring, push_into_a_full_ring_is_refused)
 *     {
 *         need_eq(ring_fill(&r), 8);
 *         check_eq(ring_push(&r, 1), -EAGAIN);
 *     }
 *
 * Each test has its own process and always a time limit. It fails by a check, by dying, and by
 * leaving a descriptor, a leak or an error of valgrind behind. tr-actor-test.h has the form
 * whose body runs as a task. The same source runs over Criterion or, with TR_TEST_PLAIN, over a
 * runner of our own; both take [--list] and a part of "suite/test" to choose by.
 */
#ifndef TR_TEST_H
#define TR_TEST_H

#include <stddef.h>

#include "support/tr-check.h"
#include "support/tr-guard.h"

/* .init, .fini, .timeout, .races: see struct tr_suite */
#define TR_SUITE(...) TRI_SUITE(__VA_ARGS__, .end_ = 0)
#define TRI_SUITE(suite_, ...) \
    static const struct tr_suite tr_suite_##suite_ = { .name = #suite_, __VA_ARGS__ }

/* .timeout: seconds, in place of the suite's; .once: see struct tr_test */
#define TR_TEST(suite_, ...) TRI_TEST(suite_, __VA_ARGS__, .end_ = 0)
#define TRI_TEST(suite_, name_, ...)                              \
    static void tr_body_##suite_##_##name_(void);                 \
    static struct tr_test tr_test_##suite_##_##name_ = {          \
        .suite = &tr_suite_##suite_,                              \
        .name = #name_,                                           \
        .body = tr_body_##suite_##_##name_,                       \
        __VA_ARGS__                                               \
    };                                                            \
    TRI_REGISTER(suite_, name_, tr_test_##suite_##_##name_)       \
    static void tr_body_##suite_##_##name_(void)

#ifdef TR_TEST_PLAIN

/* main-plain.c walks over this section */
#define TRI_REGISTER(suite_, name_, record_)                                         \
    static struct tr_test *const tr_entry_##suite_##_##name_                         \
        __attribute__((used, section("tr_tests"))) = &record_;

#else

#include <criterion/criterion.h>

void tri_criterion_run(const struct tr_test *t);

#define TRI_REGISTER(suite_, name_, record_) \
    Test(suite_, name_, .data = &record_)    \
    {                                        \
        tri_criterion_run(&record_);         \
    }

#endif

#endif /* TR_TEST_H */
