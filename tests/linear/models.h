/* SPDX-License-Identifier: MIT */
/* models.h - the models, their kinds of calls, and the parameters of a history. */
#ifndef TESTS_LINEAR_MODELS_H
#define TESTS_LINEAR_MODELS_H

#include "linear/linear.h"

/*
 * A queue. param: the capacity (0: unbounded), enum tr_overflow, places of the urgent lane,
 * number of sending ends. Messages are numbers from 1; under TR_OVERFLOW_CONFLATE their key is
 * what is left of them after a division by MPSC_KEYS.
 */
enum mpsc_kind {
    MPSC_SEND,      /* the try form. in: the message */
    MPSC_SEND_WAIT, /* another form */
    MPSC_URGENT,
    MPSC_RESERVE, /* in: places */
    MPSC_RESERVE_WAIT,
    MPSC_PERMIT_SEND,  /* r = 0: of a permit with another place left; r: as returned */
    MPSC_PERMIT_LAST,  /* the same with the last place */
    MPSC_PERMIT_CLOSE, /* in: places given back, above 0 */
    MPSC_TX_CLOSE,
    MPSC_UPGRADE,
    MPSC_TX_IS_CLOSED, /* r: 0 or 1 */
    MPSC_CLOSED,       /* waits for it */
    MPSC_RECV,         /* out: the message */
    MPSC_LEN,          /* r */
    MPSC_RX_IS_CLOSED,
    MPSC_SHUT,
    MPSC_RX_CLOSE,
};
enum { MPSC_KEYS = 3 };
extern const struct lin_model mpsc_model;

/* A oneshot. */
enum oneshot_kind {
    ONESHOT_SEND, /* in: the value */
    ONESHOT_TX_CLOSE,
    ONESHOT_TX_IS_CLOSED,
    ONESHOT_CLOSED,
    ONESHOT_RECV, /* out: the value */
    ONESHOT_IS_EMPTY,
    ONESHOT_RX_IS_CLOSED,
    ONESHOT_SHUT,
};
extern const struct lin_model oneshot_model;

/*
 * A broadcast. param: the capacity, tr_broadcast_flag, flags of the subscribers, number of
 * receivers at the begin. A receiver that ends because it lagged takes two steps:
 * BROADCAST_RECV, and BROADCAST_FAILED after it.
 */
enum broadcast_kind {
    BROADCAST_SEND, /* the try form. in: the message */
    BROADCAST_SEND_WAIT,
    BROADCAST_TX_CLOSE,
    BROADCAST_RECEIVERS,
    BROADCAST_RECV, /* out: the message */
    BROADCAST_FAILED,
    BROADCAST_LOST,        /* r */
    BROADCAST_RESUBSCRIBE, /* in: the new end */
    BROADCAST_RX_CLOSE,
    BROADCAST_RX_IS_CLOSED,
};
enum { BROADCAST_ENDS = 4 };
extern const struct lin_model broadcast_model;

/* A watch, whose first value is 0. param: sending ends, receiving ends. */
enum watch_kind {
    WATCH_SEND, /* in: the value */
    WATCH_REPLACE,
    WATCH_MODIFY, /* in: the new one; out: the one it was made from */
    WATCH_TX_CLOSE,
    WATCH_RECEIVERS,
    WATCH_GET, /* out */
    WATCH_PEEK,
    WATCH_HAS_CHANGED,
    WATCH_MARK_CHANGED,
    WATCH_MARK_UNCHANGED,
    WATCH_CHANGED,
    WATCH_WAIT_FOR, /* until the value is odd; r = 0: out: the value */
    WATCH_CLONE,    /* in: the new end */
    WATCH_CLONE_SEEN,
    WATCH_RX_CLOSE,
    WATCH_RX_IS_CLOSED,
};
enum { WATCH_ENDS = 4 };
extern const struct lin_model watch_model;

/* A semaphore. param: permits. */
enum semaphore_kind {
    SEMAPHORE_ACQUIRE, /* the try form. in: permits */
    SEMAPHORE_ACQUIRE_WAIT,
    SEMAPHORE_RELEASE,
    SEMAPHORE_FORGET, /* r: permits */
    SEMAPHORE_AVAILABLE,
    SEMAPHORE_CLOSE,
};
extern const struct lin_model semaphore_model;

/* A lock, of readers and writers; a mutex has writers only. param: readers at most. */
enum lock_kind {
    LOCK_READ, /* the try forms */
    LOCK_WRITE,
    LOCK_READ_WAIT,
    LOCK_WRITE_WAIT,
    LOCK_READ_UNLOCK,
    LOCK_WRITE_UNLOCK,
    LOCK_DOWNGRADE,
};
extern const struct lin_model lock_model;

/* Some call of @kinds, a set of bits, was under way together with call @i. */
static inline bool lin_is_beside(const struct lin_history *h, unsigned i, uint32_t kinds)
{
    for (unsigned j = 0; j < h->n; j++)
        if (j != i && kinds >> h->op[j].kind & 1 && lin_meet(&h->op[j], &h->op[i]))
            return true;
    return false;
}

/* Call @earlier, 1 + its place, had not returned when call @i began. */
static inline bool lin_is_under_way(const struct lin_history *h, unsigned earlier, unsigned i)
{
    return earlier > 0 && h->op[earlier - 1].to > h->op[i].from;
}

#endif /* TESTS_LINEAR_MODELS_H */
