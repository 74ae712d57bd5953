/* SPDX-License-Identifier: MIT */
/* failures - what becomes of a failure: both policies of a scope, and supervision. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <troupe.h>

/* ---- a task that fails, and one that waits ---- */

struct part {
    int result;
};
TR_TASK(part, struct part, tr_nodrop);

static int part(struct part *p)
{
    return p->result;
}

struct patient {
    int *result;
};
TR_TASK(patient, struct patient, tr_nodrop);

static int patient(struct patient *p)
{
    *p->result = tr_sleep(tr_after(TR_S(60)));
    return *p->result;
}

/* ---- the two policies ---- */

static int fail_fast(void)
{
    int slept = 0;
    struct patient waits = { &slept };
    struct part fails = { -EIO };
    tr_scope s TR_CLEANUP(tr_scope_end) = tr_scope_open(NULL);
    int r;

    if ((r = patient_spawn(&s, &waits, NULL)) < 0 || (r = tr_sleep(tr_after(TR_S(1)))) < 0 ||
        (r = part_spawn(&s, &fails, NULL)) < 0)
        return r;
    r = tr_scope_join(&s, TR_NEVER);
    printf("fail-fast: the scope: %s\n", tr_strerror(r));
    printf("fail-fast: the sibling: %s\n", tr_strerror(slept));
    return 0;
}

static int collect(void)
{
    static const struct tr_scope_opts opts = { .name = "parts", .policy = TR_POLICY_COLLECT };
    struct part fails = { -EIO }, works = { 0 };
    tr_scope s TR_CLEANUP(tr_scope_end) = tr_scope_open(&opts);
    int r;

    if ((r = part_spawn(&s, &fails, NULL)) < 0 || (r = part_spawn(&s, &works, NULL)) < 0)
        return r;
    r = tr_scope_join(&s, TR_NEVER);
    printf("collect: the scope: %s, %zu failed\n", tr_strerror(r), tr_scope_failures(&s));
    return 0;
}

/* ---- one result, by a handle ---- */

static int one_result(tr_scope *root)
{
    struct part fails = { -ENOENT };
    tr_task t TR_CLEANUP(tr_task_close) = { 0 };
    int r = part_spawn(root, &fails, &(struct tr_task_opts){ .ret_task = &t });
    int result;

    if (r == 0)
        r = tr_task_join(&t, TR_NEVER, &result);
    if (r == 0)
        printf("handle: %s\n", tr_strerror(result));
    return r;
}

/* ---- restart ---- */

static int start(tr_scope *scope, void *arg)
{
    unsigned *n_start = arg; /* what outlives a failure stays with the caller */
    struct part p = { ++*n_start < 3 ? -EIO : 0 };

    return part_spawn(scope, &p, NULL);
}

static int restart(void)
{
    unsigned n_start = 0;
    int r = tr_supervise(&(struct tr_restart_opts){ .name = "flaky", .max_restart = 5 }, start,
                         &n_start, TR_NEVER);

    printf("supervise: %s, started %u times\n", tr_strerror(r), n_start);
    return r;
}

/* ---- the program ---- */

static void hook(enum tr_event_kind kind, const char *text, void *arg)
{
    (void)text; /* names the task and its failure */
    if (kind == TR_EVENT_FAILED)
        fputs("the hook is told of a failure\n", arg);
}

static int app(tr_scope *root, void *arg)
{
    int r;

    (void)arg;
    if ((r = fail_fast()) < 0 || (r = collect()) < 0 || (r = one_result(root)) < 0)
        return r;
    return restart();
}

int main(void)
{
    struct tr_runtime_opts opts = { .simulate = true }; /* the same output every time */

    tr_hook_set(hook, stdout);
    return tr_run_with(&opts, app, NULL) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
