/* SPDX-License-Identifier: MIT */
/* test_oneshot.c - one value from one sender to one receiver: who has it, and who drops it. */
#include "config.h"

#include <errno.h>
#include <pthread.h>

#include "chan/items.h"
#include "mem/alloc.h"
#include "sched/kit.h"

TR_ONESHOT(answer, struct item, item_drop);

/* A value that holds the sending end through which it is sent. */
struct knot {
    tr_oneshot_tx end;
    uint64_t id;
};

static void knot_drop(struct knot *k)
{
    n_dropped += k->id != 0;
    tr_oneshot_tx_close(&k->end);
}

TR_ONESHOT(knots, struct knot, knot_drop);

static void open_channel(void);

struct job {
    tr_time deadline;
};

TR_TASK(receiver, struct job, tr_nodrop);
TR_TASK(watcher, struct job, tr_nodrop);

static answer_tx tx;
static answer_rx rx;
static struct item got;
static int result;

TR_SUITE(oneshot, .init = open_channel, .timeout = 20);

static void open_channel(void)
{
    need_eq(answer_new(&tx, &rx), 0);
}

static void close_channel(void)
{
    answer_tx_close(&tx);
    answer_rx_close(&rx);
}

static int send_id(uint32_t id)
{
    struct item m = item(id);
    int r = answer_send(&tx, &m);

    check_eq(m.id, r == 0 ? 0 : id, "moved, or kept");
    check_eq(tx.end.cell, NULL, "empty, whatever the outcome");
    return r;
}

TR_TEST(oneshot, receiver_gets_the_value_once)
{
    check_eq(answer_try_recv(&rx, &got), -EAGAIN);
    check_eq(send_id(5), 0);
    check_eq(answer_try_recv(&rx, &got), 0);
    check_eq(got.id, 5);
    check_eq(answer_try_recv(&rx, &got), -EPIPE);
    close_channel();
    check_eq(n_dropped, 0);
}

TR_TEST(oneshot, value_never_taken_is_dropped_by_the_receivers_close)
{
    check_eq(send_id(5), 0);
    check_eq(n_dropped, 0);
    close_channel();
    check_eq(n_dropped, 1);
    check_eq(n_dropped_of[5], 1);
}

TR_TEST(oneshot, refused_value_stays_with_the_sender)
{
    check(!answer_tx_is_closed(&tx));
    answer_rx_close(&rx);
    check(answer_tx_is_closed(&tx));
    check_eq(send_id(5), -EPIPE);
    check_eq(n_dropped, 0);
}

TR_TEST(oneshot, sender_that_closes_ends_the_wait)
{
    answer_tx_close(&tx);
    check_eq(answer_try_recv(&rx, &got), -EPIPE);
    check_eq(answer_blocking_recv(&rx, TR_NEVER, &got), -EPIPE);
    close_channel();
}

TR_TEST(oneshot, shut_refuses_a_later_value)
{
    answer_rx_shut(&rx);
    answer_rx_shut(&rx);
    check(answer_tx_is_closed(&tx));
    check_eq(answer_try_recv(&rx, &got), -EPIPE);
    check_eq(send_id(5), -EPIPE);
    check_eq(answer_try_recv(&rx, &got), -EPIPE);
    close_channel();
    check_eq(n_dropped, 0);
}

TR_TEST(oneshot, shut_delivers_an_earlier_value)
{
    check_eq(send_id(5), 0);
    answer_rx_shut(&rx);
    check_eq(answer_try_recv(&rx, &got), 0);
    check_eq(got.id, 5);
    answer_rx_shut(&rx); /* nothing is left to refuse */
    check_eq(answer_try_recv(&rx, &got), -EPIPE);
    close_channel();
    check_eq(n_dropped, 0);
}

TR_TEST(oneshot, receiver_knows_whether_a_value_is_there_and_whether_one_may_come)
{
    check_eq(answer_rx_is_empty(&rx), true, "before the send");
    check_eq(answer_rx_is_closed(&rx), false);
    check_eq(send_id(1), 0);
    check_eq(answer_rx_is_empty(&rx), false);
    check_eq(answer_rx_is_closed(&rx), false, "the value can be received");
    answer_rx_shut(&rx);
    check_eq(answer_rx_is_empty(&rx), false, "also after the shut");
    check_eq(answer_try_recv(&rx, &got), 0);
    check_eq(answer_rx_is_empty(&rx), true, "it was taken");
    check_eq(answer_rx_is_closed(&rx), true);
    close_channel();
    check_eq(answer_rx_is_empty(&rx), true);
    check_eq(answer_rx_is_closed(&rx), true);
}

TR_TEST(oneshot, receiver_knows_that_no_value_will_come)
{
    answer_tx_close(&tx);
    check_eq(answer_rx_is_empty(&rx), true);
    check_eq(answer_rx_is_closed(&rx), true);
    answer_rx_close(&rx);
    open_channel();
    answer_rx_shut(&rx);
    check_eq(answer_rx_is_closed(&rx), true);
    close_channel();
}

/* The end is there at once, and known by a question; seen it is by a receive only. */
TR_TEST(oneshot, receiver_is_done_when_it_has_seen_the_end_and_not_before)
{
    check_eq(answer_rx_is_done(&rx), false);
    check_eq(answer_try_recv(&rx, &got), -EAGAIN);
    check_eq(answer_blocking_recv(&rx, TR_NOW, &got), -ETIMEDOUT);
    check_eq(answer_rx_is_done(&rx), false, "not by a receive in vain");
    check_eq(send_id(1), 0);
    check_eq(answer_rx_is_done(&rx), false, "nor by the send");
    answer_rx_shut(&rx);
    check_eq(answer_rx_is_done(&rx), false, "nor by the shut");
    check_eq(answer_try_recv(&rx, &got), 0);
    check_eq(answer_rx_is_done(&rx), true);
    close_channel();
    check_eq(answer_rx_is_done(&rx), true, "an empty end");

    open_channel();
    answer_tx_close(&tx);
    check_eq(answer_rx_is_done(&rx), false, "nor by the end of the sender");
    check_eq(answer_try_recv(&rx, &got), -EPIPE);
    check_eq(answer_rx_is_done(&rx), true);
    close_channel();
}

TR_TEST(oneshot, empty_end_is_misuse_and_closing_it_does_nothing)
{
    struct item m = item(1);

    close_channel();
    close_channel();
    check_eq(answer_send(&tx, &m), -EINVAL);
    check_eq(m.id, 1);
    check_eq(answer_closed(&tx, TR_NEVER), -EINVAL);
    check_eq(answer_recv(&rx, TR_NEVER, &m), -EINVAL);
    check_eq(answer_try_recv(&rx, &m), -EINVAL);
    check_eq(answer_blocking_recv(&rx, TR_NEVER, &m), -EINVAL);
    check(answer_tx_is_closed(&tx));
    answer_rx_shut(&rx);
    check_eq(tr_oneshot_new(NULL, &tx.end, &rx.end), -EINVAL);
}

TR_TEST(oneshot, sender_may_lie_inside_its_value)
{
    struct knot k = { { NULL }, 7 }, out;
    knots_tx ktx;
    knots_rx krx;

    need_eq(knots_new(&ktx, &krx), 0);
    k.end = ktx.end;
    check_eq(tr_oneshot_send(&k.end, &k), 0);
    check_eq(knots_try_recv(&krx, &out), 0);
    check_eq(out.end.cell, NULL);
    check_eq(out.id, 7);
    knots_rx_close(&krx);

    need_eq(knots_new(&ktx, &krx), 0);
    k = (struct knot){ ktx.end, 8 };
    knots_rx_close(&krx);
    check_eq(tr_oneshot_send(&k.end, &k), -EPIPE);
    check_eq(k.id, 8);
    check_eq(k.end.cell, NULL);
    close_channel();
    check_eq(n_dropped, 0);
}

TR_TEST(oneshot, new_without_memory_leaves_nothing)
{
    answer_tx t;
    answer_rx r;

    tri_mem_fail_at(1);
    check_eq(answer_new(&t, &r), -ENOMEM);
    check(tri_mem_has_failed());
    tri_mem_fail_at(0);
    close_channel();
}

TR_TEST(oneshot, every_size_arrives_whole)
{
    for (uint32_t size = 1; size <= TR_MESSAGE_MAX; size++) {
        const struct tri_type type = { "bytes", tr_nodrop, size, size % 16 == 0 ? 16 : 1 };
        _Alignas(16) unsigned char v[TR_MESSAGE_MAX], out[TR_MESSAGE_MAX + 1];
        tr_oneshot_tx t;
        tr_oneshot_rx r;
        unsigned bad = 0;

        for (uint32_t i = 0; i < size; i++)
            v[i] = (unsigned char)(size + i);
        out[size] = 0xa5;
        need_eq(tr_oneshot_new(&type, &t, &r), 0);
        need_eq(tr_oneshot_send(&t, v), 0);
        need_eq(tr_oneshot_try_recv(&r, out), 0);
        for (uint32_t i = 0; i < size; i++)
            bad += v[i] != 0 || out[i] != (unsigned char)(size + i);
        need_eq(bad + (out[size] != 0xa5), 0);
        tr_oneshot_rx_close(&r);
    }
    close_channel();
}

/* ---- waiting ---- */

TR_TEST(oneshot, waiting_forms_outside_of_a_task_are_refused)
{
    check_eq(answer_recv(&rx, TR_NEVER, &got), -EPERM);
    check_eq(answer_closed(&tx, TR_NEVER), -EPERM);
    close_channel();
}

STEP_TEST(oneshot, blocking_form_in_a_task_is_refused)
{
    check_eq(answer_blocking_recv(&rx, TR_NEVER, &got), -EDEADLK);
    close_channel();
}

static void *send_from_thread(void *unused)
{
    (void)unused;
    check_eq(send_id(6), 0);
    return NULL;
}

TR_TEST(oneshot, thread_blocks_for_the_value)
{
    pthread_t thread;

    check_eq(answer_blocking_recv(&rx, tr_after(TR_MS(1)), &got), -ETIMEDOUT);
    need_eq(pthread_create(&thread, NULL, send_from_thread, NULL), 0);
    check_eq(answer_blocking_recv(&rx, TR_NEVER, &got), 0);
    check_eq(got.id, 6);
    pthread_join(thread, NULL);
    close_channel();
}

static void *close_from_thread(void *unused)
{
    (void)unused;
    answer_rx_close(&rx);
    return NULL;
}

TR_TEST(oneshot, thread_blocks_until_nobody_wants_the_value)
{
    pthread_t thread;

    check_eq(answer_blocking_closed(&tx, tr_after(TR_MS(1))), -ETIMEDOUT);
    need_eq(pthread_create(&thread, NULL, close_from_thread, NULL), 0);
    check_eq(answer_blocking_closed(&tx, TR_NEVER), 0);
    pthread_join(thread, NULL);
    answer_tx_close(&tx);
    check_eq(answer_blocking_closed(&tx, TR_NEVER), -EINVAL);
}

static int receiver(struct job *j)
{
    result = answer_recv(&rx, j->deadline, &got);
    return 0;
}

static int watcher(struct job *j)
{
    result = answer_closed(&tx, j->deadline);
    return 0;
}

/* How often an end of the cell has parked: PARK_ONE in oneshot.c, and state comes first. */
static unsigned n_parked(void *cell)
{
    return atomic_load((atomic_uint *)cell) >> 8;
}

/* Starts a task that waits in @spawn and lets it park on the open channel. */
static void park(tr_scope *scope,
                 int (*spawn)(tr_scope *, struct job *, const struct tr_task_opts *),
                 tr_time deadline, tr_task *ret_task)
{
    struct job j = { deadline };
    struct tr_task_opts opts = { .ret_task = ret_task };
    void *cell = tx.end.cell;
    const unsigned n = n_parked(cell);

    result = 1;
    need_eq(spawn(scope, &j, &opts), 0);
    step_until(n_parked(cell) != n);
}

STEP_TEST(oneshot, receiver_waits_for_the_value)
{
    park(root, receiver_spawn, TR_NEVER, NULL);
    check_eq(send_id(5), 0);
    step_until(result != 1);
    check_eq(result, 0);
    check_eq(got.id, 5);
    close_channel();
}

STEP_TEST(oneshot, receiver_wakes_when_the_sender_goes)
{
    park(root, receiver_spawn, TR_NEVER, NULL);
    answer_tx_close(&tx);
    step_until(result != 1);
    check_eq(result, -EPIPE);
    close_channel();
}

STEP_TEST(oneshot, value_that_races_with_the_deadline_wins)
{
    check_eq(answer_recv(&rx, TR_NOW, &got), -ETIMEDOUT);
    check_eq(send_id(5), 0);
    check_eq(answer_recv(&rx, TR_NOW, &got), 0);
    check_eq(got.id, 5);
    close_channel();
}

STEP_TEST(oneshot, receiver_that_gave_up_can_wait_again)
{
    park(root, receiver_spawn, tr_after(TR_MS(1)), NULL);
    step_until(result != 1);
    check_eq(result, -ETIMEDOUT);
    park(root, receiver_spawn, TR_NEVER, NULL);
    check_eq(send_id(5), 0);
    step_until(result != 1);
    check_eq(result, 0);
    close_channel();
}

/* ---- two that wait one after the other ---- */

static tr_notify elsewhere = TR_NOTIFY_INIT;

TR_TASK(mover, struct job, tr_nodrop);
TR_TASK(other_mover, struct job, tr_nodrop);

static int mover(struct job *j)
{
    result = answer_recv(&rx, j->deadline, &got);
    return tr_notify_wait(&elsewhere, TR_NEVER);
}

static int other_mover(struct job *j)
{
    result = answer_closed(&tx, j->deadline);
    return tr_notify_wait(&elsewhere, TR_NEVER);
}

/* @first gives up and waits elsewhere; then @second waits for @end. */
static void check_only_the_latter_wakes(tr_scope *root,
                                        int (*first)(tr_scope *, struct job *,
                                                     const struct tr_task_opts *),
                                        int (*second)(tr_scope *, struct job *,
                                                      const struct tr_task_opts *),
                                        void (*end)(void))
{
    tr_task gone, waits;

    park(root, first, tr_after(TR_MS(1)), &gone);
    step_until(result != 1 && is_parked(&gone));
    check_eq(result, -ETIMEDOUT);
    park(root, second, TR_NEVER, &waits);
    step_until(is_parked(&waits));
    end();
    check(!is_parked(&waits), "it is woken");
    check(is_parked(&gone), "the one before is not");
    step_until(result != 1);
    check_eq(result, 0);
    close_channel();
    check(is_parked(&gone), "nor by the end of both ends");
    tr_notify_one(&elsewhere);
    check_eq(tr_task_join(&gone, TR_NEVER, NULL), 0);
    tr_task_close(&waits);
}

static void send_five(void)
{
    check_eq(send_id(5), 0);
}

static void shut_rx(void)
{
    answer_rx_shut(&rx);
}

static void check_gone_is_left_alone(tr_scope *root,
                                     int (*first)(tr_scope *, struct job *,
                                                  const struct tr_task_opts *),
                                     void (*end)(void))
{
    tr_task gone;

    park(root, first, tr_after(TR_MS(1)), &gone);
    step_until(result != 1 && is_parked(&gone));
    end();
    close_channel();
    check(is_parked(&gone));
    tr_notify_one(&elsewhere);
    check_eq(tr_task_join(&gone, TR_NEVER, NULL), 0);
}

STEP_TEST(oneshot, one_that_has_given_up_is_woken_by_nothing_any_more)
{
    check_gone_is_left_alone(root, mover_spawn, send_five);
    open_channel();
    check_gone_is_left_alone(root, other_mover_spawn, shut_rx);
    open_channel();
    check_gone_is_left_alone(root, mover_spawn, close_channel);
}

STEP_TEST(oneshot, of_two_receivers_in_turn_only_the_latter_is_woken)
{
    check_only_the_latter_wakes(root, mover_spawn, receiver_spawn, send_five);
}

STEP_TEST(oneshot, of_two_senders_that_wait_in_turn_only_the_latter_is_woken)
{
    check_only_the_latter_wakes(root, other_mover_spawn, watcher_spawn, shut_rx);
}

STEP_TEST(oneshot, cancelled_receive_has_taken_nothing)
{
    tr_task t;

    park(root, receiver_spawn, TR_NEVER, &t);
    tr_task_abort(&t);
    step_until(result != 1);
    check_eq(result, -ECANCELED);
    check_eq(send_id(5), 0);
    check_eq(answer_try_recv(&rx, &got), 0);
    tr_task_close(&t);
    close_channel();
}

STEP_TEST(oneshot, closed_ends_when_nobody_wants_the_value)
{
    park(root, watcher_spawn, TR_NEVER, NULL);
    answer_rx_shut(&rx);
    step_until(result != 1);
    check_eq(result, 0);
    close_channel();

    need_eq(answer_new(&tx, &rx), 0);
    park(root, watcher_spawn, TR_NEVER, NULL);
    answer_rx_close(&rx);
    step_until(result != 1);
    check_eq(result, 0);
    check_eq(answer_closed(&tx, TR_NOW), 0, "and at once afterwards");
    close_channel();
}

STEP_TEST(oneshot, closed_keeps_its_deadline)
{
    check_eq(answer_closed(&tx, tr_after(TR_MS(1))), -ETIMEDOUT);
    check_eq(send_id(5), 0);
    close_channel();
    check_eq(n_dropped, 1);
}

STEP_TEST(oneshot, arms_are_ready_with_the_value_and_with_the_end)
{
    tr_arm arms[2] = { answer_recv_arm(&rx, &got), answer_closed_arm(&tx) };

    check_eq(tr_select(tr_after(TR_MS(1)), arms, 2), -ETIMEDOUT);
    check_eq(send_id(5), 0);
    arms[1] = answer_closed_arm(NULL);
    check_eq(tr_select(TR_NEVER, arms, 2), 0);
    check_eq(arms[0].result, 0);
    check_eq(got.id, 5);
    check_eq(tr_select(TR_NEVER, arms, 2), 0);
    check_eq(arms[0].result, -EPIPE);
    close_channel();

    need_eq(answer_new(&tx, &rx), 0);
    arms[0] = answer_recv_arm(NULL, NULL);
    arms[1] = answer_closed_arm(&tx);
    answer_rx_close(&rx);
    check_eq(tr_select(TR_NEVER, arms, 2), 1);
    check_eq(arms[1].result, 0);
    close_channel();
}
