/* SPDX-License-Identifier: MIT */
/* gather-kit.h - children that sleep and give a result, and no record that stays. */
#ifndef TESTS_SCHED_GATHER_KIT_H
#define TESTS_SCHED_GATHER_KIT_H

#include "sched/kit.h"
#include "sched/scope.h"
#include "sched/task.h"

/* Every test: kept or not, no record outlives its runtime. */
static inline void no_record_is_left(void)
{
    check_eq(tri_task_setup(), 0);
    check_eq(tri_slab_n_out(tri_task_slab()), 0);
}

static atomic_uint n_dropped, n_now, n_most;

struct arg {
    tr_time span;
    int result;
    bool late;    /* ignores a cancel: returns its result all the same */
    unsigned key; /* 0: empty */
};

static inline void arg_drop(struct arg *a)
{
    atomic_fetch_add(&n_dropped, a->key != 0);
}

TR_TASK(child, struct arg, arg_drop);

static int child(struct arg *a)
{
    unsigned now = atomic_fetch_add(&n_now, 1) + 1;
    int r;

    if (now > atomic_load(&n_most))
        atomic_store(&n_most, now);
    r = a->span > 0 ? tr_sleep(tr_after(a->span)) : 0;
    atomic_fetch_sub(&n_now, 1);
    return r < 0 && !a->late ? r : a->result;
}

static inline int spawn(tr_scope *s, tr_time span, int result)
{
    struct arg a = { span, result, false, 1 };

    return child_spawn(s, &a, NULL);
}

static inline int spawn_named(tr_scope *s, const char *name, tr_time span, int result)
{
    struct arg a = { span, result, false, 1 };

    return child_spawn(s, &a, &(struct tr_task_opts){ .name = name });
}

static inline tr_task start(tr_scope *s, tr_time span, int result)
{
    struct arg a = { span, result, false, 1 };
    tr_task t = { NULL };

    check_eq(child_spawn(s, &a, &(struct tr_task_opts){ .ret_task = &t }), 0);
    return t;
}

static const struct tr_scope_opts keeps __attribute__((unused)) = { .name = "keeping",
                                            .policy = TR_POLICY_COLLECT,
                                            .keep = TR_KEEP_ALL };

#endif /* TESTS_SCHED_GATHER_KIT_H */
