/* SPDX-License-Identifier: MIT */
/*
 * watch-kit.h - one watch of items, opened before each test of a suite, and what sends into it.
 */
#ifndef TESTS_CHAN_WATCH_KIT_H
#define TESTS_CHAN_WATCH_KIT_H

#include <troupe/watch.h>

#include "chan/items.h"
#include "chan/step.h"

TR_WATCH(itemw, struct item, item_drop);

static itemw_tx tx;
static itemw_rx rx;
static int result[64];
static atomic_uint n_waiting; /* tasks about to wait */

/* The first value has id 1. */
static void open_channel(void)
{
    struct item first = item(1);

    need_eq(itemw_new(&first, &tx, &rx), 0);
    check_eq(first.id, 0);
}

static void close_channel(void)
{
    itemw_tx_close(&tx);
    itemw_rx_close(&rx);
}

static int send_id(uint32_t id)
{
    struct item m = item(id);
    int r = itemw_send(&tx, &m);

    check_eq(m.id, r == 0 ? 0 : id, "moved, or kept");
    return r;
}

#endif /* TESTS_CHAN_WATCH_KIT_H */
