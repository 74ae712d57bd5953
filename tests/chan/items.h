/* SPDX-License-Identifier: MIT */
/*
 * items.h - messages that count how often each was dropped, and a channel of each kind for
 * them.
 */
#ifndef TESTS_CHAN_ITEMS_H
#define TESTS_CHAN_ITEMS_H

#include <stdatomic.h>

#include <troupe.h>

enum { N_ID = 2048 };

struct item {
    uint32_t id; /* 0: empty */
    uint32_t check;
};

static atomic_uint n_dropped_of[N_ID];
static atomic_uint n_dropped;

static inline struct item item(uint32_t id)
{
    return (struct item){ id, ~id };
}

static inline void item_drop(struct item *m)
{
    if (m->id == 0)
        return;
    atomic_fetch_add(&n_dropped, 1);
    if (m->id < N_ID && m->check == ~m->id)
        atomic_fetch_add(&n_dropped_of[m->id], 1);
    *m = (struct item){ 0 };
}

/* How many of the ids 1 to @n were not dropped exactly once. */
static inline unsigned n_not_dropped_once(uint32_t n)
{
    unsigned bad = 0;

    for (uint32_t id = 1; id <= n; id++)
        bad += atomic_load(&n_dropped_of[id]) != 1;
    return bad;
}

#endif /* TESTS_CHAN_ITEMS_H */
