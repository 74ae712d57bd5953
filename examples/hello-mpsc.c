/* SPDX-License-Identifier: MIT */
/*
 * hello-mpsc - three tasks send to one queue: prints "3 messages, 1 + 2 + 3 = 6".
 * Shows that each sender has an end of its own, and that the receiver learns when all are gone.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <troupe.h>

struct number {
    int value;
};
TR_MPSC(numberq, struct number, tr_nodrop);

struct sender {
    int value;
    numberq_tx tx;
};

static void sender_drop(struct sender *s)
{
    numberq_tx_close(&s->tx);
}
TR_TASK(sender, struct sender, sender_drop);

static int sender(struct sender *s)
{
    struct number m = { s->value };

    return numberq_send(&s->tx, &m, TR_NEVER); /* waits while the queue is full */
}

static int hello(tr_scope *root, void *arg)
{
    numberq_tx tx TR_CLEANUP(numberq_tx_close) = { 0 };
    numberq_rx rx TR_CLEANUP(numberq_rx_close) = { 0 };
    struct number m;
    int r, n = 0, sum = 0;

    (void)arg;
    r = numberq_new(1, &tx, &rx);
    for (int i = 1; r == 0 && i <= 3; i++) {
        struct sender s = { i, numberq_tx_clone(&tx) };

        r = sender_spawn(root, &s, NULL);
    }
    if (r < 0)
        return r;
    numberq_tx_close(&tx); /* ours too, or the end below would never come */
    while ((r = numberq_recv(&rx, TR_NEVER, &m)) == 0) {
        n++;
        sum += m.value;
    }
    printf("%d messages, 1 + 2 + 3 = %d\n", n, sum);
    return r == -EPIPE ? 0 : r; /* every sender has gone: the end, no error */
}

int main(void)
{
    int r = tr_run(hello, NULL);

    if (r < 0)
        fprintf(stderr, "hello-mpsc: %s\n", tr_strerror(r));
    return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
