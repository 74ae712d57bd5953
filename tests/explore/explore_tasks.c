/* SPDX-License-Identifier: MIT */
/* explore_tasks.c - explores the mpsc channel between tasks, its policies and its permits. */
#include "config.h"

#include "explore/explore.h"

const struct explore_case *const explore_lists[] = {
    explore_mpsc_wait_cases,
    explore_mpsc_more_cases,
    NULL,
};
