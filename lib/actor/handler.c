/* SPDX-License-Identifier: MIT */
/*
 * handler.c - an actor without a stack: a record with its state, its mailbox and its timer's
 * message, run on the scheduler's stack. How it lives is in handler.h.
 */
#include "config.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "actor/handler.h"
#include "actor/runtime.h"
#include "base/log.h"
#include "mem/alloc.h"

enum { CAPACITY = 16 }; /* of a mailbox, by default */

static size_t align_up(size_t n, size_t align)
{
    return (n + align - 1) / align * align;
}

/* Where the pointer to the name of a named one lies. */
static void *name_place(struct tri_handler *h)
{
    const size_t end = (size_t)h->timer_message_at + tri_handler_type(h)->message.size;

    return (char *)h + align_up(end, sizeof(char *));
}

static const char *name_of(const struct tri_actor *a)
{
    struct tri_handler *h = (struct tri_handler *)(uintptr_t)a;
    const char *name;

    if (!h->named)
        return tri_handler_type(h)->message.name;
    memcpy(&name, name_place(h), sizeof name);
    return name;
}

static void *record_start(struct tri_mpsc *box)
{
    return (char *)box - TRI_BOX_AT;
}

/* Both sides of the mailbox are gone. */
static void release(struct tri_mpsc *box)
{
    tri_handler_put(record_start(box));
}

/* ---- the public functions ---- */

static void hooks_set(void)
{
    static const struct tri_handler_fns fns = { tri_handler_run, tri_handler_timer_fired,
                                                name_of, tri_handler_space };

    tri_worker_set_handler_fns(&fns);
    tri_mpsc_set_release_fn(release);
}

/* What the mailbox is to be. */
static struct tr_mpsc_opts box_opts(const struct tr_handler_opts *o)
{
    struct tr_mpsc_opts box = { .capacity = CAPACITY };

    if (!o)
        return box;
    if (o->capacity > 0)
        box.capacity = o->capacity;
    box.overflow = o->overflow;
    box.same = o->same;
    box.n_urgent = o->n_urgent;
    return box;
}

/* It needs more than a plain mailbox has, or a ring of its own. */
static bool is_able(const struct tri_handler_type *type, const struct tr_handler_opts *o,
                    const struct tr_mpsc_opts *box)
{
    return o && ((o->flags & TR_HANDLER_PERMITS) || box->overflow != TR_OVERFLOW_WAIT ||
                 box->n_urgent > 0 || box->capacity == TR_UNBOUNDED ||
                 tri_mpsc_size(&type->message, box->capacity) > TRI_HANDLER_BYTES_MAX / 2);
}

/* A record in which everything has its place, and the mailbox is made. */
static struct tri_handler *place(const struct tri_handler_type *type, bool named, bool able,
                                 const struct tr_mpsc_opts *box)
{
    size_t box_bytes = able ? tri_mpsc_able_size(&type->message, box)
                            : tri_mpsc_size(&type->message, box->capacity);
    size_t state_at = align_up(TRI_BOX_AT + box_bytes, type->self_align);
    size_t timer_at = align_up(state_at + type->self_size, type->message.align);
    size_t end = timer_at + type->message.size;
    struct tri_handler *h =
        tri_handler_get(named ? align_up(end, sizeof(char *)) + sizeof(char *) : end);

    if (!h)
        return NULL;
    /* relaxed: published with the scope's list and the queue. */
    atomic_store_explicit(&h->a.wakee.word, TRI_READY, memory_order_relaxed);
    h->state_at = (uint16_t)state_at;
    h->timer_message_at = (uint16_t)timer_at;
    h->named = named;
    if (!able)
        (void)tri_mpsc_init_at(tri_handler_box(h), &type->message, box->capacity);
    else if (tri_mpsc_init_able_at(tri_handler_box(h), &type->message, box) < 0) {
        tri_handler_put(h);
        return NULL;
    }
    return h;
}

static struct tri_handler *handler_new(const struct tri_handler_type *type, void *self,
                                       const struct tr_handler_opts *opts,
                                       const struct tr_mpsc_opts *box)
{
    struct tri_handler *h = place(type, opts && opts->name, is_able(type, opts, box), box);

    if (!h)
        return NULL;
    h->outbox = NULL;
    h->timer.links.next = NULL;
    h->timer.owner = TRI_KIND_HANDLER;
    h->armed = h->stopping = h->has_timer = h->timer_due = h->shut = h->refuses = false;
    h->until_drain = opts && (opts->flags & TR_HANDLER_UNTIL_DRAIN);
    /* as below */
    atomic_store_explicit(&h->a.wakee.kind, TRI_KIND_HANDLER, memory_order_relaxed);
    h->a.wakee.pinned = false;
    if (h->named)
        memcpy(name_place(h), &opts->name, sizeof opts->name);
    memcpy(tri_handler_state(h), self, type->self_size);
    memset(self, 0, type->self_size);
    return h;
}

static int refuse(const struct tri_handler_type *type, void *self, int r)
{
    if (self) {
        type->drop_self(self);
        memset(self, 0, type->self_size);
    }
    return r;
}

int tr_handler_spawn(tr_scope *scope, const struct tri_handler_type *type, void *self,
                     const struct tr_handler_opts *opts, tr_mpsc_tx *ret_ref)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    const void *pc = __builtin_return_address(0);
    const struct tr_mpsc_opts box = box_opts(opts);
    struct tri_worker *w = tri_worker_self();
    struct tri_handler *h;
    tr_mpsc_tx tx;
    int r;

    if (!scope || !self || !tri_mpsc_opts_are_valid(&box))
        return refuse(type, self, -EINVAL);
    if (tri_unlikely(!w) && tri_is_forked())
        return refuse(type, self, -EOWNERDEAD);
    (void)pthread_once(&once, hooks_set);
    r = tri_scope_use(scope);
    if (r < 0)
        return refuse(type, self, r);
    h = handler_new(type, self, opts, &box);
    if (!h)
        return refuse(type, self, -ENOMEM);
    h->a.spawn_pc = pc;
    tx = (tr_mpsc_tx){ .chan = tri_handler_box(h) };
    r = tri_scope_add(scope->impl, &h->a);
    if (r < 0) {
        type->drop_self(tri_handler_state(h));
        tr_mpsc_rx_close(&(tr_mpsc_rx){ tx.chan });
        tr_mpsc_tx_close(&tx);
        return r;
    }
    if (w && w->rt != scope->impl->rt)
        w = NULL;
    /* The reference before the handler: it may end as soon as it is placed. */
    if (ret_ref)
        *ret_ref = tx;
    tri_worker_place(h->a.scope->rt, w, &h->a, false);
    if (!ret_ref)
        tr_mpsc_tx_close(&tx);
    return 0;
}

static struct tri_handler *running(void)
{
    struct tri_worker *w = tri_worker_self();

    /* The drop of a task that never ran looks like a handler, too: tri_task_discard(). */
    if (!w || !w->handler || tri_wakee_kind(&w->handler->wakee) != TRI_KIND_HANDLER)
        return NULL;
    return tri_handler_of(w->handler)->refuses ? NULL : tri_handler_of(w->handler);
}

static int refuse_stranger(const char *what)
{
    if (tri_is_forked())
        return -EOWNERDEAD;
    tri_tell(TR_EVENT_MISUSE, "%s was called outside of a handler's function", what);
    return -EPERM;
}

int tr_handler_post(tr_mpsc_tx *to, void *m)
{
    struct tri_handler *h = running();
    struct tri_outbox *o;
    int r;

    if (!h)
        return refuse_stranger("the post form of a handler");
    r = tr_mpsc_try_send(to, m);
    if (r != -EAGAIN || h->outbox)
        return r;
    if (to->chan == tri_handler_box(h))
        return -EDEADLK; /* only we could make room, and with a full outbox we would not */
    o = tri_mem_alloc(sizeof *o);
    if (!o)
        return -ENOMEM;
    to->n_back--; /* not handed back after all */
    o->to = tr_mpsc_tx_clone(to);
    memcpy(o->message, m, to->chan->type->size);
    memset(m, 0, to->chan->type->size);
    o->arm = tr_mpsc_send_arm(&o->to, o->message);
    h->outbox = o;
    return 0;
}

int tr_handler_timer(const struct tri_handler_type *type, tr_time at, void *m)
{
    struct tri_handler *h = running();
    struct tri_worker *w = tri_worker_self();

    if (!h || tri_handler_type(h) != type)
        return refuse_stranger("a handler's timer form");
    at &= ~TR_DRAIN_BIT;
    if (at < TR_NEVER && !m)
        return -EINVAL;
    if (at < TR_NEVER && tri_runq_reserve(&w->own) < 0)
        return -ENOMEM;
    tri_handler_timer_discard(w, h);
    if (at >= TR_NEVER)
        return 0;
    memcpy(tri_handler_timer_message(h), m, type->message.size);
    memset(m, 0, type->message.size);
    h->has_timer = true;
    h->a.wakee.pinned = true; /* until it has fired and the handler runs */
    tri_wheel_insert(&w->wheel, &h->timer, at);
    return 0;
}

int tr_handler_stop(void)
{
    struct tri_handler *h = running();

    if (!h)
        return refuse_stranger("tr_handler_stop()");
    h->stopping = true;
    return 0;
}
