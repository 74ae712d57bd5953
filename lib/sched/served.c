/* SPDX-License-Identifier: MIT */
/* served.c - the pool of struct tri_served, whose memory is never given back: see cycle.h. */
#include "config.h"

#include "base/lock.h"
#include "base/membarrier.h"
#include "mem/alloc.h"
#include "sched/cycle.h"

static struct tri_lock lock; /* protects free_served; nothing is taken inside */
static struct tri_served *free_served;

struct tri_served *tri_served_get(void)
{
    struct tri_served *s;

    tri_lock_acquire(&lock);
    s = free_served;
    if (s)
        free_served = s->next;
    tri_lock_release(&lock);
    if (!s)
        s = tri_mem_alloc(sizeof *s);
    if (!s)
        return NULL;
    /* relaxed: the lock, or the channel, publishes it; a late walk is a void one. */
    atomic_store_explicit(&s->by, NULL, memory_order_relaxed);
    s->is_fenced = !tri_membarrier_setup();
    return s;
}

void tri_served_put(struct tri_served *s)
{
    if (!s)
        return;
    tri_lock_acquire(&lock);
    s->next = free_served;
    free_served = s;
    tri_lock_release(&lock);
}
