/* SPDX-License-Identifier: MIT */
/* test_watch.c - a published value: versions, snapshots, waiting for a change, and drops. */
#include "config.h"

#include <errno.h>
#include <pthread.h>

#include "chan/watch-kit.h"
#include "mem/alloc.h"

struct job {
    itemw_rx rx;
    tr_time deadline;
    int *ret_result;
};

static void job_drop(struct job *j)
{
    itemw_rx_close(&j->rx);
}

TR_TASK(waiter, struct job, job_drop);

TR_SUITE(watch, .races = true, .init = open_channel, .timeout = 20);

TR_TEST(watch, first_value_counts_as_seen)
{
    check_eq(itemw_get(&rx)->id, 1);
    check(!itemw_has_changed(&rx));
    check_eq(itemw_blocking_changed(&rx, TR_NOW), -ETIMEDOUT);
    close_channel();
    check_eq(n_not_dropped_once(1), 0);
}

TR_TEST(watch, several_sends_give_one_change)
{
    check_eq(send_id(2), 0);
    check_eq(send_id(3), 0);
    check(itemw_has_changed(&rx));
    check_eq(itemw_blocking_changed(&rx, TR_NOW), 0);
    check_eq(itemw_blocking_changed(&rx, TR_NOW), -ETIMEDOUT);
    check_eq(itemw_get(&rx)->id, 3);
    close_channel();
    check_eq(n_not_dropped_once(3), 0);
}

TR_TEST(watch, an_equal_value_is_a_change)
{
    check_eq(send_id(1), 0);
    check(itemw_has_changed(&rx));
    check_eq(itemw_blocking_changed(&rx, TR_NOW), 0);
    close_channel();
}

TR_TEST(watch, get_marks_as_seen)
{
    check_eq(send_id(2), 0);
    check_eq(itemw_get(&rx)->id, 2);
    check(!itemw_has_changed(&rx));
    close_channel();
}

TR_TEST(watch, value_that_was_got_stays_until_the_next_call)
{
    const struct item *old = itemw_get(&rx);

    check_eq(send_id(2), 0);
    check_eq(old->id, 1);
    check_eq(n_dropped, 0);
    check_eq(itemw_get(&rx)->id, 2);
    check_eq(n_dropped, 1, "dropped by the one who held it last");
    close_channel();
    check_eq(n_not_dropped_once(2), 0);
}

TR_TEST(watch, replaced_value_that_nobody_holds_is_dropped_at_once)
{
    check_eq(send_id(2), 0);
    check_eq(n_dropped, 1);
    check_eq(n_dropped_of[1], 1);
    close_channel();
}

TR_TEST(watch, pinned_value_outlives_the_channel)
{
    const struct item *pinned = itemw_pin(&rx);

    check_eq(send_id(2), 0);
    check_eq(itemw_get(&rx)->id, 2);
    close_channel();
    check_eq(n_dropped, 1);
    check_eq(pinned->id, 1);
    itemw_unpin(pinned);
    itemw_unpin(NULL);
    check_eq(n_not_dropped_once(2), 0);
}

TR_TEST(watch, two_nested_borrows_with_a_send_between)
{
    itemw_rx second = itemw_rx_clone(&rx);
    const struct item *a = itemw_get(&rx), *b;

    check_eq(send_id(2), 0);
    b = itemw_get(&second);
    check_eq(a->id, 1);
    check_eq(b->id, 2);
    itemw_rx_close(&second);
    close_channel();
}

TR_TEST(watch, subscriber_has_seen_the_present_and_a_clone_what_its_original_has)
{
    itemw_rx late, clone;

    check_eq(send_id(2), 0);
    late = itemw_subscribe(&tx);
    clone = itemw_rx_clone(&rx);
    check(!itemw_has_changed(&late));
    check(itemw_has_changed(&clone));
    check_eq(itemw_get(&late)->id, 2);
    check_eq(itemw_get(&clone)->id, 2);
    itemw_rx_close(&late);
    itemw_rx_close(&clone);
    close_channel();
}

TR_TEST(watch, send_without_a_receiver_keeps_the_value)
{
    struct item m = item(3);

    check_eq(itemw_receivers(&tx), 1);
    itemw_rx_close(&rx);
    check_eq(itemw_receivers(&tx), 0);
    check_eq(send_id(2), -EPIPE);
    check_eq(n_dropped, 0);
    check_eq(itemw_replace(&tx, &m), 0);
    check_eq(n_dropped_of[1], 1);
    rx = itemw_subscribe(&tx);
    check_eq(itemw_get(&rx)->id, 3, "stored although nobody listened");
    check_eq(send_id(4), 0, "a subscriber opens it again");
    close_channel();
}

TR_TEST(watch, last_value_is_announced_before_the_end)
{
    itemw_tx second = itemw_tx_clone(&tx);

    itemw_tx_close(&second);
    check_eq(itemw_blocking_changed(&rx, TR_NOW), -ETIMEDOUT, "one sender is left");
    check_eq(send_id(2), 0);
    itemw_tx_close(&tx);
    check_eq(itemw_blocking_changed(&rx, TR_NEVER), 0);
    check_eq(itemw_blocking_changed(&rx, TR_NEVER), -EPIPE);
    check_eq(itemw_blocking_changed(&rx, TR_NEVER), -EPIPE);
    check_eq(itemw_get(&rx)->id, 2, "it stays readable");
    close_channel();
}

TR_TEST(watch, empty_end_is_misuse_and_closing_it_does_nothing)
{
    struct item m = item(1);

    close_channel();
    close_channel();
    check_eq(itemw_send(&tx, &m), -EINVAL);
    check_eq(itemw_replace(&tx, &m), -EINVAL);
    check_eq(itemw_receivers(&tx), 0);
    check_eq(itemw_get(&rx), NULL);
    check_eq(itemw_pin(&rx), NULL);
    check_eq(itemw_has_changed(&rx), -EINVAL);
    check_eq(itemw_changed(&rx, TR_NEVER), -EINVAL);
    check_eq(itemw_blocking_changed(&rx, TR_NEVER), -EINVAL);
    check_eq(itemw_subscribe(&tx).end.cell, NULL);
    check_eq(itemw_rx_clone(&rx).end.cell, NULL);
    check_eq(itemw_tx_clone(&tx).end.cell, NULL);
    check_eq(m.id, 1);
}

TR_TEST(watch, without_memory_the_value_stays_with_the_caller)
{
    struct item m = item(2);
    itemw_tx t;
    itemw_rx r;

    for (long nth = 1; nth <= 2; nth++) {
        tri_mem_fail_at(nth);
        check_eq(itemw_new(&m, &t, &r), -ENOMEM);
        check(tri_mem_has_failed());
    }
    tri_mem_fail_at(1);
    check_eq(itemw_send(&tx, &m), -ENOMEM);
    tri_mem_fail_at(0);
    check_eq(m.id, 2);
    check_eq(itemw_get(&rx)->id, 1);
    close_channel();
}

TR_TEST(watch, every_size_arrives_whole)
{
    close_channel();
    for (uint32_t size = 1; size <= TR_MESSAGE_MAX; size++) {
        const struct tri_type type = { "bytes", tr_nodrop, size, size % 16 == 0 ? 16 : 1 };
        _Alignas(16) unsigned char v[TR_MESSAGE_MAX];
        const unsigned char *out;
        unsigned bad = 0;
        tr_watch_tx t;
        tr_watch_rx r;

        for (uint32_t i = 0; i < size; i++)
            v[i] = (unsigned char)(size + i);
        need_eq(tr_watch_new(&type, v, &t, &r), 0);
        out = tr_watch_get(&r);
        bad += (uintptr_t)out % type.align != 0;
        for (uint32_t i = 0; i < size; i++)
            bad += v[i] != 0 || out[i] != (unsigned char)(size + i);
        need_eq(bad, 0);
        tr_watch_tx_close(&t);
        tr_watch_rx_close(&r);
    }
}

/* ---- waiting ---- */

TR_TEST(watch, waiting_forms_outside_of_a_task_are_refused)
{
    check_eq(itemw_changed(&rx, TR_NEVER), -EPERM);
    close_channel();
}

STEP_TEST(watch, blocking_form_in_a_task_is_refused)
{
    check_eq(itemw_blocking_changed(&rx, TR_NEVER), -EDEADLK);
    close_channel();
}

static int waiter(struct job *j)
{
    atomic_fetch_add(&n_waiting, 1);
    *j->ret_result = itemw_changed(&j->rx, j->deadline);
    return 0;
}

/*
 * Starts @n tasks that wait for a change. With one worker a task that was counted has parked.
 */
static void park(tr_scope *scope, unsigned n, tr_time deadline)
{
    for (unsigned i = 0; i < n; i++) {
        struct job j = { itemw_subscribe(&tx), deadline, &result[i] };

        result[i] = 1;
        need_eq(waiter_spawn(scope, &j, NULL), 0);
    }
    step_until(n_waiting == n);
}

STEP_TEST(watch, send_wakes_every_waiting_receiver)
{
    park(root, 64, TR_NEVER); /* more than one batch of wakes */
    check_eq(result[0], 1);
    check_eq(send_id(2), 0);
    for (unsigned i = 0; i < 64; i++) {
        step_until(result[i] != 1);
        need_eq(result[i], 0);
    }
    close_channel();
}

STEP_TEST(watch, last_sender_wakes_every_waiting_receiver)
{
    itemw_tx second = itemw_tx_clone(&tx);

    park(root, 40, TR_NEVER);
    itemw_tx_close(&second);
    need_eq(tr_yield(), 0);
    check_eq(result[0], 1);
    itemw_tx_close(&tx);
    for (unsigned i = 0; i < 40; i++) {
        step_until(result[i] != 1);
        need_eq(result[i], -EPIPE);
    }
    close_channel();
}

STEP_TEST(watch, changed_ends_by_its_deadline_and_by_the_drain)
{
    tr_scope s = tr_scope_open(NULL);

    park(&s, 1, tr_after(TR_MS(1)));
    step_until(result[0] != 1);
    check_eq(result[0], -ETIMEDOUT);
    n_waiting = 0;
    park(&s, 1, TR_UNTIL_DRAIN);
    check_eq(tr_scope_drain(&s, tr_after(TR_S(10))), 0);
    check_eq(result[0], -ESHUTDOWN);
    tr_scope_end(&s);
    check_eq(send_id(2), 0);
    close_channel();
}

struct want {
    uint32_t at_least;
    uint32_t n_asked;
    const void *accepted;
};

static bool is_enough(const void *value, void *arg)
{
    const struct item *m = value;
    struct want *w = arg;

    w->n_asked++;
    w->accepted = m;
    return m->id >= w->at_least;
}

STEP_TEST(watch, wait_for_looks_at_the_present_value_first)
{
    struct want w = { .at_least = 1 };

    check_eq(itemw_wait_for(&rx, is_enough, &w, TR_NOW), 0);
    check_eq(w.n_asked, 1);
    w.at_least = 2;
    check_eq(itemw_wait_for(&rx, is_enough, &w, tr_after(TR_MS(1))), -ETIMEDOUT);
    close_channel();
}

STEP_TEST(watch, get_after_wait_for_gives_the_very_value)
{
    struct want w = { .at_least = 2 };

    check_eq(send_id(2), 0);
    check_eq(itemw_wait_for(&rx, is_enough, &w, TR_NOW), 0);
    check_eq(send_id(3), 0);
    check_eq(itemw_get(&rx), w.accepted);
    check_eq(itemw_get(&rx)->id, 3, "and the next call the newest");
    close_channel();
}

STEP_TEST(watch, wait_for_has_seen_what_it_looked_at)
{
    struct want w = { .at_least = 9 };

    check_eq(send_id(2), 0);
    check_eq(itemw_wait_for(&rx, is_enough, &w, TR_NOW), -ETIMEDOUT);
    check_ge(w.n_asked, 1);
    check(!itemw_has_changed(&rx));
    check_eq(itemw_changed(&rx, TR_NOW), -ETIMEDOUT);
    close_channel();
}

STEP_TEST(watch, wait_for_ends_with_the_last_sender)
{
    struct want w = { .at_least = 2 };

    check_eq(send_id(2), 0);
    itemw_tx_close(&tx);
    check_eq(itemw_wait_for(&rx, is_enough, &w, TR_NEVER), 0);
    w.at_least = 3;
    check_eq(itemw_wait_for(&rx, is_enough, &w, TR_NEVER), -EPIPE);
    close_channel();
}

static void *count_up(void *unused)
{
    (void)unused;
    for (uint32_t id = 2; id <= 100; id++)
        check_eq(send_id(id), 0);
    return NULL;
}

STEP_TEST(watch, wait_for_waits_for_a_thread)
{
    struct want w = { .at_least = 100 };
    pthread_t thread;

    need_eq(pthread_create(&thread, NULL, count_up, NULL), 0);
    check_eq(itemw_wait_for(&rx, is_enough, &w, TR_NEVER), 0);
    check_eq(itemw_get(&rx)->id, 100);
    pthread_join(thread, NULL);
    close_channel();
    check_eq(n_not_dropped_once(100), 0);
}

STEP_TEST(watch, arm_is_ready_with_a_change_and_with_the_end)
{
    tr_arm arms[2] = { itemw_changed_arm(&rx), itemw_changed_arm(NULL) };

    check_eq(tr_select(tr_after(TR_MS(1)), arms, 2), -ETIMEDOUT);
    check_eq(send_id(2), 0);
    check_eq(tr_select(TR_NEVER, arms, 2), 0);
    check_eq(arms[0].result, 0);
    itemw_tx_close(&tx);
    check_eq(tr_select(TR_NEVER, arms, 2), 0);
    check_eq(arms[0].result, -EPIPE);
    close_channel();
}
