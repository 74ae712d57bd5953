/* SPDX-License-Identifier: MIT */
/*
 * idle.c - many tasks that wait: what they cost in memory while they wait for a channel, for a
 * oneshot or for time, how exactly a million sleeps end, and what idleness costs in CPU time.
 */
#include "config.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "bench.h"

enum { TASKS = 1000000 };

TR_ONESHOT(once, uint64_t, tr_nodrop);

union sender {
    numq_tx queue;
    once_tx once;
};

struct idle {
    struct bench_load load;
    const struct kind *kind;
    union sender *senders; /* kept, so that the receivers wait */
    uint64_t grown;        /* bytes */
    atomic_ulong n_waiting, n_ended;
};

/* What a task waits for: how one is spawned, and how all are let go. */
struct kind {
    int (*spawn)(tr_scope *s, struct idle *w, size_t i);
    void (*let_go)(tr_scope *s, struct idle *w);
};

static void begin(struct idle *w)
{
    atomic_fetch_add_explicit(&w->n_waiting, 1, memory_order_relaxed); /* a count */
}

/* Every wait has to end as @want says: with what its sender's close or a cancel gives. */
static int end(struct idle *w, int r, int want)
{
    if (r != want)
        return -EBADMSG;
    atomic_fetch_add_explicit(&w->n_ended, 1, memory_order_relaxed); /* read after the join */
    return 0;
}

/* ---- on a channel ---- */

struct receiver {
    numq_rx rx;
    struct idle *w;
};

static void receiver_drop(struct receiver *t)
{
    numq_rx_close(&t->rx);
}
TR_TASK(receiver, struct receiver, receiver_drop);

static int receiver(struct receiver *t)
{
    uint64_t v;

    begin(t->w);
    return end(t->w, numq_recv(&t->rx, TR_NEVER, &v), -EPIPE);
}

static int receiver_new(tr_scope *s, struct idle *w, size_t i)
{
    struct receiver t = { .w = w };
    int r = numq_new(1, &w->senders[i].queue, &t.rx);

    return r < 0 ? r : receiver_spawn(s, &t, NULL);
}

static void close_queues(tr_scope *s, struct idle *w)
{
    (void)s;
    for (size_t i = 0; i < w->load.m->n; i++)
        numq_tx_close(&w->senders[i].queue);
}

static const struct kind on_queue = { receiver_new, close_queues };

/* ---- on a oneshot ---- */

struct expecter {
    once_rx rx;
    struct idle *w;
};

static void expecter_drop(struct expecter *t)
{
    once_rx_close(&t->rx);
}
TR_TASK(expecter, struct expecter, expecter_drop);

static int expecter(struct expecter *t)
{
    uint64_t v;

    begin(t->w);
    return end(t->w, once_recv(&t->rx, TR_NEVER, &v), -EPIPE);
}

static int expecter_new(tr_scope *s, struct idle *w, size_t i)
{
    struct expecter t = { .w = w };
    int r = once_new(&w->senders[i].once, &t.rx);

    return r < 0 ? r : expecter_spawn(s, &t, NULL);
}

static void close_onces(tr_scope *s, struct idle *w)
{
    (void)s;
    for (size_t i = 0; i < w->load.m->n; i++)
        once_tx_close(&w->senders[i].once);
}

static const struct kind on_once = { expecter_new, close_onces };

/* ---- on time ---- */

struct sleeper {
    struct idle *w;
};
TR_TASK(sleeper, struct sleeper, tr_nodrop);

static int sleeper(struct sleeper *t)
{
    begin(t->w);
    return end(t->w, tr_sleep(tr_after(TR_S(3600))), -ECANCELED);
}

static int sleeper_new(tr_scope *s, struct idle *w, size_t i)
{
    struct sleeper t = { w };

    (void)i;
    return sleeper_spawn(s, &t, NULL);
}

static void cancel(tr_scope *s, struct idle *w)
{
    (void)w;
    tr_scope_cancel(s);
}

static const struct kind on_time = { sleeper_new, cancel };

/* ---- idle_mem ---- */

static int spawn_idle(tr_scope *s, struct idle *w)
{
    int r = 0;

    for (size_t i = 0; i < w->load.m->n && r == 0; i++)
        r = w->kind->spawn(s, w, i);
    /* relaxed: a count; what it stands for, the touched memory, is seen by the kernel. */
    while (r == 0 && atomic_load_explicit(&w->n_waiting, memory_order_relaxed) < w->load.m->n)
        r = tr_sleep(tr_after(TR_MS(1)));
    return r;
}

static int mem_root(tr_scope *unused, void *arg)
{
    struct idle *w = arg;
    tr_scope s TR_CLEANUP(tr_scope_end) = tr_scope_open(NULL);
    uint64_t before = bench_resident();
    int r = spawn_idle(&s, w);

    (void)unused;
    w->grown = bench_resident() - before;
    w->kind->let_go(&s, w);
    return r < 0 ? r : tr_scope_join(&s, TR_NEVER);
}

static int idle_mem(const struct bench_metric *m, const struct kind *kind)
{
    struct idle w = { .load = { .m = m }, .kind = kind };
    int r;

    w.senders = bench_alloc(m->n, sizeof *w.senders);
    r = bench_run(m, mem_root, &w);
    free(w.senders);
    w.load.n = atomic_load(&w.n_ended);
    if (r < 0 || bench_check(&w.load, m->n, 0) < 0)
        return -1;
    bench_tell(m->name, (double)w.grown / m->n, "bytes");
    return 0;
}

static int mem_queue(const struct bench_metric *m)
{
    return idle_mem(m, &on_queue);
}

static int mem_once(const struct bench_metric *m)
{
    return idle_mem(m, &on_once);
}

static int mem_sleep(const struct bench_metric *m)
{
    return idle_mem(m, &on_time);
}

/* ---- idle_sleep ---- */

struct napper {
    unsigned ms;
    struct idle *w;
};
TR_TASK(napper, struct napper, tr_nodrop);

static int napper(struct napper *t)
{
    tr_time until = tr_after(TR_MS(t->ms));
    int r = tr_sleep(until);

    if (r == 0 && tr_now() < until)
        r = -EBADMSG; /* never early */
    return end(t->w, r, 0);
}

static int sleep_root(tr_scope *unused, void *arg)
{
    struct idle *w = arg;
    tr_scope s TR_CLEANUP(tr_scope_end) = tr_scope_open(NULL);
    uint64_t seed = BENCH_SEED;
    int64_t start = bench_clock();
    int r = 0;

    (void)unused;
    for (unsigned i = 0; i < w->load.m->n && r == 0; i++) {
        struct napper t = { (unsigned)(bench_random(&seed) % 1001), w };

        r = napper_spawn(&s, &t, NULL);
    }
    if (r == 0)
        r = tr_scope_join(&s, TR_NEVER);
    w->load.elapsed = bench_clock() - start;
    return r;
}

static int idle_sleep(const struct bench_metric *m)
{
    struct idle w = { .load = { .m = m } };
    int r = bench_run(m, sleep_root, &w);

    w.load.n = atomic_load(&w.n_ended);
    if (r < 0 || bench_check(&w.load, m->n, 0) < 0)
        return -1;
    bench_tell(m->name, (double)w.load.elapsed / 1e9, "s");
    return 0;
}

/* ---- idle_cpu ---- */

enum { CPU_SECONDS = 5 };

static int cpu_root(tr_scope *unused, void *arg)
{
    struct idle *w = arg;
    tr_scope s TR_CLEANUP(tr_scope_end) = tr_scope_open(NULL);
    int64_t before;
    int r = spawn_idle(&s, w);

    (void)unused;
    before = bench_cpu();
    for (int i = 0; i < CPU_SECONDS && r == 0; i++)
        r = tr_sleep(tr_after(TR_S(1)));
    w->load.elapsed = bench_cpu() - before;
    w->kind->let_go(&s, w);
    return r < 0 ? r : tr_scope_join(&s, TR_NEVER);
}

static int idle_cpu(const struct bench_metric *m)
{
    struct idle w = { .load = { .m = m }, .kind = &on_queue };
    int r;

    w.senders = bench_alloc(m->n, sizeof *w.senders);
    r = bench_run(m, cpu_root, &w);
    free(w.senders);
    w.load.n = atomic_load(&w.n_ended);
    if (r < 0 || bench_check(&w.load, m->n, 0) < 0)
        return -1;
    bench_tell(m->name, (double)w.load.elapsed / (CPU_SECONDS * 1e9) * 100, "%");
    return 0;
}

const struct bench_metric bench_idle[] = {
    { "idle_mem", mem_queue, .n_worker = 2, .n = TASKS },
    { "idle_mem_once", mem_once, .n_worker = 2, .n = TASKS },
    { "idle_mem_sleep", mem_sleep, .n_worker = 2, .n = TASKS },
    { "idle_sleep", idle_sleep, .n_worker = 2, .n = TASKS },
    { "idle_cpu", idle_cpu, .n_worker = 2, .n = 10000 },
    { .name = NULL },
};
