/* SPDX-License-Identifier: MIT */
/*
 * threads.c - plain threads beside tasks: a stream over the bridge, a request over it and back,
 * and threads that read a published value.
 */
#include "config.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "bench.h"

enum { CAPACITY = 1024 };

/* ---- bridge ---- */

enum { BRIDGE_MESSAGES = 2000000 };

static void *feed(void *arg)
{
    numq_tx *tx = arg;
    int r = 0;

    for (uint64_t i = 0; i < BRIDGE_MESSAGES && r == 0; i++) {
        uint64_t v = i;

        r = numq_blocking_send(tx, &v, TR_NEVER);
    }
    numq_tx_close(tx); /* the receiver misses what was not sent */
    return NULL;
}

static int drain(numq_rx *rx, struct bench_load *load)
{
    uint64_t v;
    int r;

    while ((r = numq_recv(rx, TR_NEVER, &v)) == 0) {
        if (v != load->n) /* of one sender they come in order */
            return -EBADMSG;
        load->n++;
        load->sum += v;
    }
    return r == -EPIPE ? 0 : r;
}

static int bridge_root(tr_scope *unused, void *arg)
{
    struct bench_load *load = arg;
    numq_tx tx = { 0 };
    numq_rx rx TR_CLEANUP(numq_rx_close) = { 0 };
    pthread_t thread;
    int64_t start;
    int r;

    (void)unused;
    r = numq_new(CAPACITY, &tx, &rx);
    if (r < 0)
        return r;
    start = bench_clock();
    r = -pthread_create(&thread, NULL, feed, &tx);
    if (r < 0) {
        numq_tx_close(&tx);
        return r;
    }
    r = drain(&rx, load);
    load->elapsed = bench_clock() - start;
    numq_rx_close(&rx); /* whatever happened, the thread ends now */
    (void)pthread_join(thread, NULL);
    return r;
}

static int bridge(const struct bench_metric *m)
{
    struct bench_load load = { .m = m };

    if (bench_run(m, bridge_root, &load) < 0 ||
        bench_check(&load, BRIDGE_MESSAGES, bench_sum(BRIDGE_MESSAGES)) < 0)
        return -1;
    bench_tell_rate(&load, BRIDGE_MESSAGES, "msg/s");
    return 0;
}

/* ---- bridge_latency ---- */

enum { QUESTIONS = 100000 };

TR_ONESHOT(backw, uint64_t, tr_nodrop);

struct question {
    uint64_t n;
    backw_tx reply;
};

static void question_drop(struct question *q)
{
    backw_tx_close(&q->reply);
}
TR_MPSC(questionq, struct question, question_drop);

struct asker {
    questionq_tx tx;
    int64_t *samples;
    uint64_t n; /* good answers */
};

static int ask(questionq_tx *tx, uint64_t n, uint64_t *ret_v)
{
    struct question q TR_CLEANUP(question_drop) = { .n = n };
    backw_rx rx TR_CLEANUP(backw_rx_close) = { 0 };
    int r;

    if ((r = backw_new(&q.reply, &rx)) < 0 ||
        (r = questionq_blocking_send(tx, &q, TR_NEVER)) < 0)
        return r;
    return backw_blocking_recv(&rx, TR_NEVER, ret_v);
}

static void *ask_all(void *arg)
{
    struct asker *a = arg;
    uint64_t v = 0;

    for (uint64_t i = 0; i < QUESTIONS; i++) {
        int64_t start = bench_clock();

        if (ask(&a->tx, i, &v) < 0 || v != i + 1)
            break;
        a->samples[i] = bench_clock() - start;
        a->n++;
    }
    questionq_tx_close(&a->tx);
    return NULL;
}

static int answer_all(questionq_rx *rx)
{
    struct question q;
    int r;

    while ((r = questionq_recv(rx, TR_NEVER, &q)) == 0) {
        uint64_t v = q.n + 1;

        r = backw_send(&q.reply, &v);
        if (r < 0)
            return r;
    }
    return r == -EPIPE ? 0 : r;
}

static int latency_root(tr_scope *unused, void *arg)
{
    struct asker *a = arg;
    questionq_rx rx TR_CLEANUP(questionq_rx_close) = { 0 };
    pthread_t thread;
    int r;

    (void)unused;
    r = questionq_new(CAPACITY, &a->tx, &rx);
    if (r < 0)
        return r;
    r = -pthread_create(&thread, NULL, ask_all, a);
    if (r < 0) {
        questionq_tx_close(&a->tx);
        return r;
    }
    r = answer_all(&rx);
    questionq_rx_close(&rx);
    (void)pthread_join(thread, NULL);
    return r;
}

static int bridge_latency(const struct bench_metric *m)
{
    struct asker a = { .samples = bench_alloc(QUESTIONS, sizeof(int64_t)) };
    int r = bench_run(m, latency_root, &a);

    if (r == 0 && a.n != QUESTIONS)
        r = bench_fail(m->name, "only %llu good answers", (unsigned long long)a.n);
    if (r == 0) {
        bench_sort(a.samples, QUESTIONS);
        bench_tell("bridge_p50", (double)a.samples[QUESTIONS / 2], "ns");
        bench_tell("bridge_p99", (double)a.samples[99 * QUESTIONS / 100], "ns");
    }
    free(a.samples);
    return r;
}

/* ---- watch_read ---- */

enum { READERS = 2 };

struct value {
    uint64_t word[4]; /* all equal */
};
TR_WATCH(valuew, struct value, tr_nodrop);

static atomic_bool over;

struct reader {
    valuew_rx rx;
    uint64_t n, n_torn, newest;
};

static void *read_all(void *arg)
{
    struct reader *own = arg;
    struct reader r = *own; /* its counters in registers */

    while (!atomic_load_explicit(&over, memory_order_relaxed)) { /* nothing hangs on it */
        struct value v = *valuew_get(&r.rx);

        r.n++;
        if (v.word[0] != v.word[1] || v.word[0] != v.word[2] || v.word[0] != v.word[3])
            r.n_torn++;
        r.newest = v.word[0];
    }
    *own = r;
    return NULL;
}

/* Publishes every 100 us for a second. Returns the last value. */
static uint64_t write_all(valuew_tx *tx)
{
    static const struct timespec pause = { 0, 100000 };
    int64_t end = bench_clock() + 1000000000;
    uint64_t i = 0;

    while (bench_clock() < end) {
        struct value v = { { i + 1, i + 1, i + 1, i + 1 } };

        if (valuew_send(tx, &v) < 0)
            break;
        i++;
        nanosleep(&pause, NULL);
    }
    return i;
}

static int watch_read(const struct bench_metric *m)
{
    struct value first = { { 0 } };
    struct reader r[READERS] = { { .n = 0 } };
    valuew_tx tx;
    pthread_t thread[READERS];
    uint64_t n = 0, n_torn = 0, last;
    int64_t start, elapsed;

    if (valuew_new(&first, &tx, &r[0].rx) < 0)
        return bench_fail(m->name, "no memory");
    r[1].rx = valuew_subscribe(&tx);
    start = bench_clock();
    for (int i = 0; i < READERS; i++)
        if (pthread_create(&thread[i], NULL, read_all, &r[i]) != 0)
            return bench_fail(m->name, "no thread");
    last = write_all(&tx);
    elapsed = bench_clock() - start;
    atomic_store(&over, true);
    for (int i = 0; i < READERS; i++) {
        (void)pthread_join(thread[i], NULL);
        n += r[i].n;
        n_torn += r[i].n_torn;
        valuew_rx_close(&r[i].rx);
    }
    valuew_tx_close(&tx);
    if (n_torn > 0 || r[0].newest + r[1].newest == 0 || last < 1000)
        return bench_fail(m->name, "%llu torn values, %llu published",
                          (unsigned long long)n_torn, (unsigned long long)last);
    bench_tell(m->name, (double)n * 1e9 / (double)elapsed, "reads/s");
    return 0;
}

const struct bench_metric bench_threads[] = {
    { "bridge", bridge, .n_worker = 2 },
    { "bridge_latency", bridge_latency, .n_worker = 2 },
    { "watch_read", watch_read, .n = READERS },
    { .name = NULL },
};
