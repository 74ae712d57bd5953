/* SPDX-License-Identifier: MIT */
/*
 * wait.c - see wait.h: the loop in which tasks wait, and parking.
 *
 * A park ends by a wake of the source, by the timer, by a cancel or a drain; each of them turns
 * READY on, and the first one queues the task. So nothing needs to be undone but the timer, and
 * the causes can be told apart afterwards: by the word's bits and by frame->timed_out.
 */
#include "config.h"

#include <errno.h>

#include <troupe/signal.h>

#include "base/log.h"
#include "sched/misuse.h"
#include "sched/task.h"

enum {
    IGNORED_FREE = 1,      /* -ECANCELED results that cost nothing */
    IGNORED_TOLD = 10000,  /* then the task is reported */
};

static struct tri_worker *home_of(struct tri_task *t)
{
    /* relaxed: @t runs on the calling thread, which is its home's. */
    return atomic_load_explicit(&t->a.home, memory_order_relaxed);
}

struct tri_wakee *tri_task_wakee(struct tri_task *t)
{
    return &t->a.wakee;
}

/* In a cleanup section whose budget is neither over nor cut, a cancel is not seen. */
static bool is_shielded(struct tri_task *t)
{
    struct tri_frame *f = t->frame;

    if (f->n_shield == 0 || f->shield_until == TR_NEVER) /* NEVER: a join, which has to end */
        return f->n_shield > 0;
    /* relaxed: whoever raises it to ABORT wakes every task afterwards. */
    return tr_now() < f->shield_until &&
           atomic_load_explicit(&home_of(t)->rt->level, memory_order_relaxed) < TR_LEVEL_ABORT;
}

/* Lets others run: behind those in @q. */
static void yield(struct tri_task *self, struct tri_runq *q)
{
    if (self->movable)
        tri_worker_ready(&self->a);
    else
        tri_runq_push(q, &self->a);
    tri_worker_switch(home_of(self), self);
}

/* The queue for those who give way; a task that is there once keeps a place in it. */
static struct tri_runq *late_queue(struct tri_task *self)
{
    struct tri_worker *w = home_of(self);

    if (self->movable || (!self->frame->yields && tri_runq_reserve(&w->late) < 0))
        return &w->own;
    self->frame->yields = true;
    return &w->late;
}

/* A wait of a cancelled task: from the second one on it costs a turn. */
static int refuse_cancelled(struct tri_task *self)
{
    struct tri_frame *f = self->frame;

    if (f->n_ignored++ >= IGNORED_FREE)
        yield(self, &home_of(self)->own);
    if (f->n_ignored == IGNORED_TOLD)
        tri_tell(TR_EVENT_OVERRUN, "task '%s' #%u was cancelled and has waited %u times since",
                 self->name, self->a.slab_index, f->n_ignored);
    return -ECANCELED;
}

int tri_wait_enter_slow(struct tri_task *self, const char *what)
{
    struct tri_worker *w;
    unsigned word;

    if (!self)
        return tri_misuse_waits(what);
    /* relaxed: a cancel that is not seen now is seen by the park. */
    word = atomic_load_explicit(&self->a.wakee.word, memory_order_relaxed);
    w = home_of(self);
    if (word & TRI_CANCEL) {
        if (!is_shielded(self))
            return refuse_cancelled(self);
        w->budget--; /* tri_wait_enter() does not count for the cancelled */
    }
    if (w->budget <= 0)
        yield(self, &w->own); /* its slice is over; the operation itself is not refused */
    return 0;
}

bool tri_wait_is_over(struct tri_task *self, tr_time deadline, int *ret_r)
{
    /* relaxed: as above. */
    unsigned word = atomic_load_explicit(&self->a.wakee.word, memory_order_relaxed);

    if ((word & TRI_CANCEL) && !is_shielded(self))
        *ret_r = -ECANCELED;
    else if ((word & TRI_DRAIN) && deadline > TR_NEVER)
        *ret_r = -ESHUTDOWN;
    else if ((deadline & ~TR_DRAIN_BIT) <= TR_NOW)
        *ret_r = -ETIMEDOUT;
    else
        return false;
    return true;
}

void tri_park_undo(struct tri_task *self)
{
    if (!self->movable)
        return; /* not parked: a request on its way will find so */
    /*
     * As tri_wake() of ourselves: if somebody was first, we are queued, and must be taken out.
     */
    if (atomic_fetch_or_explicit(&self->a.wakee.word, TRI_READY, memory_order_acq_rel) &
        TRI_READY)
        tri_worker_switch(home_of(self), self);
}

/* The word as of the end of the park says why it ended. */
static int why(struct tri_task *self, tr_time deadline, unsigned word)
{
    if ((word & TRI_CANCEL) && !is_shielded(self)) {
        self->frame->n_ignored++;
        return -ECANCELED;
    }
    if ((word & TRI_DRAIN) && deadline > TR_NEVER)
        return -ESHUTDOWN;
    return self->frame->timed_out ? -ETIMEDOUT : 0;
}

/* Marks the task as asleep; true: it was woken meanwhile, and need not be. */
static bool sleep_now(struct tri_task *self)
{
    struct tri_wakee *me = &self->a.wakee;

    if (tri_unlikely(self->movable))
        return false; /* READY is the mark */
    /* relaxed: our thread's. */
    if (tri_unlikely(atomic_load_explicit(&me->notified, memory_order_relaxed)))
        return true;
    /* release: pairs with the acquire in tri_wakee_here(), for stale wakers elsewhere: home. */
    atomic_store_explicit(&me->parked, true, memory_order_release);
    return false;
}

int tri_park(struct tri_task *self, tr_time deadline)
{
    struct tri_frame *f = self->frame;
    struct tri_worker *w = home_of(self);
    tr_time limit = deadline & ~TR_DRAIN_BIT;
    unsigned word;
    int r;

    f->timed_out = false;
    if (tri_unlikely(f->seen & (TRI_CANCEL | TRI_DRAIN))) {
        r = why(self, deadline, f->seen);
        if (r < 0) {
            tri_park_undo(self);
            return r;
        }
        if (f->n_shield > 0 && f->shield_until < limit && (f->seen & TRI_CANCEL))
            limit = f->shield_until;
    }
    if (limit < TR_NEVER)
        tri_wheel_insert(&w->wheel, &f->timer, limit);
    if (!sleep_now(self))
        tri_worker_switch(w, self);
    if (limit < TR_NEVER)
        tri_wheel_remove(&home_of(self)->wheel, &f->timer);
    /* acquire: pairs with the release of whoever woke us. */
    word = atomic_load_explicit(&self->a.wakee.word, memory_order_acquire);
    if (tri_likely(!(word & (TRI_CANCEL | TRI_DRAIN)) && !f->timed_out))
        return 0;
    return why(self, deadline, word);
}

void tri_task_timer_fired(struct tri_timer *timer)
{
    struct tri_frame *f =
        (struct tri_frame *)(void *)((char *)timer - offsetof(struct tri_frame, timer));

    f->timed_out = true;
    tri_wake(&f->task->a.wakee);
}

/* Parks until the source has let @w go, or something else ends the wait. */
static int park_in_line(struct tri_task *self, tr_arm *arm, struct tri_waiter *w,
                        tr_time deadline)
{
    int r = tri_park(self, deadline);

    while (r == 0 && arm->ops->keeps_place && arm->ops->keeps_place(arm, w)) {
        tri_park_prepare(self);
        if (!arm->ops->keeps_place(arm, w)) {
            tri_park_undo(self);
            break;
        }
        r = tri_park(self, deadline);
    }
    return r;
}

int tri_wait(tr_arm *arm, tr_time deadline)
{
    struct tri_task *self = tri_self();
    struct tri_waiter w = { .value = arm->value };
    int r = tri_wait_enter_as(self, arm->ops->what);

    if (r < 0)
        return r;
    w.wakee = &self->a.wakee;
    tri_task_note(self, arm->ops, arm->source);
    while (!arm->ops->attempt(arm)) {
        if (r < 0 || tri_wait_is_over(self, deadline, &r))
            return r;
        tri_park_prepare(self);
        if (!arm->ops->enroll(arm, &w)) {
            tri_park_undo(self);
            continue;
        }
        r = park_in_line(self, arm, &w,
                         tri_unlikely(arm->ops->due != NULL) ? tri_arm_limit(arm, deadline)
                                                             : deadline);
        if (arm->ops->withdraw(arm, &w))
            return 0;
        if (tri_unlikely(arm->ops->due != NULL))
            r = tri_due_is_no_error(r, deadline);
    }
    return 0;
}

/* ---- waiting for time alone ---- */

static bool never(tr_arm *arm)
{
    (void)arm;
    return false;
}

static const struct tri_arm_ops sleep_ops = { .what = "sleep", .attempt = never };

int tr_sleep(tr_time deadline)
{
    struct tri_task *self = tri_self();
    int r = tri_wait_enter(self);

    if (r < 0)
        return r;
    tri_task_note(self, &sleep_ops, NULL);
    do {
        if (tri_wait_is_over(self, deadline, &r))
            break;
        tri_park_prepare(self);
        r = tri_park(self, deadline);
    } while (r == 0); /* spurious */
    return r == -ETIMEDOUT ? 0 : r;
}

int tr_yield(void)
{
    struct tri_task *self = tri_self();
    int r = tri_wait_enter(self);

    if (r == 0)
        yield(self, late_queue(self));
    return r;
}

int tr_tick(void)
{
    struct tri_task *self = tri_self();

    return self ? tri_wait_enter(self) : 0;
}

int tr_slice_left(void)
{
    struct tri_task *self = tri_self();
    int left = self ? home_of(self)->budget - 1 : 0; /* the next one but the last gives way */

    return left > 0 ? left : 0;
}
