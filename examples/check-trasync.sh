#!/bin/bash
# SPDX-License-Identifier: MIT
# check-trasync.sh - every command of trasync: what it prints, in which order, how long it takes.
# shellcheck source=examples/support/check.sh
. "${top_srcdir:-.}/examples/support/check.sh" || exit 1

out=$work/out err=$work/err
slow=$(strict 3.3 10) # s for what sleeps 3 s
quick=$(strict 0.2 2) # s for what sleeps up to 99 ms

# run WORD...: sets $status and $took; what it prints is in $out and $err
run()
{
    local start=$EPOCHREALTIME

    status=0
    timeout 60 "$examples/trasync" "$@" >"$out" 2>"$err" || status=$?
    took=$(awk -v a="$start" -v b="$EPOCHREALTIME" 'BEGIN { print b - a }')
}

# count WORD: so many lines of $err have it
count()
{
    grep -c -- "$1" "$err" || :
}

# header TEXT: $err begins with it and a blank line
header()
{
    is "its header is $1" "$(head -n 2 "$err" | od -An -c)" "$(printf 'INFO: %s:\n\n' "$1" | od -An -c)"
}

not_run()
{
    run not-run
    is "not-run ends with status 0" "$status" 0
    header funcs_not_run
    is "not-run starts nothing" "$(count START)" 0
    is "and says so" "$(tail -n 1 "$err")" "INFO: No async functions run :("
}

wait_for_1st()
{
    run wait-for-1st
    is "wait-for-1st ends with status 0" "$status" 0
    header wait_for_1st_func_to_finish
    ok "foo, bar or baz is the first" grep -Eq '^INFO: (foo|bar|baz) finished 1st$' "$out"
    is "and nobody else" "$(wc -l <"$out")" 1
    is "all four have begun" "$(count START)" 4
    is "the slow one has not ended" "$(count 'END: async_slow')" 0
    is "the first is among those that have ended" \
        "$(count "END: $(cut -d' ' -f2 "$out")")" 1
    ok "it takes no longer than the first" between "$took" 0 "$quick"
}

wait_for_all()
{
    run wait-for-all
    is "wait-for-all ends with status 0" "$status" 0
    header wait_for_all_funcs_to_finish
    is "four begin" "$(count START)" 4
    is "four end" "$(count END)" 4
    is "the slow one is the last" "$(tail -n 1 "$err")" "INFO: END: async_slow"
    ok "they sleep at the same time" between "$took" 3 "$slow"
}

one_at_a_time()
{
    run one-at-a-time
    is "one-at-a-time ends with status 0" "$status" 0
    header run_one_at_at_time
    is "each ends before the next begins" "$(sed -n '3,$s/INFO: //p' "$err" | joined)" \
        "START: bar; END: bar; START: baz; END: baz; START: foo; END: foo; START: async_slow; END: async_slow"
    ok "one-at-a-time takes as long as they do" between "$took" 3 "$slow"
}

block_runtime()
{
    run block-runtime
    is "block-runtime ends with status 0" "$status" 0
    header block_runtime
    is "the blocker is first" "$(cat "$out")" "INFO: blocker task finished 1st"
    ok "one to four have begun" between "$(count START)" 1 4
    is "the blocker among them" "$(count 'START: async_run_blocking_code')" 1
    ok "block-runtime takes as long as the blocker" between "$took" 3 "$slow"
    is "without --watchdog nobody complains" "$(grep -vc '^INFO: \|^$' "$err")" 0
}

watchdog()
{
    run --watchdog block-runtime
    is "with --watchdog it ends with status 0" "$status" 0
    ok "the watchdog names the task" grep -q "^trasync: task 'blocker task' .* has held worker 0 for" "$err"
    ok "and the call in which it waits" grep -q 'thread [0-9]* in futex()' "$err"
    if [ "${TR_SANITIZER:-no}" = no ]; then # those hold back the signal that asks for the stack
        ok "and the way there" grep -Eq 'futex.* < .*(trasync|block)' "$err"
    fi
    is "it has nothing to say of wait-for-1st" \
        "$(run --watchdog wait-for-1st; grep -c '^trasync' "$err")" 0
}

spawn_and_wait()
{
    run spawn-and-wait
    is "spawn-and-wait ends with status 0" "$status" 0
    header spawn_tasks_and_wait
    is "ten foo begin" "$(count 'START: foo')" 10
    is "ten foo end" "$(count 'END: foo')" 10
    ok "they sleep at the same time" between "$took" 0 "$quick"
}

# finished, killed: the numbers in $out
finished()
{
    sed -n 's/^INFO: \([0-9]*\) finished, .*/\1/p' "$out"
}

killed()
{
    sed -n 's/.* \([0-9]*\) killed$/\1/p' "$out"
}

timeouts()
{
    run timeout 1000
    is "timeout kills the slow one, status 124" "$status" 124
    is "and lets the others end" "$(cat "$out")" "INFO: 3 finished, 1 killed"
    is "they have ended" "$(count 'END: \(foo\|bar\|baz\)')" 3
    is "it has not" "$(count 'END: async_slow')" 0
    ok "at the limit" between "$took" 1 "$(strict 1.2 5)"
    run timeout 50 12
    is "of twelve all are accounted for" $(($(finished) + $(killed))) 12
    is "an END for each that finished" "$(count END)" "$(finished)"
    ok "the three slow ones are among the killed" between "$(killed)" 3 12
    run timeout 30000 3
    is "a limit that is not reached kills nothing, status 0" "$status $(cat "$out")" \
        "0 INFO: 3 finished, 0 killed"
    ok "and is not waited for" between "$took" 0 "$(strict 0.2 5)"
    run timeout-1st
    is "timeout-1st ends with status 0" "$status" 0
    ok "it names the first" grep -Eq '^INFO: (foo|bar|baz) finished 1st$' "$out"
    is "and kills the rest: each has ended, or was killed" $(($(count END) + $(killed))) 4
    ok "at once" between "$took" 0 "$quick"
}

stop()
{
    : >"$err" # what a former run said must not count
    "$examples/trasync" wait-for-all >"$out" 2>"$err" &
    pid=$!
    children+=("$pid")
    ok "four are asleep" until_true 10 grep -q 'START: async_slow' "$err"
    term "$pid"
    is "SIGTERM ends it with status 0" "$status" 0
    ok "before the slow one would" between "$took" 0 2.5
    ok "the last line is the summary" ends_with "$err" "shutdown: [0-9]* stopped, 0 late"
}

# refused WHY WORD...
refused()
{
    local why=$1
    shift

    run "$@"
    is "'$*' is refused with status 1" "$status: $(cat "$err")" "1: ERROR: $examples/trasync: \"$why\""
}

not_run
wait_for_1st
wait_for_all
one_at_a_time
block_runtime
watchdog
spawn_and_wait
timeouts
stop
refused 'need command'
refused 'need command' --watchdog
refused 'unknown command' bogus
refused 'need limit in ms' timeout
refused 'need limit in ms' timeout soon
refused 'need number of tasks' timeout 10 0
refused 'too many arguments' not-run now
run --help
is "--help lists the commands" "$status $(grep -c '^  ' "$out")" "0 8"
done_checking
