/* SPDX-License-Identifier: MIT */
/*
 * explore_queues.c - explores the lock, parking and waking, the inbox, the deque, idling, and
 * circles of askers.
 */
#include "config.h"

#include "explore/explore.h"

const struct explore_case *const explore_lists[] = {
    explore_lock_cases, explore_park_cases,  explore_inbox_cases, explore_deque_cases,
    explore_idle_cases, explore_cycle_cases, NULL,
};
