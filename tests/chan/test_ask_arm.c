/* SPDX-License-Identifier: MIT */
/*
 * test_ask_arm.c - questions as arms of a select: whose the place for the answer is, and until
 * when.
 */
#include "config.h"

#include <errno.h>
#include <pthread.h>

#include "chan/ask-kit.h"
#include "mem/alloc.h"

TR_SUITE(ask_arm, .timeout = 20);

/* Begins the question 6 + @b and takes it at the other end. */
static void ask(uint64_t b, struct sum *to, sumq_question *ret, struct question *ret_q)
{
    struct question q = { .a = 6, .b = b };

    if (!tx.end.chan)
        need_eq(sumq_new(4, &tx, &rx), 0);
    *to = (struct sum){ 0 };
    need_eq(sumq_ask_begin(&tx, &q, TR_NEVER, to, ret), 0);
    check_eq(q.a, (uint64_t)0, "moved");
    need_eq(sumq_try_recv(&rx, ret_q), 0);
}

static int answer(struct question *q)
{
    struct sum s = sum_of(q);
    int r = sum_reply_answer(&q->reply, &s);

    check_eq(s.value, r == 0 ? 0 : q->a + q->b, "moved, or kept");
    return r;
}

/* Result of a select over @q alone; -ETIMEDOUT: it is not ready. */
static int select_now(sumq_question *q)
{
    tr_arm arm = sumq_ask_arm(q);
    int r = tr_select(TR_NOW, &arm, 1);

    return r < 0 ? r : arm.result;
}

STEP_TEST(ask_arm, won_arm_has_the_answer_and_ends_the_question)
{
    sumq_question asked;
    struct question q;

    ask(7, &got, &asked, &q);
    check_eq(select_now(&asked), -ETIMEDOUT);
    check_eq(answer(&q), 0);
    check_eq(select_now(&asked), 0);
    check_eq(got.value, (uint64_t)13);
    check_eq(select_now(&asked), -EINVAL, "it is empty");
    check_eq(sumq_ask_end(&asked), false);
    close_both();
}

STEP_TEST(ask_arm, lost_arm_leaves_the_place_with_the_replier)
{
    sumq_question asked;
    struct question q;

    for (int early = 0; early < 2; early++) {
        ask(7, &got, &asked, &q);
        if (early)
            check_eq(answer(&q), 0);
        tr_arm arms[] = { tr_deadline_arm(TR_NOW), sumq_ask_arm(&asked) };

        check_eq(tr_select_first(TR_NEVER, arms, 2), 0);
        if (!early) {
            check_eq(sum_reply_is_wanted(&q.reply), true);
            check_eq(answer(&q), 0, "between two selects");
        }
        check_eq(got.value, (uint64_t)13);
        check_eq(select_now(&asked), 0);
    }
    close_both();
}

STEP_TEST(ask_arm, answer_after_the_end_is_refused_and_one_before_it_is_kept)
{
    sumq_question asked;
    struct question q;

    ask(7, &got, &asked, &q);
    check_eq(sumq_ask_end(&asked), false);
    check_eq(sum_reply_is_wanted(&q.reply), false);
    check_eq(answer(&q), -EPIPE);
    check_eq(got.value, (uint64_t)0, "the asker's variable is its own again");

    ask(7, &got, &asked, &q);
    check_eq(answer(&q), 0);
    check_eq(sumq_ask_end(&asked), true);
    check_eq(got.value, (uint64_t)13);

    ask(7, &got, &asked, &q);
    question_drop(&q);
    check_eq(sumq_ask_end(&asked), false);
    check_eq(sumq_ask_end(&asked), false);
    close_both();
}

STEP_TEST(ask_arm, question_nobody_answers_is_a_ready_arm)
{
    sumq_question asked;
    struct question q;

    ask(7, &got, &asked, &q);
    question_drop(&q);
    check_eq(select_now(&asked), -EOWNERDEAD);
    close_both();
}

STEP_TEST(ask_arm, questions_of_one_task_do_not_meet)
{
    sumq_question first, second;
    struct sum a, b;
    struct question q1, q2;

    ask(1, &a, &first, &q1);
    ask(2, &b, &second, &q2);
    check_eq(answer(&q2), 0);
    check_eq(select_now(&first), -ETIMEDOUT);
    check_eq(select_now(&second), 0);
    check_eq(b.value, (uint64_t)8);
    check_eq(answer(&q1), 0);
    check_eq(select_now(&first), 0);
    check_eq(a.value, (uint64_t)7);
    close_both();
}

/* ---- an asker in a task ---- */

struct asker {
    bool with_set, dies; /* a set in place of a select; the replier drops the question */
};

TR_TASK(asker, struct asker, tr_nodrop);

static int result;
static struct question taken;

static int wait_in_set(sumq_question *asked)
{
    tr_select_set set TR_CLEANUP(tr_select_set_close) = { NULL };
    tr_arm arm = sumq_ask_arm(asked);
    struct tr_selected s = { .result = 1 };

    if (tr_select_set_new(&set) < 0 || tr_select_set_add(&set, &arm, 0, NULL, NULL) < 0 ||
        tr_select_set_wait(&set, TR_NEVER, &s) < 0)
        return 2;
    return s.result;
}

static int asker(struct asker *a)
{
    sumq_question asked;
    struct question q;
    tr_arm arms[2];

    ask(7, &got, &asked, &q);
    taken = q;
    if (a->with_set) {
        result = wait_in_set(&asked);
        return 0;
    }
    arms[0] = sumq_ask_arm(&asked);
    arms[1] = tr_deadline_arm(TR_NEVER);
    check_eq(tr_select(TR_NEVER, arms, 2), 0);
    result = arms[0].result;
    return 0;
}

static void run_asker(tr_scope *root, struct asker a)
{
    const bool dies = a.dies;

    result = 1;
    taken = (struct question){ 0 };
    need_eq(asker_spawn(root, &a, NULL), 0);
    step_until(taken.a != 0); /* with one worker it has parked by then */
    check_eq(result, 1);
    if (dies)
        question_drop(&taken);
    else
        check_eq(answer(&taken), 0);
    step_until(result != 1);
    check_eq(result, dies ? -EOWNERDEAD : 0);
    check_eq(got.value, dies ? (uint64_t)0 : (uint64_t)13);
    close_both();
}

STEP_TEST(ask_arm, answer_wakes_a_select)
{
    run_asker(root, (struct asker){ 0 });
}

STEP_TEST(ask_arm, dropped_question_wakes_a_select)
{
    run_asker(root, (struct asker){ .dies = true });
}

STEP_TEST(ask_arm, answer_wakes_a_set)
{
    run_asker(root, (struct asker){ .with_set = true });
}

STEP_TEST(ask_arm, dropped_question_wakes_a_set)
{
    run_asker(root, (struct asker){ .with_set = true, .dies = true });
}

/* ---- in the middle of an answer ---- */

/* The end of a question, or its arm, meets a replier who is just writing. */
static void meet(bool ends)
{
    struct middle m = { 0 };
    sumq_question asked;
    pthread_t thread;

    ask(7, &got, &asked, &m.q);
    m.to = tri_gate_enter(m.q.reply.end.gate, m.q.reply.end.serial);
    check_eq(m.to == &got, true);
    need_eq(pthread_create(&thread, NULL, leave_when_told, &m), 0);
    atomic_store(&m.go, true);
    if (ends)
        check_eq(sumq_ask_end(&asked), true);
    else
        check_eq(select_now(&asked), 0);
    check_eq(got.check, ~(uint64_t)13, "complete");
    need_eq(pthread_join(thread, NULL), 0);
    close_both();
}

STEP_TEST(ask_arm, end_in_the_middle_of_the_answer_waits_for_the_rest_of_it)
{
    meet(true);
}

STEP_TEST(ask_arm, select_in_the_middle_of_the_answer_has_it)
{
    meet(false);
}

STEP_TEST(ask_arm, waiter_before_the_answer_is_seen_and_one_after_it_is_told)
{
    struct tri_wakee w = { .kind = TRI_KIND_THREAD, .word = TRI_READY };
    sumq_question asked;
    struct question q;
    struct tri_gate *g;

    ask(7, &got, &asked, &q);
    g = asked.end.gate;
    check_eq(tri_gate_await(g, &w), true);
    check_eq(tri_gate_enter(g, q.reply.end.serial) == &got, true);
    check_eq(atomic_load(&g->wakee) == &w, true);
    check_eq(tri_gate_await(g, &w), false);
    tri_gate_leave(g, q.reply.end.serial); /* READY: the wake ends there */
    check_eq(tri_gate_await(g, &w), false);
    check_eq(sumq_ask_end(&asked), true);
    q.reply = (sum_reply){ { 0 } };
    close_both();
}

STEP_TEST(ask_arm, a_set_finds_a_question_that_begins_in_the_place_of_an_ended_one)
{
    tr_select_set set TR_CLEANUP(tr_select_set_close) = { NULL };
    sumq_question asked = { { NULL } };
    struct question q = { 0 };
    struct tr_selected s;
    tr_arm arm;

    ask(7, &got, &asked, &q);
    arm = sumq_ask_arm(&asked);
    need_eq(tr_select_set_new(&set), 0);
    need_eq(tr_select_set_add(&set, &arm, 0, NULL, NULL), 0);
    check_eq(tr_select_set_wait(&set, tr_after(TR_MS(1)), &s), -ETIMEDOUT);
    check(!sumq_ask_end(&asked));
    question_drop(&q);
    ask(8, &got, &asked, &q);
    check_eq(answer(&q), 0);
    need_eq(tr_select_set_wait(&set, tr_after(TR_S(5)), &s), 0);
    check_eq(s.result, 0);
    check_eq(got.value, (uint64_t)14);
    ask(9, &got, &asked, &q);
    check_eq(tr_select_set_wait(&set, tr_after(TR_MS(1)), &s), -ETIMEDOUT);
    check(!sumq_ask_end(&asked));
    question_drop(&q);
    need_eq(tr_select_set_wait(&set, tr_after(TR_S(5)), &s), 0);
    check_eq(s.result, -EINVAL, "an empty question, as a select would say");
    close_both();
}

/* ---- questions that are not sent ---- */

STEP_TEST(ask_arm, question_that_is_not_sent_stays_with_the_asker)
{
    struct question q = { .a = 6, .b = 7 }, other = { .a = 1, .b = 1 };
    sumq_question asked = { { NULL } };
    sumq_tx none = { 0 };

    need_eq(sumq_new(1, &tx, &rx), 0);
    check_eq(sumq_ask_begin(&none, &q, TR_NEVER, &got, &asked), -EINVAL);
    check_eq(sumq_ask_begin(&tx, &q, TR_NEVER, NULL, &asked), -EINVAL);
    check_eq(sumq_ask_begin(&tx, &q, TR_NEVER, &got, NULL), -EINVAL);
    need_eq(sumq_try_send(&tx, &other), 0);
    check_eq(sumq_ask_begin(&tx, &q, TR_NOW, &got, &asked), -ETIMEDOUT);
    sumq_rx_close(&rx);
    check_eq(sumq_ask_begin(&tx, &q, TR_NEVER, &got, &asked), -EPIPE);
    check_eq(q.a, (uint64_t)6);
    check_eq(q.reply.end.gate == NULL, true, "with an empty field");
    check_eq(asked.end.gate == NULL, true);
    close_both();
}

STEP_TEST(ask_arm, without_memory_nothing_is_asked)
{
    struct question q = { .a = 6, .b = 7 };
    sumq_question asked = { { NULL } };

    need_eq(sumq_new(1, &tx, &rx), 0);
    tri_mem_fail_at(1);
    check_eq(sumq_ask_begin(&tx, &q, TR_NEVER, &got, &asked), -ENOMEM);
    check(tri_mem_has_failed());
    tri_mem_fail_at(0);
    check_eq(q.reply.end.gate == NULL, true);
    check_eq(sumq_len(&rx), (size_t)0);
    close_both();
}

TR_TEST(ask_arm, thread_cannot_begin_a_question)
{
    struct question q = { .a = 6, .b = 7 };
    sumq_question asked = { { NULL } };

    need_eq(sumq_new(1, &tx, &rx), 0);
    check_eq(sumq_ask_begin(&tx, &q, TR_NEVER, &got, &asked), -EPERM);
    check_eq(tr_ask_arm(NULL).ops == NULL, true);
    close_both();
}
