/* SPDX-License-Identifier: MIT */
/*
 * test_sim.c - the simulated world: its time, its pollers, faults, counters and signals.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "reactor/sim.h"
#include "support/tr-test.h"

static struct tri_backend *b;
static const struct tri_backend_ops *ops;
static struct tri_poller *p;
static struct tri_event ev[8];

static void make_world(void)
{
    b = tri_sim_new(test_seed());
    need(b);
    ops = b->ops;
    need_eq(ops->poller_open(b, &p), 0);
}

static void free_world(void)
{
    check_eq(tri_sim_n_open(b), 0u, "a test left a descriptor open");
    ops->poller_close(p);
    tri_sim_free(b);
    tri_sim_free(NULL);
}

TR_SUITE(sim, .init = make_world, .fini = free_world);

TR_TEST(sim, time_stands_still_and_jumps_to_the_deadline)
{
    check_eq(ops->now(b), TR_S(1));
    check_eq(ops->poller_wait(p, TR_NOW, ev, 8), 0);
    check_eq(ops->now(b), TR_S(1));
    check_eq(ops->poller_wait(p, TR_S(86400) + 7, ev, 8), 0);
    check_eq(ops->now(b), TR_S(86400) + 7);
    check_eq(ops->poller_wait(p, TR_S(2), ev, 8), 0);
    check_eq(ops->now(b), TR_S(86400) + 7, "a deadline in the past moved time");
    tri_sim_advance(b, 5);
    check_eq(ops->now(b), TR_S(86400) + 12);
}

TR_TEST(sim, a_wait_that_nothing_can_end_is_a_deadlock)
{
    check_eq(ops->poller_wait(p, TR_NEVER, ev, 8), -EDEADLK);
    ops->poller_wake(p);
    ops->poller_wake(p);
    check_eq(ops->poller_wait(p, TR_NEVER, ev, 8), 0);
    check_eq(ops->poller_wait(p, TR_NEVER, ev, 8), -EDEADLK);
    check_eq(ops->now(b), TR_S(1));
}

TR_TEST(sim, a_wait_does_not_pass_over_what_another_poller_has_to_do)
{
    struct tri_poller *q;

    need_eq(ops->poller_open(b, &q), 0);
    ops->poller_wake(q);
    check_eq(ops->poller_wait(p, TR_S(9), ev, 8), 0);
    check_eq(ops->now(b), TR_S(1));
    check_eq(ops->poller_wait(q, TR_S(9), ev, 8), 0);
    check_eq(ops->poller_wait(p, TR_S(9), ev, 8), 0);
    check_eq(ops->now(b), TR_S(9));
    ops->poller_close(q);
}

TR_TEST(sim, random_numbers_are_those_of_the_seed)
{
    struct tri_backend *same = tri_sim_new(7), *again = tri_sim_new(7), *other = tri_sim_new(8);

    for (int i = 0; i < 100; i++) {
        uint64_t x = ops->random(same);

        check_eq(ops->random(again), x);
        check_ne(ops->random(other), x);
    }
    tri_sim_free(same);
    tri_sim_free(again);
    tri_sim_free(other);
}

TR_TEST(sim, every_nth_call_fails_as_told)
{
    int fd[6];

    tri_sim_fail(b, TRI_SIM_EVENTFD, 3, EMFILE);
    for (int i = 0; i < 6; i++) {
        fd[i] = ops->eventfd(b, 0);
        check_eq(fd[i] == -EMFILE, i % 3 == 2);
    }
    tri_sim_fail(b, TRI_SIM_EVENTFD, 0, 0);
    for (int i = 0; i < 6; i++)
        if (fd[i] >= 0)
            check_eq(ops->close(b, fd[i]), 0);
    tri_sim_fail(b, TRI_SIM_POLLER_OPEN, 1, ENOMEM);
    check_eq(ops->poller_open(b, &p), -ENOMEM);
}

TR_TEST(sim, a_counter_counts_and_reports_each_write)
{
    uint64_t one = 1, sum = 0;
    int fd = ops->eventfd(b, 0);

    need_ge(fd, 0);
    check_eq(ops->read(b, fd, &sum, sizeof sum), -EAGAIN);
    need_eq(ops->poller_add(p, fd, &one), 0);
    check_eq(ops->poller_add(p, fd, &one), -EEXIST);
    check_eq(ops->poller_wait(p, TR_NOW, ev, 8), 1);
    check_eq(ev[0].events, (uint32_t)EPOLLOUT);
    for (int i = 0; i < 3; i++) {
        check_eq(ops->write(b, fd, &one, sizeof one), 8);
        check_eq(ops->poller_wait(p, TR_NEVER, ev, 8), 1);
        check_eq(ev[0].data, &one);
        check_eq(ev[0].events, (uint32_t)(EPOLLIN | EPOLLOUT));
        check_eq(ops->poller_wait(p, TR_NOW, ev, 8), 0);
    }
    check_eq(ops->read(b, fd, &sum, sizeof sum), 8);
    check_eq(sum, 3u);
    check_eq(ops->read(b, fd, &sum, 4), -EINVAL);
    check_eq(ops->poller_del(p, fd), 0);
    check_eq(ops->poller_del(p, fd), -ENOENT);
    check_eq(ops->close(b, fd), 0);
    check_eq(ops->close(b, fd), -EBADF);
    check_eq(ops->poller_add(p, fd, &one), -EBADF);
}

TR_TEST(sim, an_event_of_a_closed_descriptor_does_not_come)
{
    int fd = ops->eventfd(b, 1);

    need_ge(fd, 0);
    need_eq(ops->poller_add(p, fd, &fd), 0);
    check_eq(ops->close(b, fd), 0);
    check_eq(ops->poller_wait(p, TR_NOW, ev, 8), 0);
}

TR_TEST(sim, a_raised_signal_goes_to_the_descriptor_that_wants_it)
{
    struct signalfd_siginfo info;
    sigset_t set;
    int fd;

    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    need_ge(fd = ops->signal_open(b, &set), 0);
    need_eq(ops->poller_add(p, fd, &set), 0);
    tri_sim_raise(b, SIGHUP);
    check_eq(ops->poller_wait(p, TR_NOW, ev, 8), 0);
    check_eq(ops->signal_read(b, fd, &info), -EAGAIN);
    tri_sim_raise(b, SIGTERM);
    check_eq(ops->poller_wait(p, TR_NEVER, ev, 8), 1);
    check_eq(ops->signal_read(b, fd, &info), 0);
    check_eq(info.ssi_signo, (uint32_t)SIGTERM);
    check_eq(ops->signal_read(b, fd, &info), -EAGAIN);
    check_eq(ops->close(b, fd), 0);
}

TR_TEST(sim, files_are_the_real_ones_and_there_are_no_children)
{
    siginfo_t info;
    char name[4] = "";
    int fd = ops->open(b, "/proc/self/stat", O_RDONLY, 0);

    need_ge(fd, 0);
    check_eq(ops->read(b, fd, name, 1), 1);
    check_eq(ops->poller_add(p, fd, NULL), -EPERM);
    check_eq(ops->close(b, fd), 0);
    tri_sim_fail(b, TRI_SIM_OPEN, 1, EMFILE);
    check_eq(ops->open(b, "/proc/self/stat", O_RDONLY, 0), -EMFILE);
    check_eq(ops->pid_open(b, getpid()), -ESRCH);
    check_eq(ops->child_wait(b, P_ALL, 0, &info, WEXITED), -ECHILD);
    check_eq(ops->poller_fd(p), -EOPNOTSUPP);
}
