/* SPDX-License-Identifier: MIT */
/*
 * hello-watch - one value, published again and again: prints "cold", then "warm", then "over".
 * Shows that a reader sees the newest value and is woken when there is one, but gets no
 * history.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <troupe.h>

struct weather {
    int degrees;
};
TR_WATCH(weatherw, struct weather, tr_nodrop);

struct station {
    weatherw_tx tx;
};

static void station_drop(struct station *s)
{
    weatherw_tx_close(&s->tx);
}
TR_TASK(station, struct station, station_drop);

/* Never waits for a reader: 10 and 20 are gone before anybody looks. */
static int station(struct station *s)
{
    for (int degrees = 10; degrees <= 30; degrees += 10) {
        struct weather w = { degrees };
        int r = weatherw_send(&s->tx, &w);

        if (r < 0)
            return r;
    }
    return 0;
}

static void look(weatherw_rx *rx)
{
    const struct weather *w = weatherw_get(rx); /* valid until the next call on rx */

    printf("%s\n", w->degrees < 25 ? "cold" : "warm");
}

static bool is_warm(const void *value, void *arg)
{
    const struct weather *w = value;

    (void)arg;
    return w->degrees >= 25;
}

static int hello(tr_scope *root, void *arg)
{
    struct weather first = { 0 };
    struct station s = { 0 };
    weatherw_rx rx TR_CLEANUP(weatherw_rx_close) = { 0 };
    int r;

    (void)arg;
    if ((r = weatherw_new(&first, &s.tx, &rx)) < 0)
        return r;
    look(&rx);
    if ((r = station_spawn(root, &s, NULL)) < 0 ||
        (r = weatherw_wait_for(&rx, is_warm, NULL, TR_NEVER)) < 0)
        return r;
    look(&rx);
    if (weatherw_changed(&rx, TR_NEVER) == -EPIPE) /* the station has closed */
        printf("over\n");
    return 0;
}

int main(void)
{
    return tr_run(hello, NULL) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
