/* SPDX-License-Identifier: MIT */
/* case_inbox.c - sched/inbox.h: each actor arrives once, in its pusher's order, and wakes. */
#include "config.h"

#include "base/futex.h"
#include "explore/explore.h"
#include "mem/alloc.h"
#include "sched/inbox.h"

enum { N_EACH = 2, N_ACTOR = 2 * N_EACH };

struct box {
    struct tri_inbox inbox;
    atomic_uint wakes; /* stands for the poller */
    struct tri_actor actor[N_ACTOR];
    unsigned payload[N_ACTOR]; /* plain */
};

static struct box *box;
static unsigned n_taken, next_of[2];

static void setup(void)
{
    box = tri_mem_alloc(sizeof *box);
    n_taken = next_of[0] = next_of[1] = 0;
}

static void finish(void)
{
    check(tri_inbox_is_idle(&box->inbox));
    free(box);
}

static void wake(void)
{
    atomic_fetch_add(&box->wakes, 1);
    tri_futex_wake(&box->wakes, 1);
}

static void push(unsigned i)
{
    box->payload[i]++;
    if (tri_inbox_push(&box->inbox, &box->actor[i]))
        wake();
}

static void push_0(void)
{
    push(0);
    push(1);
}

static void push_1(void)
{
    push(N_EACH);
}

static void rouse(void)
{
    if (tri_inbox_rouse(&box->inbox))
        wake();
}

static void take_all(void)
{
    for (struct tri_actor *a = tri_inbox_take(&box->inbox); a; a = a->link) {
        const unsigned i = (unsigned)(a - box->actor), from = i / N_EACH;

        check(i % N_EACH == next_of[from]++);
        check(box->payload[i] == 1);
        n_taken++;
    }
}

/* Until @n have come. */
static void take(unsigned n)
{
    while (n_taken < n) {
        /* Before the sleep mark: a wake for it is seen. */
        unsigned seen = atomic_load(&box->wakes);

        if (tri_inbox_sleep(&box->inbox))
            while (atomic_load(&box->wakes) == seen)
                (void)tri_futex_wait(&box->wakes, seen, TR_NEVER);
        take_all();
    }
}

static void take_2(void)
{
    take(2);
}

static void take_3(void)
{
    take(3);
}

/* ---- broken ---- */

static void overwrite(struct explore_op *op)
{
    if (explore_is(op, "tri_inbox_push_chain", EXPLORE_CAS))
        op->ok = op->writes = true; /* whatever was there */
}

static void sleep_anyway(struct explore_op *op)
{
    if (explore_is(op, "tri_inbox_sleep", EXPLORE_CAS))
        op->ok = true;
}

static void mark_unseen(struct explore_op *op)
{
    if (explore_is(op, "tri_inbox_sleep", EXPLORE_CAS)) {
        op->ok = op->writes = true;
        op->next = (uint64_t)(uintptr_t)TRI_INBOX_ASLEEP;
    }
}

static void leave_it_there(struct explore_op *op)
{
    if (explore_is(op, "tri_inbox_take", EXPLORE_EXCHANGE) && op->old > 1)
        op->writes = false;
}

static void relaxed_push(struct explore_op *op)
{
    if (explore_is(op, "tri_inbox_push_chain", EXPLORE_CAS))
        op->order = __ATOMIC_RELAXED;
}

static const struct explore_broken broken[] = {
    { "a push by a plain store", overwrite },
    { "sleeps although something is there", sleep_anyway },
    { "the sleep mark by a plain store", mark_unseen },
    { "takes by a load", leave_it_there },
    { "pushes in relaxed order", relaxed_push },
    { 0 },
};

const struct explore_case explore_inbox_cases[] = {
    { "inbox, 1 pusher", setup, { take_2, push_0 }, finish, EXPLORE_ALL, EXPLORE_ALL, broken },
    { "inbox, 2 pushers", setup, { take_3, push_0, push_1 }, finish, 3, 4, NULL },
    { "inbox, rouse", setup, { take_2, push_0, rouse }, finish, 3, 4, NULL },
    { 0 },
};
