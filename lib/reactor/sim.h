/* SPDX-License-Identifier: MIT */
#ifndef TRI_REACTOR_SIM_H
#define TRI_REACTOR_SIM_H
#include "base/backend.h"
struct tri_backend *tri_sim_new(uint64_t seed);
void tri_sim_free(struct tri_backend *b);
#endif
