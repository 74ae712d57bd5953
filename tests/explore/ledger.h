/* SPDX-License-Identifier: MIT */
/*
 * ledger.h - the messages of a case and what becomes of each: it ends exactly once, as
 * received, handed back or dropped; what one thread sends is received in that order. Message 10
 * * t + k is the k-th one of thread t, k from 1; each has an object of its own, so one that is
 * lost is also memory never freed, and one that comes twice is freed twice.
 */
#ifndef TESTS_EXPLORE_LEDGER_H
#define TESTS_EXPLORE_LEDGER_H

#include "explore/explore.h"
#include "mem/alloc.h"

enum { LEDGER_IDS = 10 * EXPLORE_THREADS + 10 };

struct message {
    unsigned *id; /* NULL: empty */
};

static struct {
    unsigned n_made[LEDGER_IDS], n_got[LEDGER_IDS], n_back[LEDGER_IDS], n_dropped[LEDGER_IDS];
    unsigned last_of[EXPLORE_THREADS]; /* received */
} ledger;

static void ledger_begin(void)
{
    for (unsigned i = 0; i < LEDGER_IDS; i++)
        ledger.n_made[i] = ledger.n_got[i] = ledger.n_back[i] = ledger.n_dropped[i] = 0;
    for (unsigned t = 0; t < EXPLORE_THREADS; t++)
        ledger.last_of[t] = 0;
}

/* The @k-th message of the running thread. */
static struct message message(unsigned k)
{
    struct message m = { tri_mem_alloc(sizeof *m.id) };

    *m.id = 10 * explore_self() + k;
    ledger.n_made[*m.id]++;
    return m;
}

static void message_end(struct message *m, unsigned *n)
{
    check(m->id && *m->id < LEDGER_IDS);
    n[*m->id]++;
    free(m->id);
    m->id = NULL;
}

static inline void message_drop(struct message *m)
{
    if (m->id)
        message_end(m, ledger.n_dropped);
}

/* Received. */
static inline void message_got(struct message *m)
{
    const unsigned from = *m->id / 10, k = *m->id % 10;

    check(k > ledger.last_of[from]);
    ledger.last_of[from] = k;
    message_end(m, ledger.n_got);
}

/* Sent, with the result @r: empty, or still ours. */
static inline void message_sent(struct message *m, int r)
{
    if (r == 0)
        check(!m->id);
    else
        message_end(m, ledger.n_back);
}

static void ledger_finish(void)
{
    for (unsigned i = 0; i < LEDGER_IDS; i++)
        check(ledger.n_made[i] == ledger.n_got[i] + ledger.n_back[i] + ledger.n_dropped[i]);
}

#endif /* TESTS_EXPLORE_LEDGER_H */
