/* SPDX-License-Identifier: MIT */
/*
 * mpsc_tx.c - sending, and the line of waiting senders.
 *
 * A sender that finds the channel full takes the lock, joins the line, sets TX_WAITING and looks
 * at head again. From then on positions are claimed under the lock only, for the first in line:
 * nobody overtakes. Whoever makes room or leaves the line serves it (tri_mpsc_serve).
 *
 * A served waiter's message is moved into the channel in its name; it learns so by w->done, the
 * last touch of its memory. One that waits for several arms is only told to try (done is a hint
 * then) and keeps the first place until it sends or withdraws, which serves the next.
 *
 * No wake-up is lost: the sender makes itself visible (a seq_cst store of line.first) and then
 * loads head (seq_cst); the receiver moves head (a seq_cst exchange) and then loads line.first
 * (seq_cst). In the one order of these four either the sender sees the room and serves itself,
 * or the receiver sees the line and serves it. While the line is not empty the same holds for
 * who is first later, because tri_mpsc_serve() ends with a look at head.
 *
 * A receiver that always runs on one seat (sched/worker.h) does without the fence between its two
 * steps, as long as c->reader is that seat. Then a sender that joins the line is either on the
 * same seat: its steps and the receiver's are on one thread, one after the other. Or it is not:
 * it sets c->reader to NONE and calls tri_membarrier() between its two steps. The receiver's
 * thread has a full barrier at some moment of that call: if its store of head is before the
 * barrier, the sender's load, after the call, sees it; if not, its load of line.first is after
 * the barrier too, and sees the sender, who stored before the call. From its next look at
 * c->reader on the receiver uses the fence. On any other seat the receiver uses it anyway.
 */
#include "config.h"

#include <errno.h>

#include "base/membarrier.h"
#include "chan/mpsc.h"
#include "sched/worker.h"

/* True if @pos may be claimed: head has come near enough. */
static inline bool is_near(const struct tri_mpsc *c, uint64_t pos, uint64_t head)
{
    /* Signed: @pos may be stale and lie behind head; its claim fails later. */
    return (int64_t)(pos - head) < (int64_t)c->capacity;
}

static inline bool has_room(struct tri_mpsc *c, uint64_t pos)
{
    struct tri_mpsc_tx_side *tx = tri_mpsc_tx(c);
    uint64_t head;

    /* acquire: pairs with the release below, and through it with the receiver's. */
    if (c->apart && is_near(c, pos, atomic_load_explicit(&tx->head_seen, memory_order_acquire)))
        return true;
    /* acquire: the receiver has read the cells before head; pairs with its exchange. */
    head = atomic_load_explicit(&tri_mpsc_rx(c)->head, memory_order_acquire);
    if (!c->apart)
        return is_near(c, pos, head);
    /* release: hands that on. It may go back when senders race: it is only a lower bound. */
    atomic_store_explicit(&tx->head_seen, head, memory_order_release);
    return is_near(c, pos, head);
}

/* Moves @m into @cell, claimed as the position in @prev, and wakes the receiver if it sleeps. */
static inline void fill(struct tri_mpsc *c, struct tri_cell *cell, uint64_t prev, void *m)
{
    tri_cell_put(c, cell, prev >> TRI_POS_SHIFT, m);
    if (prev & TRI_RX_PARKED)
        /* relaxed: the acquire of the claim shows it; see the field. */
        tri_wake(atomic_load_explicit(&tri_mpsc_rx(c)->wakee, memory_order_relaxed));
}

static int send_unbounded(struct tri_mpsc *c, void *m)
{
    struct tri_cell *cell;
    uint64_t prev;
    int r = tri_blocks_claim(c, &prev, &cell);

    if (r == 0)
        fill(c, cell, prev, m);
    return r;
}

/* Returns: 0; -EAGAIN: full, or others wait; -EPIPE; -ENOMEM. */
static inline __attribute__((always_inline)) int send_now_inline(struct tri_mpsc *c, void *m)
{
    struct tri_mpsc_tx_side *tx = tri_mpsc_tx(c);
    uint64_t t;

    if (tri_unlikely(c->capacity == 0))
        return send_unbounded(c, m);
    /* relaxed: the CAS confirms what we conclude from it, or it is an answer by itself. */
    t = atomic_load_explicit(&tx->tail, memory_order_relaxed);
    do {
        if (tri_unlikely(t & (TRI_RX_SHUT | TRI_TX_WAITING)))
            return t & TRI_RX_SHUT ? -EPIPE : -EAGAIN;
        if (tri_unlikely(!has_room(c, t >> TRI_POS_SHIFT)))
            return -EAGAIN;
        /* acquire: the wakee, set before RX_PARKED. The claim itself publishes nothing. */
    } while (!atomic_compare_exchange_weak_explicit(
        &tx->tail, &t, (t + TRI_POS_ONE) & ~(uint64_t)TRI_RX_PARKED, memory_order_acquire,
        memory_order_relaxed));
    fill(c, tri_ring_cell(c, t >> TRI_POS_SHIFT), t, m);
    return 0;
}

static int send_now(struct tri_mpsc *c, void *m)
{
    return send_now_inline(c, m);
}

/* ---- the line; all under the lock ---- */

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

/* There is room for the first in line, and the channel is open. */
static bool may_send(struct tri_mpsc *c)
{
    /* relaxed: with TX_WAITING set the position changes under the lock only. */
    uint64_t t = atomic_load_explicit(&tri_mpsc_tx(c)->tail, memory_order_relaxed);
    /* seq_cst: after line.first was stored, and against the receiver's exchange of head. */
    uint64_t head = atomic_load_explicit(&tri_mpsc_rx(c)->head, memory_order_seq_cst);

    return !(t & TRI_RX_SHUT) && is_near(c, t >> TRI_POS_SHIFT, head);
}

/*
 * Moves @m in, for the first in line; may_send() said yes. Before leave_line(), which may clear
 * TX_WAITING: until then nobody else can claim the room that may_send() saw.
 */
static void send_locked(struct tri_mpsc *c, void *m, struct tri_wakes *wakes)
{
    struct tri_mpsc_tx_side *tx = tri_mpsc_tx(c);
    /* relaxed: the CAS confirms it; it loops for changes of the other flags only. */
    uint64_t t = atomic_load_explicit(&tx->tail, memory_order_relaxed);

    /* acquire: as in send_now(). */
    while (!atomic_compare_exchange_weak_explicit(&tx->tail, &t,
                                                  (t + TRI_POS_ONE) & ~(uint64_t)TRI_RX_PARKED,
                                                  memory_order_acquire, memory_order_relaxed))
        ;
    tri_cell_put(c, tri_ring_cell(c, t >> TRI_POS_SHIFT), t >> TRI_POS_SHIFT, m);
    if (t & TRI_RX_PARKED)
        /* relaxed: as in fill(). */
        tri_wakes_add(wakes,
                      atomic_load_explicit(&tri_mpsc_rx(c)->wakee, memory_order_relaxed));
}

/* Takes @w out of the line; the fast path is open again when it was the last. */
static void leave_line(struct tri_mpsc *c, struct tri_waiter *w)
{
    tri_waitq_remove(&c->line, w);
    if (!tri_waitq_first(&c->line))
        clear_flags(c, TRI_TX_WAITING);
}

/* Lets @w go: the last touch of its memory. It is woken later. */
static void let_go(struct tri_waiter *w, struct tri_wakes *wakes)
{
    tri_wakes_add(wakes, w->wakee);
    /* release: its message was moved, value says so; pairs with the acquire in is_done(). */
    atomic_store_explicit(&w->done, true, memory_order_release);
}

static bool is_done(const struct tri_waiter *w)
{
    /* acquire: pairs with the release in let_go(). */
    return atomic_load_explicit(&w->done, memory_order_acquire);
}

/* Serves the line until it is empty, the channel is full, or @wakes is. True: the last. */
static bool serve_some(struct tri_mpsc *c, struct tri_wakes *wakes)
{
    struct tri_waiter *w;

    while ((w = tri_waitq_first(&c->line)) && may_send(c)) {
        if (wakes->n + 2 > TRI_WAKES_MAX) /* the receiver and the sender */
            return true;
        if (w->selects) {
            if (!is_done(w))
                let_go(w, wakes); /* a hint; it stays in line */
            return false;
        }
        send_locked(c, w->value, wakes);
        leave_line(c, w);
        w->value = NULL;
        let_go(w, wakes);
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

void tri_mpsc_serve(struct tri_mpsc *c)
{
    struct tri_wakes wakes = { .n = 0 };

    tri_lock_acquire(&c->lock);
    serve_and_release(c, &wakes);
}

uint64_t tri_mpsc_shut(struct tri_mpsc *c, unsigned more)
{
    struct tri_wakes wakes = { .n = 0 };
    struct tri_waiter *w;
    uint64_t t;

    tri_lock_acquire(&c->lock);
    t = set_flags(c, TRI_RX_SHUT | more);
    /* Nobody joins the line any more: join_line() sees RX_SHUT under the lock. */
    while ((w = tri_waitq_first(&c->line))) {
        leave_line(c, w);
        let_go(w, &wakes); /* value is still there: not sent */
        if (tri_wakes_are_full(&wakes)) {
            tri_lock_release(&c->lock);
            tri_wakes_run(&wakes);
            tri_lock_acquire(&c->lock);
        }
    }
    tri_lock_release(&c->lock);
    tri_wakes_run(&wakes);
    return t >> TRI_POS_SHIFT;
}

/* ---- the arm ---- */

/* The waiter of an arm that is in line; kept in the arm while it is enrolled. */
static struct tri_waiter *waiter_of(const tr_arm *arm)
{
    return (struct tri_waiter *)arm->extra[0];
}

static bool arm_result(tr_arm *arm, int r)
{
    tr_mpsc_tx *tx = arm->source;

    if (r < 0 && tx->chan)
        tx->n_back++;
    arm->result = r;
    return true;
}

/* An attempt of a waiter that is in line: only the first one may send. */
static int send_in_line(struct tri_mpsc *c, struct tri_waiter *w, void *m)
{
    struct tri_wakes wakes = { .n = 0 };
    int r = -EAGAIN;

    tri_lock_acquire(&c->lock);
    if (!tri_waitq_has(w)) {
        r = -EPIPE; /* only tri_mpsc_shut() takes it out */
    } else if (tri_waitq_first(&c->line) == w && may_send(c)) {
        send_locked(c, m, &wakes);
        leave_line(c, w);
        r = 0;
    } else {
        /* relaxed: under the lock. The hint was for nothing; ask for another. */
        atomic_store_explicit(&w->done, false, memory_order_relaxed);
    }
    serve_and_release(c, &wakes);
    return r;
}

static bool attempt(tr_arm *arm)
{
    tr_mpsc_tx *tx = arm->source;
    struct tri_waiter *w = waiter_of(arm);
    int r;

    if (!tx->chan || !arm->value)
        return arm_result(arm, -EINVAL);
    r = w ? send_in_line(tx->chan, w, arm->value) : send_now(tx->chan, arm->value);
    return r != -EAGAIN && arm_result(arm, r);
}

/* Ends the receiver's way without a fence, unless it is on the seat we run on. See the top. */
static void fence_receiver(struct tri_mpsc *c)
{
    struct tri_worker *w = tri_worker_self();
    uint16_t seat = w ? w->seat : TRI_SEAT_NONE, reader = TRI_SEAT_UNKNOWN;

    /* relaxed, both: the word alone counts; nothing is published through it. */
    if (atomic_compare_exchange_strong_explicit(&c->reader, &reader, seat, memory_order_relaxed,
                                                memory_order_relaxed) ||
        reader == seat || reader == TRI_SEAT_NONE)
        return;
    atomic_store_explicit(&c->reader, TRI_SEAT_NONE, memory_order_relaxed);
    tri_membarrier();
}

/* Appends @w, unless it can be served at once. */
static bool join_line(struct tri_mpsc *c, struct tri_waiter *w)
{
    if (!tri_waitq_first(&c->line) && may_send(c))
        return false;
    /* relaxed: the lock orders it against tri_mpsc_shut(). */
    if (atomic_load_explicit(&tri_mpsc_tx(c)->tail, memory_order_relaxed) & TRI_RX_SHUT)
        return false;
    tri_waitq_append(&c->line, w);
    set_flags(c, TRI_TX_WAITING);
    fence_receiver(c);
    return true;
}

static bool enroll(tr_arm *arm, struct tri_waiter *w)
{
    struct tri_mpsc *c = ((tr_mpsc_tx *)arm->source)->chan;
    struct tri_wakes wakes = { .n = 0 };
    bool joined;

    w->next = w->prev = NULL;
    atomic_init(&w->done, false);
    tri_lock_acquire(&c->lock);
    joined = join_line(c, w);
    if (joined && w->selects)
        arm->extra[0] = (uintptr_t)w;
    serve_and_release(c, &wakes); /* the second look at head; may serve @w itself */
    return joined;
}

static bool withdraw(tr_arm *arm, struct tri_waiter *w)
{
    struct tri_mpsc *c = ((tr_mpsc_tx *)arm->source)->chan;
    struct tri_wakes wakes = { .n = 0 };
    bool served;

    arm->extra[0] = 0;
    if (!w->selects && is_done(w))
        return arm_result(arm, w->value ? -EPIPE : 0);
    tri_lock_acquire(&c->lock);
    served = !w->selects && is_done(w);
    if (tri_waitq_has(w))
        leave_line(c, w);
    serve_and_release(c, &wakes); /* the place may have been the first, with room */
    return served && arm_result(arm, w->value ? -EPIPE : 0);
}

static bool keeps_place(const tr_arm *arm, const struct tri_waiter *w)
{
    (void)arm;
    return !is_done(w);
}

static const struct tri_arm_ops send_ops = {
    .what = "mpsc send",
    .attempt = attempt,
    .enroll = enroll,
    .withdraw = withdraw,
    .keeps_place = keeps_place,
};

tr_arm tr_mpsc_send_arm(tr_mpsc_tx *tx, void *m)
{
    if (!tx)
        return (tr_arm){ 0 };
    return (tr_arm){ .ops = &send_ops, .source = tx, .value = m };
}

/* ---- the three forms ---- */

static bool is_misuse(const tr_mpsc_tx *tx, const void *m)
{
    return tri_unlikely(!tx || !tx->chan || !m);
}

/* The result of a send that was not done through an arm. */
static inline int result(tr_mpsc_tx *tx, int r)
{
    if (tri_unlikely(r < 0))
        tx->n_back++;
    return r;
}

int tr_mpsc_try_send(tr_mpsc_tx *tx, void *m)
{
    if (is_misuse(tx, m))
        return -EINVAL;
    return result(tx, send_now(tx->chan, m));
}

int tr_mpsc_send(tr_mpsc_tx *tx, void *m, tr_time deadline)
{
    tr_arm arm;
    int r;

    if (is_misuse(tx, m))
        return -EINVAL;
    r = tri_wait_enter(tri_self_at_entry());
    if (tri_likely(r == 0))
        r = send_now_inline(tx->chan, m);
    if (tri_likely(r == 0))
        return 0;
    if (r != -EAGAIN)
        return result(tx, r);
    arm = tr_mpsc_send_arm(tx, m);
    r = tri_wait(&arm, deadline);
    return r < 0 ? result(tx, r) : arm.result;
}

int tr_mpsc_blocking_send(tr_mpsc_tx *tx, void *m, tr_time deadline)
{
    tr_arm arm;
    int r;

    if (is_misuse(tx, m))
        return -EINVAL;
    arm = tr_mpsc_send_arm(tx, m);
    r = tri_wait_blocking(&arm, deadline, __builtin_return_address(0));
    return r < 0 ? result(tx, r) : arm.result;
}
