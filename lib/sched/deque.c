/* SPDX-License-Identifier: MIT */
/* deque.c - see deque.h. */
#include "config.h"

#include <errno.h>
#include <stdlib.h>

#include "mem/alloc.h"
#include "sched/deque.h"

enum { FIRST_SIZE = 64 };

static struct tri_deque_array *array_new(size_t size)
{
    struct tri_deque_array *array =
        tri_mem_alloc(sizeof *array + size * sizeof(struct tri_actor *));

    if (array)
        array->mask = size - 1;
    return array;
}

int tri_deque_init(struct tri_deque *d)
{
    struct tri_deque_array *array = array_new(FIRST_SIZE);

    if (!array)
        return -ENOMEM;
    atomic_init(&d->top, 0);
    atomic_init(&d->bottom, 0);
    atomic_init(&d->array, array);
    return 0;
}

void tri_deque_fini(struct tri_deque *d)
{
    /* relaxed: nobody else uses the deque any more. */
    struct tri_deque_array *array = atomic_load_explicit(&d->array, memory_order_relaxed);
    struct tri_deque_array *smaller;

    for (; array; array = smaller) {
        smaller = array->smaller;
        free(array);
    }
    atomic_store_explicit(&d->array, NULL, memory_order_relaxed);
}

int tri_deque_grow(struct tri_deque *d)
{
    /* relaxed: all ours, but for top, of which an old value copies too much. */
    struct tri_deque_array *old = atomic_load_explicit(&d->array, memory_order_relaxed);
    struct tri_deque_array *array = array_new((old->mask + 1) * 2);
    long long b = atomic_load_explicit(&d->bottom, memory_order_relaxed);
    long long t = atomic_load_explicit(&d->top, memory_order_relaxed);

    if (!array)
        return -ENOMEM;
    for (long long i = t; i < b; i++) {
        struct tri_actor *a =
            atomic_load_explicit(&old->slot[(size_t)i & old->mask], memory_order_relaxed);

        atomic_store_explicit(&array->slot[(size_t)i & array->mask], a, memory_order_relaxed);
    }
    array->smaller = old;
    /* release: the copied slots; pairs with the acquire in tri_deque_steal(). */
    atomic_store_explicit(&d->array, array, memory_order_release);
    return 0;
}

struct tri_actor *tri_deque_take(struct tri_deque *d)
{
    long long b = atomic_load_explicit(&d->bottom, memory_order_relaxed); /* ours */
    /* relaxed: an old top can only be too small. */
    long long t = atomic_load_explicit(&d->top, memory_order_relaxed);
    struct tri_deque_array *array;
    struct tri_actor *a;

    if (t >= b)
        return NULL; /* empty without a doubt: top only grows, bottom is ours */
    b--;
    array = atomic_load_explicit(&d->array, memory_order_relaxed); /* ours */
    /* seq_cst, both: the store of bottom must precede the load of top, as in steal the load of
     * top precedes that of bottom; else owner and thief could both take the last one. */
    atomic_store_explicit(&d->bottom, b, memory_order_seq_cst);
    t = atomic_load_explicit(&d->top, memory_order_seq_cst);
    if (t > b) { /* empty after all: a thief was quicker */
        atomic_store_explicit(&d->bottom, b + 1, memory_order_relaxed);
        return NULL;
    }
    a = atomic_load_explicit(&array->slot[(size_t)b & array->mask], memory_order_relaxed);
    if (t == b) {
        /* seq_cst: the last one goes to whose step on top succeeds; pairs with those of the
         * thieves, and is in one order with the looks above. */
        if (!atomic_compare_exchange_strong_explicit(&d->top, &t, t + 1, memory_order_seq_cst,
                                                     memory_order_seq_cst))
            a = NULL;
        atomic_store_explicit(&d->bottom, b + 1, memory_order_relaxed);
    }
    return a;
}

struct tri_actor *tri_deque_steal(struct tri_deque *d)
{
    /* seq_cst, both: see tri_deque_take(). The load of bottom also acquires the pushed slot. */
    long long t = atomic_load_explicit(&d->top, memory_order_seq_cst);
    long long b = atomic_load_explicit(&d->bottom, memory_order_seq_cst);
    struct tri_deque_array *array;
    struct tri_actor *a;

    if (t >= b)
        return NULL;
    /* acquire: the slots of a grown array. */
    array = atomic_load_explicit(&d->array, memory_order_acquire);
    /* relaxed: the slot may be stale if top has moved; then the step below fails. seq_cst, that
     * one: as the owner's for the last one; pairs with tri_deque_take(). */
    a = atomic_load_explicit(&array->slot[(size_t)t & array->mask], memory_order_relaxed);
    if (!atomic_compare_exchange_strong_explicit(&d->top, &t, t + 1, memory_order_seq_cst,
                                                 memory_order_seq_cst))
        return NULL;
    return a;
}

size_t tri_deque_steal_many(struct tri_deque *d, struct tri_actor **ret, size_t n)
{
    struct tri_deque_array *array;
    /* acquire, all: as in tri_deque_steal(); nobody takes, so top alone decides, and without a
     * take there is no store of bottom whose order against top would matter. */
    long long t = atomic_load_explicit(&d->top, memory_order_acquire), b;

    do {
        b = atomic_load_explicit(&d->bottom, memory_order_acquire);
        if (t >= b)
            return 0;
        n = (size_t)(b - t) < n ? (size_t)(b - t) : n;
        array = atomic_load_explicit(&d->array, memory_order_acquire);
        /* relaxed: the slots may be stale if top has moved; then the step below fails. seq_cst,
         * that one: as in tri_deque_steal(). */
        for (size_t i = 0; i < n; i++)
            ret[i] = atomic_load_explicit(&array->slot[((size_t)t + i) & array->mask],
                                          memory_order_relaxed);
    } while (!atomic_compare_exchange_weak_explicit(
        &d->top, &t, t + (long long)n, memory_order_seq_cst, memory_order_seq_cst));
    return n;
}
