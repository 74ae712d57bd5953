/* SPDX-License-Identifier: MIT */
/*
 * semaphore.c - threads and tasks take permits in every way and give them back: never more than
 * there are, and all of them are there in the end. And mutexes that are freed by whoever is the
 * last to unlock one.
 */
#include "config.h"

#include <errno.h>

#include "users.h"

enum { N_PERMIT = 4, N_USER = 4 };

static unsigned n_turn; /* of each thread and task */

static tr_semaphore sem;
static atomic_int n_out;

static void use(unsigned n, struct tri_rand *rand)
{
    tr_permit p = tr_permit_of(&sem, n), part;

    check_le(atomic_fetch_add(&n_out, (int)n) + (int)n, N_PERMIT);
    if (tri_rand_once_in(rand, 4))
        sched_yield();
    if (tr_permit_split(&p, n / 2, &part) == 0) {
        atomic_fetch_sub(&n_out, (int)part.n);
        tr_permit_release(&part);
    }
    atomic_fetch_sub(&n_out, (int)p.n);
    tr_permit_release(&p);
}

static void turns(struct stress_thread *t)
{
    for (unsigned i = 0; i < n_turn; i++) {
        unsigned n = 1 + tri_rand_below(&t->rand, N_PERMIT);
        int r;

        switch (tri_rand_below(&t->rand, 4)) {
        case 0:
            r = tr_semaphore_try_acquire(&sem, n);
            break;
        case 1:
            r = tr_semaphore_blocking_acquire(&sem, n,
                                              tr_after(TR_US(tri_rand_below(&t->rand, 30))));
            break;
        default:
            r = tr_semaphore_blocking_acquire(&sem, n, TR_NEVER);
        }
        if (r == 0)
            use(n, &t->rand);
        else
            check(r == -EAGAIN || r == -ETIMEDOUT || r == -EPIPE);
    }
}

/* ---- tasks ---- */

static int take_somehow(unsigned n, struct tri_rand *rand)
{
    tr_time soon = tr_after(TR_US(tri_rand_below(rand, 30)));
    tr_arm arms[2] = { tr_semaphore_acquire_arm(&sem, n), tr_deadline_arm(soon) };
    int i;

    switch (tri_rand_below(rand, 3)) {
    case 0:
        return tr_semaphore_acquire(&sem, n, TR_NEVER);
    case 1:
        return tr_semaphore_acquire(&sem, n, soon);
    default:
        i = tr_select(TR_NEVER, arms, 2);
        return i == 1 ? -ETIMEDOUT : i < 0 ? i : arms[0].result;
    }
}

static int user(struct user *u)
{
    struct tri_rand rand;
    int r = 0;

    tri_rand_init(&rand, u->seed);
    for (unsigned i = 0; i < n_turn && r != -ECANCELED; i++) {
        unsigned n = 1 + tri_rand_below(&rand, N_PERMIT);

        r = take_somehow(n, &rand);
        if (r == 0)
            use(n, &rand);
        if (tri_rand_once_in(&rand, 8))
            (void)tr_yield();
    }
    return 0;
}

static void close_late(struct stress_thread *t)
{
    for (unsigned i = tri_rand_below(&t->rand, 200); i > 0; i--)
        sched_yield();
    tr_semaphore_close(&sem);
}

/* @with_tasks: a runtime beside the threads, which shares the permits with them. */
static void round_of_permits(unsigned n_thread, bool with_tasks, bool with_close)
{
    void (*fns[STRESS_THREADS])(struct stress_thread *) = { turns, turns, turns, turns,
                                                            turns, turns, turns, turns };

    if (with_close)
        fns[n_thread - 1] = close_late;
    check_eq(tr_semaphore_init(&sem, N_PERMIT), 0);
    stress_beside(fns, n_thread, with_tasks ? users : NULL);
    check_eq(tr_semaphore_available(&sem), N_PERMIT);
}

static void round_of_crowd(bool with_close)
{
    n_turn = 10;
    n_task = STRESS_TASKS;
    round_of_permits(STRESS_THREADS, true, with_close);
}

/* ---- a mutex in what it protects ---- */

struct shared {
    tr_mutex lock;
    unsigned n_ref;
    unsigned long n_sum; /* plain: the lock orders it */
};
static struct shared *shared;

static void use_and_let_go(struct stress_thread *t)
{
    struct shared *s = shared;
    unsigned n_left;

    if (tri_rand_once_in(&t->rand, 2) &&
        tr_mutex_blocking_lock(&s->lock, tr_after(TR_US(tri_rand_below(&t->rand, 10)))) == 0) {
        s->n_sum++;
        check_eq(tr_mutex_unlock(&s->lock), 0);
    }
    while (tr_mutex_blocking_lock(&s->lock, tr_after(TR_US(tri_rand_below(&t->rand, 20)))) < 0)
        ;
    s->n_sum++;
    n_left = --s->n_ref;
    check_eq(tr_mutex_unlock(&s->lock), 0);
    if (n_left == 0)
        free(s); /* nobody else touches it, not even inside of an unlock */
}

static void round_of_owners(void)
{
    void (*const fns[N_USER])(struct stress_thread *) = { use_and_let_go, use_and_let_go,
                                                          use_and_let_go, use_and_let_go };

    shared = malloc(sizeof *shared);
    if (!shared)
        abort();
    *shared = (struct shared){ TR_MUTEX_INIT, N_USER, 0 };
    stress_together(fns, N_USER);
}

int main(void)
{
    const tr_time end = stress_end();
    unsigned long n_round;

    for (n_round = 0; tr_now() < end && test_n_failed() == 0; n_round++) {
        n_turn = 200;
        n_task = 6;
        round_of_permits(4, n_round % 4 == 1, n_round % 4 == 2);
        round_of_crowd(n_round % 4 == 3);
        for (unsigned i = 0; i < 20; i++)
            round_of_owners();
    }
    return stress_result(n_round);
}
