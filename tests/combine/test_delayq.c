/* SPDX-License-Identifier: MIT */
/*
 * test_delayq.c - values that become due: their order, what moves and removes them, who is
 * woken.
 */
#include "config.h"

#include <pthread.h>

#include "mem/alloc.h"
#include "sched/kit.h"

TR_SUITE(delayq, .races = true, .init = kit_listen, .timeout = 30);

static atomic_uint n_dropped;

struct item {
    unsigned n; /* 0: empty */
};

static void item_drop(struct item *m)
{
    atomic_fetch_add(&n_dropped, m->n != 0);
}

TR_DELAYQ(timeq, struct item, item_drop);
TR_ONESHOT(slot, struct item, item_drop);

static timeq queue(void)
{
    timeq q = { { NULL } };

    check_eq(timeq_new(&q), 0);
    return q;
}

static tr_delay_key put(timeq *q, unsigned n, tr_time when)
{
    struct item m = { n };
    tr_delay_key key = 0;

    check_eq(timeq_insert(q, &m, when, &key), 0);
    check_eq(m.n, 0, "it was moved");
    check_ne(key, 0);
    return key;
}

/* The next value is @n and comes at @when. */
static void expect(timeq *q, unsigned n, tr_time when)
{
    struct item m = { 0 };

    check_eq(timeq_next(q, TR_NEVER, &m), 0);
    check_eq(m.n, n);
    check_eq(tr_now(), when);
}

/* Nothing is due. */
static void expect_none(timeq *q)
{
    struct item m = { 0 };

    check_eq(timeq_try_next(q, &m), -EAGAIN);
}

/* ---- a task that takes one value ---- */

struct taker {
    timeq *q;
    tr_time deadline;
    struct item *ret;
    tr_time *ret_at;
};
TR_TASK(taker, struct taker, tr_nodrop);

static int taker(struct taker *t)
{
    int r = timeq_next(t->q, t->deadline, t->ret);

    *t->ret_at = tr_now();
    return r;
}

/* Starts one and waits until it is parked. */
static tr_task start_taker(tr_scope *s, timeq *q, struct item *ret, tr_time *ret_at)
{
    struct taker t = { q, TR_UNTIL_DRAIN, ret, ret_at };
    tr_task h = { NULL };

    check_eq(taker_spawn(s, &t, &(struct tr_task_opts){ .ret_task = &h }), 0);
    while (h.rec && !is_parked(&h))
        (void)tr_yield();
    return h;
}

static int join(tr_task *t)
{
    int r = -1;

    check_eq(tr_task_join(t, TR_NEVER, &r), 0);
    return r;
}

/* ---- misuse, memory ---- */

TR_TEST(delayq, an_empty_handle_is_misuse)
{
    timeq q = { { NULL } };
    struct item m = { 1 };
    tr_arm arm = timeq_next_arm(&q, &m);

    check_eq(timeq_insert(&q, &m, TR_NOW, NULL), -EINVAL);
    check_eq(m.n, 1, "it stays with the caller");
    check_eq(timeq_reset(&q, 1, TR_NOW), -EINVAL);
    check_eq(timeq_remove(&q, 1, NULL), -EINVAL);
    check_eq(timeq_peek(&q, NULL, NULL), -EINVAL);
    check_eq(timeq_next(&q, TR_NOW, &m), -EINVAL);
    check_eq(timeq_try_next(&q, &m), -EINVAL);
    check_eq(timeq_blocking_next(&q, TR_NOW, &m), -EINVAL);
    check_eq(timeq_len(&q), 0);
    check(!arm.ops);
    arm = timeq_next_arm(NULL, &m);
    check(!arm.ops);
    timeq_clear(&q);
    timeq_free(&q);
    check_eq(tr_delayq_new(NULL, &q.q), -EINVAL);
}

TR_TEST(delayq, without_memory_a_value_stays_with_the_caller)
{
    timeq q = { { NULL } };
    struct item m = { 7 };

    tri_mem_fail_at(1);
    check_eq(timeq_new(&q), -ENOMEM);
    check(!q.q.impl);
    q = queue();
    for (unsigned n = 0; n < 32 + 64; n++) {
        m.n = 7;
        if (n % 32 == 0 && n != 64) { /* a block of 32, and then one of 64 */
            tri_mem_fail_at(1);
            check_eq(timeq_insert(&q, &m, TR_NEVER, NULL), -ENOMEM);
            check_eq(m.n, 7);
        }
        need_eq(timeq_insert(&q, &m, TR_NEVER, NULL), 0);
    }
    check_eq(timeq_len(&q), 96);
    timeq_free(&q);
    check_eq(n_dropped, 96);
    timeq_free(&q);
    check_eq(n_dropped, 96);
}

TR_TEST(delayq, next_is_refused_outside_of_a_task)
{
    timeq q TR_CLEANUP(timeq_free) = queue();
    struct item m;

    check_eq(timeq_next(&q, TR_NEVER, &m), -EPERM);
    check_eq(timeq_next(&q, TR_NEVER, NULL), -EINVAL);
    check_eq(timeq_try_next(&q, NULL), -EINVAL);
    check_eq(timeq_insert(&q, NULL, TR_NOW, NULL), -EINVAL);
}

/* ---- order ---- */

VIRTUAL_TEST(delayq, values_come_in_the_order_of_their_instants_and_never_early)
{
    timeq q TR_CLEANUP(timeq_free) = queue();
    tr_time born = tr_now();
    static const unsigned ms[] = { 500, 3, 70000, 4, 3600000, 1, 250, 2 };
    static const unsigned sorted[] = { 1, 2, 3, 4, 250, 500, 70000, 3600000 };

    for (unsigned i = 0; i < TR_LEN(ms); i++)
        (void)put(&q, ms[i], born + TR_MS(ms[i]));
    check_eq(timeq_len(&q), TR_LEN(ms));
    for (unsigned i = 0; i < TR_LEN(sorted); i++) {
        expect_none(&q);
        expect(&q, sorted[i], born + TR_MS(sorted[i]));
    }
    check_eq(timeq_len(&q), 0);
}

VIRTUAL_TEST(delayq, values_that_are_due_together_come_in_the_order_of_insertion)
{
    timeq q TR_CLEANUP(timeq_free) = queue();
    tr_time when = tr_after(TR_S(100));

    for (unsigned n = 1; n <= 100; n++)
        (void)put(&q, n, when);
    for (unsigned n = 1; n <= 100; n++)
        expect(&q, n, when);
}

VIRTUAL_TEST(delayq, a_thousand_instants_at_random_come_sorted)
{
    timeq q TR_CLEANUP(timeq_free) = queue();
    uint64_t x = test_seed() | 1;
    tr_time last = 0, when = 0;
    struct item m;

    for (unsigned n = 1; n <= 1000; n++) {
        x ^= x << 13, x ^= x >> 7, x ^= x << 17;
        (void)put(&q, n, tr_after((tr_time)(x >> (20 + x % 30))));
    }
    for (unsigned n = 0; n < 1000; n++) {
        need_eq(timeq_peek(&q, &when, NULL), 0);
        need_eq(timeq_next(&q, TR_NEVER, &m), 0);
        check_ge(when, last - TR_US(33), "sorted but for those of one tick of the wheel");
        check_eq(tr_now() >= when, 1);
        last = when;
    }
}

VIRTUAL_TEST(delayq, an_instant_far_away_or_in_the_past_is_fine)
{
    timeq q TR_CLEANUP(timeq_free) = queue();
    const tr_time year = TR_S(86400) * 365;
    tr_time born = tr_now();
    struct item m;

    (void)put(&q, 4, TR_NEVER);
    (void)put(&q, 3, born + 100 * year);
    (void)put(&q, 1, -5);
    (void)put(&q, 2, born - 1);
    expect(&q, 1, born);
    expect(&q, 2, born);
    expect(&q, 3, born + 100 * year);
    check_eq(timeq_next(&q, tr_after(year), &m), -ETIMEDOUT);
    check_eq(timeq_len(&q), 1);
}

/* ---- peek, reset, remove, clear ---- */

VIRTUAL_TEST(delayq, peek_names_the_one_that_comes_next)
{
    timeq q TR_CLEANUP(timeq_free) = queue();
    tr_time born = tr_now(), when = 0;
    tr_delay_key a, b, key = 0;

    check_eq(timeq_peek(&q, &when, &key), -EAGAIN);
    a = put(&q, 1, born + TR_S(9000)); /* one bucket of a higher level, not sorted */
    b = put(&q, 2, born + TR_S(8999));
    check_eq(timeq_peek(&q, &when, &key), 0);
    check_eq(key, b);
    check_eq(when, born + TR_S(8999));
    check_eq(timeq_remove(&q, b, NULL), 0);
    check_eq(timeq_peek(&q, NULL, &key), 0);
    check_eq(key, a);
    check_eq(tr_sleep(born + TR_S(9001)), 0);
    check_eq(timeq_peek(&q, &when, NULL), 0, "due, and not taken");
    check_eq(when, born + TR_S(9000));
}

VIRTUAL_TEST(delayq, reset_moves_a_value_earlier_later_and_back_from_being_due)
{
    timeq q TR_CLEANUP(timeq_free) = queue();
    tr_time born = tr_now();
    tr_delay_key a = put(&q, 1, born + TR_MS(10)), b = put(&q, 2, born + TR_MS(20));

    check_eq(timeq_reset(&q, b, born + TR_MS(5)), 0);
    expect(&q, 2, born + TR_MS(5));
    check_eq(timeq_reset(&q, a, TR_NOW), 0);
    for (int i = 0; i < 3; i++) {
        check_eq(timeq_peek(&q, NULL, NULL), 0); /* moves it to those that are due */
        check_eq(timeq_reset(&q, a, tr_after(TR_MS(10))), 0);
        expect_none(&q);
        check_eq(timeq_reset(&q, a, born), 0);
    }
    check_eq(timeq_reset(&q, a, tr_until_drain(born + TR_MS(50))), 0);
    expect(&q, 1, born + TR_MS(50));
    check_eq(timeq_reset(&q, a, TR_NOW), -ENOENT);
}

VIRTUAL_TEST(delayq, remove_takes_a_value_waiting_or_due)
{
    timeq q TR_CLEANUP(timeq_free) = queue();
    tr_time born = tr_now();
    tr_delay_key far = put(&q, 1, born + TR_S(100)), soon = put(&q, 2, born + TR_US(1)),
                 now = put(&q, 3, TR_NOW), due_1 = put(&q, 4, TR_NOW), due_2 = put(&q, 5, TR_NOW);
    struct item m = { 0 };

    check_eq(timeq_peek(&q, NULL, NULL), 0); /* moves three of them to those that are due */
    check_eq(timeq_remove(&q, far, &m), 0);
    check_eq(m.n, 1);
    check_eq(timeq_remove(&q, soon, &m), 0);
    check_eq(m.n, 2);
    check_eq(timeq_remove(&q, due_1, &m), 0);
    check_eq(m.n, 4);
    check_eq(n_dropped, 0);
    check_eq(timeq_remove(&q, now, NULL), 0);
    check_eq(n_dropped, 1, "nobody wanted it");
    check_eq(timeq_remove(&q, now, NULL), -ENOENT);
    check_eq(n_dropped, 1);
    check_eq(timeq_len(&q), 1);
    expect(&q, 5, born);
    check_eq(timeq_remove(&q, due_2, &m), -ENOENT);
    check_eq(m.n, 4, "a failed call leaves it alone");
}

VIRTUAL_TEST(delayq, a_stale_key_never_names_another_value)
{
    timeq q TR_CLEANUP(timeq_free) = queue();
    tr_delay_key first = put(&q, 1, TR_NEVER), key;

    check_eq(timeq_remove(&q, first, NULL), 0);
    for (unsigned i = 0; i < 1000; i++) {
        key = put(&q, 2, TR_NEVER);
        check_ne(key, first);
        check_eq((uint32_t)key, (uint32_t)first, "the same place");
        check_eq(timeq_remove(&q, first, NULL), -ENOENT);
        check_eq(timeq_reset(&q, first, TR_NOW), -ENOENT);
        check_eq(timeq_remove(&q, key, NULL), 0);
    }
    check_eq(timeq_remove(&q, 0, NULL), -ENOENT);
    check_eq(timeq_remove(&q, UINT64_MAX, NULL), -ENOENT);
    check_eq(timeq_remove(&q, 1, NULL), -ENOENT);
}

VIRTUAL_TEST(delayq, clear_drops_all_and_the_queue_goes_on)
{
    timeq q TR_CLEANUP(timeq_free) = queue();
    tr_delay_key key = put(&q, 1, TR_NOW);

    check_eq(timeq_peek(&q, NULL, NULL), 0);
    for (unsigned n = 2; n <= 500; n++)
        (void)put(&q, n, tr_after(TR_MS(n)));
    timeq_clear(&q);
    check_eq(n_dropped, 500);
    check_eq(timeq_len(&q), 0);
    check_eq(timeq_remove(&q, key, NULL), -ENOENT);
    check_eq(timeq_peek(&q, NULL, NULL), -EAGAIN);
    (void)put(&q, 9, tr_after(TR_MS(3)));
    expect(&q, 9, tr_after(TR_MS(3)));
}

/* ---- waiting ---- */

VIRTUAL_TEST(delayq, in_an_empty_queue_next_waits_for_an_insert)
{
    timeq q TR_CLEANUP(timeq_free) = queue();
    tr_scope s TR_CLEANUP(tr_scope_end) = tr_scope_open(NULL);
    struct item m = { 0 };
    tr_time at = 0, born = tr_now();
    tr_task t = start_taker(&s, &q, &m, &at);

    check_eq(tr_sleep(born + TR_S(1)), 0);
    (void)put(&q, 1, born + TR_S(3));
    check_eq(join(&t), 0);
    check_eq(m.n, 1);
    check_eq(at, born + TR_S(3));
}

VIRTUAL_TEST(delayq, an_earlier_insert_or_reset_wakes_the_waiter)
{
    timeq q TR_CLEANUP(timeq_free) = queue();
    tr_scope s TR_CLEANUP(tr_scope_end) = tr_scope_open(NULL);
    struct item m = { 0 };
    tr_time at = 0, born = tr_now();
    tr_delay_key key = put(&q, 1, born + TR_S(100));
    tr_task t = start_taker(&s, &q, &m, &at);

    (void)put(&q, 2, born + TR_S(50));
    check_eq(join(&t), 0);
    check_eq(m.n, 2);
    check_eq(at, born + TR_S(50));
    t = start_taker(&s, &q, &m, &at);
    check_eq(timeq_reset(&q, key, born + TR_S(60)), 0);
    check_eq(join(&t), 0);
    check_eq(m.n, 1);
    check_eq(at, born + TR_S(60));
    key = put(&q, 3, born + TR_S(100));
    t = start_taker(&s, &q, &m, &at);
    check_eq(timeq_reset(&q, key, born), 0, "into the past");
    check_eq(join(&t), 0);
    check_eq(at, born + TR_S(60));
}

VIRTUAL_TEST(delayq, a_waiter_follows_when_the_first_one_goes_or_comes_later)
{
    timeq q TR_CLEANUP(timeq_free) = queue();
    tr_scope s TR_CLEANUP(tr_scope_end) = tr_scope_open(NULL);
    struct item m = { 0 };
    tr_time at = 0, born = tr_now();
    tr_delay_key a = put(&q, 1, born + TR_S(1)), b = put(&q, 2, born + TR_S(2));
    tr_task t;

    (void)put(&q, 3, born + TR_S(3));
    t = start_taker(&s, &q, &m, &at);
    check_eq(timeq_remove(&q, a, NULL), 0);
    check_eq(timeq_reset(&q, b, born + TR_S(4)), 0);
    check_eq(join(&t), 0);
    check_eq(m.n, 3);
    check_eq(at, born + TR_S(3));
    t = start_taker(&s, &q, &m, &at);
    timeq_clear(&q);
    (void)put(&q, 4, born + TR_S(9));
    check_eq(join(&t), 0);
    check_eq(m.n, 4);
    check_eq(at, born + TR_S(9));
}

VIRTUAL_TEST(delayq, a_wait_that_ends_otherwise_takes_nothing)
{
    timeq q TR_CLEANUP(timeq_free) = queue();
    tr_scope s TR_CLEANUP(tr_scope_end) = tr_scope_open(NULL);
    struct item m = { 0 };
    tr_time at, born = tr_now();
    tr_task t;

    (void)put(&q, 1, born + TR_S(10));
    check_eq(timeq_next(&q, born + TR_S(1), &m), -ETIMEDOUT);
    check_eq(tr_now(), born + TR_S(1));
    t = start_taker(&s, &q, &m, &at);
    tr_task_abort(&t);
    check_eq(join(&t), -ECANCELED);
    t = start_taker(&s, &q, &m, &at);
    check_eq(tr_scope_drain(&s, TR_NEVER), 0);
    check_eq(join(&t), -ESHUTDOWN);
    check_eq(m.n, 0);
    check_eq(tr_sleep(born + TR_S(11)), 0);
    check_eq(timeq_next(&q, TR_NOW, &m), 0, "what is due wins over a deadline that has passed");
    check_eq(m.n, 1);
}

VIRTUAL_TEST(delayq, an_arm_that_loses_has_taken_nothing)
{
    timeq q TR_CLEANUP(timeq_free) = queue();
    slot_tx tx TR_CLEANUP(slot_tx_close) = { 0 };
    slot_rx rx TR_CLEANUP(slot_rx_close) = { 0 };
    struct item a = { 0 }, b = { 0 }, v = { 8 };
    tr_arm arms[2] = { [1] = timeq_next_arm(&q, &b) };
    tr_time born = tr_now();

    need_eq(slot_new(&tx, &rx), 0);
    arms[0] = slot_recv_arm(&rx, &a);
    (void)put(&q, 1, born + TR_S(2));
    check_eq(tr_select_first(born + TR_S(1), arms, 2), -ETIMEDOUT);
    check_eq(tr_sleep(born + TR_S(2)), 0);
    need_eq(slot_send(&tx, &v), 0);
    check_eq(tr_select_first(TR_NEVER, arms, 2), 0);
    check_eq(a.n, 8);
    check_eq(b.n, 0);
    check_eq(timeq_len(&q), 1);
    arms[0] = (tr_arm){ 0 };
    check_eq(tr_select(TR_NEVER, arms, 2), 1);
    check_eq(arms[1].result, 0);
    check_eq(b.n, 1);
    (void)put(&q, 2, born + TR_S(5));
    check_eq(tr_select(TR_NEVER, arms, 2), 1, "it sleeps until then");
    check_eq(tr_now(), born + TR_S(5));
}

/* ---- several consumers: all take, none twice, none late ---- */

enum { N_TAKER = 5, N_VALUE = 200 };

struct crowd {
    timeq q;
    atomic_uint sum, n_late;
    tr_time born;
};

struct consumer {
    struct crowd *c;
};
TR_TASK(consumer, struct consumer, tr_nodrop);

static int consumer(struct consumer *self)
{
    struct crowd *c = self->c;
    struct item m;
    int r;

    while ((r = timeq_next(&c->q, TR_UNTIL_DRAIN, &m)) == 0) {
        atomic_fetch_add(&c->sum, m.n);
        atomic_fetch_add(&c->n_late, tr_now() != c->born + TR_MS(m.n));
        if (m.n % 3 == 0)
            (void)tr_yield();
    }
    return r;
}

static int feed_crowd(tr_scope *root, void *arg)
{
    struct crowd c = { .q = queue(), .born = tr_now() };
    tr_scope s = tr_scope_open(NULL);

    (void)root;
    (void)arg;
    for (unsigned i = 0; i < N_TAKER; i++)
        check_eq(consumer_spawn(&s, &(struct consumer){ &c }, NULL), 0);
    for (unsigned n = N_VALUE; n >= 1; n--) { /* each one earlier than all before */
        (void)put(&c.q, n, c.born + TR_MS(n));
        if (n % 7 == 0)
            (void)tr_yield();
    }
    check_eq(tr_sleep(c.born + TR_MS(N_VALUE)), 0);
    while (timeq_len(&c.q) > 0)
        check_eq(tr_yield(), 0);
    check_eq(tr_scope_drain(&s, TR_NEVER), 0);
    check_eq(c.sum, N_VALUE * (N_VALUE + 1) / 2);
    check_eq(c.n_late, 0);
    tr_scope_end(&s);
    timeq_free(&c.q);
    return 0;
}

TR_TEST(delayq, several_consumers_take_each_value_once_and_in_time, .once = true)
{
    (void)run_seeds(30, feed_crowd, NULL);
}

/* ---- on several workers, in real time; removal against taking ---- */

enum { N_FEEDER = 3, N_EACH = 3000 };

static struct {
    timeq q;
    atomic_uint n_taken, n_removed, n_feeding;
} storm;

struct feeder {
    unsigned n;
};
TR_TASK(feeder, struct feeder, tr_nodrop);

static int feeder(struct feeder *f)
{
    for (unsigned i = 0; i < N_EACH; i++) {
        tr_delay_key key = put(&storm.q, f->n, tr_after(TR_US(i % 40)));

        if (i % 3 == 0 && timeq_remove(&storm.q, key, NULL) == 0)
            atomic_fetch_add(&storm.n_removed, 1);
        if (i % 3 == 1)
            (void)timeq_reset(&storm.q, key, tr_after(TR_US(i % 50)));
        if (i % 16 == 0 && tr_yield() < 0)
            break;
    }
    atomic_fetch_sub(&storm.n_feeding, 1);
    return 0;
}

struct eater {
    int unused;
};
TR_TASK(eater, struct eater, tr_nodrop);

static int eater(struct eater *e)
{
    struct item m;

    (void)e;
    while (timeq_next(&storm.q, TR_UNTIL_DRAIN, &m) == 0)
        atomic_fetch_add(&storm.n_taken, 1);
    return 0;
}

static int run_storm(tr_scope *root, void *arg)
{
    tr_scope s TR_CLEANUP(tr_scope_end) = tr_scope_open(NULL);
    const struct tr_task_opts spread = { .flags = TR_TASK_SPREAD };

    (void)root;
    (void)arg;
    storm.q = queue();
    atomic_store(&storm.n_feeding, N_FEEDER);
    for (unsigned i = 0; i < 2; i++)
        check_eq(eater_spawn(&s, &(struct eater){ 0 }, &spread), 0);
    for (unsigned i = 0; i < N_FEEDER; i++)
        check_eq(feeder_spawn(&s, &(struct feeder){ i + 1 }, &spread), 0);
    while (atomic_load(&storm.n_feeding) > 0 || timeq_len(&storm.q) > 0)
        check_eq(tr_yield(), 0);
    check_eq(tr_scope_drain(&s, TR_NEVER), 0);
    check_eq(storm.n_taken + storm.n_removed, N_FEEDER * N_EACH);
    check_eq(n_dropped, storm.n_removed);
    timeq_free(&storm.q);
    return 0;
}

TR_TEST(delayq, on_several_workers_every_value_is_taken_or_removed_once)
{
    run_with((struct tr_runtime_opts){ .n_worker = 3 }, run_storm, NULL);
}

/* ---- plain threads ---- */

static timeq shared;

static void *take_blocking(void *arg)
{
    struct item m = { 0 };

    check_eq(timeq_blocking_next(&shared, tr_after(TR_S(20)), &m), 0);
    *(unsigned *)arg = m.n;
    return NULL;
}

TR_TEST(delayq, a_thread_waits_too_and_is_woken_for_an_earlier_one)
{
    struct item m = { 0 };
    pthread_t thread;
    unsigned got = 0;
    tr_delay_key key;
    tr_time when;

    shared = queue();
    key = put(&shared, 1, tr_after(TR_S(100)));
    check_eq(timeq_blocking_next(&shared, tr_after(TR_MS(5)), &m), -ETIMEDOUT);
    when = tr_after(TR_MS(20));
    check_eq(timeq_reset(&shared, key, when), 0);
    check_eq(timeq_blocking_next(&shared, tr_after(TR_S(20)), &m), 0, "time alone makes it due");
    check_ge(tr_now(), when);
    need_eq(pthread_create(&thread, NULL, take_blocking, &got), 0);
    (void)put(&shared, 2, tr_after(TR_S(100)));
    (void)put(&shared, 3, tr_after(TR_MS(1)));
    need_eq(pthread_join(thread, NULL), 0);
    check_eq(got, 3);
    timeq_free(&shared);
    check_eq(n_dropped, 1);
}

STEP_TEST(delayq, an_actor_may_not_block)
{
    timeq q TR_CLEANUP(timeq_free) = queue();
    struct item m;

    check_eq(timeq_blocking_next(&q, TR_NEVER, &m), -EDEADLK);
}
