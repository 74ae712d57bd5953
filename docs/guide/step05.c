/* SPDX-License-Identifier: MIT */
/* step05 - a word that changes while the program runs: configuration in a watch. */
#include <ctype.h>
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

/* Prints a line at once, and flushes 50 ms after the first one that was not flushed. */
static int printer(struct printer *p)
{
    enum { LINE, FLUSH, N_ARM };
    struct line l;
    tr_time flush_at = TR_NEVER;

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
            printf("%s\n", l.text);
            if (flush_at == TR_NEVER)
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
    struct line l;

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

/* ---- the program ---- */

/* The next value, made from the present one; called again if another sender was quicker. */
static int shout(const void *now, void *next, void *arg)
{
    const struct cfg *from = now;
    struct cfg *to = next;

    (void)arg;
    for (size_t i = 0; i < sizeof to->word; i++)
        to->word[i] = (char)toupper((unsigned char)from->word[i]);
    return 1; /* 0: nothing is to change */
}

static int app(tr_scope *root, void *arg)
{
    struct cfg day = { "hello" }, night = { "good night" };
    cfgw_tx cfg TR_CLEANUP(cfgw_tx_close) = { 0 };
    struct hub h TR_CLEANUP(hub_drop) = { 0 };
    struct printer p TR_CLEANUP(printer_drop) = { 0 };
    int r;

    if ((r = lineq_new(16, &h.out, &p.in)) < 0 || (r = cfgw_new(&day, &cfg, &h.cfg)) < 0 ||
        (r = printer_spawn(root, &p, NULL)) < 0 || (r = greet_all(arg, &h)) < 0 ||
        (r = cfgw_replace(&cfg, &night)) < 0 || (r = greet_all(arg, &h)) < 0)
        return r;
    if ((r = cfgw_modify(&cfg, shout, NULL)) < 0 || (r = greet_all(arg, &h)) < 0)
        return r;
    hub_drop(&h); /* the last sender: the printer ends */
    return tr_scope_join(root, TR_NEVER);
}

int main(int argc, char **argv)
{
    int r;

    setvbuf(stdout, NULL, _IOFBF, BUFSIZ); /* the printer says when */
    r = tr_run(app, argv + (argc > 0));

    if (r < 0)
        fprintf(stderr, "step05: %s\n", tr_strerror(r));
    return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
