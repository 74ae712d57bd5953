/* SPDX-License-Identifier: MIT */
/* readiness.c - see readiness.h. */
#include "config.h"

#include <errno.h>
#include <pthread.h>

#include "base/assert.h"
#include "reactor/readiness.h"
#include "sched/runtime.h"
#include "sched/worker.h"

/* Tells the workers, once for all, whose the events are. */
static void claim_events(void)
{
    tri_worker_set_event_fn(tri_fd_event);
}

/*
 * A number that no other runtime of this process has: its address may be the next one's too.
 * Callers: any worker of @rt.
 */
static uint64_t serial_of(struct tri_runtime *rt)
{
    static _Atomic uint64_t n_named;
    /* relaxed, all: a number that publishes nothing; who loses the race takes the winner's. */
    uint64_t mine, is = atomic_load_explicit(&rt->serial, memory_order_relaxed);

    if (tri_likely(is != 0))
        return is;
    mine = atomic_fetch_add_explicit(&n_named, 1, memory_order_relaxed) + 1;
    return atomic_compare_exchange_strong_explicit(&rt->serial, &is, mine, memory_order_relaxed,
                                                   memory_order_relaxed)
               ? mine
               : is;
}

/* Starts the side over without going back: a late event of another life only adds to it. */
static void side_init(struct tri_fd_side *s)
{
    /* relaxed: the record is not in anybody's hands yet but a late event's, which wants nothing
     * of what we store. One that falls between the two is lost; it was not ours. */
    unsigned n = atomic_load_explicit(&s->events, memory_order_relaxed);

    s->seen = n & ~(unsigned)TRI_FD_FINAL;
    atomic_store_explicit(&s->events, s->seen + TRI_FD_EVENT, memory_order_relaxed);
    s->error = 0;
    atomic_store_explicit(&s->waiter, NULL, memory_order_relaxed);
}

void tri_fd_init(struct tri_fd *f, struct tri_backend *b, int fd)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    (void)pthread_once(&once, claim_events); /* whoever registers a descriptor has been here */
    f->fd = fd;
    f->backend = b;
    f->poller = NULL;
    /* relaxed: whoever is to see it gets the record from us. */
    atomic_store_explicit(&f->home, 0, memory_order_relaxed);
    side_init(&f->side[TRI_FD_IN]);
    side_init(&f->side[TRI_FD_OUT]);
}

static void side_event(struct tri_fd_side *s, bool is_final)
{
    struct tri_wakee *w;

    if (is_final)
        /* relaxed: published together with the number, below. */
        (void)atomic_fetch_or_explicit(&s->events, TRI_FD_FINAL, memory_order_relaxed);
    /* seq_cst: the number moves before we look for a waiter; pairs with the store of waiter and
     * the load of events in tri_fd_enroll(). */
    (void)atomic_fetch_add_explicit(&s->events, TRI_FD_EVENT, memory_order_seq_cst);
    if (!atomic_load_explicit(&s->waiter, memory_order_seq_cst))
        return;
    /* acq_rel: of several events one takes it; the wakee was published by tri_fd_enroll(). */
    w = atomic_exchange_explicit(&s->waiter, NULL, memory_order_acq_rel);
    if (w)
        tri_wake(w);
}

void tri_fd_event(void *data, uint32_t events)
{
    struct tri_fd *f = data;

    if (events & (EPOLLIN | EPOLLPRI | EPOLLRDHUP | EPOLLHUP | EPOLLERR))
        side_event(&f->side[TRI_FD_IN], (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0);
    if (events & (EPOLLOUT | EPOLLHUP | EPOLLERR))
        side_event(&f->side[TRI_FD_OUT], (events & (EPOLLHUP | EPOLLERR)) != 0);
}

void tri_fd_rouse(struct tri_fd *f)
{
    side_event(&f->side[TRI_FD_IN], false);
    side_event(&f->side[TRI_FD_OUT], false);
}

/*
 * Registers @f with this worker, unless a worker of the same runtime has done so or is about
 * to: the other side's user then gets the events that follow that registration too.
 */
static int go_home(struct tri_fd *f)
{
    struct tri_worker *w = tri_worker_self();
    uint64_t was, here = serial_of(w->rt);
    int r;

    /* relaxed: home is a claim; what the events tell is ordered by their own number (side_event).
     * acquire: the other side's poller, if it has claimed it before and failed; pairs below. */
    was = atomic_load_explicit(&f->home, memory_order_relaxed);
    if (was == here || !atomic_compare_exchange_strong_explicit(
                           &f->home, &was, here, memory_order_acquire, memory_order_relaxed))
        return 0;
    f->poller = w->poller;
    r = f->backend->ops->poller_add(w->poller, f->fd, f);
    if (r == -EEXIST) { /* was here before, and in another runtime since */
        (void)f->backend->ops->poller_del(w->poller, f->fd);
        r = f->backend->ops->poller_add(w->poller, f->fd, f);
    }
    if (r == 0)
        return 0;
    /* The other side may have gone to sleep on our promise: it must try for itself. release: our
     * use of poller, which it writes next. */
    atomic_store_explicit(&f->home, 0, memory_order_release);
    tri_fd_rouse(f);
    return r;
}

bool tri_fd_enroll(struct tri_fd *f, enum tri_fd_dir dir, struct tri_wakee *w)
{
    struct tri_fd_side *s = &f->side[dir];

    /* seq_cst: published before we look at the number; pairs with side_event(). */
    atomic_store_explicit(&s->waiter, w, memory_order_seq_cst);
    s->error = go_home(f);
    if (s->error == 0 && atomic_load_explicit(&s->events, memory_order_seq_cst) == s->seen)
        return true;
    tri_fd_withdraw(f, dir);
    return false;
}

void tri_fd_withdraw(struct tri_fd *f, enum tri_fd_dir dir)
{
    /*
     * relaxed: an event that has taken it wakes us for nothing, one that comes later need not.
     */
    atomic_store_explicit(&f->side[dir].waiter, NULL, memory_order_relaxed);
}

void tri_fd_close(struct tri_fd *f)
{
    struct tri_worker *w = tri_worker_self();

    /* In the runtime whose poller has it, that poller lives. Elsewhere the close alone has to
     * do: it is enough unless somebody duplicated the descriptor, and then an event hits the
     * record's next life, see readiness.h. */
    /* relaxed: both sides' users have left, and whoever is the last one has seen them leave. */
    if (w && atomic_load_explicit(&f->home, memory_order_relaxed) == serial_of(w->rt))
        (void)f->backend->ops->poller_del(f->poller, f->fd);
    (void)f->backend->ops->close(f->backend, f->fd);
    f->fd = -1;
}
