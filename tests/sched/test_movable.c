/* SPDX-License-Identifier: MIT */
/*
 * test_movable.c - tasks that change workers: what they leave behind, and when they may be
 * taken.
 */
#include "config.h"

#include "sched/kit.h"

TR_SUITE(movable, .races = true, .init = kit_listen, .timeout = 20);

static const struct tr_runtime_opts two_workers = { .n_worker = 2 };

struct none {
    unsigned key;
};

/* ---- started here, ended there ---- */

enum { N_WANDERER = 64, N_SETTLER = 256 };

static atomic_uint n_begun, n_ended;
static atomic_bool leave;

TR_TASK(wanderer, struct none, tr_nodrop);

static int wanderer(struct none *arg)
{
    (void)arg;
    atomic_fetch_add(&n_begun, 1);
    while (!atomic_load(&leave))
        if (tr_yield() < 0)
            return -ECANCELED;
    atomic_fetch_add(&n_ended, 1);
    return 0;
}

TR_TASK(settler, struct none, tr_nodrop);

static int settler(struct none *arg)
{
    (void)arg;
    for (unsigned i = 0; i < 3; i++)
        if (tr_yield() < 0)
            return -ECANCELED;
    return 0;
}

static int wander_then_settle(tr_scope *root, void *unused)
{
    static tr_task settlers[N_SETTLER];

    (void)unused;
    for (unsigned i = 0; i < N_WANDERER; i++)
        check_eq(wanderer_spawn(root, &(struct none){ 1 },
                                &(struct tr_task_opts){ .flags = TR_TASK_MOVABLE }),
                 0);
    while (atomic_load(&n_begun) < N_WANDERER)
        check_eq(tr_yield(), 0);
    atomic_store(&leave, true);
    while (atomic_load(&n_ended) < N_WANDERER - 1)
        ; /* we hold our worker: they end on the other one, but the one who made way for us */
    for (unsigned i = 0; i < N_SETTLER; i++)
        check_eq(settler_spawn(root, &(struct none){ 1 },
                               &(struct tr_task_opts){ .flags = TR_TASK_SPREAD,
                                                       .ret_task = &settlers[i] }),
                 0);
    for (unsigned i = 0; i < N_SETTLER; i++) {
        int result = 77;

        check_eq(tr_task_join(&settlers[i], TR_NEVER, &result), 0);
        check_eq(result, 0);
    }
    return 0;
}

TR_TEST(movable, tasks_that_end_elsewhere_leave_room_for_those_that_start_there, .once = true)
{
    run_with(two_workers, wander_then_settle, NULL);
}

/* ---- woken while its stack is in use ---- */

TR_MPSC(bell, int, tr_nodrop);

static atomic_uint n_entered, n_rung;
static bell_tx own_tx, guest_tx[2];

static void ring(bell_tx *tx)
{
    check_eq(bell_try_send(tx, &(int){ 1 }), 0);
}

/*
 * Drops its argument on the stack of whoever was about to leave it: wakes him and two others.
 */
static void ringer_drop(struct none *arg)
{
    tr_time end = tr_after(TR_S(5));

    if (!arg->key)
        return;
    ring(&own_tx);
    ring(&guest_tx[0]);
    ring(&guest_tx[1]);
    while (atomic_load(&n_rung) == 0 && tr_now() < end)
        ; /* the other worker takes what it finds, meanwhile */
}

TR_TASK(ringer, struct none, ringer_drop);

static int ringer(struct none *arg)
{
    (void)arg;
    return 0;
}

static void guest_drop(bell_rx *rx)
{
    bell_rx_close(rx);
}

TR_TASK(guest, bell_rx, guest_drop);

static int guest(bell_rx *rx)
{
    int m, r = bell_recv(rx, TR_NEVER, &m);

    atomic_fetch_add(&n_rung, 1);
    return r;
}

TR_TASK(host, bell_rx, guest_drop);

/* The next one its worker picks is a task that was aborted before it began. */
static int host(bell_rx *rx)
{
    int m, r;
    tr_scope s TR_CLEANUP(tr_scope_end) = tr_scope_open(NULL);
    tr_task t;

    check_eq(atomic_fetch_add(&n_entered, 1), 0, "it begins once");
    check_eq(ringer_spawn(&s, &(struct none){ 1 }, &(struct tr_task_opts){ .ret_task = &t }),
             0);
    tr_task_abort(&t);
    r = bell_recv(rx, TR_NEVER, &m);
    check_eq(tr_task_join(&t, TR_NEVER, NULL), 0);
    return r;
}

static int ring_the_host(tr_scope *root, void *unused)
{
    const struct tr_task_opts opts = { .flags = TR_TASK_MOVABLE };
    bell_rx rx;

    (void)unused;
    for (unsigned i = 0; i < 2; i++) {
        check_eq(bell_new(1, &guest_tx[i], &rx), 0);
        check_eq(guest_spawn(root, &rx, &opts), 0);
    }
    check_eq(tr_sleep(tr_after(TR_MS(5))), 0); /* they wait, and the other worker sleeps */
    check_eq(bell_new(1, &own_tx, &rx), 0);
    check_eq(host_spawn(root, &rx, &opts), 0);
    check_eq(tr_scope_join(root, TR_NEVER), 0);
    check_eq(n_entered, 1);
    check_eq(n_rung, 2);
    bell_tx_close(&own_tx);
    bell_tx_close(&guest_tx[0]);
    bell_tx_close(&guest_tx[1]);
    return 0;
}

TR_TEST(movable, a_task_that_is_woken_before_it_has_left_its_stack_is_not_taken)
{
    run_with(two_workers, ring_the_host, NULL);
}
