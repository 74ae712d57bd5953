/* SPDX-License-Identifier: MIT */
/* error.c - one text for each code, with the meaning it has in troupe. */
#include "config.h"

#include <errno.h>
#include <string.h>

#include <troupe/runtime.h>

static const struct {
    int error;
    const char *text;
} texts[] = {
    { 0, "success" },
    { EPIPE, "the other side is closed (EPIPE)" },
    { EAGAIN, "it would have to wait (EAGAIN)" },
    { ETIMEDOUT, "the deadline has passed (ETIMEDOUT)" },
    { ECANCELED, "cancelled (ECANCELED)" },
    { ESHUTDOWN, "draining or stopped (ESHUTDOWN)" },
    { ENOBUFS, "refused by a limit (ENOBUFS)" },
    { ESTALE, "values were lost to lag (ESTALE)" },
    { EPERM, "not allowed here (EPERM)" },
    { EDEADLK, "it would wait for itself (EDEADLK)" },
    { EOWNERDEAD, "the owner is gone (EOWNERDEAD)" },
    { EINVAL, "invalid argument (EINVAL)" },
    { ENOMEM, "out of memory (ENOMEM)" },
};

const char *tr_strerror(int error)
{
    const char *text;

    error = error < 0 ? -error : error;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (texts[i].error == error)
            return texts[i].text;
    text = strerrordesc_np(error); /* constant strings: no buffer, no lock */
    return text ? text : "unknown error";
}
