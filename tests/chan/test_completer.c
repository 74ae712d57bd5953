/* SPDX-License-Identifier: MIT */
/* test_completer.c - callbacks that come early, late, twice, never, and from any thread. */
#include "config.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "chan/step.h"
#include "mem/alloc.h"

TR_SUITE(completer, .races = true, .timeout = 30);

static atomic_uint n_dropped;

struct page {
    char *text;
};

static void page_drop(struct page *p)
{
    atomic_fetch_add(&n_dropped, p->text != NULL);
    free(p->text);
}

TR_ONESHOT(page, struct page, page_drop);
TR_COMPLETER(page, struct page);

static struct page page_of(const char *text)
{
    return (struct page){ strdup(text) };
}

static void *token_for(page_rx *rx)
{
    page_tx tx;
    void *token = NULL;

    check_eq(page_new(&tx, rx), 0);
    check_eq(page_completer(&tx, &token), 0);
    check_eq(tx.end.cell, NULL, "it moved");
    check_ne(token, NULL);
    return token;
}

TR_TEST(completer, an_empty_end_is_refused)
{
    page_tx tx = { { NULL } };
    void *token;

    check_eq(page_completer(&tx, &token), -EINVAL);
    check_eq(page_completer(NULL, &token), -EINVAL);
    check_eq(page_complete(NULL, NULL), -EINVAL);
}

TR_TEST(completer, without_memory_the_end_stays)
{
    page_tx tx;
    page_rx rx;
    void *token = NULL;
    int r = -ENOMEM;

    need_eq(page_new(&tx, &rx), 0);
    for (unsigned k = 1; r == -ENOMEM; k++) {
        tri_mem_fail_at(k);
        r = page_completer(&tx, &token);
        if (r == -ENOMEM)
            check_ne(tx.end.cell, NULL);
        tri_mem_fail_at(0);
    }
    check_eq(r, 0);
    check_eq(tr_completer_close(token), 0);
    page_rx_close(&rx);
}

STEP_TEST(completer, the_first_call_wins_and_the_second_is_counted)
{
    page_rx rx;
    void *token = token_for(&rx);
    struct page a = page_of("a"), b = page_of("b"), got = { NULL };
    unsigned long late = tr_completer_n_late();

    check_eq(page_complete(token, &a), 0, "before the library's function has returned");
    check_eq(a.text, NULL);
    check_eq(page_complete(token, &b), -EALREADY);
    check_eq(b.text, NULL);
    check_eq(n_dropped, 1);
    check_eq(tr_completer_n_late(), late + 1);
    check_eq(page_recv(&rx, TR_NEVER, &got), 0);
    check_eq(got.text[0], 'a');
    page_drop(&got);
    page_rx_close(&rx);
}

STEP_TEST(completer, a_call_after_the_receiver_has_gone_drops)
{
    page_rx rx;
    void *token = token_for(&rx);
    struct page a = page_of("a"), got;

    check_eq(page_recv(&rx, tr_after(TR_MS(1)), &got), -ETIMEDOUT, "it never came");
    page_rx_close(&rx);
    check_eq(page_complete(token, &a), -EPIPE);
    check_eq(n_dropped, 1);
    check_eq(tr_completer_close(token), -EALREADY);
}

STEP_TEST(completer, a_stale_token_does_not_hit_the_next_one)
{
    page_rx first, second;
    void *old = token_for(&first), *token;
    struct page a = page_of("a"), got = { NULL };

    check_eq(tr_completer_close(old), 0);
    check_eq(page_recv(&first, TR_NEVER, &got), -EPIPE);
    token = token_for(&second);
    check_ne(token, old);
    check_eq(page_complete(old, &a), -EALREADY);
    check_eq(page_try_recv(&second, &got), -EAGAIN);
    check_eq(tr_completer_close(token), 0);
    page_rx_close(&first);
    page_rx_close(&second);
}

/* A library whose thread calls back, twice. */
static void *library_thread(void *token)
{
    for (unsigned i = 0; i < 2; i++) {
        struct page p = page_of("late");

        if (page_complete(token, &p) == 0)
            continue;
    }
    return NULL;
}

STEP_TEST(completer, threads_race_and_one_wins)
{
    for (unsigned i = 0; i < 200; i++) {
        struct page got = { NULL };
        pthread_t thread[2];
        page_rx rx;
        void *token = token_for(&rx);

        for (unsigned k = 0; k < 2; k++)
            need_eq(pthread_create(&thread[k], NULL, library_thread, token), 0);
        check_eq(page_recv(&rx, tr_after(TR_S(20)), &got), 0);
        check_eq(got.text[0], 'l');
        free(got.text);
        for (unsigned k = 0; k < 2; k++)
            pthread_join(thread[k], NULL);
        page_rx_close(&rx);
    }
    check_eq(n_dropped, 200 * 3);
}
