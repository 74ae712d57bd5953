/* SPDX-License-Identifier: MIT */
/* deadlines - how a wait ends: in time, too late, by a drain, by a cancel; and cleaning up. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <troupe.h>

TR_MPSC(numbers, int, tr_nodrop);

/* ---- a wait with a limit ---- */

static int too_late(void)
{
    numbers_tx tx TR_CLEANUP(numbers_tx_close) = { 0 };
    numbers_rx rx TR_CLEANUP(numbers_rx_close) = { 0 };
    int n = 7, r;

    if ((r = numbers_new(1, &tx, &rx)) < 0)
        return r;
    r = numbers_recv(&rx, tr_after(TR_MS(5)), &n);
    printf("nothing came: %s\n", tr_strerror(r));
    if ((r = numbers_send(&tx, &n, TR_NOW)) < 0)
        return r;
    n = 8;
    r = numbers_send(&tx, &n, TR_NOW); /* full */
    printf("no room: %s, still %d\n", tr_strerror(r), n);
    r = numbers_recv(&rx, TR_NOW, &n); /* what is ready wins over a deadline that has passed */
    printf("ready: %s, %d\n", tr_strerror(r), n);
    return r;
}

/* ---- drain and cancel ---- */

struct worker {
    tr_time deadline;
    FILE *log;
};
TR_TASK(worker, struct worker, tr_nodrop);

static int worker(struct worker *w)
{
    int r = tr_sleep(w->deadline);

    fprintf(w->log, "the wait: %s\n", tr_strerror(r));
    if (r == -ECANCELED) {
        tr_shield guard = tr_shield_begin(TR_MS(200));

        fprintf(w->log, "in the shield: %s\n", tr_strerror(tr_sleep(tr_after(TR_MS(1)))));
        tr_shield_end(&guard);
    }
    return r;
}

static int stop_gently(void)
{
    tr_scope s TR_CLEANUP(tr_scope_end) = tr_scope_open(NULL);
    struct worker w = { tr_until_drain(tr_after(TR_S(60))), stdout };
    int r;

    if ((r = worker_spawn(&s, &w, NULL)) < 0 || (r = tr_sleep(tr_after(TR_MS(20)))) < 0)
        return r;
    r = tr_scope_drain(&s, tr_after(TR_S(1)));
    printf("the drain: %s\n", tr_strerror(r));
    return 0;
}

static int stop_hard(void)
{
    tr_scope s TR_CLEANUP(tr_scope_end) = tr_scope_open(NULL);
    struct worker w = { TR_NEVER, stdout };
    int r;

    if ((r = worker_spawn(&s, &w, NULL)) < 0 || (r = tr_sleep(tr_after(TR_MS(20)))) < 0)
        return r;
    r = tr_scope_drain(&s, tr_after(TR_MS(20))); /* the worker does not listen to it */
    printf("the drain: %s\n", tr_strerror(r));
    return 0;
}

/* ---- the program ---- */

static int app(tr_scope *root, void *arg)
{
    int r;

    (void)root;
    (void)arg;
    if ((r = too_late()) < 0 || (r = stop_gently()) < 0)
        return r;
    return stop_hard();
}

int main(void)
{
    struct tr_runtime_opts opts = { .simulate = true }; /* the same output every time */

    return tr_run_with(&opts, app, NULL) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
