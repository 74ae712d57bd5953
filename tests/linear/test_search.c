/* SPDX-License-Identifier: MIT */
/*
 * test_search.c - histories written by hand: the right ones are accepted, the wrong ones
 * refused.
 */
#include "config.h"

#include <errno.h>
#include <string.h>

#include <troupe.h>

#include "linear/models.h"
#include "support/tr-test.h"

/* who, end, kind, in, r, out, from, to */
#define OP(who_, end_, kind_, in_, r_, out_, from_, to_)                                       \
    {                                                                                          \
        .who = who_, .kind = kind_, .end = end_, .in = in_, .r = r_, .out = out_,              \
        .from = from_, .to = to_                                                               \
    }

#define HISTORY(...)                                                                           \
    (const struct lin_op[]){ __VA_ARGS__ }, TR_LEN(((const struct lin_op[]){ __VA_ARGS__ }))

static int param[4];

static struct lin_history history(const struct lin_op *ops, size_t n)
{
    struct lin_history h = { .n = (unsigned)n };

    memcpy(h.param, param, sizeof param);
    memcpy(h.op, ops, n * sizeof *ops);
    lin_sort(&h);
    return h;
}

static bool is_right(const struct lin_model *m, const struct lin_op *ops, size_t n)
{
    struct lin_history h = history(ops, n);

    return lin_is_right(m, &h);
}

static void set(int a, int b, int c, int d)
{
    const int all[4] = { a, b, c, d };

    memcpy(param, all, sizeof param);
}

TR_SUITE(linear_search, .timeout = 20);

/* ---- the search ---- */

TR_TEST(linear_search, calls_at_the_same_time_have_any_order)
{
    set(4, TR_OVERFLOW_WAIT, 0, 2);
    for (int first = 1; first <= 2; first++)
        check(is_right(&mpsc_model, HISTORY(OP(0, 0, MPSC_SEND, 1, 0, 0, 0, 3),
                                            OP(1, 0, MPSC_SEND, 2, 0, 0, 1, 2),
                                            OP(2, 0, MPSC_RECV, 0, 0, first, 4, 5),
                                            OP(2, 0, MPSC_RECV, 0, 0, 3 - first, 6, 7))));
}

TR_TEST(linear_search, call_that_ended_before_comes_before)
{
    set(4, TR_OVERFLOW_WAIT, 0, 2);
    check(!is_right(&mpsc_model, HISTORY(OP(0, 0, MPSC_SEND, 1, 0, 0, 0, 1),
                                         OP(1, 0, MPSC_SEND, 2, 0, 0, 2, 3),
                                         OP(2, 0, MPSC_RECV, 0, 0, 2, 4, 5),
                                         OP(2, 0, MPSC_RECV, 0, 0, 1, 6, 7))));
}

TR_TEST(linear_search, steps_of_one_call_keep_their_order)
{
    struct lin_op ops[] = { OP(0, 0, MPSC_SEND, 1, 0, 0, 0, 5),
                            OP(1, 0, MPSC_SEND, 2, 0, 0, 1, 6),
                            OP(2, 0, MPSC_RECV, 0, 0, 1, 2, 9),
                            OP(2, 0, MPSC_RECV, 0, 0, 2, 2, 9),
                            OP(2, 0, MPSC_LEN, 0, 0, 0, 10, 11) };

    set(1, TR_OVERFLOW_WAIT, 0, 2);
    ops[3].after = 3; /* the second one made room for: taken by one call of two steps */
    check(is_right(&mpsc_model, ops, TR_LEN(ops)));
    ops[3].after = 0;
    ops[2].after = 4; /* 2 first: neither was there before */
    check(is_right(&mpsc_model, ops, TR_LEN(ops)));
    ops[1].from = 7; /* 2 is sent after 1 was */
    ops[1].to = 8;
    check(!is_right(&mpsc_model, ops, TR_LEN(ops)));
}

TR_TEST(linear_search, first_wrong_stamp_is_found)
{
    const struct lin_op ops[] = { OP(0, 0, MPSC_SEND, 1, 0, 0, 0, 1),
                                  OP(1, 0, MPSC_SEND, 2, 0, 0, 2, 9),
                                  OP(2, 0, MPSC_RECV, 0, 0, 3, 3, 4),
                                  OP(2, 0, MPSC_RECV, 0, 0, 2, 10, 11) };
    struct lin_history h;

    set(4, TR_OVERFLOW_WAIT, 0, 2);
    h = history(ops, TR_LEN(ops));
    check(!lin_is_right(&mpsc_model, &h));
    check_eq(lin_wrong_at(&mpsc_model, &h), 4);
}

TR_TEST(linear_search, what_had_only_begun_may_have_happened)
{
    const struct lin_op ops[] = { OP(0, 0, MPSC_SEND, 1, 0, 0, 0, 9),
                                  OP(2, 0, MPSC_RECV, 0, 0, 1, 1, 2),
                                  OP(2, 0, MPSC_RECV, 0, 0, 1, 10, 11) };
    struct lin_history h;

    set(4, TR_OVERFLOW_WAIT, 0, 2);
    h = history(ops, TR_LEN(ops));
    check_eq(lin_wrong_at(&mpsc_model, &h), 11);
}

/* 16 calls at the same time have 2^44 orders; the sets of them are tried once. */
TR_TEST(linear_search, what_was_tried_is_not_tried_again)
{
    struct lin_op ops[17];

    set(16, 0, 0, 0);
    for (int i = 0; i < 16; i++)
        ops[i] =
            (struct lin_op)OP((uint8_t)(i % 4), 0, SEMAPHORE_ACQUIRE, 1, 0, 0, (uint32_t)i, 99);
    ops[16] = (struct lin_op)OP(0, 0, SEMAPHORE_AVAILABLE, 0, 1, 0, 100, 101);
    check(!is_right(&semaphore_model, ops, TR_LEN(ops)));
    ops[16].r = 0;
    check(is_right(&semaphore_model, ops, TR_LEN(ops)));
}

/* ---- queues ---- */

TR_TEST(linear_search, lost_message_is_refused)
{
    set(4, TR_OVERFLOW_WAIT, 0, 1);
    check(!is_right(&mpsc_model, HISTORY(OP(0, 0, MPSC_SEND, 1, 0, 0, 0, 1),
                                         OP(1, 0, MPSC_RECV, 0, -EAGAIN, 0, 2, 3))));
    check(!is_right(&mpsc_model, HISTORY(OP(0, 0, MPSC_SEND, 1, 0, 0, 0, 1),
                                         OP(0, 0, MPSC_TX_CLOSE, 0, 0, 0, 2, 3),
                                         OP(1, 0, MPSC_RECV, 0, -EPIPE, 0, 4, 5))));
}

TR_TEST(linear_search, message_whose_send_is_under_way_may_be_missed)
{
    set(4, TR_OVERFLOW_WAIT, 0, 2);
    check(is_right(&mpsc_model, HISTORY(OP(0, 0, MPSC_SEND, 1, 0, 0, 0, 9),
                                        OP(1, 0, MPSC_SEND, 2, 0, 0, 1, 2),
                                        OP(2, 0, MPSC_RECV, 0, -EAGAIN, 0, 3, 4),
                                        OP(2, 0, MPSC_RECV, 0, 0, 1, 10, 11),
                                        OP(2, 0, MPSC_RECV, 0, 0, 2, 12, 13))));
    check(!is_right(&mpsc_model, HISTORY(OP(0, 0, MPSC_SEND, 1, 0, 0, 0, 9),
                                         OP(1, 0, MPSC_SEND, 2, 0, 0, 1, 2),
                                         OP(2, 0, MPSC_RECV, 0, -EAGAIN, 0, 3, 4),
                                         OP(2, 0, MPSC_RECV, 0, 0, 2, 10, 11),
                                         OP(2, 0, MPSC_RECV, 0, 0, 1, 12, 13))));
}

TR_TEST(linear_search, message_that_comes_twice_or_from_nowhere_is_refused)
{
    set(4, TR_OVERFLOW_WAIT, 0, 1);
    check(!is_right(&mpsc_model, HISTORY(OP(0, 0, MPSC_SEND, 1, 0, 0, 0, 1),
                                         OP(1, 0, MPSC_RECV, 0, 0, 1, 2, 3),
                                         OP(1, 0, MPSC_RECV, 0, 0, 1, 4, 5))));
    check(!is_right(&mpsc_model, HISTORY(OP(1, 0, MPSC_RECV, 0, 0, 1, 0, 1),
                                         OP(0, 0, MPSC_SEND, 1, 0, 0, 2, 3))));
}

TR_TEST(linear_search, capacity_is_exact)
{
    set(1, TR_OVERFLOW_WAIT, 0, 2);
    check(!is_right(&mpsc_model, HISTORY(OP(0, 0, MPSC_SEND, 1, 0, 0, 0, 1),
                                         OP(0, 0, MPSC_SEND, 2, 0, 0, 2, 3))));
    check(!is_right(&mpsc_model, HISTORY(OP(0, 0, MPSC_SEND, 1, -EAGAIN, 0, 0, 1))));
    check(is_right(&mpsc_model, HISTORY(OP(1, 0, MPSC_SEND_WAIT, 1, -ETIMEDOUT, 0, 0, 5),
                                        OP(0, 0, MPSC_RESERVE_WAIT, 1, 0, 0, 1, 2),
                                        OP(0, 0, MPSC_PERMIT_LAST, 2, 0, 0, 3, 4))));
    check(!is_right(&mpsc_model, HISTORY(OP(0, 0, MPSC_RESERVE, 1, 0, 0, 0, 1),
                                         OP(1, 0, MPSC_SEND, 1, 0, 0, 2, 3))));
}

TR_TEST(linear_search, policies_do_what_they_say)
{
    set(1, TR_OVERFLOW_DROP_OLDEST, 0, 1);
    check(is_right(&mpsc_model, HISTORY(OP(0, 0, MPSC_SEND, 1, TR_SENT, 0, 0, 1),
                                        OP(0, 0, MPSC_SEND, 2, TR_SENT_EVICTED, 0, 2, 3),
                                        OP(1, 0, MPSC_RECV, 0, 0, 2, 4, 5))));
    check(!is_right(&mpsc_model, HISTORY(OP(0, 0, MPSC_SEND, 1, TR_SENT, 0, 0, 1),
                                         OP(0, 0, MPSC_SEND, 2, TR_SENT_EVICTED, 0, 2, 3),
                                         OP(1, 0, MPSC_RECV, 0, 0, 1, 4, 5))));
    set(2, TR_OVERFLOW_CONFLATE, 0, 1);
    check(is_right(&mpsc_model,
                   HISTORY(OP(0, 0, MPSC_SEND, 1, TR_SENT, 0, 0, 1),
                           OP(0, 0, MPSC_SEND, 2, TR_SENT, 0, 2, 3),
                           OP(0, 0, MPSC_SEND, 1 + MPSC_KEYS, TR_SENT_REPLACED, 0, 4, 5),
                           OP(1, 0, MPSC_RECV, 0, 0, 1 + MPSC_KEYS, 6, 7))));
    set(1, TR_OVERFLOW_REJECT, 0, 1);
    check(!is_right(&mpsc_model, HISTORY(OP(0, 0, MPSC_SEND, 1, -ENOBUFS, 0, 0, 1))));
}

/* ---- the other channels ---- */

TR_TEST(linear_search, oneshot_has_one_value)
{
    check(is_right(&oneshot_model, HISTORY(OP(0, 0, ONESHOT_SEND, 7, 0, 0, 0, 1),
                                           OP(1, 1, ONESHOT_SHUT, 0, 0, 0, 2, 3),
                                           OP(1, 1, ONESHOT_RECV, 0, 0, 7, 4, 5))));
    check(!is_right(&oneshot_model, HISTORY(OP(0, 0, ONESHOT_SEND, 7, 0, 0, 0, 1),
                                            OP(1, 1, ONESHOT_RECV, 0, 0, 7, 2, 3),
                                            OP(1, 1, ONESHOT_RECV, 0, 0, 7, 4, 5))));
    check(!is_right(&oneshot_model, HISTORY(OP(0, 0, ONESHOT_SEND, 7, 0, 0, 0, 1),
                                            OP(1, 1, ONESHOT_RECV, 0, -EAGAIN, 0, 2, 3))));
    check(!is_right(&oneshot_model, HISTORY(OP(1, 1, ONESHOT_RECV, 0, 0, 7, 0, 1),
                                            OP(0, 0, ONESHOT_SEND, 7, 0, 0, 2, 3))));
}

TR_TEST(linear_search, watch_never_goes_back)
{
    set(1, 2, 0, 0);
    check(!is_right(&watch_model, HISTORY(OP(0, 0, WATCH_SEND, 5, 0, 0, 0, 1),
                                          OP(1, 0, WATCH_GET, 0, 0, 0, 2, 3))));
    check(!is_right(&watch_model, HISTORY(OP(0, 0, WATCH_SEND, 5, 0, 0, 0, 9),
                                          OP(1, 0, WATCH_GET, 0, 0, 5, 1, 2),
                                          OP(2, 1, WATCH_GET, 0, 0, 0, 3, 4))));
    check(is_right(&watch_model, HISTORY(OP(0, 0, WATCH_SEND, 5, 0, 0, 0, 9),
                                         OP(1, 0, WATCH_GET, 0, 0, 0, 1, 2),
                                         OP(2, 1, WATCH_GET, 0, 0, 5, 3, 4))));
}

TR_TEST(linear_search, watch_tells_each_change_once)
{
    set(1, 2, 0, 0);
    check(!is_right(&watch_model, HISTORY(OP(0, 0, WATCH_SEND, 5, 0, 0, 0, 1),
                                          OP(1, 0, WATCH_HAS_CHANGED, 0, 0, 0, 2, 3))));
    check(!is_right(&watch_model, HISTORY(OP(0, 0, WATCH_SEND, 5, 0, 0, 0, 1),
                                          OP(1, 0, WATCH_CHANGED, 0, 0, 0, 2, 3),
                                          OP(1, 0, WATCH_CHANGED, 0, 0, 0, 4, 5))));
    check(!is_right(&watch_model, HISTORY(OP(0, 0, WATCH_SEND, 5, 0, 0, 0, 3),
                                          OP(1, 0, WATCH_PEEK, 0, 0, 5, 1, 2),
                                          OP(1, 0, WATCH_HAS_CHANGED, 0, 0, 0, 4, 5))));
    /* Until the send returns, another end may not be told. */
    check(is_right(&watch_model, HISTORY(OP(0, 0, WATCH_SEND, 5, 0, 0, 0, 9),
                                         OP(1, 0, WATCH_GET, 0, 0, 5, 1, 2),
                                         OP(2, 1, WATCH_HAS_CHANGED, 0, 0, 0, 3, 4),
                                         OP(2, 1, WATCH_HAS_CHANGED, 0, 1, 0, 10, 11))));
}

TR_TEST(linear_search, lag_of_a_broadcast_is_exact)
{
    set(1, 0, 0, 1);
    for (int n_lost = 0; n_lost < 4; n_lost++)
        check_eq(
            is_right(&broadcast_model, HISTORY(OP(0, 0, BROADCAST_SEND, 1, 2, 0, 0, 1),
                                               OP(0, 0, BROADCAST_SEND, 2, 2, 0, 2, 3),
                                               OP(0, 0, BROADCAST_SEND, 3, 2, 0, 4, 5),
                                               OP(2, 0, BROADCAST_RECV, 0, -ESTALE, 0, 6, 7),
                                               OP(2, 0, BROADCAST_LOST, 0, n_lost, 0, 8, 9),
                                               OP(2, 0, BROADCAST_RECV, 0, 0, 3, 10, 11))),
            n_lost == 2);
}

TR_TEST(linear_search, broadcast_goes_to_all_in_one_order)
{
    set(4, 0, 0, 2);
    check(!is_right(&broadcast_model, HISTORY(OP(0, 0, BROADCAST_SEND, 1, 2, 0, 0, 9),
                                              OP(1, 0, BROADCAST_SEND, 2, 2, 0, 1, 8),
                                              OP(2, 0, BROADCAST_RECV, 0, 0, 1, 10, 11),
                                              OP(3, 2, BROADCAST_RECV, 0, 0, 2, 12, 13))));
    check(!is_right(&broadcast_model, HISTORY(OP(0, 0, BROADCAST_SEND, 1, 3, 0, 0, 1))));
    set(1, TR_BROADCAST_WAIT, 0, 1);
    check(!is_right(&broadcast_model, HISTORY(OP(0, 0, BROADCAST_SEND, 1, 2, 0, 0, 1),
                                              OP(2, 0, BROADCAST_RECV, 0, 0, 1, 2, 3),
                                              OP(0, 0, BROADCAST_SEND, 2, 2, 0, 4, 5))));
}

/* ---- permits and locks ---- */

TR_TEST(linear_search, permits_and_locks_are_not_given_twice)
{
    set(1, 0, 0, 0);
    check(!is_right(&semaphore_model, HISTORY(OP(0, 0, SEMAPHORE_ACQUIRE, 1, 0, 0, 0, 3),
                                              OP(1, 0, SEMAPHORE_ACQUIRE, 1, 0, 0, 1, 2))));
    check(
        !is_right(&semaphore_model, HISTORY(OP(0, 0, SEMAPHORE_ACQUIRE, 1, -EAGAIN, 0, 0, 1))));
    check(!is_right(&lock_model, HISTORY(OP(0, 0, LOCK_WRITE, 0, 0, 0, 0, 3),
                                         OP(1, 0, LOCK_WRITE_WAIT, 0, 0, 0, 1, 2))));
    check(is_right(&lock_model, HISTORY(OP(0, 0, LOCK_WRITE, 0, 0, 0, 0, 1),
                                        OP(1, 0, LOCK_READ_WAIT, 0, 0, 0, 2, 9),
                                        OP(0, 0, LOCK_DOWNGRADE, 0, 0, 0, 3, 4),
                                        OP(0, 0, LOCK_READ_UNLOCK, 0, 0, 0, 5, 6))));
}
