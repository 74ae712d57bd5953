/* SPDX-License-Identifier: MIT */
/*
 * wake.c - everything that can sleep against wakers in many threads: tasks that stay, movable
 * tasks and plain threads wait, each at a gate of its own, for a number to grow; threads and
 * tasks make it grow. A lost wake-up is a hang, which the time limit of the test ends.
 *
 * A gate is the simplest source there is: the number, and whom to wake. No wake-up is lost: the
 * waiter stores itself and then looks at the number (seq_cst), a waker adds to the number and
 * then takes the waiter (seq_cst).
 */
#include "config.h"

#include <errno.h>

#include "sched/wait.h"
#include "stress/stress.h"

enum { N_TASK = 6, N_THREAD = 2, N_GATE = N_TASK + N_THREAD, N_WAKER = 3, N_EACH = 1500 };

struct gate {
    atomic_uint n;
    struct tri_wakee *_Atomic waiter;
    unsigned n_seen; /* the waiter's */
    unsigned n_waits;
};

static struct gate gates[N_GATE];

static bool attempt(tr_arm *arm)
{
    struct gate *g = arm->source;

    arm->result = 0;
    return atomic_load(&g->n) != g->n_seen;
}

static bool enroll(tr_arm *arm, struct tri_waiter *w)
{
    struct gate *g = arm->source;

    atomic_store(&g->waiter, w->wakee);
    return !attempt(arm);
}

static bool withdraw(tr_arm *arm, struct tri_waiter *w)
{
    struct gate *g = arm->source;

    (void)w;
    atomic_store(&g->waiter, NULL);
    return false;
}

static const struct tri_arm_ops gate_ops = {
    .what = "gate",
    .attempt = attempt,
    .enroll = enroll,
    .withdraw = withdraw,
};

static void grow(struct gate *g)
{
    struct tri_wakee *w;

    atomic_fetch_add(&g->n, 1);
    w = atomic_exchange(&g->waiter, NULL);
    if (w)
        tri_wake(w);
}

static void wait_all(struct gate *g, unsigned until, int (*wait)(tr_arm *))
{
    tr_arm arm = { .ops = &gate_ops, .source = g };

    while (g->n_seen != until) {
        int r = wait(&arm);

        check(r == 0 || r == -ETIMEDOUT);
        g->n_waits++;
        g->n_seen = atomic_load(&g->n);
    }
}

static unsigned n_round;
static const unsigned per_round = (N_WAKER + 1) * N_EACH;

/* ---- those who wait ---- */

static int wait_in_task(tr_arm *arm)
{
    /* Sometimes with a timer that races with the wake. */
    struct gate *g = arm->source;

    return tri_wait(arm, g->n_waits % 4 == 0 ? tr_after(TR_US(20)) : TR_NEVER);
}

static int wait_in_thread(tr_arm *arm)
{
    struct gate *g = arm->source;

    return tri_wait_blocking(arm, g->n_waits % 4 == 0 ? tr_after(TR_US(20)) : TR_NEVER, NULL);
}

struct number {
    unsigned index;
};

TR_TASK(waiter, struct number, tr_nodrop);

static int waiter(struct number *i)
{
    wait_all(&gates[i->index], n_round * per_round, wait_in_task);
    return 0;
}

static void thread_waits(struct stress_thread *t)
{
    wait_all(&gates[N_TASK + t->index % N_THREAD], n_round * per_round, wait_in_thread);
}

/* ---- those who wake ---- */

static void thread_wakes(struct stress_thread *t)
{
    for (unsigned i = 0; i < N_EACH; i++) {
        for (unsigned g = 0; g < N_GATE; g++)
            grow(&gates[(g + t->index) % N_GATE]);
        if (tri_rand_below(&t->rand, 16) == 0)
            (void)sched_yield();
    }
}

TR_TASK(waker, struct number, tr_nodrop);

static int waker(struct number *unused)
{
    (void)unused;
    for (unsigned i = 0; i < N_EACH; i++) {
        for (unsigned g = 0; g < N_GATE; g++)
            grow(&gates[g]);
        if (i % 8 == 0)
            (void)tr_yield();
    }
    return 0;
}

static int root_task(tr_scope *root, void *unused)
{
    struct number n = { 0 };

    (void)unused;
    for (unsigned i = 0; i < N_TASK; i++) {
        struct tr_task_opts opts = { .flags = i % 3 == 0   ? TR_TASK_MOVABLE
                                              : i % 3 == 1 ? TR_TASK_SPREAD
                                                           : 0 };

        n.index = i;
        check_eq(waiter_spawn(root, &n, &opts), 0);
    }
    check_eq(waker_spawn(root, &n, NULL), 0);
    return tr_scope_join(root, TR_NEVER);
}

static void run_tasks(struct stress_thread *t)
{
    const struct tr_runtime_opts opts = { .n_worker = 2 };

    (void)t;
    check_eq(tr_run_with(&opts, root_task, NULL), 0);
}

int main(void)
{
    void (*const fns[])(struct stress_thread *) = { thread_waits, thread_waits, run_tasks,
                                                    thread_wakes, thread_wakes, thread_wakes };
    const tr_time end = stress_end();

    do {
        n_round++;
        stress_together(fns, TR_LEN(fns));
    } while (tr_now() < end && test_n_failed() == 0);
    return stress_result(n_round);
}
