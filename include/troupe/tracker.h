/* SPDX-License-Identifier: MIT */
/*
 * troupe/tracker.h - wait until all members have left, whoever they are: tasks of other scopes,
 * handlers, plain threads, requests under way. It counts them; it neither owns nor stops them.
 *
 *     static tr_tracker guests = TR_TRACKER_INIT;
 *
 *     struct conn c = { ..., .member = tr_tracker_enter(&guests) };
 *                                                    its drop function:
 *                                                    tr_member_leave(&c->member)
 *     r = tr_tracker_join(&guests, tr_after(TR_S(3)));
 *
 * What must not outlive its starter belongs into a scope, which joins by itself.
 *
 * No memory is allocated. Do not copy a tracker, nor free it while it has members or a call on
 * it runs; when a wait has returned 0, the leave that ended it is done with it. What members
 * did before they left is seen after the wait.
 */
#ifndef TROUPE_TRACKER_H
#define TROUPE_TRACKER_H

#include <troupe/time.h>
#include <troupe/types.h>

TR_BEGIN_DECLS

typedef struct tr_tracker {
    struct tri_sync inside;
    size_t n_member;
    bool closed;
} tr_tracker;

#define TR_TRACKER_INIT                                                                        \
    {                                                                                          \
        { 0, NULL, 0, 0 }, 0, false                                                            \
    }

/* The same at run time. Nothing needs to be undone. */
TR_API void tr_tracker_init(tr_tracker *t);

/*
 * One membership; { NULL } is none. A value: move it by copying it and forgetting the source.
 */
typedef struct tr_member {
    tr_tracker *tracker;
} tr_member;

/*
 * A new member, closed or not. Leaving empties *@m; an empty one does nothing. Callers:
 * anybody.
 */
TR_API TR_CHECK tr_member tr_tracker_enter(tr_tracker *t);
TR_API void tr_member_leave(tr_member *m);

/*
 * Closing says that no more members are expected: from now on the tracker is over whenever it
 * is empty. It refuses nobody. Both return whether that changed anything.  Callers: anybody.
 */
TR_API bool tr_tracker_close(tr_tracker *t);
TR_API bool tr_tracker_reopen(tr_tracker *t);

/*
 * Waits until the tracker is closed and empty, or was at any moment since the wait began. Join
 * closes it first; the others wait for somebody else to. The blocking forms are for plain
 * threads.
 * Returns:  0.  -ETIMEDOUT, -ECANCELED, -ESHUTDOWN: it was not.  -EPERM, -EDEADLK, -EINVAL.
 */
TR_API TR_CHECK int tr_tracker_join(tr_tracker *t, tr_time deadline);
TR_API TR_CHECK int tr_tracker_blocking_join(tr_tracker *t, tr_time deadline);
TR_API TR_CHECK int tr_tracker_wait(tr_tracker *t, tr_time deadline);
TR_API TR_CHECK int tr_tracker_blocking_wait(tr_tracker *t, tr_time deadline);

/* Members that have not left; it is closed. As of now. */
TR_API size_t tr_tracker_len(tr_tracker *t);
TR_API bool tr_tracker_is_closed(tr_tracker *t);

TR_END_DECLS

#endif /* TROUPE_TRACKER_H */
