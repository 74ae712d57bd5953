/* SPDX-License-Identifier: MIT */
/*
 * trweb - the web server of the async-book: ./trweb --port 7878, then
 * curl localhost:7878/sleep. / answers at once, /sleep after five seconds, anything else is not
 * there.
 *
 * Shows a listener with a task for each connection, and a stop that clients do not notice: on
 * SIGTERM new connections are refused, idle ones end, requests under way get their answers, and
 * who dawdles is cut off. Under a service manager it takes over a socket and reports its state.
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include <troupe.h>

#include "common/service.h"
#include "trweb_http.h"

/*
 * Longer than /sleep, a head and an answer are allowed to take; shorter than the stop budget.
 */
static const tr_time DRAIN_LIMIT = TR_S(7);

static const struct http_opts http = {
    .slow = TR_S(5),
    .idle_limit = TR_S(60),
    .head_limit = TR_S(5),
    .write_limit = TR_S(5),
};

/* Written by main() before the runtime exists. */
static struct options {
    unsigned port;
    bool book;
    int listen_fd; /* handed over by a service manager, or negative */
} options = { .port = 7878, .listen_fd = -1 };

/* ---- a connection ---- */

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
    int r = options.book ? http_serve_book(&c->s, &http) : http_serve(&c->s, &http);

    if (r == 0 && tr_sock_finish(&c->s, tr_after(TR_MS(500))) == -ECANCELED)
        r = -ECANCELED;
    return r;
}

static int conn_open(tr_scope *scope, tr_sock *s, void *arg)
{
    struct conn c = { *s };

    (void)arg;
    *s = (tr_sock){ 0 }; /* spawn consumes it, whatever happens */
    return conn_spawn(scope, &c, NULL);
}

/* ---- the server ---- */

static int listener_open(tr_sock *ret_listener)
{
    char address[32];
    int r;

    snprintf(address, sizeof address, "127.0.0.1:%u", options.port);
    r = options.listen_fd < 0 ? tr_tcp_listen(address, NULL, ret_listener)
                              : tr_sock_adopt(options.listen_fd, ret_listener);
    if (r < 0)
        fprintf(stderr, "trweb: cannot listen on %s: %s\n",
                options.listen_fd < 0 ? address : "the socket handed over", tr_strerror(r));
    return r;
}

/* Tells the service manager, if there is one; the server runs without. */
static void report(const char *state)
{
    int r = service_notify(state);

    if (r < 0)
        fprintf(stderr, "trweb: $NOTIFY_SOCKET: %s\n", tr_strerror(r));
}

static int trweb(tr_scope *root, int argc, char **argv)
{
    tr_sock listener TR_CLEANUP(tr_sock_close) = { 0 };
    int r = listener_open(&listener);

    (void)argc, (void)argv;
    if (r < 0)
        return r;
    fprintf(stderr, "trweb: listening on port %d\n", tr_sock_port(&listener));
    report("READY=1");
    r = tr_serve(&listener, root, NULL, conn_open, NULL, TR_UNTIL_DRAIN);
    report("STOPPING=1");
    return r < 0 ? r : tr_scope_drain(root, tr_after(DRAIN_LIMIT));
}

/* ---- options ---- */

static const char usage[] =
    "usage: trweb [--port N] [--book]\n"
    "  --port N   listen on 127.0.0.1:N; 0: any free port (default: 7878)\n"
    "  --book     one request a connection, answered in the bare way of the async-book\n"
    "  --help     print this\n"
    "GET / answers at once, GET /sleep after five seconds. SIGTERM stops gently.\n"
    "$LISTEN_FDS and $NOTIFY_SOCKET of a service manager are honoured.\n";

static int port_parse(const char *text)
{
    char *end;
    long port = strtol(text, &end, 10);

    if (*text < '0' || *text > '9' || *end || port > 65535) {
        fprintf(stderr, "trweb: --port: '%s' is no port number\n", text);
        return -EINVAL;
    }
    options.port = (unsigned)port;
    return 0;
}

/* Returns 0; 1: help was wanted; -EINVAL: one line has said what is wrong. */
static int options_parse(int argc, char **argv)
{
    static const struct option longs[] = { { "port", required_argument, NULL, 'p' },
                                           { "book", no_argument, NULL, 'b' },
                                           { "help", no_argument, NULL, 'h' },
                                           { NULL, 0, NULL, 0 } };
    int opt, r = 0;

    while (r == 0 && (opt = getopt_long(argc, argv, "p:bh", longs, NULL)) != -1) {
        if (opt == 'p')
            r = port_parse(optarg);
        else if (opt == 'b')
            options.book = true;
        else
            r = opt == 'h' ? 1 : -EINVAL;
    }
    if (r == 0 && optind < argc) {
        fprintf(stderr, "trweb: '%s' is no option; --help lists them\n", argv[optind]);
        r = -EINVAL;
    }
    return r;
}

int main(int argc, char **argv)
{
    int r = options_parse(argc, argv);

    if (r > 0)
        return fputs(usage, stdout) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
    if (r < 0)
        return EXIT_FAILURE;
    r = service_listen_fd();
    if (r < 0 && r != -ENOENT) {
        fprintf(stderr, "trweb: $LISTEN_FDS: one socket is wanted: %s\n", tr_strerror(r));
        return EXIT_FAILURE;
    }
    options.listen_fd = r;
    return tr_main("trweb", trweb, argc, argv); /* signals, exit status, the summary line */
}
