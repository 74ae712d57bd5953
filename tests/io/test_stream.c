/* SPDX-License-Identifier: MIT */
/*
 * test_stream.c - reading, writing, lines and printing, over a scripted stream and over
 * sockets.
 */
#include "config.h"

#include <errno.h>
#include <string.h>

#include "io/sock-kit.h"
#include "support/mock-stream.h"

static struct mock_stream *m;
static tr_sock s;

static void make_stream(void)
{
    m = mock_new();
    s = mock_open(m);
}

static void end_stream(void)
{
    tr_sock_close(&s);
    check(mock_is_closed(m));
    mock_end(m);
}

TR_SUITE(stream, .init = make_stream, .fini = end_stream);

/* Reads one line and compares. */
static void check_line(const char *expected)
{
    char line[64];

    check_eq(tr_read_line(&s, line, sizeof line, TR_NEVER), strlen(expected));
    check_str(line, expected);
}

/* ---- read ---- */

ACTOR_TEST(stream, read_gives_what_is_there)
{
    char got[8];

    mock_read(m, "abc");
    mock_read(m, "d");
    check_eq(tr_read(&s, got, 0, TR_NEVER), 0);
    check_eq(tr_read(&s, got, sizeof got, TR_NEVER), 3);
    check_eq(tr_read(&s, got, sizeof got, TR_NEVER), 1);
    check_eq(tr_read(&s, got, sizeof got, TR_NEVER), 0);
    check_eq(tr_read(&s, got, sizeof got, TR_NEVER), 0, "the end stays the end");
}

ACTOR_TEST(stream, read_exact_collects_and_tells_the_early_end)
{
    char got[8] = "";

    mock_short(m, 2);
    mock_read(m, "abcde");
    mock_read(m, "fgh");
    check_eq(tr_read_exact(&s, got, 7, TR_NEVER), 7);
    check_eq(memcmp(got, "abcdefg", 7), 0);
    check_eq(tr_read_exact(&s, got, 0, TR_NEVER), 0);
    check_eq(tr_read_exact(&s, got, 2, TR_NEVER), -EPIPE);
    check_eq(tr_read(&s, got, 2, TR_NEVER), 0, "what came was consumed");
}

ACTOR_TEST(stream, errors_of_the_stream_come_through_once)
{
    char got[8];

    mock_read_error(m, -ECONNRESET);
    mock_write_error(m, -EPIPE);
    mock_read(m, "x");
    check_eq(tr_read(&s, got, 8, TR_NEVER), -ECONNRESET);
    check_eq(tr_write(&s, "x", 1, TR_NEVER), -EPIPE);
    check_eq(tr_read(&s, got, 8, TR_NEVER), 1);
}

ACTOR_TEST(stream, try_forms_say_again_instead_of_waiting)
{
    char got[8];

    mock_hold(m, true);
    check_eq(tr_try_read(&s, got, 8), -EAGAIN);
    mock_read(m, "ab");
    check_eq(tr_try_read(&s, got, 8), 2);
    mock_wait(m, TR_MS(30));
    mock_write(m, "x");
    check_eq(tr_try_write(&s, "x", 1), -EAGAIN);
    check_eq(tr_write(&s, "x", 1, TR_NEVER), 1);
}

/* ---- lines ---- */

ACTOR_TEST(stream, lines_come_one_by_one)
{
    mock_read(m, "one\ntwo\n\nfour\r\n");
    check_line("one\n");
    check_line("two\n");
    check_line("\n");
    check_line("four\r\n");
    check_line("");
}

ACTOR_TEST(stream, last_line_may_lack_its_newline)
{
    mock_read(m, "a\nlast");
    check_line("a\n");
    check_line("last");
    check_line("");
    check_line("");
}

ACTOR_TEST(stream, line_may_be_split_at_each_byte)
{
    static const char text[] = "GET / HTTP/1.1\r\n";

    for (size_t at = 1; at < sizeof text - 1; at++) {
        mock_read_bytes(m, text, at);
        mock_read_bytes(m, text + at, sizeof text - 1 - at);
        check_line(text);
    }
    mock_short(m, 1);
    mock_read(m, text);
    check_line(text);
}

ACTOR_TEST(stream, bytes_behind_a_line_are_left_for_read)
{
    char got[8] = "";

    mock_read(m, "head\nbody\nx");
    check_line("head\n");
    check_eq(tr_read(&s, got, 2, TR_NEVER), 2);
    check_eq(memcmp(got, "bo", 2), 0);
    check_line("dy\n");
    check_eq(tr_try_read(&s, got, 8), 1);
    check_eq(got[0], 'x');
}

ACTOR_TEST(stream, line_that_fills_the_buffer_exactly_fits)
{
    char line[6];

    mock_read(m, "abcd\nefgh\nijklm");
    check_eq(tr_read_line(&s, line, sizeof line, TR_NEVER), 5);
    check_str(line, "abcd\n");
    check_eq(tr_read_line(&s, line, sizeof line, TR_NEVER), 5);
    check_eq(tr_read_line(&s, line, sizeof line, TR_NEVER), 5,
             "the last one lacks its newline");
    check_str(line, "ijklm");
    check_eq(tr_read_line(&s, line, sizeof line, TR_NEVER), 0);
}

ACTOR_TEST(stream, line_longer_than_the_buffer_stays_to_be_read)
{
    char line[6], got[16] = "";

    mock_read(m, "abcde\n");
    check_eq(tr_read_line(&s, line, sizeof line, TR_NEVER), -EMSGSIZE);
    check_eq(tr_read_line(&s, line, sizeof line, TR_NEVER), -EMSGSIZE, "again");
    check_eq(tr_read_line(&s, line, 1, TR_NEVER), -EINVAL, "no room for a byte and the NUL");
    check_eq(tr_read_line(&s, got, 7, TR_NEVER), 6, "a larger buffer gets it");
    check_str(got, "abcde\n");
}

ACTOR_TEST(stream, long_line_grows_the_buffer_no_further_than_asked)
{
    static char text[30001], line[30002];

    memset(text, 'x', sizeof text);
    text[sizeof text - 1] = '\n';
    mock_short(m, 1000);
    mock_read_bytes(m, text, sizeof text);
    mock_read(m, "y\n");
    check_eq(tr_read_line(&s, line, 10000, TR_NEVER), -EMSGSIZE);
    check_le(s.impl->line.cap, 10000u);
    check_eq(tr_read_line(&s, line, sizeof line, TR_NEVER), sizeof text);
    check_eq(memcmp(line, text, sizeof text), 0);
    check_line("y\n");
}

ACTOR_TEST(stream, nul_bytes_are_bytes)
{
    char line[16];

    mock_read_bytes(m, "a\0b\n", 4);
    check_eq(tr_read_line(&s, line, sizeof line, TR_NEVER), 4);
    check_eq(memcmp(line, "a\0b\n", 5), 0);
}

static int failed_line(tr_scope *root, void *arg)
{
    char line[16];

    (void)root;
    (void)arg;
    mock_read(m, "ab");
    mock_read_error(m, -ECONNRESET);
    mock_read(m, "c");
    mock_wait(m, TR_MS(20));
    mock_read(m, "d\n");
    check_eq(tr_read_line(&s, line, sizeof line, TR_NEVER), -ECONNRESET);
    check_eq(tr_read_line(&s, line, sizeof line, tr_after(TR_MS(1))), -ETIMEDOUT);
    check_line("abcd\n");
    return 0;
}

/*
 * In virtual time: however slow the machine is, the rest of the line comes after the deadline.
 */
TR_TEST(stream, failed_line_keeps_what_came)
{
    const struct tr_runtime_opts opts = { .simulate = true };

    check_eq(tr_run_with(&opts, failed_line, NULL), 0);
}

/* ---- write ---- */

ACTOR_TEST(stream, write_repeats_short_writes)
{
    mock_short(m, 3);
    mock_write(m, "hello world");
    check_eq(tr_write(&s, "hello ", 6, TR_NEVER), 6);
    check_eq(tr_write(&s, "world", 5, TR_NEVER), 5);
    check_eq(tr_write(&s, "", 0, TR_NEVER), 0);
    check_eq(mock_n_calls(m), 2u + 2u);
}

ACTOR_TEST(stream, failed_write_tells_how_far_it_came)
{
    size_t done = 99;

    mock_short(m, 2);
    mock_write(m, "abcd");
    mock_write_error(m, -EPIPE);
    mock_write(m, "e");
    mock_wait(m, TR_MS(60));
    mock_write(m, "f");
    check_eq(tr_write_done(&s, "abcdef", 6, TR_NEVER, &done), -EPIPE);
    check_eq(done, 4u);
    check_eq(tr_write_done(&s, "ef", 2, tr_after(TR_MS(5)), &done), -ETIMEDOUT);
    check_eq(done, 1u);
    check_eq(tr_write_done(&s, "f", 1, TR_NOW, NULL), -ETIMEDOUT);
    check_eq(tr_write_done(&s, "f", 1, TR_NEVER, NULL), 1);
}

static ssize_t take_nothing(const void *buf, size_t n, tr_time deadline, void *self)
{
    (void)buf;
    (void)n;
    (void)deadline;
    (void)self;
    return 0;
}

ACTOR_TEST(stream, custom_stream_may_lack_functions)
{
    static const struct tr_stream_ops none = { NULL, NULL, NULL, NULL };
    static const struct tr_stream_ops lazy = { NULL, take_nothing, NULL, NULL };
    tr_sock e = { NULL };
    char c;

    check_eq(tr_sock_custom(NULL, NULL, &e), -EINVAL);
    need_eq(tr_sock_custom(&none, NULL, &e), 0);
    check_eq(tr_read(&e, &c, 1, TR_NEVER), -EOPNOTSUPP);
    check_eq(tr_write(&e, &c, 1, TR_NEVER), -EOPNOTSUPP);
    check_eq(tr_try_read(&e, &c, 1), -EOPNOTSUPP);
    check_eq(tr_sock_shutdown(&e, SHUT_WR), 0);
    check_eq(tr_sock_fd(&e), -1);
    check_eq(tr_sock_port(&e), -EOPNOTSUPP);
    tr_sock_close(&e);
    need_eq(tr_sock_custom(&lazy, NULL, &e), 0);
    check_eq(tr_write(&e, &c, 1, TR_NEVER), -EIO, "a stream that takes nothing must not spin");
    tr_sock_close(&e);
}

/* ---- print ---- */

ACTOR_TEST(stream, printf_writes_short_and_long_texts)
{
    static char text[2000];

    memset(text, 'x', sizeof text - 1);
    mock_write(m, "7 of nine");
    mock_write_bytes(m, text, 511);
    mock_write_bytes(m, text, 512);
    mock_write_bytes(m, text, 1999);
    check_eq(tr_printf(&s, TR_NEVER, "%d of %s", 7, "nine"), 9);
    check_eq(tr_printf(&s, TR_NEVER, "%.511s", text), 511);
    check_eq(tr_printf(&s, TR_NEVER, "%.512s", text), 512);
    check_eq(tr_printf(&s, TR_NEVER, "%s", text), 1999);
    check_eq(tr_printf(&s, TR_NEVER, "%s", ""), 0);
}

/* ---- the end ---- */

ACTOR_TEST(stream, finish_half_closes_and_reads_to_the_end)
{
    mock_read(m, "left over");
    mock_read(m, "more");
    check_eq(tr_sock_finish(&s, TR_NEVER), 0);
    check_eq(s.impl, NULL);
    check(mock_is_closed(m));
    check_eq(mock_shutdown_how(m), SHUT_WR);
}

ACTOR_TEST(stream, finish_that_fails_closes_all_the_same)
{
    mock_read_error(m, -ECONNRESET);
    check_eq(tr_sock_finish(&s, TR_NEVER), -ECONNRESET);
    check_eq(s.impl, NULL);
    check(mock_is_closed(m));
}

/* ---- the mock itself, where others rely on it ---- */

ACTOR_TEST(stream, mock_reader_waits_for_the_write_of_another_task)
{
    char got[8];
    struct call_job j = { .call = READ, .s = &s, .deadline = TR_NEVER, .buf = got, .n = 8 };

    mock_write(m, "ask");
    mock_read(m, "reply");
    start_call(root, &j);
    check_eq(tr_yield(), 0);
    check_eq(tr_write(&s, "ask", 3, TR_NEVER), 3);
    check_eq(tr_scope_join(root, TR_NEVER), 0);
    check_eq(j.result, 5);
}
