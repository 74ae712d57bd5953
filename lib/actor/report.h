/* SPDX-License-Identifier: MIT */
/*
 * report.h - who is alive and what they wait for. The actors are copied under the locks of
 * their scopes into memory that was made at the start, and written when the locks are free
 * again.
 */
#ifndef TRI_ACTOR_REPORT_H
#define TRI_ACTOR_REPORT_H

#include "actor/runtime.h"

struct tri_report;

struct tri_report *tri_report_new(void);
void tri_report_free(struct tri_report *r);

/* Every actor and worker, for USR1 and QUIT: lines on standard error. */
void tri_report_dump(struct tri_report *r, struct tri_runtime *rt);

/* @w has been in one slice for @span: to the hook. */
void tri_report_stall(struct tri_report *r, struct tri_runtime *rt, struct tri_worker *w,
                      tr_time span);

/*
 * Every actor that has not ended, to the hook. Writes the names of the first to @names, with
 * commas between. Returns how many.
 */
size_t tri_report_late(struct tri_report *r, struct tri_runtime *rt, char *names, size_t n);

/* How many actors have not ended. The root task counts if it is the only one. */
size_t tri_report_count(struct tri_runtime *rt);

#endif /* TRI_ACTOR_REPORT_H */
