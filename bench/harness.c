/* SPDX-License-Identifier: MIT */
/* harness.c - see bench.h. */
#include "config.h"

#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"

int64_t bench_clock(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

int bench_run(const struct bench_metric *m, tr_run_fn *fn, void *arg)
{
    const struct tr_runtime_opts opts = { .name = "bench", .n_worker = m->n_worker };
    int r = tr_run_with(&opts, fn, arg);

    return r < 0 ? bench_fail(m->name, "%s", tr_strerror(r)) : 0;
}

void bench_tell(const char *name, double value, const char *unit)
{
    printf("%s %.3f %s\n", name, value, unit);
    fflush(stdout);
}

void bench_tell_part(const char *name, const char *suffix, double value, const char *unit)
{
    char whole[64];

    (void)snprintf(whole, sizeof whole, "%s_%s", name, suffix);
    bench_tell(whole, value, unit);
}

void bench_tell_rate(const struct bench_load *load, uint64_t n, const char *unit)
{
    bench_tell(load->m->name, (double)n * 1e9 / (double)load->elapsed, unit);
}

void bench_tell_each(const struct bench_load *load, uint64_t n)
{
    bench_tell(load->m->name, (double)load->elapsed / (double)n, "ns");
}

int bench_fail(const char *name, const char *fmt, ...)
{
    va_list ap;

    fprintf(stderr, "troupe-bench: %s: ", name);
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fputc('\n', stderr);
    return -1;
}

int bench_check(const struct bench_load *load, uint64_t n, uint64_t sum)
{
    if (load->n == n && load->sum == sum)
        return 0;
    return bench_fail(load->m->name, "wrong result: count %llu for %llu, sum %llu for %llu",
                      (unsigned long long)load->n, (unsigned long long)n,
                      (unsigned long long)load->sum, (unsigned long long)sum);
}

static int compare(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return (x > y) - (x < y);
}

void bench_sort(int64_t *samples, size_t n)
{
    qsort(samples, n, sizeof *samples, compare);
}

void *bench_alloc(size_t n, size_t size)
{
    char *p = calloc(n, size);

    if (!p) {
        fprintf(stderr, "troupe-bench: no memory\n");
        exit(EXIT_FAILURE);
    }
    for (size_t i = 0; i < n * size; i += 1024) /* a write of 0 by memset() could be left out */
        *(volatile char *)&p[i] = 0;
    return p;
}

uint64_t bench_resident(void)
{
    unsigned long all = 0, resident = 0;
    FILE *f = fopen("/proc/self/statm", "re");

    if (!f || fscanf(f, "%lu %lu", &all, &resident) != 2)
        resident = 0;
    if (f)
        fclose(f);
    return (uint64_t)resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

static int64_t ns_of(struct timeval t)
{
    return (int64_t)t.tv_sec * 1000000000 + (int64_t)t.tv_usec * 1000;
}

int64_t bench_cpu(void)
{
    struct rusage u;

    getrusage(RUSAGE_SELF, &u);
    return ns_of(u.ru_utime) + ns_of(u.ru_stime);
}

uint64_t bench_random(uint64_t *state)
{
    uint64_t x = *state;

    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    return *state = x;
}

bool bench_pin(unsigned index)
{
    static cpu_set_t usable; /* as it was before the first pinning */
    cpu_set_t one;

    if (CPU_COUNT(&usable) == 0 && sched_getaffinity(0, sizeof usable, &usable) < 0)
        return false;
    for (unsigned cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        if (!CPU_ISSET(cpu, &usable) || index-- > 0)
            continue;
        CPU_ZERO(&one);
        CPU_SET(cpu, &one);
        return sched_setaffinity(0, sizeof one, &one) == 0;
    }
    return false;
}
