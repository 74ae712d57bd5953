/* SPDX-License-Identifier: MIT */
/*
 * trmillion - a million sleepers: ./trmillion 1000000 starts a million tasks that sleep for a
 * second, and tells how long the starting took, what each one costs in memory, and how long
 * after the last one lay down the last one was up again.
 *
 *     --handlers      handlers with a timer in place of tasks: no stack, no page each
 *     --sleep MS      how long they sleep
 *
 * Shows many actors in one scope, a handler with its timer, and a stop: SIGTERM wakes them all.
 */
#include <errno.h>
#include <getopt.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <troupe.h>

/* Tells, once, when the last sleeper lay down. */
TR_ONESHOT(lastw, tr_time, tr_nodrop);

/* What the sleepers share; outlives them all. */
struct crowd {
    unsigned long n;
    tr_time span;              /* of a sleep */
    atomic_ulong n_down, n_up; /* lay down; woke up in time */
    lastw_tx last;             /* used by the last to lie down */
    tr_time up_at;             /* when the last of all woke up; written by it */
};

/* Relaxed in both: counts. Who takes one to n writes what belongs to it, alone. */
static int lie_down(struct crowd *c, tr_time now)
{
    if (atomic_fetch_add_explicit(&c->n_down, 1, memory_order_relaxed) + 1 == c->n)
        return lastw_send(&c->last, &now);
    return 0;
}

static void wake_up(struct crowd *c)
{
    if (atomic_fetch_add_explicit(&c->n_up, 1, memory_order_relaxed) + 1 == c->n)
        c->up_at = tr_now(); /* read after the scope was joined */
}

/* ---- a task that sleeps ---- */

struct sleeper {
    struct crowd *crowd;
};
TR_TASK(sleeper, struct sleeper, tr_nodrop);

static int sleeper(struct sleeper *self)
{
    tr_time now = tr_now();
    int r = lie_down(self->crowd, now);

    if (r < 0 || (r = tr_sleep(tr_until_drain(now + self->crowd->span))) < 0)
        return r; /* -ESHUTDOWN: stopped, which is an end and no failure */
    wake_up(self->crowd);
    return 0;
}

/* ---- a handler that sleeps: its first message sets the timer, its second is the timer ---- */

struct dozer {
    struct crowd *crowd;
};

struct dozer_msg {
    enum { DOZER_LIE_DOWN, DOZER_WAKE_UP } op;
};
TR_HANDLER(dozer, struct dozer, struct dozer_msg, tr_nodrop, tr_nodrop);

static int dozer(struct dozer *self, struct dozer_msg *m)
{
    struct dozer_msg up = { DOZER_WAKE_UP };
    tr_time now = tr_now();
    int r;

    switch (m->op) {
    case DOZER_LIE_DOWN:
        r = dozer_timer(now + self->crowd->span, &up);
        return r < 0 ? r : lie_down(self->crowd, now);
    case DOZER_WAKE_UP:
        wake_up(self->crowd);
        return tr_handler_stop();
    }
    return -EINVAL;
}

/* ---- starting ---- */

static int start_tasks(tr_scope *s, struct crowd *c)
{
    int r = 0;

    for (unsigned long i = 0; i < c->n && r == 0; i++)
        r = sleeper_spawn(s, &(struct sleeper){ c }, NULL);
    return r;
}

/* The references are kept: a handler ends when nobody can send to it any more. */
static int start_handlers(tr_scope *s, struct crowd *c, dozer_ref *refs)
{
    const struct tr_handler_opts opts = { .capacity = 1 };
    int r = 0;

    for (unsigned long i = 0; i < c->n && r == 0; i++) {
        r = dozer_spawn(s, &(struct dozer){ c }, &opts, &refs[i]);
        if (r == 0)
            r = dozer_try_send(&refs[i], &(struct dozer_msg){ DOZER_LIE_DOWN });
    }
    return r;
}

/* The resident set of this process, in bytes. */
static double resident(void)
{
    unsigned long all = 0, pages = 0;
    FILE *f = fopen("/proc/self/statm", "re");

    if (!f || fscanf(f, "%lu %lu", &all, &pages) != 2)
        pages = 0;
    if (f)
        fclose(f);
    return (double)pages * (double)sysconf(_SC_PAGESIZE);
}

static double seconds(tr_time span)
{
    return (double)span / 1e9;
}

struct options {
    unsigned long n;
    unsigned long sleep_ms;
    bool handlers;
};

/* Starts the crowd in @s, waits until it is up again, and tells. */
static int watch(tr_scope *s, struct crowd *c, dozer_ref *refs)
{
    lastw_rx last TR_CLEANUP(lastw_rx_close) = { 0 };
    double before = resident();
    tr_time start = tr_now(), down_at;
    int r;

    if ((r = lastw_new(&c->last, &last)) < 0 ||
        (r = refs ? start_handlers(s, c, refs) : start_tasks(s, c)) < 0)
        return r;
    printf("started %lu %s in %.3f s\n", c->n, refs ? "handlers" : "tasks",
           seconds(tr_now() - start));
    r = lastw_recv(&last, TR_UNTIL_DRAIN, &down_at);
    if (r < 0)
        return r;
    printf("all asleep after %.3f s, %.0f bytes each\n", seconds(down_at - start),
           (resident() - before) / (double)c->n);
    r = tr_scope_join(s, TR_UNTIL_DRAIN);
    if (r == 0)
        printf("all awake %.3f s after the last one fell asleep for %.3f s\n",
               seconds(c->up_at - down_at), seconds(c->span));
    return r;
}

static int trmillion(tr_scope *root, struct options *o, dozer_ref *refs)
{
    struct crowd c = { .n = o->n, .span = TR_MS(o->sleep_ms) };
    tr_scope s TR_CLEANUP(tr_scope_end) = tr_scope_open(NULL);
    int r = watch(&s, &c, refs);

    (void)root;
    tr_scope_cancel(&s); /* handlers do not drain: a stop cancels what still sleeps */
    while (tr_scope_join(&s, TR_NEVER) == -ECANCELED)
        if (tr_self_is_cancelled())
            break;
    lastw_tx_close(&c.last);
    printf("%lu of %lu woke up by themselves\n", atomic_load(&c.n_up), c.n);
    return r;
}
