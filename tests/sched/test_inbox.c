/* SPDX-License-Identifier: MIT */
/* test_inbox.c - the one word by which other threads reach a worker: order, sleep, rouse. */
#include "config.h"

#include "sched/inbox.h"
#include "support/tr-test.h"

static struct tri_inbox box;
static struct tri_actor actor[8];

TR_SUITE(inbox, .races = true);

/* The @i-th of a taken list, or NULL. */
static struct tri_actor *nth(struct tri_actor *a, unsigned i)
{
    while (a && i-- > 0)
        a = a->link;
    return a;
}

TR_TEST(inbox, an_empty_one_is_idle_and_gives_nothing)
{
    check(tri_inbox_is_idle(&box));
    check_eq(tri_inbox_take(&box), NULL);
    check(!tri_inbox_rouse(&box), "nobody sleeps");
}

TR_TEST(inbox, what_was_pushed_comes_out_at_once_and_in_order)
{
    struct tri_actor *a;

    for (unsigned i = 0; i < 3; i++)
        check(!tri_inbox_push(&box, &actor[i]), "the worker was awake");
    check(!tri_inbox_is_idle(&box));
    a = tri_inbox_take(&box);
    for (unsigned i = 0; i < 3; i++)
        check_eq(nth(a, i), &actor[i]);
    check_eq(nth(a, 3), NULL);
    check(tri_inbox_is_idle(&box));
    check_eq(tri_inbox_take(&box), NULL);
}

TR_TEST(inbox, a_worker_does_not_sleep_on_a_full_inbox)
{
    (void)tri_inbox_push(&box, &actor[0]);
    check(!tri_inbox_sleep(&box));
    check_eq(tri_inbox_take(&box), &actor[0]);
    check(tri_inbox_sleep(&box));
    check(tri_inbox_is_idle(&box));
}

TR_TEST(inbox, only_the_first_push_to_a_sleeper_has_to_wake_it)
{
    struct tri_actor *a;

    need(tri_inbox_sleep(&box));
    check(tri_inbox_push(&box, &actor[0]));
    check(!tri_inbox_push(&box, &actor[1]));
    check(!tri_inbox_rouse(&box), "the first push did it");
    a = tri_inbox_take(&box);
    check_eq(a, &actor[0]);
    check_eq(nth(a, 1), &actor[1]);
    check_eq(nth(a, 2), NULL, "the sleep mark is no actor");
}

TR_TEST(inbox, one_rouse_of_a_sleeper_wakes_it)
{
    need(tri_inbox_sleep(&box));
    check(tri_inbox_rouse(&box));
    check(!tri_inbox_rouse(&box));
    check(!tri_inbox_push(&box, &actor[0]), "it was roused already");
    check_eq(tri_inbox_take(&box), &actor[0]);
}

TR_TEST(inbox, take_ends_a_sleep)
{
    need(tri_inbox_sleep(&box));
    check_eq(tri_inbox_take(&box), NULL);
    check(!tri_inbox_rouse(&box), "it is awake");
    check(!tri_inbox_push(&box, &actor[0]));
}
