/* SPDX-License-Identifier: MIT */
/* Sockets of the simulator, with every wait hit: no byte is lost or doubled. */
#include "config.h"

#include <troupe/sock.h>

#include "every/kit.h"

TR_SUITE(every_sock, .init = kit_listen, .timeout = 60);

enum { N_LINE = 4, N_CLIENT = 2, N_BULK = 300000 };

static unsigned n_echoed;

/* ---- a pair: more than its buffers hold ---- */

static tr_sock side[2];
static size_t n_written, n_read;

static int bulk_writer(unsigned i)
{
    static char block[N_BULK];
    size_t done = 0;
    ssize_t n;

    for (size_t k = 0; k < sizeof block; k++)
        block[k] = (char)(k % 251);
    n = tr_write_done(&side[i], block, sizeof block, late(), &done);
    n_written = done;
    return MAY(n < 0 ? (int)n : 0, -EPIPE, -ECONNRESET);
}

static int bulk_reader(unsigned i)
{
    unsigned char block[2000];
    ssize_t n;

    while ((n = tr_read(&side[i], block, sizeof block, late())) > 0)
        for (ssize_t k = 0; k < n; k++)
            check_eq(block[k], n_read++ % 251);
    return MAY((int)n, -EPIPE, -ECONNRESET);
}

static void side_end(unsigned i)
{
    tr_sock_close(&side[i]);
}

static int pair_stage(tr_scope *s)
{
    int r = MAY(tr_sock_pair(&side[0], &side[1]));

    if (r < 0)
        return r;
    (void)go(s, bulk_writer, side_end, 0);
    (void)go(s, bulk_reader, side_end, 1);
    return 0;
}

static void pair_finish(void)
{
    check_le(n_read, n_written);
    check(side[0].impl == NULL && side[1].impl == NULL);
    if (is_untouched())
        check_eq(n_read, N_BULK);
    n_read = n_written = 0;
}

EVERY_TEST(every_sock, a_pair, pair_stage, pair_finish)

/* ---- a server and its clients ---- */

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
    char line[64];
    ssize_t n;

    while ((n = tr_read_line(&c->s, line, sizeof line, late())) > 0)
        if ((n = tr_printf(&c->s, late(), "%s", line)) < 0)
            break;
    return MAY((int)n, -EPIPE, -ECONNRESET);
}

static tr_sock listener;
static char address[32];

static int start_conn(tr_scope *scope, tr_sock *s, void *arg)
{
    struct conn c = { *s };

    (void)arg;
    *s = (tr_sock){ NULL };
    return MAY(conn_spawn(scope, &c, NULL));
}

static int server(unsigned i)
{
    tr_scope s TR_CLEANUP(tr_scope_end) =
        tr_scope_open(&(struct tr_scope_opts){ .policy = TR_POLICY_COLLECT });

    (void)i;
    return MAY(tr_serve(&listener, &s, NULL, start_conn, NULL, tr_after(TR_S(60))), -ETIMEDOUT,
               -ESHUTDOWN);
}

static int client(unsigned i)
{
    tr_sock s TR_CLEANUP(tr_sock_close) = { 0 };
    char line[64], back[64];
    int r = MAY(tr_tcp_connect(address, late(), &s), -ECONNREFUSED, -ECONNRESET);
    ssize_t n = r;

    for (unsigned k = 0; k < N_LINE && n >= 0; k++) {
        (void)snprintf(line, sizeof line, "line %u of client %u\n", k, i);
        n = tr_write(&s, line, strlen(line), late());
        if (n >= 0)
            n = tr_read_line(&s, back, sizeof back, late());
        if (n == 0)
            return 0; /* the server has gone */
        if (n > 0)
            check_eq(strncmp(back, line, (size_t)n), 0, back);
        if (n > 0 && (size_t)n < strlen(line))
            return every.was_hit ? 0 : -EIO; /* it went in the middle of a line */
        n_echoed += n > 0;
    }
    if (n >= 0)
        return MAY(tr_sock_finish(&s, late()), -ECONNRESET, -EPIPE);
    return MAY((int)n, -EPIPE, -ECONNRESET, -ECONNREFUSED);
}

static void server_end(unsigned i)
{
    (void)i;
    tr_sock_close(&listener);
}

static int server_stage(tr_scope *s)
{
    int r = MAY(tr_tcp_listen("127.0.0.1:0", NULL, &listener));

    if (r < 0)
        return r;
    (void)snprintf(address, sizeof address, "127.0.0.1:%d", tr_sock_port(&listener));
    (void)go(s, server, server_end, 0);
    for (unsigned i = 0; i < N_CLIENT; i++)
        (void)go(s, client, NULL, i);
    return 0;
}

static void server_finish(void)
{
    check_eq(listener.impl, NULL);
    if (is_untouched())
        check_eq(n_echoed, N_CLIENT * N_LINE);
    n_echoed = 0;
}

EVERY_TEST(every_sock, a_server, server_stage, server_finish)
