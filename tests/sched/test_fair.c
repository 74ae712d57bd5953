/* SPDX-License-Identifier: MIT */
/*
 * test_fair.c - every ready actor runs within a bounded number of slices, whoever else is
 * always ready; timers and their order; and what a yield does.
 */
#include "config.h"

#include "sched/kit.h"
#include "sched/worker.h"

TR_SUITE(fair, .init = kit_listen, .timeout = 20);

TR_MPSC(ball, int, tr_nodrop);

static bool over;
static unsigned n_turn[256];

struct player {
    ball_tx tx;
    ball_rx rx;
    unsigned index;
};

static void player_drop(struct player *p)
{
    ball_tx_close(&p->tx);
    ball_rx_close(&p->rx);
}

/* Sends the ball on and waits for it: one of a pair that wake each other for ever. */
TR_TASK(player, struct player, player_drop);

static int player(struct player *p)
{
    int m = 1;

    while (!over) {
        if (ball_recv(&p->rx, TR_NEVER, &m) < 0)
            return 0;
        n_turn[p->index]++;
        if (ball_send(&p->tx, &m, TR_NEVER) < 0)
            return 0;
    }
    return 0;
}

static void start_pair(tr_scope *s, unsigned index)
{
    struct player a = { .index = index }, b = { .index = index + 1 };
    int m = 1;

    need_eq(ball_new(1, &a.tx, &b.rx), 0);
    need_eq(ball_new(1, &b.tx, &a.rx), 0);
    need_eq(ball_send(&a.tx, &m, TR_NEVER), 0);
    need_eq(player_spawn(s, &a, NULL), 0);
    need_eq(player_spawn(s, &b, NULL), 0);
}

static int play(tr_scope *root, void *arg)
{
    unsigned n = *(unsigned *)arg;

    for (unsigned i = 0; i < n; i++)
        start_pair(root, 2 * i);
    for (unsigned i = 0; i < 50; i++)
        check_eq(tr_yield(), 0);
    for (unsigned i = 0; i < 2 * n && i < 200; i++)
        while (n_turn[i] < 5)
            check_eq(tr_yield(), 0);
    over = true;
    tr_scope_cancel(root);
    return tr_scope_join(root, TR_NEVER);
}

TR_TEST(fair, two_that_wake_each_other_do_not_starve_a_third)
{
    run_with((struct tr_runtime_opts){ .n_worker = 1 }, play, &(unsigned){ 1 });
}

TR_TEST(fair, a_hundred_pairs_all_play)
{
    run_with((struct tr_runtime_opts){ .n_worker = 1 }, play, &(unsigned){ 100 });
}

TR_TEST(fair, a_hundred_pairs_all_play_in_the_simulator)
{
    run_with((struct tr_runtime_opts){ .simulate = true }, play, &(unsigned){ 100 });
}

/* ---- unstarted tasks, handlers, movable tasks: each queue is looked at ---- */

struct index {
    unsigned i;
};

TR_TASK(once, struct index, tr_nodrop);

static int once(struct index *x)
{
    n_turn[x->i]++;
    return 0;
}

STEP_TEST(fair, an_unstarted_task_starts_while_a_pair_plays)
{
    unsigned before;

    start_pair(root, 0);
    need_eq(tr_yield(), 0);
    before = n_turn[0];
    need_eq(once_spawn(root, &(struct index){ 100 }, NULL), 0);
    step_until(n_turn[100] == 1);
    check_le(n_turn[0] - before, 200);
    over = true;
    tr_scope_cancel(root);
}

TR_TASK(respawn, struct index, tr_nodrop);

static tr_scope *where;

static int respawn(struct index *x)
{
    n_turn[x->i]++;
    return over ? 0 : respawn_spawn(where, &(struct index){ x->i }, NULL);
}

STEP_TEST(fair, a_task_that_spawns_itself_for_ever_does_not_starve_the_rest)
{
    where = root;
    need_eq(respawn_spawn(root, &(struct index){ 0 }, NULL), 0);
    need_eq(once_spawn(root, &(struct index){ 1 }, NULL), 0);
    need_eq(respawn_spawn(root, &(struct index){ 2 }, NULL), 0);
    step_until(n_turn[0] > 100 && n_turn[1] == 1 && n_turn[2] > 100);
}

STEP_TEST(fair, a_task_that_spawns_itself_for_ever_does_not_stop_the_end)
{
    where = root;
    need_eq(respawn_spawn(root, &(struct index){ 0 }, NULL), 0);
    step_until(n_turn[0] > 10);
}

TR_TASK(turns, struct index, tr_nodrop);

static int turns(struct index *x)
{
    while (!over) {
        n_turn[x->i]++;
        if (tr_yield() < 0)
            return -ECANCELED;
    }
    return 0;
}

static void turn_about(tr_scope *root, unsigned flags)
{
    unsigned least = ~0u, most = 0;

    for (unsigned i = 0; i < 10; i++)
        need_eq(
            turns_spawn(root, &(struct index){ i }, &(struct tr_task_opts){ .flags = flags }),
            0);
    for (unsigned i = 0; i < 3000; i++)
        need_eq(tr_yield(), 0);
    over = true;
    for (unsigned i = 0; i < 10; i++) {
        least = n_turn[i] < least ? n_turn[i] : least;
        most = n_turn[i] > most ? n_turn[i] : most;
    }
    check_gt(least, 10);
    check_lt(most, least * 4 + 40, "no one gets much more than another");
}

STEP_TEST(fair, tasks_that_yield_take_turns)
{
    turn_about(root, 0);
}

STEP_TEST(fair, movable_tasks_that_yield_take_turns)
{
    turn_about(root, TR_TASK_MOVABLE);
}

STEP_TEST(fair, an_unstarted_task_starts_while_a_movable_one_yields)
{
    need_eq(turns_spawn(root, &(struct index){ 0 },
                        &(struct tr_task_opts){ .flags = TR_TASK_MOVABLE }),
            0);
    step_until(n_turn[0] > 1);
    need_eq(once_spawn(root, &(struct index){ 1 }, NULL), 0);
    step_until(n_turn[1] == 1 || n_turn[0] > 1000);
    check_lt(n_turn[0], 200);
    over = true;
}

STEP_TEST(fair, a_yield_lets_the_one_that_was_ready_go_first)
{
    need_eq(turns_spawn(root, &(struct index){ 0 }, NULL), 0);
    step_until(n_turn[0] == 1); /* started, and ready again */
    need_eq(tr_yield(), 0);
    check_eq(n_turn[0], 2);
    need_eq(tr_yield(), 0);
    check_eq(n_turn[0], 3);
    over = true;
}

/* An operation that is always ready does not hold the worker. */
TR_TASK(greedy, struct index, tr_nodrop);

static int greedy(struct index *x)
{
    ball_tx tx;
    ball_rx rx;
    int m = 1;

    if (ball_new(4, &tx, &rx) < 0)
        return -ENOMEM;
    while (!over) {
        n_turn[x->i]++;
        if (ball_send(&tx, &m, TR_NEVER) < 0 || ball_recv(&rx, TR_NEVER, &m) < 0)
            break;
    }
    ball_tx_close(&tx);
    ball_rx_close(&rx);
    return 0;
}

STEP_TEST(fair, an_endless_row_of_ready_operations_ends_its_slice)
{
    need_eq(greedy_spawn(root, &(struct index){ 0 }, NULL), 0);
    step_until(n_turn[0] > 0);
    n_turn[0] = 0;
    for (unsigned i = 0; i < 5; i++)
        need_eq(tr_yield(), 0);
    check_le(n_turn[0], 5 * 50 * 256, "who yields has a turn in each 48");
    over = true;
}

/* ---- timers ---- */

static unsigned order[16], n_order;
static tr_time at;

TR_TASK(sleeper, struct index, tr_nodrop);

static int sleeper(struct index *x)
{
    if (tr_sleep(at + TR_MS(1) * x->i) < 0)
        return -ECANCELED;
    order[n_order++] = x->i;
    return 0;
}

TR_TASK(hog, struct index, tr_nodrop);

/* Holds the worker until all the timers are due, and then keeps it busy. */
static int hog(struct index *unused)
{
    (void)unused;
    while (tr_now() < at + TR_MS(12))
        ;
    while (n_order < 8)
        if (tr_yield() < 0)
            return -ECANCELED;
    return 0;
}

STEP_TEST(fair, overdue_timers_wake_in_the_order_of_their_deadlines)
{
    at = tr_after(TR_MS(200)); /* all of them are parked by then, also under a sanitizer */
    for (unsigned i = 0; i < 8; i++) {
        tr_task t;

        need_eq(sleeper_spawn(root, &(struct index){ 7 - i },
                              &(struct tr_task_opts){ .ret_task = &t }),
                0);
        step_until(is_parked(&t));
        tr_task_close(&t);
    }
    need_eq(hog_spawn(root, &(struct index){ 0 }, NULL), 0);
    need_eq(tr_scope_join(root, TR_NEVER), 0);
    need_eq(n_order, 8);
    for (unsigned i = 0; i < 8; i++)
        check_eq(order[i], i);
}

STEP_TEST(fair, a_timer_fires_while_others_are_always_ready)
{
    tr_time begin = tr_now();

    for (unsigned i = 0; i < 100; i++)
        need_eq(turns_spawn(root, &(struct index){ i }, NULL), 0);
    need_eq(tr_sleep(tr_after(TR_MS(10))), 0);
    check_ge(tr_now() - begin, TR_MS(10));
    over = true;
}

/* ---- a long line of senders: their receiver's slice is longer, but it has an end ---- */

enum { LINE = 4000 };

static unsigned n_in_line, n_received, longest;

struct line_end {
    ball_tx tx;
};

static void line_end_drop(struct line_end *e)
{
    ball_tx_close(&e->tx);
}
TR_TASK(one_ball, struct line_end, line_end_drop);

static int one_ball(struct line_end *e)
{
    int m = 1;

    n_in_line++;
    return ball_send(&e->tx, &m, TR_NEVER);
}

/* Notes how much was received from one of its turns to the next. */
TR_TASK(bystander, struct index, tr_nodrop);

static int bystander(struct index *unused)
{
    unsigned before = 0;

    (void)unused;
    while (n_received < LINE) {
        if (n_received - before > longest)
            longest = n_received - before;
        before = n_received;
        if (tr_yield() < 0)
            break;
    }
    return 0;
}

static int receive_line(tr_scope *root, void *arg)
{
    struct line_end first = { 0 };
    ball_rx rx TR_CLEANUP(ball_rx_close) = { 0 };
    int m = 0;

    (void)arg;
    check_eq(ball_new(1, &first.tx, &rx), 0);
    for (unsigned i = 0; i < LINE; i++)
        check_eq(one_ball_spawn(root, &(struct line_end){ ball_tx_clone(&first.tx) }, NULL), 0);
    line_end_drop(&first);
    check_eq(bystander_spawn(root, &(struct index){ 0 }, NULL), 0);
    while (n_in_line < LINE)
        check_eq(tr_yield(), 0);
    for (; n_received < LINE; n_received++)
        check_eq(ball_recv(&rx, TR_NEVER, &m), 0);
    return tr_scope_join(root, TR_NEVER);
}

TR_TEST(fair, a_receiver_with_a_long_line_gives_way_in_the_end)
{
    run_with((struct tr_runtime_opts){ .n_worker = 1 }, receive_line, NULL);
    check(longest > TRI_BUDGET);
    check(longest <= TRI_BUDGET + TRI_CREDIT);
}

STEP_TEST(fair, a_sleep_is_never_early)
{
    for (tr_time span = 1; span < TR_MS(20); span = span * 3 / 2 + 7) {
        tr_time until = tr_after(span);

        need_eq(tr_sleep(until), 0);
        check_ge(tr_now(), until);
    }
}

STEP_TEST(fair, a_sleep_until_the_past_returns_and_spans_saturate)
{
    tr_time before;

    check_eq(tr_sleep(TR_NOW), 0);
    check_eq(tr_sleep(-5), 0);
    check_eq(tr_sleep(tr_now() - TR_S(1)), 0);
    check_eq(tr_after(TR_NEVER), TR_NEVER);
    check_eq(tr_after(INT64_MAX), TR_NEVER);
    before = tr_now();
    check_ge(tr_after(-TR_S(1)), before);
    check_le(tr_after(-TR_S(1)), tr_now() + TR_S(1));
    check_eq(tr_until_drain(-1), TR_DRAIN_BIT);
}
