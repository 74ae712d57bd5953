/* SPDX-License-Identifier: MIT */
/*
 * ask-kit.h - a queue of questions for the sum of two numbers. Tests hold its receiving end and
 * are the replier.
 */
#ifndef TESTS_CHAN_ASK_KIT_H
#define TESTS_CHAN_ASK_KIT_H

#include <sched.h>

#include "chan/step.h"
#include "sched/gate.h"

struct sum {
    uint64_t value;
    uint64_t check;
};

TR_REPLY(sum_reply, struct sum);

struct question {
    uint64_t a, b; /* a 0: empty */
    sum_reply reply;
};

static atomic_uint n_dropped;

static void question_drop(struct question *q)
{
    if (q->a != 0)
        atomic_fetch_add(&n_dropped, 1);
    sum_reply_close(&q->reply);
    *q = (struct question){ 0 };
}

TR_MPSC(sumq, struct question, question_drop);
TR_ASK(sumq, sumq_tx, struct question, reply, sum_reply);

static sumq_tx tx;
static sumq_rx rx;
static struct sum got; /* the answer */

static void close_both(void)
{
    sumq_tx_close(&tx);
    sumq_rx_close(&rx);
}

static struct sum sum_of(const struct question *q)
{
    return (struct sum){ q->a + q->b, ~(q->a + q->b) };
}

/* A thread that is inside of a gate: it writes the answer, and leaves when it is told to. */
struct middle {
    struct question q;
    struct sum *to;
    atomic_bool go;
};

static void *leave_when_told(void *arg)
{
    struct middle *m = arg;

    while (!atomic_load(&m->go))
        sched_yield();
    *m->to = sum_of(&m->q);
    tri_gate_leave(m->q.reply.end.gate, m->q.reply.end.serial);
    return NULL;
}

#endif /* TESTS_CHAN_ASK_KIT_H */
