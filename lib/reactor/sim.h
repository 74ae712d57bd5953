/* SPDX-License-Identifier: MIT */
/*
 * sim.h - the simulator: a backend whose time, network, randomness and faults are made up, from
 * a seed. The same seed and the same calls give the same results at the same instants.
 *
 * Time starts at 1 s and stands still while the program runs. A wait in which nothing is ready
 * moves it to what comes first, the wait's deadline or something on its way through the
 * network.
 *
 * One thread makes all calls, poller_wake and now excepted; several pollers may take turns.
 */
#ifndef TRI_REACTOR_SIM_H
#define TRI_REACTOR_SIM_H

#include "base/backend.h"

/* What can be made to fail. READ and WRITE: all forms of them, also recv and send. */
enum tri_sim_op {
    TRI_SIM_ACCEPT,
    TRI_SIM_BIND,
    TRI_SIM_CONNECT,
    TRI_SIM_EVENTFD,
    TRI_SIM_LISTEN,
    TRI_SIM_OPEN,
    TRI_SIM_PIPE,
    TRI_SIM_POLLER_ADD,
    TRI_SIM_POLLER_OPEN,
    TRI_SIM_READ,
    TRI_SIM_SIGNAL_OPEN,
    TRI_SIM_SOCKET,
    TRI_SIM_WRITE,
    TRI_SIM_N_OPS
};

/* NULL: no memory. */
struct tri_backend *tri_sim_new(uint64_t seed);
/* Closes what is still open in it; its pollers have been closed. NULL: nothing. */
void tri_sim_free(struct tri_backend *b);

/* From now on every @nth call of @op fails with @err, a positive errno; @nth 0: none does. */
void tri_sim_fail(struct tri_backend *b, enum tri_sim_op op, unsigned nth, int err);

/* Moves time by @span > 0, past whatever happens meanwhile. */
void tri_sim_advance(struct tri_backend *b, tr_time span);

/* Makes @signo pending, for the descriptors of signal_open. */
void tri_sim_raise(struct tri_backend *b, int signo);

/* How many simulated descriptors are open. */
size_t tri_sim_n_open(const struct tri_backend *b);

#endif /* TRI_REACTOR_SIM_H */
