/* SPDX-License-Identifier: MIT */
/* test_handler_many.c - one handler and many senders of every kind, and very many handlers. */
#include "config.h"

#include <pthread.h>

#include "sched/kit.h"

TR_SUITE(handler_many, .init = kit_listen, .timeout = 60);

static atomic_ulong n_sent, n_handled, n_dropped, n_self_dropped;

struct msg {
    unsigned from; /* 0: empty */
    unsigned seq;
};

static void msg_drop(struct msg *m)
{
    atomic_fetch_add(&n_dropped, m->from != 0);
}

enum { N_THREAD = 2, N_TASK = 6, N_FROM = N_THREAD + N_TASK + 2, N_EACH = 2000 };

struct sink {
    unsigned key;
    unsigned next[N_FROM + 1]; /* what each sender sends next */
    unsigned inside;           /* plain: TSan and the check below see two at a time */
};

static void sink_drop(struct sink *s)
{
    atomic_fetch_add(&n_self_dropped, s->key != 0);
}

TR_HANDLER(sink, struct sink, struct msg, sink_drop, msg_drop);

static int sink(struct sink *self, struct msg *m)
{
    check_eq(self->inside++, 0);
    check_eq(m->seq, self->next[m->from], "each sender's messages keep their order");
    self->next[m->from] = m->seq + 1;
    atomic_fetch_add(&n_handled, 1);
    self->inside--;
    return 0;
}

/* Another handler that passes on what it gets, with a sender's number of its own. */
struct relay {
    sink_ref to;
    unsigned seq;
};

static void relay_drop(struct relay *r)
{
    sink_ref_close(&r->to);
}

TR_HANDLER(relay, struct relay, struct msg, relay_drop, msg_drop);

static int relay(struct relay *self, struct msg *m)
{
    struct msg out = { N_FROM, self->seq++ };

    (void)m;
    check_eq(sink_post(&self->to, &out), 0, "one post a message always fits");
    atomic_fetch_add(&n_sent, 1);
    return 0;
}

struct sender {
    sink_ref to;
    unsigned from;
};

static void sender_drop(struct sender *s)
{
    sink_ref_close(&s->to);
}

static void *send_from_thread(void *arg)
{
    struct sender *s = arg;

    for (unsigned i = 0; i < N_EACH; i++) {
        struct msg m = { s->from, i };

        check_eq(sink_blocking_send(&s->to, &m, TR_NEVER), 0);
        atomic_fetch_add(&n_sent, 1);
    }
    sender_drop(s);
    return NULL;
}

TR_TASK(send_from_task, struct sender, sender_drop);

static int send_from_task(struct sender *s)
{
    for (unsigned i = 0; i < N_EACH; i++) {
        struct msg m = { s->from, i };

        if (i % 3 || sink_try_send(&s->to, &m) == -EAGAIN)
            check_eq(sink_send(&s->to, &m, TR_NEVER), 0);
        atomic_fetch_add(&n_sent, 1);
        if (i % 50 == 0)
            (void)tr_yield();
    }
    return 0;
}

static int everybody_sends(tr_scope *root, void *unused)
{
    struct sink self = { .key = 1 };
    struct sender from[N_THREAD];
    pthread_t thread[N_THREAD];
    relay_ref r;
    sink_ref to;

    (void)unused;
    check_eq(sink_spawn(root, &self, &(struct tr_handler_opts){ .capacity = 4 }, &to), 0);
    check_eq(relay_spawn(root, &(struct relay){ sink_ref_clone(&to), 0 }, NULL, &r), 0);
    for (unsigned i = 0; i < N_THREAD; i++) {
        from[i] = (struct sender){ sink_ref_clone(&to), i + 1 };
        if (pthread_create(&thread[i], NULL, send_from_thread, &from[i]) != 0)
            abort();
    }
    for (unsigned i = 0; i < N_TASK; i++) {
        struct sender s = { sink_ref_clone(&to), N_THREAD + i + 1 };

        check_eq(
            send_from_task_spawn(root, &s, &(struct tr_task_opts){ .flags = TR_TASK_SPREAD }),
            0);
    }
    for (unsigned i = 0; i < N_EACH; i++) {
        struct msg m = { 1, 0 };

        check_eq(relay_send(&r, &m, TR_NEVER), 0);
    }
    relay_ref_close(&r);
    sink_ref_close(&to);
    check_eq(tr_scope_join(root, TR_NEVER), 0);
    for (unsigned i = 0; i < N_THREAD; i++)
        pthread_join(thread[i], NULL);
    check_eq(n_sent, (unsigned long)(N_THREAD + N_TASK + 1) * N_EACH);
    check_eq(n_handled, n_sent);
    check_eq(n_dropped, n_sent + N_EACH);
    check_eq(n_self_dropped, 1);
    return 0;
}

TR_TEST(handler_many, senders_of_every_kind_and_never_two_messages_at_a_time)
{
    run_with((struct tr_runtime_opts){ .n_worker = 2 }, everybody_sends, NULL);
}

/* ---- ends against sends ---- */

static int cancel_amid(tr_scope *root, void *unused)
{
    struct sink self = { .key = 1 };
    tr_scope s TR_CLEANUP(tr_scope_end) = tr_scope_open(NULL);
    sink_ref to;
    unsigned sent = 0;

    (void)root;
    (void)unused;
    atomic_store(&n_handled, 0);
    atomic_store(&n_dropped, 0);
    check_eq(sink_spawn(&s, &self, NULL, &to), 0);
    for (unsigned i = 0; i < 100; i++) {
        struct msg m = { 1, i };

        if (i == 50 + test_seed() % 40)
            tr_scope_cancel(&s);
        if (sink_send(&to, &m, TR_NEVER) < 0)
            break; /* m is still ours, and plain */
        sent++;
        if (i % 7 == 0)
            (void)tr_yield();
    }
    check_eq(tr_scope_join(&s, TR_NEVER), 0);
    check_eq(n_dropped, sent, "each that was sent, once");
    sink_ref_close(&to);
    return 0;
}

TR_TEST(handler_many, a_cancel_amid_messages_drops_each_once)
{
    (void)run_seeds(100, cancel_amid, NULL);
}

/* ---- many ---- */

enum { MANY = 100000 };

struct small {
    unsigned key;
};

static void small_drop(struct small *s)
{
    atomic_fetch_add(&n_self_dropped, s->key != 0);
}

TR_HANDLER(small, struct small, struct msg, small_drop, msg_drop);

static int small(struct small *self, struct msg *m)
{
    atomic_fetch_add(&n_handled, self->key == m->from);
    return 0;
}

static int hundred_thousand(tr_scope *root, void *unused)
{
    static small_ref ref[MANY];
    const struct tr_handler_opts opts = { .capacity = 1 };

    (void)unused;
    for (unsigned i = 0; i < MANY; i++)
        if (small_spawn(root, &(struct small){ i + 1 }, &opts, &ref[i]) < 0)
            return -ENOMEM;
    for (unsigned i = 0; i < 2 * MANY; i++) {
        struct msg m = { i % MANY + 1, 0 };

        if (!check_eq(small_send(&ref[i % MANY], &m, TR_NEVER), 0))
            break;
    }
    for (unsigned i = 0; i < MANY; i++)
        small_ref_close(&ref[i]);
    check_eq(tr_scope_join(root, TR_NEVER), 0);
    check_eq(n_handled, 2 * MANY);
    check_eq(n_dropped, 2 * MANY);
    check_eq(n_self_dropped, MANY);
    return 0;
}

TR_TEST(handler_many, a_hundred_thousand_handlers)
{
    run_with((struct tr_runtime_opts){ .n_worker = 1 }, hundred_thousand, NULL);
}

TR_TEST(handler_many, a_hundred_thousand_handlers_on_two_workers)
{
    run_with((struct tr_runtime_opts){ .n_worker = 2 }, hundred_thousand, NULL);
}

/* ---- ids ---- */

static tr_id ids[64];
static unsigned n_id;

TR_HANDLER(teller, struct small, struct msg, tr_nodrop, tr_nodrop);

static int teller(struct small *self, struct msg *m)
{
    (void)self;
    (void)m;
    ids[n_id++] = tr_self_id();
    return 0;
}

TR_TASK(task_teller, struct small, tr_nodrop);

static int task_teller(struct small *unused)
{
    (void)unused;
    ids[n_id++] = tr_self_id();
    return tr_sleep(TR_NEVER);
}

STEP_TEST(handler_many, no_two_actors_have_the_same_id)
{
    teller_ref ref[30];

    for (unsigned i = 0; i < 30; i++) {
        struct msg m = { 1, 0 };

        need_eq(teller_spawn(root, &(struct small){ 1 },
                             &(struct tr_handler_opts){ .capacity = 1 + i % 3 * 16 }, &ref[i]),
                0);
        need_eq(teller_send(&ref[i], &m, TR_NEVER), 0);
        need_eq(task_teller_spawn(root, &(struct small){ 1 }, NULL), 0);
    }
    step_until(n_id == 60);
    for (unsigned i = 0; i < 60; i++)
        for (unsigned k = 0; k < i; k++)
            check_ne(ids[i], ids[k]);
    for (unsigned i = 0; i < 30; i++)
        teller_ref_close(&ref[i]);
}
