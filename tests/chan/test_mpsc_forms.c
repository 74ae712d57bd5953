/* SPDX-License-Identifier: MIT */
/*
 * test_mpsc_forms.c - the blocking forms, calls from the wrong place, and the arms of select.
 */
#include "config.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>

#include "chan/items.h"
#include "chan/mpsc.h"
#include "chan/step.h"

TR_MPSC(itemq, struct item, item_drop);

static itemq_tx tx;
static itemq_rx rx;

TR_SUITE(mpsc_forms, .races = true, .timeout = 20);

static void open_channel(size_t capacity)
{
    need_eq(itemq_new(capacity, &tx, &rx), 0);
}

static void close_channel(void)
{
    itemq_tx_close(&tx);
    itemq_rx_close(&rx);
}

static void put(uint32_t id)
{
    struct item m = item(id);

    check_eq(itemq_try_send(&tx, &m), 0);
}

static uint32_t take(void)
{
    struct item m = { 0 };

    check_eq(itemq_try_recv(&rx, &m), 0);
    return m.id;
}

TR_TEST(mpsc_forms, waiting_form_outside_of_a_task_is_refused)
{
    struct item m = item(1), got = item(2);

    open_channel(1);
    check_eq(itemq_send(&tx, &m, TR_NEVER), -EPERM);
    check_eq(m.id, 1);
    check_eq(itemq_recv(&rx, TR_NEVER, &got), -EPERM);
    check_eq(itemq_recv_many(&rx, 1, TR_NEVER, &got), -EPERM);
    check_eq(got.id, 2);
    close_channel();
}

/* No runtime was ever there: what does not park a task works, deadlines of threads included. */
TR_TEST(mpsc_forms, everything_but_a_task_that_waits_works_without_a_runtime)
{
    struct item m = item(1), got = { 0 };
    itemq_permit p = { 0 };
    itemq_weak weak;
    itemq_tx second;

    open_channel(2);
    check_eq(itemq_try_send(&tx, &m), 0);
    check_eq(itemq_try_reserve(&tx, 1, &p), 0);
    m = item(2);
    check_eq(itemq_blocking_send(&tx, &m, tr_after(TR_MS(1))), -ETIMEDOUT);
    check_eq(itemq_permit_send(&p, &m), 0);
    check_eq(itemq_blocking_reserve(&tx, 1, tr_after(TR_MS(1)), &p), -ETIMEDOUT);
    check_eq(itemq_reserve(&tx, 1, tr_after(TR_MS(1)), &p), -EPERM);
    check_eq(itemq_closed(&tx, tr_after(TR_MS(1))), -EPERM);
    check_eq(itemq_blocking_closed(&tx, tr_after(TR_MS(1))), -ETIMEDOUT);
    weak = itemq_tx_downgrade(&tx);
    check_eq(itemq_weak_upgrade(&weak, &second), 0);
    check_eq(itemq_len(&rx), 2u);
    check_eq(itemq_senders(&rx), 2u);
    check_eq(itemq_try_recv(&rx, &got), 0);
    check_eq(itemq_blocking_recv(&rx, tr_after(TR_MS(1)), &got), 0);
    check_eq(got.id, 2u);
    check_eq(itemq_blocking_recv(&rx, tr_after(TR_MS(1)), &got), -ETIMEDOUT);
    itemq_rx_shut(&rx);
    check_eq(itemq_blocking_closed(&tx, TR_NEVER), 0);
    itemq_weak_close(&weak);
    itemq_tx_close(&second);
    close_channel();
}

STEP_TEST(mpsc_forms, blocking_form_in_a_task_is_refused)
{
    struct item m = item(1), got = item(2);

    open_channel(1);
    check_eq(itemq_blocking_send(&tx, &m, TR_NEVER), -EDEADLK);
    check_eq(m.id, 1);
    check_eq(itemq_blocking_recv(&rx, TR_NEVER, &got), -EDEADLK);
    check_eq(got.id, 2);
    close_channel();
}

enum { N_MESSAGE = 2000 };

static void *send_many(void *arg)
{
    itemq_tx *end = arg;

    for (uint32_t id = 1; id <= N_MESSAGE; id++) {
        struct item m = item(id);

        if (itemq_blocking_send(end, &m, TR_NEVER) < 0)
            break;
    }
    itemq_tx_close(end);
    return NULL;
}

TR_TEST(mpsc_forms, threads_block_on_each_other)
{
    pthread_t thread;
    struct item m;
    uint32_t id = 0;

    open_channel(2);
    need_eq(pthread_create(&thread, NULL, send_many, &tx), 0);
    while (itemq_blocking_recv(&rx, TR_NEVER, &m) == 0)
        need_eq(m.id, ++id);
    check_eq(id, N_MESSAGE);
    pthread_join(thread, NULL);
    close_channel();
}

STEP_TEST(mpsc_forms, thread_blocks_on_a_task)
{
    pthread_t thread;
    struct item m;
    uint32_t id = 0;

    open_channel(2);
    need_eq(pthread_create(&thread, NULL, send_many, &tx), 0);
    while (itemq_recv(&rx, TR_NEVER, &m) == 0)
        need_eq(m.id, ++id);
    check_eq(id, N_MESSAGE);
    pthread_join(thread, NULL);
    close_channel();
}

static void *receive_in_order(void *unused)
{
    struct item m;
    uint32_t id = 0;

    (void)unused;
    while (itemq_blocking_recv(&rx, TR_NEVER, &m) == 0)
        check_eq(m.id, ++id);
    return (void *)(uintptr_t)id;
}

STEP_TEST(mpsc_forms, task_sends_to_a_thread_that_blocks)
{
    pthread_t thread;
    void *n;

    open_channel(2);
    need_eq(pthread_create(&thread, NULL, receive_in_order, NULL), 0);
    for (uint32_t id = 1; id <= N_MESSAGE; id++) {
        struct item m = item(id);

        need_eq(itemq_send(&tx, &m, TR_NEVER), 0);
    }
    itemq_tx_close(&tx);
    pthread_join(thread, &n);
    check_eq((uintptr_t)n, N_MESSAGE);
    close_channel();
}

static atomic_uint n_returned; /* sends */

static void *send_and_count(void *arg)
{
    for (uint32_t id = 1; id <= N_MESSAGE; id++) {
        struct item m = item(id);

        check_eq(itemq_blocking_send(arg, &m, TR_NEVER), 0);
        atomic_store(&n_returned, id);
    }
    return NULL;
}

static void check_len(size_t capacity)
{
    unsigned n_received = 0, bad = 0;
    pthread_t thread;
    struct item m;

    atomic_store(&n_returned, 0);
    open_channel(capacity);
    need_eq(pthread_create(&thread, NULL, send_and_count, &tx), 0);
    while (n_received < N_MESSAGE) {
        unsigned n = atomic_load(&n_returned);

        bad += itemq_len(&rx) + n_received < n;
        n_received += itemq_try_recv(&rx, &m) == 0;
    }
    check_eq(bad, 0);
    check_eq(itemq_len(&rx), 0);
    pthread_join(thread, NULL);
    close_channel();
}

TR_TEST(mpsc_forms, len_counts_every_send_that_has_returned)
{
    check_len(3);
    check_len(TR_UNBOUNDED);
}

/* ---- a thread that is all but gone ---- */

static pthread_key_t late_key;

/* The destructor of a key: puts itself off, until those of the library's keys have run. */
static void send_late(void *round)
{
    if (++*(unsigned *)round < 3)
        check_eq(pthread_setspecific(late_key, round), 0);
    else
        put(2);
}

static void *send_and_exit(void *round)
{
    put(1);
    check_eq(pthread_setspecific(late_key, round), 0);
    return NULL;
}

STEP_TEST(mpsc_forms, thread_whose_own_storage_is_gone_wakes_a_task)
{
    static const size_t capacities[] = { 2, TR_UNBOUNDED };

    need_eq(pthread_key_create(&late_key, send_late), 0);
    for (unsigned i = 0; i < TR_LEN(capacities); i++) {
        unsigned round = 0;
        pthread_t thread;
        struct item m;

        open_channel(capacities[i]);
        need_eq(pthread_create(&thread, NULL, send_and_exit, &round), 0);
        for (uint32_t id = 1; id <= 2; id++) {
            need_eq(itemq_recv(&rx, TR_NEVER, &m), 0);
            check_eq(m.id, id);
        }
        pthread_join(thread, NULL);
        check_eq(round, 3);
        close_channel();
    }
    pthread_key_delete(late_key);
}

TR_TEST(mpsc_forms, blocking_forms_keep_their_deadline)
{
    struct item m = item(2);

    open_channel(1);
    check_eq(itemq_blocking_recv(&rx, tr_after(TR_MS(1)), &m), -ETIMEDOUT);
    check_eq(m.id, 2);
    put(1);
    check_eq(itemq_blocking_send(&tx, &m, tr_after(TR_MS(1))), -ETIMEDOUT);
    check_eq(m.id, 2);
    check_eq(take(), 1);
    check_eq(itemq_blocking_send(&tx, &m, TR_NOW), 0);
    itemq_tx_close(&tx);
    check_eq(itemq_blocking_recv(&rx, TR_NOW, &m), 0);
    check_eq(itemq_blocking_recv(&rx, TR_NEVER, &m), -EPIPE);
    close_channel();
}

/* ---- select ---- */

enum { SEND, RECV, N_ARM };

STEP_TEST(mpsc_forms, select_consumes_exactly_one_arm)
{
    struct item m = item(7), got[2] = { { 0 } };
    itemq_tx tx2;
    itemq_rx rx2;
    tr_arm arms[2];

    open_channel(2);
    need_eq(itemq_new(2, &tx2, &rx2), 0);
    put(1);
    need_eq(itemq_try_send(&tx2, &m), 0);
    arms[0] = itemq_recv_arm(&rx, &got[0]);
    arms[1] = itemq_recv_arm(&rx2, &got[1]);
    check_eq(tr_select_first(TR_NEVER, arms, 2), 0);
    check_eq(arms[0].result, 0);
    check_eq(got[0].id, 1);
    check_eq(got[1].id, 0);
    check_eq(tr_select_first(TR_NEVER, arms, 2), 1);
    check_eq(got[1].id, 7);
    check_eq(tr_select(tr_after(TR_MS(1)), arms, 2), -ETIMEDOUT);
    itemq_tx_close(&tx2);
    check_eq(tr_select(TR_NEVER, arms, 2), 1, "a closed source is ready");
    check_eq(arms[1].result, -EPIPE);
    itemq_rx_close(&rx2);
    close_channel();
}

STEP_TEST(mpsc_forms, null_end_is_a_disabled_arm_and_an_empty_one_is_ready)
{
    struct item m = item(1);
    itemq_tx none = { { 0 } };
    tr_arm arms[2] = { itemq_send_arm(NULL, &m), itemq_recv_arm(NULL, &m) };

    check_eq(tr_select(TR_NEVER, arms, 2), -EINVAL);
    arms[0] = itemq_send_arm(&none, &m);
    check_eq(tr_select(TR_NEVER, arms, 2), 0);
    check_eq(arms[0].result, -EINVAL);
    check_eq(m.id, 1);
}

/* A task that selects over sending @m and receiving from a channel of its own. */
struct chooser {
    itemq_tx tx;
    itemq_rx rx;
    struct item m;
};

static void chooser_drop(struct chooser *c)
{
    itemq_tx_close(&c->tx);
    itemq_rx_close(&c->rx);
    item_drop(&c->m);
}

static int chosen;
static int chosen_result;

TR_TASK(chooser, struct chooser, chooser_drop);

static int chooser(struct chooser *c)
{
    struct item got = { 0 };
    tr_arm arms[N_ARM] = {
        [SEND] = itemq_send_arm(&c->tx, &c->m),
        [RECV] = itemq_recv_arm(&c->rx, &got),
    };

    chosen = tr_select(TR_NEVER, arms, N_ARM);
    chosen_result = chosen >= 0 ? arms[chosen].result : chosen;
    return 0;
}

static bool has_line(void)
{
    return !tri_waitq_is_empty(&rx.end.chan->line);
}

/* Fills the channel and puts a chooser in line; @ret_tx reaches its other arm. */
static void park_chooser(tr_scope *root, uint32_t id, itemq_tx *ret_tx)
{
    struct chooser c = { .m = item(id) };

    open_channel(1);
    put(1);
    c.tx = itemq_tx_clone(&tx);
    need_eq(itemq_new(1, ret_tx, &c.rx), 0);
    chosen = -1;
    need_eq(chooser_spawn(root, &c, NULL), 0);
    step_until(has_line());
}

STEP_TEST(mpsc_forms, selected_send_waits_and_sends_once)
{
    itemq_tx other;

    park_chooser(root, 2, &other);
    check_eq(take(), 1);
    step_until(chosen != -1);
    check_eq(chosen, SEND);
    check_eq(chosen_result, 0);
    check_eq(take(), 2);
    check(!has_line());
    itemq_tx_close(&other);
    close_channel();
}

STEP_TEST(mpsc_forms, send_arm_that_loses_has_sent_nothing)
{
    struct item m = item(3);
    itemq_tx other;

    park_chooser(root, 2, &other);
    check_eq(itemq_try_send(&other, &m), 0);
    step_until(chosen != -1);
    check_eq(chosen, RECV);
    check(!has_line());
    check_eq(take(), 1);
    check_eq(itemq_len(&rx), 0);
    step_until(n_dropped == 1);
    check_eq(n_dropped_of[2], 1, "its owner dropped it");
    itemq_tx_close(&other);
    close_channel();
}

STEP_TEST(mpsc_forms, place_kept_for_a_send_arm_is_not_taken_by_a_try_send)
{
    struct item m = item(3);
    itemq_tx other;

    park_chooser(root, 2, &other);
    check_eq(take(), 1);
    check_eq(itemq_try_send(&tx, &m), -EAGAIN, "there is room, for the first in line");
    step_until(chosen != -1);
    check_eq(chosen, SEND);
    check_eq(take(), 2);
    check_eq(itemq_try_send(&tx, &m), 0);
    itemq_tx_close(&other);
    close_channel();
}

static int next_result = 1;

TR_TASK(next_sender, struct chooser, chooser_drop);

static int next_sender(struct chooser *c)
{
    next_result = itemq_send(&c->tx, &c->m, TR_NEVER);
    return 0;
}

static bool is_line_of_two(void)
{
    struct tri_waiter *w = tri_waitq_first(&rx.end.chan->line);

    return w && w->next != w;
}

/*
 * Both arms become ready before the chooser runs: whichever it takes, the next one in line goes
 * on.
 */
STEP_TEST(mpsc_forms, place_of_a_send_arm_that_loses_goes_to_the_next)
{
    struct chooser next = { .m = item(4) };
    struct item m = item(3);
    itemq_tx other;

    park_chooser(root, 2, &other);
    next.tx = itemq_tx_clone(&tx);
    need_eq(next_sender_spawn(root, &next, NULL), 0);
    step_until(is_line_of_two());
    check_eq(itemq_try_send(&other, &m), 0);
    check_eq(take(), 1);
    step_until(chosen != -1);
    if (chosen == SEND)
        check_eq(take(), 2);
    step_until(next_result != 1);
    check_eq(next_result, 0);
    check_eq(take(), 4);
    check(!has_line());
    itemq_tx_close(&other);
    close_channel();
}

STEP_TEST(mpsc_forms, send_arm_is_ready_when_the_receiver_shuts)
{
    itemq_tx other;

    park_chooser(root, 2, &other);
    itemq_rx_shut(&rx);
    step_until(chosen != -1);
    check_eq(chosen, SEND);
    check_eq(chosen_result, -EPIPE);
    step_until(n_dropped_of[2] == 1);
    itemq_tx_close(&other);
    close_channel();
}
