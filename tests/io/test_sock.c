/* SPDX-License-Identifier: MIT */
/* test_sock.c - the life of a socket, and who may be inside. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "io/sock-kit.h"
#include "reactor/readiness.h"

static size_t n_before;

static void count_before(void)
{
    n_before = tri_sock_n_open();
}

static void count_after(void)
{
    check_eq(tri_sock_n_open(), n_before, "socket records left in use");
}

TR_SUITE(sock, .init = count_before, .fini = count_after);

/* @e: NULL, or an empty one. */
static void check_refused_everywhere(tr_sock *e)
{
    tr_sock out = { NULL };
    size_t done = 7;
    char c[4];

    check_eq(tr_read(e, c, 1, TR_NOW), -EINVAL);
    check_eq(tr_read_exact(e, c, 1, TR_NOW), -EINVAL);
    check_eq(tr_read_line(e, c, sizeof c, TR_NOW), -EINVAL);
    check_eq(tr_try_read(e, c, 1), -EINVAL);
    check_eq(tr_write(e, c, 1, TR_NOW), -EINVAL);
    check_eq(tr_write_done(e, c, 1, TR_NOW, &done), -EINVAL);
    check_eq(done, 0u);
    check_eq(tr_try_write(e, c, 1), -EINVAL);
    check_eq(tr_printf(e, TR_NOW, "x"), -EINVAL);
    check_eq(tr_accept(e, TR_NOW, &out), -EINVAL);
    check_eq(tr_try_accept(e, &out), -EINVAL);
    check_eq(tr_sock_shutdown(e, SHUT_WR), -EINVAL);
    check_eq(tr_sock_finish(e, TR_NOW), -EINVAL);
    check_eq(tr_sock_port(e), -EINVAL);
    check_eq(tr_sock_fd(e), -1);
    check_eq(tr_readable_arm(e).ops, NULL);
    tr_sock_close(e);
}

ACTOR_TEST(sock, empty_socket_is_refused_everywhere)
{
    check_refused_everywhere(&(tr_sock){ NULL });
}

ACTOR_TEST(sock, no_socket_at_all_is_refused_everywhere)
{
    check_refused_everywhere(NULL);
}

TR_TEST(sock, waiting_calls_are_refused_outside_a_task)
{
    tr_sock a = { NULL }, b = { NULL };
    char c;

    need_eq(tr_sock_pair(&a, &b), 0);
    check_eq(tr_read(&a, &c, 1, TR_NEVER), -EPERM);
    check_eq(tr_write(&a, "x", 1, TR_NEVER), -EPERM);
    tr_sock_close(&a);
    tr_sock_close(&b);
}

TR_TEST(sock, try_forms_work_in_any_thread)
{
    tr_sock a = { NULL }, b = { NULL };
    char c = 0;

    need_eq(tr_sock_pair(&a, &b), 0);
    check_eq(tr_try_read(&a, &c, 1), -EAGAIN);
    check_eq(tr_try_write(&b, "x", 1), 1);
    check_eq(tr_try_read(&a, &c, 1), 1);
    check_eq(c, 'x');
    tr_sock_close(&b);
    check_eq(tr_try_read(&a, &c, 1), 0);
    check_eq(tr_try_write(&a, &c, 1), -EPIPE);
    tr_sock_close(&a);
}

ACTOR_TEST(sock, second_reader_is_busy_and_a_writer_is_not)
{
    tr_sock a = { NULL }, b = { NULL };
    char got[4] = "", c;
    struct call_job j = { .call = READ, .s = &a, .deadline = TR_NEVER, .buf = got, .n = 3 };

    need_eq(tr_sock_pair(&a, &b), 0);
    start_call(root, &j);
    until_waits(&a, TRI_FD_IN);
    check_eq(tr_read(&a, &c, 1, TR_NEVER), -EBUSY);
    check_eq(tr_read_line(&a, got, 4, TR_NEVER), -EBUSY);
    check_eq(tr_try_read(&a, &c, 1), -EBUSY);
    check_eq(tr_write(&a, "out", 3, TR_NEVER), 3);
    check_eq(tr_read(&b, got, 3, TR_NEVER), 3);
    check_eq(tr_write(&b, "in", 2, TR_NEVER), 2);
    check_eq(tr_scope_join(root, TR_NEVER), 0);
    check_eq(j.result, 2);
    check_eq(got[0], 'i');
    tr_sock_close(&a);
    tr_sock_close(&b);
}

ACTOR_TEST(sock, second_writer_is_busy)
{
    tr_sock a = { NULL }, b = { NULL };
    char c = 'x';
    struct call_job j = { .call = WRITE, .s = &a, .deadline = TR_NEVER, .buf = &c, .n = 1 };
    static char sink[65536];

    need_eq(tr_sock_pair(&a, &b), 0);
    (void)fill(&a);
    start_call(root, &j);
    until_waits(&a, TRI_FD_OUT);
    check_eq(tr_write(&a, "y", 1, TR_NEVER), -EBUSY);
    check_eq(tr_try_write(&a, "y", 1), -EBUSY);
    while (tr_try_read(&b, sink, sizeof sink) > 0)
        ;
    check_eq(tr_scope_join(root, TR_NEVER), 0);
    check_eq(j.result, 1);
    tr_sock_close(&a);
    tr_sock_close(&b);
}

ACTOR_TEST(sock, close_under_a_waiting_call_ends_it_and_frees_the_descriptor_then)
{
    tr_sock a = { NULL }, b = { NULL }, mine;
    char c;
    struct call_job j = { .call = READ, .s = &mine, .deadline = TR_NEVER, .buf = &c, .n = 1 };
    int fd;

    need_eq(tr_sock_pair(&a, &b), 0);
    mine = a;
    fd = tr_sock_fd(&a);
    start_call(root, &j);
    until_waits(&a, TRI_FD_IN);
    tr_sock_close(&a);
    check_eq(a.impl, NULL);
    check_eq(tr_scope_join(root, TR_NEVER), 0);
    check_eq(j.result, -EBADF);
    check_eq(fcntl(fd, F_GETFD), -1, "the descriptor is closed");
    check_eq(tr_read(&mine, &c, 1, TR_NEVER), -EBADF, "a stale copy is found out");
    tr_sock_close(&mine);
    tr_sock_close(&b);
}

ACTOR_TEST(sock, close_ends_a_reader_and_a_writer)
{
    tr_sock a = { NULL }, b = { NULL }, copy;
    char c;
    struct call_job r = {
        .call = READ_LINE, .s = &copy, .deadline = TR_NEVER, .buf = &c, .n = 9
    };
    struct call_job w = { .call = WRITE, .s = &copy, .deadline = TR_NEVER, .buf = &c, .n = 1 };

    need_eq(tr_sock_pair(&a, &b), 0);
    copy = a;
    (void)fill(&a);
    start_call(root, &r);
    start_call(root, &w);
    until_waits(&a, TRI_FD_IN);
    until_waits(&a, TRI_FD_OUT);
    tr_sock_close(&a);
    check_eq(tr_scope_join(root, TR_NEVER), 0);
    check_eq(r.result, -EBADF);
    check_eq(w.result, -EBADF);
    tr_sock_close(&b);
}

/* An event that was fetched for a descriptor's former life hits the record's next one. */
ACTOR_TEST(sock, late_event_of_a_former_life_is_harmless)
{
    tr_sock a = { NULL }, b = { NULL };
    char c;
    struct call_job j = { .call = READ, .s = &a, .deadline = TR_NEVER, .buf = &c, .n = 1 };

    need_eq(tr_sock_pair(&a, &b), 0);
    start_call(root, &j);
    for (int i = 0; i < 10; i++) {
        until_waits(&a, TRI_FD_IN);
        tri_fd_event(&a.impl->fd, i % 2 ? EPOLLIN : EPOLLIN | EPOLLHUP | EPOLLERR);
    }
    until_waits(&a, TRI_FD_IN);
    check_eq(tr_write(&b, "x", 1, TR_NEVER), 1);
    check_eq(tr_scope_join(root, TR_NEVER), 0);
    check_eq(j.result, 1);
    tr_sock_close(&a);
    tr_sock_close(&b);
}

ACTOR_TEST(sock, adopts_streams_and_pipes_only)
{
    tr_sock s = { NULL }, out = { NULL };
    int fd[2], file = open("/dev/null", O_RDWR | O_CLOEXEC);
    int datagram = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    char got[4];

    check_eq(tr_sock_adopt(file, &s), -EINVAL);
    check_eq(tr_sock_adopt(datagram, &s), -EINVAL);
    check_eq(tr_sock_adopt(-1, &s), -EBADF);
    check_eq(s.impl, NULL);
    check_eq(fcntl(file, F_GETFD) >= 0, true, "a refused descriptor stays open");
    close(file);
    close(datagram);

    need_eq(pipe2(fd, O_CLOEXEC), 0);
    need_eq(tr_sock_adopt(fd[0], &s), 0);
    need_eq(tr_sock_adopt(fd[1], &out), 0);
    check_ne(fcntl(fd[0], F_GETFL) & O_NONBLOCK, 0);
    check_eq(tr_read(&s, got, 1, tr_after(TR_MS(1))), -ETIMEDOUT);
    check_eq(tr_write(&out, "abc", 3, TR_NEVER), 3);
    check_eq(tr_read(&s, got, 4, TR_NEVER), 3);
    check_eq(tr_sock_shutdown(&out, SHUT_WR), -EOPNOTSUPP);
    check_eq(tr_sock_port(&out), -EOPNOTSUPP);
    tr_sock_close(&out);
    check_eq(tr_read(&s, got, 4, TR_NEVER), 0);
    tr_sock_close(&s);
}

ACTOR_TEST(sock, adopted_listener_accepts)
{
    char address[32];
    tr_sock l = listen_here(address), again = { NULL }, c = { NULL }, s = { NULL };
    int fd = fcntl(tr_sock_fd(&l), F_DUPFD_CLOEXEC, 3);

    tr_sock_close(&l);
    need_eq(tr_sock_adopt(fd, &again), 0);
    check_eq(tr_try_accept(&again, &s), -EAGAIN);
    check_eq(tr_tcp_connect(address, TR_NEVER, &c), 0);
    check_eq(tr_accept(&again, TR_NEVER, &s), 0);
    check_eq(tr_write(&s, "x", 1, TR_NEVER), 1);
    tr_sock_close(&again);
    tr_sock_close(&c);
    tr_sock_close(&s);
}

ACTOR_TEST(sock, shutdown_says_what_it_can)
{
    tr_sock a = { NULL }, b = { NULL };
    char c;

    need_eq(tr_sock_pair(&a, &b), 0);
    check_eq(tr_sock_shutdown(&a, 77), -EINVAL);
    check_eq(tr_sock_shutdown(&a, SHUT_WR), 0);
    check_eq(tr_sock_shutdown(&a, SHUT_WR), 0, "twice is once");
    check_eq(tr_read(&b, &c, 1, TR_NEVER), 0);
    check_eq(tr_write(&a, "x", 1, TR_NEVER), -EPIPE);
    check_eq(tr_sock_shutdown(&b, SHUT_RDWR), 0);
    tr_sock_close(&b);
    check_eq(tr_sock_shutdown(&a, SHUT_RDWR), 0, "the peer is gone");
    tr_sock_close(&a);
}

/* ---- over several runtimes ---- */

static tr_sock kept_a, kept_b;

static int exchange(tr_scope *root, void *arg)
{
    char got[2];
    struct call_job j = {
        .call = READ, .s = &kept_a, .deadline = TR_NEVER, .buf = got, .n = 2
    };

    (void)arg;
    start_call(root, &j);
    until_waits(&kept_a, TRI_FD_IN);
    check_eq(tr_write(&kept_b, "x", 1, TR_NEVER), 1);
    check_eq(tr_scope_join(root, TR_NEVER), 0);
    check_eq(j.result, 1);
    return 0;
}

TR_TEST(sock, socket_outlives_its_runtime)
{
    need_eq(tr_sock_pair(&kept_a, &kept_b), 0);
    for (int i = 0; i < 3; i++)
        check_eq(tr_run(exchange, NULL), 0);
    tr_sock_close(&kept_a);
    tr_sock_close(&kept_b);
}

/* ---- F25: the process was started with its standard descriptors closed ---- */

ACTOR_TEST(sock, no_socket_gets_a_standard_descriptor)
{
    int saved[3];
    char address[32];
    tr_sock l, c = { NULL }, s = { NULL }, a = { NULL }, b = { NULL };

    for (int i = 0; i < 3; i++) {
        saved[i] = fcntl(i, F_DUPFD_CLOEXEC, 10);
        close(i);
    }
    l = listen_here(address);
    int r_connect = tr_tcp_connect(address, TR_NEVER, &c);
    int r_accept = tr_accept(&l, TR_NEVER, &s);
    int r_pair = tr_sock_pair(&a, &b);
    for (int i = 0; i < 3; i++) {
        dup2(saved[i], i);
        close(saved[i]);
    }
    check_eq(r_connect, 0);
    check_eq(r_accept, 0);
    check_eq(r_pair, 0);
    check_gt(tr_sock_fd(&l), 2);
    check_gt(tr_sock_fd(&c), 2);
    check_gt(tr_sock_fd(&s), 2);
    check_gt(tr_sock_fd(&a), 2);
    check_gt(tr_sock_fd(&b), 2);
    check_eq(tr_write(&c, "x", 1, TR_NEVER), 1);
    tr_sock_close(&l);
    tr_sock_close(&c);
    tr_sock_close(&s);
    tr_sock_close(&a);
    tr_sock_close(&b);
}
