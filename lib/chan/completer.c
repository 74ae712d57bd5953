/* SPDX-License-Identifier: MIT */
/*
 * completer.c - sending ends behind tokens. A token is the place of a record in a slab and the
 * generation it had; whoever takes the end out first raises the generation, so every later call
 * misses. Records are never freed, so a late call reads a record, perhaps of somebody else.
 */
#include "config.h"

#include <errno.h>
#include <string.h>

#include <troupe/completer.h>

#include "base/lock.h"
#include "mem/slab.h"

struct completer {
    uint32_t slab_index;
    uint32_t generation; /* +1 when the end is taken out */
    tr_oneshot_tx tx;
};

_Static_assert(sizeof(void *) == 8, "a token holds an index and a generation");

static struct tri_lock lock; /* protects what follows; nothing is taken inside but the slab */
static bool made;
static struct tri_slab slab;
static struct tri_slab_cache cache;
static unsigned long n_late;

int tr_completer_new(tr_oneshot_tx *tx, void **ret_token)
{
    struct completer *c = NULL;

    if (!tx || !tx->cell || !ret_token)
        return -EINVAL;
    tri_lock_acquire(&lock);
    if (!made && tri_slab_init(&slab, (sizeof *c + 15) / 16 * 16) == 0) {
        tri_slab_cache_init(&cache, &slab);
        made = true;
    }
    if (made)
        c = tri_slab_get(&cache);
    if (c) {
        c->tx = *tx;
        *tx = (tr_oneshot_tx){ NULL };
        /* The place counts from 1: a token is never NULL. */
        *ret_token = (void *)((uintptr_t)c->generation << 32 | (c->slab_index + 1u));
    }
    tri_lock_release(&lock);
    return c ? 0 : -ENOMEM;
}

/* Takes the end out of @token; false: it is gone. */
static bool take(void *token, tr_oneshot_tx *ret_tx)
{
    uint32_t place = (uint32_t)(uintptr_t)token;
    uint32_t generation = (uint32_t)((uintptr_t)token >> 32);
    struct completer *c;
    bool valid;

    tri_lock_acquire(&lock);
    c = made && place > 0 ? tri_slab_at(&slab, place - 1) : NULL;
    valid = c && c->generation == generation && c->tx.cell;
    if (valid) {
        *ret_tx = c->tx;
        c->tx = (tr_oneshot_tx){ NULL };
        c->generation++;
        tri_slab_put(&cache, c);
    }
    n_late += !valid;
    tri_lock_release(&lock);
    return valid;
}

int tr_complete(void *token, const struct tri_type *type, void *value)
{
    tr_oneshot_tx tx;
    int r = -EALREADY;

    if (!value)
        return -EINVAL;
    if (take(token, &tx))
        r = tr_oneshot_send(&tx, value);
    if (r < 0) {
        type->drop(value);
        memset(value, 0, type->size);
    }
    return r;
}

int tr_completer_close(void *token)
{
    tr_oneshot_tx tx;

    if (!take(token, &tx))
        return -EALREADY;
    tr_oneshot_tx_close(&tx);
    return 0;
}

unsigned long tr_completer_n_late(void)
{
    unsigned long n;

    tri_lock_acquire(&lock);
    n = n_late;
    tri_lock_release(&lock);
    return n;
}
