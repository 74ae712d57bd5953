/* SPDX-License-Identifier: MIT */
/*
 * test_forgotten.c - what a program forgets is told: scopes left open, failures nobody asked
 * for.
 */
#include "config.h"

#include "sched/kit.h"

struct arg {
    int result;
    bool waits;
};

static atomic_uint n_dropped;

static void arg_drop(struct arg *a)
{
    if (a->waits)
        atomic_fetch_add(&n_dropped, 1);
}

TR_TASK(child, struct arg, arg_drop);
TR_TASK(careless, struct arg, tr_nodrop);
TR_SUITE(forgotten, .init = kit_listen);

static int child(struct arg *a)
{
    return a->waits ? tr_sleep(TR_NEVER) : a->result;
}

static int start(tr_scope *s, int result, bool waits, tr_task *ret_task)
{
    struct arg a = { result, waits };

    return child_spawn(s, &a, &(struct tr_task_opts){ .ret_task = ret_task });
}

/* Opens two scopes with a waiting child each, and ends neither. */
static int careless(struct arg *a)
{
    tr_scope one = tr_scope_open(&(struct tr_scope_opts){ .name = "one" });
    tr_scope two = tr_scope_open(&(struct tr_scope_opts){ .name = "two" });
    int r = start(&one, 0, true, NULL);

    if (r == 0)
        r = start(&two, 0, true, NULL);
    return r < 0 ? r : a->result + tr_yield();
}

ACTOR_TEST(forgotten, a_scope_left_open_is_told_and_ended_with_its_task)
{
    tr_task t;
    int result = 0;

    need_eq(careless_spawn(root, &(struct arg){ 7, false },
                           &(struct tr_task_opts){ .ret_task = &t }),
            0);
    need_eq(tr_task_join(&t, TR_NEVER, &result), 0);
    check_eq(result, 7);
    check_eq(n_dropped, 2);
    check_eq(n_told[TR_EVENT_MISUSE], 2);
    check(strstr(told, "tr_scope_end"));
}

ACTOR_TEST(forgotten, a_failure_is_told_when_its_handle_closes_without_a_join)
{
    tr_task t;

    need_eq(start(root, -EIO, false, &t), 0);
    need_eq(tr_scope_join(root, TR_NEVER), 0);
    check_eq(n_told[TR_EVENT_FAILED], 0);
    tr_task_close(&t);
    check_eq(n_told[TR_EVENT_FAILED], 1);
}

ACTOR_TEST(forgotten, a_failure_that_was_joined_is_not_told)
{
    tr_task t;
    int result = 0;

    need_eq(start(root, -EIO, false, &t), 0);
    need_eq(tr_task_join(&t, TR_NEVER, &result), 0);
    check_eq(result, -EIO);
    check_eq(n_told[TR_EVENT_FAILED], 0);
}

ACTOR_TEST(forgotten, the_failure_of_a_fail_fast_scope_is_the_result_of_its_join_and_not_told)
{
    tr_scope s TR_CLEANUP(tr_scope_end) = tr_scope_open(NULL);
    tr_task first, second;

    need_eq(start(&s, -EIO, false, &first), 0);
    need_eq(tr_task_join(&first, TR_NEVER, NULL), 0);
    check_eq(start(&s, -EIO, false, &second), -ESHUTDOWN);
    check_eq(tr_scope_join(&s, TR_NEVER), -EIO);
    check_eq(n_told[TR_EVENT_FAILED], 0);
}
