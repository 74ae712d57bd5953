/* SPDX-License-Identifier: MIT */
/* pair-kit.h - queues of items for selects: both ends of one in a struct, and drops counted. */
#ifndef TESTS_COMBINE_PAIR_KIT_H
#define TESTS_COMBINE_PAIR_KIT_H

#include "sched/kit.h"

static atomic_uint n_dropped;

struct item {
    unsigned key; /* 0: empty */
};

static void item_drop(struct item *m)
{
    atomic_fetch_add(&n_dropped, m->key != 0);
}

TR_MPSC(itemq, struct item, item_drop);

struct pair {
    itemq_tx tx;
    itemq_rx rx;
};

static struct pair pair_new(size_t capacity)
{
    struct pair p = { .tx = { { NULL, 0 } } };

    check_eq(itemq_new(capacity, &p.tx, &p.rx), 0);
    return p;
}

static void pair_close(struct pair *p)
{
    itemq_tx_close(&p->tx);
    itemq_rx_close(&p->rx);
}

#endif /* TESTS_COMBINE_PAIR_KIT_H */
