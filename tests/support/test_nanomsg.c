/* SPDX-License-Identifier: MIT */
/*
 * nng exports nanomsg's names too. If it came first, Criterion would run over it, with a dozen
 * threads in every test whose signals are not blocked.
 */
#include "config.h"

#include <dlfcn.h>
#include <string.h>

#include "support/tr-test.h"

TR_SUITE(nanomsg);

#ifdef HAVE_NNG
TR_TEST(nanomsg, nng_is_loaded_too)
{
    check_ne(dlsym(RTLD_DEFAULT, "nng_aio_reap"), NULL, "or the other test proves nothing");
}
#endif

TR_TEST(nanomsg, criterion_speaks_through_nanomsg_and_not_through_nng)
{
    void *nn_socket = dlsym(RTLD_DEFAULT, "nn_socket");
    Dl_info info;

    need_ne(nn_socket, NULL);
    need_ne(dladdr(nn_socket, &info), 0);
    check(strstr(info.dli_fname, "nanomsg") != NULL, info.dli_fname);
}
