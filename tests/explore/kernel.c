/* SPDX-License-Identifier: MIT */
/*
 * kernel.c - what stands in for the kernel and the allocator: the futex calls, yielding,
 * memory. A spin goes on in two ways: through all of it at once, as if nobody ran meanwhile, or
 * not until somebody has written. A yield knows the second only. A wait with a deadline may end
 * at any moment. membarrier(2) does nothing: what it is for is not explored.
 */
#include "config.h"

#include <errno.h>
#include <linux/futex.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>

#include "explore/engine.h"
#include "mem/alloc.h"

long explore_syscall(long number, ...);
int explore_yield(void);
void explore_relax(void);
void explore_free(void *p);
void *explore_malloc(size_t n);
_Noreturn void tri_assert_fail(const char *text, const char *file, int line);

static long futex_wait(uint32_t *word, uint32_t expected, bool timed)
{
    struct explore_op op = { .kind = EXPLORE_WAIT, .expected = expected };

    threads_point(word, true);
    op.old = *word;
    op.writes = op.old == expected;
    steps_made(&op, word);
    if (op.writes && !threads_sleep(word, timed)) {
        errno = ETIMEDOUT;
        return -1;
    }
    return 0;
}

static long futex_wake(uint32_t *word, unsigned n)
{
    struct explore_op op = { .kind = EXPLORE_WAKE, .writes = true };

    threads_point(word, true);
    steps_made(&op, word);
    if (op.writes)
        threads_wake(word, n);
    return 0;
}

/* SYS_futex: word, operation, value, time. */
static long futex(va_list args)
{
    uint32_t *word = va_arg(args, uint32_t *);
    int what = va_arg(args, int);
    unsigned value = va_arg(args, unsigned);

    if ((what & FUTEX_CMD_MASK) == FUTEX_WAKE)
        return futex_wake(word, value);
    return futex_wait(word, value, va_arg(args, void *) != NULL);
}

long explore_syscall(long number, ...)
{
    va_list args;
    long r = 0;

    va_start(args, number);
    if (number == SYS_futex)
        r = futex(args);
    else if (number != SYS_membarrier)
        explore_fail("system call %ld", number);
    va_end(args);
    return r;
}

int explore_yield(void)
{
    threads_leave(false);
    return 0;
}

void explore_relax(void)
{
    threads_leave(true);
}

/* ---- mem/alloc.h ---- */

void *tri_mem_alloc(size_t bytes)
{
    return memory_alloc(bytes, 16, 0);
}

void *tri_mem_alloc_lines(size_t bytes)
{
    return memory_alloc(bytes, 64, 0);
}

void *tri_mem_alloc_dirty(size_t bytes)
{
    return memory_alloc(bytes, 16, 0xaa);
}

void *explore_malloc(size_t n)
{
    return memory_alloc(n, 16, 0xaa);
}

void explore_free(void *p)
{
    memory_free(p, 0);
}

void tri_assert_fail(const char *text, const char *file, int line)
{
    explore_fail("%s:%d: assertion %s", file, line, text);
}

void tri_mem_broken(const char *file, int line, const char *what)
{
    explore_fail("%s:%d: %s", file, line, what);
}
