/* SPDX-License-Identifier: MIT */
/* test_context.c - switching between stacks, also under the sanitizers and valgrind. */
#include "config.h"

#include <pthread.h>
#include <stdint.h>
#include <string.h>

#include "mem/stack.h"
#include "sched/context.h"
#include "support/tr-test.h"

/* A task of these tests: its control frame lies at the top of its stack. */
struct frame {
    struct tri_context ctx;
    struct tri_context *home;
    void (*body)(struct frame *f);
    void *top;
    unsigned n_runs;
    bool is_done;
};

static struct tri_stack_cache cache;
static struct tri_context home;

static void start(void)
{
    need_eq(tri_stack_setup(0), 0);
    tri_context_adopt(&home);
}

static void stop(void)
{
    tri_stack_cache_fini(&cache);
    check_eq(tri_stack_n_out(), 0);
    tri_stack_teardown();
}

TR_SUITE(context, .init = start, .fini = stop, .timeout = 60);

static void frame_main(void *arg)
{
    struct frame *f = arg;

    f->body(f);
    f->is_done = true;
    tri_context_exit(&f->ctx, f->home);
}

static struct frame *frame_new(void (*body)(struct frame *f))
{
    char *top = tri_stack_get(&cache);
    struct frame *f = (void *)(top - sizeof *f);

    if (!top)
        return NULL;
    *f = (struct frame){ .home = &home, .body = body, .top = top };
    tri_context_make(&f->ctx, f, top - tri_stack_size(), frame_main, f);
    return f;
}

static void frame_free(struct frame *f)
{
    tri_context_release(&f->ctx);
    tri_stack_put(&cache, f->top);
}

static void run(struct frame *f)
{
    tri_context_switch(f->home, &f->ctx);
}

static void park(struct frame *f)
{
    f->n_runs++;
    tri_context_switch(&f->ctx, f->home);
}

static void park_thrice(struct frame *f)
{
    for (int i = 0; i < 3; i++)
        park(f);
}

TR_TEST(context, a_context_continues_where_it_parked)
{
    struct frame *f = frame_new(park_thrice);

    need_eq(f != NULL, true);
    for (unsigned i = 1; i <= 3; i++) {
        run(f);
        check_eq(f->n_runs, i);
        check_eq(f->is_done, false);
    }
    run(f);
    check_eq(f->is_done, true);
    frame_free(f);
}

/* Sums over a real call depth, parking at the bottom of it. */
__attribute__((noinline)) static unsigned descend(struct frame *f, unsigned depth)
{
    volatile unsigned char pad[64];

    for (size_t i = 0; i < sizeof pad; i++)
        pad[i] = (unsigned char)depth;
    if (depth == 0) {
        park(f);
        return 0;
    }
    return descend(f, depth - 1) + pad[depth % sizeof pad];
}

static void park_deep(struct frame *f)
{
    f->n_runs = descend(f, 100);
}

TR_TEST(context, locals_and_registers_survive_while_others_run)
{
    enum { N = 50 };
    struct frame *f[N];

    for (unsigned i = 0; i < N; i++) {
        f[i] = frame_new(park_deep);
        need_eq(f[i] != NULL, true);
        run(f[i]);
    }
    for (unsigned i = N; i-- > 0;) {
        run(f[i]);
        check_eq(f[i]->n_runs, 5050);
        check_eq(f[i]->is_done, true);
        frame_free(f[i]);
    }
}

static double sum_of_halves;

static void keep_doubles(struct frame *f)
{
    double a = f->n_runs + 0.5, b = a * 2, c = b * 2;

    park(f);
    sum_of_halves = a + b + c;
}

TR_TEST(context, floating_point_values_survive_a_switch)
{
    struct frame *f = frame_new(keep_doubles);

    need_eq(f != NULL, true);
    run(f);
    sum_of_halves = 3.25; /* uses the same registers */
    run(f);
    check_eq((int)(sum_of_halves * 2), 7);
    frame_free(f);
}

static void note_alignment(struct frame *f)
{
    __attribute__((aligned(16))) volatile char here[16];

    here[0] = 0;
    f->n_runs = (unsigned)((uintptr_t)here % 16);
}

TR_TEST(context, a_stack_begins_aligned_at_any_frame_size)
{
    for (size_t less = 0; less < 64; less += 8) {
        struct frame *f = frame_new(note_alignment);

        need_eq(f != NULL, true);
        tri_context_release(&f->ctx);
        tri_context_make(&f->ctx, (char *)f - less, (char *)f->top - tri_stack_size(),
                         frame_main, f);
        run(f);
        check_eq(f->n_runs, 0);
        frame_free(f);
    }
}

TR_TEST(context, a_context_that_never_ran_can_be_released)
{
    struct frame *f = frame_new(park_thrice);

    need_eq(f != NULL, true);
    frame_free(f);
    check_eq(tri_stack_n_out() <= TRI_STACK_BATCH, true);
}

TR_TEST(context, one_stack_serves_many_contexts_in_turn)
{
    void *top = NULL;

    for (int i = 0; i < 1000; i++) {
        struct frame *f = frame_new(i % 2 ? park_deep : park_thrice);

        need_eq(f != NULL, true);
        check_eq(!top || f->top == top, true);
        top = f->top;
        while (!f->is_done)
            run(f);
        frame_free(f);
    }
}

static struct frame *partner[2];

static void to_partner(struct frame *f)
{
    struct frame *other = partner[f == partner[0]];

    for (int i = 0; i < 1000; i++) {
        f->n_runs++;
        tri_context_switch(&f->ctx, &other->ctx);
    }
}

TR_TEST(context, contexts_switch_to_each_other_without_going_home)
{
    partner[0] = frame_new(to_partner);
    partner[1] = frame_new(to_partner);
    need_eq(partner[0] && partner[1], true);
    run(partner[0]);
    check_eq(partner[0]->is_done, true);
    check_eq(partner[0]->n_runs, 1000);
    check_eq(partner[1]->n_runs, 1000);
    run(partner[1]);
    check_eq(partner[1]->is_done, true);
    frame_free(partner[0]);
    frame_free(partner[1]);
}

/* A context made by one thread runs on another: what an unstarted task does. */
static void *run_here(void *arg)
{
    struct frame *f = arg;
    struct tri_context here;

    tri_context_adopt(&here);
    f->home = &here;
    while (!f->is_done)
        run(f);
    f->home = NULL;
    return NULL;
}

TR_TEST(context, an_unstarted_context_may_run_on_another_thread)
{
    struct frame *f = frame_new(park_deep);
    pthread_t other;

    need_eq(f != NULL, true);
    need_eq(pthread_create(&other, NULL, run_here, f), 0);
    need_eq(pthread_join(other, NULL), 0);
    check_eq(f->n_runs, 5050);
    frame_free(f);
}
