/* SPDX-License-Identifier: MIT */
/*
 * case_deque.c - sched/deque.h: each actor comes out once; what is stolen is the oldest first.
 */
#include "config.h"

#include "explore/explore.h"
#include "mem/alloc.h"
#include "sched/actor.h"
#include "sched/deque.h"

enum { FULL = 64, N_ACTOR = FULL + 8 };

struct content {
    struct tri_deque deque;
    struct tri_actor actor[N_ACTOR];
    unsigned payload[N_ACTOR]; /* plain */
};

static struct content *c;
static unsigned n_pushed, n_out[N_ACTOR];
static uint64_t first_top; /* for stale_top() */
static unsigned last_of[EXPLORE_THREADS]; /* stolen by this thread, plus 1 */

static void push(void)
{
    unsigned i = n_pushed++;

    c->payload[i] = i;
    if (tri_deque_is_full(&c->deque))
        check(tri_deque_grow(&c->deque) == 0);
    tri_deque_push(&c->deque, &c->actor[i]);
}

static void setup(void)
{
    c = tri_mem_alloc_lines(sizeof *c);
    check(tri_deque_init(&c->deque) == 0);
    n_pushed = 0;
    for (unsigned i = 0; i < N_ACTOR; i++)
        n_out[i] = 0;
    for (unsigned t = 0; t < EXPLORE_THREADS; t++)
        last_of[t] = 0;
}

static void setup_1(void)
{
    setup();
    push();
}

static void setup_2(void)
{
    setup_1();
    push();
}

static void setup_full(void)
{
    setup();
    while (n_pushed < FULL)
        push();
}

static void out(struct tri_actor *a)
{
    const unsigned i = a ? (unsigned)(a - c->actor) : 0;

    if (!a)
        return;
    check(c->payload[i] == i);
    check(++n_out[i] == 1);
}

static void take(void)
{
    out(tri_deque_take(&c->deque));
}

static void stolen(struct tri_actor *a)
{
    const unsigned i = (unsigned)(a - c->actor);

    check(i + 1 > last_of[explore_self()]);
    last_of[explore_self()] = i + 1;
    out(a);
}

static void steal(void)
{
    struct tri_actor *a = tri_deque_steal(&c->deque);

    if (a)
        stolen(a);
}

static void steal_many(size_t n)
{
    struct tri_actor *got[4];

    n = tri_deque_steal_many(&c->deque, got, n);
    for (size_t i = 0; i < n; i++)
        stolen(got[i]);
}

static void finish(void)
{
    struct tri_actor *a;

    while ((a = tri_deque_take(&c->deque)))
        out(a);
    for (unsigned i = 0; i < n_pushed; i++)
        check(n_out[i] == 1);
    tri_deque_fini(&c->deque);
    free(c);
}

/* ---- threads ---- */

static void push_push_take_take(void)
{
    push();
    push();
    take();
    take();
}

static void push_take_push_take(void)
{
    push();
    take();
    push();
    take();
}

static void take_twice(void)
{
    take();
    take();
}

static void push_twice(void)
{
    push();
    push();
}

static void push_and_take(void)
{
    push();
    take();
}

static void steal_twice(void)
{
    steal();
    steal();
}

static void steal_thrice(void)
{
    steal_twice();
    steal();
}

static void steal_2_and_2(void)
{
    steal_many(2);
    steal_many(2);
}

static void steal_2_and_1(void)
{
    steal_many(2);
    steal_many(1);
}

/* ---- broken ---- */

static void won(struct explore_op *op)
{
    op->ok = op->writes = true;
}

static void take_last_unseen(struct explore_op *op)
{
    if (explore_is(op, "tri_deque_take", EXPLORE_CAS))
        won(op);
}

static void steal_unseen(struct explore_op *op)
{
    if (explore_is(op, "tri_deque_steal", EXPLORE_CAS))
        won(op);
}

static void steal_many_unseen(struct explore_op *op)
{
    if (explore_is(op, "tri_deque_steal_many", EXPLORE_CAS))
        won(op);
}

/* The owner looks at top before it has stored bottom, as without the order of the two. */
static void stale_top(struct explore_op *op)
{
    if (!explore_is(op, "tri_deque_take", EXPLORE_LOAD) || op->addr != &c->deque.top)
        return;
    if (op->order == __ATOMIC_SEQ_CST)
        op->old = first_top;
    first_top = op->old;
}

static void relaxed_push(struct explore_op *op)
{
    if (explore_is(op, "tri_deque_push", EXPLORE_STORE))
        op->order = __ATOMIC_RELAXED;
}

static const struct explore_broken broken[] = {
    { "the last is taken without a CAS", take_last_unseen },
    { "the owner looks at top too early", stale_top },
    { "a thief does not look at top again", steal_unseen },
    { "pushes in relaxed order", relaxed_push },
    { 0 },
};

static const struct explore_broken broken_many[] = {
    { "a thief of many does not look at top again", steal_many_unseen },
    { 0 },
};

const struct explore_case explore_deque_cases[] = {
    { "deque, push push take take, 2 thefts", setup, { push_push_take_take, steal_twice },
      finish, EXPLORE_ALL, EXPLORE_ALL, broken },
    { "deque, push take push take, 3 thefts", setup_1, { push_take_push_take, steal_thrice },
      finish, 3, 4, NULL },
    { "deque, take take, 2 thieves", setup_2, { take_twice, steal, steal_twice }, finish, 3,
      4, NULL },
    { "deque, push take, 2 thieves", setup, { push_and_take, steal, steal_twice }, finish, 3,
      4, NULL },
    { "deque, push, 2 thieves of many", setup_2, { push_twice, steal_2_and_2, steal_2_and_1 },
      finish, 2, 3, broken_many },
    { "deque, grow, thief", setup_full, { push_and_take, steal_thrice }, finish, EXPLORE_ALL,
      EXPLORE_ALL, NULL },
    { 0 },
};
