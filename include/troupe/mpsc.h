/* SPDX-License-Identifier: MIT */
/*
 * troupe/mpsc.h - a queue of messages from many senders to one receiver.
 *
 *     struct tally { unsigned bytes; };
 *     TR_MPSC(statq, struct tally, tr_nodrop);
 *
 *     statq_tx tx;  statq_rx rx;
 *     r = statq_new(64, &tx, &rx);
 *     r = statq_send(&tx, &t, TR_NEVER);         t is moved, and zero afterwards
 *     r = statq_recv(&rx, TR_UNTIL_DRAIN, &t);
 *
 * An end is a small value: move it by copying it and forgetting the source; a second sending
 * end comes from statq_tx_clone(). { 0 } is an empty end: closing it does nothing, any other
 * call returns -EINVAL. One end serves one actor or thread at a time; different ends, of both
 * sides, may be used at the same moment.
 *
 * A send moves the message on success, and leaves it with the caller on every failure. Messages
 * of one sender arrive in the order sent; waiting senders are served first come, first served.
 */
#ifndef TROUPE_MPSC_H
#define TROUPE_MPSC_H

#include <troupe/select.h>

TR_BEGIN_DECLS

typedef struct tr_mpsc_tx {
    struct tri_mpsc *chan;
    uint64_t n_back; /* messages handed back by this end */
} tr_mpsc_tx;

typedef struct tr_mpsc_rx {
    struct tri_mpsc *chan;
} tr_mpsc_rx;

/* Places for messages to come; they are given back by tr_mpsc_permit_close(). */
typedef struct tr_mpsc_permit {
    tr_mpsc_tx tx;
    size_t n; /* places left */
} tr_mpsc_permit;

typedef struct tr_mpsc_weak {
    struct tri_mpsc *chan;
} tr_mpsc_weak;

/* What became of the messages: n_sent = n_received + n_back + n_dropped + what is queued. */
struct tr_mpsc_counts {
    uint64_t n_sent; /* every call of a send form */
    uint64_t n_received;
    uint64_t n_back;    /* handed back on failure; of closed sending ends and the one asked */
    uint64_t n_dropped; /* by the channel: the receiver had gone, or its overflow policy */
};

#define TR_UNBOUNDED SIZE_MAX

/* What becomes of a message that finds the channel full. */
enum tr_overflow {
    TR_OVERFLOW_WAIT,        /* its sender waits */
    TR_OVERFLOW_REJECT,      /* -ENOBUFS at once, also from the waiting forms */
    TR_OVERFLOW_DROP_NEWEST, /* it is dropped */
    TR_OVERFLOW_DROP_OLDEST, /* the oldest is dropped for it */
    TR_OVERFLOW_CONFLATE,    /* full or not, it replaces the queued one of its key, in its
                              * place; else as DROP_OLDEST */
};

/* What a send returns on success; other than TR_SENT only by a policy that drops. */
enum tr_mpsc_sent {
    TR_SENT = 0,
    TR_SENT_EVICTED,  /* the oldest message was dropped for it */
    TR_SENT_REPLACED, /* the queued one of its key was dropped */
    TR_SENT_DROPPED,  /* it was dropped itself */
};

/* True if two messages have one key. Called under a lock: it may not call the library. */
typedef bool tr_mpsc_same_fn(const void *a, const void *b);

struct tr_mpsc_opts {
    size_t capacity;           /* messages; the urgent ones have places of their own */
    enum tr_overflow overflow; /* an unbounded channel: TR_OVERFLOW_WAIT only */
    tr_mpsc_same_fn *same;     /* of TR_OVERFLOW_CONFLATE. It looks at every queued message */
    size_t n_urgent;           /* places of the urgent lane, up to 65535; 0: none, and where the
                                * channel is unbounded */
};

/* The untyped core; TR_MPSC generates the typed functions over it. Contracts: see TR_MPSC. */
TR_API TR_CHECK int tr_mpsc_new(const struct tri_type *type, size_t capacity,
                                tr_mpsc_tx *ret_tx, tr_mpsc_rx *ret_rx);
TR_API TR_CHECK int tr_mpsc_new_with(const struct tri_type *type,
                                     const struct tr_mpsc_opts *opts, tr_mpsc_tx *ret_tx,
                                     tr_mpsc_rx *ret_rx);
TR_API TR_CHECK int tr_mpsc_send_urgent(tr_mpsc_tx *tx, void *m);
TR_API TR_CHECK int tr_mpsc_send_urgent_until(tr_mpsc_tx *tx, void *m, tr_time deadline);
TR_API TR_CHECK int tr_mpsc_blocking_send_urgent(tr_mpsc_tx *tx, void *m, tr_time deadline);
TR_API tr_arm tr_mpsc_send_urgent_arm(tr_mpsc_tx *tx, void *m);
TR_API TR_CHECK int tr_mpsc_send(tr_mpsc_tx *tx, void *m, tr_time deadline);
TR_API TR_CHECK int tr_mpsc_try_send(tr_mpsc_tx *tx, void *m);
TR_API TR_CHECK int tr_mpsc_blocking_send(tr_mpsc_tx *tx, void *m, tr_time deadline);
TR_API tr_arm tr_mpsc_send_arm(tr_mpsc_tx *tx, void *m);
TR_API TR_CHECK int tr_mpsc_recv(tr_mpsc_rx *rx, tr_time deadline, void *ret_m);
TR_API TR_CHECK int tr_mpsc_try_recv(tr_mpsc_rx *rx, void *ret_m);
TR_API TR_CHECK int tr_mpsc_blocking_recv(tr_mpsc_rx *rx, tr_time deadline, void *ret_m);
TR_API TR_CHECK int tr_mpsc_peek(tr_mpsc_rx *rx, const void **ret_m);
TR_API TR_CHECK ssize_t tr_mpsc_recv_many(tr_mpsc_rx *rx, size_t n, tr_time deadline,
                                          void *ret_array);
TR_API TR_CHECK ssize_t tr_mpsc_recv_chunk(tr_mpsc_rx *rx, size_t n, tr_time span,
                                           tr_time deadline, void *ret_array);
TR_API tr_arm tr_mpsc_recv_arm(tr_mpsc_rx *rx, void *ret_m);
TR_API tr_mpsc_tx tr_mpsc_tx_clone(const tr_mpsc_tx *tx);
TR_API TR_CHECK int tr_mpsc_reserve(tr_mpsc_tx *tx, size_t n, tr_time deadline,
                                    tr_mpsc_permit *ret_permit);
TR_API TR_CHECK int tr_mpsc_try_reserve(tr_mpsc_tx *tx, size_t n, tr_mpsc_permit *ret_permit);
TR_API TR_CHECK int tr_mpsc_blocking_reserve(tr_mpsc_tx *tx, size_t n, tr_time deadline,
                                             tr_mpsc_permit *ret_permit);
TR_API tr_arm tr_mpsc_reserve_arm(tr_mpsc_tx *tx, size_t n, tr_mpsc_permit *ret_permit);
TR_API TR_CHECK int tr_mpsc_permit_send(tr_mpsc_permit *permit, void *m);
TR_API size_t tr_mpsc_permit_left(const tr_mpsc_permit *permit);
TR_API void tr_mpsc_permit_close(tr_mpsc_permit *permit);
TR_API tr_mpsc_weak tr_mpsc_tx_downgrade(const tr_mpsc_tx *tx);
TR_API TR_CHECK int tr_mpsc_weak_upgrade(const tr_mpsc_weak *weak, tr_mpsc_tx *ret_tx);
TR_API tr_mpsc_weak tr_mpsc_weak_clone(const tr_mpsc_weak *weak);
TR_API void tr_mpsc_weak_close(tr_mpsc_weak *weak);
TR_API TR_CHECK int tr_mpsc_closed(tr_mpsc_tx *tx, tr_time deadline);
TR_API TR_CHECK int tr_mpsc_blocking_closed(tr_mpsc_tx *tx, tr_time deadline);
TR_API tr_arm tr_mpsc_closed_arm(tr_mpsc_tx *tx);
TR_API void tr_mpsc_tx_close(tr_mpsc_tx *tx);
TR_API TR_CHECK int tr_mpsc_rx_own(tr_mpsc_rx *rx);
TR_API void tr_mpsc_rx_shut(tr_mpsc_rx *rx);
TR_API void tr_mpsc_rx_close(tr_mpsc_rx *rx);
TR_API bool tr_mpsc_tx_is_closed(const tr_mpsc_tx *tx);
TR_API bool tr_mpsc_tx_is_same(const tr_mpsc_tx *a, const tr_mpsc_tx *b);
TR_API bool tr_mpsc_rx_is_closed(const tr_mpsc_rx *rx);
TR_API size_t tr_mpsc_len(const tr_mpsc_rx *rx);
TR_API size_t tr_mpsc_senders(const tr_mpsc_rx *rx);
TR_API size_t tr_mpsc_weak_senders(const tr_mpsc_rx *rx);
TR_API size_t tr_mpsc_capacity(const tr_mpsc_tx *tx);
TR_API size_t tr_mpsc_room(const tr_mpsc_tx *tx);
TR_API void tr_mpsc_rx_counts(const tr_mpsc_rx *rx, struct tr_mpsc_counts *ret_counts);
TR_API void tr_mpsc_tx_counts(const tr_mpsc_tx *tx, struct tr_mpsc_counts *ret_counts);

/*
 * Declares the channel type @name of messages of @type, released by @drop_fn; ends with ';'.
 *
 * name_new(capacity, &tx, &rx): makes a channel. @capacity: messages it holds, exactly; or
 *   TR_UNBOUNDED.  Returns 0, -EINVAL (0, or above 2^31), -ENOMEM.
 * name_new_with(&opts, &tx, &rx): the same with an overflow policy, and an urgent lane.
 *   Channels that drop the oldest, conflate or have a lane take a lock for each message.
 *   -EINVAL: also options that contradict each other.
 * name_send_urgent(&tx, &m): into the urgent lane, whose messages are received first, at most
 *   eight in a row while others wait. Never waits: -EAGAIN: the lane is full, or others wait
 *   for a place in it.  -EINVAL: there is no lane.
 * name_send_urgent_until(&tx, &m, deadline), name_blocking_send_urgent(&tx, &m, deadline),
 *   name_send_urgent_arm(&tx, &m): the same, and wait for a place, first come, first served.
 * name_send(&tx, &m, deadline): waits while the channel is full.  Callers: tasks.
 * name_try_send(&tx, &m): anybody: tasks, handlers, any thread. Never waits, and never
 *   overtakes a sender that waits.
 * name_blocking_send(&tx, &m, deadline): plain threads; an actor gets -EDEADLK.
 *   These return:  0, or another enum tr_mpsc_sent: *m is zero, and the channel's.  -EPIPE: the
 *   receiver is gone or shut.  -EAGAIN: full (try).  -ENOBUFS: full, and the channel rejects.
 *   -ETIMEDOUT, -ECANCELED, -ESHUTDOWN, -EPERM.  On every failure the message is still yours.
 * name_recv(&rx, deadline, &m), name_try_recv(&rx, &m), name_blocking_recv(&rx, deadline, &m):
 *   the oldest message.
 *   These return:  0: *m is yours.  -EPIPE: every sender is gone, or the receiver was shut, and
 *   the queue is empty.  -EAGAIN: empty, or the send of the oldest is still under way (try).
 *   -ETIMEDOUT, -ECANCELED, -ESHUTDOWN, -EPERM.
 * name_peek(&rx, &m): where the message lies that the next receive on this end gives, until
 *   then; it stays queued. Returns as name_try_recv(); -EINVAL: also in a channel that drops
 *   the oldest, conflates or has a lane, where it may be gone, or another one come first, at
 *   any moment.
 * name_recv_many(&rx, n, deadline, array): waits for one message and takes what is there, up to
 *   @n.  Returns the count, else as recv.
 * name_recv_chunk(&rx, n, span, deadline, array): as recv_many, but then goes on for @span
 *   after the first message, until there are @n. When the channel ends or the task has to, it
 *   returns what there is at once, and the next call says so. Never 0 but for @n = 0.
 * name_send_arm(&tx, &m), name_recv_arm(&rx, &m), name_reserve_arm(&tx, n, &permit): the same
 *   as arms of tr_select().
 * name_reserve(&tx, n, deadline, &permit), name_try_reserve(&tx, n, &permit),
 *   name_blocking_reserve(&tx, n, deadline, &permit): @n places for messages to come, all at
 *   once; in line with the waiting senders. Return as sends do; -EINVAL: @n is above the
 *   capacity, the channel is unbounded, or its policy is not TR_OVERFLOW_WAIT. A wait that ends
 *   without them has taken none.
 * name_permit_send(&permit, &m): into one of them: never waits, also after the receiver has
 *   shut.  -EPIPE: it is gone, the message is still yours.  -EINVAL: no place is left. The
 *   permit is empty after the last one. While places are reserved, other sends take a lock.
 * name_permit_left(&permit): how many.  name_permit_close(&permit): gives them back.
 *   A permit is a sender: it keeps the channel open, and its receiver from the end.
 * name_tx_clone(&tx): one more sending end. Cannot fail; a clone of an empty end is empty.
 * name_tx_downgrade(&tx), name_weak_clone(&weak): a weak end, which does not keep the channel
 *   open.  name_weak_upgrade(&weak, &tx): a sending end again; -EPIPE: every sender has gone.
 *   name_weak_close(&weak).
 * name_closed(&tx, deadline), name_blocking_closed(&tx, deadline), name_closed_arm(&tx): waits
 *   until the receiver is gone or shut: 0 then.
 * name_rx_own(&rx): the calling task or thread promises to receive and to answer itself
 *   whatever is asked here (ask.h), until another one says so. An ask that would close a circle
 *   of such promises is then refused with -EDEADLK.  0; -ENOMEM; -EPERM: in a handler.
 * name_rx_shut(&rx): later sends, and those that wait, fail with -EPIPE; what is queued can
 *   still be received.
 * name_tx_close(&tx), name_rx_close(&rx): never wait, leave the end empty. When the receiver
 *   goes, what is queued is dropped at once; when the last sender goes, the receiver drains.
 * name_tx_is_closed(&tx): a send would return -EPIPE.  name_rx_is_closed(&rx): shut, or every
 *   sender is gone; messages may be queued.  name_tx_is_same(&a, &b): of one channel.
 * name_tx_capacity(&tx): messages it holds at most.  Snapshots: name_tx_room(&tx): places that
 *   are neither taken nor reserved; name_len(&rx); name_senders(&rx), permits among them;
 *   name_weak_senders(&rx).
 * name_rx_counts(&rx, &counts), name_tx_counts(&tx, &counts): what became of the messages;
 *   exact when nobody sends and the other sending ends are closed.
 * Sends into an unbounded channel may also return -ENOMEM.
 */
#define TR_MPSC(name, type, drop_fn)                                                           \
    TRI_TYPE(name, type, drop_fn);                                                             \
    typedef struct name##_tx {                                                                 \
        tr_mpsc_tx end;                                                                        \
    } name##_tx;                                                                               \
    typedef struct name##_rx {                                                                 \
        tr_mpsc_rx end;                                                                        \
    } name##_rx;                                                                               \
    TR_GENERATED TR_CHECK int name##_new(size_t tri_capacity, name##_tx *tri_ret_tx,           \
                                         name##_rx *tri_ret_rx)                                \
    {                                                                                          \
        return tr_mpsc_new(&name##_tri_type, tri_capacity, &tri_ret_tx->end,                   \
                           &tri_ret_rx->end);                                                  \
    }                                                                                          \
    TR_GENERATED TR_CHECK int name##_new_with(const struct tr_mpsc_opts *tri_opts,             \
                                              name##_tx *tri_ret_tx, name##_rx *tri_ret_rx)    \
    {                                                                                          \
        return tr_mpsc_new_with(&name##_tri_type, tri_opts, &tri_ret_tx->end,                  \
                                &tri_ret_rx->end);                                             \
    }                                                                                          \
    TR_GENERATED TR_CHECK int name##_recv(name##_rx *tri_rx, tr_time tri_deadline,             \
                                          type *tri_ret_m)                                     \
    {                                                                                          \
        return tr_mpsc_recv(&tri_rx->end, tri_deadline, tri_ret_m);                            \
    }                                                                                          \
    TR_GENERATED TR_CHECK int name##_try_recv(name##_rx *tri_rx, type *tri_ret_m)              \
    {                                                                                          \
        return tr_mpsc_try_recv(&tri_rx->end, tri_ret_m);                                      \
    }                                                                                          \
    TR_GENERATED TR_CHECK int name##_blocking_recv(name##_rx *tri_rx, tr_time tri_deadline,    \
                                                   type *tri_ret_m)                            \
    {                                                                                          \
        return tr_mpsc_blocking_recv(&tri_rx->end, tri_deadline, tri_ret_m);                   \
    }                                                                                          \
    TR_GENERATED TR_CHECK int name##_peek(name##_rx *tri_rx, const type **tri_ret_m)           \
    {                                                                                          \
        const void *tri_m = NULL;                                                              \
        int tri_r = tr_mpsc_peek(&tri_rx->end, tri_ret_m ? &tri_m : NULL);                     \
        if (tri_r == 0 && tri_ret_m)                                                           \
            *tri_ret_m = (const type *)tri_m;                                                  \
        return tri_r;                                                                          \
    }                                                                                          \
    TR_GENERATED TR_CHECK ssize_t name##_recv_many(name##_rx *tri_rx, size_t tri_n,            \
                                                   tr_time tri_deadline, type *tri_ret_array)  \
    {                                                                                          \
        return tr_mpsc_recv_many(&tri_rx->end, tri_n, tri_deadline, tri_ret_array);            \
    }                                                                                          \
    TR_GENERATED TR_CHECK ssize_t name##_recv_chunk(name##_rx *tri_rx, size_t tri_n,           \
                                                    tr_time tri_span, tr_time tri_deadline,    \
                                                    type *tri_ret_array)                       \
    {                                                                                          \
        return tr_mpsc_recv_chunk(&tri_rx->end, tri_n, tri_span, tri_deadline, tri_ret_array); \
    }                                                                                          \
    TR_GENERATED tr_arm name##_recv_arm(name##_rx *tri_rx, type *tri_ret_m)                    \
    {                                                                                          \
        return tr_mpsc_recv_arm(tri_rx ? &tri_rx->end : NULL, tri_ret_m);                      \
    }                                                                                          \
    TR_GENERATED bool name##_rx_is_closed(const name##_rx *tri_rx)                             \
    {                                                                                          \
        return tr_mpsc_rx_is_closed(&tri_rx->end);                                             \
    }                                                                                          \
    TR_GENERATED size_t name##_senders(const name##_rx *tri_rx)                                \
    {                                                                                          \
        return tr_mpsc_senders(&tri_rx->end);                                                  \
    }                                                                                          \
    TR_GENERATED size_t name##_weak_senders(const name##_rx *tri_rx)                           \
    {                                                                                          \
        return tr_mpsc_weak_senders(&tri_rx->end);                                             \
    }                                                                                          \
    TR_GENERATED TR_CHECK int name##_rx_own(name##_rx *tri_rx)                                 \
    {                                                                                          \
        return tr_mpsc_rx_own(&tri_rx->end);                                                   \
    }                                                                                          \
    TR_GENERATED void name##_rx_shut(name##_rx *tri_rx)                                        \
    {                                                                                          \
        tr_mpsc_rx_shut(&tri_rx->end);                                                         \
    }                                                                                          \
    TR_GENERATED void name##_rx_close(name##_rx *tri_rx)                                       \
    {                                                                                          \
        tr_mpsc_rx_close(&tri_rx->end);                                                        \
    }                                                                                          \
    TR_GENERATED size_t name##_len(const name##_rx *tri_rx)                                    \
    {                                                                                          \
        return tr_mpsc_len(&tri_rx->end);                                                      \
    }                                                                                          \
    TR_GENERATED void name##_rx_counts(const name##_rx *tri_rx,                                   \
                                    struct tr_mpsc_counts *tri_ret_counts)                     \
    {                                                                                          \
        tr_mpsc_rx_counts(&tri_rx->end, tri_ret_counts);                                          \
    }                                                                                          \
    TRI_MPSC_PERMIT(name, name##_tx, type);                                                    \
    TRI_MPSC_TX(name, name##_tx, type)

/* Permits, and the end of the receiver. */
#define TRI_MPSC_PERMIT(name, tx_type, type)                                                   \
    typedef struct name##_permit {                                                             \
        tr_mpsc_permit end;                                                                    \
    } name##_permit;                                                                           \
    TR_GENERATED TR_CHECK int name##_reserve(tx_type *tri_tx, size_t tri_n,                    \
                                             tr_time tri_deadline, name##_permit *tri_ret)     \
    {                                                                                          \
        return tr_mpsc_reserve(&tri_tx->end, tri_n, tri_deadline, &tri_ret->end);              \
    }                                                                                          \
    TR_GENERATED TR_CHECK int name##_try_reserve(tx_type *tri_tx, size_t tri_n,                \
                                                 name##_permit *tri_ret)                       \
    {                                                                                          \
        return tr_mpsc_try_reserve(&tri_tx->end, tri_n, &tri_ret->end);                        \
    }                                                                                          \
    TR_GENERATED TR_CHECK int name##_blocking_reserve(                                         \
        tx_type *tri_tx, size_t tri_n, tr_time tri_deadline, name##_permit *tri_ret)           \
    {                                                                                          \
        return tr_mpsc_blocking_reserve(&tri_tx->end, tri_n, tri_deadline, &tri_ret->end);     \
    }                                                                                          \
    TR_GENERATED tr_arm name##_reserve_arm(tx_type *tri_tx, size_t tri_n,                      \
                                           name##_permit *tri_ret)                             \
    {                                                                                          \
        return tr_mpsc_reserve_arm(tri_tx ? &tri_tx->end : NULL, tri_n, &tri_ret->end);        \
    }                                                                                          \
    TR_GENERATED TR_CHECK int name##_permit_send(name##_permit *tri_permit, type *tri_m)       \
    {                                                                                          \
        return tr_mpsc_permit_send(&tri_permit->end, tri_m);                                   \
    }                                                                                          \
    TR_GENERATED size_t name##_permit_left(const name##_permit *tri_permit)                    \
    {                                                                                          \
        return tr_mpsc_permit_left(&tri_permit->end);                                          \
    }                                                                                          \
    TR_GENERATED void name##_permit_close(name##_permit *tri_permit)                           \
    {                                                                                          \
        tr_mpsc_permit_close(&tri_permit->end);                                                \
    }                                                                                          \
    TR_GENERATED TR_CHECK int name##_closed(tx_type *tri_tx, tr_time tri_deadline)             \
    {                                                                                          \
        return tr_mpsc_closed(&tri_tx->end, tri_deadline);                                     \
    }                                                                                          \
    TR_GENERATED TR_CHECK int name##_blocking_closed(tx_type *tri_tx, tr_time tri_deadline)    \
    {                                                                                          \
        return tr_mpsc_blocking_closed(&tri_tx->end, tri_deadline);                            \
    }                                                                                          \
    TR_GENERATED tr_arm name##_closed_arm(tx_type *tri_tx)                                     \
    {                                                                                          \
        return tr_mpsc_closed_arm(tri_tx ? &tri_tx->end : NULL);                               \
    }                                                                                          \
    struct name##_tri_semicolon_permit

/* The functions of a sending end @tx_type; a handler's reference has the same ones. */
#define TRI_MPSC_TX(name, tx_type, type)                                                       \
    TR_GENERATED TR_CHECK int name##_send(tx_type *tri_tx, type *tri_m, tr_time tri_deadline)  \
    {                                                                                          \
        return tr_mpsc_send(&tri_tx->end, tri_m, tri_deadline);                                \
    }                                                                                          \
    TR_GENERATED TR_CHECK int name##_try_send(tx_type *tri_tx, type *tri_m)                    \
    {                                                                                          \
        return tr_mpsc_try_send(&tri_tx->end, tri_m);                                          \
    }                                                                                          \
    TR_GENERATED TR_CHECK int name##_blocking_send(tx_type *tri_tx, type *tri_m,               \
                                                   tr_time tri_deadline)                       \
    {                                                                                          \
        return tr_mpsc_blocking_send(&tri_tx->end, tri_m, tri_deadline);                       \
    }                                                                                          \
    TR_GENERATED TR_CHECK int name##_send_urgent(tx_type *tri_tx, type *tri_m)                 \
    {                                                                                          \
        return tr_mpsc_send_urgent(&tri_tx->end, tri_m);                                       \
    }                                                                                          \
    TR_GENERATED TR_CHECK int name##_send_urgent_until(tx_type *tri_tx, type *tri_m,           \
                                                       tr_time tri_deadline)                   \
    {                                                                                          \
        return tr_mpsc_send_urgent_until(&tri_tx->end, tri_m, tri_deadline);                   \
    }                                                                                          \
    TR_GENERATED TR_CHECK int name##_blocking_send_urgent(tx_type *tri_tx, type *tri_m,        \
                                                          tr_time tri_deadline)                \
    {                                                                                          \
        return tr_mpsc_blocking_send_urgent(&tri_tx->end, tri_m, tri_deadline);                \
    }                                                                                          \
    TR_GENERATED tr_arm name##_send_urgent_arm(tx_type *tri_tx, type *tri_m)                   \
    {                                                                                          \
        return tr_mpsc_send_urgent_arm(tri_tx ? &tri_tx->end : NULL, tri_m);                   \
    }                                                                                          \
    TR_GENERATED tr_arm name##_send_arm(tx_type *tri_tx, type *tri_m)                          \
    {                                                                                          \
        return tr_mpsc_send_arm(tri_tx ? &tri_tx->end : NULL, tri_m);                          \
    }                                                                                          \
    TR_GENERATED tx_type tx_type##_clone(const tx_type *tri_tx)                                \
    {                                                                                          \
        tx_type tri_copy = { tr_mpsc_tx_clone(&tri_tx->end) };                                 \
        return tri_copy;                                                                       \
    }                                                                                          \
    typedef struct name##_weak {                                                               \
        tr_mpsc_weak end;                                                                      \
    } name##_weak;                                                                             \
    TR_GENERATED name##_weak tx_type##_downgrade(const tx_type *tri_tx)                        \
    {                                                                                          \
        name##_weak tri_weak = { tr_mpsc_tx_downgrade(&tri_tx->end) };                         \
        return tri_weak;                                                                       \
    }                                                                                          \
    TR_GENERATED name##_weak name##_weak_clone(const name##_weak *tri_weak)                    \
    {                                                                                          \
        name##_weak tri_copy = { tr_mpsc_weak_clone(&tri_weak->end) };                         \
        return tri_copy;                                                                       \
    }                                                                                          \
    TR_GENERATED TR_CHECK int name##_weak_upgrade(const name##_weak *tri_weak,                 \
                                                  tx_type *tri_ret_tx)                         \
    {                                                                                          \
        return tr_mpsc_weak_upgrade(&tri_weak->end, &tri_ret_tx->end);                         \
    }                                                                                          \
    TR_GENERATED void name##_weak_close(name##_weak *tri_weak)                                 \
    {                                                                                          \
        tr_mpsc_weak_close(&tri_weak->end);                                                    \
    }                                                                                          \
    TR_GENERATED void tx_type##_close(tx_type *tri_tx)                                         \
    {                                                                                          \
        tr_mpsc_tx_close(&tri_tx->end);                                                        \
    }                                                                                          \
    TR_GENERATED bool tx_type##_is_closed(const tx_type *tri_tx)                               \
    {                                                                                          \
        return tr_mpsc_tx_is_closed(&tri_tx->end);                                             \
    }                                                                                          \
    TR_GENERATED bool tx_type##_is_same(const tx_type *tri_a, const tx_type *tri_b)            \
    {                                                                                          \
        return tr_mpsc_tx_is_same(&tri_a->end, &tri_b->end);                                   \
    }                                                                                          \
    TR_GENERATED size_t tx_type##_room(const tx_type *tri_tx)                                  \
    {                                                                                          \
        return tr_mpsc_room(&tri_tx->end);                                                     \
    }                                                                                          \
    TR_GENERATED void tx_type##_counts(const tx_type *tri_tx,                                  \
                                       struct tr_mpsc_counts *tri_ret_counts)                  \
    {                                                                                          \
        tr_mpsc_tx_counts(&tri_tx->end, tri_ret_counts);                                       \
    }                                                                                          \
    TR_GENERATED size_t tx_type##_capacity(const tx_type *tri_tx)                              \
    {                                                                                          \
        return tr_mpsc_capacity(&tri_tx->end);                                                 \
    }                                                                                          \
    struct name##_tri_semicolon

TR_END_DECLS

#endif /* TROUPE_MPSC_H */
