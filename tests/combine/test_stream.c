/* SPDX-License-Identifier: MIT */
/*
 * test_stream.c - what one makes of a queue with deadlines and ticks: chunks, distances, gaps.
 */
#include "config.h"

#include "sched/kit.h"

TR_SUITE(stream, .init = kit_listen, .timeout = 30);

TR_MPSC(numq, int, tr_nodrop);

/* Sends numbers from 1 on, each @span[i] after the one before; then it closes. */
struct feed {
    numq_tx tx;
    tr_time span[12];
    int n;
    bool stays; /* does not close */
};

static void feed_drop(struct feed *f)
{
    numq_tx_close(&f->tx);
}

TR_TASK(feed, struct feed, feed_drop);

static int feed(struct feed *f)
{
    int r = 0;

    for (int i = 0; i < f->n && r == 0; i++) {
        int m = i + 1;

        if (f->span[i] > 0)
            r = tr_sleep(tr_after(f->span[i]));
        if (r == 0)
            r = numq_send(&f->tx, &m, TR_NEVER);
    }
    return f->stays ? tr_sleep(TR_NEVER) : r;
}

static numq_rx begin(tr_scope *s, struct feed f)
{
    numq_rx rx = { { NULL } };

    check_eq(numq_new(TR_UNBOUNDED, &f.tx, &rx), 0);
    check_eq(feed_spawn(s, &f, NULL), 0);
    return rx;
}

/* ---- chunks ---- */

VIRTUAL_TEST(stream, a_chunk_ends_by_its_number_or_a_span_after_its_first_message_and_is_never_empty)
{
    tr_time born = tr_now();
    numq_rx rx TR_CLEANUP(numq_rx_close) =
        begin(root, (struct feed){ .n = 7,
                                   .span = { TR_MS(50), 0, 0, 0, TR_MS(3), TR_MS(30), TR_MS(30) } });
    int m[3];

    check_eq(numq_recv_chunk(&rx, 3, TR_MS(10), TR_NEVER, m), 3, "full");
    check_eq(tr_now() - born, TR_MS(50), "at once, and an empty time gives no chunk");
    check_eq(m[2], 3);
    check_eq(numq_recv_chunk(&rx, 3, TR_MS(10), TR_NEVER, m), 2, "the time is over");
    check_eq(m[0], 4);
    check_eq(m[1], 5);
    check_eq(tr_now() - born, TR_MS(60), "from the first message on, not from the last");
    check_eq(numq_recv_chunk(&rx, 3, TR_MS(10), tr_after(TR_MS(5)), m), -ETIMEDOUT, "none");
    check_eq(numq_recv_chunk(&rx, 3, TR_MS(40), TR_NEVER, m), 2, "the rest, as soon as it has ended");
    check_eq(m[0], 6);
    check_eq(m[1], 7);
    check_eq(tr_now() - born, TR_MS(113));
    check_eq(numq_recv_chunk(&rx, 3, TR_MS(40), TR_NEVER, m), -EPIPE);
    check_eq(numq_recv_chunk(&rx, 0, TR_MS(40), TR_NEVER, m), 0);
}

struct collector {
    numq_rx rx;
    ssize_t *got, *then;
};

static void collector_drop(struct collector *c)
{
    numq_rx_close(&c->rx);
}

TR_TASK(collector, struct collector, collector_drop);

static int collector(struct collector *c)
{
    int m[4];

    *c->got = numq_recv_chunk(&c->rx, 4, TR_S(100), TR_UNTIL_DRAIN, m);
    *c->then = numq_recv_chunk(&c->rx, 4, TR_S(100), TR_UNTIL_DRAIN, m);
    return 0;
}

static void interrupted(tr_scope *root, bool drain)
{
    tr_scope s TR_CLEANUP(tr_scope_end) = tr_scope_open(NULL);
    ssize_t got = 0, then = 0;
    struct collector c = { .got = &got, .then = &then };

    c.rx = begin(root, (struct feed){ .n = 2, .stays = true });
    need_eq(collector_spawn(&s, &c, NULL), 0);
    need_eq(tr_sleep(tr_after(TR_MS(1))), 0);
    if (drain)
        check_eq(tr_scope_drain(&s, TR_NEVER), 0);
    else
        tr_scope_end(&s);
    check_eq(got, 2, "what it had is returned");
    check_eq(then, drain ? -ESHUTDOWN : -ECANCELED, "and then it is told");
    tr_scope_cancel(root);
}

VIRTUAL_TEST(stream, a_drain_in_the_middle_of_a_chunk_loses_nothing)
{
    interrupted(root, true);
}

VIRTUAL_TEST(stream, a_cancel_in_the_middle_of_a_chunk_loses_nothing)
{
    interrupted(root, false);
}

/* ---- distances ---- */

VIRTUAL_TEST(stream, an_interval_that_is_reset_after_each_item_keeps_them_apart)
{
    numq_rx rx TR_CLEANUP(numq_rx_close) =
        begin(root, (struct feed){ .n = 4, .span = { 0, 0, TR_MS(50), TR_MS(3) } });
    const tr_time at[4] = { 0, TR_MS(10), TR_MS(50), TR_MS(60) };
    tr_time born = tr_now();
    tr_interval pause;
    int m = 0;

    need_eq(tr_interval_init(&pause, TR_NOW, TR_MS(10), TR_MISSED_DELAY), 0);
    for (int i = 0; i < 4; i++) {
        need_eq(tr_interval_tick(&pause, TR_NEVER, NULL), 0);
        need_eq(numq_recv(&rx, TR_NEVER, &m), 0);
        tr_interval_reset(&pause, tr_after(TR_MS(10)));
        check_eq(m, i + 1);
        check_eq(tr_now() - born, at[i], "item %d", m);
    }
}

/* ---- gaps ---- */

VIRTUAL_TEST(stream, a_deadline_tells_a_gap_once_and_the_stream_goes_on)
{
    numq_rx rx TR_CLEANUP(numq_rx_close) =
        begin(root, (struct feed){ .n = 3, .span = { 0, TR_MS(35), TR_MS(10) } });
    tr_time born = tr_now();
    int m = 0;

    need_eq(numq_recv(&rx, tr_after(TR_MS(10)), &m), 0);
    check_eq(numq_recv(&rx, tr_after(TR_MS(10)), &m), -ETIMEDOUT);
    check_eq(tr_now() - born, TR_MS(10));
    need_eq(numq_recv(&rx, TR_NEVER, &m), 0, "it goes on");
    check_eq(m, 2);
    check_eq(tr_now() - born, TR_MS(35));
    need_eq(tr_sleep(tr_after(TR_MS(20))), 0);
    need_eq(numq_recv(&rx, born + TR_MS(50), &m), 0, "the item wins over a time that has passed");
    check_eq(m, 3);
    check_eq(numq_recv(&rx, tr_after(TR_MS(10)), &m), -EPIPE);
}

VIRTUAL_TEST(stream, an_interval_beside_a_queue_tells_a_gap_again_and_again_and_the_item_wins)
{
    numq_rx rx TR_CLEANUP(numq_rx_close) =
        begin(root, (struct feed){ .n = 2, .span = { TR_MS(35), TR_MS(10) } });
    tr_interval every;
    int m = 0, n_gap = 0;
    tr_arm arms[2];

    need_eq(tr_interval_init(&every, tr_after(TR_MS(10)), TR_MS(10), TR_MISSED_SKIP), 0);
    arms[0] = numq_recv_arm(&rx, &m);
    arms[1] = tr_interval_tick_arm(&every, NULL);
    while (tr_select_first(TR_NEVER, arms, 2) == 1)
        n_gap++;
    check_eq(n_gap, 3, "one for each tick of the gap");
    check_eq(m, 1);
    tr_interval_reset(&every, tr_after(TR_MS(10)));
    need_eq(tr_sleep(tr_after(TR_MS(20))), 0);
    check_eq(tr_select_first(TR_NEVER, arms, 2), 0, "both are ready: the item wins");
    check_eq(m, 2);
}
