/* SPDX-License-Identifier: MIT */
/*
 * server.c - the servers of the socket metrics, one task for each connection:
 *
 *     troupe-bench echo PORT     reads up to 1 KiB, writes all of it back
 *     troupe-bench http PORT     answers every request head with the same 200, kept alive
 *
 * Port 0 takes a free one; the port is the only line on standard output. They serve until they
 * are killed.
 */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "bench.h"

struct conn {
    tr_sock s;
};

static void conn_drop(struct conn *c)
{
    tr_sock_close(&c->s);
}
TR_TASK(echo, struct conn, conn_drop);
TR_TASK(http, struct conn, conn_drop);

static int echo(struct conn *c)
{
    char buf[1024];
    ssize_t n;

    while ((n = tr_read(&c->s, buf, sizeof buf, TR_NEVER)) > 0)
        if ((n = tr_write(&c->s, buf, (size_t)n, TR_NEVER)) < 0)
            break;
    return (int)n;
}

static const char response[] = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
                               "Content-Length: 13\r\n\r\nHello, world!";

/* Looks on for an empty line. @state: characters of it seen so far; 4: one is complete. */
static size_t head_scan(const char *p, size_t n, unsigned *state)
{
    static const char end[] = "\r\n\r\n";
    size_t i = 0;

    while (i < n && *state < 4) {
        if (p[i] == end[*state])
            ++*state;
        else
            *state = p[i] == '\r';
        i++;
    }
    return i;
}

static int http(struct conn *c)
{
    char buf[4096];
    unsigned state = 0;
    ssize_t n, r;

    while ((n = tr_read(&c->s, buf, sizeof buf, TR_NEVER)) > 0) {
        for (size_t at = 0; at < (size_t)n;) {
            at += head_scan(buf + at, (size_t)n - at, &state);
            if (state < 4)
                continue;
            state = 0;
            r = tr_write(&c->s, response, sizeof response - 1, TR_NEVER);
            if (r < 0)
                return (int)r;
        }
    }
    return (int)n;
}

static int echo_start(tr_scope *scope, tr_sock *s, void *arg)
{
    struct conn c = { *s };

    (void)arg;
    *s = (tr_sock){ 0 };
    return echo_spawn(scope, &c, NULL);
}

static int http_start(tr_scope *scope, tr_sock *s, void *arg)
{
    struct conn c = { *s };

    (void)arg;
    *s = (tr_sock){ 0 };
    return http_spawn(scope, &c, NULL);
}

struct server {
    const char *name, *port;
    tr_serve_fn *start;
};

static int root(tr_scope *scope, void *arg)
{
    const struct server *server = arg;
    tr_sock listener TR_CLEANUP(tr_sock_close) = { 0 };
    char address[64];
    int r;

    (void)snprintf(address, sizeof address, "127.0.0.1:%s", server->port);
    r = tr_tcp_listen(address, NULL, &listener);
    if (r < 0)
        return r;
    printf("%d\n", tr_sock_port(&listener));
    fflush(stdout);
    return tr_serve(&listener, scope, NULL, server->start, NULL, TR_NEVER);
}

static int serve(int argc, char **argv, const char *name, tr_serve_fn *start)
{
    struct server server = { name, argv[0], start };
    int r;

    if (argc != 1) {
        fprintf(stderr, "usage: troupe-bench %s PORT\n", name);
        return EXIT_FAILURE;
    }
    r = tr_run(root, &server);
    fprintf(stderr, "troupe-bench: %s %s: %s\n", name, server.port, tr_strerror(r));
    return EXIT_FAILURE;
}

int bench_echo_server(int argc, char **argv)
{
    return serve(argc, argv, "echo", echo_start);
}

int bench_http_server(int argc, char **argv)
{
    return serve(argc, argv, "http", http_start);
}
