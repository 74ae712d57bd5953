/* SPDX-License-Identifier: MIT */
/* test_deque.c - the stealable queue: both ends, growth, and what thieves see. */
#include "config.h"

#include <errno.h>
#include <pthread.h>

#include "mem/alloc.h"
#include "sched/actor.h"
#include "sched/deque.h"
#include "support/tr-test.h"

enum { FIRST_SIZE = 64, MANY = 5000 };

static struct tri_deque q;
static struct tri_actor actor[MANY];

static void start(void)
{
    need_eq(tri_deque_init(&q), 0);
}

static void stop(void)
{
    tri_deque_fini(&q);
}

TR_SUITE(deque, .races = true, .init = start, .fini = stop);

static void push(unsigned from, unsigned to)
{
    for (unsigned i = from; i < to; i++) {
        if (tri_deque_is_full(&q))
            need_eq(tri_deque_grow(&q), 0);
        tri_deque_push(&q, &actor[i]);
    }
}

TR_TEST(deque, an_empty_one_gives_nothing_at_either_end)
{
    check_eq(tri_deque_take(&q), NULL);
    check_eq(tri_deque_steal(&q), NULL);
    check_eq(tri_deque_len(&q), 0);
    check(!tri_deque_is_full(&q));
}

TR_TEST(deque, the_owner_takes_the_newest_and_a_thief_the_oldest)
{
    push(0, 4);
    check_eq(tri_deque_len(&q), 4);
    check_eq(tri_deque_take(&q), &actor[3]);
    check_eq(tri_deque_steal(&q), &actor[0]);
    check_eq(tri_deque_take(&q), &actor[2]);
    check_eq(tri_deque_steal(&q), &actor[1]);
    check_eq(tri_deque_take(&q), NULL);
    check_eq(tri_deque_steal(&q), NULL);
    check_eq(tri_deque_len(&q), 0);
}

TR_TEST(deque, the_last_one_is_taken_or_stolen_once)
{
    push(0, 1);
    check_eq(tri_deque_take(&q), &actor[0]);
    check_eq(tri_deque_steal(&q), NULL);
    push(1, 2);
    check_eq(tri_deque_steal(&q), &actor[1]);
    check_eq(tri_deque_take(&q), NULL);
    push(2, 3);
    check_eq(tri_deque_take(&q), &actor[2], "it works on after both ends were empty");
}

TR_TEST(deque, many_are_stolen_in_order_and_no_more_than_there_are)
{
    struct tri_actor *run[8];

    check_eq(tri_deque_steal_many(&q, run, 8), 0);
    push(0, 5);
    check_eq(tri_deque_steal_many(&q, run, 3), 3);
    for (unsigned i = 0; i < 3; i++)
        check_eq(run[i], &actor[i]);
    check_eq(tri_deque_steal_many(&q, run, 8), 2);
    check_eq(run[1], &actor[4]);
    check_eq(tri_deque_len(&q), 0);
    push(5, 6);
    check_eq(tri_deque_steal(&q), &actor[5], "it works on after it was emptied at once");
}

TR_TEST(deque, many_are_stolen_across_the_end_of_the_ring)
{
    struct tri_actor *run[FIRST_SIZE];

    push(0, 40);
    need_eq(tri_deque_steal_many(&q, run, 40), 40);
    push(40, 40 + FIRST_SIZE);
    need_eq(tri_deque_steal_many(&q, run, FIRST_SIZE), FIRST_SIZE);
    for (unsigned i = 0; i < FIRST_SIZE; i++)
        check_eq(run[i], &actor[40 + i]);
}

TR_TEST(deque, it_is_full_at_its_size_and_not_before)
{
    for (unsigned i = 0; i < FIRST_SIZE; i++) {
        check(!tri_deque_is_full(&q));
        tri_deque_push(&q, &actor[i]);
    }
    check(tri_deque_is_full(&q));
    check_eq(tri_deque_steal(&q), &actor[0]);
    check(!tri_deque_is_full(&q));
}

TR_TEST(deque, growth_keeps_everything_in_order)
{
    push(0, MANY);
    for (unsigned i = 0; i < MANY / 2; i++)
        need_eq(tri_deque_steal(&q), &actor[i]);
    for (unsigned i = MANY; i-- > MANY / 2;)
        need_eq(tri_deque_take(&q), &actor[i]);
    check_eq(tri_deque_len(&q), 0);
}

TR_TEST(deque, growth_of_a_ring_that_has_gone_round_keeps_the_order)
{
    push(0, 40);
    for (unsigned i = 0; i < 40; i++)
        need_eq(tri_deque_steal(&q), &actor[i]);
    push(40, 40 + FIRST_SIZE + 1); /* the ring wraps, then grows */
    for (unsigned i = 40; i < 40 + FIRST_SIZE + 1; i++)
        need_eq(tri_deque_steal(&q), &actor[i]);
}

TR_TEST(deque, growth_without_memory_leaves_it_as_it_was)
{
    push(0, FIRST_SIZE);
    tri_mem_fail_at(1);
    check_eq(tri_deque_grow(&q), -ENOMEM);
    check(tri_mem_has_failed());
    check(tri_deque_is_full(&q));
    for (unsigned i = 0; i < FIRST_SIZE; i++)
        need_eq(tri_deque_steal(&q), &actor[i]);
}

TR_TEST(deque, init_without_memory_is_told)
{
    struct tri_deque other;

    tri_mem_fail_at(1);
    check_eq(tri_deque_init(&other), -ENOMEM);
}

/* ---- the owner against one thief, both to the end ---- */

static atomic_uint n_seen[MANY];

static void *thief(void *arg)
{
    atomic_bool *done = arg;
    struct tri_actor *a;

    while (!atomic_load(done) || tri_deque_len(&q) > 0) {
        a = tri_deque_steal(&q);
        if (a)
            atomic_fetch_add(&n_seen[a - actor], 1);
    }
    return NULL;
}

TR_TEST(deque, each_actor_leaves_once_whoever_takes_it)
{
    atomic_bool done = false;
    struct tri_actor *a;
    pthread_t thread;
    unsigned bad = 0;

    need_eq(pthread_create(&thread, NULL, thief, &done), 0);
    for (unsigned i = 0; i < MANY; i++) {
        push(i, i + 1);
        if (i % 3 == 0 && (a = tri_deque_take(&q)))
            atomic_fetch_add(&n_seen[a - actor], 1);
    }
    while ((a = tri_deque_take(&q)))
        atomic_fetch_add(&n_seen[a - actor], 1);
    atomic_store(&done, true);
    pthread_join(thread, NULL);
    for (unsigned i = 0; i < MANY; i++)
        bad += atomic_load(&n_seen[i]) != 1;
    check_eq(bad, 0);
}
