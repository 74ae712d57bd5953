/* SPDX-License-Identifier: MIT */
/*
 * tr-check.c - compares, prints what did not hold, and counts. The count and the reason of a
 * skip are all the state; a check that holds touches neither.
 */
#include "config.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "support/tr-check.h"

static atomic_uint n_failed;
static _Atomic(const char *) skipped;

/*
 * Written by any thread that fails, read when the body has ended: the reader has joined or
 * asked those threads by other means, so relaxed does.
 */
static void count_failure(void)
{
    atomic_fetch_add_explicit(&n_failed, 1, memory_order_relaxed);
}

unsigned test_n_failed(void)
{
    /* relaxed: see count_failure() */
    return atomic_load_explicit(&n_failed, memory_order_relaxed);
}

void tri_skip(const char *why)
{
    /* release: the text behind the pointer may have been written just now. */
    atomic_store_explicit(&skipped, why, memory_order_release);
}

const char *test_skipped(void)
{
    /* acquire: pairs with tri_skip() and shows us the text. */
    return atomic_load_explicit(&skipped, memory_order_acquire);
}

/* One write for the whole line: other threads may fail at the same moment. */
static bool fail(struct tri_place at, const char *found, const char *why)
{
    bool said = !why || strstr(at.text, why);

    count_failure();
    fprintf(stderr, "# %s:%d: %s: %s%s%s\n", at.file, at.line, at.text, found, said ? "" : ": ",
            said ? "" : why);
    return false;
}

bool tri_check(struct tri_place at, bool ok, const char *why)
{
    return ok || fail(at, "does not hold", why);
}

/* A result in the range of errno is shown with its name. */
static void print_value(char *buf, size_t size, struct tri_value v)
{
    const char *name = NULL;

    if (v.kind == TRI_POINTER) {
        snprintf(buf, size, "0x%" PRIxPTR, (uintptr_t)v.p);
    } else if (v.kind == TRI_UNSIGNED) {
        snprintf(buf, size, "%" PRIuMAX, v.u);
    } else {
        if (v.i < 0 && v.i > -4096)
            name = strerrorname_np((int)-v.i);
        snprintf(buf, size, name ? "%" PRIdMAX " (-%s)" : "%" PRIdMAX, v.i, name);
    }
}

static uintmax_t bits(struct tri_value v)
{
    return v.kind == TRI_POINTER ? (uintptr_t)v.p : v.kind == TRI_SIGNED ? (uintmax_t)v.i : v.u;
}

static bool is_negative(struct tri_value v)
{
    return v.kind == TRI_SIGNED && v.i < 0;
}

/* -1, 0 or 1. Two of one sign are in the order of their bits: two's complement. */
static int order(struct tri_value a, struct tri_value b)
{
    if (is_negative(a) != is_negative(b))
        return is_negative(a) ? -1 : 1;
    return (bits(a) > bits(b)) - (bits(a) < bits(b));
}

static bool holds(enum tri_op op, int o)
{
    switch (op) {
    case TRI_EQ:
        return o == 0;
    case TRI_NE:
        return o != 0;
    case TRI_LT:
        return o < 0;
    case TRI_LE:
        return o <= 0;
    case TRI_GT:
        return o > 0;
    case TRI_GE:
        return o >= 0;
    }
    return false;
}

bool tri_check_order(struct tri_place at, enum tri_op op, struct tri_value a,
                     struct tri_value b, const char *why)
{
    static const char *const not_so[] = {
        [TRI_EQ] = "is not equal to",     [TRI_NE] = "is equal to",
        [TRI_LT] = "is not less than",    [TRI_LE] = "is not at most",
        [TRI_GT] = "is not greater than", [TRI_GE] = "is not at least",
    };
    char a_text[48], b_text[48], found[160];

    if (holds(op, order(a, b)))
        return true;
    print_value(a_text, sizeof a_text, a);
    print_value(b_text, sizeof b_text, b);
    snprintf(found, sizeof found, "%s %s %s", a_text, not_so[op], b_text);
    return fail(at, found, why);
}

bool tri_check_str(struct tri_place at, const char *a, const char *b, const char *why)
{
    char found[512];

    if (a == b || (a && b && strcmp(a, b) == 0))
        return true;
    snprintf(found, sizeof found, "\"%.200s\" is not \"%.200s\"", a ? a : "(null)",
             b ? b : "(null)");
    return fail(at, found, why);
}
