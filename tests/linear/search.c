/* SPDX-License-Identifier: MIT */
/*
 * search.c - looks for an order of the calls of a history that its model accepts: J. Wing,
 * C. Gong, "Testing and verifying concurrent objects", 1993: depth first, the next call is one
 * that began before any that is still to be placed had ended; with the memory of G. Lowe,
 * "Testing for linearizability", 2017: a set of placed calls and the state after them are tried
 * once.
 *
 * Of a history that is cut off at a stamp, the calls that had ended must be placed, those that
 * had only begun may be.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "linear/linear.h"

struct search {
    const struct lin_model *m;
    const struct lin_history *h;
    uint64_t must, may; /* sets of calls */
    uint64_t best;      /* the most that were placed */
};

/* ---- what was tried: (set, state), in a table with open addressing ---- */

struct tried {
    uint64_t set;
    uint32_t round; /* of a search; older entries are empty */
    char state[LIN_STATE];
};

static struct tried *table;
static size_t n_table, n_tried;
static uint32_t table_round;

static uint64_t hash(uint64_t set, const char *state, size_t size)
{
    uint64_t x = set * 0x9e3779b97f4a7c15u;

    for (size_t i = 0; i < size; i++)
        x = (x ^ (unsigned char)state[i]) * 0x100000001b3u;
    return x ^ x >> 29;
}

static struct tried *find(uint64_t set, const void *state, size_t size)
{
    size_t at = hash(set, state, size) & (n_table - 1);

    while (table[at].round == table_round &&
           (table[at].set != set || memcmp(table[at].state, state, size) != 0))
        at = (at + 1) & (n_table - 1);
    return &table[at];
}

static void grow(size_t size)
{
    struct tried *old = table;
    const size_t n_old = n_table;

    n_table = n_old ? 2 * n_old : 1024;
    table = calloc(n_table, sizeof *table);
    if (!table)
        abort();
    for (size_t i = 0; i < n_old; i++)
        if (old[i].round == table_round)
            *find(old[i].set, old[i].state, size) = old[i];
    free(old);
}

/* False: it was tried before. */
static bool is_new(uint64_t set, const void *state, size_t size)
{
    struct tried *t;

    if (2 * n_tried >= n_table)
        grow(size);
    t = find(set, state, size);
    if (t->round == table_round)
        return false;
    t->set = set;
    t->round = table_round;
    memcpy(t->state, state, size);
    n_tried++;
    return true;
}

/* ---- the search ---- */

static uint64_t bit(unsigned i)
{
    return (uint64_t)1 << i;
}

/* The earliest end of the calls in @left. */
static uint32_t first_end(const struct lin_history *h, uint64_t left)
{
    uint32_t first = UINT32_MAX;

    for (unsigned i = 0; i < h->n; i++)
        if (left & bit(i) && h->op[i].to < first)
            first = h->op[i].to;
    return first;
}

static bool place(struct search *s, uint64_t placed, const void *state);

/* Tries call @i as the next one, with all choices. */
static bool place_next(struct search *s, uint64_t placed, const void *state, unsigned i)
{
    _Alignas(16) char next[LIN_STATE];

    for (unsigned choice = 0; choice <= s->m->n_choice; choice++) {
        memcpy(next, state, s->m->size);
        if (s->m->step(next, s->h, i, choice) && place(s, placed | bit(i), next))
            return true;
    }
    return false;
}

static bool place(struct search *s, uint64_t placed, const void *state)
{
    const uint32_t end = first_end(s->h, s->may & ~placed);

    if (__builtin_popcountll(placed) > __builtin_popcountll(s->best))
        s->best = placed;
    if ((placed & s->must) == s->must)
        return true;
    if (!is_new(placed, state, s->m->size))
        return false;
    for (unsigned i = 0; i < s->h->n && s->h->op[i].from < end; i++) {
        const unsigned after = s->h->op[i].after;

        if (!(s->may & ~placed & bit(i)) || (after > 0 && !(placed & bit(after - 1))))
            continue;
        if (place_next(s, placed, state, i))
            return true;
    }
    return false;
}

/* Can what had happened by @stamp be explained? @ret_best: what could be placed. */
static bool is_right_until(const struct lin_model *m, const struct lin_history *h,
                           uint32_t stamp, uint64_t *ret_best)
{
    _Alignas(16) char state[LIN_STATE] = { 0 };
    struct search s = { .m = m, .h = h };
    bool right;

    if (m->size > sizeof state || h->n > LIN_OPS)
        abort();
    for (unsigned i = 0; i < h->n; i++) {
        s.must |= h->op[i].to <= stamp ? bit(i) : 0;
        s.may |= h->op[i].from <= stamp ? bit(i) : 0;
    }
    table_round++;
    n_tried = 0;
    m->init(state, h);
    right = place(&s, 0, state);
    *ret_best = s.best;
    return right;
}

bool lin_is_right(const struct lin_model *m, const struct lin_history *h)
{
    uint64_t best;

    return is_right_until(m, h, UINT32_MAX, &best);
}

uint32_t lin_wrong_at(const struct lin_model *m, const struct lin_history *h)
{
    uint32_t stamp = UINT32_MAX;
    uint64_t best;

    for (unsigned i = 0; i < h->n; i++) /* a history becomes wrong by an end */
        if (h->op[i].to < stamp && !is_right_until(m, h, h->op[i].to, &best))
            stamp = h->op[i].to;
    return stamp;
}

/* ---- order, and print ---- */

void lin_sort(struct lin_history *h)
{
    struct lin_op sorted[LIN_OPS];
    uint8_t place_of[LIN_OPS];

    for (unsigned i = 0; i < h->n; i++) {
        unsigned n_before = 0;

        for (unsigned j = 0; j < h->n; j++)
            n_before +=
                h->op[j].from < h->op[i].from || (h->op[j].from == h->op[i].from && j < i);
        sorted[n_before] = h->op[i];
        place_of[i] = (uint8_t)n_before;
    }
    for (unsigned i = 0; i < h->n; i++)
        if (sorted[i].after > 0)
            sorted[i].after = (uint8_t)(place_of[sorted[i].after - 1] + 1);
    memcpy(h->op, sorted, h->n * sizeof h->op[0]);
}

static void show_op(const struct lin_model *m, const struct lin_op *op, uint32_t first,
                    bool placed)
{
    char bar[72];
    uint32_t from = op->from - first, to = op->to - first;

    memset(bar, ' ', sizeof bar);
    for (uint32_t i = from; i <= to && i < sizeof bar - 1; i++)
        bar[i] = i == from || i == to ? '|' : '-';
    bar[to < sizeof bar - 2 ? to + 1 : sizeof bar - 1] = '\0';
    printf("# %3u..%-3u %c%u %-14s end %u in %-4d = %-5d out %-4d %s  %s\n", op->from, op->to,
           op->who == LIN_WHO ? 'z' : 't', op->who, m->kinds[op->kind], op->end, op->in, op->r,
           op->out, placed ? "      " : "(left)", bar);
}

void lin_show(const struct lin_model *m, const struct lin_history *h, uint32_t stamp)
{
    uint64_t best;

    (void)is_right_until(m, h, stamp, &best);
    printf(
        "# %s, parameters %d %d %d %d: no order explains this; (left): could not be placed\n",
        m->name, h->param[0], h->param[1], h->param[2], h->param[3]);
    for (unsigned i = 0; i < h->n; i++)
        if (h->op[i].from <= stamp)
            show_op(m, &h->op[i], h->op[0].from, best & bit(i));
    fflush(stdout);
}
