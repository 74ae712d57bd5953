/* SPDX-License-Identifier: MIT */
/*
 * tr-actor-test.h - ACTOR_TEST(suite, name, ...) is a TR_TEST whose body runs as the first task
 * of a runtime, with the root scope as "root". The suite's init and fini run outside of it,
 * before the runtime starts and after it has ended.
 */
#ifndef TR_ACTOR_TEST_H
#define TR_ACTOR_TEST_H

#include <troupe/runtime.h>

#include "support/tr-test.h"

#define ACTOR_TEST(suite_, ...) TRI_ACTOR_TEST(suite_, __VA_ARGS__, .end_ = 0)
#define TRI_ACTOR_TEST(suite_, name_, ...)                                                 \
    static void tr_task_##suite_##_##name_(tr_scope *root);                                \
    static int tr_main_##suite_##_##name_(tr_scope *root, void *arg)                       \
    {                                                                                      \
        (void)arg;                                                                         \
        tr_task_##suite_##_##name_(root);                                                  \
        return 0;                                                                          \
    }                                                                                      \
    TRI_TEST(suite_, name_, __VA_ARGS__)                                                   \
    {                                                                                      \
        check_eq(tr_run(tr_main_##suite_##_##name_, NULL), 0, "the runtime ends cleanly"); \
    }                                                                                      \
    static void tr_task_##suite_##_##name_(tr_scope *root __attribute__((unused)))

#endif /* TR_ACTOR_TEST_H */
