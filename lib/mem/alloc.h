/* SPDX-License-Identifier: MIT */
/*
 * alloc.h - the doors through which memory is obtained, so that a test can make any single
 * request fail. They give zeroed memory unless said otherwise, or NULL when there is none.
 */
#ifndef TRI_MEM_ALLOC_H
#define TRI_MEM_ALLOC_H

#include <stdbool.h>
#include <stddef.h>

/* The page size of this machine, a power of two. */
size_t tri_mem_page(void);

/* Address space, without swap reserved for it: a page costs memory from its first write on. */
void *tri_mem_map(size_t bytes);
void tri_mem_unmap(void *base, size_t bytes);

/* A small zeroed object; free() releases it. */
void *tri_mem_alloc(size_t bytes);

/* The same, at the start of a line of 64 bytes, and no other object in its lines. */
void *tri_mem_alloc_lines(size_t bytes);

/*
 * As tri_mem_alloc(), with any content, for hot paths: glibc's calloc() passes by the cache of
 * the thread.
 */
void *tri_mem_alloc_dirty(size_t bytes);

/*
 * For tests: the @nth request from now on (1: the next) fails, once; 0 disarms.
 * tri_mem_has_failed(): the request that was to fail has come.
 * Callers: a test, while no other thread allocates.
 */
void tri_mem_fail_at(long nth);
bool tri_mem_has_failed(void);

/* An invariant of this layer does not hold: says which and aborts. */
_Noreturn void tri_mem_broken(const char *file, int line, const char *what);
#define TRI_MEM_HOLDS(cond)                                                                    \
    ((cond) ? (void)0 : tri_mem_broken(__FILE__, __LINE__, "broken invariant: " #cond))

#endif /* TRI_MEM_ALLOC_H */
