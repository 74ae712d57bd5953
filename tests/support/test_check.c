/* SPDX-License-Identifier: MIT */
/* The checks hold where they should; that they fail where they should is up to inner.c. */
#include "config.h"

#include <errno.h>
#include <stdint.h>

#include "support/tr-test.h"

static int n_init;

static void count_init(void)
{
    n_init++;
}

TR_SUITE(checks, .init = count_init, .timeout = 20);

TR_TEST(checks, integers_of_any_type_compare_by_value)
{
    check_eq((size_t)3, 3);
    check_eq((unsigned char)200, 200L);
    check_eq(-EPIPE, (long long)-EPIPE);
    check_ne(-1, UINT64_MAX);
    check_lt(-1, 0u);
    check_gt(UINT64_MAX, INT64_MIN);
    check_le(2, 2);
    check_ge(3u, 2);
    check_eq(1 == 1, true);
}

TR_TEST(checks, pointers_compare_by_address)
{
    const int a = 0;
    void *none = NULL;

    check_eq(&a, (const void *)&a);
    check_eq(none, NULL);
    check_ne(&a, NULL, "a message may follow");
    check_str("one", "one");
}

TR_TEST(checks, init_ran_once_in_this_process)
{
    check_eq(n_init, 1);
}

TR_TEST(checks, an_argument_is_evaluated_once)
{
    int n = 0;

    check_eq(++n, 1);
    need_eq(++n, 2);
    need(++n == 3);
}

TR_TEST(checks, a_test_has_one_seed)
{
    check_eq(test_seed(), test_seed());
}

TR_TEST(checks, another_test_has_another_seed, .timeout = 15)
{
    static const struct tr_suite suite = { .name = "checks" };
    struct tr_test other = { .suite = &suite, .name = "a_test_has_one_seed" };
    uint64_t mine = test_seed();

    check_ne(mine, 0);
    check_ne(mine, tri_seed_of(&other));
}
