/* SPDX-License-Identifier: MIT */
/* test_runtime.c - options, results, several runtimes, threads, the simulator. */
#include "config.h"

#include <dirent.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include "mem/alloc.h"
#include "sched/kit.h"
#include "sched/scope.h"
#include "sched/task.h"

TR_SUITE(runtime, .init = kit_listen, .timeout = 20);

static atomic_uint n_run;
static unsigned n_worker;

static int note(tr_scope *root, void *arg)
{
    atomic_fetch_add(&n_run, 1);
    n_worker = tr_worker_count();
    check(root != NULL);
    check_ge(tr_worker_index(), 0);
    return arg ? *(int *)arg : 0;
}

/* ---- options and results ---- */

static void refused(struct tr_runtime_opts opts)
{
    check_eq(tr_run_with(&opts, note, NULL), -EINVAL);
    check_eq(n_run, 0);
}

TR_TEST(runtime, bad_options_are_refused)
{
    refused((struct tr_runtime_opts){ .n_worker = 100000 });
    refused((struct tr_runtime_opts){ .n_worker = 2, .current_thread = true });
    refused((struct tr_runtime_opts){ .stack_bytes = 12345 });
    refused((struct tr_runtime_opts){ .stop_budget = -1 });
    refused((struct tr_runtime_opts){ .stall_limit = -1 });
    check_eq(tr_run(NULL, NULL), -EINVAL);
}

TR_TEST(runtime, the_result_of_the_function_is_that_of_the_run)
{
    static const int results[] = { 0, 5, -EIO, -ECANCELED, INT_MAX, INT_MIN };

    for (unsigned i = 0; i < TR_LEN(results); i++) {
        int r = results[i];

        check_eq(tr_run(note, &r), r);
    }
    check_eq(n_run, TR_LEN(results));
    check_eq(tr_worker_count(), 0, "outside");
    check_eq(tr_worker_index(), -1);
}

TR_TEST(runtime, the_environment_sets_the_number_of_workers_and_an_option_wins)
{
    setenv("TR_WORKERS", "3", 1);
    check_eq(tr_run(note, NULL), 0);
    check_eq(n_worker, 3);
    check_eq(tr_run_with(&(struct tr_runtime_opts){ .n_worker = 2 }, note, NULL), 0);
    check_eq(n_worker, 2);
    check_eq(tr_run_with(&(struct tr_runtime_opts){ .current_thread = true }, note, NULL), 0);
    check_eq(n_worker, 1);
    unsetenv("TR_WORKERS");
    check_eq(tr_run(note, NULL), 0);
    check_ge(n_worker, 1);
}

TR_TEST(runtime, a_bad_number_of_workers_in_the_environment_is_refused)
{
    static const char *const bad[] = {
        "0", "-1", "x", "2x", "0x2", "1000000", "99999999999999999999"
    };

    for (unsigned i = 0; i < TR_LEN(bad); i++) {
        setenv("TR_WORKERS", bad[i], 1);
        check_eq(tr_run(note, NULL), -EINVAL, bad[i]);
    }
    check_eq(n_run, 0);
    setenv("TR_WORKERS", "", 1);
    check_eq(tr_run(note, NULL), 0, "empty is not set");
    setenv("TR_WORKERS", "02", 1);
    check_eq(tr_run(note, NULL), 0, "decimal");
}

static int run_inside(tr_scope *root, void *arg)
{
    (void)root;
    (void)arg;
    return tr_run(note, NULL);
}

TR_TEST(runtime, a_runtime_inside_a_task_is_refused)
{
    check_eq(tr_run(run_inside, NULL), -EDEADLK);
    check_eq(n_run, 0);
    check_eq(n_told[TR_EVENT_MISUSE], 1);
    check(strstr(told, "'root'") != NULL);
}

/* ---- what is left behind ---- */

struct arg {
    unsigned key;
};

static atomic_uint n_dropped, n_begun, n_ended;

static void arg_drop(struct arg *a)
{
    atomic_fetch_add(&n_dropped, a->key != 0);
}

TR_TASK(sleeper, struct arg, arg_drop);

static int sleeper(struct arg *a)
{
    int r;

    atomic_fetch_add(&n_begun, 1);
    r = a->key % 2 ? tr_sleep(TR_NEVER) : tr_sleep(tr_after(TR_S(100)));
    atomic_fetch_add(&n_ended, 1);
    return r;
}

enum { MANY = 1000 };

static int leave_many(tr_scope *root, void *arg)
{
    for (unsigned i = 1; i <= MANY; i++) {
        struct arg a = { i };

        check_eq(sleeper_spawn(root, &a, &(struct tr_task_opts){ .flags = *(unsigned *)arg }),
                 0);
        if (i == MANY / 2) /* some have started, some have not */
            (void)tr_sleep(tr_after(TR_MS(1)));
    }
    return 3;
}

TR_TEST(runtime, what_still_runs_when_the_function_returns_is_cancelled_and_joined)
{
    const struct tr_runtime_opts opts = { .n_worker = 2 };

    check_eq(tr_run_with(&opts, leave_many, &(unsigned){ 0 }), 3);
    check_eq(n_dropped, MANY);
    check_eq(tr_run_with(&opts, leave_many, &(unsigned){ TR_TASK_SPREAD }), 3);
    check_eq(tr_run_with(&opts, leave_many, &(unsigned){ TR_TASK_MOVABLE }), 3);
    check_eq(n_dropped, 3 * MANY);
    check_ge(n_begun, 1);
    check_eq(n_ended, n_begun, "who had started has ended by a return");
    check_eq(n_told[TR_EVENT_FAILED], 0);
}

TR_MPSC(intq, int, tr_nodrop);

struct reply {
    tr_task task;
    intq_tx tx;
};

TR_TASK(cross, struct reply, tr_nodrop);

static int cross(struct reply *r)
{
    (void)r;
    return tr_sleep(TR_NEVER);
}

static tr_task outlives;

static int leave_handle(tr_scope *root, void *arg)
{
    struct reply r = { { NULL }, { { NULL, 0 } } };

    (void)arg;
    return cross_spawn(root, &r, &(struct tr_task_opts){ .ret_task = &outlives });
}

TR_TEST(runtime, a_handle_outlives_its_runtime)
{
    int r = 0;

    check_eq(tr_run(leave_handle, NULL), 0);
    check(tr_task_is_finished(&outlives));
    tr_task_abort(&outlives);
    check_eq(tr_task_blocking_join(&outlives, TR_NEVER, &r), 0);
    check_eq(r, -ECANCELED);
}

static int receive_one(tr_scope *root, void *arg)
{
    int m = 0;
    /* With a timer that often wins: the worker wakes by itself while the sender wakes it. */
    int r = intq_recv(arg, tr_after(TR_US(60)), &m);

    (void)root;
    return r == -ETIMEDOUT ? 0 : r;
}

static void *send_one(void *arg)
{
    int m = 1;

    return (void *)(intptr_t)intq_blocking_send(arg, &m, TR_NEVER);
}

TR_TEST(runtime, a_wake_from_outside_may_come_at_its_end)
{
    for (unsigned i = 0; i < 300 + 50 * (repeats() - 1); i++) {
        const struct tr_runtime_opts opts = { .n_worker = 1 + i % 2 };
        pthread_t thread;
        intq_tx tx;
        intq_rx rx;

        need_eq(intq_new(1, &tx, &rx), 0);
        need_eq(pthread_create(&thread, NULL, send_one, &tx), 0);
        check_eq(tr_run_with(&opts, receive_one, &rx), 0);
        pthread_join(thread, NULL);
        intq_tx_close(&tx);
        intq_rx_close(&rx);
    }
}

/* ---- threads ---- */

static unsigned count_threads(void)
{
    DIR *dir = opendir("/proc/self/task");
    unsigned n = 0;

    while (dir && readdir(dir))
        n++;
    if (dir)
        closedir(dir);
    return n - 2; /* . and .. */
}

static int work(tr_scope *root, void *arg)
{
    (void)arg;
    for (unsigned i = 1; i <= 50; i++) {
        struct arg a = { 2 * i };

        check_eq(sleeper_spawn(root, &a, &(struct tr_task_opts){ .flags = TR_TASK_SPREAD }), 0);
    }
    check_eq(tr_sleep(tr_after(TR_MS(3))), 0);
    return (int)count_threads();
}

TR_TEST(runtime, a_current_thread_runtime_and_the_simulator_start_no_thread)
{
    unsigned before = count_threads();

    check_eq(tr_run_with(&(struct tr_runtime_opts){ .current_thread = true }, work, NULL),
             (int)before);
    check_eq(tr_run_with(&(struct tr_runtime_opts){ .simulate = true }, work, NULL),
             (int)before);
}

TR_TEST(runtime, every_thread_has_gone_when_it_returns)
{
    unsigned before;

    check_gt(tr_run_with(&(struct tr_runtime_opts){ .n_worker = 3 }, work, NULL), 0);
    before = count_threads(); /* and a sanitizer's own, which comes with the first */
    for (unsigned i = 0; i < 20; i++)
        check_gt(tr_run_with(&(struct tr_runtime_opts){ .n_worker = 3 }, work, NULL), 0);
    /*
     * The kernel wakes who joins before it takes the thread out of /proc; the test's limit is
     * ours.
     */
    while (count_threads() > before)
        (void)sched_yield();
    check_le(count_threads(), before);
}

static void *run_in_thread(void *arg)
{
    for (unsigned i = 0; i < 10; i++)
        check_eq(tr_run_with(arg, leave_many, &(unsigned){ TR_TASK_SPREAD }), 3);
    return NULL;
}

TR_TEST(runtime, several_run_at_once)
{
    static struct tr_runtime_opts opts[4] = {
        { .n_worker = 2 }, { .current_thread = true }, { .simulate = true }, { .n_worker = 1 }
    };
    pthread_t thread[4];

    for (unsigned i = 0; i < 4; i++)
        need_eq(pthread_create(&thread[i], NULL, run_in_thread, &opts[i]), 0);
    for (unsigned i = 0; i < 4; i++)
        pthread_join(thread[i], NULL);
    check_eq(n_dropped, 4 * 10 * MANY);
}

static int ping(tr_scope *root, void *arg)
{
    struct {
        intq_tx tx;
        intq_rx rx;
    } *end = arg;

    (void)root;
    for (int i = 0; i < 500; i++) {
        int m = i;

        check_eq(intq_send(&end->tx, &m, TR_NEVER), 0);
        check_eq(intq_recv(&end->rx, TR_NEVER, &m), 0);
        check_eq(m, i);
    }
    return 0;
}

static void *run_ping(void *arg)
{
    check_eq(tr_run_with(&(struct tr_runtime_opts){ .n_worker = 1 }, ping, arg), 0);
    return NULL;
}

TR_TEST(runtime, tasks_of_two_runtimes_talk)
{
    struct {
        intq_tx tx;
        intq_rx rx;
    } a, b;
    pthread_t thread;

    need_eq(intq_new(1, &a.tx, &b.rx), 0);
    need_eq(intq_new(1, &b.tx, &a.rx), 0);
    need_eq(pthread_create(&thread, NULL, run_ping, &a), 0);
    run_ping(&b);
    pthread_join(thread, NULL);
    intq_tx_close(&a.tx);
    intq_rx_close(&a.rx);
    intq_tx_close(&b.tx);
    intq_rx_close(&b.rx);
}

/* ---- without memory ---- */

static int spawn_some(tr_scope *root, void *arg)
{
    (void)arg;
    for (unsigned i = 1; i <= 20; i++) {
        struct arg a = { 2 * i };
        int r = sleeper_spawn(root, &a, NULL);

        check(r == 0 || r == -ENOMEM);
    }
    (void)tr_sleep(tr_after(TR_MS(1)));
    return 0;
}

static void check_none_out(int r, struct tri_slab *s)
{
    check_eq(r, 0);
    check_eq(tri_slab_n_out(s), 0);
}

/* In a process of its own, where no slab has a block yet: its @nth request fails. */
static int first_run(long nth)
{
    const struct tr_runtime_opts opts = { .current_thread = true };
    bool failed;
    int r;

    tri_mem_fail_at(nth);
    r = tr_run_with(&opts, spawn_some, NULL);
    failed = tri_mem_has_failed();
    tri_mem_fail_at(0);
    check(r == 0 || r == -ENOMEM);
    check_none_out(tri_task_setup(), tri_task_slab());
    check_none_out(tri_scope_setup(), tri_scope_slab());
    return test_n_failed() > 0 ? -1 : failed;
}

TR_TEST(runtime, a_request_that_fails_in_the_first_run_leaves_no_record_behind)
{
    for (long nth = 1, status = 1; status == 1; nth++) {
        pid_t pid = fork();
        int s = -1;

        if (pid == 0)
            _exit(first_run(nth));
        need_eq(waitpid(pid, &s, 0), pid);
        need(WIFEXITED(s));
        status = WEXITSTATUS(s);
        need_lt(status, 2, "records are left");
        need_lt(nth, 200, "it never ran without a failure");
    }
}

TR_TEST(runtime, a_request_for_memory_that_fails_leaves_nothing_behind)
{
    const struct tr_runtime_opts opts = { .current_thread = true };

    check_eq(tr_run_with(&opts, note, NULL), 0); /* what is made once */
    for (long nth = 1; nth < 200; nth++) {
        bool failed;
        int r;

        tri_mem_fail_at(nth);
        r = tr_run_with(&opts, spawn_some, NULL);
        failed = tri_mem_has_failed();
        tri_mem_fail_at(0);
        check(r == 0 || r == -ENOMEM);
        if (!failed)
            return;
    }
    check(false, "it never ran without a failure");
}

/* ---- the simulator ---- */

static const struct tr_runtime_opts sim = { .simulate = true, .seed = 42 };

static int sleep_a_year(tr_scope *root, void *arg)
{
    tr_time begin = tr_now();

    (void)root;
    check_eq(tr_sleep(tr_after(TR_S(365 * 86400))), 0);
    check_ge(tr_now() - begin, TR_S(365 * 86400));
    check_lt(tr_now() - begin, TR_S(365 * 86400) + TR_MS(1));
    *(tr_time *)arg = tr_now() - begin;
    return 0;
}

TR_TEST(runtime, virtual_time_jumps)
{
    tr_time slept = 0, begin = tr_now();

    check_eq(tr_run_with(&sim, sleep_a_year, &slept), 0);
    check_gt(slept, TR_S(1000));
    check_lt(tr_now() - begin, TR_S(5), "and the real one does not");
}

static char order[4096];
static unsigned n_order;

TR_TASK(writes, struct arg, tr_nodrop);

static int writes(struct arg *a)
{
    for (unsigned i = 0; i < 40; i++) {
        if (n_order < sizeof order - 1)
            order[n_order++] = (char)('a' + a->key);
        if (i % 4 == 3 ? tr_sleep(tr_after(TR_MS(1))) < 0 : tr_yield() < 0)
            return -ECANCELED;
    }
    return 0;
}

static int write_all(tr_scope *root, void *arg)
{
    (void)arg;
    n_order = 0;
    memset(order, 0, sizeof order);
    for (unsigned i = 0; i < 10; i++)
        check_eq(writes_spawn(root, &(struct arg){ i }, NULL), 0);
    return tr_scope_join(root, TR_NEVER);
}

TR_TEST(runtime, the_same_seed_gives_the_same_order_and_another_another)
{
    static char first[sizeof order];
    struct tr_runtime_opts opts = { .simulate = true, .seed = 7 };

    check_eq(tr_run_with(&opts, write_all, NULL), 0);
    check_eq(n_order, 400);
    memcpy(first, order, sizeof first);
    check_eq(tr_run_with(&opts, write_all, NULL), 0);
    check_str(order, first);
    opts.seed = 8;
    check_eq(tr_run_with(&opts, write_all, NULL), 0);
    check(strcmp(order, first) != 0);
}

TR_TEST(runtime, the_seed_comes_from_the_environment)
{
    static char first[sizeof order];
    struct tr_runtime_opts opts = { .simulate = true, .seed = 0xfedcba9876543210u };

    check_eq(tr_run_with(&opts, write_all, NULL), 0);
    memcpy(first, order, sizeof first);
    opts.seed = 0;
    setenv("TR_SEED", "0xfedcba9876543210", 1);
    check_eq(tr_run_with(&opts, write_all, NULL), 0);
    check_str(order, first);
}

TR_TEST(runtime, a_bad_seed_in_the_environment_is_refused)
{
    static const char *const bad[] = { "x", "12x", "-1", "0x1ffffffffffffffff" };

    for (unsigned i = 0; i < TR_LEN(bad); i++) {
        setenv("TR_SEED", bad[i], 1);
        check_eq(tr_run(note, NULL), -EINVAL, bad[i]);
    }
    setenv("TR_SEED", "0", 1);
    check_eq(tr_run(note, NULL), 0);
    check_eq(n_run, 1);
}

static int wait_for_nothing(tr_scope *root, void *arg)
{
    (void)arg;
    for (unsigned i = 1; i <= 3; i++) {
        struct arg a = { 1 };

        check_eq(sleeper_spawn(root, &a, NULL), 0);
    }
    return tr_scope_join(root, TR_NEVER);
}

TR_TEST(runtime, a_deadlock_of_children_is_told_and_cancelled)
{
    int r = tr_run_with(&sim, wait_for_nothing, NULL);

    check(r == 0 || r == -ECANCELED, "the root task, too, was cancelled: who ran first?");
    check_eq(n_dropped, 3);
}

static int wait_alone(tr_scope *root, void *arg)
{
    intq_tx tx;
    intq_rx rx;
    int m, r;

    (void)root;
    (void)arg;
    if (intq_new(1, &tx, &rx) < 0)
        return -ENOMEM;
    r = intq_recv(&rx, TR_NEVER, &m);
    intq_tx_close(&tx);
    intq_rx_close(&rx);
    return r;
}

TR_TEST(runtime, a_deadlock_of_the_root_task_is_told_and_cancelled)
{
    check_eq(tr_run_with(&sim, wait_alone, NULL), -ECANCELED);
}
