/* SPDX-License-Identifier: MIT */
/*
 * test_drain.c - the first stage of a stop: which waits end, both limits of a deadline, and
 * what wins when several reasons to return meet: ready, then cancelled, drained, timed out.
 */
#include "config.h"

#include "sched/kit.h"
#include "sched/scope.h"

TR_SUITE(drain, .races = true, .init = kit_listen, .timeout = 20);

TR_MPSC(intq, int, tr_nodrop);

static atomic_uint n_dropped;
static int got[4];

struct arg {
    int key;
    int (*fn)(struct arg *a);
};

static void arg_drop(struct arg *a)
{
    atomic_fetch_add(&n_dropped, a->key != 0);
}

TR_TASK(child, struct arg, arg_drop);

static int child(struct arg *a)
{
    return a->fn(a);
}

static tr_task start(tr_scope *s, int (*fn)(struct arg *a))
{
    struct arg a = { 1, fn };
    tr_task t = { NULL };

    check_eq(child_spawn(s, &a, &(struct tr_task_opts){ .ret_task = &t }), 0);
    while (t.rec && !is_parked(&t) && !tr_task_is_finished(&t))
        (void)tr_yield();
    return t;
}

static void ends_with(tr_task *t, int result)
{
    int r = 77;

    check_eq(tr_task_join(t, TR_NEVER, &r), 0);
    check_eq(r, result);
}

static int until_drain(struct arg *a)
{
    (void)a;
    return tr_sleep(TR_UNTIL_DRAIN);
}

static int both_limits(struct arg *a)
{
    (void)a;
    return tr_sleep(tr_until_drain(tr_after(TR_MS(5))));
}

static int for_ever(struct arg *a)
{
    (void)a;
    return tr_sleep(TR_NEVER);
}

STEP_TEST(drain, only_waits_with_the_drain_bit_end)
{
    tr_scope s TR_CLEANUP(tr_scope_end) = tr_scope_open(NULL);
    tr_task gentle = start(&s, until_drain), hard = start(&s, for_ever);

    check_eq(tr_scope_drain(&s, tr_after(TR_MS(3))), -ETIMEDOUT);
    check(tr_task_is_finished(&hard), "the deadline cancelled it, and all have ended");
    ends_with(&gentle, -ESHUTDOWN);
    ends_with(&hard, -ECANCELED);
}

STEP_TEST(drain, a_drain_that_all_obey_returns_zero_before_its_deadline)
{
    tr_scope s TR_CLEANUP(tr_scope_end) = tr_scope_open(NULL);
    tr_task gentle = start(&s, until_drain);

    check_eq(tr_scope_drain(&s, TR_NEVER), 0);
    check(tr_scope_is_draining(&s));
    ends_with(&gentle, -ESHUTDOWN);
    check_eq(tr_scope_drain(&s, TR_NOW), 0, "of an empty scope");
}

STEP_TEST(drain, a_wait_with_both_limits_ends_at_the_earlier)
{
    tr_scope s TR_CLEANUP(tr_scope_end) = tr_scope_open(NULL);
    tr_task t = start(&s, both_limits);

    ends_with(&t, 0); /* the sleep went by */
    t = start(&s, both_limits);
    check_eq(tr_scope_drain(&s, TR_NEVER), 0);
    ends_with(&t, -ESHUTDOWN);
}

static tr_scope *shared;

static int spawn_in_drain(struct arg *a)
{
    struct arg b = { 1, until_drain };

    (void)a;
    check_eq(tr_sleep(TR_UNTIL_DRAIN), -ESHUTDOWN);
    check(tr_self_is_draining());
    check(!tr_self_is_cancelled());
    check_eq(tr_sleep(tr_after(TR_MS(1))), 0, "work under way goes on");
    check_eq(tr_yield(), 0);
    check_eq(tr_sleep(TR_UNTIL_DRAIN), -ESHUTDOWN, "it stays so");
    return child_spawn(shared, &b, NULL);
}

STEP_TEST(drain, a_draining_scope_takes_tasks_which_are_born_so)
{
    tr_scope s TR_CLEANUP(tr_scope_end) = tr_scope_open(NULL);
    tr_task t = start(&s, spawn_in_drain);

    shared = &s;
    check_eq(tr_scope_drain(&s, TR_NEVER), 0);
    ends_with(&t, 0);
    check_eq(n_dropped, 2);
}

static int open_in_drain(struct arg *a)
{
    tr_scope s TR_CLEANUP(tr_scope_end) = tr_scope_open(NULL);
    tr_scope unused TR_CLEANUP(tr_scope_end) = tr_scope_open(NULL);
    struct arg b = { 1, until_drain };
    tr_task t;
    int r = 0;

    (void)a;
    check_eq(tr_sleep(TR_UNTIL_DRAIN), -ESHUTDOWN);
    check(tr_scope_is_draining(&unused));
    if (child_spawn(&s, &b, &(struct tr_task_opts){ .ret_task = &t }) < 0)
        return -EIO;
    check(tr_scope_is_draining(&s));
    check_eq(tr_task_join(&t, TR_NEVER, &r), 0);
    return r;
}

STEP_TEST(drain, a_scope_opened_in_a_drain_is_born_draining)
{
    tr_scope s TR_CLEANUP(tr_scope_end) = tr_scope_open(NULL);
    tr_task t = start(&s, open_in_drain);

    check_eq(tr_scope_drain(&s, TR_NEVER), 0);
    ends_with(&t, -ESHUTDOWN);
}

static int nest(struct arg *a)
{
    tr_scope s TR_CLEANUP(tr_scope_end) = tr_scope_open(NULL);
    struct arg b = { a->key - 1, nest };

    if (a->key == 1)
        return tr_sleep(TR_UNTIL_DRAIN) == -ESHUTDOWN ? 0 : -EIO;
    if (child_spawn(&s, &b, NULL) < 0)
        return -EIO;
    return tr_scope_join(&s, TR_NEVER);
}

STEP_TEST(drain, it_reaches_the_bottom_of_nested_scopes)
{
    tr_scope s TR_CLEANUP(tr_scope_end) = tr_scope_open(NULL);
    struct arg a = { 30, nest };

    need_eq(child_spawn(&s, &a, NULL), 0);
    for (unsigned i = 0; i < 200; i++)
        need_eq(tr_yield(), 0);
    check_eq(tr_scope_drain(&s, TR_NEVER), 0);
    check_eq(n_dropped, 30);
}

static int fail_when_cancelled(struct arg *a)
{
    (void)a;
    return tr_sleep(TR_NEVER) < 0 ? -EIO : 0;
}

STEP_TEST(drain, a_failure_in_a_late_drain_is_not_lost)
{
    tr_scope s TR_CLEANUP(tr_scope_end) = tr_scope_open(NULL);
    struct arg a = { 1, fail_when_cancelled };

    need_eq(child_spawn(&s, &a, NULL), 0);
    check_eq(tr_scope_drain(&s, tr_after(TR_MS(1))), -ETIMEDOUT);
    tr_scope_end(&s);
    check_eq(n_told[TR_EVENT_FAILED], 1);
}

static int drains_cancelled(struct arg *a)
{
    tr_scope s TR_CLEANUP(tr_scope_end) = tr_scope_open(NULL);
    struct arg b = { 1, for_ever };
    int r;

    (void)a;
    if (child_spawn(&s, &b, NULL) < 0)
        return -EIO;
    r = tr_scope_drain(&s, TR_NEVER);
    check_eq(tr_scope_len(&s), 0, "in every case all have ended");
    return r;
}

STEP_TEST(drain, a_cancelled_caller_cancels_the_rest_and_joins)
{
    tr_task t = start(root, drains_cancelled);

    tr_task_abort(&t);
    ends_with(&t, -ECANCELED);
    check_eq(n_dropped, 2);
}

/* ---- what wins ---- */

static intq_tx tx;
static intq_rx rx;

static int receive(struct arg *a)
{
    tr_time deadline = a->key == 2 ? tr_until_drain(tr_after(TR_MS(2))) : TR_UNTIL_DRAIN;

    return intq_recv(&rx, deadline, &got[0]);
}

/* A parked receiver, and then everything that happens before it runs again. */
static tr_task parked_receiver(tr_scope *s, int key)
{
    struct arg a = { key, receive };
    tr_task t = { NULL };

    check_eq(intq_new(4, &tx, &rx), 0);
    check_eq(child_spawn(s, &a, &(struct tr_task_opts){ .ret_task = &t }), 0);
    while (!is_parked(&t))
        (void)tr_yield();
    return t;
}

static void close_queue(void)
{
    intq_tx_close(&tx);
    intq_rx_close(&rx);
}

enum { MESSAGE = 1, CANCEL = 2, DRAIN = 4, TIMEOUT = 8 };

static void do_it(tr_scope *s, tr_task *t, unsigned what)
{
    tr_time end = tr_now() + TR_MS(3);
    int m = 5;

    switch (what) {
    case MESSAGE:
        check_eq(intq_try_send(&tx, &m), 0);
        break;
    case CANCEL:
        tr_task_abort(t);
        break;
    case DRAIN:
        tri_scope_drain(s->impl); /* only the first step of tr_scope_drain() */
        break;
    case TIMEOUT:
        while (tr_now() < end) /* without a wait: it is due, and not yet seen */
            ;
        break;
    default:
        break;
    }
}

/* All that is in @set happens, from the lowest bit up or down, while the receiver is parked. */
static void happen(unsigned set, bool up, int expect)
{
    tr_scope s TR_CLEANUP(tr_scope_end) = tr_scope_open(NULL);
    tr_task t = parked_receiver(&s, set & TIMEOUT ? 2 : 1);

    got[0] = 0;
    for (unsigned i = 0; i < 4; i++) {
        unsigned bit = 1u << (up ? i : 3 - i);

        if (set & bit)
            do_it(&s, &t, bit);
    }
    ends_with(&t, expect);
    check_eq(got[0], set & MESSAGE ? 5 : 0, "ready wins, whatever came with it");
    close_queue();
}

static int expected(unsigned set)
{
    return set & MESSAGE  ? 0
           : set & CANCEL ? -ECANCELED
           : set & DRAIN  ? -ESHUTDOWN
                          : -ETIMEDOUT;
}

static int every_set(tr_scope *root, void *arg)
{
    (void)root;
    (void)arg;
    for (unsigned set = 1; set < 16; set++) {
        happen(set, true, expected(set));
        happen(set, false, expected(set));
    }
    return 0;
}

TR_TEST(drain, ready_wins_over_cancelled_over_drained_over_late)
{
    run_with((struct tr_runtime_opts){ .n_worker = 1 }, every_set, NULL);
}

static int cancelled_before(struct arg *a)
{
    (void)a;
    got[1] = tr_sleep(TR_NEVER);
    got[2] = intq_recv(&rx, TR_NEVER, &got[0]);
    return 0;
}

STEP_TEST(drain, a_call_by_a_cancelled_task_does_not_take_what_is_ready)
{
    tr_task t = start(root, cancelled_before);
    int m = 5;

    need_eq(intq_new(4, &tx, &rx), 0);
    need_eq(intq_try_send(&tx, &m), 0);
    tr_task_abort(&t);
    ends_with(&t, 0);
    check_eq(got[1], -ECANCELED);
    check_eq(got[2], -ECANCELED);
    check_eq(got[0], 0);
    check_eq(intq_len(&rx), 1);
    close_queue();
}

static int drained_before(struct arg *a)
{
    (void)a;
    got[1] = tr_sleep(TR_UNTIL_DRAIN);
    got[2] = intq_recv(&rx, TR_UNTIL_DRAIN, &got[0]);
    got[3] = intq_recv(&rx, tr_until_drain(TR_NOW), &got[3]);
    return 0;
}

STEP_TEST(drain, a_call_in_a_drain_takes_what_is_ready)
{
    tr_scope s TR_CLEANUP(tr_scope_end) = tr_scope_open(NULL);
    tr_task t = start(&s, drained_before);
    int m = 5;

    need_eq(intq_new(4, &tx, &rx), 0);
    need_eq(intq_try_send(&tx, &m), 0);
    check_eq(tr_scope_drain(&s, TR_NEVER), 0);
    ends_with(&t, 0);
    check_eq(got[1], -ESHUTDOWN);
    check_eq(got[2], 0);
    check_eq(got[0], 5);
    check_eq(got[3], -ESHUTDOWN, "over a deadline that has passed");
    close_queue();
}
