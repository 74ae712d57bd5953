/* SPDX-License-Identifier: MIT */
/*
 * permits.c - see permits.h. waiter->number is how many permits it wants, and GRANTED once they
 * are its own; one that was let go with another number was sent away by a close.
 */
#include "config.h"

#include "base/assert.h"
#include "sched/runtime.h"
#include "sync/permits.h"

enum { GRANTED = 0 }; /* nobody waits for no permits */

/* Takes what @w wants out of the pool, and @w out of the line. Under the lock. */
static void take(struct tri_crowd *c, struct tri_waiter *w)
{
    /* acquire: as in tri_permits_try(). Before WAITING goes: until then nobody else takes. */
    atomic_fetch_sub_explicit(&c->word, (uint64_t)w->number << TRI_CROWD_SHIFT,
                              memory_order_acquire);
    tri_crowd_remove(c, w);
}

static bool may_take(struct tri_crowd *c, const struct tri_waiter *w)
{
    uint64_t word = tri_crowd_word(c);

    return !(word & TRI_PERMITS_CLOSED) && tri_permits_in(word) >= w->number;
}

/* Serves the line while the first one's permits are there. True: @wakes is full. */
static bool serve(struct tri_crowd *c, struct tri_wakes *wakes)
{
    struct tri_waiter *w;

    while ((w = tri_waitq_first(&c->line)) && may_take(c, w)) {
        if (tri_wakes_are_full(wakes))
            return true;
        if (w->selects) {
            tri_crowd_hint(w, wakes);
            return false;
        }
        take(c, w);
        w->number = GRANTED;
        tri_crowd_let_go(w, wakes);
    }
    return false;
}

/*
 * Nothing is given while nobody waits: somebody could take it without the lock, and be through
 * with the object, before we have released the lock.
 */
int tri_permits_give_slow(struct tri_crowd *c, uint64_t n, uint64_t max)
{
    struct tri_wakes wakes = { .n = 0 };
    uint64_t word;
    int r = 0;

    if (tri_unlikely(tri_is_forked()))
        return 0; /* who holds the lock may be a thread no more, nor is anybody who waits */
    tri_lock_acquire(&c->lock);
    word = tri_crowd_word(c);
    if (!(word & TRI_CROWD_WAITING))
        r = -EAGAIN;
    else if (n > max || tri_permits_in(word) > max - n)
        r = -EINVAL;
    else
        /* release: as in tri_permits_give(). */
        atomic_fetch_add_explicit(&c->word, n << TRI_CROWD_SHIFT, memory_order_release);
    tri_crowd_release(c, &wakes, serve);
    return r;
}

/* Sends all away. True: @wakes is full. */
static bool dismiss(struct tri_crowd *c, struct tri_wakes *wakes)
{
    struct tri_waiter *w;

    while ((w = tri_waitq_first(&c->line))) {
        if (tri_wakes_are_full(wakes))
            return true;
        tri_crowd_remove(c, w);
        tri_crowd_let_go(w, wakes);
    }
    return false;
}

void tri_permits_close(struct tri_crowd *c)
{
    struct tri_wakes wakes = { .n = 0 };

    tri_lock_acquire(&c->lock);
    /* release: what was done before the close; pairs with tri_permits_try(). Nobody joins the
     * line from now on: may_go() sees it. */
    atomic_fetch_or_explicit(&c->word, TRI_PERMITS_CLOSED, memory_order_release);
    tri_crowd_release(c, &wakes, dismiss);
}

/* ---- the arm ---- */

/* An attempt of a waiter that is in line: only the first one may take. */
static int attempt_in_line(struct tri_crowd *c, struct tri_waiter *w)
{
    struct tri_wakes wakes = { .n = 0 };
    int r = -EAGAIN;

    tri_lock_acquire(&c->lock);
    if (!tri_waitq_has(w)) {
        r = -EPIPE; /* a close took it out */
    } else if (tri_waitq_first(&c->line) == w && may_take(c, w)) {
        take(c, w);
        r = 0;
    } else {
        tri_crowd_ask_again(w);
    }
    tri_crowd_release(c, &wakes, serve);
    return r;
}

bool tri_permits_attempt(tr_arm *arm)
{
    struct tri_crowd *c = arm->source;
    struct tri_waiter *w = tri_crowd_waiter(arm);

    return tri_crowd_result(arm, w ? attempt_in_line(c, w) : tri_permits_try(c, arm->extra[1]));
}

static bool may_go(struct tri_crowd *c, const struct tri_waiter *w, uint64_t word)
{
    return word & TRI_PERMITS_CLOSED ||
           (!tri_waitq_first(&c->line) && tri_permits_in(word) >= w->number);
}

bool tri_permits_enroll(tr_arm *arm, struct tri_waiter *w)
{
    struct tri_crowd *c = arm->source;
    bool joined;

    w->number = arm->extra[1];
    tri_lock_acquire(&c->lock);
    joined = tri_crowd_join(c, w, may_go);
    tri_lock_release(&c->lock);
    if (joined && w->selects)
        arm->extra[0] = (uintptr_t)w;
    return joined;
}

/*
 * Under the lock, of a waiter that was let go. What was granted before a close and not taken
 * until then goes back: after a close nobody gets in.
 */
static int outcome(struct tri_crowd *c, const struct tri_waiter *w, uint64_t n)
{
    if (!(tri_crowd_word(c) & TRI_PERMITS_CLOSED))
        return 0;
    if (w->number == GRANTED)
        /* release: as in tri_permits_give(). Nobody gets it any more. */
        atomic_fetch_add_explicit(&c->word, n << TRI_CROWD_SHIFT, memory_order_release);
    return -EPIPE;
}

bool tri_permits_withdraw(tr_arm *arm, struct tri_waiter *w)
{
    struct tri_crowd *c = arm->source;
    struct tri_wakes wakes = { .n = 0 };
    bool served = false;

    arm->extra[0] = 0;
    tri_lock_acquire(&c->lock);
    if (tri_waitq_has(w)) {
        tri_crowd_remove(c, w);
    } else if (!w->selects) {
        arm->result = outcome(c, w, arm->extra[1]);
        served = true;
    }
    tri_crowd_release(c, &wakes, serve); /* its place may have been the first */
    return served;
}
