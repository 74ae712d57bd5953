/* SPDX-License-Identifier: MIT */
/*
 * backend.h - the one table through which everything from outside comes: the clock, readiness,
 * sockets and files, signals, children, randomness. lib/reactor has two: epoll.c, the kernel's
 * own, and sim.c, a simulated world with a time of its own.
 *
 * Every operation returns 0 or a count, else a negative errno, and restarts by itself after a
 * signal handler. Descriptors that it makes are non-blocking and close-on-exec. Except where it
 * says so, an operation may be called by any thread and does not wait.
 */
#ifndef TRI_BASE_BACKEND_H
#define TRI_BASE_BACKEND_H

#include <signal.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include <troupe/time.h>

struct tri_poller; /* opaque: belongs to the backend that opened it */

struct tri_event {
    void *data;      /* as given to poller_add */
    uint32_t events; /* EPOLLIN, EPOLLOUT, EPOLLRDHUP, EPOLLHUP, EPOLLERR, EPOLLPRI */
};

struct tri_backend {
    const struct tri_backend_ops *ops;
};

struct tri_backend_ops {
    const char *name;

    tr_time (*now)(struct tri_backend *b);
    uint64_t (*random)(struct tri_backend *b);
    /* Prepares the calling thread, a worker's own, to sleep with the least lateness. */
    void (*thread_init)(struct tri_backend *b);

    /* --- readiness. A poller has one owner, who alone waits and closes. */

    int (*poller_open)(struct tri_backend *b, struct tri_poller **ret_poller);
    /* Nobody wakes it, adds or removes any more. NULL: nothing. */
    void (*poller_close)(struct tri_poller *p);
    /*
     * Waits until there are events, a wake, or @deadline, which has no drain bit; TR_NOW looks
     * and does not wait. Returns how many events were stored, at most @max > 0; 0: a wake or
     * the deadline, or for no reason. -EDEADLK: nothing can ever happen (simulator only).
     * What a thread stored before it called poller_wake is visible after the return.
     */
    int (*poller_wait)(struct tri_poller *p, tr_time deadline, struct tri_event *ev,
                       unsigned max);
    /* Makes the wait under way, or else the next one, return. Any thread, also
     * in a signal handler. */
    void (*poller_wake)(struct tri_poller *p);
    /*
     * Reports @fd's readiness in both directions with @data, at each change and once for what
     * is ready now. -EPERM: this kind of descriptor is always ready.  -EEXIST: it is in.
     */
    int (*poller_add)(struct tri_poller *p, int fd, void *data);
    /* Before @fd is closed. The owner may still get an event that was on its way: when it has
     * returned from a wait that began later, no more come with this data. */
    int (*poller_del)(struct tri_poller *p, int fd);
    /* A descriptor that is readable when a wait would return events or a wake; the poller's. */
    int (*poller_fd)(struct tri_poller *p);

    /* --- sockets */

    int (*socket)(struct tri_backend *b, int domain, int type, int protocol);
    int (*bind)(struct tri_backend *b, int fd, const struct sockaddr *addr, socklen_t len);
    int (*listen)(struct tri_backend *b, int fd, int backlog);
    /* The new descriptor. @addr may be NULL; *@len as in accept(2). */
    int (*accept)(struct tri_backend *b, int fd, struct sockaddr *addr, socklen_t *len);
    /* -EINPROGRESS: writable when done, then SO_ERROR has the result. */
    int (*connect)(struct tri_backend *b, int fd, const struct sockaddr *addr, socklen_t len);
    ssize_t (*recv)(struct tri_backend *b, int fd, void *buf, size_t size, int flags);
    ssize_t (*send)(struct tri_backend *b, int fd, const void *buf, size_t size, int flags);
    /* As send, from many pieces: no SIGPIPE, -EPIPE. */
    ssize_t (*sendv)(struct tri_backend *b, int fd, const struct iovec *iov, int n, int flags);
    int (*shutdown)(struct tri_backend *b, int fd, int how);
    /* Two connected stream sockets, of no network. */
    int (*socketpair)(struct tri_backend *b, int ret_fd[2]);
    int (*getsockname)(struct tri_backend *b, int fd, struct sockaddr *addr, socklen_t *len);
    int (*getpeername)(struct tri_backend *b, int fd, struct sockaddr *addr, socklen_t *len);
    int (*setsockopt)(struct tri_backend *b, int fd, int level, int name, const void *value,
                      socklen_t len);
    int (*getsockopt)(struct tri_backend *b, int fd, int level, int name, void *value,
                      socklen_t *len);

    /* --- any descriptor */

    int (*open)(struct tri_backend *b, const char *path, int flags, mode_t mode);
    int (*pipe)(struct tri_backend *b, int ret_fd[2]);
    ssize_t (*read)(struct tri_backend *b, int fd, void *buf, size_t size);
    ssize_t (*write)(struct tri_backend *b, int fd, const void *buf, size_t size);
    ssize_t (*readv)(struct tri_backend *b, int fd, const struct iovec *iov, int n);
    ssize_t (*writev)(struct tri_backend *b, int fd, const struct iovec *iov, int n);
    /* poll(2) of one descriptor without waiting: what of @events, POLLIN and POLLOUT, and
     * POLLERR and POLLHUP, holds now. */
    int (*poll)(struct tri_backend *b, int fd, short events);
    /* Makes a descriptor from outside non-blocking. */
    int (*nonblock)(struct tri_backend *b, int fd);
    int (*close)(struct tri_backend *b, int fd);
    /* A counter: write adds 8 bytes' worth, read takes it all. */
    int (*eventfd)(struct tri_backend *b, unsigned value);

    /* --- signals and children */

    /* A descriptor that is readable while one of @set, which the caller has blocked, is
     * pending. */
    int (*signal_open)(struct tri_backend *b, const sigset_t *set);
    /* Takes one signal from such a descriptor; 0, or -EAGAIN. */
    int (*signal_read)(struct tri_backend *b, int fd, struct signalfd_siginfo *ret_info);
    /* A descriptor that is readable once @pid has ended. */
    int (*pid_open)(struct tri_backend *b, pid_t pid);
    /* waitid(2); -EAGAIN: WNOHANG, and nothing to report yet. Waits without WNOHANG. */
    int (*child_wait)(struct tri_backend *b, idtype_t type, id_t id, siginfo_t *ret_info,
                      int options);
};

#endif /* TRI_BASE_BACKEND_H */
