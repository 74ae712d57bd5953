/* SPDX-License-Identifier: MIT */
/*
 * syscalls.c - the kernel's calls as the backend table has them: errno becomes the result, and
 * a call that a signal handler interrupted is made again.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/rand.h"
#include "reactor/epoll.h"

/* The value of the system call @call, made again while interrupted; -errno for -1. */
#define RESULT(type, call)                                                                     \
    __extension__({                                                                            \
        type result_;                                                                          \
        do                                                                                     \
            result_ = (type)(call);                                                            \
        while (result_ < 0 && errno == EINTR);                                                 \
        result_ < 0 ? (type)-errno : result_;                                                  \
    })

static tr_time sys_now(struct tri_backend *b)
{
    (void)b;
    return tri_clock_now();
}

static uint64_t sys_random(struct tri_backend *b)
{
    uint64_t x;

    if (getrandom(&x, sizeof x, GRND_NONBLOCK) == (ssize_t)sizeof x)
        return x;
    /* before the kernel's pool is filled, at boot: distinct, not secret */
    x = (uint64_t)tri_clock_now() ^ (uint64_t)(uintptr_t)&x ^ (uint64_t)(uintptr_t)b;
    return tri_rand_splitmix(&x);
}

static void sys_thread_init(struct tri_backend *b)
{
    (void)b;
    (void)prctl(PR_SET_TIMERSLACK, 1ul); /* the default adds 50 us to each sleep */
}

static int sys_socket(struct tri_backend *b, int domain, int type, int protocol)
{
    (void)b;
    return RESULT(int, socket(domain, type | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol));
}

static int sys_bind(struct tri_backend *b, int fd, const struct sockaddr *addr, socklen_t len)
{
    (void)b;
    return RESULT(int, bind(fd, addr, len));
}

static int sys_listen(struct tri_backend *b, int fd, int backlog)
{
    (void)b;
    return RESULT(int, listen(fd, backlog));
}

static int sys_accept(struct tri_backend *b, int fd, struct sockaddr *addr, socklen_t *len)
{
    (void)b;
    return RESULT(int, accept4(fd, addr, len, SOCK_NONBLOCK | SOCK_CLOEXEC));
}

static int sys_connect(struct tri_backend *b, int fd, const struct sockaddr *addr,
                       socklen_t len)
{
    (void)b;
    /* interrupted: it goes on by itself, as -EINPROGRESS does; a second call would say so */
    if (connect(fd, addr, len) == 0)
        return 0;
    return errno == EINTR ? -EINPROGRESS : -errno;
}

static ssize_t sys_recv(struct tri_backend *b, int fd, void *buf, size_t size, int flags)
{
    (void)b;
    return RESULT(ssize_t, recv(fd, buf, size, flags));
}

static ssize_t sys_send(struct tri_backend *b, int fd, const void *buf, size_t size, int flags)
{
    (void)b;
    return RESULT(ssize_t, send(fd, buf, size, flags | MSG_NOSIGNAL));
}

static ssize_t sys_sendv(struct tri_backend *b, int fd, const struct iovec *iov, int n,
                         int flags)
{
    struct msghdr m = { .msg_iovlen = (size_t)n };

    (void)b;
    memcpy(&m.msg_iov, &iov, sizeof iov); /* sendmsg does not write to it */
    return RESULT(ssize_t, sendmsg(fd, &m, flags | MSG_NOSIGNAL));
}

static int sys_shutdown(struct tri_backend *b, int fd, int how)
{
    (void)b;
    return RESULT(int, shutdown(fd, how));
}

static int sys_socketpair(struct tri_backend *b, int ret_fd[2])
{
    (void)b;
    return RESULT(int,
                  socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ret_fd));
}

static int sys_getsockname(struct tri_backend *b, int fd, struct sockaddr *addr, socklen_t *len)
{
    (void)b;
    return RESULT(int, getsockname(fd, addr, len));
}

static int sys_getpeername(struct tri_backend *b, int fd, struct sockaddr *addr, socklen_t *len)
{
    (void)b;
    return RESULT(int, getpeername(fd, addr, len));
}

static int sys_setsockopt(struct tri_backend *b, int fd, int level, int name, const void *value,
                          socklen_t len)
{
    (void)b;
    return RESULT(int, setsockopt(fd, level, name, value, len));
}

static int sys_getsockopt(struct tri_backend *b, int fd, int level, int name, void *value,
                          socklen_t *len)
{
    (void)b;
    return RESULT(int, getsockopt(fd, level, name, value, len));
}

static int sys_open(struct tri_backend *b, const char *path, int flags, mode_t mode)
{
    (void)b;
    return RESULT(int, open(path, flags | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, mode));
}

static int sys_pipe(struct tri_backend *b, int ret_fd[2])
{
    (void)b;
    return RESULT(int, pipe2(ret_fd, O_NONBLOCK | O_CLOEXEC));
}

static ssize_t sys_read(struct tri_backend *b, int fd, void *buf, size_t size)
{
    (void)b;
    return RESULT(ssize_t, read(fd, buf, size));
}

static ssize_t sys_write(struct tri_backend *b, int fd, const void *buf, size_t size)
{
    (void)b;
    return RESULT(ssize_t, write(fd, buf, size));
}

static ssize_t sys_readv(struct tri_backend *b, int fd, const struct iovec *iov, int n)
{
    (void)b;
    return RESULT(ssize_t, readv(fd, iov, n));
}

static ssize_t sys_writev(struct tri_backend *b, int fd, const struct iovec *iov, int n)
{
    (void)b;
    return RESULT(ssize_t, writev(fd, iov, n));
}

static int sys_poll(struct tri_backend *b, int fd, short events)
{
    struct pollfd p = { .fd = fd, .events = events };
    int n = RESULT(int, poll(&p, 1, 0));

    (void)b;
    return n <= 0 ? n : p.revents & POLLNVAL ? -EBADF : p.revents;
}

static int sys_nonblock(struct tri_backend *b, int fd)
{
    int flags = fcntl(fd, F_GETFL);

    (void)b;
    if (flags < 0)
        return -errno;
    return flags & O_NONBLOCK ? 0 : RESULT(int, fcntl(fd, F_SETFL, flags | O_NONBLOCK));
}

static int sys_close(struct tri_backend *b, int fd)
{
    (void)b;
    /* never again after EINTR: the descriptor is gone, and its number may be another's */
    return close(fd) < 0 && errno != EINTR ? -errno : 0;
}

static int sys_eventfd(struct tri_backend *b, unsigned value)
{
    (void)b;
    return RESULT(int, eventfd(value, EFD_NONBLOCK | EFD_CLOEXEC));
}

static int sys_signal_open(struct tri_backend *b, const sigset_t *set)
{
    (void)b;
    return RESULT(int, signalfd(-1, set, SFD_NONBLOCK | SFD_CLOEXEC));
}

static int sys_signal_read(struct tri_backend *b, int fd, struct signalfd_siginfo *ret_info)
{
    ssize_t n = sys_read(b, fd, ret_info, sizeof *ret_info);

    return n < 0 ? (int)n : 0;
}

static int sys_pid_open(struct tri_backend *b, pid_t pid)
{
    (void)b;
    return RESULT(int, syscall(SYS_pidfd_open, pid, 0));
}

static int sys_child_wait(struct tri_backend *b, idtype_t type, id_t id, siginfo_t *ret_info,
                          int options)
{
    siginfo_t info = { .si_pid = 0 };
    int r = RESULT(int, waitid(type, id, &info, options));

    (void)b;
    if (r == 0 && info.si_pid == 0)
        return -EAGAIN; /* WNOHANG */
    if (r == 0)
        *ret_info = info;
    return r;
}

static const struct tri_backend_ops ops = {
    .name = "epoll",
    .now = sys_now,
    .random = sys_random,
    .thread_init = sys_thread_init,
    .poller_open = tri_epoll_open,
    .poller_close = tri_epoll_close,
    .poller_wait = tri_epoll_wait,
    .poller_wake = tri_epoll_wake,
    .poller_add = tri_epoll_add,
    .poller_del = tri_epoll_del,
    .poller_fd = tri_epoll_fd,
    .socket = sys_socket,
    .bind = sys_bind,
    .listen = sys_listen,
    .accept = sys_accept,
    .connect = sys_connect,
    .recv = sys_recv,
    .send = sys_send,
    .sendv = sys_sendv,
    .shutdown = sys_shutdown,
    .socketpair = sys_socketpair,
    .getsockname = sys_getsockname,
    .getpeername = sys_getpeername,
    .setsockopt = sys_setsockopt,
    .getsockopt = sys_getsockopt,
    .open = sys_open,
    .pipe = sys_pipe,
    .read = sys_read,
    .write = sys_write,
    .readv = sys_readv,
    .writev = sys_writev,
    .poll = sys_poll,
    .nonblock = sys_nonblock,
    .close = sys_close,
    .eventfd = sys_eventfd,
    .signal_open = sys_signal_open,
    .signal_read = sys_signal_read,
    .pid_open = sys_pid_open,
    .child_wait = sys_child_wait,
};

struct tri_backend *tri_epoll_backend(void)
{
    static struct tri_backend backend = { &ops };

    return &backend;
}
