/* SPDX-License-Identifier: MIT */
/*
 * waitq.h - waiters in line, first come, first served; and a batch of those to wake once the
 * lock is released. A ring of waiters: first->prev is the last. O(1) everywhere.
 *
 * Everything is done under the lock of the source; only tri_waitq_is_empty() is for anybody.
 * A waiter's links are its own again once it was removed; next is NULL while it is not in line.
 */
#ifndef TRI_SCHED_WAITQ_H
#define TRI_SCHED_WAITQ_H

#include "base/lock.h"
#include "sched/wait.h"

enum { TRI_WAKES_MAX = 32 };

struct tri_waitq {
    _Atomic(struct tri_waiter *) first;
};

/* Whom to wake. */
struct tri_wakes {
    unsigned n;
    struct tri_wakee *wakee[TRI_WAKES_MAX];
};

static inline bool tri_waitq_is_empty(struct tri_waitq *q)
{
    /* seq_cst: against the store in tri_waitq_append(); see the callers for the pair. */
    return !atomic_load_explicit(&q->first, memory_order_seq_cst);
}

static inline struct tri_waiter *tri_waitq_first(struct tri_waitq *q)
{
    /* relaxed: the lock orders it. */
    return atomic_load_explicit(&q->first, memory_order_relaxed);
}

static inline bool tri_waitq_has(const struct tri_waiter *w)
{
    return w->next != NULL;
}

static inline void tri_waitq_append(struct tri_waitq *q, struct tri_waiter *w)
{
    struct tri_waiter *first = tri_waitq_first(q);

    if (first) {
        w->next = first;
        w->prev = first->prev;
        w->prev->next = w;
        first->prev = w;
        return;
    }
    w->next = w->prev = w;
    /* seq_cst: before a look at the source that follows; against tri_waitq_is_empty(). */
    atomic_store_explicit(&q->first, w, memory_order_seq_cst);
}

/* Takes @w out; if it was the first, the next one is, stored in @order. */
static inline void tri_waitq_unlink(struct tri_waitq *q, struct tri_waiter *w, memory_order order)
{
    struct tri_waiter *next = w->next != w ? w->next : NULL;

    w->prev->next = w->next;
    w->next->prev = w->prev;
    if (tri_waitq_first(q) == w)
        atomic_store_explicit(&q->first, next, order);
    w->next = NULL;
}

static inline void tri_waitq_remove(struct tri_waitq *q, struct tri_waiter *w)
{
    /* seq_cst: as in tri_waitq_append(), for the one who is first now. */
    tri_waitq_unlink(q, w, memory_order_seq_cst);
}

/* Takes the first one out; NULL: there is none. */
static inline struct tri_waiter *tri_waitq_take(struct tri_waitq *q)
{
    struct tri_waiter *w = tri_waitq_first(q);

    if (w)
        tri_waitq_remove(q, w);
    return w;
}

/* No initialiser: it would clear the whole array. */
static inline void tri_wakes_init(struct tri_wakes *b)
{
    b->n = 0;
}

static inline bool tri_wakes_are_full(const struct tri_wakes *b)
{
    return b->n == TRI_WAKES_MAX;
}

static inline void tri_wakes_add(struct tri_wakes *b, struct tri_wakee *w)
{
    b->wakee[b->n++] = w;
}

/*
 * @w has what it waited for, or may look again: the last touch of its memory. It is woken
 * later.
 */
static inline void tri_wakes_let_go(struct tri_wakes *b, struct tri_waiter *w)
{
    tri_wakes_add(b, w->wakee);
    /* release: what was done for it; pairs with the acquire of its owner's look at done. */
    atomic_store_explicit(&w->done, true, memory_order_release);
}

/* Not under a lock. */
static inline void tri_wakes_run(struct tri_wakes *b)
{
    for (unsigned i = 0; i < b->n; i++)
        tri_wake(b->wakee[i]);
    b->n = 0;
}

/* Makes room: wakes, if @b is full, without @lock, which the caller holds before and after. */
static inline void tri_wakes_make_room(struct tri_wakes *b, struct tri_lock *lock)
{
    if (!tri_wakes_are_full(b))
        return;
    tri_lock_release(lock);
    tri_wakes_run(b);
    tri_lock_acquire(lock);
}

/*
 * Lets all go who are in @q now, *@n of them: who joins meanwhile has seen what they are told.
 * The caller holds @lock, which is released.
 */
static inline void tri_waitq_release_all(struct tri_waitq *q, unsigned *n, struct tri_lock *lock)
{
    struct tri_wakes wakes;
    struct tri_waiter *w;

    tri_wakes_init(&wakes);
    for (unsigned k = *n; k > 0 && (w = tri_waitq_take(q)); k--) {
        --*n;
        tri_wakes_let_go(&wakes, w);
        tri_wakes_make_room(&wakes, lock);
    }
    tri_lock_release(lock);
    tri_wakes_run(&wakes);
}

#endif /* TRI_SCHED_WAITQ_H */
