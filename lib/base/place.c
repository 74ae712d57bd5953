/* SPDX-License-Identifier: MIT */
/* place.c - see place.h. */
#include "config.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/place.h"

/* One line: "start-end perms offset dev inode   /path"; false: no file is mapped there. */
static bool parse(char *line, struct tri_module *ret_m)
{
    char *path = strchr(line, '/'), *end;
    uintptr_t start = strtoull(line, &end, 16);

    if (!path || *end != '-')
        return false;
    ret_m->start = start;
    ret_m->end = strtoull(end + 1, NULL, 16);
    (void)snprintf(ret_m->name, sizeof ret_m->name, "%s", strrchr(path, '/') + 1);
    return true;
}

/* Parts of one file follow each other. */
static bool is_same(const struct tri_module *a, const struct tri_module *b)
{
    return strcmp(a->name, b->name) == 0;
}

/* ---- reading the lines ---- */

/* Gets each file that is mapped somewhere; false: enough. */
typedef bool part_fn(void *arg, const struct tri_module *part);

/* Takes the complete lines out of @buf; returns how many bytes are left at its start, or -1. */
static ssize_t take_lines(char *buf, size_t n, part_fn *fn, void *arg)
{
    char *line = buf, *end;
    struct tri_module part;

    while ((end = memchr(line, '\n', n - (size_t)(line - buf)))) {
        *end = '\0';
        if (parse(line, &part) && !fn(arg, &part))
            return -1;
        line = end + 1;
    }
    n -= (size_t)(line - buf);
    memmove(buf, line, n);
    return (ssize_t)n;
}

static void each_part(char *buf, size_t size, part_fn *fn, void *arg)
{
    ssize_t r, len = 0;
    int fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return;
    while (len >= 0 && (r = read(fd, buf + len, size - (size_t)len)) > 0) {
        len = take_lines(buf, (size_t)(len + r), fn, arg);
        if (len == (ssize_t)size)
            len = 0; /* a path that is longer than the buffer */
    }
    (void)close(fd);
}

/* ---- all of them ---- */

static bool add_part(void *arg, const struct tri_module *part)
{
    struct tri_places *p = arg;
    struct tri_module *m = p->n > 0 ? &p->module[p->n - 1] : NULL;

    if (m && is_same(m, part))
        m->end = part->end;
    else if (p->n < TRI_PLACE_MODULES)
        p->module[p->n++] = *part;
    return true;
}

void tri_places_load(struct tri_places *p)
{
    char buf[4096];

    p->n = 0;
    each_part(buf, sizeof buf, add_part, p);
}

static const char *name_in(const struct tri_module *m, uintptr_t at, char *buf, size_t n)
{
    (void)snprintf(buf, n, "%s+0x%" PRIxPTR, m->name, at - m->start);
    return buf;
}

/* In no module. */
static const char *name_bare(const void *pc, char *buf, size_t n)
{
    if (!pc)
        (void)snprintf(buf, n, "?");
    else
        (void)snprintf(buf, n, "%p", pc);
    return buf;
}

/* Inside the call, not after it. */
static uintptr_t call_of(const void *pc)
{
    return (uintptr_t)pc - 1;
}

const char *tri_place_name(const struct tri_places *p, const void *pc, char *buf, size_t n)
{
    uintptr_t at = call_of(pc);

    for (unsigned i = 0; pc && i < p->n; i++)
        if (at >= p->module[i].start && at < p->module[i].end)
            return name_in(&p->module[i], at, buf, n);
    return name_bare(pc, buf, n);
}

/* ---- one of them ---- */

struct search {
    uintptr_t at;
    struct tri_module module; /* the one that was read last, from its first part on */
    bool found;
};

static bool look(void *arg, const struct tri_module *part)
{
    struct search *s = arg;

    if (!is_same(&s->module, part))
        s->module = *part;
    s->found = s->at >= part->start && s->at < part->end;
    return !s->found;
}

const char *tri_place_find(const void *pc, char *buf, size_t n)
{
    struct search s = { .at = call_of(pc) };
    char lines[1024];

    if (pc)
        each_part(lines, sizeof lines, look, &s);
    return s.found ? name_in(&s.module, s.at, buf, n) : name_bare(pc, buf, n);
}
