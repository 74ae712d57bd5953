/* SPDX-License-Identifier: MIT */
/*
 * test_published.c - a pin that is interrupted between its two steps, at each place of a
 * publication, and slots: they are used again as soon as nobody is in them, and more are made
 * while all are in use.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>

#include "chan/items.h"
#include "chan/watch.h"
#include "support/tr-test.h"

TR_WATCH(pub, struct item, item_drop);

static struct tri_published p;

static struct tri_snapshot *snapshot(uint32_t id)
{
    struct tri_snapshot *s = tri_snapshot_new(&pub_tri_type);
    struct item m = item(id);

    if (!s)
        abort();
    tri_copy(s->value, &m, sizeof m);
    return s;
}

/* The first value has id 1. */
static void publish_first(void)
{
    tri_published_init(&p, snapshot(1));
}

TR_SUITE(published, .init = publish_first);

static uint32_t id_of(const struct tri_snapshot *s)
{
    return ((const struct item *)(const void *)s->value)->id;
}

static void put(uint32_t id)
{
    struct tri_slot *slot = tri_published_find(&p);

    need_ne(slot, NULL);
    tri_snapshot_unref(tri_published_put(&p, slot, snapshot(id)));
}

static void finish(void)
{
    tri_snapshot_unref(tri_published_fini(&p));
}

/* The first step of tri_published_pin(), and the second. */
static uint64_t arrive_at(struct tri_published *at)
{
    return atomic_fetch_add_explicit(&at->word, (uint64_t)1 << TRI_SLOT_BITS,
                                     memory_order_acquire);
}

static uint64_t arrive(void)
{
    return arrive_at(&p);
}

static struct tri_snapshot *leave_from(struct tri_published *from, uint64_t word)
{
    struct tri_slot *slot = tri_slot_at(from, tri_slot_index(word));
    struct tri_snapshot *s = slot->snapshot;

    atomic_fetch_add_explicit(&slot->n_out, 1, memory_order_release);
    return s;
}

static struct tri_snapshot *leave(uint64_t word)
{
    return leave_from(&p, word);
}

TR_TEST(published, what_is_replaced_goes_with_its_last_pin_and_at_once_without_one)
{
    struct tri_snapshot *pinned = tri_published_pin(&p);

    put(2);
    check_eq(n_dropped, 0);
    put(3);
    check_eq(n_dropped_of[2], 1, "nobody had it");
    tri_snapshot_unref(pinned);
    check_eq(n_dropped_of[1], 1);
    finish();
    check_eq(n_not_dropped_once(3), 0);
}

TR_TEST(published, pins_given_up_before_and_after_the_publication_count_alike)
{
    struct tri_snapshot *a = tri_published_pin(&p), *b = tri_published_pin(&p);

    check_eq(a == b, true);
    tri_snapshot_unref(a);
    check_eq(n_dropped, 0, "it is the newest still");
    put(2);
    check_eq(n_dropped, 0);
    tri_snapshot_unref(b);
    check_eq(n_dropped_of[1], 1);
    finish();
}

TR_TEST(published, pin_that_is_interrupted_has_the_value_that_it_arrived_at)
{
    uint64_t word = arrive();
    struct tri_snapshot *s;

    for (uint32_t id = 2; id <= 20; id++)
        put(id);
    check_eq(n_dropped, 18, "the writer goes on, and the values between are gone");
    s = leave(word);
    check_eq(id_of(s), 1);
    check_eq(n_dropped_of[1], 0);
    tri_snapshot_unref(s);
    check_eq(n_dropped_of[1], 1);
    finish();
}

TR_TEST(published, slot_is_not_used_again_before_the_last_one_has_left_it)
{
    uint64_t a = arrive(), b = arrive();

    check_eq(tri_slot_index(a), 0);
    put(2);
    for (uint32_t id = 3; id < 10; id++) {
        put(id);
        check_ne(tri_slot_index(p.word), 0);
    }
    tri_snapshot_unref(leave(b));
    put(10);
    check_ne(tri_slot_index(p.word), 0, "one of two");
    tri_snapshot_unref(leave(a));
    put(11);
    check_eq(tri_slot_index(p.word), 0);
    finish();
    check_eq(n_not_dropped_once(11), 0);
}

/* What a writer does that finds no slot. */
static bool grow(void)
{
    unsigned n = tri_published_wants(&p);
    struct tri_slot *more = n > 0 ? calloc(n, sizeof *more) : NULL;

    return n > 0 && tri_published_grow(&p, more, n);
}

enum { SLOTS = 1 << TRI_SLOT_BITS };

TR_TEST(published, there_are_as_many_slots_as_pins_are_interrupted_up_to_a_limit)
{
    static uint64_t word[SLOTS];
    uint32_t n = 0;

    for (; n < SLOTS; n++) {
        word[n] = arrive();
        if (!tri_published_find(&p) && !grow())
            break;
        put(n + 2);
    }
    check_eq(n, SLOTS - 1);
    check_eq(n_dropped, 0);
    for (uint32_t i = 0; i <= n; i++) {
        struct tri_snapshot *s = leave(word[i]);

        check_eq(id_of(s), i + 1);
        tri_snapshot_unref(s);
    }
    check_eq(n_dropped, n);
    put(n + 2);
    finish();
    check_eq(n_not_dropped_once(n + 2), 0);
}

TR_TEST(published, part_that_another_writer_was_quicker_to_add_is_refused)
{
    struct tri_slot *more = calloc(4, sizeof *more);

    check_eq(tri_published_wants(&p), 4);
    check_eq(grow(), true);
    check_eq(tri_published_grow(&p, more, 4), false);
    free(more);
    finish();
}

TR_TEST(published, sender_that_finds_no_slot_makes_more_or_keeps_its_value)
{
    struct item m = item(2);
    struct tri_published *of;
    uint64_t word[TRI_SLOTS_FIRST];
    pub_tx tx;
    pub_rx rx;

    need_eq(pub_new(&m, &tx, &rx), 0);
    of = &tx.end.cell->published;
    for (uint32_t i = 0; i < TRI_SLOTS_FIRST; i++) {
        word[i] = arrive_at(of);
        m = item(3 + i);
        if (i < TRI_SLOTS_FIRST - 1)
            check_eq(pub_send(&tx, &m), 0);
    }
    tri_mem_fail_at(2); /* the snapshot, and then the slots */
    check_eq(pub_send(&tx, &m), -ENOMEM);
    check(tri_mem_has_failed());
    check_eq(m.id, 2u + TRI_SLOTS_FIRST);
    check_eq(pub_send(&tx, &m), 0);
    for (uint32_t i = 0; i < TRI_SLOTS_FIRST; i++)
        tri_snapshot_unref(leave_from(of, word[i]));
    check_eq(pub_get(&rx)->id, 2u + TRI_SLOTS_FIRST);
    pub_tx_close(&tx);
    pub_rx_close(&rx);
    finish();
    check_eq(n_not_dropped_once(2 + TRI_SLOTS_FIRST), 0);
}
