/* SPDX-License-Identifier: MIT */
/* step10 - a daemon that stops gracefully on SIGTERM. */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

/* ---- the tally ---- */

TR_ONESHOT(count, unsigned, tr_nodrop);

struct tally {
    unsigned n;
};

struct tally_msg {
    enum { TALLY_ADD, TALLY_GET } op;
    count_tx reply; /* of TALLY_GET */
};

static void tally_msg_drop(struct tally_msg *m)
{
    count_tx_close(&m->reply); /* not answered: the asker gets -EPIPE */
}
TR_HANDLER(tally, struct tally, struct tally_msg, tr_nodrop, tally_msg_drop);

/* Runs once for each message; may not wait. What it leaves in *m is dropped. */
static int tally(struct tally *self, struct tally_msg *m)
{
    unsigned answer = self->n; /* a send empties what it sends */

    switch (m->op) {
    case TALLY_ADD:
        self->n++;
        return 0;
    case TALLY_GET:
        if (count_send(&m->reply, &answer) == -EPIPE)
            fprintf(stderr, "step10: the asker has not waited for the answer\n");
        return 0;
    }
    return -EINVAL;
}

static int ask_count(tally_ref *to, unsigned *ret_n)
{
    struct tally_msg question TR_CLEANUP(tally_msg_drop) = { .op = TALLY_GET };
    count_rx answer TR_CLEANUP(count_rx_close) = { 0 };
    tr_time deadline = tr_after(TR_S(1));
    int r;

    if ((r = count_new(&question.reply, &answer)) < 0 ||
        (r = tally_send(to, &question, deadline)) < 0)
        return r;
    return count_recv(&answer, deadline, ret_n);
}

/* ---- the reader, a plain thread ---- */

struct guest {
    char name[25];
};
TR_MPSC(guestq, struct guest, tr_nodrop);

struct reader {
    FILE *file;
    guestq_tx out;
};

static void *reader_main(void *arg)
{
    struct reader *rd = arg;
    struct guest g;

    while (fgets(g.name, sizeof g.name, rd->file)) {
        g.name[strcspn(g.name, "\n")] = '\0';
        if (guestq_blocking_send(&rd->out, &g, TR_NEVER) < 0)
            break; /* -EPIPE: nobody wants names any more */
    }
    guestq_tx_close(&rd->out);
    return NULL;
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
    tally_ref tally;
};

static void hub_drop(struct hub *h)
{
    lineq_tx_close(&h->out);
    cfgw_rx_close(&h->cfg);
    tally_ref_close(&h->tally);
}

static struct hub hub_clone(const struct hub *h)
{
    return (struct hub){ lineq_tx_clone(&h->out), cfgw_rx_clone(&h->cfg),
                         tally_ref_clone(&h->tally) };
}

/* ---- a greeter ---- */

struct greet {
    struct guest guest;
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
    struct tally_msg one = { .op = TALLY_ADD };
    struct line l;
    int r;

    snprintf(l.text, sizeof l.text, "%s, %s", k->word, g->guest.name);
    r = lineq_send(&g->hub.out, &l, TR_NEVER);
    return r < 0 ? r : tally_send(&g->hub.tally, &one, TR_NEVER);
}

/* Greets whom the reader finds, until it has no more. */
static int greet_all(guestq_rx *guests, const struct hub *h)
{
    tr_scope s TR_CLEANUP(tr_scope_end) = tr_scope_open(NULL);
    struct guest guest;
    int r;

    while ((r = guestq_recv(guests, TR_UNTIL_DRAIN, &guest)) == 0) {
        struct greet g = { guest, hub_clone(h) };

        r = greet_spawn(&s, &g, NULL); /* consumes g, and the ends in it */
        if (r < 0)
            return r;
    }
    return r == -EPIPE ? tr_scope_join(&s, TR_NEVER) : r;
}

static int greet_file(const char *path, const struct hub *h)
{
    struct reader rd = { .file = fopen(path, "re") };
    guestq_rx guests TR_CLEANUP(guestq_rx_close) = { 0 };
    pthread_t thread;
    int r;

    if (!rd.file)
        return -errno;
    r = guestq_new(4, &rd.out, &guests);
    if (r == 0)
        r = -pthread_create(&thread, NULL, reader_main, &rd);
    if (r == 0) {
        r = greet_all(&guests, h);
        guestq_rx_close(&guests);   /* its next send fails, so the thread ends */
        pthread_join(thread, NULL); /* holds the worker, but not for long */
    }
    guestq_tx_close(&rd.out);
    fclose(rd.file);
    return r;
}

/* ---- a connection ---- */

struct conn {
    tr_sock s;
    struct hub hub;
};

static void conn_drop(struct conn *c)
{
    tr_sock_close(&c->s);
    hub_drop(&c->hub);
}
TR_TASK(conn, struct conn, conn_drop);

/* A name on each line; straight line, conn_drop() covers every way out. */
static int conn(struct conn *c)
{
    char name[64];
    ssize_t n = 0, r;

    while (!tr_self_is_draining() &&
           (n = tr_read_line(&c->s, name, sizeof name, tr_until_drain(tr_after(TR_S(60))))) >
               0) {
        struct tally_msg one = { .op = TALLY_ADD };

        name[strcspn(name, "\r\n")] = '\0';
        if ((r = tr_printf(&c->s, tr_after(TR_S(5)), "%s, %s\n", cfgw_get(&c->hub.cfg)->word,
                           name)) < 0 ||
            (r = tally_send(&c->hub.tally, &one, TR_NEVER)) < 0)
            return (int)r;
    }
    if (n < 0 && n != -ESHUTDOWN && n != -ETIMEDOUT)
        return (int)n;
    return tr_sock_finish(&c->s, tr_after(TR_MS(200))) == -ECANCELED ? -ECANCELED : 0;
}

static int conn_open(tr_scope *conns, tr_sock *s, void *arg)
{
    struct conn c = { *s, hub_clone(arg) };

    *s = (tr_sock){ 0 }; /* moved into c, which spawn consumes */
    return conn_spawn(conns, &c, NULL);
}

static int serve(const char *address, struct hub *h)
{
    static const struct tr_scope_opts opts = { .name = "conns", .policy = TR_POLICY_COLLECT };
    tr_sock listener TR_CLEANUP(tr_sock_close) = { 0 };
    tr_scope conns TR_CLEANUP(tr_scope_end) = tr_scope_open(&opts);
    int r = tr_tcp_listen(address, NULL, &listener);

    if (r < 0)
        return r;
    fprintf(stderr, "step10: listening on port %d\n", tr_sock_port(&listener));
    r = tr_serve(&listener, &conns, NULL, conn_open, h, TR_UNTIL_DRAIN);
    return r < 0 ? r : tr_scope_drain(&conns, tr_after(TR_S(3))); /* lines are finished */
}

/* ---- the program ---- */

static int app(tr_scope *root, int argc, char **argv)
{
    struct cfg file = { "hello" }, net = { "welcome" };
    cfgw_tx cfg TR_CLEANUP(cfgw_tx_close) = { 0 };
    struct hub h TR_CLEANUP(hub_drop) = { 0 };
    struct printer p TR_CLEANUP(printer_drop) = { 0 };
    struct tally zero = { 0 };
    unsigned n;
    int r;

    if (argc != 3)
        return -EINVAL;
    if ((r = lineq_new(16, &h.out, &p.in)) < 0 || (r = cfgw_new(&file, &cfg, &h.cfg)) < 0 ||
        (r = printer_spawn(root, &p, NULL)) < 0 ||
        (r = tally_spawn(root, &zero, NULL, &h.tally)) < 0 ||
        (r = greet_file(argv[1], &h)) < 0 || (r = cfgw_replace(&cfg, &net)) < 0 ||
        (r = serve(argv[2], &h)) < 0 || (r = ask_count(&h.tally, &n)) < 0)
        return r;
    fprintf(stderr, "step10: %u greetings\n", n);
    hub_drop(&h); /* the last senders: printer and tally end */
    return tr_scope_join(root, TR_NEVER);
}

int main(int argc, char **argv)
{
    setvbuf(stdout, NULL, _IOFBF, BUFSIZ); /* the printer says when */
    return tr_main("step10", app, argc, argv);
}
