/* SPDX-License-Identifier: MIT */
/* threads - plain threads and actors: in both directions, and what is refused. */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include <troupe.h>

struct job {
    long number;
};
struct answer {
    long square;
};
TR_MPSC(jobs, struct job, tr_nodrop);
TR_MPSC(answers, struct answer, tr_nodrop);

/* ---- a library that blocks, on its own thread ---- */

struct blocker {
    jobs_rx in;
    answers_tx out;
};

static void *blocker_main(void *arg)
{
    struct blocker *b = arg;
    struct job j;

    while (jobs_blocking_recv(&b->in, TR_NEVER, &j) == 0) {
        struct answer a = { j.number * j.number }; /* here the library would block */

        if (answers_blocking_send(&b->out, &a, TR_NEVER) < 0)
            break;
    }
    jobs_rx_close(&b->in);
    answers_tx_close(&b->out);
    return NULL;
}

/* ---- actors that use it ---- */

struct client {
    jobs_tx to;
    answers_rx from;
};

static void client_drop(struct client *c)
{
    jobs_tx_close(&c->to);
    answers_rx_close(&c->from);
}

static int app(tr_scope *root, void *arg)
{
    struct client *c = arg;
    struct answer a;
    int r;

    (void)root;
    for (long i = 1; i <= 3; i++) {
        struct job j = { i };

        if ((r = jobs_send(&c->to, &j, TR_NEVER)) < 0 ||
            (r = answers_recv(&c->from, tr_after(TR_S(5)), &a)) < 0)
            return r;
        printf("%ld\n", a.square);
    }
    r = answers_blocking_recv(&c->from, TR_NEVER, &a);
    printf("a blocking form in a task: %s\n", tr_strerror(r));
    return 0;
}

/* ---- the program ---- */

static void hook(enum tr_event_kind kind, const char *text, void *arg)
{
    (void)text; /* names the task, where it was spawned, and what to do */
    (void)arg;
    if (kind == TR_EVENT_MISUSE)
        puts("the hook was told of a misuse");
}

int main(void)
{
    struct blocker b = { 0 };
    struct client c TR_CLEANUP(client_drop) = { 0 };
    struct answer a;
    pthread_t thread;
    int r;

    tr_hook_set(hook, NULL);
    if (jobs_new(4, &c.to, &b.in) < 0 || answers_new(4, &b.out, &c.from) < 0 ||
        pthread_create(&thread, NULL, blocker_main, &b) != 0)
        return EXIT_FAILURE;
    r = tr_run(app, &c);
    if (answers_recv(&c.from, TR_NEVER, &a) == -EPERM)
        puts("a waiting form in a thread: EPERM");
    jobs_tx_close(&c.to); /* the thread ends */
    pthread_join(thread, NULL);
    return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
