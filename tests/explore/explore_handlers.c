/* SPDX-License-Identifier: MIT */
/* explore_handlers.c - explores actors without a stack. */
#include "config.h"

#include "explore/explore.h"

const struct explore_case *const explore_lists[] = {
    explore_handler_cases,
    NULL,
};
