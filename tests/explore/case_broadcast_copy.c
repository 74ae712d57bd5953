/* SPDX-License-Identifier: MIT */
/*
 * case_broadcast_copy.c - chan/broadcast through a clone function: the original and every copy
 * are dropped once, when nobody needs them, whether they were received, lost, or never looked
 * at.
 */
#include "config.h"

#include <errno.h>

#include <troupe/broadcast.h>

#include "explore/explore.h"
#include "explore/world.h"
#include "mem/alloc.h"

struct event {
    uint64_t *n; /* an object of its own: to be dropped once */
};

static unsigned n_made, n_dropped;
static bool clone_fails; /* the first one */

static struct event event(uint64_t n)
{
    struct event e = { tri_mem_alloc(sizeof *e.n) };

    *e.n = n;
    n_made++;
    return e;
}

static int event_clone(struct event *dst, const struct event *src)
{
    if (clone_fails) {
        clone_fails = false;
        return -ENOSPC;
    }
    *dst = event(*src->n);
    return 0;
}

static void event_drop(struct event *e)
{
    if (!e->n)
        return;
    free(e->n);
    e->n = NULL;
    n_dropped++;
}

TR_BROADCAST(events, struct event, event_clone, event_drop);

static events_tx tx;
static events_rx rx[EXPLORE_THREADS];
static uint64_t next_of[EXPLORE_THREADS];

static void begin(size_t capacity, unsigned flags, unsigned n_rx)
{
    n_made = n_dropped = 0;
    clone_fails = false;
    check(events_new(capacity, flags, &tx, NULL) == 0);
    for (unsigned t = 0; t < EXPLORE_THREADS; t++) {
        rx[t] = (events_rx){ 0 };
        next_of[t] = 1;
        if (t >= 1 && t <= n_rx)
            check(events_subscribe(&tx, 0, &rx[t]) == 0);
    }
}

static void setup_1(void)
{
    begin(1, 0, 1);
}

static void setup_2(void)
{
    begin(2, 0, 1);
}

static void setup_2_rx(void)
{
    begin(1, 0, 2);
}

static void setup_wait(void)
{
    begin(1, TR_BROADCAST_WAIT, 1);
}

static void setup_failing(void)
{
    begin(2, 0, 1);
    clone_fails = true;
}

static void finish(void)
{
    events_tx_close(&tx);
    for (unsigned t = 0; t < EXPLORE_THREADS; t++)
        events_rx_close(&rx[t]);
    check(n_dropped == n_made);
}

/* ---- threads ---- */

static void send_n(uint64_t n)
{
    for (uint64_t i = 1; i <= n; i++) {
        struct event e = event(i);
        int r = events_blocking_send(&tx, &e, TR_NEVER);

        check(r > 0 ? !e.n : r == -EPIPE && e.n);
        event_drop(&e);
    }
}

static void send_2(void)
{
    send_n(2);
}

static void send_2_close(void)
{
    send_n(2);
    events_tx_close(&tx);
}

static void send_3_close(void)
{
    send_n(3);
    events_tx_close(&tx);
}

static void send_1(void)
{
    send_n(1);
}

/* Every position is received, lost, or failed to be copied, in order. */
static int took(int r, struct event *e)
{
    uint64_t *next = &next_of[explore_self()];

    if (r == 0) {
        check(*e->n == *next);
        event_drop(e);
    }
    *next += r == -ESTALE ? events_lost(&rx[explore_self()]) : r == 0 || r == -ENOSPC;
    return r;
}

static int recv_next(void)
{
    struct event e = { NULL };

    return took(events_blocking_recv(&rx[explore_self()], TR_NEVER, &e), &e);
}

static int try_next(void)
{
    struct event e = { NULL };

    return took(events_try_recv(&rx[explore_self()], &e), &e);
}

static void recv_all(uint64_t n)
{
    int r;

    do
        r = recv_next();
    while (r == 0 || r == -ESTALE || r == -ENOSPC);
    check(r == -EPIPE && next_of[explore_self()] == n + 1);
    events_rx_close(&rx[explore_self()]);
}

static void recv_2(void)
{
    recv_all(2);
}

static void recv_3(void)
{
    recv_all(3);
}

static void try_2(void)
{
    (void)try_next();
    (void)try_next();
}

static void try_2_close(void)
{
    try_2();
    events_rx_close(&rx[explore_self()]);
}

static void close_rx(void)
{
    events_rx_close(&rx[explore_self()]);
}

/* ---- broken ---- */

static void held_unseen(struct explore_op *op)
{
    if (explore_is(op, "hold", EXPLORE_CAS))
        op->ok = op->writes = true;
}

static void left_unseen(struct explore_op *op)
{
    if (explore_is(op, "tri_original_leave", EXPLORE_CAS))
        op->ok = op->writes = true;
}

static void detached_by_store(struct explore_op *op)
{
    /* Who detaches it does not see the holders. */
    if (explore_is(op, "tri_original_detach", EXPLORE_OR))
        op->old &= UINT32_MAX;
}

static void relaxed_put(struct explore_op *op)
{
    if (explore_is(op, "tri_original_put", EXPLORE_EXCHANGE))
        op->order = __ATOMIC_RELAXED;
}

static void relaxed_leave(struct explore_op *op)
{
    if (explore_is(op, "tri_original_leave", EXPLORE_CAS))
        op->order = __ATOMIC_RELAXED;
}

static const struct explore_broken broken[] = {
    { "a holder enters by a plain store", held_unseen },
    { "detached without a look at the holders", detached_by_store },
    { "put in relaxed order", relaxed_put },
    { 0 },
};

static const struct explore_broken broken_2_rx[] = {
    { "a holder leaves by a plain store", left_unseen },
    { "a holder leaves in relaxed order", relaxed_leave },
    { 0 },
};

const struct explore_case explore_broadcast_copy_cases[] = {
    { "broadcast of copies 1, send 2 x try 2", setup_1, { send_2, try_2 }, finish, 3, 5, broken },
    { "broadcast of copies 1, send 3, close x recv", setup_1, { send_3_close, recv_3 }, finish, 2,
      3, NULL },
    { "broadcast of copies 2, send 2, close x recv, one copy fails", setup_failing,
      { send_2_close, recv_2 }, finish, 2, 3, NULL },
    { "broadcast of copies 2, send 2 x try 2, close", setup_2, { send_2, try_2_close }, finish, 2,
      3, NULL },
    { "broadcast of copies 1, send 2 x close", setup_1, { send_2, close_rx }, finish, 3,
      EXPLORE_ALL, NULL },
    { "broadcast of copies 1, send x try 2 x try 2", setup_2_rx, { send_1, try_2, try_2 }, finish,
      2, 3, broken_2_rx },
    { "broadcast of copies 1, send 2 x try 2 x try 2, close", setup_2_rx,
      { send_2, try_2, try_2_close }, finish, 2, 2, NULL },
    { "broadcast of copies wait 1, send 2, close x recv", setup_wait, { send_2_close, recv_2 },
      finish, 2, 3, NULL },
    { 0 },
};
