/* SPDX-License-Identifier: MIT */
/*
 * shutdown.c - the level only grows: it is raised by one compare-and-swap to the larger value.
 * Whoever raised it tells the waiters, acts (drains, cancels), and kicks the conductor, who
 * starts the clocks. A plain thread only raises and kicks: the runtime may be ending, the
 * conductor is there as long as it is held (signal.c).
 *
 * No wake-up is lost: a waiter gets in line and looks at the level under the lock; who raises
 * the level does so first and goes through the line under the lock afterwards.
 */
#include "config.h"

#include <errno.h>

#include "actor/conductor.h"
#include "actor/shutdown.h"
#include "actor/signal.h"
#include "base/clock.h"

const char *tri_level_name(enum tr_level level)
{
    static const char *const name[] = { "RUN", "DRAIN", "STOP", "ABORT" };

    return level <= TR_LEVEL_ABORT ? name[level] : "?";
}

/* ---- raising ---- */

/* Wakes those who wait for the level that is reached. */
static void tell_line(struct tri_shutdown *s, unsigned level)
{
    struct tri_waiter *first, *w;

    tri_lock_acquire(&s->lock);
    first = w = tri_waitq_first(&s->line);
    if (w) {
        do {
            if ((uintptr_t)w->value <= level)
                tri_wake(w->wakee); /* it leaves the line itself */
            w = w->next;
        } while (w != first);
    }
    tri_lock_release(&s->lock);
}

struct tri_counts tri_shutdown_count(const struct tri_runtime *rt)
{
    struct tri_counts sum = { 0, 0 };

    for (unsigned i = 0; i < rt->n_worker; i++) {
        /* relaxed, both: numbers, not an order. */
        sum.n_ended += atomic_load_explicit(&rt->workers[i]->n_ended, memory_order_relaxed);
        sum.n_discarded +=
            atomic_load_explicit(&rt->workers[i]->n_discarded, memory_order_relaxed);
    }
    return sum;
}

/* By the one who took the level out of RUN. */
static void note_began(struct tri_shutdown *s, struct tri_counts before)
{
    s->before = before;
    /* release: before; pairs with the acquire in tri_stop_summary(). */
    atomic_store_explicit(&s->began, tri_clock_now(), memory_order_release);
}

bool tri_shutdown_grow(struct tri_runtime *rt, enum tr_level level, const char *reason)
{
    /* relaxed: the compare-and-swap decides. */
    unsigned now = atomic_load_explicit(&rt->level, memory_order_relaxed);
    struct tri_counts before;

    if (now >= level)
        return false;
    before = tri_shutdown_count(rt);
    /* relaxed: published by the level. */
    atomic_store_explicit(&rt->shutdown->reason, reason, memory_order_relaxed);
    do {
        if (now >= level)
            return false;
        /* release: the reason. */
    } while (!atomic_compare_exchange_weak_explicit(
        &rt->level, &now, level, memory_order_release, memory_order_relaxed));
    if (now == TR_LEVEL_RUN)
        note_began(rt->shutdown, before);
    tell_line(rt->shutdown, level);
    tri_level_watch_publish(rt);
    return true;
}

void tri_shutdown_act(struct tri_runtime *rt)
{
    enum tr_level level = tri_shutdown_level(rt);

    if (level >= TR_LEVEL_DRAIN)
        tri_runtime_drain(rt);
    if (level >= TR_LEVEL_STOP)
        tri_runtime_cancel(rt);
}

/* From a thread that runs no actor: the conductor acts. */
static int raise_main(enum tr_level level, const char *reason)
{
    struct tri_conductor *c = tri_signal_main_begin();

    if (c && tri_shutdown_grow(c->rt, level, reason))
        tri_runtime_kick(c->rt);
    tri_signal_main_end();
    return c ? 0 : -EPERM;
}

int tr_shutdown(enum tr_level level, const char *reason)
{
    struct tri_runtime *rt = tri_runtime_self();

    if (tri_is_forked())
        return -EOWNERDEAD;
    if (level > TR_LEVEL_ABORT)
        return -EINVAL;
    if (!rt)
        return raise_main(level, reason);
    if (tri_shutdown_grow(rt, level, reason)) {
        tri_shutdown_act(rt);
        if (rt->conductor) {
            (void)tri_conductor_start(
                rt); /* without it the deadlines are not kept: best effort */
            tri_runtime_kick(rt);
        }
    }
    return 0;
}

enum tr_level tr_shutdown_level(void)
{
    struct tri_runtime *rt = tri_runtime_self();

    return rt ? tri_shutdown_level(rt) : TR_LEVEL_RUN;
}

/* ---- waiting ---- */

static bool is_reached(const tr_arm *arm)
{
    return tri_shutdown_level(arm->source) >= arm->extra[0];
}

static bool attempt(tr_arm *arm)
{
    arm->result = 0;
    return is_reached(arm);
}

static bool enroll(tr_arm *arm, struct tri_waiter *w)
{
    struct tri_shutdown *s = ((struct tri_runtime *)arm->source)->shutdown;
    bool enrolled;

    tri_lock_acquire(&s->lock);
    enrolled = !is_reached(arm);
    if (enrolled)
        tri_waitq_append(&s->line, w);
    tri_lock_release(&s->lock);
    return enrolled;
}

static bool withdraw(tr_arm *arm, struct tri_waiter *w)
{
    struct tri_shutdown *s = ((struct tri_runtime *)arm->source)->shutdown;

    tri_lock_acquire(&s->lock);
    tri_waitq_remove(&s->line, w);
    tri_lock_release(&s->lock);
    return false;
}

static const struct tri_arm_ops ops = {
    .what = "shutdown level",
    .attempt = attempt,
    .enroll = enroll,
    .withdraw = withdraw,
};

int tr_shutdown_wait(enum tr_level level, tr_time deadline)
{
    tr_arm arm = { .ops = &ops,
                   .source = tri_runtime_self(),
                   .value = (void *)(uintptr_t)level,
                   .extra = { level } };

    if (level > TR_LEVEL_ABORT)
        return -EINVAL;
    return tri_wait(&arm, deadline);
}
