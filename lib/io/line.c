/* SPDX-License-Identifier: MIT */
/* line.c - see line.h. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "io/line.h"

enum { FIRST_CAP = 4096 };

size_t tri_line_take(struct tri_line *l, void *buf, size_t n)
{
    size_t len = tri_line_len(l);

    if (n > len)
        n = len;
    if (n == 0)
        return 0;
    memcpy(buf, l->text + l->start, n);
    l->start += n;
    l->scanned = l->scanned > n ? l->scanned - n : 0;
    if (l->start == l->end)
        l->start = l->end = 0;
    return n;
}

/* Moves what is there to the front. */
static void slide(struct tri_line *l)
{
    memmove(l->text, l->text + l->start, tri_line_len(l));
    l->end -= l->start;
    l->start = 0;
}

static bool grow(struct tri_line *l, size_t size)
{
    size_t cap = l->cap ? l->cap * 2 : FIRST_CAP;
    char *text;

    if (cap > size && size > FIRST_CAP)
        cap = size;
    text = realloc(l->text, cap);
    if (!text)
        return false;
    l->text = text;
    l->cap = cap;
    return true;
}

char *tri_line_room(struct tri_line *l, size_t size, size_t *ret_n)
{
    if (l->end == l->cap && l->start > 0)
        slide(l);
    if (l->end == l->cap && (l->cap == 0 || l->cap < size) && !grow(l, size))
        return NULL;
    *ret_n = l->cap - l->end;
    return l->text + l->end;
}

void tri_line_add(struct tri_line *l, size_t n)
{
    l->end += n;
}

size_t tri_line_find(struct tri_line *l, size_t max)
{
    size_t len = tri_line_len(l) < max ? tri_line_len(l) : max;
    const char *from, *nl;

    if (l->scanned >= len)
        return 0;
    from = l->text + l->start;
    nl = memchr(from + l->scanned, '\n', len - l->scanned);
    l->scanned = nl ? (size_t)(nl - from) : len;
    return nl ? l->scanned + 1 : 0;
}

void tri_line_free(struct tri_line *l)
{
    free(l->text);
    *l = (struct tri_line){ NULL, 0, 0, 0, 0 };
}
