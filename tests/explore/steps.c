/* SPDX-License-Identifier: MIT */
/*
 * steps.c - the calls that gcc and clang put at every access of memory with -fsanitize=thread.
 * An atomic step is a place where another thread may go first; it is then made in one piece, so
 * what is explored is sequentially consistent. Its memory order counts for memory.c.
 */
#include "config.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "explore/engine.h"

static struct {
    const char *func;
    int line;
} place;

void explore_mark(const char *func, int line);
void explore_mark(const char *func, int line)
{
    place.func = func;
    place.line = line;
}

bool explore_is(const struct explore_op *op, const char *func, enum explore_kind kind)
{
    return op->kind == kind && strcmp(op->func, func) == 0;
}

static void trace(const struct explore_op *op)
{
    static const char *const names[] = { "load", "store", "exchange", "add",  "sub",
                                         "and",  "or",    "cas",      "wait", "wake" };
    static struct explore_op last;
    static const char *const orders[] = { "relaxed", "consume", "acquire",
                                          "release", "acq_rel", "seq_cst" };

    if (op->kind == EXPLORE_LOAD && op->addr == last.addr && op->line == last.line)
        return; /* a spin */
    last = *op;
    printf("#   %u  %s:%d  %s %s at ..%05lx", explore_self(), op->func, op->line,
           orders[op->order], names[op->kind], (unsigned long)(uintptr_t)op->addr & 0xfffff);
    printf(": %#lx", (unsigned long)op->old);
    if (op->writes && op->kind < EXPLORE_WAIT)
        printf(" -> %#lx", (unsigned long)op->next);
    else if (op->kind == EXPLORE_CAS)
        printf(", not %#lx", (unsigned long)op->expected);
    printf("\n");
}

/* The last moment before the step. */
static void made(struct explore_op *op, const void *addr)
{
    op->addr = addr;
    op->func = place.func ? place.func : "?";
    op->line = place.line;
    place.func = NULL;
    if (explore_self() == OUTSIDE)
        return;
    if (search.spoil)
        search.spoil(op);
    if (search.traces)
        trace(op);
    explore_log_step(explore_self());
}

void steps_made(struct explore_op *op, const void *addr)
{
    place.func = "syscall";
    place.line = 0;
    made(op, addr);
}

/* ---- atomic steps ---- */

static uint64_t load(const void *addr, size_t size)
{
    uint64_t v = 0;

    memcpy(&v, addr, size);
    return v;
}

uint64_t explore_peek(const void *addr)
{
    return load(addr, sizeof(uint64_t));
}

static uint64_t result_of(const struct explore_op *op, uint64_t arg)
{
    switch (op->kind) {
    case EXPLORE_ADD:
        return op->old + arg;
    case EXPLORE_SUB:
        return op->old - arg;
    case EXPLORE_AND:
        return op->old & arg;
    case EXPLORE_OR:
        return op->old | arg;
    default:
        return arg;
    }
}

static void order_step(const struct explore_op *op, const void *addr)
{
    const int o = op->order;

    if (op->kind != EXPLORE_STORE && o != __ATOMIC_RELAXED && o != __ATOMIC_RELEASE)
        memory_acquire(addr);
    if (!op->writes)
        return;
    if (o == __ATOMIC_RELEASE || o == __ATOMIC_ACQ_REL || o == __ATOMIC_SEQ_CST)
        memory_release(addr, op->kind != EXPLORE_STORE);
    else if (op->kind == EXPLORE_STORE)
        memory_relaxed_store(addr);
}

static void step(struct explore_op *op, void *addr, size_t size, uint64_t arg,
                 int order_on_failure)
{
    static const void *last_addr;
    const char *func = place.func;
    const int line = place.line;
    bool seen; /* in a spin, and nobody has run since the last look */

    threads_point(addr, op->kind != EXPLORE_LOAD);
    place.func = func; /* others have run */
    place.line = line;
    seen = op->kind == EXPLORE_LOAD && addr == last_addr && threads_spins();
    last_addr = addr;
    if (!seen)
        memory_access(addr, size, op->kind == EXPLORE_LOAD ? ATOMIC_READ : ATOMIC_WRITE);
    op->old = load(addr, size);
    op->ok = op->kind != EXPLORE_CAS || op->old == op->expected;
    op->writes = op->kind != EXPLORE_LOAD && op->ok;
    op->next = result_of(op, arg);
    if (!op->ok)
        op->order = order_on_failure;
    made(op, addr);
    if (op->writes) {
        memory_will_change(addr, size);
        memcpy(addr, &op->next, size);
    }
    if (!seen)
        order_step(op, addr);
    if (op->writes)
        threads_wrote();
}

static uint64_t simple_step(enum explore_kind kind, void *addr, size_t size, uint64_t arg,
                            int order)
{
    struct explore_op op = { .kind = kind, .order = order };

    step(&op, addr, size, arg, order);
    return op.old;
}

/* Stores what was found in *@expected. */
static bool cas_step(void *addr, size_t size, void *expected, uint64_t next, int order,
                     int order_on_failure)
{
    struct explore_op op = { .kind = EXPLORE_CAS, .order = order };

    memcpy(&op.expected, expected, size);
    step(&op, addr, size, next, order_on_failure);
    if (!op.ok)
        memcpy(expected, &op.old, size);
    return op.ok;
}

#define WORD(a) ((void *)(uintptr_t)(a)) /* without its qualifiers */

#define STEPS(bits, type)                                                                      \
    type __tsan_atomic##bits##_load(const volatile type *a, int o);                            \
    void __tsan_atomic##bits##_store(volatile type *a, type v, int o);                         \
    type __tsan_atomic##bits##_exchange(volatile type *a, type v, int o);                      \
    type __tsan_atomic##bits##_fetch_add(volatile type *a, type v, int o);                     \
    type __tsan_atomic##bits##_fetch_sub(volatile type *a, type v, int o);                     \
    type __tsan_atomic##bits##_fetch_and(volatile type *a, type v, int o);                     \
    type __tsan_atomic##bits##_fetch_or(volatile type *a, type v, int o);                      \
    int __tsan_atomic##bits##_compare_exchange_strong(volatile type *a, type *e, type v,       \
                                                      int o, int f);                           \
    int __tsan_atomic##bits##_compare_exchange_weak(volatile type *a, type *e, type v, int o,  \
                                                    int f);                                    \
    type __tsan_atomic##bits##_compare_exchange_val(volatile type *a, type e, type v, int o,   \
                                                    int f);                                    \
    type __tsan_atomic##bits##_load(const volatile type *a, int o)                             \
    {                                                                                          \
        return (type)simple_step(EXPLORE_LOAD, WORD(a), sizeof *a, 0, o);                      \
    }                                                                                          \
    void __tsan_atomic##bits##_store(volatile type *a, type v, int o)                          \
    {                                                                                          \
        (void)simple_step(EXPLORE_STORE, WORD(a), sizeof *a, v, o);                            \
    }                                                                                          \
    type __tsan_atomic##bits##_exchange(volatile type *a, type v, int o)                       \
    {                                                                                          \
        return (type)simple_step(EXPLORE_EXCHANGE, WORD(a), sizeof *a, v, o);                  \
    }                                                                                          \
    type __tsan_atomic##bits##_fetch_add(volatile type *a, type v, int o)                      \
    {                                                                                          \
        return (type)simple_step(EXPLORE_ADD, WORD(a), sizeof *a, v, o);                       \
    }                                                                                          \
    type __tsan_atomic##bits##_fetch_sub(volatile type *a, type v, int o)                      \
    {                                                                                          \
        return (type)simple_step(EXPLORE_SUB, WORD(a), sizeof *a, v, o);                       \
    }                                                                                          \
    type __tsan_atomic##bits##_fetch_and(volatile type *a, type v, int o)                      \
    {                                                                                          \
        return (type)simple_step(EXPLORE_AND, WORD(a), sizeof *a, v, o);                       \
    }                                                                                          \
    type __tsan_atomic##bits##_fetch_or(volatile type *a, type v, int o)                       \
    {                                                                                          \
        return (type)simple_step(EXPLORE_OR, WORD(a), sizeof *a, v, o);                        \
    }                                                                                          \
    int __tsan_atomic##bits##_compare_exchange_strong(volatile type *a, type *e, type v,       \
                                                      int o, int f)                            \
    {                                                                                          \
        return cas_step(WORD(a), sizeof *a, e, v, o, f);                                       \
    }                                                                                          \
    int __tsan_atomic##bits##_compare_exchange_weak(volatile type *a, type *e, type v, int o,  \
                                                    int f)                                     \
    {                                                                                          \
        return cas_step(WORD(a), sizeof *a, e, v, o, f);                                       \
    }                                                                                          \
    type __tsan_atomic##bits##_compare_exchange_val(volatile type *a, type e, type v, int o,   \
                                                    int f)                                     \
    {                                                                                          \
        (void)cas_step(WORD(a), sizeof *a, &e, v, o, f);                                       \
        return e;                                                                              \
    }

STEPS(8, uint8_t)
STEPS(16, uint16_t)
STEPS(32, uint32_t)
STEPS(64, uint64_t)

void __tsan_atomic_thread_fence(int o);
void __tsan_atomic_thread_fence(int o)
{
    (void)o;
    explore_fail("a fence: no source had one when this was written");
}

void __tsan_atomic_signal_fence(int o);
void __tsan_atomic_signal_fence(int o)
{
    (void)o; /* for the compiler alone */
}

/* ---- plain accesses ---- */

#define ACCESSES(size)                                                                         \
    void __tsan_read##size(const void *a);                                                     \
    void __tsan_write##size(const void *a);                                                    \
    void __tsan_unaligned_read##size(const void *a);                                           \
    void __tsan_unaligned_write##size(const void *a);                                          \
    void __tsan_read##size(const void *a)                                                      \
    {                                                                                          \
        memory_access(a, size, PLAIN_READ);                                                    \
    }                                                                                          \
    void __tsan_write##size(const void *a)                                                     \
    {                                                                                          \
        memory_access(a, size, PLAIN_WRITE);                                                   \
    }                                                                                          \
    void __tsan_unaligned_read##size(const void *a)                                            \
    {                                                                                          \
        memory_access(a, size, PLAIN_READ);                                                    \
    }                                                                                          \
    void __tsan_unaligned_write##size(const void *a)                                           \
    {                                                                                          \
        memory_access(a, size, PLAIN_WRITE);                                                   \
    }

ACCESSES(1)
ACCESSES(2)
ACCESSES(4)
ACCESSES(8)
ACCESSES(16)

void __tsan_read_range(const void *a, size_t size);
void __tsan_read_range(const void *a, size_t size)
{
    memory_access(a, size, PLAIN_READ);
}

void __tsan_write_range(const void *a, size_t size);
void __tsan_write_range(const void *a, size_t size)
{
    memory_access(a, size, PLAIN_WRITE);
}

void *explore_memcpy(void *dst, const void *src, size_t n);
void *explore_memcpy(void *dst, const void *src, size_t n)
{
    memory_access(src, n, PLAIN_READ);
    memory_access(dst, n, PLAIN_WRITE);
    return memcpy(dst, src, n);
}

void *explore_memset(void *dst, int c, size_t n);
void *explore_memset(void *dst, int c, size_t n)
{
    memory_access(dst, n, PLAIN_WRITE);
    return memset(dst, c, n);
}

void __tsan_init(void);
void __tsan_init(void)
{
}

void __tsan_func_entry(void *pc);
void __tsan_func_entry(void *pc)
{
    (void)pc;
}

void __tsan_func_exit(void);
void __tsan_func_exit(void)
{
}
