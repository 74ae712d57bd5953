/* SPDX-License-Identifier: MIT */
/*
 * handlers.c - many handlers that wait, each with a mailbox of one: what they cost in memory,
 * and how exactly the timers of a million of them fire.
 */
#include "config.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "bench.h"

enum { HANDLERS = 1000000 };

struct quiet_msg {
    enum { QUIET_SET, QUIET_FIRED, QUIET_END } op;
    unsigned ms;
};

struct quiet {
    atomic_ulong *n_ended;
    tr_time until; /* of its timer */
};
TR_HANDLER(quiet, struct quiet, struct quiet_msg, tr_nodrop, tr_nodrop);

static int quiet_set(struct quiet *self, unsigned ms)
{
    struct quiet_msg fired = { .op = QUIET_FIRED };

    self->until = tr_after(TR_MS(ms));
    return quiet_timer(self->until, &fired);
}

static int quiet(struct quiet *self, struct quiet_msg *m)
{
    if (m->op == QUIET_SET)
        return quiet_set(self, m->ms);
    /* never early */
    if (m->op == QUIET_FIRED && tr_now() < self->until)
        return -EBADMSG;
    atomic_fetch_add_explicit(self->n_ended, 1, memory_order_relaxed); /* read after the join */
    return tr_handler_stop();
}

/* ---- the workloads ---- */

struct crowd {
    struct bench_load load;
    quiet_ref *refs;
    uint64_t grown; /* bytes */
    atomic_ulong n_ended;
};

static int spawn(tr_scope *s, struct crowd *w, size_t i)
{
    struct quiet self = { .n_ended = &w->n_ended };

    return quiet_spawn(s, &self, &(struct tr_handler_opts){ .capacity = 1 }, &w->refs[i]);
}

static int mem_root(tr_scope *unused, void *arg)
{
    struct crowd *w = arg;
    tr_scope s TR_CLEANUP(tr_scope_end) = tr_scope_open(NULL);
    uint64_t before = bench_resident();
    int r = 0;

    (void)unused;
    for (size_t i = 0; i < HANDLERS && r == 0; i++)
        r = spawn(&s, w, i);
    w->grown = bench_resident() - before;
    for (size_t i = 0; i < HANDLERS && r == 0; i++) {
        struct quiet_msg m = { .op = QUIET_END };

        r = quiet_try_send(&w->refs[i], &m);
    }
    return r < 0 ? r : tr_scope_join(&s, TR_NEVER);
}

static int sleep_root(tr_scope *unused, void *arg)
{
    struct crowd *w = arg;
    tr_scope s TR_CLEANUP(tr_scope_end) = tr_scope_open(NULL);
    uint64_t seed = BENCH_SEED;
    int64_t start = bench_clock();
    int r = 0;

    (void)unused;
    for (size_t i = 0; i < HANDLERS && r == 0; i++) {
        struct quiet_msg m = { QUIET_SET, (unsigned)(bench_random(&seed) % 1001) };

        r = spawn(&s, w, i);
        if (r == 0)
            r = quiet_try_send(&w->refs[i], &m);
    }
    if (r == 0)
        r = tr_scope_join(&s, TR_NEVER);
    w->load.elapsed = bench_clock() - start;
    return r;
}

static int crowd_run(struct crowd *w, const struct bench_metric *m, tr_run_fn *root)
{
    int r;

    w->load.m = m;
    w->refs = bench_alloc(HANDLERS, sizeof *w->refs);
    r = bench_run(m, root, w);
    for (size_t i = 0; i < HANDLERS; i++)
        quiet_ref_close(&w->refs[i]);
    free(w->refs);
    w->load.n = atomic_load(&w->n_ended);
    return r < 0 ? r : bench_check(&w->load, HANDLERS, 0);
}

static int idle_mem_handler(const struct bench_metric *m)
{
    struct crowd w = { .grown = 0 };

    if (crowd_run(&w, m, mem_root) < 0)
        return -1;
    bench_tell(m->name, (double)w.grown / HANDLERS, "bytes");
    return 0;
}

static int idle_sleep_handler(const struct bench_metric *m)
{
    struct crowd w = { .grown = 0 };

    if (crowd_run(&w, m, sleep_root) < 0)
        return -1;
    bench_tell(m->name, (double)w.load.elapsed / 1e9, "s");
    return 0;
}

const struct bench_metric bench_handlers[] = {
    { "idle_mem_handler", idle_mem_handler, .n_worker = 2 },
    { "idle_sleep_handler", idle_sleep_handler, .n_worker = 2 },
    { .name = NULL },
};
