/* SPDX-License-Identifier: MIT */
/*
 * hello-tracker - the host waits until all guests have left, whichever scope they live in.
 * Shows members that are counted until their argument is dropped, aborters and a tick.
 */
#include <stdio.h>
#include <stdlib.h>

#include <troupe.h>

static tr_tracker guests = TR_TRACKER_INIT;

struct guest {
    tr_member member;
    unsigned long steps;
};

static void guest_drop(struct guest *g)
{
    tr_member_leave(&g->member);
}
TR_TASK(guest, struct guest, guest_drop);

/* Computes without a wait, and gives way now and then all the same. */
static int guest(struct guest *g)
{
    int r = 0;

    for (unsigned long i = 0; i < g->steps && r == 0; i++)
        r = tr_tick();
    return r;
}

static int invite(tr_scope *scope, unsigned long steps, tr_task *ret_task)
{
    struct guest g = { tr_tracker_enter(&guests), steps };

    return guest_spawn(scope, &g, &(struct tr_task_opts){ .ret_task = ret_task });
}

static int hello(tr_scope *root, void *arg)
{
    tr_task stays TR_CLEANUP(tr_task_abandon) = { NULL };
    tr_aborter door = { NULL };
    int r;

    (void)arg;
    if ((r = invite(root, 1000, NULL)) < 0 || (r = invite(root, (unsigned long)-1, &stays)) < 0)
        return r;
    printf("%zu guests\n", tr_tracker_len(&guests));
    r = tr_tracker_join(&guests, tr_after(TR_MS(100)));
    printf("after a while: %s, %zu left\n", tr_strerror(r), tr_tracker_len(&guests));
    door = tr_task_aborter(&stays);
    tr_aborter_abort(&door);
    r = tr_tracker_join(&guests, TR_NEVER);
    printf("shown out: %zu left\n", tr_tracker_len(&guests));
    tr_aborter_close(&door);
    return r;
}

int main(void)
{
    /* One worker: no guest leaves before the host waits. */
    int r = tr_run_with(&(struct tr_runtime_opts){ .n_worker = 1 }, hello, NULL);

    if (r < 0)
        fprintf(stderr, "hello-tracker: %s\n", tr_strerror(r));
    return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
