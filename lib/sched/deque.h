/* SPDX-License-Identifier: MIT */
/*
 * deque.h - the stealable queue of a worker: its owner pushes and takes at the bottom, thieves
 * (and the owner, when it wants the oldest) steal at the top.
 *
 *     top -> [oldest] [ ... ] [newest] <- bottom
 *
 *              push        take         steal
 *     push     the owner   the owner    any
 *     take                 the owner    any
 *     steal                             any number
 *
 * steal_many goes with push and steal, and excludes take: see there.
 *
 * D. Chase, Y. Lev, "Dynamic circular work-stealing deque", 2005, with the orders of N. M. Le
 * et al., "Correct and efficient work-stealing for weak memory models", 2013. push and take are
 * wait-free but for growth, steal is lock-free. A full array is replaced by one of twice its
 * size; thieves may still be reading the old ones, so these are kept until the deque ends: they
 * add up to less than the array in use.
 */
#ifndef TRI_SCHED_DEQUE_H
#define TRI_SCHED_DEQUE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tri_actor;

struct tri_deque_array {
    struct tri_deque_array *smaller; /* the one before, kept for thieves */
    size_t mask;
    struct tri_actor *_Atomic slot[];
};

struct tri_deque {
    atomic_llong top;    /* any thread, by compare-and-swap; only grows */
    _Alignas(64) atomic_llong bottom; /* the owner */
    struct tri_deque_array *_Atomic array; /* the owner */
};

int tri_deque_init(struct tri_deque *d);
void tri_deque_fini(struct tri_deque *d);

/* Makes room for one more. Returns 0 or -ENOMEM, then the deque is as it was. Owner only. */
int tri_deque_grow(struct tri_deque *d);

/* True if a push would find the array full. Owner only. */
static inline bool tri_deque_is_full(struct tri_deque *d)
{
    /* relaxed: bottom and array are ours; an old top only makes the deque look longer. */
    long long b = atomic_load_explicit(&d->bottom, memory_order_relaxed);
    long long t = atomic_load_explicit(&d->top, memory_order_relaxed);

    return b - t > (long long)atomic_load_explicit(&d->array, memory_order_relaxed)->mask;
}

/* Pushes at the bottom; the deque is not full. Owner only. */
static inline void tri_deque_push(struct tri_deque *d, struct tri_actor *a)
{
    long long b = atomic_load_explicit(&d->bottom, memory_order_relaxed); /* ours */
    struct tri_deque_array *array = atomic_load_explicit(&d->array, memory_order_relaxed);

    /* relaxed: published by the store of bottom. */
    atomic_store_explicit(&array->slot[(size_t)b & array->mask], a, memory_order_relaxed);
    /*
     * release: the slot and the actor; pairs with the acquire of bottom in tri_deque_steal().
     */
    atomic_store_explicit(&d->bottom, b + 1, memory_order_release);
}

/* How many there are: exact for the owner when nobody steals, else a hint. */
static inline size_t tri_deque_len(struct tri_deque *d)
{
    long long b = atomic_load_explicit(&d->bottom, memory_order_relaxed);
    long long t = atomic_load_explicit(&d->top, memory_order_relaxed);

    return b > t ? (size_t)(b - t) : 0;
}

/* The newest, or NULL. Owner only. */
struct tri_actor *tri_deque_take(struct tri_deque *d);

/* The oldest, or NULL: empty, or another thief was quicker. Anybody. */
struct tri_actor *tri_deque_steal(struct tri_deque *d);

/*
 * The oldest, up to @n of them, to @ret; returns how many. Anybody, but only from a deque whose
 * owner never takes, and steals himself: a take moves the bottom past several at once unseen.
 */
size_t tri_deque_steal_many(struct tri_deque *d, struct tri_actor **ret, size_t n);

#endif /* TRI_SCHED_DEQUE_H */
