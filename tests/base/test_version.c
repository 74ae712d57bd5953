/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <stdio.h>

#include <troupe/version.h>

#include "support/tr-test.h"

TR_SUITE(version);

TR_TEST(version, library_and_headers_agree)
{
    char text[32];

    snprintf(text, sizeof text, "%d.%d.%d", TR_VERSION_MAJOR, TR_VERSION_MINOR,
             TR_VERSION_MICRO);
    check_str(tr_version(), text);
}
