/* SPDX-License-Identifier: MIT */
/* explore_tasks.c - explores the mpsc channel between tasks. */
#include "config.h"

#include "explore/explore.h"

const struct explore_case *const explore_lists[] = {
    explore_mpsc_wait_cases,
    NULL,
};
