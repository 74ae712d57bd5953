/* SPDX-License-Identifier: MIT */
/*
 * test_select.c - one of several sources: which arm, exactly one, fairness, who loses nothing.
 */
#include "config.h"

#include <pthread.h>

#include "combine/pair-kit.h"
#include "mem/alloc.h"

TR_SUITE(select, .races = true, .init = kit_listen, .timeout = 30);

TR_ONESHOT(slot, struct item, item_drop);

struct job {
    int (*fn)(struct job *j);
    itemq_tx tx;
    itemq_rx rx;
    unsigned n;
};

static void job_drop(struct job *j)
{
    itemq_tx_close(&j->tx);
    itemq_rx_close(&j->rx);
}

TR_TASK(worker, struct job, job_drop);

static int worker(struct job *j)
{
    return j->fn(j);
}

static tr_task start(tr_scope *s, struct job j)
{
    tr_task t = { NULL };

    check_eq(worker_spawn(s, &j, &(struct tr_task_opts){ .ret_task = &t }), 0);
    return t;
}

static tr_task start_fn(tr_scope *s, int (*fn)(struct job *j))
{
    return start(s, (struct job){ .fn = fn });
}

/* ---- misuse, and arms that are off ---- */

STEP_TEST(select, no_arm_at_all_is_misuse)
{
    tr_arm arms[65] = { { .ops = NULL } };

    check_eq(tr_select(TR_NEVER, NULL, 0), -EINVAL);
    check_eq(tr_select(TR_NEVER, arms, 3), -EINVAL, "all disabled");
    check_eq(tr_select_first(TR_NEVER, arms, 3), -EINVAL);
    check_eq(tr_select(TR_NOW, arms, 3), -EINVAL, "and not a timeout");
    arms[0] = itemq_recv_arm(NULL, NULL);
    arms[1] = itemq_send_arm(NULL, NULL);
    arms[2] = tr_task_join_arm(NULL);
    arms[3] = tr_task_join_arm(&(tr_task){ NULL });
    arms[4] = tr_scope_join_arm(NULL);
    arms[5] = tr_deadline_arm(TR_NEVER);
    arms[6] = tr_deadline_arm(TR_UNTIL_DRAIN);
    check_eq(tr_select(TR_NEVER, arms, 7), -EINVAL);
    for (unsigned i = 0; i < 65; i++)
        arms[i] = tr_deadline_arm(TR_NOW);
    check_eq(tr_select(TR_NEVER, arms, 65), -EINVAL, "too many");
    check_ge(tr_select(TR_NEVER, arms, 64), 0);
}

TR_TEST(select, it_is_refused_outside_of_a_task)
{
    tr_arm arm = tr_deadline_arm(TR_NOW);

    check_eq(tr_select(TR_NEVER, &arm, 1), -EPERM);
    check_eq(n_told[TR_EVENT_MISUSE], 1);
}

STEP_TEST(select, a_disabled_arm_is_passed_over)
{
    tr_arm arms[3] = { [1] = tr_deadline_arm(tr_after(TR_MS(1))) };

    for (unsigned i = 0; i < 20; i++)
        check_eq(tr_select(TR_NEVER, arms, 3), 1);
}

/* ---- ready at once ---- */

STEP_TEST(select, what_is_ready_is_consumed_and_the_rest_is_not)
{
    struct pair a = pair_new(4), b = pair_new(4);
    struct item m = { 1 }, got_a = { 0 }, got_b = { 0 };
    tr_arm arms[2] = { itemq_recv_arm(&a.rx, &got_a), itemq_recv_arm(&b.rx, &got_b) };

    need_eq(itemq_try_send(&b.tx, &m), 0);
    check_eq(tr_select(TR_NOW, arms, 2), 1);
    check_eq(arms[1].result, 0);
    check_eq(got_b.key, 1);
    check_eq(got_a.key, 0);
    check_eq(tr_select(TR_NOW, arms, 2), -ETIMEDOUT, "it was consumed");
    pair_close(&a);
    pair_close(&b);
}

STEP_TEST(select, a_closed_source_is_a_ready_arm)
{
    struct pair a = pair_new(4), b = pair_new(4);
    struct item m = { 1 }, got = { 0 };
    tr_arm arms[2] = { itemq_recv_arm(&a.rx, &got), itemq_send_arm(&b.tx, &m) };

    itemq_rx_close(&b.rx);
    check_eq(tr_select(TR_NEVER, arms, 2), 1);
    check_eq(arms[1].result, -EPIPE);
    check_eq(m.key, 1, "the message stays ours");
    arms[1] = (tr_arm){ .ops = NULL };
    itemq_tx_close(&a.tx);
    check_eq(tr_select(TR_NEVER, arms, 2), 0);
    check_eq(arms[0].result, -EPIPE);
    pair_close(&a);
    pair_close(&b);
}

STEP_TEST(select, ready_wins_over_a_deadline_that_has_passed)
{
    struct pair a = pair_new(4);
    struct item m = { 1 }, got = { 0 };
    tr_arm arm = itemq_recv_arm(&a.rx, &got);

    need_eq(itemq_try_send(&a.tx, &m), 0);
    check_eq(tr_select(TR_NOW, &arm, 1), 0);
    check_eq(tr_select(TR_NOW, &arm, 1), -ETIMEDOUT);
    check_eq(tr_select(tr_after(TR_MS(2)), &arm, 1), -ETIMEDOUT);
    pair_close(&a);
}

STEP_TEST(select, the_first_form_takes_the_earliest_arm_always)
{
    struct pair a = pair_new(64), b = pair_new(64);
    struct item got;
    tr_arm arms[2] = { itemq_recv_arm(&a.rx, &got), itemq_recv_arm(&b.rx, &got) };

    for (unsigned i = 0; i < 50; i++) {
        struct item m = { 1 }, n = { 2 };

        need_eq(itemq_try_send(&a.tx, &m), 0);
        need_eq(itemq_try_send(&b.tx, &n), 0);
    }
    for (unsigned i = 0; i < 50; i++)
        check_eq(tr_select_first(TR_NOW, arms, 2), 0);
    for (unsigned i = 0; i < 50; i++)
        check_eq(tr_select_first(TR_NOW, arms, 2), 1);
    pair_close(&a);
    pair_close(&b);
}

STEP_TEST(select, arms_that_are_always_ready_all_get_their_turn)
{
    tr_arm arms[10];
    unsigned n[10] = { 0 };

    for (unsigned i = 0; i < 10; i++)
        arms[i] = i == 4 ? (tr_arm){ .ops = NULL } : tr_deadline_arm(TR_NOW);
    for (unsigned i = 0; i < 10000; i++) {
        int k = tr_select(TR_NEVER, arms, 10);

        need(k >= 0 && k < 10);
        n[k]++;
    }
    for (unsigned i = 0; i < 10; i++)
        check(i == 4 ? n[i] == 0 : n[i] > 500, "each about a tenth; the one after a gap two");
}

/* ---- waiting ---- */

static int selected;
static struct pair qa, qb;
static struct item got_a, got_b;

static int select_two(struct job *j)
{
    tr_arm arms[2] = { itemq_recv_arm(&qa.rx, &got_a), itemq_recv_arm(&qb.rx, &got_b) };

    (void)j;
    selected = tr_select(TR_UNTIL_DRAIN, arms, 2);
    return selected < 0 ? selected : arms[selected].result;
}

static tr_task start_select(tr_scope *s, int (*fn)(struct job *j))
{
    tr_task t;

    qa = pair_new(4);
    qb = pair_new(4);
    selected = 77;
    got_a.key = got_b.key = 0;
    t = start_fn(s, fn);
    while (!is_parked(&t))
        (void)tr_yield();
    return t;
}

static void close_both(void)
{
    pair_close(&qa);
    pair_close(&qb);
}

STEP_TEST(select, a_parked_select_wakes_for_either_arm)
{
    for (unsigned which = 0; which < 2; which++) {
        tr_task t = start_select(root, select_two);
        struct item m = { 5 };

        need_eq(itemq_try_send(which ? &qb.tx : &qa.tx, &m), 0);
        need_eq(tr_task_join(&t, TR_NEVER, NULL), 0);
        check_eq(selected, (int)which);
        check_eq(which ? got_b.key : got_a.key, 5);
        check_eq(which ? got_a.key : got_b.key, 0);
        close_both();
    }
}

STEP_TEST(select, when_both_come_one_is_taken_and_the_other_stays)
{
    for (unsigned order = 0; order < 2; order++) {
        tr_task t = start_select(root, select_two);
        struct item m = { 5 }, n = { 6 };

        need_eq(itemq_try_send(order ? &qb.tx : &qa.tx, &m), 0);
        need_eq(itemq_try_send(order ? &qa.tx : &qb.tx, &n), 0);
        need_eq(tr_task_join(&t, TR_NEVER, NULL), 0);
        check(selected == 0 || selected == 1);
        check_eq(itemq_len(&qa.rx), selected == 1);
        check_eq(itemq_len(&qb.rx), selected == 0);
        close_both();
    }
}

enum { MESSAGE, CANCEL };

static void make(unsigned what, tr_task *t)
{
    struct item m = { 5 };

    if (what == MESSAGE)
        check_eq(itemq_try_send(&qb.tx, &m), 0);
    else
        tr_task_abort(t);
}

STEP_TEST(select, ready_wins_over_a_cancel_in_either_order)
{
    for (unsigned order = 0; order < 2; order++) {
        tr_task t = start_select(root, select_two);

        make(order ? CANCEL : MESSAGE, &t);
        make(order ? MESSAGE : CANCEL, &t);
        need_eq(tr_task_join(&t, TR_NEVER, NULL), 0);
        check_eq(selected, 1);
        check_eq(got_b.key, 5);
        close_both();
    }
}

STEP_TEST(select, a_cancelled_select_has_consumed_nothing)
{
    tr_task t = start_select(root, select_two);
    struct item m = { 5 };
    int r = 0;

    tr_task_abort(&t);
    need_eq(tr_task_join(&t, TR_NEVER, &r), 0);
    check_eq(r, -ECANCELED);
    need_eq(itemq_try_send(&qa.tx, &m), 0);
    check_eq(itemq_len(&qa.rx), 1);
    close_both();
    check_eq(n_dropped, 1);
}

STEP_TEST(select, a_drain_ends_it_by_its_bit)
{
    tr_scope s TR_CLEANUP(tr_scope_end) = tr_scope_open(NULL);
    tr_task t = start_select(&s, select_two);

    check_eq(tr_scope_drain(&s, TR_NEVER), 0);
    need_eq(tr_task_join(&t, TR_NEVER, NULL), 0);
    check_eq(selected, -ESHUTDOWN);
    close_both();
}

/* ---- the deadline arm ---- */

static int select_deadlines(tr_scope *root, void *unused)
{
    tr_time now = tr_now();
    tr_arm arms[3] = { tr_deadline_arm(now + TR_MS(30)), tr_deadline_arm(now + TR_MS(20)),
                       tr_deadline_arm(now + TR_S(9)) };

    (void)root;
    (void)unused;
    check_eq(tr_select(now + TR_MS(10), arms, 3), -ETIMEDOUT);
    check_eq(tr_now() / TR_MS(1), (now + TR_MS(10)) / TR_MS(1));
    check_eq(tr_select(now + TR_S(1), arms, 3), 1);
    check_ge(tr_now(), now + TR_MS(20));
    check_lt(tr_now(), now + TR_MS(21));
    arms[1] = tr_deadline_arm(TR_NEVER);
    check_eq(tr_select(TR_NEVER, arms, 3), 0);
    check_eq(arms[0].result, 0);
    check_lt(tr_now(), now + TR_MS(31));
    return 0;
}

TR_TEST(select, a_deadline_arm_wins_at_its_time)
{
    run_with((struct tr_runtime_opts){ .simulate = true }, select_deadlines, NULL);
}

STEP_TEST(select, an_arm_and_the_limit_at_one_instant_give_the_arm)
{
    tr_time at = tr_after(TR_MS(3));
    tr_arm arm = tr_deadline_arm(at);

    check_eq(tr_select(at, &arm, 1), 0);
}

/* ---- tasks and scopes ---- */

static bool gate;

static int at_gate(struct job *j)
{
    while (!gate)
        if (tr_sleep(tr_after(TR_US(200))) < 0)
            return -ECANCELED;
    return (int)j->n;
}

STEP_TEST(select, the_end_of_a_task_is_an_arm)
{
    tr_task a = start(root, (struct job){ .fn = at_gate, .n = 3 });
    tr_task b = start_fn(root, at_gate);
    tr_arm arms[2] = { tr_task_join_arm(&a), tr_task_join_arm(&b) };
    int r = 0;

    check_eq(tr_select(TR_NOW, arms, 2), -ETIMEDOUT);
    check_eq(tr_select(tr_after(TR_MS(1)), arms, 2), -ETIMEDOUT);
    check_eq(atomic_load(&a.rec->joiner), NULL, "the loser has left the task");
    tr_task_abort(&b);
    check_eq(tr_select(TR_NEVER, arms, 2), 1);
    gate = true;
    check_eq(tr_task_join(&b, TR_NOW, &r), 0);
    check_eq(r, -ECANCELED);
    arms[1] = (tr_arm){ .ops = NULL };
    check_eq(tr_select(TR_NEVER, arms, 2), 0);
    check_eq(tr_task_join(&a, TR_NOW, &r), 0);
    check_eq(r, 3);
}

STEP_TEST(select, the_same_task_in_two_arms_wakes_it)
{
    tr_task t = start_fn(root, at_gate);
    tr_arm arms[2] = { tr_task_join_arm(&t), tr_task_join_arm(&t) };

    check_eq(tr_select(tr_after(TR_MS(2)), arms, 2), -ETIMEDOUT);
    gate = true;
    check_ge(tr_select(TR_NEVER, arms, 2), 0);
    check_eq(tr_task_join(&t, TR_NOW, NULL), 0);
}

STEP_TEST(select, an_empty_scope_is_an_arm)
{
    tr_scope s TR_CLEANUP(tr_scope_end) = tr_scope_open(NULL);
    tr_task t = start_fn(&s, at_gate), u = start_fn(&s, at_gate);
    tr_arm arms[2] = { tr_scope_join_arm(&s), tr_deadline_arm(tr_after(TR_MS(2))) };

    check_eq(tr_select(TR_NEVER, arms, 2), 1);
    arms[1] = (tr_arm){ .ops = NULL };
    gate = true;
    check_eq(tr_select(TR_NEVER, arms, 2), 0);
    check_eq(tr_scope_join(&s, TR_NOW), 0);
    tr_task_close(&t);
    tr_task_close(&u);
}

STEP_TEST(select, a_oneshot_is_an_arm)
{
    slot_tx tx;
    slot_rx rx;
    struct item m = { 4 }, got = { 0 };
    tr_arm arms[2] = { [1] = tr_deadline_arm(tr_after(TR_MS(1))) };

    need_eq(slot_new(&tx, &rx), 0);
    arms[0] = slot_recv_arm(&rx, &got);
    check_eq(tr_select(TR_NEVER, arms, 2), 1);
    need_eq(slot_send(&tx, &m), 0);
    check_eq(tr_select_first(TR_NEVER, arms, 2), 0);
    check_eq(got.key, 4);
    slot_rx_close(&rx);
}

/* ---- sending ---- */

static int receive_all(struct job *j)
{
    struct item m;

    while (itemq_recv(&j->rx, TR_NEVER, &m) == 0) {
        j->n++;
        item_drop(&m);
    }
    return (int)j->n;
}

STEP_TEST(select, a_send_arm_waits_for_room_and_sends_once)
{
    struct pair p = pair_new(1);
    struct item m = { 1 }, n = { 2 };
    tr_arm arms[2] = { itemq_send_arm(&p.tx, &n), tr_deadline_arm(tr_after(TR_MS(2))) };
    int r = 0;
    tr_task t;

    need_eq(itemq_try_send(&p.tx, &m), 0);
    check_eq(tr_select(TR_NEVER, arms, 2), 1);
    check_eq(n.key, 2, "an arm that lost has moved nothing");
    t = start(root, (struct job){ .fn = receive_all, .rx = p.rx });
    arms[1] = (tr_arm){ .ops = NULL };
    check_eq(tr_select(TR_NEVER, arms, 2), 0);
    check_eq(n.key, 0);
    itemq_tx_close(&p.tx);
    need_eq(tr_task_join(&t, TR_NEVER, &r), 0);
    check_eq(r, 2);
    check_eq(n_dropped, 2);
}

static int send_many(struct job *j)
{
    for (unsigned i = 1; i <= j->n; i++) {
        struct item m = { i };

        if (itemq_send(&j->tx, &m, TR_NEVER) < 0)
            return -EIO;
    }
    return 0;
}

static int send_many_by_select(struct job *j)
{
    for (unsigned i = 1; i <= j->n; i++) {
        struct item m = { i };
        tr_arm arms[2] = { itemq_send_arm(&j->tx, &m), tr_deadline_arm(tr_after(TR_S(100))) };

        if (tr_select(TR_NEVER, arms, 2) != 0 || arms[0].result < 0)
            return -EIO;
    }
    return 0;
}

STEP_TEST(select, a_send_arm_does_not_starve_among_senders_that_wait)
{
    struct pair p = pair_new(1);
    tr_task sender[4], t;
    struct item m;
    unsigned n = 0;

    for (unsigned i = 0; i < 4; i++)
        sender[i] = start(
            root, (struct job){ .fn = send_many, .tx = itemq_tx_clone(&p.tx), .n = 10000 });
    t = start(root,
              (struct job){ .fn = send_many_by_select, .tx = itemq_tx_clone(&p.tx), .n = 100 });
    while (!tr_task_is_finished(&t)) {
        need_eq(itemq_recv(&p.rx, TR_NEVER, &m), 0);
        n++;
    }
    check_lt(n, 5 * 100 + 100, "each has about a fifth");
    check_eq(tr_task_join(&t, TR_NEVER, NULL), 0);
    for (unsigned i = 0; i < 4; i++)
        tr_task_close(&sender[i]);
    itemq_tx_close(&p.tx);
    itemq_rx_close(&p.rx);
}

/* ---- many rounds ---- */

enum { N_ARM = 12, N_EACH = 10000 };

static int exactly_one(tr_scope *root, void *unused)
{
    static unsigned next[N_ARM];
    struct pair p[N_ARM];
    tr_arm arms[N_ARM];
    struct item got;
    unsigned open = N_ARM;

    (void)unused;
    for (unsigned i = 0; i < N_ARM; i++) {
        tr_task t;

        p[i] = pair_new(1 + i % 4);
        t = start(root, (struct job){ .fn = i % 2 ? send_many : send_many_by_select,
                                      .tx = p[i].tx,
                                      .n = N_EACH });
        tr_task_close(&t);
        arms[i] = itemq_recv_arm(&p[i].rx, &got);
        next[i] = 0;
    }
    while (open > 0) {
        int i = tr_select(open % 2 ? TR_NEVER : tr_after(TR_S(10)), arms, N_ARM);

        if (!check_ge(i, 0))
            break;
        if (arms[i].result == 0 && check_eq(got.key, next[i] + 1, "none lost, none twice")) {
            next[i]++;
            continue;
        }
        check_eq(arms[i].result, -EPIPE);
        check_eq(next[i], N_EACH);
        arms[i] = (tr_arm){ .ops = NULL };
        open--;
    }
    for (unsigned i = 0; i < N_ARM; i++)
        itemq_rx_close(&p[i].rx);
    return tr_scope_join(root, TR_NEVER);
}

TR_TEST(select, a_hundred_thousand_rounds_lose_nothing, .once = true)
{
    run_with((struct tr_runtime_opts){ .n_worker = 1 }, exactly_one, NULL);
}

TR_TEST(select, a_hundred_thousand_rounds_lose_nothing_on_two_workers, .once = true)
{
    run_with((struct tr_runtime_opts){ .n_worker = 2 }, exactly_one, NULL);
}

static void *blocking_sender(void *arg)
{
    itemq_tx *tx = arg;

    for (unsigned i = 1; i <= N_EACH; i++) {
        struct item m = { i };

        check_eq(itemq_blocking_send(tx, &m, TR_NEVER), 0);
    }
    itemq_tx_close(tx);
    return NULL;
}

static int against_threads(tr_scope *root, void *unused)
{
    enum { N = 3 };
    struct pair p[N];
    pthread_t thread[N];
    tr_arm arms[N];
    struct item got;
    unsigned next[N] = { 0 }, open = N;

    (void)root;
    (void)unused;
    for (unsigned i = 0; i < N; i++) {
        p[i] = pair_new(2);
        arms[i] = itemq_recv_arm(&p[i].rx, &got);
        if (pthread_create(&thread[i], NULL, blocking_sender, &p[i].tx) != 0)
            abort();
    }
    while (open > 0) {
        int i = tr_select(TR_NEVER, arms, N);

        if (!check_ge(i, 0))
            break;
        if (arms[i].result == 0) {
            check_eq(got.key, ++next[i]);
            continue;
        }
        check_eq(next[i], N_EACH);
        arms[i] = (tr_arm){ .ops = NULL };
        open--;
    }
    for (unsigned i = 0; i < N; i++) {
        pthread_join(thread[i], NULL);
        itemq_rx_close(&p[i].rx);
    }
    return 0;
}

TR_TEST(select, senders_in_threads_lose_nothing, .once = true)
{
    run_with((struct tr_runtime_opts){ .n_worker = 1 }, against_threads, NULL);
}

STEP_TEST(select, sixty_four_arms_work)
{
    static struct pair p[64];
    tr_arm arms[64];
    struct item got;

    for (unsigned i = 0; i < 64; i++) {
        p[i] = pair_new(1);
        arms[i] = itemq_recv_arm(&p[i].rx, &got);
    }
    check_eq(tr_select(tr_after(TR_MS(1)), arms, 64), -ETIMEDOUT);
    for (unsigned i = 0; i < 64; i++) {
        struct item m = { i + 1 };

        need_eq(itemq_try_send(&p[i].tx, &m), 0);
        check_eq(tr_select(TR_NEVER, arms, 64), (int)i);
        check_eq(got.key, i + 1);
    }
    for (unsigned i = 0; i < 64; i++)
        pair_close(&p[i]);
}

STEP_TEST(select, waiting_asks_for_no_memory)
{
    struct pair a = pair_new(1), b = pair_new(1);
    struct item m = { 1 }, n = { 2 }, got;
    tr_arm arms[3] = { itemq_recv_arm(&a.rx, &got), itemq_send_arm(&b.tx, &n),
                       tr_deadline_arm(TR_NEVER) };

    need_eq(itemq_try_send(&b.tx, &m), 0); /* full: it stands in line */
    check_eq(tr_select(tr_after(TR_MS(1)), arms, 3), -ETIMEDOUT);
    tri_mem_fail_at(1);
    for (unsigned i = 0; i < 3; i++)
        check_eq(tr_select(tr_after(TR_MS(1)), arms, 3), -ETIMEDOUT);
    check(!tri_mem_has_failed());
    tri_mem_fail_at(0);
    pair_close(&a);
    pair_close(&b);
    check_eq(n_dropped, 1);
}
