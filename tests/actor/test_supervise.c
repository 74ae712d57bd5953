/* SPDX-License-Identifier: MIT */
/* test_supervise.c - restarts, their limit, what ends a supervision, and mail that survives. */
#include "config.h"

#include "sched/kit.h"

TR_SUITE(supervise, .init = kit_listen, .timeout = 20);

TR_MPSC(intq, int, tr_nodrop);

static unsigned n_start, n_dropped;
static intq_tx tx;
static intq_rx rx;
static int got[64], n_got;

struct part {
    int (*fn)(struct part *p);
    int result;
    tr_time after;
};

static void part_drop(struct part *p)
{
    n_dropped += p->fn != NULL;
}

TR_TASK(part, struct part, part_drop);

static int part(struct part *p)
{
    int r = tr_sleep(tr_after(p->after));

    return r < 0 ? r : p->fn(p);
}

static int give_result(struct part *p)
{
    return p->result;
}

static int fail_after(tr_scope *s, tr_time span, int result)
{
    struct part p = { give_result, result, span };

    return part_spawn(s, &p, NULL);
}

/* Everything runs in virtual time, so spans are exact. */
#define SIM_TEST(name_)                                                                        \
    static int run_##name_(tr_scope *root, void *unused);                                      \
    TR_TEST(supervise, name_)                                                                  \
    {                                                                                          \
        run_with((struct tr_runtime_opts){ .simulate = true }, run_##name_, NULL);             \
    }                                                                                          \
    static int run_##name_(tr_scope *root __attribute__((unused)),                             \
                           void *unused __attribute__((unused)))

static int ends_well(tr_scope *s, void *arg)
{
    check_eq(arg, &n_start, "the argument is passed on");
    n_start++;
    return fail_after(s, TR_MS(1), 0);
}

SIM_TEST(an_end_without_failure_ends_it)
{
    check_eq(tr_supervise(NULL, ends_well, &n_start, TR_NEVER), 0);
    check_eq(n_start, 1);
    check_eq(n_dropped, 1);
    return 0;
}

static int fails_twice(tr_scope *s, void *arg)
{
    (void)arg;
    return fail_after(s, TR_MS(1), ++n_start <= 2 ? -EIO : 0);
}

SIM_TEST(a_failure_starts_it_again_and_is_told)
{
    check_eq(tr_supervise(NULL, fails_twice, NULL, TR_NEVER), 0);
    check_eq(n_start, 3);
    check_eq(n_dropped, 3);
    check_eq(n_told[TR_EVENT_FAILED], 2);
    check(strstr(told, tr_strerror(-EIO)) != NULL);
    return 0;
}

static int fails_always(tr_scope *s, void *arg)
{
    n_start++;
    return fail_after(s, *(tr_time *)arg, -EIO);
}

SIM_TEST(one_failure_more_than_the_limit_ends_it_with_that)
{
    tr_time span = TR_MS(1);
    struct tr_restart_opts opts = { .name = "mine", .max_restart = 5, .within = TR_S(1) };

    check_eq(tr_supervise(&opts, fails_always, &span, TR_NEVER), -EIO);
    check_eq(n_start, 6);
    check(strstr(told, "'mine'") != NULL);
    n_start = 0;
    check_eq(tr_supervise(NULL, fails_always, &span, TR_NEVER), -EIO);
    check_eq(n_start, 4, "three restarts by default");
    return 0;
}

SIM_TEST(failures_far_apart_are_forgotten)
{
    tr_time span = TR_MS(300);
    struct tr_restart_opts opts = { .max_restart = 3, .within = TR_S(1) };

    check_eq(tr_supervise(&opts, fails_always, &span, tr_after(TR_S(60))), -EIO,
             "four in 0.9 s: one too many");
    check_eq(n_start, 4);
    n_start = 0;
    span = TR_MS(400);
    check_eq(tr_supervise(&opts, fails_always, &span, tr_after(TR_S(60))), -ETIMEDOUT,
             "four in 1.2 s: never too many");
    check_ge(n_start, 140);
    check_eq(n_dropped, 4 + n_start);
    return 0;
}

SIM_TEST(a_limit_that_cannot_be_kept_is_refused)
{
    tr_time span = TR_MS(1);
    struct tr_restart_opts opts = { .max_restart = 1000000 };

    check_eq(tr_supervise(&opts, fails_always, &span, TR_NEVER), -EINVAL);
    check_eq(tr_supervise(NULL, NULL, NULL, TR_NEVER), -EINVAL);
    check_eq(n_start, 0);
    return 0;
}

TR_TEST(supervise, it_is_refused_outside_of_a_task)
{
    check_eq(tr_supervise(NULL, fails_twice, NULL, TR_NEVER), -EPERM);
    check_eq(n_start, 0);
}

static int start_fails(tr_scope *s, void *arg)
{
    (void)s;
    (void)arg;
    n_start++;
    return -EMFILE;
}

SIM_TEST(a_start_that_fails_counts_as_a_failure)
{
    check_eq(tr_supervise(NULL, start_fails, NULL, TR_NEVER), -EMFILE);
    check_eq(n_start, 4);
    return 0;
}

static int two_parts(tr_scope *s, void *arg)
{
    int r;

    (void)arg;
    n_start++;
    r = fail_after(s, TR_S(1000), 0); /* the sibling, which is cancelled */
    return r < 0 ? r : fail_after(s, TR_MS(1), n_start == 1 ? -EIO : -EXDEV);
}

SIM_TEST(a_failing_part_takes_its_siblings_with_it)
{
    tr_time begin = tr_now();

    check_eq(
        tr_supervise(&(struct tr_restart_opts){ .max_restart = 1 }, two_parts, NULL, TR_NEVER),
        -EXDEV);
    check_eq(n_start, 2);
    check_eq(n_dropped, 4);
    check_lt(tr_now() - begin, TR_S(1));
    return 0;
}

SIM_TEST(the_deadline_cancels_the_incarnation)
{
    tr_time span = TR_S(1000);

    check_eq(tr_supervise(NULL, fails_always, &span, tr_after(TR_S(2))), -ETIMEDOUT);
    check_eq(n_dropped, 1, "and it has ended");
    check_eq(n_told[TR_EVENT_FAILED], 0);
    return 0;
}

/* ---- by a task that is cancelled or drained ---- */

struct sup {
    tr_time deadline;
};

TR_TASK(sup, struct sup, tr_nodrop);

static int sup(struct sup *s)
{
    static tr_time span = TR_S(1000);

    return tr_supervise(NULL, fails_always, &span, s->deadline);
}

SIM_TEST(a_cancel_ends_it_and_the_incarnation)
{
    tr_task t;
    int r = 0;

    check_eq(
        sup_spawn(root, &(struct sup){ TR_NEVER }, &(struct tr_task_opts){ .ret_task = &t }),
        0);
    check_eq(tr_sleep(tr_after(TR_S(1))), 0);
    tr_task_abort(&t);
    check_eq(tr_task_join(&t, TR_NEVER, &r), 0);
    check_eq(r, -ECANCELED);
    check_eq(n_start, 1);
    check_eq(n_dropped, 1);
    return 0;
}

SIM_TEST(a_drain_ends_it_if_its_deadline_says_so)
{
    tr_scope s TR_CLEANUP(tr_scope_end) = tr_scope_open(NULL);
    tr_task t;
    int r = 0;

    check_eq(sup_spawn(&s, &(struct sup){ TR_UNTIL_DRAIN },
                       &(struct tr_task_opts){ .ret_task = &t }),
             0);
    check_eq(tr_sleep(tr_after(TR_S(1))), 0);
    check_eq(tr_scope_drain(&s, TR_NEVER), 0);
    check_eq(tr_task_join(&t, TR_NEVER, &r), 0);
    check_eq(r, -ESHUTDOWN);
    check_eq(n_dropped, 1);
    return 0;
}

/* ---- mail survives ---- */

static int receiver(struct part *p)
{
    int m;

    (void)p;
    for (unsigned i = 0; i < 3; i++) {
        if (intq_recv(&rx, TR_NEVER, &m) < 0)
            return 0;
        got[n_got++] = m;
    }
    return -EIO; /* every third message kills it */
}

static int start_receiver(tr_scope *s, void *arg)
{
    struct part p = { receiver, 0, 0 };

    (void)arg;
    n_start++;
    return part_spawn(s, &p, NULL);
}

static int send_all(struct part *p)
{
    (void)p;
    for (int i = 0; i < 30; i++) {
        int m = i;

        if (intq_send(&tx, &m, TR_NEVER) < 0)
            return -EIO;
    }
    intq_tx_close(&tx);
    return 0;
}

SIM_TEST(a_restarted_receiver_loses_no_message)
{
    struct part p = { send_all, 0, 0 };

    check_eq(intq_new(4, &tx, &rx), 0);
    check_eq(part_spawn(root, &p, NULL), 0);
    check_eq(tr_supervise(&(struct tr_restart_opts){ .max_restart = 20 }, start_receiver, NULL,
                          TR_NEVER),
             0);
    check_eq(n_got, 30);
    for (int i = 0; i < 30; i++)
        check_eq(got[i], i);
    check_eq(n_start, 11);
    intq_rx_close(&rx);
    return 0;
}
