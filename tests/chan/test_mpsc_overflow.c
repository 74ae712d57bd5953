/* SPDX-License-Identifier: MIT */
/*
 * test_mpsc_overflow.c - what becomes of messages for which there is no place; the urgent lane.
 */
#include "config.h"

#include <errno.h>

#include "chan/items.h"
#include "chan/line.h"
#include "chan/step.h"
#include "mem/alloc.h"

TR_MPSC(itemq, struct item, item_drop);

static itemq_tx tx;
static itemq_rx rx;

TR_SUITE(mpsc_overflow, .races = true, .timeout = 20);

/* Ids of one key have the same last digit. */
static bool is_same(const void *a, const void *b)
{
    return ((const struct item *)a)->id % 10 == ((const struct item *)b)->id % 10;
}

static void open_with(size_t capacity, enum tr_overflow overflow, size_t n_urgent)
{
    const struct tr_mpsc_opts opts = { .capacity = capacity,
                                       .overflow = overflow,
                                       .same = overflow == TR_OVERFLOW_CONFLATE ? is_same : NULL,
                                       .n_urgent = n_urgent };

    need_eq(itemq_new_with(&opts, &tx, &rx), 0);
}

static int send_id(uint32_t id)
{
    struct item m = item(id);
    int r = itemq_try_send(&tx, &m);

    check_eq(m.id, r >= 0 ? 0u : id, "moved or dropped, or kept");
    return r;
}

static int send_urgent(uint32_t id)
{
    struct item m = item(id);

    return itemq_send_urgent(&tx, &m);
}

static int take(void)
{
    struct item m = { 0 };
    int r = itemq_try_recv(&rx, &m);

    return r < 0 ? r : (int)m.id;
}

static void check_counts(uint64_t n_sent, uint64_t n_received, uint64_t n_back, uint64_t n_lost)
{
    struct tr_mpsc_counts n;

    itemq_tx_counts(&tx, &n);
    check_eq(n.n_sent, n_sent);
    check_eq(n.n_received, n_received);
    check_eq(n.n_back, n_back);
    check_eq(n.n_dropped, n_lost);
}

static void close_both(void)
{
    itemq_rx_close(&rx);
    itemq_tx_close(&tx);
}

TR_TEST(mpsc_overflow, options_that_contradict_are_misuse)
{
    const struct tr_mpsc_opts bad[] = {
        { .capacity = 0 },
        { .capacity = 1, .overflow = TR_OVERFLOW_CONFLATE },
        { .capacity = 1, .same = is_same },
        { .capacity = TR_UNBOUNDED, .overflow = TR_OVERFLOW_DROP_OLDEST },
        { .capacity = TR_UNBOUNDED, .n_urgent = 1 },
        { .capacity = 1, .n_urgent = 65536 },
    };

    for (size_t i = 0; i < TR_LEN(bad); i++)
        check_eq(itemq_new_with(&bad[i], &tx, &rx), -EINVAL);
    check_eq(itemq_new_with(NULL, &tx, &rx), -EINVAL);
}

TR_TEST(mpsc_overflow, without_memory_for_the_lane_nothing_is_left)
{
    const struct tr_mpsc_opts opts = { .capacity = 4, .n_urgent = 2 };

    for (long nth = 1; nth <= 2; nth++) {
        tri_mem_fail_at(nth);
        check_eq(itemq_new_with(&opts, &tx, &rx), -ENOMEM);
        check(tri_mem_has_failed());
        tri_mem_fail_at(0);
    }
}

STEP_TEST(mpsc_overflow, reject_hands_the_message_back_from_every_form)
{
    struct item m = item(9);
    itemq_permit p = { 0 };
    tr_arm arms[1];

    open_with(1, TR_OVERFLOW_REJECT, 0);
    check_eq(send_id(1), TR_SENT);
    check_eq(send_id(2), -ENOBUFS);
    check_eq(itemq_send(&tx, &m, TR_NEVER), -ENOBUFS);
    arms[0] = itemq_send_arm(&tx, &m);
    check_eq(tr_select(TR_NEVER, arms, 1), 0);
    check_eq(arms[0].result, -ENOBUFS);
    check_eq(m.id, 9u);
    check_eq(itemq_try_reserve(&tx, 1, &p), -EINVAL);
    check_eq(take(), 1);
    check_eq(send_id(3), TR_SENT);
    check_counts(5, 1, 3, 0);
    close_both();
}

STEP_TEST(mpsc_overflow, drop_newest_drops_what_is_sent)
{
    struct item m = item(3);

    open_with(1, TR_OVERFLOW_DROP_NEWEST, 0);
    check_eq(send_id(1), TR_SENT);
    check_eq(send_id(2), TR_SENT_DROPPED);
    check_eq(itemq_send(&tx, &m, TR_NEVER), TR_SENT_DROPPED);
    check_eq(n_not_dropped_once(3), 1u, "all but the first");
    check_eq(atomic_load(&n_dropped_of[1]), 0u);
    check_counts(3, 0, 0, 2);
    check_eq(take(), 1);
    check_eq(take(), -EAGAIN);
    close_both();
}

STEP_TEST(mpsc_overflow, drop_oldest_keeps_the_newest_in_order)
{
    struct item m = item(6);

    open_with(3, TR_OVERFLOW_DROP_OLDEST, 0);
    for (uint32_t id = 1; id <= 5; id++)
        check_eq(send_id(id), id <= 3 ? TR_SENT : TR_SENT_EVICTED);
    check_eq(itemq_send(&tx, &m, TR_NEVER), TR_SENT_EVICTED);
    check_eq(itemq_len(&rx), (size_t)3);
    check_eq(n_not_dropped_once(3), 0u);
    check_eq(take(), 4);
    check_counts(6, 1, 0, 3);
    itemq_rx_shut(&rx);
    check_eq(send_id(7), -EPIPE);
    check_eq(take(), 5);
    check_eq(take(), 6);
    check_eq(take(), -EPIPE);
    check_counts(7, 3, 1, 3);
    close_both();
    check_eq(atomic_load(&n_dropped), 3u);
}

/*
 * The receiver's first look is not under the lock: its head may be that of before an eviction.
 */
TR_TEST(mpsc_overflow, evicted_position_is_published_to_nobody_even_in_one_cell)
{
    open_with(1, TR_OVERFLOW_DROP_OLDEST, 0);
    for (uint32_t id = 1; id <= 5; id++) {
        struct tri_mpsc *c = rx.end.chan;

        check_eq(send_id(id), id == 1 ? TR_SENT : TR_SENT_EVICTED);
        for (uint64_t head = 0; head <= id; head++)
            check(!tri_cell_is_published(tri_ring_cell(c, head), head));
    }
    close_both();
}

TR_TEST(mpsc_overflow, drop_oldest_holds_over_many_laps_and_drops_the_rest_at_the_end)
{
    open_with(3, TR_OVERFLOW_DROP_OLDEST, 0);
    for (uint32_t id = 1; id <= 1000; id++) {
        check_ge(send_id(id), 0);
        if (id % 7 == 0)
            need_eq(take(), (int)id - 2);
    }
    close_both();
    check_eq(atomic_load(&n_dropped), 1000u - 1000 / 7);
}

TR_TEST(mpsc_overflow, conflate_replaces_in_place_and_drops_once)
{
    open_with(3, TR_OVERFLOW_CONFLATE, 0);
    check_eq(send_id(1), TR_SENT);
    check_eq(send_id(2), TR_SENT);
    check_eq(send_id(11), TR_SENT_REPLACED);
    check_eq(send_id(3), TR_SENT);
    check_eq(send_id(21), TR_SENT_REPLACED);
    check_eq(send_id(4), TR_SENT_EVICTED, "no place and no such key");
    check_eq(take(), 2);
    check_eq(take(), 3);
    check_eq(take(), 4);
    check_eq(take(), -EAGAIN);
    check_eq(send_id(12), TR_SENT, "what was received is not replaced");
    check_eq(take(), 12);
    check_eq(atomic_load(&n_dropped), 3u);
    check_eq(n_dropped_of[1] + n_dropped_of[11] + n_dropped_of[21], 3u);
    check_counts(7, 4, 0, 3);
    close_both();
}

/* ---- the urgent lane ---- */

TR_TEST(mpsc_overflow, urgent_messages_come_first_and_in_order)
{
    open_with(4, TR_OVERFLOW_WAIT, 2);
    check_eq(send_id(1), 0);
    check_eq(send_id(2), 0);
    check_eq(send_urgent(100), 0);
    check_eq(send_urgent(101), 0);
    check_eq(send_urgent(102), -EAGAIN);
    check_eq(itemq_len(&rx), (size_t)4);
    check_eq(take(), 100);
    check_eq(take(), 101);
    check_eq(take(), 1);
    check_eq(send_urgent(103), 0);
    check_eq(take(), 103);
    check_eq(take(), 2);
    check_eq(take(), -EAGAIN);
    check_counts(6, 5, 1, 0);
    itemq_rx_shut(&rx);
    check_eq(send_urgent(104), -EPIPE);
    close_both();
}

TR_TEST(mpsc_overflow, urgent_messages_do_not_starve_the_others)
{
    unsigned n_urgent = 0;

    open_with(4, TR_OVERFLOW_WAIT, 4);
    check_eq(send_id(1), 0);
    check_eq(send_urgent(100), 0);
    for (int r = take(); r == 100; r = take()) {
        n_urgent++;
        need_le(n_urgent, 8u);
        check_eq(send_urgent(100), 0);
    }
    check_eq(n_urgent, 8u, "then the one that waited");
    check_eq(take(), 100);
    close_both();
}

TR_TEST(mpsc_overflow, channel_without_a_lane_and_empty_end_take_nothing_urgent)
{
    struct item m = item(1);
    itemq_tx none = { 0 };

    open_with(1, TR_OVERFLOW_WAIT, 0);
    check_eq(send_urgent(1), -EINVAL);
    check_eq(itemq_send_urgent(&none, &m), -EINVAL);
    close_both();
}

TR_TEST(mpsc_overflow, closing_drops_lane_and_queue_once)
{
    open_with(4, TR_OVERFLOW_WAIT, 4);
    for (uint32_t id = 1; id <= 3; id++)
        check_eq(send_id(id), 0);
    for (uint32_t id = 4; id <= 6; id++)
        check_eq(send_urgent(id), 0);
    itemq_rx_close(&rx);
    check_eq(n_not_dropped_once(6), 0u);
    check_counts(6, 0, 0, 6);
    itemq_tx_close(&tx);
}

/* ---- who waits on such a channel ---- */

struct job {
    itemq_tx tx;
    uint32_t id; /* 0: receives */
    int *ret_result;
};

static void job_drop(struct job *j)
{
    itemq_tx_close(&j->tx);
}

TR_TASK(worker, struct job, job_drop);

static int worker(struct job *j)
{
    struct item m = item(j->id);
    int r;

    if (j->id > 0) {
        *j->ret_result = itemq_send(&j->tx, &m, TR_NEVER);
        return 0;
    }
    itemq_tx_close(&j->tx);
    m = (struct item){ 0 };
    r = itemq_recv(&rx, TR_NEVER, &m);
    *j->ret_result = r < 0 ? r : (int)m.id;
    return 0;
}

static void spawn_worker(tr_scope *root, uint32_t id, int *ret_result)
{
    struct job j = { itemq_tx_clone(&tx), id, ret_result };

    *ret_result = 1;
    need_eq(worker_spawn(root, &j, NULL), 0);
}

STEP_TEST(mpsc_overflow, parked_receiver_wakes_for_either_queue_and_for_the_end)
{
    int r;

    open_with(1, TR_OVERFLOW_WAIT, 1);
    spawn_worker(root, 0, &r);
    step_until(is_rx_parked(rx.end.chan));
    check_eq(send_id(5), 0);
    step_until(r == 5);
    spawn_worker(root, 0, &r);
    step_until(is_rx_parked(rx.end.chan));
    check_eq(send_urgent(6), 0);
    step_until(r == 6);
    spawn_worker(root, 0, &r);
    step_until(is_rx_parked(rx.end.chan));
    itemq_tx_close(&tx);
    step_until(r == -EPIPE);
    close_both();
}

STEP_TEST(mpsc_overflow, full_channel_with_a_lane_still_makes_senders_wait_and_takes_urgent_ones)
{
    itemq_permit p = { 0 };
    struct item many[4];
    int r;

    open_with(1, TR_OVERFLOW_WAIT, 1);
    check_eq(send_id(1), 0);
    spawn_worker(root, 2, &r);
    step_until(atomic_load(&tri_mpsc_tx(rx.end.chan)->tail) & TRI_TX_WAITING);
    check_eq(send_id(3), -EAGAIN);
    check_eq(send_urgent(100), 0);
    check_eq(take(), 100);
    check_eq(r, 1);
    check_eq(take(), 1);
    step_until(r == 0);
    check_eq(take(), 2);
    need_eq(itemq_try_reserve(&tx, 1, &p), 0);
    check_eq(send_id(4), -EAGAIN);
    many[0] = item(5);
    check_eq(itemq_permit_send(&p, &many[0]), 0);
    check_eq(send_urgent(101), 0);
    check_eq(itemq_recv_many(&rx, 4, TR_NOW, many), 2);
    check_eq(many[0].id, 101u);
    check_eq(many[1].id, 5u);
    close_both();
}
