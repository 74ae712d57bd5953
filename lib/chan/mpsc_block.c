/* SPDX-License-Identifier: MIT */
/*
 * mpsc_block.c - the cells of an unbounded channel: blocks of N_SLOT, linked in the order of
 * their positions. Block b holds b->start up to b->start + N_SLOT - 1.
 *
 *     head_block --> [ drained | queued ] --> [ queued ] --> [ queued | free ] <-- tail_block
 *
 * A sender finds the block of its position by walking from tail_block, which only moves forward
 * and may lag. It appends a missing block before it claims: when no memory is left, no position
 * is lost and the message stays with the caller. A block after the last claimed position is an
 * ordinary one that came early.
 *
 * Reclamation: a sender walks inside a read section. The receiver retires a drained block after
 * it has moved tail_block off it; since tail_block moves forward only, no later section reaches
 * the block. A claimed cell keeps its block alive without a section: the block cannot be
 * drained before the cell is published, and that is the sender's last touch.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>

#include "base/rcu.h"
#include "chan/mpsc.h"
#include "mem/alloc.h"

enum { N_SLOT = 32 };

struct tri_block {
    struct tri_rcu_head rcu;
    uint64_t start;
    _Atomic(struct tri_block *) next; /* set once, by the sender that needed it */
    _Alignas(16) char cells[];
};

static struct tri_cell *cell_at(const struct tri_mpsc *c, struct tri_block *b, uint64_t pos)
{
    return (struct tri_cell *)(void *)(b->cells + (size_t)(pos - b->start) * c->stride);
}

static struct tri_block *block_new(const struct tri_mpsc *c, uint64_t start)
{
    struct tri_block *b = tri_mem_alloc_dirty(sizeof *b + (size_t)N_SLOT * c->stride);

    if (!b)
        return NULL;
    b->start = start;
    atomic_init(&b->next, NULL);
    for (uint64_t pos = start; pos != start + N_SLOT; pos++)
        atomic_init(&cell_at(c, b, pos)->seq, (uint32_t)pos);
    return b;
}

static void block_free(struct tri_rcu_head *head)
{
    free((struct tri_block *)(void *)head);
}

int tri_blocks_init(struct tri_mpsc *c)
{
    struct tri_block *b = block_new(c, 0);

    _Static_assert(offsetof(struct tri_block, rcu) == 0, "the cast in block_free()");
    if (!b)
        return -ENOMEM;
    c->head_block = b;
    atomic_init(&tri_mpsc_tx(c)->tail_block, b);
    return 0;
}

void tri_blocks_fini(struct tri_mpsc *c)
{
    struct tri_block *b, *next;

    for (b = c->head_block; b; b = next) {
        /* relaxed: nobody else is left. */
        next = atomic_load_explicit(&b->next, memory_order_relaxed);
        free(b);
    }
}

/* The block after @b, made if there is none yet. NULL: no memory. In a read section. */
static struct tri_block *block_after(const struct tri_mpsc *c, struct tri_block *b)
{
    /* acquire: the fields of the block; pairs with the release below. */
    struct tri_block *next = atomic_load_explicit(&b->next, memory_order_acquire), *mine;

    if (next)
        return next;
    mine = block_new(c, b->start + N_SLOT);
    /* release: its fields. acquire on failure: those of the one that was faster. */
    if (mine && !atomic_compare_exchange_strong_explicit(
                    &b->next, &next, mine, memory_order_release, memory_order_acquire)) {
        free(mine);
        mine = next;
    }
    return mine;
}

/* Finds the block of @pos. Returns: 0; -EAGAIN: @pos is stale; -ENOMEM. In a read section. */
static int block_of(struct tri_mpsc *c, uint64_t pos, struct tri_block **ret_block)
{
    struct tri_mpsc_tx_side *tx = tri_mpsc_tx(c);
    /* acquire: the fields of the block; pairs with the release below and the receiver's. */
    struct tri_block *from = atomic_load_explicit(&tx->tail_block, memory_order_acquire);
    struct tri_block *b = from;

    if (pos < b->start)
        return -EAGAIN;
    while (pos - b->start >= N_SLOT) {
        b = block_after(c, b);
        if (!b)
            return -ENOMEM;
    }
    if (b != from)
        /* release: hands the fields of the block on. relaxed: who failed is behind. */
        (void)atomic_compare_exchange_strong_explicit(
            &tx->tail_block, &from, b, memory_order_release, memory_order_relaxed);
    *ret_block = b;
    return 0;
}

static int claim(struct tri_mpsc *c, uint64_t *ret_prev, struct tri_cell **ret_cell)
{
    struct tri_mpsc_tx_side *tx = tri_mpsc_tx(c);
    struct tri_block *b;
    uint64_t t, pos;
    int r;

    for (;;) {
        /* relaxed: the CAS confirms it; the blocks are ordered by their own pointers. */
        t = atomic_load_explicit(&tx->tail, memory_order_relaxed);
        pos = t >> TRI_POS_SHIFT;
        if (t & TRI_RX_SHUT)
            return -EPIPE;
        r = block_of(c, pos, &b);
        if (r == -ENOMEM)
            return r;
        /* acquire: the wakee, set before RX_PARKED, as in send_now(). */
        if (r == 0 && atomic_compare_exchange_weak_explicit(
                          &tx->tail, &t, (t + TRI_POS_ONE) & ~(uint64_t)TRI_RX_PARKED,
                          memory_order_acquire, memory_order_relaxed))
            break;
    }
    *ret_prev = t;
    *ret_cell = cell_at(c, b, pos);
    return 0;
}

int tri_blocks_claim(struct tri_mpsc *c, uint64_t *ret_prev, struct tri_cell **ret_cell)
{
    int r;

    tri_rcu_lock();
    r = claim(c, ret_prev, ret_cell);
    tri_rcu_unlock();
    return r;
}

/* Lets go of the drained head block @b; @next follows it. */
static void retire_head(struct tri_mpsc *c, struct tri_block *b, struct tri_block *next)
{
    struct tri_block *expected = b;

    /* release: as in block_of(). relaxed on failure: it is further on already. */
    (void)atomic_compare_exchange_strong_explicit(&tri_mpsc_tx(c)->tail_block, &expected, next,
                                                  memory_order_release, memory_order_relaxed);
    c->head_block = next;
    tri_rcu_retire(&b->rcu, block_free);
}

/* @pos is head or, while several are taken at once, a little further. */
struct tri_cell *tri_blocks_head_cell(struct tri_mpsc *c, uint64_t pos)
{
    struct tri_block *b = c->head_block, *next;

    if (pos - b->start >= N_SLOT) {
        /* acquire: the fields of the block; pairs with block_after(). */
        next = atomic_load_explicit(&b->next, memory_order_acquire);
        if (!next)
            return NULL;
        retire_head(c, b, next);
        b = next;
    }
    return cell_at(c, b, pos);
}
