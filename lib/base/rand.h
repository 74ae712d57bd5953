/* SPDX-License-Identifier: MIT */
/*
 * rand.h - repeatable pseudo-random numbers: xoshiro256** by Blackman and Vigna, seeded through
 * splitmix64, so that any seed, also 0, gives a good state. Not for secrets. One owner.
 */
#ifndef TRI_BASE_RAND_H
#define TRI_BASE_RAND_H

#include <stdbool.h>
#include <stdint.h>

struct tri_rand {
    uint64_t s[4];
};

static inline uint64_t tri_rand_splitmix(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static inline void tri_rand_init(struct tri_rand *r, uint64_t seed)
{
    for (int i = 0; i < 4; i++)
        r->s[i] = tri_rand_splitmix(&seed);
}

static inline uint64_t tri_rand_rotate(uint64_t x, int k)
{
    return (x << k) | (x >> (64 - k));
}

static inline uint64_t tri_rand_next(struct tri_rand *r)
{
    uint64_t result = tri_rand_rotate(r->s[1] * 5, 7) * 9, t = r->s[1] << 17;

    r->s[2] ^= r->s[0];
    r->s[3] ^= r->s[1];
    r->s[1] ^= r->s[2];
    r->s[0] ^= r->s[3];
    r->s[2] ^= t;
    r->s[3] = tri_rand_rotate(r->s[3], 45);
    return result;
}

/* A number in [0, @n), @n > 0; the bias is below @n / 2^32. */
static inline uint32_t tri_rand_below(struct tri_rand *r, uint32_t n)
{
    return (uint32_t)(((tri_rand_next(r) >> 32) * n) >> 32);
}

/* True once in @n times on average. */
static inline bool tri_rand_once_in(struct tri_rand *r, uint32_t n)
{
    return tri_rand_below(r, n) == 0;
}

#endif /* TRI_BASE_RAND_H */
