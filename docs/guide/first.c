/* SPDX-License-Identifier: MIT */
/* first - the program of the README: a task, a channel, a deadline. */
#include <errno.h>
#include <stdio.h>
#include <troupe.h>

TR_MPSC(degrees, int, tr_nodrop); /* generates degrees_tx, degrees_send, degrees_recv ... */
TR_TASK(sensor, degrees_tx, degrees_tx_close); /* generates sensor_spawn */

static int sensor(degrees_tx *out) /* a task; its end of the queue is closed when it returns */
{
    int r = 0;

    for (int m, celsius = 19; celsius < 22 && r == 0; celsius++) {
        m = celsius;
        r = degrees_send(out, &m, TR_NEVER); /* moves m; waits while the queue is full */
    }
    return r;
}

static int app(tr_scope *root, void *arg)
{
    degrees_rx in TR_CLEANUP(degrees_rx_close) = { 0 };
    degrees_tx out TR_CLEANUP(degrees_tx_close) = { 0 };
    int m, r;

    (void)arg;
    if ((r = degrees_new(16, &out, &in)) < 0 || (r = sensor_spawn(root, &out, NULL)) < 0)
        return r;
    while ((r = degrees_recv(&in, tr_after(TR_S(1)), &m)) == 0)
        printf("%d degrees\n", m);
    return r == -EPIPE ? 0 : r; /* -EPIPE: every sender has gone */
}

int main(void)
{
    return tr_run(app, NULL) < 0;
}
