/* SPDX-License-Identifier: MIT */
/*
 * bench.h - what the families of metrics share: the table entry, the clock, the runtime of a
 * workload, and how a figure is told.
 *
 * A metric runs its workload once, checks the result, and tells its figures; a figure whose
 * check failed is never told. Only the public headers of troupe are used here.
 */
#ifndef TR_BENCH_H
#define TR_BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <troupe.h>

struct bench_metric {
    const char *name;
    /* Runs and tells: 0, or -1 after a word on standard error. */
    int (*run)(const struct bench_metric *m);
    unsigned n_worker; /* of its runtime; 0: no runtime, or the default */
    unsigned n;        /* what the family makes of it: producers, connections */
    bool has_other;    /* needs a second process: not part of "all" */
};

/* The families, each ended by an entry without a name. */
extern const struct bench_metric bench_limits[], bench_pingpong[], bench_mpsc[], bench_bcast[],
    bench_ask[], bench_tasks[], bench_idle[], bench_handlers[], bench_timers[],
    bench_threads[], bench_cold[], bench_echo[], bench_queues[], bench_sync[];

/* What a workload leaves behind. */
struct bench_load {
    const struct bench_metric *m;
    int64_t elapsed; /* ns */
    uint64_t n, sum; /* what was counted and added up */
};

/* CLOCK_MONOTONIC, in ns. */
int64_t bench_clock(void);

/*
 * Runs @fn(root scope, @arg) in a fresh runtime with the workers that @m asks for.
 * Returns 0, or -1 after a word on standard error.
 */
int bench_run(const struct bench_metric *m, tr_run_fn *fn, void *arg);

/* Prints "@name @value @unit". */
void bench_tell(const char *name, double value, const char *unit);

/* The same, of @name_@suffix. */
void bench_tell_part(const char *name, const char *suffix, double value, const char *unit);

/* Tells @n operations of @load as a rate, or as ns each. */
void bench_tell_rate(const struct bench_load *load, uint64_t n, const char *unit);
void bench_tell_each(const struct bench_load *load, uint64_t n);

/* Says on standard error why @name has no figure. Returns -1. */
int bench_fail(const char *name, const char *fmt, ...) TR_PRINTF(2, 3);

/* -1 with a word, unless the @n and @sum that were found are the ones wanted. */
int bench_check(const struct bench_load *load, uint64_t n, uint64_t sum);

/* The sum of 0 .. @n - 1. */
static inline uint64_t bench_sum(uint64_t n)
{
    return n * (n - 1) / 2;
}

/* Sorts; afterwards the median is [n / 2] and the 99th percentile [99 * n / 100]. */
void bench_sort(int64_t *samples, size_t n);

/* Memory that is touched already and zero. Ends the program if there is none. */
void *bench_alloc(size_t n, size_t size);

/* The resident set of this process in bytes; user and system time of it in ns. */
uint64_t bench_resident(void);
int64_t bench_cpu(void);

/* xorshift64; seed it with BENCH_SEED. */
#define BENCH_SEED UINT64_C(88172645463325252)
uint64_t bench_random(uint64_t *state);

/*
 * Pins the calling thread to the @index-th CPU that the process may use; false: there is none.
 */
bool bench_pin(unsigned index);

/*
 * Loads the echo server at 127.0.0.1:@port with @n connections and tells @name, @name_p50,
 * @name_p99 and, if @server is a process, @name_cpu. Returns 0, or -1 after a word.
 */
int bench_load_server(const char *name, int port, unsigned n, pid_t server);

/*
 * Modes of the program that are no metrics: arguments after the mode's name; the exit status.
 */
int bench_echo_server(int argc, char **argv);
int bench_http_server(int argc, char **argv);
int bench_load_client(int argc, char **argv);
int bench_cold_child(void);

/* The channel of most workloads: messages of 8 bytes. */
TR_MPSC(numq, uint64_t, tr_nodrop);

#endif /* TR_BENCH_H */
