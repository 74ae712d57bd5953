/* SPDX-License-Identifier: MIT */
/*
 * guard.h - what stands below a stack, so that an overflow ends in a report and not in the
 * neighbour's memory.
 *
 *     advice    the page below is marked by MADV_GUARD_INSTALL: no mapping is split, so a
 *               million guarded stacks fit (Linux 6.13 and later)
 *     mprotect  the page below is made inaccessible; every one costs two mappings, of which a
 *               process has 65,530, so only the first TRI_GUARD_MPROTECT_MAX stacks get it and
 *               those after them a canary
 *     canary    the lowest line of the stack must stay zero. It is read, never written, so it
 *               costs no memory; found late, at the next switch, and only if the overflow wrote
 *               there. The page below is left unused as a cushion.
 */
#ifndef TRI_MEM_GUARD_H
#define TRI_MEM_GUARD_H

#include <stddef.h>

enum tri_guard { TRI_GUARD_ADVICE, TRI_GUARD_MPROTECT, TRI_GUARD_CANARY };

enum { TRI_GUARD_MPROTECT_MAX = 8000 };

/*
 * The best kind this kernel has, or the one that TR_STACK_GUARD in the environment names.
 * Returns 0; -EINVAL: the environment names no kind; -EOPNOTSUPP: this kernel lacks it;
 * -ENOMEM.
 */
int tri_guard_choose(enum tri_guard *ret_kind);

/* Guards one page. Returns 0 or -errno (-ENOMEM: too many mappings). */
int tri_guard_install(enum tri_guard kind, void *page, size_t page_bytes);

const char *tri_guard_name(enum tri_guard kind);

#endif /* TRI_MEM_GUARD_H */
