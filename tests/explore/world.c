/* SPDX-License-Identifier: MIT */
/*
 * world.c - see world.h; and liburcu's stand-in, and what the scheduler's files need to link.
 */
#include "config.h"

#include "actor/runtime.h"
#include "base/clock.h"
#include "explore/engine.h"
#include "explore/world.h"
#include "sched/cycle.h"
#include "sched/idle.h"
#include "sched/misuse.h"
#include "sched/scope.h"
#include "sched/steal.h"
#include "sched/task.h"
#include "sync/owner.h"

/* ---- liburcu: a callback runs as soon as it may, which is when a mistake shows ---- */

enum { MAX_RETIRED = 32 };

/* Not in the object: its bytes are watched, and this is not the library's. */
struct retired {
    struct tri_rcu_head *head;
    void (*fn)(struct tri_rcu_head *head);
    unsigned readers; /* the threads whose sections have to end first */
};

static unsigned n_reading[N_SELF];
static struct retired retired[MAX_RETIRED];
static unsigned n_retired;

static struct world_worker *tasks[EXPLORE_THREADS]; /* NULL: a plain thread */

enum {
    MAX_RECORD = 32,
    KEPT = 24, /* bytes of a record that was put back: its wakee, a lock, a set's owner */
};

static struct {
    const struct tri_slab *slab;
    void *record;
} records[MAX_RECORD]; /* by their indices */
static unsigned n_record;

void world_begin_run(void)
{
    n_retired = n_record = 0;
    memset(tasks, 0, sizeof tasks);
    memset(n_reading, 0, sizeof n_reading);
}

/* Calls the @i-th back. By then the running thread's accesses are over, too. */
static void run_callback(unsigned i)
{
    const struct retired r = retired[i];
    const unsigned me = explore_self();

    retired[i] = retired[--n_retired];
    memory_comes_before(me, OUTSIDE);
    (void)explore_act_as(OUTSIDE);
    r.fn(r.head);
    (void)explore_act_as(me);
}

void tri_rcu_lock(void)
{
    n_reading[explore_self()]++;
}

void tri_rcu_unlock(void)
{
    const unsigned me = explore_self();

    if (--n_reading[me] > 0)
        return;
    memory_comes_before(me, OUTSIDE); /* what a section did comes before every later callback */
    for (unsigned i = n_retired; i-- > 0;) {
        if (!(retired[i].readers & 1u << me))
            continue;
        retired[i].readers &= ~(1u << me);
        if (retired[i].readers == 0)
            run_callback(i);
    }
}

bool tri_rcu_is_reading(void)
{
    return n_reading[explore_self()] > 0;
}

void tri_rcu_retire(struct tri_rcu_head *head, void (*fn)(struct tri_rcu_head *head))
{
    unsigned readers = 0;

    check(!tri_rcu_is_reading() && n_retired < MAX_RETIRED);
    for (unsigned t = 0; t < EXPLORE_THREADS; t++)
        readers |= n_reading[t] > 0 ? 1u << t : 0;
    retired[n_retired++] = (struct retired){ head, fn, readers };
    memory_comes_before(explore_self(), OUTSIDE);
    if (readers == 0)
        run_callback(n_retired - 1);
}

/* ---- slabs ---- */

int tri_slab_init(struct tri_slab *s, size_t size_bytes)
{
    s->size = size_bytes;
    return 0;
}

void tri_slab_fini(struct tri_slab *s)
{
    (void)s;
}

void tri_slab_cache_init(struct tri_slab_cache *c, struct tri_slab *s)
{
    c->slab = s;
}

void tri_slab_cache_fini(struct tri_slab_cache *c)
{
    (void)c;
}

void *tri_slab_get(struct tri_slab_cache *c)
{
    void *record = tri_mem_alloc(c->slab->size);

    check(n_record < MAX_RECORD);
    records[n_record].slab = c->slab;
    records[n_record].record = record;
    *(uint32_t *)record = n_record++;
    return record;
}

/* A late waker looks at a task's home, too. */
static void task_put(struct tri_actor *a)
{
    struct tri_worker *home = atomic_load_explicit(&a->home, memory_order_relaxed);

    memory_free(a, offsetof(struct tri_actor, link));
    memory_revive(&a->home, sizeof a->home);
    atomic_init(&a->home, home);
}

void tri_slab_put(struct tri_slab_cache *c, void *record)
{
    if (c->slab == tri_task_slab())
        task_put(record);
    else
        memory_free(record, c->slab->size < KEPT ? c->slab->size : KEPT);
}

void *tri_slab_at(const struct tri_slab *s, uint32_t index)
{
    return index < n_record && records[index].slab == s ? records[index].record : NULL;
}

/* ---- a worker: its scheduler runs in place of a switch of stacks ---- */

struct tri_poller {
    atomic_uint n_wake;
};

struct world_worker {
    struct tri_worker worker;
    struct tri_worker *list[2];
    struct tri_runtime rt;
    struct tri_poller poller;
    struct tri_task *task;
    bool has_ended;
    struct tri_frame frame;
    tr_time now;
};

static struct world_worker *mine(void)
{
    return (struct world_worker *)(void *)tri_tls_worker;
}

static tr_time backend_now(struct tri_backend *b)
{
    (void)b;
    return mine()->now;
}

tr_time tr_now(void)
{
    return mine() ? mine()->now : TR_S(1);
}

tr_time tri_clock_now(void)
{
    return TR_S(1);
}

tr_time tr_after(tr_time span)
{
    return tr_now() + span;
}

static uint64_t backend_random(struct tri_backend *b)
{
    (void)b;
    return 0;
}

static int poller_wait(struct tri_poller *p, tr_time deadline, struct tri_event *ev,
                       unsigned max)
{
    (void)ev;
    (void)max;
    if (deadline == TR_NOW)
        return 0; /* no descriptors */
    while (atomic_exchange(&p->n_wake, 0) == 0)
        if (tri_futex_wait(&p->n_wake, 0, deadline) < 0) {
            mine()->now = deadline + TR_MS(1); /* the next tick of the wheel is over, too */
            break;
        }
    return 0;
}

static void poller_wake(struct tri_poller *p)
{
    atomic_store(&p->n_wake, 1);
    tri_futex_wake(&p->n_wake, 1);
}

static const struct tri_backend_ops backend_ops = {
    .name = "explored",
    .now = backend_now,
    .random = backend_random,
    .poller_wait = poller_wait,
    .poller_wake = poller_wake,
};

static struct tri_backend backend = { &backend_ops };

/* In tri_worker_switch(): nothing is to be run. Returns when the task is. */
void explore_idle(void)
{
    struct world_worker *w = mine();
    struct tri_actor *a;

    while (!(a = tri_worker_pick(&w->worker)))
        tri_idle(&w->worker);
    check(a == &w->task->a);
    tri_worker_run_task(&w->worker, w->task);
}

static void drop_nothing(void *arg)
{
    (void)arg;
}

static const struct tri_task_type nothing_type = { .name = "explored", .drop = drop_nothing };

struct world_worker *world_worker_new(enum tri_wakee_kind kind, uint16_t seat)
{
    struct world_worker *w = tri_mem_alloc_lines(sizeof *w);

    check(tri_deque_init(&w->worker.fresh) == 0 && tri_deque_init(&w->worker.hot) == 0);
    check(tri_runq_reserve(&w->worker.own) == 0);
    w->list[0] = &w->worker;
    w->rt.backend = &backend;
    w->rt.n_worker = 1;
    w->rt.workers = w->list;
    w->rt.virtual_time = true; /* no napping */
    w->now = TR_S(1);
    w->worker.rt = &w->rt;
    w->worker.poller = &w->poller;
    w->worker.seat = seat;
    w->worker.budget = TRI_BUDGET;
    check(tri_scope_setup() == 0);
    tri_slab_cache_init(&w->worker.scopes, tri_scope_slab());
    check(tri_task_setup() == 0);
    tri_slab_cache_init(&w->worker.tasks, tri_task_slab());
    w->task = tri_slab_get(&w->worker.tasks);
    w->task->type = &nothing_type;
    w->task->uncounted = true;
    atomic_init(&w->task->n_ref, 1);
    atomic_init(&w->worker.started, true);
    tri_wheel_init(&w->worker.wheel, w->now);
    w->frame.task = w->task;
    w->task->frame = &w->frame;
    w->task->movable = kind == TRI_KIND_MOVABLE;
    w->task->name = "explored";
    atomic_init(&w->task->a.wakee.kind, (unsigned char)kind);
    atomic_init(&w->task->a.wakee.word, TRI_READY);
    atomic_init(&w->task->a.home, &w->worker);
    return w;
}

void world_worker_enter(struct world_worker *w)
{
    tri_tls_worker = &w->worker;
    w->worker.task = w->task;
}

void world_worker_leave(void)
{
    tri_tls_worker->task = NULL;
    tri_tls_worker = NULL;
}

void world_worker_loop(struct world_worker *w)
{
    tri_worker_loop(&w->worker);
}

void world_worker_join(struct world_worker *w, struct world_worker *second)
{
    w->list[1] = &second->worker;
    w->rt.n_worker = 2;
    second->worker.index = 1;
    second->worker.rt = &w->rt;
    atomic_init(&w->rt.n_started, 2);
}

void world_worker_stop(struct world_worker *w)
{
    atomic_store(&w->rt.stopping, true);
    tri_worker_rouse_all(&w->rt);
}

void world_worker_raid(struct world_worker *w, struct world_worker *from)
{
    struct tri_actor *a;

    tri_steal_inbox(&w->worker, &from->worker);
    a = tri_deque_len(&w->worker.hot) == 0 ? tri_deque_steal(&from->worker.hot) : NULL;
    if (a) {
        tri_actor_moves(a, &w->worker);
        tri_deque_push(&w->worker.hot, a);
    }
    if (tri_deque_len(&w->worker.hot) > 0)
        tri_worker_loop(&w->worker);
}

void world_scope_open(struct world_worker *w, const struct tr_scope_opts *opts, tr_scope *ret_scope)
{
    world_worker_enter(w);
    *ret_scope = (tr_scope){ .owner = w->task, .opts = *opts };
    ret_scope->impl = tri_scope_new(&w->rt, NULL, w->task, opts);
    w->frame.n_scopes++;
    world_worker_leave();
}

void world_scope_close(struct world_worker *w, tr_scope *s)
{
    check(s->impl->n_live == 0);
    world_worker_enter(w);
    tri_scope_free(s->impl);
    world_worker_leave();
}

void world_worker_end(struct world_worker *w, int result)
{
    tri_task_end(w->task, result);
    w->has_ended = true;
    w->worker.task = NULL;
}

tr_task world_worker_handle(struct world_worker *w)
{
    tri_task_ref(w->task);
    return (tr_task){ w->task };
}

struct tri_worker *world_worker_of(struct world_worker *w)
{
    return &w->worker;
}

struct tri_wakee *world_worker_wakee(struct world_worker *w)
{
    return &w->task->a.wakee;
}

void world_worker_free(struct world_worker *w)
{
    if (!w)
        return;
    if (!w->has_ended) {
        free(w->frame.gate);
        tri_slab_put(&w->worker.tasks, w->task);
    }
    tri_runq_fini(&w->worker.own);
    tri_deque_fini(&w->worker.fresh);
    tri_deque_fini(&w->worker.hot);
    free(w);
}

/* ---- the threads of a case, by their numbers ---- */

void world_task(unsigned thread, enum tri_wakee_kind kind, uint16_t seat)
{
    tasks[thread] = world_worker_new(kind, seat);
}

bool world_is_task(void)
{
    return explore_self() < EXPLORE_THREADS && tasks[explore_self()] != NULL;
}

bool world_enter(void)
{
    if (world_is_task())
        world_worker_enter(tasks[explore_self()]);
    return world_is_task();
}

void world_end(int result)
{
    world_worker_end(tasks[explore_self()], result);
}

struct tri_runtime *world_runtime(unsigned thread)
{
    return &tasks[thread]->rt;
}

void world_same_runtime(unsigned thread, unsigned as)
{
    tasks[thread]->worker.rt = &tasks[as]->rt;
}

tr_task world_handle(unsigned thread)
{
    return world_worker_handle(tasks[thread]);
}

void world_finish(void)
{
    for (unsigned t = 0; t < EXPLORE_THREADS; t++) {
        world_worker_free(tasks[t]);
        tasks[t] = NULL;
    }
    world_gates_free();
}

/* ---- actor/runtime.h ---- */

struct tri_runtime *tri_runtime_self(void)
{
    return tri_tls_worker ? tri_tls_worker->rt : NULL;
}

/* ---- sync/owner.h: variables of a thread have one address here ---- */

void *tri_owner_self(void)
{
    static char threads[N_SELF];

    return world_is_task() ? (void *)&tasks[explore_self()]->task->a : &threads[explore_self()];
}

/* ---- once: each thread's parker, which it keeps for ever ---- */

static bool at_once(tr_arm *arm)
{
    (void)arm;
    return true;
}

static const struct tri_arm_ops at_once_ops = { .what = "at once", .attempt = at_once };

static void get_parker(void)
{
    tr_arm arm = { .ops = &at_once_ops };

    check(tri_wait_blocking(&arm, TR_NEVER, NULL) == 0);
}

static void nothing(void)
{
}

const struct explore_case world_warm_up = {
    .name = "warm-up",
    .setup = nothing,
    .thread = { get_parker, get_parker, get_parker },
    .finish = nothing,
};

/*
 * ---- in place of sched/gate_pool.c: no state from one run to the next. Gates that were given
 * back are memory to the end of the run, for late repliers; no case has a late walk. ----
 */

static struct tri_gate *put_gates;

struct tri_gate *tri_gate_get(struct tri_wakee *w)
{
    struct tri_gate *g = tri_mem_alloc(sizeof *g);

    atomic_init(&g->wakee, w);
    return g;
}

void tri_gate_put(struct tri_gate *g)
{
    g->next = put_gates;
    put_gates = g;
}

void world_gates_free(void)
{
    struct tri_gate *g;

    while ((g = put_gates)) {
        put_gates = g->next;
        free(g);
    }
}

struct tri_served *tri_served_get(void)
{
    return tri_mem_alloc(sizeof(struct tri_served));
}

void tri_served_put(struct tri_served *s)
{
    free(s);
}
