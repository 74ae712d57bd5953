/* SPDX-License-Identifier: MIT */
/*
 * Delay queue, interval, select and sets of arms, with every wait hit: who loses takes nothing.
 */
#include "config.h"

#include "every/kit.h"

TR_SUITE(every_wait, .init = kit_listen, .timeout = 60);

TR_MPSC(q, struct item, item_drop);
TR_ONESHOT(one, struct item, item_drop);
TR_WATCH(watch, struct item, item_drop);
TR_DELAYQ(delays, struct item, item_drop);

static int nap(void)
{
    return MAY(tr_sleep(tr_after(TR_MS(1))));
}

/* ---- delay queue ---- */

enum { N_DELAYED = 8, N_TAKER = 2 };

static delays dq;
static unsigned n_in, n_out;

static int inserter(unsigned i)
{
    (void)i;
    for (unsigned k = 0; k < N_DELAYED; k++) {
        struct item it TR_CLEANUP(item_drop) = new_item();
        tr_delay_key key;
        int r = MAY(delays_insert(&dq, &it, tr_after(TR_MS(1 + k * 5 % 7)), &key));

        check_eq(it.id == 0, r == 0);
        n_in += r == 0;
        if (r == 0 && k % 4 == 3)
            n_out += delays_remove(&dq, key, NULL) == 0;
        else if (r == 0 && k % 4 == 1)
            check_eq(delays_reset(&dq, key, tr_after(TR_MS(1))), 0);
        if (r < 0 || (r = nap()) < 0)
            return r;
    }
    return 0;
}

/*
 * Until nothing has come for long: that is no wake-up lost, as the rest is looked at after it.
 */
static int delay_taker(unsigned i)
{
    int r = 0;

    while (r == 0) {
        struct item it TR_CLEANUP(item_drop) = { 0 };
        tr_time limit = tr_until_drain(tr_after(TR_S(1)));
        tr_arm arm = delays_next_arm(&dq, &it);

        r = i == 0 ? MAY(delays_next(&dq, limit, &it), -ETIMEDOUT)
                   : MAY(tr_select(limit, &arm, 1), -ETIMEDOUT);
        n_out += r == 0;
        check_eq(it.id != 0, r == 0);
    }
    if (r == -ETIMEDOUT)
        check_eq(delays_len(&dq), 0, "what is due is given out");
    return r;
}

static int delay_stage(tr_scope *s)
{
    int r = MAY(delays_new(&dq));

    if (r < 0)
        return r;
    for (unsigned i = 0; i < N_TAKER; i++)
        (void)go(s, delay_taker, NULL, i);
    (void)go(s, inserter, NULL, 0);
    return 0;
}

static void delay_finish(void)
{
    if (dq.q.impl)
        check_eq(n_in, n_out + delays_len(&dq));
    if (is_untouched())
        check_eq(n_in, N_DELAYED);
    delays_free(&dq);
    n_in = n_out = 0;
}

EVERY_TEST(every_wait, delay_queue, delay_stage, delay_finish)

/* ---- interval ---- */

static unsigned n_tick;

static int ticker(unsigned i)
{
    tr_interval iv;

    check_eq(tr_interval_init(&iv, TR_NOW, TR_MS(10), (enum tr_missed)(i % 3)), 0);
    for (unsigned k = 0; k < 4; k++) {
        tr_time at = 0;
        tr_arm arm = tr_interval_tick_arm(&iv, &at);
        tr_time next = iv.next;
        int r = k % 2 ? MAY(tr_select(late(), &arm, 1)) : MAY(tr_interval_tick(&iv, late(), &at));

        if (r < 0) {
            check_eq(iv.next, next, "the tick is still to come");
            return r;
        }
        check_le(at, tr_now());
        n_tick++;
        if (k == 2 && (r = MAY(tr_sleep(tr_after(TR_MS(25))))) < 0)
            return r;
    }
    return 0;
}

static int interval_stage(tr_scope *s)
{
    for (unsigned i = 0; i < 3; i++)
        (void)go(s, ticker, NULL, i);
    return 0;
}

static void interval_finish(void)
{
    if (is_untouched())
        check_eq(n_tick, 12);
    n_tick = 0;
}

EVERY_TEST(every_wait, interval, interval_stage, interval_finish)

/* ---- select: a little of everything ---- */

enum { JOB, FULL, ANSWER, LEVEL, PERMIT, WORD, LOCK, DUE, TICK, LATE, N_ARM };

static struct {
    q_tx job_tx, full_tx;
    q_rx job_rx, full_rx;
    one_tx answer_tx;
    one_rx answer_rx;
    watch_tx level_tx;
    watch_rx level_rx;
    delays dq;
    tr_semaphore semaphore;
    tr_notify notify;
    tr_mutex mutex;
    unsigned n_given[N_ARM], n_got[N_ARM];
    bool is_made, is_over;
} x;

static int make_sources(void)
{
    struct item it TR_CLEANUP(item_drop) = new_item();

    tr_notify_init(&x.notify);
    tr_mutex_init(&x.mutex);
    check_eq(tr_semaphore_init(&x.semaphore, 0), 0);
    if (MAY(q_new(4, &x.job_tx, &x.job_rx)) < 0 || MAY(q_new(1, &x.full_tx, &x.full_rx)) < 0 ||
        MAY(one_new(&x.answer_tx, &x.answer_rx)) < 0 || MAY(delays_new(&x.dq)) < 0 ||
        MAY(watch_new(&it, &x.level_tx, &x.level_rx)) < 0)
        return -ENOMEM;
    x.is_made = true;
    return 0;
}

/*
 * Makes the arm @which ready, once. -EINVAL: the end was used up, or closed by the other giver.
 */
static int give(unsigned which)
{
    struct item it TR_CLEANUP(item_drop) = { 0 };
    int r = 0;

    if (which == JOB || which == ANSWER || which == LEVEL || which == DUE)
        it = new_item();
    if (which == JOB)
        r = MAY(q_send(&x.job_tx, &it, late()), -EPIPE, -EINVAL);
    else if (which == FULL)
        r = MAY(q_recv(&x.full_rx, late(), &it), -EPIPE);
    else if (which == ANSWER)
        r = MAY(one_send(&x.answer_tx, &it), -EPIPE, -EINVAL);
    else if (which == LEVEL)
        r = MAY(watch_send(&x.level_tx, &it), -EPIPE, -EINVAL);
    else if (which == DUE)
        r = MAY(delays_insert(&x.dq, &it, tr_after(TR_US(10)), NULL));
    else if (which == PERMIT)
        r = tr_semaphore_release(&x.semaphore, 1);
    else if (which == WORD)
        tr_notify_one(&x.notify);
    else if (which == LOCK && tr_mutex_try_lock(&x.mutex) == 0) {
        r = nap();
        check_eq(tr_mutex_unlock(&x.mutex), 0);
    }
    x.n_given[which] += r == 0;
    return r == -EPIPE || r == -EINVAL ? 0 : r;
}

static int giver(unsigned i)
{
    for (unsigned k = 0; k < 8; k++) {
        int r = give((k + i * 3) % TICK);

        if (r == 0)
            r = k % 3 == 0 ? nap() : 0;
        if (r < 0)
            return r;
    }
    return 0;
}

static void giver_end(unsigned i)
{
    if (i == 1)
        return;
    x.is_over = true;
    q_rx_shut(&x.full_rx);
    q_tx_close(&x.job_tx);
    watch_tx_close(&x.level_tx);
}

static void got(unsigned which, int result)
{
    x.n_got[which] += result == 0;
    if (which == LOCK && result == 0)
        check_eq(tr_mutex_unlock(&x.mutex), 0);
}

/* The queue to fill is taken when there is room, by a message that is made anew. */
static int selector(unsigned i)
{
    struct item in TR_CLEANUP(item_drop) = { 0 }, due TR_CLEANUP(item_drop) = { 0 },
                out TR_CLEANUP(item_drop) = { 0 }, said TR_CLEANUP(item_drop) = { 0 };
    tr_interval iv;
    bool job_ended = false, level_ended = false, full_ended = false, answered = false;
    int which = 0;

    check_eq(tr_interval_init(&iv, tr_after(TR_MS(1)), TR_MS(3), TR_MISSED_SKIP), 0);
    while (!x.is_over && which >= 0) {
        tr_arm arms[N_ARM] = {
            [JOB] = q_recv_arm(job_ended ? NULL : &x.job_rx, &in),
            [FULL] = q_send_arm(full_ended ? NULL : &x.full_tx, &out),
            [ANSWER] = one_recv_arm(answered ? NULL : &x.answer_rx, &said),
            [LEVEL] = watch_changed_arm(level_ended ? NULL : &x.level_rx),
            [PERMIT] = tr_semaphore_acquire_arm(&x.semaphore, 1),
            [WORD] = tr_notify_wait_arm(&x.notify),
            [LOCK] = tr_mutex_lock_arm(&x.mutex),
            [DUE] = delays_next_arm(&x.dq, &due),
            [TICK] = tr_interval_tick_arm(&iv, NULL),
            [LATE] = tr_deadline_arm(tr_after(TR_S(3600))),
        };
        if (out.id == 0)
            out = new_item();
        which = i == 0 ? MAY(tr_select(late(), arms, N_ARM))
                       : MAY(tr_select_first(late(), arms, N_ARM));
        if (which < 0)
            return which;
        check_ne(which, LATE);
        got((unsigned)which, arms[which].result);
        job_ended |= which == JOB && arms[JOB].result < 0;
        full_ended |= which == FULL && arms[FULL].result < 0;
        level_ended |= which == LEVEL && arms[LEVEL].result < 0;
        answered |= which == ANSWER;
        check_eq(in.id != 0, which == JOB && arms[JOB].result == 0, "losers took nothing");
        check_eq(out.id == 0, which == FULL && arms[FULL].result == 0, "losers gave nothing");
        check_eq(due.id != 0, which == DUE);
        item_drop(&in);
        item_drop(&due);
        item_drop(&said);
        if (which == LOCK && (which = nap()) < 0)
            return which;
    }
    return 0;
}

static void selector_end(unsigned i)
{
    (void)i;
    q_rx_shut(&x.job_rx);
    q_tx_close(&x.full_tx);
}

static int select_stage(tr_scope *s)
{
    int r = make_sources();

    if (r < 0)
        return r;
    (void)go(s, selector, selector_end, 0);
    (void)go(s, giver, giver_end, 0);
    return 0;
}

static int select_first_stage(tr_scope *s)
{
    int r = make_sources();

    if (r < 0)
        return r;
    (void)go(s, selector, selector_end, 1);
    (void)go(s, giver, giver_end, 0);
    (void)go(s, giver, giver_end, 1);
    return 0;
}

static void select_finish(void)
{
    unsigned n_got = 0;

    if (x.is_made) {
        check_eq(x.n_given[JOB], x.n_got[JOB] + q_len(&x.job_rx));
        check_eq(x.n_got[FULL], x.n_given[FULL] + q_len(&x.full_rx));
        check_eq(x.n_given[PERMIT], x.n_got[PERMIT] + tr_semaphore_available(&x.semaphore));
        check_eq(x.n_given[DUE], x.n_got[DUE] + delays_len(&x.dq));
        check_eq(tr_mutex_try_lock(&x.mutex), 0, "nobody holds it");
    }
    for (unsigned i = 0; i < N_ARM; i++)
        n_got += x.n_got[i];
    if (is_untouched())
        check_gt(n_got, 3u);
    q_tx_close(&x.job_tx);
    q_rx_close(&x.job_rx);
    q_tx_close(&x.full_tx);
    q_rx_close(&x.full_rx);
    one_tx_close(&x.answer_tx);
    one_rx_close(&x.answer_rx);
    watch_tx_close(&x.level_tx);
    watch_rx_close(&x.level_rx);
    delays_free(&x.dq);
    memset(&x, 0, sizeof x);
}

EVERY_TEST(every_wait, select_many_arms, select_stage, select_finish)
EVERY_TEST(every_wait, select_first, select_first_stage, select_finish)

/* ---- who is asked for its message and takes another arm: the next in line sends ---- */

enum { N_WRITER = 3, N_WRITE = 4, TICKS_MAX = 100 };

static struct {
    q_tx tx[N_WRITER];
    q_rx rx;
    bool urgent; /* through the lane */
    unsigned n_sent, n_received;
} p;

static int writer(unsigned i)
{
    struct item it TR_CLEANUP(item_drop) = { 0 };
    unsigned ticks = 0;
    tr_interval iv;
    int r = 0;

    check_eq(tr_interval_init(&iv, tr_after(TR_MS(1)), TR_MS(1), TR_MISSED_SKIP), 0);
    for (unsigned k = 0; k < N_WRITE && r >= 0; k += r == 0) {
        tr_arm arms[2] = { p.urgent ? q_send_urgent_arm(&p.tx[i], &it)
                                    : q_send_arm(&p.tx[i], &it),
                           tr_interval_tick_arm(&iv, NULL) };

        if (it.id == 0)
            it = new_item();
        r = i == 0 ? MAY(tr_select(late(), arms, 1)) : MAY(tr_select(late(), arms, 2));
        if (r == 0 && arms[0].result < 0)
            return arms[0].result;
        p.n_sent += r == 0;
        ticks += r == 1;
        if (r == 1 && i == N_WRITER - 1)
            return 0; /* it does not come back to its place */
        if (!check_lt(ticks, TICKS_MAX, "there is room, and it is not told"))
            return -EIO;
    }
    return r < 0 ? r : 0;
}

static void writer_end(unsigned i)
{
    q_tx_close(&p.tx[i]);
}

/* Takes one message at each instant at which the writers tick. */
static int eater(unsigned i)
{
    int r = 0;

    (void)i;
    while (r == 0) {
        struct item it TR_CLEANUP(item_drop) = { 0 };

        r = MAY(q_recv(&p.rx, late(), &it), -EPIPE);
        p.n_received += r == 0;
        if (r == 0)
            r = nap();
    }
    return r;
}

static void eater_end(unsigned i)
{
    (void)i;
    q_rx_shut(&p.rx);
}

static int start_writers(tr_scope *s, size_t n_urgent)
{
    const struct tr_mpsc_opts opts = { .capacity = 1, .n_urgent = n_urgent };
    int r = MAY(q_new_with(&opts, &p.tx[0], &p.rx));

    if (r < 0)
        return r;
    p.urgent = n_urgent > 0;
    for (unsigned i = 1; i < N_WRITER; i++)
        p.tx[i] = q_tx_clone(&p.tx[0]);
    (void)go(s, eater, eater_end, 0);
    for (unsigned i = 0; i < N_WRITER; i++)
        (void)go(s, writer, writer_end, i);
    return 0;
}

static int writers_stage(tr_scope *s)
{
    return start_writers(s, 0);
}

static int urgent_writers_stage(tr_scope *s)
{
    return start_writers(s, 1);
}

static void writers_finish(void)
{
    if (p.rx.end.chan)
        check_eq(p.n_sent, p.n_received + q_len(&p.rx));
    if (is_untouched())
        check_ge(p.n_received, (N_WRITER - 1) * N_WRITE);
    q_rx_close(&p.rx);
    memset(&p, 0, sizeof p);
}

EVERY_TEST(every_wait, senders_that_take_another_arm, writers_stage, writers_finish)
EVERY_TEST(every_wait, urgent_senders_that_take_another_arm, urgent_writers_stage, writers_finish)

/* ---- a set of arms that stays ---- */

enum { N_LINE = 3, N_EACH = 4 };

static struct {
    q_tx tx[N_LINE];
    q_rx rx[N_LINE];
    struct item in[N_LINE];
    unsigned n_sent, n_got;
    bool is_made;
} l;

static int line_sender(unsigned i)
{
    for (unsigned k = 0; k < N_EACH; k++) {
        struct item it TR_CLEANUP(item_drop) = new_item();
        int r = MAY(q_send(&l.tx[i], &it, late()), -EPIPE);

        l.n_sent += r == 0;
        if (r == 0 && (k + i) % 2)
            r = nap();
        if (r < 0)
            return r;
    }
    return 0;
}

static void line_sender_end(unsigned i)
{
    q_tx_close(&l.tx[i]);
}

static int add_lines(tr_select_set *set, uint64_t *key)
{
    for (unsigned i = 0; i < N_LINE; i++) {
        tr_arm arm = q_recv_arm(&l.rx[i], &l.in[i]);
        int r = MAY(tr_select_set_add(set, &arm, i == 0 ? TR_SELECT_FIRST : 0, &l.in[i], &key[i]));

        if (r < 0)
            return r;
    }
    return 0;
}

static int line_receiver(unsigned unused)
{
    tr_select_set set TR_CLEANUP(tr_select_set_close) = { NULL };
    uint64_t key[N_LINE];
    unsigned n_open = N_LINE;
    int r = MAY(tr_select_set_new(&set));

    (void)unused;
    if (r == 0)
        r = add_lines(&set, key);
    while (r == 0 && n_open > 0) {
        struct tr_selected got;

        r = MAY(tr_select_set_wait(&set, late(), &got));
        if (r < 0)
            break;
        check_eq(((struct item *)got.data)->id != 0, got.result == 0);
        l.n_got += got.result == 0;
        item_drop(got.data);
        if (got.result == -EPIPE) {
            check_eq(tr_select_set_remove(&set, got.key), 0);
            n_open--;
        }
    }
    for (unsigned i = 0; i < N_LINE; i++)
        check_eq(l.in[i].id, 0, "nothing was taken unseen");
    return r;
}

static void line_receiver_end(unsigned unused)
{
    (void)unused;
    for (unsigned i = 0; i < N_LINE; i++)
        q_rx_shut(&l.rx[i]);
}

static int set_stage(tr_scope *s)
{
    for (unsigned i = 0; i < N_LINE; i++) {
        int r = MAY(q_new(1 + i, &l.tx[i], &l.rx[i]));

        if (r < 0)
            return r;
    }
    l.is_made = true;
    (void)go(s, line_receiver, line_receiver_end, 0);
    for (unsigned i = 0; i < N_LINE; i++)
        (void)go(s, line_sender, line_sender_end, i);
    return 0;
}

static void set_finish(void)
{
    size_t n_left = 0;

    for (unsigned i = 0; i < N_LINE; i++) {
        n_left += l.is_made ? q_len(&l.rx[i]) : 0;
        q_tx_close(&l.tx[i]);
        q_rx_close(&l.rx[i]);
    }
    check_eq(l.n_sent, l.n_got + n_left);
    if (is_untouched())
        check_eq(l.n_got, N_LINE * N_EACH);
    memset(&l, 0, sizeof l);
}

EVERY_TEST(every_wait, select_set, set_stage, set_finish)
