/* SPDX-License-Identifier: MIT */
/*
 * troupe/local.h - a value that everything called from here can see, without being passed.
 *
 *     TR_LOCAL(request, struct request);
 *
 *     request_scope in TR_CLEANUP(request_leave) = { 0 };
 *
 *     request_enter(&in, &rq);                    until the block is left
 *     ...
 *     log_line("%s", request_get()->url);         anywhere below, in the same task
 *
 * The value belongs to a piece of work, not to its task: scopes nest, an inner one hides an
 * outer one, a task that is spawned has none of them. A cancelled task cleans up in them. The
 * argument of a task may hold the record of a scope and the value: then the scope lasts until
 * the argument was dropped, and the drop function sees the value.
 */
#ifndef TROUPE_LOCAL_H
#define TROUPE_LOCAL_H

#include <troupe/types.h>

TR_BEGIN_DECLS

struct tri_local_key {
    const char *name;
};

/* One scope: lies in the frame of the block that it is for, or in the task's argument. */
struct tri_local {
    const struct tri_local_key *key; /* NULL: left, or never entered */
    void *value;
    struct tri_local *outer;
};

/* The untyped core; TR_LOCAL generates the typed functions over it. */
TR_API void tr_local_enter(struct tri_local *l, const struct tri_local_key *key, void *value);
TR_API void tr_local_leave(struct tri_local *l);
TR_API void *tr_local_get(const struct tri_local_key *key);

/*
 * Declares the local @name, whose values are of @type; ends with ';'. In a header it is one
 * local for all who include it; the name is then unique in the program, as that of a function
 * is.
 *
 * name_enter(&s, &v): from here to name_leave(&s), *@v is the value of @name. *@s need not have
 *   been set; it may not be moved, and @v must live as long.
 *   One that is entered already stays as it is, and the hook is told.
 * name_leave(&s): the value is again what it was. In the reverse order of entering; another
 *   order, or another actor than that which entered, is told to the hook and does no other
 *   harm. One that is zeroed or was left does nothing: for TR_CLEANUP. A handler leaves before
 *   its function returns, a task before its own does unless @s is in its argument; what was
 *   forgotten is told and ends there.
 * name_get(): the value of the innermost scope, NULL outside of all. A pointer from before an
 *   inner scope stays good.
 *
 * Callers:  tasks, handlers, plain threads: each has its own.  Progress: wait-free, O(scopes
 * the caller is in). A task in no scope pays nothing.
 */
#define TR_LOCAL(name, type)                                                                   \
    extern const struct tri_local_key name##_tri_key __attribute__((weak));                    \
    const struct tri_local_key name##_tri_key = { #name };                                     \
    typedef struct name##_scope {                                                              \
        struct tri_local local;                                                                \
    } name##_scope;                                                                            \
    TR_GENERATED void name##_enter(name##_scope *tri_scope_, type *tri_value)                  \
    {                                                                                          \
        tr_local_enter(&tri_scope_->local, &name##_tri_key, tri_value);                        \
    }                                                                                          \
    TR_GENERATED void name##_leave(name##_scope *tri_scope_)                                   \
    {                                                                                          \
        tr_local_leave(&tri_scope_->local);                                                    \
    }                                                                                          \
    TR_GENERATED type *name##_get(void)                                                        \
    {                                                                                          \
        return (type *)tr_local_get(&name##_tri_key);                                          \
    }                                                                                          \
    struct name##_tri_semicolon

TR_END_DECLS

#endif /* TROUPE_LOCAL_H */
