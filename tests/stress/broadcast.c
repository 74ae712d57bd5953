/* SPDX-License-Identifier: MIT */
/*
 * broadcast.c - senders against receivers, in threads, in tasks and in a crowd of both, over
 * small rings that wrap all the time. Rounds differ in what is sent (plain words, or values
 * that are cloned), in whether a full ring is overwritten, and in whether the waits have
 * deadlines: without them, and where senders wait, a lost wake-up is a hang. Every message is
 * read whole, of one sender in order; received and lost add up to what was sent; nothing is
 * lost where senders wait; each original is dropped once, and each copy by its receiver.
 */
#include "config.h"

#include <errno.h>

#include "stress.h"

enum { N_SENDER = 6, N_RECEIVER = STRESS_THREADS + STRESS_TASKS - N_SENDER, N_WORD = 5 };

struct value {
    uint64_t word[N_WORD]; /* all the same: sender << 32 | number from 1; all 0: empty */
};

static struct value value(uint64_t word)
{
    return (struct value){ { word, word, word, word, word } };
}

static bool is_whole(const struct value *v)
{
    for (int i = 1; i < N_WORD; i++)
        if (v->word[i] != v->word[0])
            return false;
    return v->word[0] != 0;
}

static atomic_uint n_made, n_copied, n_dropped, n_bad;

static int value_clone(struct value *dst, const struct value *src)
{
    atomic_fetch_add(&n_bad, !is_whole(src));
    atomic_fetch_add(&n_copied, 1);
    *dst = *src;
    return 0;
}

static void value_drop(struct value *v)
{
    if (v->word[0] == 0)
        return;
    atomic_fetch_add(&n_bad, !is_whole(v));
    atomic_fetch_add(&n_dropped, 1);
    *v = value(0);
}

/* Both kinds have the same functions: the untyped ones, of two types. */
TR_BROADCAST(plainb, struct value, tr_copy, tr_nodrop);
TR_BROADCAST(valueb, struct value, value_clone, value_drop);

static bool is_cloned, is_patient; /* this round */
static unsigned flags;
static unsigned n_sender, n_receiver;               /* this round; the threads come first */
static unsigned n_sender_thread, n_receiver_thread; /* of them */
static uint64_t n_value;                            /* of each sender */
static tr_broadcast_tx txs[N_SENDER];
static tr_broadcast_rx rxs[N_RECEIVER];

/* ---- sending ---- */

/* Sends number @i, now or in the end. In a task if @in_task. */
static int send_one(tr_broadcast_tx *tx, struct value *v, struct tri_rand *rand, bool in_task)
{
    tr_time soon = !is_patient && tri_rand_once_in(rand, 3) ? tr_after(TR_US(20)) : TR_NEVER;
    int r;

    do
        if (!is_patient && tri_rand_once_in(rand, 4))
            r = tr_broadcast_try_send(tx, v);
        else if (in_task)
            r = tr_broadcast_send(tx, v, soon);
        else
            r = tr_broadcast_blocking_send(tx, v, soon);
    while (r == -EAGAIN || r == -ETIMEDOUT);
    return r;
}

/* Goes on with a clone of itself, made by way of a weak end. */
static void renew(tr_broadcast_tx *tx)
{
    tr_broadcast_weak weak = tr_broadcast_tx_downgrade(tx);
    tr_broadcast_tx clone = { 0 };

    check_eq(tr_broadcast_weak_upgrade(&weak, &clone), 0);
    tr_broadcast_weak_close(&weak);
    tr_broadcast_tx_close(tx);
    *tx = clone;
}

static void send_all(tr_broadcast_tx *tx, unsigned index, struct tri_rand *rand, bool in_task)
{
    for (uint64_t i = 1; i <= n_value; i++) {
        struct value v = value((uint64_t)index << 32 | i);
        int r = send_one(tx, &v, rand, in_task);

        if (r >= 0)
            atomic_fetch_add(&n_made, 1);
        else
            check_eq(r, -EPIPE, "there is always one that stays");
        if (tri_rand_once_in(rand, 50))
            renew(tx);
        if (tri_rand_once_in(rand, 50))
            (void)(in_task ? tr_yield() : sched_yield());
    }
    tr_broadcast_tx_close(tx);
}

static void send_some(struct stress_thread *t)
{
    send_all(&txs[t->index], t->index, &t->rand, false);
}

/* ---- receiving ---- */

struct reader {
    uint64_t n_received, n_lost, last[N_SENDER];
    bool whole_life; /* nothing was sent before it subscribed */
};

static void look(struct reader *r, struct value *v)
{
    const uint64_t sender = v->word[0] >> 32, i = v->word[0] & UINT32_MAX;

    check(is_whole(v));
    need_lt(sender, N_SENDER);
    check_lt(r->last[sender], i, "in order");
    r->last[sender] = i;
    r->n_received++;
    if (is_cloned)
        value_drop(v);
}

static int recv_one(tr_broadcast_rx *rx, struct value *v, struct tri_rand *rand, bool in_task)
{
    tr_time soon = !is_patient && tri_rand_once_in(rand, 3) ? tr_after(TR_US(5)) : TR_NEVER;
    tr_arm arm = tr_broadcast_recv_arm(rx, v);
    int r;

    if (!is_patient && tri_rand_once_in(rand, 4))
        return tr_broadcast_try_recv(rx, v);
    if (!in_task)
        return tr_broadcast_blocking_recv(rx, soon, v);
    if (tri_rand_once_in(rand, 2))
        return tr_broadcast_recv(rx, soon, v);
    r = tr_select(soon, &arm, 1);
    return r < 0 ? r : arm.result;
}

/* Receives until the end. One that does not @stay is replaced now and then. */
static void receive_all(tr_broadcast_rx *rx, struct tri_rand *rand, bool in_task, bool stay)
{
    struct reader own = { .whole_life = true };
    tr_broadcast_rx next;
    struct value v;
    int r;

    while ((r = recv_one(rx, &v, rand, in_task)) != -EPIPE) {
        if (r == 0)
            look(&own, &v);
        if (tri_rand_once_in(rand, 100))
            (void)(in_task ? tr_yield() : sched_yield());
        if (stay || !tri_rand_once_in(rand, 50))
            continue;
        check_eq(tr_broadcast_resubscribe(rx, &next), 0);
        tr_broadcast_rx_close(rx);
        *rx = next;
        own.whole_life = false;
    }
    own.n_lost = tr_broadcast_lost(rx);
    if (own.whole_life)
        check_eq(own.n_received + own.n_lost, n_sender * n_value);
    if (flags & TR_BROADCAST_WAIT)
        check_eq(own.n_lost, 0);
    tr_broadcast_rx_close(rx);
}

static void receive_some(struct stress_thread *t)
{
    const unsigned i = t->index - n_sender_thread;

    receive_all(&rxs[i], &t->rand, false, i == 0);
}

/* ---- the same in tasks ---- */

struct arg {
    unsigned index;
    uint64_t seed;
};

static void arg_drop(struct arg *a)
{
    (void)a;
}
TR_TASK(send_task, struct arg, arg_drop);
TR_TASK(receive_task, struct arg, arg_drop);

static int send_task(struct arg *a)
{
    struct tri_rand rand;

    tri_rand_init(&rand, a->seed);
    send_all(&txs[a->index], a->index, &rand, true);
    return 0;
}

static int receive_task(struct arg *a)
{
    struct tri_rand rand;

    tri_rand_init(&rand, a->seed);
    receive_all(&rxs[a->index], &rand, true, a->index == 0);
    return 0;
}

static int tasks(tr_scope *root, void *unused)
{
    const struct tr_task_opts opts = { .flags = TR_TASK_SPREAD };

    (void)unused;
    for (unsigned i = n_receiver_thread; i < n_receiver; i++) {
        struct arg a = { i, tri_rand_next(&stress_rand) };

        check_eq(receive_task_spawn(root, &a, &opts), 0);
    }
    for (unsigned i = n_sender_thread; i < n_sender; i++) {
        struct arg a = { i, tri_rand_next(&stress_rand) };

        check_eq(send_task_spawn(root, &a, &opts), 0);
    }
    return tr_scope_join(root, TR_NEVER);
}

/* ---- rounds ---- */

static const struct tri_type *type(void)
{
    return is_cloned ? &valueb_tri_type : &plainb_tri_type;
}

static void open_round(void)
{
    const size_t capacity = (size_t)1 << stress_below(4) * 2; /* with fences, and without */

    n_made = n_copied = n_dropped = 0;
    if (tr_broadcast_new(type(), is_cloned ? valueb_tri_clone : NULL, capacity, flags, &txs[0],
                         &rxs[0]) < 0)
        abort();
    for (unsigned i = 1; i < n_sender; i++)
        txs[i] = tr_broadcast_tx_clone(&txs[0]);
    for (unsigned i = 1; i < n_receiver; i++)
        if (tr_broadcast_subscribe(&txs[0], 0, &rxs[i]) < 0)
            abort();
}

static void set_round(unsigned senders, unsigned receivers, uint64_t values)
{
    n_sender = senders;
    n_receiver = receivers;
    n_value = values;
}

/* A few, either in threads or in tasks. */
static void round_of_few(bool in_tasks)
{
    static void (*const fns[])(struct stress_thread *) = { send_some, send_some, receive_some,
                                                           receive_some, receive_some };

    set_round(2, 3, 400);
    n_sender_thread = in_tasks ? 0 : 2;
    n_receiver_thread = in_tasks ? 0 : 3;
    open_round();
    stress_beside(fns, in_tasks ? 0 : TR_LEN(fns), in_tasks ? tasks : NULL);
}

/* Two of the senders and six of the receivers are threads. */
static void round_of_crowd(void)
{
    static void (*const fns[STRESS_THREADS])(
        struct stress_thread *) = { send_some,    send_some,    receive_some, receive_some,
                                    receive_some, receive_some, receive_some, receive_some };

    set_round(N_SENDER, N_RECEIVER, 20);
    n_sender_thread = 2;
    n_receiver_thread = STRESS_THREADS - 2;
    open_round();
    stress_beside(fns, STRESS_THREADS, tasks);
}

int main(void)
{
    const tr_time end = stress_end();
    unsigned long n_round;

    for (n_round = 0; tr_now() < end && test_n_failed() == 0; n_round++) {
        is_cloned = n_round & 2;
        flags = n_round & 4 ? TR_BROADCAST_WAIT : 0;
        is_patient = n_round & 8;
        if (n_round % 2 == 0)
            round_of_crowd();
        else
            round_of_few(n_round & 16);
        check_eq(n_made, n_sender * n_value);
        if (is_cloned)
            check_eq(n_dropped, n_made + n_copied, "each original and each copy once");
        check_eq(n_bad, 0);
    }
    return stress_result(n_round);
}
