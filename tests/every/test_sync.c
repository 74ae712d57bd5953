/* SPDX-License-Identifier: MIT */
/* Semaphore, locks and their like, with every wait hit: what was taken is given back. */
#include "config.h"

#include "every/kit.h"

TR_SUITE(every_sync, .init = kit_listen, .timeout = 60);

enum { N_USER = 4, N_ROUND = 3 };

static unsigned n_round; /* rounds that came to their end */

static int start_users(tr_scope *s, int (*fn)(unsigned i))
{
    for (unsigned i = 0; i < N_USER; i++)
        (void)go(s, fn, NULL, i);
    return 0;
}

static void users_finish(void)
{
    if (is_untouched())
        check_eq(n_round, N_USER * N_ROUND);
    n_round = 0;
}

static int nap(void)
{
    return MAY(tr_sleep(tr_after(TR_US(100))));
}

/* ---- semaphore ---- */

enum { N_PERMIT = 3 };

static tr_semaphore permits;
static size_t n_held;

static int semaphore_user(unsigned i)
{
    for (unsigned k = 0; k < N_ROUND; k++) {
        size_t n = 1 + (i + k) % N_PERMIT;
        tr_permit p TR_CLEANUP(tr_permit_release) = { 0 };
        tr_arm arm = tr_semaphore_acquire_arm(&permits, n);
        int r;

        r = k % 2 ? MAY(tr_select(late(), &arm, 1))
                  : MAY(tr_semaphore_acquire(&permits, n, late()));
        if (r < 0)
            return r;
        p = tr_permit_of(&permits, n);
        check_le(n_held += n, N_PERMIT);
        r = nap();
        n_held -= n;
        if (r < 0)
            return r;
        n_round++;
    }
    return 0;
}

static int semaphore_stage(tr_scope *s)
{
    n_held = 0;
    check_eq(tr_semaphore_init(&permits, N_PERMIT), 0);
    return start_users(s, semaphore_user);
}

static void semaphore_finish(void)
{
    if (every.n_job > 0)
        check_eq(tr_semaphore_available(&permits), N_PERMIT, "all permits are back");
    users_finish();
}

EVERY_TEST(every_sync, semaphore, semaphore_stage, semaphore_finish)

/* ---- who leaves the line lets the next one pass ---- */

static unsigned n_behind;

/* Holds one of two until the one behind has ended. */
static int keeper(unsigned i)
{
    tr_permit p TR_CLEANUP(tr_permit_release) = { 0 };
    int r = MAY(tr_semaphore_acquire(&permits, 1, late()));

    (void)i;
    if (r < 0)
        return r;
    p = tr_permit_of(&permits, 1);
    while (n_behind > 0 && r == 0)
        r = nap();
    return r;
}

/* Wants more than is there, and gives up. */
static int asks_too_much(unsigned i)
{
    tr_permit p TR_CLEANUP(tr_permit_release) = { 0 };
    tr_arm arm = tr_semaphore_acquire_arm(&permits, 2);
    tr_time limit = tr_until_drain(tr_after(TR_MS(1)));
    int r = i ? MAY(tr_select(limit, &arm, 1), -ETIMEDOUT)
              : MAY(tr_semaphore_acquire(&permits, 2, limit), -ETIMEDOUT);

    if (r == 0)
        p = tr_permit_of(&permits, 2);
    return 0;
}

/* There is one for it as soon as nobody is before it. */
static int is_behind(unsigned i)
{
    tr_time limit = tr_until_drain(tr_after(TR_MS(20)));
    tr_permit p TR_CLEANUP(tr_permit_release) = { 0 };
    int r;

    (void)i;
    if (MAY(tr_yield()) < 0)
        return -ECANCELED;
    r = MAY(tr_semaphore_acquire(&permits, 1, limit));
    if (r == 0)
        p = tr_permit_of(&permits, 1);
    n_round += r == 0;
    return r;
}

static void behind_end(unsigned i)
{
    (void)i;
    n_behind--;
}

static int line_stage(tr_scope *s)
{
    check_eq(tr_semaphore_init(&permits, 2), 0);
    n_behind = 2;
    (void)go(s, keeper, NULL, 0);
    for (unsigned i = 0; i < 2; i++) {
        (void)go(s, asks_too_much, NULL, i);
        (void)go(s, is_behind, behind_end, i);
    }
    return 0;
}

static void line_finish(void)
{
    if (every.n_job > 0)
        check_eq(tr_semaphore_available(&permits), 2, "all permits are back");
    if (is_untouched())
        check_eq(n_round, 2);
    n_round = n_behind = 0;
}

EVERY_TEST(every_sync, the_next_in_line, line_stage, line_finish)

/* ---- mutex ---- */

static tr_mutex mutex = TR_MUTEX_INIT;
static unsigned n_inside;

static int mutex_user(unsigned i)
{
    for (unsigned k = 0; k < N_ROUND; k++) {
        tr_mutex *held TR_CLEANUP(tr_mutex_drop) = NULL;
        tr_arm arm = tr_mutex_lock_arm(&mutex);
        int r = (i + k) % 2 ? MAY(tr_select(late(), &arm, 1)) : MAY(tr_mutex_lock(&mutex, late()));

        if (r < 0)
            return r;
        held = &mutex;
        check_eq(++n_inside, 1);
        r = nap();
        check_eq(--n_inside, 0);
        if (r < 0)
            return r;
        n_round++;
    }
    return 0;
}

static int mutex_stage(tr_scope *s)
{
    return start_users(s, mutex_user);
}

static void mutex_finish(void)
{
    check_eq(tr_mutex_try_lock(&mutex), 0, "nobody holds it");
    check_eq(tr_mutex_unlock(&mutex), 0);
    users_finish();
}

EVERY_TEST(every_sync, mutex, mutex_stage, mutex_finish)

/* ---- rwlock ---- */

static tr_rwlock rwlock = TR_RWLOCK_INIT;
static unsigned n_readers, n_writers;

static int read_round(unsigned k)
{
    tr_rwlock *held TR_CLEANUP(tr_rwlock_read_drop) = NULL;
    tr_arm arm = tr_rwlock_read_lock_arm(&rwlock);
    int r = k % 2 ? MAY(tr_select(late(), &arm, 1)) : MAY(tr_rwlock_read_lock(&rwlock, late()));

    if (r < 0)
        return r;
    held = &rwlock;
    n_readers++;
    check_eq(n_writers, 0);
    r = nap();
    n_readers--;
    return r;
}

static int write_round(unsigned k)
{
    tr_arm arm = tr_rwlock_write_lock_arm(&rwlock);
    int r = k % 2 ? MAY(tr_select(late(), &arm, 1)) : MAY(tr_rwlock_write_lock(&rwlock, late()));

    if (r < 0)
        return r;
    check_eq(++n_writers, 1);
    check_eq(n_readers, 0);
    r = nap();
    n_writers--;
    if (k == 0 || r < 0) {
        check_eq(tr_rwlock_write_unlock(&rwlock), 0);
        return r;
    }
    check_eq(tr_rwlock_downgrade(&rwlock), 0);
    r = nap();
    check_eq(tr_rwlock_read_unlock(&rwlock), 0);
    return r;
}

static int rwlock_user(unsigned i)
{
    for (unsigned k = 0; k < N_ROUND; k++) {
        int r = i < 2 ? write_round(k) : read_round(k);

        if (r < 0)
            return r;
        n_round++;
    }
    return 0;
}

static int rwlock_stage(tr_scope *s)
{
    return start_users(s, rwlock_user);
}

static void rwlock_finish(void)
{
    check_eq(tr_rwlock_try_write_lock(&rwlock), 0, "nobody holds it");
    check_eq(tr_rwlock_write_unlock(&rwlock), 0);
    users_finish();
}

EVERY_TEST(every_sync, rwlock, rwlock_stage, rwlock_finish)

/* ---- notify: jobs on a list, and word of each ---- */

enum { N_WORK = 6 };

static struct {
    tr_notify more, all_done;
    unsigned n_listed, n_taken;
    bool is_over;
} list;

static int lister(unsigned i)
{
    (void)i;
    for (unsigned k = 0; k < N_WORK; k++) {
        int r;

        list.n_listed++;
        if (k % 2)
            tr_notify_one(&list.more);
        else
            tr_notify_last(&list.more);
        if ((r = nap()) < 0)
            return r;
    }
    return 0;
}

static void lister_end(unsigned i)
{
    (void)i;
    list.is_over = true;
    tr_notify_all(&list.more);
    tr_notify_all(&list.all_done);
}

static int taker(unsigned i)
{
    int r = 0;

    while (r >= 0 && (list.n_taken < list.n_listed || !list.is_over)) {
        tr_arm arm = tr_notify_wait_arm(&list.more);

        if (list.n_taken < list.n_listed)
            list.n_taken++;
        else
            r = i % 2 ? MAY(tr_select(late(), &arm, 1)) : MAY(tr_notify_wait(&list.more, late()));
    }
    return r;
}

static bool list_is_over(void *arg)
{
    (void)arg;
    return list.is_over;
}

static int onlooker(unsigned i)
{
    (void)i;
    return MAY(tr_notify_wait_until(&list.all_done, list_is_over, NULL, late()));
}

static int notify_stage(tr_scope *s)
{
    memset(&list, 0, sizeof list);
    tr_notify_init(&list.more);
    tr_notify_init(&list.all_done);
    (void)go(s, taker, NULL, 0);
    (void)go(s, taker, NULL, 1);
    (void)go(s, onlooker, NULL, 0);
    (void)go(s, onlooker, NULL, 1);
    (void)go(s, lister, lister_end, 0);
    return 0;
}

/* One taker is hit at most: the other one gets what the first was told of. */
static void notify_finish(void)
{
    if (every.hit != HIT_ALL && every.hit != HIT_MEMORY)
        check_eq(list.n_taken, list.n_listed, "no word is lost");
    if (is_untouched())
        check_eq(list.n_taken, N_WORK);
}

EVERY_TEST(every_sync, notify, notify_stage, notify_finish)

/* ---- barrier: who does not come fails the meeting, and the others are let go ---- */

static tr_barrier barrier;
static unsigned n_first;

static int comer(unsigned i)
{
    for (unsigned k = 0; k < N_ROUND; k++) {
        int r = i == k ? nap() : 0;

        if (r == 0)
            r = MAY(tr_barrier_wait(&barrier, late()), -ECANCELED);
        if (r < 0)
            return -EIO;
        n_first += r == 1;
        n_round++;
    }
    return 0;
}

static int barrier_stage(tr_scope *outer)
{
    tr_scope s TR_CLEANUP(tr_scope_end) = tr_scope_open(NULL);
    int r = 0;

    (void)outer;
    tr_barrier_init(&barrier, N_USER);
    for (unsigned i = 0; i < N_USER && r == 0; i++)
        r = go(&s, comer, NULL, i);
    return r < 0 ? r : MAY(tr_scope_join(&s, late()), -EIO);
}

static void barrier_finish(void)
{
    check_eq(barrier.n_here, 0, "nobody is counted who is not there");
    if (is_untouched())
        check_eq(n_first, N_ROUND);
    n_first = 0;
    users_finish();
}

EVERY_TEST(every_sync, barrier, barrier_stage, barrier_finish)

/* ---- once ---- */

static tr_once once;
static unsigned n_makers, n_made;

static int make(void *arg, void **ret_value)
{
    int r;

    check_eq(++n_makers, 1, "one at a time");
    r = nap();
    n_makers--;
    if (r < 0)
        return r;
    n_made++;
    *ret_value = arg;
    return 0;
}

static int once_user(unsigned i)
{
    void *value = NULL;

    for (unsigned k = 0; k < N_ROUND; k++) {
        int r = MAY(tr_once_get_or_init(&once, make, &once, late(), &value));

        if (r < 0)
            return r;
        check_eq(value, &once);
        n_round++;
        (void)i;
    }
    return 0;
}

static int once_stage(tr_scope *s)
{
    tr_once_init(&once);
    n_made = 0;
    return start_users(s, once_user);
}

static void once_finish(void)
{
    if (every.hit != HIT_ALL && every.hit != HIT_MEMORY)
        check_eq(n_made, 1, "somebody has made it");
    users_finish();
}

EVERY_TEST(every_sync, once, once_stage, once_finish)
