/* SPDX-License-Identifier: MIT */
/* test_line.c - the buffer of what was read ahead. */
#include "config.h"

#include <string.h>

#include "io/line.h"
#include "support/tr-test.h"

static struct tri_line l;

static void put(const char *text)
{
    size_t room, n = strlen(text);
    char *at = tri_line_room(&l, n + 1, &room);

    need(at);
    need_ge(room, n);
    memcpy(at, text, n);
    tri_line_add(&l, n);
}

static void drop(void)
{
    tri_line_free(&l);
}

TR_SUITE(line, .fini = drop);

TR_TEST(line, empty_buffer_holds_nothing)
{
    char c;

    check_eq(tri_line_len(&l), 0u);
    check_eq(tri_line_find(&l, 10), 0u);
    check_eq(tri_line_take(&l, &c, 1), 0u);
    check_eq(l.text, NULL, "nothing is allocated before it is needed");
}

TR_TEST(line, each_line_is_found_once)
{
    char got[8];

    put("a\nbc\n\nd");
    check_eq(tri_line_find(&l, 100), 2u);
    check_eq(tri_line_find(&l, 100), 2u, "looking takes nothing");
    check_eq(tri_line_take(&l, got, 2), 2u);
    check_eq(tri_line_find(&l, 100), 3u);
    check_eq(tri_line_take(&l, got, 3), 3u);
    check_eq(tri_line_find(&l, 100), 1u);
    check_eq(tri_line_take(&l, got, 1), 1u);
    check_eq(tri_line_find(&l, 100), 0u);
    check_eq(tri_line_len(&l), 1u);
}

TR_TEST(line, newline_behind_the_limit_is_not_found_and_not_forgotten)
{
    put("abcdef\n");
    check_eq(tri_line_find(&l, 6), 0u);
    check_eq(tri_line_find(&l, 7), 7u);
}

TR_TEST(line, taking_before_the_newline_keeps_it)
{
    char got[8];

    put("abc");
    check_eq(tri_line_find(&l, 10), 0u);
    put("d\n");
    check_eq(tri_line_take(&l, got, 2), 2u);
    check_eq(tri_line_find(&l, 10), 3u);
}

TR_TEST(line, buffer_grows_to_the_size_asked_for_and_keeps_its_bytes)
{
    static char big[20000], got[20000];

    memset(big, 'x', sizeof big - 1);
    put("start\n");
    for (size_t done = 0, room; done < sizeof big; done += room) {
        char *at = tri_line_room(&l, sizeof big + 6, &room);

        need(at);
        need_gt(room, 0u);
        if (room > sizeof big - done)
            room = sizeof big - done;
        memcpy(at, big + done, room);
        tri_line_add(&l, room);
    }
    check_le(l.cap, sizeof big + 6);
    check_eq(tri_line_take(&l, got, 6), 6u);
    check_eq(memcmp(got, "start\n", 6), 0);
    check_eq(tri_line_take(&l, got, sizeof got), sizeof got);
    check_eq(memcmp(got, big, sizeof big), 0);
}
