/* SPDX-License-Identifier: MIT */
/* Channels, with every wait and every request for memory hit: see kit.h. */
#include "config.h"

#include "every/kit.h"

TR_SUITE(every_chan, .init = kit_listen, .timeout = 60);

/* ---- mpsc: the receiver shuts when it ends, and the counts add up ---- */

enum { N_SENDER = 3 };

TR_MPSC(q, struct item, item_drop);

static struct {
    q_tx tx[N_SENDER];
    q_rx rx;
    unsigned each;
    size_t many; /* taken at once; 0: one by one */
    bool urgent; /* through the lane */
    unsigned n_sent, n_received, n_back;
} m;

static int mpsc_sender(unsigned i)
{
    for (unsigned k = 0; k < m.each; k++) {
        struct item it TR_CLEANUP(item_drop) = new_item();
        int r;

        m.n_sent++;
        r = m.urgent ? MAY(q_send_urgent_until(&m.tx[i], &it, late()), -EPIPE)
                     : MAY(q_send(&m.tx[i], &it, late()), -EPIPE);
        check_eq(it.id == 0, r == 0, "moved on success, and only then");
        if (r < 0) {
            m.n_back++;
            return r;
        }
        if (k % 8 == 7 && (r = MAY(tr_yield())) < 0)
            return r;
    }
    return 0;
}

static void mpsc_sender_end(unsigned i)
{
    q_tx_close(&m.tx[i]);
}

static int mpsc_take(void)
{
    struct item it[4] = { { 0 } };
    int r;

    if (m.many == 0)
        r = MAY(q_recv(&m.rx, late(), &it[0]), -EPIPE) < 0 ? -EPIPE : 1;
    else
        r = MAY((int)q_recv_many(&m.rx, m.many, late(), it), -EPIPE);
    for (int k = 0; k < r; k++)
        item_drop(&it[k]);
    m.n_received += r > 0 ? (unsigned)r : 0;
    return r;
}

static int mpsc_receiver(unsigned i)
{
    (void)i;
    while (mpsc_take() > 0)
        ;
    return 0;
}

static void mpsc_receiver_end(unsigned i)
{
    (void)i;
    q_rx_shut(&m.rx);
}

/* @n_urgent: places of the lane, through which all goes; 0: none. */
static int mpsc_stage(tr_scope *s, size_t capacity, size_t n_urgent, unsigned each, size_t many)
{
    const struct tr_mpsc_opts opts = { .capacity = capacity, .n_urgent = n_urgent };
    int r = MAY(q_new_with(&opts, &m.tx[0], &m.rx));

    if (r < 0)
        return r;
    m.urgent = n_urgent > 0;
    m.each = each;
    m.many = many;
    for (unsigned i = 1; i < N_SENDER; i++)
        m.tx[i] = q_tx_clone(&m.tx[0]);
    (void)go(s, mpsc_receiver, mpsc_receiver_end, 0);
    for (unsigned i = 0; i < N_SENDER; i++)
        (void)go(s, mpsc_sender, mpsc_sender_end, i);
    return 0;
}

static int bounded(tr_scope *s)
{
    return mpsc_stage(s, 2, 0, 4, 0);
}

static int unbounded(tr_scope *s)
{
    return mpsc_stage(s, TR_UNBOUNDED, 0, 50, 0);
}

static int in_batches(tr_scope *s)
{
    return mpsc_stage(s, 3, 0, 6, 4);
}

static int urgent(tr_scope *s)
{
    return mpsc_stage(s, 1, 2, 4, 0);
}

static void mpsc_finish(void)
{
    struct tr_mpsc_counts c = { 0 };

    if (m.rx.end.chan) {
        q_rx_counts(&m.rx, &c);
        check_eq(c.n_sent, m.n_sent);
        check_eq(c.n_received, m.n_received);
        check_eq(c.n_back, m.n_back);
        check_eq(c.n_sent, c.n_received + c.n_back + c.n_dropped + q_len(&m.rx));
    }
    if (is_untouched())
        check_eq(m.n_received, N_SENDER * m.each);
    q_rx_close(&m.rx);
    memset(&m, 0, sizeof m);
}

EVERY_TEST(every_chan, mpsc_bounded, bounded, mpsc_finish)
EVERY_TEST(every_chan, mpsc_unbounded, unbounded, mpsc_finish)
EVERY_TEST(every_chan, mpsc_recv_many, in_batches, mpsc_finish)
EVERY_TEST(every_chan, mpsc_urgent, urgent, mpsc_finish)

/* ---- oneshot: questions with a place for the answer ---- */

enum { N_ASKER = 3 };

TR_ONESHOT(answer, struct item, item_drop);

struct ask {
    struct item question;
    answer_tx reply;
    bool hesitates; /* waits until nobody wants an answer */
};

static void ask_drop(struct ask *a)
{
    item_drop(&a->question);
    answer_tx_close(&a->reply);
}

TR_MPSC(askq, struct ask, ask_drop);

static struct {
    askq_tx tx[N_ASKER];
    askq_rx rx;
    unsigned n_answer;
} o;

static int answer_one(struct ask *a)
{
    struct item it TR_CLEANUP(item_drop) = new_item();
    int r = a->hesitates ? MAY(answer_closed(&a->reply, late())) : MAY(tr_yield());

    if (r < 0)
        return r;
    r = MAY(answer_send(&a->reply, &it), -EPIPE);
    check_eq(it.id == 0, r == 0);
    if (a->hesitates)
        check_eq(r, -EPIPE);
    return 0;
}

static int answerer(unsigned i)
{
    int r = 0;

    (void)i;
    while (r == 0) {
        struct ask a TR_CLEANUP(ask_drop) = { 0 };

        r = MAY(askq_recv(&o.rx, late(), &a), -EPIPE);
        if (r == 0)
            r = answer_one(&a);
    }
    return r == -EPIPE ? 0 : r;
}

static void answerer_end(unsigned i)
{
    (void)i;
    askq_rx_close(&o.rx);
}

/* The last asker goes before the answer comes. */
static int asker(unsigned i)
{
    for (unsigned k = 0; k < 2; k++) {
        struct ask a TR_CLEANUP(ask_drop) = { .hesitates = i == N_ASKER - 1 };
        answer_rx rx TR_CLEANUP(answer_rx_close) = { 0 };
        struct item it TR_CLEANUP(item_drop) = { 0 };
        int r = MAY(answer_new(&a.reply, &rx));

        if (r < 0)
            return r;
        a.question = new_item();
        r = MAY(askq_send(&o.tx[i], &a, late()), -EPIPE);
        if (r == 0 && i == N_ASKER - 1)
            r = MAY(tr_yield());
        else if (r == 0)
            r = MAY(answer_recv(&rx, late(), &it), -EPIPE);
        if (r < 0)
            return r;
        o.n_answer++;
    }
    return 0;
}

static void asker_end(unsigned i)
{
    askq_tx_close(&o.tx[i]);
}

static int oneshot_stage(tr_scope *s)
{
    int r = MAY(askq_new(1, &o.tx[0], &o.rx));

    if (r < 0)
        return r;
    for (unsigned i = 1; i < N_ASKER; i++)
        o.tx[i] = askq_tx_clone(&o.tx[0]);
    (void)go(s, answerer, answerer_end, 0);
    for (unsigned i = 0; i < N_ASKER; i++)
        (void)go(s, asker, asker_end, i);
    return 0;
}

static void oneshot_finish(void)
{
    if (is_untouched())
        check_eq(o.n_answer, 2 * N_ASKER);
    memset(&o, 0, sizeof o);
}

EVERY_TEST(every_chan, oneshot, oneshot_stage, oneshot_finish)

/* ---- watch ---- */

enum { N_READER = 3, N_VERSION = 6 };

TR_WATCH(watch, struct item, item_drop);

static struct {
    watch_tx tx;
    watch_rx rx[N_READER];
    unsigned n_done;
} w;

static int publisher(unsigned i)
{
    (void)i;
    for (unsigned k = 1; k < N_VERSION; k++) {
        struct item it TR_CLEANUP(item_drop) = new_item();
        int r = MAY(watch_send(&w.tx, &it), -EPIPE);

        check_eq(it.id == 0, r == 0);
        if (r == 0)
            r = MAY(tr_sleep(tr_after(TR_MS(1))));
        if (r < 0)
            return r;
    }
    w.n_done++;
    return 0;
}

static void publisher_end(unsigned i)
{
    (void)i;
    watch_tx_close(&w.tx);
}

/* Holds a version while the next ones come. */
static int reader(unsigned i)
{
    uint32_t last = 0;
    int r;

    while ((r = MAY(watch_changed(&w.rx[i], late()), -EPIPE)) == 0) {
        const struct item *held = watch_pin(&w.rx[i]);

        check_eq(held->check, ~held->id);
        check_gt(held->id, last);
        last = held->id;
        r = MAY(tr_sleep(tr_after(TR_US(1500))));
        check_eq(held->id, last, "it stays as it is");
        watch_unpin(held);
        if (r < 0)
            return r;
    }
    w.n_done += r == -EPIPE;
    return r;
}

static bool is_late_version(const void *value, void *arg)
{
    (void)arg;
    return ((const struct item *)value)->id >= N_VERSION - 1;
}

static int patient_reader(unsigned i)
{
    int r = MAY(watch_wait_for(&w.rx[i], is_late_version, NULL, late()), -EPIPE);

    if (r == 0)
        check_ge(watch_get(&w.rx[i])->id, N_VERSION - 1);
    w.n_done += r == 0;
    return r;
}

static void reader_end(unsigned i)
{
    watch_rx_close(&w.rx[i]);
}

static int watch_stage(tr_scope *s)
{
    struct item first TR_CLEANUP(item_drop) = new_item();
    int r = MAY(watch_new(&first, &w.tx, &w.rx[0]));

    if (r < 0)
        return r;
    w.rx[1] = watch_rx_clone(&w.rx[0]);
    w.rx[2] = watch_subscribe(&w.tx);
    (void)go(s, publisher, publisher_end, 0);
    (void)go(s, reader, reader_end, 0);
    (void)go(s, reader, reader_end, 1);
    (void)go(s, patient_reader, reader_end, 2);
    return 0;
}

static void watch_finish(void)
{
    if (is_untouched())
        check_eq(w.n_done, 1 + N_READER);
    memset(&w, 0, sizeof w);
}

EVERY_TEST(every_chan, watch, watch_stage, watch_finish)

/* ---- broadcast ---- */

enum { N_NEWS_TX = 2, N_NEWS_RX = 3, N_NEWS = 5 };

static int copy_item(struct item *dst, const struct item *src)
{
    check_eq(src->check, ~src->id);
    *dst = new_item();
    return 0;
}

TR_BROADCAST(news, struct item, copy_item, item_drop);

static struct {
    news_tx tx[N_NEWS_TX];
    news_rx rx[N_NEWS_RX];
    unsigned n_open, n_sent, n_back, n_received, n_lost;
} b;

/* Of the last end: sent, and what became of what was due. */
static void news_add_up(struct tr_broadcast_counts c, size_t n_left)
{
    check_eq(c.n_sent, b.n_sent);
    check_eq(c.n_back, b.n_back);
    check_eq(c.n_received, b.n_received);
    check_eq(c.n_due, c.n_received + c.n_lost + c.n_unread + n_left);
}

static int news_sender(unsigned i)
{
    for (unsigned k = 0; k < N_NEWS; k++) {
        struct item it TR_CLEANUP(item_drop) = new_item();
        int r;

        b.n_sent++;
        r = MAY(news_send(&b.tx[i], &it, late()), -EPIPE);
        check_eq(it.id == 0, r > 0);
        b.n_back += r < 0;
        if (r > 0 && k % 2)
            r = MAY(tr_yield());
        if (r < 0)
            return r;
    }
    return 0;
}

static void news_sender_end(unsigned i)
{
    struct tr_broadcast_counts c;

    if (--b.n_open == 0) {
        news_tx_counts(&b.tx[i], &c);
        news_add_up(c, 0);
    }
    news_tx_close(&b.tx[i]);
}

static int news_receiver(unsigned i)
{
    int r;

    do {
        struct item it TR_CLEANUP(item_drop) = { 0 };

        r = MAY(news_recv(&b.rx[i], late(), &it), -EPIPE, -ESTALE);
        b.n_received += r == 0;
        if (r == -ESTALE)
            b.n_lost += (unsigned)news_lost(&b.rx[i]);
        if (r == 0 && i == 0) /* the slow one */
            r = MAY(tr_sleep(tr_after(TR_MS(1))));
    } while (r == 0 || r == -ESTALE);
    return r;
}

static void news_receiver_end(unsigned i)
{
    struct tr_broadcast_counts c;

    if (--b.n_open == 0) {
        news_rx_counts(&b.rx[i], &c);
        news_add_up(c, news_len(&b.rx[i]));
    }
    news_rx_close(&b.rx[i]);
}

static int news_stage(tr_scope *s, unsigned flags)
{
    int r = MAY(news_new(2, flags, &b.tx[0], &b.rx[0]));

    if (r < 0)
        return r;
    b.tx[1] = news_tx_clone(&b.tx[0]);
    if (MAY(news_subscribe(&b.tx[0], 0, &b.rx[1])) < 0 ||
        MAY(news_resubscribe(&b.rx[0], &b.rx[2])) < 0) {
        news_tx_close(&b.tx[0]);
        news_tx_close(&b.tx[1]);
        for (unsigned i = 0; i < N_NEWS_RX; i++)
            news_rx_close(&b.rx[i]);
        return -ENOMEM;
    }
    b.n_open = N_NEWS_TX + N_NEWS_RX;
    for (unsigned i = 0; i < N_NEWS_RX; i++)
        (void)go(s, news_receiver, news_receiver_end, i);
    for (unsigned i = 0; i < N_NEWS_TX; i++)
        (void)go(s, news_sender, news_sender_end, i);
    return 0;
}

static int overwriting(tr_scope *s)
{
    return news_stage(s, 0);
}

static int waiting(tr_scope *s)
{
    return news_stage(s, TR_BROADCAST_WAIT);
}

static void news_finish(void)
{
    check_eq(b.n_open, 0);
    if (is_untouched())
        check_eq(b.n_received + b.n_lost, N_NEWS_RX * N_NEWS_TX * N_NEWS);
    memset(&b, 0, sizeof b);
}

EVERY_TEST(every_chan, broadcast_that_overwrites, overwriting, news_finish)
EVERY_TEST(every_chan, broadcast_that_waits, waiting, news_finish)
