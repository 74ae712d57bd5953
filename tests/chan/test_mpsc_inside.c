/* SPDX-License-Identifier: MIT */
/*
 * test_mpsc_inside.c - the inside of the channel: a sender stopped in the middle, asking for a
 * wake, the mailbox in place, and failing allocations.
 */
#include "config.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>

#include "chan/items.h"
#include "chan/mpsc.h"
#include "mem/alloc.h"
#include "support/tr-test.h"

TR_MPSC(itemq, struct item, item_drop);

static itemq_tx tx;
static itemq_rx rx;
static struct tri_wakee wakee = { .kind = TRI_KIND_THREAD };
static unsigned n_released;

TR_SUITE(mpsc_inside, .timeout = 20);

static bool was_woken(void)
{
    return atomic_fetch_and(&wakee.word, ~(unsigned)TRI_READY) & TRI_READY;
}

static int send_id(uint32_t id)
{
    struct item m = item(id);

    return itemq_try_send(&tx, &m);
}

static void close_channel(void)
{
    itemq_tx_close(&tx);
    itemq_rx_close(&rx);
}

TR_TEST(mpsc_inside, receiver_that_asked_is_woken_once)
{
    struct item m;

    need_eq(itemq_new(4, &tx, &rx), 0);
    need(tri_mpsc_rx_arm(rx.end.chan, &wakee));
    check(!was_woken());
    check_eq(send_id(1), 0);
    check(was_woken());
    check_eq(send_id(2), 0);
    check(!was_woken(), "it did not ask again");
    check(!tri_mpsc_rx_arm(rx.end.chan, &wakee), "there is something");
    check_eq(tri_mpsc_poll(rx.end.chan, &m), 0);
    check_eq(m.id, 1);
    close_channel();
}

TR_TEST(mpsc_inside, receiver_that_took_its_wish_back_is_left_alone)
{
    need_eq(itemq_new(4, &tx, &rx), 0);
    need(tri_mpsc_rx_arm(rx.end.chan, &wakee));
    tri_mpsc_rx_disarm(rx.end.chan);
    check_eq(send_id(1), 0);
    check(!was_woken());
    close_channel();
}

TR_TEST(mpsc_inside, last_sender_wakes_the_receiver)
{
    itemq_tx second;

    need_eq(itemq_new(4, &tx, &rx), 0);
    second = itemq_tx_clone(&tx);
    need(tri_mpsc_rx_arm(rx.end.chan, &wakee));
    itemq_tx_close(&tx);
    check(!was_woken(), "an earlier one does not");
    itemq_tx_close(&second);
    check(was_woken());
    check(!tri_mpsc_rx_arm(rx.end.chan, &wakee), "the end is there");
    close_channel();
}

/* Claims a position as a sender does, and stops there. */
static uint64_t claim(void)
{
    return atomic_fetch_add(&tri_mpsc_tx(tx.end.chan)->tail, TRI_POS_ONE) >> TRI_POS_SHIFT;
}

static void publish(uint64_t pos, uint32_t id)
{
    struct item m = item(id);

    tri_cell_put(tx.end.chan, tri_ring_cell(tx.end.chan, pos), pos, &m);
}

TR_TEST(mpsc_inside, sender_in_the_middle_is_neither_empty_nor_closed)
{
    const struct item *next;
    struct item m;
    uint64_t pos;

    need_eq(itemq_new(4, &tx, &rx), 0);
    pos = claim();
    check_eq(send_id(2), 0);
    itemq_rx_shut(&rx);
    check_eq(itemq_try_recv(&rx, &m), -EAGAIN);
    check_eq(itemq_peek(&rx, &next), -EAGAIN);
    check(!tri_mpsc_rx_arm(rx.end.chan, &wakee), "it would not be woken");
    check_eq(itemq_len(&rx), 2);
    publish(pos, 1);
    check_eq(itemq_try_recv(&rx, &m), 0);
    check_eq(m.id, 1);
    check_eq(itemq_try_recv(&rx, &m), 0);
    check_eq(m.id, 2);
    check_eq(itemq_try_recv(&rx, &m), -EPIPE);
    close_channel();
}

static void *publish_late(void *pos)
{
    struct tri_mpsc_tx_side *side = tri_mpsc_tx(tx.end.chan);

    while (!(atomic_load(&side->tail) & TRI_RX_GONE))
        sched_yield();
    publish((uint64_t)(uintptr_t)pos, 1);
    return NULL;
}

TR_TEST(mpsc_inside, message_published_during_the_close_is_dropped_once)
{
    pthread_t thread;
    uint64_t pos;

    need_eq(itemq_new(4, &tx, &rx), 0);
    pos = claim();
    check_eq(send_id(2), 0);
    need_eq(pthread_create(&thread, NULL, publish_late, (void *)(uintptr_t)pos), 0);
    itemq_rx_close(&rx);
    check_eq(n_not_dropped_once(2), 0);
    pthread_join(thread, NULL);
    itemq_tx_close(&tx);
    check_eq(n_dropped, 2);
}

static void release(struct tri_mpsc *c)
{
    n_released++;
    free(c);
}

/* A channel in place, its ends closed in either order. */
static void check_in_place(bool rx_first)
{
    const size_t size = tri_mpsc_size(&itemq_tri_type, 3);
    unsigned char *mem = malloc(size + 1);
    struct tri_mpsc *c;

    need(mem);
    memset(mem, 0xee, size + 1);
    tri_mpsc_set_release_fn(release);
    c = tri_mpsc_init_at(mem, &itemq_tri_type, 3);
    tx = (itemq_tx){ { .chan = c } };
    rx = (itemq_rx){ { .chan = c } };
    for (uint32_t i = 0; i < 10; i++) {
        need_eq(send_id(1), 0);
        need_eq(itemq_try_recv(&rx, &(struct item){ 0 }), 0);
    }
    check_eq(send_id(1) + send_id(2) + send_id(3), 0);
    check_eq(send_id(4), -EAGAIN);
    check_eq(mem[size], 0xee);
    if (rx_first)
        itemq_rx_close(&rx);
    itemq_tx_close(&tx);
    check_eq(n_released, rx_first);
    itemq_rx_close(&rx);
    check_eq(n_released, 1);
    check_eq(n_dropped, 3);
}

TR_TEST(mpsc_inside, channel_in_place_is_released_by_the_last_sender)
{
    check_in_place(true);
}

TR_TEST(mpsc_inside, channel_in_place_is_released_by_the_receiver)
{
    check_in_place(false);
}

TR_TEST(mpsc_inside, mailbox_of_one_word_fits_a_handler)
{
    static const struct tri_type word = { "word", tr_nodrop, 8, 8 };

    check_le(tri_mpsc_size(&word, 1), 128);
}

/* Lets each allocation of name_new() fail in turn. */
static void check_new_fails(size_t capacity, long n_alloc)
{
    for (long nth = 1; nth <= n_alloc; nth++) {
        tri_mem_fail_at(nth);
        check_eq(itemq_new(capacity, &tx, &rx), -ENOMEM);
        check(tri_mem_has_failed());
        tri_mem_fail_at(0);
    }
    need_eq(itemq_new(capacity, &tx, &rx), 0);
    check_eq(send_id(1), 0);
    close_channel();
}

TR_TEST(mpsc_inside, new_without_memory_leaves_nothing)
{
    check_new_fails(4, 1);
    check_new_fails(1024, 1);
    check_new_fails(1 << 20, 2);
    check_new_fails(TR_UNBOUNDED, 2);
}

TR_TEST(mpsc_inside, unbounded_send_without_memory_keeps_message_and_position)
{
    struct item m = item(33);
    uint32_t id;

    need_eq(itemq_new(TR_UNBOUNDED, &tx, &rx), 0);
    for (id = 1; id <= 32; id++)
        need_eq(send_id(id), 0);
    tri_mem_fail_at(1);
    check_eq(itemq_try_send(&tx, &m), -ENOMEM);
    check(tri_mem_has_failed());
    check_eq(m.id, 33);
    check_eq(itemq_len(&rx), 32);
    tri_mem_fail_at(0);
    check_eq(itemq_try_send(&tx, &m), 0);
    for (id = 1; id <= 33; id++) {
        need_eq(itemq_try_recv(&rx, &m), 0);
        need_eq(m.id, id);
    }
    close_channel();
}

/* As if the senders that went on had not moved tail_block yet. */
TR_TEST(mpsc_inside, drained_block_is_out_of_the_senders_reach)
{
    struct tri_block *first, *next;
    uint32_t id;

    need_eq(itemq_new(TR_UNBOUNDED, &tx, &rx), 0);
    first = atomic_load(&tri_mpsc_tx(tx.end.chan)->tail_block);
    for (id = 1; id <= 33; id++)
        need_eq(send_id(id), 0);
    atomic_store(&tri_mpsc_tx(tx.end.chan)->tail_block, first);
    for (id = 1; id <= 33; id++)
        need_eq(itemq_try_recv(&rx, &(struct item){ 0 }), 0);
    next = atomic_load(&tri_mpsc_tx(tx.end.chan)->tail_block);
    check_ne(next, first);
    check_eq(next, rx.end.chan->head_block);
    check_eq(send_id(34), 0);
    close_channel();
}
