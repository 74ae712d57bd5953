/* SPDX-License-Identifier: MIT */
/* copies.h - a broadcast of items whose copies can be told from the original. */
#ifndef TESTS_CHAN_COPIES_H
#define TESTS_CHAN_COPIES_H

#include <errno.h>

#include "chan/items.h"

enum { COPY = N_ID / 2 }; /* added to the id of a copy */

static uint32_t id_that_fails; /* its clone function fails */
static void (*in_clone)(void); /* called in the middle of a copy, once */

static int item_clone(struct item *dst, const struct item *src)
{
    void (*fn)(void) = in_clone;

    in_clone = NULL;
    if (fn)
        fn();
    if (src->id == id_that_fails)
        return -EIO;
    *dst = item(src->id + COPY);
    return 0;
}

TR_BROADCAST(itemb, struct item, item_clone, item_drop);

#endif /* TESTS_CHAN_COPIES_H */
