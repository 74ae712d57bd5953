/* SPDX-License-Identifier: MIT */
/*
 * oneshot.c - the two ends of many oneshots meet in every way: send or close against receive,
 * try, give up, shut or close. A value ends once: received, dropped, or still with its sender.
 */
#include "config.h"

#include <errno.h>

#include "stress.h"

enum { N_PAIR = STRESS_TASKS };

struct value {
    uint64_t id; /* 0: empty */
    uint64_t check;
};

static unsigned
    n_part; /* threads of a side that has threads; each has its share of the pairs */
static atomic_uint n_made, n_back, n_dropped, n_sent, n_received;

static void value_drop(struct value *v)
{
    if (v->id == 0)
        return;
    check_eq(v->check, ~v->id);
    atomic_fetch_add(&n_dropped, 1);
    *v = (struct value){ 0 };
}

TR_ONESHOT(slot, struct value, value_drop);

static slot_tx txs[N_PAIR];
static slot_rx rxs[N_PAIR];

static struct value value(unsigned pair)
{
    atomic_fetch_add(&n_made, 1);
    return (struct value){ pair + 1, ~(uint64_t)(pair + 1) };
}

static void send_all(struct stress_thread *t)
{
    struct value v;
    int r;

    for (unsigned i = t->index % n_part; i < N_PAIR; i += n_part) {
        if (tri_rand_once_in(&t->rand, 8)) {
            slot_tx_close(&txs[i]);
            continue;
        }
        if (tri_rand_once_in(&t->rand, 4))
            (void)slot_tx_is_closed(&txs[i]);
        v = value(i);
        r = slot_send(&txs[i], &v);
        check_eq(v.id == 0, r == 0);
        atomic_fetch_add(r == 0 ? &n_sent : &n_back, 1);
    }
}

static int receive_somehow(slot_rx *rx, struct value *v, struct tri_rand *rand)
{
    switch (tri_rand_below(rand, 5)) {
    case 0:
        return slot_try_recv(rx, v);
    case 1:
        return slot_blocking_recv(rx, tr_after(TR_US(tri_rand_below(rand, 20))), v);
    case 2:
        slot_rx_shut(rx);
        return slot_try_recv(rx, v);
    case 3:
        return -EAGAIN;
    default:
        return slot_blocking_recv(rx, TR_NEVER, v);
    }
}

static void receive_all(struct stress_thread *t)
{
    for (unsigned i = t->index % n_part; i < N_PAIR; i += n_part) {
        struct value v = { 0, 0 };

        if (receive_somehow(&rxs[i], &v, &t->rand) == 0) {
            check_eq(v.check, ~v.id);
            check_eq(v.id, i + 1);
            atomic_fetch_add(&n_received, 1);
        }
        slot_rx_close(&rxs[i]);
    }
}

/* ---- tasks: one sends and the other receives; one waits until nobody wants the value ---- */

struct pair_end {
    slot_tx tx;
    unsigned index;
};

static void pair_end_drop(struct pair_end *e)
{
    slot_tx_close(&e->tx);
}

TR_TASK(send_task, struct pair_end, pair_end_drop);
static const struct tr_task_opts spread = { .flags = TR_TASK_SPREAD };

static int send_task(struct pair_end *e)
{
    struct value v = value(e->index);

    if (e->index % 4 == 0 && slot_closed(&e->tx, tr_after(TR_US(e->index))) == 0)
        check(slot_tx_is_closed(&e->tx));
    atomic_fetch_add(slot_send(&e->tx, &v) == 0 ? &n_sent : &n_back, 1);
    return 0;
}

static void spawn_senders(tr_scope *root)
{
    for (unsigned i = 0; i < N_PAIR; i++) {
        struct pair_end e = { txs[i], i };

        txs[i] = (slot_tx){ { 0 } };
        check_eq(send_task_spawn(root, &e, &spread), 0);
    }
}

static int send_tasks(tr_scope *root, void *unused)
{
    (void)unused;
    spawn_senders(root);
    return tr_scope_join(root, TR_NEVER);
}

struct receiver {
    slot_rx rx;
    unsigned index;
    uint64_t seed;
};

static void receiver_drop(struct receiver *r)
{
    slot_rx_close(&r->rx);
}

TR_TASK(receive_task, struct receiver, receiver_drop);

static int receive_task(struct receiver *r)
{
    struct value v = { 0, 0 };
    struct tri_rand rand;
    tr_time deadline;

    tri_rand_init(&rand, r->seed);
    deadline = tri_rand_below(&rand, 3) ? TR_NEVER : tr_after(TR_US(tri_rand_below(&rand, 30)));
    if (slot_recv(&r->rx, deadline, &v) == 0) {
        check_eq(v.id, r->index + 1);
        atomic_fetch_add(&n_received, 1);
    }
    return 0;
}

static int receive_tasks(tr_scope *root, void *unused)
{
    (void)unused;
    for (unsigned i = 0; i < N_PAIR; i++) {
        struct receiver r = { rxs[i], i, tri_rand_next(&stress_rand) };

        rxs[i] = (slot_rx){ { 0 } };
        check_eq(receive_task_spawn(root, &r, &spread), 0);
    }
    return tr_scope_join(root, TR_NEVER);
}

static int send_and_receive_tasks(tr_scope *root, void *unused)
{
    spawn_senders(root);
    return receive_tasks(root, unused);
}

/* ---- rounds ---- */

static void open_round(void)
{
    n_made = n_back = n_dropped = n_sent = n_received = 0;
    for (unsigned i = 0; i < N_PAIR; i++)
        if (slot_new(&txs[i], &rxs[i]) < 0)
            abort();
}

/* The threads have one side, and as many tasks as there are pairs the other. */
static void round_of_crowd(bool threads_send)
{
    void (*fns[STRESS_THREADS])(struct stress_thread *);

    n_part = STRESS_THREADS;
    for (unsigned i = 0; i < STRESS_THREADS; i++)
        fns[i] = threads_send ? send_all : receive_all;
    stress_beside(fns, STRESS_THREADS, threads_send ? receive_tasks : send_tasks);
}

static void round_of_threads(void)
{
    static void (*const fns[])(struct stress_thread *) = { send_all, receive_all };

    n_part = 1;
    stress_together(fns, TR_LEN(fns));
}

int main(void)
{
    const tr_time end = stress_end();
    unsigned long n_round;

    for (n_round = 0; tr_now() < end && test_n_failed() == 0; n_round++) {
        open_round();
        if (n_round % 2 == 0)
            round_of_crowd(n_round % 4 == 0);
        else if (n_round % 8 == 7)
            check_eq(tr_run(send_and_receive_tasks, NULL), 0);
        else
            round_of_threads();
        check_eq(n_sent, n_received + n_dropped);
        check_eq(n_made, n_received + n_back + n_dropped, "each value ends once");
    }
    return stress_result(n_round);
}
