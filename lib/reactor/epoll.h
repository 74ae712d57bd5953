/* SPDX-License-Identifier: MIT */
/*
 * epoll.h - the real backend: pollers over epoll, and the kernel's own calls.
 */
#ifndef TRI_REACTOR_EPOLL_H
#define TRI_REACTOR_EPOLL_H

#include "base/backend.h"

/* One for the whole process, without state: nothing to free. */
struct tri_backend *tri_epoll_backend(void);

int tri_epoll_open(struct tri_backend *b, struct tri_poller **ret_poller);
void tri_epoll_close(struct tri_poller *p);
int tri_epoll_wait(struct tri_poller *p, tr_time deadline, struct tri_event *ev, unsigned max);
void tri_epoll_wake(struct tri_poller *p);
int tri_epoll_add(struct tri_poller *p, int fd, void *data);
int tri_epoll_del(struct tri_poller *p, int fd);
int tri_epoll_fd(struct tri_poller *p);

#endif /* TRI_REACTOR_EPOLL_H */
