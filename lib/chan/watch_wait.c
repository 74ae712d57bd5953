/* SPDX-License-Identifier: MIT */
/*
 * watch_wait.c - waiting on a watch: receivers for a change, senders for the last receiver; and
 * changing the value by a function of it. watch.c says why no wake-up is lost; for the senders:
 * whoever closes the last receiving end counts it off and then looks through the line under the
 * lock, and who joins the line looks at the count under the same lock.
 */
#include "config.h"

#include <errno.h>

#include "chan/watch.h"
#include "sched/misuse.h"
#include "sched/worker.h"

/* ---- waiting ---- */

static void join(struct tri_watch_line *line, struct tri_waiter *w)
{
    tri_waitq_append(&line->q, w);
    line->n++;
}

static void leave(struct tri_watch *c, struct tri_watch_line *line, struct tri_waiter *w)
{
    /* acquire: the waker is done with our memory; pairs with tri_wakes_let_go(). */
    if (atomic_load_explicit(&w->done, memory_order_acquire))
        return;
    tri_lock_acquire(&c->lock);
    if (tri_waitq_has(w)) {
        tri_waitq_remove(&line->q, w);
        line->n--;
    }
    tri_lock_release(&c->lock);
}

static bool attempt(tr_arm *arm)
{
    tr_watch_rx *rx = arm->source;
    uint64_t mark;

    arm->result = -EINVAL;
    if (!rx->cell)
        return true;
    rx->seen &= ~TRI_WATCH_KEEP;
    mark = tri_watch_mark(rx->cell);
    arm->result = tri_watch_is_new(rx, mark) ? 0 : -EPIPE;
    if (arm->result < 0)
        return mark & TRI_WATCH_ENDED;
    tri_watch_see(rx, mark);
    return true;
}

static bool enroll(tr_arm *arm, struct tri_waiter *w)
{
    tr_watch_rx *rx = arm->source;
    struct tri_watch *c = rx->cell;
    uint64_t mark;
    bool joins;

    atomic_init(&w->done, false);
    w->next = w->prev = NULL;
    tri_lock_acquire(&c->lock);
    mark = tri_watch_mark(c);
    joins = !tri_watch_is_new(rx, mark) && !(mark & TRI_WATCH_ENDED);
    if (joins)
        join(&c->line, w);
    tri_lock_release(&c->lock);
    return joins;
}

static bool withdraw(tr_arm *arm, struct tri_waiter *w)
{
    struct tri_watch *c = ((tr_watch_rx *)arm->source)->cell;

    leave(c, &c->line, w);
    return false;
}

static const struct tri_arm_ops changed_ops = {
    .what = "watch changed",
    .attempt = attempt,
    .enroll = enroll,
    .withdraw = withdraw,
};

tr_arm tr_watch_changed_arm(tr_watch_rx *rx)
{
    if (!rx)
        return (tr_arm){ 0 };
    return (tr_arm){ .ops = &changed_ops, .source = rx };
}

int tr_watch_changed(tr_watch_rx *rx, tr_time deadline)
{
    tr_arm arm;
    int r;

    if (!rx || !rx->cell)
        return -EINVAL;
    arm = tr_watch_changed_arm(rx);
    r = tri_wait(&arm, deadline);
    return r < 0 ? r : arm.result;
}

int tr_watch_blocking_changed(tr_watch_rx *rx, tr_time deadline)
{
    tr_arm arm;
    int r;

    if (!rx || !rx->cell)
        return -EINVAL;
    arm = tr_watch_changed_arm(rx);
    r = tri_wait_blocking(&arm, deadline, __builtin_return_address(0));
    return r < 0 ? r : arm.result;
}

static int wait_for(tr_watch_rx *rx, tr_watch_fn *fn, void *arg, tr_time deadline,
                    int (*changed)(tr_watch_rx *rx, tr_time deadline))
{
    int r;

    rx->seen &= ~TRI_WATCH_KEEP;
    while (!fn(tr_watch_get(rx), arg)) {
        r = changed(rx, deadline);
        if (r < 0)
            return r;
    }
    rx->seen |= TRI_WATCH_KEEP; /* the next get() gives the very value that was tested */
    return 0;
}

int tr_watch_wait_for(tr_watch_rx *rx, tr_watch_fn *fn, void *arg, tr_time deadline)
{
    int r;

    if (!rx || !rx->cell || !fn)
        return -EINVAL;
    r = tri_wait_enter(tri_self());
    return r < 0 ? r : wait_for(rx, fn, arg, deadline, tr_watch_changed);
}

int tr_watch_blocking_wait_for(tr_watch_rx *rx, tr_watch_fn *fn, void *arg, tr_time deadline)
{
    struct tri_worker *worker = tri_worker_self();

    if (!rx || !rx->cell || !fn)
        return -EINVAL;
    if (worker)
        return tri_misuse_blocks(worker, "watch wait_for", __builtin_return_address(0));
    return wait_for(rx, fn, arg, deadline, tr_watch_blocking_changed);
}

/* ---- waiting until nobody listens ---- */

static bool closed_attempt(tr_arm *arm)
{
    tr_watch_tx *tx = arm->source;

    arm->result = tx->cell ? 0 : -EINVAL;
    return tr_watch_tx_is_closed(tx);
}

static bool closed_enroll(tr_arm *arm, struct tri_waiter *w)
{
    struct tri_watch *c = ((tr_watch_tx *)arm->source)->cell;
    bool joins;

    atomic_init(&w->done, false);
    w->next = w->prev = NULL;
    tri_lock_acquire(&c->lock);
    /* relaxed: whoever makes it 0 takes the lock afterwards. */
    joins = atomic_load_explicit(&c->n_rx, memory_order_relaxed) > 0;
    if (joins)
        join(&c->closed, w);
    tri_lock_release(&c->lock);
    return joins;
}

static bool closed_withdraw(tr_arm *arm, struct tri_waiter *w)
{
    struct tri_watch *c = ((tr_watch_tx *)arm->source)->cell;

    leave(c, &c->closed, w);
    return false;
}

static const struct tri_arm_ops closed_ops = {
    .what = "watch closed",
    .attempt = closed_attempt,
    .enroll = closed_enroll,
    .withdraw = closed_withdraw,
};

tr_arm tr_watch_closed_arm(tr_watch_tx *tx)
{
    if (!tx)
        return (tr_arm){ 0 };
    return (tr_arm){ .ops = &closed_ops, .source = tx };
}

int tr_watch_closed(tr_watch_tx *tx, tr_time deadline)
{
    tr_arm arm;
    int r;

    if (!tx || !tx->cell)
        return -EINVAL;
    arm = tr_watch_closed_arm(tx);
    r = tri_wait(&arm, deadline);
    return r < 0 ? r : arm.result;
}

int tr_watch_blocking_closed(tr_watch_tx *tx, tr_time deadline)
{
    tr_arm arm;
    int r;

    if (!tx || !tx->cell)
        return -EINVAL;
    arm = tr_watch_closed_arm(tx);
    r = tri_wait_blocking(&arm, deadline, __builtin_return_address(0));
    return r < 0 ? r : arm.result;
}

/* ---- changing the value by a function of it ---- */

/*
 * Publishes @next if @now is still the newest. The caller has counts on both. Returns 1, 0: it
 * is not, -ENOMEM.
 */
static int publish_after(struct tri_watch *c, struct tri_snapshot *now, struct tri_snapshot *next)
{
    struct tri_slot *slot = tri_watch_lock(c);
    struct tri_snapshot *old;

    if (!slot)
        return -ENOMEM;
    /* relaxed: only writers change it, and we have the lock. */
    if (atomic_load_explicit(&c->now, memory_order_relaxed) != now) {
        tri_lock_release(&c->lock);
        return 0;
    }
    old = tri_watch_publish(c, slot, next);
    tri_watch_wake(c, &c->line);
    tri_snapshot_unref(old);
    return 1;
}

int tr_watch_modify(tr_watch_tx *tx, tr_watch_modify_fn *fn, void *arg)
{
    struct tri_watch *c = tx ? tx->cell : NULL;
    struct tri_snapshot *now, *next;
    int r, done;

    if (!c || !fn)
        return -EINVAL;
    for (;;) {
        next = tri_snapshot_new(c->type);
        if (!next)
            return -ENOMEM;
        memset(next->value, 0, c->type->size);
        now = tri_published_pin(&c->published);
        r = fn(now->value, next->value, arg);
        done = r > 0 ? publish_after(c, now, next) : r;
        if (done <= 0)
            tri_snapshot_unref(next); /* drops what the function left in it */
        tri_snapshot_unref(now);
        if (r <= 0 || done != 0)
            return done;
    }
}
