/* SPDX-License-Identifier: MIT */
/*
 * idset.h - a set of small numbers, one bit each: which objects of a block are free. It needs
 * no memory in the objects themselves, so a free one can have its pages given back.
 *
 * Not safe by itself: the owner's lock covers it. Adding is O(1); taking scans upwards from
 * first, below which no bit is set, and so costs at most one pass over the words per refill.
 */
#ifndef TRI_MEM_IDSET_H
#define TRI_MEM_IDSET_H

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

#include "mem/alloc.h"

struct tri_idset {
    uint64_t *word;
    unsigned n_words;
    unsigned first; /* words below this one are zero */
    unsigned n;     /* how many bits are set */
};

/* Makes @s an empty set of numbers below @n_ids. Returns 0 or -ENOMEM. */
static inline int tri_idset_init(struct tri_idset *s, unsigned n_ids)
{
    *s = (struct tri_idset){ .n_words = (n_ids + 63) / 64 };
    s->word = tri_mem_alloc(s->n_words * sizeof *s->word);
    return s->word ? 0 : -ENOMEM;
}

static inline void tri_idset_fini(struct tri_idset *s)
{
    free(s->word);
    *s = (struct tri_idset){ 0 };
}

/* Adds @id, which is not in @s: an object cannot be freed twice. */
static inline void tri_idset_add(struct tri_idset *s, unsigned id)
{
    uint64_t bit = (uint64_t)1 << (id % 64);
    unsigned w = id / 64;

    TRI_MEM_HOLDS(!(s->word[w] & bit));
    s->word[w] |= bit;
    s->n++;
    if (w < s->first)
        s->first = w;
}

/* Takes the lowest number; @s is not empty. */
static inline unsigned tri_idset_take(struct tri_idset *s)
{
    unsigned w = s->first;
    unsigned id;

    while (!s->word[w])
        w++;
    id = w * 64 + (unsigned)__builtin_ctzll(s->word[w]);
    s->word[w] &= s->word[w] - 1;
    s->first = w;
    s->n--;
    return id;
}

/* Takes up to @max numbers that follow each other, from *@ret_first on; @s is not empty. */
static inline unsigned tri_idset_take_run(struct tri_idset *s, unsigned max,
                                          unsigned *ret_first)
{
    unsigned id = tri_idset_take(s), len = 1;

    *ret_first = id;
    for (id++; len < max && id / 64 < s->n_words; id++, len++) {
        uint64_t bit = (uint64_t)1 << (id % 64);

        if (!(s->word[id / 64] & bit))
            break;
        s->word[id / 64] &= ~bit;
        s->n--;
    }
    return len;
}

#endif /* TRI_MEM_IDSET_H */
