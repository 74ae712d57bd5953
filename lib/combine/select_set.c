/* SPDX-License-Identifier: MIT */
/*
 * select_set.c - arms that stay registered. Each has a relay (sched/wakee.h) that its source
 * wakes in the task's place, so that a wake says which arm it is for. A member is
 *
 *     in a line   to be attempted by the next wait (the first line before the rest)
 *     armed       READY of its relay is away: a wake will push it to set->woken
 *     timed       armed, and due at some instant: in the list of deadlines; the park ends in
 *                 time for the first, which goes in line then
 *     off         disabled, or a deadline that was told
 *
 *     in a line --cannot be done--> armed --its source changes--> in woken --taken--> in a line
 *
 * and enrolled while its waiter may be with the source: from then until it is attempted with
 * success or enrolled anew, so that one that has come to the head of a line keeps its place.
 *
 * No wake-up is lost: a waker pushes the member (seq_cst), then loads the owner's wakee and
 * wakes it; the owner stores its wakee (seq_cst), having prepared to park, and then looks at
 * woken (seq_cst). In their one order either the owner sees the member, or the waker sees the
 * owner.
 *
 * Memory: a source may wake late, so members lie in a slab for ever, and free ones have READY
 * on, where a wake ends. Who turned READY on pushes soon after: a member that is removed in
 * between is freed when its push has come. A waker's last touch is set->owner: sets lie in a
 * slab, too, and who finds a later owner there wakes him for nothing.
 */
#include "config.h"

#include <errno.h>
#include <sched.h>

#include "base/list.h"
#include "base/lock.h"
#include "combine/deadline.h"
#include "mem/slab.h"
#include "sched/worker.h"

struct member {
    uint32_t slab_index;
    atomic_uint generation; /* +1 when it is freed; the set's user, and read with stale keys */
    struct tri_relay relay;
    struct tri_select_set *_Atomic set; /* written while no wake can come; NULL: free */
    struct member *link;                /* in woken; the waker's until it is taken */
    struct tri_list all;                /* in set->all */
    struct tri_list line;               /* in a line, or in the list of deadlines */
    tr_arm arm;
    struct tri_waiter waiter;
    void *data;
    tr_time due;                        /* while it is timed */
    bool armed, enrolled, leaving, off;
    bool first; /* TR_SELECT_FIRST */
};

struct tri_select_set {
    uint32_t slab_index;
    struct member *_Atomic woken;
    struct tri_wakee *_Atomic owner; /* who waits, or waited last */
    struct tri_list all;             /* the members, but for those that leave */
    struct tri_list first, rest;     /* the lines */
    struct tri_list deadlines;       /* by time */
    size_t n, n_off, n_leaving;
};

/* ---- memory ---- */

struct pool {
    struct tri_lock lock; /* protects the rest; nothing is taken inside but the slab */
    bool made;
    struct tri_slab slab;
    struct tri_slab_cache cache;
};

static struct pool members, sets;

static void *pool_get(struct pool *p, size_t size)
{
    void *record = NULL;

    tri_lock_acquire(&p->lock);
    if (!p->made && tri_slab_init(&p->slab, (size + 15) / 16 * 16) == 0) {
        tri_slab_cache_init(&p->cache, &p->slab);
        p->made = true;
    }
    if (p->made)
        record = tri_slab_get(&p->cache);
    tri_lock_release(&p->lock);
    return record;
}

static void pool_put(struct pool *p, void *record)
{
    tri_lock_acquire(&p->lock);
    tri_slab_put(&p->cache, record);
    tri_lock_release(&p->lock);
}

static struct member *member_of(struct tri_list *line)
{
    return tri_list_entry(line, struct member, line);
}

static uint64_t key_of(const struct member *m)
{
    /* relaxed: the set's user alone changes it. */
    return (uint64_t)atomic_load_explicit(&m->generation, memory_order_relaxed) << 32 |
           (m->slab_index + 1u);
}

/* NULL: @key is stale, or was never one of @set. */
static struct member *find(struct tri_select_set *set, uint64_t key)
{
    struct member *m = NULL;

    if (set && (uint32_t)key > 0 && set->n > 0)
        m = tri_slab_at(&members.slab, (uint32_t)key - 1);
    /* relaxed: what is in @set is ours; anything else is only compared. */
    if (!m || atomic_load_explicit(&m->set, memory_order_relaxed) != set || m->leaving)
        return NULL;
    return key_of(m) == key ? m : NULL;
}

static void member_free(struct member *m)
{
    /* relaxed, both: no wake can come any more, and nobody else looks with a valid key. */
    atomic_store_explicit(&m->set, NULL, memory_order_relaxed);
    atomic_fetch_add_explicit(&m->generation, 1, memory_order_relaxed);
    pool_put(&members, m);
}

/* ---- wakes ---- */

static void woken(struct tri_relay *relay, bool in_signal)
{
    struct member *m = (struct member *)((char *)relay - offsetof(struct member, relay));
    /* relaxed: written before READY was taken away; see the acquire in tri_wake(). */
    struct tri_select_set *set = atomic_load_explicit(&m->set, memory_order_relaxed);
    struct member *top = atomic_load_explicit(&set->woken, memory_order_relaxed);
    struct tri_wakee *owner;

    do {
        m->link = top;
        /* seq_cst: before the load of owner; see the top. Also releases the link. */
    } while (!atomic_compare_exchange_weak_explicit(&set->woken, &top, m, memory_order_seq_cst,
                                                    memory_order_seq_cst));
    owner = atomic_load_explicit(&set->owner, memory_order_seq_cst);
    if (in_signal)
        tri_wake_from_signal(owner);
    else
        tri_wake(owner);
}

/* Takes READY away: from here on a wake pushes the member. */
static void take_ready(struct member *m)
{
    m->armed = true;
    /* As tri_park_take_ready(). */
    atomic_fetch_and_explicit(&m->relay.wakee.word, ~(unsigned)TRI_READY, memory_order_acq_rel);
}

/* Takes that back. Still armed afterwards: a wake was first, and the push comes. */
static void disarm(struct member *m)
{
    if (m->armed) /* acq_rel: as tri_wake() */
        m->armed = atomic_fetch_or_explicit(&m->relay.wakee.word, TRI_READY,
                                            memory_order_acq_rel) & TRI_READY;
}

/* Nothing of the member is left with its source. */
static void quiet(struct member *m)
{
    if (m->enrolled)
        (void)m->arm.ops->withdraw(&m->arm, &m->waiter);
    m->enrolled = false;
    disarm(m);
}

/* ---- lines ---- */

static void enter_line(struct tri_select_set *set, struct member *m)
{
    tri_list_add_tail(m->first ? &set->first : &set->rest, &m->line);
}

static void leave_line(struct member *m)
{
    if (tri_list_is_linked(&m->line))
        tri_list_del(&m->line);
}

/* By time, if time alone may make it ready. */
static void enter_deadlines(struct tri_select_set *set, struct member *m)
{
    struct tri_list *at = set->deadlines.prev;

    m->due = m->arm.ops->due ? m->arm.ops->due(&m->arm) : TR_NEVER;
    if (m->due >= TR_NEVER)
        return;
    while (at != &set->deadlines && member_of(at)->due > m->due)
        at = at->prev;
    tri_list_add_head(at, &m->line); /* behind it */
}

static void switch_off(struct tri_select_set *set, struct member *m, bool off)
{
    set->n_off += off && !m->off;
    set->n_off -= !off && m->off;
    m->off = off;
}

/* Those whose sources have changed go into line, in the order of their wakes. */
static void take_woken(struct tri_select_set *set)
{
    /* acquire: the links; pairs with woken(). */
    struct member *m = atomic_exchange_explicit(&set->woken, NULL, memory_order_acquire);
    struct member *first = NULL, *next;

    for (; m; m = next) {
        next = m->link;
        m->link = first;
        first = m;
    }
    for (m = first; m; m = next) {
        next = m->link;
        m->armed = false;
        if (m->leaving) {
            set->n_leaving--;
            member_free(m);
        } else if (!m->off) {
            leave_line(m); /* it may have been due, too */
            enter_line(set, m);
        }
    }
}

static void take_due(struct tri_select_set *set)
{
    tr_time now;

    if (tri_list_is_empty(&set->deadlines))
        return;
    now = tr_now();
    while (!tri_list_is_empty(&set->deadlines)) {
        struct member *m = member_of(set->deadlines.next);

        if (m->due > now)
            break;
        tri_list_del(&m->line);
        enter_line(set, m);
    }
}

/* ---- performing ---- */

static bool keeps_place(struct member *m)
{
    return m->enrolled && m->arm.ops->keeps_place &&
           m->arm.ops->keeps_place(&m->arm, &m->waiter);
}

/*
 * Registers @m, which is in a line and cannot be performed now. Returns false if it may be
 * after all; true: it has left the line.
 */
static bool settle(struct tri_select_set *set, struct member *m)
{
    bool settled = false;

    disarm(m); /* armed, if it was due */
    if (!m->armed && keeps_place(m)) {
        take_ready(m);
        settled = keeps_place(m);
    } else if (!m->armed) {
        if (m->enrolled)
            (void)m->arm.ops->withdraw(&m->arm, &m->waiter);
        m->waiter = (struct tri_waiter){ .wakee = &m->relay.wakee,
                                         .value = m->arm.value,
                                         .selects = true };
        take_ready(m);
        settled = m->enrolled = m->arm.ops->enroll(&m->arm, &m->waiter);
    }
    if (!settled)
        disarm(m);
    if (m->armed) /* settled, or its push comes */
        tri_list_del(&m->line);
    if (settled)
        enter_deadlines(set, m);
    return m->armed;
}

/* Performs one of a line. Those that cannot be performed leave it. */
static struct member *attempt_line(struct tri_select_set *set, struct tri_list *line)
{
    while (!tri_list_is_empty(line)) {
        struct member *m = member_of(line->next);

        if (!m->arm.ops->attempt(&m->arm)) {
            (void)settle(set, m);
            continue;
        }
        quiet(m);
        tri_list_del(&m->line);
        if (m->arm.ops == &tri_deadline_ops)
            switch_off(set, m, true); /* told once */
        else if (!m->armed)
            tri_list_add_tail(line, &m->line); /* else the push that comes does it */
        return m;
    }
    return NULL;
}

static struct member *attempt(struct tri_select_set *set)
{
    struct member *m;

    take_woken(set);
    take_due(set);
    m = attempt_line(set, &set->first);
    return m ? m : attempt_line(set, &set->rest);
}

/* The earlier of @deadline, with its drain bit, and the first deadline arm. */
static tr_time limit(const struct tri_select_set *set, tr_time deadline)
{
    tr_time when = deadline & ~TR_DRAIN_BIT;

    if (!tri_list_is_empty(&set->deadlines) && member_of(set->deadlines.next)->due < when)
        when = member_of(set->deadlines.next)->due;
    return when | (deadline & TR_DRAIN_BIT);
}

static const struct tri_arm_ops set_ops = { .what = "select set" };

static int park(struct tri_select_set *set, struct tri_task *self, tr_time deadline)
{
    tri_park_prepare(self);
    /* seq_cst, both: see the top. */
    atomic_store_explicit(&set->owner, tri_task_wakee(self), memory_order_seq_cst);
    if (atomic_load_explicit(&set->woken, memory_order_seq_cst)) {
        tri_park_undo(self);
        return 0;
    }
    return tri_due_is_no_error(tri_park(self, limit(set, deadline)), deadline);
}

int tr_select_set_wait(tr_select_set *set, tr_time deadline, struct tr_selected *ret)
{
    struct tri_task *self = tri_self();
    struct tri_select_set *s;
    struct member *m;
    int r;

    if (!set || !set->impl || !ret)
        return -EINVAL;
    s = set->impl;
    r = tri_wait_enter(self);
    if (r < 0)
        return r;
    if (s->n == s->n_off)
        return -EINVAL;
    tri_task_note(self, &set_ops, s);
    while (!(m = attempt(s))) {
        if (r < 0 || tri_wait_is_over(self, deadline, &r))
            return r;
        r = park(s, self, deadline);
    }
    *ret = (struct tr_selected){ key_of(m), m->data, m->arm.result };
    return 0;
}

/* ---- members ---- */

static void set_arm(struct tri_select_set *set, struct member *m, const tr_arm *arm)
{
    m->arm = *arm;
    switch_off(set, m, !arm->ops);
    if (!m->off && !m->armed) /* else the push that comes does it */
        enter_line(set, m);
}

int tr_select_set_add(tr_select_set *set, const tr_arm *arm, unsigned flags, void *data,
                      uint64_t *ret_key)
{
    struct member *m;

    if (!set || !set->impl || !arm || (flags & ~(unsigned)TR_SELECT_FIRST))
        return -EINVAL;
    m = pool_get(&members, sizeof *m);
    if (!m)
        return -ENOMEM;
    /* relaxed, all: READY is on, or the record is new and nobody knows it: no wake can come. */
    atomic_store_explicit(&m->relay.wakee.kind, TRI_KIND_RELAY, memory_order_relaxed);
    atomic_store_explicit(&m->relay.wakee.word, TRI_READY, memory_order_relaxed);
    atomic_store_explicit(&m->set, set->impl, memory_order_relaxed);
    m->relay.woken = woken;
    m->line.next = NULL;
    m->data = data;
    m->armed = m->enrolled = m->leaving = m->off = false;
    m->first = flags & TR_SELECT_FIRST;
    set->impl->n++;
    tri_list_add_tail(&set->impl->all, &m->all);
    set_arm(set->impl, m, arm);
    if (ret_key)
        *ret_key = key_of(m);
    return 0;
}

int tr_select_set_change(tr_select_set *set, uint64_t key, const tr_arm *arm)
{
    struct member *m = set && arm ? find(set->impl, key) : NULL;

    if (!m)
        return -ENOENT;
    quiet(m);
    leave_line(m);
    set_arm(set->impl, m, arm);
    return 0;
}

static void drop_member(struct tri_select_set *set, struct member *m)
{
    quiet(m);
    leave_line(m);
    switch_off(set, m, false);
    tri_list_del(&m->all);
    set->n--;
    if (!m->armed) {
        member_free(m);
        return;
    }
    m->leaving = true;
    set->n_leaving++;
}

int tr_select_set_remove(tr_select_set *set, uint64_t key)
{
    struct member *m = set ? find(set->impl, key) : NULL;

    if (!m)
        return -ENOENT;
    drop_member(set->impl, m);
    return 0;
}

size_t tr_select_set_len(const tr_select_set *set)
{
    return set && set->impl ? set->impl->n : 0;
}

/* ---- the set ---- */

/* Nobody waits yet. READY is on: a wake ends there. */
static struct tri_wakee nobody = { .word = TRI_READY, .kind = TRI_KIND_THREAD };

int tr_select_set_new(tr_select_set *ret)
{
    struct tri_select_set *set;

    if (!ret)
        return -EINVAL;
    ret->impl = NULL;
    set = pool_get(&sets, sizeof *set);
    if (!set)
        return -ENOMEM;
    /* relaxed, both: a late waker of its former life only loads owner. */
    atomic_store_explicit(&set->woken, NULL, memory_order_relaxed);
    atomic_store_explicit(&set->owner, &nobody, memory_order_relaxed);
    tri_list_init(&set->all);
    tri_list_init(&set->first);
    tri_list_init(&set->rest);
    tri_list_init(&set->deadlines);
    set->n = set->n_off = set->n_leaving = 0;
    ret->impl = set;
    return 0;
}

void tr_select_set_close(tr_select_set *set)
{
    struct tri_select_set *s = set ? set->impl : NULL;

    if (!s)
        return;
    set->impl = NULL;
    if (tri_unlikely(tri_is_forked()))
        return; /* who holds a source's lock may be a thread no more */
    while (!tri_list_is_empty(&s->all))
        drop_member(s, tri_list_entry(s->all.next, struct member, all));
    for (;;) {
        take_woken(s);
        if (s->n_leaving == 0)
            break;
        (void)sched_yield(); /* a waker was preempted between its two steps */
    }
    pool_put(&sets, s);
}
