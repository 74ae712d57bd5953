/* SPDX-License-Identifier: MIT */
/*
 * quota.h - how much CPU time the control groups of this process grant it. Knows both versions
 * of control groups, mounted where they always are.
 */
#ifndef TRI_ACTOR_QUOTA_H
#define TRI_ACTOR_QUOTA_H

/* The smallest grant on the way to the root group, in CPUs, rounded up; INT_MAX: no limit. */
int tri_quota_cpus(void);

#endif /* TRI_ACTOR_QUOTA_H */
