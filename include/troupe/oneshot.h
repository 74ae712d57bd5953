/* SPDX-License-Identifier: MIT */
/*
 * troupe/oneshot.h - carry one value from one sender to one receiver.
 *
 *     TR_ONESHOT(answer, struct reply, reply_drop);
 *
 *     r = answer_new(&tx, &rx);
 *     r = answer_send(&tx, &reply);                 never waits
 *     r = answer_recv(&rx, tr_after(TR_S(1)), &reply);
 *
 * An end is a small value: move it by copying it and forgetting the source. { 0 } is an empty
 * end: closing it does nothing, any other call returns -EINVAL. One end serves one actor or
 * thread at a time; the two ends may be used at the same moment.
 */
#ifndef TROUPE_ONESHOT_H
#define TROUPE_ONESHOT_H

#include <troupe/select.h>

TR_BEGIN_DECLS

typedef struct tr_oneshot_tx {
    struct tri_oneshot *cell;
} tr_oneshot_tx;

typedef struct tr_oneshot_rx {
    struct tri_oneshot *cell;
} tr_oneshot_rx;

/* The untyped core; TR_ONESHOT generates the typed functions over it. */
TR_API TR_CHECK int tr_oneshot_new(const struct tri_type *type, tr_oneshot_tx *ret_tx,
                                   tr_oneshot_rx *ret_rx);
TR_API int tr_oneshot_send(tr_oneshot_tx *tx, void *value);
TR_API TR_CHECK int tr_oneshot_closed(tr_oneshot_tx *tx, tr_time deadline);
TR_API TR_CHECK int tr_oneshot_blocking_closed(tr_oneshot_tx *tx, tr_time deadline);
TR_API bool tr_oneshot_tx_is_closed(const tr_oneshot_tx *tx);
TR_API TR_CHECK int tr_oneshot_recv(tr_oneshot_rx *rx, tr_time deadline, void *ret_value);
TR_API TR_CHECK int tr_oneshot_try_recv(tr_oneshot_rx *rx, void *ret_value);
TR_API TR_CHECK int tr_oneshot_blocking_recv(tr_oneshot_rx *rx, tr_time deadline,
                                             void *ret_value);
TR_API tr_arm tr_oneshot_recv_arm(tr_oneshot_rx *rx, void *ret_value);
TR_API tr_arm tr_oneshot_closed_arm(tr_oneshot_tx *tx);
TR_API bool tr_oneshot_rx_is_empty(const tr_oneshot_rx *rx);
TR_API bool tr_oneshot_rx_is_closed(const tr_oneshot_rx *rx);
TR_API bool tr_oneshot_rx_is_done(const tr_oneshot_rx *rx);
TR_API void tr_oneshot_rx_shut(tr_oneshot_rx *rx);
TR_API void tr_oneshot_tx_close(tr_oneshot_tx *tx);
TR_API void tr_oneshot_rx_close(tr_oneshot_rx *rx);

/*
 * Declares the oneshot type @name of values of @type, released by @drop_fn; ends with ';'.
 *
 * name_new(&tx, &rx): 0, -ENOMEM.
 * name_send(&tx, &v): hands the value over and empties *@tx, whatever the outcome; @tx may lie
 *   inside *@v.  Returns:  0: moved, *v is zero.  -EPIPE: the receiver is gone, the value stays
 *   yours.  Callers: any actor, any thread.  Progress: lock-free, at most one wake-up.
 * name_closed(&tx, deadline), name_blocking_closed(&tx, deadline), name_closed_arm(&tx): waits
 *   until nobody wants the value any more: 0 then.  name_tx_is_closed(&tx): so it is.
 * name_recv(&rx, deadline, &v), name_try_recv(&rx, &v), name_blocking_recv(&rx, deadline, &v):
 *   the value; one that races with the deadline wins.
 *   Returns:  0: *v is yours.  -EPIPE: the sender closed without sending, or the value was
 *   taken before.  -EAGAIN: not yet (try).  -ETIMEDOUT, -ECANCELED, -ESHUTDOWN: nothing is
 *   lost, @rx can be used again.  -EPERM.
 * name_rx_is_empty(&rx): no value is there to be taken.  name_rx_is_closed(&rx): a receive
 *   would return -EPIPE.  name_rx_is_done(&rx): a receive on this end has returned the value or
 *   -EPIPE.
 * name_rx_shut(&rx): the sender sees a closed channel; a value sent before can be received.
 * name_tx_close(&tx), name_rx_close(&rx): never wait, leave the end empty; a value that was
 *   sent and never taken is dropped by the receiver's close.
 */
#define TR_ONESHOT(name, type, drop_fn)                                                        \
    TRI_TYPE(name, type, drop_fn);                                                             \
    typedef struct name##_tx {                                                                 \
        tr_oneshot_tx end;                                                                     \
    } name##_tx;                                                                               \
    typedef struct name##_rx {                                                                 \
        tr_oneshot_rx end;                                                                     \
    } name##_rx;                                                                               \
    TR_GENERATED TR_CHECK int name##_new(name##_tx *tri_ret_tx, name##_rx *tri_ret_rx)         \
    {                                                                                          \
        return tr_oneshot_new(&name##_tri_type, &tri_ret_tx->end, &tri_ret_rx->end);           \
    }                                                                                          \
    TR_GENERATED int name##_send(name##_tx *tri_tx, type *tri_value)                  \
    {                                                                                          \
        return tr_oneshot_send(&tri_tx->end, tri_value);                                       \
    }                                                                                          \
    TR_GENERATED TR_CHECK int name##_closed(name##_tx *tri_tx, tr_time tri_deadline)           \
    {                                                                                          \
        return tr_oneshot_closed(&tri_tx->end, tri_deadline);                                  \
    }                                                                                          \
    TR_GENERATED TR_CHECK int name##_blocking_closed(name##_tx *tri_tx, tr_time tri_deadline)  \
    {                                                                                          \
        return tr_oneshot_blocking_closed(&tri_tx->end, tri_deadline);                         \
    }                                                                                          \
    TR_GENERATED bool name##_tx_is_closed(const name##_tx *tri_tx)                             \
    {                                                                                          \
        return tr_oneshot_tx_is_closed(&tri_tx->end);                                          \
    }                                                                                          \
    TR_GENERATED tr_arm name##_closed_arm(name##_tx *tri_tx)                                   \
    {                                                                                          \
        return tr_oneshot_closed_arm(tri_tx ? &tri_tx->end : NULL);                            \
    }                                                                                          \
    TR_GENERATED void name##_tx_close(name##_tx *tri_tx)                                       \
    {                                                                                          \
        tr_oneshot_tx_close(&tri_tx->end);                                                     \
    }                                                                                          \
    TR_GENERATED TR_CHECK int name##_recv(name##_rx *tri_rx, tr_time tri_deadline,             \
                                          type *tri_ret_value)                                 \
    {                                                                                          \
        return tr_oneshot_recv(&tri_rx->end, tri_deadline, tri_ret_value);                     \
    }                                                                                          \
    TR_GENERATED TR_CHECK int name##_try_recv(name##_rx *tri_rx, type *tri_ret_value)          \
    {                                                                                          \
        return tr_oneshot_try_recv(&tri_rx->end, tri_ret_value);                               \
    }                                                                                          \
    TR_GENERATED TR_CHECK int name##_blocking_recv(name##_rx *tri_rx, tr_time tri_deadline,    \
                                                   type *tri_ret_value)                        \
    {                                                                                          \
        return tr_oneshot_blocking_recv(&tri_rx->end, tri_deadline, tri_ret_value);            \
    }                                                                                          \
    TR_GENERATED tr_arm name##_recv_arm(name##_rx *tri_rx, type *tri_ret_value)                \
    {                                                                                          \
        return tr_oneshot_recv_arm(tri_rx ? &tri_rx->end : NULL, tri_ret_value);               \
    }                                                                                          \
    TR_GENERATED bool name##_rx_is_empty(const name##_rx *tri_rx)                              \
    {                                                                                          \
        return tr_oneshot_rx_is_empty(&tri_rx->end);                                           \
    }                                                                                          \
    TR_GENERATED bool name##_rx_is_closed(const name##_rx *tri_rx)                             \
    {                                                                                          \
        return tr_oneshot_rx_is_closed(&tri_rx->end);                                          \
    }                                                                                          \
    TR_GENERATED bool name##_rx_is_done(const name##_rx *tri_rx)                               \
    {                                                                                          \
        return tr_oneshot_rx_is_done(&tri_rx->end);                                            \
    }                                                                                          \
    TR_GENERATED void name##_rx_shut(name##_rx *tri_rx)                                        \
    {                                                                                          \
        tr_oneshot_rx_shut(&tri_rx->end);                                                      \
    }                                                                                          \
    TR_GENERATED void name##_rx_close(name##_rx *tri_rx)                                       \
    {                                                                                          \
        tr_oneshot_rx_close(&tri_rx->end);                                                     \
    }                                                                                          \
    struct name##_tri_semicolon

TR_END_DECLS

#endif /* TROUPE_ONESHOT_H */
