/* SPDX-License-Identifier: MIT */
/*
 * case_mpsc_more.c - chan/mpsc under its lock: permits beside senders that try.
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

const struct explore_case explore_mpsc_more_cases[] = {
    { "mpsc 2, one taken, try to reserve 2 x try", setup_1_of_2,
      { reserve_too_many, try_with_room }, finish_full, 3, EXPLORE_ALL, NULL },
    { 0 },
};
