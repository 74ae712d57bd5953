/* SPDX-License-Identifier: MIT */
/*
 * place.h - names a code address as module+offset, as addr2line(1) takes it. Reads
 * /proc/self/maps: dladdr() would take a lock of the loader, which a stuck task may hold.
 */
#ifndef TRI_BASE_PLACE_H
#define TRI_BASE_PLACE_H

#include <stddef.h>
#include <stdint.h>

enum { TRI_PLACE_MODULES = 96, TRI_PLACE_NAME = 40 };

struct tri_module {
    uintptr_t start, end;
    char name[TRI_PLACE_NAME];
};

struct tri_places {
    unsigned n;
    struct tri_module module[TRI_PLACE_MODULES];
};

/* Looks at what is mapped now. Allocates nothing. */
void tri_places_load(struct tri_places *p);

/* Writes where the call that returns to @pc is; "?" for NULL. Returns @buf. */
const char *tri_place_name(const struct tri_places *p, const void *pc, char *buf, size_t n);

/* The same for one address, with little stack: for who stands on a task's. Returns @buf. */
const char *tri_place_find(const void *pc, char *buf, size_t n);

#endif /* TRI_BASE_PLACE_H */
