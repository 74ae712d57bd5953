/* SPDX-License-Identifier: MIT */
/* read.c - the reading calls: what was read ahead first, then the stream. */
#include "config.h"

#include <string.h>

#include "io/stream.h"
#include "sched/wait.h"
#include "sched/worker.h"

enum { DISCARD_BYTES = 4096 };

/* At least one byte, from wherever it is. */
static ssize_t read_some(struct tri_sock *k, void *buf, size_t n, tr_time deadline)
{
    int r;

    if (n > 0 && tri_line_len(&k->line) == 0)
        return tri_stream_read(k, buf, n, deadline);
    r = tri_wait_enter_as(tri_self(), "read");
    return r < 0 ? r : (ssize_t)tri_line_take(&k->line, buf, n);
}

ssize_t tr_read(tr_sock *s, void *buf, size_t n, tr_time deadline)
{
    struct tri_sock *k;
    ssize_t r = tri_sock_enter(s, TRI_USE_READ, &k);

    if (r < 0)
        return r;
    r = read_some(k, buf, n, deadline);
    tri_sock_leave(k, TRI_USE_READ);
    return r;
}

ssize_t tr_read_exact(tr_sock *s, void *buf, size_t n, tr_time deadline)
{
    struct tri_sock *k;
    size_t done = 0;
    ssize_t r = tri_sock_enter(s, TRI_USE_READ, &k);

    if (r < 0)
        return r;
    do {
        r = read_some(k, (char *)buf + done, n - done, deadline);
        if (r > 0)
            done += (size_t)r;
    } while (r > 0 && done < n);
    tri_sock_leave(k, TRI_USE_READ);
    if (r < 0)
        return r;
    return done == n ? (ssize_t)n : -EPIPE;
}

ssize_t tr_try_read(tr_sock *s, void *buf, size_t n)
{
    struct tri_sock *k;
    ssize_t r = tri_sock_enter(s, TRI_USE_READ, &k);

    if (r < 0)
        return r;
    r = (ssize_t)tri_line_take(&k->line, buf, n);
    if (r == 0 && n > 0)
        r = tri_stream_try_read(k, buf, n);
    tri_sock_leave(k, TRI_USE_READ);
    return r;
}

/* ---- the end ---- */

/* Reads and forgets until the end of the stream. Returns 0 there, or -errno. */
static int discard(struct tri_sock *k, tr_time deadline)
{
    char waste[DISCARD_BYTES];
    ssize_t n;

    do
        n = tri_stream_read(k, waste, sizeof waste, deadline);
    while (n > 0);
    return (int)n;
}

int tr_sock_finish(tr_sock *s, tr_time deadline)
{
    struct tri_sock *k;
    int r = tri_sock_enter(s, TRI_USE_READ, &k);

    if (r == 0) {
        /* A forked child would half-close its parent's connection, too. */
        r = tri_is_forked() ? -EOWNERDEAD : tr_sock_shutdown(s, SHUT_WR);
        if (r == 0)
            r = discard(k, deadline);
        tri_sock_leave(k, TRI_USE_READ);
    }
    tr_sock_close(s);
    return r;
}

/* ---- lines ---- */

/* Reads ahead of the caller, up to @size bytes. Returns the count, 0: end of stream, -errno. */
static ssize_t read_ahead(struct tri_sock *k, size_t size, tr_time deadline)
{
    size_t room;
    char *at = tri_line_room(&k->line, size, &room);
    ssize_t n;

    if (!at)
        return -ENOMEM;
    n = tri_stream_read(k, at, room, deadline);
    if (n > 0)
        tri_line_add(&k->line, (size_t)n);
    return n;
}

/* The length of the line that is there, -EMSGSIZE, or 0: read on. */
static ssize_t line_length(struct tri_line *l, size_t size)
{
    size_t n = tri_line_find(l, size - 1);

    if (n == 0 && tri_line_len(l) >= size)
        return -EMSGSIZE;
    return (ssize_t)n;
}

static ssize_t read_line(struct tri_sock *k, char *line, size_t size, tr_time deadline)
{
    ssize_t n, more = tri_wait_enter_as(tri_self(), "tr_read_line");

    if (more < 0)
        return more;
    while ((n = line_length(&k->line, size)) == 0) {
        more = read_ahead(k, size, deadline);
        if (more < 0)
            return more;
        if (more == 0) { /* the last line has no newline */
            n = (ssize_t)tri_line_len(&k->line);
            break;
        }
    }
    if (n < 0)
        return n;
    line[tri_line_take(&k->line, line, (size_t)n)] = '\0';
    return n;
}

ssize_t tr_read_line(tr_sock *s, char *line, size_t size, tr_time deadline)
{
    struct tri_sock *k;
    ssize_t r;

    if (size < 2)
        return -EINVAL;
    r = tri_sock_enter(s, TRI_USE_READ, &k);
    if (r < 0)
        return r;
    r = read_line(k, line, size, deadline);
    tri_sock_leave(k, TRI_USE_READ);
    return r;
}
