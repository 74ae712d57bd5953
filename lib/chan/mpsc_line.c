/* SPDX-License-Identifier: MIT */
/*
 * mpsc_line.c - the line of waiting senders and of those who wait for permits.
 *
 * A sender that finds the channel full takes the lock, joins the line, sets TX_WAITING and
 * looks at head again. From then on positions are claimed under the lock only, for the first in
 * line: nobody overtakes. Whoever makes room or leaves the line serves it (tri_mpsc_serve).
 *
 * A served waiter's message is moved into the channel in its name; it learns so by w->done, the
 * last touch of its memory. One that waits for several arms is only told to try (done is a hint
 * then) and keeps the first place until it sends or withdraws, which serves the next.
 *
 * One that waits for n permits is served when n places are free, and holds up those behind it
 * until then. It is served by n_reserved in its name; what it waits with is done as above.
 *
 * No wake-up is lost: the sender makes itself visible (a seq_cst store of line.first) and then
 * loads head (seq_cst); the receiver moves head (a seq_cst exchange) and then loads line.first
 * (seq_cst). In the one order of these four either the sender sees the room and serves itself,
 * or the receiver sees the line and serves it. That is settled by the sender that makes the
 * line not empty, for all that join behind it: the receiver looks only whether there is a line,
 * and if it saw that sender or had moved head too early for it, it sees some first one until
 * the line is empty again. Who joins behind others looks at nothing, therefore; who makes
 * another one the first, and wants less or leaves, looks at head afterwards, under the same
 * lock (serve_some()).
 *
 * A receiver that always runs on one seat (sched/worker.h) does without the fence between its
 * two steps, as long as c->reader is that seat. Then a sender that joins the line is either on
 * the same seat: its steps and the receiver's are on one thread, one after the other. Or it is
 * not: it sets c->reader to NONE and calls tri_membarrier() between its two steps. The
 * receiver's thread has a full barrier at some moment of that call: if its store of head is
 * before the barrier, the sender's load, after the call, sees it; if not, its load of
 * line.first is after the barrier too, and sees the sender, who stored before the call. From
 * its next look at c->reader on the receiver uses the fence. On any other seat the receiver
 * uses it anyway.
 */
#include "config.h"

#include <errno.h>

#include "base/membarrier.h"
#include "chan/mpsc_line.h"
#include "sched/worker.h"

/* ---- all but the last part is under the lock ---- */

static uint64_t set_flags(struct tri_mpsc *c, uint64_t flags)
{
    /* relaxed: later claims fail by the word itself; nothing is published through it. */
    return atomic_fetch_or_explicit(&tri_mpsc_tx(c)->tail, flags, memory_order_relaxed);
}

static void clear_flags(struct tri_mpsc *c, uint64_t flags)
{
    /* relaxed: as above. */
    atomic_fetch_and_explicit(&tri_mpsc_tx(c)->tail, ~flags, memory_order_relaxed);
}

static uint64_t load_tail(struct tri_mpsc *c)
{
    /* relaxed: a CAS confirms it, or the lock keeps what is asked of it. */
    return atomic_load_explicit(&tri_mpsc_tx(c)->tail, memory_order_relaxed);
}

static void wake_receiver(struct tri_mpsc *c, struct tri_wakes *wakes)
{
    /* relaxed: the acquire of the step that took RX_PARKED away shows it; see the field. */
    tri_wakes_add(wakes, atomic_load_explicit(&tri_mpsc_rx(c)->wakee, memory_order_relaxed));
}

/* The places that a waiter wants. */
static uint32_t n_wanted(const struct tri_waiter *w)
{
    return w->n_place > 0 ? w->n_place : 1;
}

/* There are @n places beside those of the permits, and the channel is open. */
static bool fits(struct tri_mpsc *c, uint32_t n)
{
    const uint32_t n_reserved = c->more_at > 0 ? tri_mpsc_more(c)->n_reserved : 0;
    /* With TX_WAITING or TX_PERMITS set the position changes under the lock only. */
    uint64_t t = load_tail(c);
    /* seq_cst: after line.first was stored, and against the receiver's exchange of head. */
    uint64_t head = atomic_load_explicit(&tri_mpsc_rx(c)->head, memory_order_seq_cst);

    return !(t & TRI_RX_SHUT) &&
           tri_mpsc_is_near(c, (t >> TRI_POS_SHIFT) + n_reserved + n - 1, head);
}

/*
 * Moves @m in, for the first in line; fits() said yes. Before leave_line(), which may clear
 * TX_WAITING: until then nobody else can claim the room that fits() saw.
 */
static void send_locked(struct tri_mpsc *c, void *m, struct tri_wakes *wakes)
{
    uint64_t t = load_tail(c);

    /* It loops for changes of the other flags only. acquire: the wakee, as in send_now(). */
    while (!atomic_compare_exchange_weak_explicit(&tri_mpsc_tx(c)->tail, &t,
                                                  (t + TRI_POS_ONE) & ~(uint64_t)TRI_RX_PARKED,
                                                  memory_order_acquire, memory_order_relaxed))
        ;
    if (tri_unlikely(c->locked))
        tri_cell_put_locked(c, tri_ring_cell(c, t >> TRI_POS_SHIFT), t >> TRI_POS_SHIFT, m);
    else
        tri_cell_put(c, tri_ring_cell(c, t >> TRI_POS_SHIFT), t >> TRI_POS_SHIFT, m);
    if (t & TRI_RX_PARKED)
        wake_receiver(c, wakes);
}

/* Takes places for permits; fits() said yes while the fast path was closed, and it is still. */
static void reserve_locked(struct tri_mpsc *c, uint32_t n)
{
    if (tri_mpsc_more(c)->n_reserved == 0)
        set_flags(c, TRI_TX_PERMITS);
    tri_mpsc_more(c)->n_reserved += n;
}

/* Lets go of places; with the last one the fast path is open again, or the channel at its end. */
static void unreserve_locked(struct tri_mpsc *c, uint32_t n, struct tri_wakes *wakes)
{
    uint64_t t = load_tail(c), next;

    tri_mpsc_more(c)->n_reserved -= n;
    if (tri_mpsc_more(c)->n_reserved > 0)
        return;
    do {
        next = t & ~(uint64_t)TRI_TX_PERMITS;
        if (tri_tail_is_end(next))
            next &= ~(uint64_t)TRI_RX_PARKED;
        /* acquire: the wakee, set before RX_PARKED. */
    } while (!atomic_compare_exchange_weak_explicit(
        &tri_mpsc_tx(c)->tail, &t, next, memory_order_acquire, memory_order_relaxed));
    if ((t & ~next) & TRI_RX_PARKED)
        wake_receiver(c, wakes);
}

/* Does what @w, the first in line, waits for; fits() said yes. */
static void perform(struct tri_mpsc *c, struct tri_waiter *w, struct tri_wakes *wakes)
{
    if (w->n_place > 0)
        reserve_locked(c, w->n_place);
    else
        send_locked(c, w->value, wakes);
    w->value = NULL;
}

/* Takes @w out of the line; the fast path is open again when it was the last. */
static void leave_line(struct tri_mpsc *c, struct tri_waiter *w)
{
    /* relaxed: the receiver looks whether there is a line; it has seen so. See the top. */
    tri_waitq_unlink(&c->line, w, memory_order_relaxed);
    if (!tri_waitq_first(&c->line))
        clear_flags(c, TRI_TX_WAITING);
}

/*
 * Fetches what serving the second in line will touch: its message, its record, and the one
 * behind it. In a long line nobody has touched these since they joined.
 */
static void fetch_second(struct tri_mpsc *c)
{
    const struct tri_waiter *w = tri_waitq_first(&c->line);

    if (!w)
        return;
    w = w->next;
    __builtin_prefetch(w->value);
    __builtin_prefetch(w->wakee, 1);
    __builtin_prefetch(w->next, 1);
}

/* Serves the line until it is empty, the channel is full, or @wakes is. True: the last. */
static bool serve_some(struct tri_mpsc *c, struct tri_wakes *wakes)
{
    struct tri_waiter *w;

    while ((w = tri_waitq_first(&c->line)) && fits(c, n_wanted(w))) {
        if (wakes->n + 2 > TRI_WAKES_MAX) /* the receiver and the waiter */
            return true;
        if (w->selects) {
            if (tri_txline_keeps(w))
                tri_wakes_let_go(wakes, w); /* a hint; it stays in line */
            return false;
        }
        perform(c, w, wakes);
        leave_line(c, w);
        tri_wakes_let_go(wakes, w);
        fetch_second(c);
    }
    return false;
}

/* Releases the lock, which the caller holds, and wakes; goes on while there is more. */
static void serve_and_release(struct tri_mpsc *c, struct tri_wakes *wakes)
{
    bool more;

    do {
        more = serve_some(c, wakes);
        tri_lock_release(&c->lock);
        tri_wakes_run(wakes);
        if (more)
            tri_lock_acquire(&c->lock);
    } while (more);
}

/* Takes out the next one who waits for what a shut channel will not do, or has done. */
static struct tri_waiter *take_disappointed(struct tri_mpsc *c)
{
    struct tri_waiter *w = tri_waitq_first(&c->line);
    struct tri_lane *lane;

    if (w) {
        leave_line(c, w);
        return w;
    }
    if (c->more_at == 0)
        return NULL;
    lane = tri_mpsc_more(c)->lane;
    w = tri_waitq_take(&tri_mpsc_more(c)->closed_line);
    return w || !lane ? w : tri_waitq_take(&lane->line);
}

/* Ends the receiver's way without a fence, unless it is on the seat we run on. See the top. */
static void fence_receiver(struct tri_mpsc *c)
{
    struct tri_worker *w = tri_worker_self();
    uint16_t seat = w ? w->seat : TRI_SEAT_NONE, reader;

    /* relaxed, all: the word alone counts; nothing is published through it. */
    reader = atomic_load_explicit(&c->reader, memory_order_relaxed);
    if (reader == TRI_SEAT_UNKNOWN &&
        atomic_compare_exchange_strong_explicit(&c->reader, &reader, seat, memory_order_relaxed,
                                                memory_order_relaxed))
        return;
    if (reader == seat || reader == TRI_SEAT_NONE)
        return;
    atomic_store_explicit(&c->reader, TRI_SEAT_NONE, memory_order_relaxed);
    tri_membarrier();
}

/* Appends @w, unless it can be served at once. */
static bool join_line(struct tri_mpsc *c, struct tri_waiter *w)
{
    const bool alone = !tri_waitq_first(&c->line);

    if (alone && fits(c, n_wanted(w)))
        return false;
    if (load_tail(c) & TRI_RX_SHUT) /* it is set under the lock */
        return false;
    tri_waitq_append(&c->line, w);
    if (alone) {
        set_flags(c, TRI_TX_WAITING);
        fence_receiver(c);
    }
    return true;
}

/*
 * Closes the fast path by TX_PERMITS and looks for @n places. Returns: 0: they are there as
 * long as the lock is held; -EAGAIN; -EPIPE.
 */
static int begin_locked(struct tri_mpsc *c, uint32_t n)
{
    if (set_flags(c, TRI_TX_PERMITS) & TRI_RX_SHUT)
        return -EPIPE;
    return !tri_waitq_first(&c->line) && fits(c, n) ? 0 : -EAGAIN;
}

/* Opens it again, unless there are permits; releases the lock, and wakes. */
static void end_locked(struct tri_mpsc *c, struct tri_wakes *wakes)
{
    unreserve_locked(c, 0, wakes); /* the receiver may have parked over the flag */
    tri_lock_release(&c->lock);
    tri_wakes_run(wakes);
}

bool tri_txline_fits(struct tri_mpsc *c)
{
    return fits(c, 1);
}

bool tri_txline_is_empty(struct tri_mpsc *c)
{
    return !tri_waitq_first(&c->line);
}

void tri_txline_put(struct tri_mpsc *c, void *m, struct tri_wakes *wakes)
{
    send_locked(c, m, wakes);
}

void tri_txline_wake_receiver(struct tri_mpsc *c, struct tri_wakes *wakes)
{
    /* acquire: the wakee, set before RX_PARKED. */
    if (atomic_fetch_and_explicit(&tri_mpsc_tx(c)->tail, ~(uint64_t)TRI_RX_PARKED,
                                  memory_order_acquire) &
        TRI_RX_PARKED)
        wake_receiver(c, wakes);
}

void tri_txline_serve_and_release(struct tri_mpsc *c)
{
    struct tri_wakes wakes;

    tri_wakes_init(&wakes);
    serve_and_release(c, &wakes);
}

/* ---- these take it ---- */

static int send_among_permits(struct tri_mpsc *c, void *m)
{
    struct tri_wakes wakes;
    int r;

    tri_wakes_init(&wakes);
    tri_lock_acquire(&c->lock);
    r = begin_locked(c, 1);
    if (r == 0)
        send_locked(c, m, &wakes);
    end_locked(c, &wakes);
    return r;
}

/* It is not full, as of a moment ago; @t is its tail. */
static bool seems_to_have_room(struct tri_mpsc *c, uint64_t t)
{
    /* acquire: as in has_room(); the lock confirms it. */
    return tri_mpsc_is_near(c, t >> TRI_POS_SHIFT,
                            atomic_load_explicit(&tri_mpsc_rx(c)->head, memory_order_acquire));
}

int tri_txline_send(struct tri_mpsc *c, void *m)
{
    const uint64_t t = load_tail(c);
    int r = -EAGAIN;

    if (t & TRI_TX_LOCKED)
        return tri_locked_send(c, m);
    /* The line comes first. With room the fast path was closed by permits that are gone. */
    if (!(t & TRI_TX_WAITING) && (t & TRI_TX_PERMITS || seems_to_have_room(c, t)))
        r = send_among_permits(c, m);
    return r == -EAGAIN ? tri_mpsc_overflow(c, m) : r;
}

int tri_txline_reserve(struct tri_mpsc *c, uint32_t n)
{
    struct tri_wakes wakes;
    int r;

    tri_wakes_init(&wakes);
    tri_lock_acquire(&c->lock);
    r = begin_locked(c, n);
    if (r == 0)
        tri_mpsc_more(c)->n_reserved += n;
    end_locked(c, &wakes);
    return r;
}

int tri_txline_send_reserved(struct tri_mpsc *c, void *m)
{
    struct tri_wakes wakes;
    int r = 0;

    tri_wakes_init(&wakes);
    tri_lock_acquire(&c->lock);
    if (load_tail(c) & TRI_RX_GONE) /* it is set under the lock */
        r = -EPIPE;
    else
        send_locked(c, m, &wakes);
    tri_mpsc_more(c)->n_reserved--;
    end_locked(c, &wakes);
    return r;
}

void tri_txline_give_back(struct tri_mpsc *c, uint32_t n)
{
    struct tri_wakes wakes;

    tri_wakes_init(&wakes);
    tri_lock_acquire(&c->lock);
    unreserve_locked(c, n, &wakes);
    serve_and_release(c, &wakes);
}

void tri_mpsc_serve(struct tri_mpsc *c)
{
    struct tri_worker *w = tri_worker_self();
    struct tri_wakes wakes;

    tri_wakes_init(&wakes);
    tri_lock_acquire(&c->lock);
    /*
     * A long line would never end: whoever was served joins it again while the receiver gives
     * way, and each message would cost a park. So this receive does not count, nor one more:
     * behind the line the receiver comes to the end of the queue, and those it has served find
     * room.
     */
    if (w)
        tri_worker_credit(w, 2);
    serve_and_release(c, &wakes);
}

uint64_t tri_mpsc_shut(struct tri_mpsc *c, unsigned more)
{
    struct tri_wakes wakes;
    struct tri_waiter *w;
    uint64_t t;

    tri_wakes_init(&wakes);
    tri_lock_acquire(&c->lock);
    t = set_flags(c, TRI_RX_SHUT | more);
    /* Nobody joins a line any more: who would sees RX_SHUT under the lock. */
    while ((w = take_disappointed(c))) {
        tri_wakes_let_go(&wakes, w); /* value is still there: not sent */
        tri_wakes_make_room(&wakes, &c->lock);
    }
    tri_lock_release(&c->lock);
    tri_wakes_run(&wakes);
    return t >> TRI_POS_SHIFT;
}

bool tri_txline_join(struct tri_mpsc *c, struct tri_waiter *w)
{
    struct tri_wakes wakes;
    bool joined;

    w->next = w->prev = NULL;
    atomic_init(&w->done, false);
    tri_wakes_init(&wakes);
    tri_lock_acquire(&c->lock);
    joined = join_line(c, w);
    if (tri_waitq_first(&c->line) == w)
        serve_and_release(c, &wakes); /* the second look at head; may serve @w itself */
    else
        tri_lock_release(&c->lock);
    return joined;
}

int tri_txline_try(struct tri_mpsc *c, struct tri_waiter *w)
{
    struct tri_wakes wakes;
    int r = -EAGAIN;

    tri_wakes_init(&wakes);
    tri_lock_acquire(&c->lock);
    if (!tri_waitq_has(w)) {
        r = -EPIPE; /* only tri_mpsc_shut() takes it out */
    } else if (tri_waitq_first(&c->line) == w && fits(c, n_wanted(w))) {
        perform(c, w, &wakes);
        leave_line(c, w);
        r = 0;
    } else {
        /* relaxed: under the lock. The hint was for nothing; ask for another. */
        atomic_store_explicit(&w->done, false, memory_order_relaxed);
    }
    serve_and_release(c, &wakes);
    return r;
}

bool tri_txline_leave(struct tri_mpsc *c, struct tri_waiter *w)
{
    struct tri_wakes wakes;
    bool served;

    if (!w->selects && !tri_txline_keeps(w))
        return true;
    tri_wakes_init(&wakes);
    tri_lock_acquire(&c->lock);
    served = !w->selects && !tri_txline_keeps(w);
    if (tri_waitq_has(w))
        leave_line(c, w);
    serve_and_release(c, &wakes); /* the place may have been the first, with room */
    return served;
}

bool tri_closed_join(struct tri_mpsc *c, struct tri_waiter *w)
{
    bool joins;

    w->next = w->prev = NULL;
    atomic_init(&w->done, false);
    tri_lock_acquire(&c->lock);
    joins = !(load_tail(c) & TRI_RX_SHUT); /* it is set under the lock */
    if (joins)
        tri_waitq_append(&tri_mpsc_more(c)->closed_line, w);
    tri_lock_release(&c->lock);
    return joins;
}

void tri_closed_leave(struct tri_mpsc *c, struct tri_waiter *w)
{
    if (!tri_txline_keeps(w))
        return; /* let go: the waker is done with our memory */
    tri_lock_acquire(&c->lock);
    if (tri_waitq_has(w))
        tri_waitq_remove(&tri_mpsc_more(c)->closed_line, w);
    tri_lock_release(&c->lock);
}
