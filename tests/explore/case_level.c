/* SPDX-License-Identifier: MIT */
/*
 * case_level.c - actor/shutdown.c and level_watch.c: whoever waits for a level, or watches it,
 * hears of it, and never of an older one after a newer, whoever raises it and makes the watch.
 */
#include "config.h"

#include <errno.h>

#include "actor/shutdown.h"
#include "explore/explore.h"
#include "explore/world.h"
#include "mem/alloc.h"

static struct tri_shutdown *sh;
static struct tri_runtime *rt;
static unsigned n_grown;

/* Thread 0 is an actor of the runtime whose level is raised. */
static void setup(void)
{
    n_grown = 0;
    sh = tri_mem_alloc(sizeof *sh);
    world_task(0, TRI_KIND_TASK, 1);
    rt = world_runtime(0);
    rt->shutdown = sh;
}

static void setup_2(void)
{
    setup();
    world_task(1, TRI_KIND_TASK, 2);
    world_same_runtime(1, 0);
}

static void finish(void)
{
    check(n_grown >= 1);
    tri_level_watch_fini(sh);
    free(sh);
    world_finish();
}

/* ---- raising ---- */

static void raise_to(enum tr_level level)
{
    n_grown += tri_shutdown_grow(rt, level, "explored");
    check(tri_shutdown_level(rt) >= level);
}

static void raise_1(void)
{
    raise_to(TR_LEVEL_DRAIN);
}

static void raise_2(void)
{
    raise_to(TR_LEVEL_STOP);
}

static void raise_1_2(void)
{
    raise_1();
    raise_2();
}

/* ---- hearing of it ---- */

static void await_2(void)
{
    world_enter();
    check(tr_shutdown_wait(TR_LEVEL_DRAIN, TR_NEVER) == 0);
    check(tr_shutdown_wait(TR_LEVEL_STOP, TR_NEVER) == 0);
}

static void await_a_while(void)
{
    int r;

    world_enter();
    r = tr_shutdown_wait(TR_LEVEL_DRAIN, TR_S(2));
    check(r == 0 || r == -ETIMEDOUT);
    check(tr_shutdown_wait(TR_LEVEL_STOP, TR_NEVER) == 0);
}

static void watch_to(enum tr_level last)
{
    enum tr_level seen = TR_LEVEL_RUN, now;
    tr_levelw_rx rx;

    world_enter();
    rx = tr_shutdown_watch();
    do {
        check(tr_levelw_changed(&rx, TR_NEVER) == 0);
        now = *tr_levelw_get(&rx);
        check(now >= seen && now > TR_LEVEL_RUN);
        seen = now;
    } while (seen < last);
    tr_levelw_rx_close(&rx);
}

static void watch_1(void)
{
    watch_to(TR_LEVEL_DRAIN);
}

static void watch_2(void)
{
    watch_to(TR_LEVEL_STOP);
}

/* ---- broken ---- */

static void raised_by_store(struct explore_op *op)
{
    if (explore_is(op, "tri_shutdown_grow", EXPLORE_CAS))
        op->ok = op->writes = true;
}

static void watch_unseen(struct explore_op *op)
{
    if (explore_is(op, "tri_level_watch_publish", EXPLORE_LOAD) && explore_self() != 0)
        op->old = 0;
}

static void request_left(struct explore_op *op)
{
    /* The one who publishes does not see that another asked meanwhile. */
    if (explore_is(op, "tri_level_watch_publish", EXPLORE_SUB))
        op->old = 1;
}

static void unlocked(struct explore_op *op)
{
    if (explore_is(op, "tri_lock_try", EXPLORE_CAS))
        op->ok = true;
}

static const struct explore_broken broken_wait[] = {
    { "no lock around the line", unlocked },
    { 0 },
};

static const struct explore_broken broken_raise[] = {
    { "the level is raised by a plain store", raised_by_store },
    { 0 },
};

static const struct explore_broken broken_watch[] = {
    { "who raises the level does not see the watch", watch_unseen },
    { "who publishes does not see another request", request_left },
    { 0 },
};

const struct explore_case explore_level_cases[] = {
    { "level, wait, wait x raise, raise", setup, { await_2, raise_1_2 }, finish, 2, 3,
      broken_wait },
    { "level, wait with a deadline, wait x raise, raise", setup, { await_a_while, raise_1_2 },
      finish, 2, 3, NULL },
    { "level, wait x raise x raise", setup, { await_2, raise_1, raise_2 }, finish, 1, 2,
      broken_raise },
    { "level, watch x raise, raise", setup, { watch_2, raise_1_2 }, finish, 2, 3, NULL },
    { "level, watch x raise x raise", setup, { watch_2, raise_1, raise_2 }, finish, 1, 2,
      broken_watch },
    { "level, watch x watch x raise", setup_2, { watch_1, watch_1, raise_1 }, finish, 1, 2, NULL },
    { 0 },
};
