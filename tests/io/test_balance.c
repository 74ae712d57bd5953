/* SPDX-License-Identifier: MIT */
/*
 * test_balance.c - a thousand connections are accepted while nothing happens on them, and then
 * all work at once: started tasks stay where they are, so both workers must have got their
 * half.
 *
 * The work of each is the same and fixed, so the halves do not depend on what else the machine
 * does. With TR_FULL=1 it lasts some seconds, and each worker must have been running, or kept
 * from its processor by others, for nine tenths of them: that is what the kernel counts in
 * schedstat.
 */
#include "config.h"

#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <troupe/oneshot.h>

#include "io/sock-kit.h"
#include "support/tr-guard.h"

enum { CONNECTIONS = 1000, WORKERS = 2 };

TR_SUITE(balance, .timeout = 60);

TR_ONESHOT(over, int, tr_nodrop);

static tr_sock listener;
static char address[32];
static int client[CONNECTIONS];
static unsigned n_round;
static atomic_uint n_served[WORKERS];

/* Of one worker; only its own thread touches it, the test when all has ended. */
static struct busy {
    bool has_begun;
    tr_time begin, end;         /* by the clock */
    tr_time begin_ran, end_ran; /* running or runnable */
    tr_time begin_cpu, end_cpu; /* running */
} busy[WORKERS];

/* ---- what a worker has done ---- */

static tr_time clock_of(clockid_t id)
{
    struct timespec t;

    clock_gettime(id, &t);
    return TR_S(t.tv_sec) + t.tv_nsec;
}

/* For how long this thread has run, or waited for a processor; 0: the kernel does not tell. */
static tr_time ran_of(void)
{
    FILE *f = fopen("/proc/thread-self/schedstat", "re");
    long long ran = 0, waited = 0;

    if (f && fscanf(f, "%lld %lld", &ran, &waited) != 2)
        ran = waited = 0;
    if (f)
        fclose(f);
    return ran + waited;
}

static void busy_begins(void)
{
    struct busy *b = &busy[tr_worker_index()];

    if (b->has_begun)
        return;
    b->has_begun = true;
    b->begin = clock_of(CLOCK_MONOTONIC);
    b->begin_cpu = clock_of(CLOCK_THREAD_CPUTIME_ID);
    b->begin_ran = ran_of();
}

static void busy_ends(void)
{
    struct busy *b = &busy[tr_worker_index()];

    b->end = clock_of(CLOCK_MONOTONIC);
    b->end_cpu = clock_of(CLOCK_THREAD_CPUTIME_ID);
    b->end_ran = ran_of();
}

/* ---- the server ---- */

struct conn {
    tr_sock s;
};

static void conn_drop(struct conn *c)
{
    tr_sock_close(&c->s);
}
TR_TASK(conn, struct conn, conn_drop);

static void work(void)
{
    for (volatile unsigned i = 0; i < 10000; i++)
        ;
}

static int conn(struct conn *c)
{
    char byte;

    atomic_fetch_add(&n_served[tr_worker_index()], 1);
    check_eq(tr_write(&c->s, "+", 1, TR_NEVER), 1);
    check_eq(tr_read(&c->s, &byte, 1, TR_NEVER), 1);
    busy_begins();
    for (unsigned i = 0; i < n_round; i++) {
        work();
        check_eq(tr_yield(), 0);
    }
    busy_ends();
    check_eq(tr_write(&c->s, "-", 1, TR_NEVER), 1);
    return 0;
}

static int conn_open(tr_scope *scope, tr_sock *s, void *arg)
{
    struct conn c = { *s };

    (void)arg;
    *s = (tr_sock){ 0 };
    return conn_spawn(scope, &c, NULL);
}

struct nothing {
    int unused;
};
TR_TASK(door, struct nothing, tr_nodrop);

static int door(struct nothing *unused)
{
    tr_scope conns TR_CLEANUP(tr_scope_end) =
        tr_scope_open(&(struct tr_scope_opts){ .name = "conns", .policy = TR_POLICY_COLLECT });

    (void)unused;
    check_eq(tr_serve(&listener, &conns, NULL, conn_open, NULL, TR_UNTIL_DRAIN), 0);
    return tr_scope_join(&conns, TR_NEVER);
}

/* ---- the clients: a plain thread ---- */

static void expect(int fd, char what)
{
    char byte = 0;

    check_eq(read(fd, &byte, 1), 1);
    check_eq(byte, what);
}

static int connect_one(void)
{
    struct sockaddr_in to = { .sin_family = AF_INET,
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                              .sin_port = htons((uint16_t)tr_sock_port(&listener)) };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    check_eq(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    return fd;
}

static void *clients(void *arg)
{
    for (int i = 0; i < CONNECTIONS; i++) {
        client[i] = connect_one();
        expect(client[i], '+'); /* one after the other: none ever waits for a worker */
    }
    for (int i = 0; i < CONNECTIONS; i++)
        check_eq(write(client[i], "!", 1), 1);
    for (int i = 0; i < CONNECTIONS; i++) {
        expect(client[i], '-');
        close(client[i]);
    }
    check_eq(over_send(arg, &(int){ 1 }), 0);
    return NULL;
}

static int serve_all(tr_scope *root, void *arg)
{
    over_tx tx;
    over_rx rx;
    pthread_t thread;
    int m;

    (void)arg;
    check_eq(over_new(&tx, &rx), 0);
    check_eq(door_spawn(root, &(struct nothing){ 0 }, NULL), 0);
    check_eq(pthread_create(&thread, NULL, clients, &tx), 0);
    check_eq(over_recv(&rx, TR_NEVER, &m), 0);
    over_rx_close(&rx);
    pthread_join(thread, NULL);
    return tr_scope_drain(root, tr_after(TR_S(5)));
}

/* ---- the test ---- */

static bool is_full(void)
{
    const char *full = getenv("TR_FULL");

    return full && atoi(full) != 0 && !tri_guard_is_slow();
}

/*
 * Each from the first byte of all until its own last connection was done: a core may be slower.
 */
static void check_busy(void)
{
    tr_time begin = busy[0].begin < busy[1].begin ? busy[0].begin : busy[1].begin;

    for (unsigned i = 0; i < WORKERS; i++) {
        tr_time span = busy[i].end - begin, ran = busy[i].end_ran - busy[i].begin_ran;

        fprintf(stderr,
                "# worker %u: %u connections, ran for %lld of %lld ms, ran or was ready for %lld\n", i,
                atomic_load(&n_served[i]),
                (long long)((busy[i].end_cpu - busy[i].begin_cpu) / TR_MS(1)),
                (long long)(span / TR_MS(1)), (long long)(ran / TR_MS(1)));
        check(busy[i].end_ran == 0 || ran * 10 >= span * 9, "never idle while it had work");
    }
}

TR_TEST(balance, connections_that_were_idle_keep_both_workers_busy)
{
    const struct tr_runtime_opts two = { .n_worker = WORKERS };
    struct rlimit limit;

    /* Both ends are in this process. */
    need_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    need_ge(limit.rlim_max, 2 * CONNECTIONS + 64, "descriptors (ulimit -Hn)");
    if (limit.rlim_cur < 2 * CONNECTIONS + 64)
        limit.rlim_cur = 2 * CONNECTIONS + 64;
    need_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);

    n_round = is_full() ? 200 : 5;
    listener = listen_here(address);
    check_eq(tr_run_with(&two, serve_all, NULL), 0);
    check_eq(atomic_load(&n_served[0]) + atomic_load(&n_served[1]), CONNECTIONS);
    for (unsigned i = 0; i < WORKERS; i++)
        check_ge(atomic_load(&n_served[i]) * 100, 45 * CONNECTIONS);
    if (is_full())
        check_busy();
}
