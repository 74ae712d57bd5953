/* SPDX-License-Identifier: MIT */
/*
 * test_abort.c - who may abort a task besides its handle, what an abort sets off and how often,
 * and what the one who joins learns.
 */
#include "config.h"

#include <pthread.h>
#include <stdio.h>

#include "sched/kit.h"
#include "sched/task.h"
#include "sched/worker.h"

static void no_record_is_left(void)
{
    check_eq(tri_task_setup(), 0);
    check_eq(tri_slab_n_out(tri_task_slab()), 0);
}

TR_SUITE(abort, .init = kit_listen, .fini = no_record_is_left, .timeout = 20);

static unsigned n_cleanup, n_turn, n_woken;

struct arg {
    int (*fn)(void *with);
    void *with;
};

TR_TASK(job, struct arg, tr_nodrop);

static int job(struct arg *a)
{
    return a->fn(a->with);
}

static tr_task start(tr_scope *s, int (*fn)(void *with), void *with)
{
    struct arg a = { fn, with };
    tr_task t = { NULL };

    check_eq(job_spawn(s, &a, &(struct tr_task_opts){ .ret_task = &t }), 0);
    return t;
}

static int result_of(tr_task *t)
{
    int r = 77;

    check_eq(tr_task_join(t, TR_NEVER, &r), 0);
    return r;
}

static void count_cleanup(const int *value)
{
    n_cleanup += *value == 1;
}

static int sleep_for_ever(void *with)
{
    int guard TR_CLEANUP(count_cleanup) = 1;
    int r = tr_sleep(TR_NEVER);

    n_turn++;
    check_eq(tr_sleep(TR_NEVER), -ECANCELED, "no wait of it works any more");
    return with ? *(int *)with : r;
}

/* ---- what an abort does ---- */

STEP_TEST(abort, an_idle_task_cleans_up_and_ends_without_another_wake)
{
    tr_task t = start(root, sleep_for_ever, NULL);

    step_until(is_parked(&t));
    tr_task_abort(&t);
    check(!tr_task_is_finished(&t), "abort does not wait");
    check_eq(n_cleanup, 0);
    check_eq(tr_yield(), 0);
    check(tr_task_is_finished(&t), "one turn of the others is enough");
    check_eq(n_turn, 1);
    check_eq(n_cleanup, 1);
    check_eq(result_of(&t), -ECANCELED);
}

STEP_TEST(abort, a_cleanup_that_fails_is_the_result_and_touches_nobody_else)
{
    tr_scope s TR_CLEANUP(tr_scope_end) =
        tr_scope_open(&(struct tr_scope_opts){ .policy = TR_POLICY_COLLECT });
    int failure = -EIO;
    tr_task t = start(&s, sleep_for_ever, &failure), other = start(&s, sleep_for_ever, NULL);

    step_until(is_parked(&t) && is_parked(&other));
    tr_task_abort(&t);
    check_eq(result_of(&t), -EIO, "failed, not cancelled");
    check_eq(tr_scope_failures(&s), 1);
    check(is_parked(&other));
    tr_task_close(&other);
}

/* Waits by hand, and counts what wakes it. */
static int count_wakes(void *with)
{
    struct tri_task *self = tri_self();
    int r;

    if (with) {
        r = tr_task_join(with, tr_after(TR_MS(1)), NULL);
        check_eq(r, -ETIMEDOUT);
    }
    do {
        tri_park_prepare(self);
        r = tri_park(self, TR_NEVER);
        n_woken++;
    } while (r == 0);
    check_eq(tr_sleep(TR_NEVER), -ECANCELED, "ready from now on");
    return r;
}

static int wait_for(void *notify)
{
    return tr_notify_wait(notify, TR_NEVER);
}

static int join_for_ever(void *task)
{
    int r = -1;

    check_eq(tr_task_join(task, TR_NEVER, &r), 0);
    return r;
}

STEP_TEST(abort, of_two_that_joined_in_turn_the_end_wakes_the_later_one)
{
    tr_notify go = TR_NOTIFY_INIT;
    tr_task t = start(root, wait_for, &go);
    tr_task earlier = start(root, count_wakes, &t), later;

    while (!is_parked(&earlier) || t.rec->joiner)
        need_eq(tr_sleep(tr_after(TR_MS(1))), 0);
    later = start(root, join_for_ever, &t);
    step_until(is_parked(&later));
    tr_notify_one(&go);
    check_eq(result_of(&later), 0);
    check_eq(n_woken, 0);
    tr_task_abort(&earlier);
    check_eq(result_of(&earlier), -ECANCELED);
    check_eq(n_woken, 1);
}

static int yield_until_cancelled(void *with)
{
    int r = 0;

    while (!tr_self_is_cancelled() && (r = tr_yield()) == 0)
        ;
    check_eq(tr_notify_wait(with, TR_NEVER), -ECANCELED, "though it is ready");
    return -ECANCELED;
}

static int nested(void *with)
{
    tr_scope s TR_CLEANUP(tr_scope_end) = tr_scope_open(NULL);
    tr_task t = start(&s, sleep_for_ever, NULL);

    *(tr_task *)with = t;
    return tr_scope_join(&s, TR_NEVER);
}

STEP_TEST(abort, a_cancel_wakes_who_waits_once_and_the_others_meet_it)
{
    tr_notify ready = TR_NOTIFY_INIT;
    tr_scope s TR_CLEANUP(tr_scope_end) = tr_scope_open(NULL);
    tr_task below = { NULL }, waits = start(&s, count_wakes, NULL);
    tr_task runs = start(&s, yield_until_cancelled, &ready), parent = start(&s, nested, &below);

    tr_notify_one(&ready);
    step_until(is_parked(&waits) && below.rec && is_parked(&below));
    tr_scope_cancel(&s);
    check(atomic_load(&below.rec->a.wakee.word) & TRI_CANCEL, "all below, when it returns");
    check(atomic_load(&runs.rec->a.wakee.word) & TRI_CANCEL);
    tr_scope_cancel(&s);
    check_eq(result_of(&runs), -ECANCELED);
    check_eq(result_of(&waits), -ECANCELED);
    check_eq(n_woken, 1);
    check_eq(result_of(&parent), -ECANCELED);
    check_eq(result_of(&below), -ECANCELED);
    tr_scope_cancel(&s);
    check_eq(tr_yield(), 0);
    check_eq(n_woken, 1);
}

/* ---- aborters ---- */

static void *abort_all_of(void *arg)
{
    tr_aborter *a = arg;

    for (int i = 0; i < 3; i++)
        tr_aborter_abort(&a[i]);
    check(!tr_aborter_is_finished(&a[0]), "its worker stands still: it is not gone yet");
    return NULL;
}

STEP_TEST(abort, many_may_hold_an_aborter_and_closing_one_aborts_nothing)
{
    tr_task t = start(root, sleep_for_ever, NULL);
    tr_aborter a[3] = { tr_task_aborter(&t), tr_task_aborter(&t) }, closed = tr_aborter_clone(&a[0]);
    tr_id id = tr_task_id(&t);
    pthread_t thread;

    a[2] = tr_aborter_clone(&a[1]);
    check_eq(tr_aborter_id(&a[2]), id);
    step_until(is_parked(&t));
    tr_aborter_close(&closed);
    tr_task_close(&t);
    check_eq(tr_yield(), 0);
    check(!tr_aborter_is_finished(&a[0]));
    need_eq(pthread_create(&thread, NULL, abort_all_of, a), 0);
    pthread_join(thread, NULL);
    step_until(tr_aborter_is_finished(&a[0]));
    check_eq(n_cleanup, 1);
    tr_aborter_abort(&a[1]);
    check_eq(tr_aborter_id(&a[1]), id, "also after its end");
    for (int i = 0; i < 3; i++)
        tr_aborter_close(&a[i]);
    tr_aborter_close(&a[0]);
}

STEP_TEST(abort, an_empty_aborter_does_nothing)
{
    tr_aborter none = tr_task_aborter(NULL), copy = tr_aborter_clone(&none);

    tr_aborter_abort(&copy);
    tr_aborter_abort(NULL);
    check(!tr_aborter_is_finished(&copy));
    check_eq(tr_aborter_id(&copy), 0);
    tr_aborter_close(&copy);
    tr_task_abandon(&(tr_task){ NULL });
}

static int fail(void *with)
{
    (void)with;
    return -EIO;
}

STEP_TEST(abort, a_failure_that_nobody_can_join_is_told_at_once_whoever_could_abort)
{
    tr_task t = start(root, fail, NULL);
    tr_aborter a = tr_task_aborter(&t);

    tr_task_close(&t);
    step_until(tr_aborter_is_finished(&a));
    check_eq(n_told[TR_EVENT_FAILED], 1);
    tr_aborter_close(&a);
    check_eq(n_told[TR_EVENT_FAILED], 1);
}

STEP_TEST(abort, what_is_told_of_a_failure_is_name_number_reason_and_the_place_of_the_spawn)
{
    struct arg a = { fail, NULL };
    char wanted[100];
    unsigned number;

    for (int watched = 0; watched < 2; watched++) {
        tr_task t = { NULL };

        need_eq(job_spawn(root, &a, &(struct tr_task_opts){ .name = "broken", .ret_task = &t }), 0);
        number = t.rec->a.slab_index;
        if (!watched)
            tr_task_close(&t);
        need_eq(tr_scope_join(root, TR_NEVER), 0);
        tr_task_close(&t);
        snprintf(wanted, sizeof wanted, "task 'broken' #%u failed%s: Input/output error; spawned at ",
                 number, watched ? ", and nobody joined it" : "");
        check(strncmp(told, wanted, strlen(wanted)) == 0, "%s", told);
        check(strstr(told, "test_abort+0x"), "%s", told);
        a = (struct arg){ fail, NULL };
    }
}

STEP_TEST(abort, a_failure_whose_handle_closes_is_told_when_the_last_aborter_has_gone)
{
    tr_task t = start(root, fail, NULL);
    tr_aborter a = tr_task_aborter(&t);

    step_until(tr_aborter_is_finished(&a));
    tr_task_close(&t);
    tr_aborter_close(&a);
    check_eq(n_told[TR_EVENT_FAILED], 1);
}

/* ---- handles that abort ---- */

static tr_aborter abandon_unless(tr_scope *s, bool keep)
{
    tr_task t TR_CLEANUP(tr_task_abandon) = start(s, sleep_for_ever, NULL);
    tr_aborter a = tr_task_aborter(&t);

    while (!is_parked(&t))
        (void)tr_yield();
    if (keep)
        tr_task_close(&t);
    return a;
}

STEP_TEST(abort, an_abandoned_task_is_aborted_unless_its_handle_was_closed)
{
    tr_aborter kept = abandon_unless(root, true), gone = abandon_unless(root, false);

    step_until(tr_aborter_is_finished(&gone));
    check(!tr_aborter_is_finished(&kept));
    check_eq(n_cleanup, 1);
    tr_aborter_abort(&kept);
    step_until(tr_aborter_is_finished(&kept));
    tr_aborter_close(&gone);
    tr_aborter_close(&kept);
}

static bool guarded(tr_scope *s, bool disarm)
{
    tr_scope_guard g TR_CLEANUP(tr_scope_guard_release) = { s };

    if (disarm)
        tr_scope_guard_disarm(&g);
    return tr_scope_is_draining(s);
}

STEP_TEST(abort, a_guard_cancels_its_scope_unless_it_is_disarmed)
{
    tr_scope s TR_CLEANUP(tr_scope_end) = tr_scope_open(NULL);
    tr_task t = start(&s, sleep_for_ever, NULL);

    step_until(is_parked(&t));
    check(!guarded(&s, true));
    check_eq(tr_yield(), 0);
    check(!tr_task_is_finished(&t));
    check(!guarded(&s, false));
    check(tr_scope_is_draining(&s));
    check_eq(result_of(&t), -ECANCELED);
}

/* ---- the text of an end ---- */

STEP_TEST(abort, the_text_of_an_end_names_the_task_its_number_and_what_became_of_it)
{
    const struct tr_scope_opts keeps = { .policy = TR_POLICY_COLLECT, .keep = TR_KEEP_ALL };
    tr_scope s TR_CLEANUP(tr_scope_end) = tr_scope_open(&keeps);
    tr_task t = start(&s, sleep_for_ever, NULL);
    char text[80], wanted[80];
    tr_ended e;

    tr_task_abort(&t);
    snprintf(wanted, sizeof wanted, "task 'job' #%u was cancelled", t.rec->a.slab_index);
    tr_task_close(&t);
    need_eq(tr_scope_next(&s, TR_NEVER, &e), 1);
    check_eq(tr_ended_text(&e, sizeof text, text), strlen(wanted));
    check_str(text, wanted);
    t = start(&s, fail, NULL);
    snprintf(wanted, sizeof wanted, "task 'job' #%u failed: Input/output error",
             t.rec->a.slab_index);
    tr_task_close(&t);
    need_eq(tr_scope_next(&s, TR_NEVER, &e), 1);
    (void)tr_ended_text(&e, sizeof text, text);
    check_str(text, wanted);
    e.result = 3;
    check_eq(tr_ended_text(&e, 7, text), (int)strlen(wanted) - (int)strlen("failed: Input/output error") +
                                             (int)strlen("ended with 3"));
    check_str(text, "task '", "cut short, as snprintf() does");
}
