/* SPDX-License-Identifier: MIT */
/*
 * explore_combine.c - explores questions, completers, futures, delay queues, sets, scopes and
 * the ends of tasks.
 */
#include "config.h"

#include "explore/explore.h"

const struct explore_case *const explore_lists[] = {
    explore_ask_cases,   explore_future_cases, explore_set_cases,
    explore_scope_cases, explore_task_cases,   NULL,
};
