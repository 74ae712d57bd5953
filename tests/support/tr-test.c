/* SPDX-License-Identifier: MIT */
/* tr-test.c - performs one test in this process, for whichever runner started it. */
#include "config.h"

#include <stdlib.h>

#include "support/tr-check.h"
#include "support/tr-guard.h"

enum { TIMEOUT_S = 10, SLOW_FACTOR = 6 };

static const struct tr_test *current;

const struct tr_test *tri_current_test(void)
{
    return current;
}

unsigned tri_repeat;

unsigned tri_repeats_of(const struct tr_test *t)
{
    const char *n = getenv("TR_REPEAT");

    return t->suite->races && !t->once && n && atoi(n) > 1 ? (unsigned)atoi(n) : 1;
}

double tri_test_limit(const struct tr_test *t)
{
    const char *factor = getenv("TR_TIMEOUT_FACTOR");
    double limit = t->timeout > 0 ? t->timeout : t->suite->timeout;

    if (!(limit > 0))
        limit = TIMEOUT_S;
    if (factor)
        return limit * atof(factor);
    return tri_guard_is_slow() ? limit * SLOW_FACTOR : limit;
}

static bool may_go_on(void)
{
    return test_n_failed() == 0 && !test_skipped();
}

static void run_body(const struct tr_test *t)
{
    if (t->suite->init)
        t->suite->init();
    if (!may_go_on())
        return;
    t->body();
    if (t->suite->fini)
        t->suite->fini();
}

enum tri_outcome tri_test_perform(const struct tr_test *t)
{
    static struct tri_guard guard;

    current = t;
    tri_guard_begin(&guard);
    run_body(t);
    tri_guard_end(&guard);
    if (test_n_failed() > 0)
        return TRI_FAILED;
    return test_skipped() ? TRI_SKIPPED : TRI_PASSED;
}
