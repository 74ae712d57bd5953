/* SPDX-License-Identifier: MIT */
/*
 * line.h - what was read ahead of the caller: text[start, end). Belongs to one task at a time.
 *
 *     0 ......... start ......... end ......... cap
 *                 |<- scanned ->|
 *                   holds no newline
 *
 * Allocated by the first tri_line_room(), kept until tri_line_free().
 */
#ifndef TRI_IO_LINE_H
#define TRI_IO_LINE_H

#include <stdbool.h>
#include <stddef.h>

struct tri_line {
    char *text;
    size_t cap, start, end, scanned;
};

static inline size_t tri_line_len(const struct tri_line *l)
{
    return l->end - l->start;
}

/* Takes up to @n bytes to @buf; returns how many. */
size_t tri_line_take(struct tri_line *l, void *buf, size_t n);

/*
 * Room for at least one more byte, in a buffer that can hold @size of them. Grows by doubling;
 * 4 KiB at first. Returns a pointer and *@ret_n bytes, to be filled and told by tri_line_add();
 * NULL: no memory, nothing is lost.
 */
char *tri_line_room(struct tri_line *l, size_t size, size_t *ret_n);
void tri_line_add(struct tri_line *l, size_t n);

/* The length of the first line, its newline included, or 0: there is none in the first @max. */
size_t tri_line_find(struct tri_line *l, size_t max);

void tri_line_free(struct tri_line *l);

#endif /* TRI_IO_LINE_H */
