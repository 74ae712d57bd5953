/* SPDX-License-Identifier: MIT */
/*
 * test_wait.c - every call that waits, ended by its deadline, a cancel and a drain; and the
 * socket works afterwards.
 */
#include "config.h"

#include <errno.h>

#include "io/sock-kit.h"
#include "sched/wait.h"

static tr_sock a, b;
static char text[64];

TR_SUITE(wait);

/* One call that has to wait, on a fresh pair of sockets. */
static struct call_job make_waiting(enum call call)
{
    char address[32];
    struct call_job j = { .call = call, .s = &a, .deadline = TR_NEVER, .buf = text, .n = 10 };

    if (call == ACCEPT)
        a = listen_here(address);
    else
        check_eq(tr_sock_pair(&a, &b), 0);
    if (call == WRITE)
        (void)fill(&a);
    return j;
}

static enum tri_fd_dir side_of(enum call call)
{
    return call == WRITE ? TRI_FD_OUT : TRI_FD_IN;
}

static void close_both(void)
{
    tr_sock_close(&a);
    tr_sock_close(&b);
}

ACTOR_TEST(wait, deadline_ends_each_call)
{
    for (enum call c = READ; c <= FINISH; c++) {
        struct call_job j = make_waiting(c);

        j.deadline = tr_after(TR_MS(3));
        check_eq(call_now(&j), -ETIMEDOUT);
        check_ge(tr_now(), j.deadline, "not early");
        j.deadline = TR_NOW;
        check_eq(call_now(&j), c == FINISH ? -EINVAL : -ETIMEDOUT);
        close_both();
    }
}

ACTOR_TEST(wait, cancel_ends_each_call)
{
    for (enum call c = READ; c <= FINISH; c++) {
        tr_scope scope TR_CLEANUP(tr_scope_end) = tr_scope_open(NULL);
        struct call_job j = make_waiting(c);

        start_call(&scope, &j);
        until_waits(&a, side_of(c));
        tr_scope_cancel(&scope);
        check_eq(tr_scope_join(&scope, TR_NEVER), 0);
        check_eq(j.result, -ECANCELED);
        close_both();
    }
}

ACTOR_TEST(wait, drain_ends_calls_that_said_so)
{
    for (enum call c = READ; c <= FINISH; c++) {
        tr_scope scope TR_CLEANUP(tr_scope_end) = tr_scope_open(NULL);
        struct call_job j = make_waiting(c);

        j.deadline = tr_until_drain(tr_after(TR_S(5)));
        start_call(&scope, &j);
        until_waits(&a, side_of(c));
        check_eq(tr_scope_drain(&scope, tr_after(TR_S(5))), 0);
        check_eq(j.result, -ESHUTDOWN);
        close_both();
    }
}

ACTOR_TEST(wait, drain_does_not_touch_the_others)
{
    tr_scope scope TR_CLEANUP(tr_scope_end) = tr_scope_open(NULL);
    struct call_job j = make_waiting(READ);

    start_call(&scope, &j);
    until_waits(&a, TRI_FD_IN);
    check_eq(tr_scope_drain(&scope, tr_after(TR_MS(5))), -ETIMEDOUT, "it had to be cancelled");
    check_eq(j.result, -ECANCELED);
    close_both();
}

/* What is ready wins over a deadline that has passed. */
ACTOR_TEST(wait, data_that_is_there_wins_over_the_deadline)
{
    struct call_job j = make_waiting(READ);

    check_eq(tr_write(&b, "0123456789", 10, TR_NOW), 10);
    j.deadline = TR_NOW;
    check_eq(call_now(&j), 10);
    close_both();
}

ACTOR_TEST(wait, socket_works_after_each_failed_wait)
{
    struct call_job j = make_waiting(READ_LINE);

    j.n = sizeof text;
    check_eq(tr_write(&b, "ab", 2, TR_NEVER), 2);
    j.deadline = tr_after(TR_MS(2));
    check_eq(call_now(&j), -ETIMEDOUT);
    check_eq(tr_write(&b, "c\n", 2, TR_NEVER), 2);
    j.deadline = TR_NEVER;
    check_eq(call_now(&j), 4);
    check_str(text, "abc\n");
    close_both();
}

ACTOR_TEST(wait, write_that_timed_out_tells_what_was_taken)
{
    static char block[3 << 20], sink[65536];
    size_t done = 0, got = 0;
    ssize_t n;

    need_eq(tr_sock_pair(&a, &b), 0);
    check_eq(tr_write_done(&a, block, sizeof block, tr_after(TR_MS(5)), &done), -ETIMEDOUT);
    check_gt(done, 0u);
    check_lt(done, sizeof block);
    while ((n = tr_try_read(&b, sink, sizeof sink)) > 0)
        got += (size_t)n;
    check_eq(got, done, "the peer has got what was told");
    close_both();
}

/* ---- a cancelled task ---- */

struct late_reader {
    ssize_t *result;
};
TR_TASK(late_reader, struct late_reader, tr_nodrop);

/* Is cancelled while it waits for a connection, and then finds data on another socket. */
static int late_reader(struct late_reader *l)
{
    char c;

    (void)tr_sleep(TR_NEVER);
    l->result[0] = tr_read(&a, &c, 1, TR_NEVER);
    l->result[1] = tr_read_line(&a, text, sizeof text, TR_NEVER);
    l->result[2] = tr_write(&a, "x", 1, TR_NEVER);
    l->result[3] = tr_try_read(&a, &c, 1);
    return 0;
}

ACTOR_TEST(wait, cancelled_task_is_told_at_once_even_if_data_is_there)
{
    ssize_t result[4] = { 0 };
    tr_scope scope TR_CLEANUP(tr_scope_end) = tr_scope_open(NULL);

    need_eq(tr_sock_pair(&a, &b), 0);
    check_eq(tr_write(&b, "z\n", 2, TR_NEVER), 2);
    check_eq(late_reader_spawn(&scope, &(struct late_reader){ result }, NULL), 0);
    check_eq(tr_yield(), 0);
    tr_scope_cancel(&scope);
    check_eq(tr_scope_join(&scope, TR_NEVER), 0);
    check(result[0] == -ECANCELED || result[0] == 0, "0: it never started");
    if (result[0] != 0) {
        check_eq(result[1], -ECANCELED);
        check_eq(result[2], -ECANCELED);
        check_eq(result[3], 1, "a try form does not wait");
    }
    close_both();
}

/* ---- arms ---- */

static int wait_arm(tr_arm arm, tr_time deadline)
{
    int r = tri_wait(&arm, deadline);

    return r < 0 ? r : arm.result == 0 ? 1 : arm.result;
}

ACTOR_TEST(wait, fresh_pair_is_writable_and_not_readable)
{
    need_eq(tr_sock_pair(&a, &b), 0);
    check_eq(wait_arm(tr_writable_arm(&a), TR_NOW), 1);
    check_eq(wait_arm(tr_readable_arm(&a), TR_NOW), -ETIMEDOUT);
    check_eq(wait_arm(tr_readable_arm(&a), tr_after(TR_MS(2))), -ETIMEDOUT);
    (void)fill(&a);
    check_eq(wait_arm(tr_writable_arm(&a), TR_NOW), -ETIMEDOUT);
    check_eq(wait_arm(tr_readable_arm(&b), TR_NOW), 1);
    check_eq(wait_arm(tr_readable_arm(&b), TR_NEVER), 1, "nothing was consumed");
    close_both();
}

ACTOR_TEST(wait, readable_means_that_a_read_does_not_wait)
{
    char line[8];

    need_eq(tr_sock_pair(&a, &b), 0);
    check_eq(tr_write(&b, "1\n2\n", 4, TR_NEVER), 4);
    check_eq(tr_read_line(&a, line, sizeof line, TR_NEVER), 2);
    check_eq(wait_arm(tr_readable_arm(&a), TR_NOW), 1, "a line was read ahead");
    check_eq(tr_read_line(&a, line, sizeof line, TR_NEVER), 2);
    check_eq(wait_arm(tr_readable_arm(&a), TR_NOW), -ETIMEDOUT);
    tr_sock_close(&b);
    check_eq(wait_arm(tr_readable_arm(&a), tr_after(TR_S(5))), 1, "the end is readable");
    tr_sock_close(&a);
}

ACTOR_TEST(wait, readable_listener_has_a_connection)
{
    char address[32];
    tr_sock c = { NULL }, s = { NULL };

    a = listen_here(address);
    check_eq(wait_arm(tr_readable_arm(&a), TR_NOW), -ETIMEDOUT);
    check_eq(tr_tcp_connect(address, TR_NEVER, &c), 0);
    check_eq(wait_arm(tr_readable_arm(&a), tr_after(TR_S(5))), 1);
    check_eq(tr_try_accept(&a, &s), 0);
    check_eq(wait_arm(tr_readable_arm(&a), TR_NOW), -ETIMEDOUT);
    tr_sock_close(&s);
    tr_sock_close(&c);
    tr_sock_close(&a);
}

ACTOR_TEST(wait, arm_of_a_busy_side_is_ready_and_says_so)
{
    struct call_job j = make_waiting(READ);

    start_call(root, &j);
    until_waits(&a, TRI_FD_IN);
    check_eq(wait_arm(tr_readable_arm(&a), TR_NEVER), -EBUSY);
    check_eq(wait_arm(tr_writable_arm(&a), TR_NEVER), 1);
    tr_sock_close(&b);
    check_eq(tr_scope_join(root, TR_NEVER), 0);
    check_eq(j.result, 0);
    close_both();
}

static const struct tr_stream_ops no_ops = { NULL, NULL, NULL, NULL };

ACTOR_TEST(wait, arm_of_a_custom_stream_is_refused)
{
    need_eq(tr_sock_custom(&no_ops, NULL, &a), 0);
    check_eq(wait_arm(tr_readable_arm(&a), TR_NEVER), -EOPNOTSUPP);
    check_eq(wait_arm(tr_writable_arm(&a), TR_NEVER), -EOPNOTSUPP);
    tr_sock_close(&a);
}
