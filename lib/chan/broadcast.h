/* SPDX-License-Identifier: MIT */
/*
 * broadcast.h - the inside of a broadcast channel: one ring, a cursor per subscriber.
 *
 *        cursors (each its receiver's own)        tail = position << 1 | ENDED (senders)
 *          v      v             v                   v
 *     [p: published] [published] [published] ... ( position p + capacity goes where p is )
 *
 * Senders exclude each other by the lock; a receiver never takes it to read, counts nothing and
 * writes nothing but its cursor. Two kinds of cell:
 *
 * Flat (plain data). The payload lies in the cell, in atomic words, under a sequence:
 *
 *     seq:  < 2p + 1  not yet   2p + 1  p is being written   2p + 2  p is there   above: gone
 *
 *     sender    seq = 2p + 1 (relaxed)    words (each release)    seq = 2p + 2 (release)
 *     receiver  seq (acquire) is 2p + 2?  words (each acquire)    seq (relaxed) still 2p + 2?
 *
 * A receiver that read a word of a later message has, by that word's release and acquire, also
 * seen the sequence that the sender wrote before it, and finds at the second look that it has
 * changed. So what passes both looks is message p, whole. There is no data race: every access
 * is atomic. Fences would do the same; ThreadSanitizer does not follow them.
 *
 * Cloned. The cell points to an original, from which each receiver makes its copy. Its state
 * says how many of its receivers have not finished with it (left), how many are copying now
 * (holders), and whether the ring has let it go:
 *
 *     enter  holders + 1, unless DETACHED         leave  holders - 1, left - 1
 *     The holder that leaves no holder behind, with left = 0 or DETACHED, drops the value: it
 *     stays a holder meanwhile, and nobody can enter any more.
 *     Who detaches it without a holder drops the value if left > 0 (otherwise that was done).
 *     The memory goes when it is DETACHED and the last holder has left; after a grace period,
 *     for a receiver that has loaded the pointer looks at the state in a read section.
 *
 * Who may run beside whom:
 *                    send      recv      subscribe, close    len, counts
 *     send           in turn   yes       in turn             in turn
 *     recv           yes       yes(*)    yes(*)              yes
 *     (*) on different ends.
 *
 * Reclamation: the channel belongs to its ends (n_end). A subscriber's record belongs to its
 * end, and while it is LINKED in a list of the parked ones also to whoever works that list off.
 */
#ifndef TRI_CHAN_BROADCAST_H
#define TRI_CHAN_BROADCAST_H

#include <troupe/broadcast.h>

#include "base/assert.h"
#include "base/list.h"
#include "base/lock.h"
#include "base/rcu.h"
#include "chan/move.h"
#include "sched/waitq.h"

enum {
    TRI_LINE = 64,
    TRI_N_SHARD = 16, /* of parked subscribers; shard 0 is for whoever has no other */
};

/* ---- subscribers ---- */

/* In park, beside the wakee. */
enum {
    TRI_PARK_LINKED = 1u << 0, /* in the list of a shard, or of one who works that off */
    TRI_PARK_DEAD = 1u << 1,   /* its end is closed: whoever works it off frees it */
};

struct tri_subscriber {
    /* The receiver's line. Constant, but for cursor and blocks. */
    struct tri_broadcast *chan;
    char *cells;
    uint64_t mask;
    _Atomic uint64_t cursor; /* next position to take; written by the receiver */
    uint32_t stride, size;
    bool is_flat;
    bool is_fenced;     /* moves its cursor with a fence: see broadcast_tx.c */
    bool fails;         /* TR_BROADCAST_FAIL */
    bool is_over;       /* has failed; the receiver's */
    bool is_enrolled;   /* has asked for a wake and not taken that back; the receiver's */
    atomic_bool blocks; /* a sender waits for this one to move */
    uint64_t n_untold;  /* lost, and not told yet; the receiver's */

    /* wakee | bits above. Moved by exchanges of the receiver and of whoever works it off. */
    _Alignas(TRI_LINE) atomic_uintptr_t park;
    struct tri_subscriber *next_parked; /* written by the receiver before it links */
    /*
     * A list that its receiver has to work off when it wakes, or NULL. Written by whoever has
     * this one in hand, before park becomes 0; read by the receiver that finds 0.
     */
    struct tri_subscriber *duty;
    _Atomic uint64_t n_lost; /* written by the receiver */
    uint64_t start;          /* the position it subscribed at */
    struct tri_list link;    /* in chan->subscribers; under the lock */
};

/* ---- the channel ---- */

struct tri_broadcast {
    const struct tri_type *type;
    tr_clone_fn *clone; /* NULL: flat */
    char *cells;
    uint64_t mask; /* capacity - 1 */
    uint32_t stride;
    bool waits;     /* TR_BROADCAST_WAIT */
    bool is_fenced; /* receivers move their cursors with a fence */

    _Alignas(TRI_LINE) _Atomic uint64_t tail;

    /*
     * The parked subscribers: stacks, each of one seat, but for shard 0. Senders look at the
     * heads only; parked receivers push.
     */
    _Alignas(TRI_LINE) _Atomic(struct tri_subscriber *) parked[TRI_N_SHARD];
    _Atomic uint16_t seat[TRI_N_SHARD]; /* whose shard it is; set once */
    atomic_uint n_dead;                 /* closed ones that are still linked */

    /*
     * Protects tail and the cells for writers, and what follows. No wake, no drop, no
     * allocation inside.
     */
    _Alignas(TRI_LINE) struct tri_lock lock;
    struct tri_list subscribers;
    uint64_t room_until;    /* positions below it may be written: some minimum of the cursors */
    struct tri_waitq line;  /* waiting senders */
    struct tri_waitq idle;  /* those who wait for the last receiver to go */
    unsigned n_idle;
    uint64_t n_due, n_received, n_lost, n_unread; /* the last three of closed receivers */
    atomic_size_t n_rx;     /* written under the lock */
    atomic_uint n_blocking; /* subscribers with blocks set, and one while they are being
                             * marked */
    atomic_size_t n_tx, n_weak, n_end;
    _Atomic uint64_t n_back; /* of closed sending ends */
};

static const uint64_t tri_broadcast_ended = 1; /* in tail */

static inline uint64_t tri_broadcast_tail(struct tri_broadcast *c)
{
    /* acquire: the cells up to there; pairs with the store in publish(). */
    return atomic_load_explicit(&c->tail, memory_order_acquire) >> 1;
}

static inline uint64_t tri_cursor(const struct tri_subscriber *s)
{
    /* relaxed: for its receiver, who wrote it; and for others as an answer about the moment. */
    return atomic_load_explicit(&s->cursor, memory_order_relaxed);
}

static inline void *tri_broadcast_cell(char *cells, uint64_t mask, uint32_t stride, uint64_t pos)
{
    return cells + (size_t)(pos & mask) * stride;
}

/* ---- flat cells ---- */

struct tri_flat {
    _Atomic uint64_t seq;
    _Atomic uint64_t word[];
};

enum tri_look { TRI_NOT_YET, TRI_THERE, TRI_GONE };

static inline uint64_t tri_flat_published(uint64_t pos)
{
    return 2 * pos + 2;
}

/* The first look; *ret_seq is for the second one. */
static inline enum tri_look tri_flat_look(struct tri_flat *f, uint64_t pos, uint64_t *ret_seq)
{
    /* acquire: the words; pairs with the release in tri_flat_put(). */
    *ret_seq = atomic_load_explicit(&f->seq, memory_order_acquire);
    if (tri_likely(*ret_seq == tri_flat_published(pos)))
        return TRI_THERE;
    return *ret_seq < tri_flat_published(pos) ? TRI_NOT_YET : TRI_GONE;
}

/* The second look, after the words were read. */
static inline bool tri_flat_is_still(struct tri_flat *f, uint64_t seq)
{
    /* relaxed: see the top; the words' acquire shows a change that mattered. */
    return atomic_load_explicit(&f->seq, memory_order_relaxed) == seq;
}

static inline uint64_t tri_flat_word(struct tri_flat *f, size_t i)
{
    /* acquire: seq as of before this word was written; pairs with the release below. */
    return atomic_load_explicit(&f->word[i], memory_order_acquire);
}

/* Writes @m as message @pos. Under the lock. */
static inline void tri_flat_put(struct tri_flat *f, uint64_t pos, const char *m, size_t size)
{
    /* relaxed: the release of each word carries it. */
    atomic_store_explicit(&f->seq, tri_flat_published(pos) - 1, memory_order_relaxed);
    for (size_t at = 0; at < size; at += sizeof(uint64_t)) {
        uint64_t word = 0;

        memcpy(&word, m + at, size - at < sizeof word ? size - at : sizeof word);
        /* release: seq, for a receiver in the middle of the message before this one. */
        atomic_store_explicit(&f->word[at / sizeof word], word, memory_order_release);
    }
    /* release: the words. */
    atomic_store_explicit(&f->seq, tri_flat_published(pos), memory_order_release);
}

/* ---- originals: broadcast_copy.c ---- */

struct tri_original {
    struct tri_rcu_head rcu;
    const struct tri_type *type;
    uint64_t pos;
    _Atomic uint64_t state; /* DETACHED | holders << 32 | left */
    _Alignas(16) char value[];
};

typedef _Atomic(struct tri_original *) tri_original_cell;

/* An original with the bytes of @m; @m is still the caller's. NULL: no memory. */
struct tri_original *tri_original_new(const struct tri_type *type, const void *m);

/* Puts @o into @cell as message @pos for @n receivers. Returns the one it replaces. */
struct tri_original *tri_original_put(tri_original_cell *cell, struct tri_original *o,
                                      uint64_t pos, size_t n);

/* Makes the caller a holder of message @pos, if it is there. */
enum tri_look tri_original_enter(tri_original_cell *cell, uint64_t pos,
                                 struct tri_original **ret_o);

/* Takes that back, and one of those left. May drop the value. */
void tri_original_leave(struct tri_original *o);

/* The ring lets @o (or NULL) go. May drop the value. */
void tri_original_detach(struct tri_original *o);

/* ---- parking: broadcast_park.c ---- */

/* Asks for a wake of @wakee; false: there may be something already, and nobody was asked. */
bool tri_subscriber_park(struct tri_subscriber *s, struct tri_wakee *wakee);

/* Takes that back; wakes others, if that was left to this one. */
void tri_subscriber_unpark(struct tri_subscriber *s);

/* Frees @s, or leaves that to whoever has it in hand. @n_rx: the receivers left. */
void tri_subscriber_bury(struct tri_subscriber *s, size_t n_rx);

/* Wakes the parked subscribers, after tail has moved. */
void tri_broadcast_wake(struct tri_broadcast *c);

/* The end of the channel: frees the buried ones. */
void tri_broadcast_free_dead(struct tri_broadcast *c);

/* ---- waiting senders: broadcast_tx.c ---- */

/* Lets the first in line try if it can; under the lock, @wakes has room for one. */
void tri_broadcast_serve_locked(struct tri_broadcast *c, struct tri_wakes *wakes);
void tri_broadcast_serve(struct tri_broadcast *c);

/* The receiver of @s has moved, and a sender waits for that. */
void tri_subscriber_unblock(struct tri_subscriber *s);

/* Moves the cursor; the cells before @pos are not read any more. See broadcast_tx.c. */
static inline void tri_subscriber_move(struct tri_subscriber *s, uint64_t pos)
{
    bool blocks;

    if (tri_unlikely(s->is_fenced)) {
        /* release: our reads. seq_cst, both: cursor first, then the look at blocks. */
        (void)atomic_exchange_explicit(&s->cursor, pos, memory_order_seq_cst);
        blocks = atomic_load_explicit(&s->blocks, memory_order_seq_cst);
    } else {
        /* release: our reads of the cells; pairs with the acquire in least_cursor(). */
        atomic_store_explicit(&s->cursor, pos, memory_order_release);
        atomic_signal_fence(memory_order_seq_cst); /* the compiler keeps the order, too */
        /* relaxed: the sender's membarrier puts the store before it, or this after its mark. */
        blocks = atomic_load_explicit(&s->blocks, memory_order_relaxed);
    }
    if (tri_unlikely(blocks))
        tri_subscriber_unblock(s);
}

/* ---- ends: broadcast.c ---- */

void tri_broadcast_unref(struct tri_broadcast *c);

/*
 * Takes @s off the channel: what it has not taken counts as taken. Returns the receivers left.
 */
size_t tri_broadcast_leave(struct tri_subscriber *s);

#endif /* TRI_CHAN_BROADCAST_H */
