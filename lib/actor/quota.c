/* SPDX-License-Identifier: MIT */
/*
 * quota.c - see quota.h. /proc/self/cgroup names the group of each hierarchy, "0::/path" in
 * version 2 and "4:cpu,cpuacct:/path" in version 1. In a container the path may be the host's,
 * and not there; what is there then is the root, which is the container's own group.
 *
 * Reads into buffers of its own: streams would allocate.
 */
#include "config.h"

#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "actor/quota.h"

enum {
    PATH_BYTES = 4096 + 32, /* of the mount and the group */
    LIST_BYTES = 4096,      /* some dozen groups; what is longer is not looked at */
};

static int cpus(long long quota, long long period)
{
    long long n = quota > 0 && period > 0 ? (quota + period - 1) / period : INT_MAX;

    return n < INT_MAX ? (int)n : INT_MAX;
}

/* Reads a small file as a string; false: it is not there, or empty. */
static bool content(const char *path, char *buf, size_t n)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    size_t len = 0;
    ssize_t r = 0;

    if (fd < 0)
        return false;
    while (len < n - 1 && (r = read(fd, buf + len, n - 1 - len)) > 0)
        len += (size_t)r;
    (void)close(fd);
    buf[len] = '\0';
    return len > 0;
}

/* Reads @n numbers from a file of @dir; false: it is not there, or says something else. */
static bool numbers(const char *dir, const char *name, int n, long long *a, long long *b)
{
    char path[PATH_BYTES + 32], text[64], *end;

    (void)snprintf(path, sizeof path, "%s/%s", dir, name);
    if (!content(path, text, sizeof text))
        return false;
    *a = strtoll(text, &end, 10);
    if (end == text || n == 1)
        return end != text;
    *b = strtoll(end, &end, 10);
    return true;
}

/* What one group grants. Version 2 says "max" where version 1 says -1. */
static int group_cpus(const char *dir, bool is_v1)
{
    long long quota = 0, period = 0, none;

    if (is_v1 ? numbers(dir, "cpu.cfs_quota_us", 1, &quota, &none) &&
                    numbers(dir, "cpu.cfs_period_us", 1, &period, &none)
              : numbers(dir, "cpu.max", 2, &quota, &period))
        return cpus(quota, period);
    return INT_MAX;
}

/* The smallest from the group @path below @mount up to the root. */
static int way_cpus(const char *mount, const char *path, bool is_v1)
{
    size_t root = strlen(mount);
    char dir[PATH_BYTES], *slash;
    int n, least = INT_MAX;

    (void)snprintf(dir, sizeof dir, "%s%s", mount, path);
    do {
        n = group_cpus(dir, is_v1);
        least = n < least ? n : least;
        slash = strrchr(dir, '/');
        *slash = '\0';
    } while (strlen(dir) >= root);
    return least;
}

static bool list_has_cpu(char *list)
{
    char *at, *rest = NULL;

    for (at = strtok_r(list, ",", &rest); at; at = strtok_r(NULL, ",", &rest))
        if (strcmp(at, "cpu") == 0)
            return true;
    return false;
}

/* One line: "number:controllers:/path". */
static int line_cpus(char *line)
{
    char *controllers = strchr(line, ':'),
         *path = controllers ? strchr(controllers + 1, ':') : NULL;

    if (!path)
        return INT_MAX;
    *path++ = '\0';
    controllers++;
    if (*controllers == '\0')
        return way_cpus("/sys/fs/cgroup", path, false);
    return list_has_cpu(controllers) ? way_cpus("/sys/fs/cgroup/cpu", path, true) : INT_MAX;
}

int tri_quota_cpus(void)
{
    char text[LIST_BYTES], *line, *rest = NULL;
    int n, least = INT_MAX;

    if (!content("/proc/self/cgroup", text, sizeof text))
        return INT_MAX;
    for (line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        n = line_cpus(line);
        least = n < least ? n : least;
    }
    return least;
}
