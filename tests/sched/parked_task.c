/* SPDX-License-Identifier: MIT */
/* parked_task.c - a runtime with a parked task, for test_gdb.sh. */
#include "config.h"

#include <stdlib.h>

#include <troupe/runtime.h>
#include <troupe/task.h>

struct nothing {
    char c;
};

TR_TASK(dreamer, struct nothing, tr_nodrop);

static __attribute__((noinline)) int dream(tr_time until)
{
    int r = tr_sleep(until);

    __asm__ volatile("" ::: "memory"); /* no tail call: the frame stays */
    return r;
}

static int dreamer(struct nothing *arg)
{
    (void)arg;
    return dream(TR_NEVER) == 0;
}

static int app(tr_scope *root, void *arg)
{
    (void)arg;
    if (dreamer_spawn(root, &(struct nothing){ 0 }, NULL) < 0 || tr_yield() < 0)
        return 1;
    abort(); /* where the debugger looks */
}

int main(void)
{
    return tr_run_with(&(struct tr_runtime_opts){ .n_worker = 1 }, app, NULL);
}
