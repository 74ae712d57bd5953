/* SPDX-License-Identifier: MIT */
/* handler_run.c - a handler's turns, its outbox, and its end. See handler.h. */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "actor/handler.h"
#include "actor/runtime.h"
#include "sched/local.h"

enum { SLICE = 64 }; /* messages in a row */

/* ---- the end ---- */

static void outbox_free(struct tri_handler *h)
{
    tr_mpsc_tx_close(&h->outbox->to);
    free(h->outbox);
    h->outbox = NULL;
}

static void outbox_discard(struct tri_handler *h)
{
    struct tri_outbox *o = h->outbox;
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

void tri_handler_timer_discard(struct tri_worker *w, struct tri_handler *h)
{
    tri_wheel_remove(&w->wheel, &h->timer);
    unpin(w, h);
    h->timer_due = false;
    h->refuses = true; /* a timer that the drop arms would meet ours in the same place */
    if (h->has_timer)
        tri_handler_type(h)->message.drop(tri_handler_timer_message(h));
    h->has_timer = false;
    h->refuses = false;
}

/* Ends the handler, which runs on @w and is READY, hence in no queue. */
static void end(struct tri_worker *w, struct tri_handler *h, int result)
{
    struct tri_mpsc *box = tri_handler_box(h);
    tr_mpsc_rx rx = { box };

    atomic_fetch_add_explicit(&box->n_ref, 1, memory_order_relaxed); /* ours is one already */
    if (h->armed)
        tri_mpsc_rx_disarm(box);
    tri_handler_timer_discard(w, h);
    h->refuses = true; /* what the drops below arm or post would outlive the record */
    if (h->outbox)
        outbox_discard(h);
    tr_mpsc_rx_close(&rx); /* drops what is queued */
    tri_handler_type(h)->drop_self(tri_handler_state(h));
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
    /* Orders as in tri_wake(). */
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
 * Gives the worker back until a message comes; @closed: none will, only the timer's. After
 * WAITS the handler is not ours any more.
 */
static enum step sleep_on_mailbox(struct tri_handler *h, bool closed)
{
    struct tri_mpsc *box = tri_handler_box(h);

    h->armed = !closed;
    if (is_told(h, prepare(h)))
        return undo(h) ? GO_ON : WAITS;
    if (closed || tri_mpsc_rx_arm(box, &h->a.wakee))
        return WAITS;
    return undo(h) ? GO_ON : WAITS;
}

/*
 * Joins the line, which may serve us at once and wake us. Another worker may then run the
 * handler and close the outbox's end while we are still in the channel: so we hold one of our
 * own.
 */
static bool enroll_held(struct tri_outbox *o)
{
    tr_mpsc_tx hold = tr_mpsc_tx_clone(&o->to);
    bool enrolled = o->arm.ops->enroll(&o->arm, &o->waiter);

    tr_mpsc_tx_close(&hold);
    return enrolled;
}

/* The message in the outbox goes out, or waits on. */
static enum step outbox_flush(struct tri_handler *h)
{
    struct tri_outbox *o = h->outbox;

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
    int r = tri_handler_type(h)->run(tri_handler_state(h), m);

    if (tri_unlikely(tri_is_forked()))
        tri_forked_leave(r);
    if (tri_unlikely(w->locals != NULL))
        tri_local_returned(&w->locals, NULL, 0);
    tri_handler_type(h)->message.drop(m);
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
        memcpy(m, tri_handler_timer_message(h), tri_handler_type(h)->message.size);
        h->timer_due = h->has_timer = false;
        return 0;
    }
    return tri_mpsc_poll(tri_handler_box(h), m);
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
        (void)tri_mpsc_shut(tri_handler_box(h), 0);
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

void tri_handler_run(struct tri_worker *w, struct tri_actor *a)
{
    struct tri_handler *h = tri_handler_of(a);

    if (h->timer_due)
        unpin(w, h);
    if (h->armed) {
        tri_mpsc_rx_disarm(tri_handler_box(h));
        h->armed = false;
    }
    for (unsigned n = 0; n < SLICE; n++) {
        if (turn(w, h) != GO_ON)
            return;
        if (h->armed) { /* it did not sleep after all */
            tri_mpsc_rx_disarm(tri_handler_box(h));
            h->armed = false;
        }
    }
    tri_worker_ready(a); /* the slice is over: behind the others */
}

void tri_handler_timer_fired(struct tri_timer *timer)
{
    struct tri_handler *h =
        (struct tri_handler *)(void *)((char *)timer - offsetof(struct tri_handler, timer));

    h->timer_due = true; /* and pinned until it has run: it may be queued here already */
    tri_wake(&h->a.wakee);
}
