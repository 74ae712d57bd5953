/* SPDX-License-Identifier: MIT */
/*
 * hello-handler - a counter without a stack: prints "1 + 2 + 3 = 6".
 * Shows a state, a function that is run once for each message, and a reply by oneshot.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <troupe.h>

TR_ONESHOT(sum, long, tr_nodrop);

struct ctr {
    long n;
};

struct ctr_msg {
    enum { CTR_ADD, CTR_GET } op;
    long by;
    sum_tx reply; /* of CTR_GET */
};

static void ctr_msg_drop(struct ctr_msg *m)
{
    sum_tx_close(&m->reply);
}
TR_HANDLER(ctr, struct ctr, struct ctr_msg, tr_nodrop, ctr_msg_drop);

/* May not wait; what it leaves in *m is dropped afterwards. */
static int ctr(struct ctr *self, struct ctr_msg *m)
{
    long n;
    int r = 0;

    switch (m->op) {
    case CTR_ADD:
        self->n += m->by;
        break;
    case CTR_GET:
        n = self->n;
        r = sum_send(&m->reply, &n);
        break;
    }
    return r == -EPIPE ? 0 : r; /* whoever asked may have gone: no failure of ours */
}

static int hello(tr_scope *root, void *arg)
{
    struct ctr zero = { 0 };
    struct ctr_msg get TR_CLEANUP(ctr_msg_drop) = { .op = CTR_GET };
    ctr_ref ref TR_CLEANUP(ctr_ref_close) = { 0 };
    sum_rx rx TR_CLEANUP(sum_rx_close) = { 0 };
    long n;
    int r;

    (void)arg;
    r = ctr_spawn(root, &zero, NULL, &ref);
    for (long i = 1; r == 0 && i <= 3; i++) {
        struct ctr_msg add = { .op = CTR_ADD, .by = i };

        r = ctr_send(&ref, &add, TR_NEVER);
    }
    if (r < 0 || (r = sum_new(&get.reply, &rx)) < 0 ||
        (r = ctr_send(&ref, &get, TR_NEVER)) < 0 || (r = sum_recv(&rx, TR_NEVER, &n)) < 0)
        return r;
    printf("1 + 2 + 3 = %ld\n", n);
    return 0;
}

int main(void)
{
    int r = tr_run(hello, NULL);

    if (r < 0)
        fprintf(stderr, "hello-handler: %s\n", tr_strerror(r));
    return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
