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
 * The answer is written into the asker's variable; nothing is allocated for it. A reply end is
 * a small value that travels in the message: move it by copying it and forgetting the source;
 * { 0 } is an empty one. The drop function of the message closes it, so that a question nobody
 * answers ends the wait of its asker.
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

/* A question under way; { NULL } is an empty one. */
typedef struct tr_question {
    struct tri_gate *gate;
} tr_question;

/* The untyped core; TR_REPLY and TR_ASK generate the typed functions over it. */
TR_API int tr_reply_answer(tr_reply *reply, void *value, size_t size);
TR_API bool tr_reply_is_wanted(const tr_reply *reply);
TR_API void tr_reply_close(tr_reply *reply);
TR_API TR_CHECK int tr_ask(tr_mpsc_tx *tx, void *m, tr_reply *reply, tr_time deadline,
                           void *ret_value);
TR_API TR_CHECK int tr_blocking_ask(tr_mpsc_tx *tx, void *m, tr_reply *reply, tr_time deadline,
                                    void *ret_value);
TR_API TR_CHECK int tr_ask_begin(tr_mpsc_tx *tx, void *m, tr_reply *reply, tr_time deadline,
                                 void *ret_value, tr_question *ret_question);
TR_API tr_arm tr_ask_arm(tr_question *q);
TR_API bool tr_ask_end(tr_question *q);

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
 * Declares the asking of @name; ends with ';'. @tx_type: a sending end of a channel of
 * @message, from TR_MPSC or TR_HANDLER; @field: the reply end in the message, a @reply from
 * TR_REPLY.
 *
 * name_ask(&tx, &m, deadline, &answer): puts a reply end into the empty field, sends m, and
 *   waits for the answer; one that races with the end of the wait wins.
 *   Returns:  0: the answer is yours, m was moved.  -EOWNERDEAD: nobody will answer, m was
 *   moved.  -ETIMEDOUT, -ECANCELED, -ESHUTDOWN: m was moved if it is zero now; an answer that
 *   comes later is refused to the replier.  -EDEADLK: who answers there waits, directly or
 *   through others, for an answer of yours, and each of you has said with name_rx_own() that he
 *   alone answers; the hook is told the circle (up to 16 members), m is still yours. Of two
 *   that close a circle at the same moment both may be refused.  Else as a send, and m is still
 *   yours; -EINVAL: also for a field that is not empty; -ENOMEM.
 *   Callers: tasks.
 * name_blocking_ask(&tx, &m, deadline, &answer): the same for plain threads.
 *
 * name_ask_begin(&tx, &m, deadline, &answer, &q): puts the reply end in and sends m, waiting
 *   for room only. From then until the end of the question @answer is the replier's, who may
 *   write it at any time: keep it in place, and out of use. A task may have many questions.
 *   Returns:  0: @q is under way.  As a send, and -EINVAL, -ENOMEM as name_ask: m is yours.
 *   Callers: tasks.
 * name_ask_arm(&q): an arm of tr_select(). Its result ends the question: 0: the answer is in
 *   @answer and yours.  -EOWNERDEAD: nobody will answer.  -EINVAL: an empty question. An arm
 *   that loses leaves the question under way, also its answer if that has come.
 * name_ask_end(&q): the question is over; a later answer is refused to the replier. True: one
 *   had come, and is in @answer. Leaves @q empty; never waits, but for a replier who is just
 *   writing. A cleanup of @q that is declared after @answer, with a cleanup of its own, loses
 *   nothing.
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
    typedef struct name##_question {                                                           \
        tr_question end;                                                                       \
    } name##_question;                                                                         \
    TR_GENERATED TR_CHECK int name##_ask_begin(tx_type *tri_tx, message *tri_m,                \
                                               tr_time tri_deadline,                           \
                                               reply##_tri_value *tri_ret,                     \
                                               name##_question *tri_ret_question)              \
    {                                                                                          \
        reply *tri_reply = &tri_m->field;                                                      \
        return tr_ask_begin(&tri_tx->end, tri_m, &tri_reply->end, tri_deadline, tri_ret,       \
                            tri_ret_question ? &tri_ret_question->end : NULL);                 \
    }                                                                                          \
    TR_GENERATED tr_arm name##_ask_arm(name##_question *tri_question)                          \
    {                                                                                          \
        return tr_ask_arm(tri_question ? &tri_question->end : NULL);                           \
    }                                                                                          \
    TR_GENERATED bool name##_ask_end(name##_question *tri_question)                            \
    {                                                                                          \
        return tr_ask_end(&tri_question->end);                                                 \
    }                                                                                          \
    struct name##_tri_semicolon_ask

TR_END_DECLS

#endif /* TROUPE_ASK_H */
