/* SPDX-License-Identifier: MIT */
/* explore_sync.c - explores semaphore, mutex, rwlock, once, notify and barrier. */
#include "config.h"

#include "explore/explore.h"

const struct explore_case *const explore_lists[] = {
    explore_permits_cases,
    explore_notify_cases,
    NULL,
};
