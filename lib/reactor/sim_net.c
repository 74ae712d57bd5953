/* SPDX-License-Identifier: MIT */
/*
 * sim_net.c - simulated stream sockets: IPv4 and IPv6, of which only the port counts, and Unix
 * paths. A connection is always -EINPROGRESS first; a full backlog makes its request wait a
 * second, as a lost one would.
 */
#include "config.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "reactor/epoll.h"
#include "reactor/sim_world.h"

enum { MAX_BACKLOG = 4096 };

/* The simulated socket @fd in *@ret_file; 0, or why it is none. */
static int get_socket(struct tri_sim_world *w, int fd, struct tri_sim_file **ret_file)
{
    struct tri_sim_file *f = tri_sim_file_get(w, fd);

    if (!f)
        return -EBADF;
    if (f->kind != TRI_SIM_STREAM && f->kind != TRI_SIM_LISTENER)
        return -ENOTSOCK;
    *ret_file = f;
    return 0;
}

/* --- addresses */

static in_port_t *addr_port(struct tri_sim_addr *a)
{
    if (a->s.ss_family == AF_INET)
        return &((struct sockaddr_in *)(void *)&a->s)->sin_port;
    if (a->s.ss_family == AF_INET6)
        return &((struct sockaddr_in6 *)(void *)&a->s)->sin6_port;
    return NULL;
}

/* Whether @a and @b are one place to listen at. */
static bool addr_is_same(struct tri_sim_addr *a, struct tri_sim_addr *b)
{
    const in_port_t *port = addr_port(a), *other = addr_port(b);

    if (a->s.ss_family != b->s.ss_family)
        return false;
    if (port && other)
        return *port == *other;
    return a->len == b->len && memcmp(&a->s, &b->s, a->len) == 0;
}

static int addr_set(struct tri_sim_addr *a, const struct sockaddr *addr, socklen_t len)
{
    if (len < sizeof addr->sa_family || len > sizeof a->s)
        return -EINVAL;
    if (addr->sa_family != a->s.ss_family)
        return -EAFNOSUPPORT;
    if ((addr->sa_family == AF_INET && len < sizeof(struct sockaddr_in)) ||
        (addr->sa_family == AF_INET6 && len < sizeof(struct sockaddr_in6)))
        return -EINVAL;
    memset(&a->s, 0, sizeof a->s);
    memcpy(&a->s, addr, len);
    a->len = len;
    return 0;
}

/* As the kernel gives one out: cut to *@len, which becomes the whole length. */
static int addr_give(const struct tri_sim_addr *a, struct sockaddr *addr, socklen_t *len)
{
    if (!addr)
        return 0;
    memcpy(addr, &a->s, *len < a->len ? *len : a->len);
    *len = a->len;
    return 0;
}

/* Whether another socket was bound to @f's own place, or listens there. */
static bool is_taken(const struct tri_sim_world *w, struct tri_sim_file *f)
{
    for (size_t i = 0; i < w->n_slots; i++) {
        struct tri_sim_file *other = w->file[i];

        if (other && other != f && other->is_bound && addr_is_same(&other->local, &f->local))
            return true;
    }
    return false;
}

/* Gives @f a port of its own, if its address has one and it is 0. */
static int choose_port(struct tri_sim_world *w, struct tri_sim_file *f)
{
    in_port_t *port = addr_port(&f->local);

    if (!port || *port)
        return 0;
    for (unsigned tries = 0; tries < 16384; tries++) {
        *port = htons(w->next_port);
        w->next_port = w->next_port == 65535 ? 49152 : (uint16_t)(w->next_port + 1);
        if (!is_taken(w, f))
            return 0;
    }
    *port = 0;
    return -EADDRINUSE;
}

static struct tri_sim_file *find_listener(const struct tri_sim_world *w,
                                          struct tri_sim_addr *at)
{
    for (size_t i = 0; i < w->n_slots; i++)
        if (w->file[i] && w->file[i]->kind == TRI_SIM_LISTENER &&
            addr_is_same(&w->file[i]->local, at))
            return w->file[i];
    return NULL;
}

/* --- calls */

int tri_sim_socket(struct tri_backend *b, int domain, int type, int protocol)
{
    struct tri_sim_world *w = tri_sim_of(b);
    int r = tri_sim_fault(w, TRI_SIM_SOCKET);
    struct tri_sim_file *f;

    (void)protocol;
    if (r < 0)
        return r;
    if (domain != AF_INET && domain != AF_INET6 && domain != AF_UNIX)
        return -EAFNOSUPPORT;
    if ((type & ~(SOCK_NONBLOCK | SOCK_CLOEXEC)) != SOCK_STREAM)
        return -ESOCKTNOSUPPORT;
    f = tri_sim_file_new(TRI_SIM_STREAM);
    if (!f)
        return -ENOMEM;
    f->local.s.ss_family = f->remote.s.ss_family = (sa_family_t)domain;
    f->local.len = domain == AF_INET    ? sizeof(struct sockaddr_in)
                   : domain == AF_INET6 ? sizeof(struct sockaddr_in6)
                                        : sizeof(sa_family_t);
    r = tri_sim_file_open(w, f);
    if (r < 0)
        tri_sim_file_free(f);
    return r;
}

int tri_sim_bind(struct tri_backend *b, int fd, const struct sockaddr *addr, socklen_t len)
{
    struct tri_sim_world *w = tri_sim_of(b);
    struct tri_sim_addr wanted, before;
    struct tri_sim_file *f;
    int r = get_socket(w, fd, &f);

    if (r == 0)
        r = tri_sim_fault(w, TRI_SIM_BIND);
    if (r < 0)
        return r;
    if (f->is_bound || f->is_connected || f->is_connecting)
        return -EINVAL;
    wanted = before = f->local;
    r = addr_set(&wanted, addr, len);
    if (r < 0)
        return r;
    f->local = wanted;
    r = choose_port(w, f);
    if (r == 0 && is_taken(w, f))
        r = -EADDRINUSE;
    if (r < 0)
        f->local = before;
    else
        f->is_bound = true;
    return r;
}

int tri_sim_listen(struct tri_backend *b, int fd, int backlog)
{
    struct tri_sim_world *w = tri_sim_of(b);
    struct tri_sim_file *f;
    int r = get_socket(w, fd, &f);

    if (r == 0)
        r = tri_sim_fault(w, TRI_SIM_LISTEN);
    if (r == 0 && (f->is_connected || f->is_connecting))
        r = -EINVAL;
    if (r == 0)
        r = choose_port(w, f);
    if (r < 0)
        return r;
    if (f->kind == TRI_SIM_STREAM)
        tri_list_init(&f->queue);
    f->kind = TRI_SIM_LISTENER;
    f->is_bound = true;
    f->backlog = backlog < 1 ? 1 : backlog > MAX_BACKLOG ? MAX_BACKLOG : (unsigned)backlog;
    return 0;
}

int tri_sim_accept(struct tri_backend *b, int fd, struct sockaddr *addr, socklen_t *len)
{
    struct tri_sim_world *w = tri_sim_of(b);
    struct tri_sim_file *f, *child;
    int r = get_socket(w, fd, &f);

    if (r < 0)
        return r;
    if (f->kind != TRI_SIM_LISTENER)
        return -EINVAL;
    if (f->n_queued == 0)
        return -EAGAIN;
    r = tri_sim_fault(w, TRI_SIM_ACCEPT);
    if (r < 0)
        return r; /* the child stays in the queue */
    child = tri_list_entry(f->queue.next, struct tri_sim_file, queue);
    r = tri_sim_file_open(w, child);
    if (r < 0)
        return r;
    tri_list_del(&child->queue);
    f->n_queued--;
    (void)addr_give(&child->remote, addr, len);
    return r;
}

int tri_sim_connect(struct tri_backend *b, int fd, const struct sockaddr *addr, socklen_t len)
{
    struct tri_sim_world *w = tri_sim_of(b);
    struct tri_sim_file *f;
    int r = get_socket(w, fd, &f);

    if (r == 0)
        r = tri_sim_fault(w, TRI_SIM_CONNECT);
    if (r < 0)
        return r;
    if (f->is_connected || f->kind == TRI_SIM_LISTENER)
        return -EISCONN;
    if (f->is_connecting)
        return -EALREADY;
    if (f->error) {
        r = -f->error;
        f->error = 0;
        return r;
    }
    r = addr_set(&f->remote, addr, len);
    if (r == 0)
        r = choose_port(w, f);
    if (r < 0)
        return r;
    f->is_dead = false;
    f->is_connecting = true;
    tri_sim_stream_send(w, f);
    return -EINPROGRESS;
}

/* A new end for @f, in @listener's queue. */
static int add_child(struct tri_sim_file *listener, struct tri_sim_file *f)
{
    struct tri_sim_file *child = tri_sim_file_new(TRI_SIM_STREAM);

    if (!child || tri_sim_stream_join(f, child) < 0) {
        tri_sim_file_free(child);
        return -ENOMEM;
    }
    child->local = f->remote;
    child->remote = f->local;
    tri_list_add_tail(&listener->queue, &child->queue);
    listener->n_queued++;
    return 0;
}

void tri_sim_connect_arrive(struct tri_sim_world *w, struct tri_sim_file *f)
{
    struct tri_sim_file *listener = find_listener(w, &f->remote);

    if (listener && (listener->n_queued >= listener->backlog || add_child(listener, f) < 0)) {
        f->due = tri_sim_now(&w->backend) + TR_S(1);
        tri_list_add_tail(&w->arriving, &f->arrival);
        return;
    }
    f->is_connecting = false;
    if (listener) {
        tri_sim_file_notify(listener);
    } else {
        f->is_dead = true;
        f->error = ECONNREFUSED;
    }
    tri_sim_file_notify(f);
}

void tri_sim_listener_close(struct tri_sim_world *w, struct tri_sim_file *f)
{
    struct tri_list *i;

    while ((i = tri_list_pop(&f->queue))) {
        struct tri_sim_file *child = tri_list_entry(i, struct tri_sim_file, queue);

        child->lingers_zero = true;
        tri_sim_stream_close(w, child);
        tri_sim_file_free(child);
    }
}

int tri_sim_shutdown(struct tri_backend *b, int fd, int how)
{
    struct tri_backend *real = tri_epoll_backend();
    struct tri_sim_file *f;
    int r;

    if (!tri_sim_has(fd))
        return real->ops->shutdown(real, fd, how);
    r = get_socket(tri_sim_of(b), fd, &f);
    return r < 0 ? r : tri_sim_stream_shutdown(tri_sim_of(b), f, how);
}

ssize_t tri_sim_recv(struct tri_backend *b, int fd, void *buf, size_t size, int flags)
{
    struct tri_backend *real = tri_epoll_backend();
    struct tri_sim_world *w = tri_sim_of(b);
    struct tri_sim_file *f;
    int r = tri_sim_fault(w, TRI_SIM_READ);

    if (r < 0)
        return r;
    if (!tri_sim_has(fd))
        return real->ops->recv(real, fd, buf, size, flags);
    r = get_socket(w, fd, &f);
    if (r == 0 && f->kind == TRI_SIM_LISTENER)
        r = -ENOTCONN;
    return r < 0 ? r : tri_sim_stream_read(w, f, buf, size, flags);
}

ssize_t tri_sim_send(struct tri_backend *b, int fd, const void *buf, size_t size, int flags)
{
    struct tri_backend *real = tri_epoll_backend();
    struct tri_sim_world *w = tri_sim_of(b);
    struct tri_sim_file *f;
    int r = tri_sim_fault(w, TRI_SIM_WRITE);

    if (r < 0)
        return r;
    if (!tri_sim_has(fd))
        return real->ops->send(real, fd, buf, size, flags);
    r = get_socket(w, fd, &f);
    if (r == 0 && f->kind == TRI_SIM_LISTENER)
        r = -EPIPE;
    return r < 0 ? r : tri_sim_stream_write(w, f, buf, size);
}

ssize_t tri_sim_sendv(struct tri_backend *b, int fd, const struct iovec *iov, int n, int flags)
{
    struct tri_backend *real = tri_epoll_backend();
    struct tri_sim_file *f;
    int r;

    if (!tri_sim_has(fd))
        return real->ops->sendv(real, fd, iov, n, flags);
    r = get_socket(tri_sim_of(b), fd, &f);
    return r < 0 ? r : tri_sim_writev(b, fd, iov, n);
}

int tri_sim_getsockname(struct tri_backend *b, int fd, struct sockaddr *addr, socklen_t *len)
{
    struct tri_sim_file *f;
    int r = get_socket(tri_sim_of(b), fd, &f);

    return r < 0 ? r : addr_give(&f->local, addr, len);
}

int tri_sim_getpeername(struct tri_backend *b, int fd, struct sockaddr *addr, socklen_t *len)
{
    struct tri_sim_file *f;
    int r = get_socket(tri_sim_of(b), fd, &f);

    if (r < 0)
        return r;
    return f->is_connected && !f->is_dead ? addr_give(&f->remote, addr, len) : -ENOTCONN;
}

/* Only a linger of 0 has an effect; the others may be set. */
int tri_sim_setsockopt(struct tri_backend *b, int fd, int level, int name, const void *value,
                       socklen_t len)
{
    struct linger l;
    struct tri_sim_file *f;
    int r = get_socket(tri_sim_of(b), fd, &f);

    if (r < 0 || level != SOL_SOCKET || name != SO_LINGER)
        return r;
    if (len < sizeof l)
        return -EINVAL;
    memcpy(&l, value, sizeof l);
    f->lingers_zero = l.l_onoff && l.l_linger == 0;
    return 0;
}

int tri_sim_getsockopt(struct tri_backend *b, int fd, int level, int name, void *value,
                       socklen_t *len)
{
    struct tri_sim_file *f;
    int r = get_socket(tri_sim_of(b), fd, &f), v;

    if (r < 0)
        return r;
    if (level != SOL_SOCKET)
        return -ENOPROTOOPT;
    if (name == SO_ERROR)
        v = f->error;
    else if (name == SO_TYPE)
        v = SOCK_STREAM;
    else if (name == SO_ACCEPTCONN)
        v = f->kind == TRI_SIM_LISTENER;
    else if (name == SO_SNDBUF || name == SO_RCVBUF)
        v = TRI_SIM_BUFFER;
    else
        return -ENOPROTOOPT;
    if (*len < sizeof v)
        return -EINVAL;
    if (name == SO_ERROR)
        f->error = 0;
    memcpy(value, &v, sizeof v);
    *len = sizeof v;
    return 0;
}
