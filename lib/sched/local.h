/* SPDX-License-Identifier: MIT */
/* local.h - what the end of an actor's function means for the scopes of troupe/local.h. */
#ifndef TRI_SCHED_LOCAL_H
#define TRI_SCHED_LOCAL_H

#include <stddef.h>

struct tri_local;

/*
 * A function has returned and its frame is gone: those of its scopes, from *@head on, that do
 * not lie in the @size bytes at @kept, are told and end here.
 */
void tri_local_returned(struct tri_local **head, const void *kept, size_t size);

#endif /* TRI_SCHED_LOCAL_H */
