/* SPDX-License-Identifier: MIT */
/*
 * test_select_order.c - where a search begins, and when the conditions of arms are looked at.
 */
#include "config.h"

#include "combine/pair-kit.h"
#include "mem/alloc.h"

TR_SUITE(select_order, .init = kit_listen, .timeout = 30);

/* ---- a task that selects over two queues ---- */

static int selected;
static bool wants_a; /* looked at when its arms are made */
static struct pair qa, qb;
static struct item got_a, got_b;

struct nothing {
    char none;
};

TR_TASK(selector, struct nothing, tr_nodrop);

static int selector(struct nothing *unused)
{
    tr_arm arms[2] = { itemq_recv_arm(wants_a ? &qa.rx : NULL, &got_a),
                       itemq_recv_arm(&qb.rx, &got_b) };

    (void)unused;
    selected = tr_select(TR_NEVER, arms, 2);
    return 0;
}

static tr_task park_selector(tr_scope *root)
{
    struct nothing none = { 0 };
    tr_task t = { NULL };

    qa = pair_new(4);
    qb = pair_new(4);
    selected = 77;
    check_eq(selector_spawn(root, &none, &(struct tr_task_opts){ .ret_task = &t }), 0);
    while (t.rec && !is_parked(&t))
        (void)tr_yield();
    return t;
}

static void close_both(void)
{
    pair_close(&qa);
    pair_close(&qb);
}

/* ---- the order of the search ---- */

enum { N_CHOICE = 300 };

static char choices[N_CHOICE];

static int choose(tr_scope *root, void *arg)
{
    tr_arm arms[5];

    (void)root;
    (void)arg;
    for (unsigned i = 0; i < 5; i++)
        arms[i] = tr_deadline_arm(TR_NOW);
    for (unsigned i = 0; i < N_CHOICE; i++)
        choices[i] = (char)tr_select(TR_NEVER, arms, 5);
    return 0;
}

static void choose_with(uint64_t seed, char *ret_choices)
{
    run_with((struct tr_runtime_opts){ .simulate = true, .seed = seed }, choose, NULL);
    memcpy(ret_choices, choices, sizeof choices);
}

TR_TEST(select_order, the_same_seed_gives_the_same_choices)
{
    char first[N_CHOICE], again[N_CHOICE], other[N_CHOICE];

    choose_with(7, first);
    choose_with(7, again);
    choose_with(8, other);
    check_eq(memcmp(first, again, N_CHOICE), 0);
    check_ne(memcmp(first, other, N_CHOICE), 0);
}

/* Both sources become ready before the task that was woken looks. */
STEP_TEST(select_order, a_woken_select_begins_at_a_random_arm_too)
{
    unsigned n[2] = { 0, 0 };

    wants_a = true;
    for (unsigned i = 0; i < 200; i++) {
        tr_task t = park_selector(root);
        struct item m = { 1 }, o = { 2 };

        need_eq(itemq_try_send(&qa.tx, &m), 0);
        need_eq(itemq_try_send(&qb.tx, &o), 0);
        need_eq(tr_task_join(&t, TR_NEVER, NULL), 0);
        need(selected == 0 || selected == 1);
        n[selected]++;
        close_both();
    }
    check(n[0] > 40 && n[1] > 40, "about a half each");
}

/* ---- conditions ---- */

STEP_TEST(select_order, an_arm_whose_result_is_not_wanted_is_switched_off_and_the_rest_goes_on)
{
    struct pair a = pair_new(4), b = pair_new(4);
    struct item m = { 5 }, got = { 0 };
    tr_arm arms[2] = { itemq_recv_arm(&a.rx, &got), itemq_recv_arm(&b.rx, &got) };
    int i;

    itemq_tx_close(&a.tx); /* ready at once, and again and again, with a result nobody wants */
    need_eq(itemq_try_send(&b.tx, &m), 0);
    while ((i = tr_select_first(TR_NEVER, arms, 2)) >= 0 && arms[i].result < 0)
        arms[i] = (tr_arm){ .ops = NULL };
    check_eq(i, 1);
    check_eq(got.key, 5);
    itemq_tx_close(&b.tx);
    while ((i = tr_select_first(TR_NEVER, arms, 2)) >= 0 && arms[i].result < 0)
        arms[i] = (tr_arm){ .ops = NULL };
    check_eq(i, -EINVAL, "none is left: what is to be done else");
    pair_close(&a);
    pair_close(&b);
}

STEP_TEST(select_order, a_condition_is_looked_at_once_when_its_arm_is_made)
{
    struct item m = { 1 }, o = { 2 };
    tr_task t;

    wants_a = false;
    t = park_selector(root);
    wants_a = true; /* too late for this call */
    need_eq(itemq_try_send(&qa.tx, &m), 0);
    for (unsigned i = 0; i < 8; i++)
        need_eq(tr_yield(), 0);
    check(is_parked(&t), "the source of an arm that is off is not looked at");
    need_eq(itemq_try_send(&qb.tx, &o), 0);
    need_eq(tr_task_join(&t, TR_NEVER, NULL), 0);
    check_eq(selected, 1);
    check_eq(itemq_len(&qa.rx), 1u);
    close_both();
}

STEP_TEST(select_order, an_arm_that_was_only_made_has_begun_nothing)
{
    struct pair p = pair_new(1);
    struct item m = { 1 }, o = { 2 }, got = { 0 };
    tr_arm arms[2];

    need_eq(itemq_try_send(&p.tx, &m), 0);
    tri_mem_fail_at(1);
    arms[0] = itemq_send_arm(&p.tx, &o);
    arms[1] = itemq_recv_arm(&p.rx, &got);
    check(!tri_mem_has_failed());
    tri_mem_fail_at(0);
    check_eq(itemq_len(&p.rx), 1u);
    check_eq(got.key, 0);
    check_eq(itemq_try_recv(&p.rx, &got), 0);
    check_eq(itemq_tx_room(&p.tx), 1u, "and stands in no line");
    check_eq(itemq_try_send(&p.tx, &got), 0);
    check_eq(o.key, 2);
    got.key = 0;
    check_eq(tr_select_first(TR_NOW, arms, 2), 1, "it begins here");
    check_eq(got.key, 1);
    pair_close(&p);
}

/*
 * A condition on what the arm itself changes: a select takes one arm and returns, so it holds.
 */
STEP_TEST(select_order, a_condition_that_an_arm_changes_is_looked_at_before_the_next_one)
{
    struct pair a = pair_new(8), b = pair_new(8);
    struct item got;
    unsigned n_a = 0, n_b = 0;
    int i;

    for (unsigned k = 0; k < 8; k++) {
        struct item m = { 1 }, o = { 2 };

        need_eq(itemq_try_send(&a.tx, &m), 0);
        need_eq(itemq_try_send(&b.tx, &o), 0);
    }
    do {
        tr_arm arms[2] = { itemq_recv_arm(n_a < 3 ? &a.rx : NULL, &got),
                           itemq_recv_arm(&b.rx, &got) };

        i = tr_select_first(TR_NOW, arms, 2);
        n_a += i == 0;
        n_b += i == 1;
    } while (i >= 0);
    check_eq(n_a, 3u, "not one more than the condition allows");
    check_eq(n_b, 8u);
    check_eq(itemq_len(&a.rx), 5u);
    pair_close(&a);
    pair_close(&b);
}

/*
 * An arm is an instant, not a span: made once, others that are ready meanwhile do not move it.
 */
VIRTUAL_TEST(select_order, a_deadline_arm_that_was_made_once_is_not_begun_anew_by_the_others)
{
    struct pair p = pair_new(1);
    struct item got;
    const tr_time when = tr_after(TR_MS(10));
    tr_arm arms[2] = { tr_deadline_arm(when), itemq_recv_arm(&p.rx, &got) };
    unsigned n = 0;

    for (;;) {
        struct item m = { 1 };
        int i;

        need_eq(tr_sleep(tr_after(TR_MS(3))), 0);
        need_eq(itemq_try_send(&p.tx, &m), 0);
        i = tr_select_first(TR_NEVER, arms, 2);
        if (i == 0)
            break;
        need_eq(i, 1);
        n++;
    }
    check_eq(n, 3u, "at 3, 6 and 9 ms");
    check(tr_now() >= when);
    pair_close(&p);
}
