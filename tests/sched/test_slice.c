/* SPDX-License-Identifier: MIT */
/*
 * test_slice.c - what counts in a slice, who gives way at its end, and that nothing ready is
 * refused.
 */
#include "config.h"

#include <pthread.h>

#include "sched/kit.h"
#include "sched/worker.h"

TR_SUITE(slice, .init = kit_listen, .timeout = 30);

TR_MPSC(numq, int, tr_nodrop);
TR_ONESHOT(once, int, tr_nodrop);
TR_WATCH(level, int, tr_nodrop);

static unsigned n_tick;
static bool stop;

struct arg {
    int (*fn)(void *with);
    void *with;
};

TR_TASK(job, struct arg, tr_nodrop);

static int job(struct arg *a)
{
    return a->fn(a->with);
}

static int start(tr_scope *s, int (*fn)(void *with), void *with)
{
    struct arg a = { fn, with };

    return job_spawn(s, &a, NULL);
}

/* ---- ticks ---- */

static int count_ticks(void *with)
{
    int r;

    (void)with;
    do
        n_tick++;
    while (!stop && (r = tr_tick()) == 0);
    return 0;
}

STEP_TEST(slice, a_computation_that_ticks_gives_way_at_the_end_of_its_slice)
{
    need_eq(start(root, count_ticks, NULL), 0);
    need_eq(tr_yield(), 0);
    for (int round = 0; round < 3; round++) {
        unsigned before = n_tick;
        int left = tr_slice_left();

        check_gt(left, 1);
        check_lt(left, TRI_BUDGET);
        for (; left > 0; left--) {
            check_eq(tr_slice_left(), left, "asking takes nothing");
            need_eq(tr_tick(), 0);
        }
        check_eq(n_tick, before, "as long as something was left nobody else ran");
        need_eq(tr_tick(), 0);
        check_gt(n_tick, before, "then they did");
    }
    stop = true;
}

static int tick_for_ever(void *with)
{
    int r;

    while ((r = tr_tick()) == 0)
        (*(unsigned *)with)++;
    return r;
}

STEP_TEST(slice, a_tick_tells_a_cancel)
{
    unsigned n = 0;
    tr_scope s TR_CLEANUP(tr_scope_end) = tr_scope_open(NULL);

    need_eq(start(&s, tick_for_ever, &n), 0);
    step_until(n > 0);
    tr_scope_end(&s);
    check_eq(n_told[TR_EVENT_OVERRUN], 0);
}

TR_TEST(slice, outside_of_a_task_a_tick_does_nothing)
{
    for (int i = 0; i < 1000; i++)
        check_eq(tr_tick(), 0);
    check_eq(tr_slice_left(), 0);
    check_eq(n_told[TR_EVENT_MISUSE], 0);
}

/* ---- what counts ---- */

/* @call is one operation, or none. */
#define costs(n, call)                                                                         \
    do {                                                                                       \
        need_eq(tr_yield(), 0);                                                                \
        before = tr_slice_left();                                                              \
        call;                                                                                  \
        check_eq(before - tr_slice_left(), (n), #call);                                        \
    } while (0)

STEP_TEST(slice, waiting_forms_count_ready_or_not_and_try_forms_do_not)
{
    numq_tx tx TR_CLEANUP(numq_tx_close) = { 0 };
    numq_rx rx TR_CLEANUP(numq_rx_close) = { { NULL } };
    level_tx ltx TR_CLEANUP(level_tx_close) = { { NULL } };
    level_rx lrx TR_CLEANUP(level_rx_close) = { 0 };
    once_tx otx TR_CLEANUP(once_tx_close) = { { NULL } };
    once_rx orx TR_CLEANUP(once_rx_close) = { { NULL } };
    tr_semaphore sem = TR_SEMAPHORE_INIT(4);
    tr_mutex mutex = TR_MUTEX_INIT;
    tr_rwlock rwlock = TR_RWLOCK_INIT;
    tr_notify notify = TR_NOTIFY_INIT;
    int m = 1, before;

    need_eq(numq_new(8, &tx, &rx), 0);
    m = 1;
    need_eq(level_new(&m, &ltx, &lrx), 0);
    need_eq(once_new(&otx, &orx), 0);
    costs(1, check_eq(numq_send(&tx, &m, TR_NEVER), 0));
    costs(0, check_eq(numq_try_send(&tx, &m), 0));
    costs(1, check_eq(numq_recv(&rx, TR_NEVER, &m), 0));
    costs(0, check_eq(numq_try_recv(&rx, &m), 0));
    costs(0, check_eq(numq_try_recv(&rx, &m), -EAGAIN));
    costs(1, check_eq(numq_recv(&rx, TR_NOW, &m), -ETIMEDOUT));
    costs(0, check_eq(once_send(&otx, &m), 0));
    costs(1, check_eq(once_recv(&orx, TR_NEVER, &m), 0));
    costs(0, check_eq(level_send(&ltx, &m), 0));
    costs(1, check_eq(level_changed(&lrx, TR_NEVER), 0));
    costs(1, check_eq(tr_semaphore_acquire(&sem, 1, TR_NEVER), 0));
    costs(0, check_eq(tr_semaphore_try_acquire(&sem, 1), 0));
    costs(1, check_eq(tr_mutex_lock(&mutex, TR_NEVER), 0));
    tr_mutex_unlock(&mutex);
    costs(1, check_eq(tr_rwlock_read_lock(&rwlock, TR_NEVER), 0));
    tr_rwlock_read_unlock(&rwlock);
    tr_notify_one(&notify);
    costs(1, check_eq(tr_notify_wait(&notify, TR_NEVER), 0));
    costs(1, check_eq(tr_sleep(TR_NOW), 0));
    costs(1, check_eq(tr_tick(), 0));
}

/* ---- always ready ---- */

static int always_ready(void *with)
{
    tr_semaphore sem = TR_SEMAPHORE_INIT(1);
    int r = 0;

    (void)with;
    while (!stop && (r = tr_semaphore_acquire(&sem, 1, TR_NEVER)) == 0)
        tr_semaphore_release(&sem, 1);
    return r;
}

static int a_hundred_turns(void *n_done)
{
    int r = 0;

    for (int i = 0; i < 100 && r == 0; i++)
        r = tr_yield();
    stop = ++*(int *)n_done == 3;
    return r;
}

STEP_TEST(slice, a_branch_that_is_always_ready_does_not_starve_its_siblings)
{
    tr_scope s TR_CLEANUP(tr_scope_end) = tr_scope_open(NULL);
    int n_done = 0;

    need_eq(start(&s, always_ready, NULL), 0);
    for (int i = 0; i < 3; i++)
        need_eq(start(&s, a_hundred_turns, &n_done), 0);
    check_eq(tr_scope_join(&s, TR_NEVER), 0);
    check_eq(n_done, 3);
}

STEP_TEST(slice, a_busy_loop_over_ready_operations_ends_at_the_deadline_of_its_scope)
{
    tr_time born = tr_now();
    tr_scope s TR_CLEANUP(tr_scope_end) =
        tr_scope_open(&(struct tr_scope_opts){ .deadline = born + TR_MS(1) });

    need_eq(start(&s, always_ready, NULL), 0);
    check_eq(tr_scope_join(&s, TR_NEVER), -ETIMEDOUT);
    check_ge(tr_now() - born, TR_MS(1));
}

static void *receive_many(void *rx)
{
    int m;

    for (int i = 0; i < 10000; i++)
        if (i % 2)
            check_eq(numq_try_recv(rx, &m), 0);
        else
            check_eq(numq_blocking_recv(rx, TR_NOW, &m), 0);
    return NULL;
}

TR_TEST(slice, in_a_plain_thread_what_is_ready_is_never_refused)
{
    numq_tx tx TR_CLEANUP(numq_tx_close) = { 0 };
    numq_rx rx TR_CLEANUP(numq_rx_close) = { { NULL } };

    need_eq(numq_new(TR_UNBOUNDED, &tx, &rx), 0);
    for (int m = 0; m < 10000; m++)
        need_eq(numq_try_send(&tx, &(int){ m }), 0);
    check_eq(receive_many(&rx), NULL);
}
