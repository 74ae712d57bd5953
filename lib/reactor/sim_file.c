/* SPDX-License-Identifier: MIT */
/*
 * sim_file.c - the simulated descriptors: a table as the kernel's, the calls that work on any
 * kind, and the two kinds that are no streams, counters and signals.
 */
#include "config.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "reactor/epoll.h"
#include "reactor/sim_world.h"

struct tri_sim_file *tri_sim_file_get(struct tri_sim_world *w, int fd)
{
    size_t i = (size_t)fd - TRI_SIM_FIRST_FD;

    return tri_sim_has(fd) && i < w->n_slots ? w->file[i] : NULL;
}

struct tri_sim_file *tri_sim_file_new(enum tri_sim_kind kind)
{
    struct tri_sim_file *f = calloc(1, sizeof *f);

    if (!f)
        return NULL;
    f->kind = kind;
    f->fd = -1;
    return f;
}

void tri_sim_file_free(struct tri_sim_file *f)
{
    if (!f)
        return;
    free(f->rx.buf);
    free(f);
}

int tri_sim_file_open(struct tri_sim_world *w, struct tri_sim_file *f)
{
    size_t i = 0, n = w->n_slots ? 2 * w->n_slots : 16;
    struct tri_sim_file **grown;

    while (i < w->n_slots && w->file[i])
        i++;
    if (i == w->n_slots) {
        grown = realloc(w->file, n * sizeof(struct tri_sim_file *));
        if (!grown)
            return -ENOMEM;
        for (size_t k = i; k < n; k++)
            grown[k] = NULL;
        w->file = grown;
        w->n_slots = n;
    }
    w->file[i] = f;
    w->n_open++;
    return f->fd = TRI_SIM_FIRST_FD + (int)i;
}

static bool has_signal(const struct tri_sim_world *w, const struct tri_sim_file *f)
{
    sigset_t both;

    return sigandset(&both, &w->pending, &f->set) == 0 && !sigisemptyset(&both);
}

uint32_t tri_sim_file_events(const struct tri_sim_world *w, const struct tri_sim_file *f)
{
    switch (f->kind) {
    case TRI_SIM_COUNTER:
        return EPOLLOUT | (f->count > 0 ? EPOLLIN : 0u);
    case TRI_SIM_SIGNALS:
        return has_signal(w, f) ? EPOLLIN : 0u;
    case TRI_SIM_LISTENER:
        return f->n_queued > 0 ? EPOLLIN : 0u;
    case TRI_SIM_STREAM:
    case TRI_SIM_PIPE_READER:
    case TRI_SIM_PIPE_WRITER:
        break;
    }
    return tri_sim_stream_events(f);
}

void tri_sim_file_notify(struct tri_sim_file *f)
{
    if (!f->poller || tri_list_is_linked(&f->ready))
        return;
    tri_list_add_tail(&f->poller->ready, &f->ready);
    f->poller->n_ready++;
}

int tri_sim_close(struct tri_backend *b, int fd)
{
    struct tri_backend *real = tri_epoll_backend();
    struct tri_sim_world *w = tri_sim_of(b);
    struct tri_sim_file *f = tri_sim_file_get(w, fd);

    if (!tri_sim_has(fd))
        return real->ops->close(real, fd);
    if (!f)
        return -EBADF;
    if (f->poller)
        (void)b->ops->poller_del(f->poller, fd);
    if (f->kind == TRI_SIM_LISTENER)
        tri_sim_listener_close(w, f);
    else if (f->kind != TRI_SIM_COUNTER && f->kind != TRI_SIM_SIGNALS)
        tri_sim_stream_close(w, f);
    w->file[fd - TRI_SIM_FIRST_FD] = NULL;
    w->n_open--;
    tri_sim_file_free(f);
    return 0;
}

static ssize_t counter_read(struct tri_sim_file *f, void *buf, size_t size)
{
    if (size < sizeof f->count)
        return -EINVAL;
    if (f->count == 0)
        return -EAGAIN;
    memcpy(buf, &f->count, sizeof f->count);
    f->count = 0;
    return (ssize_t)sizeof f->count;
}

static ssize_t counter_write(struct tri_sim_file *f, const void *buf, size_t size)
{
    uint64_t add;

    if (size < sizeof add)
        return -EINVAL;
    memcpy(&add, buf, sizeof add);
    if (add == UINT64_MAX)
        return -EINVAL;
    if (add > UINT64_MAX - 1 - f->count)
        return -EAGAIN;
    f->count += add;
    tri_sim_file_notify(f);
    return (ssize_t)sizeof add;
}

int tri_sim_eventfd(struct tri_backend *b, unsigned value)
{
    struct tri_sim_world *w = tri_sim_of(b);
    int r = tri_sim_fault(w, TRI_SIM_EVENTFD);
    struct tri_sim_file *f;

    if (r < 0)
        return r;
    f = tri_sim_file_new(TRI_SIM_COUNTER);
    if (!f)
        return -ENOMEM;
    f->count = value;
    r = tri_sim_file_open(w, f);
    if (r < 0)
        tri_sim_file_free(f);
    return r;
}

ssize_t tri_sim_read(struct tri_backend *b, int fd, void *buf, size_t size)
{
    struct tri_backend *real = tri_epoll_backend();
    struct tri_sim_world *w = tri_sim_of(b);
    struct tri_sim_file *f = tri_sim_file_get(w, fd);
    int r = tri_sim_fault(w, TRI_SIM_READ);

    if (r < 0)
        return r;
    if (!tri_sim_has(fd))
        return real->ops->read(real, fd, buf, size);
    if (!f)
        return -EBADF;
    if (f->kind == TRI_SIM_COUNTER)
        return counter_read(f, buf, size);
    if (f->kind == TRI_SIM_SIGNALS || f->kind == TRI_SIM_LISTENER)
        return -EINVAL;
    return tri_sim_stream_read(w, f, buf, size, 0);
}

ssize_t tri_sim_write(struct tri_backend *b, int fd, const void *buf, size_t size)
{
    struct tri_backend *real = tri_epoll_backend();
    struct tri_sim_world *w = tri_sim_of(b);
    struct tri_sim_file *f = tri_sim_file_get(w, fd);
    int r = tri_sim_fault(w, TRI_SIM_WRITE);

    if (r < 0)
        return r;
    if (!tri_sim_has(fd))
        return real->ops->write(real, fd, buf, size);
    if (!f)
        return -EBADF;
    if (f->kind == TRI_SIM_COUNTER)
        return counter_write(f, buf, size);
    if (f->kind == TRI_SIM_SIGNALS || f->kind == TRI_SIM_LISTENER)
        return -EINVAL;
    return tri_sim_stream_write(w, f, buf, size);
}

/* Piece by piece until one is cut short; an error counts only before the first byte. */
ssize_t tri_sim_readv(struct tri_backend *b, int fd, const struct iovec *iov, int n)
{
    ssize_t done = 0, r = 0;

    for (int i = 0; i < n; i++) {
        if (iov[i].iov_len == 0)
            continue;
        r = tri_sim_read(b, fd, iov[i].iov_base, iov[i].iov_len);
        if (r <= 0)
            break;
        done += r;
        if ((size_t)r < iov[i].iov_len)
            break;
    }
    return done > 0 ? done : r;
}

ssize_t tri_sim_writev(struct tri_backend *b, int fd, const struct iovec *iov, int n)
{
    ssize_t done = 0, r = 0;

    for (int i = 0; i < n; i++) {
        if (iov[i].iov_len == 0)
            continue;
        r = tri_sim_write(b, fd, iov[i].iov_base, iov[i].iov_len);
        if (r <= 0)
            break;
        done += r;
        if ((size_t)r < iov[i].iov_len)
            break;
    }
    return done > 0 ? done : r;
}

/* --- signals: pending in the world until some descriptor takes them */

int tri_sim_signal_open(struct tri_backend *b, const sigset_t *set)
{
    struct tri_sim_world *w = tri_sim_of(b);
    int r = tri_sim_fault(w, TRI_SIM_SIGNAL_OPEN);
    struct tri_sim_file *f;

    if (r < 0)
        return r;
    f = tri_sim_file_new(TRI_SIM_SIGNALS);
    if (!f)
        return -ENOMEM;
    f->set = *set;
    r = tri_sim_file_open(w, f);
    if (r < 0)
        tri_sim_file_free(f);
    return r;
}

int tri_sim_signal_read(struct tri_backend *b, int fd, struct signalfd_siginfo *ret_info)
{
    struct tri_sim_world *w = tri_sim_of(b);
    struct tri_sim_file *f = tri_sim_file_get(w, fd);

    if (!f)
        return -EBADF;
    if (f->kind != TRI_SIM_SIGNALS)
        return -EINVAL;
    for (int signo = 1; signo < NSIG; signo++) {
        if (sigismember(&w->pending, signo) != 1 || sigismember(&f->set, signo) != 1)
            continue;
        sigdelset(&w->pending, signo);
        memset(ret_info, 0, sizeof *ret_info);
        ret_info->ssi_signo = (uint32_t)signo;
        return 0;
    }
    return -EAGAIN;
}

void tri_sim_raise(struct tri_backend *b, int signo)
{
    struct tri_sim_world *w = tri_sim_of(b);

    sigaddset(&w->pending, signo);
    for (size_t i = 0; i < w->n_slots; i++)
        if (w->file[i] && w->file[i]->kind == TRI_SIM_SIGNALS)
            tri_sim_file_notify(w->file[i]);
}

int tri_sim_poll(struct tri_backend *b, int fd, short events)
{
    struct tri_sim_world *w = tri_sim_of(b);
    const struct tri_sim_file *f = tri_sim_file_get(w, fd);
    uint32_t now;

    if (!f)
        return -EBADF;
    now = tri_sim_file_events(w, f);
    return (now & EPOLLIN ? POLLIN & events : 0) | (now & EPOLLOUT ? POLLOUT & events : 0) |
           (now & EPOLLERR ? POLLERR : 0) | (now & EPOLLHUP ? POLLHUP : 0);
}
