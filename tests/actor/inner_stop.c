/* SPDX-License-Identifier: MIT */
/*
 * inner_stop.c - a daemon with a bad part, chosen by its first argument; stop.sh runs it and
 * sends the signals. It prints "ready" when the part is at work. BUDGET_MS: its stop budget.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <troupe.h>

struct nothing {
    int unused;
};

static struct nothing none;

static void say(const char *text)
{
    printf("%s\n", text);
    fflush(stdout);
}

/* Ends when the scope drains. */
TR_TASK(polite, struct nothing, tr_nodrop);
static int polite(struct nothing *arg)
{
    (void)arg;
    return tr_sleep(TR_UNTIL_DRAIN);
}

/* Ends when it is cancelled. */
TR_TASK(deaf, struct nothing, tr_nodrop);
static int deaf(struct nothing *arg)
{
    (void)arg;
    return tr_sleep(TR_NEVER);
}

/* Never ends, and never holds its worker. */
TR_TASK(stubborn, struct nothing, tr_nodrop);
static int stubborn(struct nothing *arg)
{
    (void)arg;
    while (tr_sleep(tr_after(TR_MS(1))) != 1)
        ;
    return 0;
}

static volatile unsigned long counter;

TR_TASK(spinner, struct nothing, tr_nodrop);
static int spinner(struct nothing *arg)
{
    (void)arg;
    say("ready");
    do
        counter++;
    while (counter != 0);
    return 0;
}

TR_TASK(reader, struct nothing, tr_nodrop);
static int reader(struct nothing *arg)
{
    int fd[2];
    char c;

    (void)arg;
    if (pipe2(fd, O_CLOEXEC) < 0)
        return -errno;
    say("ready");
    return read(fd[0], &c, 1) < 0 ? -errno : 0; /* for ever */
}

TR_TASK(failing, struct nothing, tr_nodrop);
static int failing(struct nothing *arg)
{
    (void)arg;
    return -EIO;
}

/* Cleans up for longer than it is given. */
TR_TASK(tidy, struct nothing, tr_nodrop);
static int tidy(struct nothing *arg)
{
    (void)arg;
    (void)tr_sleep(TR_NEVER);
    {
        tr_shield guard TR_CLEANUP(tr_shield_end) = tr_shield_begin(TR_S(60));
        int r = tr_sleep(TR_NEVER);

        say(r == -ECANCELED ? "cleanup cut" : "cleanup done");
    }
    return 0;
}

TR_TASK(reloader, struct nothing, tr_nodrop);
static int reloader(struct nothing *arg)
{
    tr_signal hup;
    struct tr_signal_info info;
    int r = tr_signal_open(SIGHUP, &hup);

    (void)arg;
    if (r < 0)
        return r;
    say("ready");
    while ((r = tr_signal_recv(&hup, TR_UNTIL_DRAIN, &info)) == 0) {
        printf("reload %u by %s\n", info.count, info.pid == getppid() ? "parent" : "stranger");
        fflush(stdout);
    }
    tr_signal_close(&hup);
    return r;
}

/* The app takes TERM over. */
static int own_term(tr_scope *root)
{
    tr_signal term;
    int r = tr_signal_open(SIGTERM, &term);

    (void)root;
    if (r < 0)
        return r;
    say("ready");
    r = tr_signal_recv(&term, TR_NEVER, NULL);
    say(tr_shutdown_level() == TR_LEVEL_RUN ? "level RUN" : "level above RUN");
    tr_signal_close(&term);
    return r;
}

static int run_nothing(tr_scope *root, void *arg)
{
    (void)root;
    (void)arg;
    return 0;
}

/* What a forked child may do, and that it can be killed. */
static int forked(tr_scope *root)
{
    int status;
    pid_t pid = fork();

    if (pid == 0) {
        printf("child: wait %d, spawn %d, run %d\n", tr_sleep(TR_NEVER) == -EOWNERDEAD,
               polite_spawn(root, &none, NULL) == -EOWNERDEAD,
               tr_run(run_nothing, NULL) == -EOWNERDEAD &&
                   tr_shutdown(TR_LEVEL_STOP, "") == -EOWNERDEAD);
        fflush(stdout);
        raise(SIGTERM);
        _exit(7);
    }
    if (pid < 0 || waitpid(pid, &status, 0) < 0)
        return -errno;
    say(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM ? "child killed by TERM"
                                                           : "child not killed");
    return 0;
}

static void hang(enum tr_event_kind kind, const char *text, void *arg)
{
    (void)kind;
    (void)text;
    (void)arg;
    for (;;)
        pause();
}

static int app(tr_scope *root, int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "polite";
    int r = 0;

    for (int i = 0; i < 5 && r == 0; i++)
        r = polite_spawn(root, &none, NULL);
    if (r < 0)
        return r;
    if (strcmp(what, "own-term") == 0)
        return own_term(root);
    if (strcmp(what, "fork") == 0)
        return forked(root);
    if (strcmp(what, "hang") == 0)
        tr_hook_set(hang, NULL);
    if (strcmp(what, "deaf") == 0)
        r = deaf_spawn(root, &none, NULL);
    else if (strcmp(what, "stubborn") == 0 || strcmp(what, "hang") == 0)
        r = stubborn_spawn(root, &none, NULL);
    else if (strcmp(what, "tidy") == 0)
        r = tidy_spawn(root, &none, NULL);
    else if (strcmp(what, "failing") == 0)
        r = failing_spawn(root, &none, NULL);
    else if (strcmp(what, "spinner") == 0)
        r = spinner_spawn(root, &none, &(struct tr_task_opts){ .flags = TR_TASK_SPREAD });
    else if (strcmp(what, "reader") == 0)
        r = reader_spawn(root, &none, &(struct tr_task_opts){ .flags = TR_TASK_SPREAD });
    else if (strcmp(what, "reloader") == 0)
        r = reloader_spawn(root, &none, NULL);
    if (r < 0)
        return r;
    if (strcmp(what, "error") == 0)
        return -EADDRINUSE;
    if (strcmp(what, "failing") == 0 || strcmp(what, "self") == 0)
        (void)tr_shutdown(TR_LEVEL_DRAIN, "the test says so");
    else if (strcmp(what, "spinner") != 0 && strcmp(what, "reader") != 0 &&
             strcmp(what, "reloader") != 0)
        say("ready");
    r = tr_shutdown_wait(TR_LEVEL_DRAIN, TR_NEVER);
    return r < 0 ? r : tr_scope_join(root, TR_NEVER);
}

int main(int argc, char **argv)
{
    const char *budget = getenv("BUDGET_MS");
    struct tr_runtime_opts opts = { .name = "inner",
                                    .n_worker = 2,
                                    .stop_budget = budget ? TR_MS(atoi(budget)) : 0 };

    return tr_main_with(&opts, app, argc, argv);
}
