/* SPDX-License-Identifier: MIT */
/*
 * log.h - what the library has to tell goes through the process's hook, or as one line to
 * descriptor 2. Formats into a fixed buffer and writes with write(2): small stack, no locale,
 * no malloc, no lock of stdio.
 */
#ifndef TRI_BASE_LOG_H
#define TRI_BASE_LOG_H

#include <troupe/runtime.h>

/* One event for the hook. */
void tri_tell(enum tr_event_kind kind, const char *fmt, ...) TR_PRINTF(2, 3);

/* One line "troupe: ..." to descriptor 2, always. */
void tri_log(const char *fmt, ...) TR_PRINTF(1, 2);

/* The same without "troupe: ", for lines that programs look for. */
void tri_log_bare(const char *fmt, ...) TR_PRINTF(1, 2);

#endif /* TRI_BASE_LOG_H */
