/* SPDX-License-Identifier: MIT */
/* test_mpsc_end.c - weak ends, counts of ends, and waiting for the end of the receiver. */
#include "config.h"

#include <errno.h>
#include <pthread.h>

#include "chan/items.h"
#include "chan/mpsc.h"
#include "chan/step.h"

TR_MPSC(itemq, struct item, item_drop);

static itemq_tx tx;
static itemq_rx rx;

TR_SUITE(mpsc_end, .races = true, .timeout = 20);

TR_TEST(mpsc_end, weak_end_does_not_keep_the_channel_open)
{
    struct item m = { 0 };
    itemq_weak weak;
    itemq_tx again = { 0 };

    need_eq(itemq_new(2, &tx, &rx), 0);
    weak = itemq_tx_downgrade(&tx);
    check_eq(itemq_senders(&rx), (size_t)1);
    check_eq(itemq_weak_senders(&rx), (size_t)1);
    itemq_tx_close(&tx);
    check_eq(itemq_try_recv(&rx, &m), -EPIPE);
    check_eq(itemq_weak_upgrade(&weak, &again), -EPIPE);
    check_eq(itemq_tx_is_closed(&again), true, "a failed call leaves its result alone");
    itemq_rx_close(&rx);
    check_eq(itemq_weak_upgrade(&weak, &again), -EPIPE, "the weak end holds the memory");
    itemq_weak_close(&weak);
    itemq_weak_close(&weak);
}

TR_TEST(mpsc_end, weak_end_becomes_a_sender_while_one_lives)
{
    struct item m = item(1), got = { 0 };
    itemq_weak weak, other;
    itemq_tx again = { 0 };

    need_eq(itemq_new(2, &tx, &rx), 0);
    weak = itemq_tx_downgrade(&tx);
    other = itemq_weak_clone(&weak);
    check_eq(itemq_weak_senders(&rx), (size_t)2);
    need_eq(itemq_weak_upgrade(&weak, &again), 0);
    check_eq(itemq_senders(&rx), (size_t)2);
    check_eq(itemq_tx_is_same(&tx, &again), true);
    itemq_tx_close(&tx);
    check_eq(itemq_try_send(&again, &m), 0);
    itemq_weak_close(&weak);
    itemq_weak_close(&other);
    check_eq(itemq_weak_senders(&rx), (size_t)0);
    check_eq(itemq_try_recv(&rx, &got), 0);
    check_eq(itemq_try_recv(&rx, &got), -EAGAIN);
    itemq_tx_close(&again);
    check_eq(itemq_try_recv(&rx, &got), -EPIPE);
    itemq_rx_close(&rx);
}

TR_TEST(mpsc_end, permit_keeps_an_upgrade_possible)
{
    itemq_permit p = { 0 };
    itemq_weak weak;
    itemq_tx again = { 0 };

    need_eq(itemq_new(1, &tx, &rx), 0);
    weak = itemq_tx_downgrade(&tx);
    need_eq(itemq_try_reserve(&tx, 1, &p), 0);
    itemq_tx_close(&tx);
    check_eq(itemq_weak_upgrade(&weak, &again), 0);
    itemq_tx_close(&again);
    itemq_permit_close(&p);
    check_eq(itemq_weak_upgrade(&weak, &again), -EPIPE);
    itemq_weak_close(&weak);
    itemq_rx_close(&rx);
}

TR_TEST(mpsc_end, ends_of_two_channels_are_not_the_same)
{
    itemq_tx other_tx, none = { 0 };
    itemq_rx other_rx;

    need_eq(itemq_new(1, &tx, &rx), 0);
    need_eq(itemq_new(1, &other_tx, &other_rx), 0);
    check_eq(itemq_tx_is_same(&tx, &tx), true);
    check_eq(itemq_tx_is_same(&tx, &other_tx), false);
    check_eq(itemq_tx_is_same(&none, &none), false);
    itemq_tx_close(&tx);
    itemq_rx_close(&rx);
    itemq_tx_close(&other_tx);
    itemq_rx_close(&other_rx);
}

TR_TEST(mpsc_end, receiver_is_closed_by_its_shut_and_by_the_last_sender)
{
    struct item m = item(1);

    need_eq(itemq_new(1, &tx, &rx), 0);
    need_eq(itemq_try_send(&tx, &m), 0);
    check_eq(itemq_rx_is_closed(&rx), false);
    itemq_tx_close(&tx);
    check_eq(itemq_rx_is_closed(&rx), true, "with a message queued");
    itemq_rx_close(&rx);
    need_eq(itemq_new(1, &tx, &rx), 0);
    itemq_rx_shut(&rx);
    check_eq(itemq_rx_is_closed(&rx), true);
    itemq_tx_close(&tx);
    itemq_rx_close(&rx);
}

/* ---- closed ---- */

struct job {
    itemq_tx tx;
    tr_time deadline;
    int *ret_result;
};

static void job_drop(struct job *j)
{
    itemq_tx_close(&j->tx);
}

TR_TASK(waiter, struct job, job_drop);
TR_TASK(selector, struct job, job_drop);

static int waiter(struct job *j)
{
    *j->ret_result = itemq_closed(&j->tx, j->deadline);
    return 0;
}

static int selector(struct job *j)
{
    tr_arm arms[] = { itemq_closed_arm(&j->tx) };
    int i = tr_select(j->deadline, arms, 1);

    *j->ret_result = i < 0 ? i : arms[0].result;
    return 0;
}

static unsigned n_waiting(void)
{
    struct tri_mpsc *c = tx.end.chan;
    struct tri_waiter *first, *w;
    unsigned n = 0;

    tri_lock_acquire(&c->lock);
    first = w = tri_waitq_first(&tri_mpsc_more(c)->closed_line);
    for (; w; w = w->next == first ? NULL : w->next)
        n++;
    tri_lock_release(&c->lock);
    return n;
}

enum { N_WAITER = 40 }; /* more than are woken at once */

static void every_waiter_learns_of_the_end(tr_scope *root, void (*end)(itemq_rx *rx))
{
    static int result[N_WAITER];

    need_eq(itemq_new(1, &tx, &rx), 0);
    for (unsigned i = 0; i < N_WAITER; i++) {
        struct job j = { itemq_tx_clone(&tx), TR_NEVER, &result[i] };

        result[i] = 1;
        need_eq((i % 2 ? selector_spawn : waiter_spawn)(root, &j, NULL), 0);
        step_until(n_waiting() == i + 1);
    }
    end(&rx);
    for (unsigned i = 0; i < N_WAITER; i++)
        step_until(result[i] == 0);
    check_eq(n_waiting(), 0u);
    check_eq(itemq_closed(&tx, TR_NEVER), 0, "and at once afterwards");
    itemq_tx_close(&tx);
    itemq_rx_close(&rx);
}

STEP_TEST(mpsc_end, every_waiter_learns_of_the_shut)
{
    every_waiter_learns_of_the_end(root, itemq_rx_shut);
}

STEP_TEST(mpsc_end, every_waiter_learns_of_the_close)
{
    every_waiter_learns_of_the_end(root, itemq_rx_close);
}

STEP_TEST(mpsc_end, wait_for_the_end_keeps_its_deadline_and_leaves_nothing)
{
    int result = 1;
    tr_task t;
    struct tr_task_opts opts = { .ret_task = &t };
    struct job j;

    need_eq(itemq_new(1, &tx, &rx), 0);
    check_eq(itemq_closed(&tx, TR_NOW), -ETIMEDOUT);
    check_eq(itemq_closed(&tx, tr_after(TR_MS(1))), -ETIMEDOUT);
    check_eq(itemq_blocking_closed(&tx, TR_NOW), -EDEADLK);
    j = (struct job){ itemq_tx_clone(&tx), TR_NEVER, &result };
    need_eq(waiter_spawn(root, &j, &opts), 0);
    step_until(n_waiting() == 1);
    tr_task_abort(&t);
    step_until(result != 1);
    check_eq(result, -ECANCELED);
    check_eq(n_waiting(), 0u);
    tr_task_close(&t);
    itemq_tx_close(&tx);
    itemq_rx_close(&rx);
}

static void *close_receiver(void *arg)
{
    itemq_rx_close(arg);
    return NULL;
}

TR_TEST(mpsc_end, thread_blocks_until_the_receiver_is_gone)
{
    itemq_tx none = { 0 };
    pthread_t thread;

    need_eq(itemq_new(1, &tx, &rx), 0);
    check_eq(itemq_closed(&tx, TR_NEVER), -EPERM);
    check_eq(itemq_blocking_closed(&none, TR_NEVER), -EINVAL);
    check_eq(itemq_blocking_closed(&tx, tr_after(TR_MS(1))), -ETIMEDOUT);
    need_eq(pthread_create(&thread, NULL, close_receiver, &rx), 0);
    check_eq(itemq_blocking_closed(&tx, TR_NEVER), 0);
    need_eq(pthread_join(thread, NULL), 0);
    itemq_tx_close(&tx);
}
