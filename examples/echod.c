/* SPDX-License-Identifier: MIT */
/*
 * echod - a line echo daemon: ./echod --port 7000 --config FILE, then talk to it with nc.
 *
 * Shows a whole daemon: a listener and one task per connection, a configuration that is
 * published through a watch and read anew on SIGHUP, a statistics task that is restarted when
 * it fails and loses no message, and a stop on SIGTERM in which the lines under way are
 * answered. FILE holds the prefix of the answers; the line "fail" makes the statistics fail.
 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <troupe.h>

struct cfg {
    char prefix[32];
};

struct tally {
    unsigned bytes;
    bool fail;
};

TR_WATCH(cfgw, struct cfg, tr_nodrop);
TR_MPSC(statq, struct tally, tr_nodrop);

/* ---- a connection ---- */

struct conn {
    tr_sock s;
    cfgw_rx cfg;
    statq_tx st;
};

static void conn_drop(struct conn *c)
{
    tr_sock_close(&c->s);
    cfgw_rx_close(&c->cfg);
    statq_tx_close(&c->st);
}
TR_TASK(conn, struct conn, conn_drop);

/* Straight line; conn_drop() covers every way out. */
static int conn(struct conn *c)
{
    char line[1024];
    ssize_t n = 0, r;

    while (!tr_self_is_draining() &&
           (n = tr_read_line(&c->s, line, sizeof line, TR_UNTIL_DRAIN)) > 0) {
        const struct cfg *k = cfgw_get(&c->cfg); /* valid until the next call on this end */
        struct tally st = { .bytes = (unsigned)n, .fail = strcmp(line, "fail\n") == 0 };

        if ((r = tr_printf(&c->s, tr_after(TR_S(1)), "%s: ", k->prefix)) < 0 ||
            (r = tr_write(&c->s, line, (size_t)n, tr_after(TR_S(1)))) < 0 ||
            (r = statq_send(&c->st, &st, TR_NEVER)) < 0)
            return (int)r;
    }
    if (n < 0 && n != -ESHUTDOWN)
        return (int)n;
    return tr_sock_finish(&c->s, tr_after(TR_MS(200))) == -ECANCELED ? -ECANCELED : 0;
}

/* What every connection gets a clone of. */
struct hub {
    cfgw_rx cfg;
    statq_tx st;
};

static void hub_drop(struct hub *h)
{
    cfgw_rx_close(&h->cfg);
    statq_tx_close(&h->st);
}

static int conn_open(tr_scope *conns, tr_sock *s, void *arg)
{
    const struct hub *h = arg;
    struct conn c = { *s, cfgw_rx_clone(&h->cfg), statq_tx_clone(&h->st) };

    *s = (tr_sock){ 0 }; /* spawn consumes it, whatever happens */
    return conn_spawn(conns, &c, NULL);
}

/* ---- the listener ---- */

struct door {
    tr_sock listener;
    struct hub hub;
};

static void door_drop(struct door *d)
{
    tr_sock_close(&d->listener);
    hub_drop(&d->hub);
}
TR_TASK(door, struct door, door_drop);

static int door(struct door *d)
{
    tr_scope conns TR_CLEANUP(tr_scope_end) =
        tr_scope_open(&(struct tr_scope_opts){ .name = "conns", .policy = TR_POLICY_COLLECT });
    int r = tr_serve(&d->listener, &conns, NULL, conn_open, &d->hub, TR_UNTIL_DRAIN);

    return r < 0 ? r : tr_scope_join(&conns, TR_NEVER); /* busy ones finish their line */
}

/* ---- the statistics ---- */

struct book {
    statq_rx rx;
    unsigned long lines, bytes, starts;
};

static void book_drop(struct book *b)
{
    statq_rx_close(&b->rx);
}
TR_TASK(book, struct book, book_drop);

struct count {
    struct book *book; /* borrowed: the book outlives every incarnation */
};
TR_TASK(count, struct count, tr_nodrop);

static int count(struct count *c)
{
    struct tally t;
    int r;

    while ((r = statq_recv(&c->book->rx, TR_NEVER, &t)) == 0) {
        c->book->lines++;
        c->book->bytes += t.bytes;
        if (t.fail)
            return -EIO;
    }
    return r == -EPIPE ? 0 : r; /* every connection has gone: done */
}

static int count_start(tr_scope *scope, void *arg)
{
    struct count c = { arg };

    c.book->starts++;
    return count_spawn(scope, &c, NULL);
}

/* Keeps the receiving end while the counting task fails and comes back. */
static int book(struct book *b)
{
    int r =
        tr_supervise(&(struct tr_restart_opts){ .name = "count" }, count_start, b, TR_NEVER);

    fprintf(stderr, "echod: %lu lines, %lu bytes, %lu restarts\n", b->lines, b->bytes,
            b->starts ? b->starts - 1 : 0);
    return r;
}

/* ---- configuration ---- */

/* Reads the prefix from @path. Returns 0, or -errno with *@ret_cfg untouched. */
static int cfg_load(const char *path, struct cfg *ret_cfg)
{
    struct cfg c = { "echo" };
    FILE *f;

    if (path) {
        f = fopen(path, "re");
        if (!f)
            return -errno;
        if (!fgets(c.prefix, sizeof c.prefix, f))
            c.prefix[0] = '\0';
        fclose(f);
        c.prefix[strcspn(c.prefix, "\n")] = '\0';
    }
    if (c.prefix[0] == '\0')
        return -EINVAL;
    *ret_cfg = c;
    return 0;
}

static void cfg_reload(const char *path, cfgw_tx *tx)
{
    struct cfg c;
    int r = cfg_load(path, &c);

    if (r == 0)
        r = cfgw_replace(tx, &c);
    if (r < 0)
        fprintf(stderr, "echod: %s: %s, keeping the old configuration\n", path, tr_strerror(r));
    else
        fprintf(stderr, "echod: reloaded\n");
}

/* ---- the daemon ---- */

struct options {
    const char *port, *config;
};

static int options_parse(int argc, char **argv, struct options *ret_options)
{
    static const struct option longs[] = { { "port", required_argument, NULL, 'p' },
                                           { "config", required_argument, NULL, 'c' },
                                           { "help", no_argument, NULL, 'h' },
                                           { NULL, 0, NULL, 0 } };
    struct options o = { "7000", NULL };
    int opt;

    optind = 1; /* main() has parsed them before */
    while ((opt = getopt_long(argc, argv, "p:c:h", longs, NULL)) != -1) {
        if (opt == 'p')
            o.port = optarg;
        else if (opt == 'c')
            o.config = optarg;
        else
            return -EINVAL;
    }
    if (optind < argc)
        return -EINVAL;
    *ret_options = o;
    return 0;
}

static int echod(tr_scope *root, int argc, char **argv)
{
    static const struct tr_task_opts vital = { .flags = TR_TASK_VITAL };
    struct options o;
    struct cfg first;
    char address[64];
    cfgw_tx cfg TR_CLEANUP(cfgw_tx_close) = { 0 };
    tr_signal hup TR_CLEANUP(tr_signal_close) = { 0 };
    struct door d TR_CLEANUP(door_drop) = { 0 };
    struct book b TR_CLEANUP(book_drop) = { 0 };
    int r;

    r = options_parse(argc, argv, &o);
    if (r < 0)
        return r;
    if ((r = cfg_load(o.config, &first)) < 0 || (r = cfgw_new(&first, &cfg, &d.hub.cfg)) < 0 ||
        (r = statq_new(64, &d.hub.st, &b.rx)) < 0 || (r = tr_signal_open(SIGHUP, &hup)) < 0)
        return r;
    snprintf(address, sizeof address, "127.0.0.1:%s", o.port);
    r = tr_tcp_listen(address, NULL, &d.listener);
    if (r < 0) {
        fprintf(stderr, "echod: %s: %s\n", address, tr_strerror(r));
        return r;
    }
    fprintf(stderr, "echod: listening on 127.0.0.1:%d\n", tr_sock_port(&d.listener));

    if ((r = book_spawn(root, &b, &vital)) < 0 || (r = door_spawn(root, &d, &vital)) < 0)
        return r;
    while ((r = tr_signal_recv(&hup, TR_UNTIL_DRAIN, NULL)) == 0)
        cfg_reload(o.config, &cfg);
    /* SIGTERM came: lines under way are answered, what is late is cancelled. */
    return tr_scope_drain(root, tr_after(TR_S(3)));
}

int main(int argc, char **argv)
{
    struct options o;

    if (options_parse(argc, argv, &o) < 0) {
        fprintf(stderr, "usage: echod [--port N] [--config FILE]\n");
        return EXIT_FAILURE;
    }
    return tr_main("echod", echod, argc, argv); /* signals, exit status, the summary line */
}
