/* SPDX-License-Identifier: MIT */
/*
 * context.h - a flow of control with its own stack, and the switch between two of them.
 *
 * A context is parked (sp is its saved stack pointer) or running (sp is stale). A switch saves
 * the callee-saved registers on the stack it leaves and nothing else: signal mask, floating
 * point modes and errno belong to the thread. A context that has run stays on its thread.
 *
 *     adopt(&here)                   the calling thread's own stack becomes a context
 *     make(&task, ...)               parked; its first switch calls fn(arg)
 *     switch(&here, &task)           ... switch(&task, &here) ...    any number of times
 *     exit(&task, &here)             fn does not return: it leaves like this
 *     release(&task)                 from another context, before the stack is used again
 */
#ifndef TRI_SCHED_CONTEXT_H
#define TRI_SCHED_CONTEXT_H

#include <stddef.h>

#include "mem/san.h"

struct tri_context {
    void *sp;
#if TRI_ASAN
    const void *low; /* of the stack, and its size */
    size_t size;
    void *fake; /* ASan's own stack for this context, while it is parked */
    void (*fn)(void *arg);
    void *arg;
#endif
#if TRI_TSAN
    void *fiber;
#endif
};

/*
 * Saves the caller's registers on its stack and their place in *@save, and continues at @to,
 * which an earlier call saved or tri_context_make() laid out.
 */
__attribute__((visibility("hidden"))) void tri_switch(void **save, void *to);

/* Returns @r. Where it pays (switch-x86_64.S), by a jump that misleads no return prediction. */
#if defined __x86_64__ && !defined TRI_SWITCH_UCONTEXT
__attribute__((visibility("hidden"))) int tri_return_far(int r);
#else
static inline int tri_return_far(int r)
{
    return r;
}
#endif

/*
 * Makes a parked context that runs @fn(@arg) on the stack from @top_below_frame (rounded down
 * to 16) down to @low. Writes only just below @top_below_frame. @ctx stays where it is. @fn
 * does not return. With ThreadSanitizer at most some 8,000 contexts may exist.
 */
void tri_context_make(struct tri_context *ctx, void *top_below_frame, void *low,
                      void (*fn)(void *arg), void *arg);

/* Makes @ctx stand for the calling thread's own stack; it needs no release. */
void tri_context_adopt(struct tri_context *ctx);

/* Ends the life of a context which has left by tri_context_exit(), or never ran. */
void tri_context_release(struct tri_context *ctx);

/*
 * Parks @from, which is running, and continues @to, which is parked. Returns when somebody
 * switches to @from. Not inside a signal handler, nor inside an RCU read section.
 */
static inline void tri_context_switch(struct tri_context *from, struct tri_context *to)
{
    void *sp = to->sp;

#if TRI_ASAN
    __sanitizer_start_switch_fiber(&from->fake, to->low, to->size);
#endif
#if TRI_TSAN
    __tsan_switch_to_fiber(to->fiber, 0); /* 0: what came before is seen after */
#endif
    tri_switch(&from->sp, sp);
#if TRI_ASAN
    __sanitizer_finish_switch_fiber(from->fake, NULL, NULL);
#endif
}

/* The last switch of @from: it is never continued. */
static inline void tri_context_exit(struct tri_context *from, struct tri_context *to)
{
    void *sp = to->sp;

#if TRI_ASAN
    __sanitizer_start_switch_fiber(NULL, to->low, to->size);
#endif
#if TRI_TSAN
    __tsan_switch_to_fiber(to->fiber, 0);
#endif
    tri_switch(&from->sp, sp);
    __builtin_trap();
}

#endif /* TRI_SCHED_CONTEXT_H */
