/* SPDX-License-Identifier: MIT */
/*
 * broadcast.h - what the cases of plain data share: a channel with up to two sending and three
 * receiving ends. Message n is what stands at position n, from 1; so each receiver can tell for
 * every position what became of it: received or told as lost, in order, and once.
 */
#ifndef TESTS_EXPLORE_BROADCAST_H
#define TESTS_EXPLORE_BROADCAST_H

#include <errno.h>

#include <troupe/broadcast.h>

#include "chan/broadcast.h"
#include "explore/explore.h"
#include "explore/world.h"

/* Two words, so that half a message shows. */
struct number {
    uint64_t n, not_n;
};

TR_BROADCAST(numbers, struct number, tr_copy, tr_nodrop);

static numbers_tx tx;
static numbers_rx rx[EXPLORE_THREADS]; /* one for each thread that receives */
static uint64_t next_of[EXPLORE_THREADS];

/* Thread 0 sends; threads 1 to @n_rx receive. */
static void setup_numbers(size_t capacity, unsigned flags, unsigned n_rx)
{
    for (unsigned t = 0; t < EXPLORE_THREADS; t++) {
        rx[t] = (numbers_rx){ 0 };
        next_of[t] = 1;
    }
    check(numbers_new(capacity, flags, &tx, NULL) == 0);
    for (unsigned t = 1; t <= n_rx; t++)
        check(numbers_subscribe(&tx, 0, &rx[t]) == 0);
}

static void finish_numbers(void)
{
    numbers_tx_close(&tx);
    for (unsigned t = 0; t < EXPLORE_THREADS; t++)
        numbers_rx_close(&rx[t]);
    world_finish();
}

/* Returns the number of receivers, or the error. */
static int send_number(uint64_t n, tr_time deadline)
{
    struct number m = { n, ~n };
    int r = world_is_task() ? numbers_send(&tx, &m, deadline)
                            : numbers_blocking_send(&tx, &m, deadline);

    check((r > 0 && m.n == 0) || (r < 0 && m.n == n));
    return r;
}

/* Sends 1 to @n, each to at least one receiver. */
static inline void send_numbers(uint64_t n)
{
    for (uint64_t i = 1; i <= n; i++)
        check(send_number(i, TR_NEVER) > 0);
}

/* What a receive by the running thread has given. */
static int took(int r, const struct number *m)
{
    uint64_t *next = &next_of[explore_self()], lost;

    if (r == 0) {
        check(m->not_n == ~m->n);
        check(m->n == *next);
        *next += 1;
    } else if (r == -ESTALE) {
        lost = numbers_lost(&rx[explore_self()]);
        check(lost > 0);
        *next += lost;
    }
    return r;
}

static inline int recv_number(tr_time deadline)
{
    numbers_rx *r = &rx[explore_self()];
    struct number m = { 0 };

    return took(world_is_task() ? numbers_recv(r, deadline, &m)
                                : numbers_blocking_recv(r, deadline, &m),
                &m);
}

static inline int try_number(void)
{
    struct number m = { 0 };

    return took(numbers_try_recv(&rx[explore_self()], &m), &m);
}

/* To the end of @n messages, which are all received or lost. */
static inline void recv_numbers(uint64_t n)
{
    int r;

    do {
        r = recv_number(TR_NEVER);
        check(r == 0 || r == -ESTALE || r == -EPIPE);
    } while (r != -EPIPE);
    check(next_of[explore_self()] == n + 1);
}

#endif /* TESTS_EXPLORE_BROADCAST_H */
