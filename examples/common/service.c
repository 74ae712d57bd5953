/* SPDX-License-Identifier: MIT */
/* service.c - see service.h. The first descriptor handed over is number 3, by convention. */
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "service.h"

enum { FIRST_FD = 3 };

/* A number from the environment; 0: not set, or none. */
static long env_number(const char *name)
{
    const char *text = getenv(name);

    return text ? strtol(text, NULL, 10) : 0;
}

int service_listen_fd(void)
{
    long n = env_number("LISTEN_PID") == getpid() ? env_number("LISTEN_FDS") : 0;

    unsetenv("LISTEN_PID");
    unsetenv("LISTEN_FDS");
    unsetenv("LISTEN_FDNAMES");
    if (n != 1)
        return n > 1 ? -EINVAL : -ENOENT;
    return fcntl(FIRST_FD, F_SETFD, FD_CLOEXEC) < 0 ? -errno : FIRST_FD;
}

/* "/path" or "@name", which is a name without a file. Returns 0 or -EINVAL. */
static int address_of(const char *path, struct sockaddr_un *ret_address, socklen_t *ret_size)
{
    struct sockaddr_un a = { .sun_family = AF_UNIX };
    size_t n = strlen(path);

    if ((path[0] != '/' && path[0] != '@') || n >= sizeof a.sun_path)
        return -EINVAL;
    memcpy(a.sun_path, path, n);
    if (path[0] == '@')
        a.sun_path[0] = '\0';
    *ret_address = a;
    *ret_size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n);
    return 0;
}

int service_notify(const char *state)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un address;
    socklen_t size;
    int fd, r;

    if (!path || !*path)
        return 0;
    r = address_of(path, &address, &size);
    if (r < 0)
        return r;
    fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    if (sendto(fd, state, strlen(state), MSG_NOSIGNAL, (const struct sockaddr *)&address,
               size) < 0)
        r = -errno;
    close(fd);
    return r;
}
