/* SPDX-License-Identifier: MIT */
/*
 * select.c - tr_select(): the loop of sched/wait.c over several arms. It attempts the arms from
 * one drawn anew each time, in rotation, enrols a waiter with each source, sleeps once, takes
 * all waiters back, and attempts again. A source may only wake a waiter that selects, never
 * perform the operation for it, so exactly one arm is consumed: by the one attempt that
 * succeeds, in the task itself. After the sleep it attempts before it takes the waiters back,
 * so that one which had come to the head of a line does not lose its place there.
 *
 * No wake-up is lost: READY is taken away before the first waiter is enrolled, and each source
 * looks once more after enrolling (wait.h).
 */
#include "config.h"

#include <errno.h>

#include "sched/worker.h"

enum { FEW = 8 };

/* ---- select ---- */

struct select {
    tr_arm *arms;
    struct tri_waiter *waiters; /* one for each arm */
    unsigned n;
    bool draws; /* where each search begins; else at arm 0 */
};

static const struct tri_arm_ops select_ops = { .what = "select" };

/* The earliest of @deadline and the instants at which arms are due. */
static tr_time limit(const struct select *s, tr_time deadline)
{
    for (unsigned i = 0; i < s->n; i++)
        if (s->arms[i].ops)
            deadline = tri_arm_limit(&s->arms[i], deadline);
    return deadline;
}

/* Where a search begins. */
static unsigned start_of(const struct select *s, struct tri_task *self)
{
    struct tri_worker *w;

    if (!s->draws)
        return 0;
    /* relaxed: the worker that runs us; another one after a movable task's park. */
    w = atomic_load_explicit(&self->a.home, memory_order_relaxed);
    return (unsigned)(tri_worker_random(w) % s->n);
}

/* The index of an arm that was performed, or -1. */
static int attempt(struct select *s, struct tri_task *self)
{
    const unsigned start = start_of(s, self);

    for (unsigned k = 0; k < s->n; k++) {
        unsigned i = start + k < s->n ? start + k : start + k - s->n;

        if (s->arms[i].ops && s->arms[i].ops->attempt(&s->arms[i]))
            return (int)i;
    }
    return -1;
}

/* Takes back the waiters of the first @n arms. */
static void withdraw(struct select *s, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        if (s->arms[i].ops)
            (void)s->arms[i].ops->withdraw(&s->arms[i], &s->waiters[i]);
}

static bool enroll(struct select *s, struct tri_task *self)
{
    for (unsigned i = 0; i < s->n; i++) {
        if (!s->arms[i].ops)
            continue;
        s->waiters[i] = (struct tri_waiter){ .wakee = tri_task_wakee(self),
                                             .value = s->arms[i].value,
                                             .selects = true };
        if (!s->arms[i].ops->enroll(&s->arms[i], &s->waiters[i])) {
            withdraw(s, i);
            return false;
        }
    }
    return true;
}

static int wait_any(struct select *s, struct tri_task *self, tr_time deadline)
{
    int i = attempt(s, self), r = 0;

    tri_task_note(self, &select_ops, s->arms);
    while (i < 0 && r == 0 && !tri_wait_is_over(self, deadline, &r)) {
        tri_park_prepare(self);
        if (enroll(s, self)) {
            r = tri_park(self, limit(s, deadline));
            i = attempt(s, self);
            withdraw(s, s->n);
        } else {
            tri_park_undo(self);
            i = attempt(s, self);
        }
        r = tri_due_is_no_error(r, deadline); /* a due arm, of which another one was quicker */
    }
    return i >= 0 ? i : r;
}

/* Few arms, the common case, keep the frame within the first page of the stack. */
static __attribute__((noinline)) int wait_few(struct select *s, struct tri_task *self,
                                              tr_time deadline)
{
    struct tri_waiter waiters[FEW];

    s->waiters = waiters;
    return wait_any(s, self, deadline);
}

static __attribute__((noinline)) int wait_many(struct select *s, struct tri_task *self,
                                               tr_time deadline)
{
    struct tri_waiter waiters[TR_SELECT_MAX];

    s->waiters = waiters;
    return wait_any(s, self, deadline);
}

static int run(tr_time deadline, tr_arm *arms, size_t n, bool draws)
{
    struct tri_task *self = tri_self();
    struct select s = { arms, NULL, (unsigned)n, draws };
    bool enabled = false;
    int r = tri_wait_enter_as(self, "tr_select");

    if (r < 0)
        return r;
    if (n > TR_SELECT_MAX)
        return -EINVAL;
    for (size_t i = 0; i < n; i++)
        enabled |= arms[i].ops != NULL;
    if (!enabled)
        return -EINVAL;
    return n <= FEW ? wait_few(&s, self, deadline) : wait_many(&s, self, deadline);
}

int tr_select(tr_time deadline, tr_arm *arms, size_t n)
{
    return run(deadline, arms, n, true);
}

int tr_select_first(tr_time deadline, tr_arm *arms, size_t n)
{
    return run(deadline, arms, n, false);
}
