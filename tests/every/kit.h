/* SPDX-License-Identifier: MIT */
/*
 * kit.h - everything that can go wrong at a wait, at every wait. A scenario runs in the
 * simulator again and again; in the k-th run its k-th suspension, of whichever task, is hit;
 * then each request for memory in its turn fails. It ends when a run has no k-th one: that run
 * was not hit and must succeed.
 *
 * The suspensions are found by the linker, which leads tri_worker_switch() through here; the
 * library knows nothing of it. All waits have a deadline that virtual time reaches only when
 * nothing else can happen: -ETIMEDOUT is a wake-up that was lost.
 */
#ifndef TESTS_EVERY_KIT_H
#define TESTS_EVERY_KIT_H

#include <stdio.h>

#include "chan/items.h"
#include "mem/alloc.h"
#include "sched/kit.h"
#include "sched/scope.h"
#include "sched/worker.h"

enum hit {
    HIT_MEMORY, /* no suspension: the request for memory fails; first, while caches are cold */
    HIT_ASLEEP, /* the task is cancelled when it has gone to sleep */
    HIT_WOKEN,  /* it is cancelled between its wake-up and its next step */
    HIT_ALL,    /* the scope of the scenario is cancelled when it has gone to sleep */
    HIT_DRAIN,  /* it meets a drain when it has gone to sleep */
    N_HIT
};

static const char *const hit_name[N_HIT] = { "memory", "asleep", "woken", "all", "drain" };

struct scenario {
    int (*stage)(tr_scope *s); /* a task of @s, which collects; may be hit as any other */
    void (*finish)(void);      /* after the last task: checks, and releases what is left; may be
                                * NULL */
};

static struct {
    enum hit hit;
    unsigned at, n;       /* the suspension to hit, and how many there were */
    bool is_armed;
    struct tri_task *root; /* is not hit */
    tr_scope *scope;
    bool was_hit;
    unsigned n_job, n_job_dropped;
    uint32_t n_item; /* items made: their ids are 1 to n_item */
} every;

/* ---- the hits ---- */

void tri_real_switch(struct tri_worker *w, struct tri_task *self)
    __asm__("__real_tri_worker_switch");
void tri_hit_switch(struct tri_worker *w, struct tri_task *self)
    __asm__("__wrap_tri_worker_switch");

static void strike(struct tri_task *t)
{
    every.was_hit = true;
    if (every.hit == HIT_ALL)
        tr_scope_cancel(every.scope);
    else if (every.hit == HIT_DRAIN)
        tri_actor_drain(&t->a);
    else
        tri_actor_cancel(&t->a);
}

void tri_hit_switch(struct tri_worker *w, struct tri_task *self)
{
    bool is_it = every.is_armed && self != every.root && ++every.n == every.at &&
                 every.hit != HIT_MEMORY;

    if (is_it && every.hit != HIT_WOKEN)
        strike(self);
    tri_real_switch(w, self);
    if (is_it && every.hit == HIT_WOKEN)
        strike(self);
}

/* ---- for scenarios ---- */

/* Later than anything that happens. */
static inline tr_time late(void)
{
    return tr_until_drain(tr_after(TR_S(3600)));
}

/*
 * MAY(call, code...): the result, which is not negative, or one of the codes, or of those the
 * hit explains: a cancel and a drain only in a task that has met it, -ENOMEM once a request
 * failed.
 */
#define MAY(...)            EVERY_MAY(__VA_ARGS__, 0, 0)
#define EVERY_MAY(call, ...) every_may((call), #call, (const int[]){ __VA_ARGS__ })

static inline int every_may(int r, const char *call, const int *codes)
{
    bool ok = r >= 0;
    char text[160];

    for (; *codes != 0; codes++)
        ok |= r == *codes;
    ok |= r == -ECANCELED && every.was_hit && tr_self_is_cancelled();
    ok |= r == -ESHUTDOWN && every.was_hit && tr_self_is_draining();
    ok |= r == -ENOMEM && tri_mem_has_failed();
    if (!ok) {
        (void)snprintf(text, sizeof text, "%s: %s", tr_strerror(r), call);
        check(false, text);
    }
    return r;
}

/* A message with an id of its own. */
static inline struct item new_item(void)
{
    return item(++every.n_item);
}

/* Nothing was hit: everything must have succeeded. */
static inline bool is_untouched(void)
{
    return !every.was_hit;
}

/* A task: @fn(i), and, however it ends, @end(i) (or NULL), once. */
struct job {
    int (*fn)(unsigned i);
    void (*end)(unsigned i);
    unsigned i;
};

static inline void job_drop(struct job *j)
{
    if (!j->fn)
        return;
    every.n_job_dropped++;
    if (j->end)
        j->end(j->i);
    *j = (struct job){ 0 };
}

TR_TASK(job, struct job, job_drop);

static int job(struct job *j)
{
    return j->fn(j->i);
}

static inline int go_for(tr_scope *s, int (*fn)(unsigned i), void (*end)(unsigned i), unsigned i,
                         tr_task *ret_task)
{
    struct job j = { fn, end, i };

    every.n_job++;
    return MAY(job_spawn(s, &j, &(struct tr_task_opts){ .ret_task = ret_task }));
}

static inline int go(tr_scope *s, int (*fn)(unsigned i), void (*end)(unsigned i), unsigned i)
{
    return go_for(s, fn, end, i, NULL);
}

/* ---- the runs ---- */

struct stage {
    const struct scenario *scenario;
};

TR_TASK(stage, struct stage, tr_nodrop);

static int stage(struct stage *st)
{
    return st->scenario->stage(every.scope);
}

static int every_run(tr_scope *root, void *arg)
{
    const struct scenario *sc = arg;
    tr_scope s = tr_scope_open(&(struct tr_scope_opts){ .policy = TR_POLICY_COLLECT });
    struct stage st = { sc };
    int r;

    (void)root;
    every.root = tri_self();
    every.scope = &s;
    every.is_armed = true;
    if (every.hit == HIT_MEMORY)
        tri_mem_fail_at(every.at);
    r = MAY(stage_spawn(&s, &st, NULL));
    if (r == 0)
        check_eq(tr_scope_join(&s, TR_NEVER), 0);
    every.is_armed = false;
    every.was_hit |= tri_mem_has_failed();
    tri_mem_fail_at(0);
    check_eq(tr_scope_len(&s), 0, "no task is left");
    tr_scope_end(&s);
    if (sc->finish)
        sc->finish();
    return 0;
}

/* One run; false: it came to its end before it was hit. */
static inline bool every_once(const struct scenario *sc, enum hit hit, unsigned at, uint64_t seed)
{
    unsigned failed = test_n_failed();
    const struct tr_runtime_opts opts = { .simulate = true, .seed = seed };

    memset(&every, 0, sizeof every);
    memset(n_dropped_of, 0, sizeof n_dropped_of);
    every.hit = hit;
    every.at = at;
    check_eq(tr_run_with(&opts, every_run, (void *)(uintptr_t)sc), 0);
    check_eq(every.n_job_dropped, every.n_job, "each argument of a task is dropped once");
    check_eq(n_not_dropped_once(every.n_item), 0, "each message is dropped once");
    check_lt(every.n_item, N_ID);
    check_eq(atomic_load(&n_told[TR_EVENT_MISUSE]), 0, told);
    check_eq(atomic_load(&n_told[TR_EVENT_OVERRUN]), 0, told);
    if (test_n_failed() != failed)
        printf("# %s %u, TR_SEED %llu\n", hit_name[hit], at, (unsigned long long)seed);
    return every.was_hit;
}

enum { EVERY_SEEDS = 2, EVERY_MAX = 1000, EVERY_REPEATS = 5 };

/* The seeds of each kind of hit; with TR_REPEAT some more: some runs wait for a grace period. */
static inline unsigned every_seeds(void)
{
    return EVERY_SEEDS * (repeats() < EVERY_REPEATS ? repeats() : EVERY_REPEATS);
}

static inline void every_wait(const struct scenario *sc)
{
    for (int hit = 0; hit < N_HIT; hit++) {
        unsigned n_run = 0;

        for (unsigned i = 0; i < every_seeds(); i++) {
            unsigned at = 1;

            while (at < EVERY_MAX && every_once(sc, (enum hit)hit, at, test_seed() + i) &&
                   test_n_failed() == 0)
                at++;
            check_lt(at, EVERY_MAX, "it ends");
            if (test_n_failed() != 0)
                return;
            if (hit != HIT_MEMORY)
                check_gt(at, 1u, "there was something to hit");
            n_run += at;
        }
        printf("# %s: %u runs\n", hit_name[hit], n_run);
    }
}

/* The test @name_ runs @stage_ and @finish_ with every hit. */
#define EVERY_TEST(suite_, name_, stage_, finish_)                    \
    TR_TEST(suite_, name_)                                            \
    {                                                                 \
        every_wait(&(const struct scenario){ (stage_), (finish_) }); \
    }

#endif /* TESTS_EVERY_KIT_H */
