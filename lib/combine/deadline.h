/* SPDX-License-Identifier: MIT */
/* deadline.h - the arm without a source: the park of its select ends in time. */
#ifndef TRI_COMBINE_DEADLINE_H
#define TRI_COMBINE_DEADLINE_H

#include "sched/wait.h"

extern const struct tri_arm_ops tri_deadline_ops;

#endif /* TRI_COMBINE_DEADLINE_H */
