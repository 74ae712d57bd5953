/* SPDX-License-Identifier: MIT */
/*
 * troupe/types.h - what every other header of troupe needs: visibility, attributes, and the few
 * callback types.
 */
#ifndef TROUPE_TYPES_H
#define TROUPE_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
#define TR_BEGIN_DECLS extern "C" {
#define TR_END_DECLS   }
#else
#define TR_BEGIN_DECLS
#define TR_END_DECLS
#endif

#define TR_API __attribute__((visibility("default")))

/* The result must be looked at. */
#define TR_CHECK __attribute__((warn_unused_result))

/* Generated functions: a file need not call all of them. */
#define TR_GENERATED static inline __attribute__((unused))

/* struct tally m TR_CLEANUP(tally_drop) = { ... }; drops m on every way out of its block. */
#define TR_CLEANUP(drop) __attribute__((cleanup(drop)))

TR_BEGIN_DECLS

/*
 * Releases what *@value holds, not the storage of @value itself. Called exactly once for a value
 * that troupe owns and nobody received. A zeroed value is empty: dropping it must do nothing.
 */
typedef void tr_drop_fn(void *value);

TR_END_DECLS

#endif /* TROUPE_TYPES_H */
