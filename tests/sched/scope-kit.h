/* SPDX-License-Identifier: MIT */
/* scope-kit.h - children of a scope that count what becomes of them. */
#ifndef TESTS_SCHED_SCOPE_KIT_H
#define TESTS_SCHED_SCOPE_KIT_H

#include "sched/kit.h"

static atomic_uint n_dropped, n_run, n_ended;
static int drop_order[64]; /* of the first to go */

struct arg {
    int key; /* 0: empty */
    int result;
    int (*fn)(struct arg *a);
};

static inline void arg_drop(struct arg *a)
{
    unsigned n;

    if (!a->key)
        return;
    n = atomic_fetch_add(&n_dropped, 1);
    if (n < 64)
        drop_order[n] = a->key;
}

TR_TASK(child, struct arg, arg_drop);

static int child(struct arg *a)
{
    int r;

    atomic_fetch_add(&n_run, 1);
    r = a->fn(a);
    atomic_fetch_add(&n_ended, 1);
    return r;
}

static inline int give_result(struct arg *a)
{
    return a->result;
}

static inline int sleep_for_ever(struct arg *a)
{
    (void)a;
    return tr_sleep(TR_NEVER);
}

static inline int sleep_until_drain(struct arg *a)
{
    (void)a;
    return tr_sleep(TR_UNTIL_DRAIN);
}

static inline int spawn_keyed(tr_scope *s, int key, int (*fn)(struct arg *a), int result)
{
    struct arg a = { key, result, fn };

    return child_spawn(s, &a, NULL);
}

/* Spawns a child and waits until it is parked. */
static inline tr_task start_parked(tr_scope *s, int key, int (*fn)(struct arg *a))
{
    struct arg a = { key, 0, fn };
    tr_task t = { NULL };

    check_eq(child_spawn(s, &a, &(struct tr_task_opts){ .ret_task = &t }), 0);
    while (t.rec && !is_parked(&t) && !tr_task_is_finished(&t))
        (void)tr_yield();
    return t;
}

static const struct tr_scope_opts collects __attribute__((unused)) = { .name = "collecting",
                                               .policy = TR_POLICY_COLLECT };

#endif /* TESTS_SCHED_SCOPE_KIT_H */
