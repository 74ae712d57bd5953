/* SPDX-License-Identifier: MIT */
/* mpsc_chunk.c - messages by number or time: some at once, then more until a span is over. */
#include "config.h"

#include "chan/mpsc.h"

ssize_t tr_mpsc_recv_chunk(tr_mpsc_rx *rx, size_t n, tr_time span, tr_time deadline,
                           void *ret_array)
{
    ssize_t r = tr_mpsc_recv_many(rx, n, deadline, ret_array);
    size_t n_taken = (size_t)r, size;
    tr_time until;

    if (r <= 0)
        return r;
    size = rx->chan->type->size;
    until = tr_after(span) | (deadline & TR_DRAIN_BIT);
    while (n_taken < n) {
        r = tr_mpsc_recv_many(rx, n - n_taken, until, (char *)ret_array + n_taken * size);
        if (r < 0)
            break; /* it is time, or what ends us ends the next call too */
        n_taken += (size_t)r;
    }
    return (ssize_t)n_taken;
}
