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

#include <troupe/mpsc.h>

#include "base/lock.h"
#include "chan/mpsc.h"
#include "support/tr-actor-test.h"

TR_SUITE(fork_chan, .timeout = 20);

static unsigned n_dropped;

static void count_drop(int *m)
{
    (void)m;
    n_dropped++;
}

TR_MPSC(nums, int, count_drop);

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
