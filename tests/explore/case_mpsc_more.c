/* SPDX-License-Identifier: MIT */
/*
 * case_mpsc_more.c - chan/mpsc with overflow policies and an urgent lane (mpsc_locked.c), with
 * permits (mpsc_permit.c), weak ends and the wait for the end of the receiver. What a send says
 * that became of a message is what became of it.
 */
#include "config.h"

#include "explore/mpsc.h"

static queue_weak weak;
static unsigned n_told; /* drops that senders were told of */
static bool is_drained; /* by the receiver: nothing was left for its close */

static void begin(size_t capacity)
{
    setup_queue(capacity);
    weak = (queue_weak){ 0 };
    n_told = 0;
    is_drained = false;
}

static bool same_sender(const void *a, const void *b)
{
    return *((const struct message *)a)->id / 10 == *((const struct message *)b)->id / 10;
}

static void begin_with(const struct tr_mpsc_opts *opts)
{
    begin(1);
    queue_tx_close(&tx[0]);
    queue_tx_close(&tx[1]);
    queue_rx_close(&rx);
    check(queue_new_with(opts, &tx[0], &rx) == 0);
    chan = rx.end.chan;
    tx[1] = queue_tx_clone(&tx[0]);
}

static void alone(void)
{
    queue_tx_close(&tx[1]);
}

static void setup_oldest(void)
{
    begin_with(&(struct tr_mpsc_opts){ .capacity = 1, .overflow = TR_OVERFLOW_DROP_OLDEST });
}

static void setup_oldest_alone(void)
{
    setup_oldest();
    alone();
}

static void setup_newest_alone(void)
{
    begin_with(&(struct tr_mpsc_opts){ .capacity = 1, .overflow = TR_OVERFLOW_DROP_NEWEST });
    alone();
}

static void setup_reject_alone(void)
{
    begin_with(&(struct tr_mpsc_opts){ .capacity = 1, .overflow = TR_OVERFLOW_REJECT });
    alone();
}

static void setup_conflate(void)
{
    begin_with(&(struct tr_mpsc_opts){
        .capacity = 2, .overflow = TR_OVERFLOW_CONFLATE, .same = same_sender });
}

static void setup_lane(void)
{
    begin_with(&(struct tr_mpsc_opts){ .capacity = 1, .n_urgent = 1 });
}

static void setup_1(void)
{
    begin(1);
}

static void setup_1_alone(void)
{
    begin(1);
    alone();
}

static void setup_2(void)
{
    begin(2);
}

static void setup_weak(void)
{
    begin(1);
    alone();
    weak = queue_tx_downgrade(&tx[0]);
}

static void finish(void)
{
    unsigned n_dropped = 0;

    queue_weak_close(&weak);
    finish_queue();
    for (unsigned i = 0; i < LEDGER_IDS; i++)
        n_dropped += ledger.n_dropped[i];
    if (is_drained)
        check(n_dropped == n_told);
}

/* ---- senders ---- */

static int sent(struct message *m, int r)
{
    n_told += r > 0;
    message_sent(m, r > 0 ? 0 : r);
    return r;
}

static void send_any(unsigned k)
{
    struct message m = message(k);
    int r = sent(&m, queue_blocking_send(&tx[explore_self()], &m, TR_NEVER));

    check(r >= 0 || r == -ENOBUFS || r == -EPIPE);
}

static void send_3(void)
{
    send_any(1);
    send_any(2);
    send_any(3);
    close_mine();
}

static void send_2(void)
{
    send_any(1);
    send_any(2);
    close_mine();
}

static void send_1(void)
{
    send_any(1);
    close_mine();
}

static void send_urgent_2(void)
{
    for (unsigned k = 1; k <= 2; k++) {
        struct message m = message(k);
        int r = sent(&m, queue_send_urgent(&tx[explore_self()], &m));

        check(r == 0 || r == -EAGAIN || r == -EPIPE);
    }
    close_mine();
}

static void reserve_send(size_t n, tr_time deadline)
{
    queue_permit p = { 0 };
    int r = queue_blocking_reserve(&tx[explore_self()], n, deadline, &p);

    check(r == 0 || r == -EPIPE || r == -ETIMEDOUT);
    close_mine(); /* the permit keeps the channel open */
    if (r == 0) {
        struct message m = message(1);

        check(queue_permit_left(&p) == n);
        r = sent(&m, queue_permit_send(&p, &m));
        check(r == 0 || r == -EPIPE);
    }
    queue_permit_close(&p);
}

static void reserve_1_send(void)
{
    reserve_send(1, TR_NEVER);
}

/* Gives one of them back. */
static void reserve_2_send(void)
{
    reserve_send(2, TR_NEVER);
}

static void reserve_2_a_while_send(void)
{
    reserve_send(2, TR_S(2));
}

static void upgrade_send(void)
{
    int r = queue_weak_upgrade(&weak, &tx[1]);

    check(r == 0 || r == -EPIPE);
    if (r == 0)
        send_1();
}

static void await_closed(void)
{
    struct message m;

    check(queue_blocking_closed(&tx[0], TR_NEVER) == 0);
    m = message(1);
    check(sent(&m, queue_try_send(&tx[0], &m)) == -EPIPE);
}

static void await_closed_a_while(void)
{
    int r = queue_blocking_closed(&tx[0], TR_S(2));

    check(r == 0 || r == -ETIMEDOUT);
    close_mine();
}

/* ---- the receiver ---- */

static void drain(void)
{
    recv_to_end();
    is_drained = true;
}

static void recv_close(void)
{
    int r = recv_until(TR_NEVER);

    check(r == 0 || r == -EPIPE);
    queue_rx_close(&rx);
}

static void recv_a_while_drain(void)
{
    int r = recv_until(TR_S(2));

    check(r == 0 || r == -ETIMEDOUT || r == -EPIPE);
    drain();
}

static void shut_drain(void)
{
    (void)try_recv();
    queue_rx_shut(&rx);
    drain();
}

static void shut(void)
{
    queue_rx_shut(&rx);
}

static void close_rx(void)
{
    queue_rx_close(&rx);
}

/* ---- broken ---- */

static void unlocked(struct explore_op *op)
{
    if (explore_is(op, "tri_lock_try", EXPLORE_CAS))
        op->ok = true;
}

static void armed_by_store(struct explore_op *op)
{
    if (explore_is(op, "tri_locked_rx_arm", EXPLORE_CAS))
        op->ok = op->writes = true;
}

static void parked_unseen(struct explore_op *op)
{
    if (explore_is(op, "tri_txline_wake_receiver", EXPLORE_AND))
        op->old &= ~(uint64_t)TRI_RX_PARKED;
}

static void unreserved_by_store(struct explore_op *op)
{
    if (explore_is(op, "unreserve_locked", EXPLORE_CAS))
        op->ok = op->writes = true;
}

static void upgraded_from_nothing(struct explore_op *op)
{
    if (explore_is(op, "tr_mpsc_weak_upgrade", EXPLORE_LOAD) && op->old == 0)
        op->old = 1;
    if (explore_is(op, "tr_mpsc_weak_upgrade", EXPLORE_CAS))
        op->ok = op->writes = true;
}

static void shut_unseen(struct explore_op *op)
{
    if (explore_is(op, "set_flags", EXPLORE_OR))
        op->writes = false;
}

static const struct explore_broken broken_locked[] = {
    { "no lock", unlocked },
    { "RX_PARKED by a plain store", armed_by_store },
    { 0 },
};

static const struct explore_broken broken_lane[] = {
    { "an urgent send does not see that the receiver is parked", parked_unseen },
    { 0 },
};

static const struct explore_broken broken_permits[] = {
    { "places are given back by a plain store", unreserved_by_store },
    { 0 },
};

static const struct explore_broken broken_weak[] = {
    { "an end is made when every sender has gone", upgraded_from_nothing },
    { 0 },
};

static const struct explore_broken broken_closed[] = {
    { "a close leaves no mark", shut_unseen },
    { 0 },
};

const struct explore_case explore_mpsc_more_cases[] = {
    { "mpsc 1 drops the oldest, send 3, close x recv", setup_oldest_alone, { send_3, drain },
      finish, 2, 3, broken_locked },
    { "mpsc 1 drops the oldest, send 2 x send x recv", setup_oldest, { send_2, send_1, drain },
      finish, 1, 2, NULL },
    { "mpsc 1 drops the oldest, send 2 x send x recv, close", setup_oldest,
      { send_2, send_1, recv_close }, finish, 1, 2, NULL },
    { "mpsc 1 drops the newest, send 3, close x recv", setup_newest_alone, { send_3, drain },
      finish, 3, 4, NULL },
    { "mpsc 1 rejects, send 3, close x recv", setup_reject_alone, { send_3, drain }, finish, 3, 4,
      NULL },
    { "mpsc 2 conflates, send 2 x send x recv", setup_conflate, { send_2, send_1, drain },
      finish, 1, 2, NULL },
    { "mpsc 1 with a lane, send x urgent 2 x recv", setup_lane,
      { send_1, send_urgent_2, drain }, finish, 1, 2, broken_lane },
    { "mpsc 1 with a lane, send x urgent 2 x recv, close", setup_lane,
      { send_1, send_urgent_2, recv_close }, finish, 1, 2, NULL },
    { "mpsc 1, reserve, send x recv", setup_1_alone, { reserve_1_send, drain }, finish, 3, 4,
      broken_permits },
    { "mpsc 1, reserve, send x shut, recv", setup_1_alone, { reserve_1_send, shut_drain }, finish,
      3, 4, NULL },
    { "mpsc 2, reserve 2, send x send 2 x recv", setup_2, { reserve_2_send, send_2, drain },
      finish, 1, 2, NULL },
    { "mpsc 1, reserve, send x send 2 x recv", setup_1, { reserve_1_send, send_2, drain }, finish,
      1, 2, NULL },
    { "mpsc 2, reserve 2 with a deadline, send x send 2 x recv", setup_2,
      { reserve_2_a_while_send, send_2, drain }, finish, 1, 2, NULL },
    { "mpsc 2, reserve 2, send x reserve, send x recv, close", setup_2,
      { reserve_2_send, reserve_1_send, recv_close }, finish, 1, 2, NULL },
    { "mpsc 1, send, close x upgrade, send x recv", setup_weak,
      { send_1, upgrade_send, recv_a_while_drain }, finish, 1, 2, NULL },
    { "mpsc 1, close x upgrade, send x recv", setup_weak, { close_mine, upgrade_send, drain },
      finish, 2, 3, broken_weak },
    { "mpsc 1, closed x shut", setup_1_alone, { await_closed, shut }, finish, 3, 4,
      broken_closed },
    { "mpsc 1, closed x close", setup_1_alone, { await_closed, close_rx }, finish, 3, 4, NULL },
    { "mpsc 1, closed with a deadline x send x close", setup_1,
      { await_closed_a_while, send_1, recv_close }, finish, 1, 2, NULL },
    { 0 },
};
