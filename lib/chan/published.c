/* SPDX-License-Identifier: MIT */
/* published.c - what writers do, in turn; published.h says how it works. */
#include "config.h"

#include "chan/published.h"

/* Before @s is published: nobody else has it. */
static void cover(struct tri_snapshot *s)
{
    atomic_init(&s->n_ref, TRI_PUBLISHED + 1);
}

/* The arrivals of @word, which is not there any more, become counts of their snapshot. */
static struct tri_snapshot *settle(struct tri_published *p, uint64_t word)
{
    struct tri_slot *slot = tri_slot_at(p, tri_slot_index(word));
    const uint64_t n = word >> TRI_SLOT_BITS;

    slot->n_in += n;
    /*
     * relaxed: a step in a row of those that give up their counts, which end with an acquire.
     */
    atomic_fetch_add_explicit(&slot->snapshot->n_ref, n - TRI_PUBLISHED, memory_order_relaxed);
    return slot->snapshot;
}

void tri_published_init(struct tri_published *p, struct tri_snapshot *first)
{
    p->part[0] = p->first;
    p->n_slot = TRI_SLOTS_FIRST;
    cover(first);
    p->first[0].snapshot = first;
    atomic_init(&p->word, 0);
}

static bool is_free(const struct tri_slot *slot)
{
    /* acquire: who was here has read the pointer; pairs with tri_published_pin(). */
    return atomic_load_explicit(&slot->n_out, memory_order_acquire) == slot->n_in;
}

struct tri_slot *tri_published_find(struct tri_published *p)
{
    /* relaxed: only writers change the index, and it is our turn. */
    const unsigned used = tri_slot_index(atomic_load_explicit(&p->word, memory_order_relaxed));

    for (unsigned i = 0; i < p->n_slot; i++)
        if (i != used && is_free(tri_slot_at(p, i)))
            return tri_slot_at(p, i);
    return NULL;
}

static unsigned index_of(const struct tri_published *p, const struct tri_slot *slot)
{
    unsigned i = 0;

    while (tri_slot_at(p, i) != slot)
        i++;
    return i;
}

struct tri_snapshot *tri_published_put(struct tri_published *p, struct tri_slot *slot,
                                       struct tri_snapshot *next)
{
    cover(next);
    slot->snapshot = next;
    /* release: the slot, the snapshot and part[]; pairs with tri_published_pin(). */
    return settle(p, atomic_exchange_explicit(&p->word, index_of(p, slot), memory_order_release));
}

unsigned tri_published_wants(const struct tri_published *p)
{
    return p->n_slot < 1u << TRI_SLOT_BITS ? p->n_slot : 0;
}

bool tri_published_grow(struct tri_published *p, struct tri_slot *slots, unsigned n)
{
    if (n != p->n_slot)
        return false;
    p->part[30u - (unsigned)__builtin_clz(n)] = slots; /* the part whose first index is n */
    p->n_slot += n;
    return true;
}

struct tri_snapshot *tri_published_fini(struct tri_published *p)
{
    /* relaxed: nobody else is left, and the caller has acquired what they did. */
    struct tri_snapshot *s =
        settle(p, atomic_load_explicit(&p->word, memory_order_relaxed));

    for (unsigned i = 1; i < TRI_SLOT_PARTS; i++)
        free(p->part[i]);
    return s;
}
