/* SPDX-License-Identifier: MIT */
/* semaphore.c - permits (permits.h) as they are, and permits in hand as values. */
#include "config.h"

#include <troupe/semaphore.h>

#include "sched/misuse.h"
#include "sync/permits.h"

static const struct tri_arm_ops acquire_ops = {
    .what = "semaphore acquire",
    .attempt = tri_permits_attempt,
    .enroll = tri_permits_enroll,
    .withdraw = tri_permits_withdraw,
    .keeps_place = tri_crowd_keeps_place,
};

int tr_semaphore_init(tr_semaphore *s, size_t n)
{
    if (!s)
        return -EINVAL;
    if (n > TR_SEMAPHORE_MAX)
        return tri_misuse(-EINVAL, __func__, "more permits than TR_SEMAPHORE_MAX");
    tri_crowd_init(tri_crowd_of(&s->inside), n, 0);
    return 0;
}

/* ---- taking ---- */

static bool is_misuse(const tr_semaphore *s, size_t n)
{
    return tri_unlikely(!s || n > TR_SEMAPHORE_MAX);
}

/* Never succeeds: for an arm that was made with bad arguments. */
static bool refuse(tr_arm *arm)
{
    arm->result = -EINVAL;
    return true;
}

static const struct tri_arm_ops refused_ops = { .what = "semaphore acquire",
                                                .attempt = refuse };

tr_arm tr_semaphore_acquire_arm(tr_semaphore *s, size_t n)
{
    if (!s)
        return (tr_arm){ 0 };
    if (is_misuse(s, n))
        return (tr_arm){ .ops = &refused_ops };
    return tri_permits_arm(&acquire_ops, tri_crowd_of(&s->inside), n);
}

int tr_semaphore_try_acquire(tr_semaphore *s, size_t n)
{
    return is_misuse(s, n) ? -EINVAL : tri_permits_try(tri_crowd_of(&s->inside), n);
}

int tr_semaphore_acquire(tr_semaphore *s, size_t n, tr_time deadline)
{
    tr_arm arm;
    int r;

    if (is_misuse(s, n))
        return -EINVAL;
    r = tri_wait_enter(tri_self_at_entry());
    if (tri_likely(r == 0))
        r = tri_permits_try(tri_crowd_of(&s->inside), n);
    if (tri_likely(r != -EAGAIN))
        return r;
    arm = tr_semaphore_acquire_arm(s, n);
    r = tri_wait(&arm, deadline);
    return r < 0 ? r : arm.result;
}

int tr_semaphore_blocking_acquire(tr_semaphore *s, size_t n, tr_time deadline)
{
    tr_arm arm;
    int r;

    if (is_misuse(s, n))
        return -EINVAL;
    arm = tr_semaphore_acquire_arm(s, n);
    r = tri_wait_blocking(&arm, deadline, __builtin_return_address(0));
    return r < 0 ? r : arm.result;
}

/* ---- giving ---- */

int tr_semaphore_release(tr_semaphore *s, size_t n)
{
    if (!s)
        return -EINVAL;
    if (tri_permits_give(tri_crowd_of(&s->inside), n, TR_SEMAPHORE_MAX) < 0)
        return tri_misuse(-EINVAL, __func__, "more permits than TR_SEMAPHORE_MAX");
    return 0;
}

static size_t available(uint64_t word)
{
    return word & TRI_CROWD_WAITING ? 0 : (size_t)tri_permits_in(word);
}

size_t tr_semaphore_forget(tr_semaphore *s, size_t n)
{
    struct tri_crowd *c = s ? tri_crowd_of(&s->inside) : NULL;
    uint64_t word, gone;

    if (!c)
        return 0;
    /* relaxed, here and on failure: the CAS confirms it, or it is the answer 0. */
    word = atomic_load_explicit(&c->word, memory_order_relaxed);
    do {
        gone = available(word) < n ? available(word) : n;
        if (gone == 0)
            return 0;
        /* release: what we did before, to whoever takes a permit next; acquire: as there. */
    } while (!atomic_compare_exchange_weak_explicit(
        &c->word, &word, word - (gone << TRI_CROWD_SHIFT), memory_order_acq_rel,
        memory_order_relaxed));
    return (size_t)gone;
}

size_t tr_semaphore_available(const tr_semaphore *s)
{
    return s ? available(tri_crowd_look(&s->inside)) : 0;
}

void tr_semaphore_close(tr_semaphore *s)
{
    if (s)
        tri_permits_close(tri_crowd_of(&s->inside));
}

bool tr_semaphore_is_closed(const tr_semaphore *s)
{
    return !s || tri_crowd_look(&s->inside) & TRI_PERMITS_CLOSED;
}

/* ---- permits in hand ---- */

void tr_permit_release(tr_permit *p)
{
    tr_permit old;

    if (!p)
        return;
    old = *p;
    *p = (tr_permit){ NULL, 0 }; /* first: it may lie in what the permits protect */
    if (old.n > 0)
        (void)tr_semaphore_release(old.semaphore, old.n);
}

void tr_permit_forget(tr_permit *p)
{
    if (p)
        *p = (tr_permit){ NULL, 0 };
}

int tr_permit_merge(tr_permit *into, tr_permit *from)
{
    if (!into || !from || into == from)
        return -EINVAL;
    if (from->n > 0 && into->n > 0 && from->semaphore != into->semaphore)
        return tri_misuse(-EINVAL, __func__, "these are permits of two semaphores");
    if (from->n > TR_SEMAPHORE_MAX - into->n)
        return tri_misuse(-EINVAL, __func__, "more permits than TR_SEMAPHORE_MAX");
    if (from->n > 0)
        *into = (tr_permit){ from->semaphore, into->n + from->n };
    *from = (tr_permit){ NULL, 0 };
    return 0;
}

int tr_permit_split(tr_permit *p, size_t n, tr_permit *ret_part)
{
    if (!p || !ret_part || p == ret_part || n > p->n)
        return -EINVAL;
    p->n -= n;
    *ret_part = (tr_permit){ p->semaphore, n };
    return 0;
}
