/* SPDX-License-Identifier: MIT */
/*
 * hello-scope - one of two tasks fails, the other is cancelled, and the scope tells why.
 * Shows that nothing outlives its scope: when the join returns, both have cleaned up.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <troupe.h>

struct patient {
    const char *name;
};

static void patient_drop(struct patient *p)
{
    printf("%s: cleaned up\n", p->name);
}
TR_TASK(patient, struct patient, patient_drop);

static int patient(struct patient *p)
{
    int r = tr_sleep(TR_NEVER);

    printf("%s: %s\n", p->name, r == -ECANCELED ? "cancelled" : "woken?");
    return r;
}

struct clumsy {
    int error;
};
TR_TASK(clumsy, struct clumsy, tr_nodrop);

static int clumsy(struct clumsy *c)
{
    int r = tr_sleep(tr_after(TR_MS(10)));

    return r < 0 ? r : c->error;
}

static int hello(tr_scope *root, void *arg)
{
    struct patient p = { "patient" };
    struct clumsy c = { -EIO };
    tr_scope both TR_CLEANUP(tr_scope_end) = tr_scope_open(NULL); /* the default: fail-fast */
    int r;

    (void)root, (void)arg;
    if ((r = patient_spawn(&both, &p, NULL)) < 0 || (r = clumsy_spawn(&both, &c, NULL)) < 0)
        return r;
    r = tr_scope_join(&both, TR_NEVER);
    printf("scope: %s\n", r == -EIO ? "clumsy failed, nothing is left" : tr_strerror(r));
    return 0;
}

int main(void)
{
    int r = tr_run(hello, NULL);

    if (r < 0)
        fprintf(stderr, "hello-scope: %s\n", tr_strerror(r));
    return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
