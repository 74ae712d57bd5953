/* SPDX-License-Identifier: MIT */
/*
 * handler.h - the inside of a handler, between its files: handler.c makes them and serves their
 * functions, handler_run.c runs and ends them, handler_record.c has the memory.
 *
 *     [ tri_handler | mailbox with its cells | state | timer's message ]     one slab record
 *
 * It sleeps without READY, its mailbox armed with its wakee; whoever turns READY on queues it,
 * so one worker at a time runs it. The run that arms the mailbox must not touch the handler
 * afterwards: another worker may have it. From READY's end to there it may be queued, too, by a
 * cancel or a drain, but into the inbox of its worker, who is busy with it; and no thief takes
 * from an inbox what that worker still runs (sched/steal.c). While its timer is armed the
 * handler is pinned to the worker in whose wheel it is.
 *
 * Reclamation: the record is the mailbox's memory; it goes when both sides of that are gone,
 * the receiving side being the handler itself. Records lie in slabs of their size, so a late
 * wake finds a handler, who then has nothing to do (wakee.h).
 */
#ifndef TRI_ACTOR_HANDLER_H
#define TRI_ACTOR_HANDLER_H

#include <troupe/handler.h>

#include "chan/mpsc.h"
#include "sched/worker.h"

enum { TRI_HANDLER_BYTES_MAX = 16 * 1024 }; /* of a record */

/* A message that found the mailbox of its addressee full. */
struct tri_outbox {
    tr_mpsc_tx to;
    tr_arm arm;
    struct tri_waiter waiter;
    bool enrolled;
    _Alignas(16) char message[TR_MESSAGE_MAX];
};

struct tri_handler {
    struct tri_actor a;
    struct tri_outbox *outbox;  /* NULL: nothing waits to be sent */
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
    bool named; /* a name of its own lies behind the timer's message; constant, read by
                 * reports */
};

enum { TRI_BOX_AT = (sizeof(struct tri_handler) + 15) / 16 * 16 };
_Static_assert(TRI_BOX_AT <= 112, "a million of them");

static inline struct tri_handler *tri_handler_of(struct tri_actor *a)
{
    return (struct tri_handler *)a; /* a is its first member */
}

static inline struct tri_mpsc *tri_handler_box(struct tri_handler *h)
{
    return (struct tri_mpsc *)(void *)((char *)h + TRI_BOX_AT);
}

/* The type of its messages is the first member of its own. */
static inline const struct tri_handler_type *tri_handler_type(const struct tri_handler *h)
{
    const struct tri_mpsc *box = (const void *)((const char *)h + TRI_BOX_AT);

    return (const struct tri_handler_type *)box->type;
}

static inline void *tri_handler_state(struct tri_handler *h)
{
    return (char *)h + h->state_at;
}

static inline void *tri_handler_timer_message(struct tri_handler *h)
{
    return (char *)h + h->timer_message_at;
}

/* ---- handler_record.c ---- */

/* A record of at least @bytes. NULL: no memory, or more than TRI_HANDLER_BYTES_MAX. */
struct tri_handler *tri_handler_get(size_t bytes);
void tri_handler_put(struct tri_handler *h);

/* What the ids of its size begin with. */
unsigned tri_handler_space(const struct tri_actor *a);

/* ---- handler_run.c ---- */

void tri_handler_run(struct tri_worker *w, struct tri_actor *a);
void tri_handler_timer_fired(struct tri_timer *timer);

/* The timer is off, and its message dropped. On @w, where the handler runs. */
void tri_handler_timer_discard(struct tri_worker *w, struct tri_handler *h);

#endif /* TRI_ACTOR_HANDLER_H */
