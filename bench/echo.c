/* SPDX-License-Identifier: MIT */
/*
 * echo.c - the echo metrics: this program again as the server, on the first core, and the
 * client of client.c on the second.
 */
#include "config.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"

/* Starts the server; returns its process, or -1. *@ret_port is where it listens. */
static pid_t server_start(int *ret_port)
{
    int ends[2], n = 0;
    FILE *f;
    pid_t pid;

    if (pipe(ends) < 0)
        return -1;
    pid = fork();
    if (pid == 0) {
        (void)bench_pin(0);
        (void)dup2(ends[1], STDOUT_FILENO);
        close(ends[0]);
        close(ends[1]);
        execl("/proc/self/exe", "troupe-bench", "echo", "0", (char *)NULL);
        _exit(EXIT_FAILURE);
    }
    close(ends[1]);
    f = fdopen(ends[0], "r");
    if (f && pid > 0)
        n = fscanf(f, "%d", ret_port);
    if (f)
        fclose(f);
    if (pid > 0 && n != 1) { /* it has said why */
        (void)waitpid(pid, NULL, 0);
        return -1;
    }
    return pid;
}

static int echo(const struct bench_metric *m)
{
    struct rlimit files;
    int port = 0, r;
    pid_t pid;

    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &files); /* for the server too */
    }
    pid = server_start(&port);
    if (pid < 0)
        return bench_fail(m->name, "the server did not start");
    r = bench_load_server(m->name, port, m->n, pid);
    kill(pid, SIGTERM);
    (void)waitpid(pid, NULL, 0);
    return r;
}

const struct bench_metric bench_echo[] = {
    { "echo_1", echo, .n = 1, .has_other = true },
    { "echo_50", echo, .n = 50, .has_other = true },
    { "echo_1000", echo, .n = 1000, .has_other = true },
    { .name = NULL },
};
