/* SPDX-License-Identifier: MIT */
/* tasks.c - starting and joining: a million tasks from one parent, and a tree of a million. */
#include "config.h"

#include <errno.h>
#include <stdlib.h>

#include "bench.h"

enum { TASKS = 1000000, BATCH = 10000 };

/* ---- spawn_join ---- */

TR_TASK(number, int, tr_nodrop);

static int number(int *n)
{
    return *n;
}

/* Spawns the tasks @from .. @from + @n - 1 and keeps their handles. */
static int spawn_run(tr_scope *s, int from, int n, tr_task *handles)
{
    int r = 0;

    for (int i = 0; i < n && r == 0; i++) {
        int own = from + i;

        r = number_spawn(s, &own, &(struct tr_task_opts){ .ret_task = &handles[i] });
    }
    return r;
}

static int join_run(int n, tr_task *handles, struct bench_load *load)
{
    int r = 0;

    for (int i = 0; i < n && r == 0; i++) {
        int result = 0;

        r = tr_task_join(&handles[i], TR_NEVER, &result);
        load->sum += (uint64_t)result;
        load->n++;
    }
    return r;
}

static int spawn_root(tr_scope *unused, void *arg)
{
    struct bench_load *load = arg;
    int batch = (int)load->m->n;
    tr_task *handles = calloc((size_t)batch, sizeof *handles);
    tr_scope s TR_CLEANUP(tr_scope_end) = tr_scope_open(NULL);
    int64_t start = bench_clock();
    int r = 0;

    (void)unused;
    if (!handles)
        return -ENOMEM;
    for (int from = 0; from < TASKS && r == 0; from += batch)
        if ((r = spawn_run(&s, from, batch, handles)) == 0)
            r = join_run(batch, handles, load);
    load->elapsed = bench_clock() - start;
    for (int i = 0; i < batch; i++)
        tr_task_close(&handles[i]);
    free(handles);
    return r;
}

static int spawn_join(const struct bench_metric *m)
{
    struct bench_load load = { .m = m };

    if (bench_run(m, spawn_root, &load) < 0 || bench_check(&load, TASKS, bench_sum(TASKS)) < 0)
        return -1;
    bench_tell_rate(&load, TASKS, "tasks/s");
    return 0;
}

/* ---- skynet: each node of the tree adds up what its ten children send ---- */

enum { CHILDREN = 10 };

struct node {
    numq_tx parent;
    uint64_t first, size; /* the numbers of its leaves */
};

static void node_drop(struct node *n)
{
    numq_tx_close(&n->parent);
}
TR_TASK(node, struct node, node_drop);

static int spawn_children(tr_scope *s, const struct node *n, numq_tx *tx)
{
    uint64_t size = n->size / CHILDREN;
    int r = 0;

    for (uint64_t i = 0; i < CHILDREN && r == 0; i++) {
        struct node child = { numq_tx_clone(tx), n->first + i * size, size };

        r = node_spawn(s, &child, NULL);
    }
    numq_tx_close(tx);
    return r;
}

static int add_up(numq_rx *rx, uint64_t *ret_sum)
{
    uint64_t sum = 0, v;

    for (int i = 0; i < CHILDREN; i++) {
        int r = numq_recv(rx, TR_NEVER, &v);

        if (r < 0)
            return r;
        sum += v;
    }
    *ret_sum = sum;
    return 0;
}

/* The sum of the leaves below @n. */
static int node_sum(const struct node *n, uint64_t *ret_sum)
{
    numq_tx tx TR_CLEANUP(numq_tx_close) = { 0 };
    numq_rx rx TR_CLEANUP(numq_rx_close) = { 0 };
    tr_scope s TR_CLEANUP(tr_scope_end) = tr_scope_open(NULL);
    int r;

    if ((r = numq_new(CHILDREN, &tx, &rx)) < 0 || (r = spawn_children(&s, n, &tx)) < 0 ||
        (r = add_up(&rx, ret_sum)) < 0)
        return r;
    return tr_scope_join(&s, TR_NEVER);
}

static int node(struct node *n)
{
    uint64_t sum = n->first;
    int r = n->size > 1 ? node_sum(n, &sum) : 0;

    return r < 0 ? r : numq_send(&n->parent, &sum, TR_NEVER);
}

static int skynet_root(tr_scope *unused, void *arg)
{
    struct bench_load *load = arg;
    const struct node top = { .first = 0, .size = TASKS };
    int64_t start = bench_clock();
    int r = node_sum(&top, &load->sum);

    (void)unused;
    load->elapsed = bench_clock() - start;
    return r;
}

static int skynet(const struct bench_metric *m)
{
    struct bench_load load = { .m = m };

    if (bench_run(m, skynet_root, &load) < 0 || bench_check(&load, 0, bench_sum(TASKS)) < 0)
        return -1;
    bench_tell(m->name, (double)load.elapsed / 1e9, "s");
    return 0;
}

const struct bench_metric bench_tasks[] = {
    { "spawn_join", spawn_join, .n_worker = 2, .n = TASKS },
    { "spawn_join_1w", spawn_join, .n_worker = 1, .n = TASKS },
    { "spawn_join_batch", spawn_join, .n_worker = 1, .n = BATCH },
    { "skynet", skynet, .n_worker = 2 },
    { .name = NULL },
};
