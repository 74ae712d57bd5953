/* SPDX-License-Identifier: MIT */
/*
 * test_placement.c - partners that one parent has spawned stay on its worker, though another
 * one is idle and looks for work: what is over in some microseconds is not worth a second
 * worker.
 *
 * Only a slice of more than 50 µs lets the idle worker take what has not started. A worker that
 * was kept from its processor has been through such a one: that repetition says nothing, and
 * there is one more.
 */
#include "config.h"

#include <sys/resource.h>

#include "sched/kit.h"
#include "support/tr-guard.h"

#define LINGER   TR_US(20) /* of the parent, after the spawns */
#define TOO_LONG TR_US(40)

enum { PAIRS = 150, ROUNDS = 20, TRIES = 100 * PAIRS };

TR_SUITE(placement, .init = kit_listen, .timeout = 30);

TR_MPSC(ball, int, tr_nodrop);

struct partner {
    ball_tx tx;
    ball_rx rx;
    int *ret_worker;
};

static void partner_drop(struct partner *p)
{
    ball_tx_close(&p->tx);
    ball_rx_close(&p->rx);
}
TR_TASK(partner, struct partner, partner_drop);

static int partner(struct partner *p)
{
    int m = 0;

    *p->ret_worker = tr_worker_index();
    for (int i = 0; i < ROUNDS; i++)
        if (ball_send(&p->tx, &m, TR_NEVER) < 0 || ball_recv(&p->rx, TR_NEVER, &m) < 0)
            return -EPIPE;
    return 0;
}

static int start_pair(tr_scope *scope, int worker[2])
{
    struct partner a = { .ret_worker = &worker[0] }, b = { .ret_worker = &worker[1] };
    int r;

    if ((r = ball_new(1, &a.tx, &b.rx)) < 0)
        return r;
    if ((r = ball_new(1, &b.tx, &a.rx)) == 0 && (r = partner_spawn(scope, &a, NULL)) == 0)
        return partner_spawn(scope, &b, NULL);
    partner_drop(&a);
    partner_drop(&b);
    return r;
}

/* How often the thread was taken off its processor. */
static long n_preempted(void)
{
    struct rusage u;

    getrusage(RUSAGE_THREAD, &u);
    return u.ru_nivcsw;
}

struct nothing {
    int unused;
};
TR_TASK(guest, struct nothing, tr_nodrop);
TR_TASK(stay, struct nothing, tr_nodrop);

static const struct tr_task_opts elsewhere = { .flags = TR_TASK_SPREAD };
static atomic_bool guest_runs, guest_may_end;

/* Keeps the other worker busy until the pair has been spawned; then that one looks for work. */
static int guest(struct nothing *unused)
{
    (void)unused;
    check_eq(tr_worker_index(), 1);
    atomic_store(&guest_runs, true);
    while (!atomic_load(&guest_may_end))
        ;
    return 0;
}

/* The first that spreads is on the worker of its parent: all others go to the other one. */
static int stay(struct nothing *unused)
{
    (void)unused;
    check_eq(tr_worker_index(), 0);
    return tr_sleep(TR_NEVER);
}

static void guest_start(tr_scope *scope)
{
    atomic_store(&guest_runs, false);
    atomic_store(&guest_may_end, false);
    check_eq(guest_spawn(scope, &(struct nothing){ 0 }, &elsewhere), 0);
    while (!atomic_load(&guest_runs))
        ;
}

/* False: the machine has disturbed it. */
static bool play_once(bool *ret_together)
{
    tr_scope scope TR_CLEANUP(tr_scope_end) = tr_scope_open(NULL);
    int worker[2] = { -1, -2 };
    tr_time begin, span;
    long before;

    guest_start(&scope);
    before = n_preempted();
    check_eq(start_pair(&scope, worker), 0);
    atomic_store(&guest_may_end, true);
    begin = tr_now();
    while ((span = tr_now() - begin) < LINGER)
        ;
    check_eq(tr_scope_join(&scope, TR_NEVER), 0);
    *ret_together = worker[0] == worker[1] && worker[0] == tr_worker_index();
    return span < TOO_LONG && n_preempted() == before;
}

static int play(tr_scope *root, void *arg)
{
    unsigned n_disturbed = 0;
    bool together;

    (void)arg;
    check_eq(stay_spawn(root, &(struct nothing){ 0 }, &elsewhere), 0);
    check_eq(tr_yield(), 0);
    for (unsigned i = 0; i < PAIRS && n_disturbed < TRIES;) {
        if (!play_once(&together) && !together) {
            n_disturbed++;
            continue;
        }
        check(together, "one of them was taken to the other worker");
        i++;
    }
    check_lt(n_disturbed, TRIES);
    return 0;
}

TR_TEST(placement, partners_stay_on_the_worker_of_their_parent)
{
    if (tri_guard_is_slow())
        test_skip("the first slice of a task is longer than 50 µs");
    run_with((struct tr_runtime_opts){ .n_worker = 2 }, play, NULL);
}
