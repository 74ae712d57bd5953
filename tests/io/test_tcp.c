/* SPDX-License-Identifier: MIT */
/* test_tcp.c - listen, connect, accept, and what a TCP peer can do. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <unistd.h>

#include "io/lookup.h"
#include "io/sock-kit.h"

static size_t n_before;

static void count_before(void)
{
    n_before = tri_sock_n_open();
}

static void count_after(void)
{
    check_eq(tri_sock_n_open(), n_before, "socket records left in use");
}

TR_SUITE(tcp, .init = count_before, .fini = count_after, .timeout = 20);

/* ---- listen ---- */

static int option(const tr_sock *s, int level, int name)
{
    int value = -1;
    socklen_t len = sizeof value;

    check_eq(getsockopt(tr_sock_fd(s), level, name, &value, &len), 0);
    return value;
}

TR_TEST(tcp, listens_on_a_free_port_of_this_machine_or_of_every_interface)
{
    static const char *const texts[] = { "127.0.0.1:0", "localhost:0", ":0" };

    for (size_t i = 0; i < TR_LEN(texts); i++) {
        tr_sock l = { NULL };

        check_eq(tr_tcp_listen(texts[i], NULL, &l), 0, texts[i]);
        check_gt(tr_sock_port(&l), 0);
        check_eq(option(&l, SOL_SOCKET, SO_ACCEPTCONN), 1);
        check_eq(option(&l, SOL_SOCKET, SO_REUSEADDR), 1);
        tr_sock_close(&l);
    }
}

TR_TEST(tcp, taken_port_bad_text_and_foreign_address_are_told)
{
    char address[32];
    tr_sock l = listen_here(address), other = { NULL };

    check_eq(tr_tcp_listen(address, NULL, &other), -EADDRINUSE);
    check_eq(tr_tcp_listen("nonsense", NULL, &other), -EINVAL);
    check_eq(tr_tcp_listen(NULL, NULL, &other), -EINVAL);
    check_eq(tr_tcp_listen("192.0.2.1:0", NULL, &other), -EADDRNOTAVAIL);
    check_eq(other.impl, NULL);
    tr_sock_close(&l);
}

TR_TEST(tcp, reuse_port_lets_two_listen)
{
    const struct tr_listen_opts share = { .reuse_port = true, .backlog = 3 };
    tr_sock l = { NULL }, other = { NULL };
    char address[32];

    need_eq(tr_tcp_listen("127.0.0.1:0", &share, &l), 0);
    snprintf(address, sizeof address, "127.0.0.1:%d", tr_sock_port(&l));
    check_eq(tr_tcp_listen(address, &share, &other), 0);
    tr_sock_close(&other);
    tr_sock_close(&l);
}

/* ---- connect ---- */

ACTOR_TEST(tcp, connects_and_both_ends_send_at_once)
{
    tr_sock c = { NULL }, s = { NULL };

    tcp_pair(&c, &s);
    check_eq(option(&c, IPPROTO_TCP, TCP_NODELAY), 1);
    check_eq(option(&s, IPPROTO_TCP, TCP_NODELAY), 1, "inherited from the listener");
    check_ne(fcntl(tr_sock_fd(&s), F_GETFD) & FD_CLOEXEC, 0);
    tr_sock_close(&c);
    tr_sock_close(&s);
}

ACTOR_TEST(tcp, connect_tries_each_address_of_localhost)
{
    tr_sock l = { NULL }, c = { NULL };
    char address[32];

    if (tr_tcp_listen("[::1]:0", NULL, &l) < 0)
        test_skip("no IPv6 here");
    snprintf(address, sizeof address, "localhost:%d", tr_sock_port(&l));
    check_eq(tr_tcp_connect(address, tr_after(TR_S(5)), &c), 0, "after a refusal by 127.0.0.1");
    tr_sock_close(&c);
    tr_sock_close(&l);
}

ACTOR_TEST(tcp, refused_and_impossible_connects_are_told)
{
    char address[32];
    tr_sock l = listen_here(address), c = { NULL };

    tr_sock_close(&l);
    check_eq(tr_tcp_connect(address, TR_NEVER, &c), -ECONNREFUSED);
    check_eq(tr_tcp_connect("127.0.0.1", TR_NEVER, &c), -EINVAL);
    check_eq(c.impl, NULL);
}

ACTOR_TEST(tcp, unknown_name_is_told_and_its_thread_ends)
{
    tr_sock c = { NULL };
    int r = tr_tcp_connect("no-such-host.invalid:80", tr_after(TR_S(10)), &c);

    check(r == -EADDRNOTAVAIL || r == -EHOSTUNREACH || r == -ETIMEDOUT);
    while (tri_lookup_n_open() > 0)
        need_eq(tr_yield(), 0);
}

ACTOR_TEST(tcp, look_up_that_is_not_waited_for_does_no_harm)
{
    tr_sock c = { NULL };
    int r = tr_tcp_connect("no-such-host.invalid:80", TR_NOW, &c);

    /* What is ready wins over the deadline: the thread may be quicker than we. */
    check(r == -ETIMEDOUT || r == -EADDRNOTAVAIL || r == -EHOSTUNREACH);
    while (tri_lookup_n_open() > 0)
        need_eq(tr_yield(), 0);
}

/* A backlog that is full leaves further connects waiting. */
ACTOR_TEST(tcp, connect_keeps_its_deadline)
{
    const struct tr_listen_opts tiny = { .backlog = 1 };
    tr_sock l = { NULL }, c[8] = { { NULL } };
    char address[32];
    int r = 0, n = 0;

    need_eq(tr_tcp_listen("127.0.0.1:0", &tiny, &l), 0);
    snprintf(address, sizeof address, "127.0.0.1:%d", tr_sock_port(&l));
    while (r == 0 && n < 8)
        r = tr_tcp_connect(address, tr_after(TR_MS(30)), &c[n++]);
    check_eq(r, -ETIMEDOUT);
    check_lt(n, 8);
    for (int i = 0; i < 8; i++)
        tr_sock_close(&c[i]);
    tr_sock_close(&l);
}

struct connector {
    const char *address;
    int *ret_result;
};
TR_TASK(connector, struct connector, tr_nodrop);

/* Connects until one has to wait. */
static int connector(struct connector *c)
{
    tr_sock s[8] = { { NULL } };

    *c->ret_result = 0;
    for (int i = 0; i < 8 && *c->ret_result == 0; i++)
        *c->ret_result = tr_tcp_connect(c->address, TR_UNTIL_DRAIN, &s[i]);
    for (int i = 0; i < 8; i++)
        tr_sock_close(&s[i]);
    return 0;
}

ACTOR_TEST(tcp, connect_ends_at_a_drain)
{
    const struct tr_listen_opts tiny = { .backlog = 1 };
    tr_scope scope TR_CLEANUP(tr_scope_end) = tr_scope_open(NULL);
    tr_sock l = { NULL };
    char address[32];
    int result = 99;

    need_eq(tr_tcp_listen("127.0.0.1:0", &tiny, &l), 0);
    snprintf(address, sizeof address, "127.0.0.1:%d", tr_sock_port(&l));
    check_eq(connector_spawn(&scope, &(struct connector){ address, &result }, NULL), 0);
    while (result == 99)
        need_eq(tr_yield(), 0);
    check_eq(tr_scope_drain(&scope, tr_after(TR_S(5))), 0);
    check_eq(result, -ESHUTDOWN);
    tr_sock_close(&l);
}

/* ---- accept ---- */

ACTOR_TEST(tcp, accept_of_a_connection_is_no_listener)
{
    tr_sock c = { NULL }, s = { NULL }, out = { NULL };

    tcp_pair(&c, &s);
    check_eq(tr_accept(&c, TR_NOW, &out), -EINVAL);
    check_eq(tr_try_accept(&c, &out), -EINVAL);
    tr_sock_close(&c);
    tr_sock_close(&s);
}

ACTOR_TEST(tcp, second_acceptor_is_busy)
{
    char address[32];
    tr_sock l = listen_here(address), out = { NULL }, c = { NULL };
    struct call_job j = { .call = ACCEPT, .s = &l, .deadline = TR_NEVER };

    start_call(root, &j);
    until_waits(&l, TRI_FD_IN);
    check_eq(tr_accept(&l, TR_NEVER, &out), -EBUSY);
    check_eq(tr_try_accept(&l, &out), -EBUSY);
    check_eq(tr_tcp_connect(address, TR_NEVER, &c), 0);
    check_eq(tr_scope_join(root, TR_NEVER), 0);
    check_eq(j.result, 0);
    tr_sock_close(&j.accepted);
    tr_sock_close(&c);
    tr_sock_close(&l);
}

ACTOR_TEST(tcp, peer_that_left_the_queue_does_not_end_the_listener)
{
    char address[32];
    tr_sock l = listen_here(address), c = { NULL }, s = { NULL };

    need_eq(tr_tcp_connect(address, TR_NEVER, &c), 0);
    make_reset(&c);
    tr_sock_close(&c);
    need_eq(tr_tcp_connect(address, TR_NEVER, &c), 0);
    check_eq(tr_write(&c, "x", 1, TR_NEVER), 1);
    for (ssize_t n = -1; n != 1; tr_sock_close(&s)) {
        char got;

        need_eq(tr_accept(&l, tr_after(TR_S(5)), &s), 0);
        n = tr_read(&s, &got, 1, tr_after(TR_S(5)));
        check(n == 1 || n == -ECONNRESET);
    }
    tr_sock_close(&c);
    tr_sock_close(&l);
}

/* ---- the peer ---- */

ACTOR_TEST(tcp, client_that_half_closes_still_gets_its_answer)
{
    tr_sock c = { NULL }, s = { NULL };
    char got[16];

    tcp_pair(&c, &s);
    check_eq(tr_write(&c, "ask", 3, TR_NEVER), 3);
    check_eq(tr_sock_shutdown(&c, SHUT_WR), 0);
    check_eq(tr_read(&s, got, sizeof got, TR_NEVER), 3);
    check_eq(tr_read(&s, got, sizeof got, TR_NEVER), 0);
    check_eq(tr_write(&s, "reply", 5, TR_NEVER), 5);
    tr_sock_close(&s);
    check_eq(tr_read(&c, got, sizeof got, TR_NEVER), 5);
    check_eq(tr_read(&c, got, sizeof got, TR_NEVER), 0);
    tr_sock_close(&c);
}

/*
 * The end arrives together with data: one edge for both, and a short read must not forget it.
 */
ACTOR_TEST(tcp, end_that_came_with_the_data_is_seen_after_it)
{
    tr_sock c = { NULL }, s = { NULL };
    char got[64];
    struct call_job j = { .call = READ, .s = &s, .deadline = TR_NEVER, .buf = got, .n = 64 };

    tcp_pair(&c, &s);
    start_call(root, &j);
    until_waits(&s, TRI_FD_IN);
    check_eq(send(tr_sock_fd(&c), "12", 2, MSG_MORE), 2); /* leaves with the end */
    tr_sock_close(&c);
    check_eq(tr_scope_join(root, TR_NEVER), 0);
    check_eq(j.result, 2);
    check_eq(tr_read(&s, got, 64, tr_after(TR_S(5))), 0);
    tr_sock_close(&s);
}

ACTOR_TEST(tcp, reset_wakes_the_reader)
{
    tr_sock c = { NULL }, s = { NULL };
    char got;
    struct call_job j = { .call = READ, .s = &s, .deadline = TR_NEVER, .buf = &got, .n = 1 };

    tcp_pair(&c, &s);
    start_call(root, &j);
    until_waits(&s, TRI_FD_IN);
    make_reset(&c);
    tr_sock_close(&c);
    check_eq(tr_scope_join(root, TR_NEVER), 0);
    check_eq(j.result, -ECONNRESET);
    check_eq(tr_sock_shutdown(&s, SHUT_WR), 0, "a connection already gone");
    tr_sock_close(&s);
}

ACTOR_TEST(tcp, reset_wakes_the_writer_without_a_signal)
{
    static char block[1 << 20];
    tr_sock c = { NULL }, s = { NULL };
    struct call_job j = {
        .call = WRITE, .s = &s, .deadline = TR_NEVER, .buf = block, .n = sizeof block
    };

    signal(SIGPIPE, SIG_DFL);
    tcp_pair(&c, &s);
    (void)fill(&s);
    start_call(root, &j);
    until_waits(&s, TRI_FD_OUT);
    make_reset(&c);
    tr_sock_close(&c);
    check_eq(tr_scope_join(root, TR_NEVER), 0);
    check(j.result == -ECONNRESET || j.result == -EPIPE);
    check_lt(j.written, sizeof block);
    check_eq(tr_write(&s, "x", 1, TR_NEVER), -EPIPE);
    tr_sock_close(&s);
}

/* A close with input unread would be a reset, which takes the answer away from the peer. */
ACTOR_TEST(tcp, close_with_unread_input_lets_the_answer_through)
{
    tr_sock c = { NULL }, s = { NULL };
    char got[16], big[20000] = { 0 };

    tcp_pair(&c, &s);
    check_eq(tr_write(&c, "line\nmuch more", 14, TR_NEVER), 14);
    check_eq(tr_read(&s, got, 5, TR_NEVER), 5);
    check_eq(tr_write(&c, big, sizeof big, TR_NEVER), sizeof big);
    check_eq(tr_write(&s, "answer", 6, TR_NEVER), 6);
    tr_sock_close(&s);
    check_eq(tr_read(&c, got, sizeof got, TR_NEVER), 6);
    check_eq(tr_read(&c, got, sizeof got, TR_NEVER), 0);
    tr_sock_close(&c);
}

ACTOR_TEST(tcp, finish_waits_for_the_end_of_the_peer)
{
    tr_sock c = { NULL }, s = { NULL };
    char got[16];
    struct call_job j = { .call = FINISH, .s = &s, .deadline = TR_NEVER };

    tcp_pair(&c, &s);
    start_call(root, &j);
    check_eq(tr_read(&c, got, sizeof got, TR_NEVER), 0);
    for (int i = 0; i < 10; i++)
        check_eq(tr_write(&c, "late input", 10, TR_NEVER), 10);
    tr_sock_close(&c);
    check_eq(tr_scope_join(root, TR_NEVER), 0);
    check_eq(j.result, 0);
    check_eq(s.impl, NULL);
}

/* ---- both directions, much ---- */

enum { MUCH = 4 << 20 };

static int pour(tr_sock *s)
{
    static char block[100000];
    size_t done = 0;

    while (done < MUCH) {
        size_t n = sizeof block < MUCH - done ? sizeof block : MUCH - done;

        if (tr_write(s, block, n, TR_NEVER) != (ssize_t)n)
            return -EIO;
        done += n;
    }
    return 0;
}

struct pourer {
    tr_sock *s;
};
TR_TASK(pourer, struct pourer, tr_nodrop);

static int pourer(struct pourer *p)
{
    return pour(p->s);
}

static size_t drink(tr_sock *s, size_t step)
{
    static char sink[70000];
    size_t sum = 0;
    ssize_t n;

    while (sum < MUCH && (n = tr_read(s, sink, step, TR_NEVER)) > 0)
        sum += (size_t)n;
    return sum;
}

struct drinker {
    tr_sock *s;
    size_t *sum;
};
TR_TASK(drinker, struct drinker, tr_nodrop);

static int drinker(struct drinker *d)
{
    *d->sum = drink(d->s, 1000);
    return 0;
}

static void pour_both_ways(tr_scope *root, tr_sock *a, tr_sock *b)
{
    size_t sum = 0;

    check_eq(pourer_spawn(root, &(struct pourer){ a }, NULL), 0);
    check_eq(pourer_spawn(root, &(struct pourer){ b }, NULL), 0);
    check_eq(drinker_spawn(root, &(struct drinker){ b, &sum }, NULL), 0);
    check_eq(drink(a, 70000), (size_t)MUCH);
    check_eq(tr_scope_join(root, TR_NEVER), 0);
    check_eq(sum, (size_t)MUCH);
    check_eq(tr_scope_failures(root), 0u);
}

ACTOR_TEST(tcp, four_tasks_pour_megabytes_both_ways)
{
    tr_sock c = { NULL }, s = { NULL };

    tcp_pair(&c, &s);
    pour_both_ways(root, &c, &s);
    tr_sock_close(&c);
    tr_sock_close(&s);
}

ACTOR_TEST(tcp, four_tasks_pour_through_a_unix_pair)
{
    tr_sock a = { NULL }, b = { NULL };

    need_eq(tr_sock_pair(&a, &b), 0);
    pour_both_ways(root, &a, &b);
    tr_sock_close(&a);
    tr_sock_close(&b);
}

/* ---- the same in a simulated world ---- */

static int simulated(tr_scope *root, void *arg)
{
    tr_sock c = { NULL }, s = { NULL };
    char line[32];

    (void)arg;
    tcp_pair(&c, &s);
    pour_both_ways(root, &c, &s);
    check_eq(tr_printf(&c, TR_NEVER, "%s\n", "hello"), 6);
    check_eq(tr_read_line(&s, line, sizeof line, TR_NEVER), 6);
    check_str(line, "hello\n");
    check_eq(tr_read(&c, line, 1, tr_after(TR_S(3600))), -ETIMEDOUT, "an hour of virtual time");
    tr_sock_close(&c);
    check_eq(tr_read(&s, line, 1, TR_NEVER), 0);
    tr_sock_close(&s);
    return 0;
}

TR_TEST(tcp, works_in_a_simulated_world)
{
    for (uint64_t seed = 1; seed <= 5; seed++) {
        const struct tr_runtime_opts o = { .simulate = true, .seed = seed };

        check_eq(tr_run_with(&o, simulated, NULL), 0);
    }
}
