/* SPDX-License-Identifier: MIT */
/*
 * mpsc_rx.c - receiving, and the end of receiving.
 *
 * No wake-up is lost: the receiver sets RX_PARKED by a CAS that fails if a position was claimed
 * or a side was closed since it looked; who does either later finds RX_PARKED in the same word
 * and wakes. The wakee needs no protection (wakee.h), and who wakes holds the channel.
 *
 * After each message the receiver looks for waiting senders: see mpsc_line.c for that pair.
 */
#include "config.h"

#include <errno.h>
#include <sched.h>

#include "base/relax.h"
#include "chan/mpsc.h"
#include "sched/worker.h"

enum { N_SPIN = 100 }; /* some microseconds: a copy by a sender that was not preempted */

static inline uint64_t own_head(struct tri_mpsc_rx_side *rx)
{
    /* relaxed: only the receiver writes it. */
    return atomic_load_explicit(&rx->head, memory_order_relaxed);
}

/* The cell at head, if it is published. */
static inline struct tri_cell *ready_cell(struct tri_mpsc *c, uint64_t pos)
{
    struct tri_cell *cell =
        c->capacity > 0 ? tri_ring_cell(c, pos) : tri_blocks_head_cell(c, pos);

    return cell && tri_cell_is_published(cell, pos) ? cell : NULL;
}

static inline void take(struct tri_mpsc *c, struct tri_cell *cell, void *ret_m)
{
    tri_copy(ret_m, tri_cell_payload(c, cell), c->type->size);
}

/* Takes the channel for @seat if nobody has it. */
static bool take_seat(struct tri_mpsc *c, uint16_t seat)
{
    uint16_t unknown = TRI_SEAT_UNKNOWN;

    /* relaxed: see mpsc_line.c; it is the word alone that counts. */
    return atomic_compare_exchange_strong_explicit(&c->reader, &unknown, seat,
                                                   memory_order_relaxed, memory_order_relaxed) ||
           unknown == seat;
}

static void move_head(struct tri_mpsc *c, uint64_t pos);

/* The same on @seat. Without a fence if the channel is received from there: see mpsc_line.c. */
static inline void move_head_on(struct tri_mpsc *c, uint64_t pos, uint16_t seat)
{
    /* relaxed: see mpsc_line.c. */
    if (tri_unlikely(atomic_load_explicit(&c->reader, memory_order_relaxed) != seat ||
                     seat == TRI_SEAT_NONE) &&
        (seat == TRI_SEAT_NONE || !take_seat(c, seat))) {
        move_head(c, pos);
        return;
    }
    /* release: we have read the cells; pairs with the acquire in has_room(). */
    atomic_store_explicit(&tri_mpsc_rx(c)->head, pos, memory_order_release);
    atomic_signal_fence(memory_order_seq_cst); /* the compiler keeps the order, too */
    if (tri_unlikely(tri_waitq_first(&c->line) != NULL))
        tri_mpsc_serve(c);
}

/* Gives the cells before @pos back. */
static void move_head(struct tri_mpsc *c, uint64_t pos)
{
    /* release: we have read the cells; pairs with the acquire in has_room(). seq_cst, by an
     * exchange: before the load of line.first. */
    (void)atomic_exchange_explicit(&tri_mpsc_rx(c)->head, pos, memory_order_seq_cst);
    if (tri_unlikely(!tri_waitq_is_empty(&c->line)))
        tri_mpsc_serve(c);
}

/* The cell at @pos is not published. Returns: -EAGAIN: empty. -EPIPE: for ever. 0: it will be. */
static int why_not_ready(struct tri_mpsc *c, uint64_t pos)
{
    /* acquire: with TX_GONE, whatever the senders did before. */
    uint64_t t = atomic_load_explicit(&tri_mpsc_tx(c)->tail, memory_order_acquire);

    if (t >> TRI_POS_SHIFT != pos)
        return 0;
    return tri_tail_is_end(t) ? -EPIPE : -EAGAIN;
}

/* Spins while the sender of @pos is in the middle. NULL: *@ret_r says why. */
static struct tri_cell *await_cell(struct tri_mpsc *c, uint64_t pos, int *ret_r)
{
    struct tri_cell *cell = NULL;

    *ret_r = why_not_ready(c, pos);
    if (*ret_r < 0)
        return NULL;
    /* A claim stands: look at the cell only, and leave the line of tail to the senders. */
    for (int i = 0; i < N_SPIN && !(cell = ready_cell(c, pos)); i++)
        tri_relax();
    *ret_r = -EAGAIN;
    return cell;
}

/* On @seat. Returns: 0; -EAGAIN; -EPIPE. */
static inline int recv_now(struct tri_mpsc *c, void *ret_m, uint16_t seat)
{
    const uint64_t pos = own_head(tri_mpsc_rx(c));
    struct tri_cell *cell = ready_cell(c, pos);
    int r;

    if (tri_unlikely(!cell)) {
        if (tri_unlikely(c->locked))
            return tri_locked_recv(c, ret_m);
        cell = await_cell(c, pos, &r);
        if (!cell)
            return r;
    }
    take(c, cell, ret_m);
    move_head_on(c, pos + 1, seat);
    return 0;
}

/* Takes up to @n messages that are there. */
static size_t recv_some(struct tri_mpsc *c, size_t n, char *ret_array)
{
    const uint64_t pos = own_head(tri_mpsc_rx(c));
    struct tri_cell *cell;
    size_t i;

    if (tri_unlikely(c->locked)) {
        for (i = 0; i < n && tri_locked_recv(c, ret_array + i * c->type->size) == 0; i++)
            ;
        return i;
    }
    for (i = 0; i < n && (cell = ready_cell(c, pos + i)); i++)
        take(c, cell, ret_array + i * c->type->size);
    if (i > 0)
        move_head(c, pos + i);
    return i;
}

int tri_mpsc_poll(struct tri_mpsc *c, void *ret_m)
{
    return recv_now(c, ret_m, TRI_SEAT_NONE);
}

bool tri_mpsc_rx_arm(struct tri_mpsc *c, struct tri_wakee *wakee)
{
    struct tri_mpsc_tx_side *tx = tri_mpsc_tx(c);
    struct tri_mpsc_rx_side *rx = tri_mpsc_rx(c);
    const uint64_t pos = own_head(rx);
    int r;
    uint64_t t;

    if (tri_unlikely(c->locked))
        return tri_locked_rx_arm(c, wakee);
    /* relaxed: the CAS confirms it. */
    t = atomic_load_explicit(&tx->tail, memory_order_relaxed);

    do {
        if (t >> TRI_POS_SHIFT != pos) {
            /* Claimed. If its sender is in the middle, let it run: it will not wake us. */
            if (!ready_cell(c, pos) && !await_cell(c, pos, &r))
                (void)sched_yield();
            return false;
        }
        if (tri_tail_is_end(t))
            return false;
        /* relaxed: the CAS publishes it. */
        atomic_store_explicit(&rx->wakee, wakee, memory_order_relaxed);
        /* release: the wakee, to whoever takes RX_PARKED away. */
    } while (!atomic_compare_exchange_weak_explicit(
        &tx->tail, &t, t | TRI_RX_PARKED, memory_order_release, memory_order_relaxed));
    return true;
}

void tri_mpsc_rx_disarm(struct tri_mpsc *c)
{
    /* Whoever published the cell at head took RX_PARKED away: the line of tail stays there. */
    if (ready_cell(c, own_head(tri_mpsc_rx(c))))
        return;
    /* relaxed: publishes nothing. A wake that is under way is a spurious one. */
    atomic_fetch_and_explicit(&tri_mpsc_tx(c)->tail, ~(uint64_t)TRI_RX_PARKED,
                              memory_order_relaxed);
}

/* ---- the arm ---- */

static bool attempt(tr_arm *arm)
{
    struct tri_mpsc *c = ((tr_mpsc_rx *)arm->source)->chan;

    arm->result = c && arm->value ? recv_now(c, arm->value, TRI_SEAT_NONE) : -EINVAL;
    return arm->result != -EAGAIN;
}

static bool enroll(tr_arm *arm, struct tri_waiter *w)
{
    return tri_mpsc_rx_arm(((tr_mpsc_rx *)arm->source)->chan, w->wakee);
}

static bool withdraw(tr_arm *arm, struct tri_waiter *w)
{
    (void)w;
    tri_mpsc_rx_disarm(((tr_mpsc_rx *)arm->source)->chan);
    return false;
}

static const struct tri_arm_ops recv_ops = {
    .what = "mpsc recv",
    .attempt = attempt,
    .enroll = enroll,
    .withdraw = withdraw,
};

tr_arm tr_mpsc_recv_arm(tr_mpsc_rx *rx, void *ret_m)
{
    if (!rx)
        return (tr_arm){ 0 };
    return (tr_arm){ .ops = &recv_ops, .source = rx, .value = ret_m };
}

/* ---- the forms ---- */

static bool is_misuse(const tr_mpsc_rx *rx, const void *ret_m)
{
    return tri_unlikely(!rx || !rx->chan || !ret_m);
}

int tr_mpsc_try_recv(tr_mpsc_rx *rx, void *ret_m)
{
    return is_misuse(rx, ret_m) ? -EINVAL : recv_now(rx->chan, ret_m, TRI_SEAT_NONE);
}

int tr_mpsc_peek(tr_mpsc_rx *rx, const void **ret_m)
{
    struct tri_mpsc *c = rx ? rx->chan : NULL;
    struct tri_cell *cell;
    uint64_t pos;
    int r;

    if (!c || !ret_m || c->locked)
        return -EINVAL;
    pos = own_head(tri_mpsc_rx(c));
    cell = ready_cell(c, pos);
    if (!cell)
        cell = await_cell(c, pos, &r);
    if (!cell)
        return r;
    *ret_m = tri_cell_payload(c, cell); /* nobody writes it again before head has moved */
    return 0;
}

/*
 * The loop of tri_wait() for this one source, without its arm: the commonest wait of all. A
 * message that was taken after the park was published by whoever took RX_PARKED away, so only a
 * wait that found none has something to take back.
 */
static __attribute__((noinline)) int recv_wait(struct tri_mpsc *c, struct tri_task *self,
                                               tr_time deadline, void *ret_m)
{
    int r, park = 0;

    tri_task_note(self, &recv_ops, c);
    do {
        if (tri_unlikely(tri_wait_may_be_over(self, deadline))) {
            r = recv_now(c, ret_m, TRI_SEAT_NONE);
            if (r != -EAGAIN || tri_wait_is_over(self, deadline, &park))
                return r != -EAGAIN ? r : park;
        }
        tri_park_prepare(self);
        if (tri_likely(tri_mpsc_rx_arm(c, &self->a.wakee)))
            park = tri_park(self, deadline);
        else
            tri_park_undo(self);
        r = recv_now(c, ret_m, tri_task_seat(self));
        if (tri_likely(r != -EAGAIN))
            return r;
        tri_mpsc_rx_disarm(c);
    } while (park == 0);
    return park;
}

/*
 * The return to the user's code after a park. The processor predicts it to lead to where the
 * wait that parked last on this worker was called; if that was other code than ours, leave by a
 * jump.
 */
static __attribute__((noinline)) int recv_wait_far(struct tri_mpsc *c, struct tri_task *self,
                                                   tr_time deadline, void *ret_m)
{
    const void *pc = __builtin_return_address(0);
    int r;

    /* relaxed, both: the worker that runs us; another one after a movable task's park. */
    atomic_load_explicit(&self->a.home, memory_order_relaxed)->parked_pc = pc;
    r = recv_wait(c, self, deadline, ret_m);
    if (atomic_load_explicit(&self->a.home, memory_order_relaxed)->parked_pc == pc)
        return r;
    return tri_return_far(r);
}

int tr_mpsc_recv(tr_mpsc_rx *rx, tr_time deadline, void *ret_m)
{
    struct tri_task *self;
    struct tri_cell *cell;
    uint64_t pos;
    int r;

    if (is_misuse(rx, ret_m))
        return -EINVAL;
    self = tri_self_at_entry();
    r = tri_wait_enter(self);
    if (tri_unlikely(r < 0))
        return r;
    pos = own_head(tri_mpsc_rx(rx->chan));
    cell = ready_cell(rx->chan, pos);
    if (!cell)
        return recv_wait_far(rx->chan, self, deadline, ret_m);
    take(rx->chan, cell, ret_m);
    move_head_on(rx->chan, pos + 1, tri_task_seat(self));
    return 0;
}

int tr_mpsc_blocking_recv(tr_mpsc_rx *rx, tr_time deadline, void *ret_m)
{
    tr_arm arm;
    int r;

    if (is_misuse(rx, ret_m))
        return -EINVAL;
    arm = tr_mpsc_recv_arm(rx, ret_m);
    r = tri_wait_blocking(&arm, deadline, __builtin_return_address(0));
    return r < 0 ? r : arm.result;
}

ssize_t tr_mpsc_recv_many(tr_mpsc_rx *rx, size_t n, tr_time deadline, void *ret_array)
{
    size_t n_taken;
    int r;

    if (is_misuse(rx, ret_array))
        return -EINVAL;
    if (n == 0)
        return 0;
    r = tri_wait_enter(tri_self());
    if (r < 0)
        return r;
    n_taken = recv_some(rx->chan, n, ret_array);
    if (n_taken > 0)
        return (ssize_t)n_taken;
    r = tr_mpsc_recv(rx, deadline, ret_array);
    if (r < 0)
        return r;
    return 1 + (ssize_t)recv_some(rx->chan, n - 1, (char *)ret_array + rx->chan->type->size);
}

/* ---- the end ---- */

void tr_mpsc_rx_shut(tr_mpsc_rx *rx)
{
    if (rx && rx->chan)
        (void)tri_mpsc_shut(rx->chan, 0);
}

/* Drops the messages from head to @end; head stays, for the counts. */
static void drop_queued(struct tri_mpsc *c, uint64_t end)
{
    _Alignas(16) char m[TR_MESSAGE_MAX];
    struct tri_cell *cell;

    if (c->locked) {
        tri_locked_drop(c);
        return;
    }
    for (uint64_t pos = own_head(tri_mpsc_rx(c)); pos != end; pos++) {
        /* Its sender is in the middle of the copy and cannot suspend there. */
        while (!(cell = ready_cell(c, pos)))
            (void)sched_yield();
        take(c, cell, m);
        c->type->drop(m);
    }
}

void tr_mpsc_rx_close(tr_mpsc_rx *rx)
{
    struct tri_mpsc *c = rx ? rx->chan : NULL;

    if (!c)
        return;
    rx->chan = NULL; /* before the drops, which may do anything */
    if (tri_unlikely(tri_is_forked()))
        return; /* a sender in the lock, or in the middle of a copy, may be a thread no more */
    drop_queued(c, tri_mpsc_shut(c, TRI_RX_GONE));
    tri_mpsc_unref(c);
}
