/* SPDX-License-Identifier: MIT */
/*
 * hello-oneshot - a task hands over one result: prints "6 * 7 = 42", then "no second value".
 * Shows a promise: one value, once, and a receiver that learns when none will come.
 */
#include <stdio.h>
#include <stdlib.h>

#include <troupe.h>

TR_ONESHOT(product, long, tr_nodrop);

struct job {
    long a, b;
    product_tx tx;
};

/* A job that ends without a word closes its end, and whoever waits is told. */
static void job_drop(struct job *j)
{
    product_tx_close(&j->tx);
}
TR_TASK(job, struct job, job_drop);

static int job(struct job *j)
{
    long c = j->a * j->b;

    return product_send(&j->tx, &c); /* never waits */
}

static int hello(tr_scope *root, void *arg)
{
    product_rx rx TR_CLEANUP(product_rx_close) = { 0 };
    struct job j = { .a = 6, .b = 7 };
    long c;
    int r;

    (void)arg;
    if ((r = product_new(&j.tx, &rx)) < 0 || (r = job_spawn(root, &j, NULL)) < 0)
        return r;
    r = product_recv(&rx, tr_after(TR_S(1)), &c);
    if (r < 0)
        return r;
    printf("6 * 7 = %ld\n", c);
    if (product_recv(&rx, TR_NEVER, &c) < 0) /* -EPIPE at once: it was taken */
        printf("no second value\n");
    return 0;
}

int main(void)
{
    int r = tr_run(hello, NULL);

    if (r < 0)
        fprintf(stderr, "hello-oneshot: %s\n", tr_strerror(r));
    return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
