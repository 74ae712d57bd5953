/* SPDX-License-Identifier: MIT */
/*
 * assert.h - broken invariants of ours end the process with file, line and text, in every build
 * (TRI_ASSERT) or in debug builds (TRI_DEBUG_ASSERT). Misuse by the user is never asserted.
 */
#ifndef TRI_BASE_ASSERT_H
#define TRI_BASE_ASSERT_H

#define tri_likely(x)   __builtin_expect(!!(x), 1)
#define tri_unlikely(x) __builtin_expect(!!(x), 0)

_Noreturn void tri_assert_fail(const char *text, const char *file, int line);

#define TRI_ASSERT(x) (tri_likely(x) ? (void)0 : tri_assert_fail(#x, __FILE__, __LINE__))

#ifdef TR_DEBUG
#define TRI_DEBUG_ASSERT(x) TRI_ASSERT(x)
#else
#define TRI_DEBUG_ASSERT(x) ((void)sizeof(!(x)))
#endif

#endif /* TRI_BASE_ASSERT_H */
