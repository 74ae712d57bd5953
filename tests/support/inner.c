/* SPDX-License-Identifier: MIT */
/*
 * inner.c - tests that fail, each in one way, and a few that do not: test_harness.sh runs them
 * one by one and looks at what the harness makes of them.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "support/tr-test.h"

static void refuse(void)
{
    need_eq(1, 2);
}

TR_SUITE(inner);
TR_SUITE(bad_init, .init = refuse);
TR_SUITE(bad_fini, .fini = refuse);

TR_TEST(inner, passes)
{
    check(true);
}

TR_TEST(inner, fails_a_check)
{
    check_eq(-EPIPE, 0, "this and");
    fprintf(stderr, "# it went on after check\n");
}

TR_TEST(inner, fails_a_need)
{
    need_lt(2u, -1);
    fprintf(stderr, "# it went on after need\n");
}

TR_TEST(inner, skips)
{
    test_skip("there is a reason");
    check(false);
}

TR_TEST(inner, hangs, .timeout = 5)
{
    sigset_t all;

    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, NULL);
    for (;;)
        pause();
}

TR_TEST(inner, dies)
{
    kill(getpid(), SIGKILL);
}

TR_TEST(inner, leaves_a_descriptor)
{
    need_ge(open("/dev/null", O_RDONLY | O_CLOEXEC), 0);
}

__attribute__((noinline)) static void lose(void)
{
    void *volatile p = malloc(4711);

    p = NULL;
    (void)p;
}

TR_TEST(inner, leaks)
{
    for (int i = 0; i < 8; i++)
        lose();
}

TR_TEST(bad_init, leaves_out_the_body)
{
    fprintf(stderr, "# the body ran\n");
}

TR_TEST(bad_fini, fails)
{
    check(true);
}
