/* SPDX-License-Identifier: MIT */
/* log.c - see log.h. The hook is two words under one lock, copied before it is called. */
#include "config.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/lock.h"
#include "base/log.h"

enum { LINE_MAX_BYTES = 512, PATIENCE_MS = 100 };

static struct tri_lock lock; /* protects the two below; nothing is taken inside it */
static tr_hook_fn *hook_fn;
static void *hook_arg;

void tr_hook_set(tr_hook_fn *hook, void *arg)
{
    tri_lock_acquire(&lock);
    hook_fn = hook;
    hook_arg = arg;
    tri_lock_release(&lock);
}

/* A reader that has stopped holds nobody up for long: then what does not fit is lost. */
static bool has_room(void)
{
    static atomic_bool given_up; /* until there is room again, nobody waits */
    struct pollfd p = { .fd = STDERR_FILENO, .events = POLLOUT };
    int r;

    /* relaxed, both: a hint. */
    do
        r = poll(&p, 1, atomic_load_explicit(&given_up, memory_order_relaxed) ? 0 : PATIENCE_MS);
    while (r < 0 && errno == EINTR);
    atomic_store_explicit(&given_up, r == 0, memory_order_relaxed);
    return r > 0;
}

static void write_all(const char *text, size_t n)
{
    ssize_t r;

    while (n > 0 && has_room() && (r = write(STDERR_FILENO, text, n)) > 0) {
        text += r;
        n -= (size_t)r;
    }
}

static const char SPEAKER[] = "troupe: ";

static void write_line(const char *prefix, const char *fmt, va_list ap) TR_PRINTF(2, 0);

static void write_line(const char *prefix, const char *fmt, va_list ap)
{
    char line[LINE_MAX_BYTES];
    size_t start = (size_t)(stpcpy(line, prefix) - line);
    int n = vsnprintf(line + start, sizeof line - start - 1, fmt, ap);
    size_t len = start + (n < 0 ? 0 : (size_t)n);

    if (len > sizeof line - 2)
        len = sizeof line - 2;
    line[len++] = '\n';
    write_all(line, len);
}

void tri_log(const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    write_line(SPEAKER, fmt, ap);
    va_end(ap);
}

void tri_log_bare(const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    write_line("", fmt, ap);
    va_end(ap);
}

void tri_tell(enum tr_event_kind kind, const char *fmt, ...)
{
    char text[LINE_MAX_BYTES];
    tr_hook_fn *fn;
    void *arg;
    va_list ap;

    tri_lock_acquire(&lock);
    fn = hook_fn;
    arg = hook_arg;
    tri_lock_release(&lock);

    va_start(ap, fmt);
    if (fn) {
        (void)vsnprintf(text, sizeof text, fmt, ap);
        fn(kind, text, arg);
    } else {
        write_line(SPEAKER, fmt, ap);
    }
    va_end(ap);
}

void tri_assert_fail(const char *text, const char *file, int line)
{
    tri_log("BROKEN INVARIANT at %s:%d: %s", file, line, text);
    abort();
}
