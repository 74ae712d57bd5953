/* SPDX-License-Identifier: MIT */
/* write.c - the writing calls. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>

#include "io/stream.h"

enum { PRINT_BYTES = 512 }; /* a longer text of tr_printf() is formatted on the heap */

static ssize_t write_all(tr_sock *s, const void *buf, size_t n, tr_time deadline,
                         size_t *ret_done)
{
    struct tri_sock *k;
    int r = tri_sock_enter(s, TRI_USE_WRITE, &k);

    *ret_done = 0;
    if (r < 0)
        return r;
    r = tri_stream_write(k, buf, n, deadline, ret_done);
    tri_sock_leave(k, TRI_USE_WRITE);
    return r < 0 ? r : (ssize_t)n;
}

ssize_t tr_write(tr_sock *s, const void *buf, size_t n, tr_time deadline)
{
    size_t done;

    return write_all(s, buf, n, deadline, &done);
}

ssize_t tr_write_done(tr_sock *s, const void *buf, size_t n, tr_time deadline, size_t *ret_done)
{
    size_t done;
    ssize_t r = write_all(s, buf, n, deadline, &done);

    if (ret_done)
        *ret_done = done;
    return r;
}

ssize_t tr_try_write(tr_sock *s, const void *buf, size_t n)
{
    struct tri_sock *k;
    ssize_t r = tri_sock_enter(s, TRI_USE_WRITE, &k);

    if (r < 0)
        return r;
    r = n > 0 ? tri_stream_try_write(k, buf, n) : 0;
    tri_sock_leave(k, TRI_USE_WRITE);
    return r;
}

/* A text that did not fit into the small buffer: @n bytes and a NUL. */
static ssize_t print_long(tr_sock *s, tr_time deadline, size_t n, const char *fmt, va_list ap)
    TR_PRINTF(4, 0);

static ssize_t print_long(tr_sock *s, tr_time deadline, size_t n, const char *fmt, va_list ap)
{
    char *text = malloc(n + 1);
    ssize_t r;

    if (!text)
        return -ENOMEM;
    (void)vsnprintf(text, n + 1, fmt, ap);
    r = tr_write(s, text, n, deadline);
    free(text);
    return r;
}

ssize_t tr_vprintf(tr_sock *s, tr_time deadline, const char *fmt, va_list ap)
{
    char text[PRINT_BYTES];
    va_list again;
    ssize_t r;
    int n;

    va_copy(again, ap);
    n = vsnprintf(text, sizeof text, fmt, ap);
    if (n < 0)
        r = -EINVAL;
    else if ((size_t)n < sizeof text)
        r = tr_write(s, text, (size_t)n, deadline);
    else
        r = print_long(s, deadline, (size_t)n, fmt, again);
    va_end(again);
    return r;
}

ssize_t tr_printf(tr_sock *s, tr_time deadline, const char *fmt, ...)
{
    va_list ap;
    ssize_t r;

    va_start(ap, fmt);
    r = tr_vprintf(s, deadline, fmt, ap);
    va_end(ap);
    return r;
}
