/* SPDX-License-Identifier: MIT */
/*
 * deque.c - one owner that pushes, takes and grows against thieves; each actor must leave the
 * deque exactly once. What a push published (the payload) must be seen by whoever gets it.
 * Every other round nobody takes: then the owner steals, too, and thieves steal many at once.
 */
#include "config.h"

#include "sched/actor.h"
#include "sched/deque.h"
#include "stress/stress.h"

enum { N_THIEF = 3, N_ACTOR = 4000 };

static struct tri_deque q;
static struct tri_actor actor[N_ACTOR];
static unsigned n_got[N_ACTOR]; /* plain: written by the one who has the actor */
static unsigned payload[N_ACTOR];
static atomic_uint n_left;
static unsigned generation;

static void got(struct tri_actor *a)
{
    size_t i = (size_t)(a - actor);

    n_got[i]++;
    check_eq(payload[i], generation);
    atomic_fetch_sub_explicit(&n_left, 1, memory_order_relaxed);
}

static bool takes(void)
{
    return generation % 2 == 0;
}

static void own(struct stress_thread *t)
{
    struct tri_actor *a;
    unsigned next = 0;

    while (next < N_ACTOR || tri_deque_len(&q) > 0) {
        unsigned n = tri_rand_below(&t->rand, 20);

        for (; n > 0 && next < N_ACTOR; n--, next++) {
            payload[next] = generation;
            if (tri_deque_is_full(&q) && tri_deque_grow(&q) < 0)
                abort();
            tri_deque_push(&q, &actor[next]);
        }
        for (n = tri_rand_below(&t->rand, 20);
             n > 0 && (a = takes() ? tri_deque_take(&q) : tri_deque_steal(&q)); n--)
            got(a);
    }
}

static void steal(struct stress_thread *t)
{
    (void)t;
    while (atomic_load_explicit(&n_left, memory_order_relaxed) > 0) {
        struct tri_actor *a = tri_deque_steal(&q);

        if (a)
            got(a);
    }
}

static void steal_many(struct stress_thread *t)
{
    struct tri_actor *run[16];

    while (atomic_load_explicit(&n_left, memory_order_relaxed) > 0) {
        size_t n = tri_deque_steal_many(&q, run, 1 + tri_rand_below(&t->rand, 16));

        for (size_t i = 0; i < n; i++)
            got(run[i]);
    }
}

static void one_round(void)
{
    void (*fns[1 + N_THIEF])(struct stress_thread *) = { own, steal, steal, steal };

    generation++;
    if (!takes())
        fns[1] = fns[3] = steal_many;
    atomic_store(&n_left, N_ACTOR);
    if (tri_deque_init(&q) < 0)
        abort();
    stress_together(fns, 1 + stress_below(N_THIEF) + 1);
    for (unsigned i = 0; i < N_ACTOR; i++)
        check_eq(n_got[i], generation);
    tri_deque_fini(&q);
}

int main(void)
{
    const tr_time end = stress_end();
    unsigned long n = 0;

    for (; tr_now() < end && test_n_failed() == 0; n++)
        one_round();
    return stress_result(n);
}
