/* SPDX-License-Identifier: MIT */
/*
 * troupe/broadcast.h - every receiver gets its own copy of every message, in one order.
 *
 *     struct event { uint64_t id; };
 *     TR_BROADCAST(news, struct event, tr_copy, tr_nodrop);
 *
 *     r = news_new(1024, 0, &tx, &rx);
 *     r = news_subscribe(&tx, 0, &second);          sees what is sent from now on
 *     r = news_send(&tx, &e, TR_NEVER);             the number of receivers it goes to
 *     r = news_recv(&rx, TR_UNTIL_DRAIN, &e);       -ESTALE: lost some, news_lost(&rx) of them
 *
 * A full ring overwrites its oldest message, and a receiver that had not taken that one lags;
 * or, with TR_BROADCAST_WAIT, senders wait for the slowest receiver and nothing is ever lost.
 *
 * An end is a small value: move it by copying it and forgetting the source. { 0 } is an empty
 * end: closing it does nothing, any other call returns -EINVAL, 0 or an empty end. One end
 * serves one actor or thread at a time; different ends, of both sides, may be used at the same
 * moment.
 */
#ifndef TROUPE_BROADCAST_H
#define TROUPE_BROADCAST_H

#include <troupe/select.h>

TR_BEGIN_DECLS

typedef struct tr_broadcast_tx {
    struct tri_broadcast *chan;
    uint64_t n_back; /* messages handed back by this end */
} tr_broadcast_tx;

typedef struct tr_broadcast_weak {
    struct tri_broadcast *chan;
} tr_broadcast_weak;

typedef struct tr_broadcast_rx {
    struct tri_subscriber *sub;
} tr_broadcast_rx;

enum tr_broadcast_flag {
    TR_BROADCAST_WAIT = 1u << 0, /* new: a full ring makes senders wait; default: overwrite */
    TR_BROADCAST_FAIL = 1u << 1, /* subscribe: a receiver that lags ends; default: goes on */
};

/*
 * What became of the messages. Every accepted one is due to each receiver of that moment:
 * n_due = n_received + n_lost + n_unread + what open receivers have still to take.
 */
struct tr_broadcast_counts {
    uint64_t n_sent;     /* every call of a send form */
    uint64_t n_back;     /* handed back on failure; of closed sending ends and the one asked */
    uint64_t n_due;
    uint64_t n_received;
    uint64_t n_lost;     /* overwritten before they were taken */
    uint64_t n_unread;   /* left by receivers that closed, or ended because they lagged */
};

/*
 * Makes in *@dst a copy of *@src that can be dropped on its own. Returns 0, or a negative
 * errno: then nothing is in *@dst. Called by the receiver, under no lock; it may not wait.
 * Other receivers may copy the same *@src at the same moment.
 */
typedef int tr_clone_fn(void *dst, const void *src);

/*
 * In place of a clone function: plain data, copied byte by byte; its drop function is
 * tr_nodrop.
 */
#define tr_copy NULL

/*
 * The untyped core; TR_BROADCAST generates the typed functions over it. Contracts: see there.
 */
TR_API TR_CHECK int tr_broadcast_new(const struct tri_type *type, tr_clone_fn *clone,
                                     size_t capacity, unsigned flags, tr_broadcast_tx *ret_tx,
                                     tr_broadcast_rx *ret_rx);
TR_API TR_CHECK int tr_broadcast_send(tr_broadcast_tx *tx, void *m, tr_time deadline);
TR_API TR_CHECK int tr_broadcast_try_send(tr_broadcast_tx *tx, void *m);
TR_API TR_CHECK int tr_broadcast_blocking_send(tr_broadcast_tx *tx, void *m, tr_time deadline);
TR_API tr_arm tr_broadcast_send_arm(tr_broadcast_tx *tx, void *m);
TR_API TR_CHECK int tr_broadcast_closed(tr_broadcast_tx *tx, tr_time deadline);
TR_API TR_CHECK int tr_broadcast_blocking_closed(tr_broadcast_tx *tx, tr_time deadline);
TR_API tr_arm tr_broadcast_closed_arm(tr_broadcast_tx *tx);
TR_API tr_broadcast_tx tr_broadcast_tx_clone(const tr_broadcast_tx *tx);
TR_API TR_CHECK int tr_broadcast_subscribe(const tr_broadcast_tx *tx, unsigned flags,
                                           tr_broadcast_rx *ret_rx);
TR_API size_t tr_broadcast_receivers(const tr_broadcast_tx *tx);
TR_API size_t tr_broadcast_capacity(const tr_broadcast_tx *tx);
TR_API size_t tr_broadcast_tx_len(const tr_broadcast_tx *tx);
TR_API void tr_broadcast_tx_counts(const tr_broadcast_tx *tx,
                                   struct tr_broadcast_counts *ret_counts);
TR_API void tr_broadcast_tx_close(tr_broadcast_tx *tx);

TR_API tr_broadcast_weak tr_broadcast_tx_downgrade(const tr_broadcast_tx *tx);
TR_API TR_CHECK int tr_broadcast_weak_upgrade(const tr_broadcast_weak *weak,
                                              tr_broadcast_tx *ret_tx);
TR_API tr_broadcast_weak tr_broadcast_weak_clone(const tr_broadcast_weak *weak);
TR_API void tr_broadcast_weak_close(tr_broadcast_weak *weak);

TR_API TR_CHECK int tr_broadcast_recv(tr_broadcast_rx *rx, tr_time deadline, void *ret_m);
TR_API TR_CHECK int tr_broadcast_try_recv(tr_broadcast_rx *rx, void *ret_m);
TR_API TR_CHECK int tr_broadcast_blocking_recv(tr_broadcast_rx *rx, tr_time deadline,
                                               void *ret_m);
TR_API tr_arm tr_broadcast_recv_arm(tr_broadcast_rx *rx, void *ret_m);
TR_API uint64_t tr_broadcast_lost(tr_broadcast_rx *rx);
TR_API TR_CHECK int tr_broadcast_resubscribe(const tr_broadcast_rx *rx,
                                             tr_broadcast_rx *ret_rx);
TR_API bool tr_broadcast_rx_is_closed(const tr_broadcast_rx *rx);
TR_API size_t tr_broadcast_len(const tr_broadcast_rx *rx);
TR_API size_t tr_broadcast_senders(const tr_broadcast_rx *rx);
TR_API size_t tr_broadcast_weak_senders(const tr_broadcast_rx *rx);
TR_API void tr_broadcast_rx_counts(const tr_broadcast_rx *rx,
                                   struct tr_broadcast_counts *ret_counts);
TR_API void tr_broadcast_rx_close(tr_broadcast_rx *rx);

/*
 * Declares the channel type @name of messages of @type, copied for each receiver by
 * int clone_fn(type *dst, const type *src), or tr_copy, and released by @drop_fn; ends with
 * ';'.
 *
 * name_new(capacity, flags, &tx, &rx): makes a channel. @capacity: messages it retains, rounded
 *   up to a power of two. @flags: 0 or TR_BROADCAST_WAIT. @rx: the first receiver, which goes
 *   on after a lag; NULL: not wanted.  Returns 0, -EINVAL (0, above SIZE_MAX / 2, an unknown
 *   flag), -ENOMEM.
 * name_send(&tx, &m, deadline): waits for the slowest receiver, with TR_BROADCAST_WAIT, while
 *   the ring is full; otherwise never.  Callers: tasks.
 * name_try_send(&tx, &m): anybody: tasks, handlers, any thread. Never waits, and never
 *   overtakes a sender that waits.
 * name_blocking_send(&tx, &m, deadline): plain threads; an actor gets -EDEADLK.
 *   These return:  the number of receivers it goes to: the channel owns the message, and *m is
 *   zero.  -EPIPE: there is no receiver; nothing is stored.  -EAGAIN: full (try).  -ENOMEM:
 *   only with a clone function.  -ETIMEDOUT, -ECANCELED, -ESHUTDOWN, -EPERM.  On every failure
 *   the message is still yours.
 * name_recv(&rx, deadline, &m), name_try_recv(&rx, &m), name_blocking_recv(&rx, deadline, &m):
 *   a copy of the next message.
 *   These return:  0: *m is yours.  -ESTALE: the next ones were overwritten: see name_lost();
 *   the next call gives the oldest that is retained, or with TR_BROADCAST_FAIL -EPIPE, as from
 *   then on.  -EPIPE: every sender is gone and everything was taken.  What clone_fn returned:
 *   that message counts as taken.  -EAGAIN: empty (try).  -ETIMEDOUT, -ECANCELED, -ESHUTDOWN,
 *   -EPERM.
 * name_lost(&rx): how many messages were lost since this was last asked; each is told once.
 * name_send_arm(&tx, &m), name_recv_arm(&rx, &m): the same as arms of tr_select().
 * name_closed(&tx, deadline), name_blocking_closed(&tx, deadline): wait until there is no
 *   receiver.  Returns 0, -ETIMEDOUT, -ECANCELED, -ESHUTDOWN, -EPERM. name_closed_arm(&tx).
 * name_subscribe(&tx, flags, &rx): one more receiver, of what is sent from now on. @flags: 0 or
 *   TR_BROADCAST_FAIL.  name_resubscribe(&rx, &ret_rx): the same with the flags of @rx.
 *   Return 0, -ENOMEM, -EINVAL.
 * name_tx_clone(&tx): one more sending end. Cannot fail; a clone of an empty end is empty.
 * name_tx_downgrade(&tx), name_weak_clone(&weak): a weak end, which does not keep the channel
 *   open.  name_weak_upgrade(&weak, &tx): a sending end again; -EPIPE: every sender has gone.
 *   name_weak_close(&weak).
 * name_receivers(&tx): how many there are.  name_capacity(&tx): what the ring retains.
 *   name_senders(&rx), name_weak_senders(&rx): how many ends there are.
 * name_len(&rx): sent and not received yet, lost ones included: above the capacity, the next
 *   receive lags.  name_tx_len(&tx): not seen by all yet, at most the capacity.  Snapshots.
 * name_rx_is_closed(&rx): every sender is gone; there may be something left to receive.
 * name_tx_counts(&tx, &counts), name_rx_counts(&rx, &counts): what became of the messages of
 *   the channel; exact when nothing goes on and the other sending ends are closed.
 * name_tx_close(&tx), name_rx_close(&rx): never wait, leave the end empty. When the last sender
 *   goes, receivers drain; what a closing receiver has not taken counts as taken by it.
 */
#define TR_BROADCAST(name, type, clone_fn, drop_fn)                                            \
    TRI_TYPE(name, type, drop_fn);                                                             \
    typedef struct name##_tx {                                                                 \
        tr_broadcast_tx end;                                                                   \
    } name##_tx;                                                                               \
    typedef struct name##_rx {                                                                 \
        tr_broadcast_rx end;                                                                   \
    } name##_rx;                                                                               \
    TR_GENERATED int name##_tri_clone(void *tri_dst, const void *tri_src)                      \
    {                                                                                          \
        int (*const tri_fn)(type *, type const *) = clone_fn;                                  \
        return tri_fn ? tri_fn((type *)tri_dst, (type const *)tri_src) : 0;                    \
    }                                                                                          \
    TR_GENERATED TR_CHECK int name##_new(size_t tri_capacity, unsigned tri_flags,              \
                                         name##_tx *tri_ret_tx, name##_rx *tri_ret_rx)         \
    {                                                                                          \
        int (*const tri_fn)(type *, type const *) = clone_fn;                                  \
        return tr_broadcast_new(&name##_tri_type, tri_fn ? name##_tri_clone : NULL,            \
                                tri_capacity, tri_flags, &tri_ret_tx->end,                     \
                                tri_ret_rx ? &tri_ret_rx->end : NULL);                         \
    }                                                                                          \
    TRI_BROADCAST_TX(name, type);                                                              \
    TRI_BROADCAST_RX(name, type)

#define TRI_BROADCAST_TX(name, type)                                                           \
    TR_GENERATED TR_CHECK int name##_send(name##_tx *tri_tx, type *tri_m,                      \
                                          tr_time tri_deadline)                                \
    {                                                                                          \
        return tr_broadcast_send(&tri_tx->end, tri_m, tri_deadline);                           \
    }                                                                                          \
    TR_GENERATED TR_CHECK int name##_try_send(name##_tx *tri_tx, type *tri_m)                  \
    {                                                                                          \
        return tr_broadcast_try_send(&tri_tx->end, tri_m);                                     \
    }                                                                                          \
    TR_GENERATED TR_CHECK int name##_blocking_send(name##_tx *tri_tx, type *tri_m,             \
                                                   tr_time tri_deadline)                       \
    {                                                                                          \
        return tr_broadcast_blocking_send(&tri_tx->end, tri_m, tri_deadline);                  \
    }                                                                                          \
    TR_GENERATED tr_arm name##_send_arm(name##_tx *tri_tx, type *tri_m)                        \
    {                                                                                          \
        return tr_broadcast_send_arm(tri_tx ? &tri_tx->end : NULL, tri_m);                     \
    }                                                                                          \
    TR_GENERATED TR_CHECK int name##_closed(name##_tx *tri_tx, tr_time tri_deadline)           \
    {                                                                                          \
        return tr_broadcast_closed(&tri_tx->end, tri_deadline);                                \
    }                                                                                          \
    TR_GENERATED TR_CHECK int name##_blocking_closed(name##_tx *tri_tx, tr_time tri_deadline)  \
    {                                                                                          \
        return tr_broadcast_blocking_closed(&tri_tx->end, tri_deadline);                       \
    }                                                                                          \
    TR_GENERATED tr_arm name##_closed_arm(name##_tx *tri_tx)                                   \
    {                                                                                          \
        return tr_broadcast_closed_arm(tri_tx ? &tri_tx->end : NULL);                          \
    }                                                                                          \
    TR_GENERATED name##_tx name##_tx_clone(const name##_tx *tri_tx)                            \
    {                                                                                          \
        name##_tx tri_other = { tr_broadcast_tx_clone(&tri_tx->end) };                         \
        return tri_other;                                                                      \
    }                                                                                          \
    typedef struct name##_weak {                                                               \
        tr_broadcast_weak end;                                                                 \
    } name##_weak;                                                                             \
    TR_GENERATED name##_weak name##_tx_downgrade(const name##_tx *tri_tx)                      \
    {                                                                                          \
        name##_weak tri_weak = { tr_broadcast_tx_downgrade(&tri_tx->end) };                    \
        return tri_weak;                                                                       \
    }                                                                                          \
    TR_GENERATED name##_weak name##_weak_clone(const name##_weak *tri_weak)                    \
    {                                                                                          \
        name##_weak tri_copy = { tr_broadcast_weak_clone(&tri_weak->end) };                    \
        return tri_copy;                                                                       \
    }                                                                                          \
    TR_GENERATED TR_CHECK int name##_weak_upgrade(const name##_weak *tri_weak,                 \
                                                  name##_tx *tri_ret_tx)                       \
    {                                                                                          \
        return tr_broadcast_weak_upgrade(&tri_weak->end, &tri_ret_tx->end);                    \
    }                                                                                          \
    TR_GENERATED void name##_weak_close(name##_weak *tri_weak)                                 \
    {                                                                                          \
        tr_broadcast_weak_close(&tri_weak->end);                                               \
    }                                                                                          \
    TR_GENERATED TR_CHECK int name##_subscribe(const name##_tx *tri_tx, unsigned tri_flags,    \
                                               name##_rx *tri_ret_rx)                          \
    {                                                                                          \
        return tr_broadcast_subscribe(&tri_tx->end, tri_flags, &tri_ret_rx->end);              \
    }                                                                                          \
    TR_GENERATED size_t name##_receivers(const name##_tx *tri_tx)                              \
    {                                                                                          \
        return tr_broadcast_receivers(&tri_tx->end);                                           \
    }                                                                                          \
    TR_GENERATED size_t name##_capacity(const name##_tx *tri_tx)                               \
    {                                                                                          \
        return tr_broadcast_capacity(&tri_tx->end);                                            \
    }                                                                                          \
    TR_GENERATED size_t name##_tx_len(const name##_tx *tri_tx)                                 \
    {                                                                                          \
        return tr_broadcast_tx_len(&tri_tx->end);                                              \
    }                                                                                          \
    TR_GENERATED void name##_tx_counts(const name##_tx *tri_tx,                                \
                                       struct tr_broadcast_counts *tri_ret_counts)             \
    {                                                                                          \
        tr_broadcast_tx_counts(&tri_tx->end, tri_ret_counts);                                  \
    }                                                                                          \
    TR_GENERATED void name##_tx_close(name##_tx *tri_tx)                                       \
    {                                                                                          \
        tr_broadcast_tx_close(&tri_tx->end);                                                   \
    }                                                                                          \
    struct name##_tri_semicolon_tx

#define TRI_BROADCAST_RX(name, type)                                                           \
    TR_GENERATED TR_CHECK int name##_recv(name##_rx *tri_rx, tr_time tri_deadline,             \
                                          type *tri_ret_m)                                     \
    {                                                                                          \
        return tr_broadcast_recv(&tri_rx->end, tri_deadline, tri_ret_m);                       \
    }                                                                                          \
    TR_GENERATED TR_CHECK int name##_try_recv(name##_rx *tri_rx, type *tri_ret_m)              \
    {                                                                                          \
        return tr_broadcast_try_recv(&tri_rx->end, tri_ret_m);                                 \
    }                                                                                          \
    TR_GENERATED TR_CHECK int name##_blocking_recv(name##_rx *tri_rx, tr_time tri_deadline,    \
                                                   type *tri_ret_m)                            \
    {                                                                                          \
        return tr_broadcast_blocking_recv(&tri_rx->end, tri_deadline, tri_ret_m);              \
    }                                                                                          \
    TR_GENERATED tr_arm name##_recv_arm(name##_rx *tri_rx, type *tri_ret_m)                    \
    {                                                                                          \
        return tr_broadcast_recv_arm(tri_rx ? &tri_rx->end : NULL, tri_ret_m);                 \
    }                                                                                          \
    TR_GENERATED uint64_t name##_lost(name##_rx *tri_rx)                                       \
    {                                                                                          \
        return tr_broadcast_lost(&tri_rx->end);                                                \
    }                                                                                          \
    TR_GENERATED TR_CHECK int name##_resubscribe(const name##_rx *tri_rx,                      \
                                                 name##_rx *tri_ret_rx)                        \
    {                                                                                          \
        return tr_broadcast_resubscribe(&tri_rx->end, &tri_ret_rx->end);                       \
    }                                                                                          \
    TR_GENERATED bool name##_rx_is_closed(const name##_rx *tri_rx)                             \
    {                                                                                          \
        return tr_broadcast_rx_is_closed(&tri_rx->end);                                        \
    }                                                                                          \
    TR_GENERATED size_t name##_len(const name##_rx *tri_rx)                                    \
    {                                                                                          \
        return tr_broadcast_len(&tri_rx->end);                                                 \
    }                                                                                          \
    TR_GENERATED size_t name##_senders(const name##_rx *tri_rx)                                \
    {                                                                                          \
        return tr_broadcast_senders(&tri_rx->end);                                             \
    }                                                                                          \
    TR_GENERATED size_t name##_weak_senders(const name##_rx *tri_rx)                           \
    {                                                                                          \
        return tr_broadcast_weak_senders(&tri_rx->end);                                        \
    }                                                                                          \
    TR_GENERATED void name##_rx_counts(const name##_rx *tri_rx,                                \
                                       struct tr_broadcast_counts *tri_ret_counts)             \
    {                                                                                          \
        tr_broadcast_rx_counts(&tri_rx->end, tri_ret_counts);                                  \
    }                                                                                          \
    TR_GENERATED void name##_rx_close(name##_rx *tri_rx)                                       \
    {                                                                                          \
        tr_broadcast_rx_close(&tri_rx->end);                                                   \
    }                                                                                          \
    struct name##_tri_semicolon

TR_END_DECLS

#endif /* TROUPE_BROADCAST_H */
