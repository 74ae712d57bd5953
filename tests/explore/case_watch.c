/* SPDX-License-Identifier: MIT */
/*
 * case_watch.c - chan/watch.c: a receiver never sees an older value after a newer one, hears of
 * each change and of the end, and every snapshot is dropped once, when nobody holds it.
 */
#include "config.h"

#include <errno.h>

#include "chan/watch.h"
#include "explore/explore.h"
#include "explore/world.h"
#include "mem/alloc.h"

struct value {
    unsigned n;     /* grows */
    unsigned *held; /* an object of its own: to be dropped once */
};

static unsigned n_made, n_dropped;

static struct value value(unsigned n)
{
    struct value v = { n, tri_mem_alloc(sizeof *v.held) };

    *v.held = n;
    n_made++;
    return v;
}

static void value_drop(struct value *v)
{
    if (!v->held)
        return;
    check(*v->held == v->n);
    free(v->held);
    v->held = NULL;
    n_dropped++;
}

TR_WATCH(watched, struct value, value_drop);

static watched_tx tx, tx_2;
static watched_rx rx, rx_2;
static unsigned n_seen[EXPLORE_THREADS];
static struct world_worker *worker; /* thread 0's; NULL: a plain thread */
static uint64_t first_mark;         /* for one_look() */
static unsigned n_look;

static void setup(void)
{
    struct value v;

    n_made = n_dropped = n_look = 0;
    tx_2 = (watched_tx){ 0 };
    rx_2 = (watched_rx){ 0 };
    worker = NULL;
    for (unsigned t = 0; t < EXPLORE_THREADS; t++)
        n_seen[t] = 0;
    v = value(1);
    check(watched_new(&v, &tx, &rx) == 0);
}

static void setup_task(void)
{
    setup();
    worker = world_worker_new(TRI_KIND_TASK, 1);
}

static void setup_2_tx(void)
{
    setup();
    tx_2 = watched_tx_clone(&tx);
}

static void setup_2_rx(void)
{
    setup();
    rx_2 = watched_rx_clone(&rx);
}

static void finish(void)
{
    watched_tx_close(&tx);
    watched_tx_close(&tx_2);
    watched_rx_close(&rx);
    watched_rx_close(&rx_2);
    world_worker_free(worker);
    check(n_dropped == n_made);
}

/* ---- receiving ---- */

static void look_at(const struct value *v)
{
    check(*v->held == v->n);
    check(v->n >= n_seen[explore_self()]);
    n_seen[explore_self()] = v->n;
}

static void get(watched_rx *r)
{
    look_at(watched_get(r));
}

static int changed(tr_time deadline)
{
    if (worker)
        world_worker_enter(worker);
    return worker ? watched_changed(&rx, deadline) : watched_blocking_changed(&rx, deadline);
}

/* The first two values sent may come as one change; the last one is not missed. */
static void await_3(void)
{
    do {
        check(changed(TR_NEVER) == 0);
        get(&rx);
    } while (n_seen[explore_self()] < 3);
}

static void await_end(void)
{
    int r;

    do {
        r = changed(TR_NEVER);
        if (r == 0)
            get(&rx);
    } while (r == 0);
    check(r == -EPIPE);
    get(&rx);
    check(n_seen[explore_self()] == 2); /* the last value, also after the end */
}

static void await_a_while(void)
{
    int r = changed(TR_S(2));

    check(r == 0 || r == -ETIMEDOUT);
    get(&rx);
    if (r == 0)
        check(n_seen[explore_self()] >= 2);
    watched_rx_close(&rx);
}

static void get_twice(void)
{
    get(&rx);
    get(&rx);
}

static void pin_across(void)
{
    const struct value *pinned = watched_pin(&rx);
    const unsigned n = pinned->n;

    get(&rx);
    check(pinned->n == n && *pinned->held == n);
    watched_unpin(pinned);
    watched_rx_close(&rx);
}

static void tx_pin(void)
{
    const struct value *pinned = watched_tx_pin(&tx_2);

    look_at(pinned);
    watched_unpin(pinned);
    watched_tx_close(&tx_2);
}

static void get_and_close_2(void)
{
    get(&rx_2);
    watched_rx_close(&rx_2);
}

/*
 * The first value is seen; finish_unseen() and finish_seen() look when the send has returned.
 */
static void peek(void)
{
    (void)watched_peek(&rx);
}

static void finish_unseen(void)
{
    check(watched_has_changed(&rx));
    finish();
}

static void get_and_mark(void)
{
    get(&rx);
    watched_mark_unchanged(&rx);
}

static void peek_and_await(void)
{
    look_at(watched_peek(&rx));
    check(changed(TR_NEVER) == 0);
}

/* Who has seen the second value has seen all of them. */
static void finish_seen(void)
{
    check(n_seen[0] < 2 || !watched_has_changed(&rx));
    finish();
}

/* ---- sending ---- */

static void send_value(watched_tx *t, unsigned n)
{
    struct value v = value(n);
    int r = watched_send(t, &v);

    check(r == 0 || r == -EPIPE);
    check((r == 0) == !v.held);
    value_drop(&v);
}

static void send_2(void)
{
    send_value(&tx, 2);
}

static void send_2_3(void)
{
    send_value(&tx, 2);
    send_value(&tx, 3);
}

static void send_2_close(void)
{
    send_value(&tx, 2);
    watched_tx_close(&tx);
}

static void send_3_close(void)
{
    send_value(&tx_2, 2);
    watched_tx_close(&tx_2);
}

static void subscribe(void)
{
    rx_2 = watched_subscribe(&tx);
    send_value(&tx, 2);
    check(watched_has_changed(&rx_2));
}

/* ---- broken ---- */

static void early_reuse(struct explore_op *op)
{
    /* A slot is written again although somebody is about to read it. */
    if (explore_is(op, "is_free", EXPLORE_LOAD))
        op->old = explore_peek((const char *)op->addr - offsetof(struct tri_slot, n_out) +
                               offsetof(struct tri_slot, n_in));
}

static void uncounted(struct explore_op *op)
{
    /* Who arrived while the snapshot was the newest is not counted when it goes. */
    if (explore_is(op, "tri_published_put", EXPLORE_EXCHANGE))
        op->old &= ((uint64_t)1 << TRI_SLOT_BITS) - 1;
}

static void early_leave(struct explore_op *op)
{
    /* Nobody waits for the reads of the slot to end. */
    if (explore_is(op, "tri_published_pin", EXPLORE_ADD) && op->order == __ATOMIC_RELEASE)
        op->order = __ATOMIC_RELAXED;
}

static void one_look(struct explore_op *op)
{
    /* The waiter joins the line by what it saw before it took the lock. */
    if (!explore_is(op, "tri_watch_mark", EXPLORE_LOAD) || explore_self() != 0)
        return;
    if (n_look++ % 2 == 1)
        op->old = first_mark;
    first_mark = op->old;
}

static void relaxed_publish(struct explore_op *op)
{
    if (explore_is(op, "tri_published_put", EXPLORE_EXCHANGE))
        op->order = __ATOMIC_RELAXED;
}

static void unlocked(struct explore_op *op)
{
    if (explore_is(op, "tri_lock_try", EXPLORE_CAS))
        op->ok = true;
}

static const struct explore_broken broken_changed[] = {
    { "the waiter does not look again under the lock", one_look },
    { "no lock", unlocked },
    { 0 },
};

static const struct explore_broken broken_get[] = {
    { "a slot is written while it is read", early_reuse },
    { "pins are not counted when the value is replaced", uncounted },
    { "a slot is left in relaxed order", early_leave },
    { "published in relaxed order", relaxed_publish },
    { 0 },
};

const struct explore_case explore_watch_cases[] = {
    { "watch, changed x send, send", setup, { await_3, send_2_3 }, finish, 3, 4,
      broken_changed },
    { "watch, changed in a task x send, send", setup_task, { await_3, send_2_3 }, finish, 3,
      4, NULL },
    { "watch, changed x send, close", setup, { await_end, send_2_close }, finish, 3, 4,
      NULL },
    { "watch, changed with a deadline x send", setup, { await_a_while, send_2 }, finish,
      3, 4, NULL },
    { "watch, get, get x send, send", setup, { get_twice, send_2_3 }, finish, EXPLORE_ALL,
      EXPLORE_ALL, broken_get },
    { "watch, pin, get, unpin x send, send", setup, { pin_across, send_2_3 }, finish, 3,
      4, NULL },
    { "watch, get x get x send", setup_2_rx, { pin_across, send_2_3, get_and_close_2 }, finish, 2,
      3, NULL },
    { "watch, get, get x send, send x pin of a sender", setup_2_tx, { get_twice, send_2_3, tx_pin },
      finish, 2, 3, NULL },
    { "watch, changed x send, close x send, close", setup_2_tx,
      { await_end, send_2_close, send_3_close }, finish, 1, 2, NULL },
    { "watch, peek x send", setup, { peek, send_2 }, finish_unseen, EXPLORE_ALL, EXPLORE_ALL,
      NULL },
    { "watch, get, mark x send", setup, { get_and_mark, send_2 }, finish_seen, EXPLORE_ALL,
      EXPLORE_ALL, NULL },
    { "watch, peek, changed x send", setup, { peek_and_await, send_2 }, finish_seen, 3, 4,
      NULL },
    { "watch, changed x subscribe, send", setup, { await_a_while, subscribe }, finish, 3,
      4, NULL },
    { 0 },
};
