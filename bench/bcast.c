/* SPDX-License-Identifier: MIT */
/*
 * bcast.c - one sender, 100 receivers, 100,000 numbers over a ring of 1024. The sender waits
 * when the slowest receiver is a ring behind, so every receiver gets every number. The clock
 * runs from before the first spawn until the last receiver has ended.
 */
#include "config.h"

#include <errno.h>

#include "bench.h"

enum { MESSAGES = 100000, RECEIVERS = 100, CAPACITY = 1024 };

TR_BROADCAST(numb, uint64_t, tr_copy, tr_nodrop);

struct reader {
    numb_rx rx;
    uint64_t *ret_n, *ret_sum;
};

static void reader_drop(struct reader *r)
{
    numb_rx_close(&r->rx);
}
TR_TASK(reader, struct reader, reader_drop);

static int reader(struct reader *own)
{
    uint64_t n = 0, sum = 0, v;
    int r;

    while ((r = numb_recv(&own->rx, TR_NEVER, &v)) == 0) {
        if (v != n) /* in order, and none is missing */
            return -EBADMSG;
        n++;
        sum += v;
    }
    *own->ret_n = n;
    *own->ret_sum = sum;
    return r == -EPIPE ? 0 : r;
}

struct writer {
    numb_tx tx;
};

static void writer_drop(struct writer *w)
{
    numb_tx_close(&w->tx);
}
TR_TASK(writer, struct writer, writer_drop);

static int writer(struct writer *w)
{
    for (uint64_t i = 0; i < MESSAGES; i++) {
        uint64_t v = i;
        int r = numb_send(&w->tx, &v, TR_NEVER);

        if (r < 0)
            return r;
    }
    return 0;
}

struct bcast_load {
    struct bench_load load;
    uint64_t n[RECEIVERS], sum[RECEIVERS];
};

static int spawn_all(tr_scope *s, struct bcast_load *w)
{
    struct writer out = { 0 };
    int r = numb_new(CAPACITY, TR_BROADCAST_WAIT, &out.tx, NULL);

    for (unsigned i = 0; i < RECEIVERS && r == 0; i++) {
        struct reader in = { { { NULL } }, &w->n[i], &w->sum[i] };

        r = numb_subscribe(&out.tx, 0, &in.rx);
        if (r == 0)
            r = reader_spawn(s, &in, NULL);
    }
    if (r == 0)
        return writer_spawn(s, &out, NULL);
    writer_drop(&out);
    return r;
}

static int root(tr_scope *unused, void *arg)
{
    struct bcast_load *w = arg;
    tr_scope s TR_CLEANUP(tr_scope_end) = tr_scope_open(NULL);
    int64_t start = bench_clock();
    int r = spawn_all(&s, w);

    (void)unused;
    if (r == 0)
        r = tr_scope_join(&s, TR_NEVER);
    w->load.elapsed = bench_clock() - start;
    return r;
}

static int bcast(const struct bench_metric *m)
{
    static struct bcast_load w;

    w.load.m = m;
    if (bench_run(m, root, &w) < 0)
        return -1;
    for (unsigned i = 0; i < RECEIVERS; i++) {
        w.load.n += w.n[i];
        w.load.sum += w.sum[i];
    }
    if (bench_check(&w.load, (uint64_t)RECEIVERS * MESSAGES, RECEIVERS * bench_sum(MESSAGES)) < 0)
        return -1;
    bench_tell_rate(&w.load, (uint64_t)RECEIVERS * MESSAGES, "deliveries/s");
    return 0;
}

const struct bench_metric bench_bcast[] = {
    { "bcast", bcast, .n_worker = 2 },
    { .name = NULL },
};
