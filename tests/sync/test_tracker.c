/* SPDX-License-Identifier: MIT */
/*
 * test_tracker.c - over when closed and empty, also for a moment; who counts, and until when.
 */
#include "config.h"

#include "sync/calls.h"

TR_SUITE(tracker, .init = kit_listen, .timeout = 20);

static tr_tracker guests = TR_TRACKER_INIT;

static int wait_for_end(unsigned id, tr_time deadline)
{
    (void)id;
    return tr_tracker_wait(&guests, deadline);
}

static int join_guests(unsigned id, tr_time deadline)
{
    (void)id;
    return tr_tracker_join(&guests, deadline);
}

static void queue_wait(tr_scope *root, unsigned id)
{
    tr_task t = queue(root, &guests.inside, wait_for_end, id, TR_UNTIL_DRAIN);

    tr_task_close(&t);
}

STEP_TEST(tracker, a_wait_ends_when_it_is_closed_and_empty)
{
    tr_member a = tr_tracker_enter(&guests), b;

    queue_wait(root, 1);
    check(tr_tracker_close(&guests));
    check(!tr_tracker_close(&guests), "twice is once");
    check(tr_tracker_is_closed(&guests));
    b = tr_tracker_enter(&guests);
    check_eq(tr_tracker_len(&guests), 2, "closing forbids nobody");
    tr_member_leave(&a);
    tr_member_leave(&a);
    check_eq(tr_tracker_len(&guests), 1, "to leave twice is to leave once");
    check_eq(tr_yield(), 0);
    check_eq(result[1], PENDING);
    tr_member_leave(&b);
    check_eq(ended(1), 0);
    check_eq(tr_tracker_wait(&guests, TR_NOW), 0, "it stays over");
    check(tr_tracker_reopen(&guests));
    check(!tr_tracker_reopen(&guests));
    check_eq(tr_tracker_wait(&guests, TR_NOW), -ETIMEDOUT);
}

STEP_TEST(tracker, a_close_of_an_empty_one_ends_the_wait)
{
    queue_wait(root, 1);
    check(tr_tracker_close(&guests));
    check_eq(ended(1), 0);
}

STEP_TEST(tracker, a_moment_of_closed_and_empty_is_not_missed)
{
    tr_member m;

    queue_wait(root, 1);
    check(tr_tracker_close(&guests));
    check(tr_tracker_reopen(&guests));
    m = tr_tracker_enter(&guests);
    queue_wait(root, 2); /* 1 has been woken, and has not run before */
    check_eq(ended(1), 0);
    check_eq(result[2], PENDING, "it began after that moment");
    check(tr_tracker_close(&guests));
    tr_member_leave(&m);
    m = tr_tracker_enter(&guests);
    check_eq(ended(2), 0);
    tr_member_leave(&m);
}

STEP_TEST(tracker, open_and_empty_completes_nothing_then_or_later)
{
    tr_member m = tr_tracker_enter(&guests);

    queue_wait(root, 1);
    tr_member_leave(&m);
    check_eq(tr_yield(), 0);
    check_eq(result[1], PENDING);
    check_eq(tr_tracker_wait(&guests, TR_NOW), -ETIMEDOUT);
    m = tr_tracker_enter(&guests);
    check(tr_tracker_close(&guests));
    check_eq(tr_yield(), 0);
    check_eq(result[1], PENDING, "that it was empty before does not count");
    tr_member_leave(&m);
    check_eq(ended(1), 0);
}

STEP_TEST(tracker, a_join_closes_it)
{
    tr_member m = tr_tracker_enter(&guests);
    tr_task t = queue(root, &guests.inside, join_guests, 1, TR_UNTIL_DRAIN);

    tr_task_close(&t);
    check(tr_tracker_is_closed(&guests));
    tr_member_leave(&m);
    check_eq(ended(1), 0);
    tr_tracker_init(&guests);
    check_eq(tr_tracker_join(&guests, TR_NOW), 0, "empty: there is nothing to wait for");
}

STEP_TEST(tracker, all_who_wait_are_released_together)
{
    tr_member m = tr_tracker_enter(&guests);

    for (unsigned id = 0; id < 100; id++)
        queue_wait(root, id);
    check(tr_tracker_close(&guests));
    tr_member_leave(&m);
    for (unsigned id = 0; id < 100; id++)
        check_eq(ended(id), 0);
}

/* ---- members ---- */

struct guest {
    tr_member member;
    tr_notify *go;
    int *seen; /* members as its argument is dropped */
};

static void guest_drop(struct guest *g)
{
    if (g->seen)
        *g->seen = (int)tr_tracker_len(&guests);
    tr_member_leave(&g->member);
}

TR_TASK(guest, struct guest, guest_drop);

static int guest(struct guest *g)
{
    return tr_notify_wait(g->go, TR_NEVER);
}

STEP_TEST(tracker, a_task_counts_until_its_argument_was_dropped_and_is_not_stopped_by_a_join)
{
    tr_notify go = TR_NOTIFY_INIT;
    int seen = 0, r = -1;
    struct guest g = { tr_tracker_enter(&guests), &go, &seen };
    tr_task t;

    need_eq(guest_spawn(root, &g, &(struct tr_task_opts){ .ret_task = &t }), 0);
    check_eq(g.member.tracker, NULL, "it was moved");
    check_eq(tr_tracker_join(&guests, TR_NOW), -ETIMEDOUT);
    check_eq(tr_yield(), 0);
    check_eq(tr_tracker_len(&guests), 1);
    tr_notify_one(&go);
    check_eq(tr_tracker_join(&guests, TR_NEVER), 0);
    check_eq(seen, 1);
    need_eq(tr_task_join(&t, TR_NEVER, &r), 0);
    check_eq(r, 0, "it was not cancelled");
}

STEP_TEST(tracker, a_member_that_never_ran_leaves_too)
{
    tr_notify go = TR_NOTIFY_INIT;
    tr_scope s TR_CLEANUP(tr_scope_end) = tr_scope_open(NULL);
    struct guest g = { tr_tracker_enter(&guests), &go, NULL };

    tr_scope_cancel(&s);
    check_eq(guest_spawn(&s, &g, NULL), -ESHUTDOWN);
    check_eq(tr_tracker_len(&guests), 0);
}

/* ---- ends of the wait, threads ---- */

STEP_TEST(tracker, a_wait_that_ends_otherwise_leaves_the_line)
{
    tr_member m = tr_tracker_enter(&guests);
    tr_task t = queue(root, &guests.inside, wait_for_end, 1, TR_NEVER);

    check_eq(tr_tracker_wait(&guests, tr_after(TR_MS(1))), -ETIMEDOUT);
    tr_task_abort(&t);
    check_eq(ended(1), -ECANCELED);
    check_eq(n_in_line(&guests.inside), 0);
    tr_task_close(&t);
    tr_member_leave(&m);
}

static void *stay_for_a_while(void *arg)
{
    tr_member m = *(tr_member *)arg;

    for (int i = 0; i < 1000; i++) {
        tr_member again = tr_tracker_enter(m.tracker);

        tr_member_leave(&again);
    }
    tr_member_leave(&m);
    return NULL;
}

/* The tracker lies on the stack of who waits: the last leave must be done with it. */
static void *one_party(void *arg)
{
    (void)arg;
    for (int i = 0; i < 100; i++) {
        tr_tracker party = TR_TRACKER_INIT;
        tr_member m[2] = { tr_tracker_enter(&party), tr_tracker_enter(&party) };
        pthread_t thread[2];

        for (int k = 0; k < 2; k++)
            check_eq(pthread_create(&thread[k], NULL, stay_for_a_while, &m[k]), 0);
        check_eq(tr_tracker_blocking_join(&party, TR_NEVER), 0);
        check_eq(tr_tracker_len(&party), 0);
        for (int k = 0; k < 2; k++)
            pthread_join(thread[k], NULL);
    }
    return NULL;
}

TR_TEST(tracker, plain_threads_are_members_and_wait)
{
    in_thread(one_party);
}

STEP_TEST(tracker, misuse_is_refused)
{
    tr_member none = { NULL };

    check_eq(tr_tracker_enter(NULL).tracker, NULL);
    tr_member_leave(&none);
    tr_member_leave(NULL);
    check(!tr_tracker_close(NULL));
    check(!tr_tracker_reopen(NULL));
    check_eq(tr_tracker_len(NULL), 0);
    check(!tr_tracker_is_closed(NULL));
    check_eq(tr_tracker_wait(NULL, TR_NOW), -EINVAL);
    check_eq(tr_tracker_join(NULL, TR_NOW), -EINVAL);
    check_eq(tr_tracker_blocking_wait(NULL, TR_NOW), -EINVAL);
    check_eq(tr_tracker_blocking_join(NULL, TR_NOW), -EINVAL);
    check_eq(tr_tracker_blocking_wait(&guests, TR_NOW), -EDEADLK);
}
