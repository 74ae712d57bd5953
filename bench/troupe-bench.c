/* SPDX-License-Identifier: MIT */
/*
 * troupe-bench - measure: troupe-bench METRIC... prints one line "metric value unit" for each
 * figure. Without arguments it lists the metrics; "all" runs those that need no second process.
 *
 * Each metric runs in a process of its own, so none inherits the other's warm memory. Exit
 * status: 0; 1: a check failed, or a workload could not run; 64: no such metric.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"

enum { NO_SUCH_METRIC = 64 };

static const struct bench_metric *const families[] = {
    bench_limits, bench_pingpong, bench_mpsc,   bench_bcast,   bench_ask,  bench_tasks,
    bench_idle,   bench_handlers, bench_timers, bench_threads, bench_cold, bench_echo,
    bench_queues, bench_sync,
};

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *usage;
} modes[] = {
    { "echo", bench_echo_server, "echo PORT: the echo server" },
    { "http", bench_http_server, "http PORT: the HTTP server, for wrk" },
    { "load", bench_load_client, "load PORT N [PID]: the client of echo_N, for any server" },
};

static const struct bench_metric *metric_find(const char *name)
{
    for (size_t i = 0; i < TR_LEN(families); i++)
        for (const struct bench_metric *m = families[i]; m->name; m++)
            if (strcmp(m->name, name) == 0)
                return m;
    return NULL;
}

static void list(void)
{
    for (size_t i = 0; i < TR_LEN(families); i++)
        for (const struct bench_metric *m = families[i]; m->name; m++)
            puts(m->name);
}

/* Runs @m in a child. Returns whether it went well. */
static bool run_apart(const struct bench_metric *m)
{
    int status = -1;
    pid_t pid = fork();

    if (pid == 0)
        exit(m->run(m) < 0 ? EXIT_FAILURE : EXIT_SUCCESS);
    if (pid < 0 || waitpid(pid, &status, 0) != pid)
        return bench_fail(m->name, "no process") == 0;
    if (WIFSIGNALED(status))
        (void)bench_fail(m->name, "killed by signal %d", WTERMSIG(status));
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static int run_all(void)
{
    bool good = true;

    for (size_t i = 0; i < TR_LEN(families); i++)
        for (const struct bench_metric *m = families[i]; m->name; m++)
            if (!m->has_other && !run_apart(m))
                good = false;
    return good ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int run_named(int n, char **names)
{
    const struct bench_metric *m = NULL;
    bool good = true;

    for (int i = 0; i < n; i++) {
        m = metric_find(names[i]);
        if (!m) {
            fprintf(stderr, "troupe-bench: no metric '%s'; without arguments they are listed\n",
                    names[i]);
            return NO_SUCH_METRIC;
        }
    }
    if (n == 1 && m) /* alone: no second process between it and a profiler */
        return m->run(m) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
    for (int i = 0; i < n; i++)
        if (!run_apart(metric_find(names[i])))
            good = false;
    return good ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int usage(void)
{
    puts("usage: troupe-bench METRIC...   without arguments: the list of metrics\n"
         "       troupe-bench all         those that need no second process");
    for (size_t i = 0; i < TR_LEN(modes); i++)
        printf("       troupe-bench %s\n", modes[i].usage);
    return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        list();
        return EXIT_SUCCESS;
    }
    if (strcmp(argv[1], "--help") == 0)
        return usage();
    if (strcmp(argv[1], "--cold") == 0) /* the child of the metric cold */
        return bench_cold_child();
    for (size_t i = 0; i < TR_LEN(modes); i++)
        if (strcmp(argv[1], modes[i].name) == 0)
            return modes[i].run(argc - 2, argv + 2);
    if (argc == 2 && strcmp(argv[1], "all") == 0)
        return run_all();
    return run_named(argc - 1, argv + 1);
}
