/* SPDX-License-Identifier: MIT */
/*
 * main-plain.c - the tests without Criterion: [--list] [PART of "suite/test"]. Each test is a
 * forked child with a process group of its own, which is killed when its time is up; TAP goes
 * to stdout. The parent has one thread, so the child may do anything. With TR_REPEAT=n a test
 * of races is performed n times, up to its first failure.
 */
#include "config.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "support/tr-test.h"

extern struct tr_test *const __start_tr_tests[] __attribute__((weak));
extern struct tr_test *const __stop_tr_tests[] __attribute__((weak));

static bool is_chosen(const struct tr_test *t, const char *part)
{
    char full[256];

    snprintf(full, sizeof full, "%s/%s", t->suite->name, t->name);
    return !part || strstr(full, part);
}

static double seconds(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec * 1e-9;
}

/* The parent holds SIGCHLD blocked; the child must start as a program would. */
_Noreturn static void child(const struct tr_test *t, const sigset_t *mask)
{
    enum tri_outcome out;

    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    sigprocmask(SIG_SETMASK, mask, NULL);
    out = tri_test_perform(t);
    if (out == TRI_SKIPPED)
        printf("# %s\n", test_skipped());
    fflush(NULL);
    _exit(out);
}

/* Waits for @pid until @limit has passed. Returns 0 and its status, or -ETIMEDOUT. */
static int wait_child(pid_t pid, double limit, int *ret_status)
{
    double end = seconds() + limit, left;
    struct timespec ts;
    sigset_t chld;

    sigemptyset(&chld);
    sigaddset(&chld, SIGCHLD);
    while (waitpid(pid, ret_status, WNOHANG) != pid) {
        left = end - seconds();
        if (left <= 0)
            return -ETIMEDOUT;
        ts.tv_sec = (time_t)left;
        ts.tv_nsec = (long)((left - (double)ts.tv_sec) * 1e9);
        sigtimedwait(&chld, NULL, &ts);
    }
    return 0;
}

/* The state and name of each thread of a test that hangs. */
static void print_threads(pid_t pid)
{
    char command[128];

    snprintf(command, sizeof command,
             "for s in /proc/%d/task/*/stat; do echo \"#   $(cut -c 1-40 \"$s\")\"; done",
             (int)pid);
    if (system(command) != 0)
        printf("#   (no list of threads)\n");
}

/* Ends the whole group, which may hold more than the test. */
static void kill_group(pid_t pid)
{
    kill(-pid, SIGKILL);
    kill(pid, SIGKILL); /* it may not have made its group yet */
    waitpid(pid, NULL, 0);
}

/* Says in @why what a failed test died of. */
static enum tri_outcome judge(int status, char *why, size_t size)
{
    if (WIFSIGNALED(status)) {
        snprintf(why, size, ": killed by SIG%s", sigabbrev_np(WTERMSIG(status)));
        return TRI_FAILED;
    }
    if (WEXITSTATUS(status) == TRI_PASSED || WEXITSTATUS(status) == TRI_SKIPPED)
        return (enum tri_outcome)WEXITSTATUS(status);
    if (WEXITSTATUS(status) != TRI_FAILED)
        snprintf(why, size, ": exit status %d", WEXITSTATUS(status));
    return TRI_FAILED;
}

static enum tri_outcome run(const struct tr_test *t, char *why, size_t size)
{
    sigset_t chld, mask;
    int status;
    pid_t pid;

    fflush(stdout);
    sigemptyset(&chld);
    sigaddset(&chld, SIGCHLD);
    sigprocmask(SIG_BLOCK, &chld, &mask);
    pid = fork();
    if (pid == 0)
        child(t, &mask);
    if (pid < 0) {
        snprintf(why, size, ": fork: %s", strerrordesc_np(errno));
        return TRI_FAILED;
    }
    if (wait_child(pid, tri_test_limit(t), &status) == 0) {
        kill(-pid, SIGKILL); /* what the test left behind */
        return judge(status, why, size);
    }
    print_threads(pid);
    kill_group(pid);
    snprintf(why, size, ": timed out after %g s", tri_test_limit(t));
    return TRI_FAILED;
}

/* The same, as often as it is to be repeated. */
static enum tri_outcome run_often(const struct tr_test *t, char *why, size_t size)
{
    const unsigned n = tri_repeats_of(t);
    enum tri_outcome out = TRI_PASSED;

    for (tri_repeat = 0; tri_repeat < n && out == TRI_PASSED; tri_repeat++)
        out = run(t, why, size);
    if (out == TRI_FAILED && n > 1)
        printf("# %s::%s: repetition %u of %u\n", t->suite->name, t->name, tri_repeat, n);
    return out;
}

static unsigned count_chosen(const char *part)
{
    unsigned n = 0;

    for (struct tr_test *const *t = __start_tr_tests; t < __stop_tr_tests; t++)
        n += is_chosen(*t, part);
    return n;
}

static bool report(const struct tr_test *t, unsigned number)
{
    static const char *const word[] = { "ok", "not ok", "ok" };
    char why[64] = "";
    enum tri_outcome out = run_often(t, why, sizeof why);

    printf("%s %u - %s::%s%s%s\n", word[out], number, t->suite->name, t->name, why,
           out == TRI_SKIPPED ? " # SKIP" : "");
    fflush(stdout);
    return out != TRI_FAILED;
}

static void list(const char *part)
{
    for (struct tr_test *const *t = __start_tr_tests; t < __stop_tr_tests; t++)
        if (is_chosen(*t, part))
            printf("%s/%s\n", (*t)->suite->name, (*t)->name);
}

int main(int argc, char **argv)
{
    bool only_list = argc > 1 && strcmp(argv[1], "--list") == 0;
    const char *part = argc > 1 + only_list ? argv[1 + only_list] : NULL;
    unsigned n = 0, n_passed = 0;

    if (only_list) {
        list(part);
        return 0;
    }
    test_print_seed();
    printf("1..%u\n", count_chosen(part));
    for (struct tr_test *const *t = __start_tr_tests; t < __stop_tr_tests; t++)
        if (is_chosen(*t, part))
            n_passed += report(*t, ++n);
    return n > 0 && n_passed == n ? EXIT_SUCCESS : EXIT_FAILURE;
}
