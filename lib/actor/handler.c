/* SPDX-License-Identifier: MIT */
/*
 * handler.c - an actor without a stack: a record with its state, its mailbox and its timer's
 * message, run on the scheduler's stack.
 *
 *     [ tri_handler | mailbox with its cells | state | timer's message ]     one slab record
 *
 * It sleeps without READY, its mailbox armed with its wakee; whoever turns READY on queues it,
 * so one worker at a time runs it. The run that arms the mailbox must not touch the handler
 * afterwards: another worker may have it. From READY's end to there it may be queued, too, by a
 * cancel or a drain, but into the inbox of its worker, who is busy with it; and no thief takes
 * from an inbox what that worker still runs (sched/steal.c). While its timer is armed the handler is pinned to the
 * worker in whose wheel it is.
 *
 * Reclamation: the record is the mailbox's memory; it goes when both sides of that are gone, the
 * receiving side being the handler itself. Records lie in slabs of their size, so a late wake
 * finds a handler, who then has nothing to do (wakee.h).
 */
#include "config.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <troupe/handler.h>

#include "actor/runtime.h"
#include "base/log.h"
#include "chan/mpsc.h"
#include "mem/alloc.h"
#include "sched/local.h"

enum {
    CAPACITY = 16,    /* of a mailbox, by default */
    SLICE = 64,       /* messages in a row */
    CLASS_BYTES = 16, /* records are multiples of this */
    CLASSES = 16 * 1024 / CLASS_BYTES + 1,
};

/* A message that found the mailbox of its addressee full. */
struct outbox {
    tr_mpsc_tx to;
    tr_arm arm;
    struct tri_waiter waiter;
    bool enrolled;
    _Alignas(16) char message[TR_MESSAGE_MAX];
};

struct tri_handler {
    struct tri_actor a;
    struct outbox *outbox;  /* NULL: nothing waits to be sent */
    struct tri_timer timer; /* in the wheel of the home worker */
    uint16_t state_at, timer_message_at; /* offsets from the record */
    uint16_t class;
    bool armed : 1;     /* the mailbox may still have our wakee */
    bool stopping : 1;  /* tr_handler_stop() */
    bool has_timer : 1; /* there is a message in the timer's place */
    bool timer_due : 1;
    bool shut : 1;
    bool until_drain : 1;
    bool refuses : 1; /* it ends, or its timer goes: a drop may neither arm nor post */
    bool named; /* a name of its own lies behind the timer's message; constant, read by reports */
};

static size_t align_up(size_t n, size_t align)
{
    return (n + align - 1) / align * align;
}

enum { BOX_AT = (sizeof(struct tri_handler) + 15) / 16 * 16 };
_Static_assert(BOX_AT <= 112, "a million of them");

static struct tri_mpsc *box_of(struct tri_handler *h)
{
    return (struct tri_mpsc *)(void *)((char *)h + BOX_AT);
}

/* The type of its messages is the first member of its own. */
static const struct tri_handler_type *type_of(const struct tri_handler *h)
{
    const struct tri_mpsc *box = (const void *)((const char *)h + BOX_AT);

    return (const struct tri_handler_type *)box->type;
}

static const char *name_of(const struct tri_actor *a)
{
    const struct tri_handler *h = (const struct tri_handler *)a;
    const char *name;

    if (!h->named)
        return type_of(h)->message.name;
    memcpy(&name,
           (const char *)h +
               align_up(h->timer_message_at + type_of(h)->message.size, sizeof(char *)),
           sizeof name);
    return name;
}

/* ---- records ---- */

struct class {
    struct tri_lock lock; /* protects the rest; nothing is taken inside but the slab */
    unsigned space;       /* its number in the ids of its records; 0: not made yet */
    struct tri_slab slab;
    struct tri_slab_cache cache;
};

static struct class classes[CLASSES];

/* Under its lock. False: no memory, or more sizes than ids have room for. */
static bool class_make(struct class *c, size_t bytes)
{
    static atomic_uint n_space;
    unsigned space;

    if (tri_slab_init(&c->slab, bytes) < 0)
        return false;
    space = atomic_fetch_add_explicit(&n_space, 1, memory_order_relaxed) + 1; /* a number only */
    if (space > TRI_SPACES_MAX) {
        atomic_fetch_sub_explicit(&n_space, 1, memory_order_relaxed);
        tri_slab_fini(&c->slab);
        return false;
    }
    tri_slab_cache_init(&c->cache, &c->slab);
    c->space = space;
    return true;
}

static struct tri_handler *record_get(size_t bytes)
{
    size_t n = (bytes + CLASS_BYTES - 1) / CLASS_BYTES;
    struct class *c = &classes[n < CLASSES ? n : 0];
    struct tri_handler *h = NULL;

    if (n >= CLASSES)
        return NULL;
    tri_lock_acquire(&c->lock);
    if (c->space > 0 || class_make(c, n * CLASS_BYTES))
        h = tri_slab_get(&c->cache);
    if (h && h->a.slab_index + 1 >= 1u << TRI_SPACE_SHIFT) {
        tri_slab_put(&c->cache, h); /* no id is left: eight million of one size */
        h = NULL;
    }
    tri_lock_release(&c->lock);
    if (h)
        h->class = (uint16_t)n;
    return h;
}

static unsigned space_of(const struct tri_actor *a)
{
    return classes[((const struct tri_handler *)a)->class].space;
}

static void record_put(struct tri_handler *h)
{
    struct class *c = &classes[h->class];

    /* relaxed: only the last owner writes it. */
    atomic_store_explicit(
        &h->a.generation,
        atomic_load_explicit(&h->a.generation, memory_order_relaxed) + 1, memory_order_relaxed);
    tri_lock_acquire(&c->lock);
    tri_slab_put(&c->cache, h);
    tri_lock_release(&c->lock);
}

static struct tri_handler *handler_of(struct tri_actor *a)
{
    return (struct tri_handler *)a; /* a is its first member */
}

static void *state_of(struct tri_handler *h)
{
    return (char *)h + h->state_at;
}

static void *timer_message_of(struct tri_handler *h)
{
    return (char *)h + h->timer_message_at;
}

static void *record_start(struct tri_mpsc *box)
{
    return (char *)box - BOX_AT;
}

/* Both sides of the mailbox are gone. */
static void release(struct tri_mpsc *box)
{
    record_put(record_start(box));
}

/* ---- the end ---- */

static void outbox_free(struct tri_handler *h)
{
    tr_mpsc_tx_close(&h->outbox->to);
    free(h->outbox);
    h->outbox = NULL;
}

static void outbox_discard(struct tri_handler *h)
{
    struct outbox *o = h->outbox;
    bool sent = o->enrolled && o->arm.ops->withdraw(&o->arm, &o->waiter) && o->arm.result == 0;

    if (!sent)
        o->to.chan->type->drop(o->message);
    outbox_free(h);
}

/* The timer is not armed any more, and the handler in no queue. */
static void unpin(struct tri_worker *w, struct tri_handler *h)
{
    if (h->a.wakee.pinned)
        tri_runq_release(&w->own);
    h->a.wakee.pinned = false;
}

static void timer_discard(struct tri_worker *w, struct tri_handler *h)
{
    tri_wheel_remove(&w->wheel, &h->timer);
    unpin(w, h);
    h->timer_due = false;
    h->refuses = true; /* a timer that the drop arms would meet ours in the same place */
    if (h->has_timer)
        type_of(h)->message.drop(timer_message_of(h));
    h->has_timer = false;
    h->refuses = false;
}

/* Ends the handler, which runs on @w and is READY, hence in no queue. */
static void end(struct tri_worker *w, struct tri_handler *h, int result)
{
    struct tri_mpsc *box = box_of(h);
    tr_mpsc_rx rx = { box };

    atomic_fetch_add_explicit(&box->n_ref, 1, memory_order_relaxed); /* ours is one already */
    if (h->armed)
        tri_mpsc_rx_disarm(box);
    timer_discard(w, h);
    h->refuses = true; /* what the drops below arm or post would outlive the record */
    if (h->outbox)
        outbox_discard(h);
    tr_mpsc_rx_close(&rx); /* drops what is queued */
    type_of(h)->drop_self(state_of(h));
    tri_scope_remove(h->a.scope, &h->a, result, false);
    w->handler = NULL;
    tri_mpsc_unref(box);
}

/* ---- running ---- */

static unsigned prepare(struct tri_handler *h)
{
    /* READY is set: we run. Orders as in tri_park_prepare(). */
    return atomic_fetch_sub_explicit(&h->a.wakee.word, TRI_READY, memory_order_acq_rel);
}

/* True: we run on. False: somebody has queued us meanwhile. */
static bool undo(struct tri_handler *h)
{
    return !(atomic_fetch_or_explicit(&h->a.wakee.word, TRI_READY, memory_order_acq_rel) &
             TRI_READY);
}

enum step { GO_ON, GONE, WAITS };

/* @word, as of the step that took READY away, holds what the next turn must see. */
static bool is_told(const struct tri_handler *h, unsigned word)
{
    return (word & TRI_CANCEL) || ((word & TRI_DRAIN) && h->until_drain && !h->shut);
}

/*
 * Gives the worker back until a message comes; @closed: none will, only the timer's. After WAITS
 * the handler is not ours any more.
 */
static enum step sleep_on_mailbox(struct tri_handler *h, bool closed)
{
    struct tri_mpsc *box = box_of(h);

    h->armed = !closed;
    if (is_told(h, prepare(h)))
        return undo(h) ? GO_ON : WAITS;
    if (closed || tri_mpsc_rx_arm(box, &h->a.wakee))
        return WAITS;
    return undo(h) ? GO_ON : WAITS;
}

/*
 * Joins the line, which may serve us at once and wake us. Another worker may then run the handler
 * and close the outbox's end while we are still in the channel: so we hold one of our own.
 */
static bool enroll_held(struct outbox *o)
{
    tr_mpsc_tx hold = tr_mpsc_tx_clone(&o->to);
    bool enrolled = o->arm.ops->enroll(&o->arm, &o->waiter);

    tr_mpsc_tx_close(&hold);
    return enrolled;
}

/* The message in the outbox goes out, or waits on. */
static enum step outbox_flush(struct tri_handler *h)
{
    struct outbox *o = h->outbox;

    if (o->enrolled && o->arm.ops->keeps_place(&o->arm, &o->waiter)) {
        if (is_told(h, prepare(h)))
            return undo(h) ? GO_ON : WAITS;
        if (o->arm.ops->keeps_place(&o->arm, &o->waiter))
            return WAITS;
        if (!undo(h))
            return WAITS;
    }
    for (;;) {
        bool done = o->enrolled && o->arm.ops->withdraw(&o->arm, &o->waiter);

        o->enrolled = false;
        if (done || o->arm.ops->attempt(&o->arm)) {
            if (o->arm.result < 0)
                o->to.chan->type->drop(o->message); /* the addressee has gone */
            outbox_free(h);
            return GO_ON;
        }
        o->waiter = (struct tri_waiter){ .wakee = &h->a.wakee, .value = o->message };
        if (is_told(h, prepare(h)))
            return undo(h) ? GO_ON : WAITS;
        o->enrolled = true;
        if (enroll_held(o))
            return WAITS;
        o->enrolled = false;
        if (!undo(h))
            return WAITS;
    }
}

/* Runs the function for *@m and drops what it left. */
static enum step deliver(struct tri_worker *w, struct tri_handler *h, void *m)
{
    int r = type_of(h)->run(state_of(h), m);

    if (tri_unlikely(tri_is_forked()))
        tri_forked_leave(r);
    if (tri_unlikely(w->locals != NULL))
        tri_local_returned(&w->locals, NULL, 0);
    type_of(h)->message.drop(m);
    if (r < 0 || h->stopping) {
        end(w, h, r < 0 ? r : 0);
        return GONE;
    }
    return GO_ON;
}

/* The next message: the timer's first. Returns 0, -EAGAIN, -EPIPE. */
static int next(struct tri_handler *h, void *m)
{
    if (h->timer_due) {
        memcpy(m, timer_message_of(h), type_of(h)->message.size);
        h->timer_due = h->has_timer = false;
        return 0;
    }
    return tri_mpsc_poll(box_of(h), m);
}

/* One message, or sleep, or the end. */
static enum step turn(struct tri_worker *w, struct tri_handler *h)
{
    _Alignas(16) char m[TR_MESSAGE_MAX];
    /* relaxed: what comes later is seen when READY is taken away. */
    unsigned word = atomic_load_explicit(&h->a.wakee.word, memory_order_relaxed);
    int r;

    if (tri_unlikely(word & TRI_CANCEL)) {
        end(w, h, -ECANCELED);
        return GONE;
    }
    if (tri_unlikely((word & TRI_DRAIN) && h->until_drain && !h->shut)) {
        h->shut = true;
        (void)tri_mpsc_shut(box_of(h), 0);
    }
    if (tri_unlikely(h->outbox != NULL)) {
        enum step s = outbox_flush(h);

        if (s != GO_ON || h->outbox)
            return s;
    }
    r = next(h, m);
    if (r == 0)
        return deliver(w, h, m);
    if (r == -EPIPE && (h->shut || !h->has_timer)) { /* a drain does not wait for a timer */
        end(w, h, 0);
        return GONE;
    }
    return sleep_on_mailbox(h, r == -EPIPE);
}

static void handler_run(struct tri_worker *w, struct tri_actor *a)
{
    struct tri_handler *h = handler_of(a);

    if (h->timer_due)
        unpin(w, h);
    if (h->armed) {
        tri_mpsc_rx_disarm(box_of(h));
        h->armed = false;
    }
    for (unsigned n = 0; n < SLICE; n++) {
        if (turn(w, h) != GO_ON)
            return;
        if (h->armed) { /* it did not sleep after all */
            tri_mpsc_rx_disarm(box_of(h));
            h->armed = false;
        }
    }
    tri_worker_ready(a); /* the slice is over: behind the others */
}

static void timer_fired(struct tri_timer *timer)
{
    struct tri_handler *h =
        (struct tri_handler *)(void *)((char *)timer - offsetof(struct tri_handler, timer));

    h->timer_due = true; /* and pinned until it has run: it may be queued here already */
    tri_wake(&h->a.wakee);
}

/* ---- the public functions ---- */

static void hooks_set(void)
{
    static const struct tri_handler_fns fns = { handler_run, timer_fired, name_of, space_of };

    tri_worker_set_handler_fns(&fns);
    tri_mpsc_set_release_fn(release);
}

static struct tri_handler *handler_new(const struct tri_handler_type *type, void *self,
                                       const struct tr_handler_opts *opts)
{
    size_t capacity = opts && opts->capacity ? opts->capacity : CAPACITY;
    size_t state_at = align_up(BOX_AT + tri_mpsc_size(&type->message, capacity), type->self_align);
    size_t timer_at = align_up(state_at + type->self_size, type->message.align);
    size_t name_at = align_up(timer_at + type->message.size, sizeof(char *));
    struct tri_handler *h =
        record_get(opts && opts->name ? name_at + sizeof(char *) : timer_at + type->message.size);

    if (!h)
        return NULL;
    h->state_at = (uint16_t)state_at;
    h->timer_message_at = (uint16_t)timer_at;
    h->outbox = NULL;
    h->timer.links.next = NULL;
    h->timer.owner = TRI_KIND_HANDLER;
    h->armed = h->stopping = h->has_timer = h->timer_due = h->shut = h->refuses = false;
    h->until_drain = opts && (opts->flags & TR_HANDLER_UNTIL_DRAIN);
    atomic_store_explicit(&h->a.wakee.kind, TRI_KIND_HANDLER, memory_order_relaxed); /* as below */
    h->a.wakee.pinned = false;
    h->named = opts && opts->name;
    if (h->named)
        memcpy((char *)h + name_at, &opts->name, sizeof opts->name);
    /* relaxed: published with the scope's list and the queue. */
    atomic_store_explicit(&h->a.wakee.word, TRI_READY, memory_order_relaxed);
    (void)tri_mpsc_init_at(box_of(h), &type->message, capacity);
    memcpy(state_of(h), self, type->self_size);
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
    struct tri_worker *w = tri_worker_self();
    struct tri_handler *h;
    tr_mpsc_tx tx;
    int r;

    if (!scope || !self || (opts && opts->capacity > (size_t)1 << 31))
        return refuse(type, self, -EINVAL);
    if (tri_unlikely(!w) && tri_is_forked())
        return refuse(type, self, -EOWNERDEAD);
    (void)pthread_once(&once, hooks_set);
    r = tri_scope_use(scope);
    if (r < 0)
        return refuse(type, self, r);
    h = handler_new(type, self, opts);
    if (!h)
        return refuse(type, self, -ENOMEM);
    h->a.spawn_pc = pc;
    tx = (tr_mpsc_tx){ .chan = box_of(h) };
    r = tri_scope_add(scope->impl, &h->a);
    if (r < 0) {
        type->drop_self(state_of(h));
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
    return handler_of(w->handler)->refuses ? NULL : handler_of(w->handler);
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
    struct outbox *o;
    int r;

    if (!h)
        return refuse_stranger("the post form of a handler");
    r = tr_mpsc_try_send(to, m);
    if (r != -EAGAIN || h->outbox)
        return r;
    if (to->chan == box_of(h))
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

    if (!h || type_of(h) != type)
        return refuse_stranger("a handler's timer form");
    at &= ~TR_DRAIN_BIT;
    if (at < TR_NEVER && !m)
        return -EINVAL;
    if (at < TR_NEVER && tri_runq_reserve(&w->own) < 0)
        return -ENOMEM;
    timer_discard(w, h);
    if (at >= TR_NEVER)
        return 0;
    memcpy(timer_message_of(h), m, type->message.size);
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
