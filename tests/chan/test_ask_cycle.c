/* SPDX-License-Identifier: MIT */
/* test_ask_cycle.c - askers that would wait for each other are refused, and nobody else is. */
#include "config.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "chan/step.h"
#include "mem/alloc.h"

TR_REPLY(num, long);

struct question {
    long n; /* 0: empty */
    num reply;
};

static void question_drop(struct question *q)
{
    num_close(&q->reply);
    *q = (struct question){ 0 };
}

TR_MPSC(askq, struct question, question_drop);
TR_ASK(askq, askq_tx, struct question, reply, num);

enum { MAX = 3 };

static askq_tx tx[MAX];
static askq_rx rx[MAX];
static int asked[MAX]; /* what the ask of each returned */
static int n_live;     /* servers that have not ended */
static int n_ready;    /* servers that have promised or need not */

TR_SUITE(ask_cycle, .timeout = 20);

/* ---- what the hook is told ---- */

static char told[512];
static int n_told;

static void note(enum tr_event_kind kind, const char *text, void *arg)
{
    (void)arg;
    if (kind == TR_EVENT_MISUSE) {
        (void)snprintf(told, sizeof told, "%s", text);
        n_told++;
    }
}

static bool is_told(const char *text)
{
    return strstr(told, text) != NULL;
}

static void open_all(void)
{
    for (int i = 0; i < MAX; i++)
        need_eq(askq_new(4, &tx[i], &rx[i]), 0);
    n_told = n_ready = n_live = 0;
    told[0] = '\0';
    tr_hook_set(note, NULL);
}

/* The servers, if there are any, meet the end of their channels first. */
static void close_all(void)
{
    for (int i = 0; i < MAX; i++)
        askq_tx_close(&tx[i]);
    while (n_live > 0)
        check_eq(tr_yield(), 0);
    for (int i = 0; i < MAX; i++)
        askq_rx_close(&rx[i]);
    tr_hook_set(NULL, NULL);
}

/* ---- servers: each asks another one before it answers its first question ---- */


static void answer(struct question *q)
{
    long n = q->n + 1;

    (void)num_answer(&q->reply, &n);
    question_drop(q);
}

struct server {
    int index;
    int asks;      /* whom; -1: nobody */
    bool promises; /* that it alone answers */
    bool first;    /* answers, and asks then */
};

TR_TASK(server, struct server, tr_nodrop);

static int server(struct server *s)
{
    struct question q = { 0 }, own = { 100, { { 0 } } };
    long n = 0;
    int r;

    if (s->promises)
        check_eq(askq_rx_own(&rx[s->index]), 0);
    n_ready++;
    while ((r = askq_recv(&rx[s->index], TR_NEVER, &q)) == 0) {
        if (s->first)
            answer(&q);
        if (s->asks >= 0) {
            asked[s->index] = askq_ask(&tx[s->asks], &own, TR_NEVER, &n);
            check_eq(own.n, asked[s->index] == -EDEADLK ? 100L : 0L, "ours only if refused");
            question_drop(&own);
            s->asks = -1;
        }
        if (!s->first)
            answer(&q);
    }
    n_live--;
    return r;
}

static void start(tr_scope *root, int index, const char *name, struct server s)
{
    const struct tr_task_opts opts = { .name = name };

    s.index = index;
    n_live++;
    asked[index] = 1;
    need_eq(server_spawn(root, &s, &opts), 0);
}

STEP_TEST(ask_cycle, two_that_ask_each_other)
{
    struct question q = { 1, { { 0 } } };
    long n = 0;

    open_all();
    start(root, 0, "left", (struct server){ .asks = 1, .promises = true });
    start(root, 1, "right", (struct server){ .asks = 0, .promises = true });
    step_until(n_ready == 2);
    check_eq(askq_ask(&tx[0], &q, TR_NEVER, &n), 0);
    check_eq(n, 2L);
    check_eq(asked[0], 0, "left is answered");
    check_eq(asked[1], -EDEADLK, "right may not ask left, who waits for it");
    check_eq(n_told, 1);
    check(is_told( "'right' would wait for 'left', which waits for 'right'"), told);
    close_all();
}

STEP_TEST(ask_cycle, three_in_a_circle)
{
    struct question q = { 1, { { 0 } } };
    long n = 0;

    open_all();
    start(root, 0, "a", (struct server){ .asks = 1, .promises = true });
    start(root, 1, "b", (struct server){ .asks = 2, .promises = true });
    start(root, 2, "c", (struct server){ .asks = 0, .promises = true });
    step_until(n_ready == 3);
    check_eq(askq_ask(&tx[0], &q, TR_NEVER, &n), 0);
    check_eq(asked[0], 0);
    check_eq(asked[1], 0);
    check_eq(asked[2], -EDEADLK);
    check(is_told( "'c' would wait for 'a', which waits for 'b', which waits for 'c'"), told);
    close_all();
}

STEP_TEST(ask_cycle, one_that_asks_itself)
{
    struct question q = { 1, { { 0 } } };
    long n = 0;

    open_all();
    need_eq(askq_rx_own(&rx[0]), 0);
    check_eq(askq_ask(&tx[0], &q, TR_NEVER, &n), -EDEADLK);
    check_eq(q.n, 1L);
    check_eq(askq_len(&rx[0]), (size_t)0, "nothing was sent");
    check_eq(n_told, 1);
    close_all();
}

/* Left has its answer, but has not run since: it waits no longer. */
STEP_TEST(ask_cycle, who_has_been_answered_may_be_asked)
{
    struct question q = { 1, { { 0 } } };
    long n = 0;

    open_all();
    start(root, 0, "left", (struct server){ .asks = 1, .promises = true });
    start(root, 1, "right", (struct server){ .asks = 0, .promises = true, .first = true });
    step_until(n_ready == 2);
    check_eq(askq_ask(&tx[0], &q, TR_NEVER, &n), 0);
    step_until(asked[1] != 1);
    check_eq(asked[0], 0);
    check_eq(asked[1], 0);
    check_eq(n_told, 0);
    close_all();
}

/*
 * Nothing is known then of who answers: a receiver may be handed on, shared, and so may
 * replies.
 */
STEP_TEST(ask_cycle, without_the_promises_a_circle_waits)
{
    struct question q = { 1, { { 0 } } };
    long n = 0;

    open_all();
    start(root, 0, "left", (struct server){ .asks = 1 });
    start(root, 1, "right", (struct server){ .asks = 0, .promises = true });
    step_until(n_ready == 2);
    check_eq(askq_ask(&tx[0], &q, tr_after(TR_MS(5)), &n), -ETIMEDOUT);
    check_eq(asked[1], 1, "it waits");
    check_eq(n_told, 0);
    tr_scope_cancel(root);
    close_all();
}

/* ---- promises that end ---- */

struct promiser {
    askq_rx *rx;
};

TR_TASK(promiser, struct promiser, tr_nodrop);

static int promiser(struct promiser *p)
{
    return askq_rx_own(p->rx);
}

/* The one that promised has ended; its gate serves another one, which may ask there. */
STEP_TEST(ask_cycle, promise_ends_with_its_task)
{
    struct promiser p = { &rx[2] };
    struct question q = { 1, { { 0 } } };
    tr_task t;
    const struct tr_task_opts opts = { .ret_task = &t };
    long n = 0;
    int r;

    open_all();
    need_eq(promiser_spawn(root, &p, &opts), 0);
    need_eq(tr_task_join(&t, TR_NEVER, &r), 0);
    start(root, 0, "left", (struct server){ .asks = 2, .promises = true }); /* has that gate */
    step_until(n_ready == 1);
    start(root, 1, "right", (struct server){ .asks = -1 });
    check_eq(askq_ask(&tx[0], &q, tr_after(TR_MS(5)), &n), -ETIMEDOUT);
    check_eq(asked[0], 1, "left waits for an answer, and was not refused");
    check_eq(n_told, 0);
    tr_scope_cancel(root);
    close_all();
}

STEP_TEST(ask_cycle, another_one_takes_the_promise_over)
{
    struct question q = { 1, { { 0 } } };
    long n = 0;

    open_all();
    need_eq(askq_rx_own(&rx[0]), 0);
    start(root, 0, "server", (struct server){ .asks = -1, .promises = true });
    step_until(n_ready == 1);
    check_eq(askq_ask(&tx[0], &q, TR_NEVER, &n), 0, "the test is not the one that answers");
    check_eq(n, 2L);
    close_all();
}

/* ---- who may promise ---- */

STEP_TEST(ask_cycle, promise_needs_an_end_and_memory)
{
    askq_rx none = { 0 };

    open_all();
    check_eq(askq_rx_own(&none), -EINVAL);
    tri_mem_fail_at(1); /* of the gate */
    check_eq(askq_rx_own(&rx[0]), -ENOMEM);
    tri_mem_fail_at(2); /* of what the channel remembers */
    check_eq(askq_rx_own(&rx[0]), -ENOMEM);
    check(tri_mem_has_failed());
    tri_mem_fail_at(0);
    check_eq(askq_rx_own(&rx[0]), 0);
    check_eq(askq_rx_own(&rx[0]), 0, "twice is once");
    close_all();
}

struct prober {
    int *ret_result;
};

TR_HANDLER(prober, struct prober, int, tr_nodrop, tr_nodrop);

static int prober(struct prober *self, int *m)
{
    (void)m;
    *self->ret_result = askq_rx_own(&rx[0]);
    return 0;
}

STEP_TEST(ask_cycle, handler_may_not_promise)
{
    int result = 1, m = 1;
    struct prober self = { &result };
    prober_ref ref;

    open_all();
    need_eq(prober_spawn(root, &self, NULL, &ref), 0);
    need_eq(prober_send(&ref, &m, TR_NEVER), 0);
    step_until(result != 1);
    check_eq(result, -EPERM);
    check_eq(n_told, 1);
    prober_ref_close(&ref);
    close_all();
}

/* ---- threads ---- */

static void *thread_server(void *arg)
{
    struct question q = { 0 }, own = { 100, { { 0 } } };
    atomic_int *ret_asked = arg;
    long n;

    check_eq(askq_rx_own(&rx[0]), 0);
    atomic_store(ret_asked, 1);
    while (askq_blocking_recv(&rx[0], TR_NEVER, &q) == 0) {
        atomic_store(ret_asked, askq_blocking_ask(&tx[1], &own, TR_NEVER, &n));
        question_drop(&own);
        answer(&q);
    }
    return NULL;
}

TR_TEST(ask_cycle, threads_in_a_circle)
{
    struct question q = { 1, { { 0 } } };
    atomic_int result = 0;
    pthread_t thread;
    long n = 0;

    open_all();
    need_eq(askq_rx_own(&rx[1]), 0);
    need_eq(pthread_create(&thread, NULL, thread_server, &result), 0);
    while (atomic_load(&result) == 0)
        sched_yield();
    check_eq(askq_blocking_ask(&tx[0], &q, TR_NEVER, &n), 0);
    check_eq(n, 2L);
    check_eq(atomic_load(&result), -EDEADLK, "the thread may not ask us, who wait for it");
    check(is_told("which waits for 'thread "), told);
    askq_tx_close(&tx[0]);
    need_eq(pthread_join(thread, NULL), 0);
    close_all();
}
