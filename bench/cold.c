/* SPDX-License-Identifier: MIT */
/*
 * cold.c - a whole process: a runtime of 2 workers, one task that sends one message to the root
 * task, an orderly end. From fork to wait; the median of 20.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"

enum { STARTS = 20, ANSWER = 42 };

/* ---- the child ---- */

struct greeter {
    numq_tx tx;
};

static void greeter_drop(struct greeter *g)
{
    numq_tx_close(&g->tx);
}
TR_TASK(greeter, struct greeter, greeter_drop);

static int greeter(struct greeter *g)
{
    uint64_t v = ANSWER;

    return numq_send(&g->tx, &v, TR_NEVER);
}

static int root(tr_scope *scope, void *arg)
{
    struct greeter g = { { { 0 } } };
    numq_rx rx TR_CLEANUP(numq_rx_close) = { 0 };
    int r;

    if ((r = numq_new(1, &g.tx, &rx)) < 0 || (r = greeter_spawn(scope, &g, NULL)) < 0)
        return r;
    return numq_recv(&rx, TR_NEVER, arg);
}

int bench_cold_child(void)
{
    const struct bench_metric self = { "cold", .n_worker = 2 };
    uint64_t v = 0;

    return bench_run(&self, root, &v) == 0 && v == ANSWER ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* ---- the parent ---- */

static int start_once(int64_t *ret_ns)
{
    int64_t start = bench_clock();
    int status = -1;
    pid_t pid = fork();

    if (pid == 0) {
        execl("/proc/self/exe", "troupe-bench", "--cold", (char *)NULL);
        _exit(EXIT_FAILURE);
    }
    if (pid < 0 || waitpid(pid, &status, 0) != pid)
        return -ECHILD;
    *ret_ns = bench_clock() - start;
    return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -ECHILD;
}

static int cold(const struct bench_metric *m)
{
    int64_t ns[STARTS];

    for (int i = 0; i < STARTS; i++)
        if (start_once(&ns[i]) < 0)
            return bench_fail(m->name, "the child failed");
    bench_sort(ns, STARTS);
    bench_tell(m->name, (double)ns[STARTS / 2] / 1e6, "ms");
    return 0;
}

const struct bench_metric bench_cold[] = {
    { "cold", cold, .n_worker = 2 },
    { .name = NULL },
};
