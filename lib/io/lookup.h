/* SPDX-License-Identifier: MIT */
/*
 * lookup.h - ask the resolver without holding the worker: on a thread made for this question.
 */
#ifndef TRI_IO_LOOKUP_H
#define TRI_IO_LOOKUP_H

#include <troupe/time.h>

#include "io/address.h"

/*
 * Waits for the addresses of a name.
 * Returns: as tri_address_resolve(), or as every wait.  -ENOBUFS: LIMIT questions are open.
 * -EAGAIN: no thread could be made.  -EADDRNOTAVAIL at once in a simulated world.
 */
int tri_lookup(const struct tri_address_text *parts, tr_time deadline,
               struct tri_addresses *ret_list);

/* Questions whose thread has not ended. */
unsigned tri_lookup_n_open(void);

#endif /* TRI_IO_LOOKUP_H */
