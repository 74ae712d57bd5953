/* SPDX-License-Identifier: MIT */
/*
 * stack.c - arenas of stacks. An arena is one mapping, cut into slots:
 *
 *     base                                              base + n_slots * stride
 *     | guard | stack         top| guard | stack         top| ...
 *     |<------- stride --------->|        (stride = one page + the stack's size)
 *
 * The odd number of pages per slot spreads the tops over the sets of the TLB. Slots are carved
 * (guarded) upwards, in batches, so memory and system calls are spent on stacks that are used.
 * A carved slot is in exactly one place: out (in a task or a cache), in used (free, its pages
 * are kept), in clean (free, without pages), or for a moment in the hands of tri_stack_trim().
 *
 * Mappings start at 64 MiB and double up to 1 GiB; where the kernel accounts for every byte
 * (vm.overcommit_memory = 2) a refused step is halved until one is granted.
 *
 * arena[] only grows, until the last user leaves. Its entries are published by n_arenas, so
 * tri_stack_of() needs no lock and may run in a signal handler.
 */
#include "config.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "mem/alloc.h"
#include "mem/guard.h"
#include "mem/idset.h"
#include "mem/stack.h"

#define MIB ((size_t)1 << 20)

enum { MAX_ARENAS = 4096, MIN_SLOTS = 16 };

struct arena {
    char *base;
    unsigned n_slots;
    atomic_uint n_carved; /* written under the lock, read by tri_stack_of() */
    struct tri_idset used, clean;
    unsigned *san_id; /* per slot, under valgrind only */
};

/* lock covers everything below but the two words that say otherwise. A leaf: nothing inside. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct arena arena[MAX_ARENAS];
static atomic_uint n_arenas; /* published: see tri_stack_of() */
static unsigned n_users;
static unsigned n_mprotected;
static unsigned n_used; /* sum over the arenas' used sets */
static size_t step_bytes;
static size_t page;
static enum tri_guard kind;

size_t tri_stack_bytes;
atomic_bool tri_stack_canary;

static size_t stride(void)
{
    return tri_stack_bytes + page;
}

static void *slot_top(const struct arena *a, unsigned i)
{
    return a->base + (i + 1) * stride();
}

static unsigned arenas(void)
{
    /* acquire: pairs with the release in arena_add() and shows us the entries below it. */
    return atomic_load_explicit(&n_arenas, memory_order_acquire);
}

static struct arena *arena_of(const void *addr)
{
    const char *p = addr;

    for (unsigned i = arenas(); i-- > 0;) {
        if (p >= arena[i].base && p < arena[i].base + arena[i].n_slots * stride())
            return &arena[i];
    }
    return NULL;
}

void *tri_stack_of(const void *addr)
{
    struct arena *a = arena_of(addr);
    unsigned i;

    if (!a)
        return NULL;
    i = (unsigned)((size_t)((const char *)addr - a->base) / stride());
    /* relaxed: a stack that the caller runs on was carved before it was handed out. */
    if (i >= atomic_load_explicit(&a->n_carved, memory_order_relaxed))
        return NULL;
    return slot_top(a, i);
}

/* Setting up and tearing down */

static int size_check(size_t bytes)
{
    return bytes % page != 0 || bytes < 16 * 1024 || bytes > 1024 * MIB ? -EINVAL : 0;
}

static int first_setup(size_t size_bytes)
{
    int r;

    page = tri_mem_page();
    if (!size_bytes)
        size_bytes = TRI_ASAN || TRI_TSAN ? 256 * 1024 : 64 * 1024;
    r = size_check(size_bytes);
    if (r == 0)
        r = tri_guard_choose(&kind);
    if (r < 0)
        return r;
    tri_stack_bytes = size_bytes;
    step_bytes = 64 * MIB;
    return 0;
}

int tri_stack_setup(size_t size_bytes)
{
    int r = 0;

    pthread_mutex_lock(&lock);
    if (n_users == 0)
        r = first_setup(size_bytes);
    else if (size_bytes && size_bytes != tri_stack_bytes)
        r = size_check(size_bytes) < 0 ? -EINVAL : -EBUSY;
    if (r == 0)
        n_users++;
    pthread_mutex_unlock(&lock);
    return r;
}

static void arena_remove(struct arena *a)
{
    /* relaxed: the lock is held. */
    unsigned n = atomic_load_explicit(&a->n_carved, memory_order_relaxed);

    TRI_MEM_HOLDS(a->used.n + a->clean.n == n); /* else a task or a cache still has one */
    for (unsigned i = 0; i < n; i++)
        tri_san_stack_remove((char *)slot_top(a, i) - tri_stack_bytes, tri_stack_bytes,
                             a->san_id ? a->san_id[i] : 0);
    tri_mem_unmap(a->base, a->n_slots * stride());
    tri_idset_fini(&a->used);
    tri_idset_fini(&a->clean);
    free(a->san_id);
    *a = (struct arena){ 0 };
}

void tri_stack_teardown(void)
{
    pthread_mutex_lock(&lock);
    TRI_MEM_HOLDS(n_users > 0);
    if (--n_users == 0) {
        unsigned n = arenas();

        /* relaxed: no task is left that could run into a guard and look for its arena. */
        atomic_store_explicit(&n_arenas, 0, memory_order_relaxed);
        while (n-- > 0)
            arena_remove(&arena[n]);
        n_used = n_mprotected = 0;
        /* relaxed: no stack is left that could be checked. */
        atomic_store_explicit(&tri_stack_canary, false, memory_order_relaxed);
    }
    pthread_mutex_unlock(&lock);
}

/* Growing */

static int arena_init(struct arena *a, unsigned n_slots)
{
    *a = (struct arena){ .n_slots = n_slots };
    if (tri_san_on_valgrind() && !(a->san_id = tri_mem_alloc(n_slots * sizeof *a->san_id)))
        return -ENOMEM;
    if (tri_idset_init(&a->used, n_slots) < 0)
        goto free_ids;
    if (tri_idset_init(&a->clean, n_slots) < 0)
        goto fini_used;
    a->base = tri_mem_map(n_slots * stride());
    if (!a->base)
        goto fini_clean;
    /* A huge page would turn a parked task's 4 KiB into 2 MiB. Fails where there are none. */
    (void)madvise(a->base, n_slots * stride(), MADV_NOHUGEPAGE);
    return 0;

fini_clean:
    tri_idset_fini(&a->clean);
fini_used:
    tri_idset_fini(&a->used);
free_ids:
    free(a->san_id);
    return -ENOMEM;
}

/* A new arena, or NULL. The lock is held. */
static struct arena *arena_add(void)
{
    unsigned n = arenas();
    size_t bytes = step_bytes;

    while (n < MAX_ARENAS) {
        size_t n_slots = bytes / stride();
        bool last = n_slots <= MIN_SLOTS;

        if (arena_init(&arena[n], last ? MIN_SLOTS : (unsigned)n_slots) == 0) {
            if (bytes == step_bytes && step_bytes < 1024 * MIB)
                step_bytes *= 2;
            /* release: publishes the entry to arenas(). */
            atomic_store_explicit(&n_arenas, n + 1, memory_order_release);
            return &arena[n];
        }
        if (last)
            break;
        bytes /= 2;
    }
    return NULL;
}

/* Which guard the next slot gets. */
static enum tri_guard next_kind(void)
{
    if (kind == TRI_GUARD_MPROTECT && n_mprotected >= TRI_GUARD_MPROTECT_MAX)
        return TRI_GUARD_CANARY;
    return kind;
}

/* Guards the next slot of @a. A guard page that cannot be had is replaced by a canary. */
static void *carve(struct arena *a)
{
    /* relaxed, load and store: the lock orders the writers; tri_stack_of() has its reason. */
    unsigned i = atomic_load_explicit(&a->n_carved, memory_order_relaxed);
    char *guard = a->base + i * stride();
    enum tri_guard k = next_kind();
    unsigned id;

    if (k != TRI_GUARD_CANARY && tri_guard_install(k, guard, page) < 0)
        k = TRI_GUARD_CANARY;
    if (k == TRI_GUARD_MPROTECT)
        n_mprotected++;
    if (k == TRI_GUARD_CANARY) /* relaxed: see tri_stack_canary_ok() */
        atomic_store_explicit(&tri_stack_canary, true, memory_order_relaxed);
    id = tri_san_stack_add(guard + page, tri_stack_bytes);
    if (a->san_id)
        a->san_id[i] = id;
    atomic_store_explicit(&a->n_carved, i + 1, memory_order_relaxed);
    return slot_top(a, i);
}

/* Between a cache and the arenas */

/* Takes up to @max stacks of @a, those with pages first. */
static unsigned arena_take(struct arena *a, void **ret_top, unsigned max)
{
    unsigned n = 0;

    for (; n < max && a->used.n; n_used--)
        ret_top[n++] = slot_top(a, tri_idset_take(&a->used));
    while (n < max && n_used == 0 && a->clean.n)
        ret_top[n++] = slot_top(a, tri_idset_take(&a->clean));
    return n;
}

static unsigned take_batch(void **ret_top, unsigned max)
{
    unsigned n_all = arenas(), n = 0;
    struct arena *a;

    for (unsigned i = 0; i < n_all && n == 0; i++)
        n = arena_take(&arena[i], ret_top, max);
    if (n)
        return n;
    a = n_all ? &arena[n_all - 1] : NULL;
    /* relaxed: the lock is held. */
    if (!a || atomic_load_explicit(&a->n_carved, memory_order_relaxed) == a->n_slots)
        a = arena_add();
    /* relaxed: the lock is held. */
    while (a && n < max &&
           atomic_load_explicit(&a->n_carved, memory_order_relaxed) < a->n_slots)
        ret_top[n++] = carve(a);
    return n;
}

void *tri_stack_refill(struct tri_stack_cache *c)
{
    pthread_mutex_lock(&lock);
    c->n = take_batch(c->top, TRI_STACK_BATCH);
    pthread_mutex_unlock(&lock);
    return c->n ? c->top[--c->n] : NULL;
}

/* Moves the @n stacks that have lain longest in @c to the arenas. */
void tri_stack_spill(struct tri_stack_cache *c, unsigned n)
{
    struct arena *a = NULL;

    pthread_mutex_lock(&lock);
    for (unsigned i = 0; i < n; i++) {
        const char *low = (char *)c->top[i] - tri_stack_bytes;

        if (!a || low < a->base || low >= a->base + a->n_slots * stride())
            a = arena_of(low);
        TRI_MEM_HOLDS(a != NULL);
        tri_idset_add(&a->used, (unsigned)((size_t)(low - a->base) / stride()));
        n_used++;
    }
    pthread_mutex_unlock(&lock);
    c->n -= n;
    for (unsigned i = 0; i < c->n; i++)
        c->top[i] = c->top[i + n];
}

void tri_stack_cache_fini(struct tri_stack_cache *c)
{
    tri_stack_spill(c, c->n);
}

/* Gives back the pages of up to @max used stacks of @a. The lock is held, but not meanwhile. */
static unsigned arena_trim(struct arena *a, unsigned max)
{
    unsigned first, n;

    if (!a->used.n)
        return 0;
    n = tri_idset_take_run(&a->used, max, &first);
    n_used -= n;
    pthread_mutex_unlock(&lock); /* these stacks are ours alone now */
    TRI_MEM_HOLDS(madvise(a->base + first * stride(), n * stride(), MADV_DONTNEED) == 0);
    pthread_mutex_lock(&lock);
    for (unsigned i = first; i < first + n; i++)
        tri_idset_add(&a->clean, i);
    return n;
}

unsigned tri_stack_trim(struct tri_stack_cache *c, unsigned max)
{
    unsigned left = TRI_STACK_TRIM;

    if (c->n > max)
        tri_stack_spill(c, c->n - max);
    pthread_mutex_lock(&lock);
    for (unsigned i = arenas(); i-- > 0 && n_used;) {
        unsigned n = 1;

        for (; left && n; left -= n)
            n = arena_trim(&arena[i], left);
    }
    left = n_used;
    pthread_mutex_unlock(&lock);
    return left;
}

size_t tri_stack_n_out(void)
{
    size_t n = 0;

    pthread_mutex_lock(&lock);
    for (unsigned i = arenas(); i-- > 0;) {
        const struct arena *a = &arena[i];

        /* relaxed: the lock is held. */
        n += atomic_load_explicit(&a->n_carved, memory_order_relaxed) - a->used.n - a->clean.n;
    }
    pthread_mutex_unlock(&lock);
    return n;
}

/* Questions */

const char *tri_stack_guard_name(void)
{
    return tri_guard_name(kind);
}

size_t tri_stack_high_water(const void *top)
{
    enum { CHUNK = 64 };
    unsigned char in_core[CHUNK];
    char *low = (char *)(uintptr_t)top - tri_stack_bytes;
    size_t n_pages = tri_stack_bytes / page;
    /* Reading a canary makes its page look used: unless it was overwritten, begin above it. */
    /* relaxed: see tri_stack_canary_ok(). */
    size_t i = atomic_load_explicit(&tri_stack_canary, memory_order_relaxed) &&
               tri_stack_canary_ok(top);

    for (; i < n_pages; i += CHUNK) {
        size_t n = n_pages - i < CHUNK ? n_pages - i : CHUNK;

        if (mincore(low + i * page, n * page, in_core) < 0)
            return 0;
        for (size_t k = 0; k < n; k++) {
            if (in_core[k] & 1)
                return (n_pages - i - k) * page;
        }
    }
    return 0;
}
