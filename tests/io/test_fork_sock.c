/* SPDX-License-Identifier: MIT */
/*
 * test_fork_sock.c - what a forked child does with a connection leaves its parent's as it was.
 */
#include "config.h"

#include <errno.h>
#include <sys/wait.h>
#include <unistd.h>

#include "io/sock-kit.h"

enum { WRONG = 40 };

TR_SUITE(fork_sock, .timeout = 20);

static tr_sock here, there; /* two ends of a connection */

static void connect_both(void)
{
    tr_sock listener TR_CLEANUP(tr_sock_close) = { NULL };
    char address[64];

    need_eq(tr_tcp_listen("127.0.0.1:0", NULL, &listener), 0);
    (void)snprintf(address, sizeof address, "127.0.0.1:%d", tr_sock_port(&listener));
    need_eq(tr_tcp_connect(address, TR_NEVER, &there), 0);
    need_eq(tr_accept(&listener, TR_NEVER, &here), 0);
}

static void check_child_ends(pid_t pid)
{
    int status = -1;

    need_eq(waitpid(pid, &status, 0), pid);
    check(WIFEXITED(status), "it was killed");
    check_eq(WEXITSTATUS(status), 0);
}

/* Both ways, with what was written before the fork. */
static void check_goes_on(void)
{
    char text[8] = "";

    check_eq(tr_read_exact(&here, text, 5, tr_after(TR_S(5))), 5);
    check_eq(memcmp(text, "hello", 5), 0);
    check_eq(tr_write(&here, "world", 5, TR_NEVER), 5);
    check_eq(tr_read_exact(&there, text, 5, tr_after(TR_S(5))), 5);
    check_eq(memcmp(text, "world", 5), 0);
    tr_sock_close(&here);
    tr_sock_close(&there);
}

ACTOR_TEST(fork_sock, a_close_in_the_child_leaves_unread_input_to_the_parent)
{
    pid_t pid;

    connect_both();
    need_eq(tr_write(&there, "hello", 5, TR_NEVER), 5);
    pid = fork();
    if (pid == 0) {
        tr_sock_close(&here);
        _exit(here.impl ? WRONG : 0);
    }
    check_child_ends(pid);
    check_goes_on();
}

ACTOR_TEST(fork_sock, a_finish_in_the_child_does_not_half_close)
{
    pid_t pid;
    int r;

    connect_both();
    need_eq(tr_write(&there, "hello", 5, TR_NEVER), 5);
    pid = fork();
    if (pid == 0) {
        r = tr_sock_finish(&here, TR_NEVER);
        _exit(r != -EOWNERDEAD || here.impl ? WRONG : 0);
    }
    check_child_ends(pid);
    check_goes_on();
}
