/* SPDX-License-Identifier: MIT */
/*
 * test_steal.c - when unstarted tasks are stolen: a thief and a victim whose threads do not
 * run, and a clock that goes on 50 us from look to look.
 */
#include "config.h"

#include <string.h>

#include "sched/steal.h"
#include "support/tr-test.h"

enum { MANY = 200, FEW = 8, TURN = 16, SIGNS = 64, LONG = 20, VERY_LONG = 1000, AT_ONCE = 100 };

static struct tri_runtime rt;
static struct tri_worker thief, victim;
static struct tri_worker *workers[] = { &thief, &victim };
static struct tri_task tasks[MANY + LONG];
static struct tri_lookout lookout;
static unsigned n_pushed;
static tr_time clock_now;

static tr_time now(struct tri_backend *b)
{
    (void)b;
    return clock_now;
}

static const struct tri_backend_ops ops = { .name = "steps", .now = now };
static struct tri_backend backend = { &ops };

static void worker_start(struct tri_worker *w, unsigned index)
{
    memset(w, 0, sizeof *w);
    w->rt = &rt;
    w->index = index;
    need_eq(tri_deque_init(&w->fresh), 0);
    need_eq(tri_deque_init(&w->hot), 0);
}

static void start(void)
{
    rt.backend = &backend;
    rt.n_worker = 2;
    rt.workers = workers;
    worker_start(&thief, 0);
    worker_start(&victim, 1);
    n_pushed = 0;
    clock_now = TR_S(1);
    tri_steal_begin(&thief, &lookout);
}

static void stop(void)
{
    for (int i = 0; i < 2; i++) {
        tri_deque_fini(&workers[i]->fresh);
        tri_deque_fini(&workers[i]->hot);
    }
}

TR_SUITE(steal, .init = start, .fini = stop);

/* The running task of the victim spawns @n more. */
static void spawn(unsigned n)
{
    for (; n > 0; n--) {
        struct tri_actor *a = &tasks[n_pushed++].a;

        atomic_init(&a->home, &victim);
        if (tri_deque_is_full(&victim.fresh))
            need_eq(tri_deque_grow(&victim.fresh), 0);
        tri_deque_push(&victim.fresh, a);
    }
}

/* How many the thief takes at its next look, after @n_pick picks of the victim. */
static size_t look(unsigned n_pick)
{
    atomic_fetch_add(&victim.tick, n_pick);
    clock_now += TR_US(50);
    tri_steal_look(&thief, &lookout);
    return tri_deque_len(&thief.fresh);
}

TR_TEST(steal, few_tasks_that_nobody_comes_to_are_taken_at_the_second_look)
{
    spawn(FEW);
    check_eq(look(1), 0);
    check_eq(look(1), FEW / 2);
}

/* The same; each pick begins a task. */
static size_t look_at_beginners(unsigned n_pick)
{
    atomic_fetch_add(&victim.n_begun, n_pick);
    return look(n_pick);
}

TR_TEST(steal, many_are_left_at_home_until_the_oldest_has_had_its_turn_and_some_more)
{
    spawn(MANY);
    check_eq(look(1), 0);
    check_eq(look_at_beginners(SIGNS - 1), 0, "one pick is missing");
    check_eq(look_at_beginners(1), MANY / 2);
}

TR_TEST(steal, many_are_left_until_the_turn_of_the_oldest_by_a_thief_whose_last_theft_paid)
{
    thief.greed = 2 * MANY;
    spawn(MANY);
    check_eq(look(1), 0);
    check_eq(look(TURN - 1), 0, "one pick is missing");
    check_eq(look(1), MANY / 2);
}

TR_TEST(steal, many_that_talk_are_left_at_home_but_not_for_ever)
{
    unsigned n = 0;

    spawn(MANY);
    check_eq(look(1), 0);
    while (n < VERY_LONG && look(AT_ONCE) == 0) {
        atomic_fetch_add(&victim.n_begun, AT_ONCE / TURN);
        n++;
    }
    check(n > LONG && n < VERY_LONG);
}

TR_TEST(steal, many_that_talk_are_taken_when_most_picks_begin_one)
{
    spawn(MANY);
    check_eq(look(1), 0);
    check_eq(look(SIGNS), 0);
    check_eq(look_at_beginners(SIGNS), MANY / 2);
}

TR_TEST(steal, many_that_talk_are_taken_when_each_runs_for_long)
{
    spawn(MANY);
    check_eq(look(1), 0);
    check_eq(look(SIGNS), 0);
    clock_now += TR_MS(1);
    check_eq(look(1), MANY / 2);
}

TR_TEST(steal, many_that_talk_are_taken_from_a_worker_that_is_stuck)
{
    unsigned n = 0;

    spawn(MANY);
    check_eq(look(1), 0);
    check_eq(look(VERY_LONG), 0);
    while (n < LONG && look(0) == 0)
        n++;
    check(n > 2 && n < LONG);
}

TR_TEST(steal, many_are_left_at_home_while_their_parent_spawns_more)
{
    spawn(MANY);
    check_eq(look(1), 0);
    spawn(1);
    check_eq(look(0), 0);
    spawn(1);
    check_eq(look(0), 0);
    check_eq(look_at_beginners(SIGNS - 1), 0, "the turn counts from the last child");
    check(look_at_beginners(1) > 0);
}

TR_TEST(steal, a_parent_that_goes_on_spawning_loses_children_after_a_while)
{
    unsigned n = 0;

    spawn(MANY);
    while (n < LONG && look(0) == 0) {
        spawn(1);
        n++;
    }
    check(n > 2 && n < LONG);
}

TR_TEST(steal, many_whose_worker_is_stuck_are_taken_after_a_while)
{
    unsigned n = 0;

    spawn(MANY);
    while (n < LONG && look(0) == 0)
        n++;
    check(n > 2 && n < LONG);
}
