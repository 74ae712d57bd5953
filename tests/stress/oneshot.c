/* SPDX-License-Identifier: MIT */
/*
 * oneshot.c - the two ends of many oneshots meet in every way: send or close against receive, try,
 * give up, shut or close. A value ends once: received, dropped, or still with its sender.
 */
#include "config.h"

#include <errno.h>

#include "stress.h"

enum { N_PAIR = 64 };

struct value {
    uint64_t id; /* 0: empty */
    uint64_t check;
};

static atomic_uint n_dropped, n_sent, n_received;

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

static void send_all(struct stress_thread *t)
{
    for (uint64_t i = 0; i < N_PAIR; i++) {
        struct value v = { i + 1, ~(i + 1) };
        int r;

        if (tri_rand_once_in(&t->rand, 8)) {
            slot_tx_close(&txs[i]);
            continue;
        }
        if (tri_rand_once_in(&t->rand, 4))
            (void)slot_tx_is_closed(&txs[i]);
        r = slot_send(&txs[i], &v);
        check_eq(v.id == 0, r == 0);
        atomic_fetch_add(&n_sent, r == 0);
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
    for (unsigned i = 0; i < N_PAIR; i++) {
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

static int send_task(struct pair_end *e)
{
    struct value v = { e->index + 1, ~(uint64_t)(e->index + 1) };

    if (e->index % 4 == 0 && slot_closed(&e->tx, tr_after(TR_US(e->index))) == 0)
        check(slot_tx_is_closed(&e->tx));
    atomic_fetch_add(&n_sent, slot_send(&e->tx, &v) == 0);
    return 0;
}

static int receive_task(tr_scope *root, void *unused)
{
    (void)unused;
    for (unsigned i = 0; i < N_PAIR; i++) {
        struct pair_end e = { txs[i], i };
        struct tr_task_opts opts = { .flags = TR_TASK_SPREAD };

        txs[i] = (slot_tx){ { 0 } };
        check_eq(send_task_spawn(root, &e, &opts), 0);
    }
    for (unsigned i = 0; i < N_PAIR; i++) {
        tr_time deadline = stress_below(3) ? TR_NEVER : tr_after(TR_US(stress_below(30)));
        struct value v = { 0, 0 };

        if (slot_recv(&rxs[i], deadline, &v) == 0) {
            check_eq(v.id, i + 1);
            atomic_fetch_add(&n_received, 1);
        }
        slot_rx_close(&rxs[i]);
    }
    return tr_scope_join(root, TR_NEVER);
}

int main(void)
{
    static void (*const fns[])(struct stress_thread *) = { send_all, receive_all };
    const tr_time end = stress_end();
    unsigned long n_round;

    for (n_round = 0; tr_now() < end && test_n_failed() == 0; n_round++) {
        n_dropped = n_sent = n_received = 0;
        for (unsigned i = 0; i < N_PAIR; i++)
            if (slot_new(&txs[i], &rxs[i]) < 0)
                abort();
        if (n_round % 4 == 3)
            check_eq(tr_run(receive_task, NULL), 0);
        else
            stress_together(fns, TR_LEN(fns));
        check_eq(n_sent, n_received + n_dropped);
    }
    return stress_result(n_round);
}
