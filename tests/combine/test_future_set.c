/* SPDX-License-Identifier: MIT */
/*
 * test_future_set.c - futures in a select set: polled when they were woken and somebody waits.
 */
#include "config.h"

#include "sched/kit.h"

TR_SUITE(future_set, .init = kit_listen, .timeout = 20);

struct thing {
    tr_future f;
    tr_waker waiter;
    int n_poll, n_forget;
    bool done;
};

static bool poll_thing(tr_future *f, const tr_waker *waker)
{
    struct thing *t = (struct thing *)f;

    t->n_poll++;
    if (waker)
        t->waiter = *waker;
    f->result = 7;
    return t->done;
}

static void forget_thing(tr_future *f)
{
    ((struct thing *)f)->n_forget++;
}

static void complete(struct thing *t)
{
    t->done = true;
    tr_waker_wake(t->waiter);
}

static struct thing things[4];
static tr_select_set set;

static void add(struct thing *t)
{
    tr_arm arm;

    *t = (struct thing){ .f = { .poll = poll_thing, .forget = forget_thing } };
    arm = tr_future_arm(&t->f);
    check_eq(tr_select_set_add(&set, &arm, 0, t, NULL), 0);
}

static void open_set(void)
{
    need_eq(tr_select_set_new(&set), 0);
}

/* Waits, and removes what was ready. */
static struct thing *next_ready(tr_time deadline)
{
    struct tr_selected got = { 0, NULL, 0 };

    if (tr_select_set_wait(&set, deadline, &got) < 0)
        return NULL;
    check_eq(tr_select_set_remove(&set, got.key), 0);
    return got.data;
}

STEP_TEST(future_set, only_those_that_were_woken_are_polled_and_results_come_as_they_complete)
{
    struct tr_selected got;
    int polls[4];

    open_set();
    check_eq(tr_select_set_wait(&set, TR_NEVER, &got), -EINVAL, "empty: it ends at once");
    for (int i = 0; i < 3; i++)
        add(&things[i]);
    check_eq(things[0].n_poll + things[1].n_poll + things[2].n_poll, 0, "not before a wait");
    check_eq(next_ready(TR_NOW), NULL);
    for (int i = 0; i < 3; i++)
        polls[i] = things[i].n_poll;
    complete(&things[2]);
    check_eq(next_ready(TR_NEVER), &things[2]);
    complete(&things[0]);
    check_eq(next_ready(TR_NEVER), &things[0]);
    check_eq(things[1].n_poll, polls[1], "nobody has woken it");
    add(&things[3]);
    check_eq(things[3].n_poll, 0, "a new one is polled by the next wait");
    things[3].done = true;
    check_eq(next_ready(TR_NEVER), &things[3]);
    complete(&things[1]);
    check_eq(next_ready(TR_NEVER), &things[1]);
    check_eq(tr_select_set_wait(&set, TR_NEVER, &got), -EINVAL);
    add(&things[0]);
    complete(&things[0]);
    check_eq(next_ready(TR_NEVER), &things[0], "it can be filled again");
    tr_select_set_close(&set);
}

STEP_TEST(future_set, they_stand_still_while_nobody_waits_and_the_end_of_the_set_withdraws_them)
{
    int polls;

    open_set();
    add(&things[0]);
    add(&things[1]);
    check_eq(next_ready(TR_NOW), NULL);
    polls = things[0].n_poll;
    complete(&things[0]);
    need_eq(tr_sleep(tr_after(TR_MS(2))), 0);
    check_eq(things[0].n_poll, polls, "its owner waits for something else");
    check_eq(next_ready(TR_NOW), &things[0]);
    tr_select_set_close(&set);
    check_eq(things[1].n_forget, 1);
    tr_waker_wake(things[1].waiter);
    check_eq(tr_yield(), 0);
}
