/* SPDX-License-Identifier: MIT */
/*
 * service.h - what a service manager in the manner of systemd and a daemon say to each other,
 * by the environment alone: sockets that are handed over, and the state. Without a manager both
 * do nothing. Neither waits.
 */
#ifndef EXAMPLES_SERVICE_H
#define EXAMPLES_SERVICE_H

/*
 * Takes the listening socket that $LISTEN_PID and $LISTEN_FDS hand over, and forgets them, so
 * that no child takes it again. Returns the descriptor, close-on-exec; -ENOENT: none was handed
 * over.  -EINVAL: more than one.  Callers: the first thread, before others exist.
 */
int service_listen_fd(void);

/* Sends @state, "READY=1", to $NOTIFY_SOCKET. Returns 0, also if nobody asked; -errno. */
int service_notify(const char *state);

#endif /* EXAMPLES_SERVICE_H */
