/* SPDX-License-Identifier: MIT */
/* step03 - many senders, one receiver: the greeters send their lines to a printer. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <troupe.h>

/* ---- the printer ---- */

struct line {
    char text[64];
};
TR_MPSC(lineq, struct line, tr_nodrop);

struct printer {
    lineq_rx in;
};

static void printer_drop(struct printer *p)
{
    lineq_rx_close(&p->in);
}
TR_TASK(printer, struct printer, printer_drop);

static int printer(struct printer *p)
{
    struct line l;
    int r;

    while ((r = lineq_recv(&p->in, TR_NEVER, &l)) == 0)
        puts(l.text);
    return r == -EPIPE ? 0 : r; /* every sender has gone: done */
}

/* ---- a greeter ---- */

struct greet {
    const char *name;
    lineq_tx out;
};

static void greet_drop(struct greet *g)
{
    lineq_tx_close(&g->out);
}
TR_TASK(greet, struct greet, greet_drop);

static int greet(struct greet *g)
{
    struct line l;

    if (g->name[0] == '\0')
        return -EINVAL;
    snprintf(l.text, sizeof l.text, "hello, %s", g->name);
    return lineq_send(&g->out, &l, TR_NEVER);
}

static int greet_all(const char *const *names, const lineq_tx *out)
{
    tr_scope s TR_CLEANUP(tr_scope_end) = tr_scope_open(NULL);
    int r = 0;

    for (; *names && r == 0; names++) {
        struct greet g = { *names, lineq_tx_clone(out) };

        r = greet_spawn(&s, &g, NULL); /* consumes g, and the end in it */
    }
    return r < 0 ? r : tr_scope_join(&s, TR_NEVER);
}

/* ---- the program ---- */

static int app(tr_scope *root, void *arg)
{
    lineq_tx out TR_CLEANUP(lineq_tx_close) = { 0 };
    struct printer p TR_CLEANUP(printer_drop) = { 0 };
    int r;

    if ((r = lineq_new(16, &out, &p.in)) < 0 || (r = printer_spawn(root, &p, NULL)) < 0 ||
        (r = greet_all(arg, &out)) < 0)
        return r;
    lineq_tx_close(&out); /* the last sender: the printer ends */
    return tr_scope_join(root, TR_NEVER);
}

int main(int argc, char **argv)
{
    int r = tr_run(app, argv + (argc > 0));

    if (r < 0)
        fprintf(stderr, "step03: %s\n", tr_strerror(r));
    return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
