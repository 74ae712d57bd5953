/* SPDX-License-Identifier: MIT */
/*
 * test_fork.c - a child forked by an actor: it may return, through every cleanup on its way,
 * and nothing of its parent's runtime runs on in it or is told.
 */
#include "config.h"

#include <errno.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sched/kit.h"

enum { TOLD = 40, RAN_ON = 41, WAITED = 42 };

static pid_t parent;

static bool is_child(void)
{
    return getpid() != parent;
}

static void hook(enum tr_event_kind kind, const char *text, void *arg)
{
    kit_hook(kind, text, arg);
    if (is_child())
        _exit(TOLD);
}

static void listen_here(void)
{
    parent = getpid();
    tr_hook_set(hook, NULL);
}

TR_SUITE(fork, .init = listen_here, .timeout = 20);

struct job {
    int result; /* of the child */
};

static atomic_uint n_dropped; /* drops run on both workers */

static void job_drop(struct job *j)
{
    (void)j;
    n_dropped++;
    if (is_child())
        _exit(RAN_ON);
}

TR_TASK(forker, struct job, job_drop);
TR_TASK(sleeper, struct job, tr_nodrop);

static int sleeper(struct job *j)
{
    int r = tr_sleep(TR_NEVER);

    (void)j;
    if (is_child())
        _exit(RAN_ON);
    return r;
}

/* How the child ended. */
static int status_of(pid_t pid)
{
    int status = -1;

    check_eq(waitpid(pid, &status, 0), pid);
    check(WIFEXITED(status), "it was killed");
    return WEXITSTATUS(status);
}

/* In the child. */
static void use_scope(tr_scope *s)
{
    tr_scope_cancel(s);
    if (tr_scope_join(s, TR_NEVER) != -EOWNERDEAD ||
        tr_scope_drain(s, TR_NEVER) != -EOWNERDEAD ||
        sleeper_spawn(s, &(struct job){ 0 }, NULL) != -EOWNERDEAD || tr_yield() != -EOWNERDEAD)
        _exit(WAITED);
}

/* Forks; the child returns with its scope open, by a cleanup. */
static int fork_in_scope(int result)
{
    tr_scope inner TR_CLEANUP(tr_scope_end) = tr_scope_open(NULL);
    pid_t pid;

    check_eq(sleeper_spawn(&inner, &(struct job){ 0 }, NULL), 0);
    check_eq(tr_yield(), 0);
    pid = fork();
    if (pid == 0) {
        use_scope(&inner);
        return result;
    }
    check_eq(status_of(pid), result < 0 ? 1 : 0);
    check_eq(tr_scope_len(&inner), 1);
    return 0;
}

static int forker(struct job *j)
{
    return fork_in_scope(j->result);
}

static int run_task(tr_scope *root, void *arg)
{
    (void)arg;
    check_eq(forker_spawn(root, &(struct job){ 0 }, NULL), 0);
    check_eq(forker_spawn(root, &(struct job){ -EIO }, NULL), 0);
    check_eq(sleeper_spawn(root, &(struct job){ 0 }, NULL), 0);
    while (n_dropped < 2)
        check_eq(tr_yield(), 0);
    tr_scope_cancel(root);
    return tr_scope_join(root, TR_NEVER);
}

TR_TEST(fork, a_child_returns_from_its_task)
{
    run_with((struct tr_runtime_opts){ .n_worker = 1 }, run_task, NULL);
    check_eq(n_dropped, 2, "in the parent only");
}

TR_TEST(fork, a_child_returns_from_its_task_on_another_worker)
{
    run_with((struct tr_runtime_opts){ .n_worker = 2 }, run_task, NULL);
    check_eq(n_dropped, 2);
}

static int run_root(tr_scope *root, void *arg)
{
    check_eq(sleeper_spawn(root, &(struct job){ 0 }, NULL), 0);
    return fork_in_scope(*(int *)arg);
}

TR_TEST(fork, a_child_returns_from_the_root_task)
{
    run_with((struct tr_runtime_opts){ .n_worker = 1 }, run_root, &(int){ 0 });
    run_with((struct tr_runtime_opts){ .n_worker = 2 }, run_root, &(int){ -EIO });
    if (is_child())
        _exit(RAN_ON);
}

/* ---- a handler ---- */

struct ask {
    bool forks;
};

TR_HANDLER(forks, struct job, struct ask, job_drop, tr_nodrop);
TR_HANDLER(plain, struct job, struct ask, tr_nodrop, tr_nodrop);

static int plain(struct job *self, struct ask *m)
{
    (void)self;
    (void)m;
    return 0;
}

static unsigned n_message;
static tr_scope *root_scope;

static int forks(struct job *self, struct ask *m)
{
    plain_ref ref;
    pid_t pid;

    if (is_child())
        _exit(RAN_ON);
    n_message++;
    if (!m->forks)
        return tr_handler_stop();
    pid = fork();
    if (pid == 0) {
        if (plain_spawn(root_scope, &(struct job){ 0 }, NULL, &ref) != -EOWNERDEAD ||
            forks_timer(TR_NEVER, NULL) != -EOWNERDEAD || tr_handler_stop() != -EOWNERDEAD)
            _exit(WAITED);
        return self->result;
    }
    check_eq(status_of(pid), 1);
    return 0;
}

static int run_handler(tr_scope *root, void *arg)
{
    forks_ref ref;

    (void)arg;
    root_scope = root;
    check_eq(forks_spawn(root, &(struct job){ -EIO }, NULL, &ref), 0);
    check_eq(forks_send(&ref, &(struct ask){ true }, TR_NEVER), 0);
    check_eq(forks_send(&ref, &(struct ask){ false }, TR_NEVER), 0);
    forks_ref_close(&ref);
    return tr_scope_join(root, TR_NEVER);
}

TR_TEST(fork, a_child_returns_from_its_handler)
{
    run_with((struct tr_runtime_opts){ .n_worker = 1 }, run_handler, NULL);
    check_eq(n_message, 2);
    check_eq(n_dropped, 1);
}
