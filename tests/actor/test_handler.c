/* SPDX-License-Identifier: MIT */
/*
 * test_handler.c - messages, ends, the outbox and the timer of handlers; what they may not
 * call.
 */
#include "config.h"

#include <pthread.h>

#include "mem/alloc.h"
#include "sched/kit.h"
#include "sched/scope.h"

/* ---- a handler that counts, and everything it can be told to do ---- */

static atomic_uint n_dropped, n_self_dropped, n_handled, n_inside;

enum op {
    OP_NONE,
    OP_ADD,
    OP_STOP,
    OP_FAIL,
    OP_TIMER,
    OP_TICK,
    OP_TIMER_OFF,
    OP_FORWARD,
    OP_CALL
};

struct msg {
    enum op op; /* OP_NONE: empty */
    unsigned by;
    tr_time at;
    int (*fn)(void);
};

static void msg_drop(struct msg *m)
{
    atomic_fetch_add(&n_dropped, m->op != OP_NONE);
}

struct state {
    unsigned key; /* 0: empty */
    unsigned sum;
    struct box *to;
};

static void state_drop(struct state *s)
{
    atomic_fetch_add(&n_self_dropped, s->key != 0);
}

TR_HANDLER(ctr, struct state, struct msg, state_drop, msg_drop);

struct box {
    ctr_ref ref;
};

static unsigned sum, seen[4096], n_seen;
static int call_r, post_r;
static tr_id inside_id;
static const char *inside_name;

static int forward(struct state *self, struct msg *m)
{
    struct msg copy = { OP_ADD, m->by, 0, NULL };

    post_r = ctr_post(&self->to->ref, &copy);
    if (post_r < 0)
        msg_drop(&copy);
    return 0;
}

static int set_timer(struct msg *m)
{
    struct msg tick = { OP_TICK, m->by, 0, NULL };

    return ctr_timer(m->at, &tick);
}

static int act(struct state *self, struct msg *m)
{
    switch (m->op) {
    case OP_ADD:
    case OP_TICK:
        sum = self->sum += m->by;
        if (n_seen < TR_LEN(seen))
            seen[n_seen++] = m->by;
        return 0;
    case OP_STOP:
        return tr_handler_stop();
    case OP_FAIL:
        return -EIO;
    case OP_TIMER:
        return set_timer(m);
    case OP_TIMER_OFF:
        return ctr_timer(TR_NEVER, NULL);
    case OP_FORWARD:
        return forward(self, m);
    case OP_CALL:
        call_r = m->fn();
        return 0;
    case OP_NONE:
        break;
    }
    return -EINVAL;
}

static int ctr(struct state *self, struct msg *m)
{
    int r;

    check_eq(atomic_fetch_add(&n_inside, 1), 0, "two messages at the same time");
    atomic_fetch_add(&n_handled, 1);
    inside_id = tr_self_id();
    inside_name = tr_self_name();
    r = act(self, m);
    atomic_fetch_sub(&n_inside, 1);
    return r;
}

TR_SUITE(handler, .races = true, .init = kit_listen, .timeout = 20);

static ctr_ref start_with(tr_scope *s, const struct tr_handler_opts *opts, struct box *to)
{
    struct state self = { 1, 0, to };
    ctr_ref ref = { { NULL, 0 } };

    check_eq(ctr_spawn(s, &self, opts, &ref), 0);
    check_eq(self.key, 0, "moved");
    return ref;
}

static ctr_ref start(tr_scope *s)
{
    return start_with(s, NULL, NULL);
}

static void tell(ctr_ref *ref, enum op op, unsigned by)
{
    struct msg m = { op, by, 0, NULL };

    need_eq(ctr_send(ref, &m, TR_NEVER), 0);
    check_eq(m.op, OP_NONE, "moved");
}

/* ---- messages ---- */

STEP_TEST(handler, messages_are_handled_in_order_and_dropped_after_it)
{
    ctr_ref ref = start(root);

    for (unsigned i = 1; i <= 100; i++)
        tell(&ref, OP_ADD, i);
    step_until(n_handled == 100);
    check_eq(sum, 5050);
    for (unsigned i = 0; i < 100; i++)
        check_eq(seen[i], i + 1);
    check_eq(n_dropped, 100, "what the function left in it");
    check_eq(n_self_dropped, 0);
    ctr_ref_close(&ref);
    need_eq(tr_scope_join(root, TR_NEVER), 0);
    check_eq(n_self_dropped, 1);
}

STEP_TEST(handler, the_last_reference_ends_it_after_the_queued_messages)
{
    ctr_ref ref = start(root), other = ctr_ref_clone(&ref);

    for (unsigned i = 0; i < 10; i++)
        tell(&ref, OP_ADD, 1);
    ctr_ref_close(&ref);
    tell(&other, OP_ADD, 1);
    check_eq(tr_scope_len(root), 1);
    ctr_ref_close(&other);
    need_eq(tr_scope_join(root, TR_NEVER), 0);
    check_eq(sum, 11);
    check_eq(n_dropped, 11);
}

STEP_TEST(handler, one_without_a_reference_ends_at_once)
{
    struct state self = { 1, 0, NULL };

    need_eq(ctr_spawn(root, &self, NULL, NULL), 0);
    need_eq(tr_scope_join(root, TR_NEVER), 0);
    check_eq(n_self_dropped, 1);
}

STEP_TEST(handler, it_knows_its_id_and_its_name)
{
    ctr_ref ref = start_with(root, &(struct tr_handler_opts){ .name = "named" }, NULL);
    ctr_ref plain = start(root);
    tr_id id;

    tell(&ref, OP_ADD, 1);
    step_until(n_handled == 1);
    id = inside_id;
    check_ne(id, 0);
    check_str(inside_name, "named");
    tell(&plain, OP_ADD, 1);
    step_until(n_handled == 2);
    check_ne(inside_id, id);
    check_str(inside_name, "ctr");
    ctr_ref_close(&ref);
    ctr_ref_close(&plain);
}

/* ---- ends ---- */

STEP_TEST(handler, stop_ends_it_cleanly_and_drops_what_is_queued)
{
    ctr_ref ref = start(root);
    struct msg m = { OP_ADD, 1, 0, NULL };

    tell(&ref, OP_ADD, 1);
    tell(&ref, OP_STOP, 0);
    tell(&ref, OP_ADD, 1);
    need_eq(tr_scope_join(root, TR_NEVER), 0);
    check_eq(n_handled, 2);
    check_eq(n_dropped, 3);
    check_eq(n_self_dropped, 1);
    check_eq(tr_scope_failures(root), 0);
    check(ctr_ref_is_closed(&ref));
    check_eq(ctr_try_send(&ref, &m), -EPIPE);
    check_eq(m.op, OP_ADD, "still ours");
    ctr_ref_close(&ref);
    check_eq(n_dropped, 3);
}

STEP_TEST(handler, a_failure_ends_it_and_is_told)
{
    ctr_ref ref = start(root);

    tell(&ref, OP_FAIL, 0);
    tell(&ref, OP_ADD, 1);
    need_eq(tr_scope_join(root, TR_NEVER), 0);
    check_eq(tr_scope_failures(root), 1);
    check_eq(n_told[TR_EVENT_FAILED], 1);
    check(strstr(told, "handler 'ctr'") != NULL);
    check_eq(n_handled, 1);
    check_eq(n_dropped, 2);
    ctr_ref_close(&ref);
}

STEP_TEST(handler, a_failure_is_the_result_of_a_fail_fast_scope)
{
    tr_scope s TR_CLEANUP(tr_scope_end) = tr_scope_open(NULL);
    ctr_ref ref = start(&s), sibling = start(&s);

    tell(&ref, OP_FAIL, 0);
    check_eq(tr_scope_join(&s, TR_NEVER), -EIO);
    check_eq(n_self_dropped, 2);
    ctr_ref_close(&ref);
    ctr_ref_close(&sibling);
}

STEP_TEST(handler, a_cancel_drops_the_queued_messages_once)
{
    ctr_ref ref = start(root);

    for (unsigned i = 0; i < 8; i++)
        tell(&ref, OP_ADD, 1);
    tr_scope_cancel(root);
    need_eq(tr_scope_join(root, TR_NEVER), 0);
    check_eq(n_handled, 0, "it had not run");
    check_eq(n_dropped, 8);
    check_eq(n_self_dropped, 1);
    ctr_ref_close(&ref);
}

STEP_TEST(handler, a_cancel_reaches_an_idle_one)
{
    tr_scope s TR_CLEANUP(tr_scope_end) = tr_scope_open(NULL);
    ctr_ref ref = start(&s);

    tell(&ref, OP_ADD, 1);
    step_until(n_handled == 1);
    tr_scope_cancel(&s);
    check_eq(tr_scope_join(&s, TR_NEVER), 0);
    check_eq(n_self_dropped, 1);
    ctr_ref_close(&ref);
}

STEP_TEST(handler, a_drain_does_not_touch_it)
{
    tr_scope s TR_CLEANUP(tr_scope_end) = tr_scope_open(NULL);
    ctr_ref ref = start(&s);

    check_eq(tr_scope_drain(&s, tr_after(TR_MS(1))), -ETIMEDOUT);
    check_eq(n_self_dropped, 1, "its deadline does");
    ctr_ref_close(&ref);
}

static const struct tr_handler_opts until_drain = { .flags = TR_HANDLER_UNTIL_DRAIN };

STEP_TEST(handler, until_drain_it_takes_nothing_new_and_finishes_what_is_queued)
{
    tr_scope s TR_CLEANUP(tr_scope_end) = tr_scope_open(NULL);
    ctr_ref ref = start_with(&s, &until_drain, NULL);
    struct msg m = { OP_ADD, 1, 0, NULL };

    for (unsigned i = 0; i < 8; i++)
        tell(&ref, OP_ADD, 1);
    check_eq(tr_scope_drain(&s, TR_NEVER), 0);
    check_eq(sum, 8);
    check_eq(ctr_try_send(&ref, &m), -EPIPE);
    ctr_ref_close(&ref);
}

STEP_TEST(handler, a_ticking_one_ends_at_its_drain)
{
    tr_scope s TR_CLEANUP(tr_scope_end) = tr_scope_open(NULL);
    ctr_ref ref = start_with(&s, &until_drain, NULL);
    struct msg m = { OP_TIMER, 1, tr_after(TR_S(1000)), NULL };

    need_eq(ctr_send(&ref, &m, TR_NEVER), 0);
    step_until(n_handled == 1);
    check_eq(tr_scope_drain(&s, tr_after(TR_S(5))), 0);
    check_eq(n_dropped, 2, "the timer's message too");
    ctr_ref_close(&ref);
}

/* Drains from another worker while the handler is busy: it must not go to sleep on it. */
static atomic_bool busy, go_on;

static int be_busy(void)
{
    atomic_store(&busy, true);
    while (!atomic_load(&go_on))
        ;
    return 0;
}

static void *drain_while_busy(void *arg)
{
    while (!atomic_load(&busy))
        ;
    tri_scope_drain(((tr_scope *)arg)->impl);
    atomic_store(&go_on, true);
    return NULL;
}

STEP_TEST(handler, a_drain_that_comes_while_it_runs_is_not_lost)
{
    for (unsigned i = 0; i < tries(20); i++) {
        tr_scope s TR_CLEANUP(tr_scope_end) = tr_scope_open(NULL);
        ctr_ref ref = start_with(&s, &until_drain, NULL);
        struct msg m = { OP_CALL, 0, 0, be_busy };
        pthread_t thread;

        atomic_store(&busy, false);
        atomic_store(&go_on, false);
        need_eq(ctr_send(&ref, &m, TR_NEVER), 0);
        need_eq(pthread_create(&thread, NULL, drain_while_busy, &s), 0);
        check_eq(tr_scope_join(&s, tr_after(TR_S(5))), 0);
        pthread_join(thread, NULL);
        ctr_ref_close(&ref);
    }
}

/* ---- spawn ---- */

STEP_TEST(handler, a_refused_state_is_dropped_once)
{
    tr_scope s TR_CLEANUP(tr_scope_end) = tr_scope_open(NULL);
    struct state self = { 1, 0, NULL };
    ctr_ref ref = { { NULL, 0 } };

    check_eq(ctr_spawn(NULL, &self, NULL, &ref), -EINVAL);
    check_eq(self.key, 0);
    check_eq(n_self_dropped, 1);
    check_eq(ctr_spawn(root, NULL, NULL, &ref), -EINVAL);
    self.key = 1;
    check_eq(ctr_spawn(root, &self, &(struct tr_handler_opts){ .capacity = SIZE_MAX - 1 }, &ref),
             -EINVAL);
    check_eq(n_self_dropped, 2);
    self.key = 1;
    tr_scope_cancel(&s);
    check_eq(ctr_spawn(&s, &self, NULL, &ref), -ESHUTDOWN);
    check_eq(n_self_dropped, 3);
    check_eq(ref.end.chan, NULL);
}

TR_TEST(handler, a_plain_thread_cannot_use_a_new_scope)
{
    tr_scope s = tr_scope_open(NULL);
    struct state self = { 1, 0, NULL };

    check_eq(ctr_spawn(&s, &self, NULL, NULL), -EPERM);
    check_eq(n_self_dropped, 1);
}

STEP_TEST(handler, spawn_without_memory_drops_the_state)
{
    unsigned n_ok = 0;

    for (long nth = 1; nth < 30 && n_ok == 0; nth++) {
        struct state self = { 1, 0, NULL };
        unsigned before = n_self_dropped;
        int r;

        tri_mem_fail_at(nth);
        r = ctr_spawn(root, &self, NULL, NULL);
        n_ok += !tri_mem_has_failed();
        tri_mem_fail_at(0);
        check(r == 0 || r == -ENOMEM);
        need_eq(tr_scope_join(root, TR_NEVER), 0);
        check_eq(n_self_dropped, before + 1);
    }
    check_eq(n_ok, 1);
}

struct big_state {
    _Alignas(16) char c[3000];
};

TR_HANDLER(big, struct big_state, struct msg, tr_nodrop, msg_drop);

static int big(struct big_state *self, struct msg *m)
{
    (void)m;
    check_eq((uintptr_t)self % 16, 0);
    check_eq(self->c[2999], 9);
    return 0;
}

STEP_TEST(handler, a_large_aligned_state_arrives_whole)
{
    struct big_state self = { .c[2999] = 9 };
    big_ref ref;
    struct msg m = { OP_ADD, 1, 0, NULL };

    need_eq(big_spawn(root, &self, NULL, &ref), 0);
    need_eq(big_send(&ref, &m, TR_NEVER), 0);
    big_ref_close(&ref);
    need_eq(tr_scope_join(root, TR_NEVER), 0);
    check_eq(n_dropped, 1);
}

/* ---- the mailbox is bounded ---- */

STEP_TEST(handler, a_full_mailbox_refuses_and_makes_a_sender_wait)
{
    ctr_ref ref = start_with(root, &(struct tr_handler_opts){ .capacity = 2 }, NULL);
    struct msg m = { OP_ADD, 7, 0, NULL };

    tell(&ref, OP_ADD, 1);
    tell(&ref, OP_ADD, 2);
    check_eq(ctr_try_send(&ref, &m), -EAGAIN);
    check_eq(m.by, 7);
    check_eq(ctr_send(&ref, &m, TR_NOW), -ETIMEDOUT);
    check_eq(ctr_send(&ref, &m, TR_NEVER), 0);
    step_until(n_handled == 3);
    check_eq(sum, 10);
    ctr_ref_close(&ref);
}

/* ---- the outbox ---- */

static struct box back;

/* A pair: the front forwards to the back, which has room for one. */
static ctr_ref start_pair(tr_scope *front_scope, tr_scope *back_scope)
{
    back.ref = start_with(back_scope, &(struct tr_handler_opts){ .capacity = 1 }, NULL);
    return start_with(front_scope, NULL, &back);
}

STEP_TEST(handler, posts_to_a_full_mailbox_wait_and_keep_their_order)
{
    ctr_ref front = start_pair(root, root);

    for (unsigned i = 1; i <= 1000; i++)
        tell(&front, OP_FORWARD, i);
    step_until(n_handled == 2000);
    check_eq(n_seen, 1000);
    for (unsigned i = 0; i < 1000; i++)
        check_eq(seen[i], i + 1);
    check_eq(n_dropped, 2000);
    ctr_ref_close(&front);
    ctr_ref_close(&back.ref);
}

static int post_to_back(void)
{
    struct msg m = { OP_ADD, 1, 0, NULL };
    int r = ctr_post(&back.ref, &m);

    if (r < 0)
        msg_drop(&m);
    return r;
}

/* Its own mailbox, which has room for one. */
static int post_to_self(void)
{
    struct msg m = { OP_ADD, 1, 0, NULL };

    check_eq(ctr_post(&back.ref, &m), 0);
    m = (struct msg){ OP_ADD, 1, 0, NULL };
    check_eq(ctr_post(&back.ref, &m), -EDEADLK);
    check_eq(m.op, OP_ADD, "handed back");
    msg_drop(&m);
    return 7;
}

STEP_TEST(handler, a_post_to_its_own_full_mailbox_is_refused)
{
    struct msg m = { OP_CALL, 0, 0, post_to_self };
    struct tr_mpsc_counts counts;

    back.ref = start_with(root, &(struct tr_handler_opts){ .capacity = 1 }, NULL);
    need_eq(ctr_send(&back.ref, &m, TR_NEVER), 0);
    step_until(n_handled == 2);
    check_eq(call_r, 7);
    check_eq(sum, 1);
    check_eq(n_dropped, 3);
    tr_mpsc_tx_counts(&back.ref.end, &counts);
    check_eq(counts.n_back, 1);
    check_eq(counts.n_sent, 3);
    ctr_ref_close(&back.ref);
}

static int post_three(void)
{
    int r;

    check_eq(post_to_back(), 0, "there is room for one");
    check_eq(post_to_back(), 0, "and for one in the outbox");
    r = post_to_back();
    check_eq(post_to_back(), r);
    return r;
}

STEP_TEST(handler, the_outbox_holds_one_message)
{
    ctr_ref front = start_pair(root, root);
    struct msg m = { OP_CALL, 0, 0, post_three };
    struct tr_mpsc_counts counts;

    need_eq(ctr_send(&front, &m, TR_NEVER), 0);
    step_until(n_handled == 3);
    check_eq(call_r, -EAGAIN);
    check_eq(sum, 2);
    check_eq(n_dropped, 5);
    tr_mpsc_tx_counts(&back.ref.end, &counts);
    check_eq(counts.n_back, 2, "the one in the outbox was not handed back");
    check_eq(counts.n_sent, 4);
    ctr_ref_close(&front);
    ctr_ref_close(&back.ref);
}

/* A channel end looks like a reference: a receiver that the test holds still. */
STEP_TEST(handler, the_outbox_of_one_whose_addressee_goes_is_dropped_and_it_goes_on)
{
    tr_mpsc_rx rx;
    ctr_ref front = start_with(root, NULL, &back);

    need_eq(tr_mpsc_new(&ctr_tri_handler.message, 1, &back.ref.end, &rx), 0);
    tell(&front, OP_FORWARD, 1);
    tell(&front, OP_FORWARD, 2);
    tell(&front, OP_ADD, 3);
    step_until(n_handled == 2);
    for (unsigned i = 0; i < 10; i++)
        need_eq(tr_yield(), 0);
    check_eq(n_handled, 2, "the third waits behind the outbox");
    check_eq(n_dropped, 2);
    tr_mpsc_rx_close(&rx);
    step_until(n_handled == 3);
    check_eq(n_dropped, 5);
    ctr_ref_close(&front);
    ctr_ref_close(&back.ref);
}

STEP_TEST(handler, a_cancel_with_a_message_in_the_outbox_drops_it_once)
{
    tr_scope s TR_CLEANUP(tr_scope_end) = tr_scope_open(NULL);
    tr_mpsc_rx rx;
    ctr_ref front = start_with(&s, NULL, &back);

    need_eq(tr_mpsc_new(&ctr_tri_handler.message, 1, &back.ref.end, &rx), 0);
    tell(&front, OP_FORWARD, 1);
    tell(&front, OP_FORWARD, 2);
    tell(&front, OP_ADD, 3);
    step_until(n_handled == 2);
    need_eq(tr_yield(), 0);
    tr_scope_cancel(&s);
    check_eq(tr_scope_join(&s, TR_NEVER), 0);
    check_eq(n_dropped, 2 + 1 + 1, "two done, one in the outbox, one queued");
    tr_mpsc_rx_close(&rx);
    check_eq(n_dropped, 5);
    ctr_ref_close(&front);
    ctr_ref_close(&back.ref);
}

STEP_TEST(handler, room_lets_the_outbox_go)
{
    tr_mpsc_rx rx;
    ctr_ref front = start_with(root, NULL, &back);
    struct msg m;

    need_eq(tr_mpsc_new(&ctr_tri_handler.message, 1, &back.ref.end, &rx), 0);
    for (unsigned i = 1; i <= 5; i++)
        tell(&front, OP_FORWARD, i);
    for (unsigned i = 1; i <= 5; i++) {
        need_eq(tr_mpsc_recv(&rx, TR_NEVER, &m), 0);
        check_eq(m.by, i);
    }
    check_eq(tr_mpsc_try_recv(&rx, &m), -EAGAIN);
    tr_mpsc_rx_close(&rx);
    ctr_ref_close(&front);
    ctr_ref_close(&back.ref);
}

STEP_TEST(handler, the_forms_of_a_handler_are_refused_elsewhere)
{
    ctr_ref ref = start(root);
    struct msg m = { OP_ADD, 1, 0, NULL };

    check_eq(ctr_post(&ref, &m), -EPERM);
    check_eq(ctr_timer(TR_NOW, &m), -EPERM);
    check_eq(tr_handler_stop(), -EPERM);
    check_eq(m.op, OP_ADD, "still ours");
    check_eq(n_told[TR_EVENT_MISUSE], 3);
    ctr_ref_close(&ref);
}
