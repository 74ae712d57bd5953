/* SPDX-License-Identifier: MIT */
/*
 * test_interval.c - ticks: when they come, which are left out, what moves them and what does
 * not.
 */
#include "config.h"

#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "sched/kit.h"

TR_SUITE(interval, .init = kit_listen, .timeout = 20);

TR_ONESHOT(slot, int, tr_nodrop);

/* Waits until @instant of a test that began at @born. */
static void at(tr_time born, tr_time instant)
{
    check_eq(tr_sleep(born + instant), 0);
}

/* The next tick is for @scheduled and comes at @when, both counted from @born. */
static void expect_tick(tr_interval *iv, tr_time born, tr_time scheduled, tr_time when)
{
    tr_time got = -1;

    check_eq(tr_interval_tick(iv, TR_NEVER, &got), 0);
    check_eq(got - born, scheduled);
    check_eq(tr_now() - born, when);
}

static tr_interval interval_of(tr_time first, tr_time period, enum tr_missed missed)
{
    tr_interval iv = { 0 };

    check_eq(tr_interval_init(&iv, first, period, missed), 0);
    return iv;
}

/* ---- misuse ---- */

TR_TEST(interval, a_period_that_is_not_positive_is_misuse)
{
    tr_interval iv = { 0 };
    tr_arm arm;

    check_eq(tr_interval_init(&iv, TR_NOW, 0, TR_MISSED_SKIP), -EINVAL);
    check_eq(tr_interval_init(&iv, TR_NOW, -1, TR_MISSED_SKIP), -EINVAL);
    check_eq(tr_interval_init(&iv, TR_NOW, 1, (enum tr_missed)3), -EINVAL);
    check_eq(tr_interval_init(NULL, TR_NOW, 1, TR_MISSED_SKIP), -EINVAL);
    check_eq(tr_interval_tick(&iv, TR_NOW, NULL), -EINVAL, "zeroed");
    check_eq(tr_interval_tick(NULL, TR_NOW, NULL), -EINVAL);
    tr_interval_reset(&iv, TR_NOW);
    tr_interval_reset(NULL, TR_NOW);
    check_eq(iv.next, 0, "a zeroed interval stays so");
    arm = tr_interval_tick_arm(&iv, NULL);
    check(!arm.ops);
    arm = tr_interval_tick_arm(NULL, NULL);
    check(!arm.ops);
}

TR_TEST(interval, a_tick_is_refused_outside_of_a_task)
{
    tr_interval iv = interval_of(TR_NOW, 1, TR_MISSED_SKIP);

    check_eq(tr_interval_tick(&iv, TR_NEVER, NULL), -EPERM);
}

/* ---- the first tick, and those in time ---- */

VIRTUAL_TEST(interval, the_first_tick_is_at_once_or_when_it_was_said)
{
    tr_time born = tr_now();
    tr_interval now = interval_of(TR_NOW, TR_MS(10), TR_MISSED_SKIP);
    tr_interval later = interval_of(tr_until_drain(tr_after(TR_MS(3))), TR_MS(10), TR_MISSED_SKIP);

    expect_tick(&now, born, 0, 0);
    expect_tick(&later, born, TR_MS(3), TR_MS(3));
    expect_tick(&now, born, TR_MS(10), TR_MS(10));
    expect_tick(&later, born, TR_MS(13), TR_MS(13));
}

VIRTUAL_TEST(interval, a_tick_is_never_early_and_a_small_lateness_does_not_add_up)
{
    enum tr_missed all[] = { TR_MISSED_SKIP, TR_MISSED_BURST, TR_MISSED_DELAY };

    for (unsigned i = 0; i < TR_LEN(all); i++) {
        tr_time born = tr_now();
        tr_interval iv = interval_of(TR_NOW, TR_MS(100), all[i]);

        expect_tick(&iv, born, 0, 0);
        at(born, TR_MS(105)); /* late by what is no miss */
        expect_tick(&iv, born, TR_MS(100), TR_MS(105));
        expect_tick(&iv, born, TR_MS(200), TR_MS(200));
    }
}

VIRTUAL_TEST(interval, periods_below_the_tick_of_the_wheel_come_exactly)
{
    tr_time born = tr_now();
    tr_interval iv = interval_of(TR_NOW, 700, TR_MISSED_BURST);

    for (int i = 0; i < 1000; i++)
        expect_tick(&iv, born, i * 700, i * 700);
}

VIRTUAL_TEST(interval, the_largest_period_works)
{
    enum tr_missed all[] = { TR_MISSED_SKIP, TR_MISSED_BURST, TR_MISSED_DELAY };

    for (unsigned i = 0; i < TR_LEN(all); i++) {
        tr_time born = tr_now();
        tr_interval iv = interval_of(TR_NOW, INT64_MAX, all[i]);

        expect_tick(&iv, born, 0, 0);
        check_eq(iv.next, TR_NEVER);
        check_eq(tr_interval_tick(&iv, tr_after(TR_S(86400)), NULL), -ETIMEDOUT);
        check_eq(tr_now() - born, TR_S(86400));
    }
}

/* ---- missed ticks: a period of 300 ms, taken at 0, 300, and then late at 950 ---- */

static tr_interval late_at_950(tr_time born, enum tr_missed missed)
{
    tr_interval iv = interval_of(born, TR_MS(300), missed);

    expect_tick(&iv, born, 0, 0);
    expect_tick(&iv, born, TR_MS(300), TR_MS(300));
    at(born, TR_MS(950));
    expect_tick(&iv, born, TR_MS(600), TR_MS(950));
    return iv;
}

VIRTUAL_TEST(interval, burst_makes_up_for_what_was_missed)
{
    tr_time born = tr_now();
    tr_interval iv = late_at_950(born, TR_MISSED_BURST);

    expect_tick(&iv, born, TR_MS(900), TR_MS(950));
    expect_tick(&iv, born, TR_MS(1200), TR_MS(1200));
}

VIRTUAL_TEST(interval, delay_goes_on_a_period_from_now)
{
    tr_time born = tr_now();
    tr_interval iv = late_at_950(born, TR_MISSED_DELAY);

    expect_tick(&iv, born, TR_MS(1250), TR_MS(1250));
    expect_tick(&iv, born, TR_MS(1550), TR_MS(1550));
}

VIRTUAL_TEST(interval, skip_goes_on_in_the_old_rhythm)
{
    tr_time born = tr_now();
    tr_interval iv = late_at_950(born, TR_MISSED_SKIP);

    expect_tick(&iv, born, TR_MS(1200), TR_MS(1200));
    at(born, TR_MS(2100)); /* exactly on a multiple: that one is not after now */
    expect_tick(&iv, born, TR_MS(1500), TR_MS(2100));
    expect_tick(&iv, born, TR_MS(2400), TR_MS(2400));
}

VIRTUAL_TEST(interval, a_tick_late_by_a_short_period_is_missed_to_delay)
{
    tr_time born = tr_now();
    tr_interval iv = interval_of(born, TR_MS(1), TR_MISSED_DELAY);

    at(born, TR_US(1500));
    expect_tick(&iv, born, 0, TR_US(1500));
    expect_tick(&iv, born, TR_US(2500), TR_US(2500));
}

/* ---- reset ---- */

VIRTUAL_TEST(interval, reset_moves_the_next_tick_and_forgets_what_was_missed)
{
    tr_time born = tr_now();
    tr_interval iv = interval_of(TR_NOW, TR_MS(300), TR_MISSED_BURST);

    at(born, TR_MS(1000));
    tr_interval_reset(&iv, tr_after(iv.period)); /* from now on */
    expect_tick(&iv, born, TR_MS(1300), TR_MS(1300));
    tr_interval_reset(&iv, TR_NOW); /* at once */
    expect_tick(&iv, born, TR_MS(1300), TR_MS(1300));
    tr_interval_reset(&iv, tr_after(TR_MS(5))); /* earlier than a period */
    expect_tick(&iv, born, TR_MS(1305), TR_MS(1305));
    tr_interval_reset(&iv, tr_until_drain(born + TR_MS(9000))); /* and later */
    expect_tick(&iv, born, TR_MS(9000), TR_MS(9000));
    expect_tick(&iv, born, TR_MS(9300), TR_MS(9300));
    tr_interval_reset(&iv, TR_NEVER);
    check_eq(tr_interval_tick(&iv, tr_after(TR_S(9)), NULL), -ETIMEDOUT);
}

/* ---- waits that end otherwise, and arms ---- */

VIRTUAL_TEST(interval, a_wait_that_ends_otherwise_takes_no_tick)
{
    tr_time born = tr_now(), got = -1;
    tr_interval iv = interval_of(tr_after(TR_MS(10)), TR_MS(10), TR_MISSED_SKIP);

    check_eq(tr_interval_tick(&iv, TR_NOW, &got), -ETIMEDOUT);
    check_eq(tr_interval_tick(&iv, tr_after(TR_MS(10) - 1), &got), -ETIMEDOUT);
    check_eq(got, -1);
    expect_tick(&iv, born, TR_MS(10), TR_MS(10));
    check_eq(tr_interval_tick(&iv, tr_after(TR_MS(10)), &got), 0, "the tick wins over the deadline");
    check_eq(got - born, TR_MS(20));
}

struct ticker {
    tr_interval iv;
};
TR_TASK(ticker, struct ticker, tr_nodrop);

static int ticker(struct ticker *t)
{
    return tr_interval_tick(&t->iv, TR_UNTIL_DRAIN, NULL);
}

VIRTUAL_TEST(interval, drain_and_cancel_end_the_wait)
{
    tr_scope s TR_CLEANUP(tr_scope_end) = tr_scope_open(NULL);
    struct ticker t = { interval_of(tr_after(TR_S(9)), TR_S(9), TR_MISSED_SKIP) }, u = t;
    tr_task h[2] = { { NULL } };
    int r;

    need_eq(ticker_spawn(&s, &t, &(struct tr_task_opts){ .ret_task = &h[0] }), 0);
    need_eq(ticker_spawn(&s, &u, &(struct tr_task_opts){ .ret_task = &h[1] }), 0);
    step_until(is_parked(&h[0]) && is_parked(&h[1]));
    tr_task_abort(&h[0]);
    need_eq(tr_task_join(&h[0], TR_NEVER, &r), 0);
    check_eq(r, -ECANCELED);
    check_eq(tr_scope_drain(&s, TR_NEVER), 0);
    need_eq(tr_task_join(&h[1], TR_NEVER, &r), 0);
    check_eq(r, -ESHUTDOWN);
}

VIRTUAL_TEST(interval, other_arms_do_not_move_the_ticks)
{
    tr_time born = tr_now(), got = 0, n_tick = 0;
    tr_interval iv = interval_of(TR_NOW, TR_MS(10), TR_MISSED_SKIP);
    tr_interval busy = interval_of(TR_NOW, TR_US(300), TR_MISSED_SKIP);
    tr_arm arms[2] = { tr_interval_tick_arm(&iv, &got), tr_interval_tick_arm(&busy, NULL) };

    while (n_tick < 20) {
        int i = tr_select(TR_NEVER, arms, 2);

        need_ge(i, 0);
        check_eq(arms[i].result, 0);
        if (i == 0)
            check_eq(got - born, TR_MS(10) * n_tick++);
    }
    check_eq(tr_now() - born, TR_MS(190));
}

VIRTUAL_TEST(interval, an_arm_that_loses_has_taken_no_tick)
{
    slot_tx tx TR_CLEANUP(slot_tx_close) = { 0 };
    slot_rx rx TR_CLEANUP(slot_rx_close) = { 0 };
    tr_interval iv = interval_of(TR_NOW, TR_MS(10), TR_MISSED_SKIP);
    tr_time born = tr_now(), got = -1;
    int v = 7;
    tr_arm arms[2] = { [1] = tr_interval_tick_arm(&iv, &got) };

    need_eq(slot_new(&tx, &rx), 0);
    need_eq(slot_send(&tx, &v), 0);
    arms[0] = slot_recv_arm(&rx, &v);
    check_eq(tr_select_first(TR_NEVER, arms, 2), 0);
    check_eq(v, 7);
    check_eq(got, -1);
    arms[0] = (tr_arm){ 0 };
    check_eq(tr_select_first(TR_NEVER, arms, 2), 1);
    check_eq(got - born, 0);
    check_eq(tr_select_first(tr_after(TR_MS(9)), arms, 2), -ETIMEDOUT);
    check_eq(tr_select_first(TR_NEVER, arms, 2), 1);
    check_eq(got - born, TR_MS(10));
    tr_interval_reset(&iv, tr_after(TR_MS(1)));
    check_eq(tr_select_first(TR_NEVER, arms, 2), 1, "the arm knows of the reset");
    check_eq(tr_now() - born, TR_MS(11));
}

/* ---- the wall clock ---- */

static atomic_int jumping;

/* In place of libc's, for the whole program: the wall clock leaps while the test says so. */
int clock_gettime(clockid_t clock, struct timespec *ts)
{
    int r = (int)syscall(SYS_clock_gettime, clock, ts);

    if (clock == CLOCK_REALTIME && atomic_load(&jumping))
        ts->tv_sec += atomic_fetch_add(&jumping, 1) % 2 ? -86400 : 86400;
    return r;
}

STEP_TEST(interval, a_wall_clock_that_leaps_moves_nothing)
{
    tr_time born = tr_now(), got;
    tr_interval iv = interval_of(born, TR_MS(5), TR_MISSED_BURST);
    struct timespec a, b;

    atomic_store(&jumping, 1);
    (void)clock_gettime(CLOCK_REALTIME, &a);
    (void)clock_gettime(CLOCK_REALTIME, &b);
    check_gt(labs((long)(a.tv_sec - b.tv_sec)), 100000, "it leaps");
    for (int i = 0; i < 8; i++) {
        need_eq(tr_interval_tick(&iv, tr_after(TR_S(10)), &got), 0);
        check_eq(got - born, TR_MS(5) * i);
    }
    check_ge(tr_now() - born, TR_MS(35));
    atomic_store(&jumping, 0);
}
