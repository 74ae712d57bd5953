/* SPDX-License-Identifier: MIT */
/*
 * tr-seed.c - one number, TR_SEED, from which each test derives its own by its name: a test
 * that is run alone with the same TR_SEED sees the same numbers. The repetitions of a test see
 * others.
 */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#include "support/tr-check.h"
#include "support/tr-guard.h"

static uint64_t root_seed(void)
{
    const char *text = getenv("TR_SEED");
    char buf[24];
    uint64_t seed;

    if (text && *text)
        return strtoull(text, NULL, 0);
    if (getrandom(&seed, sizeof seed, 0) != (ssize_t)sizeof seed)
        abort();
    snprintf(buf, sizeof buf, "0x%016" PRIx64, seed);
    setenv("TR_SEED", buf, 1);
    return seed;
}

void test_print_seed(void)
{
    printf("# TR_SEED=0x%016" PRIx64 "\n", root_seed());
    fflush(stdout);
}

/* The finaliser of splitmix64: each bit of @x reaches all bits of the result. */
static uint64_t mix(uint64_t x)
{
    x += 0x9e3779b97f4a7c15u;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

static uint64_t add_text(uint64_t seed, const char *text)
{
    while (*text)
        seed = mix(seed ^ (unsigned char)*text++);
    return mix(seed);
}

uint64_t tri_seed_of(const struct tr_test *t)
{
    const uint64_t seed = add_text(add_text(root_seed(), t->suite->name), t->name);

    return tri_repeat > 0 ? mix(seed + tri_repeat) : seed;
}

uint64_t test_seed(void)
{
    const struct tr_test *t = tri_current_test();

    return t ? tri_seed_of(t) : add_text(root_seed(), program_invocation_short_name);
}
