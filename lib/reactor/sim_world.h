/* SPDX-License-Identifier: MIT */
/*
 * sim_world.h - the inside of the simulator, for its own files only.
 *
 *     world --- file[] (by descriptor) ---> sim_file: a stream, a listener, a counter, signals
 *       |                                      | peer: the other end of a stream
 *       +------ pollers --- ready: files with an edge that has not been reported
 *       +------ arriving: streams to which something is on its way, due at an instant each
 *
 * What one end sends is in the other end's rx at once, but counts as arrived (n_seen, fin_seen)
 * only when it is due. So after a short read an edge follows, as with the kernel, unless the
 * end has been reported (EPOLLRDHUP).
 */
#ifndef TRI_REACTOR_SIM_WORLD_H
#define TRI_REACTOR_SIM_WORLD_H

#include <stdatomic.h>
#include <stdbool.h>

#include "base/list.h"
#include "base/rand.h"
#include "reactor/sim.h"

enum {
    TRI_SIM_FIRST_FD = 1 << 20, /* descriptors below are the process's own */
    TRI_SIM_BUFFER = 16384,     /* bytes that a stream holds in one direction */
};

enum tri_sim_kind {
    TRI_SIM_STREAM,
    TRI_SIM_LISTENER,
    TRI_SIM_PIPE_READER,
    TRI_SIM_PIPE_WRITER,
    TRI_SIM_COUNTER,
    TRI_SIM_SIGNALS
};

struct tri_sim_addr {
    socklen_t len;
    struct sockaddr_storage s;
};

struct tri_sim_file {
    enum tri_sim_kind kind;
    int fd; /* -1: waits in a listener's queue */
    struct tri_poller *poller;
    void *data;
    struct tri_list ready; /* in poller->ready */

    /* streams, pipes, listeners */
    struct tri_sim_file *peer; /* NULL: none yet, or it has closed */
    struct tri_list arrival;   /* in world->arriving */
    tr_time due;               /* when in there */
    struct tri_sim_addr local, remote;
    struct tri_list queue; /* listener: its children; child: the link in there */
    unsigned n_queued, backlog;
    struct {
        unsigned char *buf; /* a ring of TRI_SIM_BUFFER bytes */
        size_t head, len;
        size_t n_seen; /* of len: has arrived */
        bool fin_sent, fin_seen;
    } rx;
    int error;          /* SO_ERROR */
    bool is_bound;      /* by a call of bind */
    bool is_connecting; /* arrives: accepted or refused */
    bool is_connected;
    bool is_dead; /* reset, refused */
    bool is_full; /* a write was short: none more until room_coming has arrived */
    bool room_coming;
    bool reset_coming;
    bool has_shut_rd, has_shut_wr;
    bool lingers_zero; /* SO_LINGER: close resets */

    uint64_t count; /* counter */
    sigset_t set;   /* signals */
};

struct tri_poller {
    struct tri_sim_world *world;
    struct tri_list link; /* in world->pollers */
    struct tri_list ready;
    unsigned n_ready;
    atomic_bool is_woken; /* set by anybody */
};

struct tri_sim_world {
    struct tri_backend backend; /* first */
    _Atomic tr_time now;        /* written by the one thread only */
    struct tri_rand choice;     /* the world's own decisions */
    struct tri_rand random;     /* for the program that asks */
    struct tri_list pollers, arriving;
    struct tri_sim_file **file;
    size_t n_slots, n_open;
    uint16_t next_port;
    sigset_t pending;
    struct {
        unsigned nth, n_calls;
        int err;
    } fault[TRI_SIM_N_OPS];
};

static inline struct tri_sim_world *tri_sim_of(struct tri_backend *b)
{
    return (struct tri_sim_world *)(void *)b;
}

tr_time tri_sim_now(struct tri_backend *b);
/* 0, or the error that this call of @op has to fail with. */
int tri_sim_fault(struct tri_sim_world *w, enum tri_sim_op op);

/* --- sim_file.c: descriptors, counters, signals */

static inline bool tri_sim_has(int fd)
{
    return fd >= TRI_SIM_FIRST_FD;
}

/* NULL: not open. */
struct tri_sim_file *tri_sim_file_get(struct tri_sim_world *w, int fd);
/* A file without a descriptor; NULL: no memory. */
struct tri_sim_file *tri_sim_file_new(enum tri_sim_kind kind);
void tri_sim_file_free(struct tri_sim_file *f);
/* Gives @f the lowest free descriptor and returns it; -ENOMEM: @f stays the caller's. */
int tri_sim_file_open(struct tri_sim_world *w, struct tri_sim_file *f);
/* What epoll would say of @f now. */
uint32_t tri_sim_file_events(const struct tri_sim_world *w, const struct tri_sim_file *f);
/* Something about @f has changed: its poller reports it. */
void tri_sim_file_notify(struct tri_sim_file *f);

int tri_sim_close(struct tri_backend *b, int fd);
int tri_sim_poll(struct tri_backend *b, int fd, short events);
ssize_t tri_sim_read(struct tri_backend *b, int fd, void *buf, size_t size);
ssize_t tri_sim_write(struct tri_backend *b, int fd, const void *buf, size_t size);
ssize_t tri_sim_readv(struct tri_backend *b, int fd, const struct iovec *iov, int n);
ssize_t tri_sim_writev(struct tri_backend *b, int fd, const struct iovec *iov, int n);
int tri_sim_eventfd(struct tri_backend *b, unsigned value);
int tri_sim_signal_open(struct tri_backend *b, const sigset_t *set);
int tri_sim_signal_read(struct tri_backend *b, int fd, struct signalfd_siginfo *ret_info);

/* --- sim_stream.c: bytes on their way */

uint32_t tri_sim_stream_events(const struct tri_sim_file *f);
ssize_t tri_sim_stream_read(struct tri_sim_world *w, struct tri_sim_file *f, void *buf,
                            size_t size, int flags);
ssize_t tri_sim_stream_write(struct tri_sim_world *w, struct tri_sim_file *f, const void *buf,
                             size_t size);
int tri_sim_stream_shutdown(struct tri_sim_world *w, struct tri_sim_file *f, int how);
/* What the peer sees of a close. @f is about to be freed. */
void tri_sim_stream_close(struct tri_sim_world *w, struct tri_sim_file *f);
/* Makes @a and @b the two ends of one stream. -ENOMEM */
int tri_sim_stream_join(struct tri_sim_file *a, struct tri_sim_file *b);
/* Something for @f is sent; it is due after a delay that the seed chooses. */
void tri_sim_stream_send(struct tri_sim_world *w, struct tri_sim_file *f);
/* Lets everything arrive that is due. Returns when the next thing is: TR_NEVER, nothing is. */
tr_time tri_sim_arrive(struct tri_sim_world *w);
int tri_sim_pipe(struct tri_backend *b, int ret_fd[2]);
int tri_sim_socketpair(struct tri_backend *b, int ret_fd[2]);

/* --- sim_net.c: sockets */

int tri_sim_socket(struct tri_backend *b, int domain, int type, int protocol);
int tri_sim_bind(struct tri_backend *b, int fd, const struct sockaddr *addr, socklen_t len);
int tri_sim_listen(struct tri_backend *b, int fd, int backlog);
int tri_sim_accept(struct tri_backend *b, int fd, struct sockaddr *addr, socklen_t *len);
int tri_sim_connect(struct tri_backend *b, int fd, const struct sockaddr *addr, socklen_t len);
int tri_sim_shutdown(struct tri_backend *b, int fd, int how);
ssize_t tri_sim_recv(struct tri_backend *b, int fd, void *buf, size_t size, int flags);
ssize_t tri_sim_send(struct tri_backend *b, int fd, const void *buf, size_t size, int flags);
ssize_t tri_sim_sendv(struct tri_backend *b, int fd, const struct iovec *iov, int n, int flags);
int tri_sim_getsockname(struct tri_backend *b, int fd, struct sockaddr *addr, socklen_t *len);
int tri_sim_getpeername(struct tri_backend *b, int fd, struct sockaddr *addr, socklen_t *len);
int tri_sim_setsockopt(struct tri_backend *b, int fd, int level, int name, const void *value,
                       socklen_t len);
int tri_sim_getsockopt(struct tri_backend *b, int fd, int level, int name, void *value,
                       socklen_t *len);
/* A connection request reaches its listener, or finds none. */
void tri_sim_connect_arrive(struct tri_sim_world *w, struct tri_sim_file *f);
/* Resets the children that nobody accepted. */
void tri_sim_listener_close(struct tri_sim_world *w, struct tri_sim_file *f);

#endif /* TRI_REACTOR_SIM_WORLD_H */
