/* SPDX-License-Identifier: MIT */
/*
 * limits.c - what this machine can do at all, so that every run carries its own yardstick. No
 * runtime. Each row is the best of five runs.
 */
#include "config.h"

#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"

enum { RUNS = 5 };

/* ---- in one thread ---- */

static void nothing(void)
{
}

static void (*volatile callee)(void) = nothing;

static void calls(int n)
{
    for (int i = 0; i < n; i++)
        callee();
}

static void rmws(int n)
{
    static atomic_int word;

    for (int i = 0; i < n; i++)
        atomic_fetch_add(&word, 1);
}

static void syscalls(int n)
{
    for (int i = 0; i < n; i++)
        (void)syscall(SYS_getppid);
}

static void clocks(int n)
{
    for (int i = 0; i < n; i++)
        (void)bench_clock();
}

static void mallocs(int n)
{
    void *volatile p; /* or the compiler leaves both out */

    for (int i = 0; i < n; i++) {
        p = malloc(96);
        free(p);
    }
}

static void touches(int n)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE), size = (size_t)n * page;
    char *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (p == MAP_FAILED)
        return;
    (void)madvise(p, size, MADV_NOHUGEPAGE);
    for (size_t i = 0; i < size; i += page)
        *(volatile char *)&p[i] = 1;
    munmap(p, size);
}

static void eventfds(int n)
{
    int fd = eventfd(0, EFD_NONBLOCK), epoll = epoll_create1(0);
    struct epoll_event e = { .events = EPOLLIN };
    uint64_t one = 1;

    (void)epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &e);
    for (int i = 0; i < n; i++)
        if (write(fd, &one, sizeof one) < 0 || epoll_wait(epoll, &e, 1, -1) != 1 ||
            read(fd, &one, sizeof one) < 0)
            break;
    close(fd);
    close(epoll);
}

/* ---- a stack switch: six callee-saved registers out, six in, and a return ---- */

#if defined(__x86_64__)

void bench_switch(void **save, void *to);
__asm__(".text\n.globl bench_switch\n.type bench_switch, @function\nbench_switch:\n"
        "push %rbx\npush %rbp\npush %r12\npush %r13\npush %r14\npush %r15\n"
        "mov %rsp, (%rdi)\nmov %rsi, %rsp\n"
        "pop %r15\npop %r14\npop %r13\npop %r12\npop %rbp\npop %rbx\nret\n"
        ".size bench_switch, .-bench_switch\n");

static void *main_sp, *other_sp;

static void other_side(void)
{
    for (;;)
        bench_switch(&other_sp, main_sp);
}

static void switches(int n)
{
    static _Alignas(16) char stack[16384];
    uintptr_t *sp = (uintptr_t *)(void *)(stack + sizeof stack) - 2;

    *--sp = (uintptr_t)other_side; /* what the first switch returns to */
    other_sp = sp - 6;
    for (int i = 0; i < n; i += 2)
        bench_switch(&main_sp, other_sp);
}

#endif

/* ---- between two cores ---- */

static _Alignas(64) atomic_int ball;

static void futex(int op, int value)
{
    (void)syscall(SYS_futex, &ball, op, value, NULL, NULL, 0);
}

/* Waits until the ball shows @mine, and passes it on as !@mine, @n times. */
static void spin_side(int n, int mine)
{
    for (int i = 0; i < n; i++) {
        while (atomic_load_explicit(&ball, memory_order_acquire) != mine)
            ;
        atomic_store_explicit(&ball, !mine, memory_order_release);
    }
}

static void futex_side(int n, int mine)
{
    for (int i = 0; i < n; i++) {
        while (atomic_load_explicit(&ball, memory_order_acquire) != mine)
            futex(FUTEX_WAIT_PRIVATE, !mine);
        atomic_store_explicit(&ball, !mine, memory_order_release);
        futex(FUTEX_WAKE_PRIVATE, 1);
    }
}

struct side {
    void (*play)(int n, int mine);
    int n;
};

static void *second(void *arg)
{
    const struct side *s = arg;

    (void)bench_pin(1);
    s->play(s->n, 1);
    return NULL;
}

static void two_cores(void (*play)(int, int), int n)
{
    struct side s = { play, n };
    pthread_t thread;

    (void)bench_pin(0);
    if (pthread_create(&thread, NULL, second, &s) != 0)
        return;
    play(n, 0);
    (void)pthread_join(thread, NULL);
}

static void lines(int n)
{
    two_cores(spin_side, n);
}

static void futexes(int n)
{
    two_cores(futex_side, n);
}

/* ---- the rows ---- */

static const struct {
    const char *name;
    void (*run)(int n);
    int n; /* operations; negative: it takes two cores */
} rows[] = {
    /* clang-format off */
    { "limit_call", calls, 10000000 },
#if defined(__x86_64__)
    { "limit_switch", switches, 4000000 },
#endif
    { "limit_rmw", rmws, 10000000 },
    { "limit_syscall", syscalls, 500000 },
    { "limit_clock", clocks, 2000000 },
    { "limit_malloc", mallocs, 5000000 },
    { "limit_touch", touches, 16384 },
    { "limit_eventfd", eventfds, 100000 },
    { "limit_line", lines, -500000 },
    { "limit_futex", futexes, -10000 },
    /* clang-format on */
};

static int limits(const struct bench_metric *m)
{
    bool has_two = bench_pin(1);

    (void)m;
    (void)bench_pin(0);
    for (size_t i = 0; i < TR_LEN(rows); i++) {
        int64_t best = INT64_MAX;
        int n = abs(rows[i].n);

        if (rows[i].n < 0 && !has_two)
            continue;
        for (int run = 0; run < RUNS; run++) {
            int64_t start = bench_clock(), span;

            rows[i].run(n);
            span = bench_clock() - start;
            best = span < best ? span : best;
        }
        bench_tell(rows[i].name, (double)best / n, "ns");
    }
    return 0;
}

const struct bench_metric bench_limits[] = {
    { .name = "limits", .run = limits },
    { .name = NULL },
};
