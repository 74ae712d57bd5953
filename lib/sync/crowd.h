/* SPDX-License-Identifier: MIT */
/*
 * crowd.h - a word that is changed in one atomic step while nobody waits, and a line of those
 * who wait. It is what a semaphore, a mutex, a notify and a barrier have inside.
 *
 *     word = count << 2 | FLAG | WAITING       count and FLAG: what the primitive makes of them
 *
 * WAITING is set exactly while the line is not empty, or while the lock is held. It is set and
 * cleared under the lock. Who finds it set changes the word under the lock, too.
 *
 * No wake-up is lost: whoever would wait sets WAITING in one atomic step with its last look at
 * the word (tri_crowd_join). So a change of the word either came before and is seen by that
 * look, or comes after, finds WAITING, and goes to the lock, behind which it finds the waiter.
 *
 * Memory: the object is its user's. A call that found WAITING touches it under the lock only,
 * and a waiter takes the lock before it leaves: so when
 * the one to whom a mutex was handed returns, the one who handed it on is done with the object.
 * After the lock was released only wakees are touched, which live for ever, and the lock's
 * address is given to the kernel.
 */
#ifndef TRI_SYNC_CROWD_H
#define TRI_SYNC_CROWD_H

#include <errno.h>

#include "base/lock.h"
#include "sched/waitq.h"

enum { TRI_CROWD_WAITING = 1u << 0, TRI_CROWD_FLAG = 1u << 1, TRI_CROWD_SHIFT = 2 };

#define TRI_CROWD_ONE ((uint64_t)1 << TRI_CROWD_SHIFT)

struct tri_crowd {
    _Atomic uint64_t word;
    struct tri_waitq line;
    /* Protects line and WAITING. Nothing is taken and nobody is woken inside it. */
    struct tri_lock lock;
    uint32_t n; /* the primitive's own */
};
_Static_assert(sizeof(struct tri_crowd) == sizeof(struct tri_sync),
               "the public one is as large");
_Static_assert(_Alignof(struct tri_crowd) == _Alignof(struct tri_sync), "and as aligned");

/* The library knows the public struct by this type only: no two types alias. */
static inline struct tri_crowd *tri_crowd_of(struct tri_sync *s)
{
    return (struct tri_crowd *)(void *)s;
}

static inline void tri_crowd_init(struct tri_crowd *c, uint64_t count, uint32_t n)
{
    atomic_init(&c->word, count << TRI_CROWD_SHIFT);
    atomic_init(&c->line.first, NULL);
    atomic_init(&c->lock.word, TRI_LOCK_FREE);
    c->n = n;
}

static inline uint64_t tri_crowd_look(const struct tri_sync *s)
{
    const struct tri_crowd *c = (const struct tri_crowd *)(const void *)s;

    /* acquire: what was done before the step that the caller sees here. */
    return atomic_load_explicit(&c->word, memory_order_acquire);
}

/* ---- under the lock ---- */

/* As it is now. While WAITING is set only the holder of the lock changes it. */
static inline uint64_t tri_crowd_word(struct tri_crowd *c)
{
    /* acquire: what those did who changed it without the lock. */
    return atomic_load_explicit(&c->word, memory_order_acquire);
}

/*
 * @w joins the line, unless @may_go says that with the word as it is it need not wait.
 * Returns false then.
 */
static inline bool tri_crowd_join(struct tri_crowd *c, struct tri_waiter *w,
                                  bool (*may_go)(struct tri_crowd *c,
                                                 const struct tri_waiter *w, uint64_t word))
{
    uint64_t word = tri_crowd_word(c);

    do
        if (may_go(c, w, word))
            return false;
    /* acquire, both: the word that may_go() sees next, or the callers look at after. */
    while (!atomic_compare_exchange_weak_explicit(&c->word, &word, word | TRI_CROWD_WAITING,
                                                  memory_order_acquire, memory_order_acquire));
    /* relaxed: the lock publishes it. */
    atomic_store_explicit(&w->done, false, memory_order_relaxed);
    tri_waitq_append(&c->line, w);
    return true;
}

/* Takes @w out of the line; the way without the lock is open again when it was the last. */
static inline void tri_crowd_remove(struct tri_crowd *c, struct tri_waiter *w)
{
    tri_waitq_remove(&c->line, w);
    if (!tri_waitq_first(&c->line))
        /* relaxed: what others need to see was published when it was done. */
        atomic_fetch_and_explicit(&c->word, ~(uint64_t)TRI_CROWD_WAITING, memory_order_relaxed);
}

/* @w may go on, and is woken with @wakes. */
static inline void tri_crowd_let_go(struct tri_waiter *w, struct tri_wakes *wakes)
{
    tri_wakes_add(wakes, w->wakee);
    /* relaxed: it takes the lock next. */
    atomic_store_explicit(&w->done, true, memory_order_relaxed);
}

/* It has been told already, or is told now. For one that selects: it stays in line. */
static inline void tri_crowd_hint(struct tri_waiter *w, struct tri_wakes *wakes)
{
    /* relaxed: under the lock. */
    if (!atomic_load_explicit(&w->done, memory_order_relaxed))
        tri_crowd_let_go(w, wakes);
}

/* The last hint was for nothing: asks for another. */
static inline void tri_crowd_ask_again(struct tri_waiter *w)
{
    /* relaxed: under the lock. */
    atomic_store_explicit(&w->done, false, memory_order_relaxed);
}

/*
 * Releases the lock and wakes. @some serves the line until it is done or @wakes is full, and
 * says in the second case that there may be more; NULL: nothing to serve.
 */
static inline void tri_crowd_release(struct tri_crowd *c, struct tri_wakes *wakes,
                                     bool (*some)(struct tri_crowd *c, struct tri_wakes *wakes))
{
    bool more;

    do {
        more = some && some(c, wakes);
        tri_lock_release(&c->lock);
        tri_wakes_run(wakes);
        if (more)
            tri_lock_acquire(&c->lock);
    } while (more);
}

/* ---- for those whose waiters all wait for the next step of the count ---- */

static inline uintptr_t tri_crowd_count(struct tri_crowd *c)
{
    return (uintptr_t)(tri_crowd_word(c) >> TRI_CROWD_SHIFT);
}

/* Under the lock, which is all that the order of it needs. */
static inline void tri_crowd_step(struct tri_crowd *c)
{
    atomic_fetch_add_explicit(&c->word, TRI_CROWD_ONE, memory_order_relaxed);
}

/*
 * For tri_crowd_release(): lets those go who joined, with number as it was, before the last
 * step.
 */
static inline bool tri_crowd_sweep(struct tri_crowd *c, struct tri_wakes *wakes)
{
    struct tri_waiter *w;

    while ((w = tri_waitq_first(&c->line)) && w->number != tri_crowd_count(c)) {
        if (tri_wakes_are_full(wakes))
            return true;
        tri_crowd_remove(c, w);
        tri_crowd_let_go(w, wakes);
    }
    return false;
}

/* ---- for the tables of the arms ---- */

/* The waiter of an arm that is in line for a select; set by enroll, NULL again by withdraw. */
static inline struct tri_waiter *tri_crowd_waiter(const tr_arm *arm)
{
    return (struct tri_waiter *)arm->extra[0];
}

static inline bool tri_crowd_keeps_place(const tr_arm *arm, const struct tri_waiter *w)
{
    (void)arm;
    /* relaxed: a hint to take the lock and look. */
    return !atomic_load_explicit(&w->done, memory_order_relaxed);
}

static inline bool tri_crowd_result(tr_arm *arm, int r)
{
    arm->result = r;
    return r != -EAGAIN;
}

#endif /* TRI_SYNC_CROWD_H */
