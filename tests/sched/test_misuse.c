/* SPDX-License-Identifier: MIT */
/*
 * test_misuse.c - a call from the wrong place is refused, and told with the call and the
 * places, by module and offset. Linked like a user's program, so that the module is this one.
 */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <troupe.h>

#include "support/tr-test.h"

static unsigned n_told;
static char told[512], here[64]; /* here: "program+0x" */

static void hook(enum tr_event_kind kind, const char *text, void *arg)
{
    (void)arg;
    if (kind != TR_EVENT_MISUSE)
        return;
    n_told++;
    (void)snprintf(told, sizeof told, "%s", text);
}

static void find_here(void)
{
    char path[256];
    ssize_t n = readlink("/proc/self/exe", path, sizeof path - 1);

    need_ge(n, 1);
    path[n] = '\0';
    (void)snprintf(here, sizeof here, " %.39s+0x", strrchr(path, '/') + 1);
    tr_hook_set(hook, NULL);
}

TR_SUITE(misuse, .init = find_here, .timeout = 20);

TR_ONESHOT(answer, int, tr_nodrop);

/* The text has @name, and after each of the words the place of this program. */
static void check_told(const char *name, const char *word, const char *other)
{
    const char *at = strstr(told, word), *next = other ? strstr(told, other) : NULL;

    check(strstr(told, name), told);
    check(at && strncmp(at + strlen(word), here, strlen(here)) == 0, told);
    if (other)
        check(next && strncmp(next + strlen(other), here, strlen(here)) == 0, told);
    check_eq(n_told, 1);
    n_told = 0;
}

TR_TEST(misuse, a_wait_in_a_thread_is_told_with_its_name_and_place)
{
    answer_tx tx;
    answer_rx rx;
    tr_arm arm[1] = { tr_scope_join_arm(NULL) };
    int m;

    check_eq(tr_sleep(TR_NOW), -EPERM);
    check_told("'tr_sleep'", ", at", NULL);
    check_eq(tr_select(TR_NOW, arm, 1), -EPERM);
    check_told("'tr_select'", ", at", NULL);
    need_eq(answer_new(&tx, &rx), 0);
    check_eq(answer_recv(&rx, TR_NOW, &m), -EPERM);
    check_told("'oneshot recv'", ", at", NULL);
    answer_tx_close(&tx);
    answer_rx_close(&rx);
}

/* ---- in a handler, and in a drop ---- */

struct state {
    int unused;
};

static void waiting_drop(struct state *s)
{
    (void)s;
    check_eq(tr_yield(), -EPERM);
}
TR_TASK(born_dead, struct state, waiting_drop);

static int born_dead(struct state *s)
{
    (void)s;
    return 0;
}

TR_HANDLER(waits, struct state, struct state, tr_nodrop, tr_nodrop);

static int waits(struct state *s, struct state *m)
{
    (void)s;
    (void)m;
    check_eq(tr_sleep(TR_NEVER), -EPERM);
    return tr_handler_stop();
}

static int run_waits(tr_scope *root, void *arg)
{
    waits_ref ref;

    (void)arg;
    check_eq(waits_spawn(root, &(struct state){ 0 }, NULL, &ref), 0);
    check_eq(waits_send(&ref, &(struct state){ 0 }, TR_NEVER), 0);
    waits_ref_close(&ref);
    return tr_scope_join(root, TR_NEVER);
}

TR_TEST(misuse, a_wait_in_a_handler_is_told_with_its_name_and_place)
{
    check_eq(tr_run(run_waits, NULL), 0);
    check_told("handler 'waits' waits: 'tr_sleep'", "was called at", NULL);
}

static int run_dead(tr_scope *root, void *arg)
{
    (void)arg;
    check_eq(born_dead_spawn(root, &(struct state){ 0 }, NULL), 0);
    tr_scope_cancel(root);
    return tr_scope_join(root, TR_NEVER);
}

TR_TEST(misuse, a_wait_in_a_drop_is_told_with_its_name_and_place)
{
    check_eq(tr_run(run_dead, NULL), 0);
    check_told("task 'born_dead' waits: 'tr_yield'", "was called at", NULL);
}

/* ---- a blocking form in an actor ---- */

TR_TASK(blocks, struct state, tr_nodrop);

static int blocks(struct state *s)
{
    answer_tx tx;
    answer_rx rx;
    int m, r = answer_new(&tx, &rx);

    (void)s;
    if (r == 0) {
        check_eq(answer_blocking_recv(&rx, TR_NEVER, &m), -EDEADLK);
        answer_tx_close(&tx);
        answer_rx_close(&rx);
    }
    return r;
}

static int run_blocks(tr_scope *root, void *arg)
{
    (void)arg;
    check_eq(blocks_spawn(root, &(struct state){ 0 }, NULL), 0);
    return tr_scope_join(root, TR_NEVER);
}

TR_TEST(misuse, a_blocking_form_in_a_task_is_told_with_both_places)
{
    check_eq(tr_run(run_blocks, NULL), 0);
    check_told("task 'blocks'", "spawned at", "'oneshot recv' at");
}

static int root_blocks(tr_scope *root, void *arg)
{
    (void)root;
    (void)arg;
    return blocks(&(struct state){ 0 });
}

TR_TEST(misuse, the_root_task_was_spawned_where_the_runtime_was_started)
{
    check_eq(tr_run(root_blocks, NULL), 0);
    check_told("task 'root'", "spawned at", "'oneshot recv' at");
    check_eq(tr_run_with(&(struct tr_runtime_opts){ .n_worker = 1 }, root_blocks, NULL), 0);
    check_told("task 'root'", "spawned at", "'oneshot recv' at");
}
