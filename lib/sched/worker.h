/* SPDX-License-Identifier: MIT */
/*
 * worker.h - a worker is a thread that runs actors. It owns its queues, its timers, its poller
 * and its free stacks; other threads reach it through its inbox only.
 *
 *     lifo      the task woken last: runs next, at most three times in a row
 *     own       started tasks, first in first out; they stay here
 *     hot       handlers with messages, and movable tasks; first in first out; stealable
 *     fresh     tasks that have not started; newest first; stealable, oldest first
 *     late      started tasks that called tr_yield(): after all the above
 *     inbox     from other threads
 *
 * Bounds (RT-15, RT-20): a slice ends after BUDGET operations, and after as many more, CREDIT
 * at the most, as it was given for work that saves others a slice; every 8th pick looks at
 * timers and the clock, and at descriptors if that was not done for 50 µs; every 16th pick
 * takes the oldest of hot, fresh or late in turn, before anything else; the LIFO slot gives way
 * to own after three runs. So each ready actor runs within a bounded number of slices.
 */
#ifndef TRI_SCHED_WORKER_H
#define TRI_SCHED_WORKER_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "base/assert.h"
#include "base/backend.h"
#include "base/wheel.h"
#include "mem/slab.h"
#include "mem/stack.h"
#include "sched/actor.h"
#include "sched/deque.h"
#include "sched/inbox.h"
#include "sched/runq.h"
#include "sched/runtime.h"

enum { TRI_BUDGET = 256, TRI_CREDIT = 2048, TRI_EVENTS = 64 };

/*
 * A seat names a worker's thread for ever: two things that happen on one seat happen one after
 * the other. TRI_SEAT_NONE: no such promise (other threads, and when the numbers have run out).
 */
enum { TRI_SEAT_UNKNOWN = 0, TRI_SEAT_NONE = UINT16_MAX };

struct tri_worker {
    /* The owner's own. */
    struct tri_runtime *rt;
    struct tri_task *task;       /* the running one; NULL in a handler and in the scheduler */
    struct tri_actor *handler;   /* the running one */
    struct tri_local *locals;    /* the scopes of TR_LOCALs that handler is in */
    struct tri_task *hidden;     /* was task until a drop began to run on its stack: task.c */
    int budget;                  /* operations left in this slice */
    int credit;                  /* operations that it may still be given; see the top */
    bool maintaining;            /* in tri_worker_maintain() */
    unsigned lifo_runs;          /* picks from the LIFO slot in a row */
    struct tri_actor *lifo;
    struct tri_runq own;
    struct tri_runq late;        /* tasks that gave way: after everybody else */
    struct tri_actor *overflow;  /* READY ones that may not or cannot go to hot or fresh now */
    void *dead;                  /* a stack whose task has ended and which was left just now */
    struct tri_context *dead_ctx;
    struct tri_actor *stash;     /* picked on a task's stack, to be run by the scheduler */
    struct tri_context ctx;      /* the scheduler's */
    struct tri_wheel wheel;
    struct tri_poller *poller;
    tr_time polled_at;           /* when descriptors were looked at */
    unsigned n_stolen;           /* at the last theft, until it was judged */
    unsigned shyness;            /* chances to steal to let pass: see steal.c */
    unsigned patience;           /* as many of them are left */
    tr_time stolen_at;
    tr_time victim_run;          /* an actor's mean run where the last theft was; 0: unknown */
    unsigned greed;              /* actors to take at once */
    const void *parked_pc;       /* where the receive that parked last returns to */
    bool trimmed;                /* free stacks hold no pages that could go */
    unsigned spin;               /* pauses before it sleeps */
    uint64_t random;             /* xorshift64 state, from the seed */
    struct tri_stack_cache stacks;
    struct tri_slab_cache tasks; /* of tri_task_slab() */
    struct tri_slab_cache scopes;
    struct tri_event events[TRI_EVENTS];
    unsigned index;
    uint16_t seat;               /* this worker's number in the process, or TRI_SEAT_NONE */
    atomic_bool started;         /* its thread; written under rt->start_lock, never back */
    pthread_t thread;

    /* Read by others. */
    _Alignas(64) struct tri_deque fresh;
    _Alignas(64) struct tri_deque hot;
    _Alignas(64) struct tri_inbox inbox;
    atomic_uint tick;            /* picks; the owner writes, watchers compare */
    atomic_uint n_spread;        /* tasks placed here by tri_self_spread that have not ended */
    struct tri_actor *_Atomic shown; /* the running one, for the conductor and thieves */
    atomic_int tid;              /* of the thread, once its loop runs */
    /* Actors that have ended here; among them tasks that never ran. The owner writes. */
    atomic_ulong n_ended, n_discarded;
    atomic_ulong n_begun;        /* tasks that got their stacks here; as those */
};

extern _Thread_local struct tri_worker *tri_tls_worker
    __attribute__((tls_model("initial-exec")));

/* The calling thread's worker, or NULL. Not inlined: a movable task changes threads. */
struct tri_worker *tri_worker_self(void);

/*
 * The running task, or NULL, for the first lines of a public function: read before anything
 * that may suspend, and not again.
 */
static inline struct tri_task *tri_self_at_entry(void)
{
    struct tri_worker *w = tri_tls_worker;

    return w ? w->task : NULL;
}

/* What the reactor does with an event; set once before any descriptor is registered. */
void tri_worker_set_event_fn(void (*fn)(void *data, uint32_t events));

/* Runs a handler until it has no message or its slice is over; set by lib/actor/handler.c. */
struct tri_handler_fns {
    void (*run)(struct tri_worker *w, struct tri_actor *a);
    void (*timer_fired)(struct tri_timer *t);
    const char *(*name)(const struct tri_actor *a);
    unsigned (*space)(const struct tri_actor *a); /* of its slab, for the id: 1 to
                                                   * TRI_SPACES_MAX */
};
void tri_worker_set_handler_fns(const struct tri_handler_fns *fns);

/* Called when a worker goes idle or has retired much, to hand over what it batched. */
void tri_worker_set_idle_fn(void (*fn)(void));

/* The backend and the poller of the running worker; NULL outside a runtime. */
struct tri_backend *tri_self_backend(void);
struct tri_poller *tri_self_poller(void);

/* Spawns of the running task start on the least busy worker while @on. */
void tri_self_spread(bool on);

/* ---- the life of a worker (lib/actor/runtime.c) ---- */

int tri_worker_init(struct tri_worker *w, struct tri_runtime *rt, unsigned index);
void tri_worker_fini(struct tri_worker *w);

/* Runs actors on the calling thread until rt->stopping. */
void tri_worker_loop(struct tri_worker *w);

/* Wakes every worker of @rt, for a stop. */
void tri_worker_rouse_all(struct tri_runtime *rt);

/* Wakes or starts one more worker, which will look for backlog. */
void tri_worker_summon(struct tri_runtime *rt);

/* ---- queues, used inside sched and actor ---- */

/* A READY actor goes to the queue where it belongs. Any thread. */
void tri_worker_ready(struct tri_actor *a);

/*
 * Wakes of many actors of one runtime, from one thread: those of a worker are pushed to its
 * inbox in chains, so that its line travels once for each chain. A READY actor in a chain that
 * was not pushed yet is lost to everybody: tri_wake_many_run() follows, soon.
 */
enum { TRI_WAKE_MANY = 64 };

struct tri_wake_many {
    struct tri_runtime *rt;
    struct tri_worker *here; /* the calling thread's, or NULL */
    struct tri_wake_chain {
        struct tri_actor *first, *last;
        unsigned n;
    } of[TRI_WORKERS_MAX];
};

void tri_wake_many_begin(struct tri_wake_many *m, struct tri_runtime *rt);
/* Turns @bits on in the word of @a, and wakes it as tri_wake() does. */
void tri_wake_many_add(struct tri_wake_many *m, struct tri_actor *a, unsigned bits);
void tri_wake_many_run(struct tri_wake_many *m);

/* A new task or handler of @from (NULL: a foreign thread) in runtime @rt; 0 or -ENOMEM. */
int tri_worker_place(struct tri_runtime *rt, struct tri_worker *from, struct tri_actor *a,
                     bool spread);

/* One more, in a counter that only the calling thread writes. */
static inline void tri_worker_count(atomic_ulong *n)
{
    /* relaxed, both: readers want a number, not an order. */
    atomic_store_explicit(n, atomic_load_explicit(n, memory_order_relaxed) + 1,
                          memory_order_relaxed);
}

/* The slice of the running task, on the calling thread, may last @n operations longer. */
static inline void tri_worker_credit(struct tri_worker *w, unsigned n)
{
    int more = (int)n < w->credit ? (int)n : w->credit;

    w->budget += more;
    w->credit -= more;
}

/* Takes in what other threads have put into the inbox. Owner only. */
void tri_worker_take_in(struct tri_worker *w);

/* G. Marsaglia, "Xorshift RNGs", 2003. Owner only. */
static inline uint64_t tri_worker_random(struct tri_worker *w)
{
    w->random ^= w->random << 13;
    w->random ^= w->random >> 7;
    w->random ^= w->random << 17;
    return w->random;
}

/* Leaves the running task, which is queued or waits for a wake, and runs others until then. */
void tri_worker_switch(struct tri_worker *w, struct tri_task *self);

static inline void tri_task_note(struct tri_task *self, const struct tri_arm_ops *what,
                                 const void *source)
{
    /* relaxed, by the builtin: a report looks at it, see tri_scope_each(). */
    __atomic_store_n(&self->frame->wait_what, what, __ATOMIC_RELAXED);
    self->frame->wait_source = source;
}

/*
 * Takes READY away for a sleep (a movable task), or for good: requests may come (the others).
 */
static inline void tri_park_take_ready(struct tri_task *self)
{
    /*
     * release: what we did before is seen by whoever turns it on again. acquire: what wakers
     * did before their last, unneeded wake is seen by us.
     */
    self->frame->seen = atomic_fetch_and_explicit(&self->a.wakee.word, ~(unsigned)TRI_READY,
                                                  memory_order_acq_rel);
    self->frame->open = true;
}

static inline void tri_park_prepare(struct tri_task *self)
{
    if (tri_unlikely(self->movable || !self->frame->open)) {
        tri_park_take_ready(self);
        if (self->movable)
            return;
    }
    /*
     * relaxed: only our thread writes it. acquire: a cancel; one that comes later is a request.
     */
    atomic_store_explicit(&self->a.wakee.notified, false, memory_order_relaxed);
    self->frame->seen = atomic_load_explicit(&self->a.wakee.word, memory_order_acquire);
}

/* The seat that the running task @self runs on. */
static inline uint16_t tri_task_seat(struct tri_task *self)
{
    /* relaxed: we run on it. */
    return atomic_load_explicit(&self->a.home, memory_order_relaxed)->seat;
}

/* False: tri_wait_is_over() would say no. */
static inline bool tri_wait_may_be_over(struct tri_task *self, tr_time deadline)
{
    /* relaxed: see tri_wait_is_over(). */
    return deadline <= TR_NOW || deadline == (TR_NOW | TR_DRAIN_BIT) ||
           (atomic_load_explicit(&self->a.wakee.word, memory_order_relaxed) &
            (TRI_CANCEL | TRI_DRAIN));
}

int tri_wait_enter_slow(struct tri_task *self, const char *what);

/* The first step of a wait; @what names the call if it has to be refused. */
static inline int tri_wait_enter_as(struct tri_task *self, const char *what)
{
    /* relaxed, both: see tri_wait_enter_slow(). */
    if (tri_likely(self &&
                   !(atomic_load_explicit(&self->a.wakee.word, memory_order_relaxed) &
                     TRI_CANCEL) &&
                   --atomic_load_explicit(&self->a.home, memory_order_relaxed)->budget > 0))
        return 0;
    return tri_wait_enter_slow(self, what);
}

/* For a public function, whose name is told. */
#define tri_wait_enter(self) tri_wait_enter_as((self), __func__)

/* Steps that every arrival on a stack begins with. */
static inline void tri_worker_arrive(struct tri_worker *w)
{
    if (tri_unlikely(w->dead != NULL)) {
        tri_context_release(w->dead_ctx);
        tri_stack_put(&w->stacks, w->dead);
        w->dead = NULL;
    }
}

/* The end of a forked child whose actor has returned: there is nobody left to go on. */
_Noreturn void tri_forked_leave(int result);

/* lib/sched/task.c: the body of a started task. */
void tri_task_main(void *arg);

/* Gives an unstarted task a stack; false: no memory (it is finished with -ENOMEM). */
bool tri_task_start(struct tri_worker *w, struct tri_task *t);

/* Puts @t, whose frame is made anew on @top, into it. */
void tri_task_frame(struct tri_task *t, void *top);

/* Ends a task that has not started. */
void tri_task_discard(struct tri_worker *w, struct tri_task *t, int result);

/* Looks at timers, and at descriptors if @force_poll or if that is due. */
void tri_worker_maintain(struct tri_worker *w, bool force_poll);

/* Waits for events until @deadline and delivers them. */
void tri_worker_poll(struct tri_worker *w, tr_time deadline);

/* Something for @w itself to run or take in. Owner. */
bool tri_worker_has_work(struct tri_worker *w);

/*
 * Keeps @a, which is READY, where no memory is needed; it runs when little else is left. Owner.
 */
void tri_overflow_push(struct tri_worker *w, struct tri_actor *a);

/* Those in it go where they belong, but for the task on whose stack we stand. */
void tri_overflow_flush(struct tri_worker *w);

/*
 * Puts back what was raided from the inbox of @v: from @first to @last, linked as for a push.
 */
void tri_worker_return(struct tri_worker *v, struct tri_actor *first, struct tri_actor *last);

/* Makes @a, which has just been stolen, an actor of @w. */
void tri_actor_moves(struct tri_actor *a, struct tri_worker *w);

/* Makes the started task @t the running one of @w. */
void tri_worker_run_task(struct tri_worker *w, struct tri_task *t);

/* Prepares @a to be switched to; NULL: it was no task, or has ended without running. */
struct tri_context *tri_worker_board(struct tri_worker *w, struct tri_actor *a);

/* The next actor for the calling context; NULL: only the scheduler can find more. */
struct tri_actor *tri_worker_pick(struct tri_worker *w);

#endif /* TRI_SCHED_WORKER_H */
