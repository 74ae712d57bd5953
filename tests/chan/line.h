/* SPDX-License-Identifier: MIT */
/*
 * line.h - looks into a channel, under its lock: who is in line. And whether its receiver
 * sleeps.
 */
#ifndef TESTS_CHAN_LINE_H
#define TESTS_CHAN_LINE_H

#include "chan/mpsc.h"

static inline unsigned n_waiting_in(struct tri_mpsc *c, struct tri_waitq *line)
{
    struct tri_waiter *first, *w;
    unsigned n = 0;

    tri_lock_acquire(&c->lock);
    first = w = tri_waitq_first(line);
    for (; w; w = w->next == first ? NULL : w->next)
        n++;
    tri_lock_release(&c->lock);
    return n;
}

static inline unsigned n_in_line(struct tri_mpsc *c)
{
    return n_waiting_in(c, &c->line);
}

/* Of those who wait for a place in the urgent lane. */
static inline unsigned n_in_lane_line(struct tri_mpsc *c)
{
    return n_waiting_in(c, &tri_mpsc_more(c)->lane->line);
}

static inline bool is_rx_parked(struct tri_mpsc *c)
{
    return atomic_load(&tri_mpsc_tx(c)->tail) & TRI_RX_PARKED;
}

#endif /* TESTS_CHAN_LINE_H */
