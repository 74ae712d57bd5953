/* SPDX-License-Identifier: MIT */
/*
 * membarrier.h - the heavy half of an asymmetric fence: when tri_membarrier() has returned,
 * every running thread of this process has executed a full memory barrier somewhere between its
 * call and its return. So two sides that each store one word and then load the other's need a
 * fence on the rare side only; the frequent side keeps its two accesses in program order. See
 * membarrier(2), MEMBARRIER_CMD_PRIVATE_EXPEDITED.
 */
#ifndef TRI_BASE_MEMBARRIER_H
#define TRI_BASE_MEMBARRIER_H

#include <stdbool.h>

/* Registers the process; true: tri_membarrier() may be used from now on. Any thread; cheap. */
bool tri_membarrier_setup(void);

/* A microsecond or so, and an interrupt for each running thread. */
void tri_membarrier(void);

#endif /* TRI_BASE_MEMBARRIER_H */
