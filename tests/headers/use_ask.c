/* SPDX-License-Identifier: MIT */
/* use_ask.c - questions over a queue and a handler, and what the compiler must refuse. */
#include <troupe.h>

TR_REPLY(count, unsigned long);
TR_REPLY(text, const char *);

struct msg {
    int op;
    count reply;
};

TR_MPSC(msgq, struct msg, tr_nodrop);
TR_ASK(msgq, msgq_tx, struct msg, reply, count);
TR_HANDLER_REF(ctr, struct msg, tr_nodrop);
TR_ASK(ctr, ctr_ref, struct msg, reply, count);
#if TR_BAD == 1
TR_ASK(bad, msgq_tx, struct msg, reply, text);
#endif

int use_ask(msgq_tx *tx, ctr_ref *ref, struct msg *m);

int use_ask(msgq_tx *tx, ctr_ref *ref, struct msg *m)
{
    unsigned long n = 0;
    msgq_question asked;
    tr_arm arm;
    int r;

#if TR_BAD == 2
    r = msgq_ask(ref, m, TR_NEVER, &n);
#elif TR_BAD == 3
    const char *s;

    r = msgq_ask(tx, m, TR_NEVER, &s);
#elif TR_BAD == 4
    r = text_answer(&m->reply, &n);
#elif TR_BAD == 5
    const char *s;

    r = msgq_ask_begin(tx, m, TR_NEVER, &s, &asked);
#elif TR_BAD == 6
    r = ctr_ask_begin(ref, m, TR_NEVER, &n, &asked);
#else
    r = msgq_ask(tx, m, TR_NEVER, &n);
#endif
    if (r == 0)
        r = msgq_ask_begin(tx, m, TR_NEVER, &n, &asked);
    if (r == 0) {
        arm = msgq_ask_arm(&asked);
        r = tr_select(TR_NEVER, &arm, 1);
        if (msgq_ask_end(&asked))
            r = arm.result;
    }
    if (r == 0)
        r = ctr_blocking_ask(ref, m, TR_NOW, &n);
    if (r == 0 && count_is_wanted(&m->reply))
        r = count_answer(&m->reply, &n);
    count_close(&m->reply);
    return r;
}
