/* SPDX-License-Identifier: MIT */
/*
 * queues.c - what carries the messages of an mpsc, against the list that could: two threads
 * push, one pops, all by forms that never sleep. queue_ring: bounded at 1024. queue_blocks:
 * unbounded. queue_wfc: liburcu's wfcqueue, a node from malloc for each message, popped one by
 * one.
 */
#include "config.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>

#ifndef _LGPL_SOURCE
#define _LGPL_SOURCE /* wfcqueue inlined, as the others' callers could not have it faster */
#endif
#include <urcu/wfcqueue.h>

#include "bench.h"

enum { PUSHERS = 2, EACH = 1000000, CAPACITY = 1024, ALL = PUSHERS * EACH };

struct node {
    struct cds_wfcq_node link;
    uint64_t value;
};

/* ---- wfcqueue ---- */

static struct cds_wfcq_head wfc_head;
static struct cds_wfcq_tail wfc_tail;

static void *wfc_push(void *unused)
{
    (void)unused;
    for (uint64_t i = 0; i < EACH; i++) {
        struct node *n = malloc(sizeof *n);

        if (!n)
            abort();
        n->value = i;
        cds_wfcq_node_init(&n->link);
        (void)cds_wfcq_enqueue(&wfc_head, &wfc_tail, &n->link);
    }
    return NULL;
}

static bool wfc_pop(void *unused, uint64_t *ret_value)
{
    struct cds_wfcq_node *link = __cds_wfcq_dequeue_nonblocking(&wfc_head, &wfc_tail);
    struct node *n;

    (void)unused;
    if (!link || link == CDS_WFCQ_WOULDBLOCK)
        return false;
    n = caa_container_of(link, struct node, link);
    *ret_value = n->value;
    free(n);
    return true;
}

/* ---- ours ---- */

static void *push(void *arg)
{
    numq_tx *tx = arg;

    for (uint64_t i = 0; i < EACH; i++) {
        uint64_t v = i;

        while (numq_try_send(tx, &v) == -EAGAIN)
            (void)sched_yield();
    }
    return NULL;
}

static bool pop(void *arg, uint64_t *ret_value)
{
    return numq_try_recv(arg, ret_value) == 0;
}

/* ---- the race ---- */

static int race(const struct bench_metric *m, void *(*pusher)(void *), void **args,
                bool (*popper)(void *, uint64_t *), void *source)
{
    struct bench_load load = { .m = m };
    pthread_t threads[PUSHERS];
    int64_t start = bench_clock();
    unsigned n;

    for (n = 0; n < PUSHERS; n++)
        if (pthread_create(&threads[n], NULL, pusher, args[n]) != 0)
            abort();
    while (load.n < ALL) {
        uint64_t v;

        if (popper(source, &v)) {
            load.n++;
            load.sum += v;
        } else {
            (void)sched_yield();
        }
    }
    load.elapsed = bench_clock() - start;
    while (n-- > 0)
        (void)pthread_join(threads[n], NULL);
    if (bench_check(&load, ALL, PUSHERS * bench_sum(EACH)) < 0)
        return -1;
    bench_tell_rate(&load, ALL, "msg/s");
    return 0;
}

static int wfc(const struct bench_metric *m)
{
    void *args[PUSHERS] = { NULL };

    cds_wfcq_init(&wfc_head, &wfc_tail);
    return race(m, wfc_push, args, wfc_pop, NULL);
}

static int ours(const struct bench_metric *m, size_t capacity)
{
    numq_tx tx[PUSHERS];
    numq_rx rx;
    void *args[PUSHERS];
    int r = numq_new(capacity, &tx[0], &rx);

    if (r < 0)
        return bench_fail(m->name, "%s", tr_strerror(r));
    for (unsigned i = 0; i < PUSHERS; i++) {
        if (i > 0)
            tx[i] = numq_tx_clone(&tx[0]);
        args[i] = &tx[i];
    }
    r = race(m, push, args, pop, &rx);
    for (unsigned i = 0; i < PUSHERS; i++)
        numq_tx_close(&tx[i]);
    numq_rx_close(&rx);
    return r;
}

static int ring(const struct bench_metric *m)
{
    return ours(m, CAPACITY);
}

static int blocks(const struct bench_metric *m)
{
    return ours(m, TR_UNBOUNDED);
}

const struct bench_metric bench_queues[] = {
    { .name = "queue_ring", .run = ring },
    { .name = "queue_blocks", .run = blocks },
    { .name = "queue_wfc", .run = wfc },
    { .name = NULL },
};
