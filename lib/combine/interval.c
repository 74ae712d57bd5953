/* SPDX-License-Identifier: MIT */
/*
 * interval.c - an interval is the instant of its next tick. Nothing wakes for it: its arm is
 * due then (wait.h), and taking the tick moves it on.
 */
#include "config.h"

#include <errno.h>

#include <troupe/interval.h>

#include "sched/wait.h"

/*
 * A tick that is this late, or a whole period, is a missed one to TR_MISSED_DELAY; less is the
 * lateness of every timer, and would add up.
 */
static const tr_time SLACK = TR_MS(5);

static tr_time add(tr_time instant, tr_time span)
{
    return span < TR_NEVER - instant ? instant + span : TR_NEVER;
}

static tr_time instant_of(tr_time first)
{
    first &= ~TR_DRAIN_BIT;
    return first > TR_NOW ? first : tr_now();
}

int tr_interval_init(tr_interval *iv, tr_time first, tr_time period, enum tr_missed missed)
{
    if (!iv || period <= 0 || (unsigned)missed > TR_MISSED_DELAY)
        return -EINVAL;
    *iv = (tr_interval){ period, instant_of(first), missed };
    return 0;
}

void tr_interval_reset(tr_interval *iv, tr_time first)
{
    if (iv && iv->period > 0)
        iv->next = instant_of(first);
}

/* The tick after the one for @iv->next, which is taken at @now. */
static tr_time following(const tr_interval *iv, tr_time now)
{
    tr_time late = now - iv->next;

    switch (iv->missed) {
    case TR_MISSED_DELAY:
        if (late > SLACK || late >= iv->period)
            return add(now, iv->period);
        break;
    case TR_MISSED_SKIP:
        if (late >= iv->period)
            return add(now - late % iv->period, iv->period);
        break;
    case TR_MISSED_BURST:
        break;
    }
    return add(iv->next, iv->period);
}

static bool attempt(tr_arm *arm)
{
    tr_interval *iv = arm->source;
    tr_time now = tr_now(), *ret_scheduled = arm->value;

    if (now < iv->next)
        return false;
    if (ret_scheduled)
        *ret_scheduled = iv->next;
    iv->next = following(iv, now);
    arm->result = 0;
    return true;
}

static bool enroll(tr_arm *arm, struct tri_waiter *w)
{
    (void)arm;
    (void)w;
    return true;
}

static bool withdraw(tr_arm *arm, struct tri_waiter *w)
{
    (void)arm;
    (void)w;
    return false;
}

static tr_time due(const tr_arm *arm)
{
    return ((const tr_interval *)arm->source)->next;
}

static const struct tri_arm_ops ops = {
    .what = "interval tick",
    .attempt = attempt,
    .enroll = enroll,
    .withdraw = withdraw,
    .due = due,
};

tr_arm tr_interval_tick_arm(tr_interval *iv, tr_time *ret_scheduled)
{
    return (tr_arm){ .ops = iv && iv->period > 0 ? &ops : NULL,
                     .source = iv,
                     .value = ret_scheduled };
}

int tr_interval_tick(tr_interval *iv, tr_time deadline, tr_time *ret_scheduled)
{
    tr_arm arm = tr_interval_tick_arm(iv, ret_scheduled);

    if (!arm.ops)
        return -EINVAL;
    return tri_wait(&arm, deadline);
}
