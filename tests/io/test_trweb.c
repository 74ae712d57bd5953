/* SPDX-License-Identifier: MIT */
/*
 * test_trweb.c - the web server's connection over a stream that is no socket: it reads and writes
 * as little at a time as a test likes, and ends as the test says.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <troupe.h>

#include "../examples/trweb_http.h"
#include "../examples/trweb_pages.h"
#include "../examples/trweb_request.h"
#include "support/tr-actor-test.h"

#define OK_HEAD   "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 176\r\n"
#define OK_ANSWER OK_HEAD "\r\n" HELLO_HTML
#define OK_LAST   OK_HEAD "Connection: close\r\n\r\n" HELLO_HTML
#define GET       "GET / HTTP/1.1\r\nHost: x\r\n\r\n"

enum { OUT_BYTES = 4096 };

static const struct http_opts limits = {
    .slow = TR_MS(20),
    .idle_limit = TR_S(60),
    .head_limit = TR_S(5),
    .write_limit = TR_S(5),
};

/* What the client sends and gets. */
struct wire {
    const char *in;
    size_t n_in, n_read; /* read_max and write_max: bytes for one call; 0: any number */
    size_t read_max, write_max;
    ssize_t read_end; /* what a read returns when all is read; 0: the end of the stream */
    ssize_t write_error;
    size_t n_out;
    char out[OUT_BYTES];
};

static size_t at_most(size_t n, size_t left, size_t max)
{
    n = n < left ? n : left;
    return max > 0 && n > max ? max : n;
}

static ssize_t wire_read(void *buf, size_t n, tr_time deadline, void *self)
{
    struct wire *w = self;

    (void)deadline;
    n = at_most(n, w->n_in - w->n_read, w->read_max);
    if (n == 0)
        return w->read_end;
    memcpy(buf, w->in + w->n_read, n);
    w->n_read += n;
    return (ssize_t)n;
}

static ssize_t wire_write(const void *buf, size_t n, tr_time deadline, void *self)
{
    struct wire *w = self;

    (void)deadline;
    if (w->write_error)
        return w->write_error;
    n = at_most(n, OUT_BYTES - 1 - w->n_out, w->write_max);
    if (n == 0)
        return -ENOSPC;
    memcpy(w->out + w->n_out, buf, n);
    w->n_out += n;
    return (ssize_t)n;
}

static const struct tr_stream_ops wire_ops = { .read = wire_read, .write = wire_write };

typedef int serve_fn(tr_sock *s, const struct http_opts *opts);

static int serve(serve_fn *fn, struct wire *w)
{
    tr_sock s TR_CLEANUP(tr_sock_close) = { 0 };
    int r = tr_sock_custom(&wire_ops, w, &s);

    if (w->n_in == 0)
        w->n_in = strlen(w->in);
    return r < 0 ? r : fn(&s, &limits);
}

/* Serves @in, whole and then byte by byte both ways: the same answer. */
static void check_answer(serve_fn *fn, const char *in, const char *out)
{
    struct wire whole = { .in = in }, bits = { .in = in, .read_max = 1, .write_max = 1 };

    check_eq(serve(fn, &whole), 0, in);
    check_str(whole.out, out, in);
    check_eq(serve(fn, &bits), 0, in);
    check_str(bits.out, out, in);
}

static void check_status(struct wire *w, const char *status)
{
    check_eq(serve(http_serve, w), 0, status);
    check_eq(strncmp(w->out, "HTTP/1.1 ", 9), 0, w->out);
    check_eq(strncmp(w->out + 9, status, strlen(status)), 0, w->out);
    check(strstr(w->out, "\r\nConnection: close\r\n"), w->out);
}

TR_SUITE(trweb, .timeout = 20);

/* ---- the head ---- */

TR_TEST(trweb, a_head_ends_at_its_first_empty_line)
{
    check_eq(request_head(GET, strlen(GET)), strlen(GET));
    check_eq(request_head(GET GET, strlen(GET GET)), strlen(GET));
    for (size_t n = 0; n < strlen(GET); n++)
        check_eq(request_head(GET, n), 0);
}

static struct request parse(const char *head)
{
    return request_parse(head, strlen(head));
}

TR_TEST(trweb, a_connection_stays_open_unless_someone_wants_its_end)
{
    check(!parse("GET / HTTP/1.1\r\n\r\n").is_last);
    check(!parse("GET / HTTP/1.1\r\nConnection: keep-alive\r\n\r\n").is_last);
    check(!parse("POST / HTTP/1.1\r\nContent-Length: 0\r\n\r\n").is_last);
    check(parse("GET / HTTP/1.0\r\n\r\n").is_last);
    check(parse("GET / HTTP/1.1\r\nconnection:foo , CLOSE\r\n\r\n").is_last);
    check(parse("POST / HTTP/1.1\r\nContent-Length: 4\r\n\r\n").is_last);
    check(parse("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n").is_last);
}

TR_TEST(trweb, only_two_targets_are_there_and_only_for_get)
{
    check_eq(parse("GET / HTTP/1.1\r\n\r\n").status, STATUS_OK);
    check_eq(parse("GET /sleep HTTP/1.1\r\n\r\n").status, STATUS_OK);
    check_eq(parse("GET /nope HTTP/1.1\r\n\r\n").status, STATUS_NOT_FOUND);
    check_eq(parse("POST /sleep HTTP/1.1\r\n\r\n").status, STATUS_NOT_FOUND);
    check_eq(parse("HEAD / HTTP/1.1\r\n\r\n").status, STATUS_NOT_FOUND);
    check(parse("GET /sleep HTTP/1.1\r\n\r\n").is_slow);
    check(!parse("POST /sleep HTTP/1.1\r\n\r\n").is_slow);
}

TR_TEST(trweb, what_is_no_http_is_a_bad_request)
{
    static const char *const heads[] = {
        "\r\n\r\n",          "GET\r\n\r\n",           "GET /\r\n\r\n",
        "GET / HTTP\r\n\r\n", "GET / HTTP/2.0\r\n\r\n", "GET  HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1 \r\n\r\n", "GET / HTTP/1.1\r\nno colon\r\n\r\n",
        "GET / HTTP/1.1\r\n: nameless\r\n\r\n",
    };

    for (size_t i = 0; i < TR_LEN(heads); i++) {
        check_eq(parse(heads[i]).status, STATUS_BAD_REQUEST, heads[i]);
        check(parse(heads[i]).is_last, heads[i]);
    }
    check_eq(request_parse("GET / HTTP/1.1\0\r\n\r\n", 19).status, STATUS_BAD_REQUEST);
}

/* ---- the connection ---- */

ACTOR_TEST(trweb, a_request_is_answered_however_it_is_cut)
{
    check_answer(http_serve, GET, OK_ANSWER);
}

ACTOR_TEST(trweb, requests_sent_together_are_answered_in_order)
{
    check_answer(http_serve, GET GET "GET / HTTP/1.0\r\n\r\n" GET, OK_ANSWER OK_ANSWER OK_LAST);
}

ACTOR_TEST(trweb, a_client_that_leaves_between_requests_gets_no_answer)
{
    check_answer(http_serve, "", "");
}

ACTOR_TEST(trweb, the_answer_to_head_has_no_body)
{
    struct wire w = { .in = "HEAD / HTTP/1.1\r\n\r\n" };

    check_eq(serve(http_serve, &w), 0);
    check_str(w.out + w.n_out - 4, "\r\n\r\n");
    check(strstr(w.out, "404 NOT FOUND"));
}

ACTOR_TEST(trweb, sleep_answers_when_its_time_has_passed)
{
    struct wire w = { .in = "GET /sleep HTTP/1.1\r\n\r\n" };
    tr_time start = tr_now();

    check_eq(serve(http_serve, &w), 0);
    check_str(w.out, OK_ANSWER);
    check_ge(tr_now() - start, limits.slow);
}

ACTOR_TEST(trweb, half_a_request_and_the_end_is_a_bad_request)
{
    check_status(&(struct wire){ .in = "GET / HT" }, "400");
}

ACTOR_TEST(trweb, noise_is_refused_at_its_first_byte)
{
    struct wire w = { .in = "\x16\x03\x01 noise", .read_max = 1, .read_end = -ETIMEDOUT };

    check_status(&w, "400");
    check_eq(w.n_read, 1);
}

ACTOR_TEST(trweb, half_a_request_for_ever_ends_by_the_limit)
{
    check_status(&(struct wire){ .in = "GET / HT", .read_end = -ETIMEDOUT }, "408");
}

ACTOR_TEST(trweb, a_line_without_end_and_a_head_without_end_are_cut_off)
{
    enum { MUCH = 100000 };
    char *line = malloc(MUCH);
    struct wire w = { .in = line, .n_in = MUCH, .read_max = 1000 };

    need(line);
    memset(line, 'a', MUCH);
    check_status(&w, "414");
    check_le(w.n_read, 8192);
    w = (struct wire){ .in = line, .n_in = MUCH };
    memcpy(line, "GET / HTTP/1.1\r\n", 16);
    check_status(&w, "431");
    check_le(w.n_read, 8192);
    free(line);
}

ACTOR_TEST(trweb, silence_and_drain_end_an_idle_connection_without_a_word)
{
    struct wire silent = { .in = GET, .read_end = -ETIMEDOUT };
    struct wire drained = { .in = GET, .read_end = -ESHUTDOWN };

    check_eq(serve(http_serve, &silent), 0);
    check_str(silent.out, OK_ANSWER);
    check_eq(serve(http_serve, &drained), 0);
    check_str(drained.out, OK_ANSWER);
}

ACTOR_TEST(trweb, what_the_stream_says_is_the_result)
{
    struct wire reset = { .in = "GET", .read_end = -ECONNRESET };
    struct wire cancelled = { .in = "", .read_end = -ECANCELED };
    struct wire stuck = { .in = GET, .write_error = -ETIMEDOUT };

    check_eq(serve(http_serve, &reset), -ECONNRESET);
    check_eq(serve(http_serve, &cancelled), -ECANCELED);
    check_eq(serve(http_serve, &stuck), -EPIPE, "a client that does not read has left");
}

/* ---- the drain ---- */

struct client {
    struct wire *wire; /* borrowed from the test */
};
TR_TASK(client, struct client, tr_nodrop);

static int client(struct client *c)
{
    return serve(http_serve, c->wire);
}

ACTOR_TEST(trweb, a_request_under_drain_gets_the_last_answer)
{
    struct wire w = { .in = GET GET };
    struct client c = { &w };
    tr_scope scope TR_CLEANUP(tr_scope_end) = tr_scope_open(NULL);

    need_eq(client_spawn(&scope, &c, NULL), 0);
    check_eq(tr_scope_drain(&scope, TR_NEVER), 0); /* before the client has run */
    check_str(w.out, OK_LAST);
}

/* ---- the book's form ---- */

ACTOR_TEST(trweb, the_book_answers_bare)
{
    struct wire there = { .in = GET, .write_max = 1 }, nowhere = { .in = "GET /x HTTP/1.1\r\n\r\n" };

    check_eq(serve(http_serve_book, &there), 0);
    check_str(there.out, "HTTP/1.1 200 OK\r\n\r\n" HELLO_HTML);
    check_eq(serve(http_serve_book, &nowhere), 0);
    check_str(nowhere.out, "HTTP/1.1 404 NOT FOUND\r\n\r\n" NOT_FOUND_HTML);
}

ACTOR_TEST(trweb, the_book_looks_at_its_first_read_only)
{
    struct wire cut = { .in = GET, .read_max = 5 }, none = { .in = "" };

    check_eq(serve(http_serve_book, &cut), 0);
    check_eq(cut.n_read, 5);
    check_str(cut.out, "HTTP/1.1 404 NOT FOUND\r\n\r\n" NOT_FOUND_HTML);
    check_eq(serve(http_serve_book, &none), 0);
    check_str(none.out, "HTTP/1.1 404 NOT FOUND\r\n\r\n" NOT_FOUND_HTML);
}

ACTOR_TEST(trweb, the_book_sleeps_too)
{
    struct wire w = { .in = "GET /sleep HTTP/1.1\r\n\r\n" };
    tr_time start = tr_now();

    check_eq(serve(http_serve_book, &w), 0);
    check_str(w.out, "HTTP/1.1 200 OK\r\n\r\n" HELLO_HTML);
    check_ge(tr_now() - start, limits.slow);
}
