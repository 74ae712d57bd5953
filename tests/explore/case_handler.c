/* SPDX-License-Identifier: MIT */
/*
 * case_handler.c - actor/handler.c on the loop of a worker: sleep and wake by its mailbox, its
 * outbox, its timer and its scope; and its end, beside senders and beside a second worker that
 * takes it over while the first one is still on its way out of the run.
 */
#include "config.h"

#include <errno.h>

#include <troupe/handler.h>
#include <troupe/mpsc.h>

#include "explore/explore.h"
#include "explore/ledger.h"
#include "explore/world.h"
#include "sched/scope.h"

/* Where lib/actor/handler.c has these steps. */
#define FN_TAKE_READY "prepare"
#define FN_STAY       "undo"

struct state {
    unsigned n_run;
};

static void state_drop(struct state *s);

TR_HANDLER(actor, struct state, struct message, state_drop, message_drop);
TR_MPSC(queue, struct message, message_drop);

enum { RUNNER, RAIDER, N_WORKER };

static struct world_worker *workers[N_WORKER];
static tr_scope scope;
static actor_ref ref[EXPLORE_THREADS]; /* one for each thread that posts */
static queue_tx tx;                    /* where the handler posts to */
static queue_rx rx;
static bool forwards, ticks;
static unsigned n_ended;

/* ---- the handler ---- */

static void state_drop(struct state *s)
{
    (void)s;
    n_ended++;
    for (unsigned i = 0; i < N_WORKER; i++)
        world_worker_stop(workers[i]);
}

static int actor(struct state *s, struct message *m)
{
    int r;

    s->n_run++;
    if (forwards) {
        r = tr_handler_post(&tx.end, m); /* what is refused is dropped with *m */
        check(r == 0 || r == -EPIPE || r == -EAGAIN);
        return 0;
    }
    if (ticks && s->n_run == 1) {
        struct message tick = message(9);

        check(actor_timer(tr_now() + TR_MS(1), &tick) == 0);
    }
    message_got(m);
    return 0;
}

/* ---- setup, finish ---- */

static void begin(size_t capacity, unsigned n_poster, unsigned flags)
{
    struct state s = { 0 };

    ledger_begin();
    forwards = ticks = false;
    n_ended = 0;
    tx = (queue_tx){ 0 };
    rx = (queue_rx){ 0 };
    for (unsigned i = 0; i < N_WORKER; i++)
        workers[i] = world_worker_new(TRI_KIND_TASK, (uint16_t)(i + 1));
    world_scope_open(workers[RUNNER], &(struct tr_scope_opts){ 0 }, &scope);
    world_worker_enter(workers[RUNNER]);
    for (unsigned t = 0; t < EXPLORE_THREADS; t++)
        ref[t] = (actor_ref){ 0 };
    check(actor_spawn(&scope, &s, &(struct tr_handler_opts){ .capacity = capacity, .flags = flags },
                      &ref[1]) == 0);
    world_worker_leave();
    for (unsigned t = 2; t <= n_poster; t++)
        ref[t] = actor_ref_clone(&ref[1]);
}

static void setup_2(void)
{
    begin(2, 1, 0);
}

static void setup_1(void)
{
    begin(1, 1, 0);
}

static void setup_2_posters(void)
{
    begin(2, 2, 0);
}

static void setup_until_drain(void)
{
    begin(2, 1, TR_HANDLER_UNTIL_DRAIN);
}

static void setup_ticks(void)
{
    begin(2, 1, 0);
    ticks = true;
}

/* The queue has room for one. */
static void setup_forwards(void)
{
    begin(2, 1, 0);
    check(queue_new(1, &tx, &rx) == 0);
    forwards = true;
}

static void finish(void)
{
    check(n_ended == 1);
    for (unsigned t = 0; t < EXPLORE_THREADS; t++)
        actor_ref_close(&ref[t]);
    queue_tx_close(&tx);
    queue_rx_close(&rx);
    world_scope_close(workers[RUNNER], &scope);
    for (unsigned i = 0; i < N_WORKER; i++)
        world_worker_free(workers[i]);
    ledger_finish();
}

/* ---- threads ---- */

static void run_it(void)
{
    world_worker_loop(workers[RUNNER]);
}

static void post_k(unsigned k)
{
    struct message m = message(k);

    message_sent(&m, actor_try_send(&ref[explore_self()], &m));
}

static void close_mine(void)
{
    actor_ref_close(&ref[explore_self()]);
}

static void post_2(void)
{
    post_k(1);
    post_k(2);
    close_mine();
}

static void post_1(void)
{
    post_k(1);
    close_mine();
}

static void raid(void)
{
    world_worker_raid(workers[RAIDER], workers[RUNNER]);
}

static void post_2_raid(void)
{
    post_2();
    raid();
}

/* Waits for room in the mailbox. */
static void send_3(void)
{
    for (unsigned k = 1; k <= 3; k++) {
        struct message m = message(k);
        int r = actor_blocking_send(&ref[1], &m, TR_NEVER);

        check(r == 0);
        message_sent(&m, r);
    }
    close_mine();
}

static void post_cancel(void)
{
    post_k(1);
    tri_scope_cancel(scope.impl);
}

static void cancel_raid(void)
{
    tri_scope_cancel(scope.impl);
    raid();
}

static void post_cancel_raid(void)
{
    post_1();
    cancel_raid();
}

static void post_cancel_post(void)
{
    post_cancel();
    post_k(2);
    close_mine();
}

static void post_drain(void)
{
    post_k(1);
    tri_scope_drain(scope.impl);
}


static void post_2_close_queue(void)
{
    post_2();
    queue_rx_close(&rx);
}

static void recv_2(void)
{
    for (unsigned k = 1; k <= 2; k++) {
        struct message m = { NULL };

        check(queue_blocking_recv(&rx, TR_NEVER, &m) == 0);
        message_got(&m);
    }
}

/* Receives what the handler posts until it ends. */
static void post_2_recv(void)
{
    post_2();
    recv_2();
}

static void post_3_cancel(void)
{
    post_2();
    tri_scope_cancel(scope.impl);
}

static void recv_a_while(void)
{
    struct message m = { NULL };

    if (queue_blocking_recv(&rx, TR_S(2), &m) == 0)
        message_got(&m);
}

/* ---- broken ---- */

static void ready_stays(struct explore_op *op)
{
    if (explore_is(op, FN_TAKE_READY, EXPLORE_SUB))
        op->writes = false;
}

static void told_unseen(struct explore_op *op)
{
    if (explore_is(op, FN_TAKE_READY, EXPLORE_SUB))
        op->old &= ~(uint64_t)(TRI_CANCEL | TRI_DRAIN);
}

static void queued_unseen(struct explore_op *op)
{
    /* It runs on although somebody has queued it. */
    if (explore_is(op, FN_STAY, EXPLORE_OR))
        op->old &= ~(uint64_t)TRI_READY;
}

static void shown_unseen(struct explore_op *op)
{
    /* The thief takes what its victim still runs. */
    if (explore_is(op, "tri_steal_inbox", EXPLORE_LOAD))
        op->old = 0;
}

static void thinks_it_is_queued(struct explore_op *op)
{
    if (explore_is(op, FN_STAY, EXPLORE_OR))
        op->old |= TRI_READY;
}

static void armed_unseen(struct explore_op *op)
{
    if (explore_is(op, "tri_mpsc_rx_arm", EXPLORE_CAS))
        op->ok = op->writes = true;
}


static const struct explore_broken broken[] = {
    { "READY stays on while it sleeps", ready_stays },
    { "it leaves although nobody has queued it", thinks_it_is_queued },
    { "RX_PARKED by a plain store", armed_unseen },
    { 0 },
};

static const struct explore_broken broken_raid[] = {
    { "it runs on although it was queued", queued_unseen },
    { "a thief takes from the inbox what its victim still runs", shown_unseen },
    { 0 },
};

static const struct explore_broken broken_told[] = {
    { "it sleeps without a look at what it was told", told_unseen },
    { 0 },
};

const struct explore_case explore_handler_cases[] = {
    { "handler, post 2, close", setup_2, { run_it, post_2 }, finish, 3, 4, broken },
    { "handler, post 2, close x post, close", setup_2_posters, { run_it, post_2, post_1 }, finish,
      1, 2, NULL },
    { "handler, mailbox of 1, send 3, close", setup_1, { run_it, send_3 }, finish, 1, 3, NULL },
    { "handler, post 2, close, taken over", setup_2, { run_it, post_2_raid }, finish, 2, 3,
      NULL },
    { "handler, post 2, close x taken over", setup_2, { run_it, post_2, raid }, finish, 1, 2,
      NULL },
    { "handler, post, cancel", setup_2, { run_it, post_cancel }, finish, 2, 3, broken_told },
    { "handler, post, cancel, post, close", setup_2, { run_it, post_cancel_post }, finish, 2, 3,
      NULL },
    { "handler, post, close, cancel, taken over", setup_2, { run_it, post_cancel_raid }, finish,
      2, 3, broken_raid },
    { "handler, post, close x cancel, taken over", setup_2, { run_it, post_1, cancel_raid },
      finish, 1, 2, NULL },
    { "handler, post, drain", setup_until_drain, { run_it, post_drain }, finish, 2, 3,
      broken_told },
    { "handler with a timer, post 2, close", setup_ticks, { run_it, post_2 }, finish, 2, 3,
      NULL },
    { "handler posts, post 2, close, recv 2", setup_forwards, { run_it, post_2_recv }, finish, 2,
      3, NULL },
    { "handler posts, post 2, close, taken over x recv 2", setup_forwards,
      { run_it, post_2_raid, recv_2 }, finish, 1, 2, NULL },
    { "handler posts, post 2, close, close queue", setup_forwards, { run_it, post_2_close_queue },
      finish, 2, 3, NULL },
    { "handler posts, post 2, cancel x recv", setup_forwards,
      { run_it, post_3_cancel, recv_a_while }, finish, 1, 2, NULL },
    { 0 },
};
