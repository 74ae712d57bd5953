/* SPDX-License-Identifier: MIT */
/*
 * main-criterion.c - the tests over Criterion. This main is the runner's only: the process of a
 * test is the same program, started again, in which Criterion goes straight to the test.
 */
#include "config.h"

#include <criterion/criterion.h>
#include <criterion/hooks.h>
#include <criterion/internal/ordered-set.h>
#include <criterion/options.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "support/tr-test.h"

/*
 * Criterion ends a hung test by SIGPROF, which a runtime that blocks all signals never sees.
 * The kernel's timer sends what cannot be blocked, a second later.
 */
static void arm_the_last_resort(double limit)
{
    struct sigevent kill = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGKILL };
    struct itimerspec when = { .it_value.tv_sec = (time_t)limit + 1 };
    timer_t timer;

    check_eq(timer_create(CLOCK_MONOTONIC, &kill, &timer), 0);
    check_eq(timer_settime(timer, 0, &when, NULL), 0);
}

/* In the runner: a crash may be that timer's work. */
ReportHook(TEST_CRASH)(struct criterion_test_stats *stats)
{
    printf("# %s/%s crashed, or had timed out after %g s with SIGPROF blocked\n",
           stats->test->category, stats->test->name, tri_test_limit(stats->test->data->data));
    fflush(stdout);
}

/* Performs @t in a child. False: it did not pass. */
static bool passes(const struct tr_test *t)
{
    int status = -1;
    pid_t pid;

    fflush(NULL);
    pid = fork();
    if (pid == 0) {
        arm_the_last_resort(tri_test_limit(t));
        status = tri_test_perform(t);
        fflush(NULL);
        _exit(status);
    }
    return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0;
}

/* Called on the main thread of the test's process: only here may Criterion's asserts jump. */
void tri_criterion_run(const struct tr_test *t)
{
    const unsigned n = tri_repeats_of(t);

    for (tri_repeat = n - 1; tri_repeat > 0; tri_repeat--)
        if (!passes(t)) {
            cr_assert(0, "repetition %u of %u failed", n - tri_repeat, n);
            return;
        }
    arm_the_last_resort(tri_test_limit(t));
    switch (tri_test_perform(t)) {
    case TRI_PASSED:
        return;
    case TRI_SKIPPED:
        cr_skip_test("%s", test_skipped());
        return;
    case TRI_FAILED:
        cr_assert(0, "%u checks failed", test_n_failed());
    }
}

/* Criterion's own option only lowers a limit, and a test without one may hang for ever. */
static void set_limits(struct criterion_test_set *set)
{
    FOREACH_SET (struct criterion_suite_set *s, set->suites) {
        FOREACH_SET (struct criterion_test *t, s->tests)
            t->data->timeout = tri_test_limit(t->data->data) * tri_repeats_of(t->data->data);
    }
}

/* "suite/test" or a part of it; Criterion wants a pattern for the whole. */
static void choose(const char *part, char *pattern, size_t size)
{
    snprintf(pattern, size, "*%s*", part);
    criterion_options.pattern = pattern;
}

int main(int argc, char **argv)
{
    struct criterion_test_set *set = criterion_initialize();
    bool is_part = argc == 2 && argv[1][0] != '-';
    char pattern[256];
    int status = 0;

    test_print_seed();
    set_limits(set);
    if (is_part)
        choose(argv[1], pattern, sizeof pattern);
    if (criterion_handle_args(is_part ? 1 : argc, argv, true))
        status = !criterion_run_all_tests(set);
    criterion_finalize(set);
    /*
     * Past LeakSanitizer: Criterion forgets its options' strings. A suppression by its name
     * would hide the leaks of the tests, which it calls.
     */
    fflush(NULL);
    _exit(status);
}
