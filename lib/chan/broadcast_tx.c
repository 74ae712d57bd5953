/* SPDX-License-Identifier: MIT */
/*
 * broadcast_tx.c - sending, and with TR_BROADCAST_WAIT the line of senders that wait for the
 * slowest receiver.
 *
 * A send holds the lock for the copy of one message, moves tail, and wakes and drops
 * afterwards. Without TR_BROADCAST_WAIT it never looks at the subscribers. With it, room_until
 * is a position up to which all cursors of some moment allowed to write; only a sender that
 * arrives there reads the cursors again: once per ring in a steady flow.
 *
 * A sender that finds the ring full joins the line. Nobody overtakes: while the line is not
 * empty only its first may send. The first is told to try (done) by serve_locked(), which
 * anybody calls who may have made room or left the line; it keeps its place until it sends or
 * withdraws. Room that was found stays: only the first may use it up.
 *
 * Who makes room is the last one of those subscribers that stand where the ring is full. They
 * are marked (blocks) and counted (n_blocking); a receiver that moves on and finds its mark
 * takes it away, and who brings the count to 0 serves the line. While they are being marked the
 * count is one higher, so nobody does.
 *
 * No wake-up is lost: the sender sets the marks and then looks at the cursors again, a receiver
 * moves its cursor and then looks at its mark. With is_fenced all of these are seq_cst: in
 * their one order either the sender sees the cursor, or the receiver the mark. Without, the
 * receiver has a plain store and a plain load, and the sender calls tri_membarrier() between
 * its two steps: the receiver's thread has a full barrier at some moment of that call. If its
 * store is before the barrier, the sender's second look sees it; if not, its load is after the
 * barrier, too, and sees the mark, which was set before the call. A mark that comes too late
 * for the position it was set for is spurious: serve_locked() looks for itself, and marks
 * again.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>

#include "base/membarrier.h"
#include "chan/broadcast.h"
#include "sched/worker.h"

/* ---- room; all under the lock ---- */

static struct tri_subscriber *subscriber_at(struct tri_list *link)
{
    return tri_list_entry(link, struct tri_subscriber, link);
}

/* The least of the cursors; @tail without subscribers. */
static uint64_t least_cursor(struct tri_broadcast *c, uint64_t tail)
{
    uint64_t least = tail, pos;

    for (struct tri_list *l = c->subscribers.next; l != &c->subscribers; l = l->next) {
        /*
         * acquire: the receiver has read the cells before it; pairs with tri_subscriber_move().
         */
        pos = atomic_load_explicit(&subscriber_at(l)->cursor, memory_order_acquire);
        if (pos < least)
            least = pos;
    }
    return least;
}

static bool has_room(struct tri_broadcast *c)
{
    uint64_t tail;

    if (!c->waits)
        return true;
    tail = tri_broadcast_tail(c);
    if (tri_unlikely(tail >= c->room_until))
        c->room_until = least_cursor(c, tail) + c->mask + 1;
    return tail < c->room_until;
}

/* Marks who stands at @pos. */
static void mark(struct tri_broadcast *c, uint64_t pos)
{
    for (struct tri_list *l = c->subscribers.next; l != &c->subscribers; l = l->next) {
        struct tri_subscriber *s = subscriber_at(l);

        /* seq_cst: before the second look at its cursor, in unmark(). */
        if (tri_cursor(s) == pos &&
            !atomic_exchange_explicit(&s->blocks, true, memory_order_seq_cst))
            /* relaxed: we hold one more; the last one is acq_rel. */
            atomic_fetch_add_explicit(&c->n_blocking, 1, memory_order_relaxed);
    }
}

/* Takes the marks of those away who have moved on from @pos. */
static void unmark(struct tri_broadcast *c, uint64_t pos)
{
    for (struct tri_list *l = c->subscribers.next; l != &c->subscribers; l = l->next) {
        struct tri_subscriber *s = subscriber_at(l);

        /* seq_cst: after the mark. relaxed: a mark that we do not see now was not ours. */
        if (atomic_load_explicit(&s->cursor, memory_order_seq_cst) != pos &&
            atomic_load_explicit(&s->blocks, memory_order_relaxed) &&
            atomic_exchange_explicit(&s->blocks, false, memory_order_relaxed))
            atomic_fetch_sub_explicit(&c->n_blocking, 1, memory_order_relaxed);
    }
}

/*
 * The ring is full: asks for a call of tri_broadcast_serve(). False: there is room meanwhile.
 */
static bool await_room(struct tri_broadcast *c)
{
    const uint64_t pos = tri_broadcast_tail(c) - (c->mask + 1);

    /* relaxed, both: as in mark(). */
    atomic_fetch_add_explicit(&c->n_blocking, 1, memory_order_relaxed);
    mark(c, pos);
    if (!c->is_fenced)
        tri_membarrier();
    unmark(c, pos);
    /* acquire: the cursors of those who took their marks away themselves. */
    return atomic_fetch_sub_explicit(&c->n_blocking, 1, memory_order_acq_rel) != 1;
}

static bool is_done(const struct tri_waiter *w)
{
    /* acquire: pairs with the release below. */
    return atomic_load_explicit(&w->done, memory_order_acquire);
}

void tri_broadcast_serve_locked(struct tri_broadcast *c, struct tri_wakes *wakes)
{
    struct tri_waiter *w = tri_waitq_first(&c->line);

    if (!w || is_done(w))
        return;
    /* relaxed: the lock orders it. */
    if (atomic_load_explicit(&c->n_rx, memory_order_relaxed) > 0 && !has_room(c) &&
        await_room(c))
        return;
    tri_wakes_let_go(wakes, w); /* it stays in line */
}

void tri_broadcast_serve(struct tri_broadcast *c)
{
    struct tri_wakes wakes = { .n = 0 };

    tri_lock_acquire(&c->lock);
    tri_broadcast_serve_locked(c, &wakes);
    tri_lock_release(&c->lock);
    tri_wakes_run(&wakes);
}

void tri_subscriber_unblock(struct tri_subscriber *s)
{
    /* relaxed: one of us gets it; the count orders it. */
    if (!atomic_exchange_explicit(&s->blocks, false, memory_order_relaxed))
        return;
    /* release: our cursor. acquire: those of the others, for the last one. */
    if (atomic_fetch_sub_explicit(&s->chan->n_blocking, 1, memory_order_acq_rel) == 1)
        tri_broadcast_serve(s->chan);
}

/* ---- sending ---- */

/* What a send under the lock leaves to be done after it. */
struct sending {
    struct tri_original *o;   /* NULL: flat */
    struct tri_original *old; /* replaced by it */
    struct tri_wakes wakes;
};

/* Writes the message and moves tail. Returns the number of its receivers. */
static int publish(struct tri_broadcast *c, const void *m, struct sending *s)
{
    const uint64_t pos = tri_broadcast_tail(c);
    void *cell = tri_broadcast_cell(c->cells, c->mask, c->stride, pos);
    /* relaxed: the lock orders it. */
    size_t n_rx = atomic_load_explicit(&c->n_rx, memory_order_relaxed);

    if (s->o)
        s->old = tri_original_put(cell, s->o, pos, n_rx);
    else
        tri_flat_put(cell, pos, m, c->type->size);
    c->n_due += n_rx;
    /*
     * release: the cell. seq_cst: before the look at the parked ones. ENDED is not set: we are
     * a sender.
     */
    atomic_store_explicit(&c->tail, (pos + 1) << 1, memory_order_seq_cst);
    s->o = NULL;
    return (int)n_rx;
}

/* Under the lock; @in_line: the caller is the first in line. */
static int send_locked(struct tri_broadcast *c, const void *m, struct sending *s, bool in_line)
{
    /* relaxed: the lock orders it. */
    if (atomic_load_explicit(&c->n_rx, memory_order_relaxed) == 0)
        return -EPIPE;
    if ((!in_line && tri_waitq_first(&c->line)) || !has_room(c))
        return -EAGAIN;
    return publish(c, m, s);
}

static int sending_begin(struct tri_broadcast *c, const void *m, struct sending *s)
{
    s->old = NULL;
    s->wakes.n = 0;
    s->o = c->clone ? tri_original_new(c->type, m) : NULL;
    return c->clone && !s->o ? -ENOMEM : 0;
}

/* After the lock was released: @r is the result. */
static int sending_end(struct tri_broadcast *c, void *m, struct sending *s, int r)
{
    tri_wakes_run(&s->wakes);
    if (tri_unlikely(r < 0)) {
        free(s->o); /* it was not sent: the bytes only, the message is still in @m */
        return r;
    }
    tri_zero(m, c->type->size);
    tri_broadcast_wake(c);
    tri_original_detach(s->old);
    return r;
}

/* Returns: the number of receivers; -EAGAIN: full, or others wait; -EPIPE; -ENOMEM. */
static int send_now(struct tri_broadcast *c, void *m)
{
    struct sending s;
    int r = sending_begin(c, m, &s);

    if (r < 0)
        return r;
    tri_lock_acquire(&c->lock);
    r = send_locked(c, m, &s, false);
    tri_lock_release(&c->lock);
    return sending_end(c, m, &s, r);
}

/* ---- the arm ---- */

/* The waiter of an arm of a select that is in line. */
static struct tri_waiter *waiter_of(const tr_arm *arm)
{
    return (struct tri_waiter *)arm->extra[0];
}

/* The result of a send. */
static inline int result(tr_broadcast_tx *tx, int r)
{
    if (tri_unlikely(r < 0))
        tx->n_back++;
    return r;
}

static bool arm_result(tr_arm *arm, int r)
{
    arm->result = result(arm->source, r);
    return true;
}

/* The same by @w, which is in line: only the first one may send, and leaves the line then. */
static int send_in_line(struct tri_broadcast *c, struct tri_waiter *w, void *m)
{
    struct sending s;
    int r = sending_begin(c, m, &s);

    tri_lock_acquire(&c->lock);
    if (r == 0)
        r = tri_waitq_first(&c->line) == w ? send_locked(c, m, &s, true) : -EAGAIN;
    if (r != -EAGAIN)
        tri_waitq_remove(&c->line, w);
    else
        /* relaxed: under the lock. It was told for nothing; it will be told again. */
        atomic_store_explicit(&w->done, false, memory_order_relaxed);
    tri_broadcast_serve_locked(c, &s.wakes);
    tri_lock_release(&c->lock);
    return sending_end(c, m, &s, r);
}

static bool attempt(tr_arm *arm)
{
    tr_broadcast_tx *tx = arm->source;
    struct tri_waiter *w = waiter_of(arm);
    int r;

    if (!tx->chan || !arm->value) {
        arm->result = -EINVAL;
        return true;
    }
    r = w ? send_in_line(tx->chan, w, arm->value) : send_now(tx->chan, arm->value);
    return r != -EAGAIN && arm_result(arm, r);
}

static bool enroll(tr_arm *arm, struct tri_waiter *w)
{
    struct tri_broadcast *c = ((tr_broadcast_tx *)arm->source)->chan;
    struct tri_wakes wakes = { .n = 0 };

    w->next = w->prev = NULL;
    atomic_init(&w->done, false);
    if (w->selects)
        arm->extra[0] = (uintptr_t)w;
    tri_lock_acquire(&c->lock);
    tri_waitq_append(&c->line, w);
    tri_broadcast_serve_locked(c, &wakes); /* the second look; may tell @w itself */
    tri_lock_release(&c->lock);
    tri_wakes_run(&wakes);
    return true;
}

static bool withdraw(tr_arm *arm, struct tri_waiter *w)
{
    struct tri_broadcast *c = ((tr_broadcast_tx *)arm->source)->chan;
    struct tri_wakes wakes = { .n = 0 };
    int r;

    arm->extra[0] = 0;
    if (!w->selects && is_done(w)) {
        r = send_in_line(c, w, arm->value);
        if (r != -EAGAIN)
            return arm_result(arm, r);
    }
    tri_lock_acquire(&c->lock);
    if (tri_waitq_has(w))
        tri_waitq_remove(&c->line, w);
    tri_broadcast_serve_locked(c, &wakes); /* the place may have been the first, with room */
    tri_lock_release(&c->lock);
    tri_wakes_run(&wakes);
    return false;
}

static bool keeps_place(const tr_arm *arm, const struct tri_waiter *w)
{
    (void)arm;
    return !is_done(w);
}

static const struct tri_arm_ops send_ops = {
    .what = "broadcast send",
    .attempt = attempt,
    .enroll = enroll,
    .withdraw = withdraw,
    .keeps_place = keeps_place,
};

tr_arm tr_broadcast_send_arm(tr_broadcast_tx *tx, void *m)
{
    if (!tx)
        return (tr_arm){ 0 };
    return (tr_arm){ .ops = &send_ops, .source = tx, .value = m };
}

/* ---- the three forms ---- */

static bool is_misuse(const tr_broadcast_tx *tx, const void *m)
{
    return tri_unlikely(!tx || !tx->chan || !m);
}

int tr_broadcast_try_send(tr_broadcast_tx *tx, void *m)
{
    if (is_misuse(tx, m))
        return -EINVAL;
    return result(tx, send_now(tx->chan, m));
}

int tr_broadcast_send(tr_broadcast_tx *tx, void *m, tr_time deadline)
{
    tr_arm arm;
    int r;

    if (is_misuse(tx, m))
        return -EINVAL;
    r = tri_wait_enter(tri_self_at_entry());
    if (tri_likely(r == 0))
        r = send_now(tx->chan, m);
    if (tri_likely(r != -EAGAIN))
        return result(tx, r);
    arm = tr_broadcast_send_arm(tx, m);
    r = tri_wait(&arm, deadline);
    return r < 0 ? result(tx, r) : arm.result;
}

int tr_broadcast_blocking_send(tr_broadcast_tx *tx, void *m, tr_time deadline)
{
    tr_arm arm;
    int r;

    if (is_misuse(tx, m))
        return -EINVAL;
    arm = tr_broadcast_send_arm(tx, m);
    r = tri_wait_blocking(&arm, deadline, __builtin_return_address(0));
    return r < 0 ? result(tx, r) : arm.result;
}
