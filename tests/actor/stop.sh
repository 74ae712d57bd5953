#!/bin/sh
# SPDX-License-Identifier: MIT
# The way down of a daemon: signals, deadlines, exit statuses, reports. See inner_stop.c.
set -u
inner=${top_builddir:-.}/tests/actor/inner_stop
dir=$(mktemp -d "${TMPDIR:-/tmp}/stop.XXXXXX") || exit 1
trap 'rm -rf "$dir"' EXIT
n=0
slow=1
case "${TR_SANITIZER:-no},${TR_RUN_UNDER:-}" in no,) ;; *) slow=10 ;; esac

now_ms() { date +%s%3N; }

# start PART: runs the daemon and waits until it is at work
start()
{
    rm -f "$dir/fifo"
    mkfifo "$dir/fifo"
    ${TR_RUN_UNDER:-} "$inner" "$1" >"$dir/fifo" 2>"$dir/err" &
    pid=$!
    exec 3<"$dir/fifo"
    read -r line <&3 || line=
    began=$(now_ms)
}

# finish: waits for the end; $status, $took (ms since start or the last mark), the rest of its output
finish()
{
    cat <&3 >"$dir/out"
    exec 3<&-
    wait "$pid"
    status=$?
    took=$(($(now_ms) - began))
}

mark() { began=$(now_ms); }

# await PATTERN: until the daemon has said it, at most 30 s; a worker that other programs keep
# from its processor is reported late
await()
{
    tries=0
    while ! grep -qE -- "$1" "$dir/err" && [ $tries -lt 600 ]; do
        sleep 0.05
        tries=$((tries + 1))
    done
}

report()
{
    n=$((n + 1))
    if [ "$2" = 0 ]; then
        echo "ok $n - $1"
    else
        echo "# status $status after $took ms, first line '$line'"
        sed 's/^/#   /' "$dir/err" "$dir/out"
        echo "not ok $n - $1"
    fi
}

# expect NAME STATUS MS PATTERN...: the status, an end within MS, and the patterns in what it said
expect()
{
    name=$1 want=$2 limit=$(($3 * slow)) bad=0
    shift 3
    [ "$status" = "$want" ] || bad=1
    [ "$took" -le "$limit" ] || bad=1
    for pattern; do
        cat "$dir/err" "$dir/out" | grep -qE -- "$pattern" || { echo "# missing: $pattern"; bad=1; }
    done
    report "$name" $bad
}

# last PATTERN: the last line on standard error
last()
{
    tail -n 1 "$dir/err" | grep -qE -- "$1"
    report "the last line is '$1'" $?
}

# pause MS: between two signals that are to count as two
pause() { sleep "$(awk "BEGIN { print $1 / 1000 }")"; }

echo 1..27

start polite
kill -TERM "$pid"
finish
expect "TERM drains, and that is success" 0 500 "SIGTERM from process"
last '^shutdown: 5 stopped, 0 late, 0 lost, 0 discarded, [0-9.]+ s$'

start polite
kill -INT "$pid" # ignored by sh for jobs in the background, and so by the daemon
kill -TERM "$pid"
finish
expect "an INT that was ignored before stays ignored" 0 500 "SIGTERM"

start self
finish
expect "an actor that raises DRAIN ends the daemon" 0 500 "stops: the test says so"

BUDGET_MS=800
export BUDGET_MS
start deaf
kill -TERM "$pid"
finish
expect "who is deaf to the drain is cancelled before the budget ends" 0 800 ", 0 late"
[ "$took" -ge 500 ]
report "and not before its share of it" $?

start stubborn
kill -TERM "$pid"
finish
expect "who goes on for ever is named; the status is 124, in time" 124 1300 \
    "'stubborn' #[0-9]+ has not ended in time" "OVERRUN|was cancelled and has waited|has not ended"
last '^shutdown: 5 stopped, 1 late \(stubborn\), 1 lost, 0 discarded, 0\.[89]'

start tidy
kill -TERM "$pid"
finish
expect "a cleanup that takes too long is cut" 124 1300 "cleanup cut" "'tidy' #[0-9]+ has not ended"

start hang
kill -TERM "$pid"
finish
expect "a hook that hangs does not hold up the end" 124 1700 "report hangs"
unset BUDGET_MS

start stubborn
kill -TERM "$pid"
pause 250
mark
kill -TERM "$pid"
finish
expect "a second TERM ends it within 100 ms" 143 100 "'stubborn' #[0-9]+ has not ended"
last '^shutdown: 5 stopped, 1 late \(stubborn\), 1 lost'

start hang
kill -TERM "$pid"
pause 250
kill -TERM "$pid"
pause 230
mark
kill -TERM "$pid"
finish
expect "a third TERM ends it at once" 143 120 "third signal"

start stubborn
kill -TERM "$pid"
kill -TERM "$pid"
pause 100
kill -TERM "$pid"
pause 200
kill -0 "$pid" 2>/dev/null
report "signals within 200 ms count once" $?
kill -KILL "$pid"
finish

# ThreadSanitizer keeps a signal back until the thread makes a call.
place='running, at inner_stop\+0x'
[ "${TR_SANITIZER:-no}" != thread ] || place=running

start spinner
await 'has held worker'
kill -TERM "$pid"
pause 250
mark
kill -TERM "$pid"
finish
expect "a task that does not wait is reported with its place" 143 150 \
    "'spinner' #[0-9]+ has held worker [0-9] for [0-9]+ ms" "$place"
[ "$(grep -c 'has held worker' "$dir/err")" = 1 ]
report "and once" $?

start reader
await 'has held worker'
kill -TERM "$pid"
pause 250
kill -TERM "$pid"
finish
expect "a task in a system call is reported with the call" 143 2000 \
    "'reader' #[0-9]+ has held worker [0-9]" "in read\(\) at "

start failing
finish
expect "a failing child makes the status 1" 1 500 "'failing' #[0-9]+ failed"

start error
finish
expect "an app that fails makes the status 1" 1 500
! grep -q shutdown: "$dir/err"
report "and there is no summary of a stop that was none" $?

# TERM at a moment of the start that is drawn: it never hangs, and ends by the drain or, before
# tr_main() has blocked the signal, by its default effect
: >"$dir/out"
bad=0
began=$(now_ms)
awk -v seed="${TR_SEED:-$$}" 'BEGIN { srand(seed); for (i = 0; i < 200; i++) print rand() * 0.006 }' >"$dir/delays"
while read -r delay; do
    "$inner" polite >/dev/null 2>"$dir/err" &
    pid=$!
    sleep "$delay"
    kill -TERM "$pid"
    wait "$pid"
    status=$?
    case $status in 0 | 143) ;; *) bad=1 ;; esac
    [ $bad = 0 ] || break
done <"$dir/delays" 2>/dev/null # where the shell says who was terminated
took=$(($(now_ms) - began))
report "TERM at 200 random moments of the start never hangs" $bad

start deaf
kill -USR1 "$pid"
# The first dump may come before the task has parked: each asks anew.
until grep -q "'deaf' #[0-9]*: waits: sleep; spawned at inner_stop+0x" "$dir/err"; do
    [ $(($(now_ms) - began)) -lt $((3000 * slow)) ] || break
    pause 20
    kill -USR1 "$pid"
done
kill -0 "$pid"
report "USR1 does not end it" $?
kill -QUIT "$pid"
kill -TERM "$pid"
pause 250
kill -TERM "$pid"
finish
expect "USR1 lists a parked task, and what it waits for" 143 5000 "'deaf' #[0-9]+: waits: sleep; spawned at" \
    "level RUN, 7 actors, 2 workers"

start reloader
kill -HUP "$pid"
read -r line <&3
kill -HUP "$pid"
read -r line2 <&3
kill -TERM "$pid"
finish
line="$line/$line2"
[ "$line" = "reload 1 by parent/reload 1 by parent" ]
report "an opened signal is delivered with its sender" $?

start own-term
kill -TERM "$pid"
finish
expect "an app that opens TERM takes it over" 0 500 "level RUN"

start fork
finish
expect "a forked child is refused, and can be killed" 0 1000 "child killed by TERM"
printf '%s\n' "$line" | grep -q 'wait 1, spawn 1, run 1'
report "every entry says -EOWNERDEAD there" $?
