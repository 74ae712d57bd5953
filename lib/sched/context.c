/* SPDX-License-Identifier: MIT */
/*
 * context.c - laying out new contexts, what the sanitizers want to know of them, and a switch
 * over ucontext for processors without one of their own (TRI_SWITCH_UCONTEXT asks for it).
 */
#include "config.h"

#include <pthread.h>
#include <stdint.h>
#include <string.h>

#include "mem/alloc.h"
#include "sched/context.h"

#if !defined __x86_64__ && !defined __aarch64__ && !defined TRI_SWITCH_UCONTEXT
#define TRI_SWITCH_UCONTEXT
#endif

#ifdef TRI_SWITCH_UCONTEXT

#include <ucontext.h>

/* A parked stack's sp is the address of its ucontext_t, which lies on it. */
void tri_switch(void **save, void *to)
{
    ucontext_t here;

    *save = &here;
    TRI_MEM_HOLDS(swapcontext(&here, to) == 0);
}

/* makecontext() passes ints: a pointer travels as two. */
static void entry(unsigned fn_hi, unsigned fn_lo, unsigned arg_hi, unsigned arg_lo)
{
    void (*fn)(void *) = (void (*)(void *))(uintptr_t)((uint64_t)fn_hi << 32 | fn_lo);

    fn((void *)(uintptr_t)((uint64_t)arg_hi << 32 | arg_lo));
}

static void *lay_out(char *top, char *low, void (*fn)(void *), void *arg)
{
    uint64_t f = (uint64_t)(uintptr_t)fn, a = (uint64_t)(uintptr_t)arg;
    ucontext_t *uc = (void *)((uintptr_t)(top - sizeof *uc) & ~(uintptr_t)63);

    TRI_MEM_HOLDS(getcontext(uc) == 0);
    uc->uc_stack.ss_sp = low;
    uc->uc_stack.ss_size = (size_t)((char *)uc - low);
    uc->uc_link = NULL;
    makecontext(uc, (void (*)(void))entry, 4, (unsigned)(f >> 32), (unsigned)f,
                (unsigned)(a >> 32), (unsigned)a);
    return uc;
}

#else

__attribute__((visibility("hidden"))) extern const char tri_entry[];

#ifdef __x86_64__
enum { WORDS = 7 + 2, FN = 4, ARG = 3, PC = 6 }; /* switch-x86_64.S; two zero words on top */
#else
enum { WORDS = 20 + 2, FN = 0, ARG = 1, PC = 11 }; /* switch-aarch64.S; the same */
#endif

static void *lay_out(char *top, char *low, void (*fn)(void *), void *arg)
{
    /* Zero words end the chain of frame pointers for those who walk it. */
    uintptr_t *sp = (uintptr_t *)(void *)top - WORDS;

    (void)low;
    tri_san_frame_open(sp, (size_t)(top - (char *)sp));
    memset(sp, 0, (size_t)(top - (char *)sp));
    sp[FN] = (uintptr_t)fn;
    sp[ARG] = (uintptr_t)arg;
    sp[PC] = (uintptr_t)tri_entry;
    return sp;
}

#endif

#if TRI_ASAN
/* The first thing on a new stack: tells ASan that the switch is done. */
static void asan_entry(void *arg)
{
    struct tri_context *ctx = arg;

    __sanitizer_finish_switch_fiber(NULL, NULL, NULL);
    ctx->fn(ctx->arg);
}
#endif

void tri_context_make(struct tri_context *ctx, void *top_below_frame, void *low,
                      void (*fn)(void *arg), void *arg)
{
    char *top = (void *)((uintptr_t)top_below_frame & ~(uintptr_t)15);

#if TRI_ASAN
    *ctx = (struct tri_context){ .low = low, .fn = fn, .arg = arg };
    ctx->size = (size_t)(top - (char *)low);
    fn = asan_entry;
    arg = ctx;
#endif
#if TRI_TSAN
    ctx->fiber = __tsan_create_fiber(0);
#endif
    ctx->sp = lay_out(top, low, fn, arg);
}

void tri_context_adopt(struct tri_context *ctx)
{
    memset(ctx, 0, sizeof *ctx);
#if TRI_ASAN
    pthread_attr_t attr;
    void *low;

    TRI_MEM_HOLDS(pthread_getattr_np(pthread_self(), &attr) == 0);
    TRI_MEM_HOLDS(pthread_attr_getstack(&attr, &low, &ctx->size) == 0);
    ctx->low = low;
    pthread_attr_destroy(&attr);
#endif
#if TRI_TSAN
    ctx->fiber = __tsan_get_current_fiber();
#endif
}

void tri_context_release(struct tri_context *ctx)
{
#if TRI_TSAN
    if (ctx->fiber)
        __tsan_destroy_fiber(ctx->fiber);
#endif
    memset(ctx, 0, sizeof *ctx);
}
