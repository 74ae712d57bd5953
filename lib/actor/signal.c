/* SPDX-License-Identifier: MIT */
/*
 * signal.c - from the kernel to a waiting task:
 *
 *     kernel --> on_signal(), on whatever thread --> each subscription: one more
 *                                                      its first waiter: woken by its inbox
 *                                                --> nobody subscribed: the conductor of
 *                                                      tr_main() is told (stop, dump)
 *
 * A handler and not a signalfd, because a signalfd sees only signals which every thread of the
 * process blocks: one thread of a foreign library that does not, and SIGTERM kills the daemon.
 * A handler may run anywhere, and the same one serves the runtimes of tr_run(), whose signals
 * nobody has blocked. It costs no descriptor, and siginfo names the sender. To be async-signal-
 * safe it takes no lock: subscriptions are slab records, which stay records for ever; it finds
 * those of its signal by one word, signal and count together, and counts by compare-and-swap.
 *
 * No wake-up is lost: a waiter publishes itself in sub->first and then looks at the count; the
 * handler counts and then looks at first; all four are seq_cst. Of several waiters the first in
 * line is woken; when it leaves, it wakes the next if an occurrence is left.
 *
 * Lifetime: n_inside counts the handlers under way; a runtime that ends waits for 0 before its
 * workers go, whose inboxes a handler may be pushing to.
 */
#include "config.h"

#include <errno.h>
#include <sched.h>
#include <string.h>

#include <troupe/signal.h>

#include "actor/conductor.h"
#include "actor/signal.h"
#include "sched/waitq.h"
#include "sched/idle.h"

struct tri_signal {
    uint32_t slab_index;
    struct tri_lock lock; /* covers line and taken; waking is done inside */
    struct tri_waitq line;
    atomic_ullong word;              /* signal << 32 | occurrences; 0: a free record */
    atomic_ullong sender;            /* uid << 32 | pid, of the newest */
    struct tri_wakee *_Atomic first; /* of line; written under lock, read by the handler */
    uint32_t taken;                  /* occurrences that were reported */
};

static struct tri_lock lock; /* covers the next group; the slab's lock is taken inside */
static struct tri_slab slab;
static struct tri_slab_cache cache;
static bool slab_made;
static unsigned n_held[TRI_SIGNALS];
static struct sigaction former[TRI_SIGNALS];

static atomic_uint
    n_subscribed[TRI_SIGNALS]; /* written with the records, read by the handler */
static struct tri_conductor *_Atomic main_conductor;
static atomic_uint n_inside;
static atomic_ullong early; /* bits of signals that came before tr_main() was ready for them */

/* ---- the handler ---- */

/* One more for @sub, if it listens to @signo. */
static void deliver(struct tri_signal *sub, unsigned long long signo, unsigned long long sender)
{
    /* relaxed: the compare-and-swap decides. */
    unsigned long long word = atomic_load_explicit(&sub->word, memory_order_relaxed);
    struct tri_wakee *w;

    do {
        if (word >> 32 != signo)
            return;
        /* relaxed: published by the count. */
        atomic_store_explicit(&sub->sender, sender, memory_order_relaxed);
        /* seq_cst: the count, before the look at sub->first; pairs with the waiter, who stores
         * first in line_changed() and then loads the count in n_left(). */
    } while (!atomic_compare_exchange_weak_explicit(
        &sub->word, &word, (word & ~0xffffffffull) | (uint32_t)(word + 1), memory_order_seq_cst,
        memory_order_seq_cst));
    /* seq_cst: after the count; pairs with the waiter's store in line_changed(). */
    w = atomic_load_explicit(&sub->first, memory_order_seq_cst);
    if (w)
        tri_wake_from_signal(w);
}

static void on_signal(int signo, siginfo_t *si, void *context)
{
    unsigned long long sender = 0;
    struct tri_signal *sub;
    struct tri_conductor *c;
    int saved = errno;

    (void)context;
    if (si->si_code <= 0 || signo == SIGCHLD) /* sent by a process, or of one */
        sender = (unsigned long long)si->si_uid << 32 | (uint32_t)si->si_pid;
    /* seq_cst: before the look at what others take away; pairs with tri_signal_quiesce(). */
    atomic_fetch_add_explicit(&n_inside, 1, memory_order_seq_cst);
    /* relaxed: a subscription that is just being made may miss this one. */
    if (atomic_load_explicit(&n_subscribed[signo], memory_order_relaxed) > 0) {
        for (uint32_t i = 0; (sub = tri_slab_at(&slab, i)); i++)
            deliver(sub, (unsigned long long)signo, sender);
        /*
         * seq_cst: after n_inside; pairs with the store in tri_signal_set_main(), before its
         * look.
         */
    } else if ((c = atomic_load_explicit(&main_conductor, memory_order_seq_cst))) {
        tri_conductor_on_signal(c, signo, (int)(uint32_t)sender);
    } else {
        /* A thread from before tr_main(). relaxed: replayed by tri_signal_set_main(). */
        atomic_fetch_or_explicit(&early, 1ull << (signo - 1), memory_order_relaxed);
    }
    atomic_fetch_sub_explicit(&n_inside, 1, memory_order_release);
    errno = saved;
}

void tri_signal_quiesce(void)
{
    /*
     * seq_cst: after the caller took something away; pairs with the count in on_signal().
     * acquire: what the handlers did is done; pairs with their release.
     */
    while (atomic_load_explicit(&n_inside, memory_order_seq_cst) > 0)
        (void)sched_yield();
}

/* ---- which signals are handled ---- */

/* Raised by an instruction, or never caught, or ours. */
static bool is_refused(int signo)
{
    switch (signo) {
    case SIGKILL:
    case SIGSTOP:
    case SIGSEGV:
    case SIGBUS:
    case SIGFPE:
    case SIGILL:
        return true;
    default:
        return signo < 1 || signo >= TRI_SIGNALS || signo == tri_trace_signal();
    }
}

int tri_signal_hold(int signo)
{
    struct sigaction ours = { .sa_sigaction = on_signal,
                              .sa_flags = SA_SIGINFO | SA_RESTART | SA_ONSTACK };
    int r = 0;

    if (is_refused(signo))
        return -EINVAL;
    sigfillset(&ours.sa_mask);
    tri_lock_acquire(&lock);
    if (n_held[signo] == 0 && sigaction(signo, &ours, &former[signo]) < 0)
        r = -errno;
    if (r == 0)
        n_held[signo]++;
    tri_lock_release(&lock);
    return r;
}

void tri_signal_release(int signo)
{
    tri_lock_acquire(&lock);
    if (--n_held[signo] == 0)
        (void)sigaction(signo, &former[signo], NULL);
    tri_lock_release(&lock);
}

void tri_signal_unblock(void)
{
    sigset_t set;

    sigemptyset(&set);
    tri_lock_acquire(&lock);
    for (int signo = 1; signo < TRI_SIGNALS; signo++)
        if (n_held[signo] > 0)
            sigaddset(&set, signo);
    tri_lock_release(&lock);
    (void)pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

void tri_signal_forget(void)
{
    /* The only thread of the process: the lock may be held by one that is no more. */
    for (int signo = 1; signo < TRI_SIGNALS; signo++)
        if (n_held[signo] > 0)
            (void)sigaction(signo, &former[signo], NULL);
}

void tri_signal_set_main(struct tri_conductor *c)
{
    unsigned long long missed;

    /* seq_cst: before the look in tri_signal_quiesce(); pairs with the load in on_signal(). */
    atomic_store_explicit(&main_conductor, c, memory_order_seq_cst);
    tri_signal_quiesce();
    missed = atomic_exchange_explicit(&early, 0, memory_order_relaxed);
    for (int signo = 1; c && signo < TRI_SIGNALS; signo++)
        if (missed & 1ull << (signo - 1))
            tri_conductor_on_signal(c, signo, 0);
}

struct tri_conductor *tri_signal_main_begin(void)
{
    /*
     * seq_cst, both: the count, then the look, as a handler does; pairs with
     * tri_signal_set_main(), which stores and then looks at the count.
     */
    atomic_fetch_add_explicit(&n_inside, 1, memory_order_seq_cst);
    return atomic_load_explicit(&main_conductor, memory_order_seq_cst);
}

void tri_signal_main_end(void)
{
    atomic_fetch_sub_explicit(&n_inside, 1, memory_order_release);
}

/* ---- subscriptions ---- */

static struct tri_signal *record_get(void)
{
    struct tri_signal *sub = NULL;

    tri_lock_acquire(&lock);
    if (!slab_made && tri_slab_init(&slab, (sizeof *sub + 15) / 16 * 16) == 0) {
        tri_slab_cache_init(&cache, &slab);
        slab_made = true;
    }
    if (slab_made)
        sub = tri_slab_get(&cache);
    tri_lock_release(&lock);
    return sub;
}

static void record_put(struct tri_signal *sub)
{
    tri_lock_acquire(&lock);
    tri_slab_put(&cache, sub);
    tri_lock_release(&lock);
}

/* Sees to it that some thread of the runtime takes @signo. */
static int receive(struct tri_runtime *rt, int signo)
{
    sigset_t set;
    int r;

    if (rt->conductor) {
        r = tri_conductor_start(rt);
        tri_runtime_kick(rt); /* it unblocks what is held */
        return r;
    }
    sigemptyset(&set);
    sigaddset(&set, signo);
    return -pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

static void sub_close(struct tri_signal *sub)
{
    /* relaxed, both: no occurrence that comes now is of interest. */
    int signo = (int)(atomic_load_explicit(&sub->word, memory_order_relaxed) >> 32);

    atomic_store_explicit(&sub->word, 0, memory_order_relaxed);
    atomic_fetch_sub_explicit(&n_subscribed[signo], 1, memory_order_relaxed);
    tri_signal_release(signo);
    record_put(sub);
}

static int sub_open(int signo, struct tri_signal **ret_sub)
{
    struct tri_runtime *rt = tri_runtime_self();
    struct tri_signal *sub;
    int r;

    if (tri_is_forked())
        return -EOWNERDEAD;
    if (!rt)
        return -EPERM;
    if (rt->virtual_time)
        return -EOPNOTSUPP;
    if (is_refused(signo))
        return -EINVAL;
    sub = record_get();
    if (!sub)
        return -ENOMEM;
    r = tri_signal_hold(signo);
    if (r < 0) {
        record_put(sub);
        return r;
    }
    sub->taken = 0;
    /* release: the record is ready; a handler finds it by the word. */
    atomic_store_explicit(&sub->word, (unsigned long long)signo << 32, memory_order_release);
    atomic_fetch_add_explicit(&n_subscribed[signo], 1, memory_order_release);
    r = receive(rt, signo);
    if (r < 0) {
        sub_close(sub);
        return r;
    }
    *ret_sub = sub;
    return 0;
}

int tr_signal_open(int signo, tr_signal *ret_signal)
{
    return sub_open(signo, &ret_signal->sub);
}

void tr_signal_close(tr_signal *s)
{
    if (!s || !s->sub)
        return;
    sub_close(s->sub);
    s->sub = NULL;
}

/* ---- waiting ---- */

/* Under sub->lock. */
static uint32_t n_left(struct tri_signal *sub)
{
    /* seq_cst: after the store of first in line_changed(); pairs with the count in deliver(). */
    return (uint32_t)atomic_load_explicit(&sub->word, memory_order_seq_cst) - sub->taken;
}

/* Under sub->lock: tells the handler whom to wake. */
static void line_changed(struct tri_signal *sub)
{
    struct tri_waiter *w = tri_waitq_first(&sub->line);

    /* seq_cst: before the look at the count in n_left(); pairs with deliver(). See the top. */
    atomic_store_explicit(&sub->first, w ? w->wakee : NULL, memory_order_seq_cst);
}

static void fill(struct tri_signal *sub, uint32_t n, struct tr_signal_info *ret_info)
{
    /* relaxed: ordered by the count, which n_left() has read. */
    unsigned long long sender = atomic_load_explicit(&sub->sender, memory_order_relaxed);

    if (!ret_info)
        return;
    ret_info->signo = (int)(atomic_load_explicit(&sub->word, memory_order_relaxed) >> 32);
    ret_info->count = n;
    ret_info->pid = (int)(uint32_t)sender;
    ret_info->uid = (unsigned)(sender >> 32);
}

static bool attempt(tr_arm *arm)
{
    struct tri_signal *sub = arm->source;
    uint32_t n;

    tri_lock_acquire(&sub->lock);
    n = n_left(sub);
    if (n > 1 && arm->extra[0])
        n = 1;
    sub->taken += n;
    if (n > 0)
        fill(sub, n, arm->value);
    tri_lock_release(&sub->lock);
    arm->result = 0;
    return n > 0;
}

static bool enroll(tr_arm *arm, struct tri_waiter *w)
{
    struct tri_signal *sub = arm->source;
    bool enrolled;

    tri_lock_acquire(&sub->lock);
    tri_waitq_append(&sub->line, w);
    line_changed(sub);
    enrolled = n_left(sub) == 0;
    if (!enrolled) {
        tri_waitq_remove(&sub->line, w);
        line_changed(sub);
    }
    tri_lock_release(&sub->lock);
    return enrolled;
}

static bool withdraw(tr_arm *arm, struct tri_waiter *w)
{
    struct tri_signal *sub = arm->source;
    struct tri_waiter *next;

    tri_lock_acquire(&sub->lock);
    tri_waitq_remove(&sub->line, w);
    line_changed(sub);
    next = tri_waitq_first(&sub->line);
    if (next && n_left(sub) > 0)
        tri_wake(next->wakee);
    tri_lock_release(&sub->lock);
    return false;
}

static const struct tri_arm_ops ops = {
    .what = "signal",
    .attempt = attempt,
    .enroll = enroll,
    .withdraw = withdraw,
};

/* An arm over @sub; @one: takes a single occurrence, the rest is for others. */
static tr_arm arm_of(struct tri_signal *sub, struct tr_signal_info *ret_info, bool one)
{
    return (
        tr_arm){ .ops = sub ? &ops : NULL, .source = sub, .value = ret_info, .extra = { one } };
}

tr_arm tr_signal_recv_arm(tr_signal *s, struct tr_signal_info *ret_info)
{
    return arm_of(s ? s->sub : NULL, ret_info, false);
}

int tr_signal_recv(tr_signal *s, tr_time deadline, struct tr_signal_info *ret_info)
{
    tr_arm arm = tr_signal_recv_arm(s, ret_info);

    return arm.ops ? tri_wait(&arm, deadline) : -EINVAL;
}

/* ---- the short form ---- */

/* The subscription of @rt that tr_signal_wait() shares; made at the first call. */
static int kept(struct tri_runtime *rt, int signo, struct tri_signal **ret_sub)
{
    struct tri_signal *_Atomic *place, *sub = NULL, *none = NULL;
    int r;

    if (signo < 1 || signo >= TRI_SIGNALS)
        return -EINVAL;
    place = &rt->signals->kept[signo];
    /* acquire: pairs with the release below: the record. */
    *ret_sub = atomic_load_explicit(place, memory_order_acquire);
    if (*ret_sub)
        return 0;
    r = sub_open(signo, &sub);
    if (r < 0)
        return r;
    *ret_sub = sub;
    if (!atomic_compare_exchange_strong_explicit(place, &none, sub, memory_order_acq_rel,
                                                 memory_order_acquire)) {
        sub_close(sub);
        *ret_sub = none; /* another waiter was first */
    }
    return 0;
}

int tr_signal_wait(int signo, tr_time deadline)
{
    struct tri_task *self = tri_self();
    struct tri_signal *sub;
    tr_arm arm;
    int r = tri_wait_enter(self);

    if (r < 0)
        return r;
    r = kept(tri_runtime_self(), signo, &sub);
    if (r < 0)
        return r;
    arm = arm_of(sub, NULL, true);
    return tri_wait(&arm, deadline);
}

void tri_signals_fini(struct tri_signals *s)
{
    for (int signo = 1; signo < TRI_SIGNALS; signo++) {
        /* relaxed: the runtime's tasks have ended. */
        struct tri_signal *sub = atomic_load_explicit(&s->kept[signo], memory_order_relaxed);

        if (sub)
            sub_close(sub);
    }
    tri_signal_quiesce();
}
