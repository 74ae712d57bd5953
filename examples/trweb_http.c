/* SPDX-License-Identifier: MIT */
/*
 * trweb_http.c - a connection: a head is read into a buffer of fixed size, answered, and what
 * follows it moves to the front. The buffer is all a client can make us hold.
 */
#include <ctype.h>
#include <errno.h>
#include <string.h>

#include <troupe.h>

#include "trweb_http.h"
#include "trweb_pages.h"
#include "trweb_request.h"

enum { HEAD_BYTES = 8192, BOOK_BYTES = 1024 };

struct input {
    size_t n;
    size_t n_searched; /* bytes in which no head ends */
    char bytes[HEAD_BYTES];
};

static const struct page {
    const char *status;
    const char *body;
} pages[] = {
    [STATUS_OK] = { "200 OK", HELLO_HTML },
    [STATUS_BAD_REQUEST] = { "400 BAD REQUEST", "<h1>Bad request</h1>\n" },
    [STATUS_NOT_FOUND] = { "404 NOT FOUND", NOT_FOUND_HTML },
    [STATUS_TIMEOUT] = { "408 REQUEST TIMEOUT", "<h1>Too slow</h1>\n" },
    [STATUS_URI_TOO_LONG] = { "414 URI TOO LONG", "<h1>Too long</h1>\n" },
    [STATUS_HEAD_TOO_LARGE] = { "431 REQUEST HEADER FIELDS TOO LARGE", "<h1>Too much</h1>\n" },
};

/* ---- reading ---- */

/* Looks for the end of a head in what is new. Returns the head's length, or 0. */
static size_t input_head(struct input *in)
{
    size_t back = in->n_searched < 3 ? in->n_searched : 3; /* of a "\r\n\r\n" cut in two */
    size_t from = in->n_searched - back;
    size_t n = request_head(in->bytes + from, in->n - from);

    in->n_searched = in->n;
    return n > 0 ? from + n : 0;
}

static void input_consume(struct input *in, size_t n)
{
    in->n -= n;
    in->n_searched = 0;
    memmove(in->bytes, in->bytes + n, in->n);
}

/*
 * Reads what comes. Returns a count; 0 or -errno: the end of the stream, or no bytes in time.
 */
static ssize_t input_more(struct input *in, tr_sock *s, tr_time deadline)
{
    ssize_t n = tr_read(s, in->bytes + in->n, sizeof in->bytes - in->n, deadline);

    if (n > 0)
        in->n += (size_t)n;
    return n;
}

/* Waits for a request to begin; it ends here if none does. Returns 1; 0: the end; -errno. */
static ssize_t wait_first(struct input *in, tr_sock *s, const struct http_opts *opts)
{
    ssize_t n = 1;

    if (in->n == 0)
        n = input_more(in, s, tr_until_drain(tr_after(opts->idle_limit)));
    return n == -ESHUTDOWN || n == -ETIMEDOUT ? 0 : n;
}

/*
 * Waits for a whole head. Returns its length; 0: no further request.  -EBADMSG: no HTTP, or
 * half a head and then the end.  -EMSGSIZE: too long.  -ETIMEDOUT: too slow.
 */
static ssize_t read_head(struct input *in, tr_sock *s, const struct http_opts *opts)
{
    ssize_t r = wait_first(in, s, opts);
    tr_time deadline = tr_after(opts->head_limit);
    size_t n;

    while (r > 0 && (n = input_head(in)) == 0) {
        if (!isalpha((unsigned char)in->bytes[0]))
            return -EBADMSG;
        if (in->n == sizeof in->bytes)
            return -EMSGSIZE;
        r = input_more(in, s, deadline);
        if (r == 0)
            return -EBADMSG;
    }
    return r > 0 ? (ssize_t)n : r;
}

/* ---- answering ---- */

/* Returns 0 or -errno; -EPIPE also for a client that does not read its answer. */
static int answer(tr_sock *s, const struct request *q, const struct http_opts *opts)
{
    const struct page *p = &pages[q->status];
    ssize_t r = tr_printf(s, tr_after(opts->write_limit),
                          "HTTP/1.1 %s\r\n"
                          "Content-Type: text/html\r\n"
                          "Content-Length: %zu\r\n"
                          "%s"
                          "\r\n"
                          "%s",
                          p->status, strlen(p->body), q->is_last ? "Connection: close\r\n" : "",
                          q->is_head ? "" : p->body);

    return r == -ETIMEDOUT ? -EPIPE : r < 0 ? (int)r : 0;
}

/* The last word to a client whose head could not be read, if @error is the client's. */
static int refuse(tr_sock *s, int error, const struct input *in, const struct http_opts *opts)
{
    struct request q = { .is_last = true };

    if (error == -EBADMSG)
        q.status = STATUS_BAD_REQUEST;
    else if (error == -ETIMEDOUT)
        q.status = STATUS_TIMEOUT;
    else if (error == -EMSGSIZE)
        q.status = memchr(in->bytes, '\n', in->n) ? STATUS_HEAD_TOO_LARGE : STATUS_URI_TOO_LONG;
    else
        return error;
    return answer(s, &q, opts);
}

int http_serve(tr_sock *s, const struct http_opts *opts)
{
    struct input in;
    struct request q;
    ssize_t n;
    int r;

    in.n = in.n_searched = 0; /* not its bytes: pages that no request needs stay untouched */
    do {
        n = read_head(&in, s, opts);
        if (n <= 0)
            return n < 0 ? refuse(s, (int)n, &in, opts) : 0;
        q = request_parse(in.bytes, (size_t)n);
        input_consume(&in, (size_t)n);
        if (q.is_slow && (r = tr_sleep(tr_after(opts->slow))) < 0)
            return r;
        q.is_last |= tr_self_is_draining();
        r = answer(s, &q, opts);
    } while (r == 0 && !q.is_last);
    return r;
}

/* ---- the book's ---- */

static bool starts_with(const char *bytes, size_t n, const char *start)
{
    return n >= strlen(start) && memcmp(bytes, start, strlen(start)) == 0;
}

int http_serve_book(tr_sock *s, const struct http_opts *opts)
{
    char bytes[BOOK_BYTES];
    enum status status = STATUS_NOT_FOUND;
    ssize_t n = tr_read(s, bytes, sizeof bytes, tr_until_drain(tr_after(opts->head_limit)));
    int r = 0;

    if (n < 0)
        return n == -ESHUTDOWN || n == -ETIMEDOUT ? 0 : (int)n;
    if (starts_with(bytes, (size_t)n, "GET / HTTP/1.1\r\n")) {
        status = STATUS_OK;
    } else if (starts_with(bytes, (size_t)n, "GET /sleep HTTP/1.1\r\n")) {
        status = STATUS_OK;
        r = tr_sleep(tr_after(opts->slow));
    }
    if (r == 0)
        n = tr_printf(s, tr_after(opts->write_limit), "HTTP/1.1 %s\r\n\r\n%s",
                      pages[status].status, pages[status].body);
    return r < 0 ? r : n == -ETIMEDOUT ? -EPIPE : n < 0 ? (int)n : 0;
}
