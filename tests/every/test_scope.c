/* SPDX-License-Identifier: MIT */
/*
 * Scopes, joins, races, handlers and restarts, with every wait hit: nothing outlives its scope.
 */
#include "config.h"

#include "every/kit.h"

TR_SUITE(every_scope, .init = kit_listen, .timeout = 60);

static unsigned n_alive, n_done;

static int nap(void)
{
    return MAY(tr_sleep(tr_after(TR_MS(1))));
}

static void finish(unsigned n_expected)
{
    check_eq(n_alive, 0);
    if (is_untouched())
        check_eq(n_done, n_expected);
    n_alive = n_done = 0;
}

/* Waits @i times. */
static int sleeper(unsigned i)
{
    int r = 0;

    n_alive++;
    while (i-- > 0 && r == 0)
        r = nap();
    n_alive--;
    n_done += r == 0;
    return r;
}

/* ---- scopes in scopes ---- */

/* Opens a scope for two children, which do the same one storey lower. */
static int parent(unsigned i)
{
    unsigned n_before = n_alive;
    int r;

    {
        tr_scope s TR_CLEANUP(tr_scope_end) = tr_scope_open(NULL);

        r = go(&s, i > 1 ? parent : sleeper, NULL, i - 1);
        if (r == 0)
            r = go(&s, sleeper, NULL, i);
        if (r == 0)
            r = MAY(tr_scope_join(&s, late()));
    }
    if (i == 3)
        check_eq(n_alive, n_before, "all have ended before the scope has");
    n_done += r == 0;
    return r;
}

static int nested_stage(tr_scope *s)
{
    (void)s;
    return parent(3);
}

static void nested_finish(void)
{
    finish(7);
}

EVERY_TEST(every_scope, scopes_in_scopes, nested_stage, nested_finish)

/* ---- joins by handle, by arm, and after an abort ---- */

/* Somebody else cancels it. */
static int victim(unsigned i)
{
    int r;

    n_alive++;
    r = MAY(tr_sleep(tr_after(TR_MS(3 + i))), -ECANCELED);
    n_alive--;
    return r;
}

static int join_one(tr_task *t, unsigned how)
{
    tr_arm arm = tr_task_join_arm(t);
    int result = 1, r;

    if (how == 1)
        tr_task_abort(t);
    if (how == 2 && (r = MAY(tr_select(late(), &arm, 1))) < 0)
        return r;
    r = MAY(tr_task_join(t, late(), &result));
    if (r == 0 && how == 1)
        check(result == 0 || result == -ECANCELED);
    check_eq(t->rec == NULL, r == 0, "a join empties the handle, and only then");
    return r;
}

static int join_stage(tr_scope *outer)
{
    tr_scope s TR_CLEANUP(tr_scope_end) =
        tr_scope_open(&(struct tr_scope_opts){ .policy = TR_POLICY_COLLECT });
    tr_task t[4] = { { NULL } };
    int r = 0;

    (void)outer;
    for (unsigned i = 0; i < 4 && r == 0; i++)
        r = go_for(&s, i == 1 ? victim : sleeper, NULL, 1 + i, &t[i]);
    for (unsigned i = 0; i < 4 && r == 0; i++)
        r = join_one(&t[i], i);
    if (r == 0) {
        tr_arm arm = tr_scope_join_arm(&s);

        r = MAY(tr_select(late(), &arm, 1));
    }
    for (unsigned i = 0; i < 4; i++)
        tr_task_close(&t[i]);
    n_done += r == 0;
    return r;
}

static void join_finish(void)
{
    finish(4);
}

EVERY_TEST(every_scope, joins, join_stage, join_finish)

/* ---- results one by one, with room for two ---- */

static int gather_stage(tr_scope *outer)
{
    tr_scope s TR_CLEANUP(tr_scope_end) = tr_scope_open(&(struct tr_scope_opts){
        .policy = TR_POLICY_COLLECT, .keep = TR_KEEP_ALL, .max_children = 2 });
    unsigned n_started = 0, n_taken = 0;
    tr_ended e;
    int r = 0;

    (void)outer;
    for (unsigned i = 0; i < 5 && r == 0; i++) {
        tr_arm arm = tr_scope_room_arm(&s);

        if (i > 0)
            r = i % 2 ? MAY(tr_scope_room(&s, late())) : MAY(tr_select(late(), &arm, 1));
        if (r >= 0)
            r = go(&s, sleeper, NULL, i % 3);
        n_started += r == 0;
    }
    while (r == 0 && (r = MAY(tr_scope_next(&s, late(), &e))) == 1) {
        n_taken++;
        r = 0;
    }
    if (r == 0 && is_untouched())
        check_eq(n_taken, n_started);
    check_eq(n_taken + tr_scope_kept(&s) + tr_scope_len(&s), n_started, "each result once");
    return r;
}

static void gather_finish(void)
{
    finish(5);
}

EVERY_TEST(every_scope, results_one_by_one, gather_stage, gather_finish)

/* ---- races ---- */

static int failer(unsigned i)
{
    int r = sleeper(i);

    return r < 0 ? r : -EIO;
}

static int race(bool for_success, unsigned n_before)
{
    tr_scope s TR_CLEANUP(tr_scope_end) = tr_scope_open(
        &(struct tr_scope_opts){ .policy = TR_POLICY_COLLECT, .keep = TR_KEEP_ALL });
    tr_ended e = { .result = 1 };
    int r = go(&s, for_success ? failer : sleeper, NULL, 1);

    for (unsigned i = 0; i < 2 && r == 0; i++)
        r = go(&s, victim, NULL, i);
    if (r < 0)
        return r;
    r = for_success ? MAY(tr_scope_first_success(&s, late(), &e), -EIO, -ECANCELED)
                    : MAY(tr_scope_first(&s, late(), &e));
    check_eq(tr_scope_len(&s), 0, "all have ended");
    check_eq(n_alive, n_before);
    n_done += r == 0;
    return r;
}

static int race_stage(tr_scope *s)
{
    int r;

    (void)s;
    r = race(false, 0);
    return r < 0 ? r : race(true, 0);
}

static void race_finish(void)
{
    finish(4);
}

EVERY_TEST(every_scope, races, race_stage, race_finish)

/* ---- a drain, a deadline, and a cleanup that waits ---- */

static int worker(unsigned i)
{
    int r;

    n_alive++;
    r = MAY(tr_sleep(tr_until_drain(tr_after(TR_S(10)))), -ESHUTDOWN, -ECANCELED);
    if (i > 0) {
        tr_shield guard TR_CLEANUP(tr_shield_end) = tr_shield_begin(TR_MS(200));

        check_eq(MAY(tr_sleep(tr_after(TR_MS(1)))), 0, "a cleanup may wait");
    }
    n_alive--;
    n_done++;
    return r;
}

static int drain_stage(tr_scope *outer)
{
    tr_scope s TR_CLEANUP(tr_scope_end) = tr_scope_open(NULL);
    int r = 0;

    (void)outer;
    for (unsigned i = 0; i < 3 && r == 0; i++)
        r = go(&s, worker, NULL, i);
    if (r == 0)
        r = nap();
    if (r == 0)
        r = MAY(tr_scope_drain(&s, tr_after(TR_S(1))));
    if (r == 0)
        check_eq(tr_scope_len(&s), 0);
    return r;
}

static void drain_finish(void)
{
    finish(3);
}

EVERY_TEST(every_scope, a_drain, drain_stage, drain_finish)

static int overdue_stage(tr_scope *outer)
{
    tr_scope s TR_CLEANUP(tr_scope_end) =
        tr_scope_open(&(struct tr_scope_opts){ .deadline = tr_after(TR_MS(5)) });
    int r = 0;

    (void)outer;
    for (unsigned i = 0; i < 3 && r == 0; i++)
        r = go(&s, worker, NULL, i);
    return r < 0 ? r : MAY(tr_scope_join(&s, late()), -ETIMEDOUT);
}

EVERY_TEST(every_scope, a_deadline, overdue_stage, drain_finish)

/* ---- restarts ---- */

static unsigned n_start;

static int start_failer(tr_scope *s, void *arg)
{
    (void)arg;
    return go(s, n_start++ < 2 ? failer : sleeper, NULL, 1);
}

static int restart_stage(tr_scope *s)
{
    (void)s;
    return MAY(tr_supervise(NULL, start_failer, NULL, late()), -EIO);
}

static void restart_finish(void)
{
    n_start = 0;
    finish(3);
}

EVERY_TEST(every_scope, restarts, restart_stage, restart_finish)

/* ---- a handler that is asked, and sends to another ---- */

TR_ONESHOT(answer, struct item, item_drop);

struct ask {
    struct item question;
    answer_tx reply;
};

static void ask_drop(struct ask *a)
{
    item_drop(&a->question);
    answer_tx_close(&a->reply);
}

static void state_drop(struct item *it)
{
    item_drop(it);
}

TR_HANDLER(sink, struct item, struct item, state_drop, item_drop);

static int sink(struct item *self, struct item *it)
{
    check_ne(self->id, 0);
    check_eq(it->check, ~it->id);
    n_done++;
    return 0;
}

struct front {
    struct item mark;
    sink_ref next;
};

static void front_drop(struct front *f)
{
    item_drop(&f->mark);
    sink_ref_close(&f->next);
}

TR_HANDLER(front, struct front, struct ask, front_drop, ask_drop);

static int front(struct front *self, struct ask *a)
{
    struct item it TR_CLEANUP(item_drop) = new_item();
    int r = MAY(sink_post(&self->next, &it), -EPIPE, -EAGAIN);

    check_eq(it.id == 0, r == 0);
    it = it.id ? it : new_item();
    (void)MAY(answer_send(&a->reply, &it), -EPIPE);
    return 0;
}

static front_ref refs[2];

static int asker(unsigned i)
{
    for (unsigned k = 0; k < 3; k++) {
        struct ask a TR_CLEANUP(ask_drop) = { 0 };
        answer_rx rx TR_CLEANUP(answer_rx_close) = { 0 };
        struct item it TR_CLEANUP(item_drop) = { 0 };
        int r = MAY(answer_new(&a.reply, &rx));

        if (r < 0)
            return r;
        a.question = new_item();
        r = MAY(front_send(&refs[i], &a, late()), -EPIPE);
        if (r == 0)
            r = MAY(answer_recv(&rx, late(), &it), -EPIPE);
        if (r < 0)
            return r;
    }
    return 0;
}

static void asker_end(unsigned i)
{
    front_ref_close(&refs[i]);
}

static int handler_stage(tr_scope *s)
{
    const struct tr_handler_opts small = { .capacity = 1 };
    struct item state = new_item();
    struct front f = { 0 };
    int r = MAY(sink_spawn(s, &state, &small, &f.next));

    check_eq(state.id, 0, "a spawn consumes its argument, whatever comes");
    if (r < 0)
        return r;
    f.mark = new_item();
    r = MAY(front_spawn(s, &f, &small, &refs[0]));
    check_eq(f.mark.id, 0);
    if (r < 0)
        return r;
    refs[1] = front_ref_clone(&refs[0]);
    (void)go(s, asker, asker_end, 0);
    (void)go(s, asker, asker_end, 1);
    return 0;
}

static void handler_finish(void)
{
    finish(6);
}

EVERY_TEST(every_scope, handlers, handler_stage, handler_finish)
