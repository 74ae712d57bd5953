/* SPDX-License-Identifier: MIT */
/*
 * test_mpsc_wait.c - senders and receivers that wait: order, deadlines, cancel, closing,
 * select.
 */
#include "config.h"

#include <errno.h>
#include <pthread.h>

#include "chan/items.h"
#include "chan/line.h"
#include "chan/step.h"

TR_MPSC(itemq, struct item, item_drop);

/* A task that sends one message, or receives one, and says how that ended. */
struct job {
    itemq_tx tx;
    tr_time deadline;
    struct item m;
    int *ret_result;
    struct item *ret_left; /* what the task has afterwards */
};

static void job_drop(struct job *j)
{
    itemq_tx_close(&j->tx);
}

TR_TASK(sender, struct job, job_drop);

static int sender(struct job *j)
{
    *j->ret_result = itemq_send(&j->tx, &j->m, j->deadline);
    *j->ret_left = j->m;
    return 0;
}

static itemq_tx tx;
static itemq_rx rx;
static int result[64];
static struct item left[64];

TR_SUITE(mpsc_wait, .races = true, .timeout = 20);

/* Starts a sender of @id; its outcome goes to result[id] and left[id]. */
static void spawn_sender(tr_scope *root, uint32_t id, tr_time deadline, tr_task *ret_task)
{
    struct job j = { itemq_tx_clone(&tx), deadline, item(id), &result[id], &left[id] };
    struct tr_task_opts opts = { .ret_task = ret_task };

    result[id] = 1;
    need_eq(sender_spawn(root, &j, &opts), 0);
}

/* The same, and waits until it is in line behind the others. */
static void queue_sender(tr_scope *root, uint32_t id, tr_time deadline, tr_task *ret_task)
{
    unsigned n = n_in_line(rx.end.chan);

    spawn_sender(root, id, deadline, ret_task);
    step_until(n_in_line(rx.end.chan) == n + 1);
}

static void open_full(void)
{
    struct item m = item(1);

    need_eq(itemq_new(1, &tx, &rx), 0);
    need_eq(itemq_try_send(&tx, &m), 0);
}

static void close_channel(void)
{
    itemq_tx_close(&tx);
    itemq_rx_close(&rx);
}

static uint32_t take(void)
{
    struct item m = { 0 };

    check_eq(itemq_try_recv(&rx, &m), 0);
    return m.id;
}

STEP_TEST(mpsc_wait, senders_are_served_in_the_order_in_which_they_came)
{
    open_full();
    for (uint32_t id = 2; id <= 40; id++)
        queue_sender(root, id, TR_NEVER, NULL);
    for (uint32_t id = 1; id <= 40; id++)
        need_eq(take(), id);
    step_until(result[40] == 0);
    check_eq(left[40].id, 0, "sent, so it is zero");
    close_channel();
}

STEP_TEST(mpsc_wait, try_send_does_not_overtake)
{
    struct item m = item(9);

    open_full();
    queue_sender(root, 2, TR_NEVER, NULL);
    queue_sender(root, 3, TR_NEVER, NULL);
    check_eq(take(), 1);
    check_eq(itemq_try_send(&tx, &m), -EAGAIN);
    check_eq(take(), 2);
    check_eq(itemq_try_send(&tx, &m), -EAGAIN);
    check_eq(take(), 3);
    check_eq(itemq_try_send(&tx, &m), 0, "nobody waits any more");
    close_channel();
}

STEP_TEST(mpsc_wait, sender_that_times_out_keeps_its_message_and_leaves_the_line)
{
    open_full();
    queue_sender(root, 2, tr_after(TR_MS(5)), NULL);
    queue_sender(root, 3, TR_NEVER, NULL);
    step_until(result[2] != 1);
    check_eq(result[2], -ETIMEDOUT);
    check_eq(left[2].id, 2);
    check_eq(take(), 1);
    check_eq(take(), 3);
    close_channel();
}

STEP_TEST(mpsc_wait, send_now_into_a_full_channel_times_out_at_once)
{
    struct item m = item(2);

    open_full();
    check_eq(itemq_send(&tx, &m, TR_NOW), -ETIMEDOUT);
    check_eq(m.id, 2);
    check_eq(take(), 1);
    check_eq(itemq_send(&tx, &m, TR_NOW), 0, "what is ready wins");
    close_channel();
}

STEP_TEST(mpsc_wait, cancelled_sender_keeps_its_message)
{
    tr_task t;

    open_full();
    queue_sender(root, 2, TR_NEVER, &t);
    queue_sender(root, 3, TR_NEVER, NULL);
    tr_task_abort(&t);
    step_until(result[2] != 1);
    check_eq(result[2], -ECANCELED);
    check_eq(left[2].id, 2);
    check_eq(take(), 1);
    check_eq(take(), 3);
    tr_task_close(&t);
    close_channel();
}

/* A cancel that comes after the message was moved in comes too late. */
STEP_TEST(mpsc_wait, sender_that_was_served_before_the_cancel_has_sent)
{
    tr_task t;

    open_full();
    queue_sender(root, 2, TR_NEVER, &t);
    check_eq(take(), 1);
    tr_task_abort(&t);
    step_until(result[2] != 1);
    check_eq(result[2], 0);
    check_eq(left[2].id, 0);
    check_eq(take(), 2);
    tr_task_close(&t);
    close_channel();
}

static void check_sent_away(tr_scope *root, void (*end)(itemq_rx *))
{
    open_full();
    for (uint32_t id = 2; id < 50; id++) /* more than one batch of wakes */
        queue_sender(root, id, TR_NEVER, NULL);
    end(&rx);
    for (uint32_t id = 2; id < 50; id++) {
        step_until(result[id] != 1);
        need_eq(result[id], -EPIPE);
        need_eq(left[id].id, id);
    }
}

STEP_TEST(mpsc_wait, shut_sends_waiting_senders_away_with_their_messages)
{
    check_sent_away(root, itemq_rx_shut);
    check_eq(take(), 1);
    close_channel();
}

STEP_TEST(mpsc_wait, close_sends_waiting_senders_away_with_their_messages)
{
    check_sent_away(root, itemq_rx_close);
    check_eq(n_dropped, 1);
    close_channel();
}

/* Some of those to be woken together have been woken otherwise, and some have gone by then. */
STEP_TEST(mpsc_wait, those_that_need_no_wake_do_not_lose_the_others_of_a_batch)
{
    tr_task t[64];

    open_full();
    for (uint32_t id = 2; id < 60; id++)
        queue_sender(root, id, TR_NEVER, &t[id]);
    for (uint32_t id = 5; id < 60; id += 7)
        tr_task_abort(&t[id]); /* woken, and still in line */
    for (uint32_t id = 3; id < 10; id++) {
        tr_task_abort(&t[id]);
        step_until(result[id] != 1); /* gone */
    }
    itemq_rx_shut(&rx);
    for (uint32_t id = 2; id < 60; id++) {
        step_until(result[id] != 1);
        check(result[id] == -EPIPE || result[id] == -ECANCELED);
        need_eq(left[id].id, id);
        tr_task_close(&t[id]);
    }
    check_eq(take(), 1);
    close_channel();
}

/* ---- an arm that was granted a place and loses ---- */

static tr_notify other = TR_NOTIFY_INIT;

TR_TASK(chooser, struct job, job_drop);

/* Sends only if nobody notifies: arm 0 wins whenever both are ready. */
static int chooser(struct job *j)
{
    tr_arm arms[2] = { tr_notify_wait_arm(&other), itemq_send_arm(&j->tx, &j->m) };
    int i = tr_select_first(j->deadline, arms, 2);

    *j->ret_left = j->m;
    *j->ret_result = i < 0 ? i : 100 + i;
    return 0;
}

static void queue_chooser(tr_scope *root, uint32_t id)
{
    struct job j = { itemq_tx_clone(&tx), TR_NEVER, item(id), &result[id], &left[id] };
    unsigned n = n_in_line(rx.end.chan);

    result[id] = 1;
    need_eq(chooser_spawn(root, &j, NULL), 0);
    step_until(n_in_line(rx.end.chan) == n + 1);
}

/* The first in line is told of the place; before it runs, its other arm is ready as well. */
static void grant_and_take_back(uint32_t id)
{
    check_eq(take(), 1);
    tr_notify_one(&other);
    step_until(result[id] != 1);
    check_eq(result[id], 100, "the other arm won");
    check_eq(left[id].id, id, "nothing was sent");
}

STEP_TEST(mpsc_wait, place_of_a_granted_arm_that_loses_serves_the_next_sender)
{
    open_full();
    queue_chooser(root, 2);
    queue_sender(root, 3, TR_NEVER, NULL);
    queue_sender(root, 4, TR_NEVER, NULL);
    grant_and_take_back(2);
    step_until(result[3] != 1); /* no message was received meanwhile */
    check_eq(result[3], 0);
    check_eq(result[4], 1);
    check_eq(take(), 3);
    check_eq(take(), 4);
    close_channel();
}

STEP_TEST(mpsc_wait, place_of_a_granted_arm_that_loses_is_told_to_the_next_arm)
{
    open_full();
    queue_chooser(root, 2);
    queue_chooser(root, 3);
    grant_and_take_back(2);
    step_until(result[3] != 1);
    check_eq(result[3], 101, "its send");
    check_eq(take(), 3);
    close_channel();
}

STEP_TEST(mpsc_wait, place_of_a_granted_arm_that_loses_and_was_alone_is_anybodys)
{
    struct item m = item(9);

    open_full();
    queue_chooser(root, 2);
    grant_and_take_back(2);
    check_eq(n_in_line(rx.end.chan), 0);
    check_eq(itemq_try_send(&tx, &m), 0);
    check_eq(take(), 9);
    close_channel();
}

/* An arm that was not granted anything leaves from the middle of the line. */
STEP_TEST(mpsc_wait, arm_that_loses_without_a_place_leaves_the_line_as_it_is)
{
    open_full();
    queue_sender(root, 2, TR_NEVER, NULL);
    queue_chooser(root, 3);
    queue_sender(root, 4, TR_NEVER, NULL);
    tr_notify_one(&other);
    step_until(result[3] != 1);
    check_eq(result[3], 100);
    check_eq(n_in_line(rx.end.chan), 2);
    check_eq(take(), 1);
    check_eq(take(), 2);
    check_eq(take(), 4);
    close_channel();
}

/* ---- receiving ---- */

TR_TASK(receiver, struct job, job_drop);

static int receiver(struct job *j)
{
    *j->ret_result = itemq_recv(&rx, j->deadline, j->ret_left);
    return 0;
}

/* Starts a receiver and waits until it sleeps. */
static void park_receiver(tr_scope *scope, tr_time deadline, tr_task *ret_task)
{
    struct job j = { .deadline = deadline, .ret_result = &result[0], .ret_left = &left[0] };
    struct tr_task_opts opts = { .ret_task = ret_task };

    need_eq(itemq_new(2, &tx, &rx), 0);
    result[0] = 1;
    need_eq(receiver_spawn(scope, &j, &opts), 0);
    step_until(is_rx_parked(tx.end.chan));
}

STEP_TEST(mpsc_wait, receiver_waits_for_a_message)
{
    struct item m = item(5);

    park_receiver(root, TR_NEVER, NULL);
    check_eq(itemq_send(&tx, &m, TR_NEVER), 0);
    step_until(result[0] != 1);
    check_eq(result[0], 0);
    check_eq(left[0].id, 5);
    close_channel();
}

STEP_TEST(mpsc_wait, receiver_wakes_when_the_last_sender_goes)
{
    itemq_tx clone;

    park_receiver(root, TR_NEVER, NULL);
    clone = itemq_tx_clone(&tx);
    itemq_tx_close(&clone);
    need_eq(tr_yield(), 0);
    check_eq(result[0], 1);
    itemq_tx_close(&tx);
    step_until(result[0] != 1);
    check_eq(result[0], -EPIPE);
    close_channel();
}

STEP_TEST(mpsc_wait, receive_ends_by_its_deadline_and_loses_nothing)
{
    struct item m = item(3);

    park_receiver(root, tr_after(TR_MS(2)), NULL);
    step_until(result[0] != 1);
    check_eq(result[0], -ETIMEDOUT);
    check(!is_rx_parked(tx.end.chan));
    check_eq(itemq_recv(&rx, TR_NOW, &left[1]), -ETIMEDOUT);
    check_eq(itemq_send(&tx, &m, TR_NEVER), 0);
    check_eq(itemq_recv(&rx, TR_NOW, &m), 0, "what is ready wins over a passed deadline");
    check_eq(m.id, 3);
    close_channel();
}

STEP_TEST(mpsc_wait, cancelled_receive_has_taken_nothing)
{
    struct item m = item(3);
    tr_task t;

    park_receiver(root, TR_NEVER, &t);
    tr_task_abort(&t);
    step_until(result[0] != 1);
    check_eq(result[0], -ECANCELED);
    check_eq(itemq_try_send(&tx, &m), 0);
    check_eq(take(), 3);
    tr_task_close(&t);
    close_channel();
}

STEP_TEST(mpsc_wait, receive_until_drain_ends_by_the_drain)
{
    tr_scope s = tr_scope_open(NULL);

    park_receiver(&s, TR_UNTIL_DRAIN, NULL);
    check_eq(tr_scope_drain(&s, tr_after(TR_S(10))), 0);
    check_eq(result[0], -ESHUTDOWN);
    tr_scope_end(&s);
    close_channel();
}

TR_TASK(many_receiver, struct job, job_drop);

static int many_receiver(struct job *j)
{
    *j->ret_result = (int)itemq_recv_many(&rx, 4, j->deadline, j->ret_left);
    return 0;
}

STEP_TEST(mpsc_wait, cancelled_recv_many_has_taken_nothing)
{
    struct job j = { .deadline = TR_NEVER, .ret_result = &result[0], .ret_left = left };
    struct item m = item(3);
    tr_task t;

    need_eq(itemq_new(4, &tx, &rx), 0);
    result[0] = 100;
    need_eq(many_receiver_spawn(root, &j, &(struct tr_task_opts){ .ret_task = &t }), 0);
    step_until(is_rx_parked(tx.end.chan));
    tr_task_abort(&t);
    step_until(result[0] != 100);
    check_eq(result[0], -ECANCELED);
    check_eq(itemq_try_send(&tx, &m), 0);
    m = item(4);
    check_eq(itemq_try_send(&tx, &m), 0);
    check_eq(itemq_recv_many(&rx, 4, TR_NOW, left), 2);
    check_eq(left[0].id, 3);
    check_eq(left[1].id, 4);
    tr_task_close(&t);
    close_channel();
}

STEP_TEST(mpsc_wait, recv_many_takes_what_is_there)
{
    struct item got[8] = { { 0 } };

    open_full();
    for (uint32_t id = 2; id <= 4; id++)
        queue_sender(root, id, TR_NEVER, NULL);
    check_eq(itemq_recv_many(&rx, 0, TR_NEVER, got), 0);
    check_eq(itemq_recv_many(&rx, 8, TR_NEVER, got), 1, "those in line were not there yet");
    check_eq(got[0].id, 1);
    check_eq(take(), 2);
    check_eq(itemq_recv_many(&rx, 8, TR_NEVER, got), 1);
    check_eq(take(), 4);
    itemq_tx_close(&tx);
    step_until(result[4] != 1);
    check_eq(itemq_recv_many(&rx, 8, TR_NEVER, got), -EPIPE);
    itemq_rx_close(&rx);
}

STEP_TEST(mpsc_wait, recv_many_keeps_the_order_up_to_its_limit)
{
    struct item got[100] = { { 0 } };
    struct item m;

    need_eq(itemq_new(TR_UNBOUNDED, &tx, &rx), 0);
    for (uint32_t id = 1; id <= 99; id++) {
        m = item(id);
        need_eq(itemq_send(&tx, &m, TR_NEVER), 0);
    }
    check_eq(itemq_recv_many(&rx, 70, TR_NEVER, got), 70);
    check_eq(itemq_recv_many(&rx, 70, TR_NEVER, got + 70), 29);
    for (uint32_t id = 1; id <= 99; id++)
        need_eq(got[id - 1].id, id);
    check_eq(itemq_recv_many(&rx, 70, TR_NOW, got), -ETIMEDOUT);
    close_channel();
}
