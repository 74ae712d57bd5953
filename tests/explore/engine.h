/* SPDX-License-Identifier: MIT */
/*
 * engine.h - between the files of the explorer.
 *
 *     search.c    which schedules are run, and what is printed
 *     threads.c   threads that are contexts of one OS thread; choosing, sleeping, waking
 *     memory.c    blocks, what has happened to each word, and in which order
 *     steps.c     the calls that the compiler puts at every access; atomics
 *     kernel.c    what stands in for the kernel and the allocator
 *     world.c     what stands in for liburcu and for the rest of a worker
 */
#ifndef TESTS_EXPLORE_ENGINE_H
#define TESTS_EXPLORE_ENGINE_H

#include "explore/explore.h"

enum {
    N_SELF = EXPLORE_THREADS + 1, /* the last one: setup, finish, and RCU's callbacks */
    OUTSIDE = EXPLORE_THREADS,
};

/* ---- search.c ---- */

/* What the current run may do, and what it has done. */
struct search {
    const struct explore_case *what;
    void (*spoil)(struct explore_op *op); /* NULL: as the library has it */
    unsigned bound;                       /* preemptions */
    bool sleeps;                          /* bound is EXPLORE_ALL: sleep sets are used */
    bool traces;                          /* prints each step */
};
extern struct search search;

/* This run failed. Does not return; from any context. */
_Noreturn void explore_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The run need not go on: all that follows was seen in another one. Does not return. */
_Noreturn void explore_redundant(void);

/* Chooses one of @n > 1 ways to go on. */
unsigned explore_choose(unsigned n);

/* The schedule that is to be repeated: who runs now; -1: none is given, or it is over. */
int explore_replayed(void);
/* Thread @t has made a step: for the schedule that is printed. */
void explore_log_step(unsigned t);

/* ---- threads.c ---- */

void threads_setup(void);
/* Runs the threads of the case until all have ended. */
void threads_run(void);
/* From now on the threads begin each run with the variables that they have. */
void threads_keep(void);
/* The context and its thread-local variables are not of use any more: the run was left. */
void threads_forget(void);

/* Not in the setup or the finish. */
bool threads_are_running(void);

/* Acts as thread @t, OUTSIDE without choices; returns who it was. */
unsigned explore_act_as(unsigned t);

/* Before a step on @addr that others can notice: somebody else may run first. */
void threads_point(const void *addr, bool writes);
/* A word was written: who left by threads_leave() may go on. */
void threads_wrote(void);
/* Waits for a write by another thread; @may_stay: or spins on without one. */
void threads_leave(bool may_stay);
/* The running thread spins on: nobody runs meanwhile. */
bool threads_spins(void);
/* Sleeps until threads_wake() of @addr; @timed: or at any moment without. True: woken. */
bool threads_sleep(const void *addr, bool timed);
void threads_wake(const void *addr, unsigned n);
/* True if @addr lies on a part of a stack that has been left. */
bool threads_is_dead_stack(const void *addr);

/* ---- memory.c ---- */

enum memory_access { PLAIN_WRITE, PLAIN_READ, ATOMIC_WRITE, ATOMIC_READ, N_ACCESS };

void memory_setup(void);
void memory_begin_case(void); /* forgets which words are shared */
void memory_begin_run(void);  /* forgets the blocks */
void memory_keep(void);       /* the blocks that exist stay, as they are, in all runs */
bool memory_has_news(void);   /* a word was found to be shared: begin the search again */
void memory_check_leaks(void);

/* A thread will change so many bytes, 16 at most. */
void memory_will_change(const void *addr, size_t size);
/* The run was left: what lies outside, as a lock that was held, is as before the run again. */
void memory_put_back(void);

void *memory_alloc(size_t bytes, size_t align, int fill);
/* All but its first @keep bytes, which a late waker may still touch. */
void memory_free(void *p, size_t keep);
/* This part of it may be touched all the same. */
void memory_revive(const void *p, size_t size);

/* The stack of thread @t. */
char *memory_stack(unsigned t, size_t *ret_size);

/* Thread explore_self() accesses memory. */
void memory_access(const void *addr, size_t size, enum memory_access how);

/* Whether a step on @addr, which is noted, may be noticed by or notice another thread. */
bool memory_is_shared(const void *addr, bool writes);

/* The orders: after a step with acquire or release on @addr. */
void memory_acquire(const void *addr);
void memory_release(const void *addr, bool is_rmw);
void memory_relaxed_store(const void *addr);
/* All that thread @t has done comes before what thread @u does now. */
void memory_comes_before(unsigned t, unsigned u);

/* ---- steps.c ---- */

/* A system call on @addr is about to be made, if @op->writes: spoils, traces, logs it. */
void steps_made(struct explore_op *op, const void *addr);

/* ---- world.c ---- */

void world_begin_run(void);
/* A case that is run once: what it allocates stays. */
extern const struct explore_case world_warm_up;

#endif /* TESTS_EXPLORE_ENGINE_H */
