/* SPDX-License-Identifier: MIT */
/*
 * quota.c - see quota.h. /proc/self/cgroup names the group of each hierarchy, "0::/path" in
 * version 2 and "4:cpu,cpuacct:/path" in version 1. In a container the path may be the host's, and
 * not there; what is there then is the root, which is the container's own group.
 */
#include "config.h"

#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "actor/quota.h"

enum { PATH_BYTES = 1024 };

static int cpus(long long quota, long long period)
{
    long long n = quota > 0 && period > 0 ? (quota + period - 1) / period : INT_MAX;

    return n < INT_MAX ? (int)n : INT_MAX;
}

/* Reads @n numbers from a file of @dir; false: it is not there, or says something else. */
static bool numbers(const char *dir, const char *name, int n, long long *a, long long *b)
{
    char path[PATH_BYTES + 32];
    bool ok;
    FILE *f;

    (void)snprintf(path, sizeof path, "%s/%s", dir, name);
    f = fopen(path, "re");
    if (!f)
        return false;
    ok = fscanf(f, n == 1 ? "%lld" : "%lld %lld", a, b) == n;
    (void)fclose(f);
    return ok;
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
    path[strcspn(path, "\n")] = '\0';
    controllers++;
    if (*controllers == '\0')
        return way_cpus("/sys/fs/cgroup", path, false);
    return list_has_cpu(controllers) ? way_cpus("/sys/fs/cgroup/cpu", path, true) : INT_MAX;
}

int tri_quota_cpus(void)
{
    FILE *f = fopen("/proc/self/cgroup", "re");
    char line[PATH_BYTES - 64]; /* and the mount's name fits too */
    int n, least = INT_MAX;

    while (f && fgets(line, sizeof line, f)) {
        n = line_cpus(line);
        least = n < least ? n : least;
    }
    if (f)
        (void)fclose(f);
    return least;
}
