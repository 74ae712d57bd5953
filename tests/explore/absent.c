/* SPDX-License-Identifier: MIT */
/*
 * absent.c - what the scheduler's files need to link, and no case gets to: stacks, reports, the
 * end of the process. To get there fails the run.
 */
#include "config.h"

#include "actor/conductor.h"
#include "actor/signal.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/place.h"
#include "explore/explore.h"
#include "mem/fault.h"
#include "sched/misuse.h"
#include "sched/scope.h"
#include "sched/task.h"

size_t tri_stack_bytes = 64 * 1024;
atomic_bool tri_stack_canary;

static void absent(const char *name)
{
    explore_check(false, name, __FILE__, __LINE__);
}

void tri_stack_spill(struct tri_stack_cache *c, unsigned n)
{
    (void)c;
    (void)n;
    absent(__func__);
}

unsigned tri_stack_trim(struct tri_stack_cache *c, unsigned max)
{
    (void)c;
    (void)max;
    absent(__func__);
    return 0;
}

void tri_fault_canary(void *top)
{
    (void)top;
    absent(__func__);
    abort();
}

int tri_fault_thread_enter(void)
{
    absent(__func__);
    return 0;
}

void tri_fault_thread_leave(void)
{
    absent(__func__);
}

void tri_log(const char *format, ...)
{
    absent(format);
}

void tri_tell(enum tr_event_kind kind, const char *format, ...)
{
    (void)kind;
    absent(format);
}

const char *tri_place_find(const void *pc, char *buf, size_t n)
{
    (void)pc;
    (void)n;
    absent(__func__);
    return buf;
}

int tri_misuse_waits(const char *what)
{
    absent(what);
    return 0;
}

int tri_misuse_blocks(struct tri_worker *w, const char *what, const void *caller)
{
    (void)w;
    (void)caller;
    absent(what);
    return 0;
}

const char *tr_strerror(int error)
{
    (void)error;
    absent(__func__);
    return "?";
}

int tri_misuse(int r, const char *what, const char *text)
{
    (void)what;
    absent(text);
    return r;
}

void *tri_stack_refill(struct tri_stack_cache *c)
{
    (void)c;
    absent(__func__);
    return NULL;
}

void tri_context_make(struct tri_context *ctx, void *top_below_frame, void *low,
                      void (*fn)(void *arg), void *arg)
{
    (void)ctx;
    (void)top_below_frame;
    (void)low;
    (void)fn;
    (void)arg;
    absent(__func__);
}

void tri_runtime_drain(struct tri_runtime *rt)
{
    (void)rt;
    absent(__func__);
}

void tri_runtime_cancel(struct tri_runtime *rt)
{
    (void)rt;
    absent(__func__);
}

struct tri_conductor *tri_signal_main_begin(void)
{
    absent(__func__);
    return NULL;
}

void tri_signal_main_end(void)
{
    absent(__func__);
}

int tri_conductor_start(struct tri_runtime *rt)
{
    (void)rt;
    absent(__func__);
    return 0;
}
