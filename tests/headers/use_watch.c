/* SPDX-License-Identifier: MIT */
/* use_watch.c - every function of a watch, and what the compiler must refuse. */
#include <troupe/watch.h>

#ifndef TR_BAD
#define TR_BAD 0
#endif

struct cfg {
    unsigned n;
};

TR_WATCH(cfgw, struct cfg, tr_nodrop);
TR_WATCH(otherw, long, tr_nodrop);

static int add_one(const void *now, void *next, void *arg)
{
    ((struct cfg *)next)->n = ((const struct cfg *)now)->n + 1;
    return arg ? 1 : 0;
}

static bool is_one(const void *value, void *arg)
{
    (void)arg;
    return ((const struct cfg *)value)->n == 1;
}

int use_watch(cfgw_tx *tx, cfgw_rx *rx, otherw_tx *other);

int use_watch(cfgw_tx *tx, cfgw_rx *rx, otherw_tx *other)
{
    struct cfg c = { 1 };
    const struct cfg *old = NULL, *held;
    cfgw_rx seen = cfgw_rx_clone_seen(rx), second = cfgw_subscribe(tx);
    cfgw_tx tx2 = cfgw_tx_clone(tx);
    tr_arm arms[2];
    int r;

#if TR_BAD == 1
    r = otherw_replace(other, &c);
#elif TR_BAD == 2
    r = cfgw_exchange(tx, &c, (const long **)&other);
#elif TR_BAD == 3
    cfgw_get(rx)->n = 2;
    r = 0;
#elif TR_BAD == 4
    r = cfgw_modify(tx, is_one, NULL);
#elif TR_BAD == 5
    r = cfgw_changed(tx, TR_NEVER);
#elif TR_BAD == 6
    r = cfgw_tx_is_same(tx, other);
#else
    r = otherw_tx_is_closed(other);
#endif
    if (r == 0)
        r = cfgw_exchange(tx, &c, &old);
    cfgw_unpin(old);
    if (r == 0)
        r = cfgw_modify(tx, add_one, &c);
    held = cfgw_tx_pin(tx);
    cfgw_unpin(held);
    held = cfgw_pin(rx);
    cfgw_unpin(held);
    cfgw_mark_changed(rx);
    cfgw_mark_unchanged(rx);
    arms[0] = cfgw_changed_arm(rx);
    arms[1] = cfgw_closed_arm(tx);
    if (r == 0)
        r = tr_select(TR_NEVER, arms, 2);
    if (r == 0)
        r = cfgw_wait_for(rx, is_one, NULL, TR_NEVER);
    if (r == 0)
        r = cfgw_blocking_wait_for(rx, is_one, NULL, TR_NEVER);
    if (r == 0)
        r = cfgw_closed(tx, TR_NEVER);
    if (r == 0)
        r = cfgw_blocking_closed(tx, TR_NEVER);
    if (cfgw_rx_is_closed(rx) || cfgw_rx_is_same(rx, &seen) || cfgw_tx_is_same(tx, &tx2))
        r = (int)(cfgw_senders(rx) + cfgw_receivers(tx) + cfgw_peek(rx)->n);
    cfgw_rx_close(&second);
    cfgw_rx_close(&seen);
    cfgw_tx_close(&tx2);
    return r;
}
