/* SPDX-License-Identifier: MIT */
/* relax.h - tell the CPU that this is a spin loop. */
#ifndef TRI_BASE_RELAX_H
#define TRI_BASE_RELAX_H

static inline void tri_relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield" ::: "memory");
#else
    __asm__ volatile("" ::: "memory");
#endif
}

#endif /* TRI_BASE_RELAX_H */
