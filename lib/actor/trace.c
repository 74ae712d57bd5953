/* SPDX-License-Identifier: MIT */
/*
 * trace.c - see trace.h. The request is one word:
 *
 *     IDLE --conductor--> ASKED --handler--> BUSY --handler--> DONE --conductor--> IDLE
 *                         ASKED --the conductor gives up--> IDLE
 *
 * A thread that answers after the conductor has given up leaves DONE behind, which the next
 * request clears. The handler calls backtrace(), which allocates and locks on its first use
 * only; that is done before (tri_trace_warm).
 */
#include "config.h"

#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include "actor/conductor.h"
#include "actor/trace.h"
#include "base/clock.h"
#include "base/futex.h"
#include "base/lock.h"
#include "sched/idle.h"

enum { IDLE, ASKED, BUSY, DONE };

static const tr_time PATIENCE = TR_MS(20);

static struct tri_lock lock; /* protects n_users, linked, former */
static unsigned n_users;
static bool linked;
static struct sigaction former;

static struct tri_lock asking; /* held over one request; tried, never waited for */
static atomic_uint state;
static atomic_bool warm;
/* Written by the asker before ASKED, and by the answering thread before DONE. */
static pid_t asked;
static void *pcs[TRI_TRACE_MAX + 8];
static int n_pc;

/* ---- the handler ---- */

static void *interrupted_pc(const ucontext_t *uc)
{
#if defined __x86_64__
    return (void *)(uintptr_t)uc->uc_mcontext.gregs[REG_RIP];
#elif defined __aarch64__
    return (void *)(uintptr_t)uc->uc_mcontext.pc;
#else
    (void)uc;
    return NULL;
#endif
}

/* Drops the frames of the handler itself. */
static void trim(const void *pc)
{
    for (int i = 0; i < n_pc; i++) {
        if (pcs[i] != pc)
            continue;
        n_pc -= i;
        memmove(pcs, pcs + i, (size_t)n_pc * sizeof *pcs);
        return;
    }
}

static void answer(const ucontext_t *uc)
{
    unsigned s = ASKED;

    /* acquire: asked; pairs with the release in ask(). */
    if (!atomic_compare_exchange_strong_explicit(&state, &s, BUSY, memory_order_acquire,
                                                 memory_order_relaxed))
        return;
    n_pc = asked == gettid() ? backtrace(pcs, (int)(sizeof pcs / sizeof *pcs)) : 0;
    trim(interrupted_pc(uc));
    atomic_store_explicit(&state, DONE, memory_order_release); /* pcs and n_pc */
    tri_futex_wake(&state, 1);
}

static void on_trace(int signo, siginfo_t *si, void *context)
{
    int saved = errno;

    (void)signo;
    if (si->si_code == SI_TIMER && si->si_value.sival_ptr)
        tri_stop_on_fatal(si->si_value.sival_ptr);
    answer(context);
    errno = saved;
}

void tri_trace_begin(void)
{
    struct sigaction ours = { .sa_sigaction = on_trace,
                              .sa_flags = SA_SIGINFO | SA_RESTART | SA_ONSTACK };
    int signo = tri_trace_signal();

    sigfillset(&ours.sa_mask);
    tri_lock_acquire(&lock);
    if (n_users++ == 0 && sigaction(signo, NULL, &former) == 0 &&
        !(former.sa_flags & SA_SIGINFO) && former.sa_handler == SIG_DFL)
        linked = sigaction(signo, &ours, NULL) == 0;
    tri_lock_release(&lock);
}

void tri_trace_end(void)
{
    tri_lock_acquire(&lock);
    if (--n_users == 0 && linked) {
        /* Not SIG_DFL, which would be death if a request is still on its way. */
        former.sa_handler = SIG_IGN;
        (void)sigaction(tri_trace_signal(), &former, NULL);
        former.sa_handler = SIG_DFL;
        (void)sigaction(tri_trace_signal(), &former, NULL);
        linked = false;
    }
    tri_lock_release(&lock);
}

void tri_trace_warm(void)
{
    void *pc[2];

    /* relaxed: at worst it is done twice. */
    if (!atomic_load_explicit(&warm, memory_order_relaxed) && backtrace(pc, 2) >= 0)
        atomic_store_explicit(&warm, true, memory_order_release);
}

/* ---- what the kernel says ---- */

/* Reads a small file of /proc as a string; false: it cannot be read or is empty. */
static bool read_proc(pid_t tid, const char *file, char *buf, size_t n)
{
    char path[64];
    ssize_t len;
    int fd;

    (void)snprintf(path, sizeof path, "/proc/self/task/%d/%s", (int)tid, file);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    len = read(fd, buf, n - 1);
    (void)close(fd);
    if (len <= 0)
        return false;
    buf[len] = '\0';
    buf[strcspn(buf, "\n")] = '\0';
    return true;
}

/* Calls that go on after a handler with SA_RESTART, and what they are called. */
static const struct {
    long number;
    const char *name;
} restartable[] = {
    { SYS_read, "read" },         { SYS_write, "write" },     { SYS_readv, "readv" },
    { SYS_writev, "writev" },     { SYS_pread64, "pread" },   { SYS_pwrite64, "pwrite" },
    { SYS_recvfrom, "recvfrom" }, { SYS_recvmsg, "recvmsg" }, { SYS_sendto, "sendto" },
    { SYS_sendmsg, "sendmsg" },   { SYS_accept, "accept" },   { SYS_accept4, "accept4" },
    { SYS_wait4, "wait4" },       { SYS_waitid, "waitid" },   { SYS_flock, "flock" },
    { SYS_fcntl, "fcntl" },       { SYS_ioctl, "ioctl" },     { SYS_openat, "openat" },
    { SYS_futex, "futex" },
};

static const char *restartable_name(long number)
{
    for (size_t i = 0; i < TR_LEN(restartable); i++)
        if (restartable[i].number == number)
            return restartable[i].name;
    return NULL;
}

/* The number of the system call that @tid is in; -1: it is running, or nobody can tell. */
static long call_of(pid_t tid, bool *ret_known)
{
    char text[160], *end;
    long number;

    *ret_known = read_proc(tid, "syscall", text, sizeof text);
    if (!*ret_known)
        return -1;
    number = strtol(text, &end, 10);
    return end == text ? -1 : number;
}

bool tri_trace_is_runnable(pid_t tid)
{
    char text[160];

    return read_proc(tid, "syscall", text, sizeof text) && strcmp(text, "running") == 0;
}

void tri_trace_kernel(pid_t tid, char *buf, size_t n)
{
    char wchan[64] = "";
    const char *name;
    bool known;
    long number = call_of(tid, &known);

    if (number < 0) {
        (void)snprintf(buf, n, known ? "running" : "state unknown");
        return;
    }
    name = restartable_name(number);
    (void)read_proc(tid, "wchan", wchan, sizeof wchan);
    if (name)
        (void)snprintf(buf, n, "in %s() at %.40s", name, wchan);
    else
        (void)snprintf(buf, n, "in system call %ld at %.40s", number, wchan);
}

/* A signal does not disturb what @tid is doing. */
static bool may_interrupt(pid_t tid)
{
    bool known;
    long number = call_of(tid, &known);

    return known && (number < 0 || restartable_name(number));
}

/* ---- asking ---- */

/* Asks and waits; whether there is an answer. */
static bool ask(pid_t tid)
{
    tr_time limit = tri_clock_now() + PATIENCE;
    unsigned s;

    /* acquire: an answer that came too late is complete. */
    if (atomic_load_explicit(&state, memory_order_acquire) == BUSY)
        return false;
    asked = tid;
    atomic_store_explicit(&state, ASKED, memory_order_release); /* asked */
    if (syscall(SYS_tgkill, getpid(), tid, tri_trace_signal()) < 0)
        limit = 0;
    /* acquire: pairs with the release in answer(). */
    while ((s = atomic_load_explicit(&state, memory_order_acquire)) != DONE &&
           tri_clock_now() < limit)
        (void)tri_futex_wait(&state, s, limit);
    if (s == DONE)
        return true;
    s = ASKED;
    /* relaxed: takes the request back; fails if the thread is answering just now. */
    (void)atomic_compare_exchange_strong_explicit(&state, &s, IDLE, memory_order_relaxed,
                                                  memory_order_relaxed);
    return false;
}

int tri_trace_thread(pid_t tid, void *ret_pc[TRI_TRACE_MAX])
{
    int n = 0;

    /* acquire: pairs with the release in tri_trace_warm(). */
    if (tid == 0 || !linked || !atomic_load_explicit(&warm, memory_order_acquire) ||
        !may_interrupt(tid) || !tri_lock_try(&asking))
        return 0;
    if (ask(tid)) {
        n = n_pc < TRI_TRACE_MAX ? n_pc : TRI_TRACE_MAX;
        memcpy(ret_pc, pcs, (size_t)n * sizeof *pcs);
    }
    tri_lock_release(&asking);
    return n;
}
