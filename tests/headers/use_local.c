/* SPDX-License-Identifier: MIT */
/* use_local.c - values of a piece of work, and what the compiler must refuse. */
#include <troupe.h>

struct request {
    int n;
};

TR_LOCAL(request, struct request);
TR_LOCAL(user, int);

int use_local(struct request *rq);

int use_local(struct request *rq)
{
    request_scope in TR_CLEANUP(request_leave) = { { NULL, NULL, NULL } };
#if TR_BAD == 1
    int n = 0;

    request_enter(&in, &n);
#elif TR_BAD == 2
    user_scope other;

    request_enter(&other, rq);
#elif TR_BAD == 3
    int *n = request_get();

    request_enter(&in, rq);
    return *n;
#else
    request_enter(&in, rq);
#endif
    return request_get()->n + (user_get() ? *user_get() : 0);
}
