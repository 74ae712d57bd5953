/* SPDX-License-Identifier: MIT */
/*
 * troupe/sock.h - stream sockets whose calls wait by parking the task.
 *
 *     tr_sock s TR_CLEANUP(tr_sock_close) = { 0 };
 *
 *     r = tr_tcp_connect("localhost:7878", tr_after(TR_S(5)), &s);
 *     n = tr_read_line(&s, line, sizeof line, TR_UNTIL_DRAIN);
 *
 * A tr_sock is a small value: move it by copying it and forgetting the source; { 0 } is empty:
 * closing it does nothing, any other call returns -EINVAL. One task may read while another one
 * writes; two readers, or two writers, at the same moment get -EBUSY. Errors of the peer are
 * results (-EPIPE, -ECONNRESET); no call raises SIGPIPE. The functions that wait are for tasks
 * (-EPERM elsewhere) and return -ETIMEDOUT, -ECANCELED, -ESHUTDOWN as every wait does.
 *
 * Close a socket when no other call on it is about to begin; a call that is under way in
 * another task returns -EBADF, and the descriptor is closed when it has. Writing to a pipe
 * raises SIGPIPE as ever, unless it is ignored: tr_main() does so.
 */
#ifndef TROUPE_SOCK_H
#define TROUPE_SOCK_H

#include <stdarg.h>
#include <sys/socket.h>

#include <troupe/scope.h>
#include <troupe/select.h>

TR_BEGIN_DECLS

typedef struct tr_sock {
    struct tri_sock *impl;
} tr_sock;

/* ---- make ---- */

struct tr_listen_opts {
    int backlog;   /* 0: 4096 */
    bool reuse_port;
    bool v6_only;
};

/*
 * Listens on @address: "127.0.0.1:7878", "[::1]:7878", "localhost:http", ":7878" (every
 * interface), port 0: any free one (tr_sock_port() tells). Name look-ups of listeners are
 * local.
 * Returns:  0.  -EADDRINUSE, -EACCES, -EADDRNOTAVAIL, -EINVAL: the text is no address.  -EMFILE
 *           ...
 */
TR_API TR_CHECK int tr_tcp_listen(const char *address, const struct tr_listen_opts *opts,
                                  tr_sock *ret_listener);

/*
 * Connects; each address of a name in turn, the last error is the result. TCP_NODELAY is set,
 * as on accepted connections. Names are looked up without holding the worker.
 * Returns:  0.  -ECONNREFUSED ...  -EINVAL: the text is no address.  -EADDRNOTAVAIL: no such
 *           name.  -EHOSTUNREACH: no way there, or the name servers do not answer.
 */
TR_API TR_CHECK int tr_tcp_connect(const char *address, tr_time deadline, tr_sock *ret_sock);

/*
 * Takes over an open descriptor of a stream socket, a listener or a pipe; makes it
 * non-blocking.  -EINVAL: it is none of these; on failure it stays yours.
 */
TR_API TR_CHECK int tr_sock_adopt(int fd, tr_sock *ret_sock);

/* Two connected sockets. */
TR_API TR_CHECK int tr_sock_pair(tr_sock *ret_a, tr_sock *ret_b);

/*
 * A stream of your own in the clothes of a socket: a mock in a test, a TLS layer. @self is the
 * last argument. read: 1 to n bytes, 0 at the end of the stream. write: takes 1 to n bytes; it
 * may be short, tr_write() calls again. The try forms call with TR_NOW, and -ETIMEDOUT becomes
 * -EAGAIN. NULL read or write: -EOPNOTSUPP; NULL shutdown or close: nothing to do. Lines work
 * over it; the result of an arm is -EOPNOTSUPP.
 */
struct tr_stream_ops {
    ssize_t (*read)(void *buf, size_t n, tr_time deadline, void *self);
    ssize_t (*write)(const void *buf, size_t n, tr_time deadline, void *self);
    int (*shutdown)(int how, void *self);
    void (*close)(void *self);
};
TR_API TR_CHECK int tr_sock_custom(const struct tr_stream_ops *ops, void *self,
                                   tr_sock *ret_sock);

/* ---- accept ---- */

/*
 * Waits for a connection. -EMFILE, -ENFILE, -ENOBUFS, -ENOMEM: no descriptor; it still waits.
 */
TR_API TR_CHECK int tr_accept(tr_sock *listener, tr_time deadline, tr_sock *ret_sock);

/* Never waits: -EAGAIN. The partner of tr_readable_arm() of a listener. */
TR_API TR_CHECK int tr_try_accept(tr_sock *listener, tr_sock *ret_sock);

/* Starts the work on a new connection: moves *@s on, or leaves it to be closed. */
typedef int tr_serve_fn(tr_scope *scope, tr_sock *s, void *arg);

struct tr_serve_opts {
    unsigned max_open; /* sockets accepted here and not yet closed; more wait. 0: no limit */
};

/*
 * The accept loop of a server: accepts until @deadline and calls @fn for each connection, which
 * spawns into @scope; tasks spawned there start on the least busy worker. Out of descriptors,
 * it pauses instead of spinning, and tells the hook once. When it ends it closes the listener,
 * whatever the outcome; at a drain it first serves what had connected before.
 * Returns:  0: the caller's scope drained (@deadline has the drain bit).  -ETIMEDOUT,
 *           -ECANCELED.  -EBADF: another task closed the listener.  What @fn returned, if
 *           negative and not -ENOMEM; -ENOMEM drops that connection and goes on.
 */
TR_API TR_CHECK int tr_serve(tr_sock *listener, tr_scope *scope,
                             const struct tr_serve_opts *opts, tr_serve_fn *fn, void *arg,
                             tr_time deadline);

/* ---- read and write ---- */

/* Reads what is there, at least one byte. Returns the count; 0: end of stream. */
TR_API TR_CHECK ssize_t tr_read(tr_sock *s, void *buf, size_t n, tr_time deadline);

/*
 * Reads exactly @n bytes. Returns @n; -EPIPE: the stream ended before (what came is consumed).
 */
TR_API TR_CHECK ssize_t tr_read_exact(tr_sock *s, void *buf, size_t n, tr_time deadline);

/*
 * Reads one line including its newline, and ends it with a NUL; the last line may lack one.
 * Returns:  its length; 0: end of stream.  -EMSGSIZE: longer than @size - 1; nothing is
 *           consumed, tr_read() gets it.  On every failure what came stays for the next call.
 */
TR_API TR_CHECK ssize_t tr_read_line(tr_sock *s, char *line, size_t size, tr_time deadline);

/*
 * Writes all @n bytes. Returns @n, else a negative errno; tr_write_done() also tells how many
 * bytes the peer may have got then (@ret_done: NULL if not wanted; set on every outcome).
 */
TR_API TR_CHECK ssize_t tr_write(tr_sock *s, const void *buf, size_t n, tr_time deadline);
TR_API TR_CHECK ssize_t tr_write_done(tr_sock *s, const void *buf, size_t n, tr_time deadline,
                                      size_t *ret_done);

/* Formats and writes all. Returns the count. */
TR_API TR_CHECK ssize_t tr_printf(tr_sock *s, tr_time deadline, const char *fmt, ...)
    TR_PRINTF(3, 4);
TR_API TR_CHECK ssize_t tr_vprintf(tr_sock *s, tr_time deadline, const char *fmt, va_list ap)
    TR_PRINTF(3, 0);

/* Never wait: -EAGAIN instead. */
TR_API TR_CHECK ssize_t tr_try_read(tr_sock *s, void *buf, size_t n);
TR_API TR_CHECK ssize_t tr_try_write(tr_sock *s, const void *buf, size_t n);

/* Arms of tr_select(): ready when a read (write) would not wait. */
TR_API tr_arm tr_readable_arm(tr_sock *s);
TR_API tr_arm tr_writable_arm(tr_sock *s);

/* ---- end ---- */

/* Half-close: @how is SHUT_RD, SHUT_WR or SHUT_RDWR. A connection already gone is 0. */
TR_API int tr_sock_shutdown(tr_sock *s, int how);

/*
 * Half-closes, discards input until the end of the peer or @deadline, and closes: the peer gets
 * all that was written, where a plain close with input unread would reset the connection.
 * Always leaves *@s empty. Returns 0, or why the wait ended.  -EOWNERDEAD: a forked child;
 * closed only.
 */
TR_API int tr_sock_finish(tr_sock *s, tr_time deadline);

/*
 * Closes and empties. Never waits. Input that has arrived and was not read is discarded, up to
 * some 64 KiB, so that it does not reset the connection before the peer has read our last
 * words; for a peer that goes on sending, tr_sock_finish(). In a forked child it closes the
 * child's copy alone: the parent loses neither input nor connection.
 */
TR_API void tr_sock_close(tr_sock *s);

/* The local port, or -errno. The descriptor, or -1: for options; do not close it. */
TR_API int tr_sock_port(const tr_sock *s);
TR_API int tr_sock_fd(const tr_sock *s);

TR_END_DECLS

#endif /* TROUPE_SOCK_H */
