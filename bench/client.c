/* SPDX-License-Identifier: MIT */
/*
 * client.c - the client of the echo metrics: one thread, one epoll, N connections with one
 * message of 64 bytes in flight each. It knows nothing of troupe, so it can load any server:
 *
 *     troupe-bench load PORT N [PID]     PID: the server, for its CPU time
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench.h"

enum { WORDS = 8, MESSAGE = 64, EVENTS = 256, SAMPLES = 4000000 };

static const int64_t WARM_UP = 300000000, MEASURED = 1500000000;

struct link {
    int fd;
    uint64_t number; /* of the message in flight */
    int64_t sent_at;
    size_t n_in;
    uint64_t in[WORDS];
};

struct client {
    const char *name;
    struct link *links;
    unsigned n;
    int epoll;
    int64_t from, to; /* the measured time */
    int64_t *samples; /* round trips that ended in it */
    size_t n_sample;
};

/* ---- one connection ---- */

static int link_send(struct link *l)
{
    uint64_t out[WORDS];

    l->number++;
    l->n_in = 0;
    for (uint64_t i = 0; i < WORDS; i++)
        out[i] = (uint64_t)l->fd << 48 | l->number << 8 | i;
    l->sent_at = bench_clock();
    return send(l->fd, out, MESSAGE, MSG_NOSIGNAL) == MESSAGE ? 0 : -EPIPE;
}

static bool link_is_right(const struct link *l)
{
    for (uint64_t i = 0; i < WORDS; i++)
        if (l->in[i] != ((uint64_t)l->fd << 48 | l->number << 8 | i))
            return false;
    return true;
}

/* Reads what is there; on the whole message checks it and sends the next. */
static int link_event(struct client *c, struct link *l)
{
    ssize_t n = recv(l->fd, (char *)l->in + l->n_in, MESSAGE - l->n_in, 0);
    int64_t now;

    if (n <= 0)
        return n < 0 && errno == EAGAIN ? 0 : -EPIPE;
    l->n_in += (size_t)n;
    if (l->n_in < MESSAGE)
        return 0;
    if (!link_is_right(l))
        return -EBADMSG;
    now = bench_clock();
    if (now >= c->from && now < c->to && c->n_sample < SAMPLES)
        c->samples[c->n_sample++] = now - l->sent_at;
    return link_send(l);
}

static int link_open(struct client *c, struct link *l, int port)
{
    struct sockaddr_in to = { .sin_family = AF_INET,
                              .sin_port = htons((uint16_t)port),
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    struct epoll_event e = { .events = EPOLLIN, .data.ptr = l };
    int one = 1;

    l->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (l->fd < 0 || connect(l->fd, (struct sockaddr *)&to, sizeof to) < 0 ||
        setsockopt(l->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) < 0 ||
        fcntl(l->fd, F_SETFL, O_NONBLOCK) < 0 ||
        epoll_ctl(c->epoll, EPOLL_CTL_ADD, l->fd, &e) < 0)
        return -errno;
    return 0;
}

/* ---- all of them ---- */

static int client_open(struct client *c, int port)
{
    int r = 0;

    c->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (c->epoll < 0)
        return -errno;
    for (unsigned i = 0; i < c->n && r == 0; i++)
        r = link_open(c, &c->links[i], port);
    return r;
}

static int client_until(struct client *c, int64_t end)
{
    struct epoll_event events[EVENTS];
    int64_t now;

    while ((now = bench_clock()) < end) {
        int n = epoll_wait(c->epoll, events, EVENTS, (int)((end - now) / 1000000) + 1);

        for (int i = 0; i < n; i++) {
            int r = link_event(c, events[i].data.ptr);

            if (r < 0)
                return r;
        }
    }
    return 0;
}

static void client_close(struct client *c)
{
    for (unsigned i = 0; i < c->n; i++)
        if (c->links[i].fd > 0)
            close(c->links[i].fd);
    close(c->epoll);
    free(c->links);
    free(c->samples);
}

/* User and system time of @pid in clock ticks; 0 if it cannot be read. */
static unsigned long ticks_of(pid_t pid)
{
    char path[64], line[1024];
    unsigned long user = 0, system = 0;
    const char *p;
    FILE *f;

    (void)snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    f = fopen(path, "re");
    if (!f)
        return 0;
    p = fgets(line, sizeof line, f) ? strrchr(line, ')') : NULL; /* after the name */
    fclose(f);
    if (!p ||
        sscanf(p, ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system) != 2)
        return 0;
    return user + system;
}

static void client_tell(struct client *c, unsigned long ticks)
{
    size_t n = c->n_sample;

    bench_sort(c->samples, n);
    bench_tell(c->name, (double)n * 1e9 / (double)MEASURED, "req/s");
    bench_tell_part(c->name, "p50", (double)c->samples[n / 2] / 1e3, "us");
    bench_tell_part(c->name, "p99", (double)c->samples[99 * n / 100] / 1e3, "us");
    if (ticks > 0)
        bench_tell_part(c->name, "cpu",
                        (double)ticks / (double)sysconf(_SC_CLK_TCK) * 1e6 / (double)n,
                        "us/req");
}

static int client_measure(struct client *c, pid_t server)
{
    unsigned long before, after;
    int r = 0;

    c->from = bench_clock() + WARM_UP;
    c->to = c->from + MEASURED;
    for (unsigned i = 0; i < c->n && r == 0; i++)
        r = link_send(&c->links[i]);
    if (r < 0 || (r = client_until(c, c->from)) < 0)
        return r;
    before = server > 0 ? ticks_of(server) : 0;
    r = client_until(c, c->to);
    after = server > 0 ? ticks_of(server) : 0;
    if (r < 0)
        return r;
    if (c->n_sample < c->n) /* not even one answer for each connection */
        return -ETIMEDOUT;
    client_tell(c, after - before);
    return 0;
}

int bench_load_server(const char *name, int port, unsigned n, pid_t server)
{
    struct client c = { .name = name, .n = n };
    int r;

    (void)bench_pin(1); /* beside the server's core, where there are two */
    c.links = bench_alloc(n, sizeof *c.links);
    c.samples = bench_alloc(SAMPLES, sizeof *c.samples);
    r = client_open(&c, port);
    if (r == 0)
        r = client_measure(&c, server);
    client_close(&c);
    return r < 0 ? bench_fail(name, "client: %s", tr_strerror(r)) : 0;
}

int bench_load_client(int argc, char **argv)
{
    char name[32];
    long port = argc > 0 ? strtol(argv[0], NULL, 10) : 0;
    long n = argc > 1 ? strtol(argv[1], NULL, 10) : 0;
    long pid = argc > 2 ? strtol(argv[2], NULL, 10) : 0;
    struct rlimit files;

    if (port < 1 || port > 65535 || n < 1 || n > 50000 || argc > 3) {
        fprintf(stderr, "usage: troupe-bench load PORT N [PID]\n");
        return EXIT_FAILURE;
    }
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &files);
    }
    (void)snprintf(name, sizeof name, "echo_%ld", n);
    return bench_load_server(name, (int)port, (unsigned)n, (pid_t)pid) < 0 ? EXIT_FAILURE
                                                                           : EXIT_SUCCESS;
}
