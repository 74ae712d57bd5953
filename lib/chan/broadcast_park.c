/* SPDX-License-Identifier: MIT */
/*
 * broadcast_park.c - receivers that wait. Each has a slot of its own, s->park, and is linked at
 * most once in the stack of its shard, which belongs to one seat (sched/worker.h):
 *
 *     0 --park: wakee|LINKED, pushes--> wakee|LINKED --unpark--> LINKED --park--> wakee|LINKED
 *     anything LINKED  --whoever works the list off-->  0, and wakes the wakee if there was one
 *
 * A wait that is taken back touches its own slot only and stays linked; so nothing grows with
 * the number of waits. A closed subscriber that is linked is freed by whoever works the list
 * off, and that is done at the latest when the closed ones outnumber the others.
 *
 * A send costs one wake for each worker, however many are parked there: the sender takes a
 * shard's stack, wakes one in it, and leaves the rest to that one as its duty. They are all at
 * home on the worker where it will run, and wakes there are plain steps. Whoever took back its
 * wish first is passed over. Shard 0 (threads, movable tasks, seats without a shard of their
 * own) has no such worker: there everybody is woken directly.
 *
 * No wake-up is lost: a receiver sets its slot, pushes if it must, and then looks at tail; a
 * sender moves tail and then looks at the heads (all seq_cst). In the one order of these,
 * either the receiver sees the new tail, or the sender finds the stack with the receiver in it;
 * or some other one has taken it from there, into a list that is still to be worked off: the
 * receiver found LINKED, so the exchange that takes it away comes later, and finds the wakee.
 * One that has a duty is on its way out of a wait, and every way out goes through
 * tri_subscriber_unpark(). Nothing is locked, so nothing is woken or freed under a lock.
 *
 * Memory: whoever has a list in hand owns the records in it until it has set their park to 0; a
 * wakee lives for ever.
 */
#include "config.h"

#include <stdlib.h>

#include "chan/broadcast.h"
#include "sched/worker.h"

enum { N_DEAD_FREE = 64 }; /* closed subscribers that may stay linked, beside one for each
                            * open */

static const uintptr_t bits = TRI_PARK_LINKED | TRI_PARK_DEAD;

static struct tri_wakee *wakee_of(uintptr_t park)
{
    return (struct tri_wakee *)(park & ~bits);
}

/* Takes the first of *@list off it: it is no longer ours. Returns whom to wake, or NULL. */
static struct tri_wakee *work_off(struct tri_broadcast *c, struct tri_subscriber **list,
                                  bool hand_over)
{
    struct tri_subscriber *s = *list;
    uintptr_t park;

    *list = s->next_parked;
    s->duty = hand_over ? *list : NULL;
    /* release: duty, and our touches end here. acquire: the wakee's context, or the end. */
    park = atomic_exchange_explicit(&s->park, 0, memory_order_acq_rel);
    if (park & TRI_PARK_DEAD) {
        free(s);
        /* relaxed: a number that decides when to sweep. */
        atomic_fetch_sub_explicit(&c->n_dead, 1, memory_order_relaxed);
        return NULL;
    }
    return wakee_of(park);
}

static void wake_all(struct tri_broadcast *c, struct tri_subscriber *list)
{
    struct tri_wakee *w;

    while (list) {
        w = work_off(c, &list, false);
        if (w)
            tri_wake(w);
    }
}

/* Wakes one, who will wake the others. */
static void wake_one(struct tri_broadcast *c, struct tri_subscriber *list)
{
    struct tri_wakee *w = NULL;

    while (list && !w)
        w = work_off(c, &list, true);
    if (w)
        tri_wake(w);
}

static __attribute__((noinline)) void wake_shard(struct tri_broadcast *c, unsigned i)
{
    /* acquire: the links; pairs with the release in push(). */
    struct tri_subscriber *list =
        atomic_exchange_explicit(&c->parked[i], NULL, memory_order_acquire);

    if (i == 0)
        wake_all(c, list);
    else
        wake_one(c, list);
}

void tri_broadcast_wake(struct tri_broadcast *c)
{
    for (unsigned i = 0; i < TRI_N_SHARD; i++)
        /* seq_cst: after the store of tail; against push(). */
        if (tri_unlikely(atomic_load_explicit(&c->parked[i], memory_order_seq_cst) != NULL))
            wake_shard(c, i);
}

/* The shard for a wakee that parks on the calling thread. */
static unsigned shard_of(struct tri_broadcast *c, const struct tri_wakee *wakee)
{
    struct tri_worker *w = tri_worker_self();
    uint16_t seat = w ? w->seat : TRI_SEAT_NONE, owner;
    unsigned i;

    if (seat == TRI_SEAT_NONE || tri_wakee_kind(wakee) != TRI_KIND_TASK)
        return 0;
    i = 1 + seat % (TRI_N_SHARD - 1);
    /* relaxed, both: the word alone counts. */
    owner = atomic_load_explicit(&c->seat[i], memory_order_relaxed);
    if (owner == TRI_SEAT_UNKNOWN &&
        atomic_compare_exchange_strong_explicit(&c->seat[i], &owner, seat, memory_order_relaxed,
                                                memory_order_relaxed))
        return i;
    return owner == seat ? i : 0;
}

static void push(struct tri_broadcast *c, struct tri_subscriber *s, unsigned i)
{
    /* relaxed: the CAS confirms it. */
    struct tri_subscriber *first = atomic_load_explicit(&c->parked[i], memory_order_relaxed);

    do
        s->next_parked = first;
    /* release: the link. seq_cst: before the look at tail that follows. */
    while (!atomic_compare_exchange_weak_explicit(&c->parked[i], &first, s, memory_order_seq_cst,
                                                  memory_order_relaxed));
}

/* There is something to take, to lose, or the end. */
static bool is_ready(struct tri_subscriber *s)
{
    /* seq_cst: after park and the push; against the store in publish() and the end. */
    uint64_t t = atomic_load_explicit(&s->chan->tail, memory_order_seq_cst);

    /*
     * The cursor may be ahead of tail: then a sender is about to move it, and to look for us.
     */
    return t >> 1 > tri_cursor(s) || t & tri_broadcast_ended;
}

bool tri_subscriber_park(struct tri_subscriber *s, struct tri_wakee *wakee)
{
    uintptr_t before;

    if (s->is_enrolled) /* by another arm of the same select: the same wakee */
        return !is_ready(s);
    s->is_enrolled = true;
    /*
     * release: our context, for the one who wakes. acquire: the last one has let go of the
     * link. seq_cst: before the look at tail.
     */
    before = atomic_exchange_explicit(&s->park, (uintptr_t)wakee | TRI_PARK_LINKED,
                                      memory_order_seq_cst);
    if (!(before & TRI_PARK_LINKED))
        push(s->chan, s, shard_of(s->chan, wakee));
    if (!is_ready(s))
        return true;
    tri_subscriber_unpark(s);
    return false;
}

void tri_subscriber_unpark(struct tri_subscriber *s)
{
    struct tri_subscriber *list;

    if (!s->is_enrolled)
        return;
    s->is_enrolled = false;
    /* acquire: the duty; pairs with work_off(). */
    if (atomic_fetch_and_explicit(&s->park, TRI_PARK_LINKED, memory_order_acquire) != 0)
        return;
    list = s->duty;
    s->duty = NULL;
    wake_all(s->chan, list);
}

void tri_subscriber_bury(struct tri_subscriber *s, size_t n_rx)
{
    struct tri_broadcast *c = s->chan;
    unsigned n_dead;

    /* relaxed: a number that decides when to sweep; before the one who frees takes it away. */
    n_dead = 1 + atomic_fetch_add_explicit(&c->n_dead, 1, memory_order_relaxed);
    /* release: our accesses end here. acquire: those of the one who unlinked it did. */
    if (!(atomic_exchange_explicit(&s->park, TRI_PARK_DEAD | TRI_PARK_LINKED,
                                   memory_order_acq_rel) &
          TRI_PARK_LINKED)) {
        atomic_fetch_sub_explicit(&c->n_dead, 1, memory_order_relaxed);
        free(s);
    } else if (n_dead > N_DEAD_FREE + n_rx) {
        /* Wakes the living for nothing, rarely. acquire: as in wake_shard(). */
        for (unsigned i = 0; i < TRI_N_SHARD; i++)
            wake_all(c, atomic_exchange_explicit(&c->parked[i], NULL, memory_order_acquire));
    }
}

void tri_broadcast_free_dead(struct tri_broadcast *c)
{
    for (unsigned i = 0; i < TRI_N_SHARD; i++)
        /* relaxed: nobody else is left. */
        wake_all(c, atomic_load_explicit(&c->parked[i], memory_order_relaxed));
}
