/* SPDX-License-Identifier: MIT */
/* test_ask.c - questions and answers: who gets the value, and what a late replier may touch. */
#include "config.h"

#include <errno.h>
#include <pthread.h>

#include "chan/ask-kit.h"
#include "mem/alloc.h"

TR_SUITE(ask, .races = true, .timeout = 20);

static void open_with(size_t capacity)
{
    need_eq(sumq_new(capacity, &tx, &rx), 0);
}

static bool is_asked(void)
{
    return sumq_len(&rx) > 0;
}

/* ---- an asker in a task; the test itself is the replier ---- */

struct asker {
    sumq_tx tx;
    tr_time deadline;
    struct question q;
    int *ret_result;
    struct sum *ret_sum;
    struct question *ret_left; /* what the asker has afterwards */
};

static void asker_drop(struct asker *a)
{
    sumq_tx_close(&a->tx);
}

TR_TASK(asker, struct asker, asker_drop);

static int asker(struct asker *a)
{
    int r = sumq_ask(&a->tx, &a->q, a->deadline, a->ret_sum);

    *a->ret_left = a->q;
    *a->ret_result = r;
    return 0;
}

static int result;
static struct question left;

static void spawn_asker(tr_scope *root, tr_time deadline, tr_task *ret_task)
{
    struct asker a = { sumq_tx_clone(&tx), deadline, { 6, 7, { { 0 } } }, &result, &got, &left };
    struct tr_task_opts opts = { .ret_task = ret_task };

    result = 1;
    got = (struct sum){ 0 };
    need_eq(asker_spawn(root, &a, &opts), 0);
}

/* Starts an asker, and takes its question when it has gone to sleep. */
static void take_question(tr_scope *root, tr_time deadline, tr_task *ret_task,
                          struct question *ret_q)
{
    spawn_asker(root, deadline, ret_task);
    step_until(is_asked());
    need_eq(sumq_try_recv(&rx, ret_q), 0);
}

STEP_TEST(ask, asker_gets_the_answer)
{
    struct question q = { 0 };
    struct sum s;

    open_with(4);
    take_question(root, TR_NEVER, NULL, &q);
    s = sum_of(&q);
    check_eq(sum_reply_is_wanted(&q.reply), true);
    check_eq(sum_reply_answer(&q.reply, &s), 0);
    check_eq(s.value, (uint64_t)0, "a given answer is zero");
    check_eq(sum_reply_answer(&q.reply, &s), -EINVAL, "the reply end is empty");
    step_until(result != 1);
    check_eq(result, 0);
    check_eq(got.value, (uint64_t)13);
    check_eq(got.check, ~(uint64_t)13);
    check_eq(left.a, (uint64_t)0, "the question was moved");
    close_both();
}

STEP_TEST(ask, question_dropped_unanswered_wakes_the_asker)
{
    struct question q = { 0 };

    open_with(4);
    take_question(root, TR_NEVER, NULL, &q);
    question_drop(&q);
    step_until(result != 1);
    check_eq(result, -EOWNERDEAD);
    check_eq(got.value, (uint64_t)0);
    close_both();
}

STEP_TEST(ask, question_still_queued_when_the_receiver_closes_wakes_the_asker)
{
    open_with(4);
    spawn_asker(root, TR_NEVER, NULL);
    step_until(is_asked());
    sumq_rx_close(&rx);
    step_until(result != 1);
    check_eq(result, -EOWNERDEAD);
    check_eq(atomic_load(&n_dropped), 1u);
    close_both();
}

STEP_TEST(ask, late_answer_is_refused_and_stays_with_the_replier)
{
    struct question q = { 0 };
    struct sum s;

    open_with(4);
    take_question(root, tr_after(TR_MS(1)), NULL, &q);
    step_until(result != 1);
    check_eq(result, -ETIMEDOUT);
    check_eq(sum_reply_is_wanted(&q.reply), false);
    s = sum_of(&q);
    check_eq(sum_reply_answer(&q.reply, &s), -EPIPE);
    check_eq(s.value, (uint64_t)13);
    check_eq(got.value, (uint64_t)0, "the asker's variable is its own again");
    close_both();
}

STEP_TEST(ask, late_drop_is_nothing)
{
    struct question q = { 0 }, second = { 0 };
    struct sum s;

    open_with(4);
    take_question(root, tr_after(TR_MS(1)), NULL, &q);
    step_until(result != 1);
    take_question(root, TR_NEVER, NULL, &second); /* with the same gate */
    check_eq(q.reply.end.gate == second.reply.end.gate, true);
    question_drop(&q);
    for (int i = 0; i < 8; i++)
        need_eq(tr_yield(), 0);
    check_eq(result, 1);
    s = sum_of(&second);
    check_eq(sum_reply_answer(&second.reply, &s), 0);
    step_until(result != 1);
    check_eq(result, 0);
    close_both();
}

STEP_TEST(ask, late_answer_does_not_answer_the_next_question)
{
    struct question q = { 0 }, second = { 0 };
    struct sum wrong = { 99, 99 }, s;

    open_with(4);
    take_question(root, tr_after(TR_MS(1)), NULL, &q);
    step_until(result != 1);
    take_question(root, TR_NEVER, NULL, &second);
    check_eq(sum_reply_answer(&q.reply, &wrong), -EPIPE);
    s = sum_of(&second);
    check_eq(sum_reply_answer(&second.reply, &s), 0);
    step_until(result != 1);
    check_eq(got.value, (uint64_t)13);
    close_both();
}

/* ---- the asker's time is over while the replier is in the middle ---- */

STEP_TEST(ask, asker_cancelled_in_the_middle_of_the_answer_has_it)
{
    struct middle m = { 0 };
    pthread_t thread;
    tr_task t;

    open_with(4);
    take_question(root, TR_NEVER, &t, &m.q);
    m.to = tri_gate_enter(m.q.reply.end.gate, m.q.reply.end.serial);
    need(m.to != NULL);
    check_eq(m.to == &got, true, "the answer goes into the asker's variable");
    tr_task_abort(&t);
    need_eq(pthread_create(&thread, NULL, leave_when_told, &m), 0);
    atomic_store(&m.go, true);
    step_until(result != 1);
    check_eq(result, 0);
    check_eq(got.check, ~(uint64_t)13);
    need_eq(pthread_join(thread, NULL), 0);
    tr_task_close(&t);
    close_both();
}

STEP_TEST(ask, asker_cancelled_before_the_answer_is_not_entered)
{
    struct question q = { 0 };
    struct sum s = { 1, 1 };
    tr_task t;

    open_with(4);
    take_question(root, TR_NEVER, &t, &q);
    tr_task_abort(&t);
    step_until(result != 1);
    check_eq(result, -ECANCELED);
    check_eq(tri_gate_enter(q.reply.end.gate, q.reply.end.serial) == NULL, true);
    check_eq(sum_reply_answer(&q.reply, &s), -EPIPE);
    tr_task_close(&t);
    close_both();
}

STEP_TEST(ask, answer_before_the_cancel_wins)
{
    struct question q = { 0 };
    struct sum s;
    tr_task t;

    open_with(4);
    take_question(root, TR_NEVER, &t, &q);
    s = sum_of(&q);
    check_eq(sum_reply_answer(&q.reply, &s), 0);
    tr_task_abort(&t);
    step_until(result != 1);
    check_eq(result, 0);
    check_eq(got.value, (uint64_t)13);
    tr_task_close(&t);
    close_both();
}

/* ---- questions that are not sent ---- */

STEP_TEST(ask, question_that_is_not_sent_stays_with_the_asker)
{
    struct question q = { 6, 7, { { 0 } } }, other = { 1, 1, { { 0 } } };
    struct sum s;

    open_with(1);
    need_eq(sumq_try_send(&tx, &other), 0);
    check_eq(sumq_ask(&tx, &q, TR_NOW, &s), -ETIMEDOUT);
    check_eq(q.a, (uint64_t)6);
    check_eq(q.reply.end.gate == NULL, true, "with an empty field");
    sumq_rx_close(&rx);
    check_eq(sumq_ask(&tx, &q, TR_NEVER, &s), -EPIPE);
    check_eq(q.a, (uint64_t)6);
    close_both();
}

STEP_TEST(ask, misuse_is_refused)
{
    struct question q = { 6, 7, { { 0 } } };
    sumq_tx none = { 0 };
    sum_reply empty = { { 0 } };
    struct sum s = { 1, 1 };

    open_with(1);
    check_eq(sumq_ask(&none, &q, TR_NEVER, &s), -EINVAL);
    check_eq(sumq_ask(&tx, &q, TR_NEVER, NULL), -EINVAL);
    check_eq(sumq_blocking_ask(&tx, &q, TR_NEVER, &s), -EDEADLK);
    check_eq(sum_reply_answer(&empty, &s), -EINVAL);
    check_eq(sum_reply_is_wanted(&empty), false);
    sum_reply_close(&empty);
    take_question(root, TR_NEVER, NULL, &q);
    check_eq(sumq_ask(&tx, &q, TR_NEVER, &s), -EINVAL, "its reply end is another's");
    question_drop(&q);
    close_both();
}

STEP_TEST(ask, without_memory_nothing_is_asked)
{
    struct question q = { 6, 7, { { 0 } } };
    struct sum s;

    open_with(1);
    tri_mem_fail_at(1);
    check_eq(sumq_ask(&tx, &q, TR_NEVER, &s), -ENOMEM);
    check(tri_mem_has_failed());
    tri_mem_fail_at(0);
    check_eq(q.a, (uint64_t)6);
    check_eq(is_asked(), false);
    check_eq(sumq_ask(&tx, &q, tr_after(TR_MS(1)), &s), -ETIMEDOUT);
    check_eq(q.a, (uint64_t)0, "this one was sent");
    close_both();
}

/* ---- a handler, and threads ---- */

struct adder {
    uint64_t n;
};

static int asked_by_handler = 1;

TR_HANDLER(adder, struct adder, struct question, tr_nodrop, question_drop);
TR_ASK(adder, adder_ref, struct question, reply, sum_reply);

static int adder(struct adder *self, struct question *q)
{
    struct question own = { 1, 2, { { 0 } } };
    struct sum s = sum_of(q);

    if (self->n++ == 0) /* it may not wait for an answer */
        asked_by_handler = sumq_ask(&tx, &own, TR_NEVER, &s);
    s = sum_of(q);
    return sum_reply_answer(&q->reply, &s);
}

STEP_TEST(ask, handler_answers_and_may_not_ask)
{
    struct adder self = { 0 };
    adder_ref ref;

    open_with(1);
    need_eq(adder_spawn(root, &self, NULL, &ref), 0);
    for (uint64_t i = 1; i <= 100; i++) {
        struct question q = { i, i, { { 0 } } };
        struct sum s = { 0 };

        need_eq(adder_ask(&ref, &q, TR_NEVER, &s), 0);
        need_eq(s.value, 2 * i);
    }
    check_eq(asked_by_handler, -EPERM);
    adder_ref_close(&ref);
    close_both();
}

static void *answer_one(void *arg)
{
    struct question q = { 0 };
    struct sum s;

    (void)arg;
    if (sumq_blocking_recv(&rx, TR_NEVER, &q) == 0) {
        s = sum_of(&q);
        (void)sum_reply_answer(&q.reply, &s);
    }
    return NULL;
}

TR_TEST(ask, thread_asks_a_thread)
{
    struct question q = { 6, 7, { { 0 } } };
    struct sum s = { 0 };
    pthread_t thread;

    open_with(1);
    check_eq(sumq_ask(&tx, &q, TR_NEVER, &s), -EPERM);
    check_eq(q.a, (uint64_t)6);
    need_eq(pthread_create(&thread, NULL, answer_one, NULL), 0);
    check_eq(sumq_blocking_ask(&tx, &q, TR_NEVER, &s), 0);
    check_eq(s.value, (uint64_t)13);
    need_eq(pthread_join(thread, NULL), 0);
    q = (struct question){ 6, 7, { { 0 } } };
    check_eq(sumq_blocking_ask(&tx, &q, tr_after(TR_MS(1)), &s), -ETIMEDOUT);
    need_eq(sumq_try_recv(&rx, &q), 0);
    check_eq(sum_reply_answer(&q.reply, &s), -EPIPE);
    close_both();
}

/* ---- a drop that asks, in the send of another question ---- */

struct nosy {
    bool asks; /* when it is dropped */
    sum_reply reply;
};

static int nosy_result;
static struct sum nosy_sum;

static void nosy_drop(struct nosy *n)
{
    struct question q = { 1, 2, { { 0 } } };

    if (n->asks)
        nosy_result = sumq_ask(&tx, &q, TR_NEVER, &nosy_sum);
    sum_reply_close(&n->reply);
}

TR_MPSC(nosyq, struct nosy, nosy_drop);
TR_ASK(nosyq, nosyq_tx, struct nosy, reply, sum_reply);

struct evictor {
    nosyq_tx tx;
};

static void evictor_drop(struct evictor *e)
{
    nosyq_tx_close(&e->tx);
}
TR_TASK(evictor, struct evictor, evictor_drop);

static int evictor(struct evictor *e)
{
    struct nosy first = { true, { { 0 } } }, second = { false, { { 0 } } };

    check_eq(nosyq_try_send(&e->tx, &first), 0);
    result = nosyq_ask(&e->tx, &second, TR_NEVER, &got);
    return 0;
}

STEP_TEST(ask, a_drop_that_asks_in_the_send_of_a_question_has_its_own_answer)
{
    const struct tr_mpsc_opts opts = { .capacity = 1, .overflow = TR_OVERFLOW_DROP_OLDEST };
    struct sum outer_sum = { 30, ~(uint64_t)30 }, inner_sum = { 3, ~(uint64_t)3 };
    struct question inner = { 0 };
    struct evictor e;
    struct nosy outer;
    nosyq_rx nosy_rx;

    result = nosy_result = 1;
    open_with(1);
    for (int late = 0; late < 2; late++) {
        need_eq(nosyq_new_with(&opts, &e.tx, &nosy_rx), 0);
        need_eq(evictor_spawn(root, &e, NULL), 0);
        step_until(is_asked());
        need_eq(sumq_try_recv(&rx, &inner), 0);
        need_eq(nosyq_try_recv(&nosy_rx, &outer), 0);
        if (!late)
            check_eq(sum_reply_answer(&outer.reply, &outer_sum), 0);
        check_eq(sum_reply_answer(&inner.reply, &inner_sum), 0);
        step_until(nosy_result != 1);
        check_eq(nosy_result, 0);
        check_eq(nosy_sum.value, (uint64_t)3);
        if (late)
            check_eq(sum_reply_answer(&outer.reply, &outer_sum), 0);
        step_until(result != 1);
        check_eq(result, 0);
        check_eq(got.value, (uint64_t)30);
        outer_sum = (struct sum){ 30, ~(uint64_t)30 };
        inner_sum = (struct sum){ 3, ~(uint64_t)3 };
        result = nosy_result = 1;
        nosyq_rx_close(&nosy_rx);
    }
    close_both();
}
