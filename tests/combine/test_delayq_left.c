/* SPDX-License-Identifier: MIT */
/*
 * test_delayq_left.c - a delay queue that says when it is empty, and what becomes of its
 * places.
 */
#include "config.h"

#include "mem/alloc.h"
#include "sched/kit.h"

TR_SUITE(delayq_left, .init = kit_listen, .timeout = 30);

TR_DELAYQ(timeq, int, tr_nodrop);

static timeq queue(void)
{
    timeq q = { { NULL } };

    check_eq(timeq_new(&q), 0);
    return q;
}

static tr_delay_key put(timeq *q, int n, tr_time when)
{
    tr_delay_key key = 0;

    check_eq(timeq_insert(q, &n, when, &key), 0);
    return key;
}

struct taker {
    timeq *q;
};
TR_TASK(taker, struct taker, tr_nodrop);

/* What it took, or 100 for the end. */
static int taker(struct taker *t)
{
    int m = -1, r = timeq_next_left(t->q, TR_UNTIL_DRAIN, &m);

    return r < 0 ? r : r == 0 ? 100 : m;
}

static tr_task start_taker(tr_scope *s, timeq *q)
{
    struct taker t = { q };
    tr_task h = { NULL };

    check_eq(taker_spawn(s, &t, &(struct tr_task_opts){ .ret_task = &h }), 0);
    while (h.rec && !is_parked(&h))
        (void)tr_yield();
    return h;
}

static int result_of(tr_task *t)
{
    int r = -1;

    check_eq(tr_task_join(t, TR_NEVER, &r), 0);
    return r;
}

VIRTUAL_TEST(delayq_left, an_empty_queue_says_so_at_once_and_yields_again_after_an_insert)
{
    timeq q TR_CLEANUP(timeq_free) = queue();
    int m = 0;

    check_eq(timeq_next_left(&q, TR_NEVER, &m), 0);
    (void)put(&q, 1, tr_after(TR_MS(5)));
    check_eq(timeq_next_left(&q, tr_after(TR_MS(4)), &m), -ETIMEDOUT);
    check_eq(timeq_next_left(&q, TR_NEVER, &m), 1);
    check_eq(m, 1);
    check_eq(timeq_next_left(&q, TR_NEVER, &m), 0);
    (void)put(&q, 2, TR_NOW);
    check_eq(timeq_next_left(&q, TR_NOW, &m), 1, "in the past: ready at once");
    check_eq(m, 2);
    check_eq(timeq_next_left(&(timeq){ { NULL } }, TR_NOW, &m), -EINVAL);
}

VIRTUAL_TEST(delayq_left, who_waits_is_woken_when_a_remove_or_clear_leaves_nothing)
{
    timeq q TR_CLEANUP(timeq_free) = queue();
    tr_scope s TR_CLEANUP(tr_scope_end) = tr_scope_open(NULL);
    tr_time born = tr_now();
    tr_delay_key a = put(&q, 1, tr_after(TR_S(5))), b = put(&q, 2, tr_after(TR_S(6)));
    tr_task t = start_taker(&s, &q);

    check_eq(timeq_remove(&q, a, NULL), 0);
    check_eq(tr_yield(), 0);
    check(!tr_task_is_finished(&t), "one is left");
    check_eq(timeq_remove(&q, b, NULL), 0);
    check_eq(result_of(&t), 100);
    (void)put(&q, 3, tr_after(TR_S(5)));
    (void)put(&q, 4, tr_after(TR_S(5)));
    t = start_taker(&s, &q);
    timeq_clear(&q);
    check_eq(result_of(&t), 100);
    check_eq(tr_now(), born, "nobody had to wait for an instant");
}

VIRTUAL_TEST(delayq_left, who_waits_is_woken_when_another_takes_the_last_value)
{
    timeq q TR_CLEANUP(timeq_free) = queue();
    tr_scope s TR_CLEANUP(tr_scope_end) = tr_scope_open(NULL);
    tr_time when = tr_after(TR_MS(5));
    tr_task a, b;
    int sum;

    (void)put(&q, 1, when);
    a = start_taker(&s, &q);
    b = start_taker(&s, &q);
    sum = result_of(&a) + result_of(&b);
    check_eq(sum, 101);
    check_eq(tr_now(), when);
}

VIRTUAL_TEST(delayq_left, it_is_an_arm)
{
    timeq q TR_CLEANUP(timeq_free) = queue();
    int m = 0;
    tr_arm arms[2] = { timeq_next_left_arm(&q, &m), tr_deadline_arm(tr_after(TR_MS(1))) };

    check_eq(tr_select_first(TR_NEVER, arms, 2), 0);
    check_eq(arms[0].result, 0);
    (void)put(&q, 1, tr_after(TR_MS(2)));
    check_eq(tr_select_first(TR_NEVER, arms, 2), 1);
    check_eq(tr_select_first(TR_NEVER, arms, 1), 0);
    check_eq(arms[0].result, 1);
    check_eq(m, 1);
    check_eq(timeq_next_left_arm(NULL, &m).ops, NULL);
}

VIRTUAL_TEST(delayq_left, a_place_is_used_again_and_keys_survive_growth)
{
    timeq q TR_CLEANUP(timeq_free) = queue();
    tr_delay_key first = put(&q, 1, tr_after(TR_S(9))), when_key = 0;
    tr_time when = 0;
    int m = 0;

    for (int i = 0; i < 1000; i++)
        (void)put(&q, 2, tr_after(TR_S(10)));
    check_eq(timeq_peek(&q, &when, &when_key), 0);
    check_eq(when_key, first, "the one that comes next, by its key from before");
    check_eq(timeq_reset(&q, first, tr_after(TR_S(1))), 0);
    check_eq(timeq_next(&q, TR_NEVER, &m), 0);
    check_eq(m, 1);
    tri_mem_fail_at(1);
    for (int i = 0; i < 5000; i++) {
        tr_delay_key key = put(&q, 3, tr_after(TR_S(1)));

        check_ne(key, first, "the place is, the key is not");
        check_eq(timeq_remove(&q, key, NULL), 0);
    }
    check(!tri_mem_has_failed(), "no more memory was asked for");
    tri_mem_fail_at(0);
}
