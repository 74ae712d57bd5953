/* SPDX-License-Identifier: MIT */
/*
 * test_watch_more.c - marks, modifications, pins across sends, and waiting for the last
 * receiver.
 */
#include "config.h"

#include <errno.h>
#include <pthread.h>

#include "chan/watch-kit.h"
#include "mem/alloc.h"

TR_SUITE(watch_more, .races = true, .init = open_channel, .timeout = 20);

/* ---- marks, and reading without them ---- */

TR_TEST(watch_more, mark_makes_the_present_value_unseen_for_this_end_only)
{
    itemw_rx other = itemw_rx_clone(&rx);

    itemw_mark_changed(&rx);
    itemw_mark_changed(&rx);
    check_eq(itemw_has_changed(&rx), true, "also of the first value");
    check_eq(itemw_has_changed(&other), false);
    itemw_mark_unchanged(&rx);
    check_eq(itemw_has_changed(&rx), false);
    itemw_mark_changed(&rx);
    check_eq(itemw_get(&rx)->id, 1u);
    check_eq(itemw_has_changed(&rx), false, "a read marks it as seen");
    check_eq(send_id(2), 0);
    itemw_mark_unchanged(&rx);
    check_eq(itemw_has_changed(&rx), false);
    check_eq(itemw_get(&rx)->id, 2u);
    itemw_rx_close(&other);
    close_channel();
}

TR_TEST(watch_more, peek_reads_the_newest_and_leaves_it_unseen)
{
    check_eq(itemw_peek(&rx)->id, 1u);
    check_eq(itemw_has_changed(&rx), false, "a seen one stays seen");
    check_eq(send_id(2), 0);
    check_eq(itemw_peek(&rx)->id, 2u);
    check_eq(itemw_has_changed(&rx), true);
    check_eq(itemw_peek(&rx)->id, 2u);
    check_eq(itemw_get(&rx)->id, 2u);
    check_eq(itemw_has_changed(&rx), false);
    close_channel();
}

TR_TEST(watch_more, clones_as_seen_and_as_is)
{
    itemw_rx as_is, seen;

    check_eq(send_id(2), 0);
    as_is = itemw_rx_clone(&rx);
    seen = itemw_rx_clone_seen(&rx);
    check_eq(itemw_has_changed(&as_is), true);
    check_eq(itemw_has_changed(&seen), false);
    check_eq(itemw_rx_is_same(&seen, &rx), true);
    itemw_rx_close(&as_is);
    itemw_rx_close(&seen);
    check_eq(itemw_rx_is_same(&seen, &rx), false);
    close_channel();
}

TR_TEST(watch_more, senders_are_counted_and_their_end_is_known_at_once)
{
    itemw_tx second = itemw_tx_clone(&tx);

    check_eq(itemw_tx_is_same(&tx, &second), true);
    check_eq(itemw_senders(&rx), (size_t)2);
    itemw_tx_close(&tx);
    check_eq(itemw_rx_is_closed(&rx), false);
    itemw_tx_close(&second);
    check_eq(itemw_rx_is_closed(&rx), true);
    check_eq(itemw_senders(&rx), (size_t)0);
    close_channel();
}

TR_TEST(watch_more, question_for_a_change_says_that_the_senders_are_gone_and_marks_nothing)
{
    itemw_rx seen = itemw_rx_clone(&rx);

    check_eq(send_id(2), 0);
    check_eq(itemw_get(&seen)->id, 2u);
    check_eq(itemw_has_changed(&seen), 0);
    check_eq(itemw_has_changed(&rx), 1);
    check_eq(itemw_has_changed(&rx), 1, "asking does not mark");
    itemw_tx_close(&tx);
    check_eq(itemw_has_changed(&seen), -EPIPE, "seen");
    check_eq(itemw_has_changed(&rx), -EPIPE, "or not");
    check_eq(itemw_peek(&rx)->id, 2u, "the last value stays, and is unseen still");
    check_eq(itemw_blocking_changed(&rx, TR_NOW), 0);
    check_eq(itemw_blocking_changed(&rx, TR_NOW), -EPIPE);
    itemw_rx_close(&seen);
    close_channel();
}

/* ---- changing it ---- */

TR_TEST(watch_more, exchange_gives_the_value_before_and_pin_of_a_sender_the_present_one)
{
    struct item next = item(2);
    const struct item *old = NULL, *now;

    itemw_rx_close(&rx);
    check_eq(itemw_exchange(&tx, &next, &old), 0, "also when nobody listens");
    need(old != NULL);
    check_eq(old->id, 1u);
    check_eq(next.id, 0u);
    now = itemw_tx_pin(&tx);
    check_eq(now->id, 2u);
    check_eq(atomic_load(&n_dropped), 0u);
    itemw_unpin(old);
    check_eq(atomic_load(&n_dropped_of[1]), 1u);
    itemw_tx_close(&tx);
    check_eq(now->id, 2u, "it outlives the channel");
    itemw_unpin(now);
    check_eq(atomic_load(&n_dropped_of[2]), 1u);
}

/* How a modification goes: what it returns, and what it meets on its way. */
struct plan {
    int result;
    unsigned n_call;
    bool is_overtaken;
};

static int next_item(const void *now, void *next, void *arg)
{
    const struct item *from = now;
    struct plan *p = arg;

    p->n_call++;
    *(struct item *)next = item(from->id + 1);
    if (p->is_overtaken) {
        p->is_overtaken = false;
        check_eq(send_id(10), 0);
    }
    return p->result;
}

TR_TEST(watch_more, modified_value_is_made_from_the_present_one)
{
    struct plan p = { .result = 1 };

    check_eq(itemw_modify(&tx, next_item, &p), 1);
    check_eq(itemw_has_changed(&rx), true);
    check_eq(itemw_get(&rx)->id, 2u);
    check_eq(p.n_call, 1u);
    close_channel();
}

TR_TEST(watch_more, modification_begins_again_when_another_sender_was_quicker)
{
    struct plan p = { .result = 1, .is_overtaken = true };

    check_eq(itemw_modify(&tx, next_item, &p), 1);
    check_eq(p.n_call, 2u);
    check_eq(itemw_get(&rx)->id, 11u, "from the quicker one's value");
    check_eq(atomic_load(&n_dropped_of[2]), 1u, "the first attempt is dropped");
    close_channel();
    check_eq(atomic_load(&n_dropped), 4u);
}

TR_TEST(watch_more, modification_that_does_not_want_or_fails_is_not_seen)
{
    struct plan p = { .result = 0 };

    check_eq(itemw_modify(&tx, next_item, &p), 0);
    p.result = -EBADMSG;
    check_eq(itemw_modify(&tx, next_item, &p), -EBADMSG);
    check_eq(itemw_has_changed(&rx), false);
    check_eq(itemw_get(&rx)->id, 1u);
    check_eq(atomic_load(&n_dropped_of[2]), 2u, "what it made is dropped");
    tri_mem_fail_at(1);
    check_eq(itemw_modify(&tx, next_item, &p), -ENOMEM);
    tri_mem_fail_at(0);
    check_eq(send_id(3), 0, "the channel goes on");
    close_channel();
}

/* ---- pins ---- */

STEP_TEST(watch_more, pin_held_across_a_wait_does_not_delay_a_sender)
{
    const struct item *held = itemw_pin(&rx), *second;

    for (uint32_t id = 2; id <= 50; id++)
        check_eq(send_id(id), 0);
    second = itemw_pin(&rx); /* while the first one is held and a send came between */
    need_eq(tr_yield(), 0);
    check_eq(held->id, 1u);
    check_eq(second->id, 50u);
    check_eq(atomic_load(&n_dropped), 48u, "all between them");
    itemw_unpin(held);
    itemw_unpin(second);
    close_channel();
}

/* ---- waiting until nobody listens ---- */

struct closer {
    int *ret_result;
};

TR_TASK(closed_waiter, struct closer, tr_nodrop);
TR_TASK(closed_selector, struct closer, tr_nodrop);

static int closed_waiter(struct closer *c)
{
    itemw_tx own = itemw_tx_clone(&tx);

    atomic_fetch_add(&n_waiting, 1);
    *c->ret_result = itemw_closed(&own, TR_NEVER);
    itemw_tx_close(&own);
    return 0;
}

static int closed_selector(struct closer *c)
{
    itemw_tx own = itemw_tx_clone(&tx);
    tr_arm arms[] = { itemw_closed_arm(&own) };

    atomic_fetch_add(&n_waiting, 1);
    *c->ret_result = tr_select(TR_NEVER, arms, 1) == 0 ? arms[0].result : -EBADMSG;
    itemw_tx_close(&own);
    return 0;
}

STEP_TEST(watch_more, senders_wait_until_the_last_receiver_is_gone)
{
    enum { N = 40 }; /* more than one batch of wakes */
    itemw_rx second = itemw_subscribe(&tx);

    for (unsigned i = 0; i < N; i++) {
        struct closer c = { &result[i] };

        result[i] = 1;
        need_eq((i % 2 ? closed_selector_spawn : closed_waiter_spawn)(root, &c, NULL), 0);
    }
    step_until(n_waiting == N);
    itemw_rx_close(&second);
    for (int i = 0; i < 8; i++)
        need_eq(tr_yield(), 0);
    check_eq(result[0], 1);
    check_eq(itemw_tx_is_closed(&tx), false);
    itemw_rx_close(&rx);
    for (unsigned i = 0; i < N; i++)
        step_until(result[i] == 0);
    check_eq(itemw_closed(&tx, TR_NEVER), 0);
    rx = itemw_subscribe(&tx);
    check_eq(itemw_closed(&tx, TR_NOW), -ETIMEDOUT, "a subscriber opens it again");
    check_eq(itemw_closed(&tx, tr_after(TR_MS(1))), -ETIMEDOUT);
    check_eq(itemw_blocking_closed(&tx, TR_NOW), -EDEADLK);
    close_channel();
}

STEP_TEST(watch_more, woken_sender_that_finds_a_new_receiver_waits_on)
{
    struct closer c = { &result[0] };

    result[0] = 1;
    need_eq(closed_waiter_spawn(root, &c, NULL), 0);
    step_until(n_waiting == 1);
    itemw_rx_close(&rx);
    rx = itemw_subscribe(&tx); /* before it runs */
    for (int i = 0; i < 8; i++)
        need_eq(tr_yield(), 0);
    check_eq(result[0], 1);
    itemw_rx_close(&rx);
    step_until(result[0] == 0);
    close_channel();
}

static bool is_ten(const void *value, void *arg)
{
    (void)arg;
    return ((const struct item *)value)->id == 10;
}

static void *close_receiver(void *arg)
{
    itemw_rx_close(arg);
    return NULL;
}

static void *send_up_to_ten(void *arg)
{
    (void)arg;
    for (uint32_t id = 2; id <= 10; id++)
        check_eq(send_id(id), 0);
    return NULL;
}

TR_TEST(watch_more, threads_block_for_a_value_and_for_the_last_receiver)
{
    pthread_t thread;

    check_eq(itemw_blocking_wait_for(&rx, is_ten, NULL, tr_after(TR_MS(1))), -ETIMEDOUT);
    check_eq(itemw_blocking_closed(&tx, tr_after(TR_MS(1))), -ETIMEDOUT);
    check_eq(itemw_closed(&tx, TR_NEVER), -EPERM);
    need_eq(pthread_create(&thread, NULL, send_up_to_ten, NULL), 0);
    check_eq(itemw_blocking_wait_for(&rx, is_ten, NULL, TR_NEVER), 0);
    check_eq(itemw_get(&rx)->id, 10u);
    need_eq(pthread_join(thread, NULL), 0);
    need_eq(pthread_create(&thread, NULL, close_receiver, &rx), 0);
    check_eq(itemw_blocking_closed(&tx, TR_NEVER), 0);
    need_eq(pthread_join(thread, NULL), 0);
    close_channel();
}
