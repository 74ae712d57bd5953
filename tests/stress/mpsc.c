/* SPDX-License-Identifier: MIT */
/*
 * mpsc.c - senders that try, block, give up, clone and close, against a receiver that takes
 * some messages and then drains, shuts or closes: as threads, as tasks that select, and as a
 * crowd of both. Every message must end once: received in the order of its sender, handed back,
 * or dropped.
 */
#include "config.h"

#include <errno.h>

#include "chan/mpsc.h"
#include "stress.h"

enum { N_SENDER = STRESS_THREADS + STRESS_TASKS, N_FEW = 3 };

struct msg {
    uint32_t sender, seq; /* both from 1 on; 0: empty */
    uint64_t check;
};

static atomic_uint n_dropped;

static void msg_drop(struct msg *m)
{
    if (m->seq == 0)
        return;
    check_eq(m->check, (uint64_t)m->sender << 32 | m->seq);
    atomic_fetch_add(&n_dropped, 1);
    *m = (struct msg){ 0 };
}

TR_MPSC(msgq, struct msg, msg_drop);

static msgq_tx txs[N_SENDER];
static msgq_rx rx;
static unsigned n_thread, n_task; /* senders of this round: the threads first */
static uint32_t n_message;        /* of each */
static uint32_t last_seq[N_SENDER + 1];
static atomic_uint n_made, n_sent, n_kept;
static unsigned n_received;

static void receive(struct msg *m)
{
    check_eq(m->check, (uint64_t)m->sender << 32 | m->seq);
    check_lt(last_seq[m->sender], m->seq, "the order of a sender holds");
    last_seq[m->sender] = m->seq;
    n_received++;
    *m = (struct msg){ 0 };
}

/* What a send returned must fit what became of the message. */
static bool account(const struct msg *m, int r)
{
    check_eq(m->seq == 0, r >= 0);
    atomic_fetch_add(r >= 0 ? &n_sent : &n_kept, 1);
    return r != -EPIPE;
}

static struct msg msg(uint32_t sender, uint32_t seq)
{
    atomic_fetch_add(&n_made, 1);
    return (struct msg){ sender, seq, (uint64_t)sender << 32 | seq };
}

/* ---- threads ---- */

/* Through a permit for up to three; -EAGAIN: it was given back unused. */
static int send_reserved(msgq_tx *tx, struct msg *m, struct tri_rand *rand)
{
    const size_t n = 1 + tri_rand_below(rand, 3);
    msgq_permit p = { 0 };
    int r = tri_rand_below(rand, 2)
                ? msgq_try_reserve(tx, n, &p)
                : msgq_blocking_reserve(tx, n, tr_after(TR_US(tri_rand_below(rand, 50))), &p);

    if (r == 0)
        r = tri_rand_once_in(rand, 4) ? -EAGAIN : msgq_permit_send(&p, m);
    msgq_permit_close(&p);
    return r == -EINVAL ? msgq_try_send(tx, m) : r; /* unbounded, or not so many places */
}

static int send_somehow(msgq_tx *tx, struct msg *m, struct tri_rand *rand)
{
    switch (tri_rand_below(rand, 6)) {
    case 0:
        return msgq_try_send(tx, m);
    case 2:
    case 3:
        return send_reserved(tx, m, rand);
    case 1:
        return msgq_blocking_send(tx, m, tr_after(TR_US(tri_rand_below(rand, 50))));
    default:
        return msgq_blocking_send(tx, m, TR_NEVER);
    }
}

static void sender(struct stress_thread *t)
{
    msgq_tx *tx = &txs[t->index];

    for (uint32_t seq = 1; seq <= n_message; seq++) {
        struct msg m = msg(t->index + 1, seq);

        if (!account(&m, send_somehow(tx, &m, &t->rand)))
            break;
        if (tri_rand_once_in(&t->rand, 50)) { /* goes on with a clone */
            msgq_weak weak = msgq_tx_downgrade(tx);
            msgq_tx clone = { 0 };

            check_eq(msgq_weak_upgrade(&weak, &clone), 0);
            msgq_weak_close(&weak);
            msgq_tx_close(tx);
            *tx = clone;
        }
    }
    msgq_tx_close(tx);
}

static int receive_somehow(struct msg *m, struct tri_rand *rand)
{
    switch (tri_rand_below(rand, 4)) {
    case 0:
        return msgq_try_recv(&rx, m);
    case 1:
        return msgq_blocking_recv(&rx, tr_after(TR_US(tri_rand_below(rand, 50))), m);
    default:
        return msgq_blocking_recv(&rx, TR_NEVER, m);
    }
}

static void receiver(struct stress_thread *t)
{
    const unsigned end = tri_rand_below(&t->rand, 4); /* drain, shut, close, or close at once */
    const uint32_t n =
        end == 0 ? UINT32_MAX
                 : tri_rand_below(&t->rand, end == 3 ? 2 : (n_thread + n_task) * n_message);
    struct msg m = { 0 };

    for (uint32_t i = 0; i < n; i++) {
        int r = receive_somehow(&m, &t->rand);

        if (r == 0)
            receive(&m);
        else if (r == -EPIPE)
            break;
    }
    if (end == 1) {
        msgq_rx_shut(&rx);
        while (msgq_blocking_recv(&rx, TR_NEVER, &m) == 0)
            receive(&m);
    }
    msgq_rx_close(&rx);
}

/* ---- tasks ---- */

struct sender_arg {
    msgq_tx tx;
    unsigned index;
};

static void sender_arg_drop(struct sender_arg *a)
{
    msgq_tx_close(&a->tx);
}

TR_TASK(send_task, struct sender_arg, sender_arg_drop);

/* Selects over a permit and a deadline. */
static int select_reserve(msgq_tx *tx, struct msg *m, tr_time when)
{
    msgq_permit p = { 0 };
    tr_arm arms[2] = { msgq_reserve_arm(tx, 1, &p), tr_deadline_arm(when) };
    int i = tr_select(TR_NEVER, arms, 2);

    if (i == 0 && arms[0].result == -EINVAL)
        return msgq_try_send(tx, m);
    if (i != 0 || arms[0].result < 0)
        return i == 0 ? arms[0].result : i < 0 ? i : -ETIMEDOUT;
    return msgq_permit_send(&p, m);
}

/* Selects over sending and a deadline that is often first. */
static int select_send(msgq_tx *tx, struct msg *m, tr_time when)
{
    tr_arm arms[2] = { msgq_send_arm(tx, m), tr_deadline_arm(when) };
    int i = tr_select(TR_NEVER, arms, 2);

    return i == 0 ? arms[0].result : i < 0 ? i : -ETIMEDOUT;
}

static int send_task(struct sender_arg *a)
{
    struct tri_rand rand;

    tri_rand_init(&rand, a->index + test_seed());
    for (uint32_t seq = 1; seq <= n_message; seq++) {
        struct msg m = msg(a->index + 1, seq);
        tr_time soon = tr_after(TR_US(tri_rand_below(&rand, 100)));
        unsigned how = tri_rand_below(&rand, 5);
        int r = how == 0   ? msgq_send(&a->tx, &m, soon)
                : how == 1 ? select_send(&a->tx, &m, soon)
                : how == 2 ? select_reserve(&a->tx, &m, soon)
                           : msgq_send(&a->tx, &m, TR_NEVER);

        if (!account(&m, r))
            break;
    }
    return 0;
}

static int send_tasks(tr_scope *root, void *unused)
{
    (void)unused;
    for (unsigned i = n_thread; i < n_thread + n_task; i++) {
        struct sender_arg a = { txs[i], i };
        struct tr_task_opts opts = { .flags = TR_TASK_SPREAD };

        txs[i] = (msgq_tx){ { 0 } };
        check_eq(send_task_spawn(root, &a, &opts), 0);
    }
    return tr_scope_join(root, TR_NEVER);
}

static int receive_some(struct tri_rand *rand)
{
    struct msg m[8] = { { 0 } };
    ssize_t n = 0;

    for (unsigned left = tri_rand_below(rand, 2 * (n_thread + n_task) * n_message);
         n >= 0 && left > 0; left--) {
        n = msgq_recv_many(&rx, 1 + tri_rand_below(rand, 8), tr_after(TR_US(200)), m);
        for (ssize_t i = 0; i < n; i++)
            receive(&m[i]);
        if (n == -ETIMEDOUT)
            n = 0;
    }
    msgq_rx_close(&rx);
    return 0;
}

struct receiver_arg {
    uint64_t seed;
};
TR_TASK(receiver_task, struct receiver_arg, tr_nodrop);

static int receiver_task(struct receiver_arg *a)
{
    struct tri_rand rand;

    tri_rand_init(&rand, a->seed);
    return receive_some(&rand);
}

static int all_tasks(tr_scope *root, void *unused)
{
    struct receiver_arg a = { tri_rand_next(&stress_rand) };

    check_eq(receiver_task_spawn(root, &a, &(struct tr_task_opts){ .flags = TR_TASK_SPREAD }),
             0);
    return send_tasks(root, unused);
}

/* ---- rounds ---- */

static void open_round(unsigned n_sender_thread, unsigned n_sender_task, uint32_t n_each)
{
    static const size_t capacities[] = { 1, 2, 3, 16, 64, TR_UNBOUNDED };
    static const enum tr_overflow overflows[] = { TR_OVERFLOW_REJECT, TR_OVERFLOW_DROP_NEWEST,
                                                  TR_OVERFLOW_DROP_OLDEST };
    struct tr_mpsc_opts opts = { .capacity = capacities[stress_below(TR_LEN(capacities))] };

    if (opts.capacity != TR_UNBOUNDED && stress_below(2) == 0) {
        opts.n_urgent = stress_below(2); /* under the lock */
        if (stress_below(2) == 0)
            opts.overflow = overflows[stress_below(TR_LEN(overflows))];
    }
    if (msgq_new_with(&opts, &txs[0], &rx) < 0)
        abort();
    n_thread = n_sender_thread;
    n_task = n_sender_task;
    n_message = n_each;
    for (unsigned i = 1; i < n_thread + n_task; i++)
        txs[i] = msgq_tx_clone(&txs[0]);
    n_made = n_sent = n_kept = n_dropped = 0;
    n_received = 0;
    for (unsigned i = 0; i <= N_SENDER; i++)
        last_seq[i] = 0;
}

/* A few senders: threads, or tasks. */
static void round_of_few(bool in_tasks)
{
    static void (*const fns[])(struct stress_thread *) = { sender, sender, sender, receiver };

    if (in_tasks) {
        open_round(0, N_FEW, 300);
        check_eq(tr_run(all_tasks, NULL), 0);
    } else {
        open_round(N_FEW, 0, 300);
        stress_together(fns, TR_LEN(fns));
    }
}

/* The receiver is a task, or one of the threads. */
static void round_of_crowd(bool in_task)
{
    static void (*const fns[])(struct stress_thread *) = { sender, sender, sender,
                                                           sender, sender, sender,
                                                           sender, sender, receiver };
    _Static_assert(TR_LEN(fns) == STRESS_THREADS + 1, "");

    if (in_task) {
        open_round(STRESS_THREADS, STRESS_TASKS - 1, 20);
        stress_beside(fns, STRESS_THREADS, all_tasks);
    } else {
        open_round(STRESS_THREADS - 1, STRESS_TASKS, 20);
        stress_beside(fns + 1, STRESS_THREADS, send_tasks);
    }
}

int main(void)
{
    const tr_time end = stress_end();
    unsigned long n_round;

    for (n_round = 0; tr_now() < end && test_n_failed() == 0; n_round++) {
        if (n_round % 2 == 0)
            round_of_crowd(n_round % 4 == 0);
        else
            round_of_few(n_round % 4 == 3);
        check_eq(n_sent, n_received + n_dropped);
        check_eq(n_made, n_received + n_kept + n_dropped, "each message ends once");
    }
    return stress_result(n_round);
}
