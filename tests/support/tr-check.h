/* SPDX-License-Identifier: MIT */
/*
 * tr-check.h - the assertions of the tests. They work in any thread and on the small stack of a
 * task: a failure is printed at once and counted, nothing jumps.
 *
 *     check(ok);                    goes on after a failure; gives whether it held
 *     check_eq(n, 3, "of message"); also _ne _lt _le _gt _ge, for integers and pointers
 *     check_str(s, "text");         the texts are equal
 *     need(ok); need_eq(n, 3); ...  the same, and leave the function, which must return void
 *     test_skip("why");             leaves the function; the test counts as skipped
 *
 * The arguments are evaluated once. A text after them is printed with the failure. Integers are
 * compared by value, whatever their types: -1 is less than 0u.
 */
#ifndef TR_CHECK_H
#define TR_CHECK_H

#include <stdbool.h>
#include <stdint.h>

enum tri_kind { TRI_SIGNED, TRI_UNSIGNED, TRI_POINTER };
enum tri_op { TRI_EQ, TRI_NE, TRI_LT, TRI_LE, TRI_GT, TRI_GE };

struct tri_value {
    enum tri_kind kind;
    union {
        intmax_t i;
        uintmax_t u;
        const volatile void *p;
    };
};

/* The place of a check in the text of the test. */
struct tri_place {
    const char *file;
    int line;
    const char *text;
};

bool tri_check(struct tri_place at, bool ok, const char *why);
bool tri_check_order(struct tri_place at, enum tri_op op, struct tri_value a, struct tri_value b,
                     const char *why);
bool tri_check_str(struct tri_place at, const char *a, const char *b, const char *why);
void tri_skip(const char *why);

/* How many checks have failed in this process, and why it was skipped, or NULL. Any thread. */
unsigned test_n_failed(void);
const char *test_skipped(void);

/* The seed of the running test, or of the program outside one: from TR_SEED and the name. */
uint64_t test_seed(void);
/* Prints the line with TR_SEED, which is drawn and exported if it was not set. */
void test_print_seed(void);

static inline struct tri_value tri_signed(intmax_t i)
{
    return (struct tri_value){ .kind = TRI_SIGNED, .i = i };
}

static inline struct tri_value tri_unsigned(uintmax_t u)
{
    return (struct tri_value){ .kind = TRI_UNSIGNED, .u = u };
}

static inline struct tri_value tri_pointer(const volatile void *p)
{
    return (struct tri_value){ .kind = TRI_POINTER, .p = p };
}

/* clang-format off */
#define TRI_VALUE(x) _Generic((x),                                                         \
    char: tri_signed, signed char: tri_signed, short: tri_signed, int: tri_signed,         \
    long: tri_signed, long long: tri_signed,                                               \
    bool: tri_unsigned, unsigned char: tri_unsigned, unsigned short: tri_unsigned,         \
    unsigned: tri_unsigned, unsigned long: tri_unsigned, unsigned long long: tri_unsigned, \
    default: tri_pointer)(x)

/*
 * Every macro passes one argument more than it was given, NULL, so that the "..." of the inner
 * one is never empty and the text of a message is optional.
 */
#define TRI_AT(text)                  ((struct tri_place){ __FILE__, __LINE__, text })
#define TRI_TRUE(text, x, why, ...)   tri_check(TRI_AT(text), (x), why)
#define TRI_ORDER(text, op, a, b, why, ...) \
    tri_check_order(TRI_AT(text), op, TRI_VALUE(a), TRI_VALUE(b), why)
#define TRI_STR(text, a, b, why, ...) tri_check_str(TRI_AT(text), a, b, why)
#define TRI_NEED(held)                do { if (!(held)) return; } while (0)

#define check(...)     TRI_TRUE("check(" #__VA_ARGS__ ")", __VA_ARGS__, NULL, NULL)
#define check_eq(...)  TRI_ORDER("check_eq(" #__VA_ARGS__ ")", TRI_EQ, __VA_ARGS__, NULL, NULL)
#define check_ne(...)  TRI_ORDER("check_ne(" #__VA_ARGS__ ")", TRI_NE, __VA_ARGS__, NULL, NULL)
#define check_lt(...)  TRI_ORDER("check_lt(" #__VA_ARGS__ ")", TRI_LT, __VA_ARGS__, NULL, NULL)
#define check_le(...)  TRI_ORDER("check_le(" #__VA_ARGS__ ")", TRI_LE, __VA_ARGS__, NULL, NULL)
#define check_gt(...)  TRI_ORDER("check_gt(" #__VA_ARGS__ ")", TRI_GT, __VA_ARGS__, NULL, NULL)
#define check_ge(...)  TRI_ORDER("check_ge(" #__VA_ARGS__ ")", TRI_GE, __VA_ARGS__, NULL, NULL)
#define check_str(...) TRI_STR("check_str(" #__VA_ARGS__ ")", __VA_ARGS__, NULL, NULL)

#define need(...)      TRI_NEED(TRI_TRUE("need(" #__VA_ARGS__ ")", __VA_ARGS__, NULL, NULL))
#define need_eq(...)   TRI_NEED(TRI_ORDER("need_eq(" #__VA_ARGS__ ")", TRI_EQ, __VA_ARGS__, NULL, NULL))
#define need_ne(...)   TRI_NEED(TRI_ORDER("need_ne(" #__VA_ARGS__ ")", TRI_NE, __VA_ARGS__, NULL, NULL))
#define need_lt(...)   TRI_NEED(TRI_ORDER("need_lt(" #__VA_ARGS__ ")", TRI_LT, __VA_ARGS__, NULL, NULL))
#define need_le(...)   TRI_NEED(TRI_ORDER("need_le(" #__VA_ARGS__ ")", TRI_LE, __VA_ARGS__, NULL, NULL))
#define need_gt(...)   TRI_NEED(TRI_ORDER("need_gt(" #__VA_ARGS__ ")", TRI_GT, __VA_ARGS__, NULL, NULL))
#define need_ge(...)   TRI_NEED(TRI_ORDER("need_ge(" #__VA_ARGS__ ")", TRI_GE, __VA_ARGS__, NULL, NULL))
#define need_str(...)  TRI_NEED(TRI_STR("need_str(" #__VA_ARGS__ ")", __VA_ARGS__, NULL, NULL))

#define test_skip(why) do { tri_skip(why); return; } while (0)
/* clang-format on */

#endif /* TR_CHECK_H */
