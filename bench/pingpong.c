/* SPDX-License-Identifier: MIT */
/* pingpong.c - two tasks pass a number to and fro over two channels of capacity 1. */
#include "config.h"

#include <errno.h>

#include "bench.h"

enum { ROUNDS = 1000000 };

struct side {
    numq_tx out;
    numq_rx in;
    struct bench_load *load;
};

static void side_drop(struct side *s)
{
    numq_tx_close(&s->out);
    numq_rx_close(&s->in);
}
TR_TASK(caller, struct side, side_drop);
TR_TASK(echoer, struct side, side_drop);

static int caller(struct side *s)
{
    for (uint64_t i = 0; i < ROUNDS; i++) {
        uint64_t v = i;
        int r;

        if ((r = numq_send(&s->out, &v, TR_NEVER)) < 0 ||
            (r = numq_recv(&s->in, TR_NEVER, &v)) < 0)
            return r;
        if (v != i)
            return -EBADMSG;
        s->load->n++;
    }
    return 0;
}

static int echoer(struct side *s)
{
    uint64_t v;
    int r;

    while ((r = numq_recv(&s->in, TR_NEVER, &v)) == 0)
        if ((r = numq_send(&s->out, &v, TR_NEVER)) < 0)
            return r;
    return r == -EPIPE ? 0 : r;
}

static int root(tr_scope *unused, void *arg)
{
    struct bench_load *load = arg;
    struct side a TR_CLEANUP(side_drop) = { .load = load };
    struct side b TR_CLEANUP(side_drop) = { .load = load };
    tr_scope s TR_CLEANUP(tr_scope_end) = tr_scope_open(NULL);
    int64_t start;
    int r;

    (void)unused;
    if ((r = numq_new(1, &a.out, &b.in)) < 0 || (r = numq_new(1, &b.out, &a.in)) < 0)
        return r;
    start = bench_clock();
    if ((r = caller_spawn(&s, &a, NULL)) < 0 || (r = echoer_spawn(&s, &b, NULL)) < 0)
        return r;
    r = tr_scope_join(&s, TR_NEVER);
    load->elapsed = bench_clock() - start;
    return r;
}

static int pingpong(const struct bench_metric *m)
{
    struct bench_load load = { .m = m };

    if (bench_run(m, root, &load) < 0 || bench_check(&load, ROUNDS, 0) < 0)
        return -1;
    bench_tell_each(&load, ROUNDS);
    return 0;
}

const struct bench_metric bench_pingpong[] = {
    { "pingpong_1w", pingpong, .n_worker = 1 },
    { "pingpong_2w", pingpong, .n_worker = 2 },
    { .name = NULL },
};
