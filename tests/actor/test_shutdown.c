/* SPDX-License-Identifier: MIT */
/* test_shutdown.c - the shutdown level: who sees it, what it does, and that it never falls. */
#include "config.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include <troupe.h>

#include "actor/shutdown.h"
#include "support/tr-actor-test.h"

TR_SUITE(shutdown, .timeout = 20);

struct nothing {
    int unused;
};

static struct nothing none;
static atomic_int n_drained, n_cancelled;

TR_TASK(drainable, struct nothing, tr_nodrop);
static int drainable(struct nothing *arg)
{
    int r = tr_sleep(TR_UNTIL_DRAIN);

    (void)arg;
    n_drained += r == -ESHUTDOWN;
    return r;
}

TR_TASK(deaf, struct nothing, tr_nodrop);
static int deaf(struct nothing *arg)
{
    int r = tr_sleep(TR_NEVER);

    (void)arg;
    n_cancelled += r == -ECANCELED;
    return r;
}

/* ---- it only grows ---- */

enum { THREADS = 8, ROUNDS = 1250, RAISES = 100 }; /* a million raises */

static struct tri_runtime fake[ROUNDS];
static struct tri_shutdown fake_shutdown[ROUNDS];
static atomic_int n_fallen;

static void *raise_at_random(void *arg)
{
    uint64_t x = test_seed() + (uintptr_t)arg;

    for (int i = 0; i < ROUNDS; i++) {
        unsigned last = TR_LEVEL_RUN, now;

        for (int k = 0; k < RAISES; k++) {
            x = x * UINT64_C(6364136223846793005) + 1442695040888963407u;
            /* Mostly low ones, so that the way up is long. */
            enum tr_level level = (enum tr_level)((x >> 60) ? (x >> 40) % 2 : (x >> 40) % 4);

            (void)tri_shutdown_grow(&fake[i], level, "random");
            now = tri_shutdown_level(&fake[i]);
            n_fallen += now < last || now < level;
            last = now;
        }
    }
    return NULL;
}

TR_TEST(shutdown, the_level_never_falls)
{
    pthread_t thread[THREADS];

    for (int i = 0; i < ROUNDS; i++)
        fake[i].shutdown = &fake_shutdown[i];
    for (uintptr_t i = 0; i < THREADS; i++)
        need_eq(pthread_create(&thread[i], NULL, raise_at_random, (void *)i), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(thread[i], NULL);
    check_eq(n_fallen, 0);
}

/* ---- who sees it ---- */

ACTOR_TEST(shutdown, a_late_subscriber_sees_the_level_once)
{
    tr_levelw_rx rx;

    need_eq(tr_shutdown(TR_LEVEL_DRAIN, "test"), 0);
    rx = tr_shutdown_watch();
    check(tr_levelw_has_changed(&rx));
    check_eq(tr_levelw_changed(&rx, TR_NOW), 0);
    check_eq(*tr_levelw_get(&rx), TR_LEVEL_DRAIN);
    check(!tr_levelw_has_changed(&rx));
    tr_levelw_rx_close(&rx);
}

ACTOR_TEST(shutdown, an_early_subscriber_is_woken)
{
    tr_levelw_rx rx = tr_shutdown_watch();

    check(!tr_levelw_has_changed(&rx));
    check_eq(*tr_levelw_get(&rx), TR_LEVEL_RUN);
    need_eq(tr_shutdown(TR_LEVEL_DRAIN, "test"), 0);
    check_eq(tr_levelw_changed(&rx, TR_NEVER), 0);
    check_eq(*tr_levelw_get(&rx), TR_LEVEL_DRAIN);
    tr_levelw_rx_close(&rx);
}

ACTOR_TEST(shutdown, waiting_for_a_level_that_is_reached_returns_at_once_each_time)
{
    check_eq(tr_shutdown_wait(TR_LEVEL_DRAIN, TR_NOW), -ETIMEDOUT);
    check_eq(tr_shutdown_wait(TR_LEVEL_RUN, TR_NOW), 0);
    need_eq(tr_shutdown(TR_LEVEL_DRAIN, "test"), 0);
    check_eq(tr_shutdown_level(), TR_LEVEL_DRAIN);
    check_eq(tr_shutdown_wait(TR_LEVEL_DRAIN, TR_NOW), 0);
    check_eq(tr_shutdown_wait(TR_LEVEL_DRAIN, TR_NEVER), 0);
    check_eq(tr_shutdown_wait(TR_LEVEL_STOP, TR_NOW), -ETIMEDOUT);
}

struct waiting {
    enum tr_level level;
    int *ret_r;
};

TR_TASK(waiter, struct waiting, tr_nodrop);
static int waiter(struct waiting *w)
{
    *w->ret_r = tr_shutdown_wait(w->level, TR_NEVER);
    return 0;
}

ACTOR_TEST(shutdown, a_raise_wakes_those_whose_level_is_reached)
{
    int drain = 1, stop = 1, cancelled = 1;
    tr_scope s TR_CLEANUP(tr_scope_end) = tr_scope_open(NULL);
    tr_task t;

    need_eq(waiter_spawn(&s, &(struct waiting){ TR_LEVEL_DRAIN, &drain },
                         &(struct tr_task_opts){ .ret_task = &t }),
            0);
    need_eq(waiter_spawn(&s, &(struct waiting){ TR_LEVEL_STOP, &stop }, NULL), 0);
    need_eq(waiter_spawn(&s, &(struct waiting){ TR_LEVEL_ABORT, &cancelled }, NULL), 0);
    need_eq(tr_sleep(tr_after(TR_MS(1))), 0);
    check_eq(drain, 1);
    need_eq(tr_shutdown(TR_LEVEL_DRAIN, "test"), 0);
    check_eq(tr_task_join(&t, TR_NEVER, NULL), 0);
    check_eq(drain, 0);
    check_eq(stop, 1);
    need_eq(tr_shutdown(TR_LEVEL_STOP, "test"), 0);
    tr_scope_end(&s);
    check_eq(stop, 0, "the level that is reached wins over the cancel that came with it");
    check_eq(cancelled, -ECANCELED);
}

TR_TEST(shutdown, outside_of_a_runtime_there_is_no_level)
{
    tr_levelw_rx rx = tr_shutdown_watch();

    check_eq(tr_shutdown(TR_LEVEL_DRAIN, "test"), -EPERM);
    check_eq(tr_shutdown_level(), TR_LEVEL_RUN);
    check_eq(tr_levelw_changed(&rx, TR_NOW), -EINVAL);
    check_eq(tr_shutdown((enum tr_level)4, "test"), -EINVAL);
}

/* ---- what it does ---- */

ACTOR_TEST(shutdown, drain_ends_the_waits_that_said_so_and_no_others)
{
    need_eq(drainable_spawn(root, &none, NULL), 0);
    need_eq(deaf_spawn(root, &none, NULL), 0);
    need_eq(tr_shutdown(TR_LEVEL_DRAIN, "test"), 0);
    check_eq(tr_sleep(tr_until_drain(tr_after(TR_S(9)))), -ESHUTDOWN);
    while (n_drained == 0)
        need_eq(tr_sleep(tr_after(TR_MS(1))), 0);
    check_eq(tr_scope_len(root), 1);
    check_eq(n_cancelled, 0);
}

ACTOR_TEST(shutdown, stop_cancels_everything)
{
    need_eq(deaf_spawn(root, &none, NULL), 0);
    need_eq(tr_sleep(tr_after(TR_MS(1))), 0);
    need_eq(tr_shutdown(TR_LEVEL_STOP, "test"), 0);
    check_eq(tr_sleep(TR_NEVER), -ECANCELED);
    check_eq(deaf_spawn(root, &none, NULL), -ESHUTDOWN);
}

static int drain_and_wait(tr_scope *root, void *arg)
{
    (void)arg;
    if (deaf_spawn(root, &none, NULL) < 0 || tr_shutdown(TR_LEVEL_DRAIN, "test") < 0)
        return -EIO;
    return tr_scope_join(root, TR_NEVER);
}

TR_TEST(shutdown, a_drain_that_takes_too_long_becomes_a_stop)
{
    struct tr_runtime_opts opts = { .stop_budget = TR_MS(200) };
    tr_time began = tr_now();

    check_le(tr_run_with(&opts, drain_and_wait, NULL), 0);
    check_ge(tr_now() - began, TR_MS(150));
    check_eq(n_cancelled, 1);
}

/* Goes on until it is reported. */
static atomic_bool started, reported;
static char report[200];

static void note_late(enum tr_event_kind kind, const char *text, void *arg)
{
    (void)arg;
    if (kind != TR_EVENT_LATE)
        return;
    snprintf(report, sizeof report, "%s", text);
    reported = true;
}

TR_TASK(stubborn, struct nothing, tr_nodrop);
static int stubborn(struct nothing *arg)
{
    (void)arg;
    started = true;
    while (!reported)
        (void)tr_sleep(tr_after(TR_MS(1)));
    return 0;
}

static int stop_stubborn(tr_scope *root, void *arg)
{
    int r = stubborn_spawn(root, &none, NULL);

    (void)arg;
    while (r == 0 && !started)
        r = tr_yield();
    return r < 0 ? r : tr_shutdown(TR_LEVEL_STOP, "test");
}

TR_TEST(shutdown, who_is_late_is_reported_by_name)
{
    struct tr_runtime_opts opts = { .stop_budget = TR_MS(50) };

    tr_hook_set(note_late, NULL);
    check_eq(tr_run_with(&opts, stop_stubborn, NULL), 0);
    check(strstr(report, "task 'stubborn' #"), report);
    check(strstr(report, "has not ended in time"), report);
}

static int cleanup_result;

TR_TASK(tidy, struct nothing, tr_nodrop);
static int tidy(struct nothing *arg)
{
    (void)arg;
    if (tr_sleep(TR_NEVER) == -ECANCELED) {
        tr_shield guard TR_CLEANUP(tr_shield_end) = tr_shield_begin(TR_S(1));

        cleanup_result = tr_sleep(TR_NEVER);
    }
    return 0;
}

static int abort_tidy(tr_scope *root, void *arg)
{
    (void)arg;
    if (tidy_spawn(root, &none, NULL) < 0 || tr_sleep(tr_after(TR_MS(1))) < 0)
        return -EIO;
    return tr_shutdown(TR_LEVEL_ABORT, "test");
}

TR_TEST(shutdown, abort_cuts_the_budget_of_a_cleanup)
{
    tr_time began = tr_now();

    check_eq(tr_run(abort_tidy, NULL), 0);
    check_eq(cleanup_result, -ECANCELED);
    check_lt(tr_now() - began, TR_MS(700));
}

static int raise_and_leave(tr_scope *root, void *arg)
{
    (void)root;
    (void)arg;
    return tr_shutdown(TR_LEVEL_DRAIN, "test");
}

TR_TEST(shutdown, a_current_thread_runtime_has_a_level_too)
{
    struct tr_runtime_opts opts = { .current_thread = true };

    check_eq(tr_run_with(&opts, raise_and_leave, NULL), 0);
}
