/* SPDX-License-Identifier: MIT */
/* test_mpsc_permit.c - places reserved ahead: bounds, order, what closing and cancelling do. */
#include "config.h"

#include <errno.h>

#include "chan/items.h"
#include "chan/line.h"
#include "chan/step.h"

TR_MPSC(itemq, struct item, item_drop);

static itemq_tx tx;
static itemq_rx rx;

TR_SUITE(mpsc_permit, .races = true, .timeout = 20);

static void open_with(size_t capacity, unsigned n_queued)
{
    need_eq(itemq_new(capacity, &tx, &rx), 0);
    for (uint32_t id = 1; id <= n_queued; id++) {
        struct item m = item(id);

        need_eq(itemq_try_send(&tx, &m), 0);
    }
}

static void close_both(void)
{
    itemq_tx_close(&tx);
    itemq_rx_close(&rx);
}

static int try_send(uint32_t id)
{
    struct item m = item(id);

    return itemq_try_send(&tx, &m);
}

static int send_by(itemq_permit *p, uint32_t id)
{
    struct item m = item(id);

    return itemq_permit_send(p, &m);
}

/* The id of the next message, or the negative error. */
static int take(void)
{
    struct item m = { 0 };
    int r = itemq_try_recv(&rx, &m);

    return r < 0 ? r : (int)m.id;
}

/* ---- at once ---- */

TR_TEST(mpsc_permit, permits_and_messages_share_the_exact_bound)
{
    itemq_permit p = { 0 };

    open_with(3, 1);
    need_eq(itemq_try_reserve(&tx, 1, &p), 0);
    check_eq(itemq_tx_room(&tx), (size_t)1);
    check_eq(try_send(2), 0);
    check_eq(try_send(3), -EAGAIN);
    check_eq(itemq_tx_room(&tx), (size_t)0);
    check_eq(send_by(&p, 4), 0);
    check_eq(try_send(5), -EAGAIN, "the message took the permit's place");
    check_eq(take(), 1);
    check_eq(itemq_tx_room(&tx), (size_t)1);
    check_eq(take(), 2);
    check_eq(take(), 4, "messages come in the order sent");
    check_eq(take(), -EAGAIN);
    close_both();
}

TR_TEST(mpsc_permit, unused_places_come_back)
{
    itemq_permit p = { 0 };

    open_with(4, 0);
    need_eq(itemq_try_reserve(&tx, 3, &p), 0);
    check_eq(itemq_permit_left(&p), (size_t)3);
    check_eq(send_by(&p, 1), 0);
    check_eq(itemq_permit_left(&p), (size_t)2);
    check_eq(itemq_tx_room(&tx), (size_t)1);
    itemq_permit_close(&p);
    check_eq(itemq_tx_room(&tx), (size_t)3);
    check_eq(itemq_permit_left(&p), (size_t)0);
    itemq_permit_close(&p);
    check_eq(itemq_tx_room(&tx), (size_t)3, "a closed permit has nothing to give back");
    for (uint32_t id = 2; id <= 4; id++)
        check_eq(try_send(id), 0);
    check_eq(try_send(5), -EAGAIN);
    close_both();
}

TR_TEST(mpsc_permit, too_many_places_are_misuse_and_none_are_free)
{
    itemq_permit p = { 0 }, q = { 0 };

    open_with(2, 2);
    check_eq(itemq_try_reserve(&tx, 3, &p), -EINVAL);
    check_eq(itemq_try_reserve(&tx, SIZE_MAX, &p), -EINVAL);
    check_eq(itemq_try_reserve(&tx, 1, &p), -EAGAIN);
    check_eq(itemq_try_reserve(&tx, 0, &p), 0, "also on a full channel");
    check_eq(send_by(&p, 3), -EINVAL);
    itemq_rx_shut(&rx);
    check_eq(itemq_try_reserve(&tx, 0, &q), -EPIPE);
    check_eq(itemq_try_reserve(&tx, 1, &q), -EPIPE);
    itemq_permit_close(&p);
    close_both();
}

TR_TEST(mpsc_permit, unbounded_channel_and_empty_ends_have_no_places)
{
    itemq_permit p = { 0 };
    itemq_tx none = { 0 };

    open_with(TR_UNBOUNDED, 0);
    check_eq(itemq_try_reserve(&tx, 1, &p), -EINVAL);
    check_eq(itemq_blocking_reserve(&none, 1, TR_NOW, &p), -EINVAL);
    check_eq(itemq_tx_room(&tx), (size_t)TR_UNBOUNDED);
    check_eq(send_by(&p, 1), -EINVAL);
    close_both();
}

TR_TEST(mpsc_permit, permit_sends_after_the_receiver_shut)
{
    itemq_permit p = { 0 };

    open_with(2, 0);
    need_eq(itemq_try_reserve(&tx, 2, &p), 0);
    itemq_rx_shut(&rx);
    check_eq(try_send(1), -EPIPE);
    check_eq(take(), -EAGAIN, "a permit is outstanding");
    check_eq(send_by(&p, 2), 0);
    check_eq(take(), 2);
    check_eq(take(), -EAGAIN);
    itemq_permit_close(&p);
    check_eq(take(), -EPIPE);
    close_both();
}

TR_TEST(mpsc_permit, permit_keeps_the_message_when_the_receiver_is_gone)
{
    itemq_permit p = { 0 };
    struct item m = item(1);
    struct tr_mpsc_counts n;

    open_with(2, 0);
    need_eq(itemq_try_reserve(&tx, 1, &p), 0);
    itemq_rx_close(&rx);
    check_eq(itemq_permit_send(&p, &m), -EPIPE);
    check_eq(m.id, 1u);
    check_eq(atomic_load(&n_dropped), 0u);
    itemq_tx_counts(&tx, &n);
    check_eq(n.n_sent, 1u);
    check_eq(n.n_back, 1u);
    itemq_tx_close(&tx);
}

TR_TEST(mpsc_permit, permit_is_a_sender)
{
    itemq_permit p = { 0 };

    open_with(1, 0);
    need_eq(itemq_try_reserve(&tx, 1, &p), 0);
    check_eq(itemq_senders(&rx), (size_t)2);
    itemq_tx_close(&tx);
    check_eq(itemq_rx_is_closed(&rx), false);
    check_eq(take(), -EAGAIN);
    check_eq(send_by(&p, 1), 0);
    check_eq(itemq_rx_is_closed(&rx), true, "the permit is used up");
    check_eq(take(), 1);
    check_eq(take(), -EPIPE);
    itemq_rx_close(&rx);
}

TR_TEST(mpsc_permit, last_permit_opens_the_fast_path_again)
{
    struct tri_mpsc *c;
    itemq_permit p = { 0 }, q = { 0 };

    open_with(4, 0);
    c = tx.end.chan;
    need_eq(itemq_try_reserve(&tx, 1, &p), 0);
    need_eq(itemq_try_reserve(&tx, 1, &q), 0);
    itemq_permit_close(&p);
    check_ne(atomic_load(&tri_mpsc_tx(c)->tail) & TRI_TX_PERMITS, (uint64_t)0);
    check_eq(send_by(&q, 1), 0);
    check_eq(atomic_load(&tri_mpsc_tx(c)->tail) & TRI_TX_PERMITS, (uint64_t)0);
    check_eq(itemq_try_reserve(&tx, 4, &p), -EAGAIN);
    check_eq(atomic_load(&tri_mpsc_tx(c)->tail) & TRI_TX_PERMITS, (uint64_t)0,
             "nor does an attempt leave it closed");
    close_both();
}

/* ---- waiting ---- */

struct job {
    itemq_tx tx;
    size_t n;
    tr_time deadline;
    itemq_permit *permit;
    int *ret_result;
};

static void job_drop(struct job *j)
{
    itemq_tx_close(&j->tx);
}

TR_TASK(reserver, struct job, job_drop);
TR_TASK(sender, struct job, job_drop);
TR_TASK(selector, struct job, job_drop);

static int reserver(struct job *j)
{
    *j->ret_result = itemq_reserve(&j->tx, j->n, j->deadline, j->permit);
    return 0;
}

static int sender(struct job *j)
{
    struct item m = item((uint32_t)j->n);

    *j->ret_result = itemq_send(&j->tx, &m, j->deadline);
    return 0;
}

static int selector(struct job *j)
{
    tr_arm arms[] = { itemq_reserve_arm(&j->tx, j->n, j->permit) };
    int i = tr_select(j->deadline, arms, 1);

    *j->ret_result = i < 0 ? i : arms[0].result;
    return 0;
}

typedef int spawn_fn(tr_scope *, struct job *, const struct tr_task_opts *);

/* Starts one and waits until it is in line behind the others. */
static void queue(tr_scope *root, spawn_fn *spawn, size_t n, tr_time deadline,
                  itemq_permit *permit, int *ret_result, tr_task *ret_task)
{
    struct job j = { itemq_tx_clone(&tx), n, deadline, permit, ret_result };
    struct tr_task_opts opts = { .ret_task = ret_task };
    unsigned before = n_in_line(rx.end.chan);

    *ret_result = 1;
    need_eq(spawn(root, &j, &opts), 0);
    step_until(n_in_line(rx.end.chan) == before + 1);
}

static void large_wish_holds_up_the_later_ones(tr_scope *root, spawn_fn *spawn)
{
    itemq_permit p = { 0 };
    int r_large, r_small;

    open_with(2, 2);
    queue(root, spawn, 2, TR_NEVER, &p, &r_large, NULL);
    queue(root, sender_spawn, 9, TR_NEVER, NULL, &r_small, NULL);
    check_eq(take(), 1);
    for (int i = 0; i < 8; i++)
        need_eq(tr_yield(), 0);
    check_eq(r_large, 1);
    check_eq(r_small, 1, "one place is free, but not for it");
    check_eq(try_send(7), -EAGAIN);
    check_eq(take(), 2);
    step_until(r_large == 0);
    check_eq(r_small, 1);
    check_eq(send_by(&p, 3), 0);
    itemq_permit_close(&p);
    step_until(r_small == 0);
    check_eq(take(), 3);
    check_eq(take(), 9);
    close_both();
}

STEP_TEST(mpsc_permit, large_wish_holds_up_the_later_ones)
{
    large_wish_holds_up_the_later_ones(root, reserver_spawn);
}

STEP_TEST(mpsc_permit, large_wish_of_an_arm_holds_up_the_later_ones)
{
    large_wish_holds_up_the_later_ones(root, selector_spawn);
}

static void withdrawn_wish_lets_the_next_one_in(tr_scope *root, spawn_fn *spawn)
{
    itemq_permit p = { 0 };
    tr_task t;
    int r_large, r_small;

    open_with(2, 2);
    queue(root, spawn, 2, TR_NEVER, &p, &r_large, &t);
    queue(root, sender_spawn, 9, TR_NEVER, NULL, &r_small, NULL);
    check_eq(take(), 1);
    tr_task_abort(&t);
    step_until(r_large != 1 && r_small != 1);
    check_eq(r_large, -ECANCELED);
    check_eq(r_small, 0);
    check_eq(itemq_permit_left(&p), (size_t)0);
    check_eq(take(), 2);
    check_eq(take(), 9);
    check_eq(itemq_tx_room(&tx), (size_t)2);
    tr_task_close(&t);
    close_both();
}

STEP_TEST(mpsc_permit, withdrawn_wish_lets_the_next_one_in)
{
    withdrawn_wish_lets_the_next_one_in(root, reserver_spawn);
}

STEP_TEST(mpsc_permit, withdrawn_wish_of_an_arm_lets_the_next_one_in)
{
    withdrawn_wish_lets_the_next_one_in(root, selector_spawn);
}

static tr_notify other = TR_NOTIFY_INIT;

TR_TASK(chooser, struct job, job_drop);

static int chooser(struct job *j)
{
    tr_arm arms[] = { tr_notify_wait_arm(&other), itemq_reserve_arm(&j->tx, j->n, j->permit) };

    *j->ret_result = 100 + tr_select_first(j->deadline, arms, 2);
    return 0;
}

/* Told of its places, and ready otherwise as well before it runs. */
STEP_TEST(mpsc_permit, places_of_a_granted_arm_that_loses_go_to_the_next)
{
    itemq_permit p = { 0 };
    int r_arm, r_next;

    open_with(2, 2);
    queue(root, chooser_spawn, 2, TR_NEVER, &p, &r_arm, NULL);
    queue(root, sender_spawn, 9, TR_NEVER, NULL, &r_next, NULL);
    check_eq(take(), 1);
    check_eq(take(), 2);
    tr_notify_one(&other);
    step_until(r_arm != 1);
    check_eq(r_arm, 100, "the other arm won");
    check_eq(itemq_permit_left(&p), (size_t)0);
    step_until(r_next != 1);
    check_eq(r_next, 0);
    check_eq(itemq_tx_room(&tx), (size_t)1);
    check_eq(take(), 9);
    close_both();
}

STEP_TEST(mpsc_permit, places_granted_before_the_cancel_are_kept)
{
    itemq_permit p = { 0 };
    tr_task t;
    int r;

    open_with(1, 1);
    queue(root, reserver_spawn, 1, TR_NEVER, &p, &r, &t);
    check_eq(take(), 1); /* grants it; it has not run yet */
    tr_task_abort(&t);
    step_until(r != 1);
    check_eq(r, 0);
    check_eq(send_by(&p, 2), 0);
    check_eq(take(), 2);
    tr_task_close(&t);
    close_both();
}

STEP_TEST(mpsc_permit, places_granted_before_the_shut_are_given_back)
{
    itemq_permit p = { 0 };
    int r;

    open_with(1, 1);
    queue(root, reserver_spawn, 1, TR_NEVER, &p, &r, NULL);
    check_eq(take(), 1);
    itemq_rx_shut(&rx);
    check_eq(take(), -EAGAIN, "the places are not given back yet");
    step_until(r != 1);
    check_eq(r, -EPIPE);
    check_eq(itemq_permit_left(&p), (size_t)0);
    check_eq(take(), -EPIPE);
    close_both();
}

static void shut_sends_a_waiting_wish_away(tr_scope *root, spawn_fn *spawn)
{
    itemq_permit p = { 0 };
    int r;

    open_with(1, 1);
    queue(root, spawn, 1, TR_NEVER, &p, &r, NULL);
    itemq_rx_shut(&rx);
    step_until(r != 1);
    check_eq(r, -EPIPE);
    check_eq(take(), 1);
    check_eq(take(), -EPIPE);
    close_both();
}

STEP_TEST(mpsc_permit, shut_sends_a_waiting_wish_away)
{
    shut_sends_a_waiting_wish_away(root, reserver_spawn);
}

STEP_TEST(mpsc_permit, shut_sends_a_waiting_arm_away)
{
    shut_sends_a_waiting_wish_away(root, selector_spawn);
}

STEP_TEST(mpsc_permit, too_many_places_fail_at_once_in_every_form_and_none_are_there_at_once)
{
    static const size_t too_many[] = { 3, (size_t)UINT32_MAX + 2, SIZE_MAX };
    itemq_permit p = { 0 }, q = { 0 };
    tr_arm arm;
    int r_next;

    open_with(2, 2);
    for (unsigned i = 0; i < TR_LEN(too_many); i++) {
        check_eq(itemq_try_reserve(&tx, too_many[i], &p), -EINVAL);
        check_eq(itemq_reserve(&tx, too_many[i], TR_NEVER, &p), -EINVAL);
        check_eq(itemq_blocking_reserve(&tx, too_many[i], TR_NEVER, &p), -EINVAL);
        arm = itemq_reserve_arm(&tx, too_many[i], &p);
        check_eq(tr_select(TR_NEVER, &arm, 1), 0);
        check_eq(arm.result, -EINVAL);
    }
    queue(root, sender_spawn, 9, TR_NEVER, NULL, &r_next, NULL);
    check_eq(itemq_reserve(&tx, 0, TR_NEVER, &p), 0, "full, and somebody waits");
    itemq_rx_shut(&rx);
    check_eq(itemq_reserve(&tx, 0, TR_NEVER, &q), -EPIPE);
    check_eq(itemq_reserve(&tx, 1, TR_NEVER, &q), -EPIPE);
    step_until(r_next == -EPIPE);
    itemq_permit_close(&p);
    close_both();
}

STEP_TEST(mpsc_permit, wish_ends_by_its_deadline)
{
    itemq_permit p = { 0 };

    open_with(1, 1);
    check_eq(itemq_reserve(&tx, 1, TR_NOW, &p), -ETIMEDOUT);
    check_eq(itemq_reserve(&tx, 1, tr_after(TR_MS(1)), &p), -ETIMEDOUT);
    check_eq(itemq_blocking_reserve(&tx, 1, TR_NOW, &p), -EDEADLK);
    check_eq(n_in_line(rx.end.chan), 0u);
    close_both();
}

TR_TEST(mpsc_permit, blocking_wish_keeps_its_deadline)
{
    itemq_permit p = { 0 };

    open_with(1, 0);
    check_eq(itemq_reserve(&tx, 1, TR_NEVER, &p), -EPERM);
    check_eq(itemq_blocking_reserve(&tx, 1, TR_NOW, &p), 0);
    check_eq(itemq_blocking_reserve(&tx, 1, tr_after(TR_MS(1)), &p), -ETIMEDOUT);
    itemq_permit_close(&p);
    close_both();
}

/* ---- the receiver at the end ---- */

struct reader {
    int *ret_result;
};

TR_TASK(reader, struct reader, tr_nodrop);

static int reader(struct reader *r)
{
    struct item m = { 0 };
    int err = itemq_recv(&rx, TR_NEVER, &m);

    *r->ret_result = err < 0 ? err : (int)m.id;
    return 0;
}

static void park_reader(tr_scope *root, int *ret_result)
{
    struct reader one = { ret_result };

    *ret_result = 0;
    need_eq(reader_spawn(root, &one, NULL), 0);
    step_until(is_rx_parked(rx.end.chan));
    for (int i = 0; i < 8; i++)
        need_eq(tr_yield(), 0);
    check_eq(*ret_result, 0, "woken to the end while a permit is outstanding");
}

STEP_TEST(mpsc_permit, closing_the_last_permit_wakes_the_receiver_to_the_end)
{
    itemq_permit p = { 0 };
    int r;

    open_with(1, 0);
    need_eq(itemq_try_reserve(&tx, 1, &p), 0);
    itemq_rx_shut(&rx);
    park_reader(root, &r);
    itemq_permit_close(&p);
    step_until(r != 0);
    check_eq(r, -EPIPE);
    close_both();
}

STEP_TEST(mpsc_permit, last_permit_wakes_the_receiver_with_its_message)
{
    itemq_permit p = { 0 };
    int r;

    open_with(1, 0);
    need_eq(itemq_try_reserve(&tx, 1, &p), 0);
    itemq_tx_close(&tx);
    park_reader(root, &r);
    check_eq(send_by(&p, 5), 0);
    step_until(r != 0);
    check_eq(r, 5);
    check_eq(take(), -EPIPE);
    itemq_rx_close(&rx);
}

STEP_TEST(mpsc_permit, reservation_that_fails_wakes_a_receiver_that_parked_meanwhile)
{
    struct tri_mpsc *c;
    itemq_permit p = { 0 };
    int r;

    open_with(1, 0);
    c = tx.end.chan;
    itemq_rx_shut(&rx);
    /* As in the middle of a reservation on another thread: the flag is set. */
    atomic_fetch_or(&tri_mpsc_tx(c)->tail, (uint64_t)TRI_TX_PERMITS);
    park_reader(root, &r);
    check_eq(itemq_try_reserve(&tx, 1, &p), -EPIPE);
    step_until(r != 0);
    check_eq(r, -EPIPE);
    close_both();
}
