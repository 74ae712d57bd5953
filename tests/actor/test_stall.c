/* SPDX-License-Identifier: MIT */
/* test_stall.c - a worker that is held too long is reported, and nothing is disturbed by it. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <troupe.h>

#include "actor/conductor.h"
#include "sched/worker.h"
#include "support/tr-actor-test.h"

TR_SUITE(stall, .timeout = 20);

static const struct tr_runtime_opts quick = { .n_worker = 2, .stall_limit = TR_MS(20) };

struct nothing {
    int unused;
};

static struct nothing none;
static atomic_int n_told;
static char told[400];
static int fd[2];

static void hook(enum tr_event_kind kind, const char *text, void *arg)
{
    (void)arg;
    if (kind != TR_EVENT_STALLED)
        return;
    snprintf(told, sizeof told, "%s", text);
    n_told++;
    if (fd[1] > 0)
        (void)!write(fd[1], "x", 1);
}

TR_TASK(spinner, struct nothing, tr_nodrop);
static int spinner(struct nothing *arg)
{
    (void)arg;
    while (n_told == 0)
        ;
    return 0;
}

/* Here the worker has been idle before. */
static int run_spinner(tr_scope *root, void *arg)
{
    int r = tr_sleep(tr_after(TR_MS(1)));

    (void)arg;
    if (r == 0)
        r = spinner_spawn(root, &none, NULL);
    return r < 0 ? r : tr_scope_join(root, TR_NEVER);
}

TR_TEST(stall, a_task_that_does_not_wait_is_named)
{
    tr_hook_set(hook, NULL);
    check_eq(tr_run_with(&quick, run_spinner, NULL), 0);
    check(strstr(told, "task 'spinner' #"), told);
    check(strstr(told, "has held worker"), told);
}

/* ---- a runtime that has not been idle yet ---- */

TR_TASK(busy, struct nothing, tr_nodrop);
static int busy(struct nothing *arg)
{
    (void)arg;
    while (n_told == 0)
        if (tr_yield() < 0)
            return -ECANCELED;
    return 0;
}

/* Gives way for some 30 ms, and some times after that however late it is; and then no more. */
static int run_busy(tr_scope *root, void *arg)
{
    tr_time end = tr_after(TR_MS(30));
    int r = busy_spawn(root, &none, NULL);
    unsigned n_late = 0;

    (void)arg;
    while (r == 0 && (tr_now() < end || n_late++ < 64))
        r = tr_yield();
    return r < 0 ? r : spinner(&none);
}

TR_TEST(stall, a_worker_that_was_never_idle_is_watched_between_its_slices)
{
    tr_hook_set(hook, NULL);
    check_eq(tr_run_with(&(struct tr_runtime_opts){ .n_worker = 1, .stall_limit = TR_MS(20) },
                         run_busy, NULL),
             0);
    check(strstr(told, "task 'root' #"), told);
}

static atomic_uint n_brief;

TR_TASK(brief, struct nothing, tr_nodrop);
static int brief(struct nothing *arg)
{
    (void)arg;
    n_brief++;
    return 0;
}

/*
 * The first slice never ends; but what it has spawned is stolen by a worker that is idle then.
 */
static int run_backlog(tr_scope *root, void *arg)
{
    int r = 0;

    (void)arg;
    for (int i = 0; i < 4 && r == 0; i++)
        r = brief_spawn(root, &none, NULL);
    return r < 0 ? r : spinner(&none);
}

TR_TEST(stall, the_first_slice_is_watched_once_another_worker_has_been_idle)
{
    tr_hook_set(hook, NULL);
    check_eq(tr_run_with(&quick, run_backlog, NULL), 0);
    check(strstr(told, "task 'root' #"), told);
    check_eq(n_brief, 4);
}

static int app(tr_scope *root, int argc, char **argv)
{
    (void)root;
    (void)argc;
    (void)argv;
    return spinner(&none);
}

TR_TEST(stall, tr_main_watches_from_the_first_slice_on)
{
    char *argv[] = { (char[]){ "spin" }, NULL };

    tr_hook_set(hook, NULL);
    check_eq(tr_main_with(&(struct tr_runtime_opts){ .n_worker = 1, .stall_limit = TR_MS(20) },
                          app, 1, argv),
             0);
    check(strstr(told, "task 'root' #"), told);
}

/* Spawns, joins, and never was without work. */
static int run_short(tr_scope *root, void *arg)
{
    int r = brief_spawn(root, &none, NULL);

    (void)arg;
    if (r == 0)
        r = tr_scope_join(root, TR_NEVER);
    return r < 0 ? r : tri_worker_self()->rt->conductor->started;
}

/* What it costs: a run that is over before all that has no thread for it. */
TR_TEST(stall, a_short_run_starts_no_thread_for_it)
{
    check_eq(tr_run_with(&(struct tr_runtime_opts){ .n_worker = 1 }, run_short, NULL), 0);
}

/* ---- short slices ---- */

static int fill(tr_scope *root, void *arg)
{
    tr_time end;
    int r = tr_sleep(tr_after(TR_MS(1)));

    (void)root;
    (void)arg;
    for (int i = 0; i < 10 && r == 0; i++) {
        for (end = tr_after(TR_MS(5)); tr_now() < end;)
            ;
        r = tr_yield();
    }
    return r;
}

TR_TEST(stall, slices_shorter_than_the_limit_are_not_reported)
{
    tr_hook_set(hook, NULL);
    check_eq(tr_run_with(&(struct tr_runtime_opts){ .stall_limit = TR_S(1) }, fill, NULL), 0);
    check_eq(n_told, 0);
}

/* ---- in a system call ---- */

static int n_read, read_error;

TR_TASK(reader, struct nothing, tr_nodrop);
static int reader(struct nothing *arg)
{
    char c;

    (void)arg;
    n_read = (int)read(fd[0], &c, 1);
    read_error = errno;
    return 0;
}

static int run_reader(tr_scope *root, void *arg)
{
    int r = tr_sleep(tr_after(TR_MS(1)));

    (void)arg;
    if (r == 0)
        r = reader_spawn(root, &none, NULL);
    return r < 0 ? r : tr_scope_join(root, TR_NEVER);
}

TR_TEST(stall, a_system_call_is_named_and_not_interrupted)
{
    need_eq(pipe2(fd, O_CLOEXEC), 0);
    tr_hook_set(hook, NULL);
    check_eq(tr_run_with(&quick, run_reader, NULL), 0);
    check_eq(n_read, 1, "it got the byte that the hook wrote, not EINTR");
    check(strstr(told, "in read()"), told);
    close(fd[0]);
    close(fd[1]);
}

/* ---- handlers ---- */

struct state {
    int unused;
};

struct message {
    int unused;
};

TR_HANDLER(slow, struct state, struct message, tr_nodrop, tr_nodrop);
static int slow(struct state *self, struct message *m)
{
    (void)self;
    (void)m;
    while (n_told == 0)
        ;
    return tr_handler_stop();
}

static int run_slow(tr_scope *root, void *arg)
{
    slow_ref ref;
    int r = slow_spawn(root, &(struct state){ 0 }, NULL, &ref);

    (void)arg;
    if (r == 0)
        r = tr_sleep(tr_after(TR_MS(1)));
    if (r == 0)
        r = slow_try_send(&ref, &(struct message){ 0 });
    slow_ref_close(&ref);
    return r < 0 ? r : tr_scope_join(root, TR_NEVER);
}

TR_TEST(stall, a_handler_that_takes_too_long_is_named)
{
    tr_hook_set(hook, NULL);
    check_eq(tr_run_with(&quick, run_slow, NULL), 0);
    check(strstr(told, "handler 'slow' #"), told);
}

/* ---- a worker that starts while the conductor sleeps ---- */

TR_TASK(sleeper, struct nothing, tr_nodrop);
static int sleeper(struct nothing *arg)
{
    (void)arg;
    return tr_sleep(TR_NEVER);
}

static struct tri_runtime *rt;
static tr_task asleep;

/* Worker 0 has a task that spreads; the next one starts worker 1, and nobody else wakes. */
static void *spawn_when_all_sleep(void *scope)
{
    while (!atomic_load(&rt->unwatched))
        (void)sched_yield();
    check_eq(spinner_spawn(scope, &none, &(struct tr_task_opts){ .flags = TR_TASK_SPREAD }), 0);
    while (n_told == 0)
        (void)sched_yield();
    tr_task_abort(&asleep);
    tr_task_close(&asleep);
    return NULL;
}

static int run_late_worker(tr_scope *root, void *arg)
{
    pthread_t thread;

    (void)arg;
    rt = tri_worker_self()->rt;
    check_eq(sleeper_spawn(root, &none, &(struct tr_task_opts){ .flags = TR_TASK_SPREAD,
                                                                .ret_task = &asleep }), 0);
    check_eq(pthread_create(&thread, NULL, spawn_when_all_sleep, root), 0);
    check_eq(tr_scope_join(root, TR_NEVER), 0);
    return pthread_join(thread, NULL);
}

TR_TEST(stall, the_first_slice_of_a_worker_is_watched_too, .timeout = 10)
{
    tr_hook_set(hook, NULL);
    check_eq(tr_run_with(&quick, run_late_worker, NULL), 0);
    check_eq(n_told, 1);
    check_ne(strstr(told, "has held worker 1"), NULL, told);
}
