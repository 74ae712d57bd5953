/* SPDX-License-Identifier: MIT */
/*
 * test_time.c - sleeps and deadlines in virtual time: any span, exactly, and the same every
 * time.
 */
#include "config.h"

#include <pthread.h>

#include "sched/kit.h"
#include "sched/worker.h"

TR_SUITE(time, .races = true, .init = kit_listen, .timeout = 30);

TR_MPSC(numberq, int, tr_nodrop);

static const tr_time year = TR_S(86400) * 365;

VIRTUAL_TEST(time, a_sleep_of_any_span_ends_at_its_instant)
{
    static const tr_time spans[] = { 1, 700, TR_US(33), TR_MS(1), TR_MS(1) + 1, TR_S(86400) };

    for (unsigned i = 0; i < TR_LEN(spans); i++) {
        tr_time until = tr_after(spans[i]);

        check_eq(tr_sleep(until), 0);
        check_eq(tr_now(), until);
    }
    for (tr_time n = 1; n <= 64; n *= 4) {
        tr_time until = tr_after(n * year);

        check_eq(tr_sleep(until), 0);
        check_eq(tr_now(), until);
    }
}

VIRTUAL_TEST(time, a_sleep_into_the_past_takes_no_time)
{
    tr_time born = tr_now();

    check_eq(tr_sleep(TR_NOW), 0);
    check_eq(tr_sleep(-1), 0);
    check_eq(tr_sleep(born - 1), 0);
    check_eq(tr_sleep(born), 0);
    check_eq(tr_now(), born);
}

VIRTUAL_TEST(time, the_largest_deadlines_neither_overflow_nor_spin)
{
    static const tr_time last[] = { TR_NEVER - 1, TR_NEVER, TR_UNTIL_DRAIN, INT64_MAX };
    numberq_tx tx TR_CLEANUP(numberq_tx_close) = { 0 };
    numberq_rx rx TR_CLEANUP(numberq_rx_close) = { 0 };
    int n = 0;

    need_eq(numberq_new(4, &tx, &rx), 0);
    check_eq(tr_after(INT64_MAX), TR_NEVER);
    for (unsigned i = 0; i < TR_LEN(last); i++) {
        int m = (int)i;

        need_eq(numberq_send(&tx, &m, last[i]), 0);
        check_eq(numberq_recv(&rx, last[i], &n), 0);
        check_eq(n, (int)i);
    }
}

/* ---- many timers of one instant, of which the first to fire takes the others away ---- */

enum { N_TWIN = 100 };

struct crowd {
    tr_scope *s;
    tr_time when;
    unsigned n_woken, n_cancelled;
};

struct twin {
    struct crowd *c;
};
TR_TASK(twin, struct twin, tr_nodrop);

static int twin(struct twin *t)
{
    int r = tr_sleep(t->c->when);

    if (r == -ECANCELED) {
        t->c->n_cancelled++;
        return r;
    }
    t->c->n_woken++;
    tr_scope_cancel(t->c->s); /* before the timers of the others are dealt with, or after */
    return r;
}

static int twins(tr_scope *root, void *arg)
{
    tr_scope s TR_CLEANUP(tr_scope_end) = tr_scope_open(NULL);
    struct crowd c = { &s, tr_after(TR_MS(10)), 0, 0 };

    (void)root;
    (void)arg;
    for (unsigned i = 0; i < N_TWIN; i++)
        check_eq(twin_spawn(&s, &(struct twin){ &c }, NULL), 0);
    check_eq(tr_scope_join(&s, TR_NEVER), 0);
    check_eq(tr_now(), c.when);
    check_ge(c.n_woken, 1);
    check_eq(c.n_woken + c.n_cancelled, N_TWIN, "each has ended once");
    return 0;
}

TR_TEST(time, the_first_of_many_timers_may_take_the_others_away, .once = true)
{
    (void)run_seeds(20, twins, NULL);
}

/* ---- the same every time ---- */

struct tape {
    uint64_t x, hash;
};

static int ten_thousand(tr_scope *root, void *arg)
{
    struct tape *t = arg;

    (void)root;
    for (unsigned i = 0; i < 10000; i++) {
        t->x ^= t->x << 13, t->x ^= t->x >> 7, t->x ^= t->x << 17;
        check_eq(tr_sleep(tr_after((tr_time)(t->x >> 34))), 0);
        t->hash = (t->hash ^ (uint64_t)tr_now()) * 0x100000001b3u;
    }
    return 0;
}

TR_TEST(time, ten_thousand_sleeps_at_random_end_at_the_same_instants_twice, .once = true)
{
    struct tape a = { test_seed() | 1, 1 }, b = a, c = { (test_seed() | 1) + 2, 1 };

    run_with((struct tr_runtime_opts){ .simulate = true, .seed = 1 }, ten_thousand, &a);
    run_with((struct tr_runtime_opts){ .simulate = true, .seed = 1 }, ten_thousand, &b);
    run_with((struct tr_runtime_opts){ .simulate = true, .seed = 1 }, ten_thousand, &c);
    check_eq(a.hash, b.hash);
    check_ne(a.hash, c.hash, "else it would say nothing");
}

/* ---- what is registered, and for how long ---- */

static int sleep_a_day(void *unused)
{
    (void)unused;
    return tr_sleep(tr_after(TR_S(86400)));
}

struct nap {
    int (*fn)(void *unused);
};
TR_TASK(nap, struct nap, tr_nodrop);

static int nap(struct nap *n)
{
    return n->fn(NULL);
}

static void *abort_it(void *t)
{
    tr_task_abort(t);
    return NULL;
}

STEP_TEST(time, a_timer_is_there_while_somebody_waits_for_it_and_no_longer)
{
    struct tri_wheel *wheel = &tri_worker_self()->wheel;
    const size_t before = wheel->n_timers;
    tr_notify notify = TR_NOTIFY_INIT;
    tr_interval iv;
    tr_arm arms[2] = { tr_deadline_arm(tr_after(TR_S(100))), tr_notify_wait_arm(&notify) };
    struct nap n = { sleep_a_day };
    pthread_t thread;
    tr_task t;

    need_eq(tr_interval_init(&iv, tr_after(TR_S(1)), TR_S(1), TR_MISSED_SKIP), 0);
    check_eq(wheel->n_timers, before, "making one registers nothing");
    need_eq(nap_spawn(root, &n, &(struct tr_task_opts){ .ret_task = &t }), 0);
    step_until(is_parked(&t));
    check_eq(wheel->n_timers, before + 1);
    need_eq(pthread_create(&thread, NULL, abort_it, &t), 0);
    pthread_join(thread, NULL);
    check_eq(wheel->n_timers, before + 1, "the thread has left it to the owner of the wheel");
    need_eq(tr_task_join(&t, TR_NEVER, NULL), 0);
    check_eq(wheel->n_timers, before, "who has taken it out");
    tr_notify_one(&notify);
    check_eq(tr_select(TR_NEVER, arms, 2), 1);
    check_eq(wheel->n_timers, before, "and so has another arm");
}

VIRTUAL_TEST(time, sleeps_of_any_fraction_move_the_clock_exactly_and_fire_nothing_early)
{
    struct nap n = { sleep_a_day };
    tr_time born = tr_now(), at = born;
    tr_task t;

    need_eq(nap_spawn(root, &n, &(struct tr_task_opts){ .ret_task = &t }), 0);
    need_eq(tr_yield(), 0);
    for (tr_time span = 1; at + span < born + TR_S(86400); span = span * 3 + 1) {
        for (int i = 0; i < 20; i++) {
            need_eq(tr_sleep(tr_after(span)), 0);
            at += span;
            check_eq(tr_now(), at);
            if (at + span >= born + TR_S(86400))
                break;
        }
        check(!tr_task_is_finished(&t), "however often the clock was moved");
    }
    need_eq(tr_sleep(born + TR_S(86400)), 0);
    need_eq(tr_task_join(&t, TR_NEVER, NULL), 0);
    check_eq(tr_now(), born + TR_S(86400));
}
