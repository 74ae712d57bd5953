/* SPDX-License-Identifier: MIT */
/* test_address.c - the texts that name an end point. */
#include "config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "io/address.h"
#include "support/tr-test.h"

TR_SUITE(address);

/* "host|port", or the error's number. */
static const char *parsed(const char *text)
{
    static char out[TRI_HOST_BYTES + 16];
    struct tri_address_text p;
    int r = tri_address_parse(text, &p);

    if (r < 0)
        snprintf(out, sizeof out, "%d", r == -EINVAL ? -1 : r);
    else
        snprintf(out, sizeof out, "%s|%u", p.host, ntohs(p.port));
    return out;
}

TR_TEST(address, good_texts)
{
    check_str(parsed("127.0.0.1:7878"), "127.0.0.1|7878");
    check_str(parsed("[::1]:80"), "::1|80");
    check_str(parsed("localhost:0"), "localhost|0");
    check_str(parsed(":65535"), "|65535");
    check_str(parsed("example.org:http"), "example.org|80");
}

TR_TEST(address, texts_that_are_no_address)
{
    static char long_host[TRI_HOST_BYTES + 8];
    /* clang-format off */
    static const char *const bad[] = {
        "", ":", "localhost", "127.0.0.1", "::1:80", "[::1]", "[::1]80", "[]:80", "[::1:80",
        "[localhost]:80", "a:65536", "a:-1", "a:+1", "a: 1", "a:80x", "a:no-such-service",
        "a:99999999999999999999", "1:2:3",
    };
    /* clang-format on */

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        check_str(parsed(bad[i]), "-1", bad[i]);
    check_str(parsed(NULL), "-1");
    memset(long_host, 'a', TRI_HOST_BYTES);
    strcpy(long_host + TRI_HOST_BYTES, ":80");
    check_str(parsed(long_host), "-1");
}

/* The addresses of @text as text, separated by blanks; or the error's name. */
static const char *local(const char *text, bool passive)
{
    static char out[256];
    struct tri_address_text p;
    struct tri_addresses l;
    char one[64];
    int r = tri_address_parse(text, &p);

    if (r == 0)
        r = tri_address_local(&p, passive, &l);
    out[0] = '\0';
    for (unsigned i = 0; r == 0 && i < l.n; i++) {
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;

        memcpy(&v4, &l.list[i].at, sizeof v4);
        memcpy(&v6, &l.list[i].at, sizeof v6);
        check_eq(ntohs(v4.sin_port), 80);
        if (l.list[i].at.ss_family == AF_INET)
            inet_ntop(AF_INET, &v4.sin_addr, one, sizeof one);
        else
            inet_ntop(AF_INET6, &v6.sin6_addr, one, sizeof one);
        strcat(strcat(out, out[0] ? " " : ""), one);
    }
    return r == -EAGAIN ? "name" : r < 0 ? "bad" : out;
}

TR_TEST(address, numbers_and_this_machine_need_no_look_up)
{
    check_str(local("10.1.2.3:80", false), "10.1.2.3");
    check_str(local("[2001:db8::1]:80", false), "2001:db8::1");
    check_str(local("[::1%lo]:80", false), "::1");
    check_str(local("localhost:80", true), "127.0.0.1 ::1");
    check_str(local(":80", true), ":: 0.0.0.0");
    check_str(local(":80", false), "127.0.0.1 ::1");
}

TR_TEST(address, names_and_broken_numbers_are_told_apart)
{
    check_str(local("example.org:80", false), "name");
    check_str(local("10.1.2:80", false), "bad");
    check_str(local("10.1.2.300:80", false), "bad");
    check_str(local("[::g]:80", false), "bad");
    check_str(local("[::1%no-such-zone]:80", false), "bad");
}

TR_TEST(address, resolver_knows_this_machine)
{
    struct tri_address_text p;
    struct tri_addresses l;

    need_eq(tri_address_parse("localhost:80", &p), 0);
    need_eq(tri_address_resolve(&p, &l), 0);
    check_gt(l.n, 0u);
    check_le(l.n, (unsigned)TRI_ADDRESS_MAX);
}
