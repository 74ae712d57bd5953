/* SPDX-License-Identifier: MIT */
/* test_gather.c - scopes that keep results, or hold few children at once. */
#include "config.h"

#include "mem/alloc.h"
#include "sched/gather-kit.h"

TR_SUITE(gather, .races = true, .init = kit_listen, .fini = no_record_is_left, .timeout = 30);

/* ---- results ---- */

VIRTUAL_TEST(gather, results_come_in_the_order_of_the_ends_with_id_and_name)
{
    tr_scope s TR_CLEANUP(tr_scope_end) = tr_scope_open(&keeps);
    tr_ended e = { 0, NULL, 0 };
    tr_time born = tr_now();
    tr_task first;
    tr_id id;

    check_eq(tr_scope_next(&s, TR_NEVER, &e), 0, "no child, and no wait");
    check_eq(tr_scope_try_next(&s, &e), 0);
    need_eq(spawn_named(&s, "slow", TR_MS(30), 3), 0);
    need_eq(spawn_named(&s, "failing", TR_MS(20), -EIO), 0);
    first = start(&s, TR_MS(10), 1);
    id = tr_task_id(&first);
    tr_task_close(&first);
    check_eq(tr_scope_try_next(&s, &e), -EAGAIN);
    need_eq(tr_scope_next(&s, TR_NEVER, &e), 1);
    check_eq(e.id, id);
    check_str(e.name, "child");
    check_eq(e.result, 1);
    check_eq(tr_now() - born, TR_MS(10));
    check_eq(tr_scope_len(&s), 2);
    check_eq(tr_sleep(born + TR_MS(40)), 0);
    check_eq(tr_scope_len(&s), 0);
    check_eq(tr_scope_kept(&s), 2);
    need_eq(tr_scope_next(&s, TR_NOW, &e), 1, "what is ready wins");
    check_str(e.name, "failing");
    check_eq(e.result, -EIO);
    need_eq(tr_scope_try_next(&s, &e), 1);
    check_str(e.name, "slow");
    check_eq(e.result, 3);
    check_eq(tr_scope_next(&s, TR_NEVER, &e), 0);
    need_eq(spawn(&s, 0, 7), 0);
    check_eq(tr_scope_next(&s, TR_NEVER, &e), 1, "it can be filled again");
    check_eq(e.result, 7);
    check_eq(tr_scope_join(&s, TR_NEVER), 0);
    tr_scope_end(&s);
    check_eq(n_told[TR_EVENT_FAILED], 0, "the owner has seen the failure");
}

VIRTUAL_TEST(gather, a_wait_that_ends_otherwise_takes_no_result)
{
    tr_scope s TR_CLEANUP(tr_scope_end) = tr_scope_open(&keeps);
    tr_ended e = { 0, NULL, -1 };

    need_eq(spawn(&s, TR_MS(10), 5), 0);
    check_eq(tr_scope_next(&s, tr_after(TR_MS(9)), &e), -ETIMEDOUT);
    check_eq(e.result, -1);
    check_eq(tr_scope_len(&s), 1);
    check_eq(tr_scope_next(&s, tr_after(TR_MS(9)), &e), 1);
    check_eq(e.result, 5);
}

STEP_TEST(gather, a_thousand_that_have_ended_are_handed_out_in_a_row)
{
    tr_scope s TR_CLEANUP(tr_scope_end) = tr_scope_open(&keeps);
    tr_ended e;
    long sum = 0;

    for (int i = 0; i < 1000; i++)
        need_eq(spawn(&s, 0, i), 0);
    step_until(tr_scope_len(&s) == 0);
    for (int i = 0; i < 1000; i++) {
        need_eq(tr_scope_try_next(&s, &e), 1);
        sum += e.result;
    }
    check_eq(sum, 999 * 500);
    check_eq(tr_scope_try_next(&s, &e), 0);
}

VIRTUAL_TEST(gather, after_a_cancel_each_is_still_handed_out)
{
    tr_scope s TR_CLEANUP(tr_scope_end) = tr_scope_open(&keeps);
    struct arg late = { TR_S(9), 8, true, 1 };
    unsigned n_cancelled = 0, n_done = 0, n_late = 0;
    tr_ended e;

    need_eq(spawn(&s, 0, 1), 0);
    need_eq(spawn(&s, TR_S(9), 2), 0);
    need_eq(child_spawn(&s, &late, NULL), 0);
    step_until(tr_scope_len(&s) == 2 && atomic_load(&n_now) == 2);
    need_eq(spawn(&s, 0, 4), 0); /* never starts */
    tr_scope_cancel(&s);
    while (tr_scope_next(&s, TR_NEVER, &e) == 1) {
        n_cancelled += e.result == -ECANCELED;
        n_done += e.result == 1;
        n_late += e.result == 8;
    }
    check_eq(n_cancelled, 2);
    check_eq(n_done, 1);
    check_eq(n_late, 1);
    check_eq(n_dropped, 4);
}

VIRTUAL_TEST(gather, in_a_fail_fast_scope_the_first_failure_ends_all)
{
    tr_scope s TR_CLEANUP(tr_scope_end) =
        tr_scope_open(&(struct tr_scope_opts){ .keep = TR_KEEP_ALL });
    tr_ended e;
    int results[3] = { 0 };

    need_eq(spawn(&s, TR_MS(1), 1), 0);
    need_eq(spawn(&s, TR_MS(2), -EIO), 0);
    need_eq(spawn(&s, TR_MS(3), 3), 0);
    for (unsigned i = 0; i < 3; i++) {
        need_eq(tr_scope_next(&s, TR_NEVER, &e), 1);
        results[i] = e.result;
    }
    check_eq(results[0], 1);
    check_eq(results[1], -EIO);
    check_eq(results[2], -ECANCELED);
    tr_scope_end(&s); /* without a join */
    check_eq(n_told[TR_EVENT_FAILED], 0, "its result was seen");
}

VIRTUAL_TEST(gather, a_result_seen_does_not_change_the_join)
{
    tr_scope s TR_CLEANUP(tr_scope_end) =
        tr_scope_open(&(struct tr_scope_opts){ .keep = TR_KEEP_ALL });
    tr_ended e;

    need_eq(spawn(&s, 0, -EIO), 0);
    need_eq(tr_scope_next(&s, TR_NEVER, &e), 1);
    check_eq(tr_scope_join(&s, TR_NEVER), -EIO);
}

VIRTUAL_TEST(gather, a_failure_that_nobody_took_is_told_at_the_end)
{
    tr_scope s TR_CLEANUP(tr_scope_end) = tr_scope_open(&keeps);

    need_eq(spawn(&s, 0, -EIO), 0);
    need_eq(spawn(&s, 0, 1), 0);
    check_eq(tr_scope_join(&s, TR_NEVER), 0);
    check_eq(n_told[TR_EVENT_FAILED], 0, "it may still be taken");
    check_eq(tr_scope_kept(&s), 2);
    tr_scope_end(&s);
    check_eq(n_told[TR_EVENT_FAILED], 1);
    check_eq(tr_scope_kept(&s), 0);
}

VIRTUAL_TEST(gather, only_what_was_asked_for_is_kept, .once = true)
{
    tr_scope s TR_CLEANUP(tr_scope_end) = tr_scope_open(
        &(struct tr_scope_opts){ .policy = TR_POLICY_COLLECT, .keep = TR_KEEP_FAILURES });
    tr_scope none TR_CLEANUP(tr_scope_end) = tr_scope_open(NULL);
    tr_ended e;

    for (int i = 0; i < 2000; i++) {
        need_eq(spawn(&none, 0, i), 0);
        need_eq(spawn(&s, 0, i), 0);
        need_eq(spawn(&s, 0, -EPIPE), 0); /* an end, in a collecting scope */
        step_until(tr_scope_len(&s) + tr_scope_len(&none) == 0);
    }
    check_lt(tri_slab_n_out(tri_task_slab()), 500, "none of them stays; a cache has some");
    need_eq(spawn(&s, 0, -EIO), 0);
    check_eq(tr_scope_join(&s, TR_NEVER), 0);
    check_eq(tr_scope_join(&none, TR_NEVER), 0);
    check_eq(tr_scope_kept(&s), 1);
    check_eq(tr_scope_kept(&none), 0);
    check_eq(tr_scope_next(&s, TR_NEVER, &e), 1);
    check_eq(e.result, -EIO);
    check_eq(tr_scope_next(&s, TR_NEVER, &e), 0);
    check_eq(tr_scope_next(&none, TR_NEVER, &e), -EINVAL);
    check_eq(tr_scope_try_next(&none, &e), -EINVAL);
}

VIRTUAL_TEST(gather, a_handle_and_the_scope_both_have_the_result)
{
    tr_scope s TR_CLEANUP(tr_scope_end) = tr_scope_open(&keeps);
    tr_task t = start(&s, 0, -EIO), u = start(&s, 0, -EIO);
    tr_ended e;
    int r = 0;

    need_eq(tr_scope_next(&s, TR_NEVER, &e), 1);
    need_eq(tr_task_join(&t, TR_NEVER, &r), 0);
    check_eq(r, -EIO);
    need_eq(tr_task_join(&u, TR_NEVER, &r), 0);
    tr_scope_end(&s); /* one was not taken here */
    check_eq(n_told[TR_EVENT_FAILED], 0);
}

VIRTUAL_TEST(gather, handles_give_the_results_in_the_order_of_the_spawns)
{
    tr_scope s TR_CLEANUP(tr_scope_end) = tr_scope_open(NULL);
    tr_time born = tr_now();
    tr_task t[3];
    int r = 0;

    t[0] = start(&s, TR_MS(30), 1);
    t[1] = start(&s, TR_MS(10), 2);
    t[2] = start(&s, TR_MS(20), 3);
    for (int i = 0; i < 3; i++) {
        need_eq(tr_task_join(&t[i], TR_NEVER, &r), 0);
        check_eq(r, i + 1);
    }
    check_eq(tr_now() - born, TR_MS(30), "they ran together");
}

struct poke {
    tr_scope *s;
};
TR_TASK(poke, struct poke, tr_nodrop);

static int poke(struct poke *p)
{
    tr_ended e;

    check_eq(tr_scope_next(p->s, TR_NEVER, &e), -EPERM);
    check_eq(tr_scope_try_next(p->s, &e), -EPERM);
    check_eq(tr_scope_room(p->s, TR_NEVER), -EPERM);
    check_eq(tr_scope_first(p->s, TR_NEVER, &e), -EPERM);
    check_eq(tr_scope_first_success(p->s, TR_NEVER, &e), -EPERM);
    return 0;
}

VIRTUAL_TEST(gather, others_than_the_owner_are_refused)
{
    tr_scope s TR_CLEANUP(tr_scope_end) = tr_scope_open(&keeps);
    tr_ended e;
    tr_arm arm;

    need_eq(poke_spawn(&s, &(struct poke){ &s }, NULL), 0);
    check_eq(tr_scope_join(&s, TR_NEVER), 0);
    check_eq(tr_scope_next(NULL, TR_NEVER, &e), -EINVAL);
    check_eq(tr_scope_next(&s, TR_NEVER, NULL), -EINVAL);
    check_eq(tr_scope_try_next(NULL, &e), -EINVAL);
    check_eq(tr_scope_try_next(&s, NULL), -EINVAL);
    check_eq(tr_scope_room(NULL, TR_NEVER), -EINVAL);
    check_eq(tr_scope_first(NULL, TR_NEVER, &e), -EINVAL);
    check_eq(tr_scope_first(&s, TR_NEVER, NULL), -EINVAL);
    check_eq(tr_scope_first_success(NULL, TR_NEVER, &e), -EINVAL);
    check_eq(tr_scope_kept(NULL), 0);
    arm = tr_scope_next_arm(NULL, &e);
    check(!arm.ops);
    arm = tr_scope_next_arm(&s, NULL);
    check(!arm.ops);
    arm = tr_scope_room_arm(NULL);
    check(!arm.ops);
}

/* ---- few at once ---- */

enum { N_ITEM = 40, AT_ONCE = 4 };

static int each_item(tr_scope *root, void *arg)
{
    tr_scope s TR_CLEANUP(tr_scope_end) =
        tr_scope_open(&(struct tr_scope_opts){ .max_children = AT_ONCE });

    (void)root;
    (void)arg;
    atomic_store(&n_most, 0);
    for (int i = 0; i < N_ITEM; i++) {
        check_eq(tr_scope_room(&s, TR_NEVER), 0);
        check_eq(spawn(&s, i % 3 * TR_MS(5) + TR_US(1), 0), 0);
        check_le(tr_scope_len(&s), AT_ONCE);
    }
    check_eq(tr_scope_join(&s, TR_NEVER), 0);
    check_eq(n_most, AT_ONCE, "so many, and no more");
    return 0;
}

TR_TEST(gather, a_loop_runs_many_things_few_at_once, .once = true)
{
    const unsigned n = run_seeds(20, each_item, NULL);

    check_eq(n_dropped, n * N_ITEM);
}

struct self {
    int key;
};

static void self_drop(struct self *self)
{
    atomic_fetch_add(&n_dropped, self->key != 0);
}

struct msg {
    int unused;
};
TR_HANDLER(quiet, struct self, struct msg, self_drop, tr_nodrop);

static int quiet(struct self *self, struct msg *m)
{
    (void)self;
    (void)m;
    return 0;
}

VIRTUAL_TEST(gather, a_spawn_without_room_is_refused_and_drops_its_argument)
{
    tr_scope s TR_CLEANUP(tr_scope_end) =
        tr_scope_open(&(struct tr_scope_opts){ .max_children = 2 });
    tr_time born = tr_now();
    struct self self = { 1 };

    check_eq(tr_scope_room(&s, TR_NEVER), 0, "before the first spawn");
    need_eq(spawn(&s, TR_MS(5), 0), 0);
    need_eq(spawn(&s, TR_MS(7), 0), 0);
    check_eq(spawn(&s, TR_MS(1), 0), -ENOBUFS);
    check_eq(n_dropped, 1);
    check_eq(quiet_spawn(&s, &self, NULL, NULL), -ENOBUFS);
    check_eq(n_dropped, 2);
    check_eq(tr_scope_room(&s, tr_after(TR_MS(4))), -ETIMEDOUT);
    check_eq(tr_scope_room(&s, TR_NEVER), 0);
    check_eq(tr_now() - born, TR_MS(5));
    check_eq(spawn(&s, 0, 0), 0);
    tr_scope_cancel(&s);
    check_eq(tr_scope_join(&s, TR_NEVER), 0);
}

VIRTUAL_TEST(gather, the_arms_of_one_scope_work_together)
{
    tr_scope s TR_CLEANUP(tr_scope_end) = tr_scope_open(&(struct tr_scope_opts){
        .policy = TR_POLICY_COLLECT, .keep = TR_KEEP_ALL, .max_children = 2 });
    enum { NEXT, ROOM, EMPTY, N_ARM };
    tr_time born = tr_now();
    tr_ended e = { 0, NULL, 0 };
    tr_arm arms[N_ARM];

    need_eq(spawn(&s, TR_MS(1), 1), 0);
    need_eq(spawn(&s, TR_MS(2), 2), 0);
    arms[NEXT] = tr_scope_next_arm(&s, &e);
    arms[ROOM] = tr_scope_room_arm(&s);
    arms[EMPTY] = tr_scope_join_arm(&s);
    check_eq(tr_select_first(TR_NEVER, arms, N_ARM), NEXT);
    check_eq(arms[NEXT].result, 1);
    check_eq(e.result, 1);
    check_eq(tr_select_first(TR_NEVER, arms, N_ARM), ROOM);
    check_eq(tr_now() - born, TR_MS(1));
    arms[NEXT] = arms[ROOM] = (tr_arm){ 0 };
    check_eq(tr_select_first(TR_NEVER, arms, N_ARM), EMPTY);
    check_eq(tr_now() - born, TR_MS(2));
    arms[NEXT] = tr_scope_next_arm(&s, &e);
    check_eq(tr_select_first(TR_NEVER, arms, N_ARM), NEXT);
    check_eq(e.result, 2);
    check_eq(tr_select_first(TR_NEVER, arms, N_ARM), NEXT);
    check_eq(arms[NEXT].result, 0, "nobody is left: it stays ready");
}
