/* SPDX-License-Identifier: MIT */
/*
 * sync.c - locks and signals: what a pair costs one task that nobody disturbs, and how many
 * pairs a second 64 tasks on two workers get out of one mutex. Each pair counts in a plain
 * variable, so that a lock which let two in at once would show.
 */
#include "config.h"

#include <errno.h>

#include "bench.h"

enum { PAIRS = 10000000, CROWD = 64, CROWD_PAIRS = 2000000 / CROWD };

/* ---- one task ---- */

static tr_mutex mutex = TR_MUTEX_INIT;
static tr_semaphore semaphore = TR_SEMAPHORE_INIT(1);
static tr_rwlock rwlock = TR_RWLOCK_INIT;
static tr_notify notify = TR_NOTIFY_INIT;
static tr_once once = TR_ONCE_INIT;

static int mutex_pair(struct bench_load *load)
{
    int r = tr_mutex_lock(&mutex, TR_NEVER);

    load->n++;
    return r < 0 ? r : tr_mutex_unlock(&mutex);
}

static int semaphore_pair(struct bench_load *load)
{
    int r = tr_semaphore_acquire(&semaphore, 1, TR_NEVER);

    load->n++;
    return r < 0 ? r : tr_semaphore_release(&semaphore, 1);
}

static int read_pair(struct bench_load *load)
{
    int r = tr_rwlock_read_lock(&rwlock, TR_NEVER);

    load->n++;
    return r < 0 ? r : tr_rwlock_read_unlock(&rwlock);
}

static int write_pair(struct bench_load *load)
{
    int r = tr_rwlock_write_lock(&rwlock, TR_NEVER);

    load->n++;
    return r < 0 ? r : tr_rwlock_write_unlock(&rwlock);
}

/* The wait finds the notification that was kept for it. */
static int notify_pair(struct bench_load *load)
{
    tr_notify_one(&notify);
    load->n++;
    return tr_notify_wait(&notify, TR_NEVER);
}

static int make(void *arg, void **ret_value)
{
    struct bench_load *load = arg;

    load->sum++; /* once */
    *ret_value = load;
    return 0;
}

static int once_get(struct bench_load *load)
{
    void *value = NULL;
    int r = tr_once_get_or_init(&once, make, load, TR_NEVER, &value);

    if (r == 0 && value != load)
        r = -EBADMSG;
    load->n++;
    return r;
}

static const struct pair {
    const char *name;
    int (*run)(struct bench_load *load);
    uint64_t sum;
} pairs[] = {
    { "sync_mutex", mutex_pair, 0 },      { "sync_semaphore", semaphore_pair, 0 },
    { "sync_rwlock_read", read_pair, 0 }, { "sync_rwlock_write", write_pair, 0 },
    { "sync_notify", notify_pair, 0 },    { "sync_once", once_get, 1 },
};

static int alone_root(tr_scope *unused, void *arg)
{
    struct bench_load *load = arg;
    const struct pair *pair = &pairs[load->m->n];
    int64_t start = bench_clock();
    int r = 0;

    (void)unused;
    for (int i = 0; i < PAIRS && r == 0; i++)
        r = pair->run(load);
    load->elapsed = bench_clock() - start;
    return r;
}

static int alone(const struct bench_metric *m)
{
    struct bench_load load = { .m = m };

    if (bench_run(m, alone_root, &load) < 0 || bench_check(&load, PAIRS, pairs[m->n].sum) < 0)
        return -1;
    bench_tell_each(&load, PAIRS);
    return 0;
}

/* ---- 64 tasks, spread over two workers ---- */

struct member {
    tr_mutex *mutex;
    struct bench_load *load;
};
TR_TASK(member, struct member, tr_nodrop);

static int member(struct member *m)
{
    int r = 0;

    for (uint64_t i = 0; i < CROWD_PAIRS && r == 0; i++) {
        r = tr_mutex_lock(m->mutex, TR_NEVER);
        if (r < 0)
            break;
        m->load->n++; /* plain: the mutex is what keeps them apart */
        m->load->sum += i;
        r = tr_mutex_unlock(m->mutex);
    }
    return r;
}

static int crowd_root(tr_scope *unused, void *arg)
{
    const struct tr_task_opts opts = { .flags = TR_TASK_SPREAD };
    struct bench_load *load = arg;
    tr_scope s TR_CLEANUP(tr_scope_end) = tr_scope_open(NULL);
    int64_t start = bench_clock();
    int r = 0;

    (void)unused;
    for (int i = 0; i < CROWD && r == 0; i++) {
        struct member m = { &mutex, load };

        r = member_spawn(&s, &m, &opts);
    }
    if (r == 0)
        r = tr_scope_join(&s, TR_NEVER);
    load->elapsed = bench_clock() - start;
    return r;
}

static int crowd(const struct bench_metric *m)
{
    struct bench_load load = { .m = m };

    if (bench_run(m, crowd_root, &load) < 0 ||
        bench_check(&load, CROWD * CROWD_PAIRS, CROWD * bench_sum(CROWD_PAIRS)) < 0)
        return -1;
    bench_tell_rate(&load, CROWD * CROWD_PAIRS, "locks/s");
    return 0;
}

const struct bench_metric bench_sync[] = {
    { "sync_mutex", alone, .n_worker = 1, .n = 0 },
    { "sync_semaphore", alone, .n_worker = 1, .n = 1 },
    { "sync_rwlock_read", alone, .n_worker = 1, .n = 2 },
    { "sync_rwlock_write", alone, .n_worker = 1, .n = 3 },
    { "sync_notify", alone, .n_worker = 1, .n = 4 },
    { "sync_once", alone, .n_worker = 1, .n = 5 },
    { "sync_mutex_64t", crowd, .n_worker = 2 },
    { .name = NULL },
};
