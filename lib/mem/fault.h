/* SPDX-License-Identifier: MIT */
/*
 * fault.h - a stack overflow ends in a report that names the task, and in SIGSEGV:
 *
 *     troupe: task 'conn' #12 overflowed its stack of 64 KiB (address 0x..., guard advice)
 *       give it more with the stack_bytes option
 *
 * Other faults go to the handler that was installed before, as if this one were not there.
 */
#ifndef TRI_MEM_FAULT_H
#define TRI_MEM_FAULT_H

#include <stddef.h>

/*
 * Writes who runs on the stack under @stack_top, "task 'conn' #12", as a string of at most @n
 * bytes with its end. Called inside a signal handler or before an abort: no locks, no stdio.
 */
typedef void tri_fault_describe_fn(void *stack_top, char *buf, size_t n);

/* NULL: the report says "a task". Callers: any thread. */
void tri_fault_describer(tri_fault_describe_fn *fn);

/* Handles SIGSEGV and SIGBUS in this process, until as many uninstalls. Returns 0 or -errno. */
int tri_fault_install(void);
void tri_fault_uninstall(void);

/*
 * Gives the calling thread an alternate signal stack, which it needs before it runs a task;
 * keeps one that it has already. Enters and leaves of one thread nest. Returns 0 or -ENOMEM.
 */
int tri_fault_thread_enter(void);
void tri_fault_thread_leave(void);

/* The canary of the stack under @top was overwritten: the same report, then abort(). */
_Noreturn void tri_fault_canary(void *top);

#endif /* TRI_MEM_FAULT_H */
