/* SPDX-License-Identifier: MIT */
/* gate.c - see gate.h. */
#include "config.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "base/lock.h"
#include "io/gate.h"
#include "sched/wait.h"

enum { WAKE_BATCH = 16 };

struct tri_quota {
    atomic_uint n_holder; /* the acceptor and each open socket */
    unsigned max;         /* constant */
};

static atomic_uint n_inside; /* acceptors between enter and leave */
static atomic_uint n_closed; /* closes while somebody was inside */
static struct tri_lock lock; /* protects the list; nothing is taken inside */
static struct tri_waiter *first;

struct tri_quota *tri_quota_new(unsigned max)
{
    struct tri_quota *q = malloc(sizeof *q);

    if (!q)
        return NULL;
    atomic_init(&q->n_holder, 1);
    q->max = max;
    return q;
}

void tri_quota_take(struct tri_quota *q)
{
    /* relaxed: the caller holds the quota, and only it looks for room. */
    (void)atomic_fetch_add_explicit(&q->n_holder, 1, memory_order_relaxed);
}

void tri_quota_drop(struct tri_quota *q)
{
    /* seq_cst: before the look at n_inside in tri_gate_closed(); pairs with tri_gate_enter().
     * It includes acq_rel: all uses end before the free. */
    if (q && atomic_fetch_sub_explicit(&q->n_holder, 1, memory_order_seq_cst) == 1)
        free(q);
}

bool tri_quota_has_room(const struct tri_quota *q)
{
    /* seq_cst: after n_inside grew; pairs with tri_quota_drop(). */
    return atomic_load_explicit(&q->n_holder, memory_order_seq_cst) <= q->max;
}

/* ---- the list ---- */

static void list_add(struct tri_waiter *w)
{
    tri_lock_acquire(&lock);
    w->prev = NULL;
    w->next = first;
    if (first)
        first->prev = w;
    first = w;
    tri_lock_release(&lock);
}

static void unlink_locked(struct tri_waiter *w)
{
    if (w->next)
        w->next->prev = w->prev;
    if (w->prev)
        w->prev->next = w->next;
    else
        first = w->next;
    w->next = w->prev = w; /* in no list */
}

static void list_del(struct tri_waiter *w)
{
    tri_lock_acquire(&lock);
    if (w->next != w)
        unlink_locked(w);
    tri_lock_release(&lock);
}

/* Takes up to WAKE_BATCH waiters out; only their wakees may be touched afterwards. */
static unsigned list_take(struct tri_wakee *ret_wakee[WAKE_BATCH])
{
    unsigned n = 0;

    tri_lock_acquire(&lock);
    while (first && n < WAKE_BATCH) {
        ret_wakee[n++] = first->wakee;
        unlink_locked(first);
    }
    tri_lock_release(&lock);
    return n;
}

void tri_gate_closed(void)
{
    struct tri_wakee *wakee[WAKE_BATCH];
    unsigned n;

    /* seq_cst, and a write although it changes nothing: a full barrier between the close(2) or
     * the quota before it and this look; pairs with tri_gate_enter(). */
    if (atomic_fetch_add_explicit(&n_inside, 0, memory_order_seq_cst) == 0)
        return;
    /* seq_cst: before the list is looked at; pairs with gate_enroll(). */
    (void)atomic_fetch_add_explicit(&n_closed, 1, memory_order_seq_cst);
    do {
        n = list_take(wakee);
        for (unsigned i = 0; i < n; i++)
            tri_wake(wakee[i]);
    } while (n == WAKE_BATCH);
}

/* ---- the wait ---- */

void tri_gate_enter(struct tri_gate_stay *stay)
{
    if (stay->is_inside)
        return;
    stay->is_inside = true;
    /* seq_cst: before the condition is looked at; pairs with tri_gate_closed(). */
    (void)atomic_fetch_add_explicit(&n_inside, 1, memory_order_seq_cst);
    stay->n_closed = atomic_load_explicit(&n_closed, memory_order_seq_cst);
}

void tri_gate_leave(struct tri_gate_stay *stay)
{
    if (!stay->is_inside)
        return;
    stay->is_inside = false;
    /* relaxed: a close that still counts us does a little too much. */
    (void)atomic_fetch_sub_explicit(&n_inside, 1, memory_order_relaxed);
}

static bool gate_attempt(tr_arm *arm)
{
    struct tri_gate_stay *stay = arm->source;
    /* seq_cst: after the waiter is in the list; pairs with tri_gate_closed(). */
    unsigned n = atomic_load_explicit(&n_closed, memory_order_seq_cst);

    arm->result = 0;
    if (n == stay->n_closed)
        return stay->quota && tri_quota_has_room(stay->quota);
    stay->n_closed = n;
    return true;
}

static bool gate_enroll(tr_arm *arm, struct tri_waiter *w)
{
    const struct tri_gate_stay *stay = arm->source;

    list_add(w);
    /* seq_cst: as in gate_attempt(). */
    if (atomic_load_explicit(&n_closed, memory_order_seq_cst) == stay->n_closed &&
        !(stay->quota && tri_quota_has_room(stay->quota)))
        return true;
    list_del(w);
    return false;
}

static bool gate_withdraw(tr_arm *arm, struct tri_waiter *w)
{
    (void)arm;
    list_del(w);
    return false;
}

static const struct tri_arm_ops gate_ops = {
    .what = "accept: no descriptor left, or max_open reached",
    .attempt = gate_attempt,
    .enroll = gate_enroll,
    .withdraw = gate_withdraw,
};

int tri_gate_wait(struct tri_gate_stay *stay, tr_time deadline)
{
    tr_arm arm = { .ops = &gate_ops, .source = stay };

    return tri_wait(&arm, deadline);
}
