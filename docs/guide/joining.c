/* SPDX-License-Identifier: MIT */
/*
 * joining - many tasks and their results: all, one after the other, the first, few at once;
 * time.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <troupe.h>

/* ---- a task that takes its time and then has an answer ---- */

struct fetch {
    const char *what;
    tr_time span;
    int result;
    int *ret_n; /* or NULL */
};
TR_TASK(fetch, struct fetch, tr_nodrop);

static int fetch(struct fetch *f)
{
    int r = tr_sleep(tr_after(f->span));

    if (r == 0 && f->ret_n)
        *f->ret_n = f->result;
    return r < 0 ? r : f->result;
}

static int start(tr_scope *s, const char *what, tr_time span, int result)
{
    struct fetch f = { what, span, result, NULL };

    return fetch_spawn(s, &f, &(struct tr_task_opts){ .name = what });
}

static int start_three(tr_scope *s)
{
    int r;

    if ((r = start(s, "disk", TR_MS(30), 30)) < 0 || (r = start(s, "cache", TR_MS(10), -EIO)) < 0)
        return r;
    return start(s, "peer", TR_MS(20), 20);
}

/* ---- all of them ---- */

static int all(void)
{
    int n[3] = { 0 };
    tr_scope s TR_CLEANUP(tr_scope_end) = tr_scope_open(NULL);
    int r = 0;

    for (int i = 0; i < 3 && r == 0; i++) {
        struct fetch f = { "part", TR_MS(30 - i), i + 1, &n[i] };

        r = fetch_spawn(&s, &f, NULL);
    }
    if (r < 0 || (r = tr_scope_join(&s, TR_NEVER)) < 0)
        return r;
    printf("all: %d %d %d\n", n[0], n[1], n[2]);
    return 0;
}

/* ---- one after the other, as they end ---- */

static const struct tr_scope_opts keeps = { .policy = TR_POLICY_COLLECT, .keep = TR_KEEP_ALL };

static int as_they_end(void)
{
    tr_scope s TR_CLEANUP(tr_scope_end) = tr_scope_open(&keeps);
    tr_ended e;
    int r = start_three(&s);

    if (r < 0)
        return r;
    while ((r = tr_scope_next(&s, TR_UNTIL_DRAIN, &e)) == 1)
        printf("%s: %d\n", e.name, e.result);
    return r;
}

/* ---- the first ---- */

static int quickest(void)
{
    tr_scope s TR_CLEANUP(tr_scope_end) = tr_scope_open(&keeps);
    tr_ended e;
    int r = start_three(&s);

    if (r < 0 || (r = tr_scope_first_success(&s, tr_after(TR_S(1)), &e)) < 0)
        return r;
    printf("the first: %s, and %zu run\n", e.name, tr_scope_len(&s));
    return 0;
}

/* ---- few at once ---- */

static int few_at_once(void)
{
    tr_scope s TR_CLEANUP(tr_scope_end) =
        tr_scope_open(&(struct tr_scope_opts){ .max_children = 2 });
    tr_time born = tr_now();
    int r = 0;

    for (int i = 0; i < 10 && r == 0; i++)
        if ((r = tr_scope_room(&s, TR_UNTIL_DRAIN)) == 0)
            r = start(&s, "item", TR_MS(10), 0);
    if (r < 0 || (r = tr_scope_join(&s, TR_UNTIL_DRAIN)) < 0)
        return r;
    printf("ten, two at once: %d ms\n", (int)((tr_now() - born) / TR_MS(1)));
    return 0;
}

/* ---- a limit for all of them ---- */

static int within(tr_time span)
{
    tr_scope s TR_CLEANUP(tr_scope_end) =
        tr_scope_open(&(struct tr_scope_opts){ .deadline = tr_after(span) });
    int r;

    if ((r = start(&s, "quick", TR_MS(5), 0)) < 0 || (r = start(&s, "slow", TR_S(3), 0)) < 0)
        return r;
    r = tr_scope_join(&s, TR_NEVER);
    printf("within 10 ms: %s\n", tr_strerror(r));
    return 0;
}

/* ---- ticks, and values that become due ---- */

struct lease {
    char name[8];
};
TR_DELAYQ(leases, struct lease, tr_nodrop);

/* Ticks each 10 ms, and tells of each lease that is over, until none is left. */
static int watch(leases *q)
{
    enum { TICK, OVER, N_ARM };
    tr_time born = tr_now(), at;
    struct lease l;
    tr_interval every;
    int r = tr_interval_init(&every, tr_after(TR_MS(10)), TR_MS(10), TR_MISSED_SKIP);

    if (r < 0)
        return r;
    tr_arm arms[N_ARM] = { [TICK] = tr_interval_tick_arm(&every, &at),
                           [OVER] = leases_next_arm(q, &l) };
    while (r >= 0 && leases_len(q) > 0) {
        r = tr_select(TR_UNTIL_DRAIN, arms, N_ARM);
        if (r == TICK)
            printf("%d ms: tick\n", (int)((at - born) / TR_MS(1)));
        else if (r == OVER)
            printf("%d ms: %s is over\n", (int)((tr_now() - born) / TR_MS(1)), l.name);
    }
    return r < 0 ? r : 0;
}

static int expire(void)
{
    leases q TR_CLEANUP(leases_free) = { 0 };
    struct lease a = { "ada" }, b = { "bob" };
    tr_delay_key key;
    int r;

    if ((r = leases_new(&q)) < 0 || (r = leases_insert(&q, &a, tr_after(TR_MS(5)), &key)) < 0 ||
        (r = leases_insert(&q, &b, tr_after(TR_MS(15)), NULL)) < 0 ||
        (r = leases_reset(&q, key, tr_after(TR_MS(25)))) < 0) /* ada has renewed hers */
        return r;
    return watch(&q);
}

/* ---- the program ---- */

static int app(tr_scope *root, void *arg)
{
    int r;

    (void)root;
    (void)arg;
    if ((r = all()) < 0 || (r = as_they_end()) < 0 || (r = quickest()) < 0 ||
        (r = few_at_once()) < 0 || (r = within(TR_MS(10))) < 0)
        return r;
    return expire();
}

int main(void)
{
    struct tr_runtime_opts opts = { .simulate = true }; /* the same output every time */

    return tr_run_with(&opts, app, NULL) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
