/* SPDX-License-Identifier: MIT */
/*
 * handover COMMAND... - starts a command as a service manager does that listens for it: prints
 * the port of a listening socket on 127.0.0.1, then becomes the command, with that socket as
 * descriptor 3 and $LISTEN_PID, $LISTEN_FDS, $LISTEN_FDNAMES set.
 */
#include "config.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static void fail(const char *what)
{
    perror(what);
    exit(127);
}

/* Returns a listening socket, and prints its port. */
static int listen_anywhere(void)
{
    struct sockaddr_in a = { .sin_family = AF_INET };
    socklen_t size = sizeof a;
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || bind(fd, (const struct sockaddr *)&a, sizeof a) < 0 || listen(fd, 128) < 0 ||
        getsockname(fd, (struct sockaddr *)&a, &size) < 0)
        fail("handover: listen");
    printf("%u\n", ntohs(a.sin_port));
    fflush(stdout);
    return fd;
}

int main(int argc, char **argv)
{
    char pid[16];
    int fd;

    if (argc < 2)
        return EXIT_FAILURE;
    fd = listen_anywhere();
    if (fd != 3 && (dup2(fd, 3) < 0 || close(fd) < 0))
        fail("handover: dup2");
    snprintf(pid, sizeof pid, "%d", (int)getpid());
    setenv("LISTEN_PID", pid, 1);
    setenv("LISTEN_FDS", "1", 1);
    setenv("LISTEN_FDNAMES", "web", 1);
    execvp(argv[1], argv + 1);
    fail(argv[1]);
}
