/* SPDX-License-Identifier: MIT */
/*
 * sim_stream.c - bytes between two ends: sent at once, arrived later, in pieces that the seed
 * chooses. Connections and pipes.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "reactor/sim_world.h"

static bool has_ended(const struct tri_sim_file *f)
{
    return f->rx.fin_seen || f->has_shut_rd || f->is_dead;
}

static uint32_t pipe_events(const struct tri_sim_file *f)
{
    if (f->kind == TRI_SIM_PIPE_WRITER)
        return f->is_dead ? EPOLLOUT | EPOLLERR : f->is_full ? 0u : EPOLLOUT;
    return (f->rx.n_seen > 0 ? EPOLLIN : 0u) | (f->rx.fin_seen ? EPOLLHUP : 0u);
}

uint32_t tri_sim_stream_events(const struct tri_sim_file *f)
{
    uint32_t e = 0;

    if (f->kind != TRI_SIM_STREAM)
        return pipe_events(f);
    if (f->is_connecting)
        return 0;
    if (!f->is_connected && !f->is_dead)
        return EPOLLOUT | EPOLLHUP;
    if (f->rx.n_seen > 0 || has_ended(f))
        e |= EPOLLIN;
    if (has_ended(f))
        e |= EPOLLRDHUP;
    if (f->is_dead || (f->has_shut_wr && (f->rx.fin_seen || f->has_shut_rd)))
        e |= EPOLLHUP;
    if (f->error)
        e |= EPOLLERR;
    if (!f->is_full || f->has_shut_wr || f->is_dead)
        e |= EPOLLOUT;
    return e;
}

/* --- the way */

void tri_sim_stream_send(struct tri_sim_world *w, struct tri_sim_file *f)
{
    if (tri_list_is_linked(&f->arrival))
        return; /* it travels with what is under way */
    f->due = tri_sim_now(&w->backend) + TR_US(20) + tri_rand_below(&w->choice, TR_US(200));
    tri_list_add_tail(&w->arriving, &f->arrival);
}

static void arrive_at(struct tri_sim_world *w, struct tri_sim_file *f)
{
    size_t hidden = f->rx.len - f->rx.n_seen;

    if (f->is_connecting) {
        tri_sim_connect_arrive(w, f);
        return;
    }
    if (hidden > 1 && tri_rand_once_in(&w->choice, 4)) {
        f->rx.n_seen += 1 + tri_rand_below(&w->choice, (uint32_t)hidden - 1);
        tri_sim_stream_send(w, f); /* the rest, and what was sent behind it */
    } else {
        f->rx.n_seen = f->rx.len;
        f->rx.fin_seen = f->rx.fin_sent;
        if (f->reset_coming) {
            f->reset_coming = false;
            f->is_dead = true;
            f->error = ECONNRESET;
        }
    }
    if (f->room_coming)
        f->room_coming = f->is_full = false;
    tri_sim_file_notify(f);
}

/* What is due first, of several the one sent first; NULL: nothing is under way. */
static struct tri_sim_file *first_due(struct tri_sim_world *w)
{
    struct tri_sim_file *first = NULL;

    for (struct tri_list *i = w->arriving.next; i != &w->arriving; i = i->next) {
        struct tri_sim_file *f = tri_list_entry(i, struct tri_sim_file, arrival);

        if (!first || f->due < first->due)
            first = f;
    }
    return first;
}

tr_time tri_sim_arrive(struct tri_sim_world *w)
{
    struct tri_sim_file *f;

    while ((f = first_due(w))) {
        if (f->due > tri_sim_now(&w->backend))
            return f->due;
        tri_list_del(&f->arrival);
        arrive_at(w, f);
    }
    return TR_NEVER;
}

/* --- the ends */

int tri_sim_stream_join(struct tri_sim_file *a, struct tri_sim_file *b)
{
    if (!a->rx.buf)
        a->rx.buf = malloc(TRI_SIM_BUFFER);
    if (!b->rx.buf)
        b->rx.buf = malloc(TRI_SIM_BUFFER);
    if (!a->rx.buf || !b->rx.buf)
        return -ENOMEM; /* each keeps its buffer until it is freed */
    a->peer = b;
    b->peer = a;
    a->is_connected = b->is_connected = true;
    return 0;
}

/* Copies the first @n bytes that have arrived to @buf. */
static void rx_copy(const struct tri_sim_file *f, unsigned char *buf, size_t n)
{
    size_t before_wrap = TRI_SIM_BUFFER - f->rx.head;
    size_t first = n < before_wrap ? n : before_wrap;

    memcpy(buf, f->rx.buf + f->rx.head, first);
    memcpy(buf + first, f->rx.buf, n - first);
}

/* Takes the first @n bytes away; a writer whom a full buffer stopped hears of it. */
static void rx_drop(struct tri_sim_world *w, struct tri_sim_file *f, size_t n)
{
    f->rx.head = (f->rx.head + n) % TRI_SIM_BUFFER;
    f->rx.len -= n;
    f->rx.n_seen -= n;
    if (f->peer && f->peer->is_full && !f->peer->room_coming) {
        f->peer->room_coming = true;
        tri_sim_stream_send(w, f->peer);
    }
}

/* Appends @n bytes, for which there is room. */
static void rx_append(struct tri_sim_file *f, const unsigned char *buf, size_t n)
{
    size_t tail = (f->rx.head + f->rx.len) % TRI_SIM_BUFFER;
    size_t first = n < TRI_SIM_BUFFER - tail ? n : TRI_SIM_BUFFER - tail;

    memcpy(f->rx.buf + tail, buf, first);
    memcpy(f->rx.buf, buf + first, n - first);
    f->rx.len += n;
}

/* Returns the pending error as a result, once. */
static int take_error(struct tri_sim_file *f)
{
    int r = -f->error;

    f->error = 0;
    return r;
}

ssize_t tri_sim_stream_read(struct tri_sim_world *w, struct tri_sim_file *f, void *buf,
                            size_t size, int flags)
{
    size_t n = size < f->rx.n_seen ? size : f->rx.n_seen;

    if (f->kind == TRI_SIM_PIPE_WRITER)
        return -EBADF;
    if (size == 0)
        return 0;
    if (n > 0) {
        rx_copy(f, buf, n);
        if (!(flags & MSG_PEEK))
            rx_drop(w, f, n);
        return (ssize_t)n;
    }
    if (f->error)
        return take_error(f);
    if (has_ended(f))
        return 0;
    return f->is_connected || f->is_connecting ? -EAGAIN : -ENOTCONN;
}

/* Why @f takes no byte now: a negative errno, or 0. */
static int write_refusal(struct tri_sim_file *f)
{
    if (f->kind == TRI_SIM_PIPE_READER)
        return -EBADF;
    if (f->error)
        return take_error(f);
    if (f->has_shut_wr || f->is_dead)
        return -EPIPE;
    if (f->is_connecting || f->is_full)
        return -EAGAIN;
    return f->is_connected ? 0 : -EPIPE;
}

ssize_t tri_sim_stream_write(struct tri_sim_world *w, struct tri_sim_file *f, const void *buf,
                             size_t size)
{
    int r = write_refusal(f);
    size_t n, room;

    if (r < 0 || size == 0)
        return r;
    if (!f->peer) { /* it has closed: these bytes will be answered by a reset */
        f->reset_coming = true;
        tri_sim_stream_send(w, f);
        return (ssize_t)size;
    }
    room = TRI_SIM_BUFFER - f->peer->rx.len;
    n = size < room ? size : room;
    if (n > 1 && tri_rand_once_in(&w->choice, 8))
        n = 1 + tri_rand_below(&w->choice, (uint32_t)n - 1);
    if (n > 0) {
        rx_append(f->peer, buf, n);
        tri_sim_stream_send(w, f->peer);
    }
    if (n < size) {
        f->is_full = true;
        if (n < room) { /* cut by the seed: there is room again soon */
            f->room_coming = true;
            tri_sim_stream_send(w, f);
        }
    }
    return n > 0 ? (ssize_t)n : -EAGAIN;
}

static void send_fin(struct tri_sim_world *w, struct tri_sim_file *f)
{
    f->has_shut_wr = true;
    if (!f->peer)
        return;
    f->peer->rx.fin_sent = true;
    tri_sim_stream_send(w, f->peer);
}

int tri_sim_stream_shutdown(struct tri_sim_world *w, struct tri_sim_file *f, int how)
{
    if (how != SHUT_RD && how != SHUT_WR && how != SHUT_RDWR)
        return -EINVAL;
    if (!f->is_connected || f->is_dead)
        return -ENOTCONN;
    if (how != SHUT_WR)
        f->has_shut_rd = true;
    if (how != SHUT_RD && !f->has_shut_wr)
        send_fin(w, f);
    tri_sim_file_notify(f);
    return 0;
}

void tri_sim_stream_close(struct tri_sim_world *w, struct tri_sim_file *f)
{
    struct tri_sim_file *peer = f->peer;

    if (tri_list_is_linked(&f->arrival))
        tri_list_del(&f->arrival);
    if (!peer)
        return;
    if (f->kind == TRI_SIM_PIPE_READER) {
        peer->is_dead = true;
        tri_sim_file_notify(peer);
    } else if (f->rx.len > 0 || f->lingers_zero) { /* what we have not read is lost: say so */
        peer->reset_coming = true;
        tri_sim_stream_send(w, peer);
    } else if (!f->has_shut_wr) {
        send_fin(w, f);
    }
    peer->peer = NULL;
}

/* Two joined files of these kinds, with descriptors. */
static int open_both(struct tri_backend *b, enum tri_sim_kind kind_0, enum tri_sim_kind kind_1,
                     int ret_fd[2])
{
    struct tri_sim_world *w = tri_sim_of(b);
    struct tri_sim_file *f0 = tri_sim_file_new(kind_0), *f1 = tri_sim_file_new(kind_1);
    int fd0, fd1;

    if (!f0 || !f1 || tri_sim_stream_join(f0, f1) < 0)
        goto free_both;
    fd0 = tri_sim_file_open(w, f0);
    if (fd0 < 0)
        goto free_both;
    fd1 = tri_sim_file_open(w, f1);
    if (fd1 < 0)
        goto close_first;
    ret_fd[0] = fd0;
    ret_fd[1] = fd1;
    return 0;

close_first:
    (void)tri_sim_close(b, fd0);
    f0 = NULL;
free_both:
    tri_sim_file_free(f1);
    tri_sim_file_free(f0);
    return -ENOMEM;
}

int tri_sim_pipe(struct tri_backend *b, int ret_fd[2])
{
    int r = tri_sim_fault(tri_sim_of(b), TRI_SIM_PIPE);

    return r < 0 ? r : open_both(b, TRI_SIM_PIPE_READER, TRI_SIM_PIPE_WRITER, ret_fd);
}

int tri_sim_socketpair(struct tri_backend *b, int ret_fd[2])
{
    int r = tri_sim_fault(tri_sim_of(b), TRI_SIM_SOCKET);

    return r < 0 ? r : open_both(b, TRI_SIM_STREAM, TRI_SIM_STREAM, ret_fd);
}
