/* SPDX-License-Identifier: MIT */
/* accept.h - one connection from a listener whose READ side the caller has entered. */
#ifndef TRI_IO_ACCEPT_H
#define TRI_IO_ACCEPT_H

#include "io/sock.h"

/*
 * Waits for a connection and opens @spare, a record of tri_sock_new(), around it. That it is
 * made before leaves the connection in the queue when there is no memory.
 * Returns: 0.  -EMFILE, -ENFILE, -ENOBUFS, -ENOMEM: the connection still waits.  -EBADF: closed
 * meanwhile; or as every wait.
 */
int tri_accept(struct tri_sock *listener, struct tri_sock *spare, tr_time deadline);

/* The same without waiting: -EAGAIN. */
int tri_accept_try(struct tri_sock *listener, struct tri_sock *spare);

#endif /* TRI_IO_ACCEPT_H */
