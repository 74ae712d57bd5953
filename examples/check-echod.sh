#!/bin/bash
# SPDX-License-Identifier: MIT
# check-echod.sh - echod under 20 clients: reload, restart of the statistics, stop.
# shellcheck source=examples/support/check.sh
. "${top_srcdir:-.}/examples/support/check.sh" || exit 1

log=$work/echod
conf=$work/conf

# A client that asks once, or not at all, and then only waits for the end.
idle()
{
    client "$@" end >>"$work/idle" &
    clients+=("$!")
}

# field NAME FILE: the number behind NAME in what echoload printed
field()
{
    sed -n "s/.*\b$1 \([0-9]*\).*/\1/p" "$2"
}

# restarted N: so often the log says so
restarted()
{
    [ "$(grep -c 'starting it again' "$log")" = "$1" ]
}

echo one >"$conf"
start "$log" "$examples/echod" --port 0 --config "$conf"
echod=$pid
clients=()

# --- traffic
is "a line comes back behind the prefix" "$(client 'send=hello\n' line)" "one: hello"
is "a last line without newline is answered" "$(client 'send=half' shut end)" "fin 9"
is "lines sent together are answered in order" \
    "$(client 'send=a\nb\nc\n' line line line | joined)" "one: a; one: b; one: c"
is "a line in pieces is one line" "$(client 'drip=pieces\n' line)" "one: pieces"

"$support/echoload" "$port" 20 500 >"$work/load" || :
is "20 clients get every line back" "$(cut -d' ' -f1-4,7- "$work/load")" \
    "clients 20 lines 10000 prefixes 1 fin 20 reset 0 torn 0 wrong 0"

# --- reload and restart under traffic, then the stop
idle
idle
idle 'send=one line\n' line
idle 'send=begun and never ended'
"$support/echoload" "$port" 20 0 2 >"$work/busy" &
clients+=("$!")

ok "the statistics fail and are started again, twice" until_true 10 restarted 2
echo two >"$conf"
kill -HUP "$echod"
ok "SIGHUP reloads" until_true 10 grep -q 'reloaded' "$log"
is "the new prefix is in use" "$(client 'send=hello\n' line)" "two: hello"
: >"$conf"
kill -HUP "$echod"
ok "a bad configuration is refused" until_true 10 grep -q 'keeping the old' "$log"
is "and the old one stays in use" "$(client 'send=hello\n' line)" "two: hello"

term "$echod"
wait "${clients[@]}"
is "SIGTERM ends it with status 0" "$status" 0
ok "within three seconds" between "$took" 0 3
# the one with a line may have sent it before or after the reload
is "idle clients are ended cleanly" "$(sed "s/^two:/one:/" "$work/idle" | sort | joined)" \
    "fin 0; fin 0; fin 0; fin 0; one: one line"
is "busy clients are ended cleanly between two lines" "$(cut -d' ' -f1-2,7- "$work/busy")" \
    "clients 20 prefixes 2 fin 20 reset 0 torn 0 wrong 0"

lines=$(($(field lines "$work/load") + $(field lines "$work/busy") + 9))
bytes=$(($(field bytes "$work/load") + $(field bytes "$work/busy") + 6 + 4 + 6 + 7 + 9 + 6 + 6))
is "every line answered is counted, over the restarts" "$(grep 'restarts$' "$log")" \
    "echod: $lines lines, $bytes bytes, 2 restarts"
ok "the last line is the summary" ends_with "$log" \
    "shutdown: [0-9]* stopped, 0 late, 0 lost, 0 discarded"
[ $n_bad = 0 ] || sed 's/^/# echod: /' "$log"

is "a wrong option ends it with status 1" \
    "$("$examples/echod" --bogus >/dev/null 2>&1; echo $?)" 1
start "$log" "$examples/echod" --port 0
is "a port in use ends it with status 1" \
    "$("$examples/echod" --port "$port" >/dev/null 2>&1; echo $?)" 1
term "$pid"
is "an idle server stops at once" "$status $(between "$took" 0 1 && echo soon)" "0 soon"
done_checking
