/* SPDX-License-Identifier: MIT */
/*
 * A broadcast with and without a clone function; wrong messages, ends and clones are refused.
 */
#include <troupe/broadcast.h>

#ifndef TR_BAD
#define TR_BAD 0
#endif

struct event {
    int *number;
};

static int event_clone(struct event *dst, const struct event *src)
{
    *dst = *src;
    return 0;
}

static void event_drop(struct event *e)
{
    e->number = NULL;
}

TR_BROADCAST(news, struct event, event_clone, event_drop);
TR_BROADCAST(ticks, long, tr_copy, tr_nodrop);
TR_BROADCAST(texts, char *, tr_copy, tr_nodrop);

#if TR_BAD == 1
TR_BROADCAST(wrong, struct event, (int (*)(long *, const long *))0, event_drop);
#endif

int use_broadcast(news_tx *tx, ticks_rx *rx, texts_rx *texts);

int use_broadcast(news_tx *tx, ticks_rx *rx, texts_rx *texts)
{
    struct event e = { NULL };
    char *text;
    long tick;
    news_weak weak = news_tx_downgrade(tx);
    news_tx again = { { NULL, 0 } };

#if TR_BAD == 2
    return news_try_send(tx, &tick);
#elif TR_BAD == 3
    return ticks_try_recv(rx, &e);
#elif TR_BAD == 4
    return news_try_send(rx, &e);
#elif TR_BAD == 5
    return news_try_send(&weak, &e);
#endif
    if (news_weak_upgrade(&weak, &again) < 0)
        return (int)(ticks_senders(rx) + ticks_weak_senders(rx));
    news_weak_close(&weak);
    news_tx_close(&again);
    if (news_try_send(tx, &e) < 0 || texts_try_recv(texts, &text) < 0)
        return -1;
    return ticks_try_recv(rx, &tick);
}
