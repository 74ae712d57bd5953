/* SPDX-License-Identifier: MIT */
/*
 * threads.c - the threads of a case are contexts of one OS thread; one runs until it is to make
 * a step that others can notice. There the next one is chosen:
 *
 *     READY    may run on
 *     ASLEEP   in a futex wait: until a wake
 *     TIMED    the same with a deadline: may also run on at any moment, timed out
 *     LEFT     in a spin: until another thread has written a word
 *     DONE     has returned
 *
 * To leave a thread that could go on is a preemption. If nobody may run on and not all are
 * DONE, a wake-up was lost.
 *
 * Sleep sets, where all interleavings are wanted (P. Godefroid, "Partial-order methods", 1996):
 * once "t first" has been explored at a choice, t need not be run in the other branches until a
 * step comes that does not commute with the one t is about to make.
 */
#include "config.h"

#include <string.h>

#include "explore/engine.h"
#include "sched/context.h"

enum state { READY, ASLEEP, TIMED, LEFT, DONE };

enum { TLS_MAX = 256, MAX_STEPS = 20000 };

struct thread {
    struct tri_context ctx;
    enum state state;
    const void *on;      /* the word it sleeps on */
    unsigned long since; /* in the order of their sleeps */
    bool woken;
    bool spins;       /* through a spin without a write: its loads are no choices */
    const void *next; /* the word of the step it is about to make; NULL: none that counts */
    bool next_writes;
    char tls[TLS_MAX], kept_tls[TLS_MAX]; /* its variables; as each run begins */
};

/* The section that force.h puts the variables of a thread into. */
extern char __start_explore_tls[], __stop_explore_tls[];

static struct thread threads[N_SELF];
static unsigned n_thread, cur = OUTSIDE;
static bool quiet = true; /* no choices */
static bool running;
static unsigned n_preempted, asleep, n_step;
static unsigned long n_sleep;

unsigned explore_self(void)
{
    return cur;
}

bool threads_are_running(void)
{
    return running;
}

unsigned explore_act_as(unsigned t)
{
    unsigned was = cur;

    cur = t;
    quiet = t == OUTSIDE;
    return was;
}

/* ---- variables of a thread ---- */

static size_t tls_size(void)
{
    return (size_t)(__stop_explore_tls - __start_explore_tls);
}

static void tls_save(unsigned t)
{
    memcpy(threads[t].tls, __start_explore_tls, tls_size());
}

static void tls_load(unsigned t)
{
    memcpy(__start_explore_tls, threads[t].tls, tls_size());
}

void threads_keep(void)
{
    for (unsigned t = 0; t < N_SELF; t++)
        memcpy(threads[t].kept_tls, threads[t].tls, TLS_MAX);
}

void threads_forget(void)
{
    cur = OUTSIDE;
    quiet = true;
    running = false;
    tls_load(OUTSIDE);
}

void threads_setup(void)
{
    if (tls_size() > TLS_MAX)
        explore_fail("TLS_MAX");
    tri_context_adopt(&threads[OUTSIDE].ctx);
    for (unsigned t = 0; t < N_SELF; t++)
        tls_save(t);
}

static void switch_to(unsigned t)
{
    unsigned from = cur;

    tls_save(from);
    tls_load(t);
    cur = t;
    quiet = t == OUTSIDE;
    tri_context_switch(&threads[from].ctx, &threads[t].ctx);
}

/* ---- choosing ---- */

static bool may_run(unsigned t)
{
    return t < n_thread && (threads[t].state == READY || threads[t].state == TIMED);
}

static bool commute(const struct thread *a, const struct thread *b)
{
    return !a->next || !b->next || (uintptr_t)a->next / 8 != (uintptr_t)b->next / 8 ||
           (!a->next_writes && !b->next_writes);
}

static _Noreturn void fail_stuck(void)
{
    static const char *const names[] = { "ready", "asleep", "timed", "spins", "done" };

    explore_fail("nobody can go on: %s, %s, %s", names[threads[0].state],
                 n_thread > 1 ? names[threads[1].state] : "-",
                 n_thread > 2 ? names[threads[2].state] : "-");
}

/*
 * Candidates, the running thread first. Returns how many; *@ret_any: somebody may run at all.
 */
static unsigned candidates(bool can_stay, unsigned *c, bool *ret_any)
{
    unsigned n = 0;

    *ret_any = can_stay;
    if (can_stay && !(asleep & 1u << cur))
        c[n++] = cur;
    for (unsigned t = 0; t < n_thread; t++) {
        if ((t == cur && can_stay) || !may_run(t))
            continue;
        *ret_any = true;
        if ((!can_stay || n_preempted < search.bound) && !(asleep & 1u << t))
            c[n++] = t;
    }
    return n;
}

/* Who runs now; OUTSIDE: all are done. */
static unsigned pick(bool can_stay)
{
    unsigned c[EXPLORE_THREADS], n, k, others;
    int replayed = explore_replayed();
    bool any, all_done = true;

    if (replayed >= 0 && may_run((unsigned)replayed))
        return (unsigned)replayed;
    n = candidates(can_stay, c, &any);
    if (n == 0) {
        if (any)
            explore_redundant();
        for (unsigned t = 0; t < n_thread; t++)
            all_done &= threads[t].state == DONE;
        if (!all_done)
            fail_stuck();
        return OUTSIDE;
    }
    k = n > 1 ? explore_choose(n) : 0;
    if (can_stay && c[k] != cur)
        n_preempted++;
    if (search.sleeps) {
        others = asleep;
        asleep = 0;
        for (unsigned i = 0; i < k; i++)
            others |= 1u << c[i];
        for (unsigned t = 0; t < n_thread; t++)
            if (others & 1u << t && commute(&threads[t], &threads[c[k]]))
                asleep |= 1u << t;
    }
    return c[k];
}

static void pass(bool can_stay)
{
    unsigned t = pick(can_stay);

    if (t != cur)
        switch_to(t);
}

/* ---- what a thread does ---- */

void threads_point(const void *addr, bool writes)
{
    struct thread *me = &threads[cur];

    if (quiet)
        return;
    if (++n_step > MAX_STEPS)
        explore_fail("does not end");
    if (me->spins && !writes)
        return;
    me->spins = false;
    if (!memory_is_shared(addr, writes) && explore_replayed() < 0)
        return;
    me->next = addr;
    me->next_writes = writes;
    pass(true);
    me->next = NULL;
}

void threads_wrote(void)
{
    for (unsigned t = 0; t < n_thread; t++)
        if (t != cur && threads[t].state == LEFT)
            threads[t].state = READY;
}

void threads_leave(bool may_stay)
{
    struct thread *me = &threads[cur];
    int replayed = explore_replayed();

    if (quiet || (may_stay && me->spins))
        return;
    me->spins = false;
    if (may_stay && (replayed >= 0 ? (unsigned)replayed == cur : explore_choose(2) == 1)) {
        me->spins = true;
        return;
    }
    asleep = 0; /* what others write decides when we go on */
    me->state = LEFT;
    pass(false);
}

bool threads_spins(void)
{
    return threads[cur].spins;
}

bool threads_sleep(const void *addr, bool timed)
{
    struct thread *me = &threads[cur];

    if (quiet)
        explore_fail("the setup or the finish sleeps");
    me->spins = false;
    me->state = timed ? TIMED : ASLEEP;
    me->on = addr;
    me->since = n_sleep++;
    me->woken = false;
    me->next = addr;
    me->next_writes = true;
    pass(false);
    me->state = READY;
    me->next = NULL;
    return me->woken;
}

void threads_wake(const void *addr, unsigned n)
{
    struct thread *first;

    for (; n > 0; n--) {
        first = NULL;
        for (struct thread *t = threads; t < threads + n_thread; t++)
            if ((t->state == ASLEEP || t->state == TIMED) && t->on == addr &&
                (!first || t->since < first->since))
                first = t;
        if (!first)
            return;
        first->state = READY;
        first->woken = true;
        first->next = NULL;
    }
}

bool threads_is_dead_stack(const void *addr)
{
    const char *p = addr;
    char *low;
    size_t size;

    for (unsigned t = 0; t < n_thread; t++) {
        low = memory_stack(t, &size);
        if (p < low || p >= low + size)
            continue;
        if (t == cur)
            return p < (const char *)__builtin_frame_address(0);
        return threads[t].state == DONE || p < (const char *)threads[t].ctx.sp;
    }
    return false;
}

/* ---- a run ---- */

static void thread_main(void *arg)
{
    unsigned me = (unsigned)(uintptr_t)arg;

    search.what->thread[me]();
    threads[me].state = DONE;
    pass(false);
    __builtin_trap();
}

void threads_run(void)
{
    char *low;
    size_t size;

    n_preempted = asleep = n_step = 0;
    for (n_thread = 0; n_thread < EXPLORE_THREADS; n_thread++) {
        struct thread *t = &threads[n_thread];

        if (!search.what->thread[n_thread])
            break;
        low = memory_stack(n_thread, &size);
        t->state = READY;
        t->spins = false;
        t->next = NULL;
        memcpy(t->tls, t->kept_tls, TLS_MAX);
        tri_context_make(&t->ctx, low + size - 64, low, thread_main,
                         (void *)(uintptr_t)n_thread);
        memory_comes_before(OUTSIDE, n_thread);
    }
    tls_save(OUTSIDE);
    cur = OUTSIDE;
    running = true;
    switch_to(pick(false));
    running = false;
    for (unsigned t = 0; t < n_thread; t++)
        memory_comes_before(t, OUTSIDE);
}
