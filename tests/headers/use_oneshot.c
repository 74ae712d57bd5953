/* SPDX-License-Identifier: MIT */
/* use_oneshot.c - every function of a oneshot, and what the compiler must refuse. */
#include <troupe/oneshot.h>

#ifndef TR_BAD
#define TR_BAD 0
#endif

struct answer {
    unsigned n;
};

TR_ONESHOT(reply, struct answer, tr_nodrop);
TR_ONESHOT(other, long, tr_nodrop);

int use_oneshot(reply_tx *tx, reply_rx *rx, other_tx *wrong);

int use_oneshot(reply_tx *tx, reply_rx *rx, other_tx *wrong)
{
    struct answer a = { 1 };
    tr_arm arms[2];
    int r = 0;

#if TR_BAD == 1
    r = other_send(wrong, &a);
#elif TR_BAD == 2
    r = reply_send(wrong, &a);
#elif TR_BAD == 3
    r = reply_rx_is_done(tx);
#elif TR_BAD == 4
    long n;

    r = reply_try_recv(rx, &n);
#elif TR_BAD == 5
    arms[0] = reply_recv_arm(tx, &a);
#endif
    if (other_tx_is_closed(wrong) || reply_tx_is_closed(tx))
        return r;
    arms[0] = reply_recv_arm(rx, &a);
    arms[1] = reply_closed_arm(tx);
    if (!reply_rx_is_done(rx) && !reply_rx_is_closed(rx) && reply_rx_is_empty(rx))
        r = tr_select(TR_NEVER, arms, 2);
    if (r == 0)
        r = reply_closed(tx, TR_NEVER);
    if (r == 0)
        r = reply_blocking_closed(tx, TR_NEVER);
    reply_rx_shut(rx);
    reply_rx_close(rx);
    return r < 0 ? r : reply_send(tx, &a);
}
