/* SPDX-License-Identifier: MIT */
/*
 * notify.c - no notification is lost: one consumer and many who notify it; many who wait for a
 * condition, or for a count; meetings at a barrier; one value that many make, set and wait for.
 * What a notification announces is plain memory. A lost one is a hang.
 */
#include "config.h"

#include <errno.h>

#include "stress.h"

enum { N_ITEM = 200, N_STEP = 100, N_MEETING = 50 };

static tr_notify notify;
static atomic_uint n_items, n_producers;

/* ---- one consumer ---- */

static void produce(struct stress_thread *t)
{
    for (unsigned i = 0; i < N_ITEM; i++) {
        atomic_fetch_add(&n_items, 1);
        if (tri_rand_once_in(&t->rand, 2))
            tr_notify_one(&notify);
        else
            tr_notify_last(&notify);
    }
    atomic_fetch_sub(&n_producers, 1);
    tr_notify_one(&notify);
}

static void consume(struct stress_thread *t)
{
    for (;;) {
        bool over = atomic_load(&n_producers) == 0;
        tr_time deadline = tri_rand_once_in(&t->rand, 2)
                               ? TR_NEVER
                               : tr_after(TR_US(tri_rand_below(&t->rand, 5)));

        if (atomic_exchange(&n_items, 0) == 0 && over)
            return;
        if (!over && tr_notify_blocking_wait(&notify, deadline) < 0)
            sched_yield(); /* late */
    }
}

/* ---- many who wait for a number that grows ---- */

static unsigned long step; /* plain: the notification orders it, for who waits for the last */
static atomic_ulong n_steps;

static void grow(struct stress_thread *t)
{
    for (unsigned i = 0; i < N_STEP; i++) {
        step++;
        atomic_fetch_add_explicit(&n_steps, 1, memory_order_relaxed);
        tr_notify_all(&notify);
        if (tri_rand_once_in(&t->rand, 4))
            sched_yield();
    }
}

static bool is_grown(void *arg)
{
    return atomic_load(&n_steps) >= *(unsigned long *)arg;
}

static void await_steps(struct stress_thread *t)
{
    for (unsigned long k = 1; k <= N_STEP; k += 1 + tri_rand_below(&t->rand, 5))
        check_eq(tr_notify_blocking_wait_until(&notify, is_grown, &k, TR_NEVER), 0);
}

/* Counts the calls of tr_notify_all(): none is missed, so it sees the last step. */
static void await_count(struct stress_thread *t)
{
    uint64_t seen = 0;

    (void)t;
    while (seen < N_STEP)
        check_eq(tr_notify_blocking_wait_since(&notify, &seen, TR_NEVER), 0);
    check_eq(step, N_STEP);
}

static unsigned n_task;

struct watcher {
    uint64_t seed;
};
TR_TASK(watcher, struct watcher, tr_nodrop);

static int watcher(struct watcher *w)
{
    uint64_t seen = 0;
    struct tri_rand rand;

    tri_rand_init(&rand, w->seed);
    while (seen < N_STEP) {
        tr_arm arms[2] = { tr_notify_wait_since_arm(&notify, &seen),
                           tr_deadline_arm(tr_after(TR_US(tri_rand_below(&rand, 20)))) };

        if (tri_rand_once_in(&rand, 3))
            check_ge(tr_select(TR_NEVER, arms, 2), 0);
        else
            check_eq(tr_notify_wait_since(&notify, &seen, TR_NEVER), 0);
    }
    check_eq(step, N_STEP);
    return 0;
}

static int watchers(tr_scope *root, void *unused)
{
    (void)unused;
    for (unsigned i = 0; i < n_task; i++) {
        struct watcher w = { tri_rand_next(&stress_rand) };

        check_eq(watcher_spawn(root, &w, &(struct tr_task_opts){ .flags = TR_TASK_SPREAD }), 0);
    }
    return tr_scope_join(root, TR_NEVER);
}

/* ---- meetings ---- */

static tr_barrier barrier;
static unsigned long n_meetings; /* plain: the leader's, between two meetings */
static atomic_uint n_led;

static void meet(struct stress_thread *t)
{
    for (unsigned long i = 0; i < N_MEETING; i++) {
        int r;

        do
            r = tr_barrier_blocking_wait(
                &barrier, tri_rand_once_in(&t->rand, 4) ? tr_after(TR_US(2)) : TR_NEVER);
        while (r == -ETIMEDOUT);
        if (r == 1) {
            n_meetings++;
            atomic_fetch_add(&n_led, 1);
        }
        check_ge(tr_barrier_blocking_wait(&barrier, TR_NEVER), 0);
        check_eq(n_meetings, i + 1);
        check_ge(tr_barrier_blocking_wait(&barrier, TR_NEVER), 0);
    }
}

/* ---- one value ---- */

static tr_once once;
static unsigned long made; /* plain: the value orders it */
static atomic_uint n_made;

static int make(void *arg, void **ret_value)
{
    if (tri_rand_once_in(arg, 2))
        return -EIO;
    atomic_fetch_add(&n_made, 1);
    made = 42;
    *ret_value = &made;
    return 0;
}

static void want(struct stress_thread *t)
{
    void *value = NULL;
    int r;

    if (tri_rand_once_in(&t->rand, 3)) {
        check_eq(tr_once_blocking_wait(&once, TR_NEVER, &value), 0);
    } else {
        do
            r = tr_once_blocking_get_or_init(
                &once, make, &t->rand, tr_after(TR_US(tri_rand_below(&t->rand, 20))), &value);
        while (r == -EIO || r == -ETIMEDOUT);
    }
    check_eq(value, &made);
    check_eq(made, 42);
}

static void make_it(struct stress_thread *t)
{
    void *value;

    while (tr_once_blocking_get_or_init(&once, make, &t->rand, TR_NEVER, &value) == -EIO)
        ;
}

int main(void)
{
    static void (*const item_fns[])(struct stress_thread *) = { consume, produce, produce,
                                                                produce };
    static void (*const step_fns[])(
        struct stress_thread *) = { grow,        await_steps, await_count, await_count,
                                    await_steps, await_steps, await_count, await_count };
    _Static_assert(TR_LEN(step_fns) == STRESS_THREADS, "");
    static void (*const meet_fns[])(struct stress_thread *) = { meet, meet, meet };
    static void (*const want_fns[])(struct stress_thread *) = { want, want, want, make_it };
    const tr_time end = stress_end();
    unsigned long n_round;

    for (n_round = 0; tr_now() < end && test_n_failed() == 0; n_round++) {
        tr_notify_init(&notify);
        n_producers = TR_LEN(item_fns) - 1;
        n_items = 0;
        stress_together(item_fns, TR_LEN(item_fns));

        tr_notify_init(&notify);
        step = 0;
        n_steps = 0;
        n_task = n_round % 4 == 0 ? STRESS_TASKS : 4;
        stress_beside(step_fns, n_round % 4 == 0 ? STRESS_THREADS : 4,
                      n_round % 2 == 0 ? watchers : NULL);

        tr_barrier_init(&barrier, TR_LEN(meet_fns));
        n_meetings = 0;
        n_led = 0;
        stress_together(meet_fns, TR_LEN(meet_fns));
        check_eq(n_led, N_MEETING);

        for (unsigned i = 0; i < 20; i++) {
            tr_once_init(&once);
            n_made = 0;
            made = 0;
            stress_together(want_fns, TR_LEN(want_fns));
            check_eq(n_made, 1);
        }
    }
    return stress_result(n_round);
}
