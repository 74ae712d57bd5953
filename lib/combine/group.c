/* SPDX-License-Identifier: MIT */
/*
 * group.c - see troupe/group.h. A member is found by its key when it is spawned or cancelled,
 * and by its task when that has ended: two chained tables, which only the owner touches. A
 * member holds its task's record, so no other task can have the same one. A result without a
 * member is that of one that was replaced.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <troupe/group.h>

#include "mem/alloc.h"
#include "sched/scope.h"
#include "sched/task.h"

enum { BUCKETS_MIN = 16 };

struct member {
    uint64_t key;
    tr_task task;
    struct member *next_key, *next_task; /* in their buckets */
};

struct tri_group {
    size_t n;
    size_t n_bucket; /* a power of two */
    struct member **by_key, **by_task; /* of one piece of memory, which by_key names */
};

static uint64_t mix(uint64_t x)
{
    x *= UINT64_C(0x9e3779b97f4a7c15); /* Fibonacci hashing: Knuth, TAOCP 3, 6.4 */
    return x ^ x >> 32;
}

static size_t key_bucket(const struct tri_group *g, uint64_t key)
{
    return mix(key) & (g->n_bucket - 1);
}

static size_t task_bucket(const struct tri_group *g, const struct tri_task *t)
{
    return mix((uintptr_t)t) & (g->n_bucket - 1);
}

static void link_in(struct tri_group *g, struct member *m)
{
    struct member **key = &g->by_key[key_bucket(g, m->key)];
    struct member **task = &g->by_task[task_bucket(g, m->task.rec)];

    m->next_key = *key;
    *key = m;
    m->next_task = *task;
    *task = m;
}

/* Makes the tables @n_bucket large; without memory for that they stay as they are: -ENOMEM. */
static int resize(struct tri_group *g, size_t n_bucket)
{
    struct tri_group old = *g;
    struct member *m, *next;

    g->by_key = tri_mem_alloc(2 * n_bucket * sizeof *g->by_key);
    if (!g->by_key) {
        g->by_key = old.by_key;
        return -ENOMEM;
    }
    g->by_task = g->by_key + n_bucket;
    g->n_bucket = n_bucket;
    for (size_t i = 0; i < old.n_bucket; i++)
        for (m = old.by_key[i]; m; m = next) {
            next = m->next_key;
            link_in(g, m);
        }
    free(old.by_key);
    return 0;
}

static struct tri_group *impl_new(void)
{
    struct tri_group *g = tri_mem_alloc(sizeof *g);

    if (g && resize(g, BUCKETS_MIN) < 0) {
        free(g);
        return NULL;
    }
    return g;
}

static struct member *find(const struct tri_group *g, uint64_t key)
{
    struct member *m = g->by_key[key_bucket(g, key)];

    while (m && m->key != key)
        m = m->next_key;
    return m;
}

static struct member *find_task(const struct tri_group *g, const struct tri_task *t)
{
    struct member *m = g->by_task[task_bucket(g, t)];

    while (m && m->task.rec != t)
        m = m->next_task;
    return m;
}

/* Takes @m out and lets go of its task. */
static void forget(struct tri_group *g, struct member *m)
{
    struct member **at = &g->by_key[key_bucket(g, m->key)];

    while (*at != m)
        at = &(*at)->next_key;
    *at = m->next_key;
    at = &g->by_task[task_bucket(g, m->task.rec)];
    while (*at != m)
        at = &(*at)->next_task;
    *at = m->next_task;
    g->n--;
    tr_task_close(&m->task);
    free(m);
}

static void forget_all(struct tri_group *g)
{
    for (size_t i = 0; i < g->n_bucket; i++)
        while (g->by_key[i])
            forget(g, g->by_key[i]);
}

/* ---- life ---- */

tr_group tr_group_open(const struct tr_scope_opts *opts)
{
    struct tr_scope_opts o = { .policy = TR_POLICY_COLLECT };

    if (opts)
        o = *opts;
    o.keep = TR_KEEP_ALL;
    return (tr_group){ tr_scope_open(&o), NULL };
}

void tr_group_end(tr_group *g)
{
    struct tri_group *impl = g ? g->impl : NULL;

    if (!g)
        return;
    tr_scope_end(&g->scope); /* tells others than the owner, and does nothing */
    if (!impl || g->scope.impl)
        return;
    g->impl = NULL;
    forget_all(impl);
    free(impl->by_key);
    free(impl);
}

/* ---- members ---- */

/* Room for one more member, or NULL. */
static struct member *member_new(tr_group *g)
{
    if (!g->impl)
        g->impl = impl_new();
    if (!g->impl)
        return NULL;
    if (g->impl->n >= g->impl->n_bucket)
        (void)resize(g->impl, 2 * g->impl->n_bucket); /* else the chains get longer */
    return tri_mem_alloc(sizeof(struct member));
}

int tr_group_spawn(tr_group *g, uint64_t key, const struct tri_task_type *type, void *arg,
                   const struct tr_task_opts *opts)
{
    struct tr_task_opts o = { .name = NULL };
    struct member *m = NULL, *old;
    tr_task task = { NULL };
    int r;

    if (g && arg && tri_scope_is_own(&g->scope)) {
        m = member_new(g);
        r = -ENOMEM;
    } else {
        r = g && arg ? -EPERM : -EINVAL;
    }
    if (!m) {
        if (arg) {
            type->drop(arg);
            memset(arg, 0, type->size);
        }
        return r;
    }
    if (opts)
        o = *opts;
    o.ret_task = &task;
    r = tri_task_spawn(&g->scope, type, arg, &o, __builtin_return_address(0));
    if (r < 0) {
        free(m);
        return r;
    }
    old = find(g->impl, key);
    if (old) {
        tr_task_abort(&old->task);
        forget(g->impl, old);
    }
    *m = (struct member){ .key = key, .task = task };
    link_in(g->impl, m);
    g->impl->n++;
    if (opts && opts->ret_task) {
        tri_task_ref(task.rec);
        *opts->ret_task = task;
    }
    return 0;
}

/* Takes the next result that has a member. 1, 0: no member. -EAGAIN. */
static int take(tr_group *g, tr_grouped *ret)
{
    struct tri_task *t;
    struct member *m;

    while (g->impl && g->impl->n > 0) {
        int r = g->scope.impl ? tri_scope_take(g->scope.impl, &t) : 0;

        if (r < 0)
            return r;
        if (r == 0) { /* the scope was ended, or gave their results to others */
            forget_all(g->impl);
            break;
        }
        m = find_task(g->impl, t);
        if (m) {
            *ret = (tr_grouped){ m->key, { tri_actor_id(&t->a), t->name, t->result } };
            tri_task_told(t);
            forget(g->impl, m);
        }
        tri_task_unref(t); /* a failure of one that was replaced is told by this */
        if (m)
            return 1;
    }
    return 0;
}

/* arm->extra[1]: the group; the rest is as of an arm of its scope. */
static bool attempt(tr_arm *arm)
{
    arm->result = take((tr_group *)arm->extra[1], arm->value);
    return arm->result >= 0;
}

static const struct tri_arm_ops ops = { .what = "group next",
                                        .attempt = attempt,
                                        .enroll = tri_scope_enroll,
                                        .withdraw = tri_scope_withdraw };

tr_arm tr_group_next_arm(tr_group *g, tr_grouped *ret)
{
    return (tr_arm){ .ops = g && g->impl && g->scope.impl && ret ? &ops : NULL,
                     .source = g ? g->scope.impl : NULL,
                     .value = ret,
                     .extra = { TRI_WANT_RESULT, (uintptr_t)g } };
}

static int check_owner(const tr_group *g, const tr_grouped *ret)
{
    if (!g || !ret)
        return -EINVAL;
    return tri_scope_is_own(&g->scope) ? 0 : -EPERM;
}

int tr_group_next(tr_group *g, tr_time deadline, tr_grouped *ret)
{
    tr_arm arm = tr_group_next_arm(g, ret);
    int r = check_owner(g, ret);

    if (r < 0)
        return r;
    if (!arm.ops)
        return take(g, ret);
    r = tri_wait(&arm, deadline);
    return r < 0 ? r : arm.result;
}

int tr_group_try_next(tr_group *g, tr_grouped *ret)
{
    int r = check_owner(g, ret);

    return r < 0 ? r : take(g, ret);
}

/* ---- by key ---- */

bool tr_group_abort(tr_group *g, uint64_t key)
{
    struct member *m = g && g->impl ? find(g->impl, key) : NULL;

    if (m)
        tr_task_abort(&m->task);
    return m != NULL;
}

size_t tr_group_abort_if(tr_group *g, bool (*pred)(uint64_t key, void *arg), void *arg)
{
    size_t n = 0;

    for (size_t i = 0; g && g->impl && i < g->impl->n_bucket; i++)
        for (struct member *m = g->impl->by_key[i]; m; m = m->next_key) {
            if (pred && !pred(m->key, arg))
                continue;
            tr_task_abort(&m->task);
            n++;
        }
    return n;
}

bool tr_group_has(const tr_group *g, uint64_t key)
{
    return g && g->impl && find(g->impl, key);
}

size_t tr_group_len(const tr_group *g)
{
    return g && g->impl ? g->impl->n : 0;
}

size_t tr_group_keys(const tr_group *g, size_t n, uint64_t *ret_keys)
{
    size_t k = 0;

    for (size_t i = 0; g && g->impl && i < g->impl->n_bucket; i++)
        for (const struct member *m = g->impl->by_key[i]; m && k < n; m = m->next_key)
            ret_keys[k++] = m->key;
    return tr_group_len(g);
}
