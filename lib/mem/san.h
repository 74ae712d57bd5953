/* SPDX-License-Identifier: MIT */
/*
 * san.h - what the memory layer tells the sanitizers and valgrind. Everything here is empty in
 * a plain build, except the valgrind marks: a few rotate instructions which do nothing outside
 * of it, on slow paths only.
 */
#ifndef TRI_MEM_SAN_H
#define TRI_MEM_SAN_H

#include <stddef.h>

#ifdef __has_feature
#define TRI_HAS_FEATURE(x) __has_feature(x)
#else
#define TRI_HAS_FEATURE(x) 0
#endif

#if defined __SANITIZE_ADDRESS__ || TRI_HAS_FEATURE(address_sanitizer)
#define TRI_ASAN 1
#include <sanitizer/asan_interface.h>
#include <sanitizer/lsan_interface.h>
#else
#define TRI_ASAN 0
#endif

#if defined __SANITIZE_THREAD__ || TRI_HAS_FEATURE(thread_sanitizer)
#define TRI_TSAN 1
#include <sanitizer/tsan_interface.h>
#else
#define TRI_TSAN 0
#endif

#ifdef __has_include
#if __has_include(<valgrind/memcheck.h>)
#define TRI_VALGRIND 1
#include <valgrind/memcheck.h>
#endif
#endif
#ifndef TRI_VALGRIND
#define TRI_VALGRIND 0
#endif

/* Mapped memory that holds pointers: what only they point to is not a leak. */
static inline void tri_san_root_add(const void *low, size_t size)
{
    (void)low;
    (void)size;
#if TRI_ASAN
    __lsan_register_root_region(low, size);
#endif
}

static inline void tri_san_root_remove(const void *low, size_t size)
{
    (void)low;
    (void)size;
#if TRI_ASAN
    __lsan_unregister_root_region(low, size);
#endif
}

/* Tells the tools of a new stack; returns valgrind's number for it. */
static inline unsigned tri_san_stack_add(void *low, size_t size)
{
    (void)low;
    (void)size;
#if TRI_ASAN
    /* An object that only a parked task points to is not a leak. */
    __lsan_register_root_region(low, size);
#endif
#if TRI_VALGRIND
    return (unsigned)VALGRIND_STACK_REGISTER(low, (char *)low + size - 1);
#else
    return 0;
#endif
}

static inline void tri_san_stack_remove(void *low, size_t size, unsigned id)
{
    (void)low;
    (void)size;
    (void)id;
#if TRI_ASAN
    __lsan_unregister_root_region(low, size);
    ASAN_UNPOISON_MEMORY_REGION(low, size);
#endif
#if TRI_VALGRIND
    VALGRIND_STACK_DEREGISTER(id);
#endif
}

/* The stack is going to be used from its top again: red zones of dead frames must not stay. */
static inline void tri_san_stack_reuse(void *low, size_t size)
{
    (void)low;
    (void)size;
#if TRI_ASAN
    ASAN_UNPOISON_MEMORY_REGION(low, size);
#endif
}

/* A piece of a stack above its sp, or below a dead one, is about to be written from outside. */
static inline void tri_san_frame_open(void *low, size_t size)
{
    (void)low;
    (void)size;
#if TRI_VALGRIND
    (void)VALGRIND_MAKE_MEM_UNDEFINED(low, size);
#endif
}

static inline int tri_san_on_valgrind(void)
{
#if TRI_VALGRIND
    return RUNNING_ON_VALGRIND != 0;
#else
    return 0;
#endif
}

#endif /* TRI_MEM_SAN_H */
