/* SPDX-License-Identifier: MIT */
/* tcp.c - listen and connect: the addresses of a text, each in turn. */
#include "config.h"

#include <netinet/in.h>
#include <netinet/tcp.h>

#include "io/address.h"
#include "io/lookup.h"
#include "io/sock.h"
#include "sched/wait.h"

enum { BACKLOG = 4096 };

static int set(struct tri_backend *b, int fd, int level, int name, int value)
{
    return b->ops->setsockopt(b, fd, level, name, &value, sizeof value);
}

/* A TCP socket of the family of @a. Returns the descriptor or -errno. */
static int socket_for(struct tri_backend *b, const struct tri_address *a)
{
    int fd = b->ops->socket(b, a->at.ss_family, SOCK_STREAM, IPPROTO_TCP);

    return fd < 0 ? fd : tri_sock_lift(b, fd);
}

/* ---- listen ---- */

/* Accepted sockets inherit TCP_NODELAY. */
static int prepare(struct tri_backend *b, int fd, const struct tri_address *a,
                   const struct tr_listen_opts *o)
{
    int r = set(b, fd, SOL_SOCKET, SO_REUSEADDR, 1);

    if (r == 0)
        r = set(b, fd, IPPROTO_TCP, TCP_NODELAY, 1);
    if (r == 0 && a->at.ss_family == AF_INET6)
        r = set(b, fd, IPPROTO_IPV6, IPV6_V6ONLY, o->v6_only);
    if (r == 0 && o->reuse_port)
        r = set(b, fd, SOL_SOCKET, SO_REUSEPORT, 1);
    if (r == 0)
        r = b->ops->bind(b, fd, (const struct sockaddr *)&a->at, a->len);
    return r < 0 ? r : b->ops->listen(b, fd, o->backlog > 0 ? o->backlog : BACKLOG);
}

static int listen_at(const struct tri_address *a, const struct tr_listen_opts *o,
                     tr_sock *ret_listener)
{
    struct tri_backend *b = tri_sock_backend();
    int r, fd = socket_for(b, a);

    if (fd < 0)
        return fd;
    r = prepare(b, fd, a, o);
    if (r < 0) {
        (void)b->ops->close(b, fd);
        return r;
    }
    return tri_sock_wrap(TRI_SOCK_LISTENER, b, fd, ret_listener);
}

/* The other addresses of the name would be another place than the one that was asked for. */
static bool is_definite(int r)
{
    return r == -EADDRINUSE || r == -EACCES || r == -EMFILE || r == -ENFILE || r == -ENOMEM;
}

int tr_tcp_listen(const char *address, const struct tr_listen_opts *opts, tr_sock *ret_listener)
{
    const struct tr_listen_opts o = opts ? *opts : (struct tr_listen_opts){ .backlog = 0 };
    struct tri_address_text parts;
    struct tri_addresses list;
    int r = tri_address_parse(address, &parts);

    if (r == 0)
        r = tri_address_local(&parts, true, &list);
    if (r == -EAGAIN)
        r = tri_address_resolve(&parts, &list);
    if (r < 0)
        return r;
    r = -EADDRNOTAVAIL;
    for (unsigned i = 0; i < list.n; i++) {
        r = listen_at(&list.list[i], &o, ret_listener);
        if (r == 0 || is_definite(r))
            break;
    }
    return r;
}

/* ---- connect ---- */

struct connecting {
    struct tri_sock *sock;
    const struct tri_address *to;
    int result;
};

/*
 * Asks by calling connect once more: it says how the connection stands, also after a wake for
 * nothing, which SO_ERROR would not tell from success.
 */
static int progress(struct tri_fd *f, const struct tri_address *to)
{
    struct tri_backend *b = f->backend;
    unsigned look = tri_fd_look(f, TRI_FD_OUT);
    int r = b->ops->connect(b, f->fd, (const struct sockaddr *)&to->at, to->len);

    if (r == -EINPROGRESS || r == -EALREADY) {
        tri_fd_blocked(f, TRI_FD_OUT, look);
        return -EAGAIN;
    }
    if (r == -EAGAIN) /* of the kernel: no local port is left */
        return -EADDRNOTAVAIL;
    return r == -EISCONN ? 0 : r;
}

static bool attempt(tr_arm *arm)
{
    struct connecting *c = arm->source;

    if (!tri_fd_may_try(&c->sock->fd, TRI_FD_OUT))
        return false;
    c->result = tri_fd_take_error(&c->sock->fd, TRI_FD_OUT);
    if (c->result == 0)
        c->result = progress(&c->sock->fd, c->to);
    return c->result != -EAGAIN;
}

static bool enroll(tr_arm *arm, struct tri_waiter *w)
{
    struct connecting *c = arm->source;

    return tri_fd_enroll(&c->sock->fd, TRI_FD_OUT, w->wakee);
}

static bool withdraw(tr_arm *arm, struct tri_waiter *w)
{
    struct connecting *c = arm->source;

    (void)w;
    tri_fd_withdraw(&c->sock->fd, TRI_FD_OUT);
    return false;
}

static const struct tri_arm_ops connect_ops = {
    .what = "connect",
    .attempt = attempt,
    .enroll = enroll,
    .withdraw = withdraw,
};

static int connect_to(const struct tri_address *to, tr_time deadline, tr_sock *ret_sock)
{
    struct tri_backend *b = tri_sock_backend();
    struct connecting c = { NULL, to, 0 };
    tr_arm arm = { .ops = &connect_ops, .source = &c };
    tr_sock s = { NULL };
    int r, fd = socket_for(b, to);

    if (fd < 0)
        return fd;
    r = tri_sock_wrap(TRI_SOCK_TCP, b, fd, &s);
    if (r < 0)
        return r;
    c.sock = s.impl;
    r = tri_wait(&arm, deadline);
    if (r == 0)
        r = c.result;
    if (r == 0)
        r = set(b, fd, IPPROTO_TCP, TCP_NODELAY, 1);
    if (r == 0)
        *ret_sock = s;
    else
        tr_sock_close(&s);
    return r;
}

/* What ends the whole call, whatever other addresses there are. */
static bool is_over(int r)
{
    return r == -ETIMEDOUT || r == -ECANCELED || r == -ESHUTDOWN || r == -EPERM;
}

int tr_tcp_connect(const char *address, tr_time deadline, tr_sock *ret_sock)
{
    struct tri_address_text parts;
    struct tri_addresses list;
    int r = tri_address_parse(address, &parts);

    if (r == 0)
        r = tri_address_local(&parts, false, &list);
    if (r == -EAGAIN)
        r = tri_lookup(&parts, deadline, &list);
    if (r < 0)
        return r;
    r = -EADDRNOTAVAIL;
    for (unsigned i = 0; i < list.n; i++) {
        r = connect_to(&list.list[i], deadline, ret_sock);
        if (r == 0 || is_over(r))
            break;
    }
    return r;
}
