/* SPDX-License-Identifier: MIT */
/*
 * test_wheel.c - the wheel against a model: an array that is searched from end to end. Then the
 * edges one by one.
 */
#include "config.h"

#include <stdlib.h>
#include <sys/mman.h>

#include "base/rand.h"
#include "base/wheel.h"
#include "support/tr-test.h"

enum { N_MODEL = 300 };

static struct tri_wheel w;
static struct tri_list expired;
static struct tri_timer timer[N_MODEL];

static void make_wheel(void)
{
    tri_wheel_init(&w, TR_S(1));
    tri_list_init(&expired);
}

TR_SUITE(wheel, .init = make_wheel, .timeout = 30);

/* --- the model: what is armed, and in which order it was */

static struct {
    struct tri_rand rand;
    tr_time now, latest; /* latest: the wheel's, which does not go back */
    bool is_armed[N_MODEL];
    tr_time counted_as[N_MODEL]; /* the deadline, or latest if that had passed */
    unsigned long order[N_MODEL], n_inserted;
} model;

/* A deadline of any size, before and after now, on the edges of buckets more often than not. */
static tr_time any_deadline(void)
{
    unsigned bits = tri_rand_below(&model.rand, 62);
    tr_time span = (tr_time)(tri_rand_next(&model.rand) >> (63 - bits));
    tr_time t = TR_NEVER - span < model.now ? TR_NEVER : model.now + span;

    switch (tri_rand_below(&model.rand, 6)) {
    case 0:
        return span < model.now ? model.now - span : -span;
    case 1:
        return t & -((tr_time)1 << bits);
    case 2:
        return (t & -((tr_time)1 << bits)) - 1;
    case 3:
        return model.now + tri_rand_below(&model.rand, 100000);
    default:
        return t;
    }
}

static void insert_any(unsigned i)
{
    tr_time deadline = any_deadline();

    tri_wheel_insert(&w, &timer[i], deadline);
    model.is_armed[i] = true;
    model.counted_as[i] = deadline < model.latest ? model.latest : deadline;
    model.order[i] = model.n_inserted++;
}

static void remove_one(unsigned i)
{
    tri_wheel_remove(&w, &timer[i]);
    model.is_armed[i] = false;
}

/* Whether @i leaves the wheel before @k when both are due. */
static bool is_before(unsigned i, unsigned k)
{
    tr_time a = model.counted_as[i] >> TRI_WHEEL_TICK_SHIFT;
    tr_time b = model.counted_as[k] >> TRI_WHEEL_TICK_SHIFT;

    return a != b ? a < b : model.order[i] < model.order[k];
}

/* The timer that has to come next out of an expiry at now, or -1. */
static int first_due(void)
{
    int first = -1;

    for (unsigned i = 0; i < N_MODEL; i++)
        if (model.is_armed[i] && timer[i].deadline <= model.now &&
            (first < 0 || is_before(i, (unsigned)first)))
            first = (int)i;
    return first;
}

static void expire_and_compare(void)
{
    unsigned n = tri_wheel_expire(&w, model.now, &expired), n_seen = 0;
    struct tri_timer *t;
    int i;

    model.latest = model.now > model.latest ? model.now : model.latest;
    while ((t = tri_wheel_pop(&expired))) {
        i = first_due();
        need_ge(i, 0, "a timer came out that was not due");
        need_eq(t, &timer[i], "another timer should have come first");
        check(!tri_timer_is_armed(t));
        model.is_armed[i] = false;
        n_seen++;
    }
    check_eq(n_seen, n);
    check_eq(first_due(), -1, "a timer that was due stayed");
}

static void compare_next(void)
{
    tr_time earliest = TR_NEVER, next = tri_wheel_next(&w);
    size_t n = 0;

    for (unsigned i = 0; i < N_MODEL; i++) {
        check_eq(tri_timer_is_armed(&timer[i]), model.is_armed[i]);
        n += model.is_armed[i];
        if (model.is_armed[i] && timer[i].deadline < earliest)
            earliest = timer[i].deadline;
    }
    check_eq(w.n_timers, n);
    check_le(next, earliest, "who sleeps until then would be late");
    check_eq(next == TR_NEVER, earliest == TR_NEVER);
}

static void step_clock(void)
{
    unsigned bits = tri_rand_below(&model.rand, 45);
    tr_time span = (tr_time)(tri_rand_next(&model.rand) >> (63 - bits));

    switch (tri_rand_below(&model.rand, 8)) {
    case 0:
        break; /* it stands still */
    case 1:
        model.now -= span < model.now ? span / 16 : 0;
        break;
    case 2:
        if (tri_wheel_next(&w) < TR_NEVER)
            model.now = tri_wheel_next(&w);
        break;
    case 3:
        model.now = (model.now | (TRI_WHEEL_TICK - 1)) + tri_rand_below(&model.rand, 2);
        break;
    default:
        model.now += span;
    }
}

TR_TEST(wheel, does_what_an_array_does)
{
    unsigned failed = test_n_failed();

    tri_rand_init(&model.rand, test_seed());
    for (int round = 0; round < 60; round++) {
        for (unsigned i = 0; i < N_MODEL; i++)
            remove_one(i);
        model.now = model.latest = (tr_time)(tri_rand_next(&model.rand) >> (2 + round));
        tri_wheel_init(&w, model.now);
        for (int step = 0; step < 200 && test_n_failed() == failed; step++) {
            for (unsigned k = tri_rand_below(&model.rand, 30); k > 0; k--) {
                unsigned i = tri_rand_below(&model.rand, N_MODEL);

                if (model.is_armed[i])
                    remove_one(i);
                else
                    insert_any(i);
            }
            step_clock();
            expire_and_compare();
            compare_next();
            tri_wheel_check(&w);
        }
    }
}

/* --- the edges */

static unsigned expire_at(tr_time now)
{
    return tri_wheel_expire(&w, now, &expired);
}

TR_TEST(wheel, no_timer_is_a_nanosecond_early_or_missed)
{
    for (int shift = 0; shift < 62; shift++) {
        tr_time deadline = TR_S(1) + ((tr_time)1 << shift);

        make_wheel();
        tri_wheel_insert(&w, &timer[0], deadline);
        check_eq(tri_wheel_next(&w), deadline);
        check_eq(expire_at(deadline - 1), 0u);
        check_eq(tri_wheel_next(&w), deadline);
        check_eq(expire_at(deadline), 1u);
        check_eq(tri_wheel_pop(&expired), &timer[0]);
    }
}

TR_TEST(wheel, the_ends_of_time_are_instants_like_any_other)
{
    static const tr_time at[] = { INT64_MIN, -1, 0, TR_NEVER - 1, TR_NEVER, INT64_MAX };

    for (unsigned i = 0; i < 6; i++)
        tri_wheel_insert(&w, &timer[i], at[i]);
    tri_wheel_check(&w);
    check_eq(expire_at(INT64_MIN), 1u);
    check_eq(expire_at(-1), 1u);
    check_eq(expire_at(TR_NEVER - 2), 1u);
    check_eq(expire_at(TR_NEVER), 2u);
    check_eq(expire_at(INT64_MAX), 1u);
    for (unsigned i = 0; i < 6; i++)
        check_eq(tri_wheel_pop(&expired), &timer[i]);
    check_eq(w.n_timers, 0u);
    check_eq(tri_wheel_next(&w), TR_NEVER);
}

TR_TEST(wheel, remove_is_harmless_on_unarmed_and_expired_timers)
{
    tri_wheel_remove(&w, &timer[0]);
    tri_wheel_insert(&w, &timer[0], TR_S(2));
    tri_wheel_insert(&w, &timer[1], TR_S(2));
    tri_wheel_insert(&w, &timer[2], TR_S(3));
    check_eq(expire_at(TR_S(2)), 2u);
    check(tri_timer_is_armed(&timer[0]), "an expired timer counts as armed until it is popped");
    tri_wheel_remove(&w, &timer[0]);
    check(!tri_timer_is_armed(&timer[0]));
    check_eq(tri_wheel_pop(&expired), &timer[1]);
    check_eq(tri_wheel_pop(&expired), NULL);
    check_eq(w.n_timers, 1u);
    tri_wheel_remove(&w, &timer[2]);
    tri_wheel_remove(&w, &timer[2]);
    check_eq(w.n_timers, 0u);
    tri_wheel_check(&w);
}

TR_TEST(wheel, a_sleeper_until_next_wakes_once_for_a_timer_at_any_distance)
{
    for (int shift = 10; shift < 60; shift++) {
        unsigned n_wakes = 1;

        make_wheel();
        tri_wheel_insert(&w, &timer[0], TR_S(1) + ((tr_time)1 << shift) + 12345);
        while (expire_at(tri_wheel_next(&w)) == 0)
            n_wakes++;
        check_eq(n_wakes, 1u);
        check_eq(tri_wheel_pop(&expired), &timer[0]);
    }
}

TR_TEST(wheel, a_million_timers_come_out_in_the_order_of_their_ticks)
{
    enum { N = 1000000 };
    struct tri_timer *many = calloc(N, sizeof *many), *t;
    struct tri_rand r;
    tr_time last = 0, now = TR_S(1);
    unsigned n = 0, n_wrong = 0;

    need(many);
    tri_rand_init(&r, test_seed());
    for (unsigned i = 0; i < N; i++)
        tri_wheel_insert(&w, &many[i], TR_S(1) + tri_rand_below(&r, TR_S(3)));
    tri_wheel_check(&w);
    for (; n < N && now < TR_S(5); now += TR_MS(7)) {
        n += expire_at(now);
        while ((t = tri_wheel_pop(&expired))) {
            tr_time tick = t->deadline >> TRI_WHEEL_TICK_SHIFT;

            n_wrong += tick < last || t->deadline > now || t->deadline <= now - TR_MS(7);
            last = tick;
        }
    }
    check_eq(n, (unsigned)N);
    check_eq(n_wrong, 0u);
    free(many);
}

/* ---- what it looks at: timers on pages of their own, which nobody may touch meanwhile ---- */

enum { N_PAGE = 512, PAGE = 4096 };

static char *pages;

static struct tri_timer *timer_on_page(unsigned i)
{
    return (struct tri_timer *)(void *)(pages + (size_t)i * PAGE);
}

static void allow(unsigned first, unsigned n, int access)
{
    check_eq(mprotect(pages + (size_t)first * PAGE, (size_t)n * PAGE, access), 0);
}

TR_TEST(wheel, insert_remove_next_and_expire_look_at_no_timer_but_their_own)
{
    const tr_time far = TR_S(1) + TR_S(1000), near = TR_S(1) + TR_MS(10);

    make_wheel();
    pages = mmap(NULL, (size_t)N_PAGE * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
                 -1, 0);
    need_ne(pages, MAP_FAILED);
    for (unsigned i = 2; i < N_PAGE; i++) {
        timer_on_page(i)->deadline = far + TR_S(3600) * (i % 60);
        tri_wheel_insert(&w, timer_on_page(i), timer_on_page(i)->deadline);
    }
    allow(2, N_PAGE - 2, PROT_NONE);
    check_eq(tri_wheel_next(&w), far);
    tri_wheel_insert(&w, timer_on_page(0), near);
    tri_wheel_insert(&w, timer_on_page(1), near + TR_MS(100));
    check_eq(tri_wheel_next(&w), near);
    tri_wheel_remove(&w, timer_on_page(1));
    check_eq(expire_at(near), 1u);
    check_eq(tri_wheel_pop(&expired), timer_on_page(0));
    check_eq(tri_wheel_next(&w), far);
    allow(2, N_PAGE - 2, PROT_READ | PROT_WRITE);
    tri_wheel_check(&w);
    munmap(pages, (size_t)N_PAGE * PAGE);
}
