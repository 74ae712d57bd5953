/* SPDX-License-Identifier: MIT */
/* test_fault.c - overflows end in a report that names the task; other faults are not ours. */
#include "config.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "mem/alloc.h"
#include "mem/fault.h"
#include "mem/stack.h"
#include "support/tr-test.h"

static struct tri_stack_cache cache;
static char *top;
static char said[1024];

TR_SUITE(fault, .timeout = 60);

static void describe(void *stack_top, char *buf, size_t n)
{
    snprintf(buf, n, stack_top == top ? "task 'deep' #7" : "someone else");
}

static bool begin(void)
{
    struct rlimit no_core = { 0, 0 };

    setrlimit(RLIMIT_CORE, &no_core);
    if (tri_stack_setup(0) < 0 || tri_fault_install() < 0 || tri_fault_thread_enter() < 0)
        return false;
    tri_fault_describer(describe);
    top = tri_stack_get(&cache);
    return top != NULL;
}

/* Runs @fn in a child, collects what it says on fd 2 and returns its wait status. */
static int in_child(void (*fn)(void))
{
    size_t len = 0;
    int out[2], status = -1;
    ssize_t n;
    pid_t pid;

    if (pipe(out) < 0 || (pid = fork()) < 0)
        return -1;
    if (pid == 0) {
        dup2(out[1], STDERR_FILENO);
        if (begin())
            fn();
        _exit(0);
    }
    close(out[1]);
    while ((n = read(out[0], said + len, sizeof said - 1 - len)) > 0)
        len += (size_t)n;
    said[len] = '\0';
    close(out[0]);
    waitpid(pid, &status, 0);
    return status;
}

static void hit_guard(void)
{
    *(volatile char *)(top - tri_stack_size() - 1) = 1;
}

static void check_report(const char *guard)
{
    char size[64];

    snprintf(size, sizeof size, "of %zu KiB (address 0x",
             (TRI_ASAN || TRI_TSAN ? 256 : (size_t)64));
    check_eq(strncmp(said, "troupe: task 'deep' #7 overflowed its stack ", 44), 0, "%s", said);
    check_eq(strstr(said, size) != NULL, true, "%s", said);
    check_eq(strstr(said, guard) != NULL, true, "%s", said);
    check_eq(strstr(said, "\n  give it more with the stack_bytes option\n") != NULL, true);
}

TR_TEST(fault, a_hit_in_the_guard_names_the_task_and_ends_in_sigsegv)
{
    int status;

    unsetenv("TR_STACK_GUARD");
    status = in_child(hit_guard);
    check_eq(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV, true);
    check_report(", guard ");
}

TR_TEST(fault, a_hit_in_a_protected_page_is_reported_the_same_way)
{
    int status;

    setenv("TR_STACK_GUARD", "mprotect", 1);
    status = in_child(hit_guard);
    check_eq(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV, true);
    check_report(", guard mprotect)");
}

static void break_canary(void)
{
    top[-(ptrdiff_t)tri_stack_size()] = 1;
    if (!tri_stack_canary_ok(top))
        tri_fault_canary(top);
}

TR_TEST(fault, a_broken_canary_is_reported_and_aborts)
{
    int status;

    setenv("TR_STACK_GUARD", "canary", 1);
    status = in_child(break_canary);
    check_eq(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT, true);
    check_report(", guard canary, found at a switch)");
}

static void no_describer(void)
{
    tri_fault_describer(NULL);
    hit_guard();
}

TR_TEST(fault, without_a_describer_the_report_says_a_task)
{
    unsetenv("TR_STACK_GUARD");
    in_child(no_describer);
    check_eq(strncmp(said, "troupe: a task overflowed", 25), 0, "%s", said);
}

static void segv_elsewhere(void)
{
    signal(SIGSEGV, SIG_DFL); /* a sanitizer may have been first */
    tri_fault_uninstall();
    if (tri_fault_install() == 0)
        *(volatile char *)(uintptr_t)4096 = 1;
}

TR_TEST(fault, another_fault_ends_as_if_nobody_handled_it)
{
    int status = in_child(segv_elsewhere);

    check_eq(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV, true);
    check_eq(said[0], '\0', "%s", said);
}

static void kill_self(void)
{
    raise(SIGSEGV);
}

static void killed(void)
{
    signal(SIGSEGV, SIG_DFL);
    tri_fault_uninstall();
    if (tri_fault_install() == 0)
        kill_self();
}

TR_TEST(fault, a_sent_signal_kills_as_by_default)
{
    int status = in_child(killed);

    check_eq(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV, true);
}

static void on_segv(int sig, siginfo_t *si, void *uc)
{
    (void)sig;
    (void)uc;
    /* Words, not a status: valgrind has its own opinion of a program that faulted. */
    if (si->si_addr == (void *)4096 && write(STDERR_FILENO, "handed on", 9) == 9)
        _exit(0);
    _exit(1);
}

static void with_previous(void)
{
    struct sigaction sa = { .sa_sigaction = on_segv, .sa_flags = SA_SIGINFO };

    tri_fault_uninstall();
    sigaction(SIGSEGV, &sa, NULL);
    if (tri_fault_install() == 0)
        *(volatile char *)(uintptr_t)4096 = 1;
}

TR_TEST(fault, another_fault_reaches_the_handler_that_was_there_before)
{
    in_child(with_previous);
    check_eq(strcmp(said, "handed on"), 0, "%s", said);
}

static void on_top_handler(int sig)
{
    (void)sig;
}

TR_TEST(fault, uninstall_restores_and_leaves_a_later_handler_alone)
{
    struct sigaction before, now, later = { .sa_handler = on_top_handler };

    sigaction(SIGSEGV, NULL, &before);
    need_eq(tri_fault_install(), 0);
    need_eq(tri_fault_install(), 0);
    tri_fault_uninstall();
    sigaction(SIGSEGV, NULL, &now);
    check_eq(now.sa_handler == before.sa_handler, false);
    tri_fault_uninstall();
    sigaction(SIGSEGV, NULL, &now);
    check_eq(now.sa_handler == before.sa_handler, true);

    need_eq(tri_fault_install(), 0);
    sigaction(SIGSEGV, &later, NULL);
    tri_fault_uninstall();
    sigaction(SIGSEGV, NULL, &now);
    check_eq(now.sa_handler == on_top_handler, true);
}

TR_TEST(fault, alternate_stacks_nest_and_are_given_back)
{
    stack_t off = { .ss_flags = SS_DISABLE }, now;

    need_eq(sigaltstack(&off, NULL), 0);
    tri_mem_fail_at(1);
    check_eq(tri_fault_thread_enter(), -ENOMEM);
    need_eq(tri_fault_thread_enter(), 0);
    need_eq(tri_fault_thread_enter(), 0);
    tri_fault_thread_leave();
    need_eq(sigaltstack(NULL, &now), 0);
    check_eq(now.ss_flags & SS_DISABLE, 0);
    tri_fault_thread_leave();
    need_eq(sigaltstack(NULL, &now), 0);
    check_eq(now.ss_flags & SS_DISABLE, SS_DISABLE);
}
