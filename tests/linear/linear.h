/* SPDX-License-Identifier: MIT */
/*
 * linear.h - is what threads and tasks saw of an object explained by some order of their calls?
 * A history has the calls with the stamps of their begin and their end; a model says what a
 * call may return if nothing else happens meanwhile. The history is linearizable if the calls
 * can be put in an order that the model accepts, and in which a call that had ended before
 * another one began comes first. See docs/design/linearizability.md.
 */
#ifndef TESTS_LINEAR_H
#define TESTS_LINEAR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/rand.h"

enum {
    LIN_OPS = 60,    /* of a history: a set of them is one word */
    LIN_WHO = 4,     /* threads and tasks that call at the same time */
    LIN_STATE = 320, /* bytes of the state of a model */
};

struct lin_op {
    uint8_t who;   /* 0 to LIN_WHO - 1; LIN_WHO: alone, after the others */
    uint8_t kind;  /* of the model */
    uint8_t end;   /* which of the ends */
    uint8_t after; /* 1 + the op before it, of one call that takes several steps; 0: none */
    int32_t in;    /* what went in */
    int32_t r;     /* what was returned */
    int32_t out;   /* what came out beside it */
    uint32_t from, to;
};

struct lin_history {
    int param[4]; /* of the object: the model knows them */
    unsigned n;
    struct lin_op op[LIN_OPS]; /* by @from */
};

struct lin_model {
    const char *name;
    size_t size; /* of a state, which is compared byte by byte */
    void (*init)(void *state, const struct lin_history *h);
    /*
     * Makes call @i the next one. False: it cannot have had this result now. @choice: from 0 to
     * n_choice, where the contract leaves a choice; false: there are not so many.
     */
    bool (*step)(void *state, const struct lin_history *h, unsigned i, unsigned choice);
    unsigned n_choice;
    const char *const *kinds; /* their names */
};

/* ---- search.c ---- */

bool lin_is_right(const struct lin_model *m, const struct lin_history *h);

/* The first stamp up to which @h, which is wrong, cannot be explained. */
uint32_t lin_wrong_at(const struct lin_model *m, const struct lin_history *h);

/* Sorts the calls by their begin; @after goes along. */
void lin_sort(struct lin_history *h);

/* Prints what had begun by @stamp, and which calls could be put in an order. */
void lin_show(const struct lin_model *m, const struct lin_history *h, uint32_t stamp);

/* The two calls had a moment in common. */
static inline bool lin_meet(const struct lin_op *a, const struct lin_op *b)
{
    return a->from < b->to && b->from < a->to;
}

/* ---- run.c: live histories ---- */

/* What one thread or task does in a history. */
struct lin_log {
    struct tri_rand rand;
    bool in_task;
    uint8_t who;
    unsigned n;
    struct lin_op op[LIN_OPS];
};

/* An object of the library, and how it is used. */
struct lin_subject {
    const struct lin_model *model;
    unsigned n_who;
    void (*open)(struct lin_history *h,
                 struct tri_rand *rand); /* makes it; sets the parameters */
    void (*turn)(struct lin_log *log);   /* the calls of log->who */
    void (*close)(struct lin_log *log);  /* looks at what is left, and releases all */
};

/* Checks @n histories, more with TR_FULL=1 or TR_REPEAT; the wrong one is printed. */
void lin_run(const struct lin_subject *s, unsigned n);

/* The same of an object that is broken: one of @n histories must be refused. */
void lin_must_refuse(const struct lin_subject *s, unsigned n);

/* Before a call, and after it. */
struct lin_op *lin_begin(struct lin_log *log, unsigned kind, unsigned end, int in);
int lin_end(struct lin_op *op, int r, int out);

/* Between two calls: nothing, a moment, or another one's turn. */
void lin_pause(struct lin_log *log);

/* Now, or a moment later. */
int64_t lin_soon(struct lin_log *log);

static inline unsigned lin_below(struct lin_log *log, unsigned n)
{
    return tri_rand_below(&log->rand, n);
}

#endif /* TESTS_LINEAR_H */
