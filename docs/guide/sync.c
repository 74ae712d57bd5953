/* SPDX-License-Identifier: MIT */
/* sync - data that several tasks share: a lock over waits, permits, a condition, one value. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <troupe.h>

/* ---- an account that is changed in two steps ---- */

static tr_mutex lock = TR_MUTEX_INIT;
static long balance = 100; /* protected by lock */

static int withdraw(long n, tr_time deadline)
{
    tr_mutex *held TR_CLEANUP(tr_mutex_drop) = NULL;
    long before;
    int r;

    if ((r = tr_mutex_lock(&lock, deadline)) < 0)
        return r;
    held = &lock; /* unlocked on every way out */

    before = balance;
    if ((r = tr_sleep(tr_after(TR_MS(1)))) < 0) /* asks the bank */
        return r;
    balance = before - n;
    return 0;
}

/* ---- customers ---- */

static tr_semaphore counters = TR_SEMAPHORE_INIT(2);
static tr_notify changed = TR_NOTIFY_INIT;

struct customer {
    long wants;
};
TR_TASK(customer, struct customer, tr_nodrop);

static int customer(struct customer *c)
{
    tr_permit counter TR_CLEANUP(tr_permit_release) = { 0 };
    int r;

    if ((r = tr_semaphore_acquire(&counters, 1, TR_NEVER)) < 0)
        return r;
    counter = tr_permit_of(&counters, 1); /* given back on every way out */

    r = withdraw(c->wants, TR_NEVER);
    tr_notify_all(&changed);
    return r;
}

static bool is_empty(void *arg)
{
    bool empty;

    (void)arg;
    if (tr_mutex_try_lock(&lock) < 0)
        return false; /* somebody changes it, and will notify */
    empty = balance == 0;
    (void)tr_mutex_unlock(&lock);
    return empty;
}

/* ---- the lock and something else ---- */

static int lock_or_give_up(void)
{
    tr_arm arms[] = { tr_mutex_lock_arm(&lock), tr_deadline_arm(tr_after(TR_S(1))) };
    int i;

    if ((i = tr_select(TR_NEVER, arms, TR_LEN(arms))) < 0)
        return i;
    if (i == 1)
        return -ETIMEDOUT; /* not in line any more, and nothing was promised */
    (void)tr_mutex_unlock(&lock);
    return 0;
}

static int app(tr_scope *root, void *arg)
{
    int r = 0;

    (void)arg;
    for (int i = 0; i < 4 && r == 0; i++)
        r = customer_spawn(root, &(struct customer){ 25 }, NULL);
    if (r < 0)
        return r;
    if ((r = tr_notify_wait_until(&changed, is_empty, NULL, tr_after(TR_S(5)))) < 0)
        return r;
    printf("all is spent\n");

    if ((r = tr_mutex_lock(&lock, TR_NEVER)) < 0)
        return r;
    printf("again: %s\n", tr_strerror(tr_mutex_lock(&lock, TR_NEVER)));
    (void)tr_mutex_unlock(&lock);
    printf("in a select: %s\n", tr_strerror(lock_or_give_up()));
    return 0;
}

static void hook(enum tr_event_kind kind, const char *text, void *arg)
{
    (void)kind;
    (void)text;
    (void)arg;
}

int main(void)
{
    tr_hook_set(hook, NULL); /* it would be told of the second lock */
    return tr_run(app, NULL) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
