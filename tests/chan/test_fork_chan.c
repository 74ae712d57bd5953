/* SPDX-License-Identifier: MIT */
/*
 * test_fork_chan.c - an end that a forked child closes, while a thread that it has not
 * inherited held the lock: the test holds it across the fork. The alarm is for a child that
 * waits for it.
 */
#include "config.h"

#include <errno.h>
#include <sys/wait.h>
#include <unistd.h>

#include <troupe/ask.h>
#include <troupe/mpsc.h>
#include <troupe/mutex.h>
#include <troupe/semaphore.h>
#include <troupe/task.h>
#include <troupe/tracker.h>

#include "base/lock.h"
#include "chan/broadcast.h"
#include "chan/mpsc.h"
#include "chan/watch.h"
#include "sched/gate.h"
#include "support/tr-actor-test.h"
#include "sync/crowd.h"

TR_SUITE(fork_chan, .timeout = 20);

static unsigned n_dropped;

static void count_drop(int *m)
{
    (void)m;
    n_dropped++;
}

TR_MPSC(nums, int, count_drop);
TR_WATCH(level, int, count_drop);
TR_BROADCAST(news, int, tr_copy, tr_nodrop);

/* In the child: it must be over within two seconds. */
static void limit_child(void)
{
    (void)alarm(2);
}

static void check_child_ends(pid_t pid)
{
    int status = -1;

    need_eq(waitpid(pid, &status, 0), pid);
    check(WIFEXITED(status), "it hung");
    check_eq(WEXITSTATUS(status), 0);
}

ACTOR_TEST(fork_chan, a_receiving_end_closes_under_a_lost_lock)
{
    nums_tx tx;
    nums_rx rx;
    int m = 1;
    pid_t pid;

    need_eq(nums_new(4, &tx, &rx), 0);
    need_eq(nums_try_send(&tx, &m), 0);
    tri_lock_acquire(&rx.end.chan->lock);
    pid = fork();
    if (pid == 0) {
        limit_child();
        nums_rx_close(&rx);
        nums_tx_close(&tx);
        _exit(rx.end.chan || n_dropped > 0);
    }
    tri_lock_release(&rx.end.chan->lock);
    check_child_ends(pid);
    nums_rx_close(&rx);
    nums_tx_close(&tx);
    check_eq(n_dropped, 1, "in the parent");
}

ACTOR_TEST(fork_chan, a_child_that_closes_the_last_sending_end_tells_nobody)
{
    nums_tx tx;
    nums_rx rx;
    int m;
    pid_t pid;

    need_eq(nums_new(4, &tx, &rx), 0);
    pid = fork();
    if (pid == 0) {
        limit_child();
        nums_tx_close(&tx);
        _exit(nums_try_recv(&rx, &m) == -EPIPE || tx.end.chan);
    }
    check_child_ends(pid);
    nums_tx_close(&tx);
    nums_rx_close(&rx);
}

ACTOR_TEST(fork_chan, permits_close_under_a_lost_lock)
{
    const struct tr_mpsc_opts opts = { .capacity = 4 };
    nums_tx tx;
    nums_rx rx;
    nums_permit permit;
    pid_t pid;

    need_eq(nums_new_with(&opts, &tx, &rx), 0);
    need_eq(nums_reserve(&tx, 2, TR_NEVER, &permit), 0);
    tri_lock_acquire(&rx.end.chan->lock);
    pid = fork();
    if (pid == 0) {
        limit_child();
        nums_permit_close(&permit);
        _exit(permit.end.n > 0);
    }
    tri_lock_release(&rx.end.chan->lock);
    check_child_ends(pid);
    nums_permit_close(&permit);
    nums_tx_close(&tx);
    nums_rx_close(&rx);
}

ACTOR_TEST(fork_chan, the_ends_of_a_watch_close_under_a_lost_lock)
{
    level_tx tx;
    level_rx rx;
    int v = 1;
    pid_t pid;

    n_dropped = 0;
    need_eq(level_new(&v, &tx, &rx), 0);
    check_eq(*level_get(&rx), 1);
    tri_lock_acquire(&rx.end.cell->lock);
    pid = fork();
    if (pid == 0) {
        limit_child();
        level_rx_close(&rx);
        level_tx_close(&tx);
        _exit(rx.end.cell || tx.end.cell || n_dropped > 0);
    }
    tri_lock_release(&rx.end.cell->lock);
    check_child_ends(pid);
    level_rx_close(&rx);
    level_tx_close(&tx);
    check_eq(n_dropped, 1, "in the parent");
}

ACTOR_TEST(fork_chan, the_ends_of_a_broadcast_close_under_a_lost_lock)
{
    news_tx tx;
    news_rx rx;
    pid_t pid;

    need_eq(news_new(4, 0, &tx, &rx), 0);
    tri_lock_acquire(&tx.end.chan->lock);
    pid = fork();
    if (pid == 0) {
        limit_child();
        news_rx_close(&rx);
        news_tx_close(&tx);
        _exit(rx.end.sub || tx.end.chan);
    }
    tri_lock_release(&tx.end.chan->lock);
    check_child_ends(pid);
    news_rx_close(&rx);
    news_tx_close(&tx);
}

TR_REPLY(answer, int);
struct question {
    answer reply;
};
static void question_drop(struct question *q)
{
    answer_close(&q->reply);
}
TR_MPSC(desk, struct question, question_drop);
TR_ASK(desk, desk_tx, struct question, reply, answer);

/* The answer is half written by a thread that the child has not. */
ACTOR_TEST(fork_chan, a_question_ends_whose_replier_is_lost)
{
    struct question m = { { { 0 } } }, got;
    desk_question q;
    desk_tx tx;
    desk_rx rx;
    int n = 0;
    pid_t pid;

    need_eq(desk_new(1, &tx, &rx), 0);
    need_eq(desk_ask_begin(&tx, &m, TR_NEVER, &n, &q), 0);
    need_eq(desk_try_recv(&rx, &got), 0);
    check(tri_gate_enter(got.reply.end.gate, got.reply.end.serial) == &n);
    pid = fork();
    if (pid == 0) {
        limit_child();
        _exit(desk_ask_end(&q) || q.end.gate);
    }
    tri_gate_leave(got.reply.end.gate, got.reply.end.serial);
    check_child_ends(pid);
    check(desk_ask_end(&q), "in the parent");
    desk_tx_close(&tx);
    desk_rx_close(&rx);
}

ACTOR_TEST(fork_chan, a_member_leaves_under_a_lost_lock)
{
    tr_tracker t = TR_TRACKER_INIT;
    tr_member m = tr_tracker_enter(&t);
    pid_t pid;

    tri_lock_acquire(&tri_crowd_of(&t.inside)->lock);
    pid = fork();
    if (pid == 0) {
        limit_child();
        tr_member_leave(&m);
        _exit(m.tracker != NULL);
    }
    tri_lock_release(&tri_crowd_of(&t.inside)->lock);
    check_child_ends(pid);
    tr_member_leave(&m);
    check_eq(tr_tracker_len(&t), 0);
}

static tr_semaphore one = TR_SEMAPHORE_INIT(1);

struct nothing {
    char unused;
};
TR_TASK(taker, struct nothing, tr_nodrop);

static int taker(struct nothing *n)
{
    (void)n;
    check_eq(tr_semaphore_acquire(&one, 1, TR_NEVER), 0);
    check_eq(tr_semaphore_release(&one, 1), 0);
    return 0;
}

ACTOR_TEST(fork_chan, permits_that_are_waited_for_are_released_under_a_lost_lock)
{
    struct tri_crowd *c = tri_crowd_of(&one.inside);
    struct nothing n = { 0 };
    pid_t pid;

    need_eq(tr_semaphore_acquire(&one, 1, TR_NEVER), 0);
    need_eq(taker_spawn(root, &n, NULL), 0);
    while (!(tri_crowd_look(&one.inside) & TRI_CROWD_WAITING))
        need_eq(tr_yield(), 0);
    tri_lock_acquire(&c->lock);
    pid = fork();
    if (pid == 0) {
        limit_child();
        _exit(tr_semaphore_release(&one, 1) != 0);
    }
    tri_lock_release(&c->lock);
    check_child_ends(pid);
    check_eq(tr_semaphore_release(&one, 1), 0);
}

ACTOR_TEST(fork_chan, a_child_that_unlocks_the_mutex_of_its_parent_is_not_told_off)
{
    tr_mutex mutex = TR_MUTEX_INIT;
    pid_t pid;

    need_eq(tr_mutex_lock(&mutex, TR_NEVER), 0);
    pid = fork();
    if (pid == 0)
        _exit(tr_mutex_unlock(&mutex) != -EOWNERDEAD);
    check_child_ends(pid);
    check_eq(tr_mutex_unlock(&mutex), 0);
}
