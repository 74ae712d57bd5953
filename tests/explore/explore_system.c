/* SPDX-License-Identifier: MIT */
/*
 * explore_system.c - explores descriptors, the gate of acceptors, and the level of a runtime.
 */
#include "config.h"

#include "explore/explore.h"

const struct explore_case *const explore_lists[] = {
    explore_fd_cases,
    explore_level_cases,
    NULL,
};
