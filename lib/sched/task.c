/* SPDX-License-Identifier: MIT */
/*
 * task.c - the life of a task:
 *
 *     spawn --> record, in its scope, in a queue       an unstarted task; may be stolen
 *     picked -> stack and frame                        started; stays on its worker
 *     returns > argument dropped, result published, out of the scope; the stack goes on to the
 *               next unstarted task or back to the cache
 *     the last handle closes --> the record is free
 *
 * n_ref counts the execution, the handles and the aborters; whoever takes it to 0 frees the
 * record. The end is published by one exchange of joiner, which also tells who waits: a joiner
 * puts itself there by compare-and-swap and is woken, or finds TRI_TASK_ENDED; so no end is
 * missed.
 */
#include "config.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "mem/alloc.h"
#include "mem/fault.h"
#include "sched/gate.h"
#include "sched/local.h"
#include "sched/scope.h"
#include "sched/task.h"

struct tri_slab tri_tasks; /* not static: debuggers walk it (tools/gdb) */
static struct tri_lock setup_lock;   /* until the slab is made; nothing is taken inside */
static struct tri_lock foreign_lock; /* protects foreign; nothing is taken inside but the
                                      * slab */
static struct tri_slab_cache foreign;

int tri_task_setup(void)
{
    int r = 0;

    tri_lock_acquire(&setup_lock);
    if (!foreign.slab)
        r = tri_slab_init(&tri_tasks, sizeof(struct tri_task));
    if (!foreign.slab && r == 0)
        tri_slab_cache_init(&foreign, &tri_tasks);
    tri_lock_release(&setup_lock);
    return r;
}

struct tri_slab *tri_task_slab(void)
{
    return &tri_tasks;
}

static struct tri_task *record_get(struct tri_worker *w)
{
    struct tri_task *t;

    if (tri_likely(w != NULL))
        return tri_slab_get(&w->tasks);
    tri_lock_acquire(&foreign_lock);
    t = tri_slab_get(&foreign);
    tri_lock_release(&foreign_lock);
    return t;
}

static void record_put(struct tri_task *t)
{
    struct tri_worker *w = tri_worker_self();

    /* relaxed: only the last owner writes it; a reader of a stale id compares and goes away. */
    atomic_store_explicit(
        &t->a.generation,
        atomic_load_explicit(&t->a.generation, memory_order_relaxed) + 1, memory_order_relaxed);
    if (tri_likely(w != NULL)) {
        tri_slab_put(&w->tasks, t);
        return;
    }
    tri_lock_acquire(&foreign_lock);
    tri_slab_put(&foreign, t);
    tri_lock_release(&foreign_lock);
}

void tri_task_unref(struct tri_task *t)
{
    /* acquire: a count of 1 is ours alone, and what the others did is before it. */
    if (atomic_load_explicit(&t->n_ref, memory_order_acquire) != 1 &&
        atomic_fetch_sub_explicit(&t->n_ref, 1, memory_order_acq_rel) != 1)
        return;
    if (tri_unlikely(t->untold))
        tri_scope_tell_failure(&t->a, "failed, and nobody joined it", t->result);
    record_put(t);
}

void tri_task_ref(struct tri_task *t)
{
    /* relaxed: the caller has a reference, which keeps the record meanwhile. */
    atomic_fetch_add_explicit(&t->n_ref, 1, memory_order_relaxed);
}

void tri_task_told(struct tri_task *t)
{
    /* relaxed, by the builtin: a handle and a scope may both do so; read after the last of them
     * has let go. */
    __atomic_store_n(&t->untold, false, __ATOMIC_RELAXED);
}

void *tri_task_arg(struct tri_task *t)
{
    void *far;

    if (t->type->size <= TRI_ARG_INLINE)
        return t->arg;
    memcpy(&far, t->arg, sizeof far);
    return far;
}

static int arg_move(struct tri_task *t, void *arg)
{
    size_t size = t->type->size;
    void *to = t->arg;

    if (size > TRI_ARG_INLINE) {
        to = tri_mem_alloc(size);
        if (!to)
            return -ENOMEM;
        memcpy(t->arg, &to, sizeof to);
    }
    memcpy(to, arg, size);
    memset(arg, 0, size);
    return 0;
}

static void arg_drop(struct tri_task *t)
{
    void *arg = tri_task_arg(t);

    t->type->drop(arg);
    if (t->type->size > TRI_ARG_INLINE)
        free(arg);
}

/* A filled-in record that is in no scope and no queue, or NULL: *@arg is untouched. */
static struct tri_task *task_new(struct tri_worker *w, const struct tri_task_type *type,
                                 void *arg, const struct tr_task_opts *opts, const void *pc)
{
    struct tri_task *t = record_get(w);

    if (!t)
        return NULL;
    t->type = type;
    if (arg_move(t, arg) < 0) {
        record_put(t);
        return NULL;
    }
    t->movable = opts && (opts->flags & TR_TASK_MOVABLE);
    t->a.wakee.pinned = false;
    t->name = opts && opts->name ? opts->name : type->name;
    t->a.spawn_pc = pc;
    /* relaxed, by the builtin: a report looks at it, see tri_scope_each(). */
    __atomic_store_n(&t->frame, NULL, __ATOMIC_RELAXED);
    t->spread = false;
    t->uncounted = t->untold = false;
    t->handled = opts && opts->ret_task;
    t->vital = opts && (opts->flags & TR_TASK_VITAL);
    t->result = 0;
    /* relaxed, all: published with the scope's list and with the queue. A stale waker may set
     * READY at any time, which is set already. */
    atomic_store_explicit(&t->a.wakee.kind, t->movable ? TRI_KIND_MOVABLE : TRI_KIND_TASK,
                          memory_order_relaxed);
    atomic_store_explicit(&t->a.wakee.parked, false, memory_order_relaxed);
    atomic_store_explicit(&t->a.wakee.word, TRI_READY, memory_order_relaxed);
    atomic_store_explicit(&t->joiner, NULL, memory_order_relaxed);
    atomic_store_explicit(&t->n_ref, opts && opts->ret_task ? 2 : 1, memory_order_relaxed);
    return t;
}

static bool wants_spread(struct tri_worker *w, const struct tr_task_opts *opts)
{
    return (w && w->task && w->task->frame->spread) || (opts && (opts->flags & TR_TASK_SPREAD));
}

/* A spawn that fails has consumed its argument all the same. */
static int refuse(const struct tri_task_type *type, void *arg, int r)
{
    if (arg) {
        type->drop(arg);
        memset(arg, 0, type->size);
    }
    return r;
}

int tri_task_spawn(tr_scope *scope, const struct tri_task_type *type, void *arg,
                   const struct tr_task_opts *opts, const void *pc)
{
    struct tri_worker *w = tri_worker_self();
    struct tri_runtime *rt;
    struct tri_task *t;
    int r;

    if (!scope || !arg)
        return refuse(type, arg, -EINVAL);
    if (tri_unlikely(!w) && tri_is_forked())
        return refuse(type, arg, -EOWNERDEAD);
    r = tri_scope_use(scope);
    if (r < 0)
        return refuse(type, arg, r);
    rt = scope->impl->rt;
    if (w && w->rt != rt)
        w = NULL; /* an actor of another runtime is a foreigner here */
    t = task_new(w, type, arg, opts, pc);
    if (!t)
        return refuse(type, arg, -ENOMEM);
    t->spread = rt->n_worker > 1 && wants_spread(w, opts);
    r = tri_scope_add(scope->impl, &t->a);
    if (r < 0) {
        arg_drop(t);
        record_put(t);
        return r;
    }
    if (opts && opts->ret_task)
        opts->ret_task->rec = t;
    tri_worker_place(rt, w, &t->a, t->spread);
    return 0;
}

int tr_task_spawn(tr_scope *scope, const struct tri_task_type *type, void *arg,
                  const struct tr_task_opts *opts)
{
    return tri_task_spawn(scope, type, arg, opts, __builtin_return_address(0));
}

struct tri_task *tri_task_new_root(struct tri_runtime *rt, struct tri_worker *w,
                                   const struct tri_task_type *type, void *arg,
                                   struct tri_scope *scope)
{
    struct tr_task handle;
    struct tri_task *t =
        task_new(w, type, arg, &(struct tr_task_opts){ .ret_task = &handle }, NULL);

    (void)rt;
    if (t) {
        t->a.scope = scope;
        atomic_store_explicit(&t->a.home, w, memory_order_relaxed); /* not yet shared */
    }
    return t;
}

/* ---- reports of an overflow; inside a signal handler ---- */

static char *append(char *at, const char *end, const char *text)
{
    while (*text && at < end)
        *at++ = *text++;
    return at;
}

static char *append_number(char *at, const char *end, unsigned n)
{
    char digits[12];
    unsigned k = sizeof digits - 1;

    digits[k] = '\0';
    do {
        digits[--k] = (char)('0' + n % 10);
        n /= 10;
    } while (n > 0);
    return append(at, end, digits + k);
}

/*
 * The frame on the stack below @top: not at the same place in each. All tops are page-aligned,
 * so that the same lines of a thousand parked tasks would share a few sets of the caches; a
 * colour, which no stride between stacks can undo, spreads them over sixteen times as many. It
 * costs up to 960 bytes of a page that is touched anyway.
 */
static struct tri_frame *frame_below(void *top)
{
    uint32_t colour = (uint32_t)((uintptr_t)top >> 12) * UINT32_C(0x9E3779B1) >> 28;

    return (struct tri_frame *)(void *)((char *)top - (size_t)colour * 64) - 1;
}

/* Who stands on the stack below @top. */
void tri_task_describe(void *top, char *buf, size_t n)
{
    const struct tri_frame *f = frame_below(top);
    const char *end = buf + n - 1;
    char *at = append(buf, end, "task '");

    at = append(at, end, f->task->name);
    at = append(at, end, "' #");
    at = append_number(at, end, f->task->a.slab_index);
    *at = '\0';
}

/* ---- running ---- */

void tri_task_frame(struct tri_task *t, void *top)
{
    struct tri_frame *f = frame_below(top);

    f->task = t;
    f->timer.links.next = NULL;
    f->timer.owner = TRI_KIND_TASK;
    f->timed_out = false;
    f->open = false;
    f->spread = false;
    f->n_scopes = 0;
    f->yields = false;
    f->n_ignored = 0;
    f->n_shield = 0;
    f->wait_what = NULL;
    f->stack_top = top;
    f->gate = NULL;
    f->locals = NULL;
    /* release: what a report reads of the frame; see tri_scope_each(). */
    __atomic_store_n(&t->frame, f, __ATOMIC_RELEASE);
}

static bool is_cancelled(struct tri_task *t)
{
    /* relaxed: a cancel that comes later finds the task started. */
    return atomic_load_explicit(&t->a.wakee.word, memory_order_relaxed) & TRI_CANCEL;
}

/*
 * A place in own is for those who stay: a movable task may end on a worker that gave it none.
 */
static int place_reserve(struct tri_worker *w, bool movable)
{
    return movable ? 0 : tri_runq_reserve(&w->own);
}

static void place_release(struct tri_worker *w, bool movable)
{
    if (!movable)
        tri_runq_release(&w->own);
}

bool tri_task_start(struct tri_worker *w, struct tri_task *t)
{
    void *top;

    if (is_cancelled(t)) {
        tri_task_discard(w, t, -ECANCELED);
        return false;
    }
    if (place_reserve(w, t->movable) < 0) {
        tri_task_discard(w, t, -ENOMEM);
        return false;
    }
    top = tri_stack_get(&w->stacks);
    if (!top) {
        place_release(w, t->movable);
        tri_task_discard(w, t, -ENOMEM);
        return false;
    }
    tri_worker_count(&w->n_begun);
    tri_task_frame(t, top);
    tri_context_make(&t->frame->ctx, t->frame, (char *)top - tri_stack_size(), tri_task_main, t);
    return true;
}

/* The end of @t, whose argument is dropped. The record may be gone afterwards. */
static void finish(struct tri_task *t, int result)
{
    struct tri_scope *scope = t->a.scope;
    /* relaxed, by the builtin: a hint whether somebody will look at the result. */
    bool watched = __atomic_load_n(&t->handled, __ATOMIC_RELAXED);
    /* relaxed: the worker that runs us, which is our home. */
    struct tri_worker *home = atomic_load_explicit(&t->a.home, memory_order_relaxed);
    struct tri_wakee *joiner;

    t->result = result;
    if (t->spread)
        atomic_fetch_sub_explicit(&home->n_spread, 1, memory_order_relaxed); /* an estimate */
    if (!t->uncounted)
        tri_scope_remove(scope, &t->a, result, watched);
    /* release: the result. acquire: the joiner's registration. */
    joiner = atomic_exchange_explicit(&t->joiner, TRI_TASK_ENDED, memory_order_acq_rel);
    if (joiner)
        tri_wake(joiner);
    tri_task_unref(t);
}

/*
 * No request may be under way to a record that becomes free: with READY on none begins, and one
 * that has begun is waited for, between its two steps, and taken in.
 */
static void close_requests(struct tri_task *t)
{
    struct tri_worker *w = tri_worker_self();

    /* acquire: the end of the request's sender with our link. release: as tri_wake(). */
    while (atomic_fetch_or_explicit(&t->a.wakee.word, TRI_READY, memory_order_acq_rel) &
           TRI_READY) {
        while (atomic_load_explicit(&t->a.wakee.word, memory_order_relaxed) & TRI_READY) {
            if (tri_inbox_is_idle(&w->inbox))
                (void)sched_yield(); /* its thread was preempted in between */
            tri_worker_take_in(w);
        }
    }
}

void tri_task_end(struct tri_task *t, int result)
{
    if (tri_unlikely(t->frame->n_scopes > 0))
        tri_scope_end_forgotten(t);
    if (tri_unlikely(t->frame->locals != NULL))
        tri_local_returned(&t->frame->locals, tri_task_arg(t), t->type->size);
    arg_drop(t);
    if (t->frame->open && !t->movable)
        close_requests(t);
    if (t->frame->gate)
        tri_gate_put(t->frame->gate);
    if (t->frame->yields)
        tri_runq_release(&tri_worker_self()->late);
    __atomic_store_n(&t->frame, NULL, __ATOMIC_RELAXED); /* as in task_new() */
    finish(t, result);
}

void tri_task_discard(struct tri_worker *w, struct tri_task *t, int result)
{
    struct tri_task *task = w->task;
    struct tri_actor *handler = w->handler;

    tri_worker_count(&w->n_discarded);
    /* Its drop runs on another's stack: as a handler, which has an id and may not wait. That
     * other one may be woken by it, but has not saved its context: ready_here(). */
    w->hidden = task;
    w->task = NULL;
    w->handler = &t->a;
    arg_drop(t);
    w->handler = handler;
    w->task = task;
    w->hidden = NULL;
    if (t->uncounted) /* the root task: nobody else would end the runtime. relaxed: as there */
        atomic_store_explicit(&w->rt->stopping, true, memory_order_relaxed);
    finish(t, result);
}

/* It can have the stack of an ended task of its kind, and its place in own. */
static bool is_heir(struct tri_actor *a, bool movable)
{
    return a && tri_wakee_is_task(&a->wakee) && !tri_task_of(a)->frame &&
           tri_task_of(a)->movable == movable && !is_cancelled(tri_task_of(a));
}

/* Leaves the stack of an ended task, @movable or not, for good. */
static _Noreturn void leave(struct tri_worker *w, struct tri_frame *f, struct tri_actor *next,
                            bool movable)
{
    struct tri_context *to = next ? tri_worker_board(w, next) : NULL;

    if (!to) {
        if (next && !tri_wakee_is_task(&next->wakee))
            w->stash = next;
        w->task = NULL;
        to = &w->ctx;
    }
    place_release(w, movable);
    w->dead = f->stack_top; /* freed by whoever arrives next: we still stand on it */
    w->dead_ctx = &f->ctx;
    tri_context_exit(&f->ctx, to);
    __builtin_unreachable();
}

_Noreturn void tri_forked_leave(int result)
{
    TRI_ASSERT(tri_is_forked());
    _exit(result < 0 ? EXIT_FAILURE : EXIT_SUCCESS);
}

void tri_task_main(void *arg)
{
    struct tri_task *t = arg;
    struct tri_frame *f = t->frame;
    const bool movable = t->movable; /* and so are the heirs */
    struct tri_worker *w;
    struct tri_actor *next;

    tri_worker_arrive(tri_worker_self());
    for (;;) {
        int r = t->type->run(tri_task_arg(t));

        w = tri_worker_self();
        if (tri_unlikely(!w))
            tri_forked_leave(r);
        if (tri_unlikely(!tri_stack_canary_ok(f->stack_top)))
            tri_fault_canary(f->stack_top);
        tri_task_end(t, r);
        w = tri_worker_self();
        next = tri_worker_pick(w);
        if (!is_heir(next, movable))
            leave(w, f, next, movable);
        /* The next one begins where this one ended, on the same, hot stack. */
        t = tri_task_of(next);
        tri_task_frame(t, f->stack_top);
        tri_worker_run_task(w, t);
    }
}
