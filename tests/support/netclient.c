/* SPDX-License-Identifier: MIT */
/*
 * netclient PORT STEP... - one connection to 127.0.0.1, driven by hand; for scripts.
 *
 *     send=TEXT   sends it at once; \r \n \\ and \xHH are understood
 *     drip=TEXT   sends it byte by byte, each in a packet of its own
 *     fill=N      sends N letters and no newline      noise=N   sends N bytes of anything
 *     shut        half-closes
 *     line        reads a line and prints it
 *     answer      reads an HTTP answer with a Content-Length: prints "200 176 keep", or "close"
 *     hush=MS     prints "hush" if nothing comes for so long, else "noise"
 *     end         reads to the end: prints "fin N" or "reset N" with the bytes that came
 *
 * A peer that goes away under a send is no error; the steps that read will tell. Exit status 1:
 * not connected (prints "refused"), a step is wrong, or LIMIT_S seconds have passed.
 */
#include "config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { LIMIT_S = 30, BUF_BYTES = 1 << 16 };

static int fd;
static char buf[BUF_BYTES]; /* read and not yet used: n_buf bytes */
static size_t n_buf;

static void die(const char *what)
{
    printf("%s\n", what);
    exit(EXIT_FAILURE);
}

static void open_connection(const char *port)
{
    struct sockaddr_in a = { .sin_family = AF_INET };
    int one = 1;

    a.sin_port = htons((uint16_t)strtoul(port, NULL, 10));
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (const struct sockaddr *)&a, sizeof a) < 0)
        die("refused");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
}

/* ---- sending ---- */

/* False: the peer has gone. */
static bool send_all(const char *at, size_t n)
{
    while (n > 0) {
        ssize_t r = send(fd, at, n, MSG_NOSIGNAL);

        if (r < 0)
            return false;
        at += r;
        n -= (size_t)r;
    }
    return true;
}

/* Resolves the escapes in @text in place. Returns the length. */
static size_t unescape(char *text)
{
    char *to = text;

    for (const char *at = text; *at; at++) {
        unsigned code;

        if (*at != '\\' || !at[1]) {
            *to++ = *at;
        } else if (at[1] == 'x' && sscanf(at + 2, "%2x", &code) == 1) {
            *to++ = (char)code;
            at += 3;
        } else {
            at++;
            *to++ = *at == 'r' ? '\r' : *at == 'n' ? '\n' : *at;
        }
    }
    return (size_t)(to - text);
}

/*
 * A slow peer: the pause between the bytes is what it is for; nothing waits for it to be over.
 */
static void drip(const char *text, size_t n)
{
    static const struct timespec pause = { .tv_nsec = 1000000 };

    for (size_t i = 0; i < n && send_all(text + i, 1); i++)
        nanosleep(&pause, NULL);
}

static void send_many(size_t n, bool is_noise)
{
    static char bytes[BUF_BYTES];
    unsigned x = 1;

    for (size_t i = 0; i < sizeof bytes; i++) {
        x = x * 1103515245 + 12345;
        bytes[i] = is_noise ? (char)(x >> 16) : 'a';
    }
    for (size_t part; n > 0; n -= part) {
        part = n < sizeof bytes ? n : sizeof bytes;
        if (!send_all(bytes, part))
            return;
    }
}

/* ---- receiving ---- */

/* Reads more. Returns the count, 0 at the end, -1 after a reset. */
static ssize_t more(void)
{
    ssize_t r;

    if (n_buf == sizeof buf)
        die("too much");
    r = recv(fd, buf + n_buf, sizeof buf - n_buf, 0);
    if (r > 0)
        n_buf += (size_t)r;
    return r < 0 ? -1 : r;
}

static void used(size_t n)
{
    n_buf -= n;
    memmove(buf, buf + n, n_buf);
}

/* Reads until @mark is there. Returns the length up to and with it. */
static size_t read_to(const char *mark)
{
    const char *at;

    while (!(at = memmem(buf, n_buf, mark, strlen(mark)))) {
        ssize_t r = more();

        if (r <= 0)
            die(r == 0 ? "fin instead" : "reset instead");
    }
    return (size_t)(at - buf) + strlen(mark);
}

static void read_line(void)
{
    size_t n = read_to("\n");

    printf("%.*s", (int)n, buf);
    used(n);
}

static void read_answer(void)
{
    size_t n = read_to("\r\n\r\n"), size = 0;
    const char *at = memmem(buf, n, "\r\nContent-Length: ", 18);
    bool is_last = memmem(buf, n, "\r\nConnection: close\r\n", 21) != NULL;
    int code = 0;

    if (sscanf(buf, "HTTP/1.1 %d ", &code) != 1 || !at)
        die("no answer");
    size = strtoul(at + 18, NULL, 10);
    while (n_buf < n + size)
        if (more() <= 0)
            die("half an answer");
    used(n + size);
    printf("%d %zu %s\n", code, size, is_last ? "close" : "keep");
}

static void read_end(void)
{
    size_t n = 0;
    ssize_t r;

    do {
        n += n_buf;
        n_buf = 0;
        r = more();
    } while (r > 0);
    printf("%s %zu\n", r == 0 ? "fin" : "reset", n);
}

static void hush(int ms)
{
    struct pollfd p = { .fd = fd, .events = POLLIN };

    printf("%s\n", n_buf == 0 && poll(&p, 1, ms) == 0 ? "hush" : "noise");
}

/* ---- steps ---- */

static void step(char *text)
{
    char *value = strchr(text, '=');

    if (value)
        *value++ = '\0';
    if (!value && strcmp(text, "shut") == 0)
        shutdown(fd, SHUT_WR);
    else if (!value && strcmp(text, "line") == 0)
        read_line();
    else if (!value && strcmp(text, "answer") == 0)
        read_answer();
    else if (!value && strcmp(text, "end") == 0)
        read_end();
    else if (value && strcmp(text, "send") == 0)
        (void)send_all(value, unescape(value));
    else if (value && strcmp(text, "drip") == 0)
        drip(value, unescape(value));
    else if (value && strcmp(text, "fill") == 0)
        send_many(strtoul(value, NULL, 10), false);
    else if (value && strcmp(text, "noise") == 0)
        send_many(strtoul(value, NULL, 10), true);
    else if (value && strcmp(text, "hush") == 0)
        hush((int)strtol(value, NULL, 10));
    else
        die("no such step");
    fflush(stdout);
}

int main(int argc, char **argv)
{
    if (argc < 2)
        die("usage: netclient PORT STEP...");
    alarm(LIMIT_S); /* its default effect is all we want of it */
    open_connection(argv[1]);
    for (int i = 2; i < argc; i++)
        step(argv[i]);
    return EXIT_SUCCESS;
}
