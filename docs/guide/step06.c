/* SPDX-License-Identifier: MIT */
/* step06 - ask the printer a question; a oneshot in the message carries the answer. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <troupe.h>

/* ---- the printer ---- */

TR_ONESHOT(count, unsigned, tr_nodrop);

struct line {
    enum { PRINT, COUNT } op;
    char text[64];
    count_tx reply; /* of COUNT: how many lines were printed? */
};

static void line_drop(struct line *l)
{
    count_tx_close(&l->reply); /* the asker gets -EPIPE */
}
TR_MPSC(lineq, struct line, line_drop);

struct printer {
    lineq_rx in;
};

static void printer_drop(struct printer *p)
{
    lineq_rx_close(&p->in);
}
TR_TASK(printer, struct printer, printer_drop);

/* Does what *@l asks for. Returns true if it has printed. */
static bool obey(struct line *l, unsigned *n)
{
    unsigned answer = *n; /* a send empties what it sends */

    if (l->op == COUNT) {
        if (count_tx_is_closed(&l->reply))
            return false; /* nobody wants it any more: no work for it */
        if (count_send(&l->reply, &answer) == -EPIPE)
            fprintf(stderr, "step06: the asker has not waited for the answer\n");
        return false;
    }
    printf("%s\n", l->text);
    ++*n;
    return true;
}

/* Prints a line at once, and flushes 50 ms after the first one that was not flushed. */
static int printer(struct printer *p)
{
    enum { LINE, FLUSH, N_ARM };
    struct line l = { 0 };
    tr_time flush_at = TR_NEVER;
    unsigned n = 0;

    for (;;) {
        tr_arm arms[N_ARM] = {
            [LINE] = lineq_recv_arm(&p->in, &l),
            [FLUSH] = tr_deadline_arm(flush_at), /* TR_NEVER: disabled */
        };
        int i = tr_select(TR_NEVER, arms, N_ARM);

        switch (i) {
        case LINE:
            if (arms[LINE].result < 0)
                return arms[LINE].result == -EPIPE ? 0 : arms[LINE].result;
            if (obey(&l, &n) && flush_at == TR_NEVER)
                flush_at = tr_after(TR_MS(50));
            break;
        case FLUSH:
            fflush(stdout);
            flush_at = TR_NEVER;
            break;
        default:
            return i;
        }
    }
}

/* ---- what everybody shares ---- */

struct cfg {
    char word[32];
};
TR_WATCH(cfgw, struct cfg, tr_nodrop);

/* What every greeter gets a clone of. */
struct hub {
    lineq_tx out;
    cfgw_rx cfg;
};

static void hub_drop(struct hub *h)
{
    lineq_tx_close(&h->out);
    cfgw_rx_close(&h->cfg);
}

static struct hub hub_clone(const struct hub *h)
{
    return (struct hub){ lineq_tx_clone(&h->out), cfgw_rx_clone(&h->cfg) };
}

/* ---- a greeter ---- */

struct greet {
    const char *name;
    struct hub hub;
};

static void greet_drop(struct greet *g)
{
    hub_drop(&g->hub);
}
TR_TASK(greet, struct greet, greet_drop);

static int greet(struct greet *g)
{
    const struct cfg *k = cfgw_get(&g->hub.cfg); /* valid until the next call on the end */
    struct line l = { .op = PRINT };

    if (g->name[0] == '\0')
        return -EINVAL;
    snprintf(l.text, sizeof l.text, "%s, %.24s", k->word, g->name);
    return lineq_send(&g->hub.out, &l, TR_NEVER);
}

static int greet_all(const char *const *names, const struct hub *h)
{
    tr_scope s TR_CLEANUP(tr_scope_end) = tr_scope_open(NULL);
    int r = 0;

    for (; *names && r == 0; names++) {
        struct greet g = { *names, hub_clone(h) };

        r = greet_spawn(&s, &g, NULL); /* consumes g, and the ends in it */
    }
    return r < 0 ? r : tr_scope_join(&s, TR_NEVER);
}

/* ---- a question ---- */

static int ask_count(lineq_tx *to, unsigned *ret_n)
{
    struct line question TR_CLEANUP(line_drop) = { .op = COUNT };
    count_rx answer TR_CLEANUP(count_rx_close) = { 0 };
    tr_time deadline = tr_after(TR_S(1));
    int r;

    if ((r = count_new(&question.reply, &answer)) < 0 ||
        (r = lineq_send(to, &question, deadline)) < 0)
        return r;
    r = count_recv(&answer, deadline, ret_n);
    if (!count_rx_is_done(&answer))
        fprintf(stderr, "step06: no answer yet, but one may come\n");
    return r;
}

/* ---- the program ---- */

static int app(tr_scope *root, void *arg)
{
    struct cfg day = { "hello" }, night = { "good night" };
    cfgw_tx cfg TR_CLEANUP(cfgw_tx_close) = { 0 };
    struct hub h TR_CLEANUP(hub_drop) = { 0 };
    struct printer p TR_CLEANUP(printer_drop) = { 0 };
    unsigned n;
    int r;

    if ((r = lineq_new(16, &h.out, &p.in)) < 0 || (r = cfgw_new(&day, &cfg, &h.cfg)) < 0 ||
        (r = printer_spawn(root, &p, NULL)) < 0 || (r = greet_all(arg, &h)) < 0 ||
        (r = cfgw_replace(&cfg, &night)) < 0 || (r = greet_all(arg, &h)) < 0 ||
        (r = ask_count(&h.out, &n)) < 0)
        return r;
    fprintf(stderr, "step06: %u lines\n", n);
    hub_drop(&h); /* the last sender: the printer ends */
    return tr_scope_join(root, TR_NEVER);
}

int main(int argc, char **argv)
{
    int r;

    setvbuf(stdout, NULL, _IOFBF, BUFSIZ); /* the printer says when */
    r = tr_run(app, argv + (argc > 0));

    if (r < 0)
        fprintf(stderr, "step06: %s\n", tr_strerror(r));
    return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
