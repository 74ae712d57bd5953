/* SPDX-License-Identifier: MIT */
/*
 * troupe/watch.h - one value that is published again and again; receivers see the newest.
 *
 *     TR_WATCH(cfgw, struct cfg, cfg_drop);
 *
 *     r = cfgw_new(&first, &tx, &rx);
 *     cfgw_replace(&tx, &next);                     publishes; never waits for a reader
 *     const struct cfg *c = cfgw_get(&rx);          valid until the next call on this end
 *     r = cfgw_changed(&rx, TR_UNTIL_DRAIN);
 *
 * A receiving end keeps the snapshot it read last: while nothing changed, X_get is a load and a
 * compare. A held snapshot never delays a writer. The value at the creation of an end counts as
 * seen, but a clone has seen what its original has; an end that must not miss a level ("stop!")
 * reads it first, or uses X_wait_for.
 *
 * An end is a small value: move it by copying it and forgetting the source; { 0 } is an empty
 * end. One end serves one actor or thread at a time.
 */
#ifndef TROUPE_WATCH_H
#define TROUPE_WATCH_H

#include <troupe/select.h>

TR_BEGIN_DECLS

typedef struct tr_watch_tx {
    struct tri_watch *cell;
} tr_watch_tx;

typedef struct tr_watch_rx {
    struct tri_watch *cell;
    struct tri_snapshot *held; /* the snapshot read last, counted for this end */
    uint64_t seen;             /* the version this end has seen */
} tr_watch_rx;

/* Says whether a value is the one that is waited for; must not wait. */
typedef bool tr_watch_fn(const void *value, void *arg);

/*
 * Fills *@next, which is empty, from *@now. Returns: 1: @next is the new value.  0: nothing is
 * to change.  Negative: an error; what is in @next is dropped then. Called again, with an empty
 * @next, if another sender was quicker. May not wait.
 */
typedef int tr_watch_modify_fn(const void *now, void *next, void *arg);

/* The untyped core; TR_WATCH generates the typed functions over it. */
TR_API TR_CHECK int tr_watch_new(const struct tri_type *type, void *value, tr_watch_tx *ret_tx,
                                 tr_watch_rx *ret_rx);
TR_API TR_CHECK int tr_watch_send(tr_watch_tx *tx, void *value);
TR_API TR_CHECK int tr_watch_replace(tr_watch_tx *tx, void *value);
TR_API TR_CHECK int tr_watch_exchange(tr_watch_tx *tx, void *value, const void **ret_old);
TR_API TR_CHECK int tr_watch_modify(tr_watch_tx *tx, tr_watch_modify_fn *fn, void *arg);
TR_API const void *tr_watch_tx_pin(const tr_watch_tx *tx);
TR_API TR_CHECK int tr_watch_closed(tr_watch_tx *tx, tr_time deadline);
TR_API TR_CHECK int tr_watch_blocking_closed(tr_watch_tx *tx, tr_time deadline);
TR_API tr_arm tr_watch_closed_arm(tr_watch_tx *tx);
TR_API bool tr_watch_tx_is_closed(const tr_watch_tx *tx);
TR_API bool tr_watch_tx_is_same(const tr_watch_tx *a, const tr_watch_tx *b);
TR_API tr_watch_tx tr_watch_tx_clone(const tr_watch_tx *tx);
TR_API tr_watch_rx tr_watch_subscribe(const tr_watch_tx *tx);
TR_API size_t tr_watch_receivers(const tr_watch_tx *tx);
TR_API size_t tr_watch_senders(const tr_watch_rx *rx);
TR_API bool tr_watch_rx_is_closed(const tr_watch_rx *rx);
TR_API bool tr_watch_rx_is_same(const tr_watch_rx *a, const tr_watch_rx *b);
TR_API const void *tr_watch_get(tr_watch_rx *rx);
TR_API const void *tr_watch_peek(tr_watch_rx *rx);
TR_API const void *tr_watch_pin(tr_watch_rx *rx);
TR_API void tr_watch_unpin(const void *value);
TR_API TR_CHECK int tr_watch_has_changed(const tr_watch_rx *rx);
TR_API void tr_watch_mark_changed(tr_watch_rx *rx);
TR_API void tr_watch_mark_unchanged(tr_watch_rx *rx);
TR_API TR_CHECK int tr_watch_changed(tr_watch_rx *rx, tr_time deadline);
TR_API TR_CHECK int tr_watch_blocking_changed(tr_watch_rx *rx, tr_time deadline);
TR_API TR_CHECK int tr_watch_wait_for(tr_watch_rx *rx, tr_watch_fn *fn, void *arg,
                                      tr_time deadline);
TR_API TR_CHECK int tr_watch_blocking_wait_for(tr_watch_rx *rx, tr_watch_fn *fn, void *arg,
                                               tr_time deadline);
TR_API tr_arm tr_watch_changed_arm(tr_watch_rx *rx);
TR_API tr_watch_rx tr_watch_rx_clone(const tr_watch_rx *rx);
TR_API tr_watch_rx tr_watch_rx_clone_seen(const tr_watch_rx *rx);
TR_API void tr_watch_tx_close(tr_watch_tx *tx);
TR_API void tr_watch_rx_close(tr_watch_rx *rx);

/*
 * Declares the watch type @name of values of @type, released by @drop_fn; ends with ';'.
 *
 * name_new(&value, &tx, &rx): moves the first value in. 0, -ENOMEM: the value is still yours.
 * name_send(&tx, &v): publishes v and zeroes it. -EPIPE: nobody listens; -ENOMEM; v is yours.
 * name_replace(&tx, &v): the same, and stores v also when nobody listens.
 * name_exchange(&tx, &v, &old): as replace; @old is the value before, counted: name_unpin(old).
 * name_modify(&tx, fn, arg): makes the next value from the present one, by fn(now, next, arg):
 *   see tr_watch_modify_fn. 1: published; 0: left as it was; -ENOMEM; else as @fn returned.
 *   Callers: anybody.  Progress: writers exclude each other for a moment.
 * name_tx_pin(&tx): the newest value, counted, for a sender.
 * name_closed(&tx, deadline), name_blocking_closed(&tx, deadline), name_closed_arm(&tx): waits
 *   until there is no receiver: 0 then. A short absence may go unnoticed.
 *   name_tx_is_closed(&tx).
 * name_get(&rx): the newest value, marked as seen; borrowed until the next call on @rx, also
 *   across waits. Never NULL, except for an empty end.  Callers: anybody.
 * name_peek(&rx): the same without marking it.
 * name_pin(&rx): the newest value, counted: valid until name_unpin(value), from any thread and
 *   across waits.
 *   Progress: wait-free for get, peek and the pins, but for the drop of a value they replace;
 *   they never delay a sender, also if the thread is stopped in the middle.
 * name_has_changed(&rx): marks nothing.  1: a version that this end has not seen is there.  0:
 *   none.  -EPIPE: every sender is gone, whatever was seen. Until a send returns, one end may
 *   get its value before another is told of it.
 * name_mark_changed(&rx), name_mark_unchanged(&rx): as if the present value had not been seen,
 *   or had.  name_rx_is_closed(&rx): every sender is gone.  name_senders(&rx),
 *   name_receivers(&tx).
 * name_changed(&rx, deadline): waits for one and marks it as seen; several sends give one.
 *   Returns:  0.  -EPIPE: every sender is gone and the last value was seen.  -ETIMEDOUT,
 *   -ECANCELED, -ESHUTDOWN, -EPERM.  name_blocking_changed: the same for plain threads.
 * name_wait_for(&rx, fn, arg, deadline): until fn(value, arg) says true of the newest value,
 *   seen or not; name_get() then gives that very value. Returns as name_changed.
 *   name_blocking_wait_for: the same for plain threads.
 * name_changed_arm(&rx): an arm of tr_select(), result as name_changed.
 * name_tx_clone(&tx), name_subscribe(&tx), name_rx_clone(&rx): further ends; a clone has seen
 *   what its original has; a subscriber, and name_rx_clone_seen(&rx), what is there now.
 *   name_tx_is_same(&a, &b), name_rx_is_same(&a, &b): of one channel.
 * name_tx_close(&tx), name_rx_close(&rx): never wait, leave the end empty. The last value stays
 *   readable.
 */
#define TR_WATCH(name, type, drop_fn)                                                          \
    TRI_TYPE(name, type, drop_fn);                                                             \
    typedef struct name##_tx {                                                                 \
        tr_watch_tx end;                                                                       \
    } name##_tx;                                                                               \
    typedef struct name##_rx {                                                                 \
        tr_watch_rx end;                                                                       \
    } name##_rx;                                                                               \
    TR_GENERATED TR_CHECK int name##_new(type *tri_value, name##_tx *tri_ret_tx,               \
                                         name##_rx *tri_ret_rx)                                \
    {                                                                                          \
        return tr_watch_new(&name##_tri_type, tri_value, &tri_ret_tx->end, &tri_ret_rx->end);  \
    }                                                                                          \
    TR_GENERATED TR_CHECK int name##_send(name##_tx *tri_tx, type *tri_value)                  \
    {                                                                                          \
        return tr_watch_send(&tri_tx->end, tri_value);                                         \
    }                                                                                          \
    TR_GENERATED TR_CHECK int name##_replace(name##_tx *tri_tx, type *tri_value)               \
    {                                                                                          \
        return tr_watch_replace(&tri_tx->end, tri_value);                                      \
    }                                                                                          \
    TR_GENERATED TR_CHECK int name##_exchange(name##_tx *tri_tx, type *tri_value,              \
                                              const type **tri_ret_old)                        \
    {                                                                                          \
        const void *tri_old = NULL;                                                            \
        int tri_r = tr_watch_exchange(&tri_tx->end, tri_value, &tri_old);                      \
                                                                                               \
        if (tri_r == 0)                                                                        \
            *tri_ret_old = (const type *)tri_old;                                              \
        return tri_r;                                                                          \
    }                                                                                          \
    TR_GENERATED TR_CHECK int name##_modify(name##_tx *tri_tx, tr_watch_modify_fn *tri_fn,     \
                                            void *tri_arg)                                     \
    {                                                                                          \
        return tr_watch_modify(&tri_tx->end, tri_fn, tri_arg);                                 \
    }                                                                                          \
    TR_GENERATED const type *name##_tx_pin(const name##_tx *tri_tx)                            \
    {                                                                                          \
        return (const type *)tr_watch_tx_pin(&tri_tx->end);                                    \
    }                                                                                          \
    TR_GENERATED TR_CHECK int name##_closed(name##_tx *tri_tx, tr_time tri_deadline)           \
    {                                                                                          \
        return tr_watch_closed(&tri_tx->end, tri_deadline);                                    \
    }                                                                                          \
    TR_GENERATED TR_CHECK int name##_blocking_closed(name##_tx *tri_tx, tr_time tri_deadline)  \
    {                                                                                          \
        return tr_watch_blocking_closed(&tri_tx->end, tri_deadline);                           \
    }                                                                                          \
    TR_GENERATED tr_arm name##_closed_arm(name##_tx *tri_tx)                                   \
    {                                                                                          \
        return tr_watch_closed_arm(tri_tx ? &tri_tx->end : NULL);                              \
    }                                                                                          \
    TR_GENERATED bool name##_tx_is_closed(const name##_tx *tri_tx)                             \
    {                                                                                          \
        return tr_watch_tx_is_closed(&tri_tx->end);                                            \
    }                                                                                          \
    TR_GENERATED bool name##_tx_is_same(const name##_tx *tri_a, const name##_tx *tri_b)        \
    {                                                                                          \
        return tr_watch_tx_is_same(&tri_a->end, &tri_b->end);                                  \
    }                                                                                          \
    TR_GENERATED name##_tx name##_tx_clone(const name##_tx *tri_tx)                            \
    {                                                                                          \
        name##_tx tri_copy = { tr_watch_tx_clone(&tri_tx->end) };                              \
        return tri_copy;                                                                       \
    }                                                                                          \
    TR_GENERATED name##_rx name##_subscribe(const name##_tx *tri_tx)                           \
    {                                                                                          \
        name##_rx tri_rx = { tr_watch_subscribe(&tri_tx->end) };                               \
        return tri_rx;                                                                         \
    }                                                                                          \
    TR_GENERATED name##_rx name##_rx_clone(const name##_rx *tri_rx)                            \
    {                                                                                          \
        name##_rx tri_copy = { tr_watch_rx_clone(&tri_rx->end) };                              \
        return tri_copy;                                                                       \
    }                                                                                          \
    TR_GENERATED size_t name##_receivers(const name##_tx *tri_tx)                              \
    {                                                                                          \
        return tr_watch_receivers(&tri_tx->end);                                               \
    }                                                                                          \
    TR_GENERATED const type *name##_get(name##_rx *tri_rx)                                     \
    {                                                                                          \
        return (const type *)tr_watch_get(&tri_rx->end);                                       \
    }                                                                                          \
    TR_GENERATED const type *name##_pin(name##_rx *tri_rx)                                     \
    {                                                                                          \
        return (const type *)tr_watch_pin(&tri_rx->end);                                       \
    }                                                                                          \
    TR_GENERATED void name##_unpin(const type *tri_value)                                      \
    {                                                                                          \
        tr_watch_unpin(tri_value);                                                             \
    }                                                                                          \
    TR_GENERATED TR_CHECK int name##_has_changed(const name##_rx *tri_rx)                      \
    {                                                                                          \
        return tr_watch_has_changed(&tri_rx->end);                                             \
    }                                                                                          \
    TR_GENERATED TR_CHECK int name##_changed(name##_rx *tri_rx, tr_time tri_deadline)          \
    {                                                                                          \
        return tr_watch_changed(&tri_rx->end, tri_deadline);                                   \
    }                                                                                          \
    TR_GENERATED TR_CHECK int name##_blocking_changed(name##_rx *tri_rx, tr_time tri_deadline) \
    {                                                                                          \
        return tr_watch_blocking_changed(&tri_rx->end, tri_deadline);                          \
    }                                                                                          \
    TR_GENERATED TR_CHECK int name##_wait_for(name##_rx *tri_rx, tr_watch_fn *tri_fn,          \
                                              void *tri_arg, tr_time tri_deadline)             \
    {                                                                                          \
        return tr_watch_wait_for(&tri_rx->end, tri_fn, tri_arg, tri_deadline);                 \
    }                                                                                          \
    TR_GENERATED tr_arm name##_changed_arm(name##_rx *tri_rx)                                  \
    {                                                                                          \
        return tr_watch_changed_arm(tri_rx ? &tri_rx->end : NULL);                             \
    }                                                                                          \
    TR_GENERATED name##_rx name##_rx_clone_seen(const name##_rx *tri_rx)                       \
    {                                                                                          \
        name##_rx tri_copy = { tr_watch_rx_clone_seen(&tri_rx->end) };                         \
        return tri_copy;                                                                       \
    }                                                                                          \
    TR_GENERATED bool name##_rx_is_same(const name##_rx *tri_a, const name##_rx *tri_b)        \
    {                                                                                          \
        return tr_watch_rx_is_same(&tri_a->end, &tri_b->end);                                  \
    }                                                                                          \
    TR_GENERATED bool name##_rx_is_closed(const name##_rx *tri_rx)                             \
    {                                                                                          \
        return tr_watch_rx_is_closed(&tri_rx->end);                                            \
    }                                                                                          \
    TR_GENERATED size_t name##_senders(const name##_rx *tri_rx)                                \
    {                                                                                          \
        return tr_watch_senders(&tri_rx->end);                                                 \
    }                                                                                          \
    TR_GENERATED const type *name##_peek(name##_rx *tri_rx)                                    \
    {                                                                                          \
        return (const type *)tr_watch_peek(&tri_rx->end);                                      \
    }                                                                                          \
    TR_GENERATED void name##_mark_changed(name##_rx *tri_rx)                                   \
    {                                                                                          \
        tr_watch_mark_changed(&tri_rx->end);                                                   \
    }                                                                                          \
    TR_GENERATED void name##_mark_unchanged(name##_rx *tri_rx)                                 \
    {                                                                                          \
        tr_watch_mark_unchanged(&tri_rx->end);                                                 \
    }                                                                                          \
    TR_GENERATED TR_CHECK int name##_blocking_wait_for(                                        \
        name##_rx *tri_rx, tr_watch_fn *tri_fn, void *tri_arg, tr_time tri_deadline)           \
    {                                                                                          \
        return tr_watch_blocking_wait_for(&tri_rx->end, tri_fn, tri_arg, tri_deadline);        \
    }                                                                                          \
    TR_GENERATED void name##_tx_close(name##_tx *tri_tx)                                       \
    {                                                                                          \
        tr_watch_tx_close(&tri_tx->end);                                                       \
    }                                                                                          \
    TR_GENERATED void name##_rx_close(name##_rx *tri_rx)                                       \
    {                                                                                          \
        tr_watch_rx_close(&tri_rx->end);                                                       \
    }                                                                                          \
    struct name##_tri_semicolon

TR_END_DECLS

#endif /* TROUPE_WATCH_H */
