/* SPDX-License-Identifier: MIT */
/* deadline.c - see deadline.h. */
#include "config.h"

#include "combine/deadline.h"

static bool deadline_attempt(tr_arm *arm)
{
    arm->result = 0;
    return tr_now() >= arm->when;
}

static bool deadline_enroll(tr_arm *arm, struct tri_waiter *w)
{
    (void)arm;
    (void)w;
    return true;
}

static bool deadline_withdraw(tr_arm *arm, struct tri_waiter *w)
{
    (void)arm;
    (void)w;
    return false;
}

static tr_time deadline_due(const tr_arm *arm)
{
    return arm->when;
}

const struct tri_arm_ops tri_deadline_ops = {
    .what = "deadline",
    .attempt = deadline_attempt,
    .enroll = deadline_enroll,
    .withdraw = deadline_withdraw,
    .due = deadline_due,
};

tr_arm tr_deadline_arm(tr_time when)
{
    tr_arm arm = { .ops = NULL };

    when &= ~TR_DRAIN_BIT;
    if (when < TR_NEVER) {
        arm.ops = &tri_deadline_ops;
        arm.when = when;
    }
    return arm;
}
