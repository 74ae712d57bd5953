/* SPDX-License-Identifier: MIT */
/*
 * published.h - the newest snapshot, which any thread pins in a bounded number of its own
 * steps.
 *
 *     word    arrivals << 10 | index             slot[index]   snapshot, n_in, n_out
 *
 *     pin     word += 1 arrival: the old one says the index; read that snapshot; n_out += 1
 *     writer  (in turn)  find a free slot; put the next snapshot there; exchange word for its
 *             index without arrivals; the arrivals of the old word are counts of the old
 *             snapshot: add them to its n_ref, and to n_in of its slot
 *
 *                  pin     publish, fini   ref, unref of what was pinned
 *     pin          yes     publish: yes    yes
 *     publish      yes     in turn         yes
 *
 * One step both tells which snapshot is the newest and counts it, so a pin cannot fail and does
 * not try again. It writes in word and in its slot, and reads nothing that may go away:
 *
 * - The snapshot. An arrival is a count. Until the writer has moved it to n_ref, the counts
 *   that are given up there meanwhile are covered by TRI_PUBLISHED, which is added before the
 *   snapshot is published and taken away together with that move. So n_ref meets 0 when the
 *   last count went, wherever it was taken, and not before.
 * - The slot's snapshot pointer. A slot is written again only if it is not in word and as many
 *   have left it (n_out) as had arrived (n_in): then nobody is between the two steps in it. The
 *   slots themselves stay until tri_published_fini().
 *
 * A writer does not wait for a reader who is in between: it takes another slot. There are as
 * many as were needed at once, which is two more than threads that were interrupted there while
 * the value changed; with all of 1024 in use a send fails as without memory.
 *
 * The arrivals of one version are below 2^54: years of doing nothing but pin it. A pin is
 * wait-free where the machine has a fetch-and-add.
 */
#ifndef TRI_CHAN_PUBLISHED_H
#define TRI_CHAN_PUBLISHED_H

#include <stdatomic.h>

#include "chan/snapshot.h"

enum {
    TRI_SLOT_BITS = 10,
    TRI_SLOTS_FIRST = 4, /* in the struct; then 4, 8, 16 ... further ones */
    TRI_SLOT_PARTS = TRI_SLOT_BITS - 1,
};

#define TRI_PUBLISHED ((uint64_t)1 << 62)

struct tri_slot {
    struct tri_snapshot *snapshot;
    uint64_t n_in;              /* who arrived here, without the present stay in word;
                                 * writers' */
    atomic_uint_fast64_t n_out; /* who has read snapshot */
};

struct tri_published {
    atomic_uint_fast64_t word;
    struct tri_slot *part[TRI_SLOT_PARTS]; /* written once each, before an index of it is in
                                            * word */
    unsigned n_slot;                       /* writers' */
    struct tri_slot first[TRI_SLOTS_FIRST];
};

static inline struct tri_slot *tri_slot_at(const struct tri_published *p, unsigned index)
{
    unsigned part, start;

    if (index < TRI_SLOTS_FIRST)
        return &p->part[0][index];
    part = 30u - (unsigned)__builtin_clz(index); /* 4..7: 1, 8..15: 2 ... */
    start = (unsigned)TRI_SLOTS_FIRST << (part - 1);
    return &p->part[part][index - start];
}

static inline unsigned tri_slot_index(uint64_t word)
{
    return (unsigned)word & ((1u << TRI_SLOT_BITS) - 1);
}

/* The newest snapshot, counted. */
static inline struct tri_snapshot *tri_published_pin(struct tri_published *p)
{
    /* acquire: the slot, the snapshot and part[]; pairs with tri_published_put(). */
    uint64_t word = atomic_fetch_add_explicit(&p->word, (uint64_t)1 << TRI_SLOT_BITS,
                                              memory_order_acquire);
    struct tri_slot *slot = tri_slot_at(p, tri_slot_index(word));
    struct tri_snapshot *s = slot->snapshot;

    /* release: our read of the slot ends here; pairs with is_free(). */
    atomic_fetch_add_explicit(&slot->n_out, 1, memory_order_release);
    return s;
}

/* @first with its one count, which is the structure's from here on. */
void tri_published_init(struct tri_published *p, struct tri_snapshot *first);

/* A slot for the next snapshot; NULL: all are in use, see tri_published_grow(). */
struct tri_slot *tri_published_find(struct tri_published *p);

/*
 * Publishes @next, whose one count is the structure's from here on, in @slot, which
 * tri_published_find() gave in the same turn. Returns the old one with that count.
 */
struct tri_snapshot *tri_published_put(struct tri_published *p, struct tri_slot *slot,
                                       struct tri_snapshot *next);

/* The number of slots that the next part has, and hence of its memory; 0: no more. */
unsigned tri_published_wants(const struct tri_published *p);

/* Adds a part of @n zeroed slots. False: it is not the next part any more. */
bool tri_published_grow(struct tri_published *p, struct tri_slot *slots, unsigned n);

/* Nobody else is left. Returns the last snapshot with the structure's count. */
struct tri_snapshot *tri_published_fini(struct tri_published *p);

#endif /* TRI_CHAN_PUBLISHED_H */
