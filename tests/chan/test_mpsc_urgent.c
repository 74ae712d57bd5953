/* SPDX-License-Identifier: MIT */
/*
 * test_mpsc_urgent.c - waiting for a place in the urgent lane: order, the ends of a wait,
 * select.
 */
#include "config.h"

#include <errno.h>
#include <pthread.h>

#include "chan/items.h"
#include "chan/line.h"
#include "chan/step.h"

TR_MPSC(itemq, struct item, item_drop);

/* A task that sends one message, and says how that ended. */
struct job {
    itemq_tx tx;
    tr_time deadline;
    struct item m;
};

static void job_drop(struct job *j)
{
    itemq_tx_close(&j->tx);
}

TR_TASK(sender, struct job, job_drop);
TR_TASK(chooser, struct job, job_drop);

static itemq_tx tx;
static itemq_rx rx;
static int result[128];
static struct item left[128];
static tr_notify other = TR_NOTIFY_INIT;

TR_SUITE(mpsc_urgent, .timeout = 20);

/* @n_urgent places, all taken by messages with the id 1. */
static void open_full(size_t n_urgent)
{
    const struct tr_mpsc_opts opts = { .capacity = 1, .n_urgent = n_urgent };

    need_eq(itemq_new_with(&opts, &tx, &rx), 0);
    for (size_t i = 0; i < n_urgent; i++) {
        struct item m = item(1);

        need_eq(itemq_send_urgent(&tx, &m), 0);
    }
}

static void close_both(void)
{
    itemq_tx_close(&tx);
    itemq_rx_close(&rx);
}

/* The id of the next message, or the negative error. */
static int take(void)
{
    struct item m = { 0 };
    int r = itemq_try_recv(&rx, &m);

    return r < 0 ? r : (int)m.id;
}

static int send_urgent(uint32_t id)
{
    struct item m = item(id);

    return itemq_send_urgent(&tx, &m);
}

static int sender(struct job *j)
{
    const uint32_t id = j->m.id;

    result[id] = itemq_send_urgent_until(&j->tx, &j->m, j->deadline);
    left[id] = j->m;
    return 0;
}

/* Sends only if nobody notifies: arm 0 wins whenever both are ready. */
static int chooser(struct job *j)
{
    const uint32_t id = j->m.id;
    tr_arm arms[2] = { tr_notify_wait_arm(&other), itemq_send_urgent_arm(&j->tx, &j->m) };
    int i = tr_select_first(j->deadline, arms, 2);

    left[id] = j->m;
    result[id] = i < 0 ? i : 100 + i;
    if (i == 1 && arms[1].result < 0)
        result[id] = arms[1].result;
    return 0;
}

typedef int spawn_fn(tr_scope *, struct job *, const struct tr_task_opts *);

/* Starts one and waits until it is in line behind the others. */
static void queue(tr_scope *root, spawn_fn *spawn, uint32_t id, tr_time deadline,
                  tr_task *ret_task)
{
    struct job j = { itemq_tx_clone(&tx), deadline, item(id) };
    unsigned n = n_in_lane_line(rx.end.chan);

    result[id] = 1;
    need_eq(spawn(root, &j, &(struct tr_task_opts){ .ret_task = ret_task }), 0);
    step_until(n_in_lane_line(rx.end.chan) == n + 1);
}

STEP_TEST(mpsc_urgent, senders_are_served_in_order_and_nobody_overtakes)
{
    open_full(1);
    for (uint32_t id = 2; id <= 5; id++)
        queue(root, sender_spawn, id, TR_NEVER, NULL);
    for (int id = 1; id <= 5; id++) {
        check_eq(send_urgent(9), -EAGAIN);
        need_eq(take(), id);
    }
    step_until(result[5] != 1);
    check_eq(result[2] | result[3] | result[4] | result[5], 0);
    check_eq(left[5].id, 0u, "sent, so it is zero");
    check_eq(send_urgent(9), 0, "nobody waits any more");
    check_eq(take(), 9);
    close_both();
}

STEP_TEST(mpsc_urgent, what_is_ready_does_not_wait_and_the_rest_keeps_its_deadline)
{
    struct item m = item(2);

    open_full(1);
    check_eq(itemq_send_urgent_until(&tx, &m, TR_NOW), -ETIMEDOUT);
    check_eq(itemq_send_urgent_until(&tx, &m, tr_after(TR_MS(1))), -ETIMEDOUT);
    check_eq(itemq_blocking_send_urgent(&tx, &m, TR_NEVER), -EDEADLK);
    check_eq(m.id, 2u);
    check_eq(n_in_lane_line(rx.end.chan), 0u);
    check_eq(take(), 1);
    check_eq(itemq_send_urgent_until(&tx, &m, TR_NOW), 0);
    check_eq(take(), 2);
    close_both();
}

STEP_TEST(mpsc_urgent, sender_that_gives_up_keeps_its_message_and_lets_the_next_in)
{
    tr_task t;

    open_full(1);
    queue(root, sender_spawn, 2, TR_NEVER, &t);
    queue(root, sender_spawn, 3, tr_after(TR_MS(1)), NULL);
    queue(root, sender_spawn, 4, TR_NEVER, NULL);
    tr_task_abort(&t);
    step_until(result[2] != 1 && result[3] != 1);
    check_eq(result[2], -ECANCELED);
    check_eq(result[3], -ETIMEDOUT);
    check_eq(left[2].id, 2u);
    check_eq(left[3].id, 3u);
    check_eq(take(), 1);
    check_eq(take(), 4);
    tr_task_close(&t);
    close_both();
}

STEP_TEST(mpsc_urgent, sender_that_was_served_before_the_cancel_has_sent)
{
    tr_task t;

    open_full(1);
    queue(root, sender_spawn, 2, TR_NEVER, &t);
    check_eq(take(), 1);
    tr_task_abort(&t);
    step_until(result[2] != 1);
    check_eq(result[2], 0);
    check_eq(take(), 2);
    tr_task_close(&t);
    close_both();
}

static void check_sent_away(tr_scope *root, spawn_fn *spawn, void (*end)(itemq_rx *))
{
    open_full(1);
    for (uint32_t id = 2; id < 50; id++) /* more than one batch of wakes */
        queue(root, spawn, id, TR_NEVER, NULL);
    end(&rx);
    for (uint32_t id = 2; id < 50; id++) {
        step_until(result[id] != 1);
        need_eq(result[id], -EPIPE);
        need_eq(left[id].id, id);
    }
}

STEP_TEST(mpsc_urgent, shut_sends_waiting_senders_away_with_their_messages)
{
    struct item m = item(60);

    check_sent_away(root, sender_spawn, itemq_rx_shut);
    check_eq(itemq_send_urgent_until(&tx, &m, TR_NEVER), -EPIPE);
    check_eq(take(), 1);
    close_both();
}

STEP_TEST(mpsc_urgent, close_sends_waiting_arms_away_with_their_messages)
{
    check_sent_away(root, chooser_spawn, itemq_rx_close);
    check_eq(n_dropped, 1);
    close_both();
}

/* ---- select ---- */

STEP_TEST(mpsc_urgent, selected_send_waits_and_sends_once)
{
    open_full(1);
    queue(root, chooser_spawn, 2, TR_NEVER, NULL);
    check_eq(take(), 1);
    check_eq(send_urgent(9), -EAGAIN, "there is a place, for the first in line");
    step_until(result[2] != 1);
    check_eq(result[2], 101);
    check_eq(take(), 2);
    check_eq(take(), -EAGAIN);
    close_both();
}

STEP_TEST(mpsc_urgent, place_of_a_granted_arm_that_loses_goes_to_the_next)
{
    open_full(1);
    queue(root, chooser_spawn, 2, TR_NEVER, NULL);
    queue(root, sender_spawn, 3, TR_NEVER, NULL);
    check_eq(take(), 1);
    tr_notify_one(&other); /* before the arm that was told has run */
    step_until(result[2] != 1);
    check_eq(result[2], 100);
    check_eq(left[2].id, 2u);
    step_until(result[3] != 1);
    check_eq(result[3], 0);
    check_eq(take(), 3);
    close_both();
}

/*
 * While the first one has not run, places pile up behind it: then more than a batch is served.
 */
STEP_TEST(mpsc_urgent, many_places_of_a_granted_arm_that_loses_serve_many)
{
    open_full(40);
    queue(root, chooser_spawn, 2, TR_NEVER, NULL);
    for (uint32_t id = 3; id < 45; id++)
        queue(root, sender_spawn, id, TR_NEVER, NULL);
    for (unsigned i = 0; i < 40; i++)
        need_eq(take(), 1);
    tr_notify_one(&other);
    for (uint32_t id = 3; id < 43; id++) {
        step_until(result[id] != 1);
        need_eq(result[id], 0);
    }
    check_eq(n_in_lane_line(rx.end.chan), 2u);
    for (int id = 3; id < 45; id++)
        need_eq(take(), id);
    close_both();
}

/* ---- threads, and misuse ---- */

enum { N_MESSAGE = 500 };

static void *send_many(void *arg)
{
    itemq_tx *end = arg;

    for (uint32_t id = 1; id <= N_MESSAGE; id++) {
        struct item m = item(id);

        check_eq(itemq_blocking_send_urgent(end, &m, TR_NEVER), 0);
    }
    itemq_tx_close(end);
    return NULL;
}

static void check_threads(int (*receive)(struct item *m))
{
    const struct tr_mpsc_opts opts = { .capacity = 1, .n_urgent = 2 };
    uint32_t last[2] = { 0, 0 }, n = 0;
    pthread_t thread[2];
    itemq_tx end[2];
    struct tr_mpsc_counts counts;
    struct item m;

    need_eq(itemq_new_with(&opts, &tx, &rx), 0);
    for (unsigned i = 0; i < 2; i++) {
        end[i] = itemq_tx_clone(&tx);
        need_eq(pthread_create(&thread[i], NULL, send_many, &end[i]), 0);
    }
    itemq_tx_close(&tx);
    while (receive(&m) == 0) {
        unsigned from = m.id == last[0] + 1 ? 0 : 1;

        need_eq(m.id, last[from] + 1, "each sender's order holds");
        last[from]++;
        n++;
    }
    check_eq(n, 2u * N_MESSAGE);
    for (unsigned i = 0; i < 2; i++)
        pthread_join(thread[i], NULL);
    itemq_rx_counts(&rx, &counts);
    check_eq(counts.n_sent, 2u * N_MESSAGE);
    check_eq(counts.n_received, 2u * N_MESSAGE);
    check_eq(counts.n_back + counts.n_dropped, 0u);
    itemq_rx_close(&rx);
}

static int receive_blocking(struct item *m)
{
    return itemq_blocking_recv(&rx, TR_NEVER, m);
}

static int receive_waiting(struct item *m)
{
    return itemq_recv(&rx, TR_NEVER, m);
}

TR_TEST(mpsc_urgent, threads_block_until_there_is_a_place)
{
    check_threads(receive_blocking);
}

STEP_TEST(mpsc_urgent, a_task_makes_places_for_threads)
{
    check_threads(receive_waiting);
}

TR_TEST(mpsc_urgent, without_a_lane_or_a_task_or_an_end_it_is_refused)
{
    struct item m = item(1);
    itemq_tx none = { { NULL, 0 } };

    open_full(1);
    check_eq(itemq_send_urgent_until(&tx, &m, TR_NEVER), -EPERM);
    check_eq(itemq_blocking_send_urgent(&tx, &m, tr_after(TR_MS(1))), -ETIMEDOUT);
    check_eq(itemq_send_urgent_until(&none, &m, TR_NEVER), -EINVAL);
    close_both();
    need_eq(itemq_new(1, &tx, &rx), 0);
    check_eq(itemq_send_urgent_until(&tx, &m, TR_NEVER), -EINVAL);
    check_eq(itemq_blocking_send_urgent(&tx, &m, TR_NEVER), -EINVAL);
    check_eq(m.id, 1u);
    close_both();
}
