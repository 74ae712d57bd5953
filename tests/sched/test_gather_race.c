/* SPDX-License-Identifier: MIT */
/* test_gather_race.c - races of children, scopes with a deadline, threads against them. */
#include "config.h"

#include "mem/alloc.h"
#include "sched/gather-kit.h"

TR_SUITE(gather, .races = true, .init = kit_listen, .fini = no_record_is_left, .timeout = 30);

/* ---- races ---- */

VIRTUAL_TEST(gather, the_first_to_end_wins_and_the_rest_is_gone)
{
    tr_scope s TR_CLEANUP(tr_scope_end) = tr_scope_open(&keeps);
    tr_time born = tr_now();
    tr_ended e = { 0, NULL, 0 };

    need_eq(spawn_named(&s, "slow", TR_S(3), 1), 0);
    need_eq(spawn_named(&s, "quick", TR_MS(3), -EIO), 0);
    need_eq(spawn_named(&s, "middle", TR_MS(50), 2), 0);
    check_eq(tr_scope_first(&s, TR_NEVER, &e), 0);
    check_str(e.name, "quick");
    check_eq(e.result, -EIO);
    check_eq(tr_scope_len(&s), 0);
    check_eq(n_dropped, 3);
    check_eq(tr_now() - born, TR_MS(3));
    check_eq(spawn(&s, 0, 1), -ESHUTDOWN);
    tr_scope_end(&s);
    check_eq(spawn(&s, 0, 9), 0, "it is new");
    check_eq(tr_scope_first(&s, TR_NEVER, &e), 0);
    check_eq(e.result, 9);
}

VIRTUAL_TEST(gather, the_first_success_passes_over_failures)
{
    tr_scope s TR_CLEANUP(tr_scope_end) = tr_scope_open(&keeps);
    tr_ended e = { 0, NULL, 0 };

    need_eq(spawn(&s, TR_MS(1), -EIO), 0);
    need_eq(spawn(&s, TR_MS(2), -EPIPE), 0);
    need_eq(spawn(&s, TR_MS(3), 0), 0);
    need_eq(spawn(&s, TR_MS(4), 5), 0);
    check_eq(tr_scope_first_success(&s, TR_NEVER, &e), 0);
    check_eq(e.result, 0);
    check_eq(tr_scope_len(&s), 0);
    tr_scope_end(&s);
    need_eq(spawn(&s, TR_MS(2), -EIO), 0);
    need_eq(spawn(&s, TR_MS(1), -EPIPE), 0);
    check_eq(tr_scope_first_success(&s, TR_NEVER, &e), -EIO, "the last to end");
    tr_scope_end(&s);
    check_eq(tr_scope_first_success(&s, TR_NEVER, &e), -EINVAL, "nobody runs");
    check_eq(n_told[TR_EVENT_FAILED], 0);
}

VIRTUAL_TEST(gather, a_race_that_takes_too_long_ends_all)
{
    tr_scope s TR_CLEANUP(tr_scope_end) = tr_scope_open(&keeps);
    tr_time born = tr_now();
    tr_ended e = { 0, NULL, 77 };

    need_eq(spawn(&s, TR_S(3), 1), 0);
    check_eq(tr_scope_first(&s, tr_after(TR_MS(10)), &e), -ETIMEDOUT);
    check_eq(e.result, 77);
    check_eq(tr_scope_len(&s), 0);
    check_eq(tr_now() - born, TR_MS(10));
}

VIRTUAL_TEST(gather, a_race_wants_a_scope_that_fits)
{
    tr_scope nothing TR_CLEANUP(tr_scope_end) = tr_scope_open(NULL);
    tr_scope fast TR_CLEANUP(tr_scope_end) =
        tr_scope_open(&(struct tr_scope_opts){ .keep = TR_KEEP_ALL });
    tr_ended e;

    need_eq(spawn(&nothing, TR_S(1), 0), 0);
    need_eq(spawn(&fast, TR_S(1), 0), 0);
    check_eq(tr_scope_first(&nothing, TR_NEVER, &e), -EINVAL);
    check_eq(tr_scope_first_success(&fast, TR_NEVER, &e), -EINVAL);
    check_eq(tr_scope_len(&nothing) + tr_scope_len(&fast), 2, "and nothing was touched");
    check_eq(tr_scope_first(&fast, TR_NEVER, &e), 0);
}

struct racer {
    int *ret_r;
};
TR_TASK(racer, struct racer, tr_nodrop);

static int racer(struct racer *self)
{
    tr_scope s TR_CLEANUP(tr_scope_end) = tr_scope_open(&keeps);
    tr_ended e;

    check_eq(spawn(&s, TR_S(3), 1), 0);
    *self->ret_r = tr_scope_first(&s, TR_NEVER, &e);
    check_eq(tr_scope_len(&s), 0);
    return 0;
}

/* The owner and its child are cancelled at once; either may run first. */
static int cancel_racer(tr_scope *root, void *arg)
{
    tr_scope s TR_CLEANUP(tr_scope_end) = tr_scope_open(NULL);
    int r = 0;

    (void)root;
    (void)arg;
    check_eq(racer_spawn(&s, &(struct racer){ &r }, NULL), 0);
    while (atomic_load(&n_now) == 0)
        check_eq(tr_yield(), 0);
    tr_scope_end(&s);
    check_eq(r, -ECANCELED);
    return 0;
}

TR_TEST(gather, a_race_whose_owner_is_cancelled_has_no_winner)
{
    const unsigned n = run_seeds(20, cancel_racer, NULL);

    check_eq(n_dropped, n);
}

VIRTUAL_TEST(gather, a_race_in_a_scope_whose_deadline_passes_has_no_winner)
{
    struct tr_scope_opts opts = keeps;
    tr_scope s;
    tr_ended e;

    opts.deadline = tr_after(TR_MS(10));
    s = tr_scope_open(&opts);
    check_eq(spawn(&s, TR_S(3), 1), 0);
    check_eq(tr_scope_first(&s, TR_NEVER, &e), -ETIMEDOUT);
    check_eq(tr_scope_len(&s), 0);
    check_eq(tr_scope_join(&s, TR_NEVER), -ETIMEDOUT);
    tr_scope_end(&s);
}

VIRTUAL_TEST(gather, a_task_that_was_aborted_alone_has_ended_first)
{
    tr_scope s TR_CLEANUP(tr_scope_end) = tr_scope_open(&keeps);
    tr_task t = start(&s, TR_S(9), 1);
    tr_ended e;

    need_eq(spawn(&s, TR_S(3), 1), 0);
    tr_task_abort(&t);
    tr_task_close(&t);
    check_eq(tr_scope_first(&s, TR_NEVER, &e), 0);
    check_eq(e.result, -ECANCELED);
}

/* ---- deadlines ---- */

VIRTUAL_TEST(gather, at_the_deadline_the_children_are_cancelled_whatever_the_owner_does)
{
    tr_time born = tr_now();
    tr_scope s TR_CLEANUP(tr_scope_end) =
        tr_scope_open(&(struct tr_scope_opts){ .deadline = born + TR_MS(10) });
    tr_task quick = start(&s, TR_MS(5), 4), slow = start(&s, TR_S(3), 5);
    int r = 0;

    check_eq(tr_sleep(born + TR_MS(20)), 0);
    check_eq(tr_scope_len(&s), 0);
    need_eq(tr_task_join(&slow, TR_NOW, &r), 0);
    check_eq(r, -ECANCELED);
    need_eq(tr_task_join(&quick, TR_NOW, &r), 0);
    check_eq(r, 4);
    check_eq(spawn(&s, 0, 0), -ESHUTDOWN);
    check_eq(tr_scope_join(&s, TR_NEVER), -ETIMEDOUT);
    check_eq(tr_scope_join(&s, TR_NEVER), 0, "it was reported");
}

VIRTUAL_TEST(gather, children_that_end_in_time_are_no_timeout)
{
    tr_time born = tr_now();
    tr_scope s TR_CLEANUP(tr_scope_end) =
        tr_scope_open(&(struct tr_scope_opts){ .deadline = tr_until_drain(born + TR_MS(10)) });

    need_eq(spawn(&s, TR_MS(10) - 1, 0), 0);
    check_eq(tr_scope_join(&s, TR_NEVER), 0);
    check_eq(tr_now() - born, TR_MS(10) - 1);
    check_eq(tr_sleep(born + TR_MS(20)), 0);
    check_eq(tr_scope_join(&s, TR_NEVER), 0, "nobody was running");
    check_eq(spawn(&s, 0, 0), -ESHUTDOWN);
    check_eq(tr_scope_join(&s, TR_NEVER), -ETIMEDOUT, "but this one was too late");
}

VIRTUAL_TEST(gather, a_deadline_that_has_passed_takes_no_child)
{
    tr_scope s TR_CLEANUP(tr_scope_end) =
        tr_scope_open(&(struct tr_scope_opts){ .deadline = tr_now() });
    tr_scope never TR_CLEANUP(tr_scope_end) =
        tr_scope_open(&(struct tr_scope_opts){ .deadline = TR_NEVER });

    check_eq(spawn(&s, 0, 0), -ESHUTDOWN);
    check_eq(n_dropped, 1);
    check_eq(tr_scope_join(&s, TR_NEVER), -ETIMEDOUT);
    check_eq(spawn(&never, TR_S(86400), 0), 0);
    check_eq(tr_scope_join(&never, TR_NEVER), 0);
}

VIRTUAL_TEST(gather, a_timeout_that_no_join_reports_is_told)
{
    tr_time born = tr_now();
    tr_scope s TR_CLEANUP(tr_scope_end) =
        tr_scope_open(&(struct tr_scope_opts){ .deadline = born + TR_MS(1) });

    need_eq(spawn(&s, TR_S(1), 0), 0);
    check_eq(tr_sleep(born + TR_MS(2)), 0);
    tr_scope_end(&s);
    check_eq(n_told[TR_EVENT_FAILED], 1);
}

struct nest {
    tr_time deadline;
};
TR_TASK(nest, struct nest, tr_nodrop);

static int nest(struct nest *n)
{
    tr_scope s TR_CLEANUP(tr_scope_end) =
        tr_scope_open(&(struct tr_scope_opts){ .deadline = n->deadline });
    int r = spawn(&s, TR_S(9), 0);

    return r < 0 ? r : tr_scope_join(&s, TR_NEVER);
}

VIRTUAL_TEST(gather, the_earlier_of_nested_deadlines_counts)
{
    tr_time born = tr_now();
    tr_scope outer TR_CLEANUP(tr_scope_end) = tr_scope_open(
        &(struct tr_scope_opts){ .policy = TR_POLICY_COLLECT, .deadline = born + TR_MS(10) });
    tr_task t[2] = { { NULL } };
    int r = 0;

    need_eq(nest_spawn(&outer, &(struct nest){ born + TR_MS(5) },
                       &(struct tr_task_opts){ .ret_task = &t[0] }), 0);
    need_eq(nest_spawn(&outer, &(struct nest){ born + TR_S(5) },
                       &(struct tr_task_opts){ .ret_task = &t[1] }), 0);
    need_eq(tr_task_join(&t[0], TR_NEVER, &r), 0);
    check_eq(r, -ETIMEDOUT);
    check_eq(tr_now() - born, TR_MS(5));
    need_eq(tr_task_join(&t[1], TR_NEVER, &r), 0);
    check(r == -ECANCELED || r == 0, "its child may have ended before it looks");
    check_eq(tr_now() - born, TR_MS(10));
    check_eq(tr_scope_join(&outer, TR_NEVER), -ETIMEDOUT);
}

VIRTUAL_TEST(gather, a_movable_task_gives_its_scopes_no_deadline)
{
    tr_scope s TR_CLEANUP(tr_scope_end) = tr_scope_open(NULL);
    const struct tr_task_opts movable = { .flags = TR_TASK_MOVABLE };

    need_eq(nest_spawn(&s, &(struct nest){ TR_S(99) }, &movable), 0);
    check_eq(tr_scope_join(&s, TR_NEVER), -EINVAL);
}

/* ---- races of threads, and memory ---- */

enum { N_RACE = 300 };

/* Every child ends as something, once, however the cancel and the ends meet. */
static int cancel_against_ends(tr_scope *root, void *arg)
{
    tr_scope s TR_CLEANUP(tr_scope_end) = tr_scope_open(&keeps);
    unsigned n_spawned = 0, n_taken = 0;
    tr_ended e;
    int r;

    (void)root;
    (void)arg;
    for (unsigned i = 0; i < N_RACE; i++) {
        struct arg a = { i % 4 * TR_US(20), 1, i % 8 == 0, 1 };

        n_spawned += child_spawn(&s, &a, &(struct tr_task_opts){ .flags = TR_TASK_SPREAD }) == 0;
        if (i % 16 == 15)
            n_taken += tr_scope_try_next(&s, &e) == 1;
        if (i % 32 == 31)
            (void)tr_yield();
    }
    tr_scope_cancel(&s);
    while ((r = tr_scope_next(&s, TR_NEVER, &e)) == 1) {
        check(e.result == 1 || e.result == -ECANCELED);
        n_taken++;
    }
    check_eq(r, 0);
    check_eq(n_taken, n_spawned);
    check_eq(tr_scope_kept(&s), 0);
    return 0;
}

TR_TEST(gather, cancel_against_ends_loses_and_doubles_no_result, .once = true)
{
    (void)run_seeds(20, cancel_against_ends, NULL);
    for (unsigned i = 0; i < tries(20); i++)
        run_with((struct tr_runtime_opts){ .n_worker = 3 }, cancel_against_ends, NULL);
}

STEP_TEST(gather, without_memory_only_what_was_spawned_is_handed_out)
{
    tr_scope s = { .impl = NULL };
    int n_out = 0, r;
    tr_ended e;

    for (long nth = 1, failed = 1; failed; nth++) {
        s = tr_scope_open(&keeps);
        tri_mem_fail_at(nth);
        r = spawn(&s, 0, 3);
        n_out = tr_scope_next(&s, TR_NEVER, &e);
        failed = tri_mem_has_failed();
        tri_mem_fail_at(0);
        check(r == 0 || r == -ENOMEM);
        check_eq(n_out, r == 0);
        check(n_out == 0 || e.result == 3 || e.result == -ENOMEM);
        tr_scope_end(&s);
        need_lt(nth, 50);
    }
    check_eq(n_out, 1);
}
