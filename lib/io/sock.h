/* SPDX-License-Identifier: MIT */
/*
 * sock.h - the object behind a tr_sock: a descriptor, or a stream of the user's own.
 *
 * Its use word holds who is inside, so that nobody has to wait for anybody:
 *
 *     READ     a task reads (accepts)          set and cleared by that task
 *     WRITE    a task writes
 *     CLOSED   it was closed; set once
 *
 * Who finds its own bit set gets -EBUSY, who finds CLOSED -EBADF. What is used on one side (the
 * line buffer, side.seen) belongs to the holder of that side's bit. The last one out,
 * tr_sock_close() itself if nobody is inside, destroys the object: only then is the descriptor
 * closed, so its number cannot become another file's under a call that is under way.
 *
 * Records come from a slab that is never given back (readiness.h says why), in state CLOSED.
 */
#ifndef TRI_IO_SOCK_H
#define TRI_IO_SOCK_H

#include <errno.h>
#include <stdatomic.h>

#include <troupe/sock.h>

#include "io/line.h"
#include "reactor/readiness.h"

struct tri_quota;

enum tri_sock_use {
    TRI_USE_READ = 1u << 0,
    TRI_USE_WRITE = 1u << 1,
    TRI_USE_CLOSED = 1u << 2,
};

enum tri_sock_kind {
    TRI_SOCK_TCP,
    TRI_SOCK_LISTENER,
    TRI_SOCK_STREAM, /* another kind of stream socket */
    TRI_SOCK_PIPE,
    TRI_SOCK_CUSTOM,
};

struct tri_sock {
    uint32_t slab_index;
    atomic_uint use;              /* enum tri_sock_use */
    enum tri_sock_kind kind;      /* constant while in use, as all below to quota */
    enum tri_sock_kind peer_kind; /* of a listener: what it accepts */
    bool is_shared;               /* other processes may have it too: it was adopted */
    struct tri_fd fd;             /* not for TRI_SOCK_CUSTOM */
    /* A short count means that the next call would block: TCP and pipes in the kernel give and
     * take all they can; a unix stream stops short where descriptors are passed along. */
    bool short_blocks;
    const struct tr_stream_ops *ops; /* for TRI_SOCK_CUSTOM */
    void *self;
    struct tri_quota *quota; /* the limit it counts in, or NULL */
    struct tri_line line;    /* of the READ side: what was read ahead */
    bool ended;              /* of the READ side: the end of the stream was read */
};

/* The backend for a new socket: the worker's, or the kernel outside of a runtime. */
struct tri_backend *tri_sock_backend(void);

/*
 * A record for one more socket, in state CLOSED; NULL: no memory.
 * tri_sock_open() puts it into use around @fd, tri_sock_free() gives an unused one back.
 */
struct tri_sock *tri_sock_new(void);
void tri_sock_open(struct tri_sock *k, enum tri_sock_kind kind, struct tri_backend *b, int fd);
void tri_sock_free(struct tri_sock *k);

/*
 * tri_sock_new() and tri_sock_open(); closes @fd if there is no memory. Returns 0 or -ENOMEM.
 */
int tri_sock_wrap(enum tri_sock_kind kind, struct tri_backend *b, int fd, tr_sock *ret_sock);

/*
 * Moves a new descriptor above 2, in a process that was started with those closed: what is
 * printed must not go to a peer. Returns it, or -errno and it is closed.
 */
int tri_sock_lift(struct tri_backend *b, int fd);

/*
 * Enters one side, TRI_USE_READ or TRI_USE_WRITE, until tri_sock_leave().
 * Returns: 0.  -EINVAL: @s is empty.  -EBADF: closed.  -EBUSY.
 */
int tri_sock_enter(const tr_sock *s, unsigned side, struct tri_sock **ret_sock);
int tri_sock_claim(struct tri_sock *k, unsigned side);
void tri_sock_leave(struct tri_sock *k, unsigned side);

static inline bool tri_sock_is_closed(const struct tri_sock *k)
{
    /* acquire: pairs with the release in tr_sock_close(); nothing else hangs on it. */
    return (atomic_load_explicit(&k->use, memory_order_acquire) & TRI_USE_CLOSED) != 0;
}

/* Sockets in use. For tests and reports; takes a lock. */
size_t tri_sock_n_open(void);

/* What a call of the peer's @error is in our words. */
static inline int tri_sock_error(int error)
{
    /* The kernel gave up on the peer; -ETIMEDOUT is our deadlines'. */
    return error == -ETIMEDOUT ? -ECONNRESET : error;
}

#endif /* TRI_IO_SOCK_H */
