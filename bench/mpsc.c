/* SPDX-License-Identifier: MIT */
/*
 * mpsc.c - N producers send 5,000,000 numbers over one channel to one consumer. The clock runs
 * from before the first spawn until the consumer ends.
 */
#include "config.h"

#include <errno.h>

#include "bench.h"

enum { MESSAGES = 5000000, CAPACITY = 1024, MANY = 256 };

/* ---- the producers ---- */

struct producer {
    numq_tx tx;
    uint64_t n;
};

static void producer_drop(struct producer *p)
{
    numq_tx_close(&p->tx);
}
TR_TASK(producer, struct producer, producer_drop);

static int producer(struct producer *p)
{
    for (uint64_t i = 0; i < p->n; i++) {
        uint64_t v = i;
        int r = numq_send(&p->tx, &v, TR_NEVER);

        if (r < 0)
            return r;
    }
    return 0;
}

/* ---- the consumer ---- */

struct consumer {
    numq_rx rx;
    struct bench_load *load;
};

static void consumer_drop(struct consumer *c)
{
    numq_rx_close(&c->rx);
}
TR_TASK(one_by_one, struct consumer, consumer_drop);
TR_TASK(in_runs, struct consumer, consumer_drop);

static int one_by_one(struct consumer *c)
{
    uint64_t n = 0, sum = 0, v;
    int r;

    while ((r = numq_recv(&c->rx, TR_NEVER, &v)) == 0) {
        n++;
        sum += v;
    }
    c->load->n = n;
    c->load->sum = sum;
    return r == -EPIPE ? 0 : r;
}

static int in_runs(struct consumer *c)
{
    uint64_t n = 0, sum = 0, v[MANY];
    ssize_t k;

    while ((k = numq_recv_many(&c->rx, MANY, TR_NEVER, v)) > 0) {
        n += (uint64_t)k;
        for (ssize_t i = 0; i < k; i++)
            sum += v[i];
    }
    c->load->n = n;
    c->load->sum = sum;
    return k == -EPIPE ? 0 : (int)k;
}

/* ---- the workload ---- */

struct mpsc_load {
    struct bench_load load;
    size_t capacity;
    bool many;
};

static int spawn_consumer(tr_scope *s, struct mpsc_load *w, numq_rx *rx, tr_task *ret_task)
{
    const struct tr_task_opts opts = { .ret_task = ret_task };
    struct consumer c = { *rx, &w->load };

    return w->many ? in_runs_spawn(s, &c, &opts) : one_by_one_spawn(s, &c, &opts);
}

static int spawn_producers(tr_scope *s, unsigned n, numq_tx *tx)
{
    int r = 0;

    for (unsigned i = 0; i < n && r == 0; i++) {
        struct producer p = { numq_tx_clone(tx), MESSAGES / n };

        r = producer_spawn(s, &p, NULL);
    }
    numq_tx_close(tx);
    return r;
}

static int root(tr_scope *unused, void *arg)
{
    struct mpsc_load *w = arg;
    numq_tx tx TR_CLEANUP(numq_tx_close) = { 0 };
    numq_rx rx = { 0 };
    tr_scope s TR_CLEANUP(tr_scope_end) = tr_scope_open(NULL);
    tr_task last TR_CLEANUP(tr_task_close) = { 0 };
    int64_t start;
    int r;

    (void)unused;
    r = numq_new(w->capacity, &tx, &rx);
    if (r < 0)
        return r;
    start = bench_clock();
    if ((r = spawn_consumer(&s, w, &rx, &last)) < 0 ||
        (r = spawn_producers(&s, w->load.m->n, &tx)) < 0 ||
        (r = tr_task_join(&last, TR_NEVER, NULL)) < 0)
        return r;
    w->load.elapsed = bench_clock() - start;
    return tr_scope_join(&s, TR_NEVER);
}

static int mpsc(const struct bench_metric *m, size_t capacity, bool many)
{
    struct mpsc_load w = { { .m = m }, capacity, many };

    if (bench_run(m, root, &w) < 0 ||
        bench_check(&w.load, MESSAGES, m->n * bench_sum(MESSAGES / m->n)) < 0)
        return -1;
    bench_tell_rate(&w.load, MESSAGES, "msg/s");
    return 0;
}

static int bounded(const struct bench_metric *m)
{
    return mpsc(m, CAPACITY, false);
}

static int unbounded(const struct bench_metric *m)
{
    return mpsc(m, TR_UNBOUNDED, false);
}

static int many(const struct bench_metric *m)
{
    return mpsc(m, CAPACITY, true);
}

const struct bench_metric bench_mpsc[] = {
    { "mpsc_1p", bounded, .n_worker = 2, .n = 1 },
    { "mpsc_4p", bounded, .n_worker = 2, .n = 4 },
    { "mpsc_64p", bounded, .n_worker = 2, .n = 64 },
    { "mpsc_1000p", bounded, .n_worker = 2, .n = 1000 },
    { "mpsc_unb_4p", unbounded, .n_worker = 2, .n = 4 },
    { "mpsc_1w_4p", bounded, .n_worker = 1, .n = 4 },
    { "mpsc_1w_1000p", bounded, .n_worker = 1, .n = 1000 },
    { "mpsc_many_4p", many, .n_worker = 2, .n = 4 },
    { .name = NULL },
};
