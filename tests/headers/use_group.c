/* SPDX-License-Identifier: MIT */
/* use_group.c - tasks with keys, and what the compiler must refuse. */
#include <troupe.h>

struct page {
    int n;
};

TR_TASK(fetch, struct page, tr_nodrop);
TR_GROUP_TASK(fetch, struct page);
TR_MPSC(numq, int, tr_nodrop);

static int fetch(struct page *p)
{
    return p->n;
}

int use_group(tr_group *g, struct page *p, numq_rx *rx);

int use_group(tr_group *g, struct page *p, numq_rx *rx)
{
    tr_grouped done;
    int r, m[4];

#if TR_BAD == 1
    r = fetch_spawn_as(&g->scope, 1, p, NULL);
#elif TR_BAD == 2
    r = fetch_spawn_as(g, 1, &p->n, NULL);
#elif TR_BAD == 3
    fetch_spawn_as(g, 1, p, NULL);
    r = 0;
#elif TR_BAD == 4
    r = (int)numq_recv_chunk(rx, 4, TR_MS(1), TR_NEVER, p);
#else
    r = fetch_spawn_as(g, 1, p, NULL);
#endif
    if (r == 0)
        r = tr_group_next(g, TR_NEVER, &done);
    return r < 0 ? r : (int)numq_recv_chunk(rx, 4, TR_MS(1), TR_NEVER, m);
}
