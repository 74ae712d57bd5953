/* SPDX-License-Identifier: MIT */
/*
 * explore.h - runs a small case through all interleavings of its threads. A case is a setup, up
 * to three threads and a finish; the setup and the finish run alone. Everything that the
 * library and the case do to memory goes through memory.c, and every step that another thread
 * can notice is a place where the next thread is chosen: see docs/design/exploration.md.
 *
 *     a check that fails, a thread that never goes on, memory used after its end, freed twice
 *     or never freed, and plain accesses without an order between them end the case as failed
 *
 * A case is a function of the schedule alone: no clock, no chance, no state kept from one run
 * to the next but what the setup makes anew.
 */
#ifndef TESTS_EXPLORE_H
#define TESTS_EXPLORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    EXPLORE_THREADS = 3,
    EXPLORE_ALL = 1000, /* in place of a number of preemptions: as many as there are */
};

enum explore_kind {
    EXPLORE_LOAD,
    EXPLORE_STORE,
    EXPLORE_EXCHANGE,
    EXPLORE_ADD,
    EXPLORE_SUB,
    EXPLORE_AND,
    EXPLORE_OR,
    EXPLORE_CAS,
    EXPLORE_WAIT, /* futex */
    EXPLORE_WAKE,
};

/* One step on an atomic word, about to be made. A broken variant changes what it does. */
struct explore_op {
    const char *func; /* where it stands in the source */
    int line;
    enum explore_kind kind;
    const void *addr;
    int order;         /* __ATOMIC_RELAXED ... */
    uint64_t old;      /* what it gives */
    uint64_t expected; /* of a CAS */
    uint64_t next;     /* what it stores, if it @writes */
    bool writes;       /* a wake: happens; a wait: may sleep */
    bool ok;           /* of a CAS */
};

/* A protocol with one step spoiled, which has to be caught. */
struct explore_broken {
    const char *what;
    void (*spoil)(struct explore_op *op); /* called for every step of the case's threads */
};

struct explore_case {
    const char *name;
    void (*setup)(void);
    void (*thread[EXPLORE_THREADS])(void); /* NULL from the first one that is not there */
    void (*finish)(void);
    unsigned quick, full;                /* preemptions in make check, and with TR_FULL=1 */
    const struct explore_broken *broken; /* ends with { 0 }; NULL: none */
};

/* The lists of a program, and NULL. */
extern const struct explore_case *const explore_lists[];

/* The cases of each file; each list ends with { 0 }. */
extern const struct explore_case explore_lock_cases[];
extern const struct explore_case explore_cycle_cases[];
extern const struct explore_case explore_park_cases[];
extern const struct explore_case explore_inbox_cases[];
extern const struct explore_case explore_idle_cases[];
extern const struct explore_case explore_deque_cases[];
extern const struct explore_case explore_oneshot_cases[];
extern const struct explore_case explore_mpsc_cases[];
extern const struct explore_case explore_mpsc_room_cases[];
extern const struct explore_case explore_mpsc_wait_cases[];
extern const struct explore_case explore_mpsc_more_cases[];
extern const struct explore_case explore_watch_cases[];
extern const struct explore_case explore_ask_cases[];
extern const struct explore_case explore_ask_arm_cases[];
extern const struct explore_case explore_future_cases[];
extern const struct explore_case explore_set_cases[];
extern const struct explore_case explore_fd_cases[];
extern const struct explore_case explore_level_cases[];
extern const struct explore_case explore_scope_cases[];
extern const struct explore_case explore_task_cases[];
extern const struct explore_case explore_permits_cases[];
extern const struct explore_case explore_notify_cases[];
extern const struct explore_case explore_handler_cases[];
extern const struct explore_case explore_broadcast_cases[];
extern const struct explore_case explore_broadcast_copy_cases[];
extern const struct explore_case explore_broadcast_wait_cases[];

/* Ends this run as failed unless @ok. */
void explore_check(bool ok, const char *text, const char *file, int line);
#define check(x) explore_check((x), #x, __FILE__, __LINE__)

/* The running thread: 0 to 2; EXPLORE_THREADS in the setup and the finish. */
unsigned explore_self(void);

/* What is at @addr, without a step: for a spoiler. */
uint64_t explore_peek(const void *addr);

/* True in the function and for the kind of step. */
bool explore_is(const struct explore_op *op, const char *func, enum explore_kind kind);

#endif /* TESTS_EXPLORE_H */
