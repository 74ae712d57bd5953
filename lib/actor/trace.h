/* SPDX-License-Identifier: MIT */
/*
 * trace.h - what another thread of this process is doing: its system call and its backtrace,
 * asked for by a signal. One request at a time in the process.
 */
#ifndef TRI_ACTOR_TRACE_H
#define TRI_ACTOR_TRACE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum { TRI_TRACE_MAX = 24 };

/* Handles tri_trace_signal(), until as many ends; not if the program handles it already. */
void tri_trace_begin(void);
void tri_trace_end(void);

/* Loads what backtrace() needs, so that no handler allocates. Once is enough. */
void tri_trace_warm(void);

/* Writes what the thread @tid does in the kernel: "running", "in read(3)", "in futex_wait". */
void tri_trace_kernel(pid_t tid, char *buf, size_t n);

/* It wants to run: it is in no system call and not stopped for memory. */
bool tri_trace_is_runnable(pid_t tid);

/*
 * The return addresses of the thread @tid, innermost first; how many. 0: it is in a call that a
 * signal would disturb, blocks the signal, or does not answer in time.
 */
int tri_trace_thread(pid_t tid, void *ret_pc[TRI_TRACE_MAX]);

#endif /* TRI_ACTOR_TRACE_H */
