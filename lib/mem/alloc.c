/* SPDX-License-Identifier: MIT */
/*
 * alloc.c - calloc() and mmap() with one counter before them. The counter is read on slow paths
 * only: caches above refill in batches.
 */
#include "config.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "mem/alloc.h"

/* Requests until the one that fails; 0: disarmed; below 0: it has failed. Written by tests. */
static atomic_long n_left;

static bool must_fail(void)
{
    /* relaxed, here and below: a counter for tests, it publishes nothing. */
    if (atomic_load_explicit(&n_left, memory_order_relaxed) <= 0)
        return false;
    if (atomic_fetch_sub_explicit(&n_left, 1, memory_order_relaxed) != 1)
        return false;
    atomic_store_explicit(&n_left, -1, memory_order_relaxed);
    return true;
}

void tri_mem_fail_at(long nth)
{
    atomic_store_explicit(&n_left, nth, memory_order_relaxed);
}

bool tri_mem_has_failed(void)
{
    return atomic_load_explicit(&n_left, memory_order_relaxed) < 0;
}

size_t tri_mem_page(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

void *tri_mem_map(size_t bytes)
{
    void *p;

    if (must_fail())
        return NULL;
    p = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
             MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
    return p == MAP_FAILED ? NULL : p;
}

void tri_mem_unmap(void *base, size_t bytes)
{
    if (base)
        TRI_MEM_HOLDS(munmap(base, bytes) == 0);
}

void *tri_mem_alloc(size_t bytes)
{
    return must_fail() ? NULL : calloc(1, bytes);
}

void *tri_mem_alloc_lines(size_t bytes)
{
    size_t rounded = (bytes + 63) / 64 * 64;
    void *p = must_fail() ? NULL : aligned_alloc(64, rounded);

    return p ? memset(p, 0, rounded) : NULL;
}

void *tri_mem_alloc_dirty(size_t bytes)
{
    return must_fail() ? NULL : malloc(bytes);
}

void tri_mem_broken(const char *file, int line, const char *what)
{
    char text[256];
    int n = snprintf(text, sizeof text, "troupe: %s:%d: %s\n", file, line, what);
    size_t len = n < 0 ? 0 : (size_t)n < sizeof text ? (size_t)n : sizeof text - 1;

    if (write(STDERR_FILENO, text, len) < 0) {
        /* nowhere left to say it */
    }
    abort();
}
