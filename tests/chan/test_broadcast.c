/* SPDX-License-Identifier: MIT */
/*
 * test_broadcast.c - what a broadcast channel does without waiting: order, lags, lengths, ends,
 * counts. Copies and drops: test_broadcast_copy.c.
 */
#include "config.h"

#include <errno.h>

#include <troupe.h>

#include "support/tr-test.h"

TR_BROADCAST(numb, uint64_t, tr_copy, tr_nodrop);

TR_SUITE(broadcast, .timeout = 20);

static numb_tx tx;
static numb_rx rx, second;

static int send_to(numb_tx *t, uint64_t v)
{
    int r = numb_try_send(t, &v);

    check_eq(v == 0, r >= 0, "moved, or kept");
    return r;
}

/* Sends @from .. @to. */
static void send_run(uint64_t from, uint64_t to)
{
    for (uint64_t v = from; v <= to; v++)
        need_gt(send_to(&tx, v), 0);
}

/* The next number, or the error. */
static int64_t take(numb_rx *r)
{
    uint64_t v = 77;
    int e = numb_try_recv(r, &v);

    if (e < 0)
        check_eq(v, 77, "a failed call leaves its ret_ parameter alone");
    return e < 0 ? e : (int64_t)v;
}

static void open_numbers(size_t capacity, unsigned flags)
{
    need_eq(numb_new(capacity, flags, &tx, &rx), 0);
    need_eq(numb_subscribe(&tx, 0, &second), 0);
}

static void close_numbers(void)
{
    numb_tx_close(&tx);
    numb_rx_close(&rx);
    numb_rx_close(&second);
}

/* ---- making ---- */

TR_TEST(broadcast, capacity_is_rounded_up_and_that_many_are_retained)
{
    need_eq(numb_new(5, 0, &tx, &rx), 0);
    check_eq(numb_capacity(&tx), 8);
    send_run(1, 9);
    check_eq(take(&rx), -ESTALE);
    check_eq(numb_lost(&rx), 1);
    for (int64_t v = 2; v <= 9; v++)
        check_eq(take(&rx), v);
    check_eq(take(&rx), -EAGAIN);
    numb_rx_close(&rx);
    numb_tx_close(&tx);
}

TR_TEST(broadcast, impossible_capacities_and_unknown_flags_are_refused)
{
    check_eq(numb_new(0, 0, &tx, &rx), -EINVAL);
    check_eq(numb_new(SIZE_MAX / 2 + 1, 0, &tx, &rx), -EINVAL);
    check_eq(numb_new(SIZE_MAX / 2, 0, &tx, &rx), -ENOMEM);
    check_eq(numb_new(1, TR_BROADCAST_FAIL, &tx, &rx), -EINVAL);
    need_eq(numb_new(1, TR_BROADCAST_WAIT, &tx, NULL), 0);
    check_eq(numb_subscribe(&tx, TR_BROADCAST_WAIT, &rx), -EINVAL);
    numb_tx_close(&tx);
}

TR_TEST(broadcast, empty_end_is_misuse_and_closing_it_does_nothing)
{
    struct tr_broadcast_counts counts;
    uint64_t v = 1;

    close_numbers();
    close_numbers();
    check_eq(numb_try_send(&tx, &v), -EINVAL);
    check_eq(numb_send(&tx, &v, TR_NOW), -EINVAL);
    check_eq(numb_blocking_send(&tx, &v, TR_NOW), -EINVAL);
    check_eq(numb_closed(&tx, TR_NOW), -EINVAL);
    check_eq(numb_blocking_closed(&tx, TR_NOW), -EINVAL);
    check_eq(numb_try_recv(&rx, &v), -EINVAL);
    check_eq(numb_recv(&rx, TR_NOW, &v), -EINVAL);
    check_eq(numb_blocking_recv(&rx, TR_NOW, &v), -EINVAL);
    check_eq(numb_subscribe(&tx, 0, &rx), -EINVAL);
    check_eq(numb_resubscribe(&rx, &second), -EINVAL);
    check_eq(numb_tx_clone(&tx).end.chan, NULL);
    check_eq(numb_receivers(&tx) + numb_capacity(&tx) + numb_tx_len(&tx) + numb_len(&rx), 0);
    check_eq(numb_lost(&rx), 0);
    check(numb_rx_is_closed(&rx));
    numb_tx_counts(&tx, &counts);
    check_eq(counts.n_sent, 0);
    numb_rx_counts(&rx, &counts);
    check_eq(counts.n_sent, 0);
    check_eq(v, 1);
}

/* ---- sending and receiving ---- */

TR_TEST(broadcast, every_receiver_gets_every_message_in_one_order)
{
    numb_tx other;

    open_numbers(8, 0);
    other = numb_tx_clone(&tx);
    check_eq(send_to(&tx, 1), 2);
    check_eq(send_to(&other, 2), 2);
    check_eq(send_to(&tx, 3), 2);
    for (int64_t v = 1; v <= 3; v++)
        check_eq(take(&rx), v);
    for (int64_t v = 1; v <= 3; v++)
        check_eq(take(&second), v);
    check_eq(take(&rx), -EAGAIN);
    numb_tx_close(&other);
    close_numbers();
}

TR_TEST(broadcast, send_without_a_receiver_stores_nothing)
{
    struct tr_broadcast_counts counts;

    need_eq(numb_new(4, 0, &tx, NULL), 0);
    check_eq(send_to(&tx, 1), -EPIPE);
    need_eq(numb_subscribe(&tx, 0, &rx), 0);
    check_eq(take(&rx), -EAGAIN);
    check_eq(send_to(&tx, 2), 1, "a subscriber opens it again");
    check_eq(take(&rx), 2);
    numb_rx_close(&rx);
    check_eq(send_to(&tx, 3), -EPIPE);
    numb_tx_counts(&tx, &counts);
    check_eq(counts.n_sent, 3);
    check_eq(counts.n_back, 2);
    check_eq(counts.n_due, 1);
    numb_tx_close(&tx);
}

TR_TEST(broadcast, subscriber_sees_nothing_that_was_sent_before)
{
    numb_rx late = { { NULL } }, again = { { NULL } };

    open_numbers(4, 0);
    send_run(1, 2);
    need_eq(numb_subscribe(&tx, 0, &late), 0);
    need_eq(numb_resubscribe(&rx, &again), 0);
    check_eq(take(&late), -EAGAIN);
    check_eq(take(&again), -EAGAIN, "whatever its parent has still to take");
    check_eq(send_to(&tx, 3), 4);
    check_eq(take(&late), 3);
    check_eq(take(&again), 3);
    check_eq(take(&rx), 1);
    numb_rx_close(&late);
    numb_rx_close(&again);
    close_numbers();
}

TR_TEST(broadcast, resubscriber_of_a_closed_channel_is_at_its_end)
{
    numb_rx again = { { NULL } };

    open_numbers(4, 0);
    send_run(1, 1);
    numb_tx_close(&tx);
    need_eq(numb_resubscribe(&rx, &again), 0);
    check(numb_rx_is_closed(&again));
    check_eq(take(&again), -EPIPE);
    check_eq(take(&rx), 1);
    numb_rx_close(&again);
    close_numbers();
}

TR_TEST(broadcast, every_size_arrives_whole)
{
    for (uint32_t size = 1; size <= TR_MESSAGE_MAX; size++) {
        const struct tri_type type = { "bytes", tr_nodrop, size, size % 16 == 0 ? 16 : 1 };
        unsigned char m[TR_MESSAGE_MAX + 2], out[TR_MESSAGE_MAX + 2] = { 0 };
        tr_broadcast_tx t;
        tr_broadcast_rx r;
        unsigned bad = 0;

        need_eq(tr_broadcast_new(&type, NULL, 2, 0, &t, &r), 0);
        for (uint32_t i = 0; i < size + 1; i++)
            m[1 + i] = (unsigned char)(size + i);
        need_eq(tr_broadcast_try_send(&t, m + 1), 1); /* of odd alignment */
        need_eq(tr_broadcast_try_recv(&r, out + 1), 0);
        for (uint32_t i = 0; i < size; i++)
            bad += m[1 + i] != 0 || out[1 + i] != (unsigned char)(size + i);
        bad += out[0] != 0 || out[1 + size] != 0 || m[1 + size] != (unsigned char)(2 * size);
        need_eq(bad, 0);
        tr_broadcast_tx_close(&t);
        tr_broadcast_rx_close(&r);
    }
}

/* ---- lags ---- */

TR_TEST(broadcast, receiver_exactly_capacity_behind_has_not_lagged)
{
    open_numbers(4, 0);
    send_run(1, 4);
    for (int64_t v = 1; v <= 4; v++)
        check_eq(take(&rx), v);
    check_eq(numb_lost(&rx), 0);
    close_numbers();
}

TR_TEST(broadcast, lag_is_told_once_and_exactly)
{
    open_numbers(4, 0);
    send_run(1, 7);
    check_eq(take(&rx), -ESTALE);
    check_eq(numb_lost(&rx), 3);
    check_eq(numb_lost(&rx), 0, "told");
    check_eq(take(&rx), 4, "the oldest that is retained");
    check_eq(take(&rx), 5);
    close_numbers();
}

TR_TEST(broadcast, message_overwritten_after_a_lag_gives_only_the_rest)
{
    open_numbers(2, 0);
    send_run(1, 4);
    check_eq(take(&rx), -ESTALE);
    send_run(5, 7);
    check_eq(take(&rx), -ESTALE);
    check_eq(numb_lost(&rx), 5, "two, and three more");
    check_eq(take(&rx), 6);
    check_eq(take(&rx), 7);
    check_eq(take(&rx), -EAGAIN);
    close_numbers();
}

TR_TEST(broadcast, lag_of_one_does_not_touch_the_others)
{
    open_numbers(2, 0);
    for (uint64_t v = 1; v <= 10; v++) {
        send_run(v, v);
        check_eq(take(&second), (int64_t)v);
    }
    check_eq(take(&rx), -ESTALE);
    check_eq(numb_lost(&rx), 8);
    check_eq(numb_lost(&second), 0);
    check_eq(take(&rx), 9);
    close_numbers();
}

TR_TEST(broadcast, receiver_that_must_not_lag_ends_there)
{
    numb_rx strict = { { NULL } }, heir = { { NULL } };

    open_numbers(2, 0);
    need_eq(numb_subscribe(&tx, TR_BROADCAST_FAIL, &strict), 0);
    send_run(1, 3);
    check_eq(numb_receivers(&tx), 3);
    need_eq(numb_resubscribe(&strict, &heir), 0);
    check_eq(take(&strict), -ESTALE);
    check_eq(numb_lost(&strict), 1);
    check_eq(take(&strict), -EPIPE);
    check_eq(take(&strict), -EPIPE);
    check_eq(numb_len(&strict), 0);
    check_eq(send_to(&tx, 4), 3, "it is no receiver any more, but its heir is");
    check_eq(take(&heir), 4);
    send_run(5, 7);
    check_eq(take(&heir), -ESTALE, "by the same rule");
    check_eq(take(&heir), -EPIPE);
    numb_rx_close(&strict);
    numb_rx_close(&heir);
    close_numbers();
}

/* ---- lengths ---- */

TR_TEST(broadcast, len_counts_what_is_not_received_lost_ones_included)
{
    open_numbers(4, 0);
    send_run(1, 3);
    check_eq(numb_len(&rx), 3);
    send_run(4, 6);
    check_eq(numb_len(&rx), 6);
    check_eq(take(&rx), -ESTALE);
    check_eq(numb_len(&rx), 4, "what is retained");
    check_eq(take(&rx), 3);
    check_eq(numb_len(&rx), 3);
    close_numbers();
}

TR_TEST(broadcast, sender_len_is_what_not_all_have_seen)
{
    open_numbers(4, 0);
    check_eq(numb_tx_len(&tx), 0);
    send_run(1, 3);
    check_eq(take(&rx), 1);
    check_eq(numb_tx_len(&tx), 3, "the second one has seen none");
    check_eq(take(&second), 1);
    check_eq(take(&second), 2);
    check_eq(numb_tx_len(&tx), 2);
    send_run(4, 9);
    check_eq(numb_tx_len(&tx), 4, "at most the capacity");
    numb_rx_close(&rx);
    numb_rx_close(&second);
    check_eq(numb_tx_len(&tx), 0, "nobody has anything to see");
    numb_tx_close(&tx);
}

/* ---- ends ---- */

TR_TEST(broadcast, full_ring_is_drained_after_the_last_sender_closed)
{
    numb_tx other;

    open_numbers(4, 0);
    other = numb_tx_clone(&tx);
    send_run(1, 4);
    numb_tx_close(&tx);
    check(!numb_rx_is_closed(&rx));
    numb_tx_close(&other);
    check(numb_rx_is_closed(&rx));
    for (int64_t v = 1; v <= 4; v++)
        check_eq(take(&rx), v);
    check_eq(take(&rx), -EPIPE);
    check_eq(take(&rx), -EPIPE);
    close_numbers();
}

TR_TEST(broadcast, counts_add_up)
{
    struct tr_broadcast_counts n;

    open_numbers(4, 0);
    send_run(1, 6); /* 12 are due */
    check_eq(take(&rx), -ESTALE);
    check_eq(take(&rx), 3);
    numb_tx_counts(&tx, &n);
    check_eq(n.n_sent, 6);
    check_eq(n.n_due, 12);
    check_eq(n.n_received, 1);
    check_eq(n.n_lost, 2);
    check_eq(n.n_unread, 0);
    check_eq(n.n_received + n.n_lost + numb_len(&rx) + numb_len(&second), n.n_due);
    numb_rx_close(&rx);
    numb_rx_counts(&second, &n);
    check_eq(n.n_unread, 3);
    check_eq(n.n_received + n.n_lost + n.n_unread + numb_len(&second), n.n_due);
    close_numbers();
}

/* ---- a ring that is not overwritten ---- */

TR_TEST(broadcast, full_ring_refuses_until_the_slowest_has_moved)
{
    open_numbers(2, TR_BROADCAST_WAIT);
    send_run(1, 2);
    check_eq(send_to(&tx, 3), -EAGAIN);
    check_eq(take(&rx), 1);
    check_eq(send_to(&tx, 3), -EAGAIN, "the second one has not");
    check_eq(take(&second), 1);
    check_eq(send_to(&tx, 3), 2);
    check_eq(send_to(&tx, 4), -EAGAIN);
    check_eq(take(&rx), 2);
    check_eq(take(&rx), 3);
    numb_rx_close(&second);
    check_eq(send_to(&tx, 4), 1, "the slowest has gone");
    check_eq(take(&rx), 4);
    check_eq(numb_lost(&rx), 0);
    close_numbers();
}

TR_TEST(broadcast, blocking_send_into_a_full_ring_times_out)
{
    uint64_t v = 3;

    open_numbers(2, TR_BROADCAST_WAIT);
    send_run(1, 2);
    check_eq(numb_blocking_send(&tx, &v, TR_NOW), -ETIMEDOUT);
    check_eq(numb_blocking_send(&tx, &v, tr_after(TR_MS(1))), -ETIMEDOUT);
    check_eq(v, 3);
    check_eq(take(&rx), 1);
    check_eq(take(&second), 1);
    check_eq(numb_blocking_send(&tx, &v, TR_NOW), 2, "what is ready wins");
    close_numbers();
}
