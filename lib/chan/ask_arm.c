/* SPDX-License-Identifier: MIT */
/*
 * ask_arm.c - a question that is under way, and its answer as an arm of tr_select(). Each has a
 * gate of its own (sched/gate.h), so a task may have many, and ask others meanwhile.
 *
 * The place for the answer is the replier's from the beginning to the end of the question,
 * which is a won arm or tr_ask_end(). An arm that loses leaves it with him: he may answer
 * between two selects, and the next one finds the answer. Only the end takes the place back,
 * and waits for a replier who is just writing; so the place may lie in the asker's frame.
 *
 * No wake-up is lost: an enrolled arm puts its wakee into the gate by a step on the gate's
 * word, which fails once somebody has entered, and is seen by who enters afterwards. An end
 * wakes it, too: an arm that stays in a set must find a question that begins anew in the place
 * of this one.
 */
#include "config.h"

#include <errno.h>

#include <troupe/ask.h>

#include "base/assert.h"
#include "sched/gate.h"
#include "sched/runtime.h"
#include "sched/worker.h"

/*
 * Shuts the gate of *@q, which becomes empty. Returns 0: answered; -EOWNERDEAD; -EAGAIN: not
 * yet.
 */
static int end(tr_question *q)
{
    struct tri_gate *g = q->gate;
    enum tri_gate_state s = tri_gate_shut(g);

    q->gate = NULL;
    tri_gate_put(g);
    return s == TRI_GATE_ANSWERED ? 0 : s == TRI_GATE_DROPPED ? -EOWNERDEAD : -EAGAIN;
}

int tr_ask_begin(tr_mpsc_tx *tx, void *m, tr_reply *reply, tr_time deadline, void *ret_value,
                 tr_question *ret_question)
{
    struct tri_task *self = tri_self();
    tr_question q;
    int r;

    if (!tx || !tx->chan || !m || !reply || reply->gate || !ret_value || !ret_question)
        return -EINVAL;
    r = tri_wait_enter_as(self, "ask begin");
    if (r < 0)
        return r;
    q.gate = tri_gate_get(tri_task_wakee(self));
    if (!q.gate)
        return -ENOMEM;
    *reply = (tr_reply){ q.gate, tri_gate_open(q.gate, ret_value) };
    r = tr_mpsc_send(tx, m, deadline);
    if (r < 0) {
        *reply = (tr_reply){ 0 };
        (void)end(&q);
        return r;
    }
    *ret_question = q;
    return 0;
}

/* A set in which @w has an arm of the question (combine/select_set.c) is to look at it anew. */
static void tell_others(struct tri_wakee *w)
{
    struct tri_task *self = tri_self();

    if (!self || w != tri_task_wakee(self))
        tri_wake(w);
}

bool tr_ask_end(tr_question *q)
{
    struct tri_wakee *w;
    bool answered;

    if (!q || !q->gate)
        return false;
    if (tri_unlikely(tri_is_forked())) { /* who holds the lock, or writes, may be a thread no more */
        q->gate = NULL;
        return false;
    }
    /* relaxed: the asker's own. */
    w = atomic_load_explicit(&q->gate->wakee, memory_order_relaxed);
    answered = end(q) == 0;
    tell_others(w);
    return answered;
}

/* ---- the arm ---- */

static bool attempt(tr_arm *arm)
{
    tr_question *q = arm->source;

    arm->result = -EINVAL;
    if (!q->gate)
        return true;
    if (tri_gate_look(q->gate) == TRI_GATE_OPEN)
        return false;
    arm->result = end(q); /* somebody has entered: it waits for the end of the copy */
    return true;
}

static bool enroll(tr_arm *arm, struct tri_waiter *w)
{
    return tri_gate_await(((tr_question *)arm->source)->gate, w->wakee);
}

static bool withdraw(tr_arm *arm, struct tri_waiter *w)
{
    (void)arm;
    (void)w; /* the gate may keep the wakee: a late wake is a spurious one */
    return false;
}

static const struct tri_arm_ops question_ops = {
    .what = "ask",
    .attempt = attempt,
    .enroll = enroll,
    .withdraw = withdraw,
};

tr_arm tr_ask_arm(tr_question *q)
{
    if (!q)
        return (tr_arm){ 0 };
    return (tr_arm){ .ops = &question_ops, .source = q };
}
