/* SPDX-License-Identifier: MIT */
/*
 * scope_wait.c - what the owner of a scope waits for: that no child is left, that one has ended
 * whose result is kept, that there is room for one more.
 *
 * No wake-up is lost: the look and the registration are one step under the scope's lock, and so
 * are the end of a child and the look for a registration (tri_scope_remove). Only the owner
 * waits, so one wakee and a set of reasons are enough, also for several arms of one select.
 */
#include "config.h"

#include <errno.h>
#include <stdio.h>

#include "sched/scope.h"
#include "sched/task.h"

/* ---- arms ---- */

unsigned tri_scope_ready(const struct tri_scope *s)
{
    unsigned ready = s->n_live == 0 ? TRI_WANT_EMPTY | TRI_WANT_RESULT | TRI_WANT_ROOM : 0;

    if (s->kept)
        ready |= TRI_WANT_RESULT;
    if (s->max_children == 0 || s->n_live < s->max_children)
        ready |= TRI_WANT_ROOM;
    return ready;
}

/* arm->source: the scope; arm->extra[0]: what is wanted. */
static bool attempt(tr_arm *arm)
{
    struct tri_scope *s = arm->source;
    bool ready;

    tri_lock_acquire(&s->lock);
    ready = tri_scope_ready(s) & arm->extra[0];
    tri_lock_release(&s->lock);
    arm->result = 0;
    return ready;
}

bool tri_scope_enroll(tr_arm *arm, struct tri_waiter *w)
{
    struct tri_scope *s = arm->source;
    bool enrolled;

    tri_lock_acquire(&s->lock);
    enrolled = !(tri_scope_ready(s) & arm->extra[0]);
    if (enrolled) {
        s->joiner = w->wakee;
        s->wanted |= (unsigned)arm->extra[0];
    }
    tri_lock_release(&s->lock);
    return enrolled;
}

bool tri_scope_withdraw(tr_arm *arm, struct tri_waiter *w)
{
    struct tri_scope *s = arm->source;

    (void)w;
    tri_lock_acquire(&s->lock);
    s->joiner = NULL; /* other arms of the same select are withdrawn, too */
    s->wanted = 0;
    tri_lock_release(&s->lock);
    return false;
}

int tri_scope_take(struct tri_scope *s, struct tri_task **ret_task)
{
    int r;

    tri_lock_acquire(&s->lock);
    r = s->kept ? 1 : s->n_live == 0 ? 0 : -EAGAIN;
    if (r > 0)
        *ret_task = tri_scope_unkeep(s);
    tri_lock_release(&s->lock);
    return r;
}

static int take(struct tri_scope *s, tr_ended *ret_ended)
{
    struct tri_task *t;
    int r = tri_scope_take(s, &t);

    if (r > 0) {
        *ret_ended = (tr_ended){ tri_actor_id(&t->a), t->name, t->result };
        tri_task_told(t);
        tri_task_unref(t);
    }
    return r;
}

static bool next_attempt(tr_arm *arm)
{
    arm->result = take(arm->source, arm->value);
    return arm->result >= 0;
}

static const struct tri_arm_ops join_ops = { .what = "scope join",
                                             .attempt = attempt,
                                             .enroll = tri_scope_enroll,
                                             .withdraw = tri_scope_withdraw };

static const struct tri_arm_ops room_ops = { .what = "scope room",
                                             .attempt = attempt,
                                             .enroll = tri_scope_enroll,
                                             .withdraw = tri_scope_withdraw };

static const struct tri_arm_ops next_ops = { .what = "scope next",
                                             .attempt = next_attempt,
                                             .enroll = tri_scope_enroll,
                                             .withdraw = tri_scope_withdraw };

static tr_arm arm_of(tr_scope *s, const struct tri_arm_ops *ops, unsigned wanted, void *value)
{
    return (tr_arm){ .ops = s && s->impl ? ops : NULL,
                     .source = s ? s->impl : NULL,
                     .value = value,
                     .extra = { wanted } };
}

tr_arm tr_scope_join_arm(tr_scope *s)
{
    return arm_of(s, &join_ops, TRI_WANT_EMPTY, NULL);
}

tr_arm tr_scope_room_arm(tr_scope *s)
{
    return arm_of(s, &room_ops, TRI_WANT_ROOM, NULL);
}

tr_arm tr_scope_next_arm(tr_scope *s, tr_ended *ret_ended)
{
    bool keeps = s && ret_ended && s->opts.keep != TR_KEEP_NOTHING;

    return arm_of(keeps ? s : NULL, &next_ops, TRI_WANT_RESULT, ret_ended);
}

/* ---- joining ---- */

bool tri_scope_is_own(const tr_scope *s)
{
    return s->owner && s->owner == tri_self();
}

/* 0: the caller owns @s. */
static int check_owner(const tr_scope *s)
{
    if (!s)
        return -EINVAL;
    if (tri_scope_is_own(s))
        return 0;
    return tri_is_forked() ? -EOWNERDEAD : -EPERM;
}

int tri_scope_outcome(struct tri_scope *s)
{
    int r;

    tri_lock_acquire(&s->lock);
    r = s->failure;
    s->failure = 0;
    tri_lock_release(&s->lock);
    return r;
}

int tr_scope_join(tr_scope *s, tr_time deadline)
{
    tr_arm arm = tr_scope_join_arm(s);
    int r = check_owner(s);

    if (r < 0 || !arm.ops)
        return r;
    r = tri_wait(&arm, deadline);
    return r < 0 ? r : tri_scope_outcome(s->impl);
}

void tri_scope_join_regardless(tr_scope *s)
{
    struct tri_task *self = tri_self();
    tr_arm arm = tr_scope_join_arm(s);
    tr_time outer = self->frame->shield_until;

    self->frame->n_shield++;
    self->frame->shield_until = TR_NEVER;
    while (tri_wait(&arm, TR_NEVER) < 0)
        ;
    self->frame->shield_until = outer;
    self->frame->n_shield--;
}

int tr_scope_drain(tr_scope *s, tr_time deadline)
{
    tr_arm arm = tr_scope_join_arm(s);
    int r = check_owner(s);

    if (r < 0 || !arm.ops)
        return r;
    tri_scope_drain(s->impl);
    r = tri_wait(&arm, deadline & ~TR_DRAIN_BIT);
    if (r < 0) {
        tri_scope_cancel(s->impl);
        tri_scope_join_regardless(s); /* a failure stays for a later join, or for the hook at
                                       * the end */
        return r;
    }
    return tri_scope_outcome(s->impl);
}

/* ---- one child after the other ---- */

int tr_scope_room(tr_scope *s, tr_time deadline)
{
    tr_arm arm = tr_scope_room_arm(s);
    int r = check_owner(s);

    return r < 0 || !arm.ops ? r : tri_wait(&arm, deadline);
}

int tr_scope_next(tr_scope *s, tr_time deadline, tr_ended *ret_ended)
{
    tr_arm arm = tr_scope_next_arm(s, ret_ended);
    int r = check_owner(s);

    if (r < 0)
        return r;
    if (s->opts.keep == TR_KEEP_NOTHING || !ret_ended)
        return -EINVAL;
    if (!arm.ops)
        return 0;
    r = tri_wait(&arm, deadline);
    return r < 0 ? r : arm.result;
}

int tr_scope_try_next(tr_scope *s, tr_ended *ret_ended)
{
    int r = check_owner(s);

    if (r < 0)
        return r;
    if (s->opts.keep == TR_KEEP_NOTHING || !ret_ended)
        return -EINVAL;
    return s->impl ? take(s->impl, ret_ended) : 0;
}

size_t tr_scope_kept(const tr_scope *s)
{
    size_t n;

    if (!s || !s->impl)
        return 0;
    tri_lock_acquire(&s->impl->lock);
    n = s->impl->n_kept;
    tri_lock_release(&s->impl->lock);
    return n;
}

/* Whoever was cancelled with the whole scope has not won. */
static bool is_winner(struct tri_scope *s, const tr_ended *e, bool successful)
{
    bool cancelled;

    if (e->result != -ECANCELED)
        return !successful || e->result >= 0;
    tri_lock_acquire(&s->lock);
    cancelled = s->stop & TRI_CANCEL;
    tri_lock_release(&s->lock);
    return !successful && !cancelled;
}

/* Waits for a winner; then nobody is left. */
static int first(tr_scope *s, tr_time deadline, bool successful, tr_ended *ret_ended)
{
    tr_ended ended = { 0, NULL, -EINVAL }; /* no child at all */
    int r, last;

    do {
        last = ended.result;
        r = tr_scope_next(s, deadline, &ended);
    } while (r == 1 && !is_winner(s->impl, &ended, successful));
    if (r == 1)
        *ret_ended = ended;
    if (s->impl) {
        tri_scope_cancel(s->impl);
        tri_scope_join_regardless(s);
        if (r == 0 && s->impl->overdue) /* nobody is left who could change it */
            last = -ETIMEDOUT;
    }
    return r == 1 ? 0 : r == 0 ? last : r;
}

/* What first() needs beyond tr_scope_next(): every result. */
static int check_first(const tr_scope *s, const tr_ended *ret_ended)
{
    int r = check_owner(s);

    if (r < 0)
        return r;
    return s->opts.keep == TR_KEEP_ALL && ret_ended ? 0 : -EINVAL;
}

int tr_scope_first(tr_scope *s, tr_time deadline, tr_ended *ret_ended)
{
    int r = check_first(s, ret_ended);

    return r < 0 ? r : first(s, deadline, false, ret_ended);
}

int tr_scope_first_success(tr_scope *s, tr_time deadline, tr_ended *ret_ended)
{
    int r = check_first(s, ret_ended);

    if (r == 0 && s->opts.policy != TR_POLICY_COLLECT)
        r = -EINVAL; /* the first failure would end them all */
    return r < 0 ? r : first(s, deadline, true, ret_ended);
}

int tr_ended_text(const tr_ended *e, size_t size, char *ret_text)
{
    const unsigned number = (unsigned)(e->id & ((1u << TRI_SPACE_SHIFT) - 1)) - 1;

    if (e->result == -ECANCELED)
        return snprintf(ret_text, size, "task '%s' #%u was cancelled", e->name, number);
    if (e->result < 0)
        return snprintf(ret_text, size, "task '%s' #%u failed: %s", e->name, number,
                        tr_strerror(e->result));
    return snprintf(ret_text, size, "task '%s' #%u ended with %d", e->name, number, e->result);
}
