/* SPDX-License-Identifier: MIT */
/* first - the program of the README: a task, a channel, a deadline. */
#include <errno.h>
#include <stdio.h>
#include <troupe.h>

TR_MPSC(degrees, int, tr_nodrop); /* generates degrees_tx, degrees_send, degrees_recv ... */

struct sensor {
    degrees_tx out;
};

static void sensor_drop(struct sensor *s)
{
    degrees_tx_close(&s->out);
}
TR_TASK(sensor, struct sensor, sensor_drop); /* generates sensor_spawn */

static int sensor(struct sensor *s)
{
    int r = 0;

    for (int celsius = 19; celsius < 22 && r == 0; celsius++) {
        int m = celsius;

        r = degrees_send(&s->out, &m, TR_NEVER); /* moves m; waits while the queue is full */
    }
    return r;
}

static int app(tr_scope *root, void *arg)
{
    degrees_rx in TR_CLEANUP(degrees_rx_close) = { 0 };
    struct sensor s TR_CLEANUP(sensor_drop) = { 0 };
    int m, r;

    (void)arg;
    if ((r = degrees_new(16, &s.out, &in)) < 0 || (r = sensor_spawn(root, &s, NULL)) < 0)
        return r;
    while ((r = degrees_recv(&in, tr_after(TR_S(1)), &m)) == 0)
        printf("%d degrees\n", m);
    return r == -EPIPE ? 0 : r; /* -EPIPE: every sender has gone */
}

int main(void)
{
    return tr_run(app, NULL) < 0;
}
