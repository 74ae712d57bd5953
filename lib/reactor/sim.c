/* SPDX-License-Identifier: MIT */
/*
 * sim.c - the simulated world as a whole: its time, its pollers, its faults.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>

#include "reactor/epoll.h"
#include "reactor/sim_world.h"

tr_time tri_sim_now(struct tri_backend *b)
{
    /* relaxed: an instant publishes nothing. */
    return atomic_load_explicit(&tri_sim_of(b)->now, memory_order_relaxed);
}

static void set_now(struct tri_sim_world *w, tr_time now)
{
    /* relaxed: see tri_sim_now(). */
    atomic_store_explicit(&w->now, now, memory_order_relaxed);
}

void tri_sim_advance(struct tri_backend *b, tr_time span)
{
    set_now(tri_sim_of(b), tri_sim_now(b) + span);
}

static uint64_t sim_random(struct tri_backend *b)
{
    return tri_rand_next(&tri_sim_of(b)->random);
}

/* No thread ever sleeps here. */
static void sim_thread_init(struct tri_backend *b)
{
    (void)b;
}

int tri_sim_fault(struct tri_sim_world *w, enum tri_sim_op op)
{
    if (w->fault[op].nth == 0 || ++w->fault[op].n_calls % w->fault[op].nth != 0)
        return 0;
    return -w->fault[op].err;
}

void tri_sim_fail(struct tri_backend *b, enum tri_sim_op op, unsigned nth, int err)
{
    struct tri_sim_world *w = tri_sim_of(b);

    w->fault[op].nth = nth;
    w->fault[op].n_calls = 0;
    w->fault[op].err = err;
}

/* --- pollers */

static int sim_poller_open(struct tri_backend *b, struct tri_poller **ret_poller)
{
    struct tri_sim_world *w = tri_sim_of(b);
    int r = tri_sim_fault(w, TRI_SIM_POLLER_OPEN);
    struct tri_poller *p;

    if (r < 0)
        return r;
    p = calloc(1, sizeof *p);
    if (!p)
        return -ENOMEM;
    p->world = w;
    atomic_init(&p->is_woken, false);
    tri_list_init(&p->ready);
    tri_list_add_tail(&w->pollers, &p->link);
    *ret_poller = p;
    return 0;
}

/* Takes @f out of its poller. */
static void leave_poller(struct tri_sim_file *f)
{
    if (tri_list_is_linked(&f->ready)) {
        tri_list_del(&f->ready);
        f->poller->n_ready--;
    }
    f->poller = NULL;
}

static void sim_poller_close(struct tri_poller *p)
{
    if (!p)
        return;
    for (size_t i = 0; i < p->world->n_slots; i++)
        if (p->world->file[i] && p->world->file[i]->poller == p)
            leave_poller(p->world->file[i]);
    tri_list_del(&p->link);
    free(p);
}

static int sim_poller_add(struct tri_poller *p, int fd, void *data)
{
    struct tri_sim_file *f = tri_sim_file_get(p->world, fd);
    int r = tri_sim_fault(p->world, TRI_SIM_POLLER_ADD);

    if (!tri_sim_has(fd))
        return -EPERM; /* of the process's own, files only: those are always ready */
    if (!f)
        return -EBADF;
    if (f->poller)
        return -EEXIST;
    if (r < 0)
        return r;
    f->poller = p;
    f->data = data;
    tri_sim_file_notify(f);
    return 0;
}

static int sim_poller_del(struct tri_poller *p, int fd)
{
    struct tri_sim_file *f = tri_sim_file_get(p->world, fd);

    if (!f)
        return -EBADF;
    if (f->poller != p)
        return -ENOENT;
    leave_poller(f);
    return 0;
}

static void sim_poller_wake(struct tri_poller *p)
{
    /* release: what the waker stored is seen after the exchange in sim_poller_wait(). */
    atomic_store_explicit(&p->is_woken, true, memory_order_release);
}

/* A simulated world has nothing that a foreign loop could wait for. */
static int sim_poller_fd(struct tri_poller *p)
{
    (void)p;
    return -EOPNOTSUPP;
}

/* Takes a file that the seed chooses from @p's ready ones. */
static struct tri_sim_file *take_any(struct tri_poller *p)
{
    struct tri_list *i = p->ready.next;

    for (uint32_t k = tri_rand_below(&p->world->choice, p->n_ready); k > 0; k--)
        i = i->next;
    tri_list_del(i);
    p->n_ready--;
    return tri_list_entry(i, struct tri_sim_file, ready);
}

static int take_ready(struct tri_poller *p, struct tri_event *ev, unsigned max)
{
    int stored = 0;

    while (p->n_ready > 0 && (unsigned)stored < max) {
        struct tri_sim_file *f = take_any(p);
        uint32_t events = tri_sim_file_events(p->world, f);

        if (events)
            ev[stored++] = (struct tri_event){ f->data, events };
    }
    return stored;
}

static bool take_wake(struct tri_poller *p)
{
    /* acquire: shows us what the waker stored before. */
    return atomic_exchange_explicit(&p->is_woken, false, memory_order_acquire);
}

/* Whether some poller, not only the one that waits, has something to do at this instant. */
static bool is_busy(const struct tri_sim_world *w)
{
    for (const struct tri_list *i = w->pollers.next; i != &w->pollers; i = i->next) {
        const struct tri_poller *p =
            (const void *)((const char *)i - offsetof(struct tri_poller, link));

        /* relaxed: only a question; take_wake() acquires. */
        if (p->n_ready > 0 || atomic_load_explicit(&p->is_woken, memory_order_relaxed))
            return true;
    }
    return false;
}

static int sim_poller_wait(struct tri_poller *p, tr_time deadline, struct tri_event *ev,
                           unsigned max)
{
    struct tri_sim_world *w = p->world;

    for (;;) {
        tr_time next = tri_sim_arrive(w);
        int n = take_ready(p, ev, max);

        if (take_wake(p) || n > 0 || deadline <= tri_sim_now(&w->backend) || is_busy(w))
            return n;
        if (deadline < next)
            next = deadline;
        if (next >= TR_NEVER)
            return -EDEADLK;
        set_now(w, next);
    }
}

/* --- the process's own: files that it opens, children */

static int sim_open(struct tri_backend *b, const char *path, int flags, mode_t mode)
{
    struct tri_backend *real = tri_epoll_backend();
    int r = tri_sim_fault(tri_sim_of(b), TRI_SIM_OPEN);

    return r < 0 ? r : real->ops->open(real, path, flags, mode);
}

static int sim_nonblock(struct tri_backend *b, int fd)
{
    struct tri_backend *real = tri_epoll_backend();

    if (tri_sim_has(fd))
        return tri_sim_file_get(tri_sim_of(b), fd) ? 0 : -EBADF;
    return real->ops->nonblock(real, fd);
}

/* No process runs in virtual time, so that nobody has a child here. */
static int sim_pid_open(struct tri_backend *b, pid_t pid)
{
    (void)b;
    (void)pid;
    return -ESRCH;
}

static int sim_child_wait(struct tri_backend *b, idtype_t type, id_t id, siginfo_t *ret_info,
                          int options)
{
    (void)b;
    (void)type;
    (void)id;
    (void)ret_info;
    (void)options;
    return -ECHILD;
}

static const struct tri_backend_ops ops = {
    .name = "sim",
    .now = tri_sim_now,
    .random = sim_random,
    .thread_init = sim_thread_init,
    .poller_open = sim_poller_open,
    .poller_close = sim_poller_close,
    .poller_wait = sim_poller_wait,
    .poller_wake = sim_poller_wake,
    .poller_add = sim_poller_add,
    .poller_del = sim_poller_del,
    .poller_fd = sim_poller_fd,
    .socket = tri_sim_socket,
    .bind = tri_sim_bind,
    .listen = tri_sim_listen,
    .accept = tri_sim_accept,
    .connect = tri_sim_connect,
    .recv = tri_sim_recv,
    .send = tri_sim_send,
    .sendv = tri_sim_sendv,
    .shutdown = tri_sim_shutdown,
    .socketpair = tri_sim_socketpair,
    .getsockname = tri_sim_getsockname,
    .getpeername = tri_sim_getpeername,
    .setsockopt = tri_sim_setsockopt,
    .getsockopt = tri_sim_getsockopt,
    .open = sim_open,
    .pipe = tri_sim_pipe,
    .read = tri_sim_read,
    .write = tri_sim_write,
    .readv = tri_sim_readv,
    .writev = tri_sim_writev,
    .poll = tri_sim_poll,
    .nonblock = sim_nonblock,
    .close = tri_sim_close,
    .eventfd = tri_sim_eventfd,
    .signal_open = tri_sim_signal_open,
    .signal_read = tri_sim_signal_read,
    .pid_open = sim_pid_open,
    .child_wait = sim_child_wait,
};

struct tri_backend *tri_sim_new(uint64_t seed)
{
    struct tri_sim_world *w = calloc(1, sizeof *w);

    if (!w)
        return NULL;
    w->backend.ops = &ops;
    atomic_init(&w->now, TR_S(1));
    tri_rand_init(&w->choice, seed);
    tri_rand_init(&w->random, ~seed);
    tri_list_init(&w->pollers);
    tri_list_init(&w->arriving);
    w->next_port = 49152;
    sigemptyset(&w->pending);
    return &w->backend;
}

void tri_sim_free(struct tri_backend *b)
{
    struct tri_sim_world *w;

    if (!b)
        return;
    w = tri_sim_of(b);
    for (size_t i = 0; i < w->n_slots; i++)
        if (w->file[i])
            (void)tri_sim_close(b, TRI_SIM_FIRST_FD + (int)i);
    free(w->file);
    free(w);
}

size_t tri_sim_n_open(const struct tri_backend *b)
{
    return ((const struct tri_sim_world *)(const void *)b)->n_open;
}
