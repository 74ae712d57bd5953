/* SPDX-License-Identifier: MIT */
/* place.c - see place.h. */
#include "config.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "actor/place.h"

/* One line: "start-end perms offset dev inode   /path"; parts of one file follow each other. */
static void add_line(struct tri_places *p, char *line)
{
    char *path = strchr(line, '/'), *name, *end;
    uintptr_t start = strtoull(line, &end, 16);
    struct tri_module *m = p->n > 0 ? &p->module[p->n - 1] : NULL;

    if (!path || *end != '-')
        return;
    name = strrchr(path, '/') + 1;
    if (!m || strncmp(m->name, name, sizeof m->name - 1) != 0) {
        if (p->n == TRI_PLACE_MODULES)
            return;
        m = &p->module[p->n++];
        m->start = start;
        (void)snprintf(m->name, sizeof m->name, "%s", name);
    }
    m->end = strtoull(end + 1, NULL, 16);
}

/* Takes the complete lines out of @buf; returns how many bytes are left at its start. */
static size_t add_lines(struct tri_places *p, char *buf, size_t n)
{
    char *line = buf, *end;

    while ((end = memchr(line, '\n', n - (size_t)(line - buf)))) {
        *end = '\0';
        add_line(p, line);
        line = end + 1;
    }
    n -= (size_t)(line - buf);
    memmove(buf, line, n);
    return n;
}

void tri_places_load(struct tri_places *p)
{
    char buf[4096];
    size_t len = 0;
    ssize_t r;
    int fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);

    p->n = 0;
    if (fd < 0)
        return;
    while ((r = read(fd, buf + len, sizeof buf - len)) > 0) {
        len = add_lines(p, buf, len + (size_t)r);
        if (len == sizeof buf)
            len = 0; /* a path that is longer than the buffer */
    }
    (void)close(fd);
}

const char *tri_place_name(const struct tri_places *p, const void *pc, char *buf, size_t n)
{
    uintptr_t at = (uintptr_t)pc - 1; /* inside the call, not after it */

    if (!pc) {
        (void)snprintf(buf, n, "?");
        return buf;
    }
    for (unsigned i = 0; i < p->n; i++) {
        const struct tri_module *m = &p->module[i];

        if (at < m->start || at >= m->end)
            continue;
        (void)snprintf(buf, n, "%s+0x%" PRIxPTR, m->name, at - m->start);
        return buf;
    }
    (void)snprintf(buf, n, "%p", pc);
    return buf;
}
