/* SPDX-License-Identifier: MIT */
/*
 * examples.c - the EXAMPLE of each man page, with what it leaves out around it. make check
 * compiles it, and check-man.sh proves that every line of an example is here, in its order.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include <troupe.h>

struct part {
    int unused;
};
TR_MPSC(q, struct part, tr_nodrop);
TR_MPSC(jobq, struct part, tr_nodrop);

/* ---- tr_task(3), tr_main(3) ---- */

struct conn { tr_sock s; };
static void conn_drop(struct conn *c) { tr_sock_close(&c->s); }
TR_TASK(conn, struct conn, conn_drop);

static int conn(struct conn *c)
{
    char line[80];
    ssize_t n = tr_read_line(&c->s, line, sizeof line, TR_UNTIL_DRAIN);

    return n < 0 ? (int)n : 0;       /* conn_drop() closes the socket */
}

static int conn_open(tr_scope *scope, tr_sock *s, void *arg)
{
    struct conn c = { *s };

    (void)arg;
    *s = (tr_sock){ 0 };
    return conn_spawn(scope, &c, NULL);
}

static int app(tr_scope *root, int argc, char **argv)
{
    tr_scope conns TR_CLEANUP(tr_scope_end) = tr_scope_open(NULL);
    tr_sock listener = { 0 };
    int hub = argc, r;

    if ((r = tr_tcp_listen(argv[1], NULL, &listener)) < 0)
        return r;
    r = tr_serve(&listener, &conns, NULL, conn_open, &hub, TR_UNTIL_DRAIN);
    return r < 0 ? r : tr_scope_drain(root, tr_after(TR_S(3)));
}

int main(int argc, char **argv)
{
    return tr_main("echod", app, argc, argv);
}

/* ---- tr_handler(3), tr_oneshot(3) ---- */

TR_ONESHOT(count, unsigned, tr_nodrop);
struct question { count_tx reply; };
TR_MPSC(questions, struct question, tr_nodrop);

int ask(questions_tx tx, tr_time deadline);
int ask(questions_tx tx, tr_time deadline)
{
    int r;
    struct question q = { { { 0 } } };
    count_rx answer TR_CLEANUP(count_rx_close) = { 0 };
    unsigned n;

    if ((r = count_new(&q.reply, &answer)) == 0 &&
        (r = questions_send(&tx, &q, deadline)) == 0)
        r = count_recv(&answer, deadline, &n);
    return r;
}

TR_ONESHOT(total, unsigned long, tr_nodrop);
struct ctr_msg;
static void ctr_msg_drop(struct ctr_msg *m);

struct ctr     { unsigned long n, n_unheard; };
struct ctr_msg { enum { CTR_ADD, CTR_GET } op; total_tx reply; };
TR_HANDLER(ctr, struct ctr, struct ctr_msg, tr_nodrop, ctr_msg_drop);

static int ctr(struct ctr *self, struct ctr_msg *m)
{
    unsigned long answer = self->n;

    switch (m->op) {
    case CTR_ADD:
        self->n++;
        return 0;
    case CTR_GET:
        if (total_send(&m->reply, &answer) < 0)
            self->n_unheard++;
        return 0;
    }
    return -EINVAL;
}

static void ctr_msg_drop(struct ctr_msg *m)
{
    total_tx_close(&m->reply);
}

/* ---- tr_mpsc(3) ---- */

struct tally { unsigned bytes; };
TR_MPSC(statq, struct tally, tr_nodrop);

int queue(void);
int queue(void)
{
    int r;
    statq_tx tx;
    statq_rx rx;
    struct tally t = { 80 };

    r = statq_new(64, &tx, &rx);
    r = statq_send(&tx, &t, TR_NEVER);          /* t is moved, and zero */
    r = statq_recv(&rx, TR_UNTIL_DRAIN, &t);
    return r;
}

/* ---- tr_run(3), tr_signal(3), tr_sock(3), tr_time(3) ---- */

int simulate(tr_run_fn *test);
int simulate(tr_run_fn *test)
{
    int r;
    struct tr_runtime_opts opts = { .simulate = true, .seed = 7 };

    r = tr_run_with(&opts, test, NULL);
    return r;
}

int hangups(void (*reload)(void));
int hangups(void (*reload)(void))
{
    int r;

    while ((r = tr_signal_wait(SIGHUP, TR_UNTIL_DRAIN)) == 0)
        reload();
    return r;
}

ssize_t fetch_line(void);
ssize_t fetch_line(void)
{
    char line[80];
    int r;
    ssize_t n;
    tr_sock s TR_CLEANUP(tr_sock_close) = { 0 };

    r = tr_tcp_connect("localhost:7878", tr_after(TR_S(5)), &s);
    n = tr_printf(&s, tr_after(TR_S(5)), "GET / HTTP/1.0\r\n\r\n");
    n = tr_read_line(&s, line, sizeof line, tr_after(TR_S(5)));
    return r < 0 ? r : n;
}

int deadlines(q_rx rx);
int deadlines(q_rx rx)
{
    struct part m;
    int r;

    r = q_recv(&rx, tr_after(TR_MS(5)), &m);                    /* 5 ms */
    r = q_recv(&rx, TR_UNTIL_DRAIN, &m);                        /* until drain */
    r = q_recv(&rx, tr_until_drain(tr_after(TR_S(30))), &m);    /* both */
    return r;
}

/* ---- troupe(7), whose main() is shown under another name ---- */

struct greet {
    const char *name;
};
#define app  greet_app
#define main greet_main
int main(void);
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
    return tr_run(app, NULL) < 0;
}
#undef app
#undef main

/* ---- tr_scope(3), tr_select(3) ---- */

TR_TASK(fetch, struct part, tr_nodrop);
static int fetch(struct part *p)
{
    return p->unused;
}

int fetch_both(struct part a, struct part b);
int fetch_both(struct part a, struct part b)
{
    int r;
    tr_scope s TR_CLEANUP(tr_scope_end) = tr_scope_open(NULL);

    if ((r = fetch_spawn(&s, &a, NULL)) < 0 || (r = fetch_spawn(&s, &b, NULL)) < 0)
        return r;                        /* cancels what was spawned, and joins */
    return tr_scope_join(&s, TR_NEVER);
}

int job_or_tick(jobq_rx jobs, tr_time next_tick);
int job_or_tick(jobq_rx jobs, tr_time next_tick)
{
    struct part job;
    int r;
    enum { JOB, TICK, N_ARM };
    tr_arm arms[N_ARM] = {
        [JOB] = jobq_recv_arm(&jobs, &job),
        [TICK] = tr_deadline_arm(next_tick),
    };

    switch (r = tr_select(TR_UNTIL_DRAIN, arms, N_ARM)) {
    case JOB:
        if (arms[JOB].result < 0)
            return arms[JOB].result;
        return 1;
    case TICK:
        return 2;
    default:
        return r;
    }
}

/* ---- tr_supervise(3), tr_watch(3) ---- */

struct teller {
    int *book;
};
TR_TASK(teller, struct teller, tr_nodrop);
static int teller(struct teller *t)
{
    return ++*t->book;
}

static int teller_start(tr_scope *scope, void *arg)
{
    struct teller t = { .book = arg };    /* borrowed */

    return teller_spawn(scope, &t, NULL);
}

int keep_count(int book);
int keep_count(int book)
{
    int r;

    r = tr_supervise(&(struct tr_restart_opts){ .name = "teller" }, teller_start, &book,
                     TR_NEVER);
    return r;
}

struct cfg {
    char prefix[32];
};
#define cfg_drop tr_nodrop

TR_WATCH(cfgw, struct cfg, cfg_drop);

int config(struct cfg first, struct cfg next);
int config(struct cfg first, struct cfg next)
{
    int r;
    cfgw_tx tx;
    cfgw_rx rx;

    r = cfgw_new(&first, &tx, &rx);
    r = cfgw_replace(&tx, &next);
    printf("%s\n", cfgw_get(&rx)->prefix);
    r = cfgw_changed(&rx, TR_UNTIL_DRAIN);
    return r;
}

/* ---- tr_select_set(3) ---- */

struct peer {
    jobq_rx jobs;
    struct part job;
    uint64_t key;
};

int serve_peers(struct peer *peer, unsigned n);

int serve_peers(struct peer *peer, unsigned n)
{
    int r;
    tr_select_set set TR_CLEANUP(tr_select_set_close) = { NULL };
    struct tr_selected got;
    tr_arm arm;

    if ((r = tr_select_set_new(&set)) < 0)
        return r;
    for (unsigned i = 0; i < n; i++) {
        arm = jobq_recv_arm(&peer[i].jobs, &peer[i].job);
        r = tr_select_set_add(&set, &arm, 0, &peer[i], &peer[i].key);
        if (r < 0)
            return r;
    }
    while ((r = tr_select_set_wait(&set, TR_UNTIL_DRAIN, &got)) == 0)
        if (got.result < 0) /* this peer has gone */
            tr_select_set_remove(&set, got.key);
    return r;
}

/* ---- tr_future(3) ---- */

struct timer {
    tr_future future;
    pthread_mutex_t lock;
    bool over;
    tr_waker waiter;
};

static bool timer_poll(tr_future *f, const tr_waker *waker)
{
    struct timer *t = (struct timer *)f;
    bool over;

    pthread_mutex_lock(&t->lock);
    if (waker)
        t->waiter = *waker;
    over = t->over;
    pthread_mutex_unlock(&t->lock);
    return over;
}

int await_timer(struct timer *t);

int await_timer(struct timer *t)
{
    t->future.poll = timer_poll;
    return tr_await(&t->future, TR_NEVER);
}

/* ---- tr_completer(3) ---- */

struct page {
    char *text;
};

static void page_drop(struct page *p)
{
    free(p->text);
}

TR_ONESHOT(page, struct page, page_drop);
TR_COMPLETER(page, struct page);

static void on_page(void *token, char *text) /* the library's callback */
{
    struct page p = { text };

    page_complete(token, &p);
}

int fetch_page(void (*library)(void (*callback)(void *token, char *text), void *token));

int fetch_page(void (*library)(void (*callback)(void *token, char *text), void *token))
{
    page_tx tx;
    page_rx rx TR_CLEANUP(page_rx_close) = { 0 };
    struct page p TR_CLEANUP(page_drop) = { NULL };
    void *token;
    int r;

    if ((r = page_new(&tx, &rx)) < 0)
        return r;
    if ((r = page_completer(&tx, &token)) < 0) {
        page_tx_close(&tx);
        return r;
    }
    library(on_page, token);
    return page_recv(&rx, tr_after(TR_S(5)), &p);
}
