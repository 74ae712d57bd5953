/* SPDX-License-Identifier: MIT */
/* signal.h - signals inside the library: see signal.c for how they travel. */
#ifndef TRI_ACTOR_SIGNAL_H
#define TRI_ACTOR_SIGNAL_H

#include <signal.h>

#include "actor/runtime.h"

enum { TRI_SIGNALS = 65 }; /* 1 to 64 */

struct tri_conductor;
struct tri_signal;

/* Of one runtime: the subscriptions that tr_signal_wait() made. */
struct tri_signals {
    struct tri_signal *_Atomic kept[TRI_SIGNALS];
};

/* Handles @signo in this process, until as many releases. Returns 0 or -EINVAL. */
int tri_signal_hold(int signo);
void tri_signal_release(int signo);

/*
 * Occurrences of held signals without a subscriber go to tri_conductor_on_signal(@c), in the
 * handler. NULL: to nobody; returns when no handler uses the former one any more.
 */
void tri_signal_set_main(struct tri_conductor *c);

/* Waits until no handler is under way in another thread. */
void tri_signal_quiesce(void);

/* The main conductor, held until tri_signal_main_end(); NULL: there is none. */
struct tri_conductor *tri_signal_main_begin(void);
void tri_signal_main_end(void);

/* Lets the calling thread take the held signals. */
void tri_signal_unblock(void);

/* Closes the kept subscriptions of a runtime that ends. */
void tri_signals_fini(struct tri_signals *s);

/* In a forked child: the effects that the signals had before. */
void tri_signal_forget(void);

#endif /* TRI_ACTOR_SIGNAL_H */
