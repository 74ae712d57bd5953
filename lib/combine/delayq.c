/* SPDX-License-Identifier: MIT */
/*
 * delayq.c - values in a timer wheel of their own. Entries lie in blocks that never move, each
 * twice as large as the one before; an entry's place is the lower half of its key, the number
 * of its life the upper half. A place whose lives are used up is not used again, so a stale key
 * never names another value.
 *
 *     free --insert--> in the wheel --its instant--> in expired --next--> free, a life later
 *
 * Entries move to expired when somebody looks. lock protects everything; drops and wakes come
 * after it.
 *
 * No wake-up is lost: a waiter enrols under the lock and sleeps until due(), the first instant
 * as of then. Whoever makes due() earlier wakes all waiters, and so does who takes the last
 * value, for those who want to know of it; when due() becomes later they wake, look, and sleep
 * again. So no waiter ever sleeps longer than until due(). Their wakees need no protection
 * (wakee.h).
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>

#include <troupe/delayq.h>

#include "base/assert.h"
#include "base/lock.h"
#include "base/wheel.h"
#include "chan/move.h"
#include "sched/runtime.h"
#include "sched/waitq.h"
#include "mem/alloc.h"

enum { FIRST_BLOCK = 32, N_BLOCK = 27 }; /* 2^32 - 32 entries */

struct entry {
    struct tri_timer timer; /* armed: there is a value */
    uint32_t life;          /* the upper half of its key; 0: used up */
    uint32_t place;         /* the lower half; constant */
    struct entry *next;     /* of those that are free */
    _Alignas(16) char value[];
};

struct tri_delayq {
    struct tri_lock lock;
    const struct tri_type *type; /* constant */
    size_t stride;               /* constant: bytes of an entry */
    size_t n_live;
    size_t n_waiting;
    struct tri_waitq line;
    struct tri_list expired; /* due, and not yet taken */
    struct entry *free;
    uint32_t n_place;           /* used at least once: places before it exist */
    void *block[N_BLOCK];       /* NULL from the first one that was never needed */
    struct tri_wheel wheel;
};

/* ---- entries ---- */

static unsigned block_of(uint32_t place, uint32_t *ret_index)
{
    uint32_t above = place / FIRST_BLOCK + 1;
    unsigned n = 31 - (unsigned)__builtin_clz(above);

    *ret_index = place - FIRST_BLOCK * ((1u << n) - 1);
    return n;
}

static struct entry *entry_at(struct tri_delayq *q, uint32_t place)
{
    uint32_t index;
    unsigned n = block_of(place, &index);

    return (struct entry *)(void *)((char *)q->block[n] + index * q->stride);
}

static struct entry *entry_of(struct tri_timer *t)
{
    return (struct entry *)(void *)((char *)t - offsetof(struct entry, timer));
}

/* A free entry, or NULL. */
static struct entry *entry_get(struct tri_delayq *q)
{
    struct entry *e = q->free;
    uint32_t index;
    unsigned n;

    if (e) {
        q->free = e->next;
        return e;
    }
    n = block_of(q->n_place, &index);
    if (n >= N_BLOCK)
        return NULL;
    if (!q->block[n] && !(q->block[n] = tri_mem_alloc(((size_t)FIRST_BLOCK << n) * q->stride)))
        return NULL;
    e = entry_at(q, q->n_place);
    e->place = q->n_place++;
    e->life = 1;
    return e;
}

/* Takes the value of @e into @ret_value and frees its place. */
static void entry_take(struct tri_delayq *q, struct entry *e, void *ret_value)
{
    tri_wheel_remove(&q->wheel, &e->timer); /* also from expired */
    tri_copy(ret_value, e->value, q->type->size);
    q->n_live--;
    if (++e->life == 0)
        return;
    e->next = q->free;
    q->free = e;
}

/* The entry of @key, or NULL. */
static struct entry *entry_find(struct tri_delayq *q, tr_delay_key key)
{
    struct entry *e;

    if ((uint32_t)key >= q->n_place)
        return NULL;
    e = entry_at(q, (uint32_t)key);
    return e->life == key >> 32 && tri_timer_is_armed(&e->timer) ? e : NULL;
}

/* ---- time ---- */

/* No value is due before this. */
static tr_time due(const struct tri_delayq *q)
{
    return tri_list_is_empty(&q->expired) ? tri_wheel_next(&q->wheel) : TR_NOW;
}

/* The first entry that is due, or NULL. */
static struct entry *first_due(struct tri_delayq *q)
{
    tr_time now;

    if (tri_list_is_empty(&q->expired) && q->wheel.n_timers > 0) {
        now = tr_now();
        if (now >= tri_wheel_next(&q->wheel))
            (void)tri_wheel_expire(&q->wheel, now, &q->expired);
    }
    if (tri_list_is_empty(&q->expired))
        return NULL;
    return entry_of(tri_list_entry(q->expired.next, struct tri_timer, links));
}

/* The entry of bucket @timers that is due first. */
static struct entry *first_of(struct tri_list *timers)
{
    struct tri_timer *first = tri_list_entry(timers->next, struct tri_timer, links);

    for (struct tri_list *i = timers->next; i != timers; i = i->next) {
        struct tri_timer *t = tri_list_entry(i, struct tri_timer, links);

        if (t->deadline < first->deadline)
            first = t;
    }
    return entry_of(first);
}

/* Wakes those who wait, and gives the lock back in between and at the end. */
static void wake_and_unlock(struct tri_delayq *q)
{
    struct tri_wakes wakes = { .n = 0 };
    struct tri_waiter *w;

    /* Counted: those who come back to the line meanwhile have looked. */
    for (size_t n = q->n_waiting; n > 0 && (w = tri_waitq_first(&q->line)); n--) {
        tri_waitq_remove(&q->line, w);
        q->n_waiting--;
        tri_wakes_add(&wakes, w->wakee);
        if (!tri_wakes_are_full(&wakes))
            continue;
        tri_lock_release(&q->lock);
        tri_wakes_run(&wakes);
        tri_lock_acquire(&q->lock);
    }
    tri_lock_release(&q->lock);
    tri_wakes_run(&wakes);
}

/*
 * due() was @before, TR_NOW if it cannot be earlier now: wakes if it is, or if no value is
 * left.
 */
static void unlock(struct tri_delayq *q, tr_time before)
{
    if (due(q) < before || (q->n_live == 0 && q->n_waiting > 0))
        wake_and_unlock(q);
    else
        tri_lock_release(&q->lock);
}

/* ---- the arms; extra[0]: an empty queue is ready, too, and the result says so ---- */

static bool attempt(tr_arm *arm)
{
    struct tri_delayq *q = arm->source;
    struct entry *e;
    bool ready;

    tri_lock_acquire(&q->lock);
    ready = arm->extra[0] && q->n_live == 0;
    e = first_due(q);
    if (e) {
        entry_take(q, e, arm->value);
        unlock(q, TR_NOW);
    } else {
        tri_lock_release(&q->lock);
    }
    arm->result = arm->extra[0] && e ? 1 : 0;
    return ready || e;
}

static bool enroll(tr_arm *arm, struct tri_waiter *w)
{
    struct tri_delayq *q = arm->source;
    bool enrolled;

    tri_lock_acquire(&q->lock); /* the look and the registration are one step */
    enrolled = first_due(q) == NULL && (!arm->extra[0] || q->n_live > 0);
    if (enrolled) {
        arm->when = due(q);
        tri_waitq_append(&q->line, w);
        q->n_waiting++;
    }
    tri_lock_release(&q->lock);
    return enrolled;
}

static bool withdraw(tr_arm *arm, struct tri_waiter *w)
{
    struct tri_delayq *q = arm->source;

    tri_lock_acquire(&q->lock);
    if (tri_waitq_has(w)) {
        tri_waitq_remove(&q->line, w);
        q->n_waiting--;
    }
    tri_lock_release(&q->lock);
    return false;
}

static tr_time arm_due(const tr_arm *arm)
{
    return arm->when;
}

static const struct tri_arm_ops ops = {
    .what = "delay queue next",
    .attempt = attempt,
    .enroll = enroll,
    .withdraw = withdraw,
    .due = arm_due,
};

tr_arm tr_delayq_next_arm(tr_delayq *q, void *ret_value)
{
    return (tr_arm){ .ops = q && q->impl && ret_value ? &ops : NULL,
                     .source = q ? q->impl : NULL,
                     .value = ret_value };
}

tr_arm tr_delayq_next_left_arm(tr_delayq *q, void *ret_value)
{
    tr_arm arm = tr_delayq_next_arm(q, ret_value);

    arm.extra[0] = true;
    return arm;
}

int tr_delayq_next_left(tr_delayq *q, tr_time deadline, void *ret_value)
{
    tr_arm arm = tr_delayq_next_left_arm(q, ret_value);
    int r = arm.ops ? tri_wait(&arm, deadline) : -EINVAL;

    return r < 0 ? r : arm.result;
}

int tr_delayq_next(tr_delayq *q, tr_time deadline, void *ret_value)
{
    tr_arm arm = tr_delayq_next_arm(q, ret_value);

    return arm.ops ? tri_wait(&arm, deadline) : -EINVAL;
}

int tr_delayq_try_next(tr_delayq *q, void *ret_value)
{
    tr_arm arm = tr_delayq_next_arm(q, ret_value);

    if (!arm.ops)
        return -EINVAL;
    return attempt(&arm) ? 0 : -EAGAIN;
}

int tr_delayq_blocking_next(tr_delayq *q, tr_time deadline, void *ret_value)
{
    tr_arm arm = tr_delayq_next_arm(q, ret_value);

    return arm.ops ? tri_wait_blocking(&arm, deadline, __builtin_return_address(0)) : -EINVAL;
}

/* ---- everything else ---- */

int tr_delayq_new(const struct tri_type *type, tr_delayq *ret_q)
{
    struct tri_delayq *q;

    if (!tri_type_is_valid(type) || !ret_q)
        return -EINVAL;
    q = tri_mem_alloc(sizeof *q);
    if (!q)
        return -ENOMEM;
    q->type = type;
    q->stride = (sizeof(struct entry) + type->size + 15) / 16 * 16;
    tri_list_init(&q->expired);
    tri_wheel_init(&q->wheel, tr_now());
    ret_q->impl = q;
    return 0;
}

/* An instant as the wheel takes it. */
static tr_time instant_of(tr_time when)
{
    when &= ~TR_DRAIN_BIT;
    return when < 0 ? TR_NOW : when;
}

int tr_delayq_insert(tr_delayq *queue, void *value, tr_time when, tr_delay_key *ret_key)
{
    struct tri_delayq *q = queue ? queue->impl : NULL;
    struct entry *e;
    tr_time before;

    if (!q || !value)
        return -EINVAL;
    tri_lock_acquire(&q->lock);
    e = entry_get(q);
    if (!e) {
        tri_lock_release(&q->lock);
        return -ENOMEM;
    }
    before = due(q);
    tri_move(e->value, value, q->type->size);
    q->n_live++;
    if (ret_key)
        *ret_key = (tr_delay_key)e->life << 32 | e->place;
    tri_wheel_insert(&q->wheel, &e->timer, instant_of(when));
    unlock(q, before);
    return 0;
}

int tr_delayq_reset(tr_delayq *queue, tr_delay_key key, tr_time when)
{
    struct tri_delayq *q = queue ? queue->impl : NULL;
    struct entry *e;
    tr_time before;

    if (!q)
        return -EINVAL;
    tri_lock_acquire(&q->lock);
    e = entry_find(q, key);
    before = due(q);
    if (e) {
        tri_wheel_remove(&q->wheel, &e->timer);
        tri_wheel_insert(&q->wheel, &e->timer, instant_of(when));
    }
    unlock(q, before);
    return e ? 0 : -ENOENT;
}

int tr_delayq_remove(tr_delayq *queue, tr_delay_key key, void *ret_value)
{
    struct tri_delayq *q = queue ? queue->impl : NULL;
    _Alignas(16) char value[TR_MESSAGE_MAX];
    struct entry *e;

    if (!q)
        return -EINVAL;
    tri_lock_acquire(&q->lock);
    e = entry_find(q, key);
    if (e)
        entry_take(q, e, ret_value ? ret_value : value);
    unlock(q, TR_NOW);
    if (e && !ret_value)
        q->type->drop(value);
    return e ? 0 : -ENOENT;
}

int tr_delayq_peek(tr_delayq *queue, tr_time *ret_when, tr_delay_key *ret_key)
{
    struct tri_delayq *q = queue ? queue->impl : NULL;
    struct entry *e;

    if (!q)
        return -EINVAL;
    tri_lock_acquire(&q->lock);
    e = first_due(q);
    if (!e && q->wheel.n_timers > 0)
        e = first_of(&q->wheel.bucket[tri_wheel_first(&q->wheel)].timers);
    if (e && ret_when)
        *ret_when = e->timer.deadline;
    if (e && ret_key)
        *ret_key = (tr_delay_key)e->life << 32 | e->place;
    tri_lock_release(&q->lock);
    return e ? 0 : -EAGAIN;
}

size_t tr_delayq_len(tr_delayq *queue)
{
    struct tri_delayq *q = queue ? queue->impl : NULL;
    size_t n;

    if (!q)
        return 0;
    tri_lock_acquire(&q->lock);
    n = q->n_live;
    tri_lock_release(&q->lock);
    return n;
}

/* Takes any value out; false: there is none. */
static bool take_any(struct tri_delayq *q, void *ret_value)
{
    struct tri_list *timers = NULL;

    tri_lock_acquire(&q->lock);
    if (!tri_list_is_empty(&q->expired))
        timers = &q->expired;
    else if (q->wheel.n_timers > 0)
        timers = &q->wheel.bucket[tri_wheel_first(&q->wheel)].timers;
    if (timers)
        entry_take(q, entry_of(tri_list_entry(timers->next, struct tri_timer, links)), ret_value);
    unlock(q, TR_NOW);
    return timers != NULL;
}

void tr_delayq_clear(tr_delayq *queue)
{
    struct tri_delayq *q = queue ? queue->impl : NULL;
    _Alignas(16) char value[TR_MESSAGE_MAX];

    /* Not more than there are now: a drop may insert. */
    for (size_t n = tr_delayq_len(queue); n > 0 && take_any(q, value); n--)
        q->type->drop(value);
}

void tr_delayq_free(tr_delayq *queue)
{
    struct tri_delayq *q = queue ? queue->impl : NULL;

    if (!q)
        return;
    if (tri_unlikely(tri_is_forked())) { /* who holds the lock may be a thread no more */
        queue->impl = NULL;
        return;
    }
    while (tr_delayq_len(queue) > 0)
        tr_delayq_clear(queue);
    queue->impl = NULL;
    for (unsigned n = 0; n < N_BLOCK; n++)
        free(q->block[n]);
    free(q);
}
