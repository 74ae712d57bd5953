/* SPDX-License-Identifier: MIT */
/*
 * test_sim_net.c - simulated connections and pipes: bytes, ends, resets, and repeatability.
 */
#include "config.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "reactor/sim.h"
#include "support/tr-test.h"

static struct tri_backend *b;
static const struct tri_backend_ops *ops;
static struct tri_poller *p;
static struct tri_event ev[8];
static struct sockaddr_in addr;
static int listener, client, server;

static void open_world(uint64_t seed)
{
    b = tri_sim_new(seed);
    need(b);
    ops = b->ops;
    need_eq(ops->poller_open(b, &p), 0);
    memset(&addr, 0, sizeof addr);
    addr.sin_family = AF_INET;
    addr.sin_port = htons(80);
    need_ge(listener = ops->socket(b, AF_INET, SOCK_STREAM, 0), 0);
    need_eq(ops->bind(b, listener, (struct sockaddr *)&addr, sizeof addr), 0);
    need_eq(ops->listen(b, listener, 2), 0);
    client = server = -1;
}

static void close_world(void)
{
    ops->poller_close(p);
    tri_sim_free(b);
}

static void make_world(void)
{
    open_world(test_seed());
}

TR_SUITE(sim_net, .init = make_world, .fini = close_world);

static int start_connect(void)
{
    int fd = ops->socket(b, AF_INET, SOCK_STREAM, 0);

    if (fd >= 0)
        check_eq(ops->connect(b, fd, (struct sockaddr *)&addr, sizeof addr), -EINPROGRESS);
    return fd;
}

static int so_error(int fd)
{
    int error = -1;
    socklen_t len = sizeof error;

    check_eq(ops->getsockopt(b, fd, SOL_SOCKET, SO_ERROR, &error, &len), 0);
    return error;
}

/* Lets the world go on for @span. */
static void pass(tr_time span)
{
    tr_time end = ops->now(b) + span;

    while (ops->now(b) < end)
        need_ge(ops->poller_wait(p, end, ev, 8), 0);
}

/* client and server are the two ends of a connection. */
static void join_ends(void)
{
    need_ge(client = start_connect(), 0);
    pass(TR_MS(1));
    need_eq(so_error(client), 0);
    need_ge(server = ops->accept(b, listener, NULL, NULL), 0);
}

/* Waits until @fd, in p with its own address as data, reports one of @events. */
static uint32_t wait_for(const int *fd, uint32_t events)
{
    for (int i = 0; i < 100; i++) {
        int n = ops->poller_wait(p, TR_NEVER, ev, 1);

        if (n < 0)
            return 0;
        if (n == 1 && ev[0].data == fd && ev[0].events & events)
            return ev[0].events;
    }
    return 0;
}

TR_TEST(sim_net, connect_and_accept_report_readiness_and_addresses)
{
    struct sockaddr_in peer, local;
    socklen_t len = sizeof peer;

    need_eq(ops->poller_add(p, listener, &listener), 0);
    check_eq(ops->accept(b, listener, NULL, NULL), -EAGAIN);
    need_ge(client = start_connect(), 0);
    check_eq(ops->connect(b, client, (struct sockaddr *)&addr, sizeof addr), -EALREADY);
    check_eq(wait_for(&listener, EPOLLIN), (uint32_t)EPOLLIN);
    check_gt(ops->now(b), TR_S(1), "a connection takes its time");
    need_ge(server = ops->accept(b, listener, (struct sockaddr *)&peer, &len), 0);
    len = sizeof local;
    check_eq(ops->getsockname(b, client, (struct sockaddr *)&local, &len), 0);
    check_eq(peer.sin_port, local.sin_port);
    check_eq(ops->getpeername(b, client, (struct sockaddr *)&local, &len), 0);
    check_eq(ntohs(local.sin_port), 80);
    check_eq(so_error(client), 0);
    check_eq(ops->connect(b, client, (struct sockaddr *)&addr, sizeof addr), -EISCONN);
}

TR_TEST(sim_net, connecting_to_nobody_is_refused)
{
    addr.sin_port = htons(81);
    need_ge(client = start_connect(), 0);
    need_eq(ops->poller_add(p, client, &client), 0);
    check(wait_for(&client, EPOLLERR));
    check_eq(so_error(client), ECONNREFUSED);
    check_eq(so_error(client), 0, "the error is reported once");
}

TR_TEST(sim_net, a_place_is_bound_once)
{
    int other = ops->socket(b, AF_INET, SOCK_STREAM, 0);

    need_ge(other, 0);
    check_eq(ops->bind(b, other, (struct sockaddr *)&addr, sizeof addr), -EADDRINUSE);
    check_eq(ops->close(b, listener), 0);
    check_eq(ops->bind(b, other, (struct sockaddr *)&addr, sizeof addr), 0);
    check_eq(ops->bind(b, other, (struct sockaddr *)&addr, sizeof addr), -EINVAL);
    addr.sin_family = AF_UNIX;
    check_eq(ops->connect(b, other, (struct sockaddr *)&addr, sizeof addr), -EAFNOSUPPORT);
}

TR_TEST(sim_net, a_unix_path_is_a_place_too)
{
    struct sockaddr_un un = { .sun_family = AF_UNIX, .sun_path = "@sim" };
    int at = ops->socket(b, AF_UNIX, SOCK_STREAM, 0),
        from = ops->socket(b, AF_UNIX, SOCK_STREAM, 0);

    need_eq(ops->bind(b, at, (struct sockaddr *)&un, sizeof un), 0);
    need_eq(ops->listen(b, at, 1), 0);
    check_eq(ops->connect(b, from, (struct sockaddr *)&un, sizeof un), -EINPROGRESS);
    pass(TR_MS(1));
    check_ge(ops->accept(b, at, NULL, NULL), 0);
}

TR_TEST(sim_net, a_full_backlog_makes_the_next_one_wait)
{
    int fd[3];

    for (int i = 0; i < 3; i++)
        need_ge(fd[i] = start_connect(), 0);
    pass(TR_MS(500));
    for (int i = 0; i < 2; i++)
        check_ge(ops->accept(b, listener, NULL, NULL), 0);
    check_eq(ops->accept(b, listener, NULL, NULL), -EAGAIN);
    pass(TR_S(1));
    check_ge(ops->accept(b, listener, NULL, NULL), 0);
}

TR_TEST(sim_net, a_refused_accept_leaves_the_connection_in_the_queue)
{
    need_ge(client = start_connect(), 0);
    pass(TR_MS(1));
    tri_sim_fail(b, TRI_SIM_ACCEPT, 1, EMFILE);
    check_eq(ops->accept(b, listener, NULL, NULL), -EMFILE);
    tri_sim_fail(b, TRI_SIM_ACCEPT, 0, 0);
    check_ge(ops->accept(b, listener, NULL, NULL), 0);
}

TR_TEST(sim_net, half_a_connection_can_end)
{
    char byte = 0;

    join_ends();
    check_eq(ops->send(b, client, "x", 1, 0), 1);
    check_eq(ops->shutdown(b, client, SHUT_WR), 0);
    check_eq(ops->send(b, client, "x", 1, 0), -EPIPE);
    check_eq(ops->recv(b, server, &byte, 1, 0), -EAGAIN, "nothing arrives at once");
    need_eq(ops->poller_add(p, server, &server), 0);
    check(wait_for(&server, EPOLLIN));
    pass(TR_MS(1));
    check_eq(ops->recv(b, server, &byte, 1, MSG_PEEK), 1);
    check_eq(ops->recv(b, server, &byte, 1, 0), 1);
    check_eq(byte, 'x');
    check_eq(ops->recv(b, server, &byte, 1, 0), 0);
    check_eq(ops->recv(b, server, &byte, 1, 0), 0);
    check_eq(ops->send(b, server, "y", 1, 0), 1);
    pass(TR_MS(1));
    check_eq(ops->recv(b, client, &byte, 1, 0), 1);
    check_eq(ops->shutdown(b, server, 77), -EINVAL);
    check_eq(ops->shutdown(b, listener, SHUT_WR), -ENOTCONN);
}

TR_TEST(sim_net, closing_with_unread_bytes_resets_the_peer)
{
    char byte;

    join_ends();
    need_eq(ops->poller_add(p, client, &client), 0);
    check_eq(ops->send(b, client, "x", 1, 0), 1);
    check_eq(ops->close(b, server), 0);
    pass(TR_MS(1));
    check_eq(ops->recv(b, client, &byte, 1, 0), -ECONNRESET);
    check_eq(ops->recv(b, client, &byte, 1, 0), 0);
    check_eq(ops->send(b, client, "x", 1, 0), -EPIPE);
}

TR_TEST(sim_net, writing_to_who_has_closed_works_once_and_then_fails)
{
    char byte;

    join_ends();
    check_eq(ops->close(b, server), 0);
    pass(TR_MS(1));
    check_eq(ops->recv(b, client, &byte, 1, 0), 0);
    check_eq(ops->send(b, client, "x", 1, 0), 1);
    pass(TR_MS(1));
    check_eq(ops->send(b, client, "x", 1, 0), -ECONNRESET);
    check_eq(ops->send(b, client, "x", 1, 0), -EPIPE);
}

TR_TEST(sim_net, a_linger_of_zero_and_a_closed_listener_reset)
{
    struct linger l = { .l_onoff = 1 };
    char byte;
    int waiting;

    join_ends();
    check_eq(ops->setsockopt(b, server, SOL_SOCKET, SO_LINGER, &l, sizeof l), 0);
    check_eq(ops->close(b, server), 0);
    need_ge(waiting = start_connect(), 0);
    pass(TR_MS(1));
    check_eq(ops->recv(b, client, &byte, 1, 0), -ECONNRESET);
    check_eq(ops->close(b, listener), 0);
    pass(TR_MS(1));
    check_eq(ops->recv(b, waiting, &byte, 1, 0), -ECONNRESET);
}

TR_TEST(sim_net, a_pipe_carries_bytes_one_way)
{
    char byte;
    int fd[2];

    need_eq(ops->pipe(b, fd), 0);
    check_eq(ops->write(b, fd[0], "x", 1), -EBADF);
    check_eq(ops->read(b, fd[1], &byte, 1), -EBADF);
    check_eq(ops->recv(b, fd[0], &byte, 1, 0), -ENOTSOCK);
    check_eq(ops->write(b, fd[1], "x", 1), 1);
    check_eq(ops->close(b, fd[1]), 0);
    pass(TR_MS(1));
    check_eq(ops->read(b, fd[0], &byte, 1), 1);
    check_eq(ops->read(b, fd[0], &byte, 1), 0);
    check_eq(ops->close(b, fd[0]), 0);
    need_eq(ops->pipe(b, fd), 0);
    check_eq(ops->close(b, fd[0]), 0);
    check_eq(ops->write(b, fd[1], "x", 1), -EPIPE);
}

/* --- a transfer driven by events alone: each end goes on only when told that it may */

enum { N_BYTES = 300000 };

struct transfer {
    size_t sent, received;
    unsigned n_short;
    tr_time end;
};

static unsigned char byte_at(size_t i)
{
    return (unsigned char)(i * 7 + i / 251);
}

static void send_more(struct transfer *t)
{
    unsigned char buf[5000];
    ssize_t n = 1;

    while (t->sent < N_BYTES && n > 0) {
        size_t size = N_BYTES - t->sent < sizeof buf ? N_BYTES - t->sent : sizeof buf;

        for (size_t i = 0; i < size; i++)
            buf[i] = byte_at(t->sent + i);
        n = ops->send(b, client, buf, size, 0);
        t->sent += n > 0 ? (size_t)n : 0;
        t->n_short += n > 0 && (size_t)n < size;
        if (n > 0 && (size_t)n < size)
            return; /* as good as -EAGAIN: an event will come */
    }
    if (t->sent == N_BYTES)
        (void)ops->shutdown(b, client, SHUT_WR);
}

/* Returns whether the end was reached. A short read is the last one unless that has come. */
static bool receive_more(struct transfer *t, uint32_t events)
{
    unsigned char buf[3000];
    ssize_t n;

    do {
        n = ops->recv(b, server, buf, sizeof buf, 0);
        for (ssize_t i = 0; i < n; i++)
            if (buf[i] != byte_at(t->received + (size_t)i))
                return check(false, "a byte came out wrong");
        t->received += n > 0 ? (size_t)n : 0;
        t->n_short += n > 0 && (size_t)n < sizeof buf;
    } while (n == (ssize_t)sizeof buf || (n > 0 && events & EPOLLRDHUP));
    return n == 0;
}

static void run_transfer(uint64_t seed, struct transfer *t)
{
    bool is_done = false;
    int n;

    *t = (struct transfer){ 0 };
    open_world(seed);
    join_ends();
    need_eq(ops->poller_add(p, client, &client), 0);
    need_eq(ops->poller_add(p, server, &server), 0);
    while (!is_done && (n = ops->poller_wait(p, TR_NEVER, ev, 8)) >= 0)
        for (int i = 0; i < n; i++) {
            if (ev[i].data == &client && ev[i].events & EPOLLOUT && t->sent < N_BYTES)
                send_more(t);
            if (ev[i].data == &server && ev[i].events & EPOLLIN)
                is_done = receive_more(t, ev[i].events) || is_done;
        }
    check(is_done, "no event told of the end");
    t->end = ops->now(b);
    close_world();
}

TR_TEST(sim_net, events_alone_carry_a_transfer_to_its_end_the_same_way_for_a_seed)
{
    uint64_t seed = test_seed();
    struct transfer once, again, other;

    close_world();
    for (int i = 0; i < 50; i++, seed += 3) {
        run_transfer(seed, &once);
        run_transfer(seed, &again);
        run_transfer(seed + 1, &other);
        check_eq(once.received, (size_t)N_BYTES);
        check_eq(other.received, (size_t)N_BYTES);
        check_gt(once.n_short, 10u, "the seed cuts reads and writes");
        check_eq(once.end, again.end);
        check_eq(once.n_short, again.n_short);
        check(once.end != other.end || once.n_short != other.n_short);
    }
    make_world();
}
