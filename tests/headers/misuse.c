/* SPDX-License-Identifier: MIT */
/*
 * Mistakes that the compiler has to find. Each has a number, and lies beside its correction:
 * what compiles without TR_BAD differs from what must not in these lines only.
 */
#include <troupe.h>

#ifndef TR_BAD
#define TR_BAD 0
#endif

struct job {
    int n;
    char *path;
};

struct reply {
    char *text;
};

struct large {
    char bytes[1000];
};

struct ctr {
    unsigned long n;
};

enum ctr_op { CTR_ADD, CTR_CLEAR };

struct ctr_msg {
    enum ctr_op op;
    unsigned by;
};

static void job_drop(struct job *j)
{
    j->path = NULL;
}

static void reply_drop(struct reply *r)
{
    r->text = NULL;
}

static void large_drop(struct large **p)
{
    *p = NULL;
}

static int job_clone(struct job *dst, const struct job *src)
{
    *dst = *src;
    return 0;
}

/* ---- declarations ---- */

/* No drop function. */
#if TR_BAD == 1
TR_MPSC(jobs, struct job);
#else
TR_MPSC(jobs, struct job, job_drop);
#endif

/* The drop function of another type. */
#if TR_BAD == 2
TR_ONESHOT(answer, struct reply, job_drop);
#else
TR_ONESHOT(answer, struct reply, reply_drop);
#endif

/* A message that is too large to travel inline. */
#if TR_BAD == 3
TR_MPSC(larges, struct large, tr_nodrop);
#else
TR_MPSC(larges, struct large *, large_drop);
#endif

/* A clone function of another type. */
#if TR_BAD == 4
TR_BROADCAST(news, struct reply, job_clone, reply_drop);
#else
TR_BROADCAST(news, struct job, job_clone, job_drop);
#endif

TR_WATCH(cfgw, struct reply, reply_drop);
TR_DELAYQ(expiries, struct job, job_drop);
TR_HANDLER(ctr, struct ctr, struct ctr_msg, tr_nodrop, tr_nodrop);

/* A task whose function takes another argument. */
#if TR_BAD == 5
TR_TASK(work, struct reply, reply_drop);
#else
TR_TASK(work, struct job, job_drop);
#endif

/* A handler whose function takes another state. */
#if TR_BAD == 6
TR_HANDLER(sink, struct job, struct reply, job_drop, reply_drop);
#else
TR_HANDLER(sink, struct reply, struct reply, reply_drop, reply_drop);
#endif

static int work(struct job *j)
{
    return j->n;
}

static int sink(struct reply *self, struct reply *m)
{
    return self == m;
}

static int ctr(struct ctr *self, struct ctr_msg *m)
{
    /* A message that the handler forgets. */
#if TR_BAD == 7
    switch (m->op) {
#else
    switch (m->op) {
    case CTR_CLEAR:
        self->n = 0;
        break;
#endif
    case CTR_ADD:
        self->n += m->by;
        break;
    }
    return 0;
}

/* ---- channels ---- */

int use_channels(jobs_tx *tx, jobs_rx *rx, larges_tx *large, answer_rx *reply);

int use_channels(jobs_tx *tx, jobs_rx *rx, larges_tx *large, answer_rx *reply)
{
    struct job job TR_CLEANUP(job_drop) = { 0, NULL };
    struct job *pointer = &job;
    struct reply r = { NULL };
    struct large *p = NULL;

    /* Another message. */
#if TR_BAD == 8
    if (jobs_send(tx, &r, TR_NEVER) < 0)
#else
    if (jobs_send(tx, &job, TR_NEVER) < 0)
#endif
        return -1;
    /* The message in place of its address. */
#if TR_BAD == 9
    if (jobs_try_send(tx, job) < 0)
#else
    if (jobs_try_send(tx, &job) < 0)
#endif
        return -1;
    /* The address of a pointer to it. */
#if TR_BAD == 10
    if (jobs_try_send(tx, &pointer) < 0)
#else
    if (jobs_try_send(tx, pointer) < 0)
#endif
        return -1;
    /* What a message that is a pointer points to. */
#if TR_BAD == 11
    if (larges_try_send(large, p) < 0)
#else
    if (larges_try_send(large, &p) < 0)
#endif
        return -1;
    /* The other end. */
#if TR_BAD == 12
    if (jobs_recv(tx, TR_NEVER, &job) < 0)
#else
    if (jobs_recv(rx, TR_NEVER, &job) < 0)
#endif
        return -1;
    /* The end of another channel. */
#if TR_BAD == 13
    if (answer_recv(rx, TR_NEVER, &r) < 0)
#else
    if (answer_recv(reply, TR_NEVER, &r) < 0)
#endif
        return -1;
    /* The deadline where the message belongs. */
#if TR_BAD == 14
    if (jobs_recv(rx, &job, TR_NEVER) < 0)
#else
    if (jobs_recv(rx, TR_NEVER, &job) < 0)
#endif
        return -1;
    /* A send that nobody looks at. */
#if TR_BAD == 15
    jobs_send(tx, &job, TR_NEVER);
#else
    if (jobs_send(tx, &job, TR_NEVER) < 0)
        return -1;
#endif
    /* A receive that nobody looks at. */
#if TR_BAD == 16
    jobs_try_recv(rx, &job);
#else
    if (jobs_try_recv(rx, &job) < 0)
        return -1;
#endif
    /* The end inside the typed one. */
#if TR_BAD == 17
    jobs_tx_close(&tx->end);
#else
    jobs_tx_close(tx);
#endif
    return job.n;
}

int use_copies(news_tx *tx, news_rx *rx, cfgw_tx *out, cfgw_rx *in);

int use_copies(news_tx *tx, news_rx *rx, cfgw_tx *out, cfgw_rx *in)
{
    const struct reply *now;
    struct reply next TR_CLEANUP(reply_drop) = { NULL };
    struct job job = { 0, NULL };

    /* Another message into a broadcast. */
#if TR_BAD == 18
    if (news_try_send(tx, &next) < 0)
#else
    if (news_try_send(tx, &job) < 0)
#endif
        return -1;
    /* Out of a broadcast. */
#if TR_BAD == 19
    if (news_try_recv(rx, &next) < 0)
#else
    if (news_try_recv(rx, &job) < 0)
#endif
        return -1;
    /* A subscription by a receiver. */
#if TR_BAD == 20
    if (news_subscribe(rx, 0, rx) < 0)
#else
    if (news_subscribe(tx, 0, rx) < 0)
#endif
        return -1;
    /* Another value into a watch. */
#if TR_BAD == 21
    if (cfgw_send(out, &job) < 0)
#else
    if (cfgw_send(out, &next) < 0)
#endif
        return -1;
    /* A snapshot that is written to. */
#if TR_BAD == 22
    cfgw_get(in)->text = next.text;
#else
    next.text = cfgw_get(in)->text;
#endif
    now = cfgw_pin(in);
    /* The pin of another value. */
#if TR_BAD == 23
    cfgw_unpin(&job);
#else
    cfgw_unpin(now);
#endif
    return job.n;
}

/* ---- select ---- */

int use_select(jobs_tx *tx, jobs_rx *rx, expiries *q, tr_interval *iv, tr_semaphore *s);

int use_select(jobs_tx *tx, jobs_rx *rx, expiries *q, tr_interval *iv, tr_semaphore *s)
{
    struct job job = { 0, NULL };
    struct reply r = { NULL };
    tr_delay_key key;
    tr_arm arm[4];

    /* An arm of another message. */
#if TR_BAD == 24
    arm[0] = jobs_recv_arm(rx, &r);
#else
    arm[0] = jobs_recv_arm(rx, &job);
#endif
    /* An arm of the other end. */
#if TR_BAD == 25
    arm[1] = jobs_send_arm(rx, &job);
#else
    arm[1] = jobs_send_arm(tx, &job);
#endif
    /* An arm of another source. */
#if TR_BAD == 26
    arm[2] = tr_interval_tick_arm(s, NULL);
#else
    arm[2] = tr_interval_tick_arm(iv, NULL);
#endif
    arm[3] = tr_semaphore_acquire_arm(s, 1);
    /* A choice that nobody looks at. */
#if TR_BAD == 27
    tr_select(TR_NEVER, arm, 4);
#else
    if (tr_select(TR_NEVER, arm, 4) < 0)
        return -1;
#endif
    /* An end in place of an arm. */
#if TR_BAD == 28
    if (tr_select(TR_NEVER, rx, 1) < 0)
#else
    if (tr_select(TR_NEVER, arm, 1) < 0)
#endif
        return -1;
    /* Another value into a delay queue. */
#if TR_BAD == 29
    if (expiries_insert(q, &r, TR_NOW, &key) < 0)
#else
    if (expiries_insert(q, &job, TR_NOW, &key) < 0)
#endif
        return -1;
    /* Out of a delay queue. */
#if TR_BAD == 30
    if (expiries_next(q, TR_NEVER, &r) < 0)
#else
    if (expiries_next(q, TR_NEVER, &job) < 0)
#endif
        return -1;
    reply_drop(&r);
    return job.n;
}

/* ---- tasks, handlers, scopes ---- */

int use_actors(tr_scope *scope, ctr_ref *to, sink_ref *other);

int use_actors(tr_scope *scope, ctr_ref *to, sink_ref *other)
{
    struct job job = { 0, NULL };
    struct reply r = { NULL };
    struct ctr state = { 0 };
    struct ctr_msg m = { CTR_ADD, 1 };
    tr_task task = { NULL };

    /* Another argument. */
#if TR_BAD == 31
    if (work_spawn(scope, &r, NULL) < 0)
#else
    if (work_spawn(scope, &job, NULL) < 0)
#endif
        return -1;
    /* A spawn that nobody looks at. */
#if TR_BAD == 32
    work_spawn(scope, &job, NULL);
#else
    if (work_spawn(scope, &job, NULL) < 0)
        return -1;
#endif
    /* Another state. */
#if TR_BAD == 33
    if (ctr_spawn(scope, &m, NULL, to) < 0)
#else
    if (ctr_spawn(scope, &state, NULL, to) < 0)
#endif
        return -1;
    /* The reference of another handler, from a spawn. */
#if TR_BAD == 34
    if (ctr_spawn(scope, &state, NULL, other) < 0)
#else
    if (ctr_spawn(scope, &state, NULL, to) < 0)
#endif
        return -1;
    /* Another message to a handler. */
#if TR_BAD == 35
    if (ctr_send(to, &r, TR_NEVER) < 0)
#else
    if (ctr_send(to, &m, TR_NEVER) < 0)
#endif
        return -1;
    /* A message to another handler. */
#if TR_BAD == 36
    if (ctr_try_send(other, &m) < 0)
#else
    if (ctr_try_send(to, &m) < 0)
#endif
        return -1;
    /* Another message to be posted. */
#if TR_BAD == 37
    if (sink_post(other, &m) < 0)
#else
    if (sink_post(other, &r) < 0)
#endif
        return -1;
    /* Another message for the timer. */
#if TR_BAD == 38
    if (ctr_timer(TR_NOW, &state) < 0)
#else
    if (ctr_timer(TR_NOW, &m) < 0)
#endif
        return -1;
    /* A join of a scope in place of a task. */
#if TR_BAD == 39
    if (tr_task_join(scope, TR_NEVER, NULL) < 0)
#else
    if (tr_task_join(&task, TR_NEVER, NULL) < 0)
#endif
        return -1;
    /* A join that nobody looks at. */
#if TR_BAD == 40
    tr_scope_join(scope, TR_NEVER);
#else
    if (tr_scope_join(scope, TR_NEVER) < 0)
        return -1;
#endif
    return 0;
}

/* ---- locks ---- */

int use_locks(tr_mutex *mutex, tr_rwlock *rwlock, tr_semaphore *semaphore);

int use_locks(tr_mutex *mutex, tr_rwlock *rwlock, tr_semaphore *semaphore)
{
    /* A guard of one kind with the end of another. */
#if TR_BAD == 41
    tr_rwlock *reads TR_CLEANUP(tr_mutex_drop) = NULL;
#else
    tr_rwlock *reads TR_CLEANUP(tr_rwlock_read_drop) = NULL;
#endif
    /* The lock in place of its guard. */
#if TR_BAD == 42
    tr_mutex held TR_CLEANUP(tr_mutex_drop) = TR_MUTEX_INIT;
#else
    tr_mutex *held TR_CLEANUP(tr_mutex_drop) = NULL;
#endif
    tr_permit permit TR_CLEANUP(tr_permit_release) = { NULL, 0 };

    /* A lock that nobody looks at. */
#if TR_BAD == 43
    tr_mutex_lock(mutex, TR_NEVER);
#else
    if (tr_mutex_lock(mutex, TR_NEVER) < 0)
        return -1;
#endif
    /* The guard in place of the lock. */
#if TR_BAD == 44
    if (tr_mutex_unlock(&held) < 0)
#else
    if (tr_mutex_unlock(mutex) < 0)
#endif
        return -1;
    /* Another kind of lock. */
#if TR_BAD == 45
    if (tr_rwlock_write_lock(mutex, TR_NEVER) < 0)
#else
    if (tr_rwlock_write_lock(rwlock, TR_NEVER) < 0)
#endif
        return -1;
    /* A permit in place of the semaphore. */
#if TR_BAD == 46
    if (tr_semaphore_acquire(&permit, 1, TR_NEVER) < 0)
#else
    if (tr_semaphore_acquire(semaphore, 1, TR_NEVER) < 0)
#endif
        return -1;
    permit = tr_permit_of(semaphore, 1);
    reads = NULL;
    held = NULL;
    return 0;
}
