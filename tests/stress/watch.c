/* SPDX-License-Identifier: MIT */
/*
 * watch.c - writers against readers that get, pin, clone and wait: in threads, in tasks, and in
 * a crowd of both. Every value is read whole,
 * versions never go back, the last one is seen by all, and each is dropped once.
 */
#include "config.h"

#include <errno.h>

#include "stress.h"

enum { N_WRITER = 6, N_READER = STRESS_THREADS + STRESS_TASKS - N_WRITER, MAX_ID = 400 };

struct value {
    uint64_t id[4]; /* all the same; 0: empty */
};

static atomic_uint n_dropped_of[MAX_ID + 2];
static atomic_uint next_id;

static struct value value(uint64_t id)
{
    return (struct value){ { id, id, id, id } };
}

static void check_whole(const struct value *v)
{
    check_ne(v->id[0], 0);
    check_eq(v->id[1], v->id[0]);
    check_eq(v->id[2], v->id[0]);
    check_eq(v->id[3], v->id[0]);
}

static void value_drop(struct value *v)
{
    if (v->id[0] == 0)
        return;
    check_whole(v);
    atomic_fetch_add(&n_dropped_of[v->id[0]], 1);
    *v = value(0);
}

TR_WATCH(valuew, struct value, value_drop);

static unsigned n_writer, n_reader;               /* this round; the threads come first */
static unsigned n_writer_thread, n_reader_thread; /* of them */
static unsigned n_value, n_id;                    /* of each writer, of all */
static valuew_tx txs[N_WRITER];
static valuew_rx rxs[N_READER];

/* What a sender pins is whole, and it drops the value if it was the last to have it. */
static void pin_some(const valuew_tx *tx, struct tri_rand *rand)
{
    const struct value *a = valuew_tx_pin(tx), *b = valuew_tx_pin(tx);

    check_whole(a);
    valuew_unpin(a);
    if (tri_rand_once_in(rand, 4))
        sched_yield();
    check_whole(b);
    valuew_unpin(b);
}

static void write_values(valuew_tx *tx, struct tri_rand *rand, bool in_task)
{
    for (unsigned i = 0; i < n_value; i++) {
        struct value v = value(atomic_fetch_add(&next_id, 1));
        int r = tri_rand_once_in(rand, 2) ? valuew_send(tx, &v) : valuew_replace(tx, &v);

        check_eq(v.id[0] == 0, r == 0);
        value_drop(&v);
        if (tri_rand_once_in(rand, 4))
            pin_some(tx, rand);
        if (tri_rand_once_in(rand, 20))
            (void)(in_task ? tr_yield() : sched_yield());
    }
    valuew_tx_close(tx);
}

static void write_some(struct stress_thread *t)
{
    write_values(&txs[t->index], &t->rand, false);
}

/* Replaces @rx by a clone of itself. */
static void renew(valuew_rx *rx)
{
    valuew_rx clone = valuew_rx_clone(rx);

    valuew_rx_close(rx);
    *rx = clone;
}

static void read_one(valuew_rx *rx, struct tri_rand *rand)
{
    const struct value *a = valuew_get(rx), *pinned;

    check_whole(a);
    if (!tri_rand_once_in(rand, 4))
        return;
    pinned = valuew_pin(rx);
    check_whole(valuew_get(rx));
    check_whole(pinned);
    valuew_unpin(pinned);
    if (tri_rand_once_in(rand, 4))
        renew(rx);
}

static void read_some(struct stress_thread *t)
{
    valuew_rx *rx = &rxs[t->index - n_writer_thread];
    uint64_t seen = 0;
    int r;

    do {
        read_one(rx, &t->rand);
        check_le(seen, rx->end.seen, "versions never go back");
        seen = rx->end.seen;
        r = valuew_blocking_changed(rx, tri_rand_once_in(&t->rand, 3) ? TR_US(1) : TR_NEVER);
    } while (r != -EPIPE);
    check_eq(rx->end.seen, n_id, "the last one is seen before the end");
    check_whole(valuew_get(rx));
    valuew_rx_close(rx);
}

struct reader_arg {
    valuew_rx rx;
};

static void reader_arg_drop(struct reader_arg *a)
{
    valuew_rx_close(&a->rx);
}

TR_TASK(read_task, struct reader_arg, reader_arg_drop);

static bool is_last(const void *v, void *arg)
{
    check_whole(v);
    (void)arg;
    return false; /* never: it ends with the last sender */
}

static int read_task(struct reader_arg *a)
{
    check_eq(valuew_wait_for(&a->rx, is_last, NULL, TR_NEVER), -EPIPE);
    check_eq(a->rx.end.seen, n_id);
    return 0;
}

struct writer_arg {
    unsigned index;
    uint64_t seed;
};
TR_TASK(write_task, struct writer_arg, tr_nodrop);

static int write_task(struct writer_arg *a)
{
    struct tri_rand rand;

    tri_rand_init(&rand, a->seed);
    write_values(&txs[a->index], &rand, true);
    return 0;
}

static int tasks(tr_scope *root, void *unused)
{
    const struct tr_task_opts opts = { .flags = TR_TASK_SPREAD };

    (void)unused;
    for (unsigned i = n_reader_thread; i < n_reader; i++) {
        struct reader_arg a = { rxs[i] };

        check_eq(read_task_spawn(root, &a, &opts), 0);
    }
    for (unsigned i = n_writer_thread; i < n_writer; i++) {
        struct writer_arg a = { i, tri_rand_next(&stress_rand) };

        check_eq(write_task_spawn(root, &a, &opts), 0);
    }
    return tr_scope_join(root, TR_NEVER);
}

/* ---- rounds ---- */

static void open_round(unsigned writers, unsigned readers, unsigned values)
{
    struct value first = value(1);

    n_writer = writers;
    n_reader = readers;
    n_value = values;
    n_id = writers * values;
    if (n_id > MAX_ID)
        abort();
    for (unsigned i = 0; i < n_id + 2; i++)
        n_dropped_of[i] = 0;
    next_id = 2;
    if (valuew_new(&first, &txs[0], &rxs[0]) < 0)
        abort();
    for (unsigned i = 1; i < n_writer; i++)
        txs[i] = valuew_tx_clone(&txs[0]);
    for (unsigned i = 1; i < n_reader; i++)
        rxs[i] = valuew_subscribe(&txs[0]);
}

/* A few, either in threads or in tasks. */
static void round_of_few(bool in_tasks)
{
    static void (*const fns[])(struct stress_thread *) = { write_some, write_some, read_some,
                                                           read_some, read_some };

    n_writer_thread = in_tasks ? 0 : 2;
    n_reader_thread = in_tasks ? 0 : 3;
    open_round(2, 3, 200);
    stress_beside(fns, in_tasks ? 0 : TR_LEN(fns), in_tasks ? tasks : NULL);
}

/* Two of the writers and six of the readers are threads. */
static void round_of_crowd(void)
{
    static void (*const fns[STRESS_THREADS])(struct stress_thread *) = {
        write_some, write_some, read_some, read_some, read_some, read_some, read_some, read_some
    };

    n_writer_thread = 2;
    n_reader_thread = STRESS_THREADS - 2;
    open_round(N_WRITER, N_READER, 40);
    stress_beside(fns, STRESS_THREADS, tasks);
}

int main(void)
{
    const tr_time end = stress_end();
    unsigned long n_round;

    for (n_round = 0; tr_now() < end && test_n_failed() == 0; n_round++) {
        unsigned bad = 0;

        if (n_round % 2 == 0)
            round_of_crowd();
        else
            round_of_few(n_round % 4 == 3);
        for (unsigned id = 1; id < n_id + 2; id++)
            bad += n_dropped_of[id] != 1;
        check_eq(bad, 0, "each value is dropped once");
    }
    return stress_result(n_round);
}
