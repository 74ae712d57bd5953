/* SPDX-License-Identifier: MIT */
/* task_self.c - what the running actor may ask about itself, and cleanup sections. */
#include "config.h"

#include "sched/scope.h"
#include "sched/task.h"

static struct tri_actor *running(void)
{
    struct tri_worker *w = tri_worker_self();

    if (!w)
        return NULL;
    return w->task ? &w->task->a : w->handler;
}

tr_id tr_self_id(void)
{
    struct tri_actor *a = running();

    return a ? tri_actor_id(a) : 0;
}

const char *tr_self_name(void)
{
    struct tri_actor *a = running();

    return a ? tri_actor_name(a) : NULL;
}

static bool has_bit(unsigned bit)
{
    struct tri_actor *a = running();

    /* relaxed: a question, answered as of now. */
    return a && (atomic_load_explicit(&a->wakee.word, memory_order_relaxed) & bit);
}

bool tr_self_is_cancelled(void)
{
    return has_bit(TRI_CANCEL);
}

bool tr_self_is_draining(void)
{
    return has_bit(TRI_CANCEL | TRI_DRAIN);
}

tr_shield tr_shield_begin(tr_time budget)
{
    struct tri_task *self = tri_self();
    tr_shield guard = { 0 };
    tr_time until;

    if (!self)
        return guard;
    if (self->a.scope && budget > self->a.scope->budget)
        budget = self->a.scope->budget;
    until = tr_after(budget);
    guard.outer = self->frame->n_shield > 0 ? self->frame->shield_until : TR_NEVER;
    self->frame->shield_until = until < guard.outer ? until : guard.outer;
    self->frame->n_shield++;
    return guard;
}

void tr_shield_end(tr_shield *guard)
{
    struct tri_task *self = tri_self();

    if (!self || self->frame->n_shield == 0)
        return;
    self->frame->n_shield--;
    self->frame->shield_until = guard->outer;
}
