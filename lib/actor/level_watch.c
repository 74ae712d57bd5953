/* SPDX-License-Identifier: MIT */
/*
 * level_watch.c - the level as a watch channel, for code that selects on it. It is made when
 * the first one asks, with the value RUN, and then told what the level is: so a level above RUN
 * is unseen by every subscriber, however late. All of them are clones of one end that reads
 * nothing.
 *
 * Whoever raises the level publishes; of several at once one does it for all, so that an older
 * level is never published after a newer one, and nobody waits: n_publish counts the requests,
 * the one who made it 1 goes on until it has taken it back to 0.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>

#include "actor/shutdown.h"
#include "mem/alloc.h"

struct tri_level_watch {
    tr_levelw_tx tx;
    tr_levelw_rx rx; /* has seen RUN; under the lock of struct tri_shutdown */
    atomic_uint n_publish;
};

static void publish_once(struct tri_runtime *rt, struct tri_level_watch *lw)
{
    enum tr_level level = tri_shutdown_level(rt);

    if (level > TR_LEVEL_RUN && tr_levelw_replace(&lw->tx, &level) < 0)
        /* No memory. rt->level has it; the next raise publishes again. */
        return;
}

void tri_level_watch_publish(struct tri_runtime *rt)
{
    /* seq_cst: after the level was raised; pairs with the swap in watch_of(). */
    struct tri_level_watch *lw =
        atomic_load_explicit(&rt->shutdown->watch, memory_order_seq_cst);
    unsigned n = 1, all;

    /* acq_rel: the level that the requester raised is seen by the one who publishes. */
    if (!lw || atomic_fetch_add_explicit(&lw->n_publish, 1, memory_order_acq_rel) > 0)
        return;
    for (;;) {
        publish_once(rt, lw);
        all = atomic_fetch_sub_explicit(&lw->n_publish, n, memory_order_acq_rel);
        if (all == n)
            return;
        n = all - n; /* asked meanwhile: all of them at once */
    }
}

static void watch_free(struct tri_level_watch *lw)
{
    tr_levelw_tx_close(&lw->tx);
    tr_levelw_rx_close(&lw->rx);
    free(lw);
}

/* The watch of @rt, made now if need be; NULL: no memory. */
static struct tri_level_watch *watch_of(struct tri_runtime *rt)
{
    enum tr_level level = TR_LEVEL_RUN;
    /* acquire: what is behind the pointer; pairs with the exchange below. */
    struct tri_level_watch *lw =
        atomic_load_explicit(&rt->shutdown->watch, memory_order_acquire);
    struct tri_level_watch *none = NULL;

    if (lw)
        return lw;
    lw = tri_mem_alloc(sizeof *lw);
    if (!lw)
        return NULL;
    atomic_init(&lw->n_publish, 0);
    if (tr_levelw_new(&level, &lw->tx, &lw->rx) < 0) {
        free(lw);
        return NULL;
    }
    /* seq_cst: before the look at the level; pairs with tri_level_watch_publish(), whose caller
     * has raised it and looks for the watch then. One of the two publishes. */
    if (!atomic_compare_exchange_strong_explicit(&rt->shutdown->watch, &none, lw,
                                                 memory_order_seq_cst, memory_order_seq_cst)) {
        watch_free(lw);
        return none;
    }
    tri_level_watch_publish(rt);
    return lw;
}

tr_levelw_rx tr_shutdown_watch(void)
{
    struct tri_runtime *rt = tri_runtime_self();
    struct tri_level_watch *lw = rt ? watch_of(rt) : NULL;
    tr_levelw_rx rx = { 0 };

    if (!lw)
        return rx;
    tri_lock_acquire(&rt->shutdown->lock);
    rx = tr_levelw_rx_clone(&lw->rx);
    tri_lock_release(&rt->shutdown->lock);
    return rx;
}

void tri_level_watch_fini(struct tri_shutdown *s)
{
    /* relaxed: the runtime's actors and its conductor have ended. */
    struct tri_level_watch *lw = atomic_load_explicit(&s->watch, memory_order_relaxed);

    if (lw)
        watch_free(lw);
}
