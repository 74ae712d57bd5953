/* SPDX-License-Identifier: MIT */
/*
 * timers.c - what a deadline costs: of a wait that is ready at once, of one that suspends and
 * takes its deadline back, how late the end of a sleep is on an idle machine, and what a delay
 * queue costs.
 */
#include "config.h"

#include <errno.h>

#include "bench.h"

TR_ONESHOT(cue, uint64_t, tr_nodrop);

/* ---- timers: "does nobody want the value?" of a oneshot without receiver is ready ---- */

enum { READY_CALLS = 10000000 };

static int ready_calls(cue_tx *tx, struct bench_load *load)
{
    int r = 0;

    for (int i = 0; i < READY_CALLS && r == 0; i++) {
        r = cue_closed(tx, tr_after(TR_S(5)));
        load->n++;
    }
    return r;
}

static int timers_root(tr_scope *unused, void *arg)
{
    struct bench_load *load = arg;
    cue_tx tx TR_CLEANUP(cue_tx_close) = { 0 };
    cue_rx rx = { 0 };
    int r = cue_new(&tx, &rx);
    int64_t start;

    (void)unused;
    cue_rx_close(&rx);
    if (r < 0)
        return r;
    start = bench_clock();
    r = ready_calls(&tx, load);
    load->elapsed = bench_clock() - start;
    return r;
}

static int timers(const struct bench_metric *m)
{
    struct bench_load load = { .m = m };

    if (bench_run(m, timers_root, &load) < 0 || bench_check(&load, READY_CALLS, 0) < 0)
        return -1;
    bench_tell_rate(&load, READY_CALLS, "ops/s");
    return 0;
}

/*
 * ---- timers_reg: the partner sends when the receiver waits, and yields; on one worker, like
 * the one task that this stands for ----
 */

enum { WAITING_CALLS = 2000000 };

struct partner {
    numq_tx tx;
};

static void partner_drop(struct partner *p)
{
    numq_tx_close(&p->tx);
}
TR_TASK(partner, struct partner, partner_drop);

static int partner(struct partner *p)
{
    for (uint64_t i = 0; i < WAITING_CALLS; i++) {
        uint64_t v = i;
        int r;

        while ((r = numq_try_send(&p->tx, &v)) == -EAGAIN)
            if ((r = tr_yield()) < 0)
                return r;
        if (r < 0 || (r = tr_yield()) < 0)
            return r;
    }
    return 0;
}

static int waiting_calls(numq_rx *rx, struct bench_load *load)
{
    uint64_t v;
    int r;

    for (uint64_t i = 0; i < WAITING_CALLS; i++) {
        if ((r = numq_try_recv(rx, &v)) != -EAGAIN) /* it must suspend */
            return r < 0 ? r : -EBADMSG;
        r = numq_recv(rx, tr_after(TR_S(5)), &v);
        if (r < 0)
            return r;
        load->n++;
        load->sum += v;
    }
    return 0;
}

static int reg_root(tr_scope *unused, void *arg)
{
    struct bench_load *load = arg;
    struct partner p TR_CLEANUP(partner_drop) = { 0 };
    numq_rx rx TR_CLEANUP(numq_rx_close) = { 0 };
    tr_scope s TR_CLEANUP(tr_scope_end) = tr_scope_open(NULL);
    int64_t start;
    int r;

    (void)unused;
    if ((r = numq_new(1, &p.tx, &rx)) < 0 || (r = partner_spawn(&s, &p, NULL)) < 0)
        return r;
    start = bench_clock();
    r = waiting_calls(&rx, load);
    load->elapsed = bench_clock() - start;
    return r < 0 ? r : tr_scope_join(&s, TR_NEVER);
}

static int timers_reg(const struct bench_metric *m)
{
    struct bench_load load = { .m = m };

    if (bench_run(m, reg_root, &load) < 0 ||
        bench_check(&load, WAITING_CALLS, bench_sum(WAITING_CALLS)) < 0)
        return -1;
    bench_tell_rate(&load, WAITING_CALLS, "ops/s");
    return 0;
}

/* ---- timer_lateness: 500 sleeps of 1 to 9 ms, one after the other ---- */

enum { SLEEPS = 500 };

static int lateness_root(tr_scope *unused, void *arg)
{
    int64_t *late = arg;
    uint64_t seed = BENCH_SEED;

    (void)unused;
    for (int i = 0; i < SLEEPS; i++) {
        tr_time until = tr_after(TR_MS(1) + (tr_time)(bench_random(&seed) % 8000) * TR_US(1));
        int r = tr_sleep(until);

        late[i] = tr_now() - until;
        if (r < 0 || late[i] < 0)
            return r < 0 ? r : -EBADMSG; /* never early */
    }
    return 0;
}

static int lateness(const struct bench_metric *m)
{
    int64_t late[SLEEPS];

    if (bench_run(m, lateness_root, late) < 0)
        return -1;
    bench_sort(late, SLEEPS);
    bench_tell(m->name, (double)late[99 * SLEEPS / 100] / 1e3, "us");
    return 0;
}

/* ---- delayq: a cache of 100,000 entries; one is touched, or replaced by another ---- */

enum { ENTRIES = 100000, TOUCHES = 5000000 };

TR_DELAYQ(entryq, uint64_t, tr_nodrop);

static tr_time some_time(uint64_t *seed)
{
    return tr_after(TR_S(1) + (tr_time)(bench_random(seed) % 600000) * TR_MS(1));
}

static int touch(entryq *q, tr_delay_key *keys, uint64_t *seed, struct bench_load *load)
{
    int r = 0;

    for (int i = 0; i < TOUCHES && r == 0; i++) {
        r = entryq_reset(q, keys[bench_random(seed) % ENTRIES], some_time(seed));
        load->n++;
    }
    return r;
}

static int replace(entryq *q, tr_delay_key *keys, uint64_t *seed, struct bench_load *load)
{
    int r = 0;

    for (int i = 0; i < TOUCHES && r == 0; i++) {
        tr_delay_key *key = &keys[bench_random(seed) % ENTRIES];
        uint64_t value;

        r = entryq_remove(q, *key, &value);
        if (r == 0)
            r = entryq_insert(q, &value, some_time(seed), key);
        load->n++;
    }
    return r;
}

static int delayq_root(tr_scope *unused, void *arg)
{
    static tr_delay_key keys[ENTRIES];
    entryq q TR_CLEANUP(entryq_free) = { 0 };
    struct bench_load *load = arg;
    uint64_t seed = BENCH_SEED;
    int64_t start;
    int r = entryq_new(&q);

    (void)unused;
    for (uint64_t i = 0; i < ENTRIES && r == 0; i++) {
        uint64_t value = i;

        r = entryq_insert(&q, &value, some_time(&seed), &keys[i]);
    }
    if (r < 0)
        return r;
    start = bench_clock();
    r = load->sum ? replace(&q, keys, &seed, load) : touch(&q, keys, &seed, load);
    load->elapsed = bench_clock() - start;
    return r;
}

static int delayq(const struct bench_metric *m, bool replaces)
{
    struct bench_load load = { .m = m, .sum = replaces };

    if (bench_run(m, delayq_root, &load) < 0 || bench_check(&load, TOUCHES, replaces) < 0)
        return -1;
    bench_tell_each(&load, TOUCHES);
    return 0;
}

static int delayq_reset(const struct bench_metric *m)
{
    return delayq(m, false);
}

static int delayq_replace(const struct bench_metric *m)
{
    return delayq(m, true);
}

const struct bench_metric bench_timers[] = {
    { "timers", timers, .n_worker = 2 },
    { "timers_reg", timers_reg, .n_worker = 1 },
    { "timer_lateness_p99", lateness, .n_worker = 2 },
    { "delayq_reset_100k", delayq_reset, .n_worker = 1 },
    { "delayq_replace_100k", delayq_replace, .n_worker = 1 },
    { .name = NULL },
};
