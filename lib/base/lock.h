/* SPDX-License-Identifier: MIT */
/*
 * lock.h - a mutex of one word for short sections: an uncontended pair costs one atomic
 * read-modify-write and one store-like exchange. After Drepper, "Futexes are tricky", mutex 3.
 *
 *     FREE --lock--> HELD --a second one waits--> AWAITED --unlock--> FREE, and one is woken
 *
 * No lost wake-up: who sleeps has set AWAITED by an exchange, and the kernel puts it to sleep
 * only if the word is still AWAITED; the unlock takes AWAITED away in one exchange and then
 * wakes. Not recursive. No callback, no allocation and no suspension inside a section.
 */
#ifndef TRI_BASE_LOCK_H
#define TRI_BASE_LOCK_H

#include <stdatomic.h>
#include <stdbool.h>

enum { TRI_LOCK_FREE, TRI_LOCK_HELD, TRI_LOCK_AWAITED };

struct tri_lock {
    atomic_uint word;
};

void tri_lock_wait(struct tri_lock *l);
void tri_lock_wake(struct tri_lock *l);

static inline bool tri_lock_try(struct tri_lock *l)
{
    unsigned free = TRI_LOCK_FREE;

    /* acquire: pairs with the release in tri_lock_release(). */
    return atomic_compare_exchange_strong_explicit(&l->word, &free, TRI_LOCK_HELD,
                                                   memory_order_acquire, memory_order_relaxed);
}

static inline void tri_lock_acquire(struct tri_lock *l)
{
    if (!tri_lock_try(l))
        tri_lock_wait(l);
}

static inline void tri_lock_release(struct tri_lock *l)
{
    /* release: what the section wrote is seen by the next holder. */
    if (atomic_exchange_explicit(&l->word, TRI_LOCK_FREE, memory_order_release) ==
        TRI_LOCK_AWAITED)
        tri_lock_wake(l);
}

#endif /* TRI_BASE_LOCK_H */
