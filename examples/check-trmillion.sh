#!/bin/bash
# SPDX-License-Identifier: MIT
# check-trmillion.sh - many sleepers, as tasks and as handlers: time, memory, and a stop in the
# middle. With TR_FULL=1 a million of each, held to what is promised.
# shellcheck source=examples/support/check.sh
. "${top_srcdir:-.}/examples/support/check.sh" || exit 1

n=$(strict 1000000 20000)
late_max=$(strict 1.3 3)       # s from the last lying down to the last getting up; they sleep 1 s
task_max=$(strict 4300 8000)   # bytes; with few of them, what is not theirs weighs more
handler_max=$(strict 256 1000)
span=$(strict 10000 1000) # ms, long enough for all to lie down
if [ "${TR_SANITIZER:-no}" != no ]; then # they have stacks of their own, gcc's TSan at most 8,000
    n=2000 task_max=2000000 handler_max=5000 span=10000
fi

bytes_of()
{
    sed -n 's/.* \([0-9]*\) bytes each$/\1/p' "$1"
}

# sleep_all KIND OPTION...: all get up in time
sleep_all()
{
    local kind=$1 out=$work/out
    shift

    "$examples/trmillion" "$@" "$n" >"$out" 2>&1
    is "$n $kind end with status 0" "$?" 0
    is "all $kind slept to the end" "$(grep 'to the end' "$out")" "$n of $n slept to the end"
    ok "the last of the $kind is up in time" between \
        "$(sed -n 's/^all were awake \([0-9.]*\) s.*/\1/p' "$out")" 1 "$late_max"
}

# stop_all KIND OPTION...: SIGTERM while all sleep ends them at once
stop_all()
{
    local kind=$1 out=$work/stop
    shift

    rm -f "$out" # that of the run before says the same
    "$examples/trmillion" --sleep 60000 "$@" "$n" >"$out" 2>&1 &
    pid=$!
    children+=("$pid")
    ok "$n $kind fall asleep" until_true 30 grep -q 'fell asleep' "$out"
    term "$pid"
    is "SIGTERM ends the $kind with status 0" "$status" 0
    ok "and in time" between "$took" 0 5
    is "none of the $kind slept to the end" "$(grep 'to the end' "$out")" \
        "0 of $n slept to the end"
}

sleep_all tasks
# A million cannot all lie down within a second; for the memory they have to sleep at once.
"$examples/trmillion" --sleep "$span" "$n" >"$work/out" 2>&1
is "all tasks sleep at once" "$(sed -n 's/.*at most \([0-9]*\) at once.*/\1/p' "$work/out")" "$n"
ok "a task costs a page and little more" between "$(bytes_of "$work/out")" 1000 "$task_max"
sleep_all handlers --handlers
ok "a handler costs little" between "$(bytes_of "$work/out")" 50 "$handler_max"
TR_STACK_GUARD=canary sleep_all "tasks without guard pages"
stop_all tasks
stop_all handlers --handlers

# Too little memory for a stack: it says so, and does not wait for a sleeper that never lay down.
if [ "${TR_SANITIZER:-no}" = no ]; then
    (ulimit -v 60000 && exec timeout 20 "$examples/trmillion" 1000) >"$work/short" 2>&1
    is "too little memory ends it with status 1" "$?" 1
fi

for bad in "" 0 -5 ten "1 2" "--sleep 0 5"; do
    # shellcheck disable=SC2086  # several words are meant
    "$examples/trmillion" $bad >"$work/bad" 2>&1
    is "'$bad' is refused with status 1" "$?" 1
done
done_checking
