/* SPDX-License-Identifier: MIT */
/*
 * tr-guard.c - a body must leave no descriptor open, no memory leaked (where LeakSanitizer or
 * valgrind can tell) and no error with valgrind, which would not fail the process by itself.
 */
#include "config.h"

#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support/tr-check.h"
#include "support/tr-guard.h"

#ifndef __has_feature
#define __has_feature(x) 0
#endif
#if defined __SANITIZE_ADDRESS__ || __has_feature(address_sanitizer)
#include <sanitizer/lsan_interface.h>
#define HAVE_LSAN 1
#else
#define HAVE_LSAN 0
#endif
#if HAVE_LSAN || defined __SANITIZE_THREAD__ || __has_feature(thread_sanitizer)
#define SANITIZED true
#else
#define SANITIZED false
#endif

#ifdef HAVE_VALGRIND
#include <valgrind/memcheck.h>
#else
#define RUNNING_ON_VALGRIND   0
#define VALGRIND_COUNT_ERRORS 0
#endif

enum { WORD_BITS = sizeof(unsigned long) * CHAR_BIT };

bool tri_guard_is_slow(void)
{
    return SANITIZED || RUNNING_ON_VALGRIND;
}

/* Calls @visit for each open descriptor but the one it reads the list through. */
static void each_fd(void (*visit)(int fd, void *arg), void *arg)
{
    DIR *dir = opendir("/proc/self/fd");
    struct dirent *e;

    if (!dir)
        return;
    while ((e = readdir(dir))) {
        int fd = atoi(e->d_name);

        if (e->d_name[0] != '.' && fd != dirfd(dir))
            visit(fd, arg);
    }
    closedir(dir);
}

static void note_fd(int fd, void *arg)
{
    struct tri_guard *g = arg;
    size_t word = (size_t)fd / WORD_BITS;

    if (word < sizeof g->fds / sizeof g->fds[0])
        g->fds[word] |= 1ul << ((unsigned)fd % WORD_BITS);
}

static void report_fd(int fd, void *arg)
{
    const struct tri_guard *g = arg;
    size_t word = (size_t)fd / WORD_BITS;
    char path[32], target[200] = "";

    if (word < sizeof g->fds / sizeof g->fds[0] &&
        (g->fds[word] & 1ul << ((unsigned)fd % WORD_BITS)))
        return;
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    if (readlink(path, target, sizeof target - 1) < 0)
        return;
    fprintf(stderr, "# fd %d is still open: %s\n", fd, target);
    check(false, "the test leaves a descriptor open");
}

#ifdef HAVE_VALGRIND
static unsigned long count_leaks(void)
{
    unsigned long leaked = 0, dubious = 0, reachable = 0, suppressed = 0;

    VALGRIND_DO_QUICK_LEAK_CHECK;
    VALGRIND_COUNT_LEAKS(leaked, dubious, reachable, suppressed);
    (void)dubious;
    (void)reachable;
    (void)suppressed;
    return leaked;
}

static void check_valgrind(const struct tri_guard *g)
{
    if (!RUNNING_ON_VALGRIND)
        return;
    check_eq(VALGRIND_COUNT_ERRORS, g->n_errors, "errors with valgrind");
    if (!check_eq(count_leaks(), g->n_leaked, "bytes leaked with valgrind"))
        VALGRIND_DO_ADDED_LEAK_CHECK; /* says where they came from */
}
#else
static unsigned long count_leaks(void)
{
    return 0;
}

static void check_valgrind(const struct tri_guard *g)
{
    (void)g;
}
#endif

void tri_guard_begin(struct tri_guard *g)
{
    memset(g, 0, sizeof *g);
    each_fd(note_fd, g);
    g->n_errors = VALGRIND_COUNT_ERRORS;
    if (RUNNING_ON_VALGRIND)
        g->n_leaked = count_leaks();
}

void tri_guard_end(const struct tri_guard *g)
{
    each_fd(report_fd, (void *)(uintptr_t)g);
    check_valgrind(g);
#if HAVE_LSAN
    check_eq(__lsan_do_recoverable_leak_check(), 0, "the test leaks");
#endif
}
