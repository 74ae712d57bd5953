/* SPDX-License-Identifier: MIT */
/*
 * test_mpsc.c - what an mpsc channel does without waiting: bounds, order, ends, drops, counts.
 */
#include "config.h"

#include <errno.h>

#include "chan/items.h"
#include "chan/mpsc.h"
#include "support/tr-test.h"

TR_MPSC(itemq, struct item, item_drop);

/* A message that holds a sender of the channel in which it lies. */
struct knot {
    tr_mpsc_tx end;
};

static void knot_drop(struct knot *k)
{
    n_dropped += k->end.chan != NULL;
    tr_mpsc_tx_close(&k->end);
}

TR_MPSC(knotq, struct knot, knot_drop);

static itemq_tx tx;
static itemq_rx rx;

TR_SUITE(mpsc, .timeout = 20);

static int open_channel(size_t capacity)
{
    return itemq_new(capacity, &tx, &rx);
}

static void close_channel(void)
{
    itemq_tx_close(&tx);
    itemq_rx_close(&rx);
}

/* Sends the ids from @first on, until one is refused or @n are sent. Returns how many. */
static uint32_t fill(uint32_t first, uint32_t n)
{
    uint32_t i;

    for (i = 0; i < n; i++) {
        struct item m = item(first + i);

        if (itemq_try_send(&tx, &m) < 0)
            break;
    }
    return i;
}

/* Receives @n ids that must go on from @first. Returns how many did. */
static uint32_t drain(uint32_t first, uint32_t n)
{
    struct item m;
    uint32_t i;

    for (i = 0; i < n && itemq_try_recv(&rx, &m) == 0; i++)
        if (m.id != first + i || m.check != ~m.id)
            break;
    return i;
}

TR_TEST(mpsc, capacity_0_and_one_that_is_too_large_are_misuse)
{
    check_eq(open_channel(0), -EINVAL);
    check_eq(open_channel(((size_t)1 << 31) + 1), -EINVAL);
    check_eq(open_channel(TR_UNBOUNDED - 1), -EINVAL);
    check_eq(tr_mpsc_new(&itemq_tri_type, 1, NULL, &rx.end), -EINVAL);
    check_eq(tr_mpsc_new(NULL, 1, &tx.end, &rx.end), -EINVAL);
}

TR_TEST(mpsc, bound_is_exact)
{
    static const uint32_t capacities[] = { 1, 2, 3, 15, 16, 17, 1023, 1024 };

    for (size_t i = 0; i < TR_LEN(capacities); i++) {
        uint32_t n = capacities[i];
        struct item m = item(1);

        need_eq(open_channel(n), 0);
        check_eq(itemq_tx_capacity(&tx), n);
        check_eq(fill(1, n + 1), n);
        check_eq(itemq_len(&rx), n);
        check_eq(drain(1, 1), 1);
        check_eq(itemq_try_send(&tx, &m), 0, "one place is free again");
        check_eq(itemq_try_send(&tx, &m), -EAGAIN, "and only one");
        close_channel();
    }
}

TR_TEST(mpsc, order_holds_over_many_laps)
{
    need_eq(open_channel(3), 0);
    for (uint32_t i = 1; i < 1000; i += 3) {
        need_eq(fill(i, 3), 3);
        need_eq(drain(i, 3), 3);
    }
    close_channel();
    check_eq(n_dropped, 0);
}

TR_TEST(mpsc, sent_message_is_zero_and_a_refused_one_is_kept)
{
    struct item a = item(1), b = item(2);

    need_eq(open_channel(1), 0);
    check_eq(itemq_try_send(&tx, &a), 0);
    check_eq(a.id, 0);
    check_eq(a.check, 0);
    check_eq(itemq_try_send(&tx, &b), -EAGAIN);
    check_eq(b.id, 2);
    itemq_rx_shut(&rx);
    check_eq(itemq_try_send(&tx, &b), -EPIPE);
    check_eq(b.id, 2);
    close_channel();
    check_eq(n_dropped, 1);
}

TR_TEST(mpsc, empty_end_is_misuse_and_closing_it_does_nothing)
{
    struct item m = item(1), got = item(7);
    struct tr_mpsc_counts counts;

    check_eq(itemq_try_send(&tx, &m), -EINVAL);
    check_eq(itemq_send(&tx, &m, TR_NEVER), -EINVAL);
    check_eq(itemq_blocking_send(&tx, &m, TR_NEVER), -EINVAL);
    check_eq(itemq_try_recv(&rx, &got), -EINVAL);
    check_eq(itemq_recv(&rx, TR_NEVER, &got), -EINVAL);
    check_eq(itemq_blocking_recv(&rx, TR_NEVER, &got), -EINVAL);
    check_eq(itemq_recv_many(&rx, 1, TR_NEVER, &got), -EINVAL);
    check(itemq_tx_is_closed(&tx));
    check_eq(itemq_len(&rx), 0);
    check_eq(itemq_tx_clone(&tx).end.chan, NULL);
    itemq_rx_counts(&rx, &counts);
    check_eq(counts.n_sent, 0);
    itemq_rx_shut(&rx);
    close_channel();
    check_eq(got.id, 7);
    check_eq(m.id, 1);
}

TR_TEST(mpsc, receiver_drains_after_the_last_sender)
{
    struct item m = item(9);
    itemq_tx second;

    need_eq(open_channel(4), 0);
    check_eq(itemq_try_recv(&rx, &m), -EAGAIN);
    check_eq(m.id, 9, "a failed call leaves its ret_ parameter alone");
    second = itemq_tx_clone(&tx);
    need_eq(fill(1, 2), 2);
    itemq_tx_close(&tx);
    check_eq(drain(1, 2), 2);
    check_eq(itemq_try_recv(&rx, &m), -EAGAIN, "a clone keeps the channel open");
    itemq_tx_close(&second);
    check_eq(itemq_try_recv(&rx, &m), -EPIPE);
    check_eq(itemq_try_recv(&rx, &m), -EPIPE);
    close_channel();
}

TR_TEST(mpsc, shut_refuses_and_delivers_what_was_queued)
{
    struct item m = item(5);

    need_eq(open_channel(4), 0);
    need_eq(fill(1, 3), 3);
    check(!itemq_tx_is_closed(&tx));
    itemq_rx_shut(&rx);
    itemq_rx_shut(&rx);
    check(itemq_tx_is_closed(&tx));
    check_eq(itemq_try_send(&tx, &m), -EPIPE);
    check_eq(drain(1, 4), 3);
    check_eq(itemq_try_recv(&rx, &m), -EPIPE);
    close_channel();
    check_eq(n_dropped, 0);
}

static void check_close_drops(size_t capacity, uint32_t n)
{
    struct item m = item(1);

    need_eq(open_channel(capacity), 0);
    need_eq(fill(1, n), n);
    need_eq(drain(1, 1), 1);
    itemq_rx_close(&rx);
    check_eq(n_dropped, n - 1, "at once, not when the last sender goes");
    check_eq(itemq_try_send(&tx, &m), -EPIPE);
    item_drop(&m);
    check_eq(n_not_dropped_once(n), 0);
    itemq_tx_close(&tx);
    check_eq(n_dropped, n);
}

TR_TEST(mpsc, closing_the_receiver_drops_each_queued_message_once)
{
    check_close_drops(100, 100);
}

TR_TEST(mpsc, closing_the_receiver_drops_across_blocks)
{
    check_close_drops(TR_UNBOUNDED, 100);
}

TR_TEST(mpsc, message_may_hold_the_last_sender_of_its_channel)
{
    knotq_tx ktx;
    knotq_rx krx;
    struct knot k;

    need_eq(knotq_new(2, &ktx, &krx), 0);
    k.end = knotq_tx_clone(&ktx).end;
    need_eq(knotq_try_send(&ktx, &k), 0);
    check_eq(k.end.chan, NULL);
    knotq_tx_close(&ktx);
    knotq_rx_close(&krx);
    check_eq(n_dropped, 1);
}

static void check_size(uint32_t size, uint32_t align, size_t capacity)
{
    struct tri_type type = { "bytes", tr_nodrop, size, align };
    _Alignas(16) unsigned char m[TR_MESSAGE_MAX + 1], got[TR_MESSAGE_MAX + 1];
    tr_mpsc_tx t;
    tr_mpsc_rx r;
    unsigned bad = 0;

    need_eq(tr_mpsc_new(&type, capacity, &t, &r), 0);
    for (unsigned lap = 1; lap <= 5; lap++) {
        m[size] = got[size] = 0xa5;
        for (uint32_t i = 0; i < size; i++)
            m[i] = (unsigned char)(lap * 37 + i);
        need_eq(tr_mpsc_try_send(&t, m), 0);
        need_eq(tr_mpsc_try_recv(&r, got), 0);
        for (uint32_t i = 0; i < size; i++)
            bad += m[i] != 0 || got[i] != (unsigned char)(lap * 37 + i);
        bad += m[size] != 0xa5 || got[size] != 0xa5;
    }
    check_eq(bad, 0);
    tr_mpsc_tx_close(&t);
    tr_mpsc_rx_close(&r);
}

TR_TEST(mpsc, every_size_and_alignment_arrives_whole)
{
    for (uint32_t size = 1; size <= TR_MESSAGE_MAX; size++) {
        check_size(size, 1, 2);
        check_size(size, size % 16 == 0 ? 16 : size % 8 == 0 ? 8 : 1, 17);
        check_size(size, size % 16 == 0 ? 16 : size % 4 == 0 ? 4 : 2, TR_UNBOUNDED);
    }
}

static void note_misalignment(void *value)
{
    n_dropped += (uintptr_t)value % 16 != 0;
}

TR_TEST(mpsc, dropped_message_is_aligned)
{
    static const struct tri_type type = { "wide", note_misalignment, 48, 16 };
    _Alignas(16) char m[48] = "x";
    tr_mpsc_tx t;
    tr_mpsc_rx r;

    need_eq(tr_mpsc_new(&type, 3, &t, &r), 0);
    need_eq(tr_mpsc_try_send(&t, m), 0);
    need_eq(tr_mpsc_try_send(&t, m), 0);
    tr_mpsc_rx_close(&r);
    tr_mpsc_tx_close(&t);
    check_eq(n_dropped, 0);
}

TR_TEST(mpsc, counts_add_up)
{
    struct tr_mpsc_counts c;
    itemq_tx second;

    need_eq(open_channel(4), 0);
    second = itemq_tx_clone(&tx);
    check_eq(fill(1, 9), 4); /* 4 queued, 1 handed back */
    check_eq(drain(1, 3), 3);
    itemq_tx_close(&tx);
    tx = second;
    itemq_tx_counts(&tx, &c);
    check_eq(c.n_sent, 5);
    check_eq(c.n_received, 3);
    check_eq(c.n_back, 1);
    check_eq(c.n_dropped, 0);
    check_eq(c.n_sent, c.n_received + c.n_back + c.n_dropped + itemq_len(&rx));
    check_eq(fill(5, 2), 2);
    itemq_rx_close(&rx);
    check_eq(fill(7, 1), 0);
    itemq_tx_counts(&tx, &c);
    check_eq(c.n_sent, 8);
    check_eq(c.n_received, 3);
    check_eq(c.n_back, 2);
    check_eq(c.n_dropped, 3);
    itemq_tx_close(&tx);
}

TR_TEST(mpsc, unbounded_channel_takes_and_counts_across_block_borders)
{
    static const uint32_t counts[] = { 1, 31, 32, 33, 63, 64, 65, 1000 };
    uint32_t next = 1;

    need_eq(open_channel(TR_UNBOUNDED), 0);
    check_eq(itemq_tx_capacity(&tx), TR_UNBOUNDED);
    for (size_t i = 0; i < TR_LEN(counts); i++) {
        check_eq(itemq_len(&rx), 0);
        check_eq(fill(next, counts[i]), counts[i]);
        check_eq(itemq_len(&rx), counts[i]);
        check_eq(drain(next, counts[i] + 1), counts[i]);
        next += counts[i];
    }
    itemq_tx_close(&tx);
    check_eq(itemq_len(&rx), 0, "the end is no message");
    check_eq(itemq_try_recv(&rx, &(struct item){ 0 }), -EPIPE);
    check_eq(itemq_len(&rx), 0);
    close_channel();
}

/* ---- a look at the next message ---- */

static uint32_t peeked(void)
{
    const struct item *m = NULL;

    check_eq(itemq_peek(&rx, &m), 0);
    return m ? m->id : 0;
}

static void check_peek(size_t capacity)
{
    const struct item *m = NULL;

    need_eq(open_channel(capacity), 0);
    check_eq(itemq_peek(&rx, &m), -EAGAIN);
    check(m == NULL, "a failed call leaves its ret_ parameter alone");
    check_eq(fill(1, 40), 40);
    for (uint32_t id = 1; id <= 40; id++) {
        need_eq(peeked(), id);
        need_eq(peeked(), id, "it is still there");
        need_eq(itemq_len(&rx), 41 - id);
        need_eq(drain(id, 1), 1);
    }
    check_eq(fill(41, 1), 1);
    itemq_rx_shut(&rx);
    check_eq(peeked(), 41, "what was queued before the shut");
    check_eq(drain(41, 1), 1);
    check_eq(itemq_peek(&rx, &m), -EPIPE);
    close_channel();
    check_eq(n_dropped, 0);
}

TR_TEST(mpsc, peek_shows_the_next_message_and_leaves_it)
{
    check_peek(40);
    check_peek(TR_UNBOUNDED);
}

TR_TEST(mpsc, peek_gives_no_place_back_and_its_message_is_dropped_once)
{
    need_eq(open_channel(1), 0);
    check_eq(fill(1, 2), 1);
    check_eq(peeked(), 1);
    check_eq(fill(2, 1), 0, "full");
    itemq_rx_close(&rx);
    check_eq(n_dropped_of[1], 1);
    itemq_tx_close(&tx);
}

TR_TEST(mpsc, peek_is_refused_where_a_message_may_be_taken_away_or_overtaken)
{
    static const struct tr_mpsc_opts opts[] = {
        { .capacity = 1, .overflow = TR_OVERFLOW_DROP_OLDEST },
        { .capacity = 1, .n_urgent = 1 },
    };
    const struct item *m = NULL;

    for (unsigned i = 0; i < TR_LEN(opts); i++) {
        need_eq(itemq_new_with(&opts[i], &tx, &rx), 0);
        check_eq(fill(1, 1), 1);
        check_eq(itemq_peek(&rx, &m), -EINVAL);
        close_channel();
    }
    check_eq(itemq_peek(&rx, &m), -EINVAL, "an empty end");
    need_eq(open_channel(1), 0);
    check_eq(itemq_peek(&rx, NULL), -EINVAL);
    close_channel();
}

/* A deadline of a message is a field of it. */
struct timed {
    tr_time until;
    uint32_t id;
};

TR_MPSC(timedq, struct timed, tr_nodrop);

/* The next message whose time has not passed at @now. */
static int receive_in_time(timedq_rx *from, tr_time now, struct timed *ret_m)
{
    int r;

    while ((r = timedq_try_recv(from, ret_m)) == 0 && ret_m->until <= now)
        ;
    return r;
}

TR_TEST(mpsc, message_whose_own_deadline_has_passed_is_passed_over)
{
    const tr_time now = tr_now();
    const tr_time until[] = { now, TR_NEVER, now - 1, now + 1, now };
    const struct timed *next = NULL;
    struct timed m;
    timedq_tx t;
    timedq_rx r;

    need_eq(timedq_new(8, &t, &r), 0);
    for (uint32_t i = 0; i < TR_LEN(until); i++) {
        m = (struct timed){ until[i], i };
        need_eq(timedq_try_send(&t, &m), 0);
    }
    check_eq(timedq_peek(&r, &next), 0);
    check(next && next->until <= now, "a look tells that it is late");
    check_eq(receive_in_time(&r, now, &m), 0);
    check_eq(m.id, 1u);
    check_eq(receive_in_time(&r, now, &m), 0);
    check_eq(m.id, 3u);
    check_eq(receive_in_time(&r, now, &m), -EAGAIN);
    timedq_tx_close(&t);
    timedq_rx_close(&r);
}
