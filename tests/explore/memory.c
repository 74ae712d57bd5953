/* SPDX-License-Identifier: MIT */
/*
 * memory.c - the memory that a case uses: its blocks, which are never used twice in one run,
 * and the stacks of its threads; and what is known of each GRAIN bytes of it:
 *
 *     cell    when each thread last read or wrote it, by plain and by atomic accesses
 *     word    what an acquire there shows, as a vector of clocks
 *     users   which threads have ever read or written it by atomic steps, in any run
 *
 * Two accesses, one of them plain and one of them a write, must be ordered by what the memory
 * orders in the source promise, whatever the order of this run was: each thread has a vector
 * with the last moment of each other thread that comes before what it does now. (C. Flanagan,
 * S. Freund, "FastTrack", 2009, without the compression.) The clocks go on over all runs, so
 * nothing has to be cleared.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "explore/engine.h"

enum {
    GRAIN = 4,
    ARENA = 96 * 1024, /* for the blocks of one thread */
    STACK = 64 * 1024,
    REGION = N_SELF * ARENA + EXPLORE_THREADS * STACK,
    N_GRAIN = REGION / GRAIN,
    N_GLOBAL = 1024, /* words elsewhere, by a hash of their address */
    MAX_BLOCK = 1024,
    MAX_UNDO = 1024,
    POISON = 0xdb,
};

struct vector {
    uint64_t at[N_SELF];
};

struct cell {
    uint64_t run;                    /* the last one in which it was accessed */
    unsigned threads;                /* that did, in that run */
    uint64_t when[N_ACCESS][N_SELF]; /* clock << GRAIN | which of the bytes */
};

struct word {
    struct vector shows;
    uint64_t run; /* in which @shows was written */
};

struct users {
    uint8_t readers, writers;
};

struct block {
    char *start;
    size_t size;
    bool freed;
};

static _Alignas(4096) char region[REGION];
static struct cell cells[N_GRAIN];
static uint8_t is_alive[N_GRAIN];
static struct word words[N_GRAIN + N_GLOBAL];
static struct users users[N_GRAIN + N_GLOBAL];
static uintptr_t globals[N_GLOBAL];
static struct vector now[N_SELF];
static uint64_t run;
static bool has_news;

/*
 * What the threads have changed in this run outside of it: variables of the library and the
 * case. By a hash of their addresses: those that are noted already.
 */
static struct {
    void *addr;
    size_t size;
    char was[16];
} undo[MAX_UNDO];
static unsigned n_undo;
static struct {
    const void *addr;
    uint64_t run;
} undone[MAX_UNDO];

static struct block blocks[MAX_BLOCK];
static unsigned n_block, n_kept;
static size_t used[N_SELF], kept[N_SELF];
static char *kept_content;

static char *arena(unsigned t)
{
    return region + (size_t)t * ARENA;
}

char *memory_stack(unsigned t, size_t *ret_size)
{
    *ret_size = STACK;
    return region + (size_t)N_SELF * ARENA + (size_t)t * STACK;
}

static bool is_inside(const void *addr)
{
    return (uintptr_t)addr - (uintptr_t)region < REGION;
}

static size_t grain(const void *addr)
{
    return ((uintptr_t)addr - (uintptr_t)region) / GRAIN;
}

/* The number of the word at @addr, wherever it is. */
static size_t number(const void *addr)
{
    uintptr_t a = (uintptr_t)addr;
    size_t i = a / GRAIN % N_GLOBAL;

    if (is_inside(addr))
        return grain(addr);
    for (unsigned n = 0; n < N_GLOBAL; n++, i = (i + 1) % N_GLOBAL)
        if (globals[i] == a || globals[i] == 0) {
            globals[i] = a;
            return N_GRAIN + i;
        }
    explore_fail("more than %d words outside of the memory of the case", N_GLOBAL);
}

/* ---- runs ---- */

void memory_begin_case(void)
{
    memset(users, 0, sizeof users);
    has_news = false;
}

static void everything_so_far_is_over(void)
{
    uint64_t last = 0;

    for (unsigned t = 0; t < N_SELF; t++)
        last = now[t].at[t] > last ? now[t].at[t] : last;
    for (unsigned t = 0; t < N_SELF; t++)
        for (unsigned u = 0; u < N_SELF; u++)
            now[t].at[u] = t == u ? last + 1 : last;
    run++;
}

void memory_will_change(const void *addr, size_t size)
{
    const size_t i = (uintptr_t)addr / GRAIN % MAX_UNDO;
    void *to = (void *)(uintptr_t)addr;

    if (is_inside(addr) || !threads_are_running())
        return;
    if (undone[i].addr == addr && undone[i].run == run)
        return;
    undone[i].addr = addr;
    undone[i].run = run;
    if (n_undo == MAX_UNDO)
        explore_fail("more than %d changes outside of the memory of the case", MAX_UNDO);
    undo[n_undo].addr = to;
    undo[n_undo].size = size;
    memcpy(undo[n_undo++].was, addr, size);
}

void memory_put_back(void)
{
    while (n_undo > 0) {
        n_undo--;
        memcpy(undo[n_undo].addr, undo[n_undo].was, undo[n_undo].size);
    }
}

void memory_begin_run(void)
{
    n_undo = 0;
    for (unsigned t = 0; t < N_SELF; t++) {
        memset(is_alive + grain(arena(t) + kept[t]), 0, (used[t] - kept[t]) / GRAIN);
        used[t] = kept[t];
        if (kept_content)
            memcpy(arena(t), kept_content + (size_t)t * ARENA, kept[t]);
    }
    n_block = n_kept;
    has_news = false;
    everything_so_far_is_over();
}

void memory_keep(void)
{
    kept_content = malloc((size_t)N_SELF * ARENA);
    if (!kept_content)
        abort();
    memcpy(kept_content, region, (size_t)N_SELF * ARENA);
    memcpy(kept, used, sizeof kept);
    n_kept = n_block;
}

bool memory_has_news(void)
{
    return has_news;
}

/* ---- blocks ---- */

void *memory_alloc(size_t bytes, size_t align, int fill)
{
    unsigned t = explore_self();
    size_t at = (used[t] + GRAIN + align - 1) / align * align; /* never one beside the other */
    struct block *b = &blocks[n_block];

    if (n_block == MAX_BLOCK || at + bytes + 64 > ARENA)
        explore_fail("the case takes too much memory");
    n_block++;
    *b = (struct block){ .start = arena(t) + at, .size = bytes };
    used[t] = (at + bytes + GRAIN - 1) / GRAIN * GRAIN;
    memset(b->start, fill, bytes);
    memset(is_alive + grain(b->start), 1, (bytes + GRAIN - 1) / GRAIN);
    if (threads_are_running())
        memory_access(b->start, bytes, PLAIN_WRITE);
    return b->start;
}

void memory_free(void *p, size_t keep)
{
    char *from = (char *)p + keep;
    struct block *b = blocks + n_block;

    if (!p)
        return;
    while (b-- > blocks)
        if (b->start == p)
            break;
    if (b < blocks)
        explore_fail("free() of what was not allocated");
    if (b->freed)
        explore_fail("freed twice: %zu bytes", b->size);
    if (threads_are_running())
        memory_access(from, b->size - keep, PLAIN_WRITE); /* every other access must come
                                                           * before */
    b->freed = true;
    memset(from, POISON, b->size - keep);
    memset(is_alive + grain(from), 0, (b->size - keep + GRAIN - 1) / GRAIN);
}

void memory_revive(const void *p, size_t size)
{
    memset(is_alive + grain(p), 1, (size + GRAIN - 1) / GRAIN);
}

void memory_check_leaks(void)
{
    for (unsigned i = n_kept; i < n_block; i++)
        if (!blocks[i].freed)
            explore_fail("never freed: %zu bytes", blocks[i].size);
}

/* ---- accesses ---- */

static const char *const access_names[N_ACCESS] = { "write", "read", "atomic write",
                                                    "atomic read" };

/* Which earlier accesses by others must be ordered before one of the given kind. */
static const bool conflicts[N_ACCESS][N_ACCESS] = {
    [PLAIN_WRITE] = { true, true, true, true },
    [PLAIN_READ] = { [PLAIN_WRITE] = true, [ATOMIC_WRITE] = true },
    [ATOMIC_WRITE] = { [PLAIN_WRITE] = true, [PLAIN_READ] = true },
    [ATOMIC_READ] = { [PLAIN_WRITE] = true },
};

static void check_order(const struct cell *c, unsigned me, uint64_t bytes,
                        enum memory_access how)
{
    for (unsigned k = 0; k < N_ACCESS; k++) {
        if (!conflicts[how][k])
            continue;
        for (unsigned u = 0; u < N_SELF; u++)
            if (u != me && c->when[k][u] & bytes && c->when[k][u] >> GRAIN > now[me].at[u])
                explore_fail("%s by thread %u without an order after the %s by thread %u",
                             access_names[how], me, access_names[k], u);
    }
}

/* Some other thread has accessed it in this run. */
static bool is_foreign(struct cell *c, unsigned me)
{
    if (c->run != run) {
        c->run = run;
        c->threads = 0;
    }
    c->threads |= 1u << me;
    return c->threads != 1u << me;
}

static void note(struct cell *c, unsigned me, uint64_t bytes, enum memory_access how)
{
    uint64_t *when = &c->when[how][me];
    uint64_t at = now[me].at[me];

    *when = (*when >> GRAIN == at ? *when : at << GRAIN) | bytes;
}

void memory_access(const void *addr, size_t size, enum memory_access how)
{
    uintptr_t a = (uintptr_t)addr, end = a + size;
    const bool on_stack = a >= (uintptr_t)region + (uintptr_t)N_SELF * ARENA;
    const bool alone = !threads_are_running(); /* before or after everybody */
    unsigned me;

    if (!is_inside(addr)) { /* the case's own variables: it does not race with itself */
        if (how == PLAIN_WRITE && size <= sizeof undo[0].was)
            memory_will_change(addr, size);
        return;
    }
    me = explore_self();
    if (on_stack && threads_is_dead_stack(addr))
        explore_fail("%s of a local variable after its function has returned",
                     access_names[how]);
    for (; a < end; a = (a / GRAIN + 1) * GRAIN) {
        size_t g = (a - (uintptr_t)region) / GRAIN;
        unsigned first = a % GRAIN;
        unsigned last = end - a >= GRAIN - first ? GRAIN : first + (unsigned)(end - a);
        uint64_t bytes = (1u << last) - (1u << first);

        if (!on_stack && !is_alive[g])
            explore_fail("%s of memory that is not allocated, or was freed", access_names[how]);
        if (alone)
            continue;
        if (is_foreign(&cells[g], me))
            check_order(&cells[g], me, bytes, how);
        note(&cells[g], me, bytes, how);
    }
}

static bool is_shared(const struct users *u)
{
    unsigned all = u->readers | u->writers;

    return u->writers && all & (all - 1);
}

bool memory_is_shared(const void *addr, bool writes)
{
    struct users *u = &users[number(addr)];
    bool was = is_shared(u), is;
    uint8_t *who = writes ? &u->writers : &u->readers;

    *who |= (uint8_t)(1u << explore_self());
    is = is_shared(u);
    has_news |= is && !was;
    return is;
}

/* ---- orders ---- */

static void join(struct vector *to, const struct vector *from)
{
    for (unsigned t = 0; t < N_SELF; t++)
        to->at[t] = from->at[t] > to->at[t] ? from->at[t] : to->at[t];
}

void memory_acquire(const void *addr)
{
    struct word *w = &words[number(addr)];

    if (w->run == run)
        join(&now[explore_self()], &w->shows);
}

void memory_release(const void *addr, bool is_rmw)
{
    struct word *w = &words[number(addr)];
    unsigned me = explore_self();

    if (!is_rmw || w->run != run)
        w->shows = now[me];
    else
        join(&w->shows, &now[me]);
    w->run = run;
    now[me].at[me]++;
}

void memory_relaxed_store(const void *addr)
{
    words[number(addr)].run = 0;
}

void memory_comes_before(unsigned t, unsigned u)
{
    join(&now[u], &now[t]);
    now[t].at[t]++;
}

void memory_setup(void)
{
    run = 1;
    everything_so_far_is_over();
}
