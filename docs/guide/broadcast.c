/* SPDX-License-Identifier: MIT */
/* broadcast - every reader gets every headline; one of them is slow. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <troupe.h>

struct headline {
    char *text;
};

static void headline_drop(struct headline *h)
{
    free(h->text);
    h->text = NULL;
}

static int headline_clone(struct headline *copy, const struct headline *h)
{
    copy->text = strdup(h->text);
    return copy->text ? 0 : -ENOMEM;
}
TR_BROADCAST(news, struct headline, headline_clone, headline_drop);

struct reader {
    const char *name;
    news_rx rx;
};

static void reader_drop(struct reader *r)
{
    news_rx_close(&r->rx);
}
TR_TASK(reader, struct reader, reader_drop);

static int reader(struct reader *me)
{
    struct headline h TR_CLEANUP(headline_drop) = { NULL };
    int r;

    while ((r = news_recv(&me->rx, TR_NEVER, &h)) == 0) {
        printf("%s: %s\n", me->name, h.text);
        headline_drop(&h);
    }
    return r == -EPIPE ? 0 : r; /* the paper has closed */
}

static int print(news_tx *tx, const char *text)
{
    struct headline h TR_CLEANUP(headline_drop) = { strdup(text) };

    if (!h.text)
        return -ENOMEM;
    return news_send(tx, &h, TR_NEVER); /* moved; on failure it is dropped here */
}

static int subscribe(tr_scope *s, const news_tx *tx, const char *name)
{
    struct reader arg = { .name = name };
    int r = news_subscribe(tx, 0, &arg.rx);

    return r < 0 ? r : reader_spawn(s, &arg, NULL);
}

/* ---- nobody misses anything ---- */

static int patient_paper(void)
{
    tr_scope s TR_CLEANUP(tr_scope_end) = tr_scope_open(NULL);
    news_tx tx TR_CLEANUP(news_tx_close) = { 0 };
    int r;

    if ((r = news_new(2, TR_BROADCAST_WAIT, &tx, NULL)) < 0 ||
        (r = subscribe(&s, &tx, "ada")) < 0 || (r = subscribe(&s, &tx, "grace")) < 0 ||
        (r = print(&tx, "rain")) < 0 || (r = print(&tx, "more rain")) < 0 ||
        (r = print(&tx, "sun")) < 0)
        return r;
    news_tx_close(&tx);
    return tr_scope_join(&s, TR_NEVER);
}

/* ---- nobody waits for the slow ---- */

static int hasty_paper(void)
{
    news_tx tx TR_CLEANUP(news_tx_close) = { 0 };
    news_rx slow TR_CLEANUP(news_rx_close) = { 0 };
    struct headline h TR_CLEANUP(headline_drop) = { NULL };
    int r;

    if ((r = news_new(2, 0, &tx, &slow)) < 0 || (r = print(&tx, "one")) < 0 ||
        (r = print(&tx, "two")) < 0 || (r = print(&tx, "three")) < 0)
        return r;
    r = news_recv(&slow, TR_NOW, &h);
    if (r == -ESTALE)
        printf("slow: %d lost\n", (int)news_lost(&slow));
    r = news_recv(&slow, TR_NOW, &h);
    if (r == 0)
        printf("slow: %s\n", h.text);
    return r;
}

static int root(tr_scope *scope, void *arg)
{
    int r = patient_paper();

    (void)scope;
    (void)arg;
    return r < 0 ? r : hasty_paper();
}

int main(void)
{
    return tr_run(root, NULL) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
