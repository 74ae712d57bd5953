/* SPDX-License-Identifier: MIT */
/*
 * hello-broadcast - every receiver gets every message: prints "prompt: 1 2 3 4 5 6", then
 * "late: 2 lost 3 4 5 6 over". Shows a ring that is overwritten, and a receiver that lags: it
 * learns how many it lost, and goes on with the oldest message that is still there.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <troupe.h>

struct tick {
    int number;
};
TR_BROADCAST(ticks, struct tick, tr_copy, tr_nodrop);

/* Takes what there is. Returns -EAGAIN, or -EPIPE at the end. */
static int take_all(ticks_rx *rx)
{
    struct tick t;
    int r;

    while ((r = ticks_try_recv(rx, &t)) == 0 || r == -ESTALE)
        if (r == 0)
            printf(" %d", t.number);
        else
            printf(" %d lost", (int)ticks_lost(rx));
    return r;
}

static int send_all(ticks_tx *tx, ticks_rx *prompt)
{
    printf("prompt:");
    for (int i = 1; i <= 6; i++) {
        struct tick t = { i };
        int r = ticks_send(tx, &t, TR_NEVER); /* how many get it: 2 */

        if (r < 0)
            return r;
        (void)take_all(prompt);
    }
    printf("\n");
    return 0;
}

static int hello(tr_scope *root, void *arg)
{
    ticks_tx tx TR_CLEANUP(ticks_tx_close) = { 0 };
    ticks_rx prompt TR_CLEANUP(ticks_rx_close) = { 0 };
    ticks_rx late TR_CLEANUP(ticks_rx_close) = { 0 };
    int r;

    (void)root;
    (void)arg;
    if ((r = ticks_new(4, 0, &tx, &prompt)) < 0 || (r = ticks_subscribe(&tx, 0, &late)) < 0 ||
        (r = send_all(&tx, &prompt)) < 0)
        return r;
    ticks_tx_close(&tx);
    printf("late:");
    if (take_all(&late) == -EPIPE)
        printf(" over\n");
    return 0;
}

int main(void)
{
    return tr_run(hello, NULL) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
