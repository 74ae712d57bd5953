/* SPDX-License-Identifier: MIT */
/*
 * case_mpsc_room.c - chan/mpsc under its lock: permits beside senders that try, and a channel
 * that drops the oldest.
 */
#include "config.h"

#include "explore/mpsc.h"

/* Two places, one of them taken. */
static void setup_1_of_2(void)
{
    struct message m = { NULL };

    setup_queue(2);
    check(queue_try_send(&tx[0], &m) == 0);
}

static void finish_full(void)
{
    check(queue_len(&rx) == 2);
    finish_queue();
}

static void setup_evicting(void)
{
    const struct tr_mpsc_opts opts = { .capacity = 1, .overflow = TR_OVERFLOW_DROP_OLDEST };

    ledger_begin();
    for (unsigned t = 0; t < EXPLORE_THREADS; t++)
        workers[t] = NULL;
    check(queue_new_with(&opts, &tx[0], &rx) == 0);
    tx[1] = queue_tx_clone(&tx[0]);
}

/* More than there are: refused, and nobody else may feel it. */
static void reserve_too_many(void)
{
    queue_permit p = { 0 };

    check(queue_try_reserve(&tx[0], 2, &p) == -EAGAIN);
}

static void try_with_room(void)
{
    check(try_k(1) == 0);
}

static void send_2(void)
{
    for (unsigned k = 1; k <= 2; k++) {
        struct message m = message(k);

        check(queue_try_send(&tx[0], &m) == (k == 1 ? TR_SENT : TR_SENT_EVICTED));
        check(!m.id);
    }
}

static void ask_len(void)
{
    check(queue_len(&rx) <= 1);
}

const struct explore_case explore_mpsc_room_cases[] = {
    { "mpsc 2, one taken, try to reserve 2 x try", setup_1_of_2,
      { reserve_too_many, try_with_room }, finish_full, 3, EXPLORE_ALL, NULL },
    { "mpsc 1 that drops the oldest, send 2 x len", setup_evicting, { send_2, ask_len },
      finish_queue, 3, EXPLORE_ALL, NULL },
    { 0 },
};
