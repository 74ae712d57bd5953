/* SPDX-License-Identifier: MIT */
/* case_lock.c - base/lock.h: one at a time, and nobody sleeps for ever. */
#include "config.h"

#include "base/lock.h"
#include "mem/alloc.h"
#include "explore/explore.h"

static struct tri_lock *lock;
static unsigned *inside; /* plain: an access without the lock is found */

static void setup(void)
{
    lock = tri_mem_alloc(sizeof *lock);
    inside = tri_mem_alloc(sizeof *inside);
}

static void once(void)
{
    tri_lock_acquire(lock);
    check(++*inside == 1);
    --*inside;
    tri_lock_release(lock);
}

static void twice(void)
{
    once();
    once();
}

static void finish(void)
{
    check(tri_lock_try(lock));
    free(inside);
    free(lock);
}

/* ---- broken ---- */

static void forget_sleeper(struct explore_op *op)
{
    if (explore_is(op, "tri_lock_wait", EXPLORE_EXCHANGE))
        op->next = TRI_LOCK_HELD;
}

static void no_wake(struct explore_op *op)
{
    if (op->kind == EXPLORE_WAKE)
        op->writes = false;
}

static void take_unseen(struct explore_op *op)
{
    if (explore_is(op, "tri_lock_try", EXPLORE_CAS)) {
        op->ok = op->writes = true;
        op->next = TRI_LOCK_HELD;
    }
}

static void relaxed_release(struct explore_op *op)
{
    if (explore_is(op, "tri_lock_release", EXPLORE_EXCHANGE))
        op->order = __ATOMIC_RELAXED;
}

static const struct explore_broken broken[] = {
    { "a sleeper leaves no mark", forget_sleeper },
    { "no wake", no_wake },
    { "taken without a look", take_unseen },
    { "released in relaxed order", relaxed_release },
    { 0 },
};

const struct explore_case explore_lock_cases[] = {
    { "lock, 2 threads", setup, { twice, twice }, finish, EXPLORE_ALL, EXPLORE_ALL, broken },
    { "lock, 3 threads", setup, { once, once, once }, finish, 2, EXPLORE_ALL, NULL },
    { 0 },
};
