/* SPDX-License-Identifier: MIT */
/*
 * sock.c - sockets under the worst of neighbours: for each of many pairs a reader, a writer
 * and one who closes both ends at some moment run on any worker; servers are drained under
 * connects. Every call must end, with one of the results that its contract names, and no record
 * may be left.
 */
#include "config.h"

#include <errno.h>
#include <stdio.h>

#include <troupe/runtime.h>
#include <troupe/sock.h>
#include <troupe/task.h>

#include "io/sock.h"
#include "support/tr-check.h"

enum { ROUNDS = 300, PAIRS = 8, BYTES = 3000, CLIENTS = 12 };

static const struct tr_task_opts spread = { .flags = TR_TASK_SPREAD };

/* ---- close against read and write ---- */

struct pair {
    tr_sock a, b;         /* for the reader and the writer */
    tr_sock a_too, b_too; /* copies, for the one who closes */
};

struct part {
    struct pair *p;
};
TR_TASK(reader, struct part, tr_nodrop);
TR_TASK(writer, struct part, tr_nodrop);
TR_TASK(closer, struct part, tr_nodrop);

static bool is_an_end(ssize_t r)
{
    return r == 0 || r == -EBADF || r == -EPIPE || r == -ECONNRESET;
}

static int reader(struct part *me)
{
    char buf[700];
    ssize_t n;

    while ((n = tr_read(&me->p->a, buf, sizeof buf, TR_NEVER)) > 0)
        ;
    check(is_an_end(n));
    return 0;
}

static int writer(struct part *me)
{
    static const char block[BYTES];
    ssize_t n;

    do
        n = tr_write(&me->p->b, block, sizeof block, TR_NEVER);
    while (n == BYTES);
    check(is_an_end(n));
    return 0;
}

static int closer(struct part *me)
{
    for (uintptr_t i = (uintptr_t)me->p / sizeof *me->p % 7; i > 0; i--)
        (void)tr_yield();
    tr_sock_close(&me->p->a_too);
    (void)tr_yield();
    tr_sock_close(&me->p->b_too);
    return 0;
}

static void play_pairs(void)
{
    struct pair pair[PAIRS];
    tr_scope scope TR_CLEANUP(tr_scope_end) = tr_scope_open(NULL);

    for (int i = 0; i < PAIRS; i++) {
        struct pair *p = &pair[i];

        need_eq(tr_sock_pair(&p->a, &p->b), 0);
        p->a_too = p->a;
        p->b_too = p->b;
    }
    /* None is opened from here on: a call that begins after the close must find no stranger. */
    for (int i = 0; i < PAIRS; i++) {
        struct pair *p = &pair[i];

        check_eq(reader_spawn(&scope, &(struct part){ p }, &spread), 0);
        check_eq(writer_spawn(&scope, &(struct part){ p }, &spread), 0);
        check_eq(closer_spawn(&scope, &(struct part){ p }, &spread), 0);
    }
    check_eq(tr_scope_join(&scope, tr_after(TR_S(60))), 0);
}

/* ---- drain against connect ---- */

struct conn {
    tr_sock s;
};

static void conn_drop(struct conn *c)
{
    tr_sock_close(&c->s);
}
TR_TASK(conn, struct conn, conn_drop);

static int conn(struct conn *c)
{
    char line[32];
    ssize_t n;

    while ((n = tr_read_line(&c->s, line, sizeof line, TR_UNTIL_DRAIN)) > 0)
        if (tr_write(&c->s, line, (size_t)n, TR_NEVER) < 0)
            break;
    return 0;
}

static int conn_open(tr_scope *scope, tr_sock *s, void *arg)
{
    struct conn c = { *s };

    (void)arg;
    *s = (tr_sock){ 0 };
    return conn_spawn(scope, &c, NULL);
}

struct door {
    tr_sock listener;
};
TR_TASK(door, struct door, tr_nodrop);

static int door(struct door *d)
{
    tr_scope conns TR_CLEANUP(tr_scope_end) = tr_scope_open(NULL);
    const struct tr_serve_opts few = { .max_open = 5 };

    check_eq(tr_serve(&d->listener, &conns, &few, conn_open, NULL, TR_UNTIL_DRAIN), 0);
    return tr_scope_join(&conns, TR_NEVER);
}

struct client {
    const char *address;
    atomic_uint *n_answered;
};
TR_TASK(client, struct client, tr_nodrop);

static int client(struct client *c)
{
    tr_sock s TR_CLEANUP(tr_sock_close) = { 0 };
    char line[32];

    if (tr_tcp_connect(c->address, tr_after(TR_S(10)), &s) < 0)
        return 0;
    if (tr_write(&s, "hello\n", 6, TR_NEVER) == 6 &&
        tr_read_line(&s, line, sizeof line, tr_after(TR_S(10))) == 6)
        /* relaxed: read after the join. */
        (void)atomic_fetch_add_explicit(c->n_answered, 1, memory_order_relaxed);
    return 0;
}

/* Drains the server once some of the clients were served. */
static void play_server(int round)
{
    atomic_uint n_answered = 0;
    char address[32];
    struct door d = { { NULL } };
    tr_scope clients TR_CLEANUP(tr_scope_end) = tr_scope_open(NULL);
    tr_scope server TR_CLEANUP(tr_scope_end) = tr_scope_open(NULL);

    need_eq(tr_tcp_listen("127.0.0.1:0", NULL, &d.listener), 0);
    snprintf(address, sizeof address, "127.0.0.1:%d", tr_sock_port(&d.listener));
    need_eq(door_spawn(&server, &d, &spread), 0);
    for (int i = 0; i < CLIENTS; i++)
        need_eq(client_spawn(&clients, &(struct client){ address, &n_answered }, &spread), 0);
    while (atomic_load_explicit(&n_answered, memory_order_relaxed) < 1u + (unsigned)round % 9u)
        need_eq(tr_yield(), 0);
    check_eq(tr_scope_drain(&server, tr_after(TR_S(30))), 0);
    check_eq(tr_scope_join(&clients, tr_after(TR_S(60))), 0);
}

static int play(tr_scope *root, void *arg)
{
    (void)root;
    (void)arg;
    for (int i = 0; i < ROUNDS; i++) {
        play_pairs();
        if (i % 4 == 0)
            play_server(i);
    }
    return 0;
}

int main(void)
{
    const struct tr_runtime_opts three = { .n_worker = 3 };

    check_eq(tr_run_with(&three, play, NULL), 0);
    check_eq(tri_sock_n_open(), 0u, "socket records left in use");
    return test_n_failed() > 0;
}
