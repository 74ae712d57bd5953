/* SPDX-License-Identifier: MIT */
/* The version can be asked for by #if and at run time. */
#include <troupe/version.h>

#if !defined TR_VERSION_MAJOR || !defined TR_VERSION_MINOR || !defined TR_VERSION_MICRO
#error "version.h says no version"
#endif

#ifndef TR_BAD
#define TR_BAD 0
#endif

const char *use_version(void);

const char *use_version(void)
{
#if TR_BAD == 1
    return tr_version(TR_VERSION_MAJOR);
#else
    return tr_version();
#endif
}
