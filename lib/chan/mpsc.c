/* SPDX-License-Identifier: MIT */
/*
 * mpsc.c - the life of a channel: its layout, its ends, its counts. See mpsc.h for how it
 * works, mpsc_tx.c for sending and mpsc_rx.c for receiving.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>

#include "chan/mpsc.h"
#include "sched/runtime.h"
#include "mem/alloc.h"
#include "sched/cycle.h"

enum {
    CACHE_LINE = 64,
    APART_FROM = 16, /* capacity from which the two sides get lines of their own */
    CELLS_INSIDE_MAX =
        64 * 1024, /* a larger ring is one of its own: untouched pages are free */
    CELLS_EMBEDDED_MAX = 2 * 1024, /* the same of an able mailbox, whose record is small */
};

static const size_t capacity_max = (size_t)1 << 31;

/* Where things lie in the allocation, which is aligned to 16 bytes as malloc's are. */
struct layout {
    size_t more_at, tx_at, rx_at, cells_at;
    size_t payload_at, stride, n_cell;
};

enum layout_kind {
    EMBEDDED, /* a plain mailbox: without struct tri_mpsc_more, and a ring in place */
    ABLE,     /* a mailbox that can be all that a channel can */
    COMPACT,
    APART,
};

static struct layout layout(const struct tri_type *type, size_t capacity, enum layout_kind kind)
{
    const bool apart = kind == APART;
    struct layout l;
    size_t end = sizeof(struct tri_mpsc);
    const size_t word = type->size % 8 == 0 && type->size > 0 ? 8 : 4;

    l.payload_at = type->align > word ? type->align : word;
    l.stride = l.payload_at + type->size;
    l.stride = (l.stride + l.payload_at - 1) / l.payload_at * l.payload_at;
    for (l.n_cell = 1; l.n_cell < capacity; l.n_cell *= 2)
        ;
    l.more_at = kind == EMBEDDED ? 0 : end;
    end += kind == EMBEDDED ? 0 : sizeof(struct tri_mpsc_more);
    _Static_assert(sizeof(struct tri_mpsc) + sizeof(struct tri_mpsc_more) <= 2 * CACHE_LINE,
                   "before the senders' line");
    /* These offsets keep the sides on different lines wherever the allocation begins. */
    l.tx_at = apart ? 2 * CACHE_LINE : end;
    l.rx_at = apart          ? 3 * CACHE_LINE
              : kind == ABLE ? l.tx_at + sizeof(struct tri_mpsc_tx_side)
                             : l.tx_at + offsetof(struct tri_mpsc_tx_side, head_seen);
    l.cells_at = apart ? 4 * CACHE_LINE : l.rx_at + sizeof(struct tri_mpsc_rx_side);
    l.cells_at = (l.cells_at + l.payload_at - 1) / l.payload_at * l.payload_at;
    return l;
}

/* Everything but the cells. @c is zero. */
static void init(struct tri_mpsc *c, const struct tri_type *type, enum layout_kind kind,
                 const struct layout *l)
{
    c->type = type;
    c->apart = kind == APART;
    c->stride = (uint16_t)l->stride;
    c->payload_at = (uint8_t)l->payload_at;
    c->more_at = (uint8_t)l->more_at;
    c->tx_at = (uint8_t)l->tx_at;
    c->rx_at = (uint8_t)l->rx_at;
    atomic_init(&c->n_tx, 1);
    atomic_init(&c->n_ref, 2);
}

static void init_ring(struct tri_mpsc *c, size_t capacity, const struct layout *l, char *cells)
{
    c->cells = cells; /* zero: free for the positions that meet them first */
    c->capacity = (uint32_t)capacity;
    c->mask = (uint32_t)(l->n_cell - 1);
}

size_t tri_mpsc_size(const struct tri_type *type, size_t capacity)
{
    const struct layout l = layout(type, capacity, EMBEDDED);

    return l.cells_at + l.n_cell * l.stride;
}

/* What becomes of an embedded channel. Written once, before the first one is made. */
static void (*_Atomic release_fn)(struct tri_mpsc *c);

void tri_mpsc_set_release_fn(void (*fn)(struct tri_mpsc *c))
{
    /* relaxed: whoever has a channel got it from one who called this before. */
    atomic_store_explicit(&release_fn, fn, memory_order_relaxed);
}

struct tri_mpsc *tri_mpsc_init_at(void *mem, const struct tri_type *type, size_t capacity)
{
    const struct layout l = layout(type, capacity, EMBEDDED);
    struct tri_mpsc *c = mem;

    _Static_assert(sizeof(struct tri_mpsc) + offsetof(struct tri_mpsc_tx_side, head_seen) +
                           sizeof(struct tri_mpsc_rx_side) <=
                       88,
                   "a handler with its mailbox is to stay below 256 bytes");
    memset(mem, 0, l.cells_at + l.n_cell * l.stride);
    init(c, type, EMBEDDED, &l);
    init_ring(c, capacity, &l, (char *)mem + l.cells_at);
    c->embedded = true;
    return c;
}

/* What it has beside its own memory. */
static void free_parts(struct tri_mpsc *c)
{
    if (c->more_at == 0)
        return;
    free(tri_mpsc_more(c)->lane);
    tri_served_put(tri_mpsc_served(c));
    if (c->capacity == 0)
        tri_blocks_fini(c);
    else if (c->own_cells)
        free(c->cells);
}

/* Both sides are gone. */
static void release(struct tri_mpsc *c)
{
    free_parts(c);
    if (c->embedded)
        /* relaxed: see tri_mpsc_set_release_fn(). */
        atomic_load_explicit(&release_fn, memory_order_relaxed)(c);
    else
        free(c);
}

static struct tri_mpsc *new_ring(const struct tri_type *type, size_t capacity)
{
    const enum layout_kind kind = capacity >= APART_FROM ? APART : COMPACT;
    const struct layout l = layout(type, capacity, kind);
    const size_t cells = l.n_cell * l.stride;
    const bool inside = cells <= CELLS_INSIDE_MAX;
    struct tri_mpsc *c = tri_mem_alloc(l.cells_at + (inside ? cells : 0));

    if (!c)
        return NULL;
    init(c, type, kind, &l);
    init_ring(c, capacity, &l, inside ? (char *)c + l.cells_at : tri_mem_alloc(cells));
    c->own_cells = !inside;
    if (c->cells)
        return c;
    free(c);
    return NULL;
}

static struct tri_mpsc *new_unbounded(const struct tri_type *type)
{
    const struct layout l = layout(type, 1, APART);
    struct tri_mpsc *c = tri_mem_alloc(l.cells_at);

    if (!c)
        return NULL;
    init(c, type, APART, &l);
    if (tri_blocks_init(c) == 0)
        return c;
    free(c);
    return NULL;
}

bool tri_mpsc_opts_are_valid(const struct tr_mpsc_opts *o)
{
    if (o->capacity == 0 || o->overflow > TR_OVERFLOW_CONFLATE ||
        (o->overflow == TR_OVERFLOW_CONFLATE) != (o->same != NULL))
        return false;
    if (o->capacity == TR_UNBOUNDED)
        return o->overflow == TR_OVERFLOW_WAIT && o->n_urgent == 0;
    return o->capacity <= capacity_max && o->n_urgent <= UINT16_MAX;
}

/* Before anybody else knows @c. */
static int apply(struct tri_mpsc *c, const struct tr_mpsc_opts *o)
{
    struct tri_mpsc_more *more = tri_mpsc_more(c);

    more->overflow = (uint8_t)o->overflow;
    more->same = o->same;
    c->locked = o->n_urgent > 0 || o->overflow == TR_OVERFLOW_DROP_OLDEST ||
                o->overflow == TR_OVERFLOW_CONFLATE;
    if (c->locked)
        atomic_init(&tri_mpsc_tx(c)->tail, TRI_TX_LOCKED);
    return o->n_urgent > 0 ? tri_lane_init(c, o->n_urgent) : 0;
}

/* ---- an able mailbox ---- */

/* The bytes of its ring, if it has one in place. */
static size_t able_ring(const struct layout *l, const struct tr_mpsc_opts *o)
{
    const size_t bytes = l->n_cell * l->stride;

    return o->capacity == TR_UNBOUNDED || bytes > CELLS_EMBEDDED_MAX ? 0 : bytes;
}

static struct layout able_layout(const struct tri_type *type, const struct tr_mpsc_opts *o)
{
    return layout(type, o->capacity == TR_UNBOUNDED ? 1 : o->capacity, ABLE);
}

size_t tri_mpsc_able_size(const struct tri_type *type, const struct tr_mpsc_opts *opts)
{
    const struct layout l = able_layout(type, opts);

    return l.cells_at + able_ring(&l, opts);
}

static int init_queue(struct tri_mpsc *c, const struct tr_mpsc_opts *o, const struct layout *l)
{
    const bool inside = able_ring(l, o) > 0;

    if (o->capacity == TR_UNBOUNDED)
        return tri_blocks_init(c);
    init_ring(c, o->capacity, l,
              inside ? (char *)c + l->cells_at : tri_mem_alloc(l->n_cell * l->stride));
    c->own_cells = !inside;
    return c->cells ? 0 : -ENOMEM;
}

int tri_mpsc_init_able_at(void *mem, const struct tri_type *type, const struct tr_mpsc_opts *opts)
{
    const struct layout l = able_layout(type, opts);
    struct tri_mpsc *c = mem;

    memset(mem, 0, l.cells_at + able_ring(&l, opts));
    init(c, type, ABLE, &l);
    c->embedded = true;
    if (init_queue(c, opts, &l) < 0)
        return -ENOMEM;
    if (apply(c, opts) == 0)
        return 0;
    free_parts(c);
    return -ENOMEM;
}

/* ---- channels ---- */

int tr_mpsc_new_with(const struct tri_type *type, const struct tr_mpsc_opts *opts,
                     tr_mpsc_tx *ret_tx, tr_mpsc_rx *ret_rx)
{
    struct tri_mpsc *c;

    if (!tri_type_is_valid(type) || !ret_tx || !ret_rx || !opts ||
        !tri_mpsc_opts_are_valid(opts))
        return -EINVAL;
    c = opts->capacity == TR_UNBOUNDED ? new_unbounded(type) : new_ring(type, opts->capacity);
    if (!c)
        return -ENOMEM;
    if (apply(c, opts) < 0) {
        release(c);
        return -ENOMEM;
    }
    *ret_tx = (tr_mpsc_tx){ .chan = c };
    *ret_rx = (tr_mpsc_rx){ .chan = c };
    return 0;
}

int tr_mpsc_new(const struct tri_type *type, size_t capacity, tr_mpsc_tx *ret_tx,
                tr_mpsc_rx *ret_rx)
{
    const struct tr_mpsc_opts opts = { .capacity = capacity };

    return tr_mpsc_new_with(type, &opts, ret_tx, ret_rx);
}

void tri_mpsc_unref(struct tri_mpsc *c)
{
    /* release: our accesses end here. acquire: those of the other side ended before we free. */
    if (atomic_fetch_sub_explicit(&c->n_ref, 1, memory_order_acq_rel) == 1)
        release(c);
}

void tri_mpsc_unref_weak(struct tri_mpsc *c)
{
    /* acq_rel: as above. */
    if (atomic_fetch_sub_explicit(&c->n_ref, TRI_REF_WEAK, memory_order_acq_rel) ==
        TRI_REF_WEAK)
        release(c);
}

tr_mpsc_tx tr_mpsc_tx_clone(const tr_mpsc_tx *tx)
{
    tr_mpsc_tx copy = { .chan = tx ? tx->chan : NULL };

    if (copy.chan)
        /* relaxed: @tx keeps the count above 0; handing the copy over orders it. */
        atomic_fetch_add_explicit(&copy.chan->n_tx, 1, memory_order_relaxed);
    return copy;
}

/* The last sender has gone: the receiver need not wait any more. */
static void end_of_sending(struct tri_mpsc *c)
{
    struct tri_mpsc_tx_side *tx = tri_mpsc_tx(c);
    /* relaxed: the CAS decides. */
    uint64_t t = atomic_load_explicit(&tx->tail, memory_order_relaxed);

    /*
     * acquire: the wakee, set before RX_PARKED. release: with TX_GONE the receiver sees the
     * last position, which n_tx ordered before us.
     */
    while (!atomic_compare_exchange_weak_explicit(&tx->tail, &t,
                                                  (t | TRI_TX_GONE) & ~(uint64_t)TRI_RX_PARKED,
                                                  memory_order_acq_rel, memory_order_relaxed))
        ;
    if (t & TRI_RX_PARKED)
        /* relaxed: see the field. */
        tri_wake(atomic_load_explicit(&tri_mpsc_rx(c)->wakee, memory_order_relaxed));
}

void tr_mpsc_tx_close(tr_mpsc_tx *tx)
{
    struct tri_mpsc *c = tx ? tx->chan : NULL;

    if (!c)
        return;
    /* relaxed: a statistic; n_tx orders it before the end of the channel. */
    if (tx->n_back > 0)
        atomic_fetch_add_explicit(&c->n_back, tx->n_back, memory_order_relaxed);
    *tx = (tr_mpsc_tx){ 0 };
    if (tri_unlikely(tri_is_forked()))
        return; /* the last one takes locks, whose holder may be a thread no more */
    /* release: our sends come before the end. acquire: the sends of the others did, too. */
    if (atomic_fetch_sub_explicit(&c->n_tx, 1, memory_order_acq_rel) != 1)
        return;
    end_of_sending(c);
    tri_mpsc_unref(c);
}

void tri_mpsc_count(struct tri_mpsc *c, uint64_t n_back, struct tr_mpsc_counts *ret_counts)
{
    /* relaxed: statistics; exact when nothing goes on. */
    uint64_t h = atomic_load_explicit(&tri_mpsc_rx(c)->head, memory_order_relaxed);
    uint64_t t = atomic_load_explicit(&tri_mpsc_tx(c)->tail, memory_order_relaxed);

    const struct tri_mpsc_more *more;

    n_back += atomic_load_explicit(&c->n_back, memory_order_relaxed);
    *ret_counts = (struct tr_mpsc_counts){
        .n_sent = (t >> TRI_POS_SHIFT) + n_back,
        .n_received = h,
        .n_back = n_back,
        /* A receiver that has gone leaves head where it stopped; the rest was dropped. */
        .n_dropped = t & TRI_RX_GONE ? (t >> TRI_POS_SHIFT) - h : 0,
    };
    if (c->more_at == 0)
        return;
    more = tri_mpsc_more(c);
    ret_counts->n_sent += atomic_load_explicit(&more->n_beside, memory_order_relaxed);
    if (c->locked) {
        ret_counts->n_received = atomic_load_explicit(&more->n_received, memory_order_relaxed);
        ret_counts->n_dropped = 0; /* each was counted */
    }
    ret_counts->n_dropped += atomic_load_explicit(&more->n_dropped, memory_order_relaxed);
}

void tr_mpsc_tx_counts(const tr_mpsc_tx *tx, struct tr_mpsc_counts *ret_counts)
{
    if (!ret_counts)
        return;
    *ret_counts = (struct tr_mpsc_counts){ 0 };
    if (tx && tx->chan)
        tri_mpsc_count(tx->chan, tx->n_back, ret_counts);
}

void tr_mpsc_rx_counts(const tr_mpsc_rx *rx, struct tr_mpsc_counts *ret_counts)
{
    if (!ret_counts)
        return;
    *ret_counts = (struct tr_mpsc_counts){ 0 };
    if (rx && rx->chan)
        tri_mpsc_count(rx->chan, 0, ret_counts);
}
