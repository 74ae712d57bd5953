/* SPDX-License-Identifier: MIT */
/*
 * echoload PORT CLIENTS LINES [FAILS] - talks to a line echo server with many connections at
 * once, one line of each under way; LINES for each client, 0: until the server ends. The first
 * client also sends the line "fail", FAILS times, spread over its lines. At the end one line:
 *
 *     clients 20 lines 2000 bytes 17780 prefixes 2 fin 20 reset 0 torn 0 wrong 0
 *
 * of the lines that were answered, how many different prefixes they bore, and how the server
 * ended the connections: cleanly, by a reset, or with part of an answer sent. A client that is
 * done half-closes and waits for the end. "wrong": answers that are not the line that was sent.
 */
#include "config.h"

#include <arpa/inet.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { LIMIT_S = 60, MAX_CLIENT = 256, MAX_PREFIX = 8, TEXT_BYTES = 128 };

struct client {
    unsigned n_line, n_fail;
    size_t n_sent, n_got;
    char sent[TEXT_BYTES], got[TEXT_BYTES]; /* the line under way, and its answer so far */
};

static struct {
    unsigned long lines, bytes, fin, reset, torn, wrong;
    unsigned n_prefix;
    char prefix[MAX_PREFIX][TEXT_BYTES];
} total;

static unsigned n_client, n_lines, n_fails;
static struct client clients[MAX_CLIENT];
static struct pollfd fds[MAX_CLIENT];

static int open_connection(const char *port)
{
    struct sockaddr_in a = { .sin_family = AF_INET };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    a.sin_port = htons((uint16_t)strtoul(port, NULL, 10));
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || connect(fd, (const struct sockaddr *)&a, sizeof a) < 0) {
        perror("echoload: connect");
        exit(EXIT_FAILURE);
    }
    return fd;
}

/* Sends the next line, or half-closes after the last one. An end is seen by the next read. */
static void next_line(unsigned i)
{
    struct client *c = &clients[i];
    unsigned every = n_lines / (n_fails + 1) + 1;
    int n;

    c->n_got = c->n_sent = 0;
    if (n_lines > 0 && c->n_line == n_lines) {
        shutdown(fds[i].fd, SHUT_WR);
        return;
    }
    c->n_line++;
    if (i == 0 && c->n_fail < n_fails && c->n_line == every * (c->n_fail + 1)) {
        c->n_fail++;
        n = snprintf(c->sent, sizeof c->sent, "fail\n");
    } else {
        n = snprintf(c->sent, sizeof c->sent, "client %u line %u\n", i, c->n_line);
    }
    c->n_sent = (size_t)n;
    (void)!send(fds[i].fd, c->sent, c->n_sent, MSG_NOSIGNAL);
}

static void note_prefix(const char *text, size_t n)
{
    for (unsigned i = 0; i < total.n_prefix; i++)
        if (strlen(total.prefix[i]) == n && memcmp(total.prefix[i], text, n) == 0)
            return;
    if (total.n_prefix < MAX_PREFIX)
        memcpy(total.prefix[total.n_prefix++], text, n);
}

/* A whole answer is there: "prefix: line". */
static void take_answer(const struct client *c)
{
    size_t n = c->n_got - c->n_sent;

    if (c->n_sent == 0 || c->n_got < c->n_sent + 2 ||
        memcmp(c->got + n, c->sent, c->n_sent) != 0 || memcmp(c->got + n - 2, ": ", 2) != 0) {
        total.wrong++;
        return;
    }
    total.lines++;
    total.bytes += c->n_sent;
    note_prefix(c->got, n - 2);
}

static void end(unsigned i, bool is_reset)
{
    total.reset += is_reset;
    total.fin += !is_reset;
    total.torn += clients[i].n_got > 0;
    close(fds[i].fd);
    fds[i].fd = -1;
}

static void read_some(unsigned i)
{
    struct client *c = &clients[i];
    ssize_t r = recv(fds[i].fd, c->got + c->n_got, sizeof c->got - c->n_got, 0);

    if (r <= 0) {
        end(i, r < 0);
        return;
    }
    c->n_got += (size_t)r;
    if (c->got[c->n_got - 1] == '\n') {
        take_answer(c);
        next_line(i);
    } else if (c->n_got == sizeof c->got) {
        total.wrong++;
        end(i, false);
    }
}

int main(int argc, char **argv)
{
    if (argc < 4) {
        fprintf(stderr, "usage: echoload PORT CLIENTS LINES [FAILS]\n");
        return EXIT_FAILURE;
    }
    n_client = (unsigned)strtoul(argv[2], NULL, 10) % (MAX_CLIENT + 1);
    n_lines = (unsigned)strtoul(argv[3], NULL, 10);
    n_fails = argc > 4 ? (unsigned)strtoul(argv[4], NULL, 10) : 0;
    alarm(LIMIT_S); /* its default effect is all we want of it */
    for (unsigned i = 0; i < n_client; i++) {
        fds[i] = (struct pollfd){ .fd = open_connection(argv[1]), .events = POLLIN };
        next_line(i);
    }
    while (total.fin + total.reset < n_client && poll(fds, n_client, -1) > 0)
        for (unsigned i = 0; i < n_client; i++)
            if (fds[i].revents)
                read_some(i);
    printf("clients %u lines %lu bytes %lu prefixes %u fin %lu reset %lu torn %lu wrong %lu\n",
           n_client, total.lines, total.bytes, total.n_prefix, total.fin, total.reset,
           total.torn, total.wrong);
    return total.wrong > 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
