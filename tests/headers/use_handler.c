/* SPDX-License-Identifier: MIT */
/*
 * use_handler.c - a handler's mailbox with all it can have, and what the compiler must refuse.
 */
#include <troupe.h>

struct job {
    unsigned n;
};

struct state {
    unsigned sum;
};

TR_HANDLER_REF(worker, struct job, tr_nodrop);
TR_HANDLER_REF(other, struct job, tr_nodrop);
TR_HANDLER_BODY(worker, struct state, struct job, tr_nodrop);

static int worker(struct state *self, struct job *m)
{
    self->sum += m->n;
    return 0;
}

static bool same_job(const void *a, const void *b)
{
    return ((const struct job *)a)->n == ((const struct job *)b)->n;
}

int use_handler(tr_scope *scope, struct state *self, other_ref *wrong, struct job *m);

int use_handler(tr_scope *scope, struct state *self, other_ref *wrong, struct job *m)
{
    struct tr_handler_opts opts = { NULL, 0, 0, TR_OVERFLOW_WAIT, NULL, 0 };
    worker_permit p = { { { NULL, 0 }, 0 } };
    worker_ref ref = { { NULL, 0 } };
    tr_arm arm;
    int r;

    opts.capacity = 4;
    opts.flags = TR_HANDLER_PERMITS;
    opts.overflow = TR_OVERFLOW_CONFLATE;
    opts.same = same_job;
    opts.n_urgent = 2;
#if TR_BAD == 1
    opts.same = use_handler;
#endif
    r = worker_spawn(scope, self, &opts, &ref);
#if TR_BAD == 2
    r = worker_try_reserve(wrong, 1, &p);
#elif TR_BAD == 3
    r = worker_permit_send(&ref, m);
#elif TR_BAD == 4
    r = worker_send_urgent(&ref, self);
#endif
    if (r == 0)
        r = worker_send_urgent(&ref, m);
    if (r == 0)
        r = worker_reserve(&ref, 1, TR_NEVER, &p);
    if (r == 0)
        r = worker_permit_send(&p, m);
    arm = worker_closed_arm(&ref);
    if (r == 0)
        r = tr_select(TR_NEVER, &arm, 1);
    worker_permit_close(&p);
    worker_ref_close(&ref);
    other_ref_close(wrong);
    return r;
}
