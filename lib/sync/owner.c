/* SPDX-License-Identifier: MIT */
/* owner.c - see owner.h. */
#include "config.h"

#include "sched/worker.h"
#include "sync/owner.h"

void *tri_owner_self(void)
{
    static _Thread_local char thread __attribute__((tls_model("initial-exec")));
    struct tri_worker *w = tri_worker_self();

    if (w && w->task)
        return &w->task->a;
    return w && w->handler ? (void *)w->handler : &thread;
}
