/* SPDX-License-Identifier: MIT */
/* explore_channels.c - explores the channels between plain threads. */
#include "config.h"

#include "explore/explore.h"

const struct explore_case *const explore_lists[] = {
    explore_oneshot_cases,
    explore_mpsc_cases,
    explore_mpsc_room_cases,
    explore_watch_cases,
    explore_ask_arm_cases,
    NULL,
};
