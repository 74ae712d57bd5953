/* SPDX-License-Identifier: MIT */
/*
 * move.h - move values of a type whose size is known at run time only. Small ones go by words
 * in a loop that is cheaper than the call of memcpy().
 */
#ifndef TRI_CHAN_MOVE_H
#define TRI_CHAN_MOVE_H

#include <stdint.h>
#include <string.h>

#include <troupe/types.h>

enum { TRI_MOVE_INLINE_MAX = 64 };

static inline void tri_copy(void *dst, const void *src, size_t n)
{
    uint64_t word;

    if (__builtin_expect(n == sizeof word, 1)) {
        memcpy(dst, src, sizeof word);
        return;
    }
    if (n > TRI_MOVE_INLINE_MAX || n % sizeof word != 0) {
        memcpy(dst, src, n);
        return;
    }
    for (size_t i = 0; i < n; i += sizeof word) {
        memcpy(&word, (const char *)src + i, sizeof word);
        memcpy((char *)dst + i, &word, sizeof word);
    }
}

static inline void tri_zero(void *value, size_t n)
{
    const uint64_t zero = 0;

    if (n > TRI_MOVE_INLINE_MAX || n % sizeof zero != 0) {
        memset(value, 0, n);
        return;
    }
    for (size_t i = 0; i < n; i += sizeof zero)
        memcpy((char *)value + i, &zero, sizeof zero);
}

/* Copies and leaves zeroes behind, so that dropping the source does nothing. */
static inline void tri_move(void *dst, void *src, size_t n)
{
    const uint64_t zero = 0;
    uint64_t word;

    if (__builtin_expect(n == sizeof word, 1)) {
        memcpy(&word, src, sizeof word);
        memcpy(dst, &word, sizeof word);
        memcpy(src, &zero, sizeof word);
        return;
    }
    if (n > TRI_MOVE_INLINE_MAX || n % sizeof word != 0) {
        memcpy(dst, src, n);
        memset(src, 0, n);
        return;
    }
    for (size_t i = 0; i < n; i += sizeof word) {
        memcpy(&word, (char *)src + i, sizeof word);
        memcpy((char *)dst + i, &word, sizeof word);
        memcpy((char *)src + i, &zero, sizeof word);
    }
}

/* A type that the channels can carry: TRI_TYPE checks it at compile time, this the rest. */
static inline bool tri_type_is_valid(const struct tri_type *t)
{
    return t && t->drop && t->size <= TR_MESSAGE_MAX && t->align <= 16;
}

#endif /* TRI_CHAN_MOVE_H */
