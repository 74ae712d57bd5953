/* SPDX-License-Identifier: MIT */
/*
 * tr-guard.h - what the harness does around the body of a test: the test as the macros register
 * it, and the watch over what a body must not leave behind.
 */
#ifndef TR_GUARD_H
#define TR_GUARD_H

#include <stdbool.h>
#include <stdint.h>

struct tr_suite {
    const char *name;
    void (*init)(void); /* before the body and outside its task; the body is left out if it
                         * fails */
    void (*fini)(void); /* after the body, if that was entered */
    double timeout;     /* seconds, for each test; 0: the default of 10 */
    bool races;         /* forces the orders of races: TR_REPEAT=n performs each test n times */
    int end_;
};

struct tr_test {
    const struct tr_suite *suite;
    const char *name;
    void (*body)(void);
    double timeout; /* 0: that of the suite */
    bool once;      /* is not repeated, though its suite is one of races: it takes long */
    int end_;
};

enum tri_outcome { TRI_PASSED, TRI_FAILED, TRI_SKIPPED };

/* Runs init, body, fini and the watch in this process, once. */
enum tri_outcome tri_test_perform(const struct tr_test *t);

/* The test that this process performs, or NULL. */
const struct tr_test *tri_current_test(void);

/* What test_seed() is in @t. */
uint64_t tri_seed_of(const struct tr_test *t);

/* How often @t is performed, each time in a process of its own; and which time this one is. */
unsigned tri_repeats_of(const struct tr_test *t);
extern unsigned tri_repeat;

/* Seconds until the test counts as hung: sanitizers and valgrind get six times as long. */
double tri_test_limit(const struct tr_test *t);

/* The descriptors and memory errors before the body, against those after it. */
struct tri_guard {
    unsigned long fds[1024];
    unsigned long n_errors, n_leaked;
};

void tri_guard_begin(struct tri_guard *g);
/* Prints and counts as failures what the body left open, leaked or got wrong. */
void tri_guard_end(const struct tri_guard *g);
bool tri_guard_is_slow(void);

#endif /* TR_GUARD_H */
