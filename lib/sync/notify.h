/* SPDX-License-Identifier: MIT */
/* notify.h - the waiting part of a notify, for other primitives that have one inside. */
#ifndef TRI_SYNC_NOTIFY_H
#define TRI_SYNC_NOTIFY_H

#include <troupe/notify.h>

#include "sync/crowd.h"

/* As tr_notify_all(). */
void tri_notify_all(struct tri_crowd *c);

/* Joins the line, unless there is a permit, or the count is not *@seen (NULL: any will do). */
bool tri_notify_join(struct tri_crowd *c, struct tri_waiter *w, const uint64_t *seen);

/* Takes @w back, whether it was notified or not. */
void tri_notify_leave(struct tri_crowd *c, struct tri_waiter *w);

#endif /* TRI_SYNC_NOTIFY_H */
