/* SPDX-License-Identifier: MIT */
/*
 * guard.c - choosing and installing guard pages. The kernel is asked once, by guarding one page
 * for a moment.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/log.h"
#include "mem/alloc.h"
#include "mem/guard.h"
#include "mem/san.h"

/* Newer than the headers of many systems; the number is the kernel's on every architecture. */
enum { GUARD_INSTALL = 102 };

static const char *const names[] = {
    [TRI_GUARD_ADVICE] = "advice",
    [TRI_GUARD_MPROTECT] = "mprotect",
    [TRI_GUARD_CANARY] = "canary",
};

const char *tri_guard_name(enum tri_guard kind)
{
    return names[kind];
}

int tri_guard_install(enum tri_guard kind, void *page, size_t page_bytes)
{
    int r = 0;

    if (kind == TRI_GUARD_ADVICE)
        r = madvise(page, page_bytes, GUARD_INSTALL);
    else if (kind == TRI_GUARD_MPROTECT)
        r = mprotect(page, page_bytes, PROT_NONE);
    return r < 0 ? -errno : 0;
}

static int probe_advice(void)
{
    size_t bytes = tri_mem_page();
    void *page;
    int r;

    if (tri_san_on_valgrind()) /* it believes the page to be readable, and crashes */
        return -EOPNOTSUPP;
    page = tri_mem_map(bytes);
    if (!page)
        return -ENOMEM;
    r = tri_guard_install(TRI_GUARD_ADVICE, page, bytes);
    /* Emulators accept any advice and do nothing. A guarded page cannot be read as a name. */
    if (r == 0 && (access(page, F_OK) == 0 || errno != EFAULT))
        r = -EOPNOTSUPP;
    tri_mem_unmap(page, bytes);
    return r < 0 ? -EOPNOTSUPP : 0;
}

/* @ret_kind: the kind named in the environment. Returns 1, 0 if none is named, or -EINVAL. */
static int forced(enum tri_guard *ret_kind)
{
    const char *want = secure_getenv("TR_STACK_GUARD");

    if (!want || !*want)
        return 0;
    for (unsigned k = 0; k < sizeof names / sizeof names[0]; k++) {
        if (strcmp(want, names[k]) == 0) {
            *ret_kind = (enum tri_guard)k;
            return 1;
        }
    }
    tri_log("TR_STACK_GUARD=%s: advice, mprotect or canary is wanted", want);
    return -EINVAL;
}

int tri_guard_choose(enum tri_guard *ret_kind)
{
    enum tri_guard kind = TRI_GUARD_ADVICE;
    int named = forced(&kind), r;

    if (named < 0)
        return named;
    if (kind == TRI_GUARD_ADVICE) {
        r = probe_advice();
        if (r < 0 && named)
            tri_log("TR_STACK_GUARD=advice: not on this kernel");
        if (r == -ENOMEM || (r < 0 && named))
            return r;
        if (r < 0)
            kind = TRI_GUARD_MPROTECT;
    }
    *ret_kind = kind;
    return 0;
}
