/* SPDX-License-Identifier: MIT */
/*
 * model_sync.c - what troupe/semaphore.h, mutex.h and rwlock.h promise, with one liberty: what
 * is free may be kept for one that waits. So a try, a deadline or a look that meets a waiting
 * form may find nothing: "while one waits, nobody overtakes it, and what is given back is kept
 * for it". The same of permits that came to one who finds the semaphore closed at its next
 * turn.
 */
#include "config.h"

#include <errno.h>

#include "linear/models.h"

/* ---- semaphore ---- */

struct permits {
    int32_t n;
    int32_t is_closed;
};

static const char *const semaphore_kinds[] = {
    [SEMAPHORE_ACQUIRE] = "try_acquire", [SEMAPHORE_ACQUIRE_WAIT] = "acquire",
    [SEMAPHORE_RELEASE] = "release",     [SEMAPHORE_FORGET] = "forget",
    [SEMAPHORE_AVAILABLE] = "available", [SEMAPHORE_CLOSE] = "close",
};

static bool acquire(struct permits *s, const struct lin_history *h, unsigned i)
{
    const struct lin_op *op = &h->op[i];

    if (s->is_closed)
        return op->r == -EPIPE;
    if (op->r == 0) {
        s->n -= op->in;
        return s->n >= 0;
    }
    return op->r == (op->kind == SEMAPHORE_ACQUIRE ? -EAGAIN : -ETIMEDOUT) &&
           (s->n < op->in || lin_is_beside(h, i, 1u << SEMAPHORE_ACQUIRE_WAIT));
}

/* A look that says @n, or fewer while some are kept for one that waits. */
static bool may_find(const struct lin_history *h, unsigned i, int n)
{
    const int r = h->op[i].r;

    return r == n || (r >= 0 && r < n && lin_is_beside(h, i, 1u << SEMAPHORE_ACQUIRE_WAIT));
}

static bool semaphore_step(void *state, const struct lin_history *h, unsigned i,
                           unsigned choice)
{
    const struct lin_op *op = &h->op[i];
    struct permits *s = state;
    const int n_found = op->kind == SEMAPHORE_FORGET && op->in < s->n ? op->in : s->n;

    if (choice > 0)
        return false;
    switch ((enum semaphore_kind)op->kind) {
    case SEMAPHORE_ACQUIRE:
    case SEMAPHORE_ACQUIRE_WAIT:
        return acquire(s, h, i);
    case SEMAPHORE_RELEASE:
        s->n += op->in;
        return op->r == 0;
    case SEMAPHORE_FORGET:
        s->n -= op->r;
        return may_find(h, i, n_found);
    case SEMAPHORE_AVAILABLE:
        return may_find(h, i, n_found);
    case SEMAPHORE_CLOSE:
        s->is_closed = 1;
        return true;
    }
    return false;
}

static void semaphore_init(void *state, const struct lin_history *h)
{
    *(struct permits *)state = (struct permits){ h->param[0], 0 };
}

const struct lin_model semaphore_model = { .name = "semaphore",
                                           .size = sizeof(struct permits),
                                           .init = semaphore_init,
                                           .step = semaphore_step,
                                           .kinds = semaphore_kinds };

/* ---- locks ---- */

struct held {
    uint8_t writer; /* 1 + who; 0: nobody */
    uint8_t n_reader;
};

static const char *const lock_kinds[] = {
    [LOCK_READ] = "try_read_lock",      [LOCK_WRITE] = "try_write_lock",
    [LOCK_READ_WAIT] = "read_lock",     [LOCK_WRITE_WAIT] = "write_lock",
    [LOCK_READ_UNLOCK] = "read_unlock", [LOCK_WRITE_UNLOCK] = "write_unlock",
    [LOCK_DOWNGRADE] = "downgrade",
};

static bool lock(struct held *s, const struct lin_history *h, unsigned i)
{
    const struct lin_op *op = &h->op[i];
    const bool tries = op->kind == LOCK_READ || op->kind == LOCK_WRITE;
    const bool writes = op->kind == LOCK_WRITE || op->kind == LOCK_WRITE_WAIT;
    const bool is_free =
        s->writer == 0 && (writes ? s->n_reader == 0 : s->n_reader < h->param[0]);

    if (s->writer == op->who + 1)
        return op->r == (tries ? -EAGAIN : -EDEADLK);
    if (op->r != 0)
        return op->r == (tries ? -EAGAIN : -ETIMEDOUT) &&
               (!is_free || lin_is_beside(h, i, 1u << LOCK_READ_WAIT | 1u << LOCK_WRITE_WAIT));
    if (!is_free)
        return false;
    if (writes)
        s->writer = (uint8_t)(op->who + 1);
    else
        s->n_reader++;
    return true;
}

static bool lock_step(void *state, const struct lin_history *h, unsigned i, unsigned choice)
{
    const struct lin_op *op = &h->op[i];
    struct held *s = state;
    const bool is_writer = s->writer == op->who + 1;

    if (choice > 0)
        return false;
    switch ((enum lock_kind)op->kind) {
    case LOCK_READ:
    case LOCK_READ_WAIT:
    case LOCK_WRITE:
    case LOCK_WRITE_WAIT:
        return lock(s, h, i);
    case LOCK_READ_UNLOCK: /* by one who reads: see the test */
        s->n_reader--;
        return op->r == 0;
    case LOCK_WRITE_UNLOCK:
        s->writer = is_writer ? 0 : s->writer;
        return op->r == (is_writer ? 0 : -EINVAL);
    case LOCK_DOWNGRADE:
        s->writer = is_writer ? 0 : s->writer;
        s->n_reader = (uint8_t)(s->n_reader + is_writer);
        return op->r == (is_writer ? 0 : -EINVAL);
    }
    return false;
}

static void lock_init(void *state, const struct lin_history *h)
{
    (void)h;
    *(struct held *)state = (struct held){ 0 };
}

const struct lin_model lock_model = { .name = "lock",
                                      .size = sizeof(struct held),
                                      .init = lock_init,
                                      .step = lock_step,
                                      .kinds = lock_kinds };
