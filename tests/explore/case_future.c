/* SPDX-License-Identifier: MIT */
/*
 * case_future.c - what comes from outside of the actors: a completer's token, a future of one's
 * own with its waker, and a delay queue into which others insert while one waits.
 */
#include "config.h"

#include <errno.h>

#include <troupe/completer.h>
#include <troupe/delayq.h>
#include <troupe/future.h>

#include "base/lock.h"
#include "explore/explore.h"
#include "explore/ledger.h"
#include "explore/world.h"

/* ---- completer: threads 0 and 1 complete, the last one receives ---- */

TR_ONESHOT(page, struct message, message_drop);
TR_COMPLETER(page, struct message);

static page_rx page_end;
static void *token;
static unsigned n_completed;

static void setup_page(void)
{
    page_tx tx;

    ledger_begin();
    n_completed = 0;
    check(page_new(&tx, &page_end) == 0);
    check(page_completer(&tx, &token) == 0);
}

static void finish_page(void)
{
    check(n_completed == 1);
    page_rx_close(&page_end);
    ledger_finish();
}

static void complete(void)
{
    struct message m = message(1);
    int r = page_complete(token, &m);

    check(!m.id && (r == 0 || r == -EALREADY || r == -EPIPE));
    n_completed += r != -EALREADY;
}

static void complete_twice(void)
{
    complete();
    complete();
}

static void give_up(void)
{
    int r = tr_completer_close(token);

    check(r == 0 || r == -EALREADY);
    n_completed += r == 0;
}

static void receive(void)
{
    struct message m = { NULL };
    int r = page_blocking_recv(&page_end, TR_NEVER, &m);

    check(r == 0 || r == -EPIPE);
    if (r == 0)
        message_got(&m);
}

/* ---- future: thread 0 waits, thread 1 makes it ready ---- */

struct outside {
    tr_future future; /* the one who waits has it */
    struct tri_lock lock;
    bool is_done;
    bool keeps;
    tr_waker waker;
    unsigned value;
};

static struct outside *outside;

static bool poll(tr_future *f, const tr_waker *waker)
{
    struct outside *o = (struct outside *)(void *)f;
    bool done;

    tri_lock_acquire(&o->lock);
    done = o->is_done;
    o->keeps = waker && !done;
    if (o->keeps)
        o->waker = *waker;
    tri_lock_release(&o->lock);
    f->result = done ? 7 : 0;
    return done;
}

static void forget(tr_future *f)
{
    struct outside *o = (struct outside *)(void *)f;

    tri_lock_acquire(&o->lock);
    o->keeps = false;
    tri_lock_release(&o->lock);
}

static void setup_future(void)
{
    outside = tri_mem_alloc(sizeof *outside);
    outside->future = (tr_future){ .poll = poll, .forget = forget };
}

static void setup_future_task(void)
{
    setup_future();
    world_task(0, TRI_KIND_TASK, 1);
}

static void setup_future_movable(void)
{
    setup_future();
    world_task(0, TRI_KIND_MOVABLE, 1);
}

static void finish_future(void)
{
    free(outside);
    world_finish();
}

static int await_until(tr_time deadline)
{
    return world_is_task() ? tr_await(&outside->future, deadline)
                           : tr_blocking_await(&outside->future, deadline);
}

static void await_it(void)
{
    world_enter();
    check(await_until(TR_NEVER) == 7);
    check(outside->value == 7);
}

static void await_a_while(void)
{
    int r;

    world_enter();
    r = await_until(TR_S(2));
    check(r == 7 || r == -ETIMEDOUT);
    check(await_until(TR_NEVER) == 7);
}

static void make_ready(void)
{
    bool wakes;
    tr_waker w;

    outside->value = 7;
    tri_lock_acquire(&outside->lock);
    outside->is_done = true;
    wakes = outside->keeps;
    w = outside->waker;
    tri_lock_release(&outside->lock);
    if (wakes)
        tr_waker_wake(w);
}

static void wake_for_nothing(void)
{
    bool wakes;
    tr_waker w;

    tri_lock_acquire(&outside->lock);
    wakes = outside->keeps;
    w = outside->waker;
    tri_lock_release(&outside->lock);
    if (wakes)
        tr_waker_wake(w);
}

/* ---- delay queue: thread 0, a task, waits; the others insert ---- */

TR_DELAYQ(later, struct message, message_drop);

static later queue;
static tr_delay_key key;

static void setup_later(void)
{
    ledger_begin();
    check(later_new(&queue) == 0);
    world_task(0, TRI_KIND_TASK, 1);
}

/* One is there already, which is due after a reset. */
static void setup_later_1(void)
{
    struct message m;

    setup_later();
    m = message(1);
    check(later_insert(&queue, &m, TR_NEVER, &key) == 0);
}

static void finish_later(void)
{
    later_free(&queue);
    world_finish();
    ledger_finish();
}

static void insert(unsigned k, tr_time when)
{
    struct message m = message(k);

    check(later_insert(&queue, &m, when, NULL) == 0 && !m.id);
}

static void insert_1(void)
{
    insert(1, TR_NOW);
}

static void insert_2(void)
{
    insert(1, TR_S(2));
    insert(2, TR_NOW);
}

static void reset(void)
{
    int r = later_reset(&queue, key, TR_NOW);

    check(r == 0 || r == -ENOENT);
}

static void remove_it(void)
{
    struct message m = { NULL };
    int r = later_remove(&queue, key, &m);

    check(r == 0 ? m.id != NULL : r == -ENOENT);
    message_drop(&m);
}

static void next_until(tr_time deadline)
{
    struct message m = { NULL };
    int r = later_next(&queue, deadline, &m);

    check(r == 0 || (r == -ETIMEDOUT && deadline != TR_NEVER));
    if (r == 0)
        message_end(&m, ledger.n_got);
}

static void next_1(void)
{
    world_enter();
    next_until(TR_NEVER);
}

static void next_2(void)
{
    world_enter();
    next_until(TR_NEVER);
    next_until(TR_NEVER);
}

static void next_a_while(void)
{
    world_enter();
    next_until(TR_S(3));
}

/* ---- broken ---- */

static void unlocked(struct explore_op *op)
{
    if (explore_is(op, "tri_lock_try", EXPLORE_CAS))
        op->ok = true;
}

static void woken_already(struct explore_op *op)
{
    if (explore_is(op, "tri_wake", EXPLORE_OR))
        op->old |= TRI_READY;
}

static void relaxed_unlock(struct explore_op *op)
{
    if (explore_is(op, "tri_lock_release", EXPLORE_EXCHANGE))
        op->order = __ATOMIC_RELAXED;
}

static const struct explore_broken broken_completer[] = {
    { "no lock", unlocked },
    { 0 },
};

static const struct explore_broken broken_future[] = {
    { "a waker takes the one who waits for woken", woken_already },
    { "no lock around the waker", unlocked },
    { "the lock is released in relaxed order", relaxed_unlock },
    { 0 },
};

static const struct explore_broken broken_delayq[] = {
    { "an insert takes the one who waits for woken", woken_already },
    { "no lock", unlocked },
    { 0 },
};

const struct explore_case explore_future_cases[] = {
    { "completer, complete x complete x recv", setup_page, { complete, complete, receive },
      finish_page, 2, 2, broken_completer },
    { "completer, complete twice x close x recv", setup_page,
      { complete_twice, give_up, receive }, finish_page, 1, 2, NULL },
    { "future, await x ready", setup_future, { await_it, make_ready }, finish_future, 3, 4,
      broken_future },
    { "future, await in a task x ready", setup_future_task, { await_it, make_ready },
      finish_future, 3, 4, NULL },
    { "future, await in a movable task x ready x wake", setup_future_movable,
      { await_it, make_ready, wake_for_nothing }, finish_future, 2, 2, NULL },
    { "future, await with a deadline, await x ready", setup_future, { await_a_while, make_ready },
      finish_future, 3, 4, NULL },
    { "future, await with a deadline, await in a task x ready", setup_future_task,
      { await_a_while, make_ready }, finish_future, 2, 3, NULL },
    { "delay queue, next x insert", setup_later, { next_1, insert_1 }, finish_later, 3, 4,
      broken_delayq },
    { "delay queue, next, next x insert later, insert", setup_later, { next_2, insert_2 },
      finish_later, 2, 3, NULL },
    { "delay queue, next, next x insert x insert", setup_later, { next_2, insert_1, insert_1 },
      finish_later, 1, 2, NULL },
    { "delay queue, next x reset", setup_later_1, { next_1, reset }, finish_later, 3, 4, NULL },
    { "delay queue, next with a deadline x remove x reset", setup_later_1,
      { next_a_while, remove_it, reset }, finish_later, 1, 2, NULL },
    { 0 },
};
