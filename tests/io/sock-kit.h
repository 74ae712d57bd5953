/* SPDX-License-Identifier: MIT */
/*
 * sock-kit.h - one call on a socket as a job of another task, and how to know that it waits.
 */
#ifndef TR_SOCK_KIT_H
#define TR_SOCK_KIT_H

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include <troupe/sock.h>
#include <troupe/task.h>

#include "io/sock.h"
#include "support/tr-actor-test.h"

enum call { READ, READ_EXACT, READ_LINE, WRITE, ACCEPT, FINISH };

/* Filled in by the test and by the task; read by the test when the task has ended. */
struct call_job {
    enum call call;
    tr_sock *s;
    tr_time deadline;
    void *buf;
    size_t n;
    tr_sock accepted;
    size_t written;
    ssize_t result;
};

struct caller {
    struct call_job *job;
};
TR_TASK(caller, struct caller, tr_nodrop);

static inline ssize_t call_now(struct call_job *j)
{
    switch (j->call) {
    case READ:
        return tr_read(j->s, j->buf, j->n, j->deadline);
    case READ_EXACT:
        return tr_read_exact(j->s, j->buf, j->n, j->deadline);
    case READ_LINE:
        return tr_read_line(j->s, j->buf, j->n, j->deadline);
    case WRITE:
        return tr_write_done(j->s, j->buf, j->n, j->deadline, &j->written);
    case ACCEPT:
        return tr_accept(j->s, j->deadline, &j->accepted);
    case FINISH:
        return tr_sock_finish(j->s, j->deadline);
    }
    return -EINVAL;
}

static int caller(struct caller *c)
{
    c->job->result = call_now(c->job);
    return 0;
}

static inline void start_call(tr_scope *scope, struct call_job *j)
{
    check_eq(caller_spawn(scope, &(struct caller){ j }, NULL), 0);
}

/* Lets others run until a task waits for this side of @s. */
static inline void until_waits(const tr_sock *s, enum tri_fd_dir dir)
{
    while (!atomic_load_explicit(&s->impl->fd.side[dir].waiter, memory_order_acquire))
        if (!check_eq(tr_yield(), 0))
            return;
}

/* Writes until the buffers between @s and its peer are full; returns how much. */
static inline size_t fill(tr_sock *s)
{
    static const char block[65536];
    size_t sum = 0;
    ssize_t n;

    while ((n = tr_try_write(s, block, sizeof block)) > 0)
        sum += (size_t)n;
    check_eq(n, -EAGAIN);
    return sum;
}

/* A listener on this machine and its address. */
static inline tr_sock listen_here(char address[32])
{
    tr_sock l = { NULL };

    check_eq(tr_tcp_listen("127.0.0.1:0", NULL, &l), 0);
    snprintf(address, 32, "127.0.0.1:%d", tr_sock_port(&l));
    return l;
}

/* The two ends of a TCP connection. */
static inline void tcp_pair(tr_sock *ret_client, tr_sock *ret_server)
{
    char address[32];
    tr_sock l = listen_here(address);

    check_eq(tr_tcp_connect(address, tr_after(TR_S(5)), ret_client), 0);
    check_eq(tr_accept(&l, tr_after(TR_S(5)), ret_server), 0);
    tr_sock_close(&l);
}

/* Makes the close of @s a reset. */
static inline void make_reset(tr_sock *s)
{
    const struct linger now = { .l_onoff = 1, .l_linger = 0 };

    check_eq(setsockopt(tr_sock_fd(s), SOL_SOCKET, SO_LINGER, &now, sizeof now), 0);
}

#endif /* TR_SOCK_KIT_H */
