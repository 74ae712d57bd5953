/* SPDX-License-Identifier: MIT */
/* scope.c - see scope.h, and troupe/scope.h for the public functions. */
#include "config.h"

#include <errno.h>

#include "base/log.h"
#include "sched/scope.h"
#include "sched/task.h"

static const tr_time DEFAULT_BUDGET = TR_S(1);

static struct tri_slab slab;
static struct tri_lock setup_lock; /* protects has_slab; nothing is taken inside */
static bool has_slab;

int tri_scope_setup(void)
{
    int r = 0;

    tri_lock_acquire(&setup_lock);
    if (!has_slab)
        r = tri_slab_init(&slab, (sizeof(struct tri_scope) + 15) / 16 * 16);
    has_slab = r == 0;
    tri_lock_release(&setup_lock);
    return r;
}

struct tri_slab *tri_scope_slab(void)
{
    return &slab;
}

struct tri_scope *tri_scope_new(struct tri_runtime *rt, struct tri_scope *parent,
                                struct tri_task *owner, const struct tr_scope_opts *opts)
{
    struct tri_scope *s = tri_slab_get(&tri_worker_self()->scopes);

    if (!s)
        return NULL;
    s->rt = rt;
    s->parent = parent;
    s->owner = owner;
    s->name = opts->name;
    s->policy = opts->policy;
    s->budget = opts->cleanup_budget > 0 ? opts->cleanup_budget : DEFAULT_BUDGET;
    s->first = s->next = s->prev = NULL;
    s->youngest = NULL;
    s->n_live = s->n_failed = s->n_cancelled = 0;
    s->failure = 0;
    s->joiner = NULL;
    s->stop = 0;
    if (!parent)
        return s;
    if (parent->budget < s->budget)
        s->budget = parent->budget; /* a parent's budget caps its children's */
    tri_lock_acquire(&parent->lock);
    s->stop = parent->stop;
    s->next = parent->first;
    if (s->next)
        s->next->prev = s;
    parent->first = s;
    tri_lock_release(&parent->lock);
    return s;
}

void tri_scope_adopt(struct tri_scope *s, struct tri_task *t)
{
    t->a.scope = s;
    t->uncounted = true;
}

void tri_scope_free(struct tri_scope *s)
{
    if (s->parent) {
        tri_lock_acquire(&s->parent->lock);
        if (s->prev)
            s->prev->next = s->next;
        else
            s->parent->first = s->next;
        if (s->next)
            s->next->prev = s->prev;
        tri_lock_release(&s->parent->lock);
    }
    tri_slab_put(&tri_worker_self()->scopes, s);
}

static bool is_owner(const tr_scope *s)
{
    return s->owner && s->owner == tri_self();
}

int tri_scope_use(tr_scope *s)
{
    struct tri_task *self;

    if (tri_likely(s->impl != NULL))
        return 0;
    self = tri_self();
    if (!self || s->owner != self)
        return -EPERM;
    s->impl = tri_scope_new(tri_worker_self()->rt, self->a.scope, self, &s->opts);
    if (!s->impl)
        return -ENOMEM;
    self->frame->n_scopes++;
    /* relaxed: a stop that comes later reaches the scope by the tree. */
    tri_lock_acquire(&s->impl->lock);
    s->impl->stop |= atomic_load_explicit(&self->a.wakee.word, memory_order_relaxed) &
                     (TRI_DRAIN | TRI_CANCEL);
    if (s->born_cancelled)
        s->impl->stop |= TRI_CANCEL;
    tri_lock_release(&s->impl->lock);
    return 0;
}

int tri_scope_add(struct tri_scope *s, struct tri_actor *a)
{
    a->scope = s;
    tri_lock_acquire(&s->lock);
    if (tri_unlikely(s->stop & TRI_CANCEL)) {
        tri_lock_release(&s->lock);
        return -ESHUTDOWN;
    }
    if (tri_unlikely(s->stop))
        /* relaxed: the actor is not shared yet. */
        atomic_fetch_or_explicit(&a->wakee.word, s->stop, memory_order_relaxed);
    a->older = s->youngest;
    a->younger = NULL;
    if (a->older)
        a->older->younger = a;
    s->youngest = a;
    s->n_live++;
    tri_lock_release(&s->lock);
    return 0;
}

/* An end that is no failure, wherever. */
static bool is_clean(int result)
{
    return result >= 0 || result == -ECANCELED || result == -ESHUTDOWN;
}

/* In a collecting scope, a peer that went away is an end too. */
static bool is_failure(const struct tri_scope *s, int result)
{
    if (is_clean(result))
        return false;
    return s->policy == TR_POLICY_FAIL_FAST || (result != -EPIPE && result != -ECONNRESET);
}

static bool is_vital(const struct tri_actor *a)
{
    return tri_wakee_is_task(&a->wakee) && ((const struct tri_task *)a)->vital;
}

static void fail(struct tri_scope *s, struct tri_actor *a, int result, bool watched)
{
    bool first;

    tri_lock_acquire(&s->lock);
    s->n_failed++;
    first = s->failure == 0;
    if (first && (s->policy == TR_POLICY_FAIL_FAST || is_vital(a)))
        s->failure = result;
    tri_lock_release(&s->lock);
    if (s->policy == TR_POLICY_FAIL_FAST && first) {
        tri_scope_cancel(s);
        return;
    }
    if (s->policy == TR_POLICY_COLLECT && is_vital(a)) {
        tri_log("task '%s' is vital and failed: %s; draining", tri_actor_name(a), tr_strerror(result));
        tri_scope_drain(s);
        if (s == s->rt->root)
            tri_actor_drain(&s->owner->a);
    } else if (watched) {
        tri_task_of(a)->untold = true; /* told when the last handle closes, unless one joins */
    } else {
        tri_tell(TR_EVENT_FAILED, "%s '%s' #%u failed: %s",
                 tri_wakee_is_task(&a->wakee) ? "task" : "handler", tri_actor_name(a), a->slab_index,
                 tr_strerror(result));
    }
}

void tri_scope_remove(struct tri_scope *s, struct tri_actor *a, int result, bool watched)
{
    struct tri_wakee *joiner = NULL;

    if (tri_unlikely(is_failure(s, result)))
        fail(s, a, result, watched); /* while we are in the list the scope cannot go */
    /* relaxed: the worker that runs us, which is our home. */
    tri_worker_count(&atomic_load_explicit(&a->home, memory_order_relaxed)->n_ended);
    tri_lock_acquire(&s->lock);
    if (a->younger)
        a->younger->older = a->older;
    else
        s->youngest = a->older;
    if (a->older)
        a->older->younger = a->younger;
    if (--s->n_live == 0) {
        joiner = s->joiner;
        s->joiner = NULL;
    }
    tri_lock_release(&s->lock);
    if (joiner)
        tri_wake(joiner); /* its memory stays: wakee.h */
}

/* ---- drain and cancel ---- */

static void tell_actor(struct tri_actor *a, unsigned bits)
{
    /* release: what came before the stop is seen by who finds it. acquire: if the actor has
     * parked before, tri_wake() sees its home and does not take it for one that never ran. */
    atomic_fetch_or_explicit(&a->wakee.word, bits, memory_order_acq_rel);
    tri_wake(&a->wakee);
}

void tri_actor_cancel(struct tri_actor *a)
{
    tell_actor(a, TRI_CANCEL);
}

void tri_actor_drain(struct tri_actor *a)
{
    tell_actor(a, TRI_DRAIN);
}

/* Under s->lock: its children, youngest first. */
static void tell_children(struct tri_scope *s, void *arg)
{
    unsigned bits = *(const unsigned *)arg;

    s->stop |= bits;
    for (struct tri_actor *a = s->youngest; a; a = a->older)
        tell_actor(a, bits);
}

/*
 * Visits @top and every scope below it. Goes down holding the locks of the path, so that no scope
 * on it can leave; each lock is taken under its parent's.
 */
void tri_scope_each(struct tri_scope *top, void (*visit)(struct tri_scope *s, void *arg),
                    void *arg)
{
    struct tri_scope *s = top, *up, *next;

    tri_lock_acquire(&s->lock);
    visit(s, arg);
    for (;;) {
        next = s->first;
        if (!next) {
            for (; s != top && !s->next; s = up) {
                up = s->parent;
                tri_lock_release(&s->lock);
            }
            if (s == top)
                break;
            next = s->next;
            tri_lock_release(&s->lock);
        }
        s = next; /* its parent's lock is held, it cannot leave */
        tri_lock_acquire(&s->lock);
        visit(s, arg);
    }
    tri_lock_release(&top->lock);
}

void tri_scope_drain(struct tri_scope *s)
{
    tri_scope_each(s, tell_children, &(unsigned){ TRI_DRAIN });
}

void tri_scope_cancel(struct tri_scope *s)
{
    tri_scope_each(s, tell_children, &(unsigned){ TRI_CANCEL });
}

void tr_scope_cancel(tr_scope *s)
{
    if (!s || tri_is_forked()) /* a forked child: the locks are not its own */
        return;
    if (s->impl)
        tri_scope_cancel(s->impl);
    else if (is_owner(s))
        s->born_cancelled = true;
}

/* ---- joining ---- */

static bool join_attempt(tr_arm *arm)
{
    struct tri_scope *s = arm->source;
    bool empty;

    tri_lock_acquire(&s->lock);
    empty = s->n_live == 0;
    tri_lock_release(&s->lock);
    arm->result = 0;
    return empty;
}

static bool join_enroll(tr_arm *arm, struct tri_waiter *w)
{
    struct tri_scope *s = arm->source;
    bool enrolled;

    tri_lock_acquire(&s->lock); /* the look and the registration are one step */
    enrolled = s->n_live > 0;
    if (enrolled)
        s->joiner = w->wakee;
    tri_lock_release(&s->lock);
    return enrolled;
}

static bool join_withdraw(tr_arm *arm, struct tri_waiter *w)
{
    struct tri_scope *s = arm->source;

    (void)w;
    tri_lock_acquire(&s->lock);
    s->joiner = NULL;
    tri_lock_release(&s->lock);
    return false;
}

static const struct tri_arm_ops join_ops = { .what = "scope join",
                                             .attempt = join_attempt,
                                             .enroll = join_enroll,
                                             .withdraw = join_withdraw };

tr_arm tr_scope_join_arm(tr_scope *s)
{
    return (tr_arm){ .ops = s && s->impl ? &join_ops : NULL, .source = s ? s->impl : NULL };
}

/* The first failure, which is hereby reported. */
static int outcome(struct tri_scope *s)
{
    int r;

    tri_lock_acquire(&s->lock);
    r = s->failure;
    s->failure = 0;
    tri_lock_release(&s->lock);
    return r;
}

/* What is said to others than the owner. */
static int stranger(void)
{
    return tri_is_forked() ? -EOWNERDEAD : -EPERM;
}

int tr_scope_join(tr_scope *s, tr_time deadline)
{
    tr_arm arm = tr_scope_join_arm(s);
    int r;

    if (!s)
        return -EINVAL;
    if (!is_owner(s))
        return stranger();
    if (!arm.ops)
        return 0;
    r = tri_wait(&arm, deadline);
    return r < 0 ? r : outcome(s->impl);
}

/* Waits until the scope is empty, whatever happens to the caller. */
static void join_regardless(tr_scope *s)
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
    int r;

    if (!s)
        return -EINVAL;
    if (!is_owner(s))
        return stranger();
    if (!arm.ops)
        return 0;
    tri_scope_drain(s->impl);
    r = tri_wait(&arm, deadline & ~TR_DRAIN_BIT);
    if (r < 0) {
        tri_scope_cancel(s->impl);
        join_regardless(s); /* a failure stays for a later join, or for the hook at the end */
        return r;
    }
    return outcome(s->impl);
}

void tr_scope_end(tr_scope *s)
{
    struct tri_scope *impl;
    int failure;

    if (!s || !s->impl || tri_is_forked())
        return;
    impl = s->impl;
    if (!is_owner(s)) {
        tri_tell(TR_EVENT_MISUSE, "scope '%s' was ended by another than the task that opened it",
                 impl->name ? impl->name : "?");
        return;
    }
    if (tr_scope_len(s) > 0) {
        tri_scope_cancel(impl);
        join_regardless(s);
    }
    failure = outcome(impl);
    if (failure < 0)
        tri_tell(TR_EVENT_FAILED, "scope '%s' ended with a failure that no join reported: %s",
                 impl->name ? impl->name : "?", tr_strerror(failure));
    s->impl = NULL;
    s->born_cancelled = false;
    if (impl == impl->rt->root)
        return;
    tri_self()->frame->n_scopes--;
    tri_scope_free(impl);
}

/* A scope below @parent that @owner has opened. */
static struct tri_scope *find_owned(struct tri_scope *parent, const struct tri_task *owner)
{
    struct tri_scope *s;

    tri_lock_acquire(&parent->lock);
    for (s = parent->first; s && s->owner != owner; s = s->next)
        ;
    tri_lock_release(&parent->lock);
    return s;
}

void tri_scope_end_forgotten(struct tri_task *self)
{
    while (self->frame->n_scopes > 0) {
        tr_scope s = { .owner = self, .impl = find_owned(self->a.scope, self) };

        TRI_ASSERT(s.impl);
        tri_tell(TR_EVENT_MISUSE, "task '%s' returned without tr_scope_end() of its scope '%s'; "
                 "declare scopes with TR_CLEANUP(tr_scope_end)",
                 self->name, s.impl->name ? s.impl->name : "?");
        tr_scope_end(&s);
    }
}

/* ---- questions ---- */

tr_scope tr_scope_open(const struct tr_scope_opts *opts)
{
    tr_scope s = { .owner = tri_self() };

    if (opts)
        s.opts = *opts;
    return s;
}

static size_t look(const tr_scope *s, const size_t *field)
{
    size_t n;

    tri_lock_acquire(&s->impl->lock);
    n = *field;
    tri_lock_release(&s->impl->lock);
    return n;
}

size_t tr_scope_len(const tr_scope *s)
{
    return s && s->impl ? look(s, &s->impl->n_live) : 0;
}

size_t tr_scope_failures(const tr_scope *s)
{
    return s && s->impl ? look(s, &s->impl->n_failed) : 0;
}

bool tr_scope_is_draining(const tr_scope *s)
{
    bool draining;

    if (!s || !s->impl)
        return s && (s->born_cancelled || (s->owner && s->owner == tri_self() &&
                                           tr_self_is_draining()));
    tri_lock_acquire(&s->impl->lock);
    draining = s->impl->stop != 0;
    tri_lock_release(&s->impl->lock);
    return draining;
}
