/* SPDX-License-Identifier: MIT */
/*
 * hello-thread - a plain thread sends to a task: prints "1" to "5".
 * Shows the bridge: the thread blocks while the queue is full, the task parks while it is
 * empty.
 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include <troupe.h>

TR_MPSC(sampleq, int, tr_nodrop);

/* A vendor library's thread, say; it knows nothing of the runtime. */
static void *sensor(void *arg)
{
    sampleq_tx *tx = arg; /* this thread's own end */

    for (int i = 1; i <= 5; i++) {
        int sample = i;

        if (sampleq_blocking_send(tx, &sample, TR_NEVER) < 0)
            break; /* nobody listens any more: the sample is still ours */
    }
    sampleq_tx_close(tx);
    return NULL;
}

static int print_all(tr_scope *root, void *arg)
{
    sampleq_rx *rx = arg;
    int sample, r;

    (void)root;
    while ((r = sampleq_recv(rx, TR_NEVER, &sample)) == 0)
        printf("%d\n", sample);
    sampleq_rx_close(rx); /* after a failure: or the thread would block for ever */
    return r == -EPIPE ? 0 : r;
}

int main(void)
{
    sampleq_tx tx = { 0 };
    sampleq_rx rx = { 0 };
    pthread_t thread;
    int r = sampleq_new(2, &tx, &rx);

    if (r == 0)
        r = -pthread_create(&thread, NULL, sensor, &tx);
    if (r == 0) {
        r = tr_run(print_all, &rx);
        pthread_join(thread, NULL);
    }
    sampleq_tx_close(&tx);
    sampleq_rx_close(&rx);
    if (r < 0)
        fprintf(stderr, "hello-thread: %s\n", tr_strerror(r));
    return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
