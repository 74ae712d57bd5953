/* SPDX-License-Identifier: MIT */
/*
 * troupe/completer.h - let a C library with callbacks fill a oneshot: "calls me once, on any
 * thread, maybe never, maybe twice, maybe before I return".
 *
 *     TR_ONESHOT(page, struct page, page_drop);
 *     TR_COMPLETER(page, struct page);
 *
 *     static void on_page(void *token, const char *text)     the library's callback
 *     {
 *         struct page p = { strdup(text) };
 *
 *         page_complete(token, &p);                          -EALREADY: too late, p was dropped
 *     }
 *
 *     r = page_completer(&tx, &token);
 *     fetch(url, on_page, token);
 *     r = page_recv(&rx, tr_after(TR_S(5)), &p);
 *
 * The token is a number in the shape of a pointer, never used again: a call that comes a second
 * time, or after everything is over, finds nothing and harms nobody.
 */
#ifndef TROUPE_COMPLETER_H
#define TROUPE_COMPLETER_H

#include <troupe/oneshot.h>

TR_BEGIN_DECLS

/* The untyped core; TR_COMPLETER generates the typed functions over it. */
TR_API TR_CHECK int tr_completer_new(tr_oneshot_tx *tx, void **ret_token);
TR_API int tr_complete(void *token, const struct tri_type *type, void *value);

/*
 * Gives up: the receiver sees a sender that closed. For a library that will not call any more.
 * Returns 0, or -EALREADY: it was completed or closed before.  Callers: as of name_complete().
 */
TR_API int tr_completer_close(void *token);

/* How many calls have come too late so far, in the whole process. Any thread. */
TR_API unsigned long tr_completer_n_late(void);

/*
 * After TR_ONESHOT(name, type, ...); ends with ';'.
 *
 * name_completer(&tx, &token): moves *@tx behind @token.  Returns 0; -EINVAL: @tx is empty;
 *   -ENOMEM: @tx stays yours.
 * name_complete(token, &v): the first call sends *v; every other one drops it.  *v is empty
 *   afterwards.  Returns:  0.  -EPIPE: nobody waits any more, *v was dropped.  -EALREADY.
 *   Callers: any actor, any thread, not signal handlers.  Progress: a short lock.
 */
#define TR_COMPLETER(name, type)                                                               \
    TR_GENERATED TR_CHECK int name##_completer(name##_tx *tri_tx, void **tri_ret_token)        \
    {                                                                                          \
        return tr_completer_new(tri_tx ? &tri_tx->end : NULL, tri_ret_token);                  \
    }                                                                                          \
    TR_GENERATED int name##_complete(void *tri_token, type *tri_value)                         \
    {                                                                                          \
        return tr_complete(tri_token, &name##_tri_type, tri_value);                            \
    }                                                                                          \
    struct name##_tri_semicolon_completer

TR_END_DECLS

#endif /* TROUPE_COMPLETER_H */
