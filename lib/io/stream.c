/* SPDX-License-Identifier: MIT */
/*
 * stream.c - see stream.h. The arms' attempt is the system call itself; it is made only if the
 * last one did not block, or something has happened since (readiness.h).
 */
#include "config.h"

#include "io/stream.h"
#include "sched/wait.h"
#include "sched/worker.h"

/* At most this much in one call, so that a count fits everywhere. */
enum { MAX_ONCE = 1 << 30 };

struct transfer {
    struct tri_sock *sock;
    union {
        char *in;
        const char *out;
    } at;
    size_t n;
    ssize_t done; /* or -errno */
};

static size_t at_once(size_t n)
{
    return n < MAX_ONCE ? n : MAX_ONCE;
}

static ssize_t read_once(struct tri_sock *k, void *buf, size_t n)
{
    struct tri_fd *f = &k->fd;
    struct tri_backend *b = f->backend;
    unsigned look = tri_fd_look(f, TRI_FD_IN);
    ssize_t r;

    r = k->kind == TRI_SOCK_PIPE ? b->ops->read(b, f->fd, buf, n)
                                 : b->ops->recv(b, f->fd, buf, n, 0);
    if (r == -EAGAIN)
        tri_fd_blocked(f, TRI_FD_IN, look);
    else if (r > 0 && (size_t)r < n && k->short_blocks)
        tri_fd_short(f, TRI_FD_IN, look);
    else if (r == 0 && n > 0)
        k->ended = true;
    return r < 0 ? tri_sock_error((int)r) : r;
}

static ssize_t write_once(struct tri_sock *k, const void *buf, size_t n)
{
    struct tri_fd *f = &k->fd;
    struct tri_backend *b = f->backend;
    unsigned look = tri_fd_look(f, TRI_FD_OUT);
    ssize_t r;

    r = k->kind == TRI_SOCK_PIPE ? b->ops->write(b, f->fd, buf, n)
                                 : b->ops->send(b, f->fd, buf, n, MSG_NOSIGNAL);
    if (r == -EAGAIN)
        tri_fd_blocked(f, TRI_FD_OUT, look);
    else if (r >= 0 && (size_t)r < n && k->short_blocks)
        tri_fd_short(f, TRI_FD_OUT, look);
    return r < 0 ? tri_sock_error((int)r) : r;
}

/* ---- arms ---- */

/* What ends an attempt before the system call: true, with t->done. */
static bool is_over(struct transfer *t, enum tri_fd_dir dir)
{
    t->done = tri_sock_is_closed(t->sock) ? -EBADF : tri_fd_take_error(&t->sock->fd, dir);
    return t->done < 0;
}

static bool read_attempt(tr_arm *arm)
{
    struct transfer *t = arm->source;

    if (!tri_fd_may_try(&t->sock->fd, TRI_FD_IN))
        return false;
    if (!is_over(t, TRI_FD_IN))
        t->done = read_once(t->sock, t->at.in, at_once(t->n));
    return t->done != -EAGAIN;
}

/*
 * Advances; true when all is written. One system call: a part means that the rest would block.
 */
static bool write_attempt(tr_arm *arm)
{
    struct transfer *t = arm->source;

    if (!tri_fd_may_try(&t->sock->fd, TRI_FD_OUT))
        return false;
    if (!is_over(t, TRI_FD_OUT))
        t->done = write_once(t->sock, t->at.out, at_once(t->n));
    if (t->done == -EAGAIN)
        return false;
    if (t->done < 0)
        return true;
    t->at.out += t->done;
    t->n -= (size_t)t->done;
    return t->n == 0;
}

static bool read_enroll(tr_arm *arm, struct tri_waiter *w)
{
    struct transfer *t = arm->source;

    return tri_fd_enroll(&t->sock->fd, TRI_FD_IN, w->wakee);
}

static bool write_enroll(tr_arm *arm, struct tri_waiter *w)
{
    struct transfer *t = arm->source;

    return tri_fd_enroll(&t->sock->fd, TRI_FD_OUT, w->wakee);
}

static bool read_withdraw(tr_arm *arm, struct tri_waiter *w)
{
    struct transfer *t = arm->source;

    (void)w;
    tri_fd_withdraw(&t->sock->fd, TRI_FD_IN);
    return false;
}

static bool write_withdraw(tr_arm *arm, struct tri_waiter *w)
{
    struct transfer *t = arm->source;

    (void)w;
    tri_fd_withdraw(&t->sock->fd, TRI_FD_OUT);
    return false;
}

static const struct tri_arm_ops read_ops = {
    .what = "socket read",
    .attempt = read_attempt,
    .enroll = read_enroll,
    .withdraw = read_withdraw,
};

static const struct tri_arm_ops write_ops = {
    .what = "socket write",
    .attempt = write_attempt,
    .enroll = write_enroll,
    .withdraw = write_withdraw,
};

/* ---- a stream of the user's own ---- */

static ssize_t custom_read(struct tri_sock *k, void *buf, size_t n, tr_time deadline)
{
    return k->ops->read ? k->ops->read(buf, n, deadline, k->self) : -EOPNOTSUPP;
}

/* -EIO: it took nothing, or more than there was. */
static ssize_t custom_write(struct tri_sock *k, const void *buf, size_t n, tr_time deadline)
{
    ssize_t r = k->ops->write ? k->ops->write(buf, n, deadline, k->self) : -EOPNOTSUPP;

    return r == 0 || (r > 0 && (size_t)r > n) ? -EIO : r;
}

static int custom_write_all(struct tri_sock *k, const char *at, size_t n, tr_time deadline,
                            size_t *ret_done)
{
    int r = tri_wait_enter_as(tri_self(), write_ops.what);
    ssize_t w;

    *ret_done = 0;
    while (r == 0 && *ret_done < n) {
        w = custom_write(k, at + *ret_done, n - *ret_done, deadline);
        if (w < 0)
            return tri_sock_is_closed(k) ? -EBADF : (int)w;
        *ret_done += (size_t)w;
    }
    return r;
}

/* ---- the four ---- */

ssize_t tri_stream_read(struct tri_sock *k, void *buf, size_t n, tr_time deadline)
{
    struct transfer t = { .sock = k, .at.in = buf, .n = n };
    tr_arm arm = { .ops = &read_ops, .source = &t };
    int r;

    if (k->kind == TRI_SOCK_CUSTOM) {
        r = tri_wait_enter_as(tri_self(), read_ops.what);
        return r < 0 ? r : custom_read(k, buf, n, deadline);
    }
    r = tri_wait(&arm, deadline);
    return r < 0 ? r : t.done;
}

int tri_stream_write(struct tri_sock *k, const void *buf, size_t n, tr_time deadline,
                     size_t *ret_done)
{
    struct transfer t = { .sock = k, .at.out = buf, .n = n };
    tr_arm arm = { .ops = &write_ops, .source = &t };
    int r;

    if (k->kind == TRI_SOCK_CUSTOM || n == 0) /* of nothing: no call, and no wait */
        return custom_write_all(k, buf, n, deadline, ret_done);
    do
        r = tri_wait(&arm, deadline);
    while (r == 0 && t.done >= 0 && t.n > 0); /* more than fits into one call */
    *ret_done = n - t.n;
    return r < 0 ? r : t.done < 0 ? (int)t.done : 0;
}

ssize_t tri_stream_try_read(struct tri_sock *k, void *buf, size_t n)
{
    ssize_t r;

    if (k->kind != TRI_SOCK_CUSTOM)
        return read_once(k, buf, at_once(n));
    r = custom_read(k, buf, n, TR_NOW);
    return r == -ETIMEDOUT ? -EAGAIN : r;
}

ssize_t tri_stream_try_write(struct tri_sock *k, const void *buf, size_t n)
{
    ssize_t r;

    if (k->kind != TRI_SOCK_CUSTOM)
        return write_once(k, buf, at_once(n));
    r = custom_write(k, buf, n, TR_NOW);
    return r == -ETIMEDOUT ? -EAGAIN : r;
}
