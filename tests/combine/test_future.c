/* SPDX-License-Identifier: MIT */
/*
 * test_future.c - what a user makes to wait for: woken before, during, after; in a select;
 * late.
 */
#include "config.h"

#include <errno.h>
#include <pthread.h>

#include "chan/step.h"

TR_SUITE(future, .races = true, .timeout = 30);

struct shared {
    tr_future f;
    pthread_mutex_t lock;
    bool done;
    tr_waker waiter;
    unsigned n_poll, n_kept, n_forgot;
};

static bool shared_poll(tr_future *f, const tr_waker *waker)
{
    struct shared *s = (struct shared *)f;
    bool done;

    pthread_mutex_lock(&s->lock);
    s->n_poll++;
    if (waker) {
        s->waiter = *waker;
        s->n_kept++;
    }
    done = s->done;
    pthread_mutex_unlock(&s->lock);
    if (done)
        f->result = 7;
    return done;
}

static void shared_forget(tr_future *f)
{
    struct shared *s = (struct shared *)f;

    pthread_mutex_lock(&s->lock);
    s->waiter = (tr_waker){ NULL };
    s->n_forgot++;
    pthread_mutex_unlock(&s->lock);
}

#define SHARED                                                                                 \
    { .f = { .poll = shared_poll, .forget = shared_forget },                                   \
      .lock = PTHREAD_MUTEX_INITIALIZER }

static void complete(struct shared *s)
{
    tr_waker w;

    pthread_mutex_lock(&s->lock);
    s->done = true;
    w = s->waiter;
    pthread_mutex_unlock(&s->lock);
    tr_waker_wake(w);
}

static void *complete_thread(void *s)
{
    complete(s);
    return NULL;
}

TR_TASK(completes, struct shared *, tr_nodrop);

static int completes(struct shared **s)
{
    complete(*s);
    return 0;
}

STEP_TEST(future, misuse_is_refused)
{
    tr_future none = { .poll = NULL };
    tr_arm arm = tr_future_arm(NULL);
    struct shared s = SHARED;

    check_eq(tr_await(NULL, TR_NOW), -EINVAL);
    check_eq(tr_await(&none, TR_NOW), -EINVAL);
    check_eq(tr_blocking_await(&none, TR_NOW), -EINVAL);
    check_eq(tr_blocking_await(&s.f, TR_NOW), -EDEADLK);
    check_eq(tr_select(TR_NOW, &arm, 1), -EINVAL, "disabled");
    tr_waker_wake((tr_waker){ NULL });
}

STEP_TEST(future, one_that_is_done_is_polled_once_and_keeps_no_waker)
{
    struct shared s = SHARED;

    complete(&s);
    check_eq(tr_await(&s.f, TR_NOW), 7);
    check_eq(s.n_poll, 1);
    check_eq(s.n_kept, 0);
    check_eq(tr_await(&s.f, TR_NOW), 7, "and stays done");
    check_eq(s.n_poll, 1);
}

STEP_TEST(future, a_deadline_ends_the_wait_and_the_waker_is_forgotten)
{
    struct shared s = SHARED;

    check_eq(tr_await(&s.f, tr_after(TR_MS(1))), -ETIMEDOUT);
    check_ge(s.n_forgot, 1);
    check_eq(s.waiter.wakee, NULL);
    complete(&s);
    check_eq(tr_await(&s.f, TR_NEVER), 7);
}

STEP_TEST(future, another_task_completes_it)
{
    struct shared s = SHARED, *arg = &s;

    need_eq(completes_spawn(root, &arg, NULL), 0);
    check_eq(tr_await(&s.f, TR_NEVER), 7);
    check_eq(s.n_kept, 1);
}

/* Between the first look and the keeping: the second look of the same poll sees it. */
static bool completes_itself(tr_future *f, const tr_waker *waker)
{
    struct shared *s = (struct shared *)f;

    if (waker)
        complete(s);
    return shared_poll(f, waker);
}

STEP_TEST(future, a_change_just_before_the_waker_is_kept_is_seen)
{
    struct shared s = SHARED;

    s.f.poll = completes_itself;
    check_eq(tr_await(&s.f, TR_NEVER), 7);
    check_eq(s.n_kept, 1);
}

/* Just after: the wake comes before the park. */
static bool completes_after(tr_future *f, const tr_waker *waker)
{
    struct shared *s = (struct shared *)f;
    bool done = shared_poll(f, waker);

    if (waker && !done)
        complete(s);
    return done;
}

STEP_TEST(future, a_change_just_after_the_waker_was_kept_wakes)
{
    struct shared s = SHARED;

    s.f.poll = completes_after;
    check_eq(tr_await(&s.f, TR_NEVER), 7);
    check_eq(s.n_kept, 1);
}

STEP_TEST(future, a_spurious_wake_polls_again_and_waits_on)
{
    struct shared s = SHARED, *arg = &s;

    check_eq(tr_await(&s.f, TR_NOW), -ETIMEDOUT);
    s.f.forget = NULL;
    check_eq(tr_await(&s.f, tr_after(TR_MS(1))), -ETIMEDOUT);
    tr_waker_wake(s.waiter); /* late: nobody waits for it now */
    need_eq(completes_spawn(root, &arg, NULL), 0);
    check_eq(tr_await(&s.f, TR_NEVER), 7);
    tr_waker_wake(s.waiter);
}

STEP_TEST(future, it_is_an_arm_and_keeps_what_lost)
{
    struct shared s = SHARED, t = SHARED;
    tr_arm arms[2] = { tr_future_arm(&s.f), tr_future_arm(&t.f) };

    check_eq(tr_select(TR_NOW, arms, 2), -ETIMEDOUT);
    complete(&s);
    complete(&t);
    check_eq(tr_select_first(TR_NOW, arms, 2), 0);
    check_eq(arms[0].result, 7);
    check_eq(tr_await(&t.f, TR_NOW), 7);
}

STEP_TEST(future, it_is_a_member_of_a_set)
{
    tr_select_set set TR_CLEANUP(tr_select_set_close) = { NULL };
    struct shared s[3] = { SHARED, SHARED, SHARED }, *arg = &s[1];
    struct tr_selected got;

    need_eq(tr_select_set_new(&set), 0);
    for (unsigned i = 0; i < 3; i++) {
        tr_arm arm = tr_future_arm(&s[i].f);

        need_eq(tr_select_set_add(&set, &arm, 0, &s[i], NULL), 0);
    }
    check_eq(tr_select_set_wait(&set, TR_NOW, &got), -ETIMEDOUT);
    need_eq(completes_spawn(root, &arg, NULL), 0);
    check_eq(tr_select_set_wait(&set, TR_NEVER, &got), 0);
    check_eq(got.data, &s[1]);
    check_eq(got.result, 7);
    check_eq(s[0].n_poll, 2, "the others were not polled again: one look, one registration");
    tr_select_set_close(&set);
}

STEP_TEST(future, threads_complete_a_thousand, .once = true)
{
    for (unsigned i = 0; i < 1000; i++) {
        struct shared s = SHARED;
        pthread_t thread;

        need_eq(pthread_create(&thread, NULL, complete_thread, &s), 0);
        check_eq(tr_await(&s.f, TR_NEVER), 7);
        pthread_join(thread, NULL);
    }
}

TR_TEST(future, a_plain_thread_awaits)
{
    struct shared s = SHARED;
    pthread_t thread;

    check_eq(tr_await(&s.f, TR_NEVER), -EPERM);
    check_eq(tr_blocking_await(&s.f, tr_after(TR_MS(1))), -ETIMEDOUT);
    need_eq(pthread_create(&thread, NULL, complete_thread, &s), 0);
    check_eq(tr_blocking_await(&s.f, TR_NEVER), 7);
    pthread_join(thread, NULL);
}

/* ---- how often a wake is worth a look ---- */

TR_TASK(awaits, struct shared *, tr_nodrop);

static int awaits(struct shared **s)
{
    return tr_await(&(*s)->f, TR_NEVER);
}

static unsigned n_self; /* last looks of a slice that wake their own task twice */

static bool wakes_itself(tr_future *f, const tr_waker *waker)
{
    bool done = shared_poll(f, waker);

    if (waker && n_self > 0) {
        n_self--;
        tr_waker_wake(*waker);
        tr_waker_wake(*waker);
    }
    return done;
}

/* The looks at @s that come of @n_wake wakes before its task has run. */
static unsigned looks_after(struct shared *s, unsigned n_wake)
{
    unsigned before = s->n_poll;

    for (unsigned i = 0; i < n_wake; i++)
        tr_waker_wake(s->waiter);
    for (unsigned i = 0; i < 10; i++)
        check_eq(tr_yield(), 0);
    return s->n_poll - before;
}

STEP_TEST(future, wakes_before_a_slice_are_one_and_those_in_it_one_more)
{
    struct shared s = SHARED, *arg = &s;
    tr_task t = { NULL };
    unsigned one;
    tr_waker w;

    s.f.poll = wakes_itself;
    need_eq(awaits_spawn(root, &arg, &(struct tr_task_opts){ .ret_task = &t }), 0);
    step_until(s.n_kept == 1);
    check_eq(looks_after(&s, 0), 0, "none without a wake");
    one = looks_after(&s, 1);
    check_ge(one, 1);
    check_eq(looks_after(&s, 5), one);
    n_self = 1;
    check_eq(looks_after(&s, 1), 2 * one);
    w = s.waiter;
    complete(&s);
    need_eq(tr_task_join(&t, TR_NEVER, NULL), 0);
    s.waiter = w;
    check_eq(looks_after(&s, 5), 0, "after its end they do nothing");
}

TR_MPSC(numberq, int, tr_nodrop);

TR_TEST(future, a_late_wake_does_not_end_another_wait_of_the_thread)
{
    struct shared s = SHARED;
    numberq_tx tx;
    numberq_rx rx;
    tr_time until;
    int n;

    need_eq(numberq_new(1, &tx, &rx), 0);
    s.f.forget = NULL;
    for (unsigned i = 0; i < 3; i++) {
        check_eq(tr_blocking_await(&s.f, tr_after(TR_MS(1))), -ETIMEDOUT);
        tr_waker_wake(s.waiter); /* nobody waits for it now */
        until = tr_after(TR_MS(2));
        check_eq(numberq_blocking_recv(&rx, until, &n), -ETIMEDOUT);
        check_ge(tr_now(), until);
    }
    numberq_tx_close(&tx);
    check_eq(numberq_blocking_recv(&rx, TR_NEVER, &n), -EPIPE);
    numberq_rx_close(&rx);
}
