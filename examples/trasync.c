/* SPDX-License-Identifier: MIT */
/*
 * trasync - a handful of small tasks, waited for in every way: the first, all, one at a time,
 * none. After the program that goes with James Hunt's "Threads and async rust".
 *
 *     ./trasync wait-for-1st        foo, bar and baz sleep up to 99 ms, a slow one 3 s
 *     ./trasync timeout 50 8        eight of them, and what still runs after 50 ms is killed
 *     ./trasync --watchdog block-runtime    names the task that keeps all others from running
 *
 * Shows a scope that keeps results, a race, a scope with a deadline, and what a blocking call
 * does to a worker. There is one worker, so that it does it to everybody. Exit status: 0; 124:
 * the timeout killed something; 1: no such command.
 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <troupe.h>

/* ---- the tasks ---- */

struct job {
    const char *label; /* in its START and END lines */
    tr_time span;      /* of its sleep; 0: up to 99 ms, drawn when it runs */
    bool blocks;       /* sleeps with its whole worker */
};
TR_TASK(job, struct job, tr_nodrop);

/*
 * What no task should do: waits with its thread, and nobody else runs on this worker meanwhile.
 */
static void block(tr_time until)
{
    struct timespec ts = { .tv_sec = until / TR_S(1), .tv_nsec = until % TR_S(1) };
    pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    pthread_condattr_t attr;
    pthread_cond_t never;

    (void)pthread_condattr_init(&attr);
    (void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&never, &attr);
    pthread_mutex_lock(&lock);
    while (pthread_cond_timedwait(&never, &lock, &ts) == 0)
        ;
    pthread_mutex_unlock(&lock);
    (void)pthread_cond_destroy(&never);
}

static int job(struct job *j)
{
    tr_time until;
    int r = 0;

    fprintf(stderr, "INFO: START: %s\n", j->label);
    until = tr_after(j->span ? j->span : TR_MS(1 + random() % 99));
    if (j->blocks)
        block(until);
    else
        r = tr_sleep(tr_until_drain(until));
    if (r == 0)
        fprintf(stderr, "INFO: END: %s\n", j->label);
    return r;
}

enum { FOO, BAR, BAZ, SLOW, BLOCKER };

/* Starts one of the kinds; its name is what it is called when it has won. */
static int start(tr_scope *s, int kind)
{
    static const char *const names[] = { "foo", "bar", "baz", "slow task", "blocker task" };
    static const struct job jobs[] = { [FOO] = { "foo", 0, false },
                                       [BAR] = { "bar", 0, false },
                                       [BAZ] = { "baz", 0, false },
                                       [SLOW] = { "async_slow", TR_S(3), false },
                                       [BLOCKER] = { "async_run_blocking_code", TR_S(3), true } };
    struct job j = jobs[kind];

    return job_spawn(s, &j, &(struct tr_task_opts){ .name = names[kind] });
}

/* Starts foo, bar, baz and @fourth, in an order drawn at random. */
static int start_four(tr_scope *s, int fourth)
{
    int kinds[] = { FOO, BAR, BAZ, fourth }, r = 0;

    for (int i = 3; i >= 0 && r == 0; i--) {
        long k = random() % (i + 1);

        r = start(s, kinds[k]);
        kinds[k] = kinds[i];
    }
    return r;
}

/* ---- the commands ---- */

struct order {
    const struct command *command;
    bool watchdog;
    tr_time limit;   /* of timeout */
    unsigned long n; /* of timeout */
};

static const struct tr_scope_opts keeps = { .policy = TR_POLICY_COLLECT, .keep = TR_KEEP_ALL };

static int not_run(const struct order *o)
{
    tr_scope s TR_CLEANUP(tr_scope_end) = tr_scope_open(NULL);
    int r = start_four(&s, SLOW);

    (void)o;
    tr_scope_cancel(&s); /* before any of them has had a turn */
    fprintf(stderr, "INFO: No async functions run :(\n");
    return r;
}

/* Lets four race; *@ret_rest (NULL: not wanted) says how many were killed. */
static int race(int fourth, size_t *ret_rest)
{
    tr_scope s TR_CLEANUP(tr_scope_end) = tr_scope_open(&keeps);
    tr_ended e;
    int r = start_four(&s, fourth);

    if (r < 0 || (r = tr_scope_first(&s, TR_UNTIL_DRAIN, &e)) < 0 || (r = e.result) < 0)
        return r;
    printf("INFO: %s finished 1st\n", e.name);
    if (ret_rest)
        for (*ret_rest = 0; tr_scope_try_next(&s, &e) == 1;)
            *ret_rest += e.result == -ECANCELED;
    return 0;
}

static int wait_for_1st(const struct order *o)
{
    (void)o;
    return race(SLOW, NULL);
}

static int block_runtime(const struct order *o)
{
    (void)o;
    return race(BLOCKER, NULL);
}

static int timeout_1st(const struct order *o)
{
    size_t n = 0;
    int r = race(SLOW, &n);

    (void)o;
    if (r == 0)
        printf("INFO: %zu killed\n", n);
    return r;
}

static int wait_for_all(const struct order *o)
{
    tr_scope s TR_CLEANUP(tr_scope_end) = tr_scope_open(NULL);
    int r = start_four(&s, SLOW);

    (void)o;
    return r < 0 ? r : tr_scope_join(&s, TR_NEVER);
}

static int one_at_a_time(const struct order *o)
{
    static const int kinds[] = { BAR, BAZ, FOO, SLOW };
    tr_scope s TR_CLEANUP(tr_scope_end) = tr_scope_open(NULL);
    int r = 0;

    (void)o;
    for (size_t i = 0; i < TR_LEN(kinds) && r == 0; i++)
        if ((r = start(&s, kinds[i])) == 0)
            r = tr_scope_join(&s, TR_UNTIL_DRAIN);
    return r;
}

static int spawn_and_wait(const struct order *o)
{
    tr_scope s TR_CLEANUP(tr_scope_end) = tr_scope_open(NULL);
    int r = 0;

    (void)o;
    for (int i = 0; i < 10 && r == 0; i++)
        r = start(&s, FOO);
    return r < 0 ? r : tr_scope_join(&s, TR_NEVER);
}

static int timeout(const struct order *o)
{
    struct tr_scope_opts opts = keeps;
    size_t n_done = 0, n_killed = 0;
    tr_scope s TR_CLEANUP(tr_scope_end) = { .impl = NULL };
    tr_ended e;
    int r = 0;

    opts.deadline = tr_after(o->limit);
    s = tr_scope_open(&opts);
    for (unsigned long i = 0; i < o->n && r == 0; i++)
        r = start(&s, (int)(i % (SLOW + 1)));
    if (r < 0 && r != -ESHUTDOWN) /* the limit has passed while they were started: join knows */
        return r;
    while (tr_scope_next(&s, TR_NEVER, &e) == 1) {
        n_done += e.result == 0;
        n_killed += e.result == -ECANCELED;
    }
    printf("INFO: %zu finished, %zu killed\n", n_done, n_killed);
    return tr_scope_join(&s, TR_NEVER); /* -ETIMEDOUT: it came to that */
}

static const struct command {
    const char *name, *header;
    int (*run)(const struct order *o);
} commands[] = {
    { "block-runtime", "block_runtime", block_runtime },
    { "not-run", "funcs_not_run", not_run },
    { "one-at-a-time", "run_one_at_at_time", one_at_a_time },
    { "spawn-and-wait", "spawn_tasks_and_wait", spawn_and_wait },
    { "wait-for-1st", "wait_for_1st_func_to_finish", wait_for_1st },
    { "wait-for-all", "wait_for_all_funcs_to_finish", wait_for_all },
    { "timeout", "run_with_timeout", timeout },
    { "timeout-1st", "wait_for_1st_and_kill_the_rest", timeout_1st },
};

/* ---- the program ---- */

static const struct command *command_find(const char *name)
{
    for (size_t i = 0; i < TR_LEN(commands); i++)
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    return NULL;
}

/* A whole number from 1 to @max; 0: something else. */
static unsigned long number(const char *text, unsigned long max)
{
    char *end;
    unsigned long n = strtoul(text, &end, 10);

    return *text >= '0' && *text <= '9' && !*end && n <= max ? n : 0;
}

/* What the command line asks for. NULL, or what is wrong with it. */
static const char *order_parse(char **argv, struct order *ret_order)
{
    struct order o = { .n = 4 };
    char **args = argv + (*argv != NULL);

    if (*args && strcmp(*args, "--watchdog") == 0) {
        o.watchdog = true;
        args++;
    }
    if (!*args)
        return "need command";
    if (!(o.command = command_find(*args++)))
        return "unknown command";
    if (o.command->run == timeout) {
        if (!*args || !(o.limit = TR_MS(number(*args++, 86400000))))
            return "need limit in ms";
        if (*args && !(o.n = number(*args++, 1000000)))
            return "need number of tasks";
    }
    if (*args)
        return "too many arguments";
    *ret_order = o;
    return NULL;
}

/* A worker that is held up is told only to who asked for it. */
static void hook(enum tr_event_kind kind, const char *text, void *arg)
{
    const struct order *o = arg;

    if (kind != TR_EVENT_STALLED || o->watchdog)
        fprintf(stderr, "trasync: %s\n", text);
}

static int trasync(tr_scope *root, int argc, char **argv)
{
    struct order o;

    (void)root;
    (void)argc;
    if (order_parse(argv, &o)) /* main() has asked before */
        return -EINVAL;
    fprintf(stderr, "INFO: %s:\n\n", o.command->header);
    return o.command->run(&o);
}

static int usage(void)
{
    printf("usage: trasync [--watchdog] COMMAND\n\n");
    for (size_t i = 0; i < TR_LEN(commands); i++)
        printf("  %s%s\n", commands[i].name, commands[i].run == timeout ? " MS [N]" : "");
    return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
    const struct tr_runtime_opts opts = { .n_worker = 1 };
    struct order o;
    const char *wrong = order_parse(argv, &o);

    if (argc == 2 && strcmp(argv[1], "--help") == 0)
        return usage();
    if (wrong) {
        fprintf(stderr, "ERROR: %s: \"%s\"\n", argc > 0 ? argv[0] : "trasync", wrong);
        return EXIT_FAILURE;
    }
    srandom((unsigned)tr_now() ^ (unsigned)getpid());
    setvbuf(stdout, NULL, _IOLBF, 0);
    tr_hook_set(hook, &o);
    return tr_main_with(&opts, trasync, argc, argv);
}
