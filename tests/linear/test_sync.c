/* SPDX-License-Identifier: MIT */
/* test_sync.c - four users each of a semaphore, a mutex and a lock of readers and writers. */
#include "config.h"

#include <errno.h>

#include <troupe.h>

#include "linear/models.h"
#include "support/tr-test.h"

enum { N_CALL = 7, N_WHO = 4 };

static bool is_generous; /* broken: some are let in that should not be */

/* ---- semaphore ---- */

static tr_semaphore sem;
static unsigned n_out[N_WHO + 1]; /* permits in hand, by who */

static int acquire(struct lin_log *log, size_t n, bool waits)
{
    int r;

    if (!waits)
        r = tr_semaphore_try_acquire(&sem, n);
    else if (log->in_task)
        r = tr_semaphore_acquire(&sem, n, lin_soon(log));
    else
        r = tr_semaphore_blocking_acquire(&sem, n, lin_soon(log));
    if (r != -EAGAIN || !is_generous || lin_below(log, 4) > 0)
        return r;
    check_eq(tr_semaphore_release(&sem, n), 0);
    return tr_semaphore_try_acquire(&sem, n);
}

static void take_permits(struct lin_log *log)
{
    const bool waits = lin_below(log, 2);
    const unsigned n = 1 + lin_below(log, 2);
    struct lin_op *op =
        lin_begin(log, waits ? SEMAPHORE_ACQUIRE_WAIT : SEMAPHORE_ACQUIRE, 0, (int)n);

    if (lin_end(op, acquire(log, n, waits), 0) == 0)
        n_out[log->who] += n;
}

static void give_back(struct lin_log *log, unsigned n)
{
    struct lin_op *op = lin_begin(log, SEMAPHORE_RELEASE, 0, (int)n);

    lin_end(op, tr_semaphore_release(&sem, n), 0);
    n_out[log->who] -= n;
}

static void use_semaphore(struct lin_log *log)
{
    const unsigned how = lin_below(log, 24);
    struct lin_op *op;

    if (how == 0) {
        op = lin_begin(log, SEMAPHORE_CLOSE, 0, 0);
        tr_semaphore_close(&sem);
        lin_end(op, 0, 0);
    } else if (how < 3) {
        op = lin_begin(log, SEMAPHORE_FORGET, 0, 1);
        lin_end(op, (int)tr_semaphore_forget(&sem, 1), 0);
    } else if (how < 6) {
        op = lin_begin(log, SEMAPHORE_AVAILABLE, 0, 0);
        lin_end(op, (int)tr_semaphore_available(&sem), 0);
    } else if (n_out[log->who] > 0 && how < 16) {
        give_back(log, 1 + lin_below(log, n_out[log->who]));
    } else {
        take_permits(log);
    }
}

static void semaphore_turn(struct lin_log *log)
{
    n_out[log->who] = 0;
    for (unsigned i = 0; i < N_CALL; i++) {
        use_semaphore(log);
        lin_pause(log);
    }
    if (n_out[log->who] > 0)
        give_back(log, n_out[log->who]);
}

static void open_semaphore(struct lin_history *h, struct tri_rand *rand)
{
    h->param[0] = 1 + (int)tri_rand_below(rand, 4);
    check_eq(tr_semaphore_init(&sem, (size_t)h->param[0]), 0);
}

static void close_semaphore(struct lin_log *log)
{
    struct lin_op *op = lin_begin(log, SEMAPHORE_AVAILABLE, 0, 0);

    lin_end(op, (int)tr_semaphore_available(&sem), 0);
}

static const struct lin_subject semaphore = { .model = &semaphore_model,
                                              .n_who = N_WHO,
                                              .open = open_semaphore,
                                              .turn = semaphore_turn,
                                              .close = close_semaphore };

/* ---- locks ---- */

static tr_rwlock rw;
static tr_mutex mutex;
static bool is_mutex;

static int lock_write(struct lin_log *log, bool waits)
{
    const tr_time soon = lin_soon(log);

    if (is_mutex)
        return !waits         ? tr_mutex_try_lock(&mutex)
               : log->in_task ? tr_mutex_lock(&mutex, soon)
                              : tr_mutex_blocking_lock(&mutex, soon);
    return !waits         ? tr_rwlock_try_write_lock(&rw)
           : log->in_task ? tr_rwlock_write_lock(&rw, soon)
                          : tr_rwlock_blocking_write_lock(&rw, soon);
}

static int lock_read(struct lin_log *log, bool waits)
{
    const tr_time soon = lin_soon(log);

    return !waits         ? tr_rwlock_try_read_lock(&rw)
           : log->in_task ? tr_rwlock_read_lock(&rw, soon)
                          : tr_rwlock_blocking_read_lock(&rw, soon);
}

static int lock_somehow(struct lin_log *log)
{
    const bool waits = lin_below(log, 2), writes = is_mutex || lin_below(log, 3) == 0;
    struct lin_op *op = lin_begin(log, (waits ? LOCK_READ_WAIT : LOCK_READ) + writes, 0, 0);
    int r = lin_end(op, writes ? lock_write(log, waits) : lock_read(log, waits), 0);

    return r < 0 ? 0 : writes ? 2 : 1;
}

static void unlock_write(struct lin_log *log)
{
    struct lin_op *op = lin_begin(log, LOCK_WRITE_UNLOCK, 0, 0);

    lin_end(op, is_mutex ? tr_mutex_unlock(&mutex) : tr_rwlock_write_unlock(&rw), 0);
}

static void unlock_read(struct lin_log *log)
{
    struct lin_op *op = lin_begin(log, LOCK_READ_UNLOCK, 0, 0);

    lin_end(op, tr_rwlock_read_unlock(&rw), 0);
}

/* Returns what is held after it, from what was: 0, 1 for reading, 2 for writing. */
static int use_lock(struct lin_log *log, int held)
{
    struct lin_op *op;

    if (held == 0 && lin_below(log, 8) > 0)
        return lock_somehow(log);
    if (held == 1) {
        unlock_read(log);
    } else if (held == 2 && !is_mutex && lin_below(log, 3) == 0) {
        op = lin_begin(log, LOCK_DOWNGRADE, 0, 0);
        return lin_end(op, tr_rwlock_downgrade(&rw), 0) == 0 ? 1 : 0;
    } else if (held == 2 && lin_below(log, 6) == 0) {
        (void)lock_somehow(log); /* -EDEADLK */
        return 2;
    } else {
        unlock_write(log); /* also of what is not held */
    }
    return 0;
}

static void lock_turn(struct lin_log *log)
{
    int held = 0;

    for (unsigned i = 0; i < N_CALL; i++) {
        held = use_lock(log, held);
        lin_pause(log);
    }
    if (held == 1)
        unlock_read(log);
    else if (held == 2)
        unlock_write(log);
}

static void open_lock(struct lin_history *h, struct tri_rand *rand)
{
    h->param[0] = 1 + (int)tri_rand_below(rand, 3);
    tr_mutex_init(&mutex);
    check_eq(tr_rwlock_init(&rw, (uint32_t)h->param[0]), 0);
}

static void close_lock(struct lin_log *log)
{
    struct lin_op *op = lin_begin(log, LOCK_WRITE, 0, 0);

    lin_end(op, lock_write(log, false), 0);
    unlock_write(log);
}

static const struct lin_subject locks = { .model = &lock_model,
                                          .n_who = N_WHO,
                                          .open = open_lock,
                                          .turn = lock_turn,
                                          .close = close_lock };

/* Unlocking what one does not hold is reported. */
static void hear(enum tr_event_kind kind, const char *text, void *arg)
{
    (void)kind;
    (void)text;
    (void)arg;
}

static void be_quiet(void)
{
    tr_hook_set(hear, NULL);
}

TR_SUITE(linear_sync, .init = be_quiet, .timeout = 120);

TR_TEST(linear_sync, semaphore_is_a_number)
{
    lin_run(&semaphore, 2000);
}

TR_TEST(linear_sync, mutex_has_one_holder)
{
    is_mutex = true;
    lin_run(&locks, 2000);
}

TR_TEST(linear_sync, rwlock_has_readers_or_a_writer)
{
    lin_run(&locks, 2000);
}

TR_TEST(linear_sync, a_semaphore_that_gives_too_many_is_refused)
{
    is_generous = true;
    lin_must_refuse(&semaphore, 2000);
}
