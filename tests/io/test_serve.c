/* SPDX-License-Identifier: MIT */
/* test_serve.c - the accept loop: what it takes, when it pauses, how it ends. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

#include "io/sock-kit.h"
#include "support/tr-guard.h"

enum { MANY = 40 };

static tr_sock listener, client[MANY];
static char address[32];
static size_t n_before;
static atomic_uint n_started, n_starved, worker_seen[64];
static atomic_bool door_runs;

static void hook(enum tr_event_kind kind, const char *text, void *arg)
{
    (void)text;
    (void)arg;
    if (kind == TR_EVENT_STARVED)
        atomic_fetch_add(&n_starved, 1);
}

static void open_listener(void)
{
    n_before = tri_sock_n_open();
    tr_hook_set(hook, NULL);
    listener = listen_here(address);
}

static void close_listener(void)
{
    check_eq(listener.impl, NULL, "tr_serve() closes the listener when it ends");
    check_eq(tri_sock_n_open(), n_before, "socket records left in use");
    tr_hook_set(NULL, NULL);
}

TR_SUITE(serve, .init = open_listener, .fini = close_listener, .timeout = 20);

/* ---- a server of lines ---- */

struct echo {
    tr_sock s;
};

static void echo_drop(struct echo *e)
{
    tr_sock_close(&e->s);
}
TR_TASK(echo, struct echo, echo_drop);

static int echo(struct echo *e)
{
    char line[64];
    ssize_t n, r = 0;

    atomic_fetch_add(&n_started, 1);
    atomic_fetch_add(&worker_seen[tr_worker_index()], 1);
    while (r >= 0 && (n = tr_read_line(&e->s, line, sizeof line, TR_UNTIL_DRAIN)) > 0)
        r = tr_write(&e->s, line, (size_t)n, TR_NEVER);
    return 0;
}

static int echo_open(tr_scope *scope, tr_sock *s, void *arg)
{
    struct echo e = { *s };

    (void)arg;
    *s = (tr_sock){ 0 };
    return echo_spawn(scope, &e, NULL);
}

struct door {
    const struct tr_serve_opts *opts;
    tr_serve_fn *fn;
    void *arg;
    tr_time sleep_until, deadline;
    int *ret_result;
};
TR_TASK(door, struct door, tr_nodrop);

static int door(struct door *d)
{
    tr_scope conns TR_CLEANUP(tr_scope_end) =
        tr_scope_open(&(struct tr_scope_opts){ .name = "conns", .policy = TR_POLICY_COLLECT });

    atomic_store(&door_runs, true);
    (void)tr_sleep(d->sleep_until);
    *d->ret_result =
        tr_serve(&listener, &conns, d->opts, d->fn ? d->fn : echo_open, d->arg, d->deadline);
    return tr_scope_join(&conns, TR_NEVER);
}

static void start_door(tr_scope *scope, struct door d)
{
    check_eq(door_spawn(scope, &d, NULL), 0);
}

/* Connects the first @n clients, each with one line sent. */
static void connect_clients(int n)
{
    for (int i = 0; i < n; i++) {
        need_eq(tr_tcp_connect(address, tr_after(TR_S(5)), &client[i]), 0);
        need_eq(tr_write(&client[i], "hi\n", 3, TR_NEVER), 3);
    }
}

static ssize_t answer(int i, tr_time span)
{
    char line[8];

    return tr_read_line(&client[i], line, sizeof line, tr_after(span));
}

static void close_clients(void)
{
    for (int i = 0; i < MANY; i++)
        tr_sock_close(&client[i]);
}

/* ---- taking ---- */

ACTOR_TEST(serve, serves_until_the_drain_and_ends_with_0)
{
    tr_scope scope TR_CLEANUP(tr_scope_end) = tr_scope_open(NULL);
    int result = 99;

    start_door(&scope, (struct door){ .deadline = TR_UNTIL_DRAIN, .ret_result = &result });
    connect_clients(MANY);
    for (int i = 0; i < MANY; i++)
        check_eq(answer(i, TR_S(5)), 3);
    check_eq(tr_scope_drain(&scope, tr_after(TR_S(5))), 0);
    check_eq(result, 0);
    check_eq(answer(0, TR_S(5)), 0, "a clean end, no reset");
    close_clients();
    check_eq(tr_tcp_connect(address, TR_NEVER, &client[0]), -ECONNREFUSED);
}

/* The drain is there before the first accept: what has connected is served all the same. */
ACTOR_TEST(serve, connections_in_the_queue_at_the_drain_are_served)
{
    tr_scope scope TR_CLEANUP(tr_scope_end) = tr_scope_open(NULL);
    int result = 99;

    connect_clients(MANY);
    start_door(&scope, (struct door){ .sleep_until = TR_UNTIL_DRAIN,
                                      .deadline = TR_UNTIL_DRAIN,
                                      .ret_result = &result });
    while (!atomic_load(&door_runs))
        need_eq(tr_yield(), 0);
    check_eq(tr_scope_drain(&scope, tr_after(TR_S(5))), 0);
    check_eq(result, 0);
    for (int i = 0; i < MANY; i++)
        check_eq(answer(i, TR_S(5)), 3);
    close_clients();
}

ACTOR_TEST(serve, deadline_and_cancel_end_it)
{
    tr_scope scope TR_CLEANUP(tr_scope_end) = tr_scope_open(NULL);
    int result = 99;

    check_eq(tr_serve(&listener, &scope, NULL, echo_open, NULL, tr_after(TR_MS(5))),
             -ETIMEDOUT);
    check_eq(listener.impl, NULL);
    listener = listen_here(address);
    start_door(&scope, (struct door){ .deadline = TR_NEVER, .ret_result = &result });
    until_waits(&listener, TRI_FD_IN);
    tr_scope_cancel(&scope);
    check_eq(tr_scope_join(&scope, TR_NEVER), 0);
    check_eq(result, -ECANCELED);
}

static int refuse(tr_scope *scope, tr_sock *s, void *arg)
{
    int *r = arg;

    (void)scope;
    (void)s; /* left to be closed */
    return *r == -ENOMEM ? (*r = -EILSEQ, -ENOMEM) : *r;
}

ACTOR_TEST(serve, failure_of_the_function_ends_it_but_not_for_memory)
{
    tr_scope scope TR_CLEANUP(tr_scope_end) = tr_scope_open(NULL);
    int r = -ENOMEM;

    connect_clients(2);
    check_eq(tr_serve(&listener, &scope, NULL, refuse, &r, tr_after(TR_S(5))), -EILSEQ);
    check_eq(answer(0, TR_S(5)), 0, "closed, and what it had sent did not reset it");
    close_clients();
}

ACTOR_TEST(serve, misuse_is_refused)
{
    tr_scope scope TR_CLEANUP(tr_scope_end) = tr_scope_open(NULL);
    tr_sock none = { NULL }, a = { NULL }, b = { NULL };

    check_eq(tr_serve(&none, &scope, NULL, echo_open, NULL, TR_NEVER), -EINVAL);
    check_eq(tr_serve(&listener, &scope, NULL, NULL, NULL, TR_NEVER), -EINVAL);
    need_eq(tr_sock_pair(&a, &b), 0);
    check_eq(tr_serve(&a, &scope, NULL, echo_open, NULL, TR_NEVER), -EINVAL, "no listener");
    tr_sock_close(&a);
    tr_sock_close(&b);
}

/* ---- limits ---- */

static void until_started(unsigned n)
{
    while (atomic_load(&n_started) < n)
        need_eq(tr_yield(), 0);
}

ACTOR_TEST(serve, max_open_leaves_the_others_in_the_queue)
{
    const struct tr_serve_opts three = { .max_open = 3 };
    tr_scope scope TR_CLEANUP(tr_scope_end) = tr_scope_open(NULL);
    int result = 99;

    connect_clients(6);
    start_door(&scope, (struct door){
                           .opts = &three, .deadline = TR_UNTIL_DRAIN, .ret_result = &result });
    until_started(3);
    for (int i = 0; i < 3; i++)
        check_eq(answer(i, TR_S(5)), 3);
    check_eq(answer(3, TR_MS(20)), -ETIMEDOUT);
    check_eq(atomic_load(&n_started), 3u);
    tr_sock_close(&client[1]);
    check_eq(answer(3, TR_S(5)), 3, "room for one more");
    check_eq(answer(4, TR_MS(20)), -ETIMEDOUT);
    check_eq(tr_scope_drain(&scope, tr_after(TR_S(5))), 0);
    check_eq(result, 0);
    close_clients();
}

/* Whether it waits for connections, for room or for descriptors. */
ACTOR_TEST(serve, close_of_the_listener_by_another_task_ends_it)
{
    const struct tr_serve_opts one = { .max_open = 1 };
    tr_scope scope TR_CLEANUP(tr_scope_end) = tr_scope_open(NULL);
    tr_sock copy = listener;
    int result = 99;

    connect_clients(2);
    start_door(&scope,
               (struct door){ .opts = &one, .deadline = TR_NEVER, .ret_result = &result });
    check_eq(answer(0, TR_S(5)), 3);
    check_eq(answer(1, TR_MS(10)), -ETIMEDOUT);
    tr_sock_close(&copy);
    close_clients();
    check_eq(tr_scope_join(&scope, tr_after(TR_S(5))), 0);
    check_eq(result, -EBADF);
}

static double cpu_seconds(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/*
 * Limits the process to @n descriptors more than are open: the limit is one of their numbers.
 */
static struct rlimit limit_descriptors(int n)
{
    struct rlimit was, now;
    int fd = 0;

    for (;; fd++)
        if (fcntl(fd, F_GETFD) < 0 && n-- == 0)
            break;
    getrlimit(RLIMIT_NOFILE, &was);
    now = was;
    now.rlim_cur = (rlim_t)fd;
    check_eq(setrlimit(RLIMIT_NOFILE, &now), 0);
    return was;
}

ACTOR_TEST(serve, without_descriptors_it_pauses_and_goes_on_when_one_closes)
{
    tr_scope scope TR_CLEANUP(tr_scope_end) = tr_scope_open(NULL);
    struct rlimit was;
    int result = 99;
    double cpu;
    tr_time begin;

    connect_clients(MANY);
    was = limit_descriptors(5);
    start_door(&scope, (struct door){ .deadline = TR_UNTIL_DRAIN, .ret_result = &result });
    until_started(5);
    for (int i = 0; i < 5; i++)
        check_eq(answer(i, TR_S(5)), 3, "open connections are served");

    cpu = cpu_seconds();
    check_eq(tr_sleep(tr_after(TR_MS(700))), 0); /* into a pause that is long */
    cpu = cpu_seconds() - cpu;
    check(cpu < 0.035 || tri_guard_is_slow(), "under 5 % of a CPU while starved");
    check_eq(atomic_load(&n_started), 5u);
    check_eq(atomic_load(&n_starved), 1u, "told once");

    begin = tr_now();
    tr_sock_close(&client[0]); /* frees two: this end and then the server's */
    check_eq(answer(5, TR_S(5)), 3);
    check_eq(answer(6, TR_S(5)), 3);
    check(tr_now() - begin < TR_MS(200) || tri_guard_is_slow(),
          "it did not sleep out its pause");
    check_eq(atomic_load(&n_starved), 1u, "still the same episode");

    begin = tr_now();
    check_eq(setrlimit(RLIMIT_NOFILE, &was), 0); /* nobody tells it: the pause has to end */
    for (int i = 7; i < MANY; i++)
        check_eq(answer(i, TR_S(5)), 3);
    check(tr_now() - begin < TR_S(1) || tri_guard_is_slow(), "recovered within a second");
    check_eq(tr_scope_drain(&scope, tr_after(TR_S(5))), 0);
    check_eq(result, 0);
    close_clients();
}

ACTOR_TEST(serve, accept_without_descriptors_leaves_the_connection_waiting)
{
    tr_sock s = { NULL };
    struct rlimit was;

    connect_clients(1);
    was = limit_descriptors(0);
    check_eq(tr_accept(&listener, tr_after(TR_S(5)), &s), -EMFILE);
    check_eq(tr_try_accept(&listener, &s), -EMFILE);
    check_eq(setrlimit(RLIMIT_NOFILE, &was), 0);
    check_eq(tr_accept(&listener, TR_NEVER, &s), 0, "without a new event");
    tr_sock_close(&s);
    tr_sock_close(&listener);
    close_clients();
}

/* A starved server must still see its drain, its deadline and its cancel. */
ACTOR_TEST(serve, starved_server_keeps_its_deadline_and_its_drain)
{
    tr_scope scope TR_CLEANUP(tr_scope_end) = tr_scope_open(NULL);
    struct rlimit was;
    int result = 99;
    tr_time begin = tr_now();

    connect_clients(2);
    was = limit_descriptors(0);
    check_eq(tr_serve(&listener, &scope, NULL, echo_open, NULL, tr_after(TR_MS(40))),
             -ETIMEDOUT);
    check_ge(tr_now() - begin, TR_MS(40));
    check_eq(setrlimit(RLIMIT_NOFILE, &was), 0);
    close_clients();

    listener = listen_here(address);
    connect_clients(2);
    was = limit_descriptors(0);
    start_door(&scope, (struct door){ .deadline = TR_UNTIL_DRAIN, .ret_result = &result });
    while (atomic_load(&n_starved) < 2)
        need_eq(tr_yield(), 0);
    check_eq(tr_scope_drain(&scope, tr_after(TR_S(5))), 0);
    check_eq(result, 0);
    check_eq(setrlimit(RLIMIT_NOFILE, &was), 0);
    close_clients();
}

/* ---- placement ---- */

static int serve_on_two(tr_scope *root, void *arg)
{
    tr_scope scope TR_CLEANUP(tr_scope_end) = tr_scope_open(NULL);
    int result = 99;

    (void)root;
    (void)arg;
    start_door(&scope, (struct door){ .deadline = TR_UNTIL_DRAIN, .ret_result = &result });
    connect_clients(MANY);
    for (int i = 0; i < MANY; i++)
        check_eq(answer(i, TR_S(5)), 3);
    check_eq(tr_scope_drain(&scope, tr_after(TR_S(5))), 0);
    close_clients();
    check_eq(atomic_load(&worker_seen[0]) + atomic_load(&worker_seen[1]), (unsigned)MANY);
    check_ge(atomic_load(&worker_seen[0]), MANY / 4u);
    check_ge(atomic_load(&worker_seen[1]), MANY / 4u);
    return 0;
}

TR_TEST(serve, idle_connections_are_spread_over_the_workers)
{
    const struct tr_runtime_opts two = { .n_worker = 2 };

    check_eq(tr_run_with(&two, serve_on_two, NULL), 0);
}
