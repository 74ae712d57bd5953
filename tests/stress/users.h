/* SPDX-License-Identifier: MIT */
/*
 * users.h - tasks that use one lock beside the threads: each user() takes turns with choices of
 * its own, and some are aborted meanwhile.
 */
#ifndef TESTS_STRESS_USERS_H
#define TESTS_STRESS_USERS_H

#include "stress.h"

static unsigned n_task; /* of a round, beside the threads */

struct user {
    uint64_t seed;
};
TR_TASK(user, struct user, tr_nodrop);

static int users(tr_scope *root, void *unused)
{
    tr_task tasks[STRESS_TASKS];

    (void)unused;
    for (unsigned i = 0; i < n_task; i++) {
        struct user u = { tri_rand_next(&stress_rand) };
        struct tr_task_opts opts = { .flags = TR_TASK_SPREAD, .ret_task = &tasks[i] };

        check_eq(user_spawn(root, &u, &opts), 0);
    }
    for (unsigned i = 0; i < n_task; i++) {
        if (stress_below(3) == 0)
            tr_task_abort(&tasks[i]);
        tr_task_close(&tasks[i]);
    }
    return tr_scope_join(root, TR_NEVER);
}

#endif /* TESTS_STRESS_USERS_H */
