/* SPDX-License-Identifier: MIT */
/*
 * run.c - records histories: of threads, of tasks on two workers, of both at once, and of tasks
 * in the simulator. The choices depend on TR_SEED and the number of the history; so does the
 * order, in the simulator.
 *
 * A stamp is a number from one counter. acq_rel: a call that had ended before another one began
 * has happened before it, in the sense of C11 too; nothing less is a promise of the library.
 */
#include "config.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <troupe.h>

#include "base/relax.h"
#include "linear/linear.h"
#include "support/tr-check.h"
#include "support/tr-guard.h"

enum mode { THREADS, TASKS, MIXED, SIMULATED, N_MODE };
static const char *const mode_names[N_MODE] = { "threads", "tasks", "threads and tasks",
                                                "simulated tasks" };

static struct {
    const struct lin_subject *subject;
    enum mode mode;
    unsigned n;       /* histories */
    bool is_wrong;    /* one was refused */
    bool is_expected; /* and that is right */
    unsigned wrong;   /* its number */
    unsigned long n_call, n_met;
} run;

static struct lin_history history;
static struct lin_log logs[LIN_WHO + 1];
static atomic_uint clock_now, n_away;

static unsigned number_in(const char *name, unsigned otherwise)
{
    const char *text = getenv(name);

    return text && *text ? (unsigned)strtoul(text, NULL, 0) : otherwise;
}

/* ---- calls ---- */

struct lin_op *lin_begin(struct lin_log *log, unsigned kind, unsigned end, int in)
{
    struct lin_op *op = &log->op[log->n++];

    if (log->n > TR_LEN(log->op))
        abort();
    *op = (struct lin_op){
        .who = log->who, .kind = (uint8_t)kind, .end = (uint8_t)end, .in = in
    };
    op->from = atomic_fetch_add_explicit(&clock_now, 1, memory_order_acq_rel);
    return op;
}

int lin_end(struct lin_op *op, int r, int out)
{
    op->to = atomic_fetch_add_explicit(&clock_now, 1, memory_order_acq_rel);
    op->r = r;
    op->out = out;
    return r;
}

void lin_pause(struct lin_log *log)
{
    const unsigned how = lin_below(log, 8);

    if (how == 0 || (log->in_task && how < 3))
        (void)(log->in_task ? tr_yield() : sched_yield());
    else if (how < 6)
        for (unsigned i = lin_below(log, 64); i > 0; i--)
            tri_relax();
}

int64_t lin_soon(struct lin_log *log)
{
    return lin_below(log, 3) == 0 ? TR_NOW : tr_after(TR_US(lin_below(log, 40)));
}

/* ---- one history ---- */

/* Begins when all have arrived, or soon: on a busy machine some may not run for long. */
static void take_part(struct lin_log *log)
{
    atomic_fetch_sub(&n_away, 1);
    for (unsigned i = 0; i < 2000 && atomic_load(&n_away) > 0; i++)
        if (log->in_task && i % 64 == 0)
            (void)tr_yield();
        else
            tri_relax();
    run.subject->turn(log);
}

static bool is_task(unsigned who)
{
    return run.mode == MIXED ? who % 2 == 0 : run.mode != THREADS;
}

/* The number of the @i-th history of the mode; with TR_HISTORY all are that one. */
static unsigned number_of(unsigned i)
{
    return number_in("TR_HISTORY", (unsigned)run.mode * 1000000 + i);
}

static void begin_history(unsigned number)
{
    struct tri_rand rand;

    memset(&history, 0, sizeof history);
    tri_rand_init(&rand, test_seed() + number);
    for (unsigned who = 0; who <= LIN_WHO; who++) {
        logs[who].n = 0;
        logs[who].who = (uint8_t)who;
        logs[who].in_task = who < LIN_WHO ? is_task(who) : run.mode != THREADS;
        tri_rand_init(&logs[who].rand, tri_rand_next(&rand));
    }
    atomic_store(&clock_now, 0);
    atomic_store(&n_away, run.subject->n_who);
    run.subject->open(&history, &rand);
}

/* Puts the logs together. */
static void gather(void)
{
    for (unsigned who = 0; who <= LIN_WHO; who++)
        for (unsigned i = 0, base = history.n; i < logs[who].n; i++) {
            struct lin_op op = logs[who].op[i];

            if (history.n == LIN_OPS)
                abort();
            if (op.after > 0)
                op.after = (uint8_t)(op.after + base);
            history.op[history.n++] = op;
        }
    lin_sort(&history);
}

/* How many calls there were, and how many of them met another one. */
static void count_calls(void)
{
    run.n_call += history.n;
    for (unsigned i = 0; i < history.n; i++)
        for (unsigned j = 0; j < history.n; j++)
            if (j != i && lin_meet(&history.op[i], &history.op[j])) {
                run.n_met++;
                break;
            }
}

static void end_history(unsigned number)
{
    const struct lin_model *m = run.subject->model;

    run.subject->close(&logs[LIN_WHO]);
    gather();
    count_calls();
    if (lin_is_right(m, &history))
        return;
    run.is_wrong = true;
    run.wrong = number;
    if (run.is_expected)
        return;
    printf("# history %u of %s; TR_HISTORY=%u repeats its choices\n", number,
           mode_names[run.mode], number);
    lin_show(m, &history, lin_wrong_at(m, &history));
    check(false, "the history has an order that the model accepts");
}

static bool goes_on(unsigned i)
{
    return i < run.n && !run.is_wrong && test_n_failed() == 0;
}

/* ---- threads: all meet at the gate before a history, and after it ---- */

static struct {
    pthread_barrier_t gate;
    pthread_t thread[LIN_WHO];
    unsigned who[LIN_WHO], n;
    bool is_over;
} pool;

static void *pool_main(void *arg)
{
    for (;;) {
        (void)pthread_barrier_wait(&pool.gate);
        if (pool.is_over)
            return NULL;
        take_part(&logs[*(unsigned *)arg]);
        (void)pthread_barrier_wait(&pool.gate);
    }
}

/* Starts a thread for each who is not a task, beside the first. */
static void pool_open(void)
{
    pool.n = 0;
    pool.is_over = false;
    for (unsigned who = run.mode == THREADS; who < run.subject->n_who; who++)
        if (!is_task(who))
            pool.who[pool.n++] = who;
    if (pthread_barrier_init(&pool.gate, NULL, pool.n + 1) != 0)
        abort();
    for (unsigned i = 0; i < pool.n; i++)
        if (pthread_create(&pool.thread[i], NULL, pool_main, &pool.who[i]) != 0)
            abort();
}

static void pool_meet(void)
{
    (void)pthread_barrier_wait(&pool.gate);
}

static void pool_close(void)
{
    pool.is_over = true;
    pool_meet();
    for (unsigned i = 0; i < pool.n; i++)
        pthread_join(pool.thread[i], NULL);
    pthread_barrier_destroy(&pool.gate);
}

static void run_threads(void)
{
    pool_open();
    for (unsigned i = 0; goes_on(i); i++) {
        begin_history(number_of(i));
        pool_meet();
        take_part(&logs[0]);
        pool_meet();
        end_history(number_of(i));
    }
    pool_close();
}

/* ---- tasks ---- */

struct part {
    struct lin_log *log;
};
TR_TASK(part, struct part, tr_nodrop);

static int part(struct part *p)
{
    take_part(p->log);
    return 0;
}

static void run_in_tasks(unsigned number)
{
    const struct tr_task_opts opts = { .flags = TR_TASK_SPREAD };
    tr_scope scope = tr_scope_open(NULL);

    begin_history(number);
    for (unsigned who = 0; who < run.subject->n_who; who++)
        if (is_task(who)) {
            struct part p = { &logs[who] };

            if (part_spawn(&scope, &p, &opts) < 0)
                abort();
        }
    if (run.mode == MIXED)
        pool_meet();
    check_eq(tr_scope_join(&scope, TR_NEVER), 0);
    tr_scope_end(&scope);
    if (run.mode == MIXED)
        pool_meet();
    end_history(number);
}

static int tasks_main(tr_scope *root, void *unused)
{
    (void)root;
    (void)unused;
    for (unsigned i = 0; goes_on(i); i++)
        run_in_tasks(number_of(i));
    return 0;
}

static void run_tasks(void)
{
    const struct tr_runtime_opts opts = { .n_worker = run.mode == SIMULATED ? 0 : 2,
                                          .simulate = run.mode == SIMULATED,
                                          .seed = test_seed() | 1 };

    if (run.mode == MIXED)
        pool_open();
    check_eq(tr_run_with(&opts, tasks_main, NULL), 0);
    if (run.mode == MIXED)
        pool_close();
}

/* ---- all of them ---- */

/* TR_FULL=1: ten times as many as @n; else TR_REPEAT times; a quarter where all is slow. */
static unsigned n_histories(unsigned n)
{
    const unsigned n_repeat = number_in("TR_REPEAT", 1);

    if (number_in("TR_FULL", 0))
        n *= 10;
    else if (n_repeat > 0)
        n *= n_repeat;
    return tri_guard_is_slow() ? n / 4 : n;
}

static void run_mode(enum mode mode, unsigned n)
{
    run.mode = mode;
    run.n = number_of(0) / 1000000 == (unsigned)mode ? n : 0;
    if (run.n == 0)
        return;
    if (mode == THREADS)
        run_threads();
    else
        run_tasks();
}

static void run_all(const struct lin_subject *s, unsigned n)
{
    memset(&run, 0, sizeof run);
    run.subject = s;
    run_mode(THREADS, n / 2);
    run_mode(TASKS, n / 4);
    run_mode(MIXED, n / 8);
    run_mode(SIMULATED, n / 8);
    printf("# %s: %u histories, %lu calls, %lu of them beside another\n", s->model->name, n,
           run.n_call, run.n_met);
}

void lin_run(const struct lin_subject *s, unsigned n)
{
    run_all(s, n_histories(n));
}

void lin_must_refuse(const struct lin_subject *s, unsigned n)
{
    if (getenv("TR_HISTORY"))
        test_skip("looks for one history");
    memset(&run, 0, sizeof run);
    run.subject = s;
    run.is_expected = true;
    run_mode(THREADS, n);
    check(run.is_wrong, "a history of the broken object is refused");
    if (run.is_wrong)
        printf("# %s: refused at history %u\n", s->model->name, run.wrong);
}
