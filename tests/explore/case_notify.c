/* SPDX-License-Identifier: MIT */
/*
 * case_notify.c - sync/notify.c and sync/barrier.c: each notification reaches one waiter or is
 * the permit, all that wait at a notification of all go on, and those who meet have met.
 */
#include "config.h"

#include <errno.h>

#include <troupe/barrier.h>
#include <troupe/notify.h>
#include <troupe/select.h>

#include "combine/deadline.h"
#include "explore/explore.h"
#include "explore/world.h"
#include "mem/alloc.h"
#include "sync/crowd.h"

struct shared {
    tr_notify notify;
    tr_barrier barrier;
    atomic_uint n; /* what is waited for */
    unsigned data[EXPLORE_THREADS]; /* plain: each thread's own, read by the others after a
                                     * wait */
};

static struct shared *shared;
static unsigned n_told, n_taken, n_led;

static void begin(uint32_t n_meet)
{
    shared = tri_mem_alloc(sizeof *shared);
    tr_notify_init(&shared->notify);
    tr_barrier_init(&shared->barrier, n_meet);
    n_told = n_taken = n_led = 0;
}

static void setup(void)
{
    begin(2);
}

static void setup_3(void)
{
    begin(3);
}

static void setup_task(void)
{
    begin(2);
    world_task(1, TRI_KIND_TASK, 1);
}

static void setup_movable(void)
{
    begin(2);
    world_task(0, TRI_KIND_TASK, 1);
    world_task(1, TRI_KIND_MOVABLE, 2);
}

static void finish(void)
{
    free(shared);
    world_finish();
}

/* Two that found nobody are one permit. */
static void finish_taken(void)
{
    unsigned n_left = tr_notify_try_wait(&shared->notify) == 0;

    check(n_taken + n_left >= 1 && n_taken + n_left <= n_told);
    check(tr_notify_try_wait(&shared->notify) == -EAGAIN);
    finish();
}

/* ---- notify ---- */

static int wait_until(tr_time deadline)
{
    int r = world_is_task() ? tr_notify_wait(&shared->notify, deadline)
                            : tr_notify_blocking_wait(&shared->notify, deadline);

    check(r == 0 || r == -ETIMEDOUT);
    n_taken += r == 0;
    return r;
}

static void tell_one(void)
{
    shared->data[0]++;
    n_told = 1;
    tr_notify_one(&shared->notify);
}

static void tell_two(void)
{
    n_told = 2;
    tr_notify_one(&shared->notify);
    tr_notify_last(&shared->notify);
}

static void await_one(void)
{
    world_enter();
    check(wait_until(TR_NEVER) == 0);
    check(shared->data[0] == 1);
}

static void await_a_while(void)
{
    world_enter();
    (void)wait_until(TR_S(2));
}

/* Hands on what it got: of two, both go on by one notification. */
static void await_and_tell(void)
{
    world_enter();
    check(wait_until(TR_NEVER) == 0);
    tr_notify_one(&shared->notify);
}

static void select_and_tell(void)
{
    tr_arm arms[] = { tr_notify_wait_arm(&shared->notify), tr_deadline_arm(TR_S(2)) };
    int r;

    world_enter();
    r = tr_select_first(TR_NEVER, arms, 2);
    check(r == 0 || r == 1);
    if (r == 0)
        tr_notify_one(&shared->notify);
}

static bool is_two(void *arg)
{
    (void)arg;
    /* acquire: pairs with count_up(). */
    return atomic_load_explicit(&shared->n, memory_order_acquire) >= 2;
}

static void await_until_2(void)
{
    world_enter();
    check((world_is_task() ? tr_notify_wait_until(&shared->notify, is_two, NULL, TR_NEVER)
                           : tr_notify_blocking_wait_until(&shared->notify, is_two, NULL,
                                                           TR_NEVER)) == 0);
    check(shared->data[0] == 1);
}

static void count_up(void)
{
    /* release: data. */
    atomic_fetch_add_explicit(&shared->n, 1, memory_order_release);
    tr_notify_one(&shared->notify);
}

static void count_up_all(void)
{
    shared->data[0] = 1;
    for (unsigned i = 0; i < 2; i++) {
        atomic_fetch_add_explicit(&shared->n, 1, memory_order_release); /* as above */
        tr_notify_all(&shared->notify);
    }
}

static void count_up_twice(void)
{
    shared->data[0] = 1;
    count_up();
    count_up();
}

/* Sees every call of tr_notify_all(), whenever it was. */
static void await_news(void)
{
    uint64_t seen = 0;

    world_enter();
    while (seen < 2) {
        const uint64_t before = seen;

        check((world_is_task()
                   ? tr_notify_wait_since(&shared->notify, &seen, TR_NEVER)
                   : tr_notify_blocking_wait_since(&shared->notify, &seen, TR_NEVER)) == 0);
        check(seen > before && seen <= 2);
    }
    check(shared->data[0] == 1);
}

static void tell_all_twice(void)
{
    shared->data[0] = 1;
    tr_notify_all(&shared->notify);
    tr_notify_all(&shared->notify);
}

/* ---- barrier ---- */

static void meet(unsigned round)
{
    const unsigned me = explore_self();
    int r;

    shared->data[me] = round;
    r = world_is_task() ? tr_barrier_wait(&shared->barrier, TR_NEVER)
                        : tr_barrier_blocking_wait(&shared->barrier, TR_NEVER);
    check(r == 0 || r == 1);
    n_led += r == 1;
    for (unsigned t = 0; t < (unsigned)tri_crowd_of(&shared->barrier.inside)->n; t++)
        check(shared->data[t] >= round);
}

static void meet_once(void)
{
    world_enter();
    meet(1);
}

static void finish_met(void)
{
    check(n_led == 1);
    finish();
}

/* Between two meetings nobody changes what the others look at: each has a place a round. */
static void meet_twice(void)
{
    int r;

    world_enter();
    for (unsigned round = 0; round < 2; round++) {
        r = world_is_task() ? tr_barrier_wait(&shared->barrier, TR_NEVER)
                            : tr_barrier_blocking_wait(&shared->barrier, TR_NEVER);
        check(r == 0 || r == 1);
        n_led += r == 1;
    }
}

static void finish_met_twice(void)
{
    check(n_led == 2);
    finish();
}

/* Gives up, and comes again. */
static void meet_a_while(void)
{
    int r;

    shared->data[explore_self()] = 1;
    r = tr_barrier_blocking_wait(&shared->barrier, TR_S(2));
    check(r == 0 || r == 1 || r == -ETIMEDOUT);
    n_led += r == 1;
    if (r == -ETIMEDOUT)
        meet_once();
}

/* ---- broken ---- */

static void joined_by_store(struct explore_op *op)
{
    if (explore_is(op, "tri_crowd_join", EXPLORE_CAS))
        op->ok = op->writes = true;
}

static void waiting_unseen(struct explore_op *op)
{
    if (!explore_is(op, "notify", EXPLORE_LOAD) && !explore_is(op, "notify", EXPLORE_CAS))
        return;
    op->old &= ~(uint64_t)TRI_CROWD_WAITING;
    op->ok = op->writes = op->kind == EXPLORE_CAS;
}

static void permit_taken_twice(struct explore_op *op)
{
    if (explore_is(op, "take_permit", EXPLORE_CAS))
        op->ok = true;
}

static void relaxed_permit(struct explore_op *op)
{
    if (explore_is(op, "notify", EXPLORE_CAS))
        op->order = __ATOMIC_RELAXED;
}

static void all_untold(struct explore_op *op)
{
    if (explore_is(op, "tri_notify_all", EXPLORE_ADD))
        op->writes = false;
}

static void not_met(struct explore_op *op)
{
    if (explore_is(op, "tri_crowd_step", EXPLORE_ADD))
        op->writes = false;
}

static void unlocked(struct explore_op *op)
{
    if (explore_is(op, "tri_lock_try", EXPLORE_CAS))
        op->ok = true;
}

static const struct explore_broken broken_one[] = {
    { "a waiter joins the line by a plain store", joined_by_store },
    { "a notification does not see that somebody waits", waiting_unseen },
    { "the permit in relaxed order", relaxed_permit },
    { 0 },
};

static const struct explore_broken broken_two[] = {
    { "the permit is taken without a look", permit_taken_twice },
    { 0 },
};

static const struct explore_broken broken_all[] = {
    { "those in line are not told of all", all_untold },
    { "a waiter joins the line by a plain store", joined_by_store },
    { 0 },
};

static const struct explore_broken broken_barrier[] = {
    { "the last one does not count the meeting", not_met },
    { "no lock", unlocked },
    { 0 },
};

const struct explore_case explore_notify_cases[] = {
    { "notify, one x wait", setup, { tell_one, await_one }, finish, EXPLORE_ALL, EXPLORE_ALL,
      broken_one },
    { "notify, one x wait in a task", setup_task, { tell_one, await_one }, finish, 3, 4, NULL },
    { "notify, one, last x wait with a deadline x the same", setup_task,
      { tell_two, await_a_while, await_a_while }, finish_taken, 0, 2, NULL },
    { "notify, one x wait with a deadline x the same", setup,
      { tell_one, await_a_while, await_a_while }, finish_taken, 1, 2, broken_two },
    { "notify, one x wait, one x wait, one", setup, { tell_one, await_and_tell, await_and_tell },
      finish, 1, 2, NULL },
    { "notify, one x select, one x wait, one", setup_task,
      { tell_one, select_and_tell, await_and_tell }, finish, 1, 2, NULL },
    { "notify, change, one, change, one x wait until", setup, { count_up_twice, await_until_2 },
      finish, 3, 4, NULL },
    { "notify, change, all, change, all x wait until x wait until", setup_task,
      { count_up_all, await_until_2, await_until_2 }, finish, 1, 2, NULL },
    { "notify, all, all x wait since", setup, { tell_all_twice, await_news }, finish, 3, 4,
      broken_all },
    { "notify, all, all x wait since x wait since", setup_task,
      { tell_all_twice, await_news, await_news }, finish, 1, 2, NULL },
    { "barrier 2", setup, { meet_once, meet_once }, finish_met, 3, 4, broken_barrier },
    { "barrier 2, twice", setup, { meet_twice, meet_twice }, finish_met_twice, 2, 3, NULL },
    { "barrier 2, twice, in tasks", setup_movable, { meet_twice, meet_twice }, finish_met_twice,
      1, 3, NULL },
    { "barrier 2, with a deadline", setup, { meet_a_while, meet_once }, finish_met, 2, 3, NULL },
    { "barrier 3", setup_3, { meet_once, meet_once, meet_once }, finish_met, 1, 2, NULL },
    { 0 },
};
