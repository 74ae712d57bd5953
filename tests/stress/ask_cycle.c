/* SPDX-License-Identifier: MIT */
/*
 * ask_cycle.c - servers on all workers that ask each other while they answer. Upwards only: no
 * question is ever refused. All around: questions are refused, and nobody waits for ever.
 */
#include "config.h"

#include <errno.h>

#include "stress.h"

enum { N_SERVER = 6, N_QUESTION = 30 };

TR_REPLY(num, unsigned);

struct question {
    unsigned depth; /* how many more are to be asked for it */
    num reply;
};

static void question_drop(struct question *q)
{
    num_close(&q->reply);
    *q = (struct question){ 0 };
}

TR_MPSC(askq, struct question, question_drop);
TR_ASK(askq, askq_tx, struct question, reply, num);

static askq_tx tx[N_SERVER];
static askq_rx rx[N_SERVER];
static atomic_ulong n_answered, n_refused, n_gone;
static bool around;

struct server {
    unsigned index;
    struct tri_rand rand;
};

TR_TASK(server, struct server, tr_nodrop);

/* Whom number @i asks: anybody, itself too, or one above it. */
static unsigned pick(struct server *s)
{
    if (around)
        return tri_rand_below(&s->rand, N_SERVER);
    return s->index + 1 + tri_rand_below(&s->rand, N_SERVER - 1 - s->index);
}

static void ask_on(struct server *s, unsigned depth)
{
    struct question q = { .depth = depth };
    unsigned n = 0;
    int r = askq_ask(&tx[pick(s)], &q, TR_NEVER, &n);

    if (r == 0)
        check_eq(n, depth);
    else
        check(r == -EDEADLK || r == -EOWNERDEAD);
    atomic_fetch_add(r == 0 ? &n_answered : r == -EDEADLK ? &n_refused : &n_gone, 1);
    check_eq(q.depth, r == -EDEADLK ? depth : 0u);
}

static int server(struct server *s)
{
    struct question q = { 0 };
    int r;

    check_eq(askq_rx_own(&rx[s->index]), 0);
    while ((r = askq_recv(&rx[s->index], TR_NEVER, &q)) == 0) {
        unsigned n = q.depth;

        if (n > 0 && (around || s->index + 1 < N_SERVER))
            ask_on(s, n - 1);
        if (tri_rand_once_in(&s->rand, 50))
            question_drop(&q);
        else
            (void)num_answer(&q.reply, &n);
        question_drop(&q);
    }
    return r == -EPIPE ? 0 : r;
}

struct client {
    struct tri_rand rand;
};

TR_TASK(client, struct client, tr_nodrop);

static int client(struct client *c)
{
    for (unsigned i = 0; i < N_QUESTION; i++) {
        struct question q = { .depth = 4 };
        unsigned n = 0;
        int r = askq_ask(&tx[tri_rand_below(&c->rand, N_SERVER)], &q, TR_NEVER, &n);

        check(r == 0 || r == -EOWNERDEAD);
        question_drop(&q);
    }
    return 0;
}

static int round_of(tr_scope *root, void *arg)
{
    tr_scope clients = tr_scope_open(NULL), servers = tr_scope_open(NULL);

    (void)root;
    (void)arg;
    for (unsigned i = 0; i < N_SERVER; i++) {
        struct server s = { .index = i };

        check_eq(askq_new(N_QUESTION, &tx[i], &rx[i]), 0);
        tri_rand_init(&s.rand, tri_rand_next(&stress_rand));
        check_eq(server_spawn(&servers, &s, NULL), 0);
    }
    for (unsigned i = 0; i < N_SERVER; i++) {
        struct client c;

        tri_rand_init(&c.rand, tri_rand_next(&stress_rand));
        check_eq(client_spawn(&clients, &c, NULL), 0);
    }
    check_eq(tr_scope_join(&clients, TR_NEVER), 0);
    tr_scope_end(&clients);
    for (unsigned i = 0; i < N_SERVER; i++)
        askq_tx_close(&tx[i]);
    check_eq(tr_scope_join(&servers, TR_NEVER), 0);
    tr_scope_end(&servers);
    for (unsigned i = 0; i < N_SERVER; i++)
        askq_rx_close(&rx[i]);
    return 0;
}

static void tell_nobody(enum tr_event_kind kind, const char *text, void *arg)
{
    (void)kind;
    (void)text;
    (void)arg;
}

int main(void)
{
    const struct tr_runtime_opts opts = { .n_worker = 3 };
    tr_time end = stress_end();
    unsigned long n_round = 0;

    tr_hook_set(tell_nobody, NULL);
    for (; tr_now() < end; n_round++) {
        unsigned long before = atomic_load(&n_refused);

        around = n_round % 2 != 0;
        check_eq(tr_run_with(&opts, round_of, NULL), 0);
        if (!around)
            check_eq(atomic_load(&n_refused), before);
    }
    printf("# %lu answered, %lu refused, %lu unanswered\n", atomic_load(&n_answered),
           atomic_load(&n_refused), atomic_load(&n_gone));
    return stress_result(n_round);
}
