/* SPDX-License-Identifier: MIT */
/*
 * wheel.c - how the cursor moves. It goes from bucket to bucket, each time to the first that is
 * not empty and starts at or before the instant given: on level 0 its timers expire, above they
 * move down. Ticks without a timer cost nothing, so a clock that jumps by a year is no loop.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/wheel.h"

void tri_wheel_init(struct tri_wheel *w, tr_time now)
{
    w->tick = tri_wheel_tick_of(now);
    w->n_timers = 0;
    w->levels = 0;
    memset(w->map, 0, sizeof w->map);
}

/* The first tick of bucket @n, which is not empty: its higher digits are the cursor's. */
static uint64_t bucket_start(const struct tri_wheel *w, unsigned n)
{
    unsigned shift = n / TRI_WHEEL_SLOTS * TRI_WHEEL_DIGIT_BITS;
    uint64_t above = w->tick >> shift >> TRI_WHEEL_DIGIT_BITS << TRI_WHEEL_DIGIT_BITS;

    return (above | n % TRI_WHEEL_SLOTS) << shift;
}

/* Moves the whole of bucket @n, on level 0, to @expired. */
static unsigned take_all(struct tri_wheel *w, unsigned n, struct tri_list *expired)
{
    struct tri_list *timers = &w->bucket[n].timers;
    unsigned taken = 0;

    for (struct tri_list *i = timers->next; i != timers; i = i->next, taken++)
        tri_list_entry(i, struct tri_timer, links)->bucket = TRI_WHEEL_EXPIRED;
    tri_list_splice_tail(expired, timers);
    tri_wheel_clear(w, n);
    return taken;
}

/* Moves what is due at @now from bucket @n, that of the cursor; min becomes exact again. */
static unsigned take_due(struct tri_wheel *w, unsigned n, tr_time now, struct tri_list *expired)
{
    struct tri_wheel_bucket *b = &w->bucket[n];
    unsigned taken = 0;
    tr_time min = INT64_MAX;

    if (b->min > now)
        return 0;
    for (struct tri_list *i = b->timers.next, *next; i != &b->timers; i = next) {
        struct tri_timer *t = tri_list_entry(i, struct tri_timer, links);

        next = i->next;
        if (t->deadline > now) {
            min = t->deadline < min ? t->deadline : min;
            continue;
        }
        tri_list_del(i);
        t->bucket = TRI_WHEEL_EXPIRED;
        tri_list_add_tail(expired, i);
        taken++;
    }
    b->min = min;
    if (tri_list_is_empty(&b->timers))
        tri_wheel_clear(w, n);
    return taken;
}

/*
 * Moves the cursor into bucket @n, above level 0, and its timers to where they now belong. The
 * cursor may skip the ticks before min: no timer is there, and the fewer times each one moves.
 */
static void move_down(struct tri_wheel *w, unsigned n, uint64_t limit)
{
    uint64_t first = tri_wheel_tick_of(w->bucket[n].min);
    struct tri_list timers, *i;

    tri_list_init(&timers);
    tri_list_splice_tail(&timers, &w->bucket[n].timers);
    tri_wheel_clear(w, n);
    w->tick = first < limit ? first : limit;
    while ((i = tri_list_pop(&timers)))
        tri_wheel_place(w, tri_list_entry(i, struct tri_timer, links));
}

unsigned tri_wheel_expire(struct tri_wheel *w, tr_time now, struct tri_list *expired)
{
    uint64_t limit = tri_wheel_tick_of(now);
    unsigned taken = 0;

    if (limit < w->tick) /* the clock went back: stand still; @now counts all the same */
        limit = w->tick;
    while (w->levels) {
        unsigned n = tri_wheel_first(w);
        uint64_t start = bucket_start(w, n);

        if (start > limit)
            break;
        if (n >= TRI_WHEEL_SLOTS) {
            move_down(w, n, limit);
        } else if (start < limit) {
            taken += take_all(w, n, expired);
        } else {
            w->tick = limit;
            taken += take_due(w, n, now, expired);
            break;
        }
    }
    w->tick = limit;
    w->n_timers -= taken;
    return taken;
}

static void require(bool holds, const struct tri_wheel *w, unsigned n, const char *what)
{
    if (holds)
        return;
    fprintf(stderr, "troupe: wheel: %s: bucket %u, tick %llu, %zu timers\n", what, n,
            (unsigned long long)w->tick, w->n_timers);
    abort();
}

/* Checks bucket @n and returns how many timers it holds. */
static size_t bucket_check(const struct tri_wheel *w, unsigned n)
{
    const struct tri_wheel_bucket *b = &w->bucket[n];
    size_t count = 0;

    if (!(w->map[n / TRI_WHEEL_SLOTS] >> n % TRI_WHEEL_SLOTS & 1))
        return 0;
    require(!tri_list_is_empty(&b->timers), w, n, "the bit of an empty bucket is set");
    for (const struct tri_list *i = b->timers.next; i != &b->timers; i = i->next, count++) {
        const struct tri_timer *t =
            (const void *)((const char *)i - offsetof(struct tri_timer, links));

        require(i->next->prev == i, w, n, "links do not agree");
        require(t->bucket == n, w, n, "a timer thinks it is elsewhere");
        require(tri_wheel_bucket_of(w, tri_wheel_tick_of(t->deadline)) == n, w, n,
                "a timer is in the wrong bucket");
        require(t->deadline >= b->min, w, n, "min is not a lower bound");
    }
    return count;
}

void tri_wheel_check(const struct tri_wheel *w)
{
    size_t count = 0;

    for (unsigned n = 0; n < TRI_WHEEL_BUCKETS; n++)
        count += bucket_check(w, n);
    for (unsigned l = 0; l < TRI_WHEEL_LEVELS; l++)
        require((w->levels >> l & 1) == (w->map[l] != 0), w, l, "levels and map do not agree");
    require(count == w->n_timers, w, 0, "n_timers is not their number");
}
