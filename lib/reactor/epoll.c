/* SPDX-License-Identifier: MIT */
/*
 * epoll.c - a poller: an epoll instance and an eventfd that interrupts its wait.
 *
 * The eventfd is registered edge-triggered, once, and never read: each write to it is an edge,
 * so that a wake costs its sleeper no system call of its own. (Its counter is full after 2^64 -
 * 2.)
 *
 * No wake is lost, and of many before one return only the first writes:
 *
 *     waker:   stores the work; was = exchange(is_woken, true); if !was: write(eventfd)
 *     sleeper: epoll_wait; exchange(is_woken, false); looks for work
 *
 * If the waker's exchange comes first, the sleeper's reads the waker's true and sees the work;
 * an edge may be left over and ends one more wait for nothing. If it comes second, it finds
 * false and writes, and the edge stays in the instance until a wait fetches it. The sleeper's
 * memory is kept alive by the caller: nobody wakes a poller that is being closed.
 */
#include "config.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"
#include "mem/alloc.h"
#include "mem/san.h"
#include "reactor/epoll.h"

enum {
    MAX_EVENTS = 128,        /* fetched by one call; the rest waits in the instance */
    SLACK_MATTERS = 8000000, /* ns: from here on the kernel's 0.1 % slack is worth a wake */
    SLACK_SHARE = 128,       /* the last part of a long sleep, above any slack */
};

struct tri_poller {
    int epfd, wakefd;
    atomic_bool is_woken; /* set by wakers, cleared by the owner */
    struct epoll_event event[MAX_EVENTS];
};

int tri_epoll_add(struct tri_poller *p, int fd, void *data)
{
    struct epoll_event e = {
        .events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLPRI | EPOLLET,
        .data.ptr = data,
    };

    return epoll_ctl(p->epfd, EPOLL_CTL_ADD, fd, &e) < 0 ? -errno : 0;
}

int tri_epoll_del(struct tri_poller *p, int fd)
{
    return epoll_ctl(p->epfd, EPOLL_CTL_DEL, fd, NULL) < 0 ? -errno : 0;
}

int tri_epoll_fd(struct tri_poller *p)
{
    return p->epfd;
}

void tri_epoll_close(struct tri_poller *p)
{
    if (!p)
        return;
    if (p->wakefd >= 0)
        (void)close(p->wakefd);
    if (p->epfd >= 0)
        (void)close(p->epfd);
    free(p);
}

int tri_epoll_open(struct tri_backend *b, struct tri_poller **ret_poller)
{
    struct tri_poller *p = tri_mem_alloc(sizeof *p);
    struct epoll_event e = { .events = EPOLLIN | EPOLLET };
    int r;

    (void)b;
    if (!p)
        return -ENOMEM;
    e.data.ptr = p;
    atomic_init(&p->is_woken, false);
    p->wakefd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    p->epfd = p->wakefd < 0 ? -1 : epoll_create1(EPOLL_CLOEXEC);
    if (p->epfd < 0 || epoll_ctl(p->epfd, EPOLL_CTL_ADD, p->wakefd, &e) < 0) {
        r = -errno;
        tri_epoll_close(p);
        return r;
    }
    *ret_poller = p;
    return 0;
}

void tri_epoll_wake(struct tri_poller *p)
{
    static const uint64_t one = 1;
    int saved = errno; /* we may be in a signal handler */

    /* acq_rel: the work stored before is seen by the owner's exchange in take_wake(); and ours
     * goes on from that one, so that a false found here means a later look of the owner. */
    if (!atomic_exchange_explicit(&p->is_woken, true, memory_order_acq_rel))
        (void)!write(p->wakefd, &one, sizeof one); /* full: an edge all the same */
    errno = saved;
}

static void take_wake(struct tri_poller *p)
{
    /* acq_rel: pairs with the exchange in tri_epoll_wake(), both ways. */
    (void)atomic_exchange_explicit(&p->is_woken, false, memory_order_acq_rel);
}

/*
 * epoll_wait with a limit in ns, -1: none. In a kernel before 5.11: rounded up to ms. So it is
 * under ThreadSanitizer, which holds signals back from a thread in a system call that it does
 * not know.
 */
static int wait_for(struct tri_poller *p, int max, tr_time span)
{
    static atomic_bool is_missing = TRI_TSAN; /* set by any thread, never cleared */
    int ms;

    if (span == 0)
        return epoll_wait(p->epfd, p->event, max, 0);
#ifdef SYS_epoll_pwait2
    /* relaxed: who misses it asks the kernel once more. */
    if (!atomic_load_explicit(&is_missing, memory_order_relaxed)) {
        struct timespec ts = tri_clock_timespec(span);
        long n = syscall(SYS_epoll_pwait2, p->epfd, p->event, max, span < 0 ? NULL : &ts, NULL,
                         (size_t)0);

        if (n >= 0 || errno != ENOSYS)
            return (int)n;
        atomic_store_explicit(&is_missing, true, memory_order_relaxed);
    }
#endif
    ms = span < 0 ? -1 : span > TR_S(86400) ? 86400000 : (int)((span + 999999) / 1000000);
    return epoll_wait(p->epfd, p->event, max, ms);
}

/*
 * How long to sleep in one go. The kernel may be late by 0.1 % of what it is asked (0.5 % when
 * niced), so that a long sleep stops short of its end, and the rest is slept by itself.
 */
static tr_time next_span(tr_time deadline)
{
    tr_time span;

    if (deadline >= TR_NEVER)
        return -1;
    if (deadline == TR_NOW)
        return 0;
    span = deadline - tri_clock_now();
    if (span <= 0)
        return 0;
    return span > SLACK_MATTERS ? span - span / SLACK_SHARE : span;
}

/* Whether next_span may have stopped short of the deadline: every span that it cuts is this
 * long. */
static bool was_cut(tr_time span)
{
    return span >= SLACK_MATTERS - SLACK_MATTERS / SLACK_SHARE;
}

/* Copies the @n events fetched to @ev, without our own wake. */
static int take_events(const struct tri_poller *p, int n, struct tri_event *ev)
{
    int stored = 0;

    for (int i = 0; i < n; i++) {
        void *data = p->event[i].data.ptr;

        if (data != p)
            ev[stored++] = (struct tri_event){ data, p->event[i].events };
    }
    return stored;
}

int tri_epoll_wait(struct tri_poller *p, tr_time deadline, struct tri_event *ev, unsigned max)
{
    int n, limit = max < MAX_EVENTS ? (int)max : MAX_EVENTS;
    tr_time span;

    do {
        span = next_span(deadline);
        n = wait_for(p, limit, span);
        if (n < 0 && errno != EINTR)
            return -errno;
    } while (n == 0 && was_cut(span)); /* EINTR is an end: the handler may have left work */
    take_wake(p);
    return n > 0 ? take_events(p, n, ev) : 0;
}
