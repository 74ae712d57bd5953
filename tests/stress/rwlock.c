/* SPDX-License-Identifier: MIT */
/*
 * rwlock.c - readers and writers, threads and tasks, over a pair of plain words that are equal
 * whenever nobody writes.
 */
#include "config.h"

#include <errno.h>

#include "users.h"

static unsigned n_turn; /* of each thread and task */

static tr_rwlock lock;
static unsigned long left, right; /* plain: the lock orders them */
static atomic_ulong n_written;

static void look(void)
{
    check_eq(left, right);
}

static void change(void)
{
    left++;
    sched_yield();
    right++;
    look();
    atomic_fetch_add(&n_written, 1);
}

static tr_time some_time(struct tri_rand *rand)
{
    return tri_rand_once_in(rand, 2) ? TR_NEVER : tr_after(TR_US(tri_rand_below(rand, 30)));
}

static void write_end(struct tri_rand *rand)
{
    change();
    if (tri_rand_once_in(rand, 2)) {
        check_eq(tr_rwlock_write_unlock(&lock), 0);
        return;
    }
    check_eq(tr_rwlock_downgrade(&lock), 0);
    look();
    check_eq(tr_rwlock_read_unlock(&lock), 0);
}

static void turns(struct stress_thread *t)
{
    for (unsigned i = 0; i < n_turn; i++) {
        bool writes = tri_rand_once_in(&t->rand, 4), tries = tri_rand_once_in(&t->rand, 4);
        tr_time deadline = some_time(&t->rand);
        int r;

        if (writes) {
            r = tries ? tr_rwlock_try_write_lock(&lock)
                      : tr_rwlock_blocking_write_lock(&lock, deadline);
            if (r == 0)
                write_end(&t->rand);
        } else {
            r = tries ? tr_rwlock_try_read_lock(&lock)
                      : tr_rwlock_blocking_read_lock(&lock, deadline);
            if (r == 0) {
                look();
                check_eq(tr_rwlock_read_unlock(&lock), 0);
            }
        }
        check(r == 0 || r == -EAGAIN || r == -ETIMEDOUT);
    }
}

/* ---- tasks ---- */

static int lock_by_select(bool writes, tr_time deadline)
{
    tr_arm arms[2] = { writes ? tr_rwlock_write_lock_arm(&lock)
                              : tr_rwlock_read_lock_arm(&lock),
                       tr_deadline_arm(deadline) };
    int i = tr_select(TR_NEVER, arms, 2);

    return i == 1 ? -ETIMEDOUT : i < 0 ? i : arms[0].result;
}

static int user_turn(struct tri_rand *rand)
{
    bool writes = tri_rand_once_in(rand, 4), selects = tri_rand_once_in(rand, 3);
    tr_time deadline = some_time(rand);
    int r = selects  ? lock_by_select(writes, deadline)
            : writes ? tr_rwlock_write_lock(&lock, deadline)
                     : tr_rwlock_read_lock(&lock, deadline);

    if (r < 0)
        return r;
    if (tri_rand_once_in(rand, 8))
        (void)tr_yield(); /* held over a wait */
    if (writes) {
        write_end(rand);
        return 0;
    }
    look();
    return tr_rwlock_read_unlock(&lock);
}

static int user(struct user *u)
{
    struct tri_rand rand;
    int r = 0;

    tri_rand_init(&rand, u->seed);
    for (unsigned i = 0; i < n_turn && r != -ECANCELED; i++)
        r = user_turn(&rand);
    return 0;
}

static void one_round(unsigned n_thread, bool with_tasks, uint32_t max_readers)
{
    void (*const fns[STRESS_THREADS])(struct stress_thread *) = { turns, turns, turns, turns,
                                                                  turns, turns, turns, turns };

    check_eq(tr_rwlock_init(&lock, max_readers), 0);
    left = right = 0;
    n_written = 0;
    stress_beside(fns, n_thread, with_tasks ? users : NULL);
    check_eq(left, n_written);
    check_eq(tr_rwlock_try_write_lock(&lock), 0);
    check_eq(tr_rwlock_write_unlock(&lock), 0);
}

int main(void)
{
    const tr_time end = stress_end();
    unsigned long n_round;

    for (n_round = 0; tr_now() < end && test_n_failed() == 0; n_round++) {
        const uint32_t max_readers = n_round % 2 ? TR_RWLOCK_READERS_MAX : 2;

        n_turn = 200;
        n_task = 6;
        one_round(3, n_round % 4 == 0, max_readers);
        n_turn = 10;
        n_task = STRESS_TASKS;
        one_round(STRESS_THREADS, true, max_readers);
    }
    return stress_result(n_round);
}
