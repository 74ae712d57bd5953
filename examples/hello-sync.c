/* SPDX-License-Identifier: MIT */
/*
 * hello-sync - tasks that share data: prints "the factor was made", then "never more than 2 at
 * a time", then "10 + 20 + 30 = 60". Shows a value made once, permits, a lock that is held over
 * a wait, and waiting for a condition.
 */
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include <troupe.h>

static tr_once factor = TR_ONCE_INIT;
static tr_semaphore slots = TR_SEMAPHORE_INIT(2);
static atomic_uint n_inside, n_too_many;
static tr_mutex lock = TR_MUTEX_INIT;
static long sum; /* protected by lock */
static tr_notify done = TR_NOTIFY_INIT;
static atomic_uint n_done;

struct part {
    long n;
};
TR_TASK(part, struct part, tr_nodrop);

/* Called by one of the tasks; the others wait for what it makes. */
static int make_factor(void *arg, void **ret_value)
{
    static long ten = 10;

    (void)arg;
    printf("the factor was made\n");
    *ret_value = &ten;
    return tr_sleep(tr_after(TR_MS(1)));
}

static int add(long n)
{
    tr_mutex *held TR_CLEANUP(tr_mutex_drop) = NULL;
    long before;
    int r = tr_mutex_lock(&lock, TR_NEVER);

    if (r < 0)
        return r;
    held = &lock; /* from here on it is unlocked on every way out */
    before = sum;
    if ((r = tr_yield()) == 0) /* the others run, and find it locked */
        sum = before + n;
    return r;
}

static int part(struct part *p)
{
    tr_permit slot TR_CLEANUP(tr_permit_release) = { 0 };
    void *ten;
    int r;

    if ((r = tr_once_get_or_init(&factor, make_factor, NULL, TR_NEVER, &ten)) < 0 ||
        (r = tr_semaphore_acquire(&slots, 1, TR_NEVER)) < 0)
        return r;
    slot = tr_permit_of(&slots, 1);
    if (atomic_fetch_add(&n_inside, 1) >= 2)
        n_too_many++;
    r = add(p->n * *(long *)ten);
    atomic_fetch_sub(&n_inside, 1);
    atomic_fetch_add(&n_done, 1); /* first the change, then the word */
    tr_notify_all(&done);
    return r;
}

static bool all_done(void *arg)
{
    (void)arg;
    return atomic_load(&n_done) == 3;
}

static int hello(tr_scope *root, void *arg)
{
    int r = 0;

    (void)arg;
    for (long n = 1; n <= 3 && r == 0; n++)
        r = part_spawn(root, &(struct part){ n }, NULL);
    if (r < 0 || (r = tr_notify_wait_until(&done, all_done, NULL, tr_after(TR_S(5)))) < 0)
        return r;
    printf("%s 2 at a time\n10 + 20 + 30 = %ld\n", n_too_many ? "more than" : "never more than",
           sum);
    return 0;
}

int main(void)
{
    return tr_run(hello, NULL) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
