/* SPDX-License-Identifier: MIT */
/*
 * fault.c - the handler runs on the thread's alternate stack, since the task's own is used up.
 * It formats by hand: nothing here allocates, locks or calls stdio.
 *
 * After its report it restores the default action and returns: the instruction faults again, so
 * that the exit status and the core are those of the overflow itself.
 */
#include "config.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "mem/alloc.h"
#include "mem/fault.h"
#include "mem/stack.h"

/* Room for handlers that we hand on to, a sanitizer's for instance; untouched it is free. */
enum { ALT_BYTES = 64 * 1024 };

/*
 * lock covers n_users and linked[]: the kernel, or a handler put over ours, leads to ours.
 * previous[] is written under it, while nothing leads to ours, and read by the handler.
 */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned n_users;
static bool linked[2];
static struct sigaction previous[2];
static tri_fault_describe_fn *_Atomic describer;

/* Of this thread, which alone touches them, at its start and end and never inside a task. */
static _Thread_local void *alt_stack;
static _Thread_local unsigned n_entered;

static struct sigaction *previous_of(int sig)
{
    return &previous[sig == SIGBUS];
}

void tri_fault_describer(tri_fault_describe_fn *fn)
{
    /* release: publishes what @fn reads; pairs with the acquire in report(). */
    atomic_store_explicit(&describer, fn, memory_order_release);
}

/* The report */

struct text {
    size_t len;
    char buf[512];
};

static void add(struct text *t, const char *s)
{
    while (*s && t->len < sizeof t->buf)
        t->buf[t->len++] = *s++;
}

static void add_number(struct text *t, uintptr_t v, unsigned radix)
{
    char digits[24], *p = digits + sizeof digits;

    *--p = '\0';
    do
        *--p = "0123456789abcdef"[v % radix];
    while (v /= radix);
    add(t, p);
}

static void report(void *top, const void *addr, const char *guard)
{
    /* acquire: pairs with the release in tri_fault_describer(). */
    tri_fault_describe_fn *fn = atomic_load_explicit(&describer, memory_order_acquire);
    struct text t = { 0 };
    char who[160] = "a task";

    if (fn)
        fn(top, who, sizeof who);
    who[sizeof who - 1] = '\0';
    add(&t, "troupe: ");
    add(&t, who);
    add(&t, " overflowed its stack of ");
    add_number(&t, tri_stack_size() / 1024, 10);
    add(&t, " KiB (address 0x");
    add_number(&t, (uintptr_t)addr, 16);
    add(&t, ", guard ");
    add(&t, guard);
    add(&t, ")\n  give it more with the stack_bytes option\n");
    if (write(STDERR_FILENO, t.buf, t.len) < 0) {
        /* nowhere left to say it */
    }
}

void tri_fault_canary(void *top)
{
    report(top, (char *)top - tri_stack_size(), "canary, found at a switch");
    abort();
}

/* The handler */

/* Only what the kernel raised for an instruction of ours comes again by itself. */
static void default_action(int sig, const siginfo_t *si)
{
    struct sigaction dfl = { .sa_handler = SIG_DFL };

    sigaction(sig, &dfl, NULL);
    if (si->si_code <= 0)
        raise(sig); /* blocked until we return */
}

static void hand_on(int sig, siginfo_t *si, void *uc)
{
    const struct sigaction *prev = previous_of(sig);

    if (prev->sa_flags & SA_SIGINFO)
        prev->sa_sigaction(sig, si, uc);
    else if (prev->sa_handler == SIG_DFL || (prev->sa_handler == SIG_IGN && si->si_code > 0))
        default_action(sig, si);
    else if (prev->sa_handler != SIG_IGN)
        prev->sa_handler(sig);
}

static void on_fault(int sig, siginfo_t *si, void *uc)
{
    int saved = errno;
    /* si_addr means something only in what the kernel raised. */
    char *top = si->si_code > 0 ? tri_stack_of(si->si_addr) : NULL;

    if (top && (char *)si->si_addr < top - tri_stack_size()) {
        report(top, si->si_addr, tri_stack_guard_name());
        default_action(sig, si);
    } else {
        hand_on(sig, si, uc);
    }
    errno = saved;
}

static int take_over(int sig)
{
    struct sigaction ours = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK };

    if (linked[sig == SIGBUS])
        return 0;
    sigemptyset(&ours.sa_mask);
    /* In two steps: the handler must find previous[] filled in from its first call on. */
    if (sigaction(sig, NULL, previous_of(sig)) < 0 || sigaction(sig, &ours, NULL) < 0)
        return -errno;
    linked[sig == SIGBUS] = true;
    return 0;
}

/* Leaves a handler alone that somebody put over ours: it may hand on to us, and we hand on. */
static void give_back(int sig)
{
    struct sigaction now;

    if (sigaction(sig, NULL, &now) == 0 && (now.sa_flags & SA_SIGINFO) &&
        now.sa_sigaction == on_fault)
        linked[sig == SIGBUS] = sigaction(sig, previous_of(sig), NULL) < 0;
}

static int install(void)
{
    int r = take_over(SIGSEGV);

    if (r == 0 && (r = take_over(SIGBUS)) < 0)
        give_back(SIGSEGV);
    return r;
}

int tri_fault_install(void)
{
    int r = 0;

    pthread_mutex_lock(&lock);
    if (n_users == 0)
        r = install();
    if (r == 0)
        n_users++;
    pthread_mutex_unlock(&lock);
    return r;
}

void tri_fault_uninstall(void)
{
    pthread_mutex_lock(&lock);
    TRI_MEM_HOLDS(n_users > 0);
    if (--n_users == 0) {
        give_back(SIGBUS);
        give_back(SIGSEGV);
    }
    pthread_mutex_unlock(&lock);
}

/* Alternate stacks */

int tri_fault_thread_enter(void)
{
    stack_t ss = { .ss_size = ALT_BYTES }, now;

    if (n_entered == 0 && sigaltstack(NULL, &now) == 0 && (now.ss_flags & SS_DISABLE)) {
        ss.ss_sp = tri_mem_map(ALT_BYTES);
        if (!ss.ss_sp)
            return -ENOMEM;
        TRI_MEM_HOLDS(sigaltstack(&ss, NULL) == 0);
        alt_stack = ss.ss_sp;
    }
    n_entered++;
    return 0;
}

void tri_fault_thread_leave(void)
{
    stack_t off = { .ss_flags = SS_DISABLE };

    TRI_MEM_HOLDS(n_entered > 0);
    if (--n_entered > 0 || !alt_stack)
        return;
    TRI_MEM_HOLDS(sigaltstack(&off, NULL) == 0);
    tri_mem_unmap(alt_stack, ALT_BYTES);
    alt_stack = NULL;
}
