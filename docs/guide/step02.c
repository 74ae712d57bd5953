/* SPDX-License-Identifier: MIT */
/* step02 - a scope of several tasks: all of them, or the first failure. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <troupe.h>

enum { GUESTS_MAX = 8 };

struct text {
    char chars[64];
};

struct greet {
    const char *name;
    struct text *text; /* borrowed */
};
TR_TASK(greet, struct greet, tr_nodrop);

static int greet(struct greet *g)
{
    if (g->name[0] == '\0')
        return -EINVAL;
    snprintf(g->text->chars, sizeof g->text->chars, "hello, %s", g->name);
    return 0;
}

static int greet_all(const char *const *names, int n)
{
    struct text texts[GUESTS_MAX];
    tr_scope s TR_CLEANUP(tr_scope_end) = tr_scope_open(NULL); /* after what its tasks borrow */
    int r = 0;

    for (int i = 0; i < n && r == 0; i++) {
        struct greet g = { names[i], &texts[i] };

        r = greet_spawn(&s, &g, NULL);
    }
    if (r == 0)
        r = tr_scope_join(&s, TR_NEVER);
    for (int i = 0; i < n && r == 0; i++)
        puts(texts[i].chars);
    return r;
}

static int app(tr_scope *root, void *arg)
{
    const char *const *names = arg;
    int n = 0;

    (void)root;
    while (n < GUESTS_MAX && names[n])
        n++;
    return greet_all(names, n);
}

int main(int argc, char **argv)
{
    int r = tr_run(app, argv + (argc > 0));

    if (r < 0)
        fprintf(stderr, "step02: %s\n", tr_strerror(r));
    return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
