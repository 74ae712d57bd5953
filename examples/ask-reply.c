/* SPDX-License-Identifier: MIT */
/*
 * ask-reply - ask a worker one question and wait at most a second: ./ask-reply 6 7 prints 42.
 * Shows a request that carries its reply end, one deadline for question and answer, and who
 * frees what.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <troupe.h>

TR_REPLY(product, long);

struct request {
    long a, b;
    product reply;
};
static void request_drop(struct request *q)
{
    product_close(&q->reply); /* whoever waits for it is told */
}
TR_MPSC(requestq, struct request, request_drop);
TR_ASK(requestq, requestq_tx, struct request, reply, product);

struct worker {
    requestq_rx rx;
};

static void worker_drop(struct worker *w)
{
    requestq_rx_close(&w->rx);
}
TR_TASK(worker, struct worker, worker_drop);

static int worker(struct worker *w)
{
    struct request q;
    int r;

    while ((r = requestq_recv(&w->rx, TR_NEVER, &q)) == 0) {
        long c = q.a * q.b;

        if (product_answer(&q.reply, &c) < 0)
            continue; /* whoever asked has given up */
    }
    return r == -EPIPE ? 0 : r;
}

static int ask(tr_scope *root, void *arg)
{
    char **argv = arg;
    struct request q TR_CLEANUP(request_drop) = { .a = strtol(argv[1], NULL, 10),
                                                  .b = strtol(argv[2], NULL, 10) };
    requestq_tx tx TR_CLEANUP(requestq_tx_close) = { 0 };
    struct worker w = { 0 };
    long c;
    int r;

    if ((r = requestq_new(8, &tx, &w.rx)) < 0 || (r = worker_spawn(root, &w, NULL)) < 0 ||
        (r = requestq_ask(&tx, &q, tr_after(TR_S(1)), &c)) < 0) /* sent: q is the worker's */
        return r;
    printf("%ld\n", c);
    return 0;
}

int main(int argc, char **argv)
{
    int r;

    if (argc != 3) {
        fprintf(stderr, "usage: ask-reply A B\n");
        return EXIT_FAILURE;
    }
    r = tr_run(ask, argv);
    if (r < 0)
        fprintf(stderr, "ask-reply: %s\n", tr_strerror(r));
    return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
