/* SPDX-License-Identifier: MIT */
/* misuse.c - see misuse.h. */
#include "config.h"

#include <errno.h>
#include <execinfo.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/place.h"
#include "sched/misuse.h"

enum { FRAMES = 16, SHOWN = 3, PLACE = TRI_PLACE_NAME + 24 };

static const char OURS[] = "libtroupe.so"; /* and then a version */

/*
 * Where the library was entered, and from where that was called. In a program that has the
 * library inside itself nobody can tell its frames: then they come first.
 */
static void entry(char *buf, size_t n)
{
    void *pc[FRAMES];
    char at[PLACE];
    size_t len = 0;
    int n_pc = backtrace(pc, FRAMES);
    bool inside = true;

    (void)snprintf(buf, n, "?");
    for (int i = 1, n_shown = 0; i < n_pc && n_shown < SHOWN && len < n; i++) {
        (void)tri_place_find(pc[i], at, sizeof at);
        inside = inside && strncmp(at, OURS, sizeof OURS - 1) == 0;
        if (inside)
            continue;
        len += (size_t)snprintf(buf + len, n - len, "%s%s", n_shown++ > 0 ? " < " : "", at);
    }
}

static const char *kind_name(const struct tri_actor *a)
{
    return tri_wakee_is_task(&a->wakee) ? "task" : "handler";
}

int tri_misuse_waits(const char *what)
{
    struct tri_worker *w = tri_worker_self();
    const struct tri_actor *a = w ? w->handler : NULL;
    char at[SHOWN * PLACE];

    if (tri_is_forked())
        return -EOWNERDEAD;
    entry(at, sizeof at);
    if (a)
        tri_tell(
            TR_EVENT_MISUSE,
            "%s '%s' waits: '%s' was called at %s; a handler and a drop may not wait: use a "
            "try form, a timer, or a task",
            kind_name(a), tri_actor_name(a), what, at);
    else
        tri_tell(
            TR_EVENT_MISUSE,
            "'%s', which waits, was called outside of a task, at %s; use its blocking form "
            "in a thread, its try form elsewhere",
            what, at);
    return -EPERM;
}

int tri_misuse_blocks(struct tri_worker *w, const char *what, const void *caller)
{
    const struct tri_actor *a = w->task ? &w->task->a : w->handler;
    char spawned[PLACE], called[PLACE];

    tri_tell(TR_EVENT_MISUSE,
             "%s '%s' (spawned at %s) called the blocking form of '%s' at %s, which would stop "
             "its worker; use the form with a deadline in a task, a try form in a handler",
             w->task ? "task" : "handler", a ? tri_actor_name(a) : "?",
             tri_place_find(a ? a->spawn_pc : NULL, spawned, PLACE), what,
             tri_place_find(caller, called, PLACE));
    return -EDEADLK;
}

int tri_misuse(int r, const char *what, const char *why)
{
    char at[SHOWN * PLACE];

    if (tri_is_forked()) /* the caller is nobody here, and what he held is not his */
        return -EOWNERDEAD;
    entry(at, sizeof at);
    tri_tell(TR_EVENT_MISUSE, "'%s' was called wrongly, at %s: %s", what, at, why);
    return r;
}
