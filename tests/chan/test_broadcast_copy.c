/* SPDX-License-Identifier: MIT */
/*
 * test_broadcast_copy.c - copies made by a clone function, and when the original is dropped.
 * The clone function is where both orders of a copy and another step are forced.
 */
#include "config.h"

#include "chan/copies.h"
#include "mem/alloc.h"
#include "support/tr-test.h"

TR_SUITE(broadcast_copy, .races = true, .timeout = 20);

static itemb_tx itx;
static itemb_rx irx, isecond;

static int send_item(uint32_t id)
{
    struct item m = item(id);
    int r = itemb_try_send(&itx, &m);

    check_eq(m.id, r >= 0 ? 0 : id, "moved, or kept");
    return r;
}

static int take_item(itemb_rx *r)
{
    struct item m = { 0 };
    int e = itemb_try_recv(r, &m), id = (int)m.id;

    item_drop(&m);
    return e < 0 ? e : id - COPY;
}

static void open_items(size_t capacity, unsigned flags)
{
    need_eq(itemb_new(capacity, flags, &itx, &irx), 0);
    need_eq(itemb_subscribe(&itx, 0, &isecond), 0);
}

static void close_items(void)
{
    itemb_tx_close(&itx);
    itemb_rx_close(&irx);
    itemb_rx_close(&isecond);
}

/* ---- copies ---- */

TR_TEST(broadcast_copy, original_is_dropped_when_the_last_receiver_has_its_copy)
{
    open_items(4, 0);
    check_eq(send_item(1), 2);
    check_eq(take_item(&irx), 1);
    check_eq(n_dropped_of[1], 0);
    check_eq(n_dropped_of[1 + COPY], 1);
    check_eq(take_item(&isecond), 1);
    check_eq(n_dropped_of[1], 1);
    check_eq(n_dropped_of[1 + COPY], 2);
    close_items();
    check_eq(n_dropped, 3);
}

TR_TEST(broadcast_copy, overwritten_original_is_dropped_by_the_sender)
{
    open_items(2, 0);
    send_item(1);
    send_item(2);
    check_eq(take_item(&irx), 1);
    check_eq(n_dropped, 1, "a copy");
    send_item(3);
    check_eq(n_dropped_of[1], 1, "the second one has lost it");
    check_eq(take_item(&isecond), -ESTALE);
    check_eq(itemb_lost(&isecond), 1);
    check_eq(take_item(&isecond), 2);
    close_items();
    check_eq(n_not_dropped_once(3), 0);
}

TR_TEST(broadcast_copy, closing_receiver_drops_what_only_it_had_to_take)
{
    open_items(4, 0);
    for (uint32_t id = 1; id <= 3; id++)
        send_item(id);
    check_eq(take_item(&irx), 1);
    check_eq(take_item(&irx), 2);
    itemb_rx_close(&isecond);
    check_eq(n_dropped_of[1] + n_dropped_of[2], 2);
    check_eq(n_dropped_of[3], 0, "the first one may still take it");
    itemb_rx_close(&irx);
    check_eq(n_dropped_of[3], 1);
    close_items();
    check_eq(n_not_dropped_once(3), 0);
}

TR_TEST(broadcast_copy, closing_after_a_lag_drops_what_is_retained_only_once)
{
    open_items(2, 0);
    for (uint32_t id = 1; id <= 7; id++)
        send_item(id);
    itemb_rx_close(&irx);
    check_eq(n_dropped, 5);
    itemb_rx_close(&isecond);
    check_eq(n_dropped, 7);
    close_items();
    check_eq(n_not_dropped_once(7), 0);
}

TR_TEST(broadcast_copy, receiver_that_fails_gives_up_what_it_had_to_take)
{
    open_items(2, 0);
    itemb_rx_close(&isecond);
    need_eq(itemb_subscribe(&itx, TR_BROADCAST_FAIL, &isecond), 0);
    itemb_rx_close(&irx);
    for (uint32_t id = 1; id <= 3; id++)
        send_item(id);
    check_eq(n_dropped, 1);
    check_eq(take_item(&isecond), -ESTALE);
    check_eq(n_dropped, 3);
    check_eq(send_item(4), -EPIPE);
    close_items();
    check_eq(n_not_dropped_once(3), 0);
}

TR_TEST(broadcast_copy, message_whose_copy_fails_counts_as_taken)
{
    struct tr_broadcast_counts n;

    id_that_fails = 2;
    open_items(4, 0);
    for (uint32_t id = 1; id <= 3; id++)
        send_item(id);
    check_eq(take_item(&irx), 1);
    check_eq(take_item(&irx), -EIO);
    check_eq(take_item(&irx), 3);
    for (int i = 0; i < 3; i++)
        (void)take_item(&isecond);
    check_eq(n_dropped_of[2], 1);
    itemb_tx_counts(&itx, &n);
    check_eq(n.n_received, 6);
    close_items();
    check_eq(n_not_dropped_once(3), 0);
}

static void send_during_the_copy(void)
{
    for (uint32_t id = 10; id <= 12; id++)
        check_eq(send_item(id), 2);
    check_eq(n_dropped_of[1], 0, "it is being copied");
}

/* The sender overwrites the message in the middle of its copy: it is received all the same. */
TR_TEST(broadcast_copy, copy_under_way_keeps_the_original_from_being_dropped)
{
    open_items(2, 0);
    send_item(1);
    in_clone = send_during_the_copy;
    check_eq(take_item(&irx), 1);
    check_eq(n_dropped_of[1], 1, "by the receiver, when it was done");
    check_eq(take_item(&irx), -ESTALE);
    check_eq(itemb_lost(&irx), 1, "10");
    check_eq(take_item(&isecond), -ESTALE);
    check_eq(itemb_lost(&isecond), 2, "1 and 10");
    close_items();
    check_eq(n_dropped_of[10] + n_dropped_of[11] + n_dropped_of[12], 3);
}

static void close_second(void)
{
    itemb_rx_close(&isecond);
}

TR_TEST(broadcast_copy, receiver_that_closes_during_anothers_copy_does_not_drop_the_original)
{
    open_items(2, 0);
    send_item(1);
    in_clone = close_second;
    check_eq(take_item(&irx), 1);
    check_eq(n_dropped_of[1], 1);
    close_items();
    check_eq(n_not_dropped_once(1), 0);
}

static void take_second(void)
{
    check_eq(take_item(&isecond), 1);
    check_eq(n_dropped_of[1], 0, "the other copy is under way");
}

TR_TEST(broadcast_copy, last_of_two_copies_drops_the_original)
{
    open_items(2, 0);
    send_item(1);
    in_clone = take_second;
    check_eq(take_item(&irx), 1);
    check_eq(n_dropped_of[1], 1);
    close_items();
}

/* A message whose drop function sends on its own channel. */
struct echo {
    itemb_tx *to;
};

static void echo_drop(struct echo *e)
{
    if (e->to)
        (void)send_item(20);
    e->to = NULL;
}

static int echo_clone(struct echo *dst, const struct echo *src)
{
    *dst = *src;
    return 0;
}

TR_BROADCAST(echob, struct echo, echo_clone, echo_drop);

TR_TEST(broadcast_copy, drop_function_may_use_the_channels)
{
    struct echo e = { &itx };
    echob_tx t;
    echob_rx r;

    open_items(4, 0);
    need_eq(echob_new(1, 0, &t, &r), 0);
    for (int i = 0; i < 3; i++) {
        e.to = &itx;
        need_eq(echob_try_send(&t, &e), 1);
    }
    check_eq(take_item(&irx), 20, "dropped when overwritten");
    check_eq(take_item(&irx), 20);
    check_eq(take_item(&irx), -EAGAIN);
    echob_rx_close(&r);
    check_eq(take_item(&irx), 20, "dropped by the close");
    echob_tx_close(&t);
    close_items();
}

/* A message whose drop function sends on the channel in which it lay. */
struct ring {
    unsigned n; /* 0: empty */
};

static unsigned n_ring_dropped;
static tr_broadcast_tx ring_tx;
static void ring_drop(struct ring *m);

static int ring_clone(struct ring *dst, const struct ring *src)
{
    *dst = *src;
    return 0;
}

TR_BROADCAST(ringb, struct ring, ring_clone, ring_drop);

static void ring_drop(struct ring *m)
{
    struct ring next = { m->n - 1 };

    if (m->n == 0)
        return;
    n_ring_dropped++;
    m->n = 0;
    if (next.n > 0)
        check_eq(tr_broadcast_try_send(&ring_tx, &next), 1);
}

TR_TEST(broadcast_copy, drop_function_may_send_on_its_own_channel)
{
    struct ring m = { 3 };
    ringb_tx t;
    ringb_rx r;

    need_eq(ringb_new(1, 0, &t, &r), 0);
    ring_tx = t.end;
    need_eq(ringb_try_send(&t, &m), 1);
    m.n = 1;
    need_eq(ringb_try_send(&t, &m), 1); /* drops 3, which sends 2 over it */
    check_eq(n_ring_dropped, 2, "3, and the 1 that it wrote over");
    check_eq(ringb_try_recv(&r, &m), -ESTALE);
    check_eq(ringb_try_recv(&r, &m), 0);
    check_eq(m.n, 2);
    check_eq(n_ring_dropped, 3, "the original of 2, which sends 1");
    ringb_rx_close(&r);
    check_eq(n_ring_dropped, 4);
    ringb_tx_close(&t);
}

/* ---- without memory ---- */

TR_TEST(broadcast_copy, without_memory_nothing_is_made_and_nothing_lost)
{
    struct item m = item(1);

    for (long nth = 1; nth <= 3; nth++) {
        tri_mem_fail_at(nth);
        check_eq(itemb_new(4, 0, &itx, &irx), -ENOMEM);
        check(tri_mem_has_failed());
    }
    tri_mem_fail_at(0);
    open_items(4, 0);
    tri_mem_fail_at(1);
    check_eq(itemb_try_send(&itx, &m), -ENOMEM);
    check_eq(m.id, 1);
    check_eq(take_item(&irx), -EAGAIN);
    tri_mem_fail_at(1);
    check_eq(itemb_subscribe(&itx, 0, &(itemb_rx){ { NULL } }), -ENOMEM);
    tri_mem_fail_at(1);
    check_eq(itemb_resubscribe(&irx, &(itemb_rx){ { NULL } }), -ENOMEM);
    tri_mem_fail_at(0);
    check_eq(itemb_receivers(&itx), 2);
    check_eq(itemb_try_send(&itx, &m), 2);
    close_items();
    check_eq(n_not_dropped_once(1), 0);
}
