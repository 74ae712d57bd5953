/* SPDX-License-Identifier: MIT */
/* sock.c - the life of a socket object; see sock.h. */
#include "config.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/lock.h"
#include "io/gate.h"
#include "io/sock.h"
#include "mem/slab.h"
#include "reactor/epoll.h"
#include "sched/worker.h"

enum {
    DISCARD_BYTES = 4096, /* read at once by a close */
    DISCARD_READS = 16,   /* and how often at most */
};

/* ---- records ---- */

/* Protects the three below; the slab's own lock is taken inside. */
static struct tri_lock slab_lock;
static struct tri_slab slab;
static struct tri_slab_cache slab_cache;
static size_t n_out;

/* The record's use is CLOSED between two lives, so that a stale tr_sock is found out. */
struct tri_sock *tri_sock_new(void)
{
    struct tri_sock *k = NULL;
    size_t size = (sizeof *k + 15) / 16 * 16;

    tri_lock_acquire(&slab_lock);
    if (slab_cache.slab || tri_slab_init(&slab, size) == 0) {
        if (!slab_cache.slab)
            tri_slab_cache_init(&slab_cache, &slab);
        k = tri_slab_get(&slab_cache);
        n_out += k != NULL;
    }
    tri_lock_release(&slab_lock);
    if (k)
        /* relaxed: nobody else has the record. */
        atomic_store_explicit(&k->use, TRI_USE_CLOSED, memory_order_relaxed);
    return k;
}

void tri_sock_free(struct tri_sock *k)
{
    tri_lock_acquire(&slab_lock);
    tri_slab_put(&slab_cache, k);
    n_out--;
    tri_lock_release(&slab_lock);
}

size_t tri_sock_n_open(void)
{
    size_t n;

    tri_lock_acquire(&slab_lock);
    n = n_out;
    tri_lock_release(&slab_lock);
    return n;
}

/* ---- making ---- */

struct tri_backend *tri_sock_backend(void)
{
    struct tri_backend *b = tri_self_backend();

    return b ? b : tri_epoll_backend();
}

void tri_sock_open(struct tri_sock *k, enum tri_sock_kind kind, struct tri_backend *b, int fd)
{
    k->kind = kind;
    k->peer_kind = TRI_SOCK_TCP;
    k->is_shared = false;
    k->ops = NULL;
    k->self = NULL;
    k->quota = NULL;
    k->line = (struct tri_line){ NULL, 0, 0, 0, 0 };
    k->ended = false;
    k->short_blocks = kind == TRI_SOCK_TCP || kind == TRI_SOCK_PIPE;
    if (kind != TRI_SOCK_CUSTOM)
        tri_fd_init(&k->fd, b, fd);
    /* relaxed: whoever uses it gets it from us. */
    atomic_store_explicit(&k->use, 0, memory_order_relaxed);
}

int tri_sock_wrap(enum tri_sock_kind kind, struct tri_backend *b, int fd, tr_sock *ret_sock)
{
    struct tri_sock *k = tri_sock_new();

    if (!k) {
        (void)b->ops->close(b, fd);
        return -ENOMEM;
    }
    tri_sock_open(k, kind, b, fd);
    *ret_sock = (tr_sock){ k };
    return 0;
}

int tri_sock_lift(struct tri_backend *b, int fd)
{
    int high;

    if (tri_likely(fd > STDERR_FILENO))
        return fd;
    /* Not through the table: only the kernel's descriptors are that low. */
    high = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    if (high < 0)
        high = -errno;
    (void)b->ops->close(b, fd);
    return high;
}

int tr_sock_custom(const struct tr_stream_ops *ops, void *self, tr_sock *ret_sock)
{
    struct tri_sock *k;

    if (!ops)
        return -EINVAL;
    k = tri_sock_new();
    if (!k)
        return -ENOMEM;
    tri_sock_open(k, TRI_SOCK_CUSTOM, NULL, -1);
    k->ops = ops;
    k->self = self;
    *ret_sock = (tr_sock){ k };
    return 0;
}

/* An option's value, or -errno. */
static int option(struct tri_backend *b, int fd, int name)
{
    int value = 0, r;
    socklen_t len = sizeof value;

    r = b->ops->getsockopt(b, fd, SOL_SOCKET, name, &value, &len);
    return r < 0 ? r : value;
}

/* What kind of stream @fd is, or -errno. */
static int classify(struct tri_backend *b, int fd, bool *ret_listens)
{
    struct stat st;
    int type = option(b, fd, SO_TYPE), domain;

    *ret_listens = false;
    if (type == -ENOTSOCK)
        return fstat(fd, &st) == 0 && S_ISFIFO(st.st_mode) ? (int)TRI_SOCK_PIPE : -EINVAL;
    if (type < 0)
        return type;
    if (type != SOCK_STREAM)
        return -EINVAL;
    domain = option(b, fd, SO_DOMAIN);
    *ret_listens = option(b, fd, SO_ACCEPTCONN) == 1;
    return domain == AF_INET || domain == AF_INET6 ? TRI_SOCK_TCP : TRI_SOCK_STREAM;
}

int tr_sock_adopt(int fd, tr_sock *ret_sock)
{
    struct tri_backend *b = tri_sock_backend();
    bool listens;
    int kind = classify(b, fd, &listens), r;
    struct tri_sock *k;

    if (kind < 0)
        return kind;
    k = tri_sock_new();
    if (!k)
        return -ENOMEM;
    r = b->ops->nonblock(b, fd);
    if (r < 0) {
        tri_sock_free(k);
        return r;
    }
    tri_sock_open(k, listens ? TRI_SOCK_LISTENER : (enum tri_sock_kind)kind, b, fd);
    k->peer_kind = (enum tri_sock_kind)kind;
    k->is_shared = true;
    *ret_sock = (tr_sock){ k };
    return 0;
}

int tr_sock_pair(tr_sock *ret_a, tr_sock *ret_b)
{
    struct tri_backend *b = tri_sock_backend();
    tr_sock first = { NULL };
    int fd[2], r = b->ops->socketpair(b, fd);

    if (r < 0)
        return r;
    for (int i = 0; i < 2; i++) /* both, so that a low one is free again for neither */
        fd[i] = tri_sock_lift(b, fd[i]);
    if (fd[0] >= 0 && fd[1] >= 0) {
        r = tri_sock_wrap(TRI_SOCK_STREAM, b, fd[0], &first);
        if (r == 0)
            r = tri_sock_wrap(TRI_SOCK_STREAM, b, fd[1], ret_b);
        else
            (void)b->ops->close(b, fd[1]);
        if (r == 0)
            *ret_a = first;
        else
            tr_sock_close(&first);
        return r;
    }
    r = fd[0] < 0 ? fd[0] : fd[1];
    for (int i = 0; i < 2; i++)
        if (fd[i] >= 0)
            (void)b->ops->close(b, fd[i]);
    return r;
}

/* ---- users ---- */

/*
 * Reads away what the peer has sent and nobody wanted: a close with unread bytes makes the
 * kernel send a reset, which overtakes our last answer in the peer's buffers. Bounded, and only
 * what is there: a peer that goes on sending is reset all the same.
 */
static void discard_unread(struct tri_sock *k)
{
    struct tri_fd *f = &k->fd;
    char waste[DISCARD_BYTES];
    ssize_t n = DISCARD_BYTES;

    for (int i = 0; i < DISCARD_READS && n == DISCARD_BYTES; i++)
        n = f->backend->ops->recv(f->backend, f->fd, waste, sizeof waste, 0);
}

/* The last user has left, and it was closed. */
static void destroy(struct tri_sock *k)
{
    struct tri_quota *quota = k->quota;

    tri_line_free(&k->line);
    if (k->kind == TRI_SOCK_CUSTOM) {
        if (k->ops->close)
            k->ops->close(k->self);
    } else {
        if (k->kind == TRI_SOCK_TCP && !k->ended && tri_fd_may_try(&k->fd, TRI_FD_IN))
            discard_unread(k);
        tri_fd_close(&k->fd);
    }
    tri_sock_free(k);
    tri_quota_drop(quota);
    tri_gate_closed();
}

int tri_sock_claim(struct tri_sock *k, unsigned side)
{
    unsigned use = atomic_load_explicit(&k->use, memory_order_relaxed);

    do {
        if (use & TRI_USE_CLOSED)
            return -EBADF;
        if (use & side)
            return -EBUSY;
        /* acquire: what the side's last user left; pairs with tri_sock_leave(). relaxed on
         * failure and above: only the value tested in the end counts. */
    } while (!atomic_compare_exchange_weak_explicit(
        &k->use, &use, use | side, memory_order_acquire, memory_order_relaxed));
    return 0;
}

int tri_sock_enter(const tr_sock *s, unsigned side, struct tri_sock **ret_sock)
{
    int r;

    if (!s || !s->impl)
        return -EINVAL;
    r = tri_sock_claim(s->impl, side);
    if (r == 0)
        *ret_sock = s->impl;
    return r;
}

void tri_sock_leave(struct tri_sock *k, unsigned side)
{
    /* release: the side's next user, or destroy() by whoever is the last, sees what we did.
     * acquire: if that is us, we see what the others did. */
    if (atomic_fetch_and_explicit(&k->use, ~side, memory_order_acq_rel) ==
        (side | TRI_USE_CLOSED))
        destroy(k);
}

/*
 * Somebody is inside: makes the call return. It still holds the object, and so do we no more.
 */
static void expel(struct tri_sock *k, unsigned hold)
{
    if (k->kind == TRI_SOCK_CUSTOM) {
        if (k->ops->shutdown)
            (void)k->ops->shutdown(SHUT_RDWR, k->self);
    } else {
        tri_fd_rouse(&k->fd); /* its attempt then finds CLOSED */
        tri_gate_closed();    /* and so does an acceptor that waits there */
    }
    tri_sock_leave(k, hold);
}

/*
 * In a forked child: the descriptor is its own copy, but unread input and the connection are
 * the parent's, and locks may be held by threads that are no more. The record goes with the
 * process.
 */
static void close_copy(struct tri_sock *k)
{
    if (k->kind == TRI_SOCK_CUSTOM) {
        if (k->ops->close)
            k->ops->close(k->self);
    } else {
        (void)k->fd.backend->ops->close(k->fd.backend, k->fd.fd);
    }
}

void tr_sock_close(tr_sock *s)
{
    enum { CLOSER = 1u << 3 }; /* in use: we are still inside */
    struct tri_sock *k = s ? s->impl : NULL;
    unsigned use;

    if (!k)
        return;
    s->impl = NULL;
    use = atomic_load_explicit(&k->use, memory_order_relaxed);
    do {
        if (use & TRI_USE_CLOSED) /* through another copy of *s: misuse, without harm */
            return;
        /* acq_rel: as in tri_sock_leave(). relaxed: only the value tested in the end counts. */
    } while (!atomic_compare_exchange_weak_explicit(
        &k->use, &use, use ? use | TRI_USE_CLOSED | CLOSER : TRI_USE_CLOSED,
        memory_order_acq_rel, memory_order_relaxed));
    if (tri_unlikely(tri_is_forked()))
        close_copy(k);
    else if (use == 0)
        destroy(k);
    else
        expel(k, CLOSER);
}

int tr_sock_shutdown(tr_sock *s, int how)
{
    struct tri_sock *k = s ? s->impl : NULL;
    int r;

    if (!k || (how != SHUT_RD && how != SHUT_WR && how != SHUT_RDWR))
        return -EINVAL;
    if (k->kind == TRI_SOCK_CUSTOM)
        return k->ops->shutdown ? k->ops->shutdown(how, k->self) : 0;
    if (k->kind == TRI_SOCK_PIPE)
        return -EOPNOTSUPP;
    r = k->fd.backend->ops->shutdown(k->fd.backend, k->fd.fd, how);
    return r == -ENOTCONN ? 0 : r;
}

/* ---- questions ---- */

int tr_sock_fd(const tr_sock *s)
{
    return s && s->impl && s->impl->kind != TRI_SOCK_CUSTOM ? s->impl->fd.fd : -1;
}

int tr_sock_port(const tr_sock *s)
{
    struct sockaddr_storage a;
    struct sockaddr_in in;
    socklen_t len = sizeof a;
    struct tri_backend *b;
    int r;

    if (!s || !s->impl)
        return -EINVAL;
    if (s->impl->kind == TRI_SOCK_CUSTOM)
        return -EOPNOTSUPP;
    b = s->impl->fd.backend;
    r = b->ops->getsockname(b, s->impl->fd.fd, (struct sockaddr *)&a, &len);
    if (r < 0)
        return r == -ENOTSOCK ? -EOPNOTSUPP : r;
    if (a.ss_family != AF_INET && a.ss_family != AF_INET6)
        return -EOPNOTSUPP;
    memcpy(&in, &a, sizeof in); /* the port is at the same place in both families */
    return ntohs(in.sin_port);
}
