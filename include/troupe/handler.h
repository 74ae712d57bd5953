/* SPDX-License-Identifier: MIT */
/*
 * troupe/handler.h - a handler is a state and one function, run once for each message of its
 * mailbox. It has no stack and may not wait, so a million of them fit.
 *
 *     struct ctr     { unsigned long n; };
 *     struct ctr_msg { enum { CTR_ADD, CTR_GET } op; unsigned by; count_tx reply; };
 *     TR_HANDLER(ctr, struct ctr, struct ctr_msg, tr_nodrop, ctr_msg_drop);
 *
 *     static int ctr(struct ctr *self, struct ctr_msg *m)
 *     {
 *         switch (m->op) { ... }
 *         return 0;
 *     }
 *
 *     ctr_ref ref;
 *     r = ctr_spawn(&scope, &state, NULL, &ref);
 *     r = ctr_send(&ref, &m, TR_NEVER);
 *
 * The function owns *m: what it leaves in it is dropped after it returns. It returns 0, or a
 * negative errno, which ends the handler as a failure; tr_handler_stop() ends it cleanly. It
 * also ends, after the queued messages and that of its timer, when every reference is closed;
 * when its scope is cancelled they are dropped. A drain alone does not touch it. Two messages
 * of one handler never run at the same time, but they may run on different workers.
 */
#ifndef TROUPE_HANDLER_H
#define TROUPE_HANDLER_H

#include <troupe/mpsc.h>
#include <troupe/scope.h>

TR_BEGIN_DECLS

struct tr_handler_opts {
    const char *name; /* for reports; lives as long as the handler. NULL: the TR_HANDLER name */
    size_t capacity;  /* messages in the mailbox, or TR_UNBOUNDED; 0: 16 */
    unsigned flags;   /* enum tr_handler_flag */
    enum tr_overflow overflow; /* these as in struct tr_mpsc_opts */
    tr_mpsc_same_fn *same;
    size_t n_urgent;
};

enum tr_handler_flag {
    /* A drain shuts the mailbox; what is queued still runs, a timer does not. */
    TR_HANDLER_UNTIL_DRAIN = 1u << 0,
    /* Places of its mailbox can be reserved, and its end waited for. */
    TR_HANDLER_PERMITS = 1u << 1,
};

struct tri_handler_type {
    struct tri_type message; /* the mailbox points to it, and so leads the handler to the
                              * rest */
    int (*run)(void *self, void *m);
    tr_drop_fn *drop_self;
    uint32_t self_size;
    uint32_t self_align;
};

/*
 * Declares the handler @name; ends with ';'. Generates name_ref, a sending end of its mailbox,
 * with name_send, name_try_send, name_blocking_send, name_send_arm, name_send_urgent,
 * name_ref_clone, name_ref_close, name_ref_is_closed, permits, weak ends and the rest as
 * TR_MPSC has them. A plain mailbox, one that waits, has a bound, no urgent lane and no
 * permits, is all in the handler's record; the others cost some 80 bytes more, and allocations
 * for a lane, for a ring above 2 KiB, for what has no bound. In a plain one name_reserve and
 * name_closed return -EINVAL. The state and a plain mailbox: 16 KiB together, else -ENOMEM. And
 *
 *     int name_spawn(tr_scope *scope, state *self, const struct tr_handler_opts *opts,
 *                    name_ref *ret_ref);
 *
 * which moves *@self into a new handler; always consumed, as with tasks. Returns as a task's.
 *
 *     int name_post(name_ref *to, message *m);
 *
 * for use in a handler: as name_try_send, but a message that finds the mailbox of @to full
 * waits in the outbox of the running handler, which takes no further message until there is
 * room: back-pressure without waiting. -EAGAIN: the outbox is taken too.  -EDEADLK: the full
 * mailbox is its own.  -EPERM: not in a handler.  -EOWNERDEAD: a forked child. A message in the
 * outbox of a handler that ends is dropped. Two handlers that post to each other while both are
 * full wait for ever.
 *
 *     int name_timer(tr_time at, message *m);
 *
 * for use in the handler itself: moves *@m into its timer, which puts it before the queued
 * messages at @at. One timer a handler: a second call drops the first message. TR_NEVER: off,
 * @m may be NULL then.
 *
 * Over several files: TR_HANDLER_REF(name, message, drop_message) in a header declares the
 * reference and its functions, TR_HANDLER_BODY(name, state, message, drop_state) in one file
 * the rest.
 */
#define TR_HANDLER(name, state, message, drop_state, drop_message)                             \
    TR_HANDLER_REF(name, message, drop_message);                                               \
    TR_HANDLER_BODY(name, state, message, drop_state)

#define TR_HANDLER_REF(name, message, drop_message)                                            \
    TRI_TYPE_DROP(name, message, drop_message);                                                \
    typedef struct name##_ref {                                                                \
        tr_mpsc_tx end;                                                                        \
    } name##_ref;                                                                              \
    TR_GENERATED TR_CHECK int name##_post(name##_ref *tri_to, message *tri_m)                  \
    {                                                                                          \
        return tr_handler_post(&tri_to->end, tri_m);                                           \
    }                                                                                          \
    TRI_MPSC_PERMIT(name, name##_ref, message);                                                \
    TRI_MPSC_TX(name, name##_ref, message)

#define TR_HANDLER_BODY(name, state, message, drop_state)                                      \
    TR_STATIC_ASSERT(__alignof__(state) <= 16,                                                 \
                     "states are aligned to 16 bytes at most");                                \
    static int name(state *tri_self, message *tri_m);                                          \
    TR_GENERATED int name##_tri_run(void *tri_self, void *tri_m)                               \
    {                                                                                          \
        return name((state *)tri_self, (message *)tri_m);                                      \
    }                                                                                          \
    TR_GENERATED void name##_tri_drop_self(void *tri_value)                                    \
    {                                                                                          \
        state *tri_typed = (state *)tri_value;                                                 \
        drop_state(tri_typed);                                                                 \
    }                                                                                          \
    static const struct tri_handler_type name##_tri_handler = {                                \
        TRI_TYPE_INIT(name, message),                                                          \
        name##_tri_run,                                                                        \
        name##_tri_drop_self,                                                                  \
        (uint32_t)sizeof(state),                                                               \
        (uint32_t) __alignof__(state)                                                          \
    };                                                                                         \
    TR_GENERATED TR_CHECK int name##_spawn(tr_scope *tri_scope, state *tri_self,               \
                                           const struct tr_handler_opts *tri_opts,             \
                                           name##_ref *tri_ret_ref)                            \
    {                                                                                          \
        return tr_handler_spawn(tri_scope, &name##_tri_handler, tri_self, tri_opts,            \
                                tri_ret_ref ? &tri_ret_ref->end : NULL);                       \
    }                                                                                          \
    TR_GENERATED TR_CHECK int name##_timer(tr_time tri_at, message *tri_m)                     \
    {                                                                                          \
        return tr_handler_timer(&name##_tri_handler, tri_at, tri_m);                           \
    }                                                                                          \
    struct name##_tri_semicolon_body

/* The untyped forms below TR_HANDLER. */
TR_API TR_CHECK int tr_handler_spawn(tr_scope *scope, const struct tri_handler_type *type,
                                     void *self, const struct tr_handler_opts *opts,
                                     tr_mpsc_tx *ret_ref);
TR_API TR_CHECK int tr_handler_post(tr_mpsc_tx *to, void *m);
TR_API TR_CHECK int tr_handler_timer(const struct tri_handler_type *type, tr_time at, void *m);

/* In a handler: end cleanly after this message. Else -EPERM, in a forked child -EOWNERDEAD. */
TR_API int tr_handler_stop(void);

TR_END_DECLS

#endif /* TROUPE_HANDLER_H */
