/* SPDX-License-Identifier: MIT */
/*
 * mock-stream.h - a stream that follows a script, in the clothes of a socket: what its reads
 * give, and what must be written to it, in one order.
 *
 *     struct mock_stream *m = mock_new();
 *     tr_sock s TR_CLEANUP(tr_sock_close) = mock_open(m);
 *
 *     mock_read(m, "GET / HTTP/1.1\r\n\r\n");
 *     mock_write(m, "HTTP/1.1 200 OK\r\n\r\n");
 *     serve(&s);
 *     mock_end(m);                    checks that the script was played to its end, and frees
 *
 * A read gives the rest of the step at most, so it may be shorter than asked; mock_short()
 * makes reads and writes shorter still. A read where the script wants a write waits for it
 * (another task's). A write that differs from the script, that comes where a read is due, or
 * that goes beyond the end fails the test and gets -EIO. At the end of the script a read gets
 * the end of the stream, or, while mock_hold() says so, waits for more of the script.
 *
 * Callers: tasks; steps may be added while others read and write. A step's text is borrowed.
 */
#ifndef TR_MOCK_STREAM_H
#define TR_MOCK_STREAM_H

#include <troupe/sock.h>

struct mock_stream;

/* Aborts the test program without memory. */
struct mock_stream *mock_new(void);

/* A socket over it; @m lives longer. */
tr_sock mock_open(struct mock_stream *m);

/* ---- the script ---- */

/* A read gives @text; a write must be @text, in as many pieces as it likes. */
void mock_read(struct mock_stream *m, const char *text);
void mock_write(struct mock_stream *m, const char *text);
void mock_read_bytes(struct mock_stream *m, const void *bytes, size_t n);
void mock_write_bytes(struct mock_stream *m, const void *bytes, size_t n);

/* The next read (write) gets @error, a negative errno. */
void mock_read_error(struct mock_stream *m, int error);
void mock_write_error(struct mock_stream *m, int error);

/* Nothing happens for @span, from the moment at which a read or write comes to this step. */
void mock_wait(struct mock_stream *m, tr_time span);

/* ---- how it is played ---- */

/* From now on at most @n bytes in one call; 0: no limit. */
void mock_short(struct mock_stream *m, size_t n);

/* While @on, reads at the end of the script wait for more of it. */
void mock_hold(struct mock_stream *m, bool on);

/* ---- what was done to it ---- */

bool mock_is_closed(const struct mock_stream *m);
/* Which SHUT_... it got last, or -1. */
int mock_shutdown_how(const struct mock_stream *m);
/* How many reads and writes were made. */
unsigned mock_n_calls(const struct mock_stream *m);

/* Fails the test if something of the script is left, and frees. */
void mock_end(struct mock_stream *m);

#endif /* TR_MOCK_STREAM_H */
