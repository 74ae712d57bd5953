/* SPDX-License-Identifier: MIT */
/*
 * hello-interval - do something at equal distances: prints "0 10 20 30 ms" and "skipped, and
 * still in the rhythm", however busy the machine is.
 * Shows ticks that are made up for when they were missed, and such as are left out.
 */
#include <stdio.h>
#include <stdlib.h>

#include <troupe.h>

enum { PERIOD_MS = 10 };

/*
 * Prints for which instants the ticks were; a late one is followed by the missed ones at once.
 */
static int count_ticks(void)
{
    const tr_time begin = tr_now();
    tr_interval every;
    tr_time when;
    int r = tr_interval_init(&every, begin, TR_MS(PERIOD_MS), TR_MISSED_BURST);

    for (int i = 0; r == 0 && i < 4; i++) {
        r = tr_interval_tick(&every, TR_UNTIL_DRAIN, &when);
        if (r == 0)
            printf("%d ", (int)((when - begin) / TR_MS(1)));
    }
    printf("ms\n");
    return r;
}

/* One round of work takes longer than three periods. */
static int be_late(void)
{
    const tr_time begin = tr_now();
    tr_interval every;
    tr_time when = 0;
    int r;

    if ((r = tr_interval_init(&every, begin, TR_MS(PERIOD_MS), TR_MISSED_SKIP)) < 0 ||
        (r = tr_interval_tick(&every, TR_UNTIL_DRAIN, &when)) < 0 ||
        (r = tr_sleep(tr_after(TR_MS(3 * PERIOD_MS + 1)))) < 0 ||
        (r = tr_interval_tick(&every, TR_UNTIL_DRAIN, NULL)) < 0 || /* the one that was due */
        (r = tr_interval_tick(&every, TR_UNTIL_DRAIN, &when)) < 0)
        return r;
    printf("%s, and %s in the rhythm\n",
           when - begin >= TR_MS(4 * PERIOD_MS) ? "skipped" : "not skipped",
           (when - begin) % TR_MS(PERIOD_MS) == 0 ? "still" : "no more");
    return 0;
}

static int hello(tr_scope *root, void *arg)
{
    int r = count_ticks();

    (void)root;
    (void)arg;
    return r < 0 ? r : be_late();
}

int main(void)
{
    return tr_run(hello, NULL) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
