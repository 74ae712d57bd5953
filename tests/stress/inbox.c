/* SPDX-License-Identifier: MIT */
/*
 * inbox.c - threads that push actors to one inbox whose owner sleeps when there is nothing;
 * each actor must arrive once, each sleep must end, and the actors of one pusher keep their
 * order.
 */
#include "config.h"

#include "base/futex.h"
#include "sched/inbox.h"
#include "stress/stress.h"

enum { N_PUSHER = 3, N_EACH = 4000 };

static struct tri_inbox box;
static atomic_uint wakes; /* stands for the poller */
static struct tri_actor actor[N_PUSHER][N_EACH];
static unsigned payload[N_PUSHER][N_EACH];

static void push_all(struct stress_thread *t)
{
    unsigned me = t->index - 1;

    for (unsigned i = 0; i < N_EACH; i++) {
        payload[me][i]++;
        if (tri_inbox_push(&box, &actor[me][i])) {
            atomic_fetch_add(&wakes, 1);
            tri_futex_wake(&wakes, 1);
        }
        if (tri_rand_below(&t->rand, 64) == 0)
            (void)sched_yield();
    }
}

static unsigned take_all(unsigned *next, unsigned round)
{
    struct tri_actor *a = tri_inbox_take(&box);
    unsigned n = 0;

    for (; a; a = a->link, n++) {
        size_t i = (size_t)(a - actor[0]);
        size_t from = i / N_EACH;

        if (!check_eq(i % N_EACH, next[from], "in the order of its pusher"))
            abort();
        next[from]++;
        check_eq(payload[from][i % N_EACH], round);
    }
    return n;
}

static unsigned n_round;

static void take(struct stress_thread *t)
{
    unsigned next[N_PUSHER] = { 0 }, n = 0;

    while (n < N_PUSHER * N_EACH) {
        unsigned seen = atomic_load(&wakes);

        if (tri_rand_below(&t->rand, 4) == 0 && tri_inbox_sleep(&box))
            while (atomic_load(&wakes) == seen) /* for ever, if nobody found it asleep */
                (void)tri_futex_wait(&wakes, seen, TR_NEVER);
        n += take_all(next, n_round);
    }
}

int main(void)
{
    void (*const fns[1 + N_PUSHER])(struct stress_thread *) = { take, push_all, push_all,
                                                                push_all };
    const tr_time end = stress_end();

    while (tr_now() < end && test_n_failed() == 0) {
        n_round++;
        stress_together(fns, 1 + N_PUSHER);
    }
    return stress_result(n_round);
}
