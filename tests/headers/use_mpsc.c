/* SPDX-License-Identifier: MIT */
/* use_mpsc.c - the permits and weak ends of a queue, and what the compiler must refuse. */
#include <troupe.h>

struct job {
    unsigned n;
};

TR_MPSC(jobq, struct job, tr_nodrop);
TR_MPSC(otherq, struct job, tr_nodrop);

int use_mpsc(jobq_tx *tx, jobq_rx *rx, struct job *m);

int use_mpsc(jobq_tx *tx, jobq_rx *rx, struct job *m)
{
    jobq_permit p = { { { NULL, 0 }, 0 } };
    jobq_weak weak = jobq_tx_downgrade(tx);
    jobq_tx again = { { NULL, 0 } };
    const struct job *next = NULL;
    tr_arm arms[3];
    int r;

#if TR_BAD == 1
    otherq_permit q = { { { NULL, 0 }, 0 } };

    r = jobq_try_reserve(tx, 1, &q);
#elif TR_BAD == 2
    r = jobq_permit_send(&p, &weak);
#elif TR_BAD == 3
    r = jobq_try_send(&p, m);
#elif TR_BAD == 4
    otherq_tx wrong = { { NULL, 0 } };

    r = jobq_weak_upgrade(&weak, &wrong);
#elif TR_BAD == 5
    r = otherq_send_urgent_until(tx, m, TR_NEVER);
#elif TR_BAD == 6
    r = jobq_peek(rx, &m);
#else
    r = jobq_weak_upgrade(&weak, &again);
#endif
    arms[0] = jobq_reserve_arm(tx, 2, &p);
    arms[1] = jobq_closed_arm(tx);
    arms[2] = jobq_send_urgent_arm(tx, m);
    if (r == 0)
        r = jobq_send_urgent_until(tx, m, TR_NEVER);
    if (r == 0)
        r = jobq_blocking_send_urgent(tx, m, TR_NEVER);
    if (r == 0)
        r = tr_select(TR_NEVER, arms, 3);
    if (r == 0)
        r = jobq_permit_send(&p, m);
    if (r == 0)
        r = jobq_peek(rx, &next);
    if (jobq_rx_is_closed(rx) || jobq_tx_is_same(tx, &again))
        r = (int)(jobq_senders(rx) + jobq_weak_senders(rx) + jobq_tx_room(tx));
    jobq_permit_close(&p);
    jobq_weak_close(&weak);
    jobq_tx_close(&again);
    return r;
}
