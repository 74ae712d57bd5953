/* SPDX-License-Identifier: MIT */
/*
 * test_broadcast_inside.c - the inside of the channel, where the orders of two parties are
 * forced step by step: a message that is written while it is read, parking against sending and
 * closing, a sender's mark against the receiver's move; and what is woken, and how often.
 */
#include "config.h"

#include <errno.h>

#include "chan/broadcast.h"
#include "chan/step.h"

TR_BROADCAST(numb, uint64_t, tr_copy, tr_nodrop);

static numb_tx tx;
static numb_rx rx;
static struct tri_wakee wakee = { .kind = TRI_KIND_THREAD };
static struct tri_wakee wakee2 = { .kind = TRI_KIND_THREAD };

TR_SUITE(broadcast_inside, .races = true, .timeout = 20);

/* Takes READY away, as who is going to park does. */
static void ask(struct tri_wakee *w)
{
    atomic_store(&w->word, 0);
}

static bool was_woken(struct tri_wakee *w)
{
    return atomic_fetch_and(&w->word, ~(unsigned)TRI_READY) & TRI_READY;
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

static int64_t take(void)
{
    uint64_t v;
    int e = numb_try_recv(&rx, &v);

    return e < 0 ? e : (int64_t)v;
}

static struct tri_flat *flat_at(uint64_t pos)
{
    struct tri_broadcast *c = tx.end.chan;

    return tri_broadcast_cell(c->cells, c->mask, c->stride, pos);
}

/* ---- reading while it is written ---- */

TR_TEST(broadcast_inside, message_that_is_being_written_is_not_there_yet)
{
    struct tri_flat *f;

    open_channel(2, 0);
    f = flat_at(0);
    atomic_store(&f->seq, tri_flat_published(0) - 1); /* the sender is in the middle */
    check_eq(take(), -EAGAIN);
    send_number(5);
    check_eq(take(), 5);
    close_channel();
}

/* The sender has begun to write over the next message, and not moved tail yet. */
TR_TEST(broadcast_inside, message_that_is_being_overwritten_is_lost_alone)
{
    struct tri_flat *f;
    uint64_t seq;

    open_channel(2, 0);
    send_number(1);
    send_number(2);
    f = flat_at(2);
    seq = atomic_exchange(&f->seq, tri_flat_published(2) - 1);
    check_eq(seq, tri_flat_published(0));
    check_eq(take(), -ESTALE);
    check_eq(numb_lost(&rx), 1);
    check_eq(take(), 2, "the one after it is still there");
    send_number(3); /* goes on and publishes */
    check_eq(take(), 3);
    check_eq(take(), -EAGAIN);
    close_channel();
}

TR_TEST(broadcast_inside, second_look_refuses_what_was_overwritten_after_the_first)
{
    uint64_t seq;

    open_channel(1, 0);
    send_number(1);
    need_eq(tri_flat_look(flat_at(0), 0, &seq), TRI_THERE);
    send_number(2);
    check_eq(tri_flat_word(flat_at(0), 0), 2);
    check(!tri_flat_is_still(flat_at(0), seq));
    check_eq(tri_flat_look(flat_at(0), 0, &seq), TRI_GONE);
    check_eq(tri_flat_look(flat_at(0), 2, &seq), TRI_NOT_YET);
    close_channel();
}

/* ---- parking ---- */

TR_TEST(broadcast_inside, receiver_that_asked_is_woken_once)
{
    open_channel(4, 0);
    ask(&wakee);
    need(tri_subscriber_park(rx.end.sub, &wakee));
    send_number(1);
    check(was_woken(&wakee));
    ask(&wakee);
    send_number(2);
    check(!was_woken(&wakee), "it did not ask again");
    tri_subscriber_unpark(rx.end.sub);
    check_eq(take(), 1);
    close_channel();
}

TR_TEST(broadcast_inside, receiver_that_took_its_wish_back_is_left_alone)
{
    open_channel(4, 0);
    ask(&wakee);
    need(tri_subscriber_park(rx.end.sub, &wakee));
    tri_subscriber_unpark(rx.end.sub);
    send_number(1);
    check(!was_woken(&wakee));
    close_channel();
}

TR_TEST(broadcast_inside, message_before_the_wish_refuses_it)
{
    open_channel(4, 0);
    send_number(1);
    ask(&wakee);
    check(!tri_subscriber_park(rx.end.sub, &wakee));
    send_number(2);
    check(!was_woken(&wakee));
    close_channel();
}

TR_TEST(broadcast_inside, end_before_the_wish_refuses_it)
{
    open_channel(4, 0);
    numb_tx_close(&tx);
    check(!tri_subscriber_park(rx.end.sub, &wakee));
    check_eq(take(), -EPIPE);
    close_channel();
}

static unsigned n_linked(void)
{
    unsigned n = 0;

    for (unsigned i = 0; i < TRI_N_SHARD; i++)
        for (struct tri_subscriber *s = atomic_load(&tx.end.chan->parked[i]); s;
             s = s->next_parked)
            n++;
    return n;
}

TR_TEST(broadcast_inside, waits_taken_back_do_not_pile_up)
{
    open_channel(4, 0);
    ask(&wakee);
    for (int i = 0; i < 1000; i++) {
        need(tri_subscriber_park(rx.end.sub, &wakee));
        tri_subscriber_unpark(rx.end.sub);
    }
    check_eq(n_linked(), 1);
    need(tri_subscriber_park(rx.end.sub, &wakee));
    send_number(1);
    check(was_woken(&wakee));
    check_eq(n_linked(), 0);
    tri_subscriber_unpark(rx.end.sub);
    close_channel();
}

TR_TEST(broadcast_inside, receivers_that_waited_and_closed_do_not_pile_up)
{
    open_channel(4, 0);
    for (int i = 0; i < 1000; i++) {
        numb_rx r;

        need_eq(numb_subscribe(&tx, 0, &r), 0);
        need(tri_subscriber_park(r.end.sub, &wakee));
        tri_subscriber_unpark(r.end.sub);
        numb_rx_close(&r);
    }
    check_le(n_linked(), 70);
    check_eq(n_linked(), atomic_load(&tx.end.chan->n_dead));
    send_number(1);
    check_eq(n_linked(), 0);
    check_eq(atomic_load(&tx.end.chan->n_dead), 0);
    close_channel();
}

TR_TEST(broadcast_inside, sweep_of_the_closed_ones_loses_no_wish)
{
    open_channel(4, 0);
    ask(&wakee);
    need(tri_subscriber_park(rx.end.sub, &wakee));
    for (int i = 0; i < 200; i++) {
        numb_rx r;

        need_eq(numb_subscribe(&tx, 0, &r), 0);
        need(tri_subscriber_park(r.end.sub, &wakee2));
        tri_subscriber_unpark(r.end.sub);
        numb_rx_close(&r);
    }
    send_number(1);
    check(was_woken(&wakee), "by the sweep, or by the send");
    tri_subscriber_unpark(rx.end.sub);
    close_channel();
}

/* Links subscribers as those of a seat are, whose first one wakes the others. */
static void park_on_a_seat(struct tri_subscriber *s, struct tri_wakee *w)
{
    struct tri_broadcast *c = tx.end.chan;

    ask(w);
    s->is_enrolled = true;
    atomic_store(&s->park, (uintptr_t)w | TRI_PARK_LINKED);
    s->next_parked = atomic_load(&c->parked[1]);
    atomic_store(&c->parked[1], s);
}

TR_TEST(broadcast_inside, one_of_a_seat_is_woken_and_wakes_the_others)
{
    numb_rx second;

    open_channel(4, 0);
    need_eq(numb_subscribe(&tx, 0, &second), 0);
    park_on_a_seat(rx.end.sub, &wakee);
    park_on_a_seat(second.end.sub, &wakee2);
    send_number(1);
    check(!was_woken(&wakee));
    check(was_woken(&wakee2), "it parked last");
    ask(&wakee);
    tri_subscriber_unpark(second.end.sub);
    check(was_woken(&wakee));
    tri_subscriber_unpark(rx.end.sub);
    numb_rx_close(&second);
    close_channel();
}

TR_TEST(broadcast_inside, one_that_took_its_wish_back_first_has_no_duty)
{
    numb_rx second;

    open_channel(4, 0);
    need_eq(numb_subscribe(&tx, 0, &second), 0);
    park_on_a_seat(rx.end.sub, &wakee);
    park_on_a_seat(second.end.sub, &wakee2);
    tri_subscriber_unpark(second.end.sub);
    send_number(1);
    check(was_woken(&wakee));
    check(!was_woken(&wakee2));
    tri_subscriber_unpark(rx.end.sub);
    numb_rx_close(&second);
    close_channel();
}

/* The first one is in the hands of a sender, parks again in time, and another message comes. */
TR_TEST(broadcast_inside, wish_renewed_while_a_sender_has_the_list_is_seen_by_it)
{
    struct tri_broadcast *c;
    struct tri_subscriber *list;

    open_channel(4, 0);
    c = tx.end.chan;
    need(tri_subscriber_park(rx.end.sub, &wakee));
    list = atomic_exchange(&c->parked[0], NULL); /* a sender takes the list, and stops */
    need(list == rx.end.sub);
    tri_subscriber_unpark(rx.end.sub);
    ask(&wakee2);
    need(tri_subscriber_park(rx.end.sub, &wakee2));
    check_eq(n_linked(), 0, "it is linked in the sender's list");
    send_number(1); /* another sender finds nobody */
    check(!was_woken(&wakee2));
    atomic_store(&c->parked[0], list); /* the first one goes on */
    ask(&wakee2);
    tri_broadcast_wake(c);
    check(was_woken(&wakee2));
    tri_subscriber_unpark(rx.end.sub);
    close_channel();
}

/* It closes while a sender has it in hand: the sender frees it. */
TR_TEST(broadcast_inside, receiver_closed_while_a_sender_has_the_list_is_freed_by_it)
{
    struct tri_broadcast *c;
    struct tri_subscriber *list;

    open_channel(4, 0);
    c = tx.end.chan;
    need(tri_subscriber_park(rx.end.sub, &wakee));
    list = atomic_exchange(&c->parked[0], NULL);
    tri_subscriber_unpark(rx.end.sub);
    numb_rx_close(&rx);
    check_eq(atomic_load(&c->n_dead), 1);
    atomic_store(&c->parked[0], list);
    tri_broadcast_wake(c);
    check_eq(atomic_load(&c->n_dead), 0);
    close_channel();
}

/* ---- a waiting sender's marks ---- */

static bool is_marked(const numb_rx *r)
{
    return atomic_load(&r->end.sub->blocks);
}

struct job {
    numb_tx tx;
    tr_time deadline;
};

static void job_drop(struct job *j)
{
    numb_tx_close(&j->tx);
}
TR_TASK(sender, struct job, job_drop);

static int sent; /* the result of the task's send; 1000: none yet */

static int sender(struct job *j)
{
    uint64_t v = 99;

    sent = numb_send(&j->tx, &v, j->deadline);
    return 0;
}

/* A full ring of @capacity, two receivers at its start, and a sender that waits for both. */
static void park_sender(tr_scope *root, size_t capacity, tr_time deadline, numb_rx *ret_second)
{
    struct job j = { .deadline = deadline };

    open_channel(capacity, TR_BROADCAST_WAIT);
    need_eq(numb_subscribe(&tx, 0, ret_second), 0);
    for (uint64_t v = 1; v <= capacity; v++)
        send_number(v);
    j.tx = numb_tx_clone(&tx);
    sent = 1000;
    need_eq(sender_spawn(root, &j, NULL), 0);
    step_until(is_marked(&rx) && is_marked(ret_second));
    check_eq(atomic_load(&tx.end.chan->n_blocking), 2);
}

static void last_one_serves(tr_scope *root, size_t capacity)
{
    numb_rx second;

    park_sender(root, capacity, TR_NEVER, &second);
    check_eq(take(), 1);
    check(!is_marked(&rx));
    check_eq(atomic_load(&tx.end.chan->n_blocking), 1);
    need_eq(tr_yield(), 0);
    check_eq(sent, 1000);
    check_eq(take(), capacity > 1 ? 2 : -EAGAIN, "only its first move counted");
    check_eq(atomic_load(&tx.end.chan->n_blocking), 1);
    numb_rx_close(&second); /* takes its mark with it */
    check_eq(atomic_load(&tx.end.chan->n_blocking), 0);
    step_until(sent == 1);
    close_channel();
}

STEP_TEST(broadcast_inside, last_marked_receiver_serves_the_sender_with_a_fence)
{
    last_one_serves(root, 1);
}

STEP_TEST(broadcast_inside, last_marked_receiver_serves_the_sender_without_a_fence)
{
    last_one_serves(root, 64);
}

STEP_TEST(broadcast_inside, marks_of_a_sender_that_has_left_do_no_harm)
{
    numb_rx second;

    park_sender(root, 1, tr_after(TR_MS(1)), &second);
    step_until(sent == -ETIMEDOUT);
    check(is_marked(&rx));
    check_eq(take(), 1);
    check_eq(atomic_load(&tx.end.chan->n_blocking), 1);
    numb_rx_close(&second);
    check_eq(atomic_load(&tx.end.chan->n_blocking), 0);
    send_number(2);
    check_eq(take(), 2);
    close_channel();
}

/* The count comes to 0 although one still stands where the ring is full; the other one moved on
 * between its mark and the sender's second look. */
STEP_TEST(broadcast_inside, line_that_is_served_for_nothing_marks_only_who_stands_in_the_way)
{
    struct tri_broadcast *c;
    numb_rx second;

    park_sender(root, 1, TR_NEVER, &second);
    c = tx.end.chan;
    check_eq(take(), 1);
    atomic_store(&second.end.sub->blocks, false);
    atomic_store(&rx.end.sub->blocks, true);
    atomic_store(&c->n_blocking, 1);
    tri_broadcast_serve(c);
    check_eq(sent, 1000);
    check(is_marked(&second), "marked again: it still stands there");
    check(!is_marked(&rx));
    check_eq(atomic_load(&c->n_blocking), 1);
    numb_rx_close(&second);
    step_until(sent == 1);
    close_channel();
}
