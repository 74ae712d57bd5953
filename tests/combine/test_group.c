/* SPDX-License-Identifier: MIT */
/* test_group.c - tasks with keys: one for each, replaced, cancelled and taken by it. */
#include "config.h"

#include "mem/alloc.h"
#include "sched/kit.h"
#include "sched/task.h"

static void no_record_is_left(void)
{
    check_eq(tri_task_setup(), 0);
    check_eq(tri_slab_n_out(tri_task_slab()), 0);
}

TR_SUITE(group, .init = kit_listen, .fini = no_record_is_left, .timeout = 30);

static unsigned n_dropped;

struct arg {
    tr_time span;
    int result;
    int late; /* what it makes of a cancel; 0: -ECANCELED */
    bool there;
};

static void arg_drop(struct arg *a)
{
    n_dropped += a->there;
}

TR_TASK(child, struct arg, arg_drop);
TR_GROUP_TASK(child, struct arg);

static int child(struct arg *a)
{
    int r = a->span > 0 ? tr_sleep(tr_after(a->span)) : 0;

    return r == -ECANCELED && a->late ? a->late : r < 0 ? r : a->result;
}

static int spawn(tr_group *g, uint64_t key, tr_time span, int result)
{
    struct arg a = { span, result, 0, true };

    return child_spawn_as(g, key, &a, NULL);
}

static int spawn_late(tr_group *g, uint64_t key, int late)
{
    struct arg a = { TR_S(100), 0, late, true };

    return child_spawn_as(g, key, &a, NULL);
}

/* ---- results ---- */

VIRTUAL_TEST(group, results_come_with_their_keys_in_the_order_of_the_ends)
{
    tr_group g TR_CLEANUP(tr_group_end) = tr_group_open(NULL);
    tr_grouped e = { 0, { 0, NULL, 0 } };

    check_eq(tr_group_next(&g, TR_NEVER, &e), 0, "no member, and no wait");
    check_eq(tr_group_try_next(&g, &e), 0);
    need_eq(spawn(&g, 7, TR_MS(20), 70), 0);
    need_eq(spawn(&g, 8, TR_MS(10), -EIO), 0);
    check_eq(tr_group_try_next(&g, &e), -EAGAIN);
    check_eq(tr_group_next(&g, tr_after(TR_MS(9)), &e), -ETIMEDOUT);
    check_eq(tr_group_len(&g), 2);
    need_eq(tr_group_next(&g, TR_NEVER, &e), 1);
    check_eq(e.key, 8);
    check_eq(e.ended.result, -EIO);
    check_str(e.ended.name, "child");
    need_eq(tr_sleep(tr_after(TR_MS(20))), 0);
    check(tr_group_has(&g, 7), "it has ended, and is still a member");
    check(!tr_group_has(&g, 8), "it was taken");
    need_eq(tr_group_try_next(&g, &e), 1);
    check_eq(e.key, 7);
    check_eq(e.ended.result, 70);
    check_eq(tr_group_len(&g), 0);
    check_eq(tr_group_next(&g, TR_NEVER, &e), 0);
    need_eq(spawn(&g, 8, 0, 80), 0, "a key can be used again");
    check_eq(tr_group_next(&g, TR_NEVER, &e), 1);
    tr_group_end(&g);
    check_eq(n_dropped, 3);
    check_eq(n_told[TR_EVENT_FAILED], 0, "the owner has seen the failure");
}

VIRTUAL_TEST(group, the_next_member_is_an_arm)
{
    tr_group g TR_CLEANUP(tr_group_end) = tr_group_open(NULL);
    tr_grouped e = { 0, { 0, NULL, 0 } };
    tr_arm arms[2] = { tr_group_next_arm(&g, &e), tr_deadline_arm(tr_after(TR_MS(5))) };

    check_eq(tr_select(TR_NEVER, arms, 2), 1, "disabled before the first spawn");
    need_eq(spawn(&g, 1, TR_MS(10), 10), 0);
    arms[0] = tr_group_next_arm(&g, &e);
    arms[1] = tr_deadline_arm(tr_after(TR_MS(5)));
    check_eq(tr_select(TR_NEVER, arms, 2), 1);
    check_eq(tr_group_len(&g), 1, "an arm that loses has taken nothing");
    check_eq(tr_select(TR_NEVER, arms, 1), 0);
    check_eq(arms[0].result, 1);
    check_eq(e.key, 1);
    check_eq(tr_select(TR_NEVER, arms, 1), 0);
    check_eq(arms[0].result, 0, "no member is left");
}

/* ---- replacing ---- */

VIRTUAL_TEST(group, a_spawn_under_a_key_in_use_cancels_the_older_one_which_is_never_given)
{
    tr_group g TR_CLEANUP(tr_group_end) = tr_group_open(NULL);
    tr_grouped e = { 0, { 0, NULL, 0 } };
    tr_time born = tr_now();

    need_eq(spawn(&g, 1, TR_S(100), 10), 0);
    need_eq(spawn(&g, 2, 0, 20), 0);
    need_eq(tr_sleep(tr_after(TR_MS(1))), 0);
    need_eq(spawn(&g, 1, TR_MS(5), 11), 0, "it replaces one that sleeps");
    need_eq(spawn(&g, 2, TR_MS(9), 21), 0, "and one that has ended");
    check_eq(tr_group_len(&g), 2);
    need_eq(tr_group_next(&g, TR_NEVER, &e), 1);
    check_eq(e.ended.result, 11);
    check_eq(tr_scope_len(&g.scope), 1, "the older one has cleaned up");
    need_eq(tr_group_next(&g, TR_NEVER, &e), 1);
    check_eq(e.ended.result, 21);
    check_eq(tr_group_next(&g, TR_NEVER, &e), 0);
    check_eq(tr_now() - born, TR_MS(10));
    check_eq(n_dropped, 4);
}

VIRTUAL_TEST(group, one_that_was_replaced_is_not_waited_for_by_next_but_by_the_end)
{
    tr_group g TR_CLEANUP(tr_group_end) = tr_group_open(NULL);
    tr_grouped e = { 0, { 0, NULL, 0 } };

    need_eq(spawn(&g, 1, TR_S(100), 10), 0);
    need_eq(tr_sleep(tr_after(TR_MS(1))), 0);
    need_eq(spawn(&g, 1, 0, 11), 0);
    need_eq(tr_sleep(tr_after(TR_MS(1))), 0);
    need_eq(tr_group_try_next(&g, &e), 1);
    check_eq(e.ended.result, 11);
    check_eq(tr_group_next(&g, TR_NEVER, &e), 0);
    tr_group_end(&g);
    check_eq(n_dropped, 2);
}

VIRTUAL_TEST(group, a_failure_of_one_that_was_replaced_is_told)
{
    tr_group g TR_CLEANUP(tr_group_end) = tr_group_open(NULL);
    tr_grouped e = { 0, { 0, NULL, 0 } };

    need_eq(spawn_late(&g, 1, -EIO), 0);
    need_eq(tr_sleep(tr_after(TR_MS(1))), 0);
    need_eq(spawn(&g, 1, TR_MS(1), 11), 0);
    need_eq(tr_group_next(&g, TR_NEVER, &e), 1);
    check_eq(e.ended.result, 11);
    check_eq(n_told[TR_EVENT_FAILED], 1);
}

VIRTUAL_TEST(group, a_spawn_that_fails_replaces_nobody)
{
    const struct tr_scope_opts one = { .policy = TR_POLICY_COLLECT, .max_children = 1 };
    tr_group g TR_CLEANUP(tr_group_end) = tr_group_open(&one);
    tr_grouped e = { 0, { 0, NULL, 0 } };
    struct arg a = { 0, 0, 0, true };

    need_eq(spawn(&g, 1, TR_MS(5), 10), 0);
    check_eq(spawn(&g, 1, 0, 11), -ENOBUFS);
    for (long nth = 1; nth <= 3; nth++) {
        unsigned dropped = n_dropped;

        tri_mem_fail_at(nth);
        a = (struct arg){ 0, 0, 0, true };
        if (child_spawn_as(&g, 2, &a, NULL) != -ENOMEM)
            nth = 3;
        tri_mem_fail_at(0);
        check_eq(n_dropped, dropped + 1, "the argument is consumed all the same");
        check(!a.there);
    }
    check_eq(tr_group_len(&g), 1);
    need_eq(tr_group_next(&g, TR_NEVER, &e), 1);
    check_eq(e.ended.result, 10);
}

VIRTUAL_TEST(group, without_memory_for_the_first_member_the_argument_is_dropped)
{
    tr_group g TR_CLEANUP(tr_group_end) = tr_group_open(NULL);

    for (long nth = 1; nth <= 3; nth++) {
        tri_mem_fail_at(nth);
        check_eq(spawn(&g, 1, 0, 0), -ENOMEM);
        check(tri_mem_has_failed());
        check_eq(n_dropped, nth);
        tr_group_end(&g);
    }
}

/* ---- by key ---- */

static bool is_odd(uint64_t key, void *arg)
{
    (void)arg;
    return key % 2;
}

VIRTUAL_TEST(group, an_abort_by_key_says_whether_it_is_there_and_leaves_it_a_member)
{
    tr_group g TR_CLEANUP(tr_group_end) = tr_group_open(NULL);
    tr_grouped e = { 0, { 0, NULL, 0 } };

    check(!tr_group_abort(&g, 1));
    for (uint64_t key = 1; key <= 4; key++)
        need_eq(spawn(&g, key, TR_S(100), 10), 0);
    need_eq(tr_sleep(tr_after(TR_MS(1))), 0);
    check(tr_group_abort(&g, 2));
    check(!tr_group_abort(&g, 5));
    check(tr_group_has(&g, 2));
    check_eq(tr_group_len(&g), 4);
    need_eq(tr_group_next(&g, TR_NEVER, &e), 1);
    check_eq(e.key, 2);
    check_eq(e.ended.result, -ECANCELED);
    check(!tr_group_abort(&g, 2), "it was taken");
    check_eq(tr_group_abort_if(&g, is_odd, NULL), 2);
    for (int i = 0; i < 2; i++) {
        need_eq(tr_group_next(&g, TR_NEVER, &e), 1);
        check_eq(e.key % 2, 1);
        check_eq(e.ended.result, -ECANCELED);
    }
    check_eq(tr_group_abort_if(&g, NULL, NULL), 1);
    need_eq(tr_group_next(&g, TR_NEVER, &e), 1);
    check_eq(e.key, 4);
    need_eq(spawn(&g, 4, 0, 40), 0, "the group goes on");
    need_eq(tr_group_next(&g, TR_NEVER, &e), 1);
    check_eq(e.ended.result, 40);
}

VIRTUAL_TEST(group, a_thousand_keys_are_listed_and_found)
{
    tr_group g TR_CLEANUP(tr_group_end) = tr_group_open(NULL);
    static uint64_t keys[1000];
    static bool seen[1000];
    tr_grouped e = { 0, { 0, NULL, 0 } };

    for (uint64_t i = 0; i < 1000; i++)
        need_eq(spawn(&g, i << 40, TR_MS(1), (int)i), 0);
    check_eq(tr_group_keys(&g, 10, keys), 1000, "the number, however few are wanted");
    check_eq(keys[10], 0);
    check_eq(tr_group_keys(&g, 1000, keys), 1000);
    for (int i = 0; i < 1000; i++) {
        need_eq(keys[i] & ((UINT64_C(1) << 40) - 1), 0);
        need_lt(keys[i] >> 40, 1000);
        check(!seen[keys[i] >> 40]);
        seen[keys[i] >> 40] = true;
    }
    for (int i = 0; i < 1000; i++) {
        need_eq(tr_group_next(&g, TR_NEVER, &e), 1);
        check_eq(e.key >> 40, e.ended.result);
        check(!tr_group_has(&g, e.key));
    }
    check_eq(tr_group_len(&g), 0);
}

/* ---- who may, and the end ---- */

struct visitor {
    tr_group *g;
};
TR_TASK(visitor, struct visitor, tr_nodrop);

static int visitor(struct visitor *v)
{
    tr_grouped e;

    check_eq(spawn(v->g, 1, 0, 0), -EPERM);
    check_eq(tr_group_try_next(v->g, &e), -EPERM);
    check_eq(tr_group_next(v->g, TR_NEVER, &e), -EPERM);
    tr_group_end(v->g);
    return 0;
}

VIRTUAL_TEST(group, it_is_its_owners_and_its_end_cancels_and_joins)
{
    tr_group g TR_CLEANUP(tr_group_end) = tr_group_open(NULL);
    struct visitor v = { &g };
    struct arg a = { TR_S(100), 0, 0, true };
    tr_task t;
    int result;

    check_eq(child_spawn_as(NULL, 1, &a, NULL), -EINVAL);
    check_eq(n_dropped, 1);
    a = (struct arg){ TR_S(100), 0, 0, true };
    need_eq(child_spawn_as(&g, 1, &a, &(struct tr_task_opts){ .ret_task = &t }), 0);
    need_eq(spawn(&g, 2, TR_S(100), 0), 0);
    need_eq(visitor_spawn(root, &v, NULL), 0);
    need_eq(tr_scope_join(root, TR_NEVER), 0);
    check_eq(n_told[TR_EVENT_MISUSE], 1, "a stranger may not end it");
    check_eq(tr_group_len(&g), 2);
    tr_group_end(&g);
    check_eq(n_dropped, 4);
    check_eq(tr_group_len(&g), 0);
    need_eq(tr_task_join(&t, TR_NOW, &result), 0, "a handle of one's own is another one");
    check_eq(result, -ECANCELED);
    tr_group_end(&g);
    check_eq(tr_group_next_arm(NULL, NULL).ops, NULL);
}

VIRTUAL_TEST(group, members_whose_results_its_scope_dropped_or_gave_away_are_forgotten)
{
    tr_group g TR_CLEANUP(tr_group_end) = tr_group_open(NULL);
    tr_grouped e = { 0, { 0, NULL, 0 } };
    tr_ended ended;

    need_eq(spawn(&g, 1, 0, 10), 0);
    tr_scope_end(&g.scope);
    check_eq(tr_group_try_next(&g, &e), 0);
    check_eq(tr_group_len(&g), 0);
    need_eq(spawn(&g, 1, 0, 10), 0);
    tr_scope_end(&g.scope);
    check_eq(tr_group_next(&g, TR_NEVER, &e), 0);
    check_eq(tr_group_len(&g), 0);
    need_eq(spawn(&g, 1, 0, 10), 0);
    tr_scope_end(&g.scope);
    need_eq(spawn(&g, 2, 0, 20), 0);
    need_eq(tr_group_next(&g, TR_NEVER, &e), 1);
    check_eq(e.key, 2);
    check_eq(tr_group_next(&g, TR_NEVER, &e), 0);
    need_eq(spawn(&g, 3, 0, 30), 0);
    need_eq(spawn(&g, 4, TR_MS(1), 40), 0);
    need_eq(tr_scope_next(&g.scope, TR_NEVER, &ended), 1);
    check_eq(ended.result, 30);
    need_eq(tr_group_next(&g, TR_NEVER, &e), 1);
    check_eq(e.key, 4);
    check_eq(tr_group_next(&g, TR_NEVER, &e), 0);
    check_eq(tr_group_len(&g), 0);
}

VIRTUAL_TEST(group, a_member_was_spawned_where_the_group_was_asked_to)
{
    tr_group g TR_CLEANUP(tr_group_end) = tr_group_open(NULL);
    struct arg a = { 0, 0, 0, false }, b = { 0, 0, 0, false };
    tr_task t = { NULL }, u = { NULL };

    need_eq(tr_group_spawn(&g, 1, &child_tri_type, &a, &(struct tr_task_opts){ .ret_task = &t }),
            0);
    need_eq(tr_group_spawn(&g, 2, &child_tri_type, &b, &(struct tr_task_opts){ .ret_task = &u }),
            0);
    check(t.rec->a.spawn_pc != u.rec->a.spawn_pc, "these are two places");
    tr_task_close(&t);
    tr_task_close(&u);
}
