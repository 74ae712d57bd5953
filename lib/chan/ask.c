/* SPDX-License-Identifier: MIT */
/*
 * ask.c - a question with its answer. The reply end that travels in the message names the
 * asker's gate and a serial; who may touch the asker's frame, and until when, is decided there
 * (sched/gate.h). A task and a thread ask one question at a time, so one gate each is enough,
 * but for what a drop asks that runs in the send of another question.
 */
#include "config.h"

#include <errno.h>

#include <troupe/ask.h>

#include "chan/mpsc.h"
#include "sched/cycle.h"
#include "sched/misuse.h"

/* ---- the replier ---- */

int tr_reply_answer(tr_reply *reply, void *value, size_t size)
{
    void *to;
    tr_reply end;

    if (!reply || !reply->gate || !value)
        return -EINVAL;
    end = *reply;
    *reply = (tr_reply){ 0 }; /* before the copy: it may lie inside the value */
    to = tri_gate_enter(end.gate, end.serial);
    if (!to)
        return -EPIPE;
    tri_move(to, value, size);
    tri_gate_leave(end.gate, end.serial);
    return 0;
}

bool tr_reply_is_wanted(const tr_reply *reply)
{
    return reply && reply->gate && tri_gate_is_open(reply->gate, reply->serial);
}

void tr_reply_close(tr_reply *reply)
{
    tr_reply end;

    if (!reply || !reply->gate)
        return;
    end = *reply;
    *reply = (tr_reply){ 0 };
    tri_gate_drop(end.gate, end.serial);
}

/* ---- the asker ---- */

static bool attempt(tr_arm *arm)
{
    const enum tri_gate_state s = tri_gate_look(arm->source);

    return s == TRI_GATE_ANSWERED || s == TRI_GATE_DROPPED;
}

static bool enroll(tr_arm *arm, struct tri_waiter *w)
{
    (void)w; /* the gate knows the wakee */
    return !attempt(arm);
}

static bool withdraw(tr_arm *arm, struct tri_waiter *w)
{
    (void)arm;
    (void)w;
    return false;
}

static const struct tri_arm_ops ask_ops = {
    .what = "ask",
    .attempt = attempt,
    .enroll = enroll,
    .withdraw = withdraw,
};

static bool is_misuse(const tr_mpsc_tx *tx, const void *m, const tr_reply *reply,
                      const void *ret_value)
{
    return !tx || !tx->chan || !m || !reply || reply->gate || !ret_value;
}

/* The end of a wait that ended with @r: the gate knows better. */
static int finish(struct tri_gate *g, int r)
{
    tri_cycle_leave(g);
    switch (tri_gate_end(g)) {
    case TRI_GATE_ANSWERED:
        return 0;
    case TRI_GATE_DROPPED:
        return -EOWNERDEAD;
    default:
        return r;
    }
}

/* The message was not sent, and its reply end neither. */
static int take_back(struct tri_gate *g, tr_reply *reply, int r)
{
    *reply = (tr_reply){ 0 };
    tri_cycle_leave(g);
    (void)tri_gate_end(g);
    return r;
}

__attribute__((noinline)) static int refuse(struct tri_gate *g, tr_reply *reply)
{
    char circle[TRI_CYCLE_TEXT];

    if (!tri_cycle_is_closed(g, circle))
        return 0;
    return take_back(g, reply, tri_misuse(-EDEADLK, ask_ops.what, circle));
}

/* Opens the gate, with its reply end in @reply. -EDEADLK: the wait would be one for itself. */
static inline int begin(struct tri_gate *g, tr_mpsc_tx *tx, tr_reply *reply, void *ret_value)
{
    /* Without memory for it, nothing is known of the wait. */
    struct tri_served *s = tri_mpsc_served_made(tx->chan);

    *reply = (tr_reply){ g, tri_gate_open(g, ret_value) };
    return tri_unlikely(s && tri_cycle_begin(g, s)) ? refuse(g, reply) : 0;
}

int tr_ask(tr_mpsc_tx *tx, void *m, tr_reply *reply, tr_time deadline, void *ret_value)
{
    struct tri_task *self = tri_self();
    tr_arm arm = { .ops = &ask_ops };
    struct tri_gate *g;
    int r;

    if (is_misuse(tx, m, reply, ret_value))
        return -EINVAL;
    r = tri_wait_enter(self);
    if (r < 0)
        return r;
    g = tri_gate_begin(self);
    if (!g)
        return -ENOMEM;
    r = begin(g, tx, reply, ret_value);
    if (r < 0)
        return r;
    r = tr_mpsc_send(tx, m, deadline);
    if (r < 0)
        return take_back(g, reply, r);
    arm.source = g;
    return finish(g, tri_wait(&arm, deadline));
}

int tr_blocking_ask(tr_mpsc_tx *tx, void *m, tr_reply *reply, tr_time deadline, void *ret_value)
{
    struct tri_worker *worker = tri_worker_self();
    tr_arm arm = { .ops = &ask_ops };
    struct tri_gate *g;
    int r;

    if (is_misuse(tx, m, reply, ret_value))
        return -EINVAL;
    if (worker)
        return tri_misuse_blocks(worker, ask_ops.what, __builtin_return_address(0));
    g = tri_gate_begin(NULL);
    if (!g)
        return -ENOMEM;
    r = begin(g, tx, reply, ret_value);
    if (r < 0)
        return r;
    r = tr_mpsc_blocking_send(tx, m, deadline);
    if (r < 0)
        return take_back(g, reply, r);
    arm.source = g;
    return finish(g, tri_wait_blocking(&arm, deadline, __builtin_return_address(0)));
}
