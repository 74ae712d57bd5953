/* SPDX-License-Identifier: MIT */
/*
 * test_handler_mailbox.c - what a handler's mailbox can be beyond a queue in which senders
 * wait: policies, an urgent lane, permits, no bound, a large ring; and weak references.
 */
#include "config.h"

#include <errno.h>

#include "chan/items.h"
#include "chan/step.h"
#include "mem/alloc.h"

struct book {
    struct book *self; /* NULL: empty */
};

static unsigned n_book_dropped, n_seen;
static uint32_t seen[N_ID];

static void book_drop(struct book *l)
{
    n_book_dropped += l->self != NULL;
}

TR_HANDLER(book, struct book, struct item, book_drop, item_drop);

static int book(struct book *self, struct item *m)
{
    (void)self;
    seen[n_seen++] = m->id;
    return 0;
}

TR_SUITE(handler_mailbox, .timeout = 20);

/* The test runs on the only worker: the handler has its turn when it yields or waits. */
static int start(tr_scope *s, const struct tr_handler_opts *opts, book_ref *ret)
{
    struct book l = { &l };
    int r = book_spawn(s, &l, opts, ret);

    check_eq(l.self == NULL, true, "consumed");
    return r;
}

static int send_id(book_ref *ref, uint32_t id)
{
    struct item m = item(id);
    int r = book_try_send(ref, &m);

    check_eq(m.id, r < 0 ? id : 0, "moved, or kept");
    return r;
}

static int send_urgent(book_ref *ref, uint32_t id)
{
    struct item m = item(id);
    int r = book_send_urgent(ref, &m);

    check_eq(m.id, r < 0 ? id : 0, "moved, or kept");
    return r;
}

/* Ends the handler by its last reference and looks what it had. */
static void finish(tr_scope *root, book_ref *ref, const uint32_t *ids, unsigned n)
{
    book_ref_close(ref);
    need_eq(tr_scope_join(root, TR_NEVER), 0);
    check_eq(n_seen, n);
    for (unsigned i = 0; i < n && i < n_seen; i++)
        check_eq(seen[i], ids[i]);
    check_eq(n_book_dropped, 1);
}
#define finish(root, ref, ...)                                                                 \
    finish(root, ref, (const uint32_t[]){ __VA_ARGS__ },                                       \
           sizeof((uint32_t[]){ __VA_ARGS__ }) / sizeof(uint32_t))

/* ---- policies ---- */

STEP_TEST(handler_mailbox, full_one_may_reject)
{
    const struct tr_handler_opts opts = { .capacity = 2, .overflow = TR_OVERFLOW_REJECT };
    struct item m = item(4);
    book_ref ref;

    need_eq(start(root, &opts, &ref), 0);
    check_eq(send_id(&ref, 1), 0);
    check_eq(send_id(&ref, 2), 0);
    check_eq(send_id(&ref, 3), -ENOBUFS);
    check_eq(book_send(&ref, &m, TR_NEVER), -ENOBUFS, "also where a send waits");
    finish(root, &ref, 1, 2);
    check_eq(n_dropped, 2u);
}

STEP_TEST(handler_mailbox, full_one_may_drop_the_newest)
{
    const struct tr_handler_opts opts = { .capacity = 2, .overflow = TR_OVERFLOW_DROP_NEWEST };
    book_ref ref;

    need_eq(start(root, &opts, &ref), 0);
    check_eq(send_id(&ref, 1), 0);
    check_eq(send_id(&ref, 2), 0);
    check_eq(send_id(&ref, 3), TR_SENT_DROPPED);
    check_eq(n_dropped_of[3], 1u);
    finish(root, &ref, 1, 2);
    check_eq(n_not_dropped_once(3), 0u);
}

STEP_TEST(handler_mailbox, full_one_may_drop_the_oldest)
{
    const struct tr_handler_opts opts = { .capacity = 2, .overflow = TR_OVERFLOW_DROP_OLDEST };
    struct tr_mpsc_counts n;
    book_ref ref;

    need_eq(start(root, &opts, &ref), 0);
    check_eq(send_id(&ref, 1), 0);
    check_eq(send_id(&ref, 2), 0);
    check_eq(send_id(&ref, 3), TR_SENT_EVICTED);
    book_ref_counts(&ref, &n);
    check_eq(n.n_sent, (uint64_t)3);
    check_eq(n.n_dropped, (uint64_t)1);
    finish(root, &ref, 2, 3);
    check_eq(n_not_dropped_once(3), 0u);
}

static bool same_tens(const void *a, const void *b)
{
    return ((const struct item *)a)->id / 10 == ((const struct item *)b)->id / 10;
}

STEP_TEST(handler_mailbox, newer_message_may_replace_the_one_of_its_key)
{
    const struct tr_handler_opts opts = { .capacity = 2,
                                          .overflow = TR_OVERFLOW_CONFLATE,
                                          .same = same_tens };
    book_ref ref;

    need_eq(start(root, &opts, &ref), 0);
    check_eq(send_id(&ref, 11), 0);
    check_eq(send_id(&ref, 21), 0);
    check_eq(send_id(&ref, 12), TR_SENT_REPLACED);
    check_eq(send_id(&ref, 31), TR_SENT_EVICTED, "the oldest is 12 in the place of 11");
    finish(root, &ref, 21, 31);
}

/* ---- the urgent lane ---- */

STEP_TEST(handler_mailbox, urgent_messages_overtake)
{
    const struct tr_handler_opts opts = { .capacity = 2, .n_urgent = 2 };
    book_ref ref;

    need_eq(start(root, &opts, &ref), 0);
    check_eq(send_id(&ref, 1), 0);
    check_eq(send_id(&ref, 2), 0);
    check_eq(send_id(&ref, 3), -EAGAIN);
    check_eq(send_urgent(&ref, 8), 0);
    check_eq(send_urgent(&ref, 9), 0);
    check_eq(send_urgent(&ref, 10), -EAGAIN);
    finish(root, &ref, 8, 9, 1, 2);
}

STEP_TEST(handler_mailbox, urgent_message_wakes_a_handler_that_sleeps)
{
    const struct tr_handler_opts opts = { .n_urgent = 1 };
    book_ref ref;

    need_eq(start(root, &opts, &ref), 0);
    check_eq(send_id(&ref, 1), 0);
    step_until(n_seen == 1);
    for (int i = 0; i < 8; i++)
        need_eq(tr_yield(), 0); /* it has gone to sleep by then */
    check_eq(send_urgent(&ref, 2), 0);
    step_until(n_seen == 2);
    check_eq(send_id(&ref, 3), 0);
    finish(root, &ref, 1, 2, 3);
}

STEP_TEST(handler_mailbox, plain_one_has_neither_lane_nor_places)
{
    book_permit permit = { { { 0 }, 0 } };
    book_ref ref;

    need_eq(start(root, NULL, &ref), 0);
    check_eq(send_urgent(&ref, 1), -EINVAL);
    check_eq(book_try_reserve(&ref, 1, &permit), -EINVAL);
    check_eq(book_closed(&ref, TR_NEVER), -EINVAL);
    check_eq(send_id(&ref, 2), 0);
    finish(root, &ref, 2);
}

/* ---- permits ---- */

STEP_TEST(handler_mailbox, permit_holds_a_place_and_the_handler)
{
    const struct tr_handler_opts opts = { .capacity = 2, .flags = TR_HANDLER_PERMITS };
    struct item m = item(1);
    book_permit permit;
    book_ref ref;

    need_eq(start(root, &opts, &ref), 0);
    need_eq(book_try_reserve(&ref, 2, &permit), 0);
    check_eq(send_id(&ref, 9), -EAGAIN);
    book_ref_close(&ref);
    for (int i = 0; i < 8; i++)
        need_eq(tr_yield(), 0);
    check_eq(n_book_dropped, 0, "the permit is a sender");
    check_eq(book_permit_send(&permit, &m), 0);
    book_permit_close(&permit);
    finish(root, &ref, 1);
}

STEP_TEST(handler_mailbox, sender_that_waits_for_places_is_served_by_the_handler)
{
    const struct tr_handler_opts opts = { .capacity = 2, .flags = TR_HANDLER_PERMITS };
    struct item m = item(3);
    book_permit permit;
    book_ref ref;

    need_eq(start(root, &opts, &ref), 0);
    check_eq(send_id(&ref, 1), 0);
    check_eq(send_id(&ref, 2), 0);
    need_eq(book_reserve(&ref, 2, TR_NEVER, &permit), 0);
    check_eq(n_seen, 2);
    check_eq(book_permit_send(&permit, &m), 0);
    book_permit_close(&permit);
    finish(root, &ref, 1, 2, 3);
}

STEP_TEST(handler_mailbox, sender_waits_for_the_end_of_the_handler)
{
    const struct tr_handler_opts opts = { .flags = TR_HANDLER_PERMITS };
    tr_scope s = tr_scope_open(NULL);
    book_ref ref;

    need_eq(start(&s, &opts, &ref), 0);
    check_eq(book_closed(&ref, TR_NOW), -ETIMEDOUT);
    tr_scope_cancel(&s);
    check_eq(book_closed(&ref, TR_NEVER), 0);
    check_eq(book_ref_is_closed(&ref), true);
    book_ref_close(&ref);
    tr_scope_end(&s);
}

/* ---- how much it holds ---- */

STEP_TEST(handler_mailbox, one_without_a_bound_holds_what_is_sent)
{
    const struct tr_handler_opts opts = { .capacity = TR_UNBOUNDED };
    book_ref ref;

    need_eq(start(root, &opts, &ref), 0);
    check_eq(book_ref_capacity(&ref), TR_UNBOUNDED);
    for (uint32_t id = 1; id <= 500; id++)
        check_eq(send_id(&ref, id), 0);
    book_ref_close(&ref);
    need_eq(tr_scope_join(root, TR_NEVER), 0);
    check_eq(n_seen, 500);
    for (uint32_t i = 0; i < n_seen; i++)
        check_eq(seen[i], i + 1);
    check_eq(n_not_dropped_once(500), 0u);
}

STEP_TEST(handler_mailbox, large_one_has_a_ring_beside_the_record)
{
    const struct tr_handler_opts opts = { .capacity = 2000, .name = "large" };
    book_ref ref;

    need_eq(start(root, &opts, &ref), 0);
    for (uint32_t id = 1; id <= 2000; id++)
        check_eq(send_id(&ref, id), 0);
    check_eq(send_id(&ref, 2001), -EAGAIN);
    book_ref_close(&ref);
    need_eq(tr_scope_join(root, TR_NEVER), 0);
    check_eq(n_seen, 2000);
    check_eq(n_not_dropped_once(2000), 0u);
}

/* ---- ends and failures, of each kind ---- */

static const struct tr_handler_opts kinds[] = {
    { .capacity = 4 },
    { .capacity = 4, .flags = TR_HANDLER_PERMITS },
    { .capacity = 4, .overflow = TR_OVERFLOW_DROP_OLDEST },
    { .capacity = 4, .n_urgent = 2 },
    { .capacity = TR_UNBOUNDED },
    { .capacity = 1000 },
};

STEP_TEST(handler_mailbox, cancelled_handler_drops_what_is_queued)
{
    for (size_t i = 0; i < TR_LEN(kinds); i++) {
        tr_scope s = tr_scope_open(NULL);
        book_ref ref;

        n_dropped = n_book_dropped = 0;
        need_eq(start(&s, &kinds[i], &ref), 0);
        for (uint32_t id = 1; id <= 3; id++)
            check_eq(send_id(&ref, id), 0);
        if (kinds[i].n_urgent > 0)
            check_eq(send_urgent(&ref, 4), 0);
        tr_scope_cancel(&s);
        tr_scope_end(&s);
        check_eq(n_dropped, kinds[i].n_urgent > 0 ? 4u : 3u);
        check_eq(n_book_dropped, 1);
        check_eq(send_id(&ref, 5), -EPIPE);
        book_ref_close(&ref);
    }
    check_eq(n_seen, 0);
}

STEP_TEST(handler_mailbox, without_memory_there_is_no_handler)
{
    unsigned n_failed = 0;

    for (size_t i = 0; i < TR_LEN(kinds); i++) {
        book_ref ref = { { 0 } };
        tr_scope s = tr_scope_open(NULL);

        n_book_dropped = 0;
        for (long nth = 1;; nth++) {
            int r;

            tri_mem_fail_at(nth);
            r = start(&s, &kinds[i], &ref);
            if (!tri_mem_has_failed()) {
                tri_mem_fail_at(0);
                need_eq(r, 0);
                break;
            }
            tri_mem_fail_at(0);
            if (r == 0)
                break; /* a failure that was made up for */
            check_eq(r, -ENOMEM);
            check_eq(++n_failed > 0 && n_book_dropped == (unsigned)nth, true);
        }
        book_ref_close(&ref);
        tr_scope_end(&s);
    }
    check_gt(n_failed, 2, "a lane, blocks, a ring");
}

STEP_TEST(handler_mailbox, options_that_contradict_each_other_are_refused)
{
    const struct tr_handler_opts wrong[] = {
        { .overflow = TR_OVERFLOW_CONFLATE },
        { .same = same_tens },
        { .capacity = TR_UNBOUNDED, .overflow = TR_OVERFLOW_REJECT },
        { .capacity = TR_UNBOUNDED, .n_urgent = 1 },
        { .capacity = ((size_t)1 << 31) + 1 },
        { .n_urgent = 65536 },
    };
    book_ref ref;

    for (size_t i = 0; i < TR_LEN(wrong); i++)
        check_eq(start(root, &wrong[i], &ref), -EINVAL);
    check_eq(n_book_dropped, TR_LEN(wrong));
}

/* ---- a handler that posts, and one that knows itself ---- */

struct poster {
    book_ref to;
};

static int post_result[2];

static void poster_drop(struct poster *p)
{
    book_ref_close(&p->to);
}

TR_HANDLER(poster, struct poster, struct item, poster_drop, item_drop);

static int poster(struct poster *self, struct item *m)
{
    struct item next = item(m->id + 1);

    post_result[0] = book_post(&self->to, m);
    post_result[1] = book_post(&self->to, &next);
    return 0;
}

STEP_TEST(handler_mailbox, post_is_told_what_the_policy_did)
{
    const struct tr_handler_opts opts = { .capacity = 1, .overflow = TR_OVERFLOW_DROP_NEWEST };
    struct item m = item(1);
    struct poster p;
    poster_ref ref;

    need_eq(start(root, &opts, &p.to), 0);
    need_eq(poster_spawn(root, &p, NULL, &ref), 0);
    need_eq(poster_try_send(&ref, &m), 0);
    poster_ref_close(&ref);
    need_eq(tr_scope_join(root, TR_NEVER), 0);
    check_eq(post_result[0], TR_SENT);
    check_eq(post_result[1], TR_SENT_DROPPED);
    check_eq(n_seen, 1);
    check_eq(n_not_dropped_once(2), 0u);
}

TR_HANDLER_REF(hermit, struct item, item_drop);

struct hermit {
    hermit_weak me;
};

static void hermit_drop(struct hermit *h)
{
    hermit_weak_close(&h->me);
    n_book_dropped++;
}

TR_HANDLER_BODY(hermit, struct hermit, struct item, hermit_drop);

static hermit_weak given;

/* Sends to itself by way of its weak reference. */
static int hermit(struct hermit *self, struct item *m)
{
    struct item next = item(m->id + 1);
    hermit_ref me;

    n_seen++;
    if (m->id > 1)
        return 0;
    self->me = given;
    given = (hermit_weak){ { 0 } };
    check_eq(hermit_weak_upgrade(&self->me, &me), 0);
    check_eq(hermit_try_send(&me, &next), 0);
    hermit_ref_close(&me);
    return 0;
}

STEP_TEST(handler_mailbox, handler_that_can_send_to_itself_ends_when_the_others_have_gone)
{
    struct hermit h = { { { 0 } } };
    struct item m = item(1);
    hermit_ref ref;

    need_eq(hermit_spawn(root, &h, NULL, &ref), 0);
    given = hermit_ref_downgrade(&ref);
    need_eq(hermit_try_send(&ref, &m), 0);
    step_until(n_seen == 2);
    check_eq(n_book_dropped, 0);
    hermit_ref_close(&ref);
    need_eq(tr_scope_join(root, TR_NEVER), 0);
    check_eq(n_book_dropped, 1);
}
