/* SPDX-License-Identifier: MIT */
/*
 * notify.c - of a crowd (crowd.h): count is the number of calls of tr_notify_all(), FLAG the
 * permit. The permit and WAITING exclude each other.
 *
 * waiter->number, in line: the count as it joined. One whose count is not the present one any
 * more is complete, whether or not it was told yet: so tr_notify_all() is one step for all, and
 * may tell them in batches, with the lock released between. They are in front of all who came
 * later, and who joins meanwhile is not one of them. Whoever comes to the line under the lock
 * first takes the complete ones out of it. Out of line, number says who took it out.
 */
#include "config.h"

#include "sync/notify.h"

#include "sched/worker.h"

#define PERMIT TRI_CROWD_FLAG

enum { BY_ALL, BY_ONE, BY_LAST, CONSUMED };

static uint64_t count_in(uint64_t word)
{
    return word >> TRI_CROWD_SHIFT;
}

void tr_notify_init(tr_notify *n)
{
    if (n)
        tri_crowd_init(tri_crowd_of(&n->inside), 0, 0);
}

static void take_out(struct tri_crowd *c, struct tri_waiter *w, uintptr_t by)
{
    tri_crowd_remove(c, w);
    w->number = by;
}

static bool is_complete(struct tri_crowd *c, const struct tri_waiter *w)
{
    return w->number != (uintptr_t)count_in(tri_crowd_word(c));
}

/* Lets the complete ones go. True: @wakes is full. */
static bool sweep(struct tri_crowd *c, struct tri_wakes *wakes)
{
    struct tri_waiter *w;

    while ((w = tri_waitq_first(&c->line)) && is_complete(c, w)) {
        if (tri_wakes_are_full(wakes))
            return true;
        take_out(c, w, BY_ALL);
        tri_crowd_let_go(w, wakes);
    }
    return false;
}

/* ---- notifying ---- */

/* Under the lock: to the first or last who waits, or as the permit. */
static void notify_locked(struct tri_crowd *c, uintptr_t by, struct tri_wakes *wakes)
{
    struct tri_waiter *w = tri_waitq_first(&c->line);

    if (w && by == BY_LAST)
        w = w->prev;
    if (w) {
        take_out(c, w, by);
        tri_crowd_let_go(w, wakes);
    } else {
        /* release: as in notify(). */
        atomic_fetch_or_explicit(&c->word, PERMIT, memory_order_release);
    }
}

/* Takes the lock, and the complete ones out of the line; @wakes has room for one more then. */
static void lock_swept(struct tri_crowd *c, struct tri_wakes *wakes)
{
    tri_lock_acquire(&c->lock);
    while (sweep(c, wakes) || tri_wakes_are_full(wakes)) {
        tri_crowd_release(c, wakes, NULL);
        tri_lock_acquire(&c->lock);
    }
}

static void notify(struct tri_crowd *c, uintptr_t by)
{
    struct tri_wakes wakes = { .n = 0 };
    /* relaxed: the CAS confirms it, or the lock does. */
    uint64_t word = atomic_load_explicit(&c->word, memory_order_relaxed);

    while (!(word & TRI_CROWD_WAITING))
        /* release: what we did before, also if the permit is there already; pairs with the
         * acquire of who takes it. */
        if (atomic_compare_exchange_weak_explicit(&c->word, &word, word | PERMIT,
                                                  memory_order_release, memory_order_relaxed))
            return;
    lock_swept(c, &wakes);
    notify_locked(c, by, &wakes);
    tri_crowd_release(c, &wakes, NULL);
}

void tr_notify_one(tr_notify *n)
{
    if (n)
        notify(tri_crowd_of(&n->inside), BY_ONE);
}

void tr_notify_last(tr_notify *n)
{
    if (n)
        notify(tri_crowd_of(&n->inside), BY_LAST);
}

void tri_notify_all(struct tri_crowd *c)
{
    struct tri_wakes wakes = { .n = 0 };
    /* relaxed: as in notify(). */
    uint64_t word = atomic_load_explicit(&c->word, memory_order_relaxed);

    while (!(word & TRI_CROWD_WAITING))
        /* release: what we did before; pairs with the acquire of who sees the count. */
        if (atomic_compare_exchange_weak_explicit(&c->word, &word, word + TRI_CROWD_ONE,
                                                  memory_order_release, memory_order_relaxed))
            return;
    tri_lock_acquire(&c->lock);
    atomic_fetch_add_explicit(&c->word, TRI_CROWD_ONE, memory_order_release); /* as above */
    tri_crowd_release(c, &wakes, sweep);
}

void tr_notify_all(tr_notify *n)
{
    if (n)
        tri_notify_all(tri_crowd_of(&n->inside));
}

uint64_t tr_notify_count(const tr_notify *n)
{
    return n ? count_in(tri_crowd_look(&n->inside)) : 0;
}

/* ---- waiting ---- */

static int take_permit(struct tri_crowd *c)
{
    /* relaxed: the CAS confirms it, or it is the answer. */
    uint64_t word = atomic_load_explicit(&c->word, memory_order_relaxed);

    while (word & PERMIT)
        /* acquire: what all did who notified since it was taken last. */
        if (atomic_compare_exchange_weak_explicit(&c->word, &word, word & ~(uint64_t)PERMIT,
                                                  memory_order_acquire, memory_order_relaxed))
            return 0;
    return -EAGAIN;
}

static bool has_news(const uint64_t *seen, uint64_t word)
{
    return seen && *seen != count_in(word);
}

/* @w->value is what the caller has seen, or NULL, until it is in line. */
static bool may_go(struct tri_crowd *c, const struct tri_waiter *w, uint64_t word)
{
    (void)c;
    return word & PERMIT || has_news(w->value, word);
}

bool tri_notify_join(struct tri_crowd *c, struct tri_waiter *w, const uint64_t *seen)
{
    bool joined;

    w->value = (void *)(uintptr_t)seen;
    tri_lock_acquire(&c->lock);
    joined = tri_crowd_join(c, w, may_go);
    if (joined)
        w->number = (uintptr_t)count_in(tri_crowd_word(c));
    tri_lock_release(&c->lock);
    return joined;
}

/* As tri_notify_leave(). True: it was notified, and @ret_by_all says by whom. */
static bool leave(struct tri_crowd *c, struct tri_waiter *w, bool *ret_by_all)
{
    struct tri_wakes wakes = { .n = 0 };
    bool notified;

    lock_swept(c, &wakes);
    notified = !tri_waitq_has(w);
    *ret_by_all = notified && w->number == BY_ALL;
    if (!notified)
        tri_crowd_remove(c, w);
    else if (w->selects && (w->number == BY_ONE || w->number == BY_LAST))
        notify_locked(c, w->number, &wakes); /* it took another arm */
    tri_crowd_release(c, &wakes, NULL);
    return notified;
}

void tri_notify_leave(struct tri_crowd *c, struct tri_waiter *w)
{
    bool by_all;

    (void)leave(c, w, &by_all);
}

/* An attempt of a waiter that selects; afterwards what it was notified of is consumed. */
static int attempt_in_line(struct tri_crowd *c, struct tri_waiter *w, bool *ret_by_all)
{
    struct tri_wakes wakes = { .n = 0 };
    int r = -EAGAIN;

    lock_swept(c, &wakes);
    if (tri_waitq_has(w)) {
        tri_crowd_ask_again(w);
    } else if (w->number != CONSUMED) {
        *ret_by_all = w->number == BY_ALL;
        w->number = CONSUMED;
        r = 0;
    }
    tri_crowd_release(c, &wakes, NULL);
    return r;
}

/* ---- the arm: extra[1] is the caller's seen, or 0 ---- */

static void saw(tr_arm *arm, struct tri_crowd *c)
{
    uint64_t *seen = (uint64_t *)arm->extra[1];

    if (seen)
        /* acquire: what was done before the calls that we count as seen. */
        *seen = count_in(atomic_load_explicit(&c->word, memory_order_acquire));
}

static bool attempt(tr_arm *arm)
{
    struct tri_crowd *c = arm->source;
    struct tri_waiter *w = tri_crowd_waiter(arm);
    bool by_all = false;
    int r;

    if (w) {
        r = attempt_in_line(c, w, &by_all);
    } else {
        by_all = has_news((uint64_t *)arm->extra[1], tri_crowd_word(c));
        r = by_all ? 0 : take_permit(c);
    }
    if (by_all)
        saw(arm, c);
    return tri_crowd_result(arm, r);
}

static bool enroll(tr_arm *arm, struct tri_waiter *w)
{
    if (!tri_notify_join(arm->source, w, (uint64_t *)arm->extra[1]))
        return false;
    if (w->selects)
        arm->extra[0] = (uintptr_t)w;
    return true;
}

static bool withdraw(tr_arm *arm, struct tri_waiter *w)
{
    bool by_all;

    arm->extra[0] = 0;
    if (!leave(arm->source, w, &by_all) || w->selects)
        return false;
    if (by_all)
        saw(arm, arm->source);
    arm->result = 0;
    return true;
}

static const struct tri_arm_ops wait_ops = {
    .what = "notify wait",
    .attempt = attempt,
    .enroll = enroll,
    .withdraw = withdraw,
    .keeps_place = tri_crowd_keeps_place,
};

tr_arm tr_notify_wait_since_arm(tr_notify *n, uint64_t *seen)
{
    if (!n)
        return (tr_arm){ 0 };
    return (tr_arm){ .ops = &wait_ops,
                     .source = tri_crowd_of(&n->inside),
                     .extra = { 0, (uintptr_t)seen } };
}

tr_arm tr_notify_wait_arm(tr_notify *n)
{
    return tr_notify_wait_since_arm(n, NULL);
}

/* ---- the forms ---- */

int tr_notify_try_wait(tr_notify *n)
{
    return n ? take_permit(tri_crowd_of(&n->inside)) : -EINVAL;
}

static int in_task(tr_arm arm, tr_time deadline)
{
    return arm.ops ? tri_wait(&arm, deadline) : -EINVAL;
}

static int in_thread(tr_arm arm, tr_time deadline, const void *caller)
{
    return arm.ops ? tri_wait_blocking(&arm, deadline, caller) : -EINVAL;
}

int tr_notify_wait(tr_notify *n, tr_time deadline)
{
    return in_task(tr_notify_wait_arm(n), deadline);
}

int tr_notify_blocking_wait(tr_notify *n, tr_time deadline)
{
    return in_thread(tr_notify_wait_arm(n), deadline, __builtin_return_address(0));
}

int tr_notify_wait_since(tr_notify *n, uint64_t *seen, tr_time deadline)
{
    return in_task(tr_notify_wait_since_arm(n, seen), deadline);
}

int tr_notify_blocking_wait_since(tr_notify *n, uint64_t *seen, tr_time deadline)
{
    return in_thread(tr_notify_wait_since_arm(n, seen), deadline, __builtin_return_address(0));
}

/* ---- waiting for a condition: an arm that is never part of a select ---- */

struct condition {
    tr_notify_fn *is_true;
    void *arg;
};

/* Takes a permit only for another look. */
static bool condition_attempt(tr_arm *arm)
{
    const struct condition *k = arm->value;

    do
        if (k->is_true(k->arg))
            return true;
    while (take_permit(arm->source) == 0);
    return false;
}

/*
 * In line first, then the look: a change after it is followed by a notification, which finds
 * us.
 */
static bool condition_enroll(tr_arm *arm, struct tri_waiter *w)
{
    const struct condition *k = arm->value;

    if (!tri_notify_join(arm->source, w, NULL))
        return false;
    if (!k->is_true(k->arg))
        return true;
    tri_notify_leave(arm->source, w);
    return false;
}

static bool condition_withdraw(tr_arm *arm, struct tri_waiter *w)
{
    tri_notify_leave(arm->source, w);
    return false; /* whatever it was: look */
}

static const struct tri_arm_ops until_ops = {
    .what = "notify wait until",
    .attempt = condition_attempt,
    .enroll = condition_enroll,
    .withdraw = condition_withdraw,
    .keeps_place = tri_crowd_keeps_place,
};

static tr_arm until_arm(tr_notify *n, struct condition *k)
{
    if (!n || !k->is_true)
        return (tr_arm){ 0 };
    return (tr_arm){ .ops = &until_ops, .source = tri_crowd_of(&n->inside), .value = k };
}

int tr_notify_wait_until(tr_notify *n, tr_notify_fn *is_true, void *arg, tr_time deadline)
{
    struct condition k = { is_true, arg };

    return in_task(until_arm(n, &k), deadline);
}

int tr_notify_blocking_wait_until(tr_notify *n, tr_notify_fn *is_true, void *arg,
                                  tr_time deadline)
{
    struct condition k = { is_true, arg };

    return in_thread(until_arm(n, &k), deadline, __builtin_return_address(0));
}
