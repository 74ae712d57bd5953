/* SPDX-License-Identifier: MIT */
/*
 * test_broadcast_wait.c - receivers and senders that wait, and the wait for the last receiver:
 * who is woken and who is not, deadlines, cancel, ends, select, plain threads.
 */
#include "config.h"

#include <errno.h>
#include <pthread.h>

#include "chan/broadcast.h"
#include "chan/step.h"

TR_BROADCAST(numb, uint64_t, tr_copy, tr_nodrop);

enum { N = 64 };

/* A task that receives or sends once, and says how that ended. */
struct job {
    numb_rx rx;
    numb_tx tx;
    tr_time deadline;
    uint64_t v;
    int *ret_result;
    uint64_t *ret_v;
};

static void job_drop(struct job *j)
{
    numb_rx_close(&j->rx);
    numb_tx_close(&j->tx);
}

TR_TASK(receiver, struct job, job_drop);
TR_TASK(sender, struct job, job_drop);
TR_TASK(closer, struct job, job_drop);

static numb_tx tx;
static numb_rx rx;
static int result[N];
static uint64_t value[N];
static unsigned n_begun;

TR_SUITE(broadcast_wait, .races = true, .timeout = 20);

static int receiver(struct job *j)
{
    n_begun++;
    *j->ret_result = numb_recv(&j->rx, j->deadline, j->ret_v);
    return 0;
}

static int sender(struct job *j)
{
    n_begun++;
    *j->ret_result = numb_send(&j->tx, &j->v, j->deadline);
    *j->ret_v = j->v;
    return 0;
}

static int closer(struct job *j)
{
    n_begun++;
    *j->ret_result = numb_closed(&j->tx, j->deadline);
    return 0;
}

static void open_channel(size_t capacity, unsigned flags)
{
    need_eq(numb_new(capacity, flags, &tx, &rx), 0);
}

static void close_channel(void)
{
    numb_tx_close(&tx);
    numb_rx_close(&rx);
}

static void send_number(uint64_t v)
{
    need_gt(numb_try_send(&tx, &v), 0);
}

static int64_t take(numb_rx *r)
{
    uint64_t v;
    int e = numb_try_recv(r, &v);

    return e < 0 ? e : (int64_t)v;
}

/* Starts job @i and waits until it has parked: with one worker, one that has begun. */
static void park(tr_scope *s, unsigned i, tr_time deadline, tr_task *ret_task)
{
    const struct tr_task_opts opts = { .ret_task = ret_task };
    struct job j = { .deadline = deadline, .ret_result = &result[i], .ret_v = &value[i] };

    result[i] = 1000;
    n_begun = 0;
    need_eq(numb_subscribe(&tx, 0, &j.rx), 0);
    need_eq(receiver_spawn(s, &j, &opts), 0);
    step_until(n_begun == 1);
}

static void park_sender(tr_scope *s, unsigned i, uint64_t v, tr_time deadline, tr_task *ret_task)
{
    const struct tr_task_opts opts = { .ret_task = ret_task };
    struct job j = { .deadline = deadline, .v = v, .ret_result = &result[i], .ret_v = &value[i] };

    result[i] = 1000;
    n_begun = 0;
    j.tx = numb_tx_clone(&tx);
    need_eq(sender_spawn(s, &j, &opts), 0);
    step_until(n_begun == 1);
}

/* ---- receivers ---- */

TR_TEST(broadcast_wait, waiting_forms_outside_of_a_task_are_refused)
{
    uint64_t v = 1;

    open_channel(2, 0);
    check_eq(numb_recv(&rx, TR_NEVER, &v), -EPERM);
    check_eq(numb_send(&tx, &v, TR_NEVER), -EPERM);
    check_eq(numb_closed(&tx, TR_NEVER), -EPERM);
    check_eq(v, 1);
    close_channel();
}

STEP_TEST(broadcast_wait, blocking_forms_in_a_task_are_refused)
{
    uint64_t v = 1;

    open_channel(2, 0);
    check_eq(numb_blocking_recv(&rx, TR_NEVER, &v), -EDEADLK);
    check_eq(numb_blocking_send(&tx, &v, TR_NEVER), -EDEADLK);
    check_eq(numb_blocking_closed(&tx, TR_NEVER), -EDEADLK);
    check_eq(v, 1);
    close_channel();
}

STEP_TEST(broadcast_wait, send_wakes_every_waiting_receiver)
{
    open_channel(4, 0);
    for (unsigned i = 0; i < N; i++)
        park(root, i, TR_NEVER, NULL);
    send_number(7);
    for (unsigned i = 0; i < N; i++) {
        step_until(result[i] != 1000);
        need_eq(result[i], 0);
        need_eq(value[i], 7);
    }
    close_channel();
}

STEP_TEST(broadcast_wait, last_sender_wakes_every_waiting_receiver)
{
    numb_tx other;

    open_channel(4, 0);
    other = numb_tx_clone(&tx);
    for (unsigned i = 0; i < N; i++)
        park(root, i, TR_NEVER, NULL);
    numb_tx_close(&tx);
    need_eq(tr_yield(), 0);
    check_eq(result[0], 1000, "one sender is left");
    numb_tx_close(&other);
    for (unsigned i = 0; i < N; i++) {
        step_until(result[i] != 1000);
        need_eq(result[i], -EPIPE);
    }
    close_channel();
}

STEP_TEST(broadcast_wait, receiver_ends_by_its_deadline_by_cancel_and_by_the_drain)
{
    tr_scope s = tr_scope_open(NULL);
    tr_task t;

    open_channel(4, 0);
    park(&s, 0, tr_after(TR_MS(1)), NULL);
    park(&s, 1, TR_NEVER, &t);
    park(&s, 2, TR_UNTIL_DRAIN, NULL);
    step_until(result[0] != 1000);
    check_eq(result[0], -ETIMEDOUT);
    tr_task_abort(&t);
    step_until(result[1] != 1000);
    check_eq(result[1], -ECANCELED);
    tr_task_close(&t);
    check_eq(tr_scope_drain(&s, tr_after(TR_S(10))), 0);
    check_eq(result[2], -ESHUTDOWN);
    tr_scope_end(&s);
    send_number(1);
    check_eq(take(&rx), 1);
    close_channel();
}

/* The cancel comes after the message: what is ready wins. */
STEP_TEST(broadcast_wait, message_before_the_cancel_is_received)
{
    tr_task t;

    open_channel(4, 0);
    park(root, 0, TR_NEVER, &t);
    send_number(5);
    tr_task_abort(&t);
    step_until(result[0] != 1000);
    check_eq(result[0], 0);
    check_eq(value[0], 5);
    tr_task_close(&t);
    close_channel();
}

/* The other order: one that was cancelled leaves the wake to the others. */
STEP_TEST(broadcast_wait, cancel_before_the_message_does_not_keep_the_others_asleep)
{
    tr_task t;

    open_channel(4, 0);
    park(root, 0, TR_NEVER, NULL);
    park(root, 1, TR_NEVER, &t); /* the first that a send finds */
    tr_task_abort(&t);
    send_number(5);
    step_until(result[1] != 1000);
    step_until(result[0] != 1000);
    check_eq(result[0], 0);
    check_eq(value[0], 5);
    tr_task_close(&t);
    close_channel();
}

/* The one that has to wake the others is cancelled after it was woken. */
STEP_TEST(broadcast_wait, one_that_is_woken_and_cancelled_wakes_the_others_all_the_same)
{
    tr_task t;

    open_channel(1, 0);
    for (unsigned i = 0; i + 1 < N; i++)
        park(root, i, TR_NEVER, NULL);
    park(root, N - 1, TR_NEVER, &t);
    send_number(5);
    tr_task_abort(&t);
    for (unsigned i = 0; i < N; i++) {
        step_until(result[i] != 1000);
        need_eq(result[i], 0);
    }
    tr_task_close(&t);
    close_channel();
}

STEP_TEST(broadcast_wait, lag_is_a_ready_arm)
{
    uint64_t v = 0;
    tr_arm arms[2];

    open_channel(2, 0);
    arms[0] = numb_recv_arm(&rx, &v);
    arms[1] = numb_recv_arm(NULL, &v);
    check_eq(tr_select(tr_after(TR_MS(1)), arms, 2), -ETIMEDOUT);
    for (uint64_t i = 1; i <= 3; i++)
        send_number(i);
    check_eq(tr_select(TR_NEVER, arms, 2), 0);
    check_eq(arms[0].result, -ESTALE);
    check_eq(numb_lost(&rx), 1);
    check_eq(tr_select(TR_NEVER, arms, 2), 0);
    check_eq(arms[0].result, 0);
    check_eq(v, 2);
    numb_tx_close(&tx);
    check_eq(tr_select(TR_NEVER, arms, 2), 0);
    check_eq(v, 3);
    check_eq(tr_select(TR_NEVER, arms, 2), 0);
    check_eq(arms[0].result, -EPIPE);
    close_channel();
}

TR_TASK(chooser, struct job, job_drop);

/* The same end in two arms: one of them gets the message. */
static int chooser(struct job *j)
{
    uint64_t v[2] = { 0, 0 };
    tr_arm arms[2] = { numb_recv_arm(&j->rx, &v[0]), numb_recv_arm(&j->rx, &v[1]) };

    n_begun++;
    *j->ret_result = tr_select(j->deadline, arms, 2);
    *j->ret_v = v[0] + v[1];
    return 0;
}

STEP_TEST(broadcast_wait, select_over_one_end_twice_takes_the_message_once)
{
    struct job j = { .deadline = TR_NEVER, .ret_result = &result[0], .ret_v = &value[0] };

    open_channel(2, 0);
    result[0] = 1000;
    need_eq(numb_subscribe(&tx, 0, &j.rx), 0);
    need_eq(chooser_spawn(root, &j, NULL), 0);
    step_until(n_begun == 1);
    send_number(9);
    step_until(result[0] != 1000);
    check_ge(result[0], 0);
    check_eq(value[0], 9);
    close_channel();
}

struct thread {
    pthread_t id;
    numb_rx rx;
    uint64_t sum;
    int r;
};

static void *receive_all(void *arg)
{
    struct thread *t = arg;
    uint64_t v;

    while ((t->r = numb_blocking_recv(&t->rx, TR_NEVER, &v)) == 0)
        t->sum += v;
    return NULL;
}

TR_TEST(broadcast_wait, threads_receive_what_a_thread_sends)
{
    struct thread t[3] = { { .sum = 0 } };
    uint64_t v;

    need_eq(numb_new(4, TR_BROADCAST_WAIT, &tx, NULL), 0);
    for (int i = 0; i < 3; i++) {
        need_eq(numb_subscribe(&tx, 0, &t[i].rx), 0);
        need_eq(pthread_create(&t[i].id, NULL, receive_all, &t[i]), 0);
    }
    for (uint64_t i = 1; i <= 1000; i++) {
        v = i;
        need_eq(numb_blocking_send(&tx, &v, TR_NEVER), 3);
    }
    numb_tx_close(&tx);
    for (int i = 0; i < 3; i++) {
        pthread_join(t[i].id, NULL);
        check_eq(t[i].sum, 500500);
        check_eq(t[i].r, -EPIPE);
        numb_rx_close(&t[i].rx);
    }
}

/* ---- senders ---- */

static void open_full(void)
{
    open_channel(1, TR_BROADCAST_WAIT);
    send_number(1);
}

STEP_TEST(broadcast_wait, waiting_senders_are_served_in_the_order_in_which_they_came)
{
    uint64_t v = 99;

    open_full();
    for (unsigned i = 2; i < N; i++)
        park_sender(root, i, i, TR_NEVER, NULL);
    for (unsigned i = 1; i < N; i++) {
        need_eq(take(&rx), i);
        need_eq(numb_try_send(&tx, &v), i + 1 < N ? -EAGAIN : 1, "nobody overtakes");
        if (i + 1 < N)
            step_until(result[i + 1] == 1);
    }
    check_eq(value[N - 1], 0, "moved");
    close_channel();
}

STEP_TEST(broadcast_wait, sender_waits_for_the_slowest_of_several)
{
    numb_rx second;

    open_channel(1, TR_BROADCAST_WAIT);
    need_eq(numb_subscribe(&tx, 0, &second), 0);
    send_number(1);
    park_sender(root, 2, 2, TR_NEVER, NULL);
    check_eq(take(&rx), 1);
    need_eq(tr_yield(), 0);
    check_eq(result[2], 1000);
    check_eq(take(&second), 1);
    step_until(result[2] == 2);
    park_sender(root, 3, 3, TR_NEVER, NULL);
    check_eq(take(&rx), 2);
    need_eq(tr_yield(), 0);
    check_eq(result[3], 1000);
    numb_rx_close(&second);
    step_until(result[3] == 1);
    check_eq(take(&rx), 3);
    close_channel();
}

STEP_TEST(broadcast_wait, last_receiver_that_goes_gives_every_waiting_sender_its_message_back)
{
    open_full();
    for (unsigned i = 2; i < N; i++)
        park_sender(root, i, i, TR_NEVER, NULL);
    numb_rx_close(&rx);
    for (unsigned i = 2; i < N; i++) {
        step_until(result[i] != 1000);
        need_eq(result[i], -EPIPE);
        need_eq(value[i], i);
    }
    close_channel();
}

STEP_TEST(broadcast_wait, sender_that_gives_up_leaves_its_place_to_the_next)
{
    tr_task t;

    open_full();
    park_sender(root, 2, 2, tr_after(TR_MS(1)), NULL);
    park_sender(root, 3, 3, TR_NEVER, &t);
    park_sender(root, 4, 4, TR_NEVER, NULL);
    step_until(result[2] != 1000);
    check_eq(result[2], -ETIMEDOUT);
    check_eq(value[2], 2, "still its own");
    tr_task_abort(&t);
    step_until(result[3] != 1000);
    check_eq(result[3], -ECANCELED);
    check_eq(take(&rx), 1);
    step_until(result[4] == 1);
    check_eq(take(&rx), 4);
    tr_task_close(&t);
    close_channel();
}

/* Room, then the cancel: the send is performed. */
STEP_TEST(broadcast_wait, room_before_the_cancel_lets_the_sender_send)
{
    tr_task t;

    open_full();
    park_sender(root, 2, 2, TR_NEVER, &t);
    check_eq(take(&rx), 1);
    tr_task_abort(&t);
    step_until(result[2] != 1000);
    check_eq(result[2], 1);
    check_eq(take(&rx), 2);
    tr_task_close(&t);
    close_channel();
}

TR_TASK(chooses_to_send, struct job, job_drop);

static int chooses_to_send(struct job *j)
{
    tr_arm arms[2] = { numb_send_arm(&j->tx, &j->v), numb_send_arm(NULL, &j->v) };

    n_begun++;
    *j->ret_result = tr_select(j->deadline, arms, 2);
    if (*j->ret_result >= 0)
        *j->ret_result = arms[0].result;
    *j->ret_v = j->v;
    return 0;
}

static void park_chooser(tr_scope *s, unsigned i, tr_time deadline)
{
    struct job j = { .deadline = deadline, .v = i, .ret_result = &result[i], .ret_v = &value[i] };

    result[i] = 1000;
    n_begun = 0;
    j.tx = numb_tx_clone(&tx);
    need_eq(chooses_to_send_spawn(s, &j, NULL), 0);
    step_until(n_begun == 1);
}

STEP_TEST(broadcast_wait, send_arm_keeps_its_place_in_line)
{
    open_full();
    park_chooser(root, 2, TR_NEVER);
    park_sender(root, 3, 3, TR_NEVER, NULL);
    park_chooser(root, 4, tr_after(TR_MS(1)));
    park_chooser(root, 5, TR_NEVER);
    step_until(result[4] != 1000);
    check_eq(result[4], -ETIMEDOUT);
    check_eq(value[4], 4);
    for (int64_t v = 1; v <= 5; v++) {
        if (v == 4)
            continue;
        check_eq(take(&rx), v);
        for (int i = 0; i < 10; i++) /* the next in line */
            need_eq(tr_yield(), 0);
    }
    check_eq(result[5], 1);
    close_channel();
}

STEP_TEST(broadcast_wait, counts_of_a_channel_that_waits_add_up)
{
    struct tr_broadcast_counts n;

    open_full();
    park_sender(root, 2, 2, tr_after(TR_MS(1)), NULL);
    step_until(result[2] != 1000);
    need_eq(tr_yield(), 0); /* its end is closed */
    numb_tx_counts(&tx, &n);
    check_eq(n.n_sent, 2);
    check_eq(n.n_back, 1);
    check_eq(n.n_due, 1);
    check_eq(n.n_lost, 0);
    close_channel();
}

/* ---- closed ---- */

static void park_closer(tr_scope *s, unsigned i, tr_time deadline)
{
    struct job j = { .deadline = deadline, .ret_result = &result[i] };

    result[i] = 1000;
    n_begun = 0;
    j.tx = numb_tx_clone(&tx);
    need_eq(closer_spawn(s, &j, NULL), 0);
    step_until(n_begun == 1);
}

STEP_TEST(broadcast_wait, closed_waits_for_the_last_receiver)
{
    numb_rx second;

    open_channel(2, 0);
    need_eq(numb_subscribe(&tx, 0, &second), 0);
    check_eq(numb_closed(&tx, TR_NOW), -ETIMEDOUT);
    for (unsigned i = 0; i < N; i++) /* more than one batch of wakes */
        park_closer(root, i, TR_NEVER);
    numb_rx_close(&rx);
    need_eq(tr_yield(), 0);
    check_eq(result[0], 1000);
    numb_rx_close(&second);
    for (unsigned i = 0; i < N; i++) {
        step_until(result[i] != 1000);
        need_eq(result[i], 0);
    }
    check_eq(numb_closed(&tx, TR_NOW), 0);
    close_channel();
}

STEP_TEST(broadcast_wait, closed_that_was_woken_waits_on_for_a_new_receiver)
{
    numb_rx late;

    open_channel(2, 0);
    park_closer(root, 0, TR_NEVER);
    park_closer(root, 1, tr_after(TR_MS(1)));
    step_until(result[1] != 1000);
    check_eq(result[1], -ETIMEDOUT);
    numb_rx_close(&rx);
    need_eq(numb_subscribe(&tx, 0, &late), 0);
    for (int i = 0; i < 10; i++)
        need_eq(tr_yield(), 0);
    check_eq(result[0], 1000);
    numb_rx_close(&late);
    step_until(result[0] == 0);
    close_channel();
}

STEP_TEST(broadcast_wait, channel_made_without_a_receiver_is_closed_until_there_is_one)
{
    tr_arm arm;

    need_eq(numb_new(2, 0, &tx, NULL), 0);
    arm = numb_closed_arm(&tx);
    check_eq(numb_closed(&tx, TR_NOW), 0);
    check_eq(tr_select(TR_NOW, &arm, 1), 0);
    need_eq(numb_subscribe(&tx, 0, &rx), 0);
    check_eq(tr_select(TR_NOW, &arm, 1), -ETIMEDOUT);
    numb_rx_close(&rx);
    check_eq(tr_select(TR_NOW, &arm, 1), 0);
    check_eq(arm.result, 0);
    close_channel();
}

STEP_TEST(broadcast_wait, receiver_that_fails_completes_closed)
{
    uint64_t v;

    need_eq(numb_new(1, 0, &tx, NULL), 0);
    need_eq(numb_subscribe(&tx, TR_BROADCAST_FAIL, &rx), 0);
    park_closer(root, 0, TR_NEVER);
    send_number(1);
    send_number(2);
    check_eq(numb_try_recv(&rx, &v), -ESTALE);
    step_until(result[0] == 0);
    close_channel();
}

static void *close_late(void *unused)
{
    (void)unused;
    numb_rx_close(&rx);
    return NULL;
}

TR_TEST(broadcast_wait, thread_waits_for_the_last_receiver)
{
    pthread_t thread;

    open_channel(2, 0);
    check_eq(numb_blocking_closed(&tx, TR_NOW), -ETIMEDOUT);
    need_eq(pthread_create(&thread, NULL, close_late, NULL), 0);
    check_eq(numb_blocking_closed(&tx, TR_NEVER), 0);
    pthread_join(thread, NULL);
    close_channel();
}
