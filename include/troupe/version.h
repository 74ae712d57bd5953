/* SPDX-License-Identifier: MIT */
/*
 * troupe/version.h - the version of the headers, as numbers for #if, and of the loaded library.
 */
#ifndef TROUPE_VERSION_H
#define TROUPE_VERSION_H

#include <troupe/types.h>

TR_BEGIN_DECLS

#define TR_VERSION_MAJOR 0
#define TR_VERSION_MINOR 1
#define TR_VERSION_MICRO 0

/*
 * The version of the library that the program runs with, "0.1.0": a static string.
 * Callers: anybody, also a signal handler.  Progress: wait-free.
 */
TR_API const char *tr_version(void);

TR_END_DECLS

#endif /* TROUPE_VERSION_H */
