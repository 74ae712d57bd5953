/* SPDX-License-Identifier: MIT */
/*
 * use_tracker.c - members, aborters, guards, the rest of a delay queue, and what must be
 * refused.
 */
#include <troupe.h>

TR_DELAYQ(leases, int, tr_nodrop);

int use_tracker(tr_tracker *t, tr_task *task, leases *q, tr_scope *s);

int use_tracker(tr_tracker *t, tr_task *task, leases *q, tr_scope *s)
{
    tr_scope_guard g TR_CLEANUP(tr_scope_guard_release) = { s };
    tr_member m = { NULL };
    tr_aborter a = tr_task_aborter(task);
    int v = 0, r;

#if TR_BAD == 1
    tr_tracker_enter(t);
    r = 0;
#elif TR_BAD == 2
    tr_task_close(&a);
    r = 0;
#elif TR_BAD == 3
    r = tr_task_join(&a, TR_NOW, NULL);
#elif TR_BAD == 4
    r = leases_next_left(q, TR_NOW, t);
#elif TR_BAD == 5
    tr_member_leave(t);
    r = 0;
#else
    m = tr_tracker_enter(t);
    r = leases_next_left(q, TR_NOW, &v);
#endif
    tr_scope_guard_disarm(&g);
    tr_member_leave(&m);
    tr_aborter_close(&a);
    return r < 0 ? r : tr_tracker_join(t, TR_NOW) + v + tr_tick() + tr_slice_left();
}
