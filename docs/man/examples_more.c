/* SPDX-License-Identifier: MIT */
/*
 * examples_more.c - as examples.c: the pages on combinators, on broadcasts and permits, and on
 * what is shared between actors.
 */
#include <errno.h>
#include <stdio.h>

#include <troupe.h>

struct part {
    int unused;
};

/* ---- tr_scope(3) ---- */

TR_TASK(fetch, struct part, tr_nodrop);
static int fetch(struct part *p)
{
    return p->unused;
}

int fetch_both(struct part a, struct part b);
int fetch_few(struct part *item, unsigned n);

int fetch_both(struct part a, struct part b)
{
    int r;
    tr_scope s TR_CLEANUP(tr_scope_end) = tr_scope_open(NULL);

    if ((r = fetch_spawn(&s, &a, NULL)) < 0 || (r = fetch_spawn(&s, &b, NULL)) < 0)
        return r;                        /* cancels what was spawned, and joins */
    return tr_scope_join(&s, TR_NEVER);
}

int fetch_few(struct part *item, unsigned n)
{
    unsigned i; int r;
    struct tr_scope_opts few = { .max_children = 8 };
    tr_scope s TR_CLEANUP(tr_scope_end) = tr_scope_open(&few);

    for (i = 0; i < n; i++)
        if ((r = tr_scope_room(&s, TR_NEVER)) < 0 ||
            (r = fetch_spawn(&s, &item[i], NULL)) < 0)
            break;
    return tr_scope_join(&s, TR_NEVER);
}

/* ---- tr_ask(3) ---- */

TR_REPLY(product, long);

struct request {
    long a, b;
    product reply;
};
static void request_drop(struct request *q)
{
    product_close(&q->reply);
}
TR_MPSC(requestq, struct request, request_drop);
TR_ASK(requestq, requestq_tx, struct request, reply, product);

int multiply(requestq_tx tx, long *ret);
int multiply(requestq_tx tx, long *ret)
{
    long c = 0;
    int r;

    struct request q = { .a = 6, .b = 7 };

    r = requestq_ask(&tx, &q, tr_after(TR_S(1)), &c);
    *ret = c;
    if (r < 0)
        return r;

    requestq_question asked TR_CLEANUP(requestq_ask_end) = { { NULL } };

    if ((r = requestq_ask_begin(&tx, &q, TR_NEVER, &c, &asked)) < 0)
        return r;
    tr_arm arms[] = { requestq_ask_arm(&asked), tr_deadline_arm(tr_after(TR_S(1))) };
    r = tr_select(TR_UNTIL_DRAIN, arms, TR_LEN(arms));
    return r;
}

/* ---- tr_barrier(3) ---- */

static tr_barrier all_done, reported;

static void compute(int *part, unsigned step)
{
    *part += (int)step;
}

static void report(unsigned step)
{
    printf("step %u\n", step);
}

int compute_steps(int *part, unsigned n_step);
int compute_steps(int *part, unsigned n_step)
{
    int r;

    for (unsigned step = 0; step < n_step; step++) {
        compute(part, step);
        if ((r = tr_barrier_wait(&all_done, TR_NEVER)) < 0)
            return r;
        if (r == 1)
            report(step);
        if ((r = tr_barrier_wait(&reported, TR_NEVER)) < 0)
            return r;
    }
    return 0;
}

/* ---- tr_broadcast(3) ---- */

int show_all(void);

struct event { uint64_t id; };
TR_BROADCAST(news, struct event, tr_copy, tr_nodrop);

static void show(const struct event *e) { printf("%llu\n", (unsigned long long)e->id); }
int show_all(void)
{
    news_tx tx TR_CLEANUP(news_tx_close) = { 0 };
    news_rx rx TR_CLEANUP(news_rx_close) = { 0 };
    struct event e; int r;

    r = news_new(1024, 0, &tx, NULL);
    if (r < 0)
        return r;
    r = news_subscribe(&tx, 0, &rx);
    if (r < 0)
        return r;
    while ((r = news_recv(&rx, TR_UNTIL_DRAIN, &e)) == 0 || r == -ESTALE)
        if (r == -ESTALE)
            printf("%llu lost\n", (unsigned long long)news_lost(&rx));
        else
            show(&e);
    return r;
}

/* ---- tr_delayq(3) ---- */

struct name { char text[16]; };

static void forget(struct name *name)
{
    printf("%s\n", name->text);
}

TR_DELAYQ(expiries, struct name, tr_nodrop);

int forget_all(expiries q);
int forget_all(expiries q)
{
    struct name name; int r;

    while ((r = expiries_next(&q, TR_UNTIL_DRAIN, &name)) == 0)
        forget(&name);
    return r;
}

/* ---- tr_interval(3) ---- */

static void sample(void)
{
    printf("now\n");
}

int sample_often(void);
int sample_often(void)
{
    int r;
    tr_interval every;

    if ((r = tr_interval_init(&every, TR_NOW, TR_S(10), TR_MISSED_SKIP)) < 0)
        return r;
    while ((r = tr_interval_tick(&every, TR_UNTIL_DRAIN, NULL)) == 0)
        sample();
    return r;
}

/* ---- tr_mpsc_permit(3) ---- */

TR_MPSC(statq, struct part, tr_nodrop);

static struct part take_from_the_socket(void)
{
    return (struct part){ 1 };
}

int send_two(statq_tx tx);
int send_two(statq_tx tx)
{
    struct part first;
    int r;
    statq_permit two TR_CLEANUP(statq_permit_close) = { 0 };

    if ((r = statq_reserve(&tx, 2, TR_UNTIL_DRAIN, &two)) < 0)
        return r;
    first = take_from_the_socket();            /* nothing is lost from here on */
    r = statq_permit_send(&two, &first);
    return r;
}

/* ---- tr_mutex(3) ---- */

struct account { long sum; };

static int move_and_log(struct account *from, struct account *to)
{
    to->sum += from->sum;
    from->sum = 0;
    return 0;
}

static tr_mutex lock = TR_MUTEX_INIT;

static int transfer(struct account *from, struct account *to)
{
    tr_mutex *held TR_CLEANUP(tr_mutex_drop) = NULL;
    int r = tr_mutex_lock(&lock, tr_after(TR_S(1)));

    if (r < 0)
        return r;
    held = &lock;
    return move_and_log(from, to);               /* waits for the disk */
}

int transfer_back(struct account *a, struct account *b);
int transfer_back(struct account *a, struct account *b)
{
    return transfer(b, a);
}

/* ---- tr_notify(3) ---- */

struct job { struct job *next; };
struct queue { struct job *first; tr_notify filled; };

static struct job *queue_pop(struct queue *q)
{
    struct job *j = q->first;

    q->first = j ? j->next : NULL;
    return j;
}

static void work_on(struct job *j)
{
    j->next = NULL;
}

static int consumer(struct queue *q)             /* the only one */
{
    struct job *j;
    int r;

    for (;;) {
        while ((j = queue_pop(q)) == NULL)
            if ((r = tr_notify_wait(&q->filled, TR_UNTIL_DRAIN)) < 0)
                return r;
        work_on(j);
    }
}

int consume(struct queue *q);
int consume(struct queue *q)
{
    return consumer(q);
}

/* ---- tr_once(3) ---- */

static int table_read(const char *path, tr_time deadline, void **ret_value)
{
    (void)deadline;
    *ret_value = (void *)(uintptr_t)path;
    return 0;
}

static tr_once table = TR_ONCE_INIT;

static int load_table(void *arg, void **ret_value)
{
    return table_read(arg, tr_after(TR_S(5)), ret_value);
}

int get_table(char *path, void **ret);
int get_table(char *path, void **ret)
{
    void *t;
    int r;

    if ((r = tr_once_get_or_init(&table, load_table, path, TR_UNTIL_DRAIN, &t)) < 0)
        return r;
    *ret = t;
    return 0;
}

/* ---- tr_rwlock(3) ---- */

struct routes { tr_rwlock lock; };

static int walk(struct routes *routes, int (*visit)(struct routes *routes))
{
    return visit(routes);
}

int walk_routes(struct routes *routes, int (*visit)(struct routes *routes), tr_time deadline);
int walk_routes(struct routes *routes, int (*visit)(struct routes *routes), tr_time deadline)
{
    int r;
    tr_rwlock *held TR_CLEANUP(tr_rwlock_read_drop) = NULL;

    if ((r = tr_rwlock_read_lock(&routes->lock, deadline)) < 0)
        return r;
    held = &routes->lock;
    r = walk(routes, visit);                         /* visit may wait */
    return r;
}

/* ---- tr_semaphore(3) ---- */

struct page { int n; };

static int fetch_now(struct page *p)
{
    return p->n;
}

static tr_semaphore slots = TR_SEMAPHORE_INIT(4);

int fetch_page(struct page *p);
static int fetch_slot(struct page *p);
int fetch_page(struct page *p)
{
    return fetch_slot(p);
}

static int fetch_slot(struct page *p)            /* four at a time */
{
    tr_permit slot TR_CLEANUP(tr_permit_release) = { 0 };
    int r = tr_semaphore_acquire(&slots, 1, TR_UNTIL_DRAIN);

    if (r < 0)
        return r;
    slot = tr_permit_of(&slots, 1);
    return fetch_now(p);
}

/* ---- tr_tracker(3) ---- */

static tr_tracker guests = TR_TRACKER_INIT;

struct visit { tr_member member; };
static void visit_drop(struct visit *v) { tr_member_leave(&v->member); }
TR_TASK(visit, struct visit, visit_drop);

static int visit(struct visit *v)
{
    (void)v;
    return 0;
}

static int admit(tr_scope *anywhere)
{
    struct visit v = { tr_tracker_enter(&guests) };

    return visit_spawn(anywhere, &v, NULL);
}

int party(tr_scope *root);
static int see_them_off(void)
{
    return tr_tracker_join(&guests, tr_after(TR_S(3)));
}

int party(tr_scope *root)
{
    int r = admit(root);

    return r < 0 ? r : see_them_off();
}

/* ---- tr_group(3) ---- */

struct page_id { unsigned n; };

TR_TASK(refresh, struct page_id, tr_nodrop);
TR_GROUP_TASK(refresh, struct page_id);

static int refresh(struct page_id *p)
{
    return (int)p->n;
}

int refresh_pages(struct page_id *wanted, size_t n);
static int refresh_all(struct page_id *wanted, size_t n)
{
    tr_group g TR_CLEANUP(tr_group_end) = tr_group_open(NULL);
    tr_grouped done;
    int r = 0;

    for (size_t i = 0; i < n && r == 0; i++)     /* the latest wish for a page wins */
        r = refresh_spawn_as(&g, wanted[i].n, &wanted[i], NULL);
    while (r >= 0 && (r = tr_group_next(&g, TR_UNTIL_DRAIN, &done)) == 1)
        printf("%lu: %d\n", (unsigned long)done.key, done.ended.result);
    return r;
}

int refresh_pages(struct page_id *wanted, size_t n)
{
    return refresh_all(wanted, n);
}

/* ---- tr_local(3) ---- */

struct caller { const char *name; };
TR_LOCAL(caller, struct caller);

static void note(const char *text)              /* far below */
{
    printf("%s: %s\n", caller_get() ? caller_get()->name : "-", text);
}

int serve_one_caller(struct caller *c);
static int serve_caller(struct caller *c)
{
    caller_scope in TR_CLEANUP(caller_leave) = { 0 };

    caller_enter(&in, c);
    note("is served");
    return tr_sleep(tr_after(TR_MS(1)));
}

int serve_one_caller(struct caller *c)
{
    return serve_caller(c);
}

int main(void)
{
    return 0;
}
