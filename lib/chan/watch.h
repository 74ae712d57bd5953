/* SPDX-License-Identifier: MIT */
/* watch.h - the inside of a watch, between its files; watch.c says how it works. */
#ifndef TRI_CHAN_WATCH_H
#define TRI_CHAN_WATCH_H

#include <troupe/watch.h>

#include "base/lock.h"
#include "chan/published.h"
#include "sched/waitq.h"

#define TRI_WATCH_ENDED  ((uint64_t)1)         /* in mark */
#define TRI_WATCH_KEEP   ((uint64_t)1 << 63) /* in tr_watch_rx.seen */
#define TRI_WATCH_UNSEEN ((uint64_t)1 << 62) /* likewise */

struct tri_watch_line {
    struct tri_waitq q;
    unsigned n;
};

struct tri_watch {
    _Atomic(struct tri_snapshot *) now;
    _Atomic uint64_t mark;
    const struct tri_type *type;
    char apart[64]; /* readers do not feel what happens below */

    struct tri_published published;

    /* Protects the above for writers, and what follows. No wake and no drop inside. */
    struct tri_lock lock;
    struct tri_watch_line line;   /* receivers who wait for a change */
    struct tri_watch_line closed; /* senders who wait until there is no receiver */
    atomic_size_t n_tx, n_rx, n_end;
};

static inline uint64_t tri_watch_mark(const struct tri_watch *c)
{
    /* acquire: now is as new as this, or newer; pairs with tri_watch_publish(). */
    return atomic_load_explicit(&c->mark, memory_order_acquire);
}

static inline bool tri_watch_is_new(const tr_watch_rx *rx, uint64_t mark)
{
    return (rx->seen & TRI_WATCH_UNSEEN) || mark >> 1 > (rx->seen & ~TRI_WATCH_KEEP);
}

/* Marks version @mark as seen. An end may have seen a newer one: now comes before mark. */
static inline void tri_watch_see(tr_watch_rx *rx, uint64_t mark)
{
    const uint64_t seen = rx->seen & ~(TRI_WATCH_KEEP | TRI_WATCH_UNSEEN);

    rx->seen = mark >> 1 > seen ? mark >> 1 : seen;
}

/* Takes the lock with a slot for the next snapshot. NULL: no memory, and not locked. */
struct tri_slot *tri_watch_lock(struct tri_watch *c);

/*
 * Puts @next, with the version after the last, in place of the old one, which is returned. The
 * caller has the lock from tri_watch_lock(), which gave @slot.
 */
struct tri_snapshot *tri_watch_publish(struct tri_watch *c, struct tri_slot *slot,
                                       struct tri_snapshot *next);

/* Wakes those in @line; the caller holds the lock, which is released. */
void tri_watch_wake(struct tri_watch *c, struct tri_watch_line *line);

#endif /* TRI_CHAN_WATCH_H */
