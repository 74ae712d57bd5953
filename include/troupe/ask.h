/* SPDX-License-Identifier: MIT */
/*
 * troupe/ask.h - a question and its answer in one call.
 *
 *     TR_REPLY(count, unsigned long);
 *     struct ctr_msg { enum { CTR_ADD, CTR_GET } op; unsigned by; count reply; };
 *     TR_HANDLER(ctr, ...);                                  or TR_MPSC(...)
 *     TR_ASK(ctr, ctr_ref, struct ctr_msg, reply, count);
 *
 *     r = ctr_ask(&ref, &m, tr_after(TR_S(1)), &n);          the asker
 *     r = count_answer(&m->reply, &n);                       the replier
 *
 * The answer is written into the asker's variable; nothing is allocated for it. A reply end is a
 * small value that travels in the message: move it by copying it and forgetting the source; { 0 }
 * is an empty one. The drop function of the message closes it, so that a question nobody answers
 * ends the wait of its asker.
 */
#ifndef TROUPE_ASK_H
#define TROUPE_ASK_H

#include <troupe/mpsc.h>

TR_BEGIN_DECLS

struct tri_gate;

typedef struct tr_reply {
    struct tri_gate *gate;
    uint64_t serial;
} tr_reply;

/* The untyped core; TR_REPLY and TR_ASK generate the typed functions over it. */
TR_API int tr_reply_answer(tr_reply *reply, void *value, size_t size);
TR_API bool tr_reply_is_wanted(const tr_reply *reply);
TR_API void tr_reply_close(tr_reply *reply);
TR_API TR_CHECK int tr_ask(tr_mpsc_tx *tx, void *m, tr_reply *reply, tr_time deadline,
                           void *ret_value);
TR_API TR_CHECK int tr_blocking_ask(tr_mpsc_tx *tx, void *m, tr_reply *reply, tr_time deadline,
                                    void *ret_value);

/*
 * Declares @name, the reply end for answers of @type; ends with ';'.
 *
 * name_answer(&reply, &v): hands the answer over and empties *@reply, whatever the outcome.
 *   Returns:  0: the asker has it, *v is zero.  -EPIPE: he has given up, the value stays yours.
 *   Callers: anybody.  Progress: wait-free, at most one wake-up.
 * name_is_wanted(&reply): the asker still waits.
 * name_close(&reply): there will be no answer: the asker gets -EOWNERDEAD. Leaves it empty.
 */
#define TR_REPLY(name, type)                                                                   \
    TR_STATIC_ASSERT(sizeof(type) <= TR_MESSAGE_MAX, "declare large answers by pointer");      \
    typedef type name##_tri_value;                                                             \
    typedef struct name {                                                                      \
        tr_reply end;                                                                          \
    } name;                                                                                    \
    TR_GENERATED int name##_answer(name *tri_reply, type *tri_value)                           \
    {                                                                                          \
        return tr_reply_answer(&tri_reply->end, tri_value, sizeof(type));                      \
    }                                                                                          \
    TR_GENERATED bool name##_is_wanted(const name *tri_reply)                                  \
    {                                                                                          \
        return tr_reply_is_wanted(&tri_reply->end);                                            \
    }                                                                                          \
    TR_GENERATED void name##_close(name *tri_reply)                                            \
    {                                                                                          \
        tr_reply_close(&tri_reply->end);                                                       \
    }                                                                                          \
    struct name##_tri_semicolon_reply

/*
 * Declares the asking of @name; ends with ';'. @tx_type: a sending end of a channel of @message,
 * from TR_MPSC or TR_HANDLER; @field: the reply end in the message, a @reply from TR_REPLY.
 *
 * name_ask(&tx, &m, deadline, &answer): puts a reply end into the empty field, sends m, and waits
 *   for the answer; one that races with the end of the wait wins.
 *   Returns:  0: the answer is yours, m was moved.  -EOWNERDEAD: nobody will answer, m was moved.
 *   -ETIMEDOUT, -ECANCELED, -ESHUTDOWN: m was moved if it is zero now; an answer that comes later
 *   is refused to the replier.  -EDEADLK: who answers there waits, directly or through others,
 *   for an answer of yours, and each of you has said with name_rx_own() that he alone answers;
 *   the hook is told the circle (up to 16 members), m is still yours. Of two that close a circle
 *   at the same moment both may be refused.  Else as a send, and m is still yours; -EINVAL: also
 *   for a field that is not empty; -ENOMEM.
 *   Callers: tasks.
 * name_blocking_ask(&tx, &m, deadline, &answer): the same for plain threads.
 */
#define TR_ASK(name, tx_type, message, field, reply)                                           \
    TR_GENERATED TR_CHECK int name##_ask(tx_type *tri_tx, message *tri_m, tr_time tri_deadline, \
                                         reply##_tri_value *tri_ret)                           \
    {                                                                                          \
        reply *tri_reply = &tri_m->field;                                                      \
        return tr_ask(&tri_tx->end, tri_m, &tri_reply->end, tri_deadline, tri_ret);            \
    }                                                                                          \
    TR_GENERATED TR_CHECK int name##_blocking_ask(                                             \
        tx_type *tri_tx, message *tri_m, tr_time tri_deadline, reply##_tri_value *tri_ret)     \
    {                                                                                          \
        reply *tri_reply = &tri_m->field;                                                      \
        return tr_blocking_ask(&tri_tx->end, tri_m, &tri_reply->end, tri_deadline, tri_ret);   \
    }                                                                                          \
    struct name##_tri_semicolon_ask

TR_END_DECLS

#endif /* TROUPE_ASK_H */
