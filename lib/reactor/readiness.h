/* SPDX-License-Identifier: MIT */
/*
 * readiness.h - what is known of a descriptor's readiness, and who waits for it.
 *
 * A descriptor has two sides, and each side one user at a time (the caller sees to that:
 * -EBUSY). Everything is tried first, and waits only after the kernel has said "would block":
 *
 *     look    s = the number of events so far
 *     try     the system call; would block, or a stream gave less than was asked: say so with s
 *     wait    the side is ready again as soon as the number is no longer s
 *
 * So readiness is taken away only for the events that the attempt has seen: one that arrives
 * between look and wait has moved the number, and the next attempt is made. (FD-1, FD-2)
 *
 * No wake-up is lost: the user publishes its wakee and then looks at the number; an event moves
 * the number and then looks for a wakee. Both steps of both are seq_cst, so at least one of
 * them sees the other's.
 *
 * Registration: once, for both sides, edge-triggered, with the poller of the worker on which
 * the first attempt blocked. It reports what is ready at that moment, so nothing that came
 * between the attempt and the registration is missed. A descriptor that outlives its runtime is
 * registered anew by the first waiter in the next one.
 *
 * Memory: a struct tri_fd lies in memory that holds a struct tri_fd for ever (a slab that is
 * never given back). Closing takes the descriptor out of its poller, but a worker may have
 * fetched an event for it already, and will deliver it to whatever the record then is: at worst
 * a stranger, to whom it is one event too many. He tries, the kernel says "would block", he
 * waits again. So neither close nor the event loop has to wait for the other.
 */
#ifndef TRI_REACTOR_READINESS_H
#define TRI_REACTOR_READINESS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/backend.h"
#include "sched/wakee.h"

enum tri_fd_dir { TRI_FD_IN, TRI_FD_OUT, TRI_FD_DIRS };

enum {
    TRI_FD_FINAL = 1u << 0, /* in the number of events: the peer, or all, has ended */
    TRI_FD_EVENT = 1u << 1, /* one event */
};

struct tri_fd_side {
    atomic_uint events;               /* any worker adds; wraps */
    unsigned seen;                    /* the user's: the last attempt blocked after this many */
    int error;                        /* the user's: why it could not be registered, or 0 */
    struct tri_wakee *_Atomic waiter; /* the user stores, an event takes */
};

struct tri_fd {
    int fd;                      /* constant from init to the end of use */
    struct tri_backend *backend; /* the same */
    struct tri_poller *poller;   /* written by the one who moved home */
    _Atomic uint64_t home;       /* the runtime whose poller has it; 0: none */
    struct tri_fd_side side[TRI_FD_DIRS];
};

/*
 * Takes @fd into use. Both sides count as ready until an attempt blocks. Events of the record's
 * former life may arrive at any time, also now.
 */
void tri_fd_init(struct tri_fd *f, struct tri_backend *b, int fd);

/* Takes the descriptor out of its poller and closes it. No side has a user any more. */
void tri_fd_close(struct tri_fd *f);

/* As if an event for both sides had come. Any thread that keeps @f in use. */
void tri_fd_rouse(struct tri_fd *f);

/* What the worker calls for each event; @data is the struct tri_fd. */
void tri_fd_event(void *data, uint32_t events);

/* The number of events: look before each attempt. */
static inline unsigned tri_fd_look(const struct tri_fd *f, enum tri_fd_dir dir)
{
    /* acquire: what the waker of tri_fd_rouse() stored before is seen after. */
    return atomic_load_explicit(&f->side[dir].events, memory_order_acquire);
}

/* An attempt may succeed: the last one did not block, or something has happened since. */
static inline bool tri_fd_may_try(const struct tri_fd *f, enum tri_fd_dir dir)
{
    return tri_fd_look(f, dir) != f->side[dir].seen || f->side[dir].error != 0;
}

/* The attempt made after looking at @events blocked. */
static inline void tri_fd_blocked(struct tri_fd *f, enum tri_fd_dir dir, unsigned events)
{
    f->side[dir].seen = events;
}

/*
 * The attempt took less than was asked for, so the next one would block (NE-9): only where the
 * kernel promises that, and not after a final event, which comes once: the end of the stream
 * must still be read.
 */
static inline void tri_fd_short(struct tri_fd *f, enum tri_fd_dir dir, unsigned events)
{
    if (!(events & TRI_FD_FINAL))
        f->side[dir].seen = events;
}

/* The error that tri_fd_enroll() met, once; 0: none. */
static inline int tri_fd_take_error(struct tri_fd *f, enum tri_fd_dir dir)
{
    int r = f->side[dir].error;

    f->side[dir].error = 0;
    return r;
}

/*
 * Registers @w to be woken when the side may be tried again, and the descriptor if it is not
 * yet. False: it may be tried now (also because the registration failed: tri_fd_take_error()).
 * Callers: tasks, for a side they use.
 */
bool tri_fd_enroll(struct tri_fd *f, enum tri_fd_dir dir, struct tri_wakee *w);

/* Takes the wakee back. A wake that is on its way may still come: a spurious one. */
void tri_fd_withdraw(struct tri_fd *f, enum tri_fd_dir dir);

#endif /* TRI_REACTOR_READINESS_H */
