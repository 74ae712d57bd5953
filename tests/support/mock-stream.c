/* SPDX-License-Identifier: MIT */
/* mock-stream.c - see mock-stream.h. */
#include "config.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <troupe/task.h>

#include "base/lock.h"
#include "sched/wait.h"
#include "support/mock-stream.h"
#include "support/tr-check.h"

enum kind { READ, WRITE, READ_ERROR, WRITE_ERROR, WAIT };

struct step {
    struct step *next;
    enum kind kind;
    const char *bytes;
    size_t n, done;
    int error;
    tr_time span, end; /* end: 0 before it has begun */
};

struct mock_stream {
    struct tri_lock lock; /* protects all below; nothing is taken inside */
    struct step *first, *last;
    size_t limit;
    bool held, closed;
    int how;
    unsigned n_calls;
    struct tri_wakee *reader; /* waits for its turn */
};

static struct tri_wakee *take_reader(struct mock_stream *m)
{
    struct tri_wakee *w = m->reader;

    m->reader = NULL;
    return w;
}

/* Leaves the section and wakes the reader, whose turn it may be. */
static void release_and_wake(struct mock_stream *m)
{
    struct tri_wakee *w = take_reader(m);

    tri_lock_release(&m->lock);
    if (w)
        tri_wake(w);
}

/* ---- the script ---- */

static void add(struct mock_stream *m, struct step step)
{
    struct step *s = malloc(sizeof *s);

    if (!s)
        abort();
    *s = step;
    s->next = NULL;
    tri_lock_acquire(&m->lock);
    if (m->last)
        m->last->next = s;
    else
        m->first = s;
    m->last = s;
    release_and_wake(m);
}

void mock_read_bytes(struct mock_stream *m, const void *bytes, size_t n)
{
    if (n > 0)
        add(m, (struct step){ .kind = READ, .bytes = bytes, .n = n });
}

void mock_write_bytes(struct mock_stream *m, const void *bytes, size_t n)
{
    if (n > 0)
        add(m, (struct step){ .kind = WRITE, .bytes = bytes, .n = n });
}

void mock_read(struct mock_stream *m, const char *text)
{
    mock_read_bytes(m, text, strlen(text));
}

void mock_write(struct mock_stream *m, const char *text)
{
    mock_write_bytes(m, text, strlen(text));
}

void mock_read_error(struct mock_stream *m, int error)
{
    add(m, (struct step){ .kind = READ_ERROR, .error = error });
}

void mock_write_error(struct mock_stream *m, int error)
{
    add(m, (struct step){ .kind = WRITE_ERROR, .error = error });
}

void mock_wait(struct mock_stream *m, tr_time span)
{
    add(m, (struct step){ .kind = WAIT, .span = span });
}

void mock_short(struct mock_stream *m, size_t n)
{
    tri_lock_acquire(&m->lock);
    m->limit = n;
    tri_lock_release(&m->lock);
}

void mock_hold(struct mock_stream *m, bool on)
{
    tri_lock_acquire(&m->lock);
    m->held = on;
    release_and_wake(m);
}

/* ---- playing it, under the lock ---- */

static void pop(struct mock_stream *m)
{
    struct step *s = m->first;

    m->first = s->next;
    if (!m->first)
        m->last = NULL;
    free(s);
}

/* How much of @n, and of the step, this call may move. */
static size_t portion(const struct mock_stream *m, const struct step *s, size_t n)
{
    if (n > s->n - s->done)
        n = s->n - s->done;
    return m->limit && n > m->limit ? m->limit : n;
}

static void advance(struct mock_stream *m, size_t n)
{
    m->first->done += n;
    if (m->first->done == m->first->n)
        pop(m);
}

static int take_error(struct mock_stream *m)
{
    int error = m->first->error;

    pop(m);
    return error;
}

/* -EAGAIN: it is not a read's turn. */
static ssize_t play_read(struct mock_stream *m, void *buf, size_t n)
{
    struct step *s = m->first;

    if (!s)
        return m->held ? -EAGAIN : 0;
    if (s->kind == READ_ERROR)
        return take_error(m);
    if (s->kind != READ)
        return -EAGAIN;
    n = portion(m, s, n);
    memcpy(buf, s->bytes + s->done, n);
    advance(m, n);
    return (ssize_t)n;
}

static ssize_t play_write(struct mock_stream *m, const void *buf, size_t n)
{
    struct step *s = m->first;
    size_t done;

    if (s && s->kind == WRITE_ERROR)
        return take_error(m);
    if (!check(s && s->kind == WRITE, "the script has no write here")) {
        fprintf(stderr, "written: %.*s\n", (int)n, (const char *)buf);
        return -EIO;
    }
    n = portion(m, s, n);
    done = s->done;
    if (!check(memcmp(buf, s->bytes + done, n) == 0, "a write differs from the script")) {
        fprintf(stderr, "written: %.*s\nscript:  %.*s\n", (int)n, (const char *)buf, (int)n,
                s->bytes + done);
        return -EIO;
    }
    advance(m, n);
    return (ssize_t)n;
}

/* ---- waiting ---- */

static bool turn_attempt(tr_arm *arm)
{
    struct mock_stream *m = arm->source;
    bool is_turn;

    tri_lock_acquire(&m->lock);
    is_turn = m->first ? m->first->kind != WRITE && m->first->kind != WRITE_ERROR : !m->held;
    tri_lock_release(&m->lock);
    return is_turn;
}

static bool turn_withdraw(tr_arm *arm, struct tri_waiter *w)
{
    struct mock_stream *m = arm->source;

    tri_lock_acquire(&m->lock);
    if (m->reader == w->wakee)
        m->reader = NULL;
    tri_lock_release(&m->lock);
    return false;
}

static bool turn_enroll(tr_arm *arm, struct tri_waiter *w)
{
    struct mock_stream *m = arm->source;

    tri_lock_acquire(&m->lock);
    m->reader = w->wakee;
    tri_lock_release(&m->lock);
    if (!turn_attempt(arm))
        return true;
    (void)turn_withdraw(arm, w);
    return false;
}

static const struct tri_arm_ops turn_ops = {
    .what = "mock stream read",
    .attempt = turn_attempt,
    .enroll = turn_enroll,
    .withdraw = turn_withdraw,
};

static int wait_turn(struct mock_stream *m, tr_time deadline)
{
    tr_arm arm = { .ops = &turn_ops, .source = m };

    return tri_wait(&arm, deadline);
}

/* Sits through the wait steps that come first. Returns 0 or as every wait. */
static int sit_through(struct mock_stream *m, tr_time deadline)
{
    tr_time end, limit = deadline & ~TR_DRAIN_BIT;
    int r;

    for (;;) {
        tri_lock_acquire(&m->lock);
        end = 0;
        if (m->first && m->first->kind == WAIT) {
            if (m->first->end == 0)
                m->first->end = tr_after(m->first->span);
            end = m->first->end;
            if (tr_now() >= end) {
                pop(m);
                release_and_wake(m);
                continue;
            }
        }
        tri_lock_release(&m->lock);
        if (end == 0)
            return 0;
        if (limit <= end && tr_now() >= limit)
            return -ETIMEDOUT;
        r = tr_sleep((end < limit ? end : limit) | (deadline & TR_DRAIN_BIT));
        if (r < 0)
            return r;
    }
}

/* ---- the stream ---- */

static ssize_t stream_read(void *buf, size_t n, tr_time deadline, void *self)
{
    struct mock_stream *m = self;
    ssize_t r;

    do {
        r = sit_through(m, deadline);
        if (r < 0)
            return r;
        tri_lock_acquire(&m->lock);
        m->n_calls++;
        r = play_read(m, buf, n);
        tri_lock_release(&m->lock);
        if (r != -EAGAIN)
            return r;
        r = wait_turn(m, deadline);
    } while (r == 0);
    return r;
}

static ssize_t stream_write(const void *buf, size_t n, tr_time deadline, void *self)
{
    struct mock_stream *m = self;
    ssize_t r = sit_through(m, deadline);

    if (r < 0)
        return r;
    tri_lock_acquire(&m->lock);
    m->n_calls++;
    r = play_write(m, buf, n);
    release_and_wake(m);
    return r;
}

static int stream_shutdown(int how, void *self)
{
    struct mock_stream *m = self;

    tri_lock_acquire(&m->lock);
    m->how = how;
    m->held = false;
    release_and_wake(m);
    return 0;
}

static void stream_close(void *self)
{
    struct mock_stream *m = self;

    check(!m->closed, "a stream is closed once");
    m->closed = true;
}

struct mock_stream *mock_new(void)
{
    struct mock_stream *m = calloc(1, sizeof *m);

    if (!m)
        abort();
    m->how = -1;
    return m;
}

tr_sock mock_open(struct mock_stream *m)
{
    static const struct tr_stream_ops ops = {
        .read = stream_read,
        .write = stream_write,
        .shutdown = stream_shutdown,
        .close = stream_close,
    };
    tr_sock s = { NULL };

    if (tr_sock_custom(&ops, m, &s) < 0)
        abort();
    return s;
}

bool mock_is_closed(const struct mock_stream *m)
{
    return m->closed;
}

int mock_shutdown_how(const struct mock_stream *m)
{
    return m->how;
}

unsigned mock_n_calls(const struct mock_stream *m)
{
    return m->n_calls;
}

void mock_end(struct mock_stream *m)
{
    unsigned n_left = 0;

    for (; m->first; n_left++)
        pop(m);
    check_eq(n_left, 0, "steps of the script that were not played");
    free(m);
}
