#!/bin/bash
# SPDX-License-Identifier: MIT
# check-hello.sh - each small example prints what its first comment says.
# shellcheck source=examples/support/check.sh
. "${top_srcdir:-.}/examples/support/check.sh" || exit 1

# prints WANTED EXAMPLE [ARG...]: its lines, joined by "; ", and its exit status
prints()
{
    local wanted=$1 name=$2 out
    shift

    out=$("$examples/$name" "${@:2}" 2>&1; echo "exit $?")
    is "$name prints what it promises" "$(joined <<<"$out")" "$wanted"
}

prints '42; exit 0' ask-reply 6 7
prints 'usage: ask-reply A B; exit 1' ask-reply
prints 'prompt: 1 2 3 4 5 6; late: 2 lost 3 4 5 6 over; exit 0' hello-broadcast
prints 'bob gave his back; carol expired; alice expired; exit 0' hello-delayq
prints 'page 1, version 1: not wanted any more; page 2, version 1: fetched; 2 is done, 1 left; page 1, version 2: fetched; 1 is done, 0 left; exit 0' hello-group
prints '1 + 2 + 3 = 6; exit 0' hello-handler
prints '0 10 20 30 ms; skipped, and still in the rhythm; exit 0' hello-interval
prints '3 messages, 1 + 2 + 3 = 6; exit 0' hello-mpsc
prints '6 * 7 = 42; no second value; exit 0' hello-oneshot
prints 'waiting; over; exit 0' timer-future
prints 'patient: cancelled; patient: cleaned up; scope: clumsy failed, nothing is left; exit 0' hello-scope
prints 'job 1; job 2; job 3; no more jobs; time is up; exit 0' hello-select
prints 'the factor was made; never more than 2 at a time; 10 + 20 + 30 = 60; exit 0' hello-sync
prints '1; 2; 3; 4; 5; exit 0' hello-thread
prints '2 guests; after a while: the deadline has passed (ETIMEDOUT), 1 left; shown out: 0 left; exit 0' hello-tracker
prints 'cold; warm; over; exit 0' hello-watch
done_checking
