/* SPDX-License-Identifier: MIT */
/*
 * mpsc.h - the inside of an mpsc channel: positions, cells, a line of waiting senders.
 *
 *        head (receiver)                 tail = position << 8 | flags (senders)
 *          v                               v
 *     ... [h: published] [published] [claimed] ( free ) ( free )
 *
 * A sender claims the position in tail by a CAS, fills the cell of that position and publishes
 * it by cell->seq = position + 1. The receiver takes the cell at head when it is published, and
 * moves head. Positions only grow. Bounded: the cells are a ring of a power of two and a
 * position may be claimed while position - head < capacity; so the bound is exact. Unbounded:
 * the cells are in linked blocks (mpsc_block.c).
 *
 * Flags in tail; each is set and cleared in one atomic step with a look at the position:
 *
 *     RX_PARKED   set by the receiver that found the queue empty; whoever claims a position
 *                 takes it away and wakes the receiver, after it has published the cell
 *     TX_WAITING  senders are in line: positions are claimed only under the lock, for them
 *     TX_PERMITS  permits hold places: positions are claimed only under the lock, within what
 *                 the permits leave
 *     TX_LOCKED   everything is done under the lock, for ever (mpsc_locked.c)
 *     RX_SHUT     no position is claimed any more, except for permits; set for ever
 *     RX_GONE     the receiver is gone, too; nor for permits
 *     TX_GONE     the last sender is gone, and the last permit; set for ever
 *
 * The receiver's end has come when the queue is empty, one of the last three is set and
 * TX_PERMITS is not: whoever takes TX_PERMITS away wakes it then (mpsc_permit.c).
 *
 * Who may run beside whom:
 *                 send      recv      shut, close rx      clone, close tx      counts, len
 *     send        yes       yes       yes                 yes (another end)    yes
 *     recv        yes       -         -                   yes                  -
 *     "-": one receiving end serves one actor or thread at a time.
 *
 * Progress: a send is one CAS; it is lock-free while the channel is not full. A receiver that
 * meets a claimed cell whose sender was preempted in the middle of the copy sees "not yet"; it
 * does not sleep then, for that sender will not wake it. Closing the receiving end waits out
 * such senders (a copy of 256 bytes at most). The lock is for waiting senders and for shutting.
 *
 * Reclamation: the channel belongs to its ends, two counts: n_tx senders and permits, and
 * n_ref, one for all of those together, one for the receiver, and REF_WEAK for each weak end.
 * An end that is in a call holds the memory. Wakees outlive everything (wakee.h), so a wake may
 * come after its reason.
 */
#ifndef TRI_CHAN_MPSC_H
#define TRI_CHAN_MPSC_H

#include <troupe/mpsc.h>

#include "base/assert.h"
#include "base/lock.h"
#include "chan/move.h"
#include "sched/waitq.h"

enum {
    TRI_RX_PARKED = 1u << 0,
    TRI_TX_WAITING = 1u << 1,
    TRI_RX_SHUT = 1u << 2,
    TRI_RX_GONE = 1u << 3,
    TRI_TX_GONE = 1u << 4,
    TRI_TX_PERMITS = 1u << 5,
    TRI_TX_LOCKED = 1u << 6,
    TRI_POS_SHIFT = 8,
    TRI_POS_ONE = 1u << TRI_POS_SHIFT,
};

struct tri_cell {
    _Atomic uint32_t seq; /* position: free for it; position + 1: published (modulo 2^32) */
    /* the payload follows, at tri_mpsc.payload_at */
};

struct tri_block;

/* The words senders write. The second one is there only where the sides are apart. */
struct tri_mpsc_tx_side {
    _Atomic uint64_t tail;
    union {
        _Atomic uint64_t head_seen;             /* ring: a head some sender has read; may lag */
        _Atomic(struct tri_block *) tail_block; /* blocks: where to start searching; may lag */
    };
};

/* The words the receiver writes. */
struct tri_mpsc_rx_side {
    _Atomic uint64_t head;
    /*
     * Whom to wake. Written before RX_PARKED is set, read by the one who took that away.
     * Atomic, for a late reader: it then wakes the next wakee for nothing.
     */
    _Atomic(struct tri_wakee *) wakee;
};

/* What a channel has beside its queue, unless it is a plain mailbox of a handler. */
struct tri_mpsc_more {
    uint32_t n_reserved; /* places held by permits; under the lock. 0: no TX_PERMITS */
    uint8_t overflow;    /* enum tr_overflow; constant */
    uint8_t streak;      /* urgent messages received in a row while others waited; the lock's */
    struct tri_waitq closed_line; /* senders who wait for the end of the receiver; the lock's */
    tr_mpsc_same_fn *same;        /* constant */
    struct tri_lane *lane;        /* constant; NULL: no urgent messages */
    struct tri_served *_Atomic served; /* set once */
    _Atomic uint64_t n_received;  /* of a locked channel; under the lock, but for counts */
    _Atomic uint64_t n_dropped;   /* by the policy, and by a locked channel's end */
    _Atomic uint64_t n_beside;    /* messages sent that took no position */
};

/* The urgent messages of a locked channel; a ring under the lock. */
struct tri_lane {
    uint32_t capacity, stride, first;
    atomic_uint n;
    struct tri_waitq line; /* senders that wait for a place in it; the lock's */
    _Alignas(16) char messages[];
};

/* What both read and nobody writes often; the two sides lie behind it, see layout(). */
struct tri_mpsc {
    const struct tri_type *type;
    union {
        char *cells;                  /* the ring */
        struct tri_block *head_block; /* blocks: holds the position head, or ends there; the
                                       * receiver's */
    };
    uint32_t capacity; /* 0: unbounded */
    uint32_t mask;     /* of the ring */
    uint16_t stride;   /* from cell to cell */
    uint8_t payload_at;
    uint8_t tx_at, rx_at; /* the two sides, from here */
    /*
     * The seat that receives without a fence: UNKNOWN, then set once; NONE for ever once a
     * sender has waited on another seat. See mpsc_line.c.
     */
    _Atomic uint16_t reader;
    bool own_cells : 1;   /* cells is an allocation of its own */
    bool apart : 1;       /* the two sides have cache lines of their own */
    bool locked : 1;      /* see TX_LOCKED */
    bool embedded : 1;    /* inside a handler's record */
    uint8_t more_at;      /* struct tri_mpsc_more, from here; 0: there is none */
    /* Protects line, the flags TX_WAITING and TX_PERMITS, and claims while one of them is set.
     * Nothing is taken inside it; no wake, no drop. */
    struct tri_lock lock;
    struct tri_waitq line; /* waiting senders */
    atomic_uint n_tx;
    atomic_uint n_ref;
    _Atomic uint64_t n_back; /* of the ends closed so far */
};

enum { TRI_REF_WEAK = 1u << 8 }; /* of n_ref; below it are the two sides */

static inline struct tri_mpsc_tx_side *tri_mpsc_tx(struct tri_mpsc *c)
{
    return (struct tri_mpsc_tx_side *)(void *)((char *)c + c->tx_at);
}

static inline struct tri_mpsc_rx_side *tri_mpsc_rx(struct tri_mpsc *c)
{
    return (struct tri_mpsc_rx_side *)(void *)((char *)c + c->rx_at);
}

/* Only where more_at > 0. */
static inline struct tri_mpsc_more *tri_mpsc_more(struct tri_mpsc *c)
{
    return (struct tri_mpsc_more *)(void *)((char *)c + c->more_at);
}

/* What is known of who answers here; NULL: nobody has asked yet, or promised anything. */
static inline struct tri_served *tri_mpsc_served(struct tri_mpsc *c)
{
    /* acquire: it is made; pairs with tri_mpsc_served_make(). */
    return c->more_at == 0 ? NULL
                           : atomic_load_explicit(&tri_mpsc_more(c)->served, memory_order_acquire);
}

struct tri_served *tri_mpsc_served_make(struct tri_mpsc *c);

/*
 * The same, made if need be. NULL: no memory, or a handler's mailbox, whose owner never waits.
 */
static inline struct tri_served *tri_mpsc_served_made(struct tri_mpsc *c)
{
    struct tri_served *s = tri_mpsc_served(c);

    return tri_likely(s != NULL) || c->more_at == 0 ? s : tri_mpsc_served_make(c);
}

/* ---- cells ---- */

static inline struct tri_cell *tri_ring_cell(const struct tri_mpsc *c, uint64_t pos)
{
    return (struct tri_cell *)(void *)(c->cells + (size_t)(pos & c->mask) * c->stride);
}

static inline void *tri_cell_payload(const struct tri_mpsc *c, struct tri_cell *cell)
{
    return (char *)cell + c->payload_at;
}

/*
 * The same in a locked channel, where the receiver's first look, which is not under the lock
 * and may have an old head, must not find it published: @pos itself would do for that, but that
 * in a ring of one cell it is what the position before looks for.
 */
static inline void tri_cell_put_locked(const struct tri_mpsc *c, struct tri_cell *cell,
                                       uint64_t pos, void *m)
{
    tri_move(tri_cell_payload(c, cell), m, c->type->size);
    /* relaxed: the lock orders the payload. */
    atomic_store_explicit(&cell->seq, (uint32_t)pos ^ 0x80000000u, memory_order_relaxed);
}

/* Moves @m into @cell, which the caller has claimed as @pos. */
static inline void tri_cell_put(const struct tri_mpsc *c, struct tri_cell *cell, uint64_t pos,
                                void *m)
{
    tri_move(tri_cell_payload(c, cell), m, c->type->size);
    /* release: the payload; pairs with tri_cell_is_published(). Our last touch of the cell. */
    atomic_store_explicit(&cell->seq, (uint32_t)pos + 1, memory_order_release);
}

static inline bool tri_cell_is_published(struct tri_cell *cell, uint64_t pos)
{
    /* acquire: the payload; pairs with the release in tri_cell_put(). */
    return atomic_load_explicit(&cell->seq, memory_order_acquire) == (uint32_t)pos + 1;
}

/* ---- the blocks of an unbounded channel ---- */

int tri_blocks_init(struct tri_mpsc *c);
void tri_blocks_fini(struct tri_mpsc *c);
/* Claims a position. Returns: 0, with its cell; -EPIPE, -ENOMEM: nothing was claimed. */
int tri_blocks_claim(struct tri_mpsc *c, uint64_t *ret_prev, struct tri_cell **ret_cell);
/* The cell of @pos, the head; NULL while nobody has claimed it. Receiver only. */
struct tri_cell *tri_blocks_head_cell(struct tri_mpsc *c, uint64_t pos);

/* ---- for the handlers, whose mailbox lies inside their record ---- */

/* The bytes of a channel in place; its alignment is 16. @capacity: 1 to 2^31. */
size_t tri_mpsc_size(const struct tri_type *type, size_t capacity);

/*
 * Makes a channel in @mem with one sending and one receiving end; it has no ends' structs yet.
 * When both sides are gone the function given to tri_mpsc_set_release_fn() is called, on the
 * thread that was last.
 */
struct tri_mpsc *tri_mpsc_init_at(void *mem, const struct tri_type *type, size_t capacity);
void tri_mpsc_set_release_fn(void (*fn)(struct tri_mpsc *c));

/*
 * The same for a mailbox with a policy, an urgent lane, permits, without a bound, or with a
 * large ring; what does not fit is allocated beside it.  Returns 0, -ENOMEM: nothing is left to
 * release.
 */
size_t tri_mpsc_able_size(const struct tri_type *type, const struct tr_mpsc_opts *opts);
int tri_mpsc_init_able_at(void *mem, const struct tri_type *type, const struct tr_mpsc_opts *opts);
bool tri_mpsc_opts_are_valid(const struct tr_mpsc_opts *o);

/* Takes the oldest message. Returns: 0; -EAGAIN; -EPIPE as tr_mpsc_recv(). Never sleeps. */
int tri_mpsc_poll(struct tri_mpsc *c, void *ret_m);

/*
 * Asks for one wake of @wakee, whose READY is taken away, when a message or the end comes.
 * Returns false if there may be something already (or soon: a sender is in the middle).
 */
bool tri_mpsc_rx_arm(struct tri_mpsc *c, struct tri_wakee *wakee);

/* Takes that back. */
void tri_mpsc_rx_disarm(struct tri_mpsc *c);

/* ---- between the files of the channel ---- */

/* In a word in which every position was received: nothing comes any more. */
static inline bool tri_tail_is_end(uint64_t tail)
{
    return (tail & (TRI_RX_SHUT | TRI_TX_GONE)) && !(tail & TRI_TX_PERMITS);
}

/* Returns: 0; -EAGAIN: full, or others wait; -EPIPE; -ENOMEM. */
int tri_mpsc_send_now(struct tri_mpsc *c, void *m);

/* Receiving from a locked channel: the counterparts of those for the others. */
int tri_locked_recv(struct tri_mpsc *c, void *ret_m);
bool tri_locked_rx_arm(struct tri_mpsc *c, struct tri_wakee *wakee);
void tri_locked_drop(struct tri_mpsc *c);
size_t tri_locked_len(const struct tri_mpsc *c); /* of its lane */
int tri_lane_init(struct tri_mpsc *c, size_t n);

/* Serves waiting senders while there is room; takes the lock. */
void tri_mpsc_serve(struct tri_mpsc *c);

/*
 * Sets RX_SHUT and @more, and sends away who waits to send or for this. Returns the last
 * position.
 */
uint64_t tri_mpsc_shut(struct tri_mpsc *c, unsigned more);

/* Lets go of one side, or of a weak end. */
void tri_mpsc_unref(struct tri_mpsc *c);
void tri_mpsc_unref_weak(struct tri_mpsc *c);

/* What became of the messages, with @n_back of ends that are still open. */
void tri_mpsc_count(struct tri_mpsc *c, uint64_t n_back, struct tr_mpsc_counts *ret_counts);

#endif /* TRI_CHAN_MPSC_H */
