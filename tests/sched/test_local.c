/* SPDX-License-Identifier: MIT */
/*
 * test_local.c - values of a piece of work: who sees them, for how long, and what forgetting
 * costs.
 */
#include "config.h"

#include <pthread.h>

#include "sched/kit.h"

TR_SUITE(local, .init = kit_listen, .timeout = 20);

TR_LOCAL(number, int);
TR_LOCAL(word, char);

struct arg {
    int *seen; /* where to write what it sees */
};

static void look(struct arg *a)
{
    if (a->seen)
        *a->seen = number_get() ? *number_get() : -1;
}

/* ---- nesting ---- */

STEP_TEST(local, an_inner_scope_hides_the_outer_one_until_it_is_left)
{
    int one = 1, two = 2, *before;
    char text[] = "word";
    number_scope outer TR_CLEANUP(number_leave) = { 0 };
    word_scope other TR_CLEANUP(word_leave) = { 0 };
    number_scope inner TR_CLEANUP(number_leave) = { 0 };

    check_eq(number_get(), NULL, "no scope, no value");
    number_enter(&outer, &one);
    before = number_get();
    check_eq(before, &one);
    word_enter(&other, text);
    number_enter(&inner, &two);
    check_eq(number_get(), &two);
    check_str(word_get(), "word", "each local has its own scopes");
    check_eq(*before, 1, "what was read before stays good");
    number_leave(&inner);
    check_eq(number_get(), &one);
    check_str(word_get(), "word");
    word_leave(&other);
    check_eq(word_get(), NULL);
    number_leave(&outer);
    check_eq(number_get(), NULL);
    number_leave(&outer);
    check_eq(n_told[TR_EVENT_MISUSE], 0, "to leave twice is to leave once");
}

/* ---- tasks ---- */

static void deep(int depth, int *seen)
{
    number_scope s TR_CLEANUP(number_leave) = { 0 };

    if (depth == 0) {
        *seen = *number_get();
        return;
    }
    number_enter(&s, &depth);
    (void)tr_yield();
    deep(depth - 1, seen);
    check_eq(*number_get(), depth);
}

TR_TASK(diver, struct arg, tr_nodrop);

static int diver(struct arg *a)
{
    int n = *a->seen;

    check_eq(number_get(), NULL, "it has inherited nothing");
    deep(n, a->seen);
    return 0;
}

STEP_TEST(local, a_spawned_task_inherits_nothing_and_each_sees_its_own)
{
    int seen[8], own = 100;
    number_scope s TR_CLEANUP(number_leave) = { 0 };
    tr_scope tasks TR_CLEANUP(tr_scope_end) = tr_scope_open(NULL);

    number_enter(&s, &own);
    for (int i = 0; i < 8; i++) {
        struct arg a = { &seen[i] };

        seen[i] = i + 1;
        need_eq(diver_spawn(&tasks, &a, NULL), 0);
    }
    need_eq(tr_scope_join(&tasks, TR_NEVER), 0);
    for (int i = 0; i < 8; i++)
        check_eq(seen[i], 1);
    check_eq(number_get(), &own);
}

static int movable_round(tr_scope *root, void *arg)
{
    int seen[64];
    tr_scope tasks TR_CLEANUP(tr_scope_end) = tr_scope_open(NULL);

    (void)root, (void)arg;
    for (int i = 0; i < 64; i++) {
        struct arg a = { &seen[i] };

        seen[i] = 50;
        check_eq(diver_spawn(&tasks, &a, &(struct tr_task_opts){ .flags = TR_TASK_MOVABLE }), 0);
    }
    return tr_scope_join(&tasks, TR_NEVER);
}

TR_TEST(local, a_movable_task_takes_its_scopes_along)
{
    run_with((struct tr_runtime_opts){ .n_worker = 4 }, movable_round, NULL);
}

/* ---- the end of a task ---- */

static int seen_in_cleanup;

struct glance {
    bool on;
};

static void glance_drop(struct glance *g)
{
    if (g->on)
        seen_in_cleanup = number_get() ? *number_get() : -1;
}

TR_TASK(sleeper, struct arg, look);

static int sleeper(struct arg *a)
{
    int seven = 7;
    number_scope s TR_CLEANUP(number_leave) = { 0 };
    struct glance g TR_CLEANUP(glance_drop) = { true };

    (void)a;
    number_enter(&s, &seven);
    return tr_sleep(TR_NEVER);
}

STEP_TEST(local, a_cancelled_task_cleans_up_in_its_scopes)
{
    int seen = 0;
    struct arg a = { &seen };
    tr_task t;

    need_eq(sleeper_spawn(root, &a, &(struct tr_task_opts){ .ret_task = &t }), 0);
    step_until(is_parked(&t));
    tr_task_abort(&t);
    need_eq(tr_task_join(&t, TR_NEVER, NULL), 0);
    check_eq(seen_in_cleanup, 7);
    check_eq(seen, -1, "it had left before its argument was dropped");
    check_eq(n_told[TR_EVENT_MISUSE], 0);
}

struct whole {
    int number;
    bool waits, forgets;
    int *seen;
    number_scope scope;
};

static void whole_drop(struct whole *w)
{
    if (w->seen)
        *w->seen = number_get() ? *number_get() : -1;
}

TR_TASK(whole, struct whole, whole_drop);

static int whole(struct whole *w)
{
    int eight = 8;
    number_scope forgotten;

    if (w->forgets)
        number_enter(&forgotten, &eight);
    number_enter(&w->scope, &w->number);
    return w->waits ? tr_sleep(TR_NEVER) : 0;
}

static int drop_sees(tr_scope *root, bool waits, bool forgets)
{
    int seen = 0;
    struct whole w = { 9, waits, forgets, &seen, { { 0 } } };
    tr_task t;

    check_eq(whole_spawn(root, &w, &(struct tr_task_opts){ .ret_task = &t }), 0);
    if (waits) {
        while (!is_parked(&t))
            check_eq(tr_yield(), 0);
        tr_task_abort(&t);
    }
    check_eq(tr_task_join(&t, TR_NEVER, NULL), 0);
    return seen;
}

STEP_TEST(local, a_scope_in_the_argument_is_seen_by_its_drop_on_return_and_on_abort)
{
    check_eq(drop_sees(root, false, false), 9);
    check_eq(drop_sees(root, true, false), 9);
    check_eq(n_told[TR_EVENT_MISUSE], 0);
    check_eq(drop_sees(root, false, true), 9, "also if one in the frame was forgotten");
    check_eq(n_told[TR_EVENT_MISUSE], 1);
}

TR_TASK(careless, struct arg, look);

static int careless(struct arg *a)
{
    int three = 3;
    number_scope s;

    (void)a;
    number_enter(&s, &three);
    return 0;
}

STEP_TEST(local, a_scope_that_was_forgotten_is_told_and_ends_with_the_function)
{
    int seen = 0;
    struct arg a = { &seen };

    need_eq(careless_spawn(root, &a, &(struct tr_task_opts){ .name = "careless" }), 0);
    need_eq(tr_scope_join(root, TR_NEVER), 0);
    check_eq(seen, -1);
    check_eq(n_told[TR_EVENT_MISUSE], 1);
    check(strstr(told, "'careless' returned inside a scope of a TR_LOCAL"), "%s", told);
}

STEP_TEST(local, the_drop_of_a_task_that_never_ran_sees_none)
{
    int seen = 0, own = 1;
    struct arg a = { &seen };
    number_scope s TR_CLEANUP(number_leave) = { 0 };
    tr_task t;

    number_enter(&s, &own);
    need_eq(sleeper_spawn(root, &a, &(struct tr_task_opts){ .ret_task = &t }), 0);
    tr_task_abort(&t);
    need_eq(tr_task_join(&t, TR_NEVER, NULL), 0);
    check_eq(seen, -1, "though it ran on a stack of ours");
}

/* ---- another order, another actor ---- */

STEP_TEST(local, leaving_in_another_order_is_told_and_does_no_other_harm)
{
    int one = 1, two = 2;
    number_scope outer, inner;

    number_enter(&outer, &one);
    number_enter(&inner, &two);
    number_leave(&outer);
    check_eq(n_told[TR_EVENT_MISUSE], 1);
    check(strstr(told, "number_leave: an inner scope is still entered"), "%s", told);
    check_eq(number_get(), &two);
    number_leave(&inner);
    check_eq(number_get(), NULL);
    check_eq(n_told[TR_EVENT_MISUSE], 1);
}

STEP_TEST(local, a_scope_that_is_entered_twice_stays_as_it_is)
{
    int one = 1, two = 2;
    number_scope outer, inner;

    number_enter(&outer, &one);
    number_enter(&outer, &two);
    check_eq(n_told[TR_EVENT_MISUSE], 1);
    check(strstr(told, "number_enter: this scope is entered already"), "%s", told);
    check_eq(number_get(), &one);
    number_enter(&inner, &two);
    number_enter(&outer, &two);
    check_eq(n_told[TR_EVENT_MISUSE], 2);
    check_eq(number_get(), &two);
    number_leave(&inner);
    number_leave(&outer);
    check_eq(number_get(), NULL);
}

static void *leave_elsewhere(void *scope)
{
    int four = 4;
    number_scope own;

    check_eq(number_get(), NULL, "another thread has its own");
    number_enter(&own, &four);
    check_eq(*number_get(), 4);
    number_leave(scope);
    number_leave(&own);
    check_eq(number_get(), NULL);
    return NULL;
}

TR_TEST(local, a_plain_thread_has_its_own_and_cannot_leave_anothers)
{
    int one = 1;
    number_scope s TR_CLEANUP(number_leave) = { 0 };
    pthread_t thread;

    number_enter(&s, &one);
    need_eq(pthread_create(&thread, NULL, leave_elsewhere, &s), 0);
    pthread_join(thread, NULL);
    check_eq(number_get(), &one);
    check_eq(n_told[TR_EVENT_MISUSE], 1);
    check(strstr(told, "number_leave: another than the caller"), "%s", told);
}

/* ---- handlers ---- */

struct count {
    int forgets; /* scopes that it leaves open */
};
struct count_msg {
    int n;
    int *ret_seen;
};
TR_HANDLER(count, struct count, struct count_msg, tr_nodrop, tr_nodrop);

static atomic_int n_none;

static void note_value(int *ret_seen)
{
    *ret_seen = *number_get();
}

static int count(struct count *self, struct count_msg *m)
{
    number_scope s;

    if (!number_get())
        atomic_fetch_add(&n_none, 1);
    number_enter(&s, &m->n);
    note_value(m->ret_seen);
    if (self->forgets-- <= 0)
        number_leave(&s);
    return 0;
}

STEP_TEST(local, a_handler_has_scopes_for_one_message)
{
    struct count state = { 1 };
    int seen[2] = { 0 };
    count_ref ref TR_CLEANUP(count_ref_close) = { 0 };

    need_eq(count_spawn(root, &state, NULL, &ref), 0);
    for (int i = 0; i < 2; i++) {
        struct count_msg m = { i + 1, &seen[i] };

        need_eq(count_send(&ref, &m, TR_NEVER), 0);
    }
    count_ref_close(&ref);
    need_eq(tr_scope_join(root, TR_NEVER), 0);
    check_eq(seen[0], 1);
    check_eq(seen[1], 2);
    check_eq(atomic_load(&n_none), 2, "the forgotten one ended with its message");
    check_eq(n_told[TR_EVENT_MISUSE], 1);
}
