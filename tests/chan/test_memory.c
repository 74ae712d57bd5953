/* SPDX-License-Identifier: MIT */
/*
 * test_memory.c - what the channels ask for: a burst gives back what it took, an idle channel
 * is small, a question needs nothing for its answer, and a large value is shared by a count.
 */
#include "config.h"

#include <errno.h>
#include <malloc.h>
#include <stdlib.h>

#include "base/rcu.h"
#include "chan/items.h"
#include "mem/alloc.h"
#include "sched/kit.h"

TR_SUITE(memory, .init = kit_listen, .timeout = 60);

TR_MPSC(itemq, struct item, item_drop);

static itemq_tx tx;
static itemq_rx rx;

/* Bytes from malloc(), this moment. 0 under a sanitizer, which keeps its own books. */
static size_t in_use(void)
{
    struct mallinfo2 m;

    tri_rcu_barrier_if_pending();
    m = mallinfo2();
    return m.uordblks + m.hblkhd;
}

static void send_many(uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        struct item m = item(1);

        need_eq(itemq_try_send(&tx, &m), 0);
    }
}

static void receive_many(uint32_t n)
{
    struct item m;

    for (uint32_t i = 0; i < n; i++)
        need_eq(itemq_try_recv(&rx, &m), 0);
}

static void check_burst(uint32_t n)
{
    size_t before = in_use(), full, after;

    send_many(n);
    full = in_use();
    receive_many(n);
    after = in_use();
    check(before == 0 || full - before >= n * sizeof(struct item), "it took room for each");
    check(after < before + 4096, "and is back to a block or two");
}

TR_TEST(memory, a_burst_is_given_back_when_it_was_drained)
{
    need_eq(itemq_new(TR_UNBOUNDED, &tx, &rx), 0);
    send_many(40);
    receive_many(40);
    check_burst(100000);
    check_burst(100000);
    itemq_tx_close(&tx);
    itemq_rx_close(&rx);
}

/* The number of messages that ever went through does not matter. */
TR_TEST(memory, a_queue_that_never_gets_long_does_not_grow)
{
    size_t before = 0;

    need_eq(itemq_new(TR_UNBOUNDED, &tx, &rx), 0);
    send_many(40);
    for (unsigned i = 0; i < 20000; i++) {
        send_many(10);
        receive_many(10);
        if (i == 1000) /* what blocks are given back through is there by now */
            before = in_use();
    }
    check(in_use() < before + 4096);
    receive_many(40);
    itemq_tx_close(&tx);
    itemq_rx_close(&rx);
}

enum { N_CHANNEL = 1000 };

static size_t bytes_of_idle(size_t capacity)
{
    static itemq_tx t[N_CHANNEL];
    static itemq_rx r[N_CHANNEL];
    size_t before = in_use(), n;

    for (unsigned i = 0; i < N_CHANNEL; i++)
        check_eq(itemq_new(capacity, &t[i], &r[i]), 0);
    n = in_use() - before;
    for (unsigned i = 0; i < N_CHANNEL; i++) {
        itemq_tx_close(&t[i]);
        itemq_rx_close(&r[i]);
    }
    return n / N_CHANNEL;
}

TR_TEST(memory, an_idle_channel_is_some_hundred_bytes)
{
    check(bytes_of_idle(4) < 400);
    check(bytes_of_idle(TR_UNBOUNDED) < 1000, "a block of 32 in it");
}

/* ---- a question ---- */

TR_REPLY(sum_reply, long);

struct question {
    long a, b;
    sum_reply reply;
};

static void question_drop(struct question *q)
{
    sum_reply_close(&q->reply);
}

TR_MPSC(sumq, struct question, question_drop);
TR_ASK(sumq, sumq_tx, struct question, reply, sum_reply);

static sumq_tx ask_tx;
static sumq_rx ask_rx;

struct nothing {
    char none;
};

TR_TASK(adder, struct nothing, tr_nodrop);

static int adder(struct nothing *unused)
{
    struct question q = { .a = 0 };

    (void)unused;
    while (sumq_recv(&ask_rx, TR_NEVER, &q) == 0) {
        long sum = q.a + q.b;

        check_eq(sum_reply_answer(&q.reply, &sum), 0);
    }
    return 0;
}

STEP_TEST(memory, a_question_and_its_answer_ask_for_none)
{
    struct nothing none = { 0 };
    long sum = 0;

    need_eq(sumq_new(2, &ask_tx, &ask_rx), 0);
    need_eq(adder_spawn(root, &none, NULL), 0);
    for (long i = 0; i < 4; i++) {
        struct question q = { .a = i, .b = 40 };

        if (i == 1) /* the first one of a task makes its gate */
            tri_mem_fail_at(1);
        need_eq(sumq_ask(&ask_tx, &q, TR_NEVER, &sum), 0);
        check_eq(sum, i + 40);
    }
    check(!tri_mem_has_failed());
    tri_mem_fail_at(0);
    sumq_tx_close(&ask_tx);
    check_eq(tr_scope_join(root, TR_NEVER), 0);
    sumq_rx_close(&ask_rx);
}

/* ---- a large value for many ---- */

struct large {
    atomic_uint n_ref;
    char bytes[1 << 20];
};

static unsigned n_freed;

static int large_clone(struct large **dst, struct large *const *src)
{
    atomic_fetch_add(&(*src)->n_ref, 1);
    *dst = *src;
    return 0;
}

static void large_drop(struct large **p)
{
    if (*p && atomic_fetch_sub(&(*p)->n_ref, 1) == 1) {
        free(*p);
        n_freed++;
    }
    *p = NULL;
}

TR_BROADCAST(largeb, struct large *, large_clone, large_drop);

TR_TEST(memory, a_large_value_is_shared_by_its_count_and_freed_by_the_last)
{
    enum { N = 10 };
    struct large *value = malloc(sizeof *value), *const original = value, *got[N];
    largeb_tx t;
    largeb_rx r[N];

    need(value != NULL);
    atomic_init(&value->n_ref, 1);
    need_eq(largeb_new(4, 0, &t, &r[0]), 0);
    for (unsigned i = 1; i < N; i++)
        need_eq(largeb_subscribe(&t, 0, &r[i]), 0);
    check_eq(largeb_try_send(&t, &value), N);
    check(value == NULL);
    for (unsigned i = 0; i < N; i++) {
        need_eq(largeb_try_recv(&r[i], &got[i]), 0);
        check(got[i] == original, "not a byte was copied");
    }
    for (unsigned i = 0; i < N; i++) {
        check_eq(n_freed, 0u);
        large_drop(&got[i]);
        largeb_rx_close(&r[i]);
    }
    check_eq(n_freed, 1u);
    largeb_tx_close(&t);
}

/* ---- a bound by bytes: a semaphore, whose permits travel in the messages ---- */

struct packet {
    char *bytes;
    tr_permit room; /* as many as there are bytes */
};

static void packet_drop(struct packet *p)
{
    free(p->bytes);
    p->bytes = NULL;
    tr_permit_release(&p->room);
}

TR_MPSC(packetq, struct packet, packet_drop);

static tr_semaphore budget = TR_SEMAPHORE_INIT(1000);

static int send_bytes(packetq_tx *t, size_t n)
{
    struct packet p TR_CLEANUP(packet_drop) = { NULL, { NULL, 0 } };
    int r = tr_semaphore_try_acquire(&budget, n);

    if (r < 0)
        return r;
    p.room = tr_permit_of(&budget, n);
    p.bytes = calloc(1, n);
    return p.bytes ? packetq_try_send(t, &p) : -ENOMEM;
}

TR_TEST(memory, bytes_are_bounded_by_permits_that_travel_in_the_messages)
{
    struct packet p;
    packetq_tx t;
    packetq_rx r;

    need_eq(packetq_new(TR_UNBOUNDED, &t, &r), 0);
    check_eq(send_bytes(&t, 600), 0);
    check_eq(send_bytes(&t, 600), -EAGAIN);
    check_eq(send_bytes(&t, 400), 0);
    check_eq(send_bytes(&t, 1), -EAGAIN);
    need_eq(packetq_try_recv(&r, &p), 0);
    check_eq(send_bytes(&t, 1), -EAGAIN, "they are in use still");
    packet_drop(&p);
    check_eq(send_bytes(&t, 600), 0);
    packetq_rx_close(&r);
    check_eq(tr_semaphore_available(&budget), 1000u, "what nobody received came back, too");
    check_eq(send_bytes(&t, 10), -EPIPE);
    check_eq(tr_semaphore_available(&budget), 1000u);
    packetq_tx_close(&t);
}
