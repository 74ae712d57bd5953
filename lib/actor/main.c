/* SPDX-License-Identifier: MIT */
/*
 * main.c - tr_main(): a runtime that is the whole process. The signals are blocked before there
 * is any other thread, so every later one inherits that and only the conductor takes them. They
 * stay blocked at the return: a late SIGTERM must not spoil the exit status of a clean stop.
 */
#include "config.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "actor/runtime.h"
#include "actor/signal.h"
#include "base/log.h"

static const int blocked[] = { SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGUSR1, SIGUSR2, SIGCHLD };

/* What it takes by itself; and whether an ignored one stays ignored, as nohup and sh want. */
static const struct {
    int signo;
    bool may_be_ignored;
} taken[] = { { SIGTERM, false }, { SIGINT, true }, { SIGQUIT, true }, { SIGUSR1, true } };

struct app {
    tr_app_fn *fn;
    int argc;
    char **argv;
};

static int app_run(tr_scope *root, void *arg)
{
    struct app *app = arg;

    return app->fn(root, app->argc, app->argv);
}

/* ---- signals ---- */

static void signals_block(void)
{
    sigset_t set, before;

    sigemptyset(&set);
    for (size_t i = 0; i < TR_LEN(blocked); i++)
        sigaddset(&set, blocked[i]);
    (void)pthread_sigmask(SIG_BLOCK, &set, &before);
    tri_fork_mask(&before);
}

static bool is_ignored(int signo)
{
    struct sigaction now;

    return sigaction(signo, NULL, &now) == 0 && !(now.sa_flags & SA_SIGINFO) &&
           now.sa_handler == SIG_IGN;
}

/* Returns which ones it holds, a bit for each entry of taken[]. */
static unsigned signals_take(void)
{
    unsigned held = 0;

    for (unsigned i = 0; i < TR_LEN(taken); i++)
        if (!(taken[i].may_be_ignored && is_ignored(taken[i].signo)) &&
            tri_signal_hold(taken[i].signo) == 0)
            held |= 1u << i;
    return held;
}

static void signals_give_back(unsigned held)
{
    for (unsigned i = 0; i < TR_LEN(taken); i++)
        if (held & 1u << i)
            tri_signal_release(taken[i].signo);
}

/* ---- the standard descriptors ---- */

/* One that is closed would become a socket, and what is printed would go to its peer. */
static void standard_open(void)
{
    int fd;

    do
        fd = open("/dev/null", O_RDWR);
    while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd >= 0)
        (void)close(fd);
}

/* ---- threads that are there before us ---- */

static void thread_name(const char *tid, char *buf, size_t n)
{
    char path[64];
    FILE *f;

    (void)snprintf(path, sizeof path, "/proc/self/task/%.20s/comm", tid);
    (void)snprintf(buf, n, "?");
    f = fopen(path, "re");
    if (!f)
        return;
    if (fgets(buf, (int)n, f))
        buf[strcspn(buf, "\n")] = '\0';
    (void)fclose(f);
}

/* They have not blocked the signals, and will be interrupted by them. */
static void threads_report(void)
{
    DIR *dir = opendir("/proc/self/task");
    struct dirent *e;
    char name[32];

    if (!dir)
        return;
    while ((e = readdir(dir))) {
        if (!isdigit((unsigned char)e->d_name[0]) || strtol(e->d_name, NULL, 10) == getpid())
            continue;
        thread_name(e->d_name, name, sizeof name);
        tri_log("thread %s '%s' was started before tr_main(); signals may interrupt it",
                e->d_name, name);
    }
    (void)closedir(dir);
}

/* ---- running ---- */

static int run(const struct tr_runtime_opts *opts, struct app *app, const void *caller)
{
    struct tri_main_result out = { .ran = false };
    unsigned held = signals_take();
    int r = tri_run(opts, app_run, app, &out, caller);

    signals_give_back(held);
    if (out.ran)
        return out.status;
    tri_log("'%s' could not start: %s", opts->name ? opts->name : "troupe", tr_strerror(r));
    return EXIT_FAILURE;
}

static int run_main(const struct tr_runtime_opts *opts, tr_app_fn *app, int argc, char **argv,
                    const void *caller)
{
    struct app a = { app, argc, argv };
    struct tr_runtime_opts o = { 0 };
    struct sigaction ignore = { .sa_handler = SIG_IGN };
    static atomic_bool running;
    int status;

    if (opts)
        o = *opts;
    if (!o.name && argc > 0 && argv && argv[0])
        o.name = strrchr(argv[0], '/') ? strrchr(argv[0], '/') + 1 : argv[0];
    /* relaxed: a flag against misuse. */
    if (!app || o.simulate || atomic_exchange_explicit(&running, true, memory_order_relaxed)) {
        tri_log("tr_main() wants an app, real time, and to be the only one of its process");
        return EXIT_FAILURE;
    }
    standard_open();
    signals_block();
    threads_report();
    (void)sigaction(SIGPIPE, &ignore, NULL);
    status = run(&o, &a, caller);
    atomic_store_explicit(&running, false, memory_order_relaxed);
    return status;
}

/* ---- the public functions ---- */

int tr_main_with(const struct tr_runtime_opts *opts, tr_app_fn *app, int argc, char **argv)
{
    return run_main(opts, app, argc, argv, __builtin_return_address(0));
}

int tr_main(const char *name, tr_app_fn *app, int argc, char **argv)
{
    return run_main(&(struct tr_runtime_opts){ .name = name }, app, argc, argv,
                    __builtin_return_address(0));
}
