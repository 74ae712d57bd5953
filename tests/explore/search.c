/* SPDX-License-Identifier: MIT */
/*
 * search.c - goes through the schedules of each case: depth first, without keeping any state
 * but the choices of the run before; a run repeats them up to the last one that has another way
 * to go on. Schedules with more preemptions than the bound are left out (M. Musuvathi, S.
 * Qadeer, "Iterative context bounding", 2007). A word that only one thread uses, or that is
 * only read, is no place to choose at; which ones these are is found out by the runs: when
 * another word turns out to be shared the search begins again.
 *
 *     explore_x                    all cases of the program; TR_FULL=1: with the full bounds
 *     explore_x NAME               one
 *     explore_x NAME SCHEDULE      one run of it, each step printed
 *     explore_x NAME/WHAT ...      the same of a broken variant
 */
#include "config.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "explore/engine.h"

enum { MAX_CHOICES = 20000, MAX_LEGS = 4096, MAX_LEGS_PRINTED = 40 };

enum outcome { RAN, REDUNDANT, FAILED };

struct choice {
    uint8_t n, pick;
};

/* Part of a schedule: one thread makes so many steps. */
struct leg {
    unsigned thread, n;
};

struct count {
    unsigned long n_run, n_redundant;
};

struct search search;

static struct choice choices[MAX_CHOICES];
static unsigned n_choice, depth; /* of the run before; of this run */

static struct leg legs[MAX_LEGS]; /* of this run */
static unsigned n_leg;
static struct leg replay[MAX_LEGS];
static unsigned n_replay, at_replay;

static jmp_buf out;
static char why[512];

static const char *program;
static unsigned n_test, n_bad;

/* ---- for the other files ---- */

void explore_fail(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    (void)vsnprintf(why, sizeof why, format, args);
    va_end(args);
    longjmp(out, FAILED);
}

void explore_redundant(void)
{
    longjmp(out, REDUNDANT);
}

void explore_check(bool ok, const char *text, const char *file, int line)
{
    if (!ok)
        explore_fail("%s:%d: %s", file, line, text);
}

unsigned explore_choose(unsigned n)
{
    struct choice *c = &choices[depth];

    if (n_replay > 0)
        return 0;
    if (depth == MAX_CHOICES)
        explore_fail("more than %d choices", MAX_CHOICES);
    if (depth == n_choice)
        choices[n_choice++] = (struct choice){ .n = (uint8_t)n };
    else if (c->n != n)
        explore_fail("the case does not depend on the schedule alone");
    depth++;
    return c->pick;
}

void explore_log_step(unsigned t)
{
    if (t == OUTSIDE)
        return;
    if (at_replay < n_replay && --replay[at_replay].n == 0)
        at_replay++;
    if (n_leg > 0 && legs[n_leg - 1].thread == t)
        legs[n_leg - 1].n++;
    else if (n_leg < MAX_LEGS)
        legs[n_leg++] = (struct leg){ t, 1 };
}

int explore_replayed(void)
{
    return at_replay < n_replay ? (int)replay[at_replay].thread : -1;
}

/* A wild pointer: the run failed, and the search goes on. */
static void on_signal(int sig)
{
    explore_fail("signal %d", sig);
}

static void catch_signals(void)
{
    static const int sigs[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGTRAP };
    static char stack[64 * 1024];
    const stack_t alt = { .ss_sp = stack, .ss_size = sizeof stack };
    struct sigaction sa = { .sa_handler = on_signal, .sa_flags = SA_NODEFER | SA_ONSTACK };

    (void)sigaltstack(&alt, NULL);
    for (unsigned i = 0; i < sizeof sigs / sizeof sigs[0]; i++)
        (void)sigaction(sigs[i], &sa, NULL);
}

/* ---- runs ---- */

static enum outcome run_once(void)
{
    int left = setjmp(out);

    if (left) {
        memory_put_back();
        threads_forget();
        return left == FAILED ? FAILED : REDUNDANT;
    }
    depth = n_leg = at_replay = 0;
    memory_begin_run();
    world_begin_run();
    search.what->setup();
    threads_run();
    search.what->finish();
    memory_check_leaks();
    return RAN;
}

/* Makes the choices those of the next run. False: there is none. */
static bool next_run(void)
{
    for (n_choice = depth; n_choice > 0; n_choice--) {
        struct choice *c = &choices[n_choice - 1];

        if (++c->pick < c->n)
            return true;
    }
    return false;
}

/* True: no run failed. */
static bool explore(const struct explore_case *c, void (*spoil)(struct explore_op *),
                    unsigned bound, struct count *ret_count)
{
    enum outcome o;

    search = (struct search){
        .what = c, .spoil = spoil, .bound = bound, .sleeps = bound == EXPLORE_ALL
    };
    memory_begin_case();
    do {
        *ret_count = (struct count){ 0 };
        n_choice = 0;
        do {
            o = run_once();
            ret_count->n_run += o == RAN;
            ret_count->n_redundant += o == REDUNDANT;
        } while (o != FAILED && !memory_has_news() && next_run());
    } while (o != FAILED && memory_has_news());
    return o != FAILED;
}

static void print_schedule(void)
{
    for (unsigned i = 0; i < n_leg; i++)
        printf("%s%ux%u", i > 0 ? "," : "", legs[i].thread, legs[i].n);
    printf("\n");
}

static bool parse_schedule(const char *text)
{
    for (n_replay = 0; *text && n_replay < MAX_LEGS; n_replay++) {
        int used = 0;

        struct leg *l = &replay[n_replay];

        if (sscanf(text, "%ux%u%n", &l->thread, &l->n, &used) != 2 ||
            l->thread >= EXPLORE_THREADS || l->n == 0)
            return false;
        text += used;
        text += *text == ',';
    }
    return n_replay > 0;
}

/* Repeats the schedule of the run that failed. True: it fails in the same way. */
static bool repeat_failure(bool traces)
{
    char before[sizeof why];
    enum outcome o;

    memcpy(before, why, sizeof why);
    memcpy(replay, legs, sizeof legs);
    n_replay = n_leg;
    search.traces = traces;
    o = run_once();
    search.traces = false;
    n_replay = 0;
    return o == FAILED && strcmp(before, why) == 0;
}

static void print_failure(const struct explore_case *c)
{
    printf("# %s\n# to see it again: %s '%s' ", why, program, c->name);
    print_schedule();
    (void)repeat_failure(true);
    printf("# %s\n", why);
}

/* ---- cases ---- */

static void tell(bool ok, const char *text, const struct explore_case *c)
{
    printf("%s %u - %s %s", ok ? "ok" : "not ok", ++n_test, text, c->name);
    n_bad += !ok;
}

static void explore_sound(const struct explore_case *c, unsigned bound)
{
    struct count n;
    bool ok = explore(c, NULL, bound, &n);

    /* One with as few preemptions as can be is easier to read. */
    for (unsigned b = 0; !ok && b < bound && bound != EXPLORE_ALL; b++)
        if (!explore(c, NULL, b, &n))
            break;
    tell(ok, "explored", c);
    if (bound == EXPLORE_ALL)
        printf(": %lu interleavings, all (%lu runs cut short)\n", n.n_run, n.n_redundant);
    else
        printf(": %lu interleavings, %u preemptions\n", n.n_run, bound);
    if (!ok)
        print_failure(c);
    (void)fflush(stdout);
}

/* With as few preemptions as needed; and the schedule that is printed shows it again. */
static void explore_broken_one(const struct explore_case *c, const struct explore_broken *b,
                               unsigned bound)
{
    static const unsigned bounds[] = { 0, 1, 2, 3, 4, EXPLORE_ALL };
    struct count n = { 0 };
    bool caught = false;

    for (unsigned i = 0; !caught && i < sizeof bounds / sizeof bounds[0]; i++)
        caught = bounds[i] <= bound && !explore(c, b->spoil, bounds[i], &n);
    tell(caught && (n_leg == MAX_LEGS || repeat_failure(false)), "caught in", c);
    printf(": %s\n", b->what);
    if (caught && n_leg < MAX_LEGS_PRINTED) {
        printf("#   run %lu: %s\n#   schedule ", n.n_run + n.n_redundant + 1, why);
        print_schedule();
    }
    (void)fflush(stdout);
}

static const struct explore_case *find(const char *name)
{
    for (unsigned i = 0; explore_lists[i]; i++)
        for (const struct explore_case *c = explore_lists[i]; c->name; c++)
            if (strcmp(c->name, name) == 0)
                return c;
    return NULL;
}

/* "case" or "case/broken variant". */
static const struct explore_case *find_variant(char *name,
                                               void (**ret_spoil)(struct explore_op *))
{
    char *slash = strchr(name, '/');
    const struct explore_case *c;

    *ret_spoil = NULL;
    if (slash)
        *slash = '\0';
    c = find(name);
    if (!c || !slash)
        return c;
    for (const struct explore_broken *b = c->broken; b && b->what; b++)
        if (strcmp(b->what, slash + 1) == 0) {
            *ret_spoil = b->spoil;
            return c;
        }
    return NULL;
}

static int show_one(char *name, const char *schedule)
{
    void (*spoil)(struct explore_op *);
    const struct explore_case *c = find_variant(name, &spoil);
    bool failed;

    if (!c || !parse_schedule(schedule)) {
        fprintf(stderr, "explore: no such case, or no schedule\n");
        return EXIT_FAILURE;
    }
    search =
        (struct search){ .what = c, .spoil = spoil, .bound = EXPLORE_ALL - 1, .traces = true };
    memory_begin_case();
    failed = run_once() == FAILED;
    printf("%s\n", failed ? why : "nothing was found");
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

static void explore_all_of(const struct explore_case *c, bool full)
{
    const unsigned bound = full ? c->full : c->quick;

    explore_sound(c, bound);
    for (const struct explore_broken *b = c->broken; b && b->what; b++)
        explore_broken_one(c, b, bound);
}

static int explore_main(int argc, char **argv)
{
    const char *env = getenv("TR_FULL");
    const bool full = env && strcmp(env, "1") == 0;
    const struct explore_case *one = NULL;

    if (argc == 3)
        return show_one(argv[1], argv[2]);
    if (argc == 2 && !(one = find(argv[1]))) {
        fprintf(stderr, "explore: there is no case '%s'\n", argv[1]);
        return EXIT_FAILURE;
    }
    printf("# sequentially consistent interleavings; %s bounds\n", full ? "full" : "quick");
    if (one)
        explore_all_of(one, full);
    for (unsigned i = 0; !one && explore_lists[i]; i++)
        for (const struct explore_case *c = explore_lists[i]; c->name; c++)
            explore_all_of(c, full);
    printf("1..%u\n", n_test);
    return n_bad == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char **argv)
{
    program = argv[0];
    catch_signals();
    memory_setup();
    threads_setup();
    if (setjmp(out)) {
        fprintf(stderr, "explore: %s\n", why);
        return EXIT_FAILURE;
    }
    search.what = &world_warm_up;
    memory_begin_run();
    threads_run();
    memory_keep();
    threads_keep();
    return explore_main(argc, argv);
}
