/* SPDX-License-Identifier: MIT */
/* test_signal.c - subscriptions to signals. */
#include "config.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <troupe.h>

#include "sched/worker.h"
#include "support/tr-actor-test.h"

TR_SUITE(signals, .timeout = 20);

/* One worker, which is this thread: raise() has been handled when it returns. */
static const struct tr_runtime_opts alone = { .n_worker = 1 };

static bool is_default(int signo)
{
    struct sigaction now;

    return sigaction(signo, NULL, &now) == 0 && now.sa_handler == SIG_DFL;
}

/* ---- counting ---- */

static int count(tr_scope *root, void *arg)
{
    tr_signal s, t;
    struct tr_signal_info info = { 0 };

    (void)root;
    (void)arg;
    check_eq(tr_signal_open(SIGUSR1, &s), 0);
    check_eq(tr_signal_recv(&s, TR_NOW, &info), -ETIMEDOUT);
    for (int i = 0; i < 3; i++)
        raise(SIGUSR1);
    check_eq(tr_signal_open(SIGUSR1, &t), 0);
    check_eq(tr_signal_recv(&s, TR_NEVER, &info), 0);
    check_eq(info.signo, SIGUSR1);
    check_eq(info.count, 3);
    check_eq(info.pid, getpid());
    check_eq(info.uid, getuid());
    check_eq(tr_signal_recv(&s, TR_NOW, &info), -ETIMEDOUT);
    check_eq(tr_signal_recv(&t, TR_NOW, &info), -ETIMEDOUT,
             "sees what comes after it was opened");
    raise(SIGUSR1);
    check_eq(tr_signal_recv(&s, TR_NOW, NULL), 0);
    check_eq(tr_signal_recv(&t, TR_NOW, &info), 0);
    check_eq(info.count, 1);
    tr_signal_close(&s);
    check(!is_default(SIGUSR1), "another subscription holds it");
    tr_signal_close(&t);
    check(is_default(SIGUSR1));
    tr_signal_close(&t);
    check_eq(tr_signal_recv(&t, TR_NOW, NULL), -EINVAL);
    return 0;
}

TR_TEST(signals, each_subscription_counts_what_it_has_not_reported)
{
    check_eq(tr_run_with(&alone, count, NULL), 0);
}

static int closing(tr_scope *root, void *arg)
{
    tr_signal s;

    (void)root;
    (void)arg;
    check_eq(tr_signal_open(SIGHUP, &s), 0);
    tr_signal_close(&s);
    raise(SIGHUP);
    return 0;
}

TR_TEST(signals, closing_gives_the_former_effect_back)
{
    signal(SIGHUP, SIG_IGN);
    check_eq(tr_run_with(&alone, closing, NULL), 0);
    check(signal(SIGHUP, SIG_DFL) == SIG_IGN);
}

/* ---- misuse ---- */

static int refused(tr_scope *root, void *arg)
{
    tr_signal s = { 0 };

    (void)root;
    (void)arg;
    check_eq(tr_signal_open(0, &s), -EINVAL);
    check_eq(tr_signal_open(65, &s), -EINVAL);
    check_eq(tr_signal_open(SIGKILL, &s), -EINVAL);
    check_eq(tr_signal_open(SIGSEGV, &s), -EINVAL);
    check_eq(tr_signal_wait(SIGSTOP, TR_NEVER), -EINVAL);
    check_eq(tr_signal_wait(-1, TR_NEVER), -EINVAL);
    check(!s.sub);
    return 0;
}

TR_TEST(signals, what_cannot_be_caught_is_refused)
{
    tr_signal s = { 0 };

    check_eq(tr_run(refused, NULL), 0);
    check_eq(tr_signal_open(SIGUSR1, &s), -EPERM, "no runtime");
    check(is_default(SIGUSR1));
}

static int simulated(tr_scope *root, void *arg)
{
    tr_signal s = { 0 };

    (void)root;
    (void)arg;
    return tr_signal_open(SIGUSR1, &s);
}

TR_TEST(signals, a_simulated_runtime_has_none)
{
    check_eq(tr_run_with(&(struct tr_runtime_opts){ .simulate = true }, simulated, NULL),
             -EOPNOTSUPP);
}

/* ---- waiting ---- */

/* One signal, sent when its task sleeps, or before it begins to wait. */
struct trial {
    bool sleeps;
    pthread_barrier_t sent;
    struct tri_task *_Atomic task; /* the one that is to be woken */
};

/* Sends it from a thread that blocks them all. */
static void *sender(void *arg)
{
    struct trial *t = arg;
    sigset_t all;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, NULL);
    while (!atomic_load(&t->task) ||
           (t->sleeps && !atomic_load(&atomic_load(&t->task)->a.wakee.parked)))
        (void)sched_yield();
    kill(getpid(), SIGUSR2);
    if (!t->sleeps)
        pthread_barrier_wait(&t->sent);
    return NULL;
}

static int wait_for_one(tr_scope *root, void *arg)
{
    struct trial *t = arg;
    tr_signal s;
    struct tr_signal_info info;
    int r;

    (void)root;
    r = tr_signal_open(SIGUSR2, &s);
    if (r < 0)
        abort(); /* the other thread waits for us */
    atomic_store(&t->task, tri_self());
    if (!t->sleeps)
        pthread_barrier_wait(&t->sent);
    r = tr_signal_recv(&s, tr_after(TR_S(5)), &info);
    tr_signal_close(&s);
    return r;
}

static int try_one(const struct tr_runtime_opts *opts, bool sleeps)
{
    struct trial t = { .sleeps = sleeps };
    pthread_t thread;
    int r;

    pthread_barrier_init(&t.sent, NULL, 2);
    pthread_create(&thread, NULL, sender, &t);
    r = tr_run_with(opts, wait_for_one, &t);
    pthread_join(thread, NULL);
    pthread_barrier_destroy(&t.sent);
    return r;
}

/* Both orders. */
static int wait_under(const struct tr_runtime_opts *opts)
{
    int r = try_one(opts, true);

    return r < 0 ? r : try_one(opts, false);
}

TR_TEST(signals, a_signal_wakes_a_task)
{
    check_eq(wait_under(NULL), 0);
}

TR_TEST(signals, a_signal_wakes_a_task_of_a_current_thread_runtime)
{
    check_eq(wait_under(&(struct tr_runtime_opts){ .current_thread = true }), 0);
}

TR_TEST(signals, a_signal_that_the_program_blocks_is_seen_all_the_same)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGUSR2);
    sigprocmask(SIG_BLOCK, &set, NULL);
    check_eq(wait_under(NULL), 0);
    check_eq(wait_under(&(struct tr_runtime_opts){ .current_thread = true }), 0);
    sigprocmask(SIG_BLOCK, NULL, &set);
    check(sigismember(&set, SIGUSR2), "and blocked again afterwards");
}

struct shared {
    int *n_woken;
};

TR_TASK(sharer, struct shared, tr_nodrop);
static int sharer(struct shared *s)
{
    int r = tr_signal_wait(SIGUSR1, TR_UNTIL_DRAIN);

    *s->n_woken += r == 0;
    return r;
}

static int share(tr_scope *root, void *arg)
{
    int n_woken = 0;
    tr_scope s TR_CLEANUP(tr_scope_end) = tr_scope_open(NULL);

    (void)root;
    (void)arg;
    for (int i = 0; i < 3; i++)
        check_eq(sharer_spawn(&s, &(struct shared){ &n_woken }, NULL), 0);
    while (is_default(SIGUSR1)) /* nobody waits yet */
        check_eq(tr_yield(), 0);
    raise(SIGUSR1);
    while (n_woken == 0)
        check_eq(tr_yield(), 0);
    for (int i = 0; i < 100; i++)
        check_eq(tr_yield(), 0);
    check_eq(n_woken, 1);
    raise(SIGUSR1);
    raise(SIGUSR1);
    check_eq(tr_scope_join(&s, tr_after(TR_S(5))), 0);
    check_eq(n_woken, 3, "two occurrences in a row wake two");
    return 0;
}

TR_TEST(signals, waiters_of_the_short_form_share_the_occurrences)
{
    check_eq(tr_run_with(&alone, share, NULL), 0);
    check(is_default(SIGUSR1));
}

static int choose(tr_scope *root, void *arg)
{
    tr_signal s;
    struct tr_signal_info info = { 0 };
    tr_arm arms[2];

    (void)root;
    (void)arg;
    check_eq(tr_signal_open(SIGUSR1, &s), 0);
    arms[0] = tr_signal_recv_arm(&s, &info);
    arms[1] = tr_deadline_arm(tr_after(TR_MS(5)));
    check_eq(tr_select(TR_NEVER, arms, 2), 1);
    raise(SIGUSR1);
    arms[1] = tr_deadline_arm(tr_after(TR_S(5)));
    check_eq(tr_select(TR_NEVER, arms, 2), 0);
    check_eq(arms[0].result, 0);
    check_eq(info.count, 1);
    tr_signal_close(&s);
    return 0;
}

TR_TEST(signals, a_subscription_is_an_arm_of_select)
{
    check_eq(tr_run_with(&alone, choose, NULL), 0);
}
