/* SPDX-License-Identifier: MIT */
/*
 * gate.h - acceptors that may not accept now wait here until a socket of this process closes:
 * because there was no descriptor or memory for one more, or because their quota is used up.
 *
 * No wake-up is lost: the acceptor enters (n_inside grows) and then looks at its condition:
 * tries the accept again, or reads its quota. Closing first changes the condition and then
 * looks at n_inside. All four are seq_cst, or system calls beside a seq_cst step: one sees the
 * other. While nobody is inside, which is nearly always, a close pays one atomic step.
 */
#ifndef TRI_IO_GATE_H
#define TRI_IO_GATE_H

#include <stdbool.h>

#include <troupe/time.h>

/* Sockets of one acceptor that are open at the same time. Counted: each holds it. */
struct tri_quota;

/* A quota held by its acceptor, or NULL: no memory. */
struct tri_quota *tri_quota_new(unsigned max);
/* For one more socket. */
void tri_quota_take(struct tri_quota *q);
/* A socket is gone, or the acceptor. NULL: nothing. */
void tri_quota_drop(struct tri_quota *q);

/* A socket of this process was closed, perhaps the acceptor's own. Any thread. */
void tri_gate_closed(void);

/* One acceptor's stay. */
struct tri_gate_stay {
    struct tri_quota *quota; /* room in it ends the wait too; NULL: none */
    unsigned n_closed;       /* closes seen */
    bool is_inside;
};

/* Enter, before the condition is looked at once more; leave when accepting goes on. */
void tri_gate_enter(struct tri_gate_stay *stay);
void tri_gate_leave(struct tri_gate_stay *stay);

bool tri_quota_has_room(const struct tri_quota *q);

/*
 * Inside: waits for a close since the last look (or the enter), or for room in the quota.
 * Returns: 0: look again.  Or as every wait.
 */
int tri_gate_wait(struct tri_gate_stay *stay, tr_time deadline);

#endif /* TRI_IO_GATE_H */
