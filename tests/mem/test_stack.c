/* SPDX-License-Identifier: MIT */
/* test_stack.c - stacks: which one comes next, what they cost, what happens without memory. */
#include "config.h"

#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "mem/alloc.h"
#include "mem/stack.h"
#include "support/tr-test.h"

/* Sanitizers look at every stack in turn: fewer do there. */
enum { MANY = TRI_ASAN || TRI_TSAN ? 2000 : 100000 };

static struct tri_stack_cache cache;
static void *top[MANY];

TR_SUITE(stack, .timeout = 60);

static void stop(void)
{
    tri_stack_cache_fini(&cache);
    check_eq(tri_stack_n_out(), 0);
    tri_stack_teardown();
}

/* How many pages of the stack and its guard page hold memory. */
static unsigned n_touched(const char *t)
{
    size_t page = tri_mem_page(), n = tri_stack_size() / page + 1;
    unsigned char in_core[4096] = { 0 };
    unsigned sum = 0;

    if (n > sizeof in_core)
        return ~0u;
    if (mincore((void *)(uintptr_t)(t - n * page), n * page, in_core) < 0)
        return ~0u;
    for (size_t i = 0; i < n; i++)
        sum += in_core[i] & 1;
    return sum;
}

static unsigned get_many(unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        top[i] = tri_stack_get(&cache);
        if (!top[i])
            return i;
    }
    return n;
}

static void put_many(unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        tri_stack_put(&cache, top[i]);
}

/* Uses the first page, as a task does that parks soon. */
static void touch(unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        memset((char *)top[i] - 512, 1, 512);
}

TR_TEST(stack, setup_refuses_bad_sizes)
{
    check_eq(tri_stack_setup(4096), -EINVAL);
    check_eq(tri_stack_setup(16 * 1024 - 1), -EINVAL);
    check_eq(tri_stack_setup(64 * 1024 + 1), -EINVAL);
    check_eq(tri_stack_setup((size_t)2 << 30), -EINVAL);
}

TR_TEST(stack, setup_is_counted_and_has_one_size)
{
    need_eq(tri_stack_setup(16 * 1024), 0);
    check_eq(tri_stack_setup(32 * 1024), -EBUSY);
    check_eq(tri_stack_setup(100), -EINVAL);
    need_eq(tri_stack_setup(0), 0);
    check_eq(tri_stack_size(), 16 * 1024);
    tri_stack_teardown();
    need_eq(get_many(1), 1);
    touch(1);
    put_many(1);
    stop();
    need_eq(tri_stack_setup(32 * 1024), 0);
    check_eq(tri_stack_size(), 32 * 1024);
    stop();
}

TR_TEST(stack, an_unused_stack_has_no_page_and_a_used_one_has_one)
{
    need_eq(tri_stack_setup(0), 0);
    need_eq(get_many(2), 2);
    check_eq(n_touched(top[0]), 0);
    check_eq(tri_stack_high_water(top[0]), 0);
    memset((char *)top[0] - 512, 1, 512);
    check_eq(n_touched(top[0]), 1);
    check_eq(n_touched(top[1]), 0);
    check_eq(tri_stack_high_water(top[0]), tri_mem_page());
    put_many(2);
    check_eq(n_touched(top[0]), 1);
    check_eq(n_touched(top[1]), 0);
    stop();
}

TR_TEST(stack, high_water_is_the_deepest_page_used)
{
    need_eq(tri_stack_setup(0), 0);
    need_eq(get_many(1), 1);
    *((char *)top[0] - 10000) = 1;
    check_eq(tri_stack_high_water(top[0]), (10000 / tri_mem_page() + 1) * tri_mem_page());
    *((char *)top[0] - tri_stack_size()) = 1;
    check_eq(tri_stack_high_water(top[0]), tri_stack_size());
    put_many(1);
    stop();
}

TR_TEST(stack, the_stack_put_last_comes_first)
{
    need_eq(tri_stack_setup(0), 0);
    need_eq(get_many(10), 10);
    put_many(10);
    for (unsigned i = 10; i-- > 0;)
        check_eq(tri_stack_get(&cache), top[i]);
    put_many(10);
    stop();
}

TR_TEST(stack, used_stacks_come_back_before_new_ones)
{
    need_eq(tri_stack_setup(0), 0);
    need_eq(get_many(1000), 1000);
    touch(1000);
    put_many(1000);
    need_eq(get_many(1000), 1000);
    for (unsigned i = 0; i < 1000; i++)
        check_eq(n_touched(top[i]), 1);
    put_many(1000);
    stop();
}

TR_TEST(stack, of_finds_stack_and_guard_and_nothing_else)
{
    need_eq(tri_stack_setup(0), 0);
    need_eq(get_many(1), 1);
    char *t = top[0], *low = t - tri_stack_size();

    check_eq(tri_stack_of(t - 1), t);
    check_eq(tri_stack_of(low), t);
    check_eq(tri_stack_of(low - 1), t);
    check_eq(tri_stack_of(low - tri_mem_page()), t);
    check_eq(tri_stack_of(low - tri_mem_page() - 1) == t, false);
    check_eq(tri_stack_of(&cache), NULL);
    check_eq(tri_stack_of(NULL), NULL);
    put_many(1);
    stop();
    check_eq(tri_stack_of(t - 1), NULL);
}

TR_TEST(stack, many_stacks_are_distinct_and_guarded)
{
    need_eq(tri_stack_setup(0), 0);
    need_eq(get_many(MANY), MANY);
    check_eq(tri_stack_n_out() - MANY < TRI_STACK_BATCH, true);
    for (unsigned i = 0; i < MANY; i++)
        *((char **)top[i] - 1) = (char *)&top[i];
    for (unsigned i = 0; i < MANY; i++) {
        need_eq(*((char **)top[i] - 1), (char *)&top[i]);
        need_eq(tri_stack_of((char *)top[i] - 1), top[i]);
    }
    put_many(MANY);
    stop();
}

TR_TEST(stack, trim_gives_the_pages_back_and_keeps_the_guards)
{
    enum { N = 1500 };
    unsigned n_calls = 1, sum = 0;

    need_eq(tri_stack_setup(0), 0);
    need_eq(get_many(N), N);
    touch(N);
    put_many(N);
    while (tri_stack_trim(&cache, 10) > 0)
        n_calls++;
    check_eq(cache.n, 10);
    check_eq(n_calls, (N - 10 + TRI_STACK_TRIM - 1) / TRI_STACK_TRIM);
    for (unsigned i = 0; i < N; i++)
        sum += n_touched(top[i]);
    check_eq(sum, 10);
    need_eq(get_many(N), N);
    put_many(N);
    stop();
}

TR_TEST(stack, without_memory_get_returns_null_and_recovers)
{
    unsigned n_failed = 0;

    need_eq(tri_stack_setup(0), 0);
    for (long nth = 1;; nth++) {
        tri_mem_fail_at(nth);
        void *t = tri_stack_get(&cache);
        if (!tri_mem_has_failed()) {
            tri_mem_fail_at(0);
            tri_stack_put(&cache, t);
            break;
        }
        /* t may be a stack all the same: a refused mapping is asked for again, smaller. */
        n_failed++;
        if (t)
            tri_stack_put(&cache, t);
        stop();
        need_eq(tri_stack_setup(0), 0);
    }
    check_eq(n_failed >= 3, true);
    check_eq(tri_stack_get(&cache) != NULL, true);
    tri_stack_put(&cache, cache.top[cache.n]);
    stop();
}

TR_TEST(stack, setup_reports_that_the_probe_had_no_memory)
{
    if (tri_san_on_valgrind()) /* nothing is probed there */
        return;
    unsetenv("TR_STACK_GUARD");
    tri_mem_fail_at(1);
    check_eq(tri_stack_setup(0), -ENOMEM);
    need_eq(tri_stack_setup(0), 0);
    stop();
}

TR_TEST(stack, an_unknown_guard_in_the_environment_is_refused)
{
    setenv("TR_STACK_GUARD", "moat", 1);
    check_eq(tri_stack_setup(0), -EINVAL);
}

/* Guards by @name; returns how many of the first and of the late stacks have a real one. */
static void use_guard(const char *name, unsigned n)
{
    setenv("TR_STACK_GUARD", name, 1);
    need_eq(tri_stack_setup(0), 0);
    check_eq(strcmp(tri_stack_guard_name(), name), 0);
    need_eq(get_many(n), n);
    for (unsigned i = 0; i < n; i++)
        check_eq(tri_stack_canary_ok(top[i]), true);
}

TR_TEST(stack, mprotect_guards_end_and_canaries_go_on)
{
    unsigned n = MANY < 10000 ? MANY : 10000;
    char *late;

    use_guard("mprotect", n);
    late = (char *)top[n - 1] - tri_stack_size();
    if (n == 10000) {
        late[0] = 1;
        check_eq(tri_stack_canary_ok(top[n - 1]), false);
        check_eq(tri_stack_canary_ok(top[0]), true);
        late[0] = 0;
    }
    touch(n);
    check_eq(tri_stack_high_water(top[0]), tri_mem_page());
    put_many(n);
    stop();
}

TR_TEST(stack, a_canary_notices_a_write_to_the_lowest_line)
{
    use_guard("canary", 2);
    check_eq(tri_stack_high_water(top[0]), 0);
    *((char *)top[0] - tri_stack_size() + 63) = 1;
    check_eq(tri_stack_canary_ok(top[0]), false);
    check_eq(tri_stack_canary_ok(top[1]), true);
    check_eq(tri_stack_high_water(top[0]), tri_stack_size());
    put_many(2);
    stop();
}

/* Stacks got on one thread and put on another meet in the arenas. */
static void *put_all(void *arg)
{
    struct tri_stack_cache mine = { 0 };

    for (unsigned i = 0; i < 1000; i++)
        tri_stack_put(&mine, top[i]);
    tri_stack_cache_fini(&mine);
    return arg;
}

TR_TEST(stack, stacks_may_be_put_by_another_thread)
{
    pthread_t other;

    need_eq(tri_stack_setup(0), 0);
    need_eq(get_many(1000), 1000);
    need_eq(pthread_create(&other, NULL, put_all, NULL), 0);
    need_eq(pthread_join(other, NULL), 0);
    need_eq(get_many(1000), 1000);
    put_many(1000);
    stop();
}
