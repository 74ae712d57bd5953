/* SPDX-License-Identifier: MIT */
/*
 * local.c - see troupe/local.h. The scopes that one is in are a list, innermost first: of a
 * task in its frame, of a handler in its worker (it leaves before it returns), of a thread in
 * the thread.
 */
#include "config.h"

#include <troupe/local.h>

#include "base/log.h"
#include "sched/local.h"
#include "sched/task.h"

static _Thread_local struct tri_local *of_thread;

static struct tri_local **head(void)
{
    struct tri_worker *w = tri_worker_self();

    if (!w)
        return &of_thread;
    return w->task ? &w->task->frame->locals : &w->locals;
}

void tr_local_enter(struct tri_local *l, const struct tri_local_key *key, void *value)
{
    struct tri_local **first = head(), *at = *first;

    while (at && at != l)
        at = at->outer;
    if (at) {
        tri_tell(TR_EVENT_MISUSE, "%s_enter: this scope is entered already; leave it first",
                 key->name);
        return;
    }
    *l = (struct tri_local){ key, value, *first };
    *first = l;
}

void tr_local_leave(struct tri_local *l)
{
    struct tri_local **first = head(), **at = first;

    if (!l || !l->key)
        return;
    while (*at && *at != l)
        at = &(*at)->outer;
    if (at != first || !*at)
        tri_tell(TR_EVENT_MISUSE,
                 *at ? "%s_leave: an inner scope is still entered; leave in reverse order"
                     : "%s_leave: another than the caller has entered this scope",
                 l->key->name);
    if (!*at)
        return;
    *at = l->outer;
    l->key = NULL;
}

void *tr_local_get(const struct tri_local_key *key)
{
    const struct tri_local *l = *head();

    while (l && l->key != key)
        l = l->outer;
    return l ? l->value : NULL;
}

/* @l lies in the @size bytes at @place. */
static bool lies_in(const struct tri_local *l, const char *place, size_t size)
{
    return (const char *)l >= place && (const char *)l < place + size;
}

void tri_local_returned(struct tri_local **head, const void *kept, size_t size)
{
    while (*head && lies_in(*head, kept, size))
        head = &(*head)->outer;
    if (!*head)
        return;
    tri_tell(TR_EVENT_MISUSE, "'%s' returned inside a scope of a TR_LOCAL; declare it with "
             "TR_CLEANUP(..._leave)", tr_self_name());
    *head = NULL; /* it lay in a frame that is gone, and is not looked into */
}
