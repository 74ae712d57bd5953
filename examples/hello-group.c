/* SPDX-License-Identifier: MIT */
/*
 * hello-group - pages are fetched by number, one fetch for each; a new wish replaces the old
 * one. Shows tasks with keys, and a local: what is fetched is named without being passed.
 */
#include <stdio.h>
#include <stdlib.h>

#include <troupe.h>

struct page {
    unsigned number, version;
    tr_time takes;
};

TR_LOCAL(work, struct page);

/* Knows whose work it is called for. */
static void report(const char *text)
{
    printf("page %u, version %u: %s\n", work_get()->number, work_get()->version, text);
}

TR_TASK(fetch, struct page, tr_nodrop);
TR_GROUP_TASK(fetch, struct page);

static int fetch(struct page *p)
{
    work_scope scope TR_CLEANUP(work_leave) = { 0 };
    int r;

    work_enter(&scope, p);
    r = tr_sleep(tr_after(p->takes));
    report(r < 0 ? "not wanted any more" : "fetched");
    return r;
}

static int hello(tr_scope *root, void *arg)
{
    struct page wishes[] = { { 1, 1, TR_S(60) }, { 2, 1, TR_MS(20) }, { 1, 2, TR_MS(80) } };
    tr_group g TR_CLEANUP(tr_group_end) = tr_group_open(NULL);
    tr_grouped done;
    int r = 0;

    (void)root, (void)arg;
    for (size_t i = 0; i < TR_LEN(wishes) && r == 0; i++) {
        r = fetch_spawn_as(&g, wishes[i].number, &wishes[i], NULL);
        if (r == 0)
            r = tr_sleep(tr_after(TR_MS(2))); /* the fetch begins */
    }
    while (r >= 0 && (r = tr_group_next(&g, TR_UNTIL_DRAIN, &done)) == 1)
        printf("%u is done, %zu left\n", (unsigned)done.key, tr_group_len(&g));
    return r;
}

int main(void)
{
    int r = tr_run(hello, NULL);

    if (r < 0)
        fprintf(stderr, "hello-group: %s\n", tr_strerror(r));
    return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
