/* SPDX-License-Identifier: MIT */
/*
 * report.c - see report.h. Formats into fixed buffers: no allocation, no lock but the scopes'.
 */
#include "config.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "actor/report.h"
#include "actor/shutdown.h"
#include "actor/trace.h"
#include "base/log.h"
#include "base/place.h"
#include "mem/alloc.h"

enum {
    VIEWS = 1024,    /* actors that are described one by one in a dump */
    LATE_LINES = 64, /* and when they are late */
    FRAMES = 8,      /* of a backtrace */
};

/* A copy of what there is to tell of one actor. */
struct view {
    const struct tri_actor *a; /* to compare with only */
    const struct tri_worker *home;
    const void *spawn_pc;
    const char *what; /* it waits for; NULL: it has not waited yet. A constant string */
    uint32_t index;
    unsigned word;
    bool is_handler, is_movable, started, parked;
    char name[32];
};

struct tri_report {
    size_t n_view, n_live; /* live ones may be more than there is room for */
    struct view view[VIEWS];
    struct tri_places places;
};

struct tri_report *tri_report_new(void)
{
    /* No page of it is touched until it is used. */
    return tri_mem_map(sizeof(struct tri_report));
}

void tri_report_free(struct tri_report *r)
{
    tri_mem_unmap(r, sizeof *r);
}

/* ---- collecting ---- */

/* Its scope's lock is held, or it is the root task. */
static void view_fill(struct view *v, const struct tri_actor *a)
{
    const struct tri_task *t = (const struct tri_task *)a; /* if it is one */
    const struct tri_arm_ops *ops = NULL;
    struct tri_frame *f = NULL;

    v->a = a;
    v->index = a->slab_index;
    v->spawn_pc = a->spawn_pc;
    v->is_handler = !tri_wakee_is_task(&a->wakee);
    v->is_movable = tri_wakee_kind(&a->wakee) == TRI_KIND_MOVABLE;
    /* relaxed, all: a picture of this moment. */
    v->parked = atomic_load_explicit(&a->wakee.parked, memory_order_relaxed);
    v->word = atomic_load_explicit(&a->wakee.word, memory_order_relaxed);
    (void)snprintf(v->name, sizeof v->name, "%.31s", tri_actor_name(a));
    if (!v->is_handler)
        f = __atomic_load_n(&t->frame, __ATOMIC_ACQUIRE); /* pairs with tri_task_frame() */
    /*
     * relaxed, but after the frame: what has started has a home. Else it is that of the
     * record's former life, and not looked at.
     */
    v->home = atomic_load_explicit(&a->home, memory_order_relaxed);
    if (f)
        ops = __atomic_load_n(&f->wait_what, __ATOMIC_RELAXED); /* points to a constant */
    v->started = f != NULL;
    v->what = ops ? ops->what : NULL;
}

static void collect_scope(struct tri_scope *s, void *arg)
{
    struct tri_report *r = arg;

    r->n_live += s->n_live;
    for (struct tri_actor *a = s->youngest; a && r->n_view < VIEWS; a = a->older)
        view_fill(&r->view[r->n_view++], a);
}

static bool is_alive(struct tri_task *t)
{
    /* relaxed: a picture of this moment. */
    return atomic_load_explicit(&t->joiner, memory_order_relaxed) != TRI_TASK_ENDED;
}

/* @root: the root task too; else only if nobody else is alive. */
static void collect(struct tri_report *r, struct tri_runtime *rt, bool root)
{
    r->n_view = r->n_live = 0;
    tri_scope_each(rt->root, collect_scope, r);
    if ((root || r->n_live == 0) && is_alive(rt->root_task)) {
        r->n_live++;
        if (r->n_view < VIEWS)
            view_fill(&r->view[r->n_view++], &rt->root_task->a);
    }
    tri_places_load(&r->places);
}

static void count_scope(struct tri_scope *s, void *arg)
{
    *(size_t *)arg += s->n_live;
}

size_t tri_report_count(struct tri_runtime *rt)
{
    size_t n = 0;

    tri_scope_each(rt->root, count_scope, &n);
    return n > 0 ? n : is_alive(rt->root_task);
}

/* ---- describing ---- */

struct text {
    size_t len;
    char buf[400];
};

static void add(struct text *t, const char *fmt, ...) TR_PRINTF(2, 3);

static void add(struct text *t, const char *fmt, ...)
{
    size_t room = sizeof t->buf - t->len;
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = vsnprintf(t->buf + t->len, room, fmt, ap);
    va_end(ap);
    if (n > 0)
        t->len += (size_t)n < room ? (size_t)n : room - 1;
}

/* The worker that runs @a just now, or NULL. */
static struct tri_worker *runner(struct tri_runtime *rt, const struct tri_actor *a)
{
    for (unsigned i = 0; i < rt->n_worker; i++)
        /* relaxed: a picture of this moment. */
        if (atomic_load_explicit(&rt->workers[i]->shown, memory_order_relaxed) == a)
            return rt->workers[i];
    return NULL;
}

static void add_state(struct text *t, struct tri_runtime *rt, const struct view *v)
{
    const struct tri_worker *w = runner(rt, v->a);

    if (w)
        add(t, "runs on worker %u", w->index);
    else if (v->is_handler)
        add(t, v->word & TRI_READY ? "has messages" : "has no message");
    else if (!v->started)
        add(t, "has not started");
    else if (v->is_movable ? v->word & TRI_READY : !v->parked)
        add(t, "is ready to run on worker %u", v->home->index);
    else
        add(t, "waits: %s", v->what ? v->what : "?");
    if (v->word & TRI_CANCEL)
        add(t, ", cancelled");
    else if (v->word & TRI_DRAIN)
        add(t, ", draining");
}

static void add_spawn(struct text *t, const struct tri_report *r, const struct view *v)
{
    char place[96];

    if (v->spawn_pc)
        add(t, "; spawned at %s", tri_place_name(&r->places, v->spawn_pc, place, sizeof place));
}

/* What the thread of @w does, and where. */
static void add_trace(struct text *t, const struct tri_report *r, const struct tri_worker *w)
{
    /* relaxed: written once, before the loop of the worker. */
    pid_t tid = atomic_load_explicit(&w->tid, memory_order_relaxed);
    void *pc[TRI_TRACE_MAX];
    char what[96];
    int n;

    tri_trace_kernel(tid, what, sizeof what);
    add(t, "; thread %d %s", (int)tid, what);
    n = tri_trace_thread(tid, pc);
    for (int i = 0; i < n && i < FRAMES; i++)
        add(t, "%s%s", i == 0 ? ", at " : " < ",
            /* The innermost is no return address. */
            tri_place_name(&r->places, i == 0 ? (char *)pc[0] + 1 : pc[i], what, sizeof what));
}

static const char *kind_name(const struct view *v)
{
    return v->is_handler ? "handler" : "task";
}

/* ---- the reports ---- */

static void dump_workers(struct tri_runtime *rt)
{
    for (unsigned i = 0; i < rt->n_worker; i++) {
        struct tri_worker *w = rt->workers[i];
        /* relaxed, all: a picture of this moment. */
        pid_t tid = atomic_load_explicit(&w->tid, memory_order_relaxed);
        bool asleep =
            atomic_load_explicit(&w->inbox.top, memory_order_relaxed) == TRI_INBOX_ASLEEP;

        if (tid == 0)
            tri_log("  worker %u: not started", i);
        else
            tri_log("  worker %u: thread %d, %s; %zu not started, %zu handlers in line", i,
                    (int)tid, asleep ? "asleep" : "busy", tri_deque_len(&w->fresh),
                    tri_deque_len(&w->hot));
    }
}

void tri_report_dump(struct tri_report *r, struct tri_runtime *rt)
{
    struct text t;

    collect(r, rt, true);
    tri_log("'%s': level %s, %zu actors, %u workers", rt->opts.name,
            tri_level_name(tri_shutdown_level(rt)), r->n_live, rt->n_worker);
    dump_workers(rt);
    for (size_t i = 0; i < r->n_view; i++) {
        t.len = 0;
        add_state(&t, rt, &r->view[i]);
        add_spawn(&t, r, &r->view[i]);
        tri_log("  %s '%s' #%u: %s", kind_name(&r->view[i]), r->view[i].name, r->view[i].index,
                t.buf);
    }
    if (r->n_live > r->n_view)
        tri_log("  and %zu more", r->n_live - r->n_view);
}

/* Started tasks that only @w can run, and which it does not run now. */
static size_t count_behind(const struct tri_report *r, const struct tri_worker *w,
                           const struct tri_actor *shown)
{
    size_t n = 0;

    for (size_t i = 0; i < r->n_view; i++)
        n += r->view[i].started && r->view[i].home == w && r->view[i].a != shown;
    return n;
}

void tri_report_stall(struct tri_report *r, struct tri_runtime *rt, struct tri_worker *w,
                      tr_time span)
{
    const struct tri_actor *shown = atomic_load_explicit(&w->shown, memory_order_relaxed);
    struct text t = { 0 };

    collect(r, rt, true);
    add_trace(&t, r, w);
    for (size_t i = 0; i < r->n_view; i++) {
        const struct view *v = &r->view[i];

        if (v->a != shown)
            continue;
        tri_tell(TR_EVENT_STALLED,
                 "%s '%s' #%u has held worker %u for %lld ms; %zu%s started tasks wait "
                 "behind it%s",
                 kind_name(v), v->name, v->index, w->index, (long long)(span / TR_MS(1)),
                 count_behind(r, w, shown), r->n_live > r->n_view ? " or more" : "", t.buf);
        return;
    }
    if (shown) /* not among those that were copied */
        tri_tell(TR_EVENT_STALLED, "an actor has held worker %u for %lld ms%s", w->index,
                 (long long)(span / TR_MS(1)), t.buf);
}

static void tell_late(struct tri_report *r, struct tri_runtime *rt, const struct view *v)
{
    const struct tri_worker *w = runner(rt, v->a);
    struct text t = { 0 };

    add_state(&t, rt, v);
    add_spawn(&t, r, v);
    if (w)
        add_trace(&t, r, w);
    tri_tell(TR_EVENT_LATE, "%s '%s' #%u has not ended in time: %s", kind_name(v), v->name,
             v->index, t.buf);
}

size_t tri_report_late(struct tri_report *r, struct tri_runtime *rt, char *names, size_t n)
{
    size_t len = 0;

    collect(r, rt, false);
    names[0] = '\0';
    for (size_t i = 0; i < r->n_view; i++) {
        int k = snprintf(names + len, n - len, "%s%s", len > 0 ? ", " : "", r->view[i].name);

        if (k < 0 || (size_t)k >= n - len) {
            names[len] = '\0';
            break;
        }
        len += (size_t)k;
    }
    for (size_t i = 0; i < r->n_view && i < LATE_LINES; i++)
        tell_late(r, rt, &r->view[i]);
    if (r->n_live > LATE_LINES)
        tri_tell(TR_EVENT_LATE, "and %zu more have not ended in time", r->n_live - LATE_LINES);
    return r->n_live;
}
