/* SPDX-License-Identifier: MIT */
/* test_slab.c - records keep their index, their memory and their contents. */
#include "config.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

#include "mem/alloc.h"
#include "mem/slab.h"
#include "support/tr-test.h"

struct record {
    uint32_t index;
    atomic_uint generation;
    uint64_t pad[7];
};

enum { MANY = 20000 };

static struct tri_slab slab;
static struct tri_slab_cache cache;
static struct record *rec[MANY];

static void start(void)
{
    need_eq(tri_slab_init(&slab, sizeof(struct record)), 0);
    tri_slab_cache_init(&cache, &slab);
}

static void stop(void)
{
    tri_slab_cache_fini(&cache);
    check_eq(tri_slab_n_out(&slab), 0);
    tri_slab_fini(&slab);
    tri_slab_fini(&slab); /* an empty one is accepted */
}

TR_SUITE(slab, .init = start, .fini = stop, .timeout = 60);

static unsigned get_many(unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        rec[i] = tri_slab_get(&cache);
        if (!rec[i])
            return i;
    }
    return n;
}

static void put_many(unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        tri_slab_put(&cache, rec[i]);
}

TR_TEST(slab, sizes_are_checked)
{
    struct tri_slab s;

    check_eq(tri_slab_init(&s, 0), -EINVAL);
    check_eq(tri_slab_init(&s, 24), -EINVAL);
    check_eq(tri_slab_init(&s, 65552), -EINVAL);
}

TR_TEST(slab, new_records_are_zero_and_old_ones_keep_their_contents)
{
    need_eq(get_many(1), 1);
    for (unsigned i = 0; i < 7; i++)
        check_eq(rec[0]->pad[i], 0);
    rec[0]->pad[6] = 42;
    put_many(1);
    check_eq(tri_slab_get(&cache), rec[0]);
    check_eq(rec[0]->pad[6], 42);
    put_many(1);
}

TR_TEST(slab, index_and_record_name_each_other)
{
    need_eq(get_many(MANY), MANY);
    for (unsigned i = 0; i < MANY; i++) {
        need_eq(tri_slab_at(&slab, tri_slab_index(rec[i])), rec[i]);
        need_eq((uintptr_t)rec[i] % 16, 0);
    }
    check_eq(tri_slab_at(&slab, MANY + TRI_SLAB_BATCH), NULL);
    check_eq(tri_slab_at(&slab, UINT32_MAX), NULL);
    put_many(MANY);
}

TR_TEST(slab, the_record_put_last_comes_first)
{
    need_eq(get_many(10), 10);
    put_many(10);
    for (unsigned i = 10; i-- > 0;)
        check_eq(tri_slab_get(&cache), rec[i]);
    put_many(10);
}

TR_TEST(slab, records_that_were_put_are_used_before_new_ones)
{
    need_eq(get_many(MANY), MANY);
    put_many(MANY);
    need_eq(get_many(MANY), MANY);
    for (unsigned i = 0; i < MANY; i++)
        need_eq(tri_slab_index(rec[i]) < MANY + TRI_SLAB_BATCH, true);
    put_many(MANY);
}

TR_TEST(slab, a_stale_record_can_be_read_after_it_was_put)
{
    need_eq(get_many(MANY), MANY);
    for (unsigned i = 0; i < MANY; i++)
        rec[i]->generation = i;
    put_many(MANY);
    for (unsigned i = 0; i < MANY; i++)
        need_eq(rec[i]->generation, i);
}

static void count(void *record, void *arg)
{
    unsigned *n = arg;

    check_eq(tri_slab_index(record), *n);
    ++*n;
}

TR_TEST(slab, each_visits_every_record_once_free_or_not)
{
    unsigned n = 0;

    need_eq(get_many(5000), 5000);
    put_many(2500);
    tri_slab_each(&slab, count, &n);
    check_eq(n, (5000 + TRI_SLAB_BATCH - 1) / TRI_SLAB_BATCH * TRI_SLAB_BATCH);
    for (unsigned i = 2500; i < 5000; i++)
        tri_slab_put(&cache, rec[i]);
}

TR_TEST(slab, init_without_memory_fails_cleanly)
{
    struct tri_slab s;

    for (long nth = 1; nth <= 2; nth++) {
        tri_mem_fail_at(nth);
        check_eq(tri_slab_init(&s, 64), -ENOMEM);
        check_eq(tri_mem_has_failed(), true);
    }
    tri_mem_fail_at(0);
}

TR_TEST(slab, get_without_memory_returns_null_and_recovers)
{
    for (long nth = 1; nth <= 2; nth++) {
        tri_mem_fail_at(nth);
        check_eq(tri_slab_get(&cache), NULL);
        check_eq(tri_mem_has_failed(), true);
    }
    tri_mem_fail_at(0);
    need_eq(get_many(1), 1);
    put_many(1);
}

static void see(void *record, void *arg)
{
    struct record *r = record;
    unsigned *n = arg;

    /* relaxed: any value is right, the test is that the memory is there. */
    *n += atomic_load_explicit(&r->generation, memory_order_relaxed) < MANY;
}

static void *walk(void *arg)
{
    for (int i = 0; i < 20; i++) {
        unsigned n = 0;

        tri_slab_each(&slab, see, &n);
    }
    return arg;
}

TR_TEST(slab, each_may_run_beside_get_and_put)
{
    pthread_t other;

    need_eq(pthread_create(&other, NULL, walk, NULL), 0);
    need_eq(get_many(MANY), MANY);
    for (unsigned i = 0; i < MANY; i++) /* relaxed: see() */
        atomic_store_explicit(&rec[i]->generation, i, memory_order_relaxed);
    put_many(MANY);
    need_eq(pthread_join(other, NULL), 0);
}
