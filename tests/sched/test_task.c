/* SPDX-License-Identifier: MIT */
/* test_task.c - spawn and its argument, join and results, handles and ids. */
#include "config.h"

#include <pthread.h>

#include "mem/alloc.h"
#include "sched/kit.h"

TR_SUITE(task, .races = true, .init = kit_listen, .timeout = 20);

/* ---- arguments ---- */

static atomic_uint n_dropped, n_run;

struct arg {
    unsigned key; /* 0: empty */
    int result;
};

static void arg_drop(struct arg *a)
{
    if (a->key)
        atomic_fetch_add(&n_dropped, 1);
    a->key = 0;
}

TR_TASK(plain, struct arg, arg_drop);

static int plain(struct arg *a)
{
    atomic_fetch_add(&n_run, 1);
    check_ne(a->key, 0);
    check_eq(atomic_load(&n_dropped), 0, "not while it runs");
    return a->result;
}

STEP_TEST(task, the_argument_is_moved_in_and_dropped_after_the_end)
{
    struct arg a = { 7, 3 };
    tr_task t;
    int result = 0;

    need_eq(plain_spawn(root, &a, &(struct tr_task_opts){ .ret_task = &t }), 0);
    check_eq(a.key, 0, "moved: the source is empty");
    check_eq(a.result, 0);
    check_eq(n_dropped, 0);
    check(!tr_task_is_finished(&t));
    need_eq(tr_task_join(&t, TR_NEVER, &result), 0);
    check_eq(result, 3);
    check_eq(n_run, 1);
    check_eq(n_dropped, 1);
    check_eq(t.rec, NULL, "a joined handle is empty");
}

STEP_TEST(task, a_refused_argument_is_dropped_once_and_empty)
{
    struct arg a = { 1, 0 };
    tr_scope s TR_CLEANUP(tr_scope_end) = tr_scope_open(NULL);
    tr_task t = { NULL };

    check_eq(plain_spawn(NULL, &a, NULL), -EINVAL);
    check_eq(a.key, 0);
    check_eq(n_dropped, 1);
    check_eq(plain_spawn(root, NULL, NULL), -EINVAL);
    check_eq(n_dropped, 1);
    tr_scope_cancel(&s);
    a.key = 2;
    check_eq(plain_spawn(&s, &a, &(struct tr_task_opts){ .ret_task = &t }), -ESHUTDOWN);
    check_eq(a.key, 0);
    check_eq(n_dropped, 2);
    check_eq(t.rec, NULL, "a failed call leaves its ret_ parameter alone");
    check_eq(n_run, 0);
}

static int refuse_strangers(void *arg)
{
    tr_scope *s = arg;
    struct arg a = { 1, 0 };

    check_eq(plain_spawn(s, &a, NULL), -EPERM);
    check_eq(n_dropped, 1);
    return 0;
}

static void *call_refuse(void *arg)
{
    refuse_strangers(arg);
    return NULL;
}

STEP_TEST(task, a_new_scope_takes_the_first_task_from_its_owner_only)
{
    tr_scope s TR_CLEANUP(tr_scope_end) = tr_scope_open(NULL);
    pthread_t thread;

    need_eq(pthread_create(&thread, NULL, call_refuse, &s), 0);
    pthread_join(thread, NULL);
}

TR_TEST(task, a_scope_of_a_plain_thread_takes_nothing)
{
    tr_scope s TR_CLEANUP(tr_scope_end) = tr_scope_open(NULL);

    refuse_strangers(&s);
}

struct large {
    unsigned key;
    char pad[5000];
    unsigned last;
};

static void large_drop(struct large *l)
{
    if (l->key)
        atomic_fetch_add(&n_dropped, 1);
}

TR_TASK(big, struct large, large_drop);

static int big(struct large *l)
{
    check_eq(l->key, 11);
    check_eq(l->last, 12);
    check_eq((uintptr_t)l % 16, 0);
    return 0;
}

STEP_TEST(task, a_large_argument_arrives_whole)
{
    struct large l = { .key = 11, .last = 12 };

    need_eq(big_spawn(root, &l, NULL), 0);
    check_eq(l.last, 0, "moved whole");
    need_eq(tr_scope_join(root, TR_NEVER), 0);
    check_eq(n_dropped, 1);
}

struct wide {
    _Alignas(16) long double x;
    char c[17];
};

TR_TASK(aligned, struct wide, tr_nodrop);

static int aligned(struct wide *w)
{
    check_eq((uintptr_t)w % 16, 0);
    check_eq(w->c[16], 5);
    return 0;
}

STEP_TEST(task, an_aligned_argument_stays_aligned)
{
    struct wide w = { .c[16] = 5 };

    need_eq(aligned_spawn(root, &w, NULL), 0);
    need_eq(tr_scope_join(root, TR_NEVER), 0);
}

/* Spawns with the @nth allocation failing, until none does. */
static void spawn_without_memory(tr_scope *root)
{
    for (long nth = 1; nth < 50; nth++) {
        struct large l = { .key = 11, .last = 12 };
        unsigned before = n_dropped;
        int r;

        tri_mem_fail_at(nth);
        r = big_spawn(root, &l, NULL);
        need_eq(tr_scope_join(root, TR_NEVER), 0);
        check_eq(n_dropped, before + 1, "whatever happened");
        if (!tri_mem_has_failed()) {
            check_eq(r, 0);
            tri_mem_fail_at(0);
            return;
        }
        check(r == 0 || r == -ENOMEM);
    }
    check(false, "it never succeeded");
}

STEP_TEST(task, spawn_without_memory_drops_the_argument)
{
    spawn_without_memory(root);
}

/* ---- join ---- */

static tr_task joined;

TR_TASK(join_it, struct arg, arg_drop);

static int join_it(struct arg *a)
{
    int result = 0;

    (void)a;
    check_eq(tr_task_join(&joined, TR_NEVER, &result), 0);
    return result;
}

/* A task that waits until gate is open. */
static bool gate;

TR_TASK(at_gate, struct arg, arg_drop);

static int at_gate(struct arg *a)
{
    while (!gate)
        if (tr_sleep(tr_after(TR_US(100))) < 0)
            return -ECANCELED;
    return a->result;
}

static tr_task start_at_gate(tr_scope *s, int result)
{
    struct arg a = { 1, result };
    tr_task t = { NULL };

    gate = false;
    check_eq(at_gate_spawn(s, &a, &(struct tr_task_opts){ .ret_task = &t }), 0);
    return t;
}

STEP_TEST(task, join_of_a_task_that_has_ended_gives_its_result_at_once)
{
    struct arg a = { 1, -EBADF };
    tr_task t;
    int result = 0;

    need_eq(plain_spawn(root, &a, &(struct tr_task_opts){ .ret_task = &t }), 0);
    step_until(tr_task_is_finished(&t));
    check_eq(n_dropped, 1, "the argument goes before the end is seen");
    need_eq(tr_task_join(&t, TR_NOW, &result), 0);
    check_eq(result, -EBADF);
    check_eq(n_told[TR_EVENT_FAILED], 0, "who holds a handle is told by it");
    check_eq(tr_task_join(&t, TR_NOW, &result), -EINVAL, "once");
}

STEP_TEST(task, a_join_that_times_out_changes_nothing)
{
    tr_task t = start_at_gate(root, 4);
    int result = 77;

    check_eq(tr_task_join(&t, TR_NOW, &result), -ETIMEDOUT);
    check_eq(tr_task_join(&t, tr_after(TR_MS(2)), &result), -ETIMEDOUT);
    check_eq(result, 77);
    gate = true;
    need_eq(tr_task_join(&t, TR_NEVER, &result), 0);
    check_eq(result, 4);
}

STEP_TEST(task, one_task_joins_another)
{
    struct arg a = { 1, 0 };
    tr_task t;
    int result = 0;

    joined = start_at_gate(root, 9);
    need_eq(join_it_spawn(root, &a, &(struct tr_task_opts){ .ret_task = &t }), 0);
    step_until(is_parked(&t));
    gate = true;
    need_eq(tr_task_join(&t, TR_NEVER, &result), 0);
    check_eq(result, 9);
}

STEP_TEST(task, a_second_one_that_joins_at_the_same_time_is_refused)
{
    struct arg a = { 1, 0 };
    tr_task t;

    joined = start_at_gate(root, 9);
    need_eq(join_it_spawn(root, &a, &(struct tr_task_opts){ .ret_task = &t }), 0);
    step_until(is_parked(&t));
    check_eq(tr_task_join(&joined, TR_NEVER, NULL), -EINVAL);
    gate = true;
    need_eq(tr_task_join(&t, TR_NEVER, NULL), 0);
}

STEP_TEST(task, the_result_may_be_unwanted)
{
    tr_task t = start_at_gate(root, 1);

    gate = true;
    check_eq(tr_task_join(&t, TR_NEVER, NULL), 0);
}

TR_TASK(join_self, struct arg, arg_drop);

static int join_self(struct arg *a)
{
    (void)a;
    return tr_task_join(&joined, TR_NEVER, NULL);
}

STEP_TEST(task, a_task_that_joins_itself_is_told_so)
{
    struct arg a = { 1, 0 };
    int result = 0;

    need_eq(join_self_spawn(root, &a, &(struct tr_task_opts){ .ret_task = &joined }), 0);
    step_until(tr_task_is_finished(&joined));
    need_eq(tr_task_join(&joined, TR_NEVER, &result), 0);
    check_eq(result, -EDEADLK);
}

TR_TEST(task, waiting_calls_outside_of_a_task_are_refused_and_told)
{
    check_eq(tr_yield(), -EPERM);
    check_eq(tr_sleep(TR_NOW), -EPERM);
    check_eq(n_told[TR_EVENT_MISUSE], 2);
    check(strstr(told, "outside of a task") != NULL);
    check_eq(tr_self_id(), 0);
    check_eq(tr_self_name(), NULL);
    check(!tr_self_is_cancelled());
    check(!tr_self_is_draining());
}

STEP_TEST(task, the_blocking_join_refuses_a_task_and_names_it)
{
    tr_task t = start_at_gate(root, 0);

    check_eq(tr_task_blocking_join(&t, TR_NEVER, NULL), -EDEADLK);
    check_eq(n_told[TR_EVENT_MISUSE], 1);
    check(strstr(told, "'root'") != NULL);
    gate = true;
    need_eq(tr_task_join(&t, TR_NEVER, NULL), 0);
}

struct outside {
    tr_task task;
    tr_time deadline;
    int r, result;
};

static void *blocking_join(void *arg)
{
    struct outside *o = arg;

    o->r = tr_task_blocking_join(&o->task, o->deadline, &o->result);
    check_eq(tr_task_join(&o->task, TR_NEVER, NULL), o->task.rec ? -EPERM : -EINVAL);
    return NULL;
}

STEP_TEST(task, a_plain_thread_joins_a_task)
{
    struct outside o = { .task = start_at_gate(root, 6), .deadline = TR_NEVER };
    pthread_t thread;

    need_eq(pthread_create(&thread, NULL, blocking_join, &o), 0);
    step_until(atomic_load(&o.task.rec->joiner) != NULL);
    gate = true;
    need_eq(tr_scope_join(root, TR_NEVER), 0);
    pthread_join(thread, NULL);
    check_eq(o.r, 0);
    check_eq(o.result, 6);
}

STEP_TEST(task, a_blocking_join_ends_at_its_deadline)
{
    struct outside o = { .task = start_at_gate(root, 6), .deadline = tr_after(TR_MS(3)) };
    pthread_t thread;

    need_eq(pthread_create(&thread, NULL, blocking_join, &o), 0);
    pthread_join(thread, NULL);
    check_eq(o.r, -ETIMEDOUT);
    check_eq(o.result, 0);
    check_eq(atomic_load(&o.task.rec->joiner), NULL, "it has left the task");
    gate = true;
    need_eq(tr_task_join(&o.task, TR_NEVER, &o.result), 0);
    check_eq(o.result, 6);
}

/* ---- handles and ids ---- */

STEP_TEST(task, a_closed_handle_lets_the_task_go_on)
{
    tr_task t = start_at_gate(root, 0);

    tr_task_close(&t);
    check_eq(t.rec, NULL);
    tr_task_close(&t); /* twice is once */
    tr_task_close(NULL);
    gate = true;
    need_eq(tr_scope_join(root, TR_NEVER), 0);
    check_eq(n_dropped, 1);
}

STEP_TEST(task, an_empty_handle_does_nothing)
{
    tr_task t = { NULL };

    check_eq(tr_task_join(&t, TR_NOW, NULL), -EINVAL);
    check(!tr_task_is_finished(&t));
    check_eq(tr_task_id(&t), 0);
    tr_task_abort(&t);
    tr_task_abort(NULL);
}

static tr_id seen_id[3];
static const char *seen_name;

static void note_drop(struct arg *a)
{
    if (a->key)
        seen_id[1] = tr_self_id();
}

TR_TASK(note, struct arg, note_drop);

static int note(struct arg *a)
{
    (void)a;
    seen_id[0] = tr_self_id();
    seen_name = tr_self_name();
    return 0;
}

STEP_TEST(task, the_id_is_the_same_inside_outside_and_in_the_drop)
{
    struct arg a = { 1, 0 };
    tr_task t;
    tr_id id;

    need_eq(note_spawn(root, &a, &(struct tr_task_opts){ .ret_task = &t, .name = "named" }), 0);
    id = tr_task_id(&t);
    check_ne(id, 0);
    check_ne(id, tr_self_id());
    need_eq(tr_task_join(&t, TR_NEVER, NULL), 0);
    check_eq(seen_id[0], id);
    check_eq(seen_id[1], id);
    check_str(seen_name, "named");
    check_str(tr_self_name(), "root");
}

STEP_TEST(task, the_drop_of_a_task_that_never_ran_knows_its_id)
{
    struct arg a = { 1, 0 };
    tr_task t;
    tr_id id;

    need_eq(note_spawn(root, &a, &(struct tr_task_opts){ .ret_task = &t }), 0);
    id = tr_task_id(&t);
    tr_task_abort(&t);
    need_eq(tr_task_join(&t, TR_NEVER, NULL), 0);
    check_eq(seen_id[0], 0, "it never ran");
    check_eq(seen_id[1], id);
}

static void waiting_drop(struct arg *a)
{
    if (a->key)
        check_eq(tr_sleep(TR_NEVER), -EPERM);
}

TR_TASK(never_runs, struct arg, waiting_drop);

static int never_runs(struct arg *a)
{
    (void)a;
    return 0;
}

STEP_TEST(task, the_drop_of_a_task_that_never_ran_may_not_wait)
{
    struct arg a = { 1, 0 };
    tr_task t;

    need_eq(never_runs_spawn(root, &a, &(struct tr_task_opts){ .ret_task = &t }), 0);
    tr_task_abort(&t);
    need_eq(tr_task_join(&t, TR_NEVER, NULL), 0);
    check_eq(n_told[TR_EVENT_MISUSE], 1);
    check(strstr(told, "'never_runs'") != NULL);
}

static int compare_ids(const void *a, const void *b)
{
    const tr_id x = *(const tr_id *)a, y = *(const tr_id *)b;

    return (x > y) - (x < y);
}

STEP_TEST(task, ids_are_never_used_again, .once = true)
{
    enum { ROUNDS = 500, EACH = 4 };
    static tr_id id[ROUNDS * EACH];
    unsigned same = 0;

    for (unsigned i = 0; i < ROUNDS * EACH; i += EACH) {
        tr_task t[EACH];

        for (unsigned k = 0; k < EACH; k++) {
            struct arg a = { 0, 0 };

            need_eq(note_spawn(root, &a, &(struct tr_task_opts){ .ret_task = &t[k] }), 0);
            id[i + k] = tr_task_id(&t[k]);
        }
        for (unsigned k = 0; k < EACH; k++)
            need_eq(tr_task_join(&t[k], TR_NEVER, NULL), 0);
    }
    qsort(id, TR_LEN(id), sizeof id[0], compare_ids);
    for (unsigned i = 1; i < TR_LEN(id); i++)
        same += id[i] == id[i - 1];
    check_eq(same, 0);
}

/* ---- memory ---- */

STEP_TEST(task, a_small_task_asks_for_no_memory_once_another_has_ended)
{
    struct arg a = { 1, 0 };

    need_eq(note_spawn(root, &a, NULL), 0);
    need_eq(tr_scope_join(root, TR_NEVER), 0);
    tri_mem_fail_at(1);
    a.key = 1;
    need_eq(note_spawn(root, &a, NULL), 0);
    need_eq(tr_scope_join(root, TR_NEVER), 0);
    check(!tri_mem_has_failed());
    tri_mem_fail_at(0);
}
