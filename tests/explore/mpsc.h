/* SPDX-License-Identifier: MIT */
/*
 * mpsc.h - what the cases of the mpsc channel share: one channel, one or two senders, threads 0
 * and 1, with an end each, and the last thread the receiver. A thread is a plain one or a task.
 */
#ifndef TESTS_EXPLORE_MPSC_H
#define TESTS_EXPLORE_MPSC_H

#include <errno.h>

#include <troupe/mpsc.h>

#include "chan/mpsc.h"
#include "explore/explore.h"
#include "explore/ledger.h"
#include "explore/world.h"

TR_MPSC(queue, struct message, message_drop);

static queue_tx tx[2];
static queue_rx rx;
static struct world_worker *workers[EXPLORE_THREADS]; /* NULL: a plain thread */
static struct tri_mpsc *chan;                         /* for the broken ones */

static void setup_queue(size_t capacity)
{
    ledger_begin();
    for (unsigned t = 0; t < EXPLORE_THREADS; t++)
        workers[t] = NULL;
    check(queue_new(capacity, &tx[0], &rx) == 0);
    chan = rx.end.chan;
    tx[1] = queue_tx_clone(&tx[0]);
}

/* Each thread a task: a channel may then be received from without a fence. */
static inline void setup_tasks(size_t capacity, enum tri_wakee_kind kind, unsigned n)
{
    setup_queue(capacity);
    for (unsigned t = 0; t < n; t++)
        workers[t] = world_worker_new(kind, (uint16_t)(t + 1));
}

static void finish_queue(void)
{
    queue_tx_close(&tx[0]);
    queue_tx_close(&tx[1]);
    queue_rx_close(&rx);
    for (unsigned t = 0; t < EXPLORE_THREADS; t++)
        world_worker_free(workers[t]);
    ledger_finish();
}

/* Where each thread begins. The sender's end is that of its number. */
static inline void enter(void)
{
    if (workers[explore_self()])
        world_worker_enter(workers[explore_self()]);
}

static int send_until(unsigned k, tr_time deadline)
{
    const unsigned me = explore_self();
    struct message m = message(k);
    int r = workers[me] ? queue_send(&tx[me], &m, deadline)
                        : queue_blocking_send(&tx[me], &m, deadline);

    message_sent(&m, r);
    return r;
}

static inline void send_k(unsigned k)
{
    int r = send_until(k, TR_NEVER);

    check(r == 0 || r == -EPIPE);
}

static inline int try_k(unsigned k)
{
    struct message m = message(k);
    int r = queue_try_send(&tx[explore_self()], &m);

    message_sent(&m, r);
    return r;
}

static int recv_until(tr_time deadline)
{
    struct message m = { NULL };
    int r = workers[explore_self()] ? queue_recv(&rx, deadline, &m)
                                    : queue_blocking_recv(&rx, deadline, &m);

    if (r == 0)
        message_got(&m);
    return r;
}

static inline void recv_to_end(void)
{
    int r;

    while ((r = recv_until(TR_NEVER)) == 0)
        ;
    check(r == -EPIPE);
}

static inline int try_recv(void)
{
    struct message m = { NULL };
    int r = queue_try_recv(&rx, &m);

    if (r == 0)
        message_got(&m);
    return r;
}

static inline void close_mine(void)
{
    queue_tx_close(&tx[explore_self()]);
}

/* Of thread @t, all of the messages 1 to @n came. */
static inline void check_received(unsigned t, unsigned n)
{
    for (unsigned k = 1; k <= n; k++)
        check(ledger.n_got[10 * t + k] == 1);
}

#endif /* TESTS_EXPLORE_MPSC_H */
