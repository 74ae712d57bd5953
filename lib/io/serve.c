/* SPDX-License-Identifier: MIT */
/*
 * serve.c - the accept loop.
 *
 *     room?  --max_open reached-->  waits at the gate until one of its sockets closes
 *     accept --out of descriptors or memory-->  STARVED: tells the hook once; enters the gate;
 *               tries again; then pauses 10 ms, doubling to MAX_PAUSE, or until any socket of
 *               this process closes; the episode ends when the queue was found empty
 *     fn     starts the work; spawns go to the least busy worker
 *
 * The drain. A client whose connection is in the queue has connected; closing the listener
 * would reset it, with the request it has sent already. So first new handshakes are turned
 * away, by a filter in the kernel that drops their first packet (the client's kernel sends it
 * again, and then finds the port closed); then everything in the queue is taken and served like
 * the others, as far as descriptors and max_open allow; then the listener closes. What is left
 * is a handshake whose last packet is under way in this very moment: it is refused by a reset.
 * A listener that was adopted gets no filter: it may live on in the process that gave it to us.
 */
#include "config.h"

#include <linux/filter.h>
#include <netinet/tcp.h>

#include "base/log.h"
#include "io/accept.h"
#include "io/gate.h"
#include "sched/wait.h"
#include "sched/worker.h"

enum {
    FAIR_BATCH = 16,   /* connections between two looks at the deadline and the other tasks */
    SWEEP_MAX = 65536, /* connections taken from the queue at the drain */
    TCP_FLAGS_OFFSET = 13,
    TCP_FLAG_SYN = 0x02,
};

#define MIN_PAUSE TR_MS(10)
#define MAX_PAUSE TR_MS(500) /* also when descriptors are freed where we do not see it */

struct server {
    struct tri_sock *listener;
    tr_scope *scope;
    tr_serve_fn *fn;
    void *arg;
    tr_time deadline;
    struct tri_quota *quota; /* NULL: no limit */
    struct tri_sock *spare;  /* the record of the next connection, or NULL */
    struct tri_gate_stay for_room, for_close;
    tr_time pause; /* the next one's length; 0: not starved */
    unsigned n_taken;
};

static bool is_starvation(int r)
{
    return r == -EMFILE || r == -ENFILE || r == -ENOBUFS || r == -ENOMEM;
}

static bool has_passed(const struct server *v)
{
    tr_time limit = v->deadline & ~TR_DRAIN_BIT;

    return limit < TR_NEVER && tr_now() >= limit;
}

/* ---- one connection ---- */

static int serve_one(struct server *v)
{
    tr_sock s = { v->spare };
    int r;

    v->spare = NULL;
    v->n_taken++;
    if (v->quota) {
        tri_quota_take(v->quota);
        s.impl->quota = v->quota;
    }
    tri_self_spread(true);
    r = v->fn(v->scope, &s, v->arg);
    tri_self_spread(false);
    tr_sock_close(&s);
    return r == -ENOMEM || r > 0 ? 0 : r;
}

static bool have_spare(struct server *v)
{
    if (!v->spare)
        v->spare = tri_sock_new();
    return v->spare != NULL;
}

/* Waits for a connection; 0: it is in v->spare. */
static int take(struct server *v)
{
    int r;

    if (tri_sock_is_closed(v->listener))
        return -EBADF;
    if (!have_spare(v))
        return -ENOMEM;
    r = tri_accept_try(v->listener, v->spare);
    if (r != -EAGAIN)
        return r;
    v->pause = 0; /* the queue is empty: if there was an episode, it is over */
    tri_gate_leave(&v->for_close);
    return tri_accept(v->listener, v->spare, v->deadline);
}

/* ---- when it may not go on ---- */

static int wait_for_room(struct server *v)
{
    int r = 0;

    if (!v->quota || tri_quota_has_room(v->quota))
        return 0;
    tri_gate_enter(&v->for_room);
    while (r == 0 && !tri_quota_has_room(v->quota) && !tri_sock_is_closed(v->listener))
        r = tri_gate_wait(&v->for_room, v->deadline);
    tri_gate_leave(&v->for_room);
    return r;
}

/* The end of a pause, with the deadline's own drain bit; never behind the deadline. */
static tr_time pause_end(const struct server *v)
{
    tr_time limit = v->deadline & ~TR_DRAIN_BIT, end = tr_after(v->pause);

    return (end < limit ? end : limit) | (v->deadline & TR_DRAIN_BIT);
}

/* After the failure @error. Returns 0: try again. */
static int starve(struct server *v, int error)
{
    int r;

    if (v->pause == 0) {
        v->pause = MIN_PAUSE;
        tri_gate_enter(&v->for_close); /* from now on no close is missed: try once more */
        tri_tell(TR_EVENT_STARVED, "accept: %s; new connections wait until one closes",
                 tr_strerror(error));
        return 0;
    }
    r = tri_gate_wait(&v->for_close, pause_end(v));
    v->pause = v->pause * 2 < MAX_PAUSE ? v->pause * 2 : MAX_PAUSE;
    return r == -ETIMEDOUT && !has_passed(v) ? 0 : r;
}

/* ---- the loop ---- */

/* Now and then: a queue that is never empty must hide neither the deadline nor the drain. */
static int be_fair(struct server *v)
{
    int r = 0;

    if (v->n_taken % FAIR_BATCH != 0)
        return 0;
    if (tri_wait_is_over(tri_self(), v->deadline, &r))
        return r;
    return has_passed(v) ? -ETIMEDOUT : tr_yield();
}

/* Accepts until something ends it. *@ret_by_fn: it was the user's function. */
static int accept_loop(struct server *v, bool *ret_by_fn)
{
    int r;

    *ret_by_fn = false;
    for (;;) {
        r = wait_for_room(v);
        if (r == 0)
            r = take(v);
        if (r == 0) {
            if (v->pause > MIN_PAUSE)
                v->pause = MIN_PAUSE; /* still the same episode, but things move */
            r = serve_one(v);
            *ret_by_fn = r < 0;
            if (r == 0)
                r = be_fair(v);
        } else if (is_starvation(r)) {
            r = starve(v, r);
        }
        if (r < 0)
            return r;
    }
}

/* ---- the drain ---- */

/* From now on the listener does not see the first packet of a handshake. */
static void refuse_new(const struct tri_fd *f)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, TCP_FLAGS_OFFSET),
        BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, TCP_FLAG_SYN, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, 0),
        BPF_STMT(BPF_RET | BPF_K, 0xffffffff),
    };
    const struct sock_fprog program = { TR_LEN(code), code };

    /* Without it the sweep is what it is: bounded, and a little less complete. */
    (void)f->backend->ops->setsockopt(f->backend, f->fd, SOL_SOCKET, SO_ATTACH_FILTER, &program,
                                      sizeof program);
}

/* Serves what is in the queue. Returns 0, or what the user's function said. */
static int sweep(struct server *v)
{
    int r = 0;

    if (!v->listener->is_shared)
        refuse_new(&v->listener->fd);
    for (unsigned i = 0; r == 0 && i < SWEEP_MAX; i++) {
        if ((v->quota && !tri_quota_has_room(v->quota)) || !have_spare(v) ||
            tri_accept_try(v->listener, v->spare) < 0)
            return 0;
        r = serve_one(v);
    }
    return r;
}

/* ---- the call ---- */

static int serve(struct server *v, const struct tr_serve_opts *opts)
{
    bool by_fn = false;
    int r;

    if (v->listener->kind != TRI_SOCK_LISTENER)
        return -EINVAL;
    if (opts && opts->max_open > 0) {
        v->quota = tri_quota_new(opts->max_open);
        if (!v->quota)
            return -ENOMEM;
        v->for_room.quota = v->quota;
    }
    r = accept_loop(v, &by_fn);
    tri_gate_leave(&v->for_close);
    if (r == -ESHUTDOWN && !by_fn)
        r = sweep(v);
    if (v->spare)
        tri_sock_free(v->spare);
    tri_quota_drop(v->quota);
    return r;
}

int tr_serve(tr_sock *listener, tr_scope *scope, const struct tr_serve_opts *opts,
             tr_serve_fn *fn, void *arg, tr_time deadline)
{
    struct server v = { .scope = scope, .fn = fn, .arg = arg, .deadline = deadline };
    int r;

    r = scope && fn ? tri_wait_enter(tri_self()) : -EINVAL;
    if (r == 0)
        r = tri_sock_enter(listener, TRI_USE_READ, &v.listener);
    if (r == 0) {
        r = serve(&v, opts);
        tri_sock_leave(v.listener, TRI_USE_READ);
    }
    tr_sock_close(listener);
    return r;
}
