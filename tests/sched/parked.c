/* SPDX-License-Identifier: MIT */
/* parked.c - for test_gdb.sh: parks one context three calls deep, makes another, aborts. */
#include "config.h"

#include <stdlib.h>

#include "mem/stack.h"
#include "sched/context.h"

static struct tri_stack_cache cache;
static struct tri_context home;
struct tri_context parked_task, fresh_task;

__attribute__((noinline)) static void innermost(volatile int *depth)
{
    *depth = 3;
    tri_context_switch(&parked_task, &home);
    *depth = 0;
}

__attribute__((noinline)) static void middle(int given)
{
    volatile int depth = given;

    innermost(&depth);
    depth = 1;
}

static void outermost(void *arg)
{
    middle(*(int *)arg);
    tri_context_exit(&parked_task, &home);
}

int main(void)
{
    int given = 42;
    char *top;

    if (tri_stack_setup(0) < 0)
        return 1;
    tri_context_adopt(&home);
    top = tri_stack_get(&cache);
    tri_context_make(&parked_task, top, top - tri_stack_size(), outermost, &given);
    top = tri_stack_get(&cache);
    tri_context_make(&fresh_task, top, top - tri_stack_size(), outermost, &given);
    tri_context_switch(&home, &parked_task);
    abort();
}
