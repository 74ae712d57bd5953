/* SPDX-License-Identifier: MIT */
/* explore_broadcast.c - explores the broadcast channel. */
#include "config.h"

#include "explore/explore.h"

const struct explore_case *const explore_lists[] = {
    explore_broadcast_cases,
    explore_broadcast_copy_cases,
    explore_broadcast_wait_cases,
    NULL,
};
