/* SPDX-License-Identifier: MIT */
/*
 * hello-delayq - leases that expire: prints "bob gave his back", "carol expired", "alice
 * expired". Shows a queue whose values become ready at their instants, and how one is put off
 * or taken out.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <troupe.h>

struct lease {
    const char *name;
};
TR_DELAYQ(expiries, struct lease, tr_nodrop);

static int add(expiries *q, const char *name, unsigned ms, tr_delay_key *ret_key)
{
    struct lease s = { name };

    return expiries_insert(q, &s, tr_after(TR_MS(ms)), ret_key);
}

static int hello(tr_scope *root, void *arg)
{
    expiries q TR_CLEANUP(expiries_free) = { 0 };
    tr_delay_key alice, bob, carol;
    struct lease s;
    int r;

    (void)root;
    (void)arg;
    if ((r = expiries_new(&q)) < 0 || (r = add(&q, "alice", 10, &alice)) < 0 ||
        (r = add(&q, "bob", 20, &bob)) < 0 || (r = add(&q, "carol", 30, &carol)) < 0)
        return r;
    if ((r = expiries_reset(&q, alice, tr_after(TR_MS(60)))) < 0) /* she is still there */
        return r;
    if ((r = expiries_remove(&q, bob, &s)) < 0)
        return r;
    printf("%s gave his back\n", s.name);
    while (expiries_len(&q) > 0 && (r = expiries_next(&q, TR_UNTIL_DRAIN, &s)) == 0)
        printf("%s expired\n", s.name);
    return r;
}

int main(void)
{
    return tr_run(hello, NULL) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
