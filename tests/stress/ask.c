/* SPDX-License-Identifier: MIT */
/*
 * ask.c - askers who wait for a while, for ever or hardly at all, and a replier who answers, is
 * late, or drops the question. Tasks also ask two questions at once and select. An answer ends
 * once: with its asker, whole, or with the replier.
 */
#include "config.h"

#include <errno.h>
#include <string.h>

#include "stress.h"

enum { N_ASKER = 3, N_QUESTION = 200 };

struct answer {
    uint64_t id;
    uint64_t check[7];
};

TR_REPLY(answer_reply, struct answer);

struct question {
    uint64_t id; /* 0: empty */
    answer_reply reply;
};

static void question_drop(struct question *q)
{
    answer_reply_close(&q->reply);
    *q = (struct question){ 0 };
}

TR_MPSC(questionq, struct question, question_drop);
TR_ASK(questionq, questionq_tx, struct question, reply, answer_reply);

static questionq_tx txs[N_ASKER];
static questionq_rx rx;
static atomic_uint n_given, n_got;

static struct answer answer(uint64_t id)
{
    struct answer a = { .id = id };

    for (unsigned i = 0; i < TR_LEN(a.check); i++)
        a.check[i] = ~id;
    return a;
}

/* A frame of its own for each question, which the next one overwrites. */
static __attribute__((noinline)) void look(uint64_t id, int r, const struct answer *a)
{
    const struct answer right = answer(id), zero = { 0 };

    check_eq(memcmp(a, r == 0 ? &right : &zero, sizeof *a), 0);
    atomic_fetch_add(&n_got, r == 0);
}

static tr_time some_deadline(struct tri_rand *rand)
{
    uint32_t n = tri_rand_below(rand, 3);

    return n == 0 ? TR_NEVER : tr_after(TR_US(n == 1 ? 1 : tri_rand_below(rand, 60)));
}

static void asker(struct stress_thread *t)
{
    for (uint64_t id = 1; id <= N_QUESTION; id++) {
        struct question q = { .id = id };
        struct answer a = { 0 };

        look(id, questionq_blocking_ask(&txs[t->index], &q, some_deadline(&t->rand), &a), &a);
    }
    questionq_tx_close(&txs[t->index]);
}

static void reply(struct question *q, struct tri_rand *rand)
{
    struct answer a = answer(q->id);
    int r;

    if (tri_rand_once_in(rand, 8)) {
        question_drop(q);
        return;
    }
    r = answer_reply_answer(&q->reply, &a);
    check_eq(a.id == 0, r == 0);
    atomic_fetch_add(&n_given, r == 0);
}

static void replier(struct stress_thread *t)
{
    struct question q;

    while (questionq_blocking_recv(&rx, TR_NEVER, &q) == 0)
        reply(&q, &t->rand);
    questionq_rx_close(&rx);
}

/* ---- the askers as tasks, on two workers ---- */

struct asker_arg {
    questionq_tx tx;
    unsigned index;
};

static void asker_arg_drop(struct asker_arg *a)
{
    questionq_tx_close(&a->tx);
}

TR_TASK(ask_task, struct asker_arg, asker_arg_drop);

/* Two questions, selects until a deadline or both ended, and the end of what is left. */
static void ask_two(questionq_tx *tx, uint64_t id, struct tri_rand *rand)
{
    struct question q[2] = { { .id = id }, { .id = id } };
    struct answer a[2] = { { 0 }, { 0 } };
    questionq_question asked[2];
    tr_arm arms[2];
    int r[2] = { 1, 1 };

    for (int i = 0; i < 2; i++) {
        check_eq(questionq_ask_begin(tx, &q[i], TR_NEVER, &a[i], &asked[i]), 0);
        arms[i] = questionq_ask_arm(&asked[i]);
    }
    for (int n = 0; n < 2; n++) {
        int i = tr_select(some_deadline(rand), arms, 2);

        if (i < 0)
            continue; /* lost: the question goes on */
        r[i] = arms[i].result;
        check_eq(r[i] == 0 || r[i] == -EOWNERDEAD, true);
        arms[i] = (tr_arm){ 0 };
        if (!arms[1 - i].ops)
            break;
    }
    for (int i = 0; i < 2; i++) {
        if (questionq_ask_end(&asked[i]))
            r[i] = 0;
        look(id, r[i], &a[i]);
    }
}

static int ask_task(struct asker_arg *arg)
{
    struct tri_rand rand;

    tri_rand_init(&rand, arg->index + test_seed());
    for (uint64_t id = 1; id <= N_QUESTION; id++) {
        struct question q = { .id = id };
        struct answer a = { 0 };

        if (tri_rand_once_in(&rand, 2))
            ask_two(&arg->tx, id, &rand);
        else
            look(id, questionq_ask(&arg->tx, &q, some_deadline(&rand), &a), &a);
    }
    return 0;
}

static int reply_task(tr_scope *root, void *unused)
{
    struct tri_rand rand;
    struct question q;

    (void)unused;
    tri_rand_init(&rand, test_seed());
    for (unsigned i = 0; i < N_ASKER; i++) {
        struct asker_arg a = { txs[i], i };
        struct tr_task_opts opts = { .flags = TR_TASK_SPREAD };

        txs[i] = (questionq_tx){ { 0 } };
        check_eq(ask_task_spawn(root, &a, &opts), 0);
    }
    while (questionq_recv(&rx, TR_NEVER, &q) == 0)
        reply(&q, &rand);
    questionq_rx_close(&rx);
    return tr_scope_join(root, TR_NEVER);
}

int main(void)
{
    static void (*const fns[])(struct stress_thread *) = { asker, asker, asker, replier };
    const tr_time end = stress_end();
    unsigned long n_round;

    for (n_round = 0; tr_now() < end && test_n_failed() == 0; n_round++) {
        if (questionq_new(1 + stress_below(8), &txs[0], &rx) < 0)
            abort();
        for (unsigned i = 1; i < N_ASKER; i++)
            txs[i] = questionq_tx_clone(&txs[0]);
        n_given = n_got = 0;
        if (n_round % 2 == 1)
            check_eq(tr_run(reply_task, NULL), 0);
        else
            stress_together(fns, TR_LEN(fns));
        check_eq(n_given, n_got);
    }
    return stress_result(n_round);
}
