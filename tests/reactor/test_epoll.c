/* SPDX-License-Identifier: MIT */
/*
 * test_epoll.c - the real backend: wakes from threads and signal handlers, deadlines, edges.
 */
#include "config.h"

#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <unistd.h>

#include "mem/alloc.h"
#include "reactor/epoll.h"
#include "support/tr-test.h"

static struct tri_backend *b;
static const struct tri_backend_ops *ops;
static struct tri_poller *p;
static struct tri_event ev[8];

static void open_poller(void)
{
    b = tri_epoll_backend();
    ops = b->ops;
    need_eq(ops->poller_open(b, &p), 0);
    ops->thread_init(b);
}

static void close_poller(void)
{
    ops->poller_close(p);
    ops->poller_close(NULL);
}

TR_SUITE(epoll, .init = open_poller, .fini = close_poller);

static tr_time after(tr_time span)
{
    return ops->now(b) + span;
}

TR_TEST(epoll, wait_is_never_early_and_now_does_not_wait)
{
    for (int i = 0; i < 20; i++) {
        tr_time deadline = after(TR_US(50) * i * i);

        check_eq(ops->poller_wait(p, deadline, ev, 8), 0);
        check_ge(ops->now(b), deadline);
    }
    check_eq(ops->poller_wait(p, TR_NOW, ev, 8), 0);
    check_eq(ops->poller_wait(p, -1, ev, 8), 0);
}

TR_TEST(epoll, without_memory_no_poller_is_opened)
{
    struct tri_poller *none = NULL;

    tri_mem_fail_at(1);
    check_eq(ops->poller_open(b, &none), -ENOMEM);
    check(tri_mem_has_failed());
    tri_mem_fail_at(0);
    check_eq(none, NULL);
}

TR_TEST(epoll, a_wake_before_the_wait_ends_it_once_however_often_it_was_given)
{
    for (int i = 0; i < 3; i++) {
        tr_time deadline = after(TR_MS(5));

        ops->poller_wake(p);
        ops->poller_wake(p);
        check_eq(ops->poller_wait(p, TR_NEVER, ev, 8), 0);
        check_eq(ops->poller_wait(p, deadline, ev, 8), 0);
        check_ge(ops->now(b), deadline, "one wake ended two waits");
    }
}

static atomic_uint turn;

/* Answers each turn of the test with the next one and a wake. */
static void *answer(void *arg)
{
    for (unsigned i = 0; i < 20000; i++) {
        /* acquire: pairs with the release below. */
        while (atomic_load_explicit(&turn, memory_order_acquire) != 2 * i + 1)
            ;
        /* relaxed: poller_wake publishes it. */
        atomic_store_explicit(&turn, 2 * i + 2, memory_order_relaxed);
        ops->poller_wake(arg);
    }
    return NULL;
}

TR_TEST(epoll, no_wake_from_another_thread_is_lost, .timeout = 30)
{
    pthread_t thread;

    need_eq(pthread_create(&thread, NULL, answer, p), 0);
    for (unsigned i = 0; i < 20000; i++) {
        /* release: pairs with the acquire in answer(). */
        atomic_store_explicit(&turn, 2 * i + 1, memory_order_release);
        /* relaxed: poller_wait has acquired it from poller_wake. */
        while (atomic_load_explicit(&turn, memory_order_relaxed) != 2 * i + 2)
            check_eq(ops->poller_wait(p, TR_NEVER, ev, 8), 0);
    }
    need_eq(pthread_join(thread, NULL), 0);
}

static void wake_from_handler(int signo)
{
    (void)signo;
    ops->poller_wake(p);
}

TR_TEST(epoll, a_signal_handler_may_wake)
{
    struct sigaction sa = { .sa_handler = wake_from_handler };

    need_eq(sigaction(SIGUSR1, &sa, NULL), 0);
    need_eq(raise(SIGUSR1), 0);
    check_eq(ops->poller_wait(p, TR_NEVER, ev, 8), 0);
}

TR_TEST(epoll, readiness_is_reported_at_each_change_and_not_twice)
{
    char byte;
    int fd[2], data;

    need_eq(ops->pipe(b, fd), 0);
    need_eq(ops->poller_add(p, fd[0], &data), 0);
    check_eq(ops->poller_add(p, fd[0], &data), -EEXIST);
    check_eq(ops->poller_wait(p, TR_NOW, ev, 8), 0);
    for (int i = 0; i < 3; i++) {
        check_eq(ops->write(b, fd[1], "x", 1), 1);
        check_eq(ops->poller_wait(p, TR_NEVER, ev, 8), 1);
        check_eq(ev[0].data, &data);
        check_eq(ev[0].events, (uint32_t)EPOLLIN);
        check_eq(ops->poller_wait(p, TR_NOW, ev, 8), 0);
    }
    check_eq(ops->read(b, fd[0], &byte, 1), 1);
    check_eq(ops->close(b, fd[1]), 0);
    check_eq(ops->poller_wait(p, TR_NEVER, ev, 8), 1);
    check(ev[0].events & EPOLLHUP);
    check_eq(ops->poller_del(p, fd[0]), 0);
    check_eq(ops->poller_del(p, fd[0]), -ENOENT);
    check_eq(ops->close(b, fd[0]), 0);
}

TR_TEST(epoll, more_events_than_asked_for_come_with_the_next_wait)
{
    int fd[5];
    unsigned seen = 0;

    for (int i = 0; i < 5; i++) {
        fd[i] = ops->eventfd(b, 1);
        need_ge(fd[i], 0);
        need_eq(ops->poller_add(p, fd[i], &fd[i]), 0);
    }
    for (int i = 0; i < 3; i++) {
        int n = ops->poller_wait(p, TR_NOW, ev, 2);

        check_eq(n, i < 2 ? 2 : 1);
        while (n-- > 0)
            seen |= 1u << ((int *)ev[n].data - fd);
    }
    check_eq(seen, 31u);
    for (int i = 0; i < 5; i++)
        need_eq(ops->close(b, fd[i]), 0);
}

TR_TEST(epoll, errors_are_returned_and_kinds_that_are_always_ready_refused)
{
    int fd = ops->open(b, "/proc/self/exe", 0, 0);

    need_ge(fd, 0);
    check_eq(ops->poller_add(p, fd, NULL), -EPERM);
    check_eq(ops->listen(b, fd, 1), -ENOTSOCK);
    need_eq(ops->close(b, fd), 0);
    check_eq(ops->close(b, fd), -EBADF);
    check_eq(ops->poller_add(p, fd, NULL), -EBADF);
    check_eq(ops->open(b, "/does/not/exist", 0, 0), -ENOENT);
}

TR_TEST(epoll, a_connection_is_made_read_and_ended)
{
    struct sockaddr_in addr = { .sin_family = AF_INET };
    socklen_t len = sizeof addr;
    char buf[8] = "abcde";
    struct iovec iov[2] = { { buf, 2 }, { buf + 2, 3 } };
    int listener, client, server, error = -1;

    addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    need_ge(listener = ops->socket(b, AF_INET, SOCK_STREAM, 0), 0);
    need_eq(ops->bind(b, listener, (struct sockaddr *)&addr, sizeof addr), 0);
    need_eq(ops->listen(b, listener, 8), 0);
    need_eq(ops->getsockname(b, listener, (struct sockaddr *)&addr, &len), 0);
    check_eq(ops->accept(b, listener, NULL, NULL), -EAGAIN);
    need_ge(client = ops->socket(b, AF_INET, SOCK_STREAM, 0), 0);
    need_eq(ops->connect(b, client, (struct sockaddr *)&addr, sizeof addr), -EINPROGRESS);
    need_eq(ops->poller_add(p, listener, &listener), 0);
    need_eq(ops->poller_wait(p, TR_NEVER, ev, 8), 1);
    need_ge(server = ops->accept(b, listener, NULL, NULL), 0);
    len = sizeof error;
    check_eq(ops->getsockopt(b, client, SOL_SOCKET, SO_ERROR, &error, &len), 0);
    check_eq(error, 0);
    check_eq(ops->sendv(b, client, iov, 2, 0), 5);
    need_eq(ops->poller_add(p, server, &server), 0);
    need_eq(ops->poller_wait(p, TR_NEVER, ev, 8), 1);
    check_eq(ops->recv(b, server, buf, sizeof buf, 0), 5);
    check_eq(ops->shutdown(b, server, SHUT_WR), 0);
    check_eq(ops->send(b, server, "x", 1, 0), -EPIPE, "and no SIGPIPE");
    need_eq(ops->close(b, server), 0);
    need_eq(ops->close(b, client), 0);
    need_eq(ops->close(b, listener), 0);
}

TR_TEST(epoll, signals_and_the_end_of_a_child_are_readiness)
{
    struct signalfd_siginfo si;
    siginfo_t info;
    sigset_t set;
    pid_t child;
    int sfd, pfd, gate[2];

    sigemptyset(&set);
    sigaddset(&set, SIGUSR2);
    need_eq(pthread_sigmask(SIG_BLOCK, &set, NULL), 0);
    need_ge(sfd = ops->signal_open(b, &set), 0);
    need_eq(ops->poller_add(p, sfd, &sfd), 0);
    check_eq(ops->signal_read(b, sfd, &si), -EAGAIN);
    need_eq(kill(getpid(), SIGUSR2), 0);
    check_eq(ops->poller_wait(p, TR_NEVER, ev, 8), 1);
    check_eq(ops->signal_read(b, sfd, &si), 0);
    check_eq(si.ssi_signo, (uint32_t)SIGUSR2);

    need_eq(ops->pipe(b, gate), 0);
    child = fork();
    need_ge(child, 0);
    if (child == 0) {
        struct tri_poller *q = NULL;
        char byte;

        close(gate[1]);
        if (ops->poller_open(b, &q) < 0 || ops->poller_add(q, gate[0], NULL) < 0)
            _exit(1);
        while (ops->read(b, gate[0], &byte, 1) == -EAGAIN)
            (void)ops->poller_wait(q, TR_NEVER, ev, 8);
        _exit(7);
    }
    need_ge(pfd = ops->pid_open(b, child), 0);
    need_eq(ops->poller_add(p, pfd, &pfd), 0);
    check_eq(ops->child_wait(b, P_PID, (id_t)child, &info, WEXITED | WNOHANG), -EAGAIN);
    need_eq(ops->close(b, gate[1]), 0);
    check_eq(ops->poller_wait(p, TR_NEVER, ev, 8), 1);
    check_eq(ev[0].data, &pfd);
    check_eq(ops->child_wait(b, P_PID, (id_t)child, &info, WEXITED | WNOHANG), 0);
    check_eq(info.si_status, 7);
    check_eq(ops->child_wait(b, P_PID, (id_t)child, &info, WEXITED | WNOHANG), -ECHILD);
    need_eq(ops->close(b, pfd), 0);
    need_eq(ops->close(b, gate[0]), 0);
    need_eq(ops->close(b, sfd), 0);
}
