/* SPDX-License-Identifier: MIT */
/*
 * test_trweb.c - the web server's connection over a stream that is no socket: it gives and
 * takes as little at a time as a test likes, falls silent, or breaks. Time is virtual here, and
 * exact.
 */
#include "config.h"

#include <errno.h>
#include <string.h>

#include <troupe.h>

#include "../examples/trweb_http.h"
#include "../examples/trweb_pages.h"
#include "../examples/trweb_request.h"
#include "support/mock-stream.h"
#include "support/tr-test.h"

#define ANSWER(status, size, more, body)                                                       \
    "HTTP/1.1 " status "\r\nContent-Type: text/html\r\nContent-Length: " size "\r\n" more      \
    "\r\n" body
#define LAST           "Connection: close\r\n"
#define OK_ANSWER      ANSWER("200 OK", "176", "", HELLO_HTML)
#define OK_LAST        ANSWER("200 OK", "176", LAST, HELLO_HTML)
#define BAD_REQUEST    ANSWER("400 BAD REQUEST", "21", LAST, "<h1>Bad request</h1>\n")
#define TOO_SLOW       ANSWER("408 REQUEST TIMEOUT", "18", LAST, "<h1>Too slow</h1>\n")
#define TOO_LONG       ANSWER("414 URI TOO LONG", "18", LAST, "<h1>Too long</h1>\n")
#define NOT_FOUND_SIZE "207"
#define TOO_MUCH                                                                               \
    ANSWER("431 REQUEST HEADER FIELDS TOO LARGE", "18", LAST, "<h1>Too much</h1>\n")

#define GET       "GET / HTTP/1.1\r\nHost: x\r\n\r\n"
#define GET_SLEEP "GET /sleep HTTP/1.1\r\n\r\n"
#define GET_NOPE  "GET /nope HTTP/1.1\r\n\r\n"

enum { HEAD_LIMIT = 8192 };

static const struct http_opts limits = {
    .slow = TR_S(5),
    .idle_limit = TR_S(60),
    .head_limit = TR_S(4),
    .write_limit = TR_S(5),
};

typedef int serve_fn(tr_sock *s, const struct http_opts *opts);

/* Serves @m's script, which must then be played to its end. */
static int serve(serve_fn *fn, struct mock_stream *m)
{
    tr_sock s = mock_open(m);
    int r = fn(&s, &limits);

    tr_sock_close(&s);
    mock_end(m);
    return r;
}

TR_SUITE(trweb, .timeout = 20);

/* The body runs as the first task of a simulated runtime. */
#define SIM_TEST(suite, name)                                                                  \
    static void name##_body(void);                                                             \
    static int name##_run(tr_scope *root, void *arg)                                           \
    {                                                                                          \
        (void)root, (void)arg;                                                                 \
        name##_body();                                                                         \
        return 0;                                                                              \
    }                                                                                          \
    TR_TEST(suite, name)                                                                       \
    {                                                                                          \
        static const struct tr_runtime_opts simulated = { .simulate = true };                  \
                                                                                               \
        check_eq(tr_run_with(&simulated, name##_run, NULL), 0);                                \
    }                                                                                          \
    static void name##_body(void)

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
        "\r\n\r\n",
        "GET\r\n\r\n",
        "GET /\r\n\r\n",
        "GET / HTTP\r\n\r\n",
        "GET / HTTP/2.0\r\n\r\n",
        "GET  HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1 \r\n\r\n",
        "GET / HTTP/1.1\r\nno colon\r\n\r\n",
        "GET / HTTP/1.1\r\n: nameless\r\n\r\n",
    };

    for (size_t i = 0; i < TR_LEN(heads); i++) {
        check_eq(parse(heads[i]).status, STATUS_BAD_REQUEST, heads[i]);
        check(parse(heads[i]).is_last, heads[i]);
    }
    check_eq(request_parse("GET / HTTP/1.1\0\r\n\r\n", 19).status, STATUS_BAD_REQUEST);
}

/* ---- the connection ---- */

SIM_TEST(trweb, a_request_is_answered_however_it_is_cut)
{
    for (size_t max = 0; max < 20; max++) {
        struct mock_stream *m = mock_new();

        mock_short(m, max);
        mock_read(m, GET);
        mock_write(m, OK_ANSWER);
        mock_read(m, GET_NOPE);
        mock_write(m, ANSWER("404 NOT FOUND", NOT_FOUND_SIZE, "", NOT_FOUND_HTML));
        check_eq(serve(http_serve, m), 0);
    }
}

SIM_TEST(trweb, requests_sent_together_are_answered_in_order)
{
    struct mock_stream *m = mock_new();

    mock_read(m, GET GET_SLEEP "GET / HTTP/1.0\r\n\r\n" GET); /* the third is the last one */
    mock_write(m, OK_ANSWER OK_ANSWER OK_LAST);
    check_eq(serve(http_serve, m), 0);
}

SIM_TEST(trweb, a_client_that_leaves_between_requests_gets_no_answer)
{
    check_eq(serve(http_serve, mock_new()), 0);
}

SIM_TEST(trweb, the_answer_to_head_has_no_body)
{
    struct mock_stream *m = mock_new();

    mock_read(m, "HEAD / HTTP/1.1\r\n\r\n");
    mock_write(m, ANSWER("404 NOT FOUND", NOT_FOUND_SIZE, "", ""));
    check_eq(serve(http_serve, m), 0);
}

SIM_TEST(trweb, sleep_answers_when_its_time_has_passed)
{
    struct mock_stream *m = mock_new();
    tr_time start = tr_now();

    mock_read(m, GET_SLEEP);
    mock_write(m, OK_ANSWER);
    check_eq(serve(http_serve, m), 0);
    check_eq(tr_now() - start, limits.slow);
}

SIM_TEST(trweb, half_a_request_and_the_end_is_a_bad_request)
{
    struct mock_stream *m = mock_new();

    mock_read(m, "GET / HT");
    mock_read_error(m, 0); /* the end of the stream */
    mock_write(m, BAD_REQUEST);
    check_eq(serve(http_serve, m), 0);
}

SIM_TEST(trweb, noise_is_refused_at_its_first_byte)
{
    struct mock_stream *m = mock_new();

    mock_read(m, "\x16");
    mock_write(m, BAD_REQUEST);
    check_eq(serve(http_serve, m), 0);
}

SIM_TEST(trweb, half_a_request_for_ever_ends_by_the_limit)
{
    struct mock_stream *m = mock_new();
    tr_time start = tr_now();

    mock_read(m, "G");
    for (int i = 0; i < 3; i++) { /* the limit is the whole head's, not each byte's */
        mock_wait(m, limits.head_limit / 4);
        mock_read(m, "E");
    }
    mock_write(m, TOO_SLOW);
    check_eq(serve(http_serve, m), 0);
    check_eq(tr_now() - start, limits.head_limit);
}

SIM_TEST(trweb, a_line_without_end_and_a_head_without_end_are_cut_off)
{
    static char line[HEAD_LIMIT];
    struct mock_stream *m = mock_new();

    memset(line, 'a', sizeof line);
    mock_read_bytes(m, line, sizeof line);
    mock_write(m, TOO_LONG);
    check_eq(serve(http_serve, m), 0);
    m = mock_new();
    memcpy(line, "GET / HTTP/1.1\r\n", 16);
    mock_read_bytes(m, line, sizeof line);
    mock_write(m, TOO_MUCH);
    check_eq(serve(http_serve, m), 0);
}

SIM_TEST(trweb, silence_ends_an_idle_connection_without_a_word)
{
    struct mock_stream *m = mock_new();
    tr_time start = tr_now();

    mock_hold(m, true);
    mock_read(m, GET);
    mock_write(m, OK_ANSWER);
    check_eq(serve(http_serve, m), 0);
    check_eq(tr_now() - start, limits.idle_limit);
}

static int serve_error(serve_fn *fn, int read_error, int write_error)
{
    struct mock_stream *m = mock_new();

    mock_read(m, GET);
    if (write_error)
        mock_write_error(m, write_error);
    else
        mock_write(m, fn == http_serve ? OK_ANSWER : "HTTP/1.1 200 OK\r\n\r\n" HELLO_HTML);
    if (read_error)
        mock_read_error(m, read_error);
    return serve(fn, m);
}

SIM_TEST(trweb, what_the_stream_says_is_the_result)
{
    check_eq(serve_error(http_serve, -ECONNRESET, 0), -ECONNRESET);
    check_eq(serve_error(http_serve, -ECANCELED, 0), -ECANCELED);
    check_eq(serve_error(http_serve, 0, -ECONNRESET), -ECONNRESET);
    check_eq(serve_error(http_serve, 0, -ETIMEDOUT), -EPIPE, "who does not read has left");
    check_eq(serve_error(http_serve_book, 0, -ETIMEDOUT), -EPIPE);
}

/* ---- the drain ---- */

struct client {
    struct mock_stream *mock; /* borrowed from the test */
};
TR_TASK(client, struct client, tr_nodrop);

static int client(struct client *c)
{
    return serve(http_serve, c->mock);
}

/* Serves @m in a scope that drains before the first byte is read. */
static void serve_under_drain(struct mock_stream *m)
{
    struct client c = { m };
    tr_scope scope TR_CLEANUP(tr_scope_end) = tr_scope_open(NULL);

    mock_hold(m, true);
    need_eq(client_spawn(&scope, &c, NULL), 0);
    check_eq(tr_scope_drain(&scope, TR_NEVER), 0);
}

SIM_TEST(trweb, a_request_under_drain_gets_the_last_answer)
{
    struct mock_stream *m = mock_new();

    mock_read(m, GET GET);
    mock_write(m, OK_LAST);
    serve_under_drain(m);
}

SIM_TEST(trweb, half_a_request_under_drain_has_its_time)
{
    struct mock_stream *m = mock_new();

    mock_read(m, "GET / HT");
    mock_wait(m, limits.head_limit / 2);
    mock_read(m, "TP/1.1\r\n\r\n");
    mock_write(m, OK_LAST);
    serve_under_drain(m);
}

SIM_TEST(trweb, the_drain_ends_an_idle_connection_at_once)
{
    tr_time start = tr_now();

    serve_under_drain(mock_new());
    check_eq(tr_now(), start);
}

/* ---- the book's form ---- */

static void check_book(const char *in, size_t max, const char *out)
{
    struct mock_stream *m = mock_new();

    mock_short(m, max);
    mock_read(m, in);
    mock_write(m, out);
    check_eq(serve(http_serve_book, m), 0, in);
}

SIM_TEST(trweb, the_book_answers_bare)
{
    check_book(GET, 0, "HTTP/1.1 200 OK\r\n\r\n" HELLO_HTML);
    check_book(GET, strlen(GET), "HTTP/1.1 200 OK\r\n\r\n" HELLO_HTML);
    check_book(GET_NOPE, 0, "HTTP/1.1 404 NOT FOUND\r\n\r\n" NOT_FOUND_HTML);
    check_book("GET / HTTP/1.0\r\n\r\n", 0, "HTTP/1.1 404 NOT FOUND\r\n\r\n" NOT_FOUND_HTML);
}

SIM_TEST(trweb, the_book_looks_at_its_first_read_only)
{
    check_book("GET /", 0, "HTTP/1.1 404 NOT FOUND\r\n\r\n" NOT_FOUND_HTML);
}

SIM_TEST(trweb, the_book_answers_one_request_and_sleeps_too)
{
    tr_time start = tr_now();

    check_book(GET_SLEEP GET, 0, "HTTP/1.1 200 OK\r\n\r\n" HELLO_HTML);
    check_eq(tr_now() - start, limits.slow);
}
