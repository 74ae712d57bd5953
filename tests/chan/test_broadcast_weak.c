/* SPDX-License-Identifier: MIT */
/* test_broadcast_weak.c - weak sending ends: both orders of an upgrade and the last close. */
#include "config.h"

#include <errno.h>

#include <troupe.h>

#include "chan/step.h"

TR_BROADCAST(numb, uint64_t, tr_copy, tr_nodrop);

TR_SUITE(broadcast_weak, .timeout = 20);

static numb_tx tx;
static numb_rx rx;

TR_TEST(broadcast_weak, weak_end_does_not_keep_the_channel_open)
{
    numb_tx again = { 0 };
    numb_weak weak;
    uint64_t v = 7;

    need_eq(numb_new(2, 0, &tx, &rx), 0);
    weak = numb_tx_downgrade(&tx);
    check_eq(numb_senders(&rx), (size_t)1);
    check_eq(numb_weak_senders(&rx), (size_t)1);
    need_eq(numb_try_send(&tx, &v), 1);
    numb_tx_close(&tx);
    check_eq(numb_weak_upgrade(&weak, &again), -EPIPE, "not even before it is drained");
    check_eq(again.end.chan == NULL, true, "a failed call leaves its result alone");
    check_eq(numb_try_recv(&rx, &v), 0);
    check_eq(numb_try_recv(&rx, &v), -EPIPE);
    check_eq(numb_senders(&rx), (size_t)0);
    numb_rx_close(&rx);
    check_eq(numb_weak_upgrade(&weak, &again), -EPIPE, "the weak end holds the memory");
    numb_weak_close(&weak);
    numb_weak_close(&weak);
}

TR_TEST(broadcast_weak, weak_end_becomes_a_sender_while_one_lives)
{
    numb_weak weak, other;
    numb_tx again = { 0 };
    uint64_t v = 7, got = 0;

    need_eq(numb_new(2, 0, &tx, &rx), 0);
    weak = numb_tx_downgrade(&tx);
    other = numb_weak_clone(&weak);
    check_eq(numb_weak_senders(&rx), (size_t)2);
    need_eq(numb_weak_upgrade(&other, &again), 0);
    check_eq(numb_senders(&rx), (size_t)2);
    numb_tx_close(&tx);
    check_eq(numb_rx_is_closed(&rx), false);
    numb_weak_close(&weak);
    numb_weak_close(&other);
    check_eq(numb_weak_senders(&rx), (size_t)0);
    check_eq(numb_try_send(&again, &v), 1);
    check_eq(numb_try_recv(&rx, &got), 0);
    check_eq(got, (uint64_t)7);
    check_eq(numb_try_recv(&rx, &got), -EAGAIN);
    numb_tx_close(&again);
    check_eq(numb_try_recv(&rx, &got), -EPIPE);
    numb_rx_close(&rx);
}

TR_TEST(broadcast_weak, weak_end_of_an_empty_end_is_empty)
{
    const numb_tx none = { 0 };
    numb_weak weak = numb_tx_downgrade(&none), copy = numb_weak_clone(&weak);
    const numb_rx nothing = { 0 };

    check_eq(numb_weak_upgrade(&copy, &tx), -EINVAL);
    check_eq(numb_senders(&nothing), (size_t)0);
    check_eq(numb_weak_senders(&nothing), (size_t)0);
    numb_weak_close(&copy);
    numb_weak_close(&weak);
}

struct job {
    numb_rx rx;
};

static void job_drop(struct job *j)
{
    numb_rx_close(&j->rx);
}

TR_TASK(receiver, struct job, job_drop);

static int result = 1000;
static bool has_begun;

static int receiver(struct job *j)
{
    uint64_t v;

    has_begun = true;
    result = numb_recv(&j->rx, TR_NEVER, &v);
    return 0;
}

STEP_TEST(broadcast_weak, last_sender_wakes_a_receiver_although_a_weak_end_lives)
{
    struct job j = { 0 };
    numb_weak weak;

    need_eq(numb_new(2, 0, &tx, &j.rx), 0);
    weak = numb_tx_downgrade(&tx);
    need_eq(receiver_spawn(root, &j, NULL), 0);
    step_until(has_begun);
    check_eq(result, 1000, "it waits");
    numb_tx_close(&tx);
    step_until(result != 1000);
    check_eq(result, -EPIPE);
    numb_weak_close(&weak);
}
