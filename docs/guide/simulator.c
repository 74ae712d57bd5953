/* SPDX-License-Identifier: MIT */
/* simulator - a test in virtual time: an hour passes at once, the same way for each seed. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <troupe.h>

/* ---- what is tested: gives up on a peer that is silent for a minute ---- */

static int wait_for_greeting(tr_sock *s, char *line, size_t size)
{
    ssize_t n = tr_read_line(s, line, size, tr_after(TR_S(60)));

    return n > 0 ? 0 : n == 0 ? -EPIPE : (int)n;
}

/* ---- the other side ---- */

struct peer {
    tr_sock s;
    tr_time silence;
};

static void peer_drop(struct peer *p)
{
    tr_sock_close(&p->s);
}
TR_TASK(peer, struct peer, peer_drop);

static int peer(struct peer *p)
{
    int r = tr_sleep(tr_after(p->silence));
    ssize_t n = r < 0 ? r : tr_write(&p->s, "hello\n", 6, TR_NEVER);

    return n == -EPIPE ? 0 : n < 0 ? (int)n : 0; /* the other one may have given up */
}

/* ---- the test ---- */

static int try_silence(tr_time silence)
{
    char line[64] = "";
    tr_sock s TR_CLEANUP(tr_sock_close) = { 0 };
    struct peer p TR_CLEANUP(peer_drop) = { .silence = silence };
    tr_scope scope TR_CLEANUP(tr_scope_end) = tr_scope_open(NULL);
    tr_time begin = tr_now();
    int r;

    if ((r = tr_sock_pair(&s, &p.s)) < 0 || (r = peer_spawn(&scope, &p, NULL)) < 0)
        return r;
    r = wait_for_greeting(&s, line, sizeof line);
    line[strcspn(line, "\n")] = '\0';
    printf("silence of %lld s: '%s', %s, after %lld s\n", (long long)(silence / TR_S(1)), line,
           tr_strerror(r), (long long)((tr_now() - begin) / TR_S(1)));
    return 0;
}

static int test(tr_scope *root, void *arg)
{
    int r;

    (void)root;
    (void)arg;
    if ((r = try_silence(TR_S(3600))) < 0)
        return r;
    return try_silence(TR_S(59));
}

int main(void)
{
    struct tr_runtime_opts opts = { .simulate = true, .seed = 1 };

    return tr_run_with(&opts, test, NULL) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
