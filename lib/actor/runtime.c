/* SPDX-License-Identifier: MIT */
/*
 * runtime.c - a runtime from its start to its end, on the thread that called tr_run().
 *
 * That thread is worker 0. The threads of the other workers start when there is backlog for
 * them. The root task runs the user's function and then ends the root scope, so when it is over
 * nothing is left but idle workers; it sets rt->stopping and everybody goes home.
 *
 *     start: stacks -> fault handler -> backend, pollers -> root task -> worker 0's loop
 *     stop:  root scope joined -> workers joined -> records back to their slabs -> backend
 */
#include "config.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actor/conductor.h"
#include "actor/quota.h"
#include "actor/runtime.h"
#include "actor/shutdown.h"
#include "actor/signal.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/membarrier.h"
#include "base/rcu.h"
#include "mem/alloc.h"
#include "mem/fault.h"
#include "reactor/epoll.h"
#include "reactor/sim.h"
#include "sched/idle.h"
#include "sched/task.h"

static const tr_time STOP_BUDGET = TR_S(9);
static const tr_time STALL_LIMIT = TR_MS(100);

/* ---- options ---- */

/* A positive number from the environment; 0: not set. -EINVAL: something else. */
static long long env_number(const char *name, long long max)
{
    const char *text = getenv(name);
    char *end;
    long long n;

    if (!text || !*text)
        return 0;
    errno = 0;
    n = strtoll(text, &end, 10);
    if (errno || *end || n < 1 || n > max) {
        tri_log("%s=%s: a number from 1 to %lld is wanted", name, text, max);
        return -EINVAL;
    }
    return n;
}

/* $TR_SEED, a 64-bit number as in C; 1 if it is not set, or 0. -EINVAL: something else. */
static int env_seed(uint64_t *ret_seed)
{
    const char *text = getenv("TR_SEED");
    uint64_t seed = 0;
    char *end;

    if (text && *text) {
        errno = 0;
        seed = strtoull(text, &end, 0);
        if (errno || *end || strchr(text, '-')) {
            tri_log("TR_SEED=%s: a number of 64 bits is wanted", text);
            return -EINVAL;
        }
    }
    *ret_seed = seed ? seed : 1;
    return 0;
}

static unsigned usable_cpus(void)
{
    cpu_set_t set;
    int n = 1, limit = tri_quota_cpus();

    if (sched_getaffinity(0, sizeof set, &set) == 0)
        n = CPU_COUNT(&set);
    n = n < limit ? n : limit;
    return n < 1 ? 1 : n > TRI_WORKERS_MAX ? TRI_WORKERS_MAX : (unsigned)n;
}

static int options_fill(struct tr_runtime_opts *o)
{
    long long n;

    if (o->n_worker > TRI_WORKERS_MAX || o->stop_budget < 0 || o->stall_limit < 0)
        return -EINVAL;
    if (o->current_thread && o->n_worker > 1)
        return -EINVAL;
    if (!o->name || !*o->name)
        o->name = "troupe";
    if (o->current_thread || o->simulate)
        o->n_worker = 1;
    if (o->n_worker == 0) {
        n = env_number("TR_WORKERS", TRI_WORKERS_MAX);
        if (n < 0)
            return (int)n;
        o->n_worker = n > 0 ? (unsigned)n : usable_cpus();
    }
    if (o->seed == 0 && env_seed(&o->seed) < 0)
        return -EINVAL;
    if (o->stop_budget == 0)
        o->stop_budget = STOP_BUDGET;
    if (o->stall_limit == 0)
        o->stall_limit = STALL_LIMIT;
    return 0;
}

/* ---- workers ---- */

static uint16_t seat_new(void)
{
    static atomic_uint n;
    unsigned seat;

    /* relaxed: a number nobody else has. */
    if (!tri_membarrier_setup() ||
        atomic_load_explicit(&n, memory_order_relaxed) >= TRI_SEAT_NONE - 1 - TRI_WORKERS_MAX)
        return TRI_SEAT_NONE;
    seat = atomic_fetch_add_explicit(&n, 1, memory_order_relaxed) + 1;
    return seat < TRI_SEAT_NONE ? (uint16_t)seat : TRI_SEAT_NONE;
}

int tri_worker_init(struct tri_worker *w, struct tri_runtime *rt, unsigned index)
{
    struct tri_backend *b = rt->backend;
    int r;

    w->rt = rt;
    w->index = index;
    w->seat = seat_new();
    w->spin = 16;
    w->random = (rt->opts.seed + index + 1) * UINT64_C(0x9e3779b97f4a7c15);
    tri_slab_cache_init(&w->tasks, tri_task_slab());
    tri_slab_cache_init(&w->scopes, tri_scope_slab());
    tri_wheel_init(&w->wheel, b->ops->now(b));
    if ((r = tri_deque_init(&w->fresh)) < 0 || (r = tri_deque_init(&w->hot)) < 0)
        return r;
    return b->ops->poller_open(b, &w->poller);
}

void tri_worker_fini(struct tri_worker *w)
{
    if (!w->rt)
        return;
    if (w->dead) /* the last task of this worker left its stack to nobody */
        tri_worker_arrive(w);
    w->rt->backend->ops->poller_close(w->poller);
    tri_deque_fini(&w->fresh);
    tri_deque_fini(&w->hot);
    tri_runq_fini(&w->own);
    tri_runq_fini(&w->late);
    tri_slab_cache_fini(&w->tasks);
    tri_slab_cache_fini(&w->scopes);
    tri_stack_cache_fini(&w->stacks);
}

static void workers_free(struct tri_runtime *rt)
{
    for (unsigned i = 0; rt->workers && i < rt->n_worker; i++) {
        if (!rt->workers[i])
            continue;
        tri_worker_fini(rt->workers[i]);
        free(rt->workers[i]);
    }
    free(rt->workers);
}

static int workers_make(struct tri_runtime *rt)
{
    int r = tri_task_setup();

    if (r == 0)
        r = tri_scope_setup();
    if (r < 0)
        return r;
    rt->workers = tri_mem_alloc(rt->n_worker * sizeof *rt->workers);
    if (!rt->workers)
        return -ENOMEM;
    for (unsigned i = 0; i < rt->n_worker && r == 0; i++) {
        struct tri_worker *w = tri_mem_alloc_lines(sizeof *w);

        if (!w)
            return -ENOMEM;
        rt->workers[i] = w;
        r = tri_worker_init(w, rt, i);
    }
    return r;
}

static void workers_join(struct tri_runtime *rt)
{
    /* release: what the root task did is seen by all that leave their loops. */
    atomic_store_explicit(&rt->stopping, true, memory_order_release);
    tri_worker_rouse_all(rt);
    for (unsigned i = 1; i < rt->n_worker; i++) {
        bool started;

        tri_lock_acquire(&rt->start_lock);
        /* relaxed: under start_lock. */
        started = atomic_load_explicit(&rt->workers[i]->started, memory_order_relaxed);
        tri_lock_release(&rt->start_lock);
        if (started)
            (void)pthread_join(rt->workers[i]->thread, NULL);
    }
    /* acquire: pairs with the release in inbox_push(). A wake lasts less than a microsecond,
     * unless its thread is preempted in it. */
    while (atomic_load_explicit(&rt->n_pushing, memory_order_acquire) > 0)
        (void)sched_yield();
}

/* ---- the root ---- */

struct root {
    struct tri_runtime *rt;
    tr_run_fn *fn;
    void *arg;
    int *ret_result;
};

static int root_run(void *arg)
{
    struct root *root = arg;
    struct tri_runtime *rt = root->rt;
    tr_scope scope = { .opts = { .name = "root", .policy = TR_POLICY_COLLECT }, .owner = tri_self(),
                       .impl = rt->root };

    *root->ret_result = root->fn(&scope, root->arg);
    if (tri_unlikely(tri_is_forked()))
        return *root->ret_result;
    tr_scope_end(&scope);
    /* relaxed: the loop of this very worker reads it next; the others are told by the join. */
    atomic_store_explicit(&rt->stopping, true, memory_order_relaxed);
    return 0;
}

static const struct tri_task_type root_type = { "root", root_run, tr_nodrop,
                                                (uint32_t)sizeof(struct root), 8 };

static void start_lazily(struct tri_runtime *rt)
{
    (void)tri_conductor_start(rt); /* no thread to be had: no reports, but it runs */
}

/* The actors have ended. Before the workers are joined: the conductor may start some. */
static void watchers_end(struct tri_runtime *rt, struct tri_main_result *main)
{
    if (main)
        tri_signal_set_main(NULL);
    if (rt->conductor)
        tri_conductor_stop(rt->conductor);
    tri_signals_fini(rt->signals);
    tri_level_watch_fini(rt->shutdown);
}

static void result_fill(struct tri_runtime *rt, int result, struct tri_main_result *main)
{
    if (!main)
        return;
    main->ran = true;
    main->status = tri_stop_status(rt->conductor, result, rt->root->n_failed);
    tri_stop_summary(rt->conductor, 0);
}

static int watchers_begin(struct tri_runtime *rt, struct tri_main_result *main)
{
    if (!main) {
        rt->born = rt->backend->ops->now(rt->backend);
        atomic_init(&rt->watch, rt->conductor ? start_lazily : NULL);
        return 0;
    }
    tri_signal_set_main(rt->conductor);
    return tri_conductor_start(rt);
}

/* The root task and its scope. Returns 0 or -ENOMEM. */
static int root_make(struct tri_runtime *rt, struct tri_worker *w, struct root *root)
{
    struct tri_task *t = tri_task_new_root(rt, w, &root_type, root, NULL);

    if (!t)
        return -ENOMEM;
    rt->root = tri_scope_new(rt, NULL, t,
                             &(struct tr_scope_opts){ .name = "root", .policy = TR_POLICY_COLLECT });
    tri_scope_adopt(rt->root, t);
    if (!rt->root) {
        tri_task_discard(w, t, -ENOMEM);
        tr_task_close(&(struct tr_task){ t });
        return -ENOMEM;
    }
    rt->root_task = t;
    t->a.spawn_pc = rt->caller;
    return 0;
}

static int run_root(struct tri_runtime *rt, tr_run_fn *fn, void *arg,
                    struct tri_main_result *main)
{
    struct tri_worker *w = rt->workers[0];
    int result = 0, r;
    struct root root = { rt, fn, arg, &result };
    struct tri_task *t;

    tri_tls_worker = w; /* the records come from its caches */
    r = root_make(rt, w, &root);
    tri_tls_worker = NULL;
    if (r < 0)
        return r;
    t = rt->root_task;
    w->started = true;
    atomic_init(&rt->n_started, 1);
    rt->backend->ops->thread_init(rt->backend);
    r = watchers_begin(rt, main);
    if (r == 0) {
        tri_deque_push(&w->fresh, &t->a);
        tri_worker_loop(w);
        if (t->result < 0) /* it never ran; our handle keeps the record */
            result = t->result;
    }
    watchers_end(rt, main);
    workers_join(rt);
    if (r == 0)
        result_fill(rt, result, main);
    tri_tls_worker = w;
    if (r < 0)
        tri_task_discard(w, t, result = r);
    tr_task_close(&(struct tr_task){ t });
    tri_scope_free(rt->root);
    tri_tls_worker = NULL;
    return result;
}

struct tri_runtime *tri_runtime_self(void)
{
    struct tri_worker *w = tri_worker_self();

    return w ? w->rt : NULL;
}

void tri_runtime_drain(struct tri_runtime *rt)
{
    tri_scope_drain(rt->root);
    tri_actor_drain(&rt->root_task->a);
}

void tri_runtime_cancel(struct tri_runtime *rt)
{
    tri_scope_cancel(rt->root);
    tri_actor_cancel(&rt->root_task->a);
}

/* ---- the public functions ---- */

static int run_workers(struct tri_runtime *rt, tr_run_fn *fn, void *arg,
                       struct tri_main_result *main)
{
    int r = workers_make(rt);

    if (r == 0)
        r = run_root(rt, fn, arg, main);
    workers_free(rt);
    return r;
}

static int run_watched(struct tri_runtime *rt, tr_run_fn *fn, void *arg,
                       struct tri_main_result *main)
{
    struct tri_shutdown shutdown = { .reason = NULL };
    struct tri_signals signals = { .kept = { NULL } };
    struct tri_conductor conductor;
    sigset_t mask;
    int r = 0;

    rt->shutdown = &shutdown;
    rt->signals = &signals;
    if (main || !(rt->opts.current_thread || rt->opts.simulate)) {
        rt->conductor = &conductor;
        r = tri_conductor_init(&conductor, rt, main != NULL);
        if (r < 0)
            return r;
    }
    tri_fork_begin();
    (void)pthread_sigmask(SIG_SETMASK, NULL, &mask);
    r = run_workers(rt, fn, arg, main);
    tri_fork_end();
    if (rt->conductor)
        tri_conductor_fini(&conductor);
    else
        (void)pthread_sigmask(SIG_SETMASK, &mask, NULL); /* tr_signal_open() unblocks here */
    return r;
}

static int run_backend(struct tri_runtime *rt, tr_run_fn *fn, void *arg,
                       struct tri_main_result *main)
{
    struct tri_backend *sim = NULL;
    int r;

    if (rt->opts.simulate) {
        sim = tri_sim_new(rt->opts.seed);
        if (!sim)
            return -ENOMEM;
    }
    rt->backend = sim ? sim : tri_epoll_backend();
    rt->virtual_time = sim != NULL;
    r = run_watched(rt, fn, arg, main);
    if (sim)
        tri_sim_free(sim);
    tri_rcu_barrier_if_pending(); /* what channels have retired is freed before we return */
    return r;
}

int tri_run(const struct tr_runtime_opts *opts, tr_run_fn *fn, void *arg,
            struct tri_main_result *ret_result, const void *caller)
{
    struct tri_runtime rt = { .caller = caller };
    int r;

    if (!fn)
        return -EINVAL;
    if (tri_is_forked())
        return -EOWNERDEAD;
    if (tri_worker_self()) {
        tri_tell(TR_EVENT_MISUSE, "tr_run() was called inside a runtime, by '%s'; spawn a task",
                 tr_self_name());
        return -EDEADLK;
    }
    if (opts)
        rt.opts = *opts;
    r = options_fill(&rt.opts);
    if (r < 0)
        return r;
    rt.n_worker = rt.opts.n_worker;
    rt.spins = rt.n_worker > 1 && usable_cpus() > 1;
    r = tri_stack_setup(rt.opts.stack_bytes);
    if (r < 0)
        return r;
    tri_worker_set_idle_fn(tri_rcu_flush);
    tri_fault_describer(tri_task_describe);
    r = tri_fault_install();
    if (r == 0) {
        r = tri_fault_thread_enter();
        if (r == 0) {
            r = run_backend(&rt, fn, arg, ret_result);
            tri_fault_thread_leave();
        }
        tri_fault_uninstall();
    }
    tri_stack_teardown();
    return r;
}

int tr_run_with(const struct tr_runtime_opts *opts, tr_run_fn *fn, void *arg)
{
    return tri_run(opts, fn, arg, NULL, __builtin_return_address(0));
}

int tr_run(tr_run_fn *fn, void *arg)
{
    return tri_run(NULL, fn, arg, NULL, __builtin_return_address(0));
}

unsigned tr_worker_count(void)
{
    struct tri_worker *w = tri_worker_self();

    return w ? w->rt->n_worker : 0;
}

int tr_worker_index(void)
{
    struct tri_worker *w = tri_worker_self();

    return w ? (int)w->index : -1;
}

tr_time tr_now(void)
{
    struct tri_worker *w = tri_worker_self();

    return w ? w->rt->backend->ops->now(w->rt->backend) : tri_clock_now();
}

tr_time tr_after(tr_time span)
{
    tr_time now = tr_now();

    if (span <= 0)
        return now;
    return span >= TR_NEVER - now ? TR_NEVER : now + span;
}
