/* SPDX-License-Identifier: MIT */
/*
 * clock.c - CLOCK_MONOTONIC followed by short straight lines over the time-stamp counter.
 *
 *        ns |            ,'  CLOCK_MONOTONIC
 *           |          ,'.   a line starts on it, or a little below, and falls behind by 0.2 %
 *           |      .,'..     until it ends, WINDOW cycles later; the next one starts above it
 *           |    ,'..
 *           |..,'
 *           '-----------------> cycles
 *
 * Inside its window a line is read with the counter alone. Outside of it a caller reads
 * clock_gettime and, if no other thread is doing so, starts a new line.
 *
 * Never after CLOCK_MONOTONIC: a line starts with an instant read before its cycle count, and is
 * slower than the speed measured, by 1/512. The kernel slews by 0.05 % either way, so that the
 * speed changes by 0.1 % at most between the measurement and the use, and the measurement is good
 * to some 0.01 %. A speed that differs by more than 1/512 from the one before (a resume from
 * suspend, a counter that jumped, a slew by steps) is not used; it is measured anew.
 *
 * Never back within a thread: each result lies on a line, or is the kernel's instant less LAG, which no later
 * line is below, or the last instant that the old line could give.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#if defined(__x86_64__)
#include <cpuid.h>
#include <x86intrin.h>
#endif

#include "base/clock.h"

tr_time tri_clock_kernel(void)
{
    struct timespec ts;

    (void)clock_gettime(CLOCK_MONOTONIC, &ts); /* cannot fail: the clock exists, ts is ours */
    return TR_S(ts.tv_sec) + ts.tv_nsec;
}

#if defined(__x86_64__)

enum {
    WINDOW = 1 << 20,   /* cycles a line lasts: 0.2 ms at 5 GHz, 1 ms at 1 GHz */
    BASELINE = 1 << 24, /* cycles, at least, over which the speed is measured */
    TIGHT = 1024,       /* cycles, at most, that a reading may take from which a line starts */
    SLOWER = 512,       /* a line is slower than measured by this part */
    LAG = 4000,         /* ns, at most, that a line is behind, at 1 GHz or more */
};

__extension__ typedef unsigned __int128 wide;

/* A straight line. mult 0: none, the speed is being measured, since @cycles. */
struct line {
    uint64_t cycles, mult;
    tr_time ns;       /* the instant at @cycles; it rises by mult / 2^32 for each more */
    tr_time floor_ns; /* the last instant that earlier lines could give */
};

/*
 * The line in use is slot[version % 2]. The next one is written to the other slot by whoever
 * holds busy, and then published by version. Nobody waits for busy, so that a signal handler
 * above its holder, or a thread beside it, goes on with the kernel's clock.
 */
static struct {
    _Alignas(64) atomic_uint version;
    atomic_bool busy;
    atomic_bool is_refused;
    struct {
        _Atomic uint64_t cycles, mult;
        _Atomic tr_time ns, floor_ns;
    } slot[2];
} now;

/* Under now.busy: where the measurement of the speed began, and the result of the last one. */
static struct {
    bool is_begun;
    uint64_t cycles;
    tr_time ns;
    uint64_t speed; /* ns per cycle * 2^32; 0: unknown */
} cal;

/* Copies the line in use to *@l, and returns the counter. */
static inline uint64_t line_read(struct line *l)
{
    uint64_t cycles;
    unsigned v, again;

    do {
        /* acquire: pairs with the release in line_publish(), the slot is written. */
        v = atomic_load_explicit(&now.version, memory_order_acquire);
        /* acquire, all four: they come before the second look at version. If one of them came
         * from the next but one line (release), that look sees the version between the two. */
        l->cycles = atomic_load_explicit(&now.slot[v % 2].cycles, memory_order_acquire);
        l->mult = atomic_load_explicit(&now.slot[v % 2].mult, memory_order_acquire);
        l->ns = atomic_load_explicit(&now.slot[v % 2].ns, memory_order_acquire);
        l->floor_ns = atomic_load_explicit(&now.slot[v % 2].floor_ns, memory_order_acquire);
        cycles = __rdtsc();
        /* relaxed: nothing is read after it that depends on it. */
        again = atomic_load_explicit(&now.version, memory_order_relaxed);
    } while (v != again);
    return cycles;
}

/* Makes *@l the line in use. Busy is ours. */
static void line_publish(const struct line *l)
{
    /* relaxed: only the holder of busy stores it. */
    unsigned v = atomic_load_explicit(&now.version, memory_order_relaxed) + 1;

    /* release, all: whoever reads one of them sees the version stored before. line_read() */
    atomic_store_explicit(&now.slot[v % 2].cycles, l->cycles, memory_order_release);
    atomic_store_explicit(&now.slot[v % 2].mult, l->mult, memory_order_release);
    atomic_store_explicit(&now.slot[v % 2].ns, l->ns, memory_order_release);
    atomic_store_explicit(&now.slot[v % 2].floor_ns, l->floor_ns, memory_order_release);
    /* release: publishes the slot. */
    atomic_store_explicit(&now.version, v, memory_order_release);
}

static inline tr_time line_at(const struct line *l, uint64_t age)
{
    return l->ns + (tr_time)(age * l->mult >> 32);
}

/* The last instant that the line or those before it could give. */
static tr_time line_end(const struct line *l)
{
    tr_time end = l->mult ? line_at(l, WINDOW) : 0;

    return end > l->floor_ns ? end : l->floor_ns;
}

/* What may be said without a line: no later than any line to come. */
static tr_time behind(tr_time ns, tr_time floor_ns)
{
    return ns - LAG > floor_ns ? ns - LAG : floor_ns;
}

/* Whether the counter runs evenly, on all CPUs alike, and the kernel keeps time by it. */
static bool counter_is_trusted(void)
{
    static const char path[] = "/sys/devices/system/clocksource/clocksource0/current_clocksource";
    int mode = 0, fd, saved = errno; /* we may be in a signal handler */
    unsigned a, b, c, d;
    char name[4] = "";
    ssize_t n = -1;

    if (!__get_cpuid(0x80000007, &a, &b, &c, &d) || !(d & 1u << 8))
        return false;
    if (prctl(PR_GET_TSC, &mode) == 0 && mode == PR_TSC_ENABLE) {
        fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd >= 0) {
            n = read(fd, name, sizeof name);
            (void)close(fd);
        }
    }
    errno = saved;
    return n == sizeof name && memcmp(name, "tsc\n", sizeof name) == 0;
}

/* Reads both clocks, the kernel's first. False: something came between, no line starts here. */
static bool reading_take(tr_time *ret_ns, uint64_t *ret_cycles)
{
    uint64_t before = __rdtsc();

    *ret_ns = tri_clock_kernel();
    _mm_lfence(); /* the instant has been read when the counter is */
    *ret_cycles = __rdtsc();
    return *ret_cycles - before < TIGHT;
}

/*
 * The speed, from a measurement complete at (@cycles, @ns) or from the one before while this one
 * is too short. 0: unknown, a measurement has begun here.
 */
static uint64_t speed_measure(uint64_t cycles, tr_time ns)
{
    uint64_t span = cycles - cal.cycles, before = cal.is_begun ? cal.speed : 0, change, speed = 0;

    if (before && span < BASELINE)
        return before;
    if (cal.is_begun && span >= BASELINE && ns > cal.ns)
        speed = (uint64_t)(((wide)(ns - cal.ns) << 32) / span);
    change = speed > before ? speed - before : before - speed;
    cal.is_begun = true;
    cal.cycles = cycles;
    cal.ns = ns;
    cal.speed = before && change > before / SLOWER ? 0 : speed;
    return cal.speed;
}

/* Reads the kernel's clock and follows it with a new line. Busy is ours, *@old is over. */
static tr_time line_renew(const struct line *old)
{
    struct line l = { .floor_ns = line_end(old) };
    uint64_t speed;

    if (!reading_take(&l.ns, &l.cycles))
        return behind(l.ns, l.floor_ns); /* the next caller tries again */
    if (l.ns < l.floor_ns) /* the old line was ahead: forget its speed */
        cal.is_begun = false;
    speed = speed_measure(l.cycles, l.ns);
    l.mult = speed - speed / SLOWER;
    if (speed >> 32) { /* below 1 GHz: LAG does not hold */
        l.mult = 0;
        /* relaxed: whoever misses it comes here again. */
        atomic_store_explicit(&now.is_refused, true, memory_order_relaxed);
    }
    line_publish(&l);
    return l.mult ? l.ns : behind(l.ns, l.floor_ns);
}

/* Begins the first measurement, if the counter is fit for it. Busy is ours. */
static tr_time clock_start(void)
{
    if (!counter_is_trusted()) {
        /* relaxed: whoever misses it comes here again. */
        atomic_store_explicit(&now.is_refused, true, memory_order_relaxed);
        return tri_clock_kernel() - LAG;
    }
    return line_renew(&(struct line){ 0 });
}

/* There is no line, or it is over. */
static __attribute__((noinline)) tr_time clock_slow(void)
{
    /* acquire: shows us cal and the slots as the last holder left them. */
    bool is_ours = !atomic_exchange_explicit(&now.busy, true, memory_order_acquire);
    struct line l;
    uint64_t age = line_read(&l) - l.cycles;
    tr_time result;

    if ((int64_t)age < 0 && (int64_t)age > -TIGHT)
        age = 0; /* another CPU's counter, or a reading out of order */
    if (l.mult && age < WINDOW)
        result = line_at(&l, age); /* another thread was faster */
    else if (!is_ours || (!l.mult && age < BASELINE))
        result = behind(tri_clock_kernel(), line_end(&l));
    else
        result = cal.is_begun ? line_renew(&l) : clock_start();
    if (is_ours)
        /* release: to the next holder. */
        atomic_store_explicit(&now.busy, false, memory_order_release);
    return result;
}

bool tri_clock_is_counter(void)
{
    struct line l;

    (void)line_read(&l);
    return l.mult != 0;
}

tr_time tri_clock_now(void)
{
    struct line l;
    uint64_t age;

    /* relaxed: a hint that never changes back. */
    if (atomic_load_explicit(&now.is_refused, memory_order_relaxed))
        return tri_clock_kernel();
    age = line_read(&l) - l.cycles;
    return l.mult && age < WINDOW ? line_at(&l, age) : clock_slow();
}

#else /* no counter that we know: 20 ns more */

tr_time tri_clock_now(void)
{
    return tri_clock_kernel();
}

bool tri_clock_is_counter(void)
{
    return false;
}

#endif
