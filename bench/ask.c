/* SPDX-License-Identifier: MIT */
/*
 * ask.c - 100 clients ask one server 10,000 times each. A request carries its reply slot, a
 * oneshot made for it.
 */
#include "config.h"

#include <errno.h>

#include "bench.h"

enum { CLIENTS = 100, ASKS = 10000, CAPACITY = 1024 };

TR_ONESHOT(answer, uint64_t, tr_nodrop);

struct request {
    uint64_t n;
    answer_tx reply;
};

static void request_drop(struct request *q)
{
    answer_tx_close(&q->reply);
}
TR_MPSC(askq, struct request, request_drop);

/* ---- the server ---- */

struct server {
    askq_rx rx;
    struct bench_load *load;
};

static void server_drop(struct server *s)
{
    askq_rx_close(&s->rx);
}
TR_TASK(server, struct server, server_drop);

static int server(struct server *s)
{
    struct request q;
    int r;

    while ((r = askq_recv(&s->rx, TR_NEVER, &q)) == 0) {
        uint64_t v = q.n + 1;

        r = answer_send(&q.reply, &v);
        if (r < 0)
            return r;
        s->load->n++;
    }
    return r == -EPIPE ? 0 : r;
}

/* ---- the clients ---- */

struct client {
    askq_tx tx;
};

static void client_drop(struct client *c)
{
    askq_tx_close(&c->tx);
}
TR_TASK(client, struct client, client_drop);

static int ask(askq_tx *tx, uint64_t n, uint64_t *ret_v)
{
    struct request q TR_CLEANUP(request_drop) = { .n = n };
    answer_rx reply TR_CLEANUP(answer_rx_close) = { 0 };
    int r;

    if ((r = answer_new(&q.reply, &reply)) < 0 || (r = askq_send(tx, &q, TR_NEVER)) < 0)
        return r;
    return answer_recv(&reply, TR_NEVER, ret_v);
}

static int client(struct client *c)
{
    for (uint64_t i = 0; i < ASKS; i++) {
        uint64_t v = 0;
        int r = ask(&c->tx, i, &v);

        if (r < 0)
            return r;
        if (v != i + 1)
            return -EBADMSG;
    }
    return 0;
}

/* ---- the workload ---- */

static int spawn_clients(tr_scope *s, askq_tx *tx)
{
    int r = 0;

    for (int i = 0; i < CLIENTS && r == 0; i++) {
        struct client c = { askq_tx_clone(tx) };

        r = client_spawn(s, &c, NULL);
    }
    askq_tx_close(tx);
    return r;
}

static int root(tr_scope *unused, void *arg)
{
    struct bench_load *load = arg;
    askq_tx tx TR_CLEANUP(askq_tx_close) = { 0 };
    struct server one = { .load = load };
    tr_scope s TR_CLEANUP(tr_scope_end) = tr_scope_open(NULL);
    int64_t start;
    int r;

    (void)unused;
    r = askq_new(CAPACITY, &tx, &one.rx);
    if (r < 0)
        return r;
    start = bench_clock();
    if ((r = server_spawn(&s, &one, NULL)) < 0 || (r = spawn_clients(&s, &tx)) < 0)
        return r;
    r = tr_scope_join(&s, TR_NEVER);
    load->elapsed = bench_clock() - start;
    return r;
}

static int run(const struct bench_metric *m)
{
    struct bench_load load = { .m = m };

    if (bench_run(m, root, &load) < 0 || bench_check(&load, CLIENTS * ASKS, 0) < 0)
        return -1;
    bench_tell_rate(&load, CLIENTS * ASKS, "req/s");
    return 0;
}

const struct bench_metric bench_ask[] = {
    { "ask", run, .n_worker = 2 },
    { .name = NULL },
};
