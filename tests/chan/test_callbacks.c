/* SPDX-License-Identifier: MIT */
/*
 * test_callbacks.c - functions of the user that the library calls may use the very object that
 * calls them: none of its locks is held. A lock is not recursive: one that is held hangs here.
 */
#include "config.h"

#include <errno.h>

#include "chan/copies.h"
#include "sched/kit.h"

TR_SUITE(callbacks, .init = kit_listen, .timeout = 20);

/* A value that does something when it is dropped, once. */
struct charge {
    void (*fn)(void);
};

static unsigned n_fired;

static void charge_drop(struct charge *c)
{
    void (*fn)(void) = c->fn;

    c->fn = NULL;
    if (fn) {
        n_fired++;
        fn();
    }
}

static int charge_clone(struct charge *dst, const struct charge *src)
{
    (void)src;
    *dst = (struct charge){ NULL };
    return 0;
}

TR_MPSC(chargeq, struct charge, charge_drop);
TR_ONESHOT(chargeo, struct charge, charge_drop);
TR_COMPLETER(chargeo, struct charge);
TR_WATCH(chargew, struct charge, charge_drop);
TR_BROADCAST(chargeb, struct charge, charge_clone, charge_drop);
TR_DELAYQ(charged, struct charge, charge_drop);

/* ---- drop functions ---- */

static chargeq_tx qtx;
static chargeq_rx qrx;

static unsigned n_refused;

static void use_queue(void)
{
    struct charge m = { NULL };

    n_refused += chargeq_try_send(&qtx, &m) < 0;
    n_refused += chargeq_tx_room(&qtx) == 0;
    n_refused += chargeq_try_recv(&qrx, &m) < 0;
    charge_drop(&m);
}

static void check_queue(enum tr_overflow overflow, size_t n_urgent)
{
    const struct tr_mpsc_opts opts = { .capacity = 2,
                                       .overflow = overflow,
                                       .n_urgent = n_urgent };

    n_fired = 0;
    need_eq(chargeq_new_with(&opts, &qtx, &qrx), 0);
    for (unsigned i = 0; i < 4; i++) {
        struct charge m = { use_queue };

        if (chargeq_try_send(&qtx, &m) < 0)
            charge_drop(&m);
    }
    check_ge(n_fired, 1u, "by the policy, or by its owner");
    chargeq_rx_close(&qrx);
    check_eq(n_fired, 4u, "the rest by the close");
    chargeq_tx_close(&qtx);
}

TR_TEST(callbacks, drop_of_a_queue_may_use_it)
{
    check_queue(TR_OVERFLOW_WAIT, 0);
    check_queue(TR_OVERFLOW_DROP_NEWEST, 0);
    check_queue(TR_OVERFLOW_DROP_OLDEST, 0);
    check_queue(TR_OVERFLOW_WAIT, 4);
}

static chargeb_tx btx;
static chargeb_rx brx;

static void send_next(void)
{
    struct charge m = { NULL };
    int r = chargeb_try_send(&btx, &m);

    check_eq(r, chargeb_receivers(&btx) > 0 ? 1 : -EPIPE);
}

TR_TEST(callbacks, drop_of_a_broadcast_may_send_on_it)
{
    n_fired = 0;
    need_eq(chargeb_new(1, 0, &btx, &brx), 0);
    for (unsigned i = 0; i < 3; i++) {
        struct charge m = { send_next };

        need_eq(chargeb_try_send(&btx, &m), 1);
    }
    check_ge(n_fired, 2u, "those that were overwritten");
    chargeb_rx_close(&brx);
    check_eq(n_fired, 3u, "the last one by the last receiver");
    chargeb_tx_close(&btx);
}

static itemb_tx itx;
static itemb_rx irx, other_rx;

static void send_and_subscribe(void)
{
    struct item m = item(7);

    check_eq(itemb_try_send(&itx, &m), 1);
    check_eq(itemb_subscribe(&itx, 0, &other_rx), 0);
}

TR_TEST(callbacks, copy_function_of_a_broadcast_may_send_on_it_and_subscribe)
{
    struct item m = item(5), got;

    need_eq(itemb_new(4, 0, &itx, &irx), 0);
    need_eq(itemb_try_send(&itx, &m), 1);
    in_clone = send_and_subscribe;
    check_eq(itemb_try_recv(&irx, &got), 0);
    check_eq(got.id, 5 + COPY);
    check_eq(itemb_try_recv(&irx, &got), 0);
    check_eq(got.id, 7 + COPY, "sent in the middle of the copy");
    check_eq(itemb_try_recv(&other_rx, &got), -EAGAIN);
    itemb_rx_close(&other_rx);
    itemb_rx_close(&irx);
    itemb_tx_close(&itx);
}

static chargew_tx wtx;
static chargew_rx wrx;

static void publish(void)
{
    struct charge m = { NULL };

    check_eq(chargew_replace(&wtx, &m), 0);
    (void)chargew_receivers(&wtx);
}

static bool publishes(const void *value, void *arg)
{
    unsigned *n = arg;

    (void)value;
    if (*n < 3)
        publish();
    return ++*n > 3;
}

static int modify(const void *now, void *next, void *arg)
{
    unsigned *n = arg;

    (void)now;
    *(struct charge *)next = (struct charge){ NULL };
    if (++*n == 1)
        publish(); /* a quicker one: it is called again */
    return 1;
}

STEP_TEST(callbacks, functions_of_a_watch_may_publish_in_it)
{
    struct charge m = { publish };
    unsigned n = 0;

    n_fired = 0;
    need_eq(chargew_new(&m, &wtx, &wrx), 0);
    m.fn = publish;
    check_eq(chargew_replace(&wtx, &m), 0); /* drops the first one, which publishes */
    (void)chargew_get(&wrx);
    check_ge(n_fired, 2u);
    check_eq(chargew_wait_for(&wrx, publishes, &n, TR_NEVER), 0);
    check_eq(n, 4u);
    n = 0;
    check_eq(chargew_modify(&wtx, modify, &n), 1);
    check_eq(n, 2u);
    chargew_tx_close(&wtx);
    chargew_rx_close(&wrx);
}

static chargeo_tx otx;
static chargeo_rx orx;

static void send_again(void)
{
    struct charge m = { NULL };

    check_eq(chargeo_send(&otx, &m), -EINVAL, "both ends are empty by now");
    check_eq(chargeo_try_recv(&orx, &m), -EINVAL);
}

TR_TEST(callbacks, drop_of_a_oneshot_may_use_its_ends)
{
    struct charge m = { send_again };

    n_fired = 0;
    need_eq(chargeo_new(&otx, &orx), 0);
    check_eq(chargeo_send(&otx, &m), 0);
    chargeo_rx_close(&orx);
    check_eq(n_fired, 1u);
}

static void *token;

static void complete_again(void)
{
    struct charge m = { NULL };

    check_eq(chargeo_complete(token, &m), -EALREADY);
}

TR_TEST(callbacks, drop_of_a_late_call_of_a_completer_may_complete)
{
    struct charge m = { NULL };

    n_fired = 0;
    need_eq(chargeo_new(&otx, &orx), 0);
    need_eq(chargeo_completer(&otx, &token), 0);
    check_eq(chargeo_complete(token, &m), 0);
    m.fn = complete_again;
    check_eq(chargeo_complete(token, &m), -EALREADY);
    check_eq(n_fired, 1u);
    chargeo_rx_close(&orx);
}

static charged dq;

static void insert(void)
{
    struct charge m = { NULL };

    check_eq(charged_insert(&dq, &m, TR_NOW, NULL), 0);
}

TR_TEST(callbacks, drop_of_a_delay_queue_may_insert_into_it)
{
    struct charge m = { insert };
    tr_delay_key key;

    n_fired = 0;
    need_eq(charged_new(&dq), 0);
    need_eq(charged_insert(&dq, &m, TR_NEVER, &key), 0);
    check_eq(charged_remove(&dq, key, NULL), 0);
    check_eq(charged_len(&dq), 1u);
    m.fn = insert;
    need_eq(charged_insert(&dq, &m, TR_NEVER, NULL), 0);
    charged_clear(&dq);
    check_eq(n_fired, 2u);
    check_eq(charged_len(&dq), 1u, "what the drop inserted");
    charged_free(&dq);
}

/* ---- conditions ---- */

static tr_notify notify = TR_NOTIFY_INIT;

static bool notifies(void *arg)
{
    unsigned *n = arg;

    tr_notify_all(&notify);
    tr_notify_one(&notify);
    return ++*n >= 5;
}

STEP_TEST(callbacks, condition_of_a_notify_may_notify)
{
    unsigned n = 0;

    check_eq(tr_notify_wait_until(&notify, notifies, &n, TR_NEVER), 0);
    check_eq(n, 5u);
}
