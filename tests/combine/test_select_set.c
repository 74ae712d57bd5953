/* SPDX-License-Identifier: MIT */
/*
 * test_select_set.c - arms that stay registered: which one, in what order, and who leaves when.
 */
#include "config.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "chan/step.h"
#include "mem/alloc.h"
#include "support/tr-actor-test.h"

TR_SUITE(select_set, .races = true, .timeout = 30);

TR_MPSC(numq, unsigned, tr_nodrop);
TR_ONESHOT(num, unsigned, tr_nodrop);

enum { MANY = 200 };

struct chan {
    numq_tx tx;
    numq_rx rx;
    unsigned got;
    uint64_t key;
};

static void chan_open(struct chan *c, size_t capacity)
{
    *c = (struct chan){ .got = 0 };
    check_eq(numq_new(capacity, &c->tx, &c->rx), 0);
}

static void chan_close(struct chan *c)
{
    numq_tx_close(&c->tx);
    numq_rx_close(&c->rx);
}

static tr_select_set set_new(void)
{
    tr_select_set set = { NULL };

    check_eq(tr_select_set_new(&set), 0);
    return set;
}

static void add(tr_select_set *set, struct chan *c, unsigned flags)
{
    tr_arm arm = numq_recv_arm(&c->rx, &c->got);

    check_eq(tr_select_set_add(set, &arm, flags, c, &c->key), 0);
}

static void put(struct chan *c, unsigned v)
{
    check_eq(numq_try_send(&c->tx, &v), 0);
}

/* ---- misuse ---- */

TR_TEST(select_set, an_empty_set_and_null_are_refused)
{
    tr_select_set none = { NULL };
    struct tr_selected got;
    tr_arm arm = { .ops = NULL };

    check_eq(tr_select_set_new(NULL), -EINVAL);
    check_eq(tr_select_set_wait(&none, TR_NOW, &got), -EINVAL);
    check_eq(tr_select_set_add(&none, &arm, 0, NULL, NULL), -EINVAL);
    check_eq(tr_select_set_remove(&none, 1), -ENOENT);
    check_eq(tr_select_set_change(&none, 1, &arm), -ENOENT);
    check_eq(tr_select_set_len(&none), 0);
    tr_select_set_close(&none);
    tr_select_set_close(NULL);
}

TR_TEST(select_set, a_wait_outside_of_a_task_is_refused)
{
    tr_select_set set = set_new();
    struct tr_selected got;

    check_eq(tr_select_set_wait(&set, TR_NOW, &got), -EPERM);
    tr_select_set_close(&set);
}

STEP_TEST(select_set, nothing_enabled_is_misuse)
{
    tr_select_set set TR_CLEANUP(tr_select_set_close) = set_new();
    struct tr_selected got;
    tr_arm off = { .ops = NULL };
    uint64_t key;

    check_eq(tr_select_set_wait(&set, TR_NEVER, &got), -EINVAL);
    check_eq(tr_select_set_add(&set, &off, 0, NULL, &key), 0);
    check_eq(tr_select_set_add(&set, &off, 8, NULL, NULL), -EINVAL);
    check_eq(tr_select_set_wait(&set, TR_NEVER, &got), -EINVAL);
    check_eq(tr_select_set_len(&set), 1);
    check_eq(tr_select_set_remove(&set, key), 0);
    check_eq(tr_select_set_remove(&set, key), -ENOENT, "a stale key");
    check_eq(tr_select_set_len(&set), 0);
}

/* ---- ready ---- */

STEP_TEST(select_set, what_is_ready_is_performed_and_told_with_its_data)
{
    tr_select_set set TR_CLEANUP(tr_select_set_close) = set_new();
    struct tr_selected got;
    struct chan a, b;

    chan_open(&a, 4);
    chan_open(&b, 4);
    add(&set, &a, 0);
    add(&set, &b, 0);
    put(&b, 5);
    check_eq(tr_select_set_wait(&set, TR_NEVER, &got), 0);
    check_eq(got.key, b.key);
    check_eq(got.data, &b);
    check_eq(got.result, 0);
    check_eq(b.got, 5);
    check_eq(tr_select_set_wait(&set, TR_NOW, &got), -ETIMEDOUT, "it was consumed");
    check_eq(tr_select_set_remove(&set, a.key), 0);
    tr_select_set_close(&set);
    chan_close(&a);
    chan_close(&b);
}

STEP_TEST(select_set, ready_arms_take_turns_and_first_ones_go_first)
{
    tr_select_set set TR_CLEANUP(tr_select_set_close) = set_new();
    struct tr_selected got;
    struct chan c[3], urgent;

    chan_open(&urgent, 64);
    for (unsigned i = 0; i < 3; i++) {
        chan_open(&c[i], 64);
        add(&set, &c[i], 0);
        for (unsigned k = 0; k < 10; k++)
            put(&c[i], k);
    }
    for (unsigned k = 0; k < 30; k++) {
        need_eq(tr_select_set_wait(&set, TR_NOW, &got), 0);
        check_eq(got.data, &c[k % 3], "in turn");
    }
    add(&set, &urgent, TR_SELECT_FIRST);
    put(&c[0], 1);
    put(&urgent, 1);
    check_eq(tr_select_set_wait(&set, TR_NOW, &got), 0);
    check_eq(got.data, &urgent);
    check_eq(tr_select_set_wait(&set, TR_NOW, &got), 0);
    check_eq(got.data, &c[0]);
    tr_select_set_close(&set);
    for (unsigned i = 0; i < 3; i++)
        chan_close(&c[i]);
    chan_close(&urgent);
}

STEP_TEST(select_set, a_closed_source_is_ready_until_it_is_removed)
{
    tr_select_set set TR_CLEANUP(tr_select_set_close) = set_new();
    struct tr_selected got;
    struct chan c;

    chan_open(&c, 4);
    add(&set, &c, 0);
    check_eq(tr_select_set_wait(&set, TR_NOW, &got), -ETIMEDOUT);
    numq_tx_close(&c.tx);
    for (unsigned i = 0; i < 3; i++) {
        check_eq(tr_select_set_wait(&set, TR_NEVER, &got), 0);
        check_eq(got.result, -EPIPE);
    }
    check_eq(tr_select_set_remove(&set, c.key), 0);
    check_eq(tr_select_set_wait(&set, TR_NEVER, &got), -EINVAL);
    tr_select_set_close(&set);
    chan_close(&c);
}

/* In virtual time: of two that have passed either may be told first. */
static int deadlines(tr_scope *root, void *arg)
{
    tr_select_set set TR_CLEANUP(tr_select_set_close) = set_new();
    tr_time start = tr_now();
    struct tr_selected got;
    uint64_t key[3];

    (void)root;
    (void)arg;
    for (unsigned i = 0; i < 3; i++) {
        tr_arm arm = tr_deadline_arm(start + TR_MS(3 * (3 - i)));

        check_eq(tr_select_set_add(&set, &arm, 0, NULL, &key[i]), 0);
    }
    for (unsigned i = 3; i-- > 0;) {
        check_eq(tr_select_set_wait(&set, TR_NEVER, &got), 0);
        check_eq(got.key, key[i]);
        check_eq(tr_now() - start, TR_MS(3 * (3 - i)));
    }
    check_eq(tr_select_set_wait(&set, TR_NEVER, &got), -EINVAL, "all of them are off");
    check_eq(tr_select_set_change(&set, key[1], &(tr_arm[]){ tr_deadline_arm(TR_NOW) }[0]), 0);
    check_eq(tr_select_set_wait(&set, TR_NEVER, &got), 0);
    check_eq(got.key, key[1]);
    return 0;
}

TR_TEST(select_set, a_deadline_is_told_once_and_in_order)
{
    const struct tr_runtime_opts opts = { .simulate = true, .seed = test_seed() };

    check_eq(tr_run_with(&opts, deadlines, NULL), 0);
}

STEP_TEST(select_set, the_deadline_of_the_call_is_not_that_of_an_arm)
{
    tr_select_set set TR_CLEANUP(tr_select_set_close) = set_new();
    struct tr_selected got;
    tr_arm late = tr_deadline_arm(tr_after(TR_S(100)));

    check_eq(tr_select_set_add(&set, &late, 0, NULL, NULL), 0);
    check_eq(tr_select_set_wait(&set, tr_after(TR_MS(2)), &got), -ETIMEDOUT);
}

STEP_TEST(select_set, an_arm_can_be_off_and_on_again)
{
    tr_select_set set TR_CLEANUP(tr_select_set_close) = set_new();
    tr_arm off = { .ops = NULL }, on;
    struct tr_selected got;
    struct chan a, b;

    chan_open(&a, 4);
    chan_open(&b, 4);
    add(&set, &a, 0);
    add(&set, &b, 0);
    on = numq_recv_arm(&a.rx, &a.got);
    check_eq(tr_select_set_wait(&set, TR_NOW, &got), -ETIMEDOUT, "both are registered");
    put(&a, 1);
    check_eq(tr_select_set_change(&set, a.key, &off), 0);
    check_eq(tr_select_set_wait(&set, TR_NOW, &got), -ETIMEDOUT);
    check_eq(tr_select_set_change(&set, a.key, &on), 0);
    check_eq(tr_select_set_wait(&set, TR_NOW, &got), 0);
    check_eq(got.key, a.key);
    tr_select_set_close(&set);
    chan_close(&a);
    chan_close(&b);
}

/* ---- woken ---- */

struct sender {
    struct chan *c;
    unsigned n, n_chan;
};
TR_TASK(sender, struct sender, tr_nodrop);

static int sender(struct sender *s)
{
    uint64_t x = 88172645463325252u;

    for (unsigned i = 0; i < s->n; i++) {
        unsigned v = i + 1;
        int r;

        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        r = numq_send(&s->c[x % s->n_chan].tx, &v, TR_NEVER);
        if (r < 0)
            return r;
    }
    return 0;
}

static unsigned receive(tr_select_set *set, unsigned n)
{
    struct tr_selected got;
    unsigned sum = 0;

    for (unsigned i = 0; i < n; i++) {
        if (tr_select_set_wait(set, tr_after(TR_S(20)), &got) != 0 || got.result != 0)
            return 0;
        sum += ((struct chan *)got.data)->got;
    }
    return sum;
}

STEP_TEST(select_set, a_parked_task_is_woken_by_whichever_source)
{
    tr_select_set set TR_CLEANUP(tr_select_set_close) = set_new();
    static struct chan c[MANY]; /* no room for them on the stack with a sanitizer */
    struct sender s = { c, 5000, MANY };
    tr_task t TR_CLEANUP(tr_task_close) = { NULL };

    for (unsigned i = 0; i < MANY; i++) {
        chan_open(&c[i], 1);
        add(&set, &c[i], 0);
    }
    need_eq(sender_spawn(root, &s, &(struct tr_task_opts){ .ret_task = &t }), 0);
    check_eq(receive(&set, 5000), 5000u * 5001 / 2);
    check_eq(tr_task_join(&t, TR_NEVER, NULL), 0); /* it uses the ends */
    check_eq(tr_select_set_len(&set), MANY);
    tr_select_set_close(&set);
    for (unsigned i = 0; i < MANY; i++)
        chan_close(&c[i]);
}

/* From plain threads, which push to woken while the task parks. */
static void *blocking_sender(void *arg)
{
    struct sender *s = arg;

    for (unsigned i = 0; i < s->n; i++) {
        unsigned v = i + 1;

        if (numq_blocking_send(&s->c[i % s->n_chan].tx, &v, TR_NEVER) != 0)
            abort();
    }
    return NULL;
}

STEP_TEST(select_set, threads_wake_it_and_nothing_is_lost)
{
    enum { THREADS = 3, EACH = 3000 };
    tr_select_set set TR_CLEANUP(tr_select_set_close) = set_new();
    struct chan c[THREADS][4];
    struct sender s[THREADS];
    pthread_t thread[THREADS];

    for (unsigned t = 0; t < THREADS; t++) {
        for (unsigned i = 0; i < 4; i++) {
            chan_open(&c[t][i], 2);
            add(&set, &c[t][i], 0);
        }
        s[t] = (struct sender){ c[t], EACH, 4 };
        need_eq(pthread_create(&thread[t], NULL, blocking_sender, &s[t]), 0);
    }
    check_eq(receive(&set, THREADS * EACH), THREADS * EACH * (EACH + 1u) / 2);
    for (unsigned t = 0; t < THREADS; t++)
        pthread_join(thread[t], NULL);
    tr_select_set_close(&set);
    for (unsigned t = 0; t < THREADS; t++)
        for (unsigned i = 0; i < 4; i++)
            chan_close(&c[t][i]);
}

STEP_TEST(select_set, members_leave_while_threads_wake_them)
{
    enum { EACH = 2000 };
    tr_select_set set TR_CLEANUP(tr_select_set_close) = set_new();
    struct tr_selected got;
    struct chan c[4];
    struct sender s = { c, EACH, 4 };
    pthread_t thread;
    unsigned n = 0, turn = 0;

    for (unsigned i = 0; i < 4; i++) {
        chan_open(&c[i], 2);
        add(&set, &c[i], 0);
    }
    need_eq(pthread_create(&thread, NULL, blocking_sender, &s), 0);
    while (n < EACH) {
        struct chan *x = &c[turn++ % 4];
        int r = tr_select_set_wait(&set, tr_after(TR_US(turn % 3 * 20)), &got);

        n += r == 0 && got.result == 0;
        need(r == 0 || r == -ETIMEDOUT);
        need_eq(tr_select_set_remove(&set, x->key), 0); /* perhaps on its way to woken */
        add(&set, x, turn % 8 == 0 ? TR_SELECT_FIRST : 0);
    }
    pthread_join(thread, NULL);
    check_eq(tr_select_set_wait(&set, TR_NOW, &got), -ETIMEDOUT);
    tr_select_set_close(&set);
    for (unsigned i = 0; i < 4; i++)
        chan_close(&c[i]);
}

struct mover {
    tr_select_set *set;
    struct chan *c;
    unsigned sum;
};
TR_TASK(mover, struct mover *, tr_nodrop);

static int mover(struct mover **m)
{
    (*m)->sum = receive((*m)->set, 1);
    return (*m)->sum ? 0 : -EBADMSG;
}

STEP_TEST(select_set, another_task_may_go_on_with_it)
{
    tr_select_set set TR_CLEANUP(tr_select_set_close) = set_new();
    struct tr_selected got;
    struct chan c;
    struct mover m = { &set, &c, 0 }, *arg = &m;
    tr_task t TR_CLEANUP(tr_task_close) = { NULL };

    chan_open(&c, 4);
    add(&set, &c, 0);
    check_eq(tr_select_set_wait(&set, tr_after(TR_MS(1)), &got), -ETIMEDOUT);
    need_eq(mover_spawn(root, &arg, &(struct tr_task_opts){ .ret_task = &t }), 0);
    (void)tr_yield();
    put(&c, 9);
    check_eq(tr_task_join(&t, TR_NEVER, NULL), 0);
    check_eq(m.sum, 9);
    tr_select_set_close(&set);
    chan_close(&c);
}

/* ---- cancel and senders ---- */

TR_TASK(waiter, struct mover *, tr_nodrop);

static int waiter(struct mover **m)
{
    struct tr_selected got;

    return tr_select_set_wait((*m)->set, TR_NEVER, &got);
}

STEP_TEST(select_set, a_cancel_ends_the_wait_and_loses_nothing)
{
    tr_select_set set TR_CLEANUP(tr_select_set_close) = set_new();
    struct tr_selected got;
    struct chan c;
    struct mover m = { &set, &c, 0 }, *arg = &m;
    tr_task t TR_CLEANUP(tr_task_close) = { NULL };
    int result = 0;

    chan_open(&c, 4);
    add(&set, &c, 0);
    need_eq(waiter_spawn(root, &arg, &(struct tr_task_opts){ .ret_task = &t }), 0);
    for (unsigned i = 0; i < 5; i++)
        (void)tr_yield();
    tr_task_abort(&t);
    check_eq(tr_task_join(&t, TR_NEVER, &result), 0);
    check_eq(result, -ECANCELED);
    put(&c, 3);
    check_eq(tr_select_set_wait(&set, TR_NOW, &got), 0);
    check_eq(c.got, 3);
    tr_select_set_close(&set);
    chan_close(&c);
}

STEP_TEST(select_set, a_waiting_send_keeps_its_place_in_the_line)
{
    tr_select_set set TR_CLEANUP(tr_select_set_close) = set_new();
    struct tr_selected got;
    unsigned v = 1, ours = 2, out;
    struct chan c;
    tr_arm arm;
    uint64_t key;

    chan_open(&c, 1);
    put(&c, v);
    arm = numq_send_arm(&c.tx, &ours);
    check_eq(tr_select_set_add(&set, &arm, 0, NULL, &key), 0);
    check_eq(tr_select_set_wait(&set, TR_NOW, &got), -ETIMEDOUT, "in line");
    check_eq(numq_try_recv(&c.rx, &out), 0);
    v = 3;
    check_eq(numq_try_send(&c.tx, &v), -EAGAIN, "nobody overtakes");
    check_eq(tr_select_set_wait(&set, TR_NOW, &got), 0);
    check_eq(got.key, key);
    check_eq(ours, 0, "moved");
    check_eq(tr_select_set_remove(&set, key), 0);
    check_eq(numq_try_recv(&c.rx, &out), 0);
    check_eq(out, 2);
    tr_select_set_close(&set);
    chan_close(&c);
}
