/* SPDX-License-Identifier: MIT */
/* scope.c - see scope.h, and troupe/scope.h for the public functions. */
#include "config.h"

#include <errno.h>

#include "base/log.h"
#include "base/place.h"
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
    s->wanted = 0;
    s->culprit = s->kept = s->last_kept = NULL;
    s->told = s->overdue = false;
    s->keep = opts->keep;
    s->max_children = opts->max_children;
    s->n_kept = 0;
    s->timer = (struct tri_timer){ .owner = TRI_TIMER_SCOPE };
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

/* Arms the timer of a new scope, or finds that its time is over. */
static void set_deadline(struct tri_scope *s, tr_time deadline)
{
    deadline &= ~TR_DRAIN_BIT;
    if (deadline <= tr_now()) {
        s->overdue = true;
        s->stop |= TRI_CANCEL;
    } else if (deadline < TR_NEVER) {
        tri_wheel_insert(&tri_worker_self()->wheel, &s->timer, deadline);
    }
}

int tri_scope_use(tr_scope *s)
{
    struct tri_task *self;

    if (tri_likely(s->impl != NULL))
        return 0;
    self = tri_self();
    if (!self || s->owner != self)
        return -EPERM;
    if (s->opts.deadline != 0 && self->movable)
        return -EINVAL; /* the timer stays in the wheel of one worker */
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
    if (s->opts.deadline != 0)
        set_deadline(s->impl, s->opts.deadline);
    tri_lock_release(&s->impl->lock);
    return 0;
}

int tri_scope_add(struct tri_scope *s, struct tri_actor *a)
{
    a->scope = s;
    tri_lock_acquire(&s->lock);
    if (tri_unlikely(s->stop & TRI_CANCEL)) {
        if (s->overdue && s->failure == 0)
            s->failure = -ETIMEDOUT; /* it was too late for this one */
        tri_lock_release(&s->lock);
        return -ESHUTDOWN;
    }
    if (tri_unlikely(s->max_children > 0 && s->n_live >= s->max_children)) {
        tri_lock_release(&s->lock);
        return -ENOBUFS;
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

/* Its result is kept for the owner. */
static bool is_kept(const struct tri_scope *s, const struct tri_actor *a, bool failed)
{
    return (s->keep == TR_KEEP_ALL || (s->keep == TR_KEEP_FAILURES && failed)) &&
           tri_wakee_is_task(&a->wakee);
}

void tri_scope_tell_failure(const struct tri_actor *a, const char *how, int result)
{
    char place[TRI_PLACE_NAME + 20];

    tri_tell(TR_EVENT_FAILED, "%s '%s' #%u %s: %s; spawned at %s",
             tri_wakee_is_task(&a->wakee) ? "task" : "handler", tri_actor_name(a), a->slab_index,
             how, tr_strerror(result), tri_place_find(a->spawn_pc, place, sizeof place));
}

static void fail(struct tri_scope *s, struct tri_actor *a, int result, bool watched)
{
    bool first;

    tri_lock_acquire(&s->lock);
    s->n_failed++;
    first = s->failure == 0;
    if (first && (s->policy == TR_POLICY_FAIL_FAST || is_vital(a))) {
        s->failure = result;
        s->culprit = is_kept(s, a, true) ? a : NULL;
        s->told = false;
    }
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
        tri_scope_tell_failure(a, "failed", result);
    }
}

/* Under s->lock: holds the record of @a, which is in no list. */
static void keep(struct tri_scope *s, struct tri_actor *a)
{
    tri_task_ref(tri_task_of(a));
    a->younger = NULL;
    if (s->last_kept)
        s->last_kept->younger = a;
    else
        s->kept = a;
    s->last_kept = a;
    s->n_kept++;
}

struct tri_task *tri_scope_unkeep(struct tri_scope *s)
{
    struct tri_actor *a = s->kept;

    s->kept = a->younger;
    if (!s->kept)
        s->last_kept = NULL;
    s->n_kept--;
    if (a == s->culprit) {
        s->culprit = NULL;
        s->told = true;
    }
    return tri_task_of(a);
}

void tri_scope_remove(struct tri_scope *s, struct tri_actor *a, int result, bool watched)
{
    struct tri_wakee *joiner = NULL;
    bool failed = is_failure(s, result), kept = is_kept(s, a, failed);

    if (tri_unlikely(failed))
        fail(s, a, result, watched || kept); /* while we are in the list the scope cannot go */
    /* relaxed: the worker that runs us, which is our home. */
    tri_worker_count(&atomic_load_explicit(&a->home, memory_order_relaxed)->n_ended);
    tri_lock_acquire(&s->lock);
    if (a->younger)
        a->younger->older = a->older;
    else
        s->youngest = a->older;
    if (a->older)
        a->older->younger = a->younger;
    s->n_live--;
    if (tri_unlikely(kept))
        keep(s, a);
    if (tri_unlikely(s->wanted != 0) && (tri_scope_ready(s) & s->wanted)) {
        joiner = s->joiner;
        s->joiner = NULL;
        s->wanted = 0;
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
    struct tri_wake_many wakes;

    s->stop |= bits;
    tri_wake_many_begin(&wakes, s->rt);
    for (struct tri_actor *a = s->youngest; a; a = a->older)
        tri_wake_many_add(&wakes, a, bits);
    tri_wake_many_run(&wakes); /* before the lock goes, and with it the actors */
}

/*
 * Visits @top and every scope below it. Goes down holding the locks of the path, so that no
 * scope on it can leave; each lock is taken under its parent's.
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
    else if (tri_scope_is_own(s))
        s->born_cancelled = true;
}

/* ---- the end ---- */

void tri_scope_timer_fired(struct tri_timer *timer)
{
    struct tri_scope *s =
        (struct tri_scope *)(void *)((char *)timer - offsetof(struct tri_scope, timer));

    tri_lock_acquire(&s->lock);
    s->overdue = true;
    if (s->n_live > 0 && s->failure == 0)
        s->failure = -ETIMEDOUT;
    tri_lock_release(&s->lock);
    tri_scope_cancel(s);
}

void tr_scope_end(tr_scope *s)
{
    struct tri_scope *impl;
    int failure;
    bool told;

    if (!s || !s->impl || tri_is_forked())
        return;
    impl = s->impl;
    if (!tri_scope_is_own(s)) {
        tri_tell(TR_EVENT_MISUSE, "scope '%s' was ended by another than the task that opened it",
                 impl->name ? impl->name : "?");
        return;
    }
    if (tr_scope_len(s) > 0) {
        tri_scope_cancel(impl);
        tri_scope_join_regardless(s);
    }
    while (impl->kept) /* nobody is left who could add one: no lock */
        tri_task_unref(tri_scope_unkeep(impl));
    tri_wheel_remove(&tri_worker_self()->wheel, &impl->timer);
    told = impl->told;
    failure = tri_scope_outcome(impl);
    if (failure < 0 && !told)
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
