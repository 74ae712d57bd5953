/* SPDX-License-Identifier: MIT */
/*
 * wheel.h - many timers, ordered only as far as needed: insert and remove in O(1).
 *
 *     level 7   64 buckets of 2^42 ticks          (a tick is 2^15 ns, about 33 µs)
 *       ...
 *     level 1   64 buckets of 64 ticks
 *     level 0   64 buckets of one tick            [.......#..#....]
 *                                                         ^ tick, the cursor
 *
 * The bucket of a timer is a function of its tick and the cursor: the level is that of the
 * highest 6-bit digit in which the two differ, the slot is the timer's digit there. A tick
 * before the cursor counts as the cursor's own. From this follow:
 *   - every timer of a level is due before every timer of the next, and the slots of a level
 *     are used from the cursor's digit upwards: two bit scans find the first bucket;
 *   - timers of one tick are always in one bucket, and leave it in the order of insertion.
 * When the cursor enters a bucket above level 0, its timers move down (tri_wheel_expire).
 *
 * A bucket and its min are valid only while its bit in map[] is set; min is a lower bound of
 * the deadlines in it, exact until the earliest of them is removed.
 *
 * One owner, no locks. A timer lives in its user's memory and must stay there while armed.
 */
#ifndef TRI_BASE_WHEEL_H
#define TRI_BASE_WHEEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <troupe/time.h>

#include "base/list.h"

enum {
    TRI_WHEEL_TICK_SHIFT = 15,
    TRI_WHEEL_DIGIT_BITS = 6,
    TRI_WHEEL_SLOTS = 1 << TRI_WHEEL_DIGIT_BITS,
    TRI_WHEEL_LEVELS = 8, /* 8 * 6 + 15 bits: every positive tr_time */
    TRI_WHEEL_BUCKETS = TRI_WHEEL_LEVELS * TRI_WHEEL_SLOTS,
    TRI_WHEEL_EXPIRED = TRI_WHEEL_BUCKETS, /* the bucket of a timer that has expired */
};

#define TRI_WHEEL_TICK ((tr_time)1 << TRI_WHEEL_TICK_SHIFT)

/* Zeroed: not armed. */
struct tri_timer {
    struct tri_list links;
    tr_time deadline;
    uint16_t bucket; /* valid while armed */
    uint8_t owner;   /* the user's own mark; zero at first */
};
_Static_assert(sizeof(struct tri_timer) <= 32, "a task or a socket may hold several");

struct tri_wheel_bucket {
    struct tri_list timers;
    tr_time min;
};

struct tri_wheel {
    uint64_t tick;                  /* the cursor: all earlier ticks have expired */
    size_t n_timers;                /* armed and not yet expired */
    uint64_t levels;                /* bit l: map[l] is not 0 */
    uint64_t map[TRI_WHEEL_LEVELS]; /* bit s of map[l]: bucket l * 64 + s is not empty */
    struct tri_wheel_bucket bucket[TRI_WHEEL_BUCKETS];
};

/* Makes an empty wheel whose time is @now. Nothing to free. */
void tri_wheel_init(struct tri_wheel *w, tr_time now);

/*
 * Moves every timer with a deadline <= @now, and no other, to the end of @expired: by ticks,
 * and within a tick by insertion; a deadline already past when it was inserted counts as of the
 * tick of that moment. Returns how many. A @now before an earlier one is allowed: the cursor
 * stands.
 *
 * A timer in @expired still counts as armed, and tri_wheel_remove takes it out, so that
 * whatever one expired timer sets off may remove the others. tri_wheel_pop takes the first.
 */
unsigned tri_wheel_expire(struct tri_wheel *w, tr_time now, struct tri_list *expired);

/* Takes the first timer out of a list that tri_wheel_expire filled; it is unarmed. Or NULL. */
static inline struct tri_timer *tri_wheel_pop(struct tri_list *expired)
{
    struct tri_list *node = tri_list_pop(expired);

    return node ? tri_list_entry(node, struct tri_timer, links) : NULL;
}

/* Aborts unless all that the top of this file says holds. O(n). */
void tri_wheel_check(const struct tri_wheel *w);

static inline bool tri_timer_is_armed(const struct tri_timer *t)
{
    return tri_list_is_linked(&t->links);
}

static inline uint64_t tri_wheel_tick_of(tr_time instant)
{
    return instant < 0 ? 0 : (uint64_t)instant >> TRI_WHEEL_TICK_SHIFT;
}

/* The number of the bucket where a timer with @tick belongs now. */
static inline unsigned tri_wheel_bucket_of(const struct tri_wheel *w, uint64_t tick)
{
    uint64_t t = tick > w->tick ? tick : w->tick;
    unsigned level = (unsigned)(63 - __builtin_clzll((t ^ w->tick) | 1)) / TRI_WHEEL_DIGIT_BITS;
    unsigned slot = (unsigned)(t >> (level * TRI_WHEEL_DIGIT_BITS)) % TRI_WHEEL_SLOTS;

    return level * TRI_WHEEL_SLOTS + slot;
}

/* Puts @t, whose deadline is set, into its bucket. The caller counts it. */
static inline void tri_wheel_place(struct tri_wheel *w, struct tri_timer *t)
{
    unsigned n = tri_wheel_bucket_of(w, tri_wheel_tick_of(t->deadline));
    unsigned level = n / TRI_WHEEL_SLOTS;
    uint64_t bit = (uint64_t)1 << (n % TRI_WHEEL_SLOTS);
    struct tri_wheel_bucket *b = &w->bucket[n];

    if (!(w->map[level] & bit)) {
        w->map[level] |= bit;
        w->levels |= (uint64_t)1 << level;
        tri_list_init(&b->timers);
        b->min = t->deadline;
    } else if (t->deadline < b->min) {
        b->min = t->deadline;
    }
    t->bucket = (uint16_t)n;
    tri_list_add_tail(&b->timers, &t->links);
}

/* Marks bucket @n as empty. */
static inline void tri_wheel_clear(struct tri_wheel *w, unsigned n)
{
    unsigned level = n / TRI_WHEEL_SLOTS;

    w->map[level] &= ~((uint64_t)1 << (n % TRI_WHEEL_SLOTS));
    if (!w->map[level])
        w->levels &= ~((uint64_t)1 << level);
}

/* Arms @t, which is not armed. @deadline: any instant, also past, without the drain bit. */
static inline void tri_wheel_insert(struct tri_wheel *w, struct tri_timer *t, tr_time deadline)
{
    t->deadline = deadline;
    w->n_timers++;
    tri_wheel_place(w, t);
}

/* Disarms @t, also when it has expired and is in a list of expired ones. Unarmed: nothing. */
static inline void tri_wheel_remove(struct tri_wheel *w, struct tri_timer *t)
{
    if (!tri_timer_is_armed(t))
        return;
    tri_list_del(&t->links);
    if (t->bucket == TRI_WHEEL_EXPIRED)
        return;
    w->n_timers--;
    if (tri_list_is_empty(&w->bucket[t->bucket].timers))
        tri_wheel_clear(w, t->bucket);
}

/* The number of the first bucket that is not empty. The wheel is not empty. */
static inline unsigned tri_wheel_first(const struct tri_wheel *w)
{
    unsigned level = (unsigned)__builtin_ctzll(w->levels);

    return level * TRI_WHEEL_SLOTS + (unsigned)__builtin_ctzll(w->map[level]);
}

/*
 * No timer is due before the returned instant: the deadline of the first timer, or an earlier
 * one in the same bucket if that was removed. TR_NEVER: no timer. To sleep until then, expire,
 * and ask again is never late.
 */
static inline tr_time tri_wheel_next(const struct tri_wheel *w)
{
    return w->n_timers ? w->bucket[tri_wheel_first(w)].min : TR_NEVER;
}

#endif /* TRI_BASE_WHEEL_H */
