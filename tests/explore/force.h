/* SPDX-License-Identifier: MIT */
/*
 * force.h - comes before everything else in the sources that are explored, the library's and
 * the cases'. They are compiled with -fsanitize=thread, for the calls that the compiler then
 * puts at each access of memory (steps.c); ThreadSanitizer itself is not linked. What is left
 * for here: the names of places, the calls out of the program, and variables of a thread.
 */
#ifndef TESTS_EXPLORE_FORCE_H
#define TESTS_EXPLORE_FORCE_H

#include "config.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* ---- each atomic step says where it stands ---- */

/* A step in the arguments of another one. */
#pragma GCC diagnostic ignored "-Wshadow"

void explore_mark(const char *func, int line);

#undef atomic_init
#undef atomic_load
#undef atomic_load_explicit
#undef atomic_store
#undef atomic_store_explicit
#undef atomic_exchange
#undef atomic_exchange_explicit
#undef atomic_fetch_add
#undef atomic_fetch_add_explicit
#undef atomic_fetch_sub
#undef atomic_fetch_sub_explicit
#undef atomic_fetch_and
#undef atomic_fetch_and_explicit
#undef atomic_fetch_or
#undef atomic_fetch_or_explicit
#undef atomic_compare_exchange_strong
#undef atomic_compare_exchange_strong_explicit
#undef atomic_compare_exchange_weak
#undef atomic_compare_exchange_weak_explicit

#define EXPLORE_AT(step) (explore_mark(__func__, __LINE__), step)

#ifdef __clang__
#define EXPLORE_TYPE(p) __typeof__(__c11_atomic_load((p), __ATOMIC_RELAXED))
#define atomic_load_explicit(p, o)        EXPLORE_AT(__c11_atomic_load((p), (o)))
#define atomic_store_explicit(p, v, o)    EXPLORE_AT(__c11_atomic_store((p), (v), (o)))
#define atomic_exchange_explicit(p, v, o) EXPLORE_AT(__c11_atomic_exchange((p), (v), (o)))
#define EXPLORE_CAS(weak, p, e, v, s, f)                                                       \
    EXPLORE_AT(__c11_atomic_compare_exchange_##weak((p), (e), (v), (s), (f)))
#define EXPLORE_FETCH(op, p, v, o) EXPLORE_AT(__c11_atomic_fetch_##op((p), (v), (o)))
#else
/* As in gcc's stdatomic.h: the comma drops the qualifier. */
#define EXPLORE_TYPE(p) __typeof__((void)0, *(p))
#define atomic_load_explicit(p, o)                                                             \
    __extension__({                                                                            \
        __auto_type explore_p = (p);                                                           \
        EXPLORE_TYPE(explore_p) explore_v;                                                     \
        EXPLORE_AT(__atomic_load(explore_p, &explore_v, (o)));                                 \
        explore_v;                                                                             \
    })
#define atomic_store_explicit(p, v, o)                                                         \
    __extension__({                                                                            \
        __auto_type explore_p = (p);                                                           \
        EXPLORE_TYPE(explore_p) explore_v = (v);                                               \
        EXPLORE_AT(__atomic_store(explore_p, &explore_v, (o)));                                \
    })
#define atomic_exchange_explicit(p, v, o)                                                      \
    __extension__({                                                                            \
        __auto_type explore_p = (p);                                                           \
        EXPLORE_TYPE(explore_p) explore_v = (v), explore_old;                                  \
        EXPLORE_AT(__atomic_exchange(explore_p, &explore_v, &explore_old, (o)));               \
        explore_old;                                                                           \
    })
#define EXPLORE_CAS(weak, p, e, v, s, f)                                                       \
    __extension__({                                                                            \
        __auto_type explore_p = (p);                                                           \
        __auto_type explore_e = (e);                                                           \
        EXPLORE_TYPE(explore_p) explore_v = (v);                                               \
        EXPLORE_AT(__atomic_compare_exchange(explore_p, explore_e, &explore_v, 0, (s), (f)));  \
    })
#define EXPLORE_FETCH(op, p, v, o) EXPLORE_AT(__atomic_fetch_##op((p), (v), (o)))
#endif

#define atomic_load(p)               atomic_load_explicit((p), __ATOMIC_SEQ_CST)
#define atomic_store(p, v)           atomic_store_explicit((p), (v), __ATOMIC_SEQ_CST)
#define atomic_exchange(p, v)        atomic_exchange_explicit((p), (v), __ATOMIC_SEQ_CST)
#define atomic_fetch_add(p, v)       EXPLORE_FETCH(add, p, v, __ATOMIC_SEQ_CST)
#define atomic_fetch_sub(p, v)       EXPLORE_FETCH(sub, p, v, __ATOMIC_SEQ_CST)
#define atomic_fetch_and(p, v)       EXPLORE_FETCH(and, p, v, __ATOMIC_SEQ_CST)
#define atomic_fetch_or(p, v)        EXPLORE_FETCH(or, p, v, __ATOMIC_SEQ_CST)
#define atomic_fetch_add_explicit(p, v, o) EXPLORE_FETCH(add, p, v, o)
#define atomic_fetch_sub_explicit(p, v, o) EXPLORE_FETCH(sub, p, v, o)
#define atomic_fetch_and_explicit(p, v, o) EXPLORE_FETCH(and, p, v, o)
#define atomic_fetch_or_explicit(p, v, o)  EXPLORE_FETCH(or, p, v, o)
#define atomic_compare_exchange_strong(p, e, v)                                                \
    EXPLORE_CAS(strong, p, e, v, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)
#define atomic_compare_exchange_weak(p, e, v)                                                  \
    EXPLORE_CAS(weak, p, e, v, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)
#define atomic_compare_exchange_strong_explicit(p, e, v, s, f) EXPLORE_CAS(strong, p, e, v, s, f)
#define atomic_compare_exchange_weak_explicit(p, e, v, s, f)   EXPLORE_CAS(weak, p, e, v, s, f)

/* Not a step: the word is nobody else's yet. */
#define atomic_init(p, v)                                                                      \
    __extension__({                                                                            \
        __auto_type explore_p = (p);                                                           \
        EXPLORE_TYPE(explore_p) explore_v = (v);                                               \
        explore_memcpy((void *)(uintptr_t)explore_p, &explore_v, sizeof explore_v);                       \
    })

/* ---- memory ---- */

void *explore_memcpy(void *dst, const void *src, size_t n);
void *explore_memset(void *dst, int c, size_t n);
void explore_free(void *p);
void *explore_malloc(size_t n);

#define malloc explore_malloc
#define memcpy explore_memcpy
#define memset explore_memset
#define free   explore_free

/* ---- out of the program ---- */

long explore_syscall(long number, ...);
int explore_yield(void);
void explore_relax(void);

#define syscall     explore_syscall
#define sched_yield explore_yield

#define TRI_BASE_RELAX_H
static inline void tri_relax(void)
{
    explore_relax();
}

/* ---- variables of a thread: in a section of their own, which threads.c changes ---- */

#define _Thread_local __attribute__((section("explore_tls")))
#define tls_model(m)  unused

/* ---- in place of base/rcu.h ---- */

#define TRI_BASE_RCU_H
#include "base/assert.h"

struct tri_rcu_head {
    char nothing;
};

void tri_rcu_lock(void);
void tri_rcu_unlock(void);
bool tri_rcu_is_reading(void);
void tri_rcu_retire(struct tri_rcu_head *head, void (*fn)(struct tri_rcu_head *head));

/* ---- in place of mem/slab.h: no record is used again, so a late touch of one shows ---- */

#define TRI_MEM_SLAB_H

struct tri_slab {
    size_t size;
};

struct tri_slab_cache {
    struct tri_slab *slab;
};

int tri_slab_init(struct tri_slab *s, size_t size_bytes);
void tri_slab_fini(struct tri_slab *s);
void tri_slab_cache_init(struct tri_slab_cache *c, struct tri_slab *s);
void tri_slab_cache_fini(struct tri_slab_cache *c);
void *tri_slab_get(struct tri_slab_cache *c);
void tri_slab_put(struct tri_slab_cache *c, void *record);
void *tri_slab_at(const struct tri_slab *s, uint32_t index);

/* ---- in place of sched/context.h: a task has its thread's stack for itself ---- */

#define TRI_SCHED_CONTEXT_H
#define TRI_ASAN 0
#define TRI_TSAN 0
#define TRI_MEM_SAN_H

struct tri_context {
    void *sp;
};

void explore_idle(void);

static inline void tri_context_switch(struct tri_context *from, struct tri_context *to)
{
    (void)from;
    (void)to;
    explore_idle();
}

#define tri_context_make explored_context_make /* the engine has the real one */
void tri_context_make(struct tri_context *ctx, void *top_below_frame, void *low,
                      void (*fn)(void *arg), void *arg);

static inline void tri_context_exit(struct tri_context *from, struct tri_context *to)
{
    tri_context_switch(from, to);
}

static inline void tri_context_adopt(struct tri_context *ctx)
{
    (void)ctx;
}

static inline void tri_context_release(struct tri_context *ctx)
{
    (void)ctx;
}

static inline int tri_return_far(int r)
{
    return r;
}

#endif /* TESTS_EXPLORE_FORCE_H */
