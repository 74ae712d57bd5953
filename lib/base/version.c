/* SPDX-License-Identifier: MIT */
/* version.c - which troupe is loaded, as against the one whose headers were compiled. */
#include "config.h"

#include <troupe/version.h>

const char *tr_version(void)
{
    return PACKAGE_VERSION;
}
