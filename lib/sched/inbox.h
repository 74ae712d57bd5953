/* SPDX-License-Identifier: MIT */
/*
 * inbox.h - what other threads want a worker to run: a stack of actors that anybody pushes to
 * and the worker empties at once. The same word says whether the worker sleeps.
 *
 *     EMPTY  --worker goes to sleep-->  ASLEEP
 *     EMPTY | ASLEEP | list  --push-->  list         who replaced ASLEEP wakes the worker
 *     EMPTY | ASLEEP | list  --take-->  EMPTY        the worker only
 *     list  --raid-->  EMPTY                         another worker, if this one is stuck
 *     ASLEEP  --rouse-->  EMPTY                      who did it wakes the worker
 *
 * No wake-up is lost: sleeping and pushing are atomic steps on one word. Either the worker
 * finds the word changed and does not sleep, or the pusher finds ASLEEP and wakes it.
 *
 *             push        take         sleep        rouse, raid
 *     push    any number  any          any          any
 *     take                one thread   same thread  any
 *
 * A pushed actor is READY and in no other queue, so its link is the pusher's until the worker
 * takes it. There is no ABA trouble: take removes everything and never looks at a link before.
 * push is lock-free, the others wait-free. (R. K. Treiber, "Coping with parallelism", 1986.)
 */
#ifndef TRI_SCHED_INBOX_H
#define TRI_SCHED_INBOX_H

#include "sched/actor.h"

struct tri_inbox {
    struct tri_actor *_Atomic top;
};

#define TRI_INBOX_EMPTY  ((struct tri_actor *)0)
#define TRI_INBOX_ASLEEP ((struct tri_actor *)1)

/*
 * Pushes the actors from @first to @last, in that order; each but @first links to the one
 * before.
 * Returns true if the worker slept: the caller wakes it.
 */
static inline bool tri_inbox_push_chain(struct tri_inbox *b, struct tri_actor *first,
                                        struct tri_actor *last)
{
    /* relaxed: the exchange below decides. */
    struct tri_actor *top = atomic_load_explicit(&b->top, memory_order_relaxed);

    do {
        first->link = top == TRI_INBOX_ASLEEP ? NULL : top;
        /* release: the links and what the actors were given; pairs with tri_inbox_take(). */
    } while (!atomic_compare_exchange_weak_explicit(&b->top, &top, last, memory_order_release,
                                                    memory_order_relaxed));
    return top == TRI_INBOX_ASLEEP;
}

/* The same for one. */
static inline bool tri_inbox_push(struct tri_inbox *b, struct tri_actor *a)
{
    return tri_inbox_push_chain(b, a, a);
}

static inline bool tri_inbox_is_idle(struct tri_inbox *b)
{
    /* relaxed: a hint; take and sleep decide. */
    struct tri_actor *top = atomic_load_explicit(&b->top, memory_order_relaxed);

    return top == TRI_INBOX_EMPTY || top == TRI_INBOX_ASLEEP;
}

/* The chain that ends in @last, the first pushed first. */
static inline struct tri_actor *tri_inbox_in_order(struct tri_actor *last)
{
    struct tri_actor *first = NULL, *before;

    for (; last; last = before) {
        before = last->link;
        last->link = first;
        first = last;
    }
    return first;
}

/* Takes everything, the first pushed first. Also ends sleep. Worker only. */
static inline struct tri_actor *tri_inbox_take(struct tri_inbox *b)
{
    /* acquire: the links and the actors; pairs with tri_inbox_push(). seq_cst: also a store that
     * must precede the look at rt->unwatched after a sleep (idle.c); pairs with all_sleep(). */
    struct tri_actor *a =
        atomic_exchange_explicit(&b->top, TRI_INBOX_EMPTY, memory_order_seq_cst);

    return a == TRI_INBOX_ASLEEP ? NULL : tri_inbox_in_order(a);
}

/* The same for anybody, if there is something; never ends a sleep. */
static inline struct tri_actor *tri_inbox_raid(struct tri_inbox *b)
{
    /* relaxed: the exchange below decides. */
    struct tri_actor *top = atomic_load_explicit(&b->top, memory_order_relaxed);

    while (top != TRI_INBOX_EMPTY && top != TRI_INBOX_ASLEEP)
        /* acquire: as in take. */
        if (atomic_compare_exchange_weak_explicit(&b->top, &top, TRI_INBOX_EMPTY,
                                                  memory_order_acquire, memory_order_relaxed))
            return tri_inbox_in_order(top);
    return NULL;
}

/* Marks the worker as asleep; false: something is there. Worker only. */
static inline bool tri_inbox_sleep(struct tri_inbox *b)
{
    struct tri_actor *top = TRI_INBOX_EMPTY;

    /* seq_cst: also a store that must precede the worker's look at rt->watching; pairs with
     * tri_inbox_rouse(). */
    return atomic_compare_exchange_strong_explicit(&b->top, &top, TRI_INBOX_ASLEEP,
                                                   memory_order_seq_cst, memory_order_seq_cst);
}

/* True: it slept, and the caller is the one who wakes it. */
static inline bool tri_inbox_rouse(struct tri_inbox *b)
{
    struct tri_actor *top = TRI_INBOX_ASLEEP;

    /* Carries no data. seq_cst: after the store of rt->watching in tri_idle_watch(); pairs with
     * tri_inbox_sleep() and the look at rt->watching after it (idle.c). */
    return atomic_compare_exchange_strong_explicit(&b->top, &top, TRI_INBOX_EMPTY,
                                                   memory_order_seq_cst, memory_order_seq_cst);
}

#endif /* TRI_SCHED_INBOX_H */
