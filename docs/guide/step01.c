/* SPDX-License-Identifier: MIT */
/* step01 - a task says hello. */
#include <stdio.h>
#include <stdlib.h>

#include <troupe.h>

struct greet {
    const char *name;
};
TR_TASK(greet, struct greet, tr_nodrop);

static int greet(struct greet *g)
{
    printf("hello, %s\n", g->name);
    return 0;
}

static int app(tr_scope *root, void *arg)
{
    struct greet g = { "world" };
    int r = greet_spawn(root, &g, NULL);

    (void)arg;
    return r < 0 ? r : tr_scope_join(root, TR_NEVER);
}

int main(void)
{
    int r = tr_run(app, NULL);

    if (r < 0)
        fprintf(stderr, "step01: %s\n", tr_strerror(r));
    return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
