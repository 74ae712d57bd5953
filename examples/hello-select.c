/* SPDX-License-Identifier: MIT */
/*
 * hello-select - wait for jobs and for the time at once: prints "job 1" to "job 3", "no more
 * jobs", "time is up".
 * Shows arms indexed by an enum, a closed source as a ready arm, and how an arm is switched
 * off.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <troupe.h>

TR_MPSC(jobq, int, tr_nodrop);

struct boss {
    jobq_tx tx;
};

static void boss_drop(struct boss *b)
{
    jobq_tx_close(&b->tx);
}
TR_TASK(boss, struct boss, boss_drop);

static int boss(struct boss *b)
{
    int r = 0;

    for (int i = 1; r == 0 && i <= 3; i++) {
        int job = i; /* a send empties what it sends */

        r = jobq_send(&b->tx, &job, TR_NEVER);
    }
    return r;
}

/* Returns 0 when the time is up. */
static int work(jobq_rx *rx)
{
    enum { JOB, TIME, N_ARM };
    int job, r;
    tr_arm arms[N_ARM] = {
        [JOB] = jobq_recv_arm(rx, &job),
        [TIME] = tr_deadline_arm(tr_after(TR_MS(100))),
    };

    while ((r = tr_select_first(TR_NEVER, arms, N_ARM)) == JOB) {
        if (arms[JOB].result == 0) {
            printf("job %d\n", job);
        } else {
            printf("no more jobs\n");
            arms[JOB] = (tr_arm){ 0 }; /* or it would be ready for ever */
        }
    }
    return r == TIME ? 0 : r;
}

static int hello(tr_scope *root, void *arg)
{
    struct boss b = { 0 };
    jobq_rx rx TR_CLEANUP(jobq_rx_close) = { 0 };
    int r;

    (void)arg;
    if ((r = jobq_new(1, &b.tx, &rx)) < 0 || (r = boss_spawn(root, &b, NULL)) < 0 ||
        (r = work(&rx)) < 0)
        return r;
    printf("time is up\n");
    return 0;
}

int main(void)
{
    return tr_run(hello, NULL) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
