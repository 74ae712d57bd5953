/* SPDX-License-Identifier: MIT */
/*
 * arm.c - readiness as arms of tr_select(). They enter their side while they look and while
 * they wait, so that a second reader is told -EBUSY here too: as the result of a ready arm.
 */
#include "config.h"

#include <poll.h>

#include "io/sock.h"
#include "sched/wait.h"

static unsigned use_of(enum tri_fd_dir dir)
{
    return dir == TRI_FD_IN ? TRI_USE_READ : TRI_USE_WRITE;
}

/* Asks the kernel. 1: it would not wait, 0: it would, or -errno. The caller is inside. */
static int ask(struct tri_fd *f, enum tri_fd_dir dir)
{
    unsigned look = tri_fd_look(f, dir);
    int r = tri_fd_take_error(f, dir);

    if (r < 0)
        return r;
    r = f->backend->ops->poll(f->backend, f->fd, dir == TRI_FD_IN ? POLLIN : POLLOUT);
    if (r == 0)
        tri_fd_blocked(f, dir, look);
    return r;
}

static int look(struct tri_sock *k, enum tri_fd_dir dir)
{
    if (dir == TRI_FD_IN && tri_line_len(&k->line) > 0)
        return 1;
    if (k->kind == TRI_SOCK_CUSTOM)
        return -EOPNOTSUPP;
    return tri_fd_may_try(&k->fd, dir) ? ask(&k->fd, dir) : 0;
}

static bool attempt(tr_arm *arm, enum tri_fd_dir dir)
{
    struct tri_sock *k = arm->source;
    int r = tri_sock_claim(k, use_of(dir));

    if (r == 0) {
        r = look(k, dir);
        tri_sock_leave(k, use_of(dir));
    }
    arm->result = r < 0 ? r : 0;
    return r != 0;
}

static bool enroll(tr_arm *arm, enum tri_fd_dir dir, const struct tri_waiter *w)
{
    struct tri_sock *k = arm->source;

    if (tri_sock_claim(k, use_of(dir)) < 0)
        return false;
    if (tri_fd_enroll(&k->fd, dir, w->wakee))
        return true;
    tri_sock_leave(k, use_of(dir));
    return false;
}

static bool withdraw(tr_arm *arm, enum tri_fd_dir dir)
{
    struct tri_sock *k = arm->source;

    tri_fd_withdraw(&k->fd, dir);
    tri_sock_leave(k, use_of(dir));
    return false;
}

static bool in_attempt(tr_arm *arm)
{
    return attempt(arm, TRI_FD_IN);
}

static bool in_enroll(tr_arm *arm, struct tri_waiter *w)
{
    return enroll(arm, TRI_FD_IN, w);
}

static bool in_withdraw(tr_arm *arm, struct tri_waiter *w)
{
    (void)w;
    return withdraw(arm, TRI_FD_IN);
}

static bool out_attempt(tr_arm *arm)
{
    return attempt(arm, TRI_FD_OUT);
}

static bool out_enroll(tr_arm *arm, struct tri_waiter *w)
{
    return enroll(arm, TRI_FD_OUT, w);
}

static bool out_withdraw(tr_arm *arm, struct tri_waiter *w)
{
    (void)w;
    return withdraw(arm, TRI_FD_OUT);
}

static const struct tri_arm_ops readable_ops = {
    .what = "socket readable",
    .attempt = in_attempt,
    .enroll = in_enroll,
    .withdraw = in_withdraw,
};

static const struct tri_arm_ops writable_ops = {
    .what = "socket writable",
    .attempt = out_attempt,
    .enroll = out_enroll,
    .withdraw = out_withdraw,
};

static tr_arm arm_of(const tr_sock *s, const struct tri_arm_ops *ops)
{
    return s && s->impl ? (tr_arm){ .ops = ops, .source = s->impl } : (tr_arm){ .ops = NULL };
}

tr_arm tr_readable_arm(tr_sock *s)
{
    return arm_of(s, &readable_ops);
}

tr_arm tr_writable_arm(tr_sock *s)
{
    return arm_of(s, &writable_ops);
}
