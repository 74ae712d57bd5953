/* SPDX-License-Identifier: MIT */
/*
 * troupe/group.h - a scope whose tasks have keys: at most one task for each.
 *
 *     TR_TASK(fetch, struct page, page_drop);
 *     TR_GROUP_TASK(fetch, struct page);
 *
 *     tr_group g TR_CLEANUP(tr_group_end) = tr_group_open(NULL);
 *
 *     r = fetch_spawn_as(&g, page_id, &p, NULL);       an older one of this key is cancelled
 *     while ((r = tr_group_next(&g, TR_UNTIL_DRAIN, &done)) == 1)
 *         ...                                          done.key, done.ended.result
 *
 * It belongs to the task that opened it, like its scope: all calls are that task's. Keys are
 * numbers: an id, a descriptor, the place in a table.
 */
#ifndef TROUPE_GROUP_H
#define TROUPE_GROUP_H

#include <troupe/task.h>

TR_BEGIN_DECLS

typedef struct tr_group {
    tr_scope scope; /* to drain, cancel, join, wait for room; take results by tr_group_next() */
    struct tri_group *impl;
} tr_group;

/* A member that has ended. */
typedef struct tr_grouped {
    uint64_t key;
    tr_ended ended;
} tr_grouped;

/*
 * Makes a group of the calling task; @opts as for tr_scope_open(), fail-fast where they do not
 * say otherwise; NULL: unnamed, collecting. Its scope keeps every result. Cannot fail.
 */
TR_API tr_group tr_group_open(const struct tr_scope_opts *opts);

/* Cancels and joins, as tr_scope_end(), and forgets all members. For TR_CLEANUP. */
TR_API void tr_group_end(tr_group *g);

/*
 * The untyped form below TR_GROUP_TASK. A member of the same @key that is there is cancelled
 * and is a member no more: tr_group_next() does not give it. When the spawn fails, it stays. As
 * always *@arg is consumed.
 * Returns:  0, or as tr_task_spawn().  -EPERM: not the task that opened the group.
 */
TR_API TR_CHECK int tr_group_spawn(tr_group *g, uint64_t key, const struct tri_task_type *type,
                                   void *arg, const struct tr_task_opts *opts);

/*
 * After TR_TASK(name, type, ...): generates
 *
 *     int name_spawn_as(tr_group *g, uint64_t key, type *arg, const struct tr_task_opts *opts);
 */
#define TR_GROUP_TASK(name, type)                                                              \
    TR_GENERATED TR_CHECK int name##_spawn_as(tr_group *tri_g, uint64_t tri_key, type *tri_arg, \
                                              const struct tr_task_opts *tri_opts)             \
    {                                                                                          \
        return tr_group_spawn(tri_g, tri_key, &name##_tri_type, tri_arg, tri_opts);            \
    }                                                                                          \
    struct name##_tri_semicolon_group

/*
 * Waits for the next member to end, and takes it out: in the order of their ends.
 * A member whose result the scope gave away, or dropped when it was ended, is forgotten with
 * the last one.
 * Returns:  1: *@ret is it.  0: the group has no member; more may be spawned.  -EAGAIN: none
 *           has ended (try).  -ETIMEDOUT, -ESHUTDOWN, -ECANCELED: nothing was taken.  -EPERM.
 */
TR_API TR_CHECK int tr_group_next(tr_group *g, tr_time deadline, tr_grouped *ret);
TR_API TR_CHECK int tr_group_try_next(tr_group *g, tr_grouped *ret);

/* The same as an arm of tr_select(), result 1 or 0. Disabled before a spawn. */
TR_API tr_arm tr_group_next_arm(tr_group *g, tr_grouped *ret);

/* Cancels the member of @key, which stays one until it was taken. False: there is none. */
TR_API bool tr_group_abort(tr_group *g, uint64_t key);

/* Cancels every member for which @pred says so, all if it is NULL. Returns how many. */
TR_API size_t tr_group_abort_if(tr_group *g, bool (*pred)(uint64_t key, void *arg), void *arg);

/* There is a member of @key: running, or ended and not taken. */
TR_API bool tr_group_has(const tr_group *g, uint64_t key);

/* How many members there are; their keys, @n of them at most, in no order, go to @ret_keys. */
TR_API size_t tr_group_len(const tr_group *g);
TR_API size_t tr_group_keys(const tr_group *g, size_t n, uint64_t *ret_keys);

TR_END_DECLS

#endif /* TROUPE_GROUP_H */
