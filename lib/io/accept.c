/* SPDX-License-Identifier: MIT */
/* accept.c - see accept.h. */
#include "config.h"

#include "io/accept.h"
#include "sched/wait.h"

enum { QUEUE_MAX = 65536 }; /* no listen queue is longer */

/* A connection that was gone before we took it, or an error of its own: not the listener's. */
static bool is_of_the_peer(int r)
{
    switch (-r) {
    case ECONNABORTED:
    case EPROTO:
    case EPERM: /* a firewall's no */
    case ENETDOWN:
    case ENETUNREACH:
    case EHOSTDOWN:
    case EHOSTUNREACH:
    case ENONET:
    case ENOPROTOOPT:
        return true;
    default:
        return false;
    }
}

int tri_accept_try(struct tri_sock *listener, struct tri_sock *spare)
{
    struct tri_fd *f = &listener->fd;
    unsigned look = tri_fd_look(f, TRI_FD_IN), n = 0;
    int r;

    do /* each of these took one out of the queue; unless a filter of system calls says EPERM */
        r = f->backend->ops->accept(f->backend, f->fd, NULL, NULL);
    while (is_of_the_peer(r) && ++n < QUEUE_MAX);
    if (r == -EAGAIN)
        tri_fd_blocked(f, TRI_FD_IN, look);
    if (r >= 0)
        r = tri_sock_lift(f->backend, r);
    if (r < 0)
        return r;
    tri_sock_open(spare, listener->peer_kind, f->backend, r);
    return 0;
}

/* ---- the wait ---- */

struct acceptance {
    struct tri_sock *listener, *spare;
    int result;
};

static bool attempt(tr_arm *arm)
{
    struct acceptance *a = arm->source;
    struct tri_fd *f = &a->listener->fd;

    if (!tri_fd_may_try(f, TRI_FD_IN))
        return false;
    a->result = tri_sock_is_closed(a->listener) ? -EBADF : tri_fd_take_error(f, TRI_FD_IN);
    if (a->result == 0)
        a->result = tri_accept_try(a->listener, a->spare);
    return a->result != -EAGAIN;
}

static bool enroll(tr_arm *arm, struct tri_waiter *w)
{
    struct acceptance *a = arm->source;

    return tri_fd_enroll(&a->listener->fd, TRI_FD_IN, w->wakee);
}

static bool withdraw(tr_arm *arm, struct tri_waiter *w)
{
    struct acceptance *a = arm->source;

    (void)w;
    tri_fd_withdraw(&a->listener->fd, TRI_FD_IN);
    return false;
}

static const struct tri_arm_ops accept_ops = {
    .what = "accept",
    .attempt = attempt,
    .enroll = enroll,
    .withdraw = withdraw,
};

int tri_accept(struct tri_sock *listener, struct tri_sock *spare, tr_time deadline)
{
    struct acceptance a = { listener, spare, 0 };
    tr_arm arm = { .ops = &accept_ops, .source = &a };
    int r = tri_wait(&arm, deadline);

    return r < 0 ? r : a.result;
}

/* ---- the call ---- */

static int accept_one(struct tri_sock *listener, bool waits, tr_time deadline,
                      tr_sock *ret_sock)
{
    struct tri_sock *spare;
    int r;

    if (listener->kind != TRI_SOCK_LISTENER)
        return -EINVAL;
    spare = tri_sock_new();
    if (!spare)
        return -ENOMEM;
    r = waits ? tri_accept(listener, spare, deadline) : tri_accept_try(listener, spare);
    if (r == 0)
        *ret_sock = (tr_sock){ spare };
    else
        tri_sock_free(spare);
    return r;
}

static int accept_call(tr_sock *listener, bool waits, tr_time deadline, tr_sock *ret_sock)
{
    struct tri_sock *k;
    int r = tri_sock_enter(listener, TRI_USE_READ, &k);

    if (r < 0)
        return r;
    r = accept_one(k, waits, deadline, ret_sock);
    tri_sock_leave(k, TRI_USE_READ);
    return r;
}

int tr_accept(tr_sock *listener, tr_time deadline, tr_sock *ret_sock)
{
    return accept_call(listener, true, deadline, ret_sock);
}

int tr_try_accept(tr_sock *listener, tr_sock *ret_sock)
{
    return accept_call(listener, false, TR_NOW, ret_sock);
}
