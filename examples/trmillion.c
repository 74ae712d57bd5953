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

/* ---- measuring ---- */

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

static unsigned long n_asleep(struct crowd *c)
{
    unsigned long n_up =
        atomic_load(&c->n_up); /* first: a sleeper is never counted as up only */

    return atomic_load(&c->n_down) - n_up;
}

/* What the largest number asleep at once so far cost. */
struct peak {
    double before; /* resident before the first one */
    unsigned long n;
    double bytes;
};

static void peak_look(struct peak *p, struct crowd *c)
{
    unsigned long n = n_asleep(c);

    if (n > p->n) {
        p->n = n;
        p->bytes = (resident() - p->before) / (double)n;
    }
}

/* ---- starting ---- */

enum { TURN = 1024 }; /* started in a row; then they lie down, before there are more */

static int turn(struct peak *p, struct crowd *c)
{
    peak_look(p, c);
    return tr_yield();
}

static int start_tasks(tr_scope *s, struct crowd *c, struct peak *p)
{
    int r = 0;

    for (unsigned long i = 0; i < c->n && r == 0; i++) {
        r = sleeper_spawn(s, &(struct sleeper){ c }, NULL);
        if (r == 0 && i % TURN == TURN - 1)
            r = turn(p, c);
    }
    return r;
}

/* The references are kept: a handler ends when nobody can send to it any more. */
static int start_handlers(tr_scope *s, struct crowd *c, dozer_ref *refs, struct peak *p)
{
    const struct tr_handler_opts opts = { .capacity = 1 };
    int r = 0;

    for (unsigned long i = 0; i < c->n && r == 0; i++) {
        r = dozer_spawn(s, &(struct dozer){ c }, &opts, &refs[i]);
        if (r == 0)
            r = dozer_try_send(&refs[i], &(struct dozer_msg){ DOZER_LIE_DOWN });
        if (r == 0 && i % TURN == TURN - 1)
            r = turn(p, c);
    }
    return r;
}

/*
 * Room for @n references that is in memory already: it is not a part of what a handler costs.
 */
static dozer_ref *refs_new(unsigned long n)
{
    dozer_ref *refs = calloc(n, sizeof *refs);

    for (unsigned long i = 0; refs && i < n; i++)
        *(volatile char *)&refs[i] = 0;
    return refs;
}

static double seconds(tr_time span)
{
    return (double)span / 1e9;
}

/* Waits for the last one to lie down: *@ret_at. -ESHUTDOWN: it never will, one has failed. */
static int wait_for_last(tr_scope *s, struct crowd *c, lastw_rx *last, struct peak *p,
                         tr_time *ret_at)
{
    int r;

    do {
        r = lastw_recv(last, tr_until_drain(tr_after(TR_MS(10))), ret_at);
        peak_look(p, c);
    } while (r == -ETIMEDOUT && tr_scope_failures(s) == 0);
    return r == -ETIMEDOUT ? -ESHUTDOWN : r;
}

/*
 * A stop, -ESHUTDOWN, may come of a sleeper's failure, which cancels the scope: the join knows.
 */
static int end_of(tr_scope *s, int r)
{
    int failure = tr_scope_failures(s) > 0 ? tr_scope_join(s, TR_NEVER) : 0;

    return failure < 0 ? failure : r;
}

/* Starts the crowd, waits until it is up again, and tells. On every way out all have ended. */
static int watch(struct crowd *c, dozer_ref *refs)
{
    lastw_rx last TR_CLEANUP(lastw_rx_close) = { 0 };
    tr_scope s TR_CLEANUP(tr_scope_end) = tr_scope_open(NULL);
    struct peak peak = { resident(), 0, 0 };
    tr_time start = tr_now(), down_at;
    int r;

    if ((r = lastw_new(&c->last, &last)) < 0)
        return r;
    r = refs ? start_handlers(&s, c, refs, &peak) : start_tasks(&s, c, &peak);
    if (r < 0)
        return end_of(&s, r);
    printf("%lu %s started in %.3f s\n", c->n, refs ? "handlers" : "tasks",
           seconds(tr_now() - start));
    r = wait_for_last(&s, c, &last, &peak, &down_at);
    if (r < 0)
        return end_of(&s, r);
    printf("the last one fell asleep after %.3f s; at most %lu at once, %.0f bytes each\n",
           seconds(down_at - start), peak.n, peak.bytes);
    r = tr_scope_join(&s, TR_UNTIL_DRAIN);
    if (r == 0)
        printf("all were awake %.3f s after that; they slept for %.3f s\n",
               seconds(c->up_at - down_at), seconds(c->span));
    return r;
}

/* ---- the program ---- */

struct options {
    unsigned long n, sleep_ms;
    bool handlers;
};

/* A whole number from 1 to @max; 0: something else. */
static unsigned long number(const char *text, unsigned long max)
{
    char *end;
    unsigned long n = strtoul(text, &end, 10);

    return *text >= '0' && *text <= '9' && !*end && n <= max ? n : 0;
}

static int options_parse(int argc, char **argv, struct options *ret_options)
{
    static const struct option longs[] = { { "handlers", no_argument, NULL, 'H' },
                                           { "sleep", required_argument, NULL, 's' },
                                           { "help", no_argument, NULL, 'h' },
                                           { NULL, 0, NULL, 0 } };
    struct options o = { .sleep_ms = 1000 };
    int opt;

    optind = 1; /* main() has been through them before */
    while ((opt = getopt_long(argc, argv, "Hs:h", longs, NULL)) != -1) {
        if (opt == 'H')
            o.handlers = true;
        else if (opt == 's')
            o.sleep_ms = number(optarg, 86400000);
        else
            return -EINVAL;
    }
    if (optind + 1 == argc)
        o.n = number(argv[optind], 100000000);
    if (o.n == 0 || o.sleep_ms == 0)
        return -EINVAL;
    *ret_options = o;
    return 0;
}

static int trmillion(tr_scope *root, int argc, char **argv)
{
    struct options o;
    struct crowd c = { .n = 0 };
    dozer_ref *refs = NULL;
    int r = options_parse(argc, argv, &o);

    (void)root;
    if (r < 0)
        return r;
    c.n = o.n;
    c.span = TR_MS(o.sleep_ms);
    if (o.handlers && !(refs = refs_new(o.n)))
        return -ENOMEM;
    r = watch(&c, refs);
    printf("%lu of %lu slept to the end\n", atomic_load(&c.n_up), c.n);
    lastw_tx_close(&c.last);
    for (unsigned long i = 0; refs && i < c.n; i++)
        dozer_ref_close(&refs[i]);
    free(refs);
    return r;
}

int main(int argc, char **argv)
{
    struct options o;

    if (options_parse(argc, argv, &o) < 0) {
        fprintf(stderr, "usage: trmillion [--handlers] [--sleep MS] N\n");
        return EXIT_FAILURE;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    return tr_main("trmillion", trmillion, argc, argv);
}
