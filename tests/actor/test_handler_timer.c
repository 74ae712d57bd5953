/* SPDX-License-Identifier: MIT */
/* test_handler_timer.c - a handler's timer, and what a handler's function may not call. */
#include "config.h"

#include <pthread.h>
#include <time.h>

#include "sched/kit.h"

static unsigned n_dropped, n_handled, order[64], n_order;
static tr_time when_at[64];
static int call_r;

struct msg {
    int key; /* 0: empty */
    int (*fn)(void);
};

static void msg_drop(struct msg *m)
{
    n_dropped += m->key != 0;
}

struct state {
    int key;
};

TR_HANDLER(h, struct state, struct msg, tr_nodrop, msg_drop);

static int h(struct state *self, struct msg *m)
{
    (void)self;
    n_handled++;
    if (n_order < 64) {
        when_at[n_order] = tr_now();
        order[n_order++] = (unsigned)m->key;
    }
    if (m->fn)
        call_r = m->fn();
    return 0;
}

TR_HANDLER(other, struct state, struct msg, tr_nodrop, msg_drop);

static int other(struct state *self, struct msg *m)
{
    (void)self;
    call_r = m->fn();
    return 0;
}

TR_SUITE(handler_timer, .races = true, .init = kit_listen, .timeout = 20);

static h_ref start(tr_scope *s)
{
    h_ref ref = { { NULL, 0 } };

    check_eq(h_spawn(s, &(struct state){ 1 }, NULL, &ref), 0);
    return ref;
}

static void tell(h_ref *ref, int key, int (*fn)(void))
{
    struct msg m = { key, fn };

    check_eq(h_send(ref, &m, TR_NEVER), 0);
}

static tr_time when;

static int set_timer(void)
{
    struct msg m = { 100, NULL };
    int r = h_timer(when, &m);

    check_eq(m.key, r == 0 ? 0 : 100, "moved, or still ours");
    if (r < 0)
        msg_drop(&m);
    return r;
}

static int set_off(void)
{
    return h_timer(TR_NEVER, NULL);
}

/* Every test here runs in virtual time. */
#define SIM_TEST(name_)                                                                        \
    static int run_##name_(tr_scope *root, void *unused);                                      \
    TR_TEST(handler_timer, name_)                                                              \
    {                                                                                          \
        run_with((struct tr_runtime_opts){ .simulate = true }, run_##name_, NULL);             \
    }                                                                                          \
    static int run_##name_(tr_scope *root, void *unused __attribute__((unused)))

SIM_TEST(it_fires_at_its_time_and_once)
{
    h_ref ref = start(root);

    when = tr_after(TR_MS(50));
    tell(&ref, 1, set_timer);
    check_eq(tr_sleep(tr_after(TR_S(1))), 0);
    check_eq(n_order, 2);
    check_eq(order[1], 100);
    check_ge(when_at[1], when);
    check_lt(when_at[1], when + TR_MS(1));
    check_eq(n_dropped, 2);
    h_ref_close(&ref);
    return 0;
}

SIM_TEST(a_second_call_replaces_and_drops_the_first)
{
    h_ref ref = start(root);

    when = tr_after(TR_MS(50));
    tell(&ref, 1, set_timer);
    check_eq(tr_sleep(tr_after(TR_MS(1))), 0);
    when = tr_after(TR_MS(200));
    tell(&ref, 2, set_timer);
    check_eq(tr_sleep(tr_after(TR_MS(100))), 0);
    check_eq(n_dropped, 3, "the first timer's message");
    check_eq(n_order, 2);
    check_eq(tr_sleep(tr_after(TR_S(1))), 0);
    check_eq(n_order, 3);
    check_ge(when_at[2], when);
    h_ref_close(&ref);
    return 0;
}

SIM_TEST(never_turns_it_off_and_drops_its_message)
{
    h_ref ref = start(root);

    when = tr_after(TR_MS(50));
    tell(&ref, 1, set_timer);
    tell(&ref, 2, set_off);
    tell(&ref, 3, set_off);
    check_eq(tr_sleep(tr_after(TR_S(1))), 0);
    check_eq(n_order, 3);
    check_eq(n_dropped, 4);
    check_eq(call_r, 0);
    h_ref_close(&ref);
    return 0;
}

static int hold(void)
{
    call_r = set_timer();
    return call_r;
}

SIM_TEST(what_is_due_goes_before_what_is_queued)
{
    h_ref ref = start(root);

    when = TR_NOW;
    tell(&ref, 1, hold);
    tell(&ref, 2, NULL);
    tell(&ref, 3, NULL);
    check_eq(tr_sleep(tr_after(TR_MS(1))), 0);
    check_eq(n_order, 4);
    for (unsigned i = 0; i < 64; i++)
        tell(&ref, 10, i == 0 ? hold : NULL); /* it finds them when the timer is due */
    check_eq(tr_sleep(tr_after(TR_MS(1))), 0);
    check_eq(n_handled, 4 + 65);
    h_ref_close(&ref);
    return 0;
}

static int set_nothing(void)
{
    return h_timer(TR_NOW, NULL);
}

SIM_TEST(a_time_without_a_message_is_refused)
{
    h_ref ref = start(root);

    tell(&ref, 1, set_nothing);
    check_eq(tr_yield(), 0);
    h_ref_close(&ref);
    check_eq(tr_scope_join(root, TR_NEVER), 0);
    check_eq(call_r, -EINVAL);
    return 0;
}

static int left;

static int tick(void)
{
    struct msg m = { 100, tick };

    return left-- > 0 ? h_timer(tr_after(TR_MS(10)), &m) : 0;
}

SIM_TEST(a_timer_set_by_its_own_message_ticks)
{
    h_ref ref = start(root);

    left = 5;
    tell(&ref, 1, tick);
    check_eq(tr_sleep(tr_after(TR_S(1))), 0);
    check_eq(n_order, 6);
    for (unsigned i = 1; i < 6; i++)
        check_ge(when_at[i], when_at[i - 1] + TR_MS(10));
    h_ref_close(&ref);
    return 0;
}

SIM_TEST(an_armed_timer_fires_although_every_reference_is_closed)
{
    h_ref ref = start(root);
    tr_time begin = tr_now();

    when = tr_after(TR_S(10));
    tell(&ref, 1, set_timer);
    h_ref_close(&ref);
    check_eq(tr_scope_join(root, TR_NEVER), 0);
    check_eq(n_order, 2);
    check_ge(tr_now() - begin, TR_S(10));
    return 0;
}

/* In real time: it must sleep, not spin, while only its timer is left. */
STEP_TEST(handler_timer, one_that_waits_for_its_timer_only_does_not_spin, .once = true)
{
    h_ref ref = start(root);
    struct timespec cpu;
    tr_time used;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu);
    used = TR_S(cpu.tv_sec) + cpu.tv_nsec;
    when = tr_after(TR_MS(300));
    tell(&ref, 1, set_timer);
    h_ref_close(&ref);
    check_eq(tr_scope_join(root, TR_NEVER), 0);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu);
    check_lt(TR_S(cpu.tv_sec) + cpu.tv_nsec - used, TR_MS(100));
}

SIM_TEST(a_cancel_drops_the_timers_message)
{
    h_ref ref = start(root);

    when = tr_after(TR_S(10));
    tell(&ref, 1, set_timer);
    check_eq(tr_sleep(tr_after(TR_MS(1))), 0);
    tr_scope_cancel(root);
    check_eq(tr_scope_join(root, TR_NEVER), 0);
    check_eq(n_dropped, 2);
    check_eq(n_order, 1);
    h_ref_close(&ref);
    return 0;
}

static int set_and_stop(void)
{
    (void)set_timer();
    return tr_handler_stop();
}

SIM_TEST(a_stop_drops_the_timers_message)
{
    h_ref ref = start(root);

    when = TR_NOW;
    tell(&ref, 1, set_and_stop);
    check_eq(tr_scope_join(root, TR_NEVER), 0);
    check_eq(n_dropped, 2);
    check_eq(n_order, 1);
    h_ref_close(&ref);
    return 0;
}

/* ---- drops that call what only the handler's function may ---- */

static int drop_r, self_drop_r[3];

struct bomb {
    int key; /* 0: empty. 1: set a timer with a 2; 3: another one. The drop of a 2 sets one
              * too */
};

static void bomb_drop(struct bomb *b);
static void fuse_drop(struct state *self);

TR_HANDLER(fuse, struct state, struct bomb, fuse_drop, bomb_drop);

static fuse_ref fuse_self;

static void bomb_drop(struct bomb *b)
{
    if (b->key == 2)
        drop_r = fuse_timer(tr_after(TR_S(1)), &(struct bomb){ 4 });
}

static void fuse_drop(struct state *self)
{
    if (self->key == 0)
        return;
    self_drop_r[0] = fuse_timer(tr_after(TR_S(1)), &(struct bomb){ 4 });
    self_drop_r[1] = fuse_post(&fuse_self, &(struct bomb){ 4 });
    self_drop_r[2] = tr_handler_stop();
}

static int fuse(struct state *self, struct bomb *b)
{
    (void)self;
    return fuse_timer(tr_after(TR_S(60)), &(struct bomb){ b->key + 1 });
}

STEP_TEST(handler_timer, a_drop_arms_no_timer_and_posts_nothing)
{
    tr_scope s TR_CLEANUP(tr_scope_end) = tr_scope_open(NULL);

    need_eq(fuse_spawn(&s, &(struct state){ 1 }, NULL, &fuse_self), 0);
    need_eq(fuse_send(&fuse_self, &(struct bomb){ 1 }, TR_NEVER), 0);
    need_eq(fuse_send(&fuse_self, &(struct bomb){ 3 }, TR_NEVER), 0);
    step_until(drop_r != 0);
    check_eq(drop_r, -EPERM, "of the message that was in the timer");
    tr_scope_cancel(&s);
    need_eq(tr_scope_join(&s, TR_NEVER), 0);
    for (unsigned i = 0; i < 3; i++)
        check_eq(self_drop_r[i], -EPERM, "of the state");
    check_eq(n_told[TR_EVENT_MISUSE], 4);
    fuse_ref_close(&fuse_self);
}

SIM_TEST(the_timer_of_another_type_is_refused)
{
    other_ref ref = { { NULL, 0 } };
    struct msg m = { 1, set_timer };

    when = TR_NOW;
    check_eq(other_spawn(root, &(struct state){ 1 }, NULL, &ref), 0);
    check_eq(other_send(&ref, &m, TR_NEVER), 0);
    other_ref_close(&ref);
    check_eq(tr_scope_join(root, TR_NEVER), 0);
    check_eq(call_r, -EPERM);
    check_eq(n_told[TR_EVENT_MISUSE], 1);
    return 0;
}

/* Timers of handlers that are busy on two workers: none is lost, none fires twice. */
static atomic_uint n_ticks;

struct ticker {
    unsigned n;
};

TR_HANDLER(ticker, struct ticker, struct msg, tr_nodrop, tr_nodrop);

static int ticker(struct ticker *self, struct msg *m)
{
    struct msg next = { 2, NULL };

    if (m->key == 3) /* noise from outside */
        return 0;
    atomic_fetch_add(&n_ticks, 1);
    if (self->n-- == 0)
        return tr_handler_stop();
    return ticker_timer(tr_after(TR_US(20 * (self->n % 5))), &next);
}

enum { N_TICKER = 20, N_TICK = 100 };

static void *make_noise(void *arg)
{
    ticker_ref *ref = arg;
    unsigned n_full = 0;

    for (unsigned i = 0; i < 3000; i++) {
        struct msg m = { 3, NULL };

        n_full += ticker_try_send(&ref[i % N_TICKER], &m) < 0;
    }
    check_lt(n_full, 3001);
    return NULL;
}

static int tick_all(tr_scope *root, void *unused)
{
    ticker_ref ref[N_TICKER];
    pthread_t thread;

    (void)unused;
    for (unsigned i = 0; i < N_TICKER; i++) {
        struct msg m = { 2, NULL };

        check_eq(ticker_spawn(root, &(struct ticker){ N_TICK }, NULL, &ref[i]), 0);
        check_eq(ticker_send(&ref[i], &m, TR_NEVER), 0);
    }
    if (pthread_create(&thread, NULL, make_noise, ref) != 0)
        abort();
    check_eq(tr_scope_join(root, TR_NEVER), 0);
    pthread_join(thread, NULL);
    for (unsigned i = 0; i < N_TICKER; i++)
        ticker_ref_close(&ref[i]);
    check_eq(n_ticks, N_TICKER * (N_TICK + 1));
    return 0;
}

TR_TEST(handler_timer, every_tick_comes_once_under_noise_on_two_workers)
{
    run_with((struct tr_runtime_opts){ .n_worker = 2 }, tick_all, NULL);
}

/* ---- what a handler may not call ---- */

static int wait_in_handler(void)
{
    return tr_sleep(TR_NEVER);
}

STEP_TEST(handler_timer, a_waiting_call_in_a_handler_is_refused_and_names_it)
{
    h_ref ref = start(root);

    tell(&ref, 1, wait_in_handler);
    step_until(n_handled == 1);
    check_eq(call_r, -EPERM);
    check_eq(n_told[TR_EVENT_MISUSE], 1);
    check(strstr(told, "handler 'h'") != NULL);
    h_ref_close(&ref);
}

static h_ref itself;

static int blocking_in_handler(void)
{
    struct msg m = { 5, NULL };

    return h_blocking_send(&itself, &m, TR_NEVER);
}

STEP_TEST(handler_timer, a_blocking_call_in_a_handler_is_refused_and_names_it)
{
    itself = start(root);
    tell(&itself, 1, blocking_in_handler);
    step_until(n_handled == 1);
    check_eq(call_r, -EDEADLK);
    check_eq(n_told[TR_EVENT_MISUSE], 1);
    check(strstr(told, "handler 'h'") != NULL);
    h_ref_close(&itself);
}

static tr_scope *scope_of_root;

static int spawn_in_handler(void)
{
    return h_spawn(scope_of_root, &(struct state){ 1 }, NULL, NULL);
}

static int open_in_handler(void)
{
    tr_scope s = tr_scope_open(NULL);

    return h_spawn(&s, &(struct state){ 1 }, NULL, NULL);
}

STEP_TEST(handler_timer, a_handler_spawns_into_a_scope_in_use_and_opens_none)
{
    h_ref ref = start(root);

    scope_of_root = root;
    tell(&ref, 1, spawn_in_handler);
    step_until(n_handled == 1);
    check_eq(call_r, 0);
    tell(&ref, 1, open_in_handler);
    step_until(n_handled == 2);
    check_eq(call_r, -EPERM);
    h_ref_close(&ref);
}
