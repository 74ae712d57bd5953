/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "explore/explore.h"
const struct explore_case explore_oneshot_cases[] = {{0}};
const struct explore_case explore_mpsc_cases[] = {{0}};
const struct explore_case explore_mpsc_wait_cases[] = {{0}};
const struct explore_case explore_watch_cases[] = {{0}};
