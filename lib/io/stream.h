/* SPDX-License-Identifier: MIT */
/*
 * stream.h - one read or write of a socket object, below the line buffer: of the descriptor, or
 * of the user's own stream. The caller has entered the side.
 */
#ifndef TRI_IO_STREAM_H
#define TRI_IO_STREAM_H

#include "io/sock.h"

/* At least one byte of at most @n > 0. Returns the count, 0: end of stream, -errno. */
ssize_t tri_stream_read(struct tri_sock *k, void *buf, size_t n, tr_time deadline);

/* All @n bytes. Returns 0 or -errno; *@ret_done is what was taken, also then. */
int tri_stream_write(struct tri_sock *k, const void *buf, size_t n, tr_time deadline,
                     size_t *ret_done);

/* Once, without waiting: -EAGAIN. */
ssize_t tri_stream_try_read(struct tri_sock *k, void *buf, size_t n);
ssize_t tri_stream_try_write(struct tri_sock *k, const void *buf, size_t n);

#endif /* TRI_IO_STREAM_H */
